"""Events as Google tells them, and what they say of somebody's time."""

from datetime import UTC, date, datetime, time
from typing import Any, Final
from uuid import UUID

import msgspec

from holdfast.availability.ics.times import Span
from holdfast.availability.walltime import calendar_instant, local_text, opening_instant
from holdfast.calendars.port import Kind, Mark, OwnEvent, RemoteEvent
from holdfast.kernel.ids import uuid_or_none

# What is asked of an event, and no more: neither its title nor its people.
FIELDS: Final = (
    "id,status,etag,eventType,transparency,start(date,dateTime,timeZone),end(date,dateTime,timeZone),recurringEventId,"
    "originalStartTime(date,dateTime,timeZone),attendees(self,responseStatus),extendedProperties/private"
)
# Private properties of our events. The first one is the same in all of them: they are found by it.
_OURS: Final = ("holdfast", "1")
OURS: Final = "=".join(_OURS)
_BOOKING: Final = "holdfastBooking"
_VERSION: Final = "holdfastVersion"
_MIDNIGHT: Final = time(0)
_FREE_TYPES: Final = {"workingLocation", "birthday"}


class When(msgspec.Struct, rename="camel"):
    """A day, or an instant."""

    day: date | None = msgspec.field(name="date", default=None)
    date_time: datetime | None = None
    time_zone: str | None = None

    def instant(self, zone: str) -> int | None:
        """Return the instant, that of midnight in the calendar's zone for a day; None if neither is told."""
        if self.day is not None:
            return opening_instant(self.day, _MIDNIGHT, zone)
        if self.date_time is None:
            return None
        if self.date_time.tzinfo is None:
            return calendar_instant(self.date_time, self.time_zone or zone)
        return int(self.date_time.timestamp())

    def identity(self, zone: str) -> str:
        """Return a text that is the same however the same time is told."""
        return self.day.isoformat() if self.day is not None else str(self.instant(zone))


class _Properties(msgspec.Struct):
    private: dict[str, str] = {}


class _Attendee(msgspec.Struct, rename="camel"):
    is_self: bool = msgspec.field(name="self", default=False)
    response_status: str | None = None


class Event(msgspec.Struct, rename="camel"):
    """What of an event is asked for. Of a deleted one hardly more than its id is told."""

    id: str
    status: str = "confirmed"
    etag: str | None = None
    event_type: str = "default"
    transparency: str = "opaque"
    start: When | None = None
    end: When | None = None
    recurring_event_id: str | None = None
    original_start_time: When | None = None
    attendees: list[_Attendee] = []
    extended_properties: _Properties = msgspec.field(default_factory=_Properties)

    def remote(self, zone: str) -> RemoteEvent:
        """Return it as the port has it, at its time, wherever that is."""
        kind = self._kind()
        return RemoteEvent(
            key=self._key(zone),
            event_id=self.id,
            kind=kind,
            spans=() if kind is Kind.GONE else self._spans(zone),
            etag=self.etag,
            mark=self._mark(),
        )

    def has_days(self) -> bool:
        """Tell whether its time depends on the zone of the calendar."""
        return self.start is not None and self.start.day is not None

    def _key(self, zone: str) -> str:
        """An instance is known by the series and the time at which it would take place."""
        if self.recurring_event_id is None or self.original_start_time is None:
            return self.id
        return f"{self.recurring_event_id}@{self.original_start_time.identity(zone)}"

    def _kind(self) -> Kind:
        if self.status == "cancelled" or self.start is None or self.end is None:
            return Kind.GONE
        own = next((a.response_status for a in self.attendees if a.is_self), None)
        if own == "declined" or self.event_type in _FREE_TYPES:
            return Kind.FREE
        if self.event_type == "outOfOffice":
            return Kind.BUSY
        if self.transparency == "transparent":
            return Kind.FREE
        return Kind.TENTATIVE if "tentative" in {self.status, own} else Kind.BUSY

    def _spans(self, zone: str) -> tuple[Span, ...]:
        start = self.start.instant(zone) if self.start is not None else None
        end = self.end.instant(zone) if self.end is not None else None
        return (Span(start, end),) if start is not None and end is not None and start < end else ()

    def _mark(self) -> Mark | None:
        private = self.extended_properties.private
        booking_id, version = uuid_or_none(private.get(_BOOKING, "")), private.get(_VERSION, "")
        if booking_id is None or not (version.isascii() and version.isdigit() and len(version) < 10):
            return None
        return Mark(booking_id, int(version))


def changed_members(event: OwnEvent) -> dict[str, Any]:
    """Return what of an event is ours whatever a person has done to the rest: its times, that it is there, its mark."""
    return {
        "start": _when(event.start, event.timezone),
        "end": _when(event.end, event.timezone),
        "status": "confirmed",
        "extendedProperties": {"private": _private(event.mark.booking_id, event.mark.version)},
    }


def whole(event: OwnEvent) -> dict[str, Any]:
    """Return an event as it is made."""
    made = changed_members(event) | {"id": event.event_id, "summary": event.title, "description": event.description}
    for name in ("start", "end"):
        del made[name]["date"]
    return made


def _when(instant: int, zone: str) -> dict[str, str | None]:
    # A person may have made days of it, which would stay beside the time.
    return {"dateTime": local_text(instant, zone), "timeZone": zone, "date": None}


def _private(booking_id: UUID, version: int) -> dict[str, str]:
    return dict([_OURS]) | {_BOOKING: str(booking_id), _VERSION: str(version)}


def instant_of(text: datetime) -> int:
    """Return an instant that is told with its offset."""
    return int(text.astimezone(UTC).timestamp())
