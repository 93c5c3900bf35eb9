"""Recurrence rules (RFC 5545, 3.3.10), expanded between two wall times with a bound on the work.

The libraries for this walk from the first occurrence on for as long as it takes, which a rule can make for ever
(FREQ=SECONDLY, or the thirtieth of February). Here a rule that could is refused in words.
"""

import calendar
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import product
from typing import Final, Literal, NamedTuple, cast

from holdfast.availability.ics.errors import quoted
from holdfast.availability.ics.values import Moment, until

Frequency = Literal["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]

_FREQUENCIES: Final = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_TOO_OFTEN: Final = ("SECONDLY", "MINUTELY", "HOURLY")
_WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_BY_WEEKDAY: Final = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,9}")
_LONGEST_INTERVAL: Final = 10_000
_TIMES_A_DAY: Final = 288  # every five minutes
# About ten seconds of work; the calendar of a busy person needs a hundredth of it.
DAYS_LOOKED_AT: Final = 10_000_000


class TooMuchWork(ValueError):
    """A rule, or all rules of a file together, cannot be expanded in reasonable time."""


class Budget:
    """How many days may be looked at for all rules of a file."""

    def __init__(self, days: int = DAYS_LOOKED_AT) -> None:
        self._left = days

    def spend(self, days: int) -> None:
        """Take something away. Raises TooMuchWork when there is nothing left."""
        self._left -= days
        if self._left < 0:
            raise TooMuchWork("the rules of this file recur too often for too long to be worked out")


class Nth(NamedTuple):
    """A weekday (0 is Monday): each (0), or only the nth of the month or year, counted from the end if negative."""

    number: int
    weekday: int


@dataclass(frozen=True, slots=True)
class Rule:
    """When something recurs. Empty parts do not limit."""

    frequency: Frequency
    interval: int = 1
    count: int | None = None
    until: Moment | None = None
    months: frozenset[int] = frozenset()
    weeks: frozenset[int] = frozenset()
    year_days: frozenset[int] = frozenset()
    month_days: frozenset[int] = frozenset()
    weekdays: frozenset[Nth] = frozenset()
    hours: frozenset[int] = frozenset()
    minutes: frozenset[int] = frozenset()
    seconds: frozenset[int] = frozenset()
    positions: frozenset[int] = frozenset()
    week_start: int = 0


def parse(text: str) -> Rule:
    """Read a rule. Raises ValueError in words for what is no rule, or one that recurs more than daily."""
    parts: dict[str, str] = {}
    for part in text.upper().rstrip(";").split(";"):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise ValueError(f"{quoted(part)} is no part of a recurrence rule")
        if name in parts:
            raise ValueError(f"{quoted(name)} is given twice in a recurrence rule")
        parts[name] = value
    unknown = [name for name in parts if name not in _KNOWN and not name.startswith("X-")]
    if unknown:
        raise ValueError(f"{quoted(unknown[0])} is no part of a recurrence rule that is understood")
    rule = Rule(
        frequency=_frequency(parts.get("FREQ")),
        interval=_number(parts, "INTERVAL", _LONGEST_INTERVAL) or 1,
        count=_number(parts, "COUNT", 999_999_999),
        until=until(parts["UNTIL"]) if "UNTIL" in parts else None,
        months=_numbers(parts, "BYMONTH", 1, 12),
        weeks=_numbers(parts, "BYWEEKNO", 1, 53, signed=True),
        year_days=_numbers(parts, "BYYEARDAY", 1, 366, signed=True),
        month_days=_numbers(parts, "BYMONTHDAY", 1, 31, signed=True),
        weekdays=frozenset(map(_nth, _texts(parts, "BYDAY"))),
        hours=_numbers(parts, "BYHOUR", 0, 23),
        minutes=_numbers(parts, "BYMINUTE", 0, 59),
        seconds=_numbers(parts, "BYSECOND", 0, 59),
        positions=_numbers(parts, "BYSETPOS", 1, 366, signed=True),
        week_start=_week_start(parts.get("WKST", "MO")),
    )
    _check(rule)
    return rule


def starts(rule: Rule, first: datetime, after: datetime, last: datetime, budget: Budget) -> Iterator[datetime]:
    """Yield in order the wall times of [after, last] at which a rule recurs that began at `first`.

    Its end (`until`) is for the caller to heed, who knows the zones. Raises TooMuchWork.
    """
    times = _times(rule, first)
    left = rule.count
    # What is counted has to be counted from the beginning.
    begin = first if left is not None else max(first, after)
    for days in _periods(rule, first, begin, last.date(), budget):
        found = [datetime.combine(day, at) for day in days for at in times]
        budget.spend(len(found))
        for at in _positioned(found, rule.positions):
            if at < first:
                continue
            if at > last or left == 0:
                return
            if left is not None:
                left -= 1
            if at >= after:
                yield at
        if left == 0:
            return


_KNOWN: Final = frozenset(
    {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYMONTH", "BYWEEKNO", "BYYEARDAY", "BYMONTHDAY", "BYDAY"}
    | {"BYHOUR", "BYMINUTE", "BYSECOND", "BYSETPOS"}
)


def _frequency(text: str | None) -> Frequency:
    if text in _TOO_OFTEN:
        raise ValueError(f"FREQ={text} is not read: what recurs more than daily leaves no free time to book")
    if text not in _FREQUENCIES:
        raise ValueError(f"a recurrence rule has a FREQ, one of {', '.join(_FREQUENCIES)}")
    return cast(Frequency, text)


def _week_start(text: str) -> int:
    if text not in _WEEKDAYS:
        raise ValueError(f"WKST={quoted(text)} is no weekday")
    return _WEEKDAYS.index(text)


def _nth(text: str) -> Nth:
    match = _BY_WEEKDAY.fullmatch(text)
    number = int(match[1] or 0) if match else 0
    if match is None or not -53 <= number <= 53 or (match[1] is not None and number == 0):
        raise ValueError(f"BYDAY has {quoted(text)}, which is no weekday like MO or 1MO")
    return Nth(number, _WEEKDAYS.index(match[2]))


def _texts(parts: Mapping[str, str], name: str) -> list[str]:
    return [part.strip() for part in parts[name].split(",")] if name in parts else []


def _number(parts: Mapping[str, str], name: str, most: int) -> int | None:
    found = _numbers(parts, name, 1, most)
    if len(found) > 1:
        raise ValueError(f"{name} is one number")
    return next(iter(found), None)


def _numbers(parts: Mapping[str, str], name: str, least: int, most: int, *, signed: bool = False) -> frozenset[int]:
    found = set()
    for text in _texts(parts, name):
        number = int(text) if _WHOLE.fullmatch(text) else None
        if number is None or not least <= (abs(number) if signed else number) <= most:
            raise ValueError(f"{name} has {quoted(text)}, which is no number from {least} to {most}")
        found.add(number)
    return frozenset(found)


def _check(rule: Rule) -> None:
    """Refuse what the standard forbids, and starts that follow each other too closely."""
    numbered = any(each.number for each in rule.weekdays)
    if rule.count is not None and rule.until is not None:
        raise ValueError("a recurrence rule has a COUNT or an UNTIL, not both")
    if rule.weeks and rule.frequency != "YEARLY":
        raise ValueError("BYWEEKNO goes with FREQ=YEARLY only")
    if rule.year_days and rule.frequency != "YEARLY":
        raise ValueError("BYYEARDAY goes with FREQ=YEARLY only")
    if rule.month_days and rule.frequency == "WEEKLY":
        raise ValueError("BYMONTHDAY does not go with FREQ=WEEKLY")
    if numbered and (rule.frequency not in {"MONTHLY", "YEARLY"} or rule.weeks):
        raise ValueError("BYDAY with a number goes with FREQ=MONTHLY or YEARLY and without BYWEEKNO")
    if len(rule.hours or "1") * len(rule.minutes or "1") * len(rule.seconds or "1") > _TIMES_A_DAY:
        raise ValueError(f"this recurs more than {_TIMES_A_DAY} times a day")


def _times(rule: Rule, first: datetime) -> list[time]:
    choices = product(
        sorted(rule.hours) or [first.hour],
        sorted(rule.minutes) or [first.minute],
        sorted(rule.seconds) or [first.second],
    )
    return [time(*choice) for choice in choices]


def _positioned(found: list[datetime], positions: frozenset[int]) -> Iterable[datetime]:
    if not positions:
        return found
    chosen = {at - 1 if at > 0 else len(found) + at for at in positions}
    return [found[at] for at in sorted(chosen) if 0 <= at < len(found)]


def _periods(rule: Rule, first: datetime, begin: datetime, last: date, budget: Budget) -> Iterator[list[date]]:
    """Yield the days of each period of a rule in which one may recur, from that of `begin` on."""
    for candidates in _CANDIDATES[rule.frequency](rule, first.date(), begin.date(), last):
        budget.spend(len(candidates) + 1)
        matching = _days_that_match(rule, first.date(), candidates)
        if matching:
            yield matching


def _daily(rule: Rule, first: date, begin: date, last: date) -> Iterator[list[date]]:
    day = first.toordinal()
    day += max(0, begin.toordinal() - day) // rule.interval * rule.interval
    while day <= last.toordinal():
        yield [date.fromordinal(day)]
        day += rule.interval


def _weekly(rule: Rule, first: date, begin: date, last: date) -> Iterator[list[date]]:
    step = 7 * rule.interval
    monday = first.toordinal() - (first.weekday() - rule.week_start) % 7
    monday += max(0, begin.toordinal() - monday) // step * step
    while monday <= last.toordinal():
        yield [date.fromordinal(day) for day in range(max(1, monday), min(monday + 7, date.max.toordinal() + 1))]
        monday += step


def _monthly(rule: Rule, first: date, begin: date, last: date) -> Iterator[list[date]]:
    month = first.year * 12 + first.month - 1
    month += max(0, begin.year * 12 + begin.month - 1 - month) // rule.interval * rule.interval
    while month <= last.year * 12 + last.month - 1:
        year, number = divmod(month, 12)
        # A month that is not meant costs no look at its days.
        yield _month(year, number + 1) if not rule.months or number + 1 in rule.months else []
        month += rule.interval


def _yearly(rule: Rule, first: date, begin: date, last: date) -> Iterator[list[date]]:
    year = first.year + max(0, begin.year - first.year) // rule.interval * rule.interval
    months = sorted(rule.months)
    if not (rule.months or rule.weeks or rule.year_days or rule.month_days or rule.weekdays):
        months = [first.month]
    while year <= last.year:
        yield [day for month in months or range(1, 13) for day in _month(year, month)]
        year += rule.interval


def _month(year: int, month: int) -> list[date]:
    return [date(year, month, day) for day in range(1, calendar.monthrange(year, month)[1] + 1)]


_CANDIDATES: Final = {"DAILY": _daily, "WEEKLY": _weekly, "MONTHLY": _monthly, "YEARLY": _yearly}


def _days_that_match(rule: Rule, first: date, days: list[date]) -> list[date]:
    """Return those of a period's days that all parts of a rule mean."""
    month_days, weekdays, months = rule.month_days, rule.weekdays, rule.months
    if not (month_days or weekdays or rule.weeks or rule.year_days):
        # What a rule leaves open is as at its first occurrence; its month is left to _yearly.
        if rule.frequency in {"MONTHLY", "YEARLY"}:
            month_days = frozenset({first.day})
        elif rule.frequency == "WEEKLY":
            weekdays = frozenset({Nth(0, first.weekday())})
    return [
        day
        for day in days
        if (not months or day.month in months)
        and (
            not month_days
            or not month_days.isdisjoint(_both_ways(day.day, calendar.monthrange(day.year, day.month)[1]))
        )
        and (not weekdays or _is_weekday(day, weekdays, in_month=rule.frequency == "MONTHLY" or bool(rule.months)))
        and (not rule.year_days or not rule.year_days.isdisjoint(_both_ways(*_day_of_year(day))))
        and (not rule.weeks or not rule.weeks.isdisjoint(_both_ways(*_week_of_year(day, rule.week_start))))
    ]


def _both_ways(number: int, most: int) -> tuple[int, int]:
    """Return a number counted from the beginning and from the end."""
    return number, number - most - 1


def _is_weekday(day: date, weekdays: frozenset[Nth], *, in_month: bool) -> bool:
    if (0, day.weekday()) in weekdays:
        return True
    number, most = (day.day, calendar.monthrange(day.year, day.month)[1]) if in_month else _day_of_year(day)
    return not weekdays.isdisjoint(
        {Nth((number - 1) // 7 + 1, day.weekday()), Nth(-((most - number) // 7 + 1), day.weekday())}
    )


def _day_of_year(day: date) -> tuple[int, int]:
    return day.toordinal() - date(day.year, 1, 1).toordinal() + 1, 366 if calendar.isleap(day.year) else 365


def _week_of_year(day: date, week_start: int) -> tuple[int, int]:
    """Return the number of the day's week and how many its year has: week 1 has four days in the year at least."""
    begins = _first_week(day.year, week_start)
    year = day.year
    if day.toordinal() < begins:
        year -= 1
        begins = _first_week(year, week_start)
    elif day.toordinal() >= _first_week(year + 1, week_start):
        year += 1
        begins = _first_week(year, week_start)
    weeks = (_first_week(year + 1, week_start) - begins) // 7
    return (day.toordinal() - begins) // 7 + 1, weeks


def _first_week(year: int, week_start: int) -> int:
    """Return the ordinal of the day on which week 1 of a year begins: it holds the fourth of January."""
    fourth = date(min(max(year, 1), 9999), 1, 1).toordinal() + 3
    return fourth - ((fourth - 1) % 7 - week_start) % 7
