"""What a business file may hold. The fields are its keys; ranges are those of the tables that they end up in."""

from collections.abc import Iterable
from datetime import date, time
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from holdfast.availability.hours import Override, WeeklyRule
from holdfast.business_files.values import Currency, Locale, Name, Price, Slug, Window, Zone
from holdfast.catalog.programs import ProgramRule
from holdfast.catalog.refund_terms import ALL, MAX_HOURS, MAX_TERMS, Term, sound_terms

Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Every = Literal["day", Day]
Payment = Literal["none", "on_site", "prepay"]
Duration = Annotated[int, msgspec.Meta(ge=1, le=10_080)]
Buffer = Annotated[int, msgspec.Meta(ge=0, le=1_440)]
Step = Annotated[int, msgspec.Meta(ge=1, le=1_440)]
Notice = Annotated[int, msgspec.Meta(ge=0, le=525_600)]
Places = Annotated[int, msgspec.Meta(ge=1, le=1_000)]
Crowd = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Paying = Annotated[int, msgspec.Meta(ge=5, le=1_440)]
Hours = Annotated[int, msgspec.Meta(ge=0, le=MAX_HOURS)]
Percent = Annotated[int, msgspec.Meta(ge=0, le=ALL)]
Horizon = Annotated[int, msgspec.Meta(ge=1, le=730)]

DAYS: tuple[Day, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Misfit(ValueError):
    """Two keys of one table that do not go together; `key` is the one to mend."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(reason)
        self.key = key


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file."""


class BusinessEntry(Entry, frozen=True, kw_only=True):
    """[business]: who the file is about."""

    slug: Slug
    name: Name
    timezone: Zone
    currency: Currency
    locale: Locale = Locale("en")

    def __post_init__(self) -> None:
        try:
            UUID(self.slug)
        except ValueError:
            return
        raise Misfit("slug", "a slug that reads as an id would be taken for one")


class HoursEntry(Entry, frozen=True, kw_only=True):
    """[hours], [resources.hours]: weekly opening hours. A day that is named has its own instead of every day's."""

    every_day: tuple[Window, ...] = ()
    monday: tuple[Window, ...] | None = None
    tuesday: tuple[Window, ...] | None = None
    wednesday: tuple[Window, ...] | None = None
    thursday: tuple[Window, ...] | None = None
    friday: tuple[Window, ...] | None = None
    saturday: tuple[Window, ...] | None = None
    sunday: tuple[Window, ...] | None = None
    valid_from: date | None = None
    valid_until: date | None = None

    def __post_init__(self) -> None:
        if self.valid_from is not None and self.valid_until is not None and self.valid_from > self.valid_until:
            raise Misfit("valid_until", "valid_until is before valid_from")

    def rules(self) -> list[WeeklyRule]:
        """Return the same as weekly rules."""
        return [
            WeeklyRule(weekday, opens, closes, self.valid_from, self.valid_until)
            for weekday, day in enumerate(DAYS)
            for opens, closes in self._windows(day)
        ]

    def _windows(self, day: Day) -> tuple[Window, ...]:
        named: tuple[Window, ...] | None = getattr(self, day)
        return self.every_day if named is None else named


class OverrideEntry(Entry, frozen=True, kw_only=True):
    """[[resources.overrides]]: the hours of one date instead of the weekly ones; no hours are closed."""

    date: date
    hours: tuple[Window, ...]

    def overrides(self) -> list[Override]:
        """Return the same as overrides."""
        if not self.hours:
            return [Override(self.date)]
        return [Override(self.date, opens, closes) for opens, closes in self.hours]


class ResourceEntry(Entry, frozen=True, kw_only=True):
    """[[resources]]: without hours of its own it has those of [hours]."""

    slug: Slug
    name: Name
    kind: Literal["practitioner", "room", "pool"]
    capacity: Places = 1
    daily_limit: Places | None = None
    timezone: Zone | None = None
    always_open: bool = False
    hours: tuple[HoursEntry, ...] | None = None
    overrides: tuple[OverrideEntry, ...] = ()

    def __post_init__(self) -> None:
        if self.always_open and self.hours is not None:
            raise Misfit("hours", "a resource that is always open has no hours")
        if self.always_open and self.overrides:
            raise Misfit("overrides", "a resource that is always open has no overrides")

    def rules(self, default: Iterable[HoursEntry]) -> list[WeeklyRule]:
        """Return its weekly rules, given the hours of resources that name none."""
        if self.always_open:
            return []
        return [rule for hours in (default if self.hours is None else self.hours) for rule in hours.rules()]


class RefundEntry(Entry, frozen=True, kw_only=True):
    """One line of `refunds`: who cancels at least so many hours before the start gets so many percent back."""

    hours_before: Hours
    percent: Percent


Refunds = Annotated[tuple[RefundEntry, ...], msgspec.Meta(max_length=MAX_TERMS)]


class ServiceEntry(Entry, frozen=True, kw_only=True):
    """[[services]]: `requires` lists what a booking takes, each as the resources of which any one will do."""

    slug: Slug
    name: Name
    duration_minutes: Duration
    requires: Annotated[
        tuple[Annotated[tuple[Slug, ...], msgspec.Meta(min_length=1)], ...], msgspec.Meta(min_length=1, max_length=10)
    ]
    buffer_before_minutes: Buffer = 0
    buffer_after_minutes: Buffer = 0
    slot_step_minutes: Step | None = None
    price: Price = Price("0")
    payment: Payment = "none"
    payment_minutes: Paying = 30
    refunds: Refunds = ()
    hold_minutes: Step = 15
    min_notice_minutes: Notice = 0
    max_horizon_days: Horizon = 90
    cancel_notice_minutes: Notice = 0
    max_simultaneous_bookings: Places | None = None

    def __post_init__(self) -> None:
        _check_payment(self.payment, self.price)
        _terms(self.refunds)

    def refund_terms(self) -> tuple[Term, ...]:
        """Return its refunds as terms, the greatest notice first."""
        return _terms(self.refunds)


class OccurrenceEntry(Entry, frozen=True, kw_only=True):
    """One line of a program's schedule: when it starts on which days."""

    every: Every
    at: time

    def rules(self) -> list[ProgramRule]:
        """Return the same as rules of a program."""
        return [ProgramRule(weekday, self.at) for weekday, day in enumerate(DAYS) if self.every in {"day", day}]


class ProgramEntry(Entry, frozen=True, kw_only=True):
    """[[programs]]: `uses` lists the resources that are taken whole while it runs."""

    slug: Slug
    name: Name
    duration_minutes: Duration
    capacity: Crowd
    price: Price = Price("0")
    payment: Payment = "none"
    payment_minutes: Paying = 30
    refunds: Refunds = ()
    hold_minutes: Step = 15
    cancel_notice_minutes: Notice = 0
    timezone: Zone | None = None
    uses: tuple[Slug, ...] = ()
    schedule: tuple[OccurrenceEntry, ...] = ()

    def __post_init__(self) -> None:
        _check_payment(self.payment, self.price)
        _terms(self.refunds)
        rules = self.rules()
        if len(rules) > len(set(rules)):
            raise Misfit("schedule", "two lines of the schedule mean the same start")

    def rules(self) -> list[ProgramRule]:
        """Return when it starts."""
        return [rule for occurrence in self.schedule for rule in occurrence.rules()]

    def refund_terms(self) -> tuple[Term, ...]:
        """Return its refunds as terms, the greatest notice first."""
        return _terms(self.refunds)


class BusinessFile(Entry, frozen=True, kw_only=True):
    """The whole file."""

    business: BusinessEntry
    hours: tuple[HoursEntry, ...] = ()
    resources: tuple[ResourceEntry, ...] = ()
    services: tuple[ServiceEntry, ...] = ()
    programs: tuple[ProgramEntry, ...] = ()


def _check_payment(payment: Payment, price: Price) -> None:
    if payment == "prepay" and not price.strip("0."):
        raise Misfit("payment", "what is paid in advance has a price")


def _terms(refunds: Iterable[RefundEntry]) -> tuple[Term, ...]:
    try:
        return sound_terms(Term(each.hours_before, each.percent) for each in refunds)
    except ValueError as error:
        raise Misfit("refunds", f"refunds: {error}") from None
