"""The shapes of series in the API."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC
from typing import Annotated
from uuid import UUID

import msgspec

from holdfast.booking.admission import CommitAnswer, instant
from holdfast.booking.bookings import Booking
from holdfast.booking.states import BookingState
from holdfast.booking.views import KeyedBody, Party, Reason, TtlMinutes, TtlSeconds
from holdfast.kernel.errors import UserError
from holdfast.kernel.http import Instant, Line

MOST_OCCURRENCES = 200

Rule = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Starts = Annotated[list[Instant], msgspec.Meta(min_length=1, max_length=MOST_OCCURRENCES)]

# The first of these that one of its bookings has is the state of a series.
_STATUSES = {
    BookingState.HELD: {BookingState.HELD},
    BookingState.CONFIRMED: {
        BookingState.PENDING_PAYMENT,
        BookingState.CONFIRMED,
        BookingState.COMPLETED,
        BookingState.NO_SHOW,
    },
    BookingState.CANCELLED: {BookingState.CANCELLED, BookingState.REFUNDED},
    BookingState.EXPIRED: {BookingState.EXPIRED},
    BookingState.RELEASED: {BookingState.RELEASED},
}


class SeriesBody(KeyedBody, kw_only=True):
    """A wish to hold the slots of a series: by a rule from a first slot on, or by a list of starts."""

    service_id: UUID
    business_id: UUID | None = None
    slot_start: Instant | None = None
    slot_end: Instant | None = None
    rule: Rule | None = None
    starts: Starts | None = None
    partial: bool = False
    resource_id: UUID | None = None
    party_size: Party | None = None
    ttl_minutes: TtlMinutes | None = None
    ttl_seconds: TtlSeconds | None = None
    timezone: Line | None = None

    def fingerprint(self) -> bytes:
        """Return what makes two requests the same: neither zones, nor the order of starts, nor an unsaid default."""
        self.party_size = self.party_size or 1
        # At the ends of the calendar there is no UTC, and nothing is offered there either.
        with suppress(OverflowError):
            self.slot_start = self.slot_start and self.slot_start.astimezone(UTC)
            self.slot_end = self.slot_end and self.slot_end.astimezone(UTC)
            self.starts = self.starts and sorted(start.astimezone(UTC) for start in self.starts)
        return KeyedBody.fingerprint(self)


class SeriesCancelBody(KeyedBody, kw_only=True):
    """A cancellation of a series, or of one of its appointments and those that begin later."""

    business_id: UUID | None = None
    cancellation_token: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    since: UUID | None = msgspec.field(default=None, name="from")
    reason: Reason | None = None


class OccurrenceView(msgspec.Struct, rename="camel", kw_only=True, omit_defaults=True):
    """One occurrence of a series: its reservation, or why it has none."""

    start: Instant
    end: Instant
    status: str
    reservation_id: UUID | None = None
    expires_at: Instant | None = None
    resource_ids: list[UUID] | None = None
    code: str | None = None
    message: str | None = None

    @classmethod
    def refused(cls, start: int, end: int, reason: UserError | None) -> "OccurrenceView":
        """Return an occurrence that is not held: for a reason of its own, or only because of others."""
        if reason is None:
            return cls(start=instant(start), end=instant(end), status="free")
        return cls(start=instant(start), end=instant(end), status="refused", code=reason.code, message=reason.message)

    @classmethod
    def of(cls, booking: Booking) -> "OccurrenceView":
        """Return an occurrence as its row tells."""
        held = booking.status is BookingState.HELD
        return cls(
            start=booking.starts_at,
            end=booking.ends_at,
            status=booking.status,
            reservation_id=booking.id,
            expires_at=booking.expires_at if held else None,
            resource_ids=booking.resource_ids,
        )


class SeriesView(msgspec.Struct, rename="camel", kw_only=True):
    """A series: no personal data in it."""

    series_id: UUID
    status: str
    items: list[OccurrenceView]
    replayed: bool = False

    @classmethod
    def of(cls, series_id: UUID, bookings: Iterable[Booking]) -> "SeriesView":
        """Return a series as its rows tell."""
        items = [OccurrenceView.of(booking) for booking in bookings]
        return cls(series_id=series_id, status=status_of(item.status for item in items), items=items)


class SeriesAppointmentView(msgspec.Struct, rename="camel", kw_only=True):
    """An appointment of a series as the commit answers it, with a token of its own."""

    appointment_id: UUID
    start: Instant
    end: Instant
    status: str
    version: int
    cancellation_token: str | None

    @classmethod
    def of(cls, answer: CommitAnswer, token: str | None) -> "SeriesAppointmentView":
        """Return the appointment of a commit."""
        done = answer.made()
        return cls(
            appointment_id=answer.id,
            start=done.starts,
            end=done.ends,
            status=done.state,
            version=done.version,
            cancellation_token=token,
        )


class CommittedSeriesView(msgspec.Struct, rename="camel", kw_only=True):
    """A series as its commit answers it; the tokens are shown here and nowhere else."""

    series_id: UUID
    status: str
    cancellation_token: str | None
    appointments: list[SeriesAppointmentView]
    replayed: bool


class CancelledItemView(msgspec.Struct, rename="camel", kw_only=True, omit_defaults=True):
    """What a cancellation did to one appointment; why nothing, where it stays as it was."""

    appointment_id: UUID
    start: Instant
    end: Instant
    status: str
    version: int
    code: str | None = None
    message: str | None = None

    @classmethod
    def of(cls, booking: Booking, reason: UserError | None) -> "CancelledItemView":
        """Return an appointment as its row tells, with the reason for which it was not cancelled now."""
        return cls(
            appointment_id=booking.id,
            start=booking.starts_at,
            end=booking.ends_at,
            status=booking.status,
            version=booking.version,
            code=None if reason is None else reason.code,
            message=None if reason is None else reason.message,
        )


class CancelledSeriesView(msgspec.Struct, rename="camel", kw_only=True):
    """A series after a cancellation: no personal data, since the answer is kept with its key."""

    series_id: UUID
    status: str
    items: list[CancelledItemView]
    replayed: bool = False


def status_of(states: Iterable[str]) -> str:
    """Return the state of a series: held while one is held, else confirmed while one is live, else how it ended."""
    found = set(states)
    return next(str(status) for status, those in _STATUSES.items() if not found.isdisjoint(those))
