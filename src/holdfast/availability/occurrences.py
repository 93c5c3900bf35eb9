"""When a series takes place: the starts that a recurrence rule (RFC 5545) means, in the wall time of a zone."""

from datetime import UTC, datetime, timedelta
from typing import Final

from holdfast.availability.ics.recurrence import Budget, Rule, TooMuchWork, parse, starts
from holdfast.availability.ics.values import UTC_ZONE
from holdfast.availability.walltime import calendar_instant, wall_time

REACH_YEARS: Final = 3
_REACH: Final = timedelta(days=REACH_YEARS * 365 + 1)
_ZONES_APART: Final = timedelta(days=2)
# Every day of the reach, each with every time of day that a rule may have, would be 300,000: no series needs that.
_DAYS_LOOKED_AT: Final = 50_000


def occurrences(text: str, first: int, zone: str, *, most: int) -> list[int]:
    """Return the starts of a series in order, epoch seconds; it begins at `first` and keeps its wall time (A-5).

    A wall time that a change of the clocks skips is counted with the offset before it, as calendars do.

    Raises ValueError in words for what is no rule, never ends, does not mean `first`, recurs more than `most` times,
    or reaches further than three years.
    """
    rule = parse(text)
    if rule.count is None and rule.until is None:
        raise ValueError("the rule of a series has an end: give COUNT or UNTIL")
    begin = wall_time(first, zone)
    if _is_over(rule, begin, first):
        raise ValueError("the rule ends before the series begins")
    try:
        last = begin + _REACH
    except OverflowError:
        raise _too_far() from None
    if rule.count is not None and rule.count > most:
        raise _too_many(most)
    if rule.until is not None and rule.until.wall > last:
        raise _too_far()
    walls = _walls(rule, begin, last, most)
    if not walls or walls[0] != begin:
        raise ValueError(f"the rule does not recur at {begin:%Y-%m-%dT%H:%M:%S} in {zone}, when the series begins")
    found = sorted({first, *(calendar_instant(wall, zone) for wall in walls[1:])})
    found = [at for at in found if not _is_over(rule, wall_time(at, zone), at)]
    if rule.count is not None and len(walls) < rule.count:
        raise _too_far()
    if len(found) > most:
        raise _too_many(most)
    return found


def _walls(rule: Rule, begin: datetime, last: datetime, most: int) -> list[datetime]:
    """Return the wall times of a rule until its end or until they are certainly too many."""
    walls: list[datetime] = []
    try:
        for wall in starts(rule, begin, begin, last, Budget(_DAYS_LOOKED_AT)):
            # Somewhat later than it says, because the end may be an instant of UTC.
            if len(walls) > most or (rule.until is not None and wall - _ZONES_APART > rule.until.wall):
                break
            walls.append(wall)
    except TooMuchWork:
        raise ValueError("the rule takes too long to work out") from None
    return walls


def _is_over(rule: Rule, wall: datetime, at: int) -> bool:
    """Return whether a rule has ended: after an instant, after a day, or after a wall time."""
    if rule.until is None:
        return False
    if rule.until.is_day:
        return wall.date() > rule.until.wall.date()
    if rule.until.zone == UTC_ZONE:
        return at > rule.until.wall.replace(tzinfo=UTC).timestamp()
    return wall > rule.until.wall


def _too_many(most: int) -> ValueError:
    return ValueError(f"a series has at most {most} occurrences")


def _too_far() -> ValueError:
    return ValueError(f"a series reaches at most {REACH_YEARS} years from its beginning")
