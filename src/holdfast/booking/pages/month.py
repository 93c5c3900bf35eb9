"""The days of a month and the times of a day, as a client chooses among them (U-1, A-5)."""

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from holdfast.availability.slots import Slot
from holdfast.availability.walltime import day_bounds, offset_changes, wall_time
from holdfast.availability.wording import Wording
from holdfast.availability.zone_names import distance
from holdfast.kernel.languages import N_

# Each part of a day with the hour at which it begins.
_PARTS = ((0, N_("Night")), (6, N_("Morning")), (12, N_("Afternoon")), (17, N_("Evening")))


@dataclass(frozen=True, slots=True)
class Cell:
    """A day of a month: how many times are free on it."""

    day: date
    free: int
    is_today: bool


@dataclass(frozen=True, slots=True)
class Month:
    """A month in weeks from Monday on, None where a day is of another one; `before` and `after` can be looked at."""

    first: date
    weeks: list[list[Cell | None]]
    before: date | None
    after: date | None


@dataclass(frozen=True, slots=True)
class Time:
    """A time that can be chosen; `apart` tells it from another one that the clock shows in the same words."""

    start: int
    local: datetime
    apart: str


@dataclass(frozen=True, slots=True)
class Part:
    """The times of a part of a day."""

    name: str
    times: list[Time]


@dataclass(frozen=True, slots=True)
class ClockChange:
    """The clocks are put from one time to another; at which instant, in epoch seconds."""

    at: int
    before: datetime
    after: datetime

    @property
    def is_back(self) -> bool:
        """Return whether some times come twice."""
        return self.after < self.before


def month_of(first: date, free: Mapping[date, int], today: date, horizon: date) -> Month:
    """Return the month that begins on a day, of which `free` are the days that can be booked.

    Weeks that are over are left out.
    """
    weeks = [
        [Cell(day, free.get(day, 0), day == today) if day.month == first.month else None for day in week]
        for week in calendar.Calendar().monthdatescalendar(first.year, first.month)
        if week[-1] >= today
    ]
    before, after = first_of(first - timedelta(days=1)), next_month(first)
    return Month(first, weeks, before if first > today else None, after if after <= horizon else None)


def first_of(day: date) -> date:
    """Return the first day of the month of a day."""
    return day.replace(day=1)


def next_month(day: date) -> date:
    """Return the first day of the month after that of a day."""
    return first_of(first_of(day) + timedelta(days=31))


def clock_change(day: date, zone: str) -> ClockChange | None:
    """Return how the clocks of a zone are changed on a day, None when they are not."""
    begin, end = day_bounds(day, zone)
    # A change at midnight is the first instant of its day.
    changes = offset_changes(zone, begin - 1, end)
    if len(changes) < 2:
        return None
    (_, was), (at, now) = changes[-2:]
    after = wall_time(at, zone)
    return ClockChange(at, after - timedelta(seconds=now - was), after)


def parts_of(slots: Sequence[Slot], words: Wording, change: ClockChange | None) -> list[Part]:
    """Return the free times of a day by the parts of the day that have any, in order of time."""
    parts: dict[str, Part] = {}
    for slot in slots:
        local = words.local(slot.start)
        name = next(name for hour, name in reversed(_PARTS) if local.hour >= hour)
        part = parts.setdefault(name, Part(name, []))
        part.times.append(Time(slot.start, local, distance(local.utcoffset()) if _comes_twice(local, change) else ""))
    return list(parts.values())


def _comes_twice(local: datetime, change: ClockChange | None) -> bool:
    wall = local.replace(tzinfo=None)
    return change is not None and change.is_back and change.after <= wall < change.before
