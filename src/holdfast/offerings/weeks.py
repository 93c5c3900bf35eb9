"""Weekly hours as people think of them: one week after another, each from a day on.

Rules of a resource may overlap in time; a week is what they mean together between two days on which that changes.
Weeks follow each other without a gap, the first without a beginning and the last without an end.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from itertools import pairwise
from typing import NamedTuple

from holdfast.availability.hours import WeeklyRule
from holdfast.offerings.errors import invalid

DAYS = range(7)
MAX_INTERVALS = 12
# Days that somebody means; further away there is not always a day before or after.
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 31)
_DAY = timedelta(days=1)
_DAY_MINUTES = 1_440


class Interval(NamedTuple):
    """Open from one wall time to another; closing at or before opening is on the next day, 00:00 its beginning."""

    opens: time
    closes: time

    @property
    def begin_minutes(self) -> int:
        """Return the minutes from midnight at which it opens."""
        return self.opens.hour * 60 + self.opens.minute

    @property
    def end_minutes(self) -> int:
        """Return the minutes from the same midnight at which it closes: more than 1,440 on the next day."""
        end = self.closes.hour * 60 + self.closes.minute
        return end if self.closes > self.opens else end + _DAY_MINUTES


Intervals = tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class Week:
    """The hours of each weekday, Monday first, from a day until another, both included; None is for ever."""

    days: tuple[Intervals, ...]
    valid_from: date | None = None
    valid_until: date | None = None

    def is_on(self, day: date) -> bool:
        """Return whether the week holds on a day."""
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_until is None or day <= self.valid_until
        )


CLOSED: tuple[Intervals, ...] = ((),) * 7


def weeks_of(rules: Iterable[WeeklyRule]) -> list[Week]:
    """Return what weekly rules mean, week after week."""
    rules = list(rules)
    begins = {rule.valid_from for rule in rules if rule.valid_from is not None}
    begins |= {rule.valid_until + _DAY for rule in rules if rule.valid_until not in {None, date.max}}
    borders = [None, *sorted(begins), None]
    weeks = []
    for begin, follows in pairwise(borders):
        first = begin or (follows - _DAY if follows is not None else date.min)
        until = None if follows is None else follows - _DAY
        days = tuple(
            tuple(sorted({Interval(r.opens, r.closes) for r in rules if r.weekday == weekday and r.is_valid_on(first)}))
            for weekday in DAYS
        )
        weeks.append(Week(days, begin, until))
    return _joined(weeks)


def rules_of(weeks: Iterable[Week]) -> list[WeeklyRule]:
    """Return weeks as weekly rules: what `weeks_of` reads."""
    return [
        WeeklyRule(weekday, interval.opens, interval.closes, week.valid_from, week.valid_until)
        for week in weeks
        for weekday, intervals in enumerate(week.days)
        for interval in intervals
    ]


def with_week(weeks: Iterable[Week], wanted: Week) -> list[Week]:
    """Return the weeks with another one for the time in which it holds; before and after nothing changes.

    Raises ValidationFailed.
    """
    check(wanted)
    kept = [part for week in weeks for part in _without(week, wanted)]
    return _joined(sorted([*kept, wanted], key=lambda week: week.valid_from or date.min))


def check(week: Week) -> None:
    """Raise ValidationFailed for a week that ends before it begins, and for hours that overlap."""
    problems = []
    for field, day in (("valid_from", week.valid_from), ("valid_until", week.valid_until)):
        if day is not None and not is_meant(day):
            problems.append((field, f"must be from {FIRST_DAY} to {LAST_DAY}"))
    if week.valid_from is not None and week.valid_until is not None and week.valid_from > week.valid_until:
        problems.append(("valid_until", "must not be before the first day"))
    for weekday, intervals in enumerate(week.days):
        problem = overlap_in(intervals)
        if problem:
            problems.append((f"days[{weekday}]", problem))
    # Into the morning of the next day, which may open before that is over.
    for weekday, intervals in enumerate(week.days):
        reach = max((each.end_minutes for each in intervals), default=0) - _DAY_MINUTES
        morning = week.days[(weekday + 1) % 7]
        if any(each.begin_minutes < reach for each in morning):
            problems.append((f"days[{(weekday + 1) % 7}]", "must not begin before the night before has ended"))
    if problems:
        raise invalid(problems)


def is_meant(day: date) -> bool:
    """Return whether somebody can mean a day, which is near enough to now."""
    return FIRST_DAY <= day <= LAST_DAY


def overlap_in(intervals: Sequence[Interval]) -> str | None:
    """Return what is wrong with the hours of a day, if anything is."""
    if len(intervals) > MAX_INTERVALS:
        return f"must be at most {MAX_INTERVALS} intervals"
    for earlier, later in pairwise(sorted(intervals)):
        if later.begin_minutes < earlier.end_minutes:
            return f"must not overlap: {later.opens:%H:%M} is before {earlier.closes:%H:%M}"
    return None


def _without(week: Week, wanted: Week) -> list[Week]:
    """Return what is left of a week before and after the time of another one."""
    parts = []
    if wanted.valid_from is not None and (week.valid_from is None or week.valid_from < wanted.valid_from):
        last = wanted.valid_from - _DAY
        until = last if week.valid_until is None else min(week.valid_until, last)
        parts.append(replace(week, valid_until=until))
    if wanted.valid_until is not None and (week.valid_until is None or week.valid_until > wanted.valid_until):
        first = wanted.valid_until + _DAY
        since = first if week.valid_from is None else max(week.valid_from, first)
        parts.append(replace(week, valid_from=since))
    return parts


def _joined(weeks: Iterable[Week]) -> list[Week]:
    """Return weeks of which no two that follow each other are the same."""
    found: list[Week] = []
    for week in weeks:
        if found and found[-1].days == week.days:
            found[-1] = replace(found[-1], valid_until=week.valid_until)
        else:
            found.append(week)
    return found
