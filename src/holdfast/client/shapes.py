"""What a server answers. Members that a later server adds are ignored; instants are aware and in UTC."""

from collections.abc import Iterator
from datetime import date, datetime
from uuid import UUID

import msgspec


class Shape(msgspec.Struct, frozen=True, rename="camel"):
    """A part of an answer."""


class RefundTerm(Shape, frozen=True):
    """Whoever cancels so many hours before the start gets so many percent back."""

    hours_before: int
    percent: int


class Service(Shape, frozen=True):
    """Something that is booked at a time of the client's choice. Prices are in minor units, like cents."""

    id: UUID
    slug: str
    name: str
    duration_minutes: int
    price_minor: int
    payment_policy: str
    resource_ids: tuple[UUID, ...]
    payment_minutes: int
    refund_terms: tuple[RefundTerm, ...] = ()
    max_simultaneous_bookings: int | None = None


class Resource(Shape, frozen=True):
    """A practitioner, a room or a thing that bookings occupy; so many at a time as its capacity."""

    id: UUID
    slug: str
    name: str
    kind: str
    capacity: int


class Program(Shape, frozen=True):
    """A group with a schedule of its own."""

    id: UUID
    slug: str
    name: str
    duration_minutes: int
    max_capacity: int
    price_minor: int
    payment_policy: str
    payment_minutes: int
    refund_terms: tuple[RefundTerm, ...] = ()


class Business(Shape, frozen=True):
    """The public card of a business; `timezone` is an IANA name, `currency` an ISO 4217 code."""

    id: UUID
    slug: str
    name: str
    timezone: str
    currency: str
    locale: str
    services: tuple[Service, ...]
    resources: tuple[Resource, ...]
    programs: tuple[Program, ...]

    def service(self, slug: str) -> Service:
        """Return the service of a slug. Raises KeyError."""
        return {each.slug: each for each in self.services}[slug]

    def program(self, slug: str) -> Program:
        """Return the program of a slug. Raises KeyError."""
        return {each.slug: each for each in self.programs}[slug]


class Slot(Shape, frozen=True):
    """A free time, with the resources that could take it."""

    start: datetime
    end: datetime
    resource_ids: tuple[UUID, ...]
    places_left: int


class Day(Shape, frozen=True):
    """The free times of a day, by the clocks of the zone that was asked for."""

    date: date
    slots: tuple[Slot, ...]


class Slots(Shape, frozen=True):
    """Free times by day; `next_free` is the first day behind them that has one, where there is none among them."""

    timezone: str
    days: tuple[Day, ...]
    next_free: str | None = None

    def __iter__(self) -> Iterator[Slot]:
        """Go through all free times in order."""
        return (slot for day in self.days for slot in day.slots)


class Schedule(Shape, frozen=True):
    """A date of a program."""

    id: UUID
    start: datetime
    end: datetime
    max_capacity: int
    places_left: int


class Alternative(Shape, frozen=True):
    """A time near the one that was taken, free at that moment."""

    start: datetime
    end: datetime


class Reservation(Shape, frozen=True):
    """A place that is held until `expires_at`; `replayed` tells that an earlier request of the same key has made it."""

    reservation_id: UUID
    status: str
    start: datetime
    end: datetime
    version: int
    resource_ids: tuple[UUID, ...]
    party_size: int
    remaining_seconds: int
    service_id: UUID | None = None
    schedule_id: UUID | None = None
    expires_at: datetime | None = None
    replayed: bool = False


class Payment(Shape, frozen=True):
    """What is to be paid, and where: on a page of the provider, or with its secret on one's own."""

    id: UUID
    provider: str
    status: str
    amount_minor: int
    currency: str
    expires_at: datetime | None = None
    confirmation_url: str | None = None
    client_secret: str | None = None
    publishable_key: str | None = None


class Booked(Shape, frozen=True):
    """An appointment that was just made.

    `cancellation_token` is what its client needs to see, move and cancel it: whoever has it is the client.
    """

    appointment_id: UUID
    status: str
    start: datetime
    end: datetime
    version: int
    party_size: int
    cancellation_token: str | None = None
    service_id: UUID | None = None
    schedule_id: UUID | None = None
    payment: Payment | None = None
    replayed: bool = False


class Appointment(Shape, frozen=True):
    """An appointment as it stands."""

    appointment_id: UUID
    status: str
    start: datetime
    end: datetime
    version: int
    resource_ids: tuple[UUID, ...]
    party_size: int
    service_id: UUID | None = None
    schedule_id: UUID | None = None
    price_minor: int | None = None
    currency: str | None = None
    refund_percent: int | None = None
    guest_email: str | None = None
    guest_phone: str | None = None
    guest_name: str | None = None


class Cancelled(Shape, frozen=True):
    """An appointment that was cancelled, and what goes back of what was paid."""

    appointment_id: UUID
    status: str
    version: int
    refund_minor: int | None = None
    refund_percent: int | None = None
    currency: str | None = None
    replayed: bool = False


class Schedules(Shape, frozen=True):
    """A page of the dates of a program."""

    schedules: tuple[Schedule, ...]
    next_cursor: str | None = None


class Appointments(Shape, frozen=True):
    """A page of the appointments of a business."""

    appointments: tuple[Appointment, ...]
    next_cursor: str | None = None
