"""The shapes of the booking API: what comes in, what goes out. JSON members are camelCase, null means absent."""

from contextlib import suppress
from datetime import UTC
from typing import Annotated, Any, Protocol, Self
from uuid import UUID

import msgspec

from holdfast.availability.walltime import UnknownTimeZone, check_zone
from holdfast.booking.admission import Answer, CommitAnswer
from holdfast.booking.bookings import Booking
from holdfast.booking.contacts import Person
from holdfast.booking.payment_views import PaymentView, RefundView
from holdfast.booking.prepayment import Payable
from holdfast.booking.states import BookingState
from holdfast.kernel import contacts
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.http import MAX_KEY_LENGTH, Instant, Key, Line, encode_plain, worded

Party = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
_TEXT = worded(r"^[^\x00]*$(?![\s\S])", "must not have the character NUL")
Email = contacts.Email
Phone = contacts.Phone
Locale = contacts.Locale
Note = Annotated[str, msgspec.Meta(max_length=10_000, pattern=_TEXT)]
Reason = Annotated[str, msgspec.Meta(max_length=500, pattern=_TEXT)]
Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
TtlMinutes = Annotated[int, msgspec.Meta(ge=1, le=1_440)]
TtlSeconds = Annotated[int, msgspec.Meta(ge=1, le=86_400)]


# Of the calls that take a place.
PLACE_REFUSALS = {
    409: "`slot_conflict`: the place is taken, `details.alternatives` are the nearest free ones. `check_later`: nobody"
    " knows whether it is free, since a calendar (of `details.resourceIds`) has not answered for too long. Repeating"
    " does not help until it has: offer another time, try again in some minutes, or put the client on the waitlist"
    " (`details.waitlist`)."
}


class KeyedBody(msgspec.Struct, rename="camel", kw_only=True):
    """Every change may carry a key; the three names mean the same."""

    idempotency_key: Key | None = None
    client_request_id: Key | None = None
    client_request_id_snake: Key | None = msgspec.field(default=None, name="client_request_id")

    def resolved_key(self, header: str | None) -> str | None:
        """Return the one key of a request.

        Raises ValidationFailed when two different keys are given or the header's is not fit.
        """
        if header is not None and not (0 < len(header) <= MAX_KEY_LENGTH and header.isprintable()):
            raise ValidationFailed.at("Idempotency-Key", "must have 1 to 200 printable characters")
        given = {header, self.idempotency_key, self.client_request_id, self.client_request_id_snake} - {None}
        if len(given) > 1:
            raise ValidationFailed.at("idempotencyKey", "two different keys are given")
        return given.pop() if given else None

    def fingerprint(self) -> bytes:
        """Return what makes two requests the same: every member but the key itself."""
        self.idempotency_key = self.client_request_id = self.client_request_id_snake = None
        return encode_plain(self)


class PlaceBody(KeyedBody, kw_only=True):
    """Which place is meant: a slot of a service, or a schedule."""

    business_id: UUID | None = None
    service_id: UUID | None = None
    schedule_id: UUID | None = None
    slot_start: Instant | None = None
    slot_end: Instant | None = None
    resource_id: UUID | None = None

    def place(self) -> bytes:
        """Return what makes two places the same: slot or schedule, whoever else asks for it."""
        start = None if self.slot_start is None else self.slot_start.timestamp()
        return encode_plain([self.service_id, start, self.resource_id, self.schedule_id])

    def fingerprint(self) -> bytes:
        """Return what makes two requests the same; an instant is the same in whatever zone it is written."""
        # At the ends of the calendar there is no UTC, and nothing is offered there either.
        with suppress(OverflowError):
            self.slot_start = self.slot_start and self.slot_start.astimezone(UTC)
            self.slot_end = self.slot_end and self.slot_end.astimezone(UTC)
        return KeyedBody.fingerprint(self)


class ReserveBody(PlaceBody, kw_only=True):
    """A wish to hold a place."""

    ttl_minutes: TtlMinutes | None = None
    ttl_seconds: TtlSeconds | None = None
    party_size: Party | None = None
    timezone: Line | None = None
    guest_email: Email | None = None
    guest_phone: Phone | None = None

    def fingerprint(self) -> bytes:
        """Return what makes two requests the same; a party of one is the same said or unsaid."""
        self.party_size = self.party_size or 1
        return PlaceBody.fingerprint(self)


class BookBody(ReserveBody, kw_only=True):
    """A wish to book a place in one call."""

    guest_email: Email
    guest_name: Line | None = None
    locale: Locale | None = None


class ExtendBody(msgspec.Struct, rename="camel", kw_only=True):
    """For how long from now a hold is to live."""

    business_id: UUID | None = None
    ttl_minutes: TtlMinutes | None = None
    ttl_seconds: TtlSeconds | None = None


class GuestBody(msgspec.Struct, rename="camel", kw_only=True):
    """The contact for which what is held becomes an appointment."""

    guest_email: Email
    guest_phone: Phone | None = None
    guest_name: Line | None = None
    locale: Locale | None = None
    timezone: Line | None = None
    business_id: UUID | None = None


class CommitBody(GuestBody, kw_only=True):
    """A reservation with the contact for which it becomes an appointment."""

    reservation_id: UUID


class CancelBody(KeyedBody, kw_only=True):
    """A cancellation, with the token that proves whose it is; staff may name how much of what was paid goes back."""

    business_id: UUID | None = None
    cancellation_token: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    reason: Reason | None = None
    expected_version: int | None = None
    refund_percent: Percent | msgspec.UnsetType | None = msgspec.UNSET

    def fingerprint(self) -> bytes:
        """Return what makes two requests the same: without a percent the same as before there was one to name."""
        self.refund_percent = msgspec.UNSET if self.refund_percent is None else self.refund_percent
        return KeyedBody.fingerprint(self)


class ChangeBody(PlaceBody, kw_only=True):
    """A new place, a changed contact, or a note of staff about an appointment; an empty note removes the one before."""

    guest_email: Email | None = None
    guest_phone: Phone | None = None
    guest_name: Line | None = None
    locale: Locale | None = None
    timezone: Line | None = None
    note: Note | None = None
    reason: Reason | None = None
    expected_version: int | None = None

    @property
    def moves(self) -> bool:
        """Return whether another place is wanted."""
        return self.schedule_id is not None or self.slot_start is not None or self.slot_end is not None


class Timed(Protocol):
    """A body that says how long a hold is to live."""

    ttl_minutes: TtlMinutes | None
    ttl_seconds: TtlSeconds | None


def ttl_of(body: Timed) -> int | None:
    """Return for how many seconds a hold is wanted; raises ValidationFailed when it is said twice."""
    if body.ttl_minutes is not None and body.ttl_seconds is not None:
        raise ValidationFailed.at("ttlSeconds", "give ttlMinutes or ttlSeconds, not both")
    return body.ttl_seconds if body.ttl_minutes is None else body.ttl_minutes * 60


def checked_zone(name: str | None, field: str = "timezone") -> str | None:
    """Return a zone that exists; raises ValidationFailed."""
    if name is None:
        return None
    try:
        return check_zone(name)
    except UnknownTimeZone:
        # Without its name: what was sent may be anything.
        raise ValidationFailed.at(field, "is no time zone of the IANA database") from None


class PlaceView(msgspec.Struct, rename="camel", kw_only=True):
    """What every view of a booking shows of its place."""

    status: str
    start: Instant
    end: Instant
    version: int
    resource_ids: list[UUID]
    party_size: int
    service_id: UUID | None
    schedule_id: UUID | None


def _place_of(booking: Booking) -> dict[str, Any]:
    return {
        "start": booking.starts_at,
        "end": booking.ends_at,
        "version": booking.version,
        "resource_ids": booking.resource_ids,
        "party_size": booking.party_size,
        "service_id": booking.service_id,
        "schedule_id": booking.schedule_id,
    }


class ReservationView(PlaceView, rename="camel", kw_only=True):
    """A reservation: no personal data in it."""

    reservation_id: UUID
    expires_at: Instant | None
    remaining_seconds: int
    replayed: bool = False

    @classmethod
    def of_answer(cls, answer: Answer, service_id: UUID | None, schedule_id: UUID | None) -> "ReservationView":
        """Return a reservation as admission answered it."""
        made = answer.made()
        return cls(
            reservation_id=made.id,
            status=made.state,
            expires_at=made.expires,
            remaining_seconds=max(int((made.expires - answer.now).total_seconds()), 0),
            replayed=answer.outcome == "replayed",
            version=1,
            resource_ids=answer.resources,
            start=made.starts,
            end=made.ends,
            party_size=made.party,
            service_id=service_id,
            schedule_id=schedule_id,
        )

    @classmethod
    def of(cls, booking: Booking) -> "ReservationView":
        """Return a reservation as its row tells."""
        return cls(
            reservation_id=booking.id,
            status=booking.status,
            expires_at=booking.expires_at,
            remaining_seconds=booking.remaining_seconds,
            **_place_of(booking),
        )


class CommittedView(msgspec.Struct, rename="camel", kw_only=True, omit_defaults=True):
    """An appointment as its commit answers it; the token is shown here and nowhere else.

    What has to be paid beforehand is `pending_payment`, its place kept until it is paid as `payment` says. A commit
    that is repeated for another e-mail address than that of the appointment is shown neither token nor payment.
    """

    appointment_id: UUID
    status: str
    start: Instant
    end: Instant
    version: int
    cancellation_token: str | None
    party_size: int
    service_id: UUID | None
    schedule_id: UUID | None
    replayed: bool
    payment: PaymentView | None = None

    @classmethod
    def of_commit(cls, answer: CommitAnswer, token: str | None, payable: Payable | None = None) -> "CommittedView":
        """Return the appointment of a commit, and how it is paid."""
        done = answer.made()
        return cls(
            appointment_id=answer.id,
            status=done.state,
            start=done.starts,
            end=done.ends,
            version=done.version,
            cancellation_token=token,
            party_size=done.party,
            service_id=answer.service,
            schedule_id=answer.schedule,
            replayed=answer.outcome == "repeated",
            payment=None if payable is None else PaymentView.of(payable),
        )

    @classmethod
    def of_booking(
        cls, answer: Answer, token: str, service_id: UUID | None, schedule_id: UUID | None
    ) -> "CommittedView":
        """Return the appointment of a booking in one call."""
        made = answer.made()
        return cls(
            appointment_id=made.id,
            status=made.state,
            start=made.starts,
            end=made.ends,
            version=1,
            cancellation_token=token,
            party_size=made.party,
            service_id=service_id,
            schedule_id=schedule_id,
            replayed=answer.outcome == "replayed",
        )


class AppointmentView(PlaceView, rename="camel", kw_only=True):
    """An appointment with its contact: for its client, and for staff.

    `dueMinor` has to be paid before it is confirmed, by `expiresAt` while it awaits that. `refundIfCancelledNow` is
    what its client would get back, and `refundPercent` what was decided when it was cancelled or refunded.
    """

    appointment_id: UUID
    price_minor: int
    currency: str
    due_minor: int | None
    expires_at: Instant | None
    refund_percent: int | None
    refund_if_cancelled_now: RefundView | None = None
    timezone: str | None
    locale: str | None
    guest_email: str | None
    guest_phone: str | None
    guest_name: str | None

    @classmethod
    def of(cls, booking: Booking, person: Person, goes_back: RefundView | None = None) -> "AppointmentView":
        """Return an appointment as its row tells, and whom it is for."""
        return cls(
            appointment_id=booking.id,
            status=booking.state,
            **_place_of(booking),
            price_minor=booking.price_minor,
            currency=booking.currency,
            due_minor=booking.due_minor,
            expires_at=booking.expires_at if booking.state == BookingState.PENDING_PAYMENT else None,
            refund_percent=booking.refund_percent,
            refund_if_cancelled_now=goes_back,
            timezone=booking.timezone,
            locale=booking.locale,
            guest_email=person.email,
            guest_phone=person.phone,
            guest_name=person.name,
        )


class StaffAppointmentView(AppointmentView, kw_only=True):
    """An appointment as staff see it; what is noted about it has a call of its own, for those who may read it."""

    has_note: bool

    @classmethod
    def of(cls, booking: Booking, person: Person, goes_back: RefundView | None = None) -> "StaffAppointmentView":
        """Return an appointment as its row tells, and whom it is for."""
        shown = msgspec.structs.asdict(AppointmentView.of(booking, person, goes_back))
        return cls(**shown, has_note=booking.has_note)


class NoteView(msgspec.Struct, rename="camel", kw_only=True):
    """What staff have noted about an appointment; null when nothing is noted."""

    appointment_id: UUID
    note: str | None


class ChangedView(PlaceView, rename="camel", kw_only=True):
    """An appointment after it was moved or cancelled: no personal data, since the answer is kept with its key."""

    appointment_id: UUID
    replayed: bool = False

    @classmethod
    def of(cls, booking: Booking) -> Self:
        """Return an appointment as its row tells."""
        return cls(
            appointment_id=booking.id,
            status=booking.state,
            **_place_of(booking),
        )


class CancelledView(ChangedView, kw_only=True):
    """An appointment after it was cancelled, and what goes back of what was paid beforehand; null: nothing was due."""

    # Not in the answers that an earlier release has kept with their keys.
    refund_minor: int | None = None
    refund_percent: int | None = None
    currency: str | None = None

    @classmethod
    def of(cls, booking: Booking) -> Self:
        """Return an appointment as its row tells."""
        return cls(
            appointment_id=booking.id,
            status=booking.state,
            **_place_of(booking),
            refund_minor=None if booking.due_minor is None else booking.refund_minor,
            refund_percent=booking.refund_percent,
            currency=booking.currency,
        )


class CapacityView(msgspec.Struct):
    """How many places there are, and how many are left."""

    available: int
    capacity: int
