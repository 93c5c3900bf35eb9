"""Where an instant stands in a calendar of days side by side, also on days of 23 and 25 hours.

All days share one axis of wall times, in minutes. Where clocks go back on one of them, the hour that comes twice is
twice on the axis: the other days have nothing there. Where they go forward, that day has nothing at the skipped hour.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import NamedTuple

from holdfast.availability.walltime import day_bounds, offset_changes

ROW_MINUTES = 5
HOUR = 60
DAY_MINUTES = 1_440
_ROWS_AT_LEAST = 3
_DAY = timedelta(days=1)
_EPOCH = date(1970, 1, 1)


class Fold(NamedTuple):
    """Wall times that come twice, in minutes: when clocks show `end`, they are put back to `begin`."""

    begin: int
    end: int

    @property
    def minutes(self) -> int:
        """How much longer the axis is for it."""
        return self.end - self.begin


_NO_FOLD = Fold(DAY_MINUTES * 2, DAY_MINUTES * 2)


class Stretch(NamedTuple):
    """A part of a day, in epoch seconds, without a change of clocks; it begins at a minute of the axis."""

    begins: int
    ends: int
    minute: int


class Rows(NamedTuple):
    """Rows of the grid: the first, counted from 1, and how many."""

    first: int
    height: int


@dataclass(frozen=True, slots=True)
class Day:
    """A local day: when it is, and its stretches on the axis."""

    day: date
    begins: int
    ends: int
    stretches: tuple[Stretch, ...]

    @property
    def hours(self) -> int:
        """Return how many hours it has, rounded: 24 but for two days a year."""
        return round((self.ends - self.begins) / 3_600)

    def minute(self, at: int) -> int:
        """Return the minute of the axis at which an instant of the day stands; that of its begin or end otherwise."""
        if at < self.begins or not self.stretches:
            return self.stretches[0].minute if self.stretches else 0
        for stretch in self.stretches:
            if at < stretch.ends:
                return stretch.minute + (at - stretch.begins) // 60
        last = self.stretches[-1]
        return last.minute + (last.ends - last.begins) // 60


@dataclass(frozen=True, slots=True)
class Axis:
    """Days side by side, and the hours of the axis that are shown, in its minutes."""

    days: tuple[Day, ...]
    fold: Fold
    first: int = 0
    last: int = DAY_MINUTES

    @property
    def labels(self) -> list[tuple[int, int, bool]]:
        """Return for each hour shown the row at which it begins, the hour, and whether it comes for the second time."""
        found = []
        for minute in range(self.first, self.last, HOUR):
            again = self.fold.end <= minute < self.fold.end + self.fold.minutes
            wall = minute - self.fold.minutes if minute >= self.fold.end else minute
            found.append(((minute - self.first) // ROW_MINUTES + 1, wall // HOUR % 24, again))
        return found

    @property
    def rows(self) -> int:
        """Return how many rows the grid has."""
        return (self.last - self.first) // ROW_MINUTES

    def place(self, day: Day, start: int, end: int, at_least: int = _ROWS_AT_LEAST) -> Rows | None:
        """Return the rows of what takes place in [start, end), as far as a day shows them; None when it shows none."""
        if end <= day.begins or start >= day.ends:
            return None
        begin, stop = max(day.minute(start), self.first), min(day.minute(end), self.last)
        if begin >= stop:
            return None
        first = (begin - self.first) // ROW_MINUTES
        height = -((self.first - stop) // ROW_MINUTES) - first
        return Rows(first + 1, max(height, min(at_least, self.rows - first)))

    def gaps(self, day: Day) -> list[Rows]:
        """Return the rows of wall times that a day does not have."""
        found, reach = [], 0
        ends = [*((s.minute, s.minute + (s.ends - s.begins) // 60) for s in day.stretches)]
        for begin, end in [*ends, (DAY_MINUTES + self.fold.minutes, 0)]:
            first, stop = max(reach, self.first), min(begin, self.last)
            if first < stop:
                found.append(Rows((first - self.first) // ROW_MINUTES + 1, (stop - first) // ROW_MINUTES))
            reach = end
        return found

    def shows(self, first: int, last: int) -> "Axis":
        """Return the same days with the whole hours that [first, last) touches."""
        whole = DAY_MINUTES + self.fold.minutes
        return Axis(self.days, self.fold, max(first // HOUR * HOUR, 0), min(-(-last // HOUR) * HOUR, whole))


def axis_of(first: date, count: int, zone: str) -> Axis:
    """Return so many days side by side, with all their hours."""
    days = [first + n * _DAY for n in range(count)]
    parts = [_walls(day, zone) for day in days]
    fold = next((found for found in map(_fold_in, parts) if found is not None), _NO_FOLD)
    made = []
    for day, walls in zip(days, parts, strict=True):
        begins, ends = day_bounds(day, zone)
        made.append(Day(day, begins, ends, tuple(_stretches(walls, fold))))
    return Axis(tuple(made), fold, 0, DAY_MINUTES + fold.minutes)


def _walls(day: date, zone: str) -> list[Stretch]:
    """Return the stretches of a day by the wall minutes at which they begin."""
    begins, ends = day_bounds(day, zone)
    if begins == ends:
        return []
    midnight = (day - _EPOCH).days * 86_400
    changes = [*offset_changes(zone, begins, ends), (ends, 0)]
    return [Stretch(at, until, (at + offset - midnight) // 60) for (at, offset), (until, _) in pairwise(changes)]


def _fold_in(walls: Sequence[Stretch]) -> Fold | None:
    for before, after in pairwise(walls):
        end = before.minute + (before.ends - before.begins) // 60
        if after.minute < end:
            return Fold(after.minute, end)
    return None


def _stretches(walls: Sequence[Stretch], fold: Fold) -> Iterable[Stretch]:
    own = _fold_in(walls)
    later = False
    for begins, ends, minute in walls:
        stop = minute + (ends - begins) // 60
        if later or minute >= fold.end:
            yield Stretch(begins, ends, minute + fold.minutes)
        elif own is None and stop > fold.end:
            # A day without the repeated hour goes on after it.
            middle = begins + (fold.end - minute) * 60
            yield Stretch(begins, middle, minute)
            yield Stretch(middle, ends, fold.end + fold.minutes)
        else:
            yield Stretch(begins, ends, minute)
        later = later or (own is not None and stop == own.end)


@dataclass(slots=True)
class Lanes:
    """What overlaps each other, side by side: each has a lane, and all of them share the width."""

    rows: Rows
    lanes: list[int] = field(default_factory=list)
    members: list[int] = field(default_factory=list)


def clusters(places: Sequence[Rows]) -> list[Lanes]:
    """Return what overlaps together, in order: `members` are numbers of places, `lanes` theirs, counted from 1."""
    found: list[Lanes] = []
    ends: list[int] = []
    for number in sorted(range(len(places)), key=lambda n: (places[n].first, -places[n].height)):
        first, height = places[number]
        if not found or first >= max(ends):
            found.append(Lanes(Rows(first, height)))
            ends = []
        lane = next((n for n, end in enumerate(ends) if end <= first), len(ends))
        ends[lane : lane + 1] = [first + height]
        cluster = found[-1]
        cluster.members.append(number)
        cluster.lanes.append(lane + 1)
        cluster.rows = Rows(cluster.rows.first, max(ends) - cluster.rows.first)
    return found
