"""Calendar files for tests, and how they are read."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from io import BytesIO

from holdfast.availability.ics.reading import Calendar, read
from holdfast.availability.ics.times import Window, busy_spans, whole_days

WINDOW = Window(date(2026, 1, 1), date(2028, 1, 1))


def calendar(*lines: str, zone: str | None = None) -> bytes:
    """Return a calendar with these lines in it."""
    named = [f"X-WR-TIMEZONE:{zone}"] if zone else []
    return "\r\n".join(
        ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Test//EN", *named, *lines, "END:VCALENDAR", ""]
    ).encode()


def event(*lines: str, uid: str | None = "one@example.org") -> list[str]:
    """Return the lines of an event."""
    return ["BEGIN:VEVENT", *([f"UID:{uid}"] if uid else []), "DTSTAMP:20260101T000000Z", *lines, "END:VEVENT"]


def parsed(source: bytes) -> list[Calendar]:
    """Return the calendars of a file."""
    return read(BytesIO(source))


def busy(source: bytes, zone: str = "Europe/Moscow", window: Window = WINDOW) -> list[str]:
    """Return the busy time of a file, like 2027-01-01T06:00/07:00 in UTC; the date of the end only if it is another."""
    return [_shown(start, end) for start, end in busy_spans(parsed(source), zone, window)]


def days(source: bytes, zone: str = "Europe/Moscow", window: Window = WINDOW) -> list[str]:
    """Return the days of a file on which something is."""
    return [day.isoformat() for day in whole_days(parsed(source), zone, window)]


def joined(*parts: Iterable[str]) -> list[str]:
    """Return the lines of several parts."""
    return [line for part in parts for line in part]


def _shown(start: int, end: int) -> str:
    begins, ends = datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC)
    return f"{begins:%Y-%m-%dT%H:%M}/{ends:{'%H:%M' if begins.date() == ends.date() else '%Y-%m-%dT%H:%M'}}"
