"""The values of a calendar file: days, wall times, lengths. Which instants they are is for a zone to say.

Everything here raises ValueError, in words for whoever has to mend the file.
"""

import sys
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple

from icalendar.prop import vDDDTypes, vDuration, vUTCOffset

from holdfast.availability.ics.errors import quoted
from holdfast.availability.ics.lines import Line

UTC_ZONE: Final = "UTC"
_MIDNIGHT: Final = time(0)
_LONGEST: Final = timedelta(days=366_000)


class Moment(NamedTuple):
    """A wall time, or a whole day (then its midnight). Without a zone it is in that of the calendar."""

    wall: datetime
    zone: str | None
    is_day: bool


class Length(NamedTuple):
    """How long something lasts: days as calendars count them, and then seconds as clocks do."""

    days: int
    seconds: int


class Period(NamedTuple):
    """From a moment to another one, or for a length."""

    start: Moment
    end: Moment | Length


def moment(line: Line) -> Moment:
    """Read a property that holds a day or a time."""
    return _moment(line.value, line.param("TZID"))


def moments(line: Line) -> list[Moment]:
    """Read a property that holds a list of days or times."""
    return [_moment(text, line.param("TZID")) for text in _listed(line.value)]


def moments_or_periods(line: Line) -> list[Moment | Period]:
    """Read a property that holds a list of days, times or periods."""
    zone = line.param("TZID")
    return [_period(text, zone) if "/" in text else _moment(text, zone) for text in _listed(line.value)]


def periods(line: Line) -> list[Period]:
    """Read a property that holds a list of periods."""
    return [_period(text, None) for text in _listed(line.value)]


def length(text: str) -> Length:
    """Read a duration, like PT1H30M or P1D."""
    try:
        found = vDuration.from_ical(text.upper())
    except ValueError:
        raise ValueError(f"{quoted(text)} is no duration; it is written like PT1H30M") from None
    if not timedelta() <= found <= _LONGEST:
        raise ValueError(f"{quoted(text)} is no length of time that can be used")
    return Length(found.days, found.seconds)


def offset_seconds(text: str) -> int:
    """Read what a clock is ahead of UTC, like +0300."""
    digits = text[1:]
    if text[:1] not in {"+", "-"} or not (digits.isascii() and digits.isdigit()) or len(digits) not in {4, 6}:
        raise ValueError(f"{quoted(text)} is no offset from UTC; it is written like +0300")
    try:
        return int(vUTCOffset.from_ical(text).total_seconds())
    except ValueError:
        raise ValueError(f"{quoted(text)} is no offset from UTC; it is written like +0300") from None


def until(text: str) -> Moment:
    """Read the end of a recurrence."""
    return _moment(text, None)


def _moment(text: str, zone: str | None) -> Moment:
    found: object = None
    # Only what is as long as a day or a time: the library reads lengths and times of day, too.
    if len(text) in {8, 15, 16} and text.isascii() and text[0].isdigit():
        try:
            found = vDDDTypes.from_ical(text.upper())
        except (ValueError, OverflowError):
            found = None
    if isinstance(found, datetime):
        if found.tzinfo is not None:
            return Moment(found.astimezone(UTC).replace(tzinfo=None), UTC_ZONE, is_day=False)
        return Moment(found, sys.intern(zone) if zone else None, is_day=False)
    if isinstance(found, date):
        return Moment(datetime.combine(found, _MIDNIGHT), None, is_day=True)
    raise ValueError(f"{quoted(text)} is no day and no time; they are written like 20270101 and 20270101T090000Z")


def _period(text: str, zone: str | None) -> Period:
    start, _, end = text.partition("/")
    begin = _moment(start, zone)
    if begin.is_day:
        raise ValueError(f"{quoted(text)} is no period: it begins with a time")
    if end[:1] in {"P", "p", "+", "-"}:
        return Period(begin, length(end))
    closing = _moment(end, zone)
    if closing.is_day:
        raise ValueError(f"{quoted(text)} is no period: it ends with a time or is followed by a duration")
    return Period(begin, closing)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]
