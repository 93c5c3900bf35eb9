"""Our own events as calendar files, and such files with other times."""

from datetime import UTC, datetime
from typing import Final

from icalendar import Calendar, Event

from holdfast.availability.ics.lines import BOOKING_PROPERTY, VERSION_PROPERTY
from holdfast.calendars.port import FeedBroken, OwnEvent

# What says when an event takes place, how often and for how long.
_TIMES: Final = ("DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID")


def written(event: OwnEvent) -> bytes:
    """Return the file of a new event of ours."""
    calendar = Calendar()
    calendar.add("VERSION", "2.0")
    calendar.add("PRODID", "-//Holdfast//EN")
    own = Event()
    own.add("UID", event.event_id)
    own.add("SUMMARY", event.title)
    own.add("DESCRIPTION", event.description)
    own.add("SEQUENCE", 0)
    _say(own, event)
    calendar.add_component(own)
    return bytes(calendar.to_ical())


def rewritten(body: bytes, event: OwnEvent) -> bytes:
    """Return a file of ours with other times and mark; what a person has added to it stays.

    Only what makes it take place at more times than the one, or not at all, goes. Raises FeedBroken when it cannot be
    read.
    """
    try:
        calendar = Calendar.from_ical(body)
        events = [each for each in calendar.subcomponents if isinstance(each, Event)]
        others = [each for each in calendar.subcomponents if not isinstance(each, Event)]
        own = next((each for each in events if "RECURRENCE-ID" not in each), None)
        if own is None:
            return written(event)
        calendar.subcomponents = [*others, own]
        sequence = int(own.get("SEQUENCE", 0)) + 1
    except (ValueError, TypeError, IndexError, KeyError, AttributeError):
        raise FeedBroken("an event of ours is there that cannot be read") from None
    own.pop("SEQUENCE", None)
    own.add("SEQUENCE", sequence)
    _say(own, event)
    return bytes(calendar.to_ical())


def _say(own: Event, event: OwnEvent) -> None:
    """Put times and mark into an event. Instants in UTC need no description of a zone that somebody might not know."""
    for name in (*_TIMES, "DTSTAMP", "LAST-MODIFIED", BOOKING_PROPERTY, VERSION_PROPERTY):
        own.pop(name, None)
    if str(own.get("STATUS", "CONFIRMED")).upper() != "CONFIRMED":
        own.pop("STATUS")
    own.add("DTSTAMP", datetime.now(UTC))
    own.add("DTSTART", datetime.fromtimestamp(event.start, UTC))
    own.add("DTEND", datetime.fromtimestamp(event.end, UTC))
    own.add(BOOKING_PROPERTY, str(event.mark.booking_id))
    own.add(VERSION_PROPERTY, str(event.mark.version))
