"""Opening hours of one resource: rules and overrides, resolved to instants (A-1)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from itertools import accumulate
from typing import Final, NamedTuple, final

from holdfast.availability.walltime import (
    check_zone,
    closing_instant,
    day_bounds,
    local_day,
    opening_instant,
)

_DAY: Final = timedelta(days=1)
_DAYS_A_WEEK: Final = 7
# More than the widest range that may be asked for (62 days) and a year's horizon.
_DAYS_KEPT: Final = 512
# Everybody asks for the same few starts; to find one on the grid anew costs as much as the rest of a refusal.
_ANSWERS_KEPT: Final = 4_096
# A window may open on the day before and, where clocks go back across midnight,
# belong to a day next to the one that the calendar shows.
_DAYS_BACK: Final = 2
_DAYS_AHEAD: Final = 1


@dataclass(frozen=True, slots=True)
class WeeklyRule:
    """Open from one wall time to another on each such weekday (0 is Monday).

    `closes` at or before `opens` is on the next day, so 00:00 is the end of the day.
    The validity dates are inclusive and about the day on which the window opens.
    """

    weekday: int
    opens: time
    closes: time
    valid_from: date | None = None
    valid_until: date | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.weekday < _DAYS_A_WEEK:
            raise ValueError(f"weekday {self.weekday} is not 0 (Monday) to 6 (Sunday)")
        _check_wall_times(self.opens, self.closes)

    def is_valid_on(self, day: date) -> bool:
        """Tell whether a window may open on this day, whatever its weekday."""
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_until is None or day <= self.valid_until
        )


@dataclass(frozen=True, slots=True)
class Override:
    """What differs on a date: other hours or, without them, closed.

    Any override replaces all weekly rules of its date. Several on one date are as
    many windows, unless one of them says closed.
    """

    day: date
    opens: time | None = None
    closes: time | None = None

    def __post_init__(self) -> None:
        if (self.opens is None) != (self.closes is None):
            raise ValueError("an override has both hours, or neither")
        if self.opens is not None and self.closes is not None:
            _check_wall_times(self.opens, self.closes)


class Window(NamedTuple):
    """Open from an instant up to, not including, another; epoch seconds."""

    opens: int
    closes: int


@final
class Hours:
    """When one resource is open. Immutable; each day is resolved once and kept.

    Rules and overrides are ignored when it is always open.
    Raises UnknownTimeZone.
    """

    __slots__ = ("_always_open", "_days", "_offered", "_overrides", "_rules", "_zone")

    def __init__(
        self,
        zone: str,
        rules: Iterable[WeeklyRule] = (),
        overrides: Iterable[Override] = (),
        *,
        always_open: bool = False,
    ) -> None:
        self._zone = check_zone(zone)
        self._rules: list[list[WeeklyRule]] = [[] for _ in range(_DAYS_A_WEEK)]
        for rule in rules:
            self._rules[rule.weekday].append(rule)
        self._overrides: dict[date, list[Override]] = {}
        for override in overrides:
            self._overrides.setdefault(override.day, []).append(override)
        self._always_open = always_open
        self._days: dict[int, tuple[Window, ...]] = {}
        self._offered: dict[tuple[int, int, int], bool] = {}

    def windows(self, first_day: date, last_day: date) -> list[Window]:
        """Return the windows that open on these local days, both included, in order.

        Windows may overlap or touch, as the rules do; equal ones are one, and none
        is empty. When always open, each local day is a window.
        """
        return self._opening_on(first_day.toordinal(), last_day.toordinal())

    def covers(self, start: int, end: int) -> bool:
        """Tell whether all of [start, end) is open; no for an empty interval.

        Windows that touch or overlap are one, also across days.
        """
        if start >= end:
            return False
        reach = start
        for window in self._around(start, end):
            if window.opens > reach:
                return False
            reach = max(reach, window.closes)
            if reach >= end:
                return True
        return False

    def offers(self, start: int, duration_seconds: int, step_seconds: int) -> bool:
        """Tell whether a slot of this length may start at this instant.

        Its start is a whole number of steps, in elapsed time, after the opening of a
        window that contains it, and the hours cover all of it. What is always open opens
        anew with each local day.
        """
        asked = (start, duration_seconds, step_seconds)
        known = self._offered.get(asked)
        if known is None:
            if len(self._offered) >= _ANSWERS_KEPT:
                self._offered.clear()
            known = self._offered[asked] = self._offers(*asked)
        return known

    def _offers(self, start: int, duration_seconds: int, step_seconds: int) -> bool:
        _check_positive(duration_seconds, step_seconds)
        on_grid = any(
            window.opens <= start < window.closes and (start - window.opens) % step_seconds == 0
            for window in self._around(start, start)
        )
        return on_grid and self.covers(start, start + duration_seconds)

    def starts(self, first: int, last: int, duration_seconds: int, step_seconds: int) -> list[int]:
        """Return in order each instant of [first, last) at which a slot is offered.

        When always open, those a whole number of steps after a local day's beginning.
        """
        _check_positive(duration_seconds, step_seconds)
        windows = self._around(first, last + duration_seconds)
        run_ends, joined = _run_ends(windows)
        found: list[int] = []
        for (opens, closes), run_end in zip(windows, run_ends, strict=True):
            begin = opens if opens >= first else first + (opens - first) % step_seconds
            stop = min(last, closes, run_end - duration_seconds + 1)
            found.extend(range(begin, stop, step_seconds))
        # Only joined windows can offer a start twice, or out of order.
        return sorted(set(found)) if joined else found

    def _around(self, start: int, end: int) -> list[Window]:
        first_day = local_day(start, self._zone).toordinal() - _DAYS_BACK
        last_day = local_day(end, self._zone).toordinal() + _DAYS_AHEAD
        return self._opening_on(first_day, last_day)

    def _opening_on(self, first_day: int, last_day: int) -> list[Window]:
        found: list[Window] = []
        # Opening instants never run against the wall times, so days stay in order.
        for day in range(first_day, last_day + 1):
            windows = self._days.get(day)
            found += self._keep(day) if windows is None else windows
        return found

    def _keep(self, day: int) -> tuple[Window, ...]:
        if len(self._days) >= _DAYS_KEPT:
            self._days.clear()
        return self._days.setdefault(day, self._resolve(date.fromordinal(day)))

    def _resolve(self, day: date) -> tuple[Window, ...]:
        if self._always_open:
            windows = {Window(*day_bounds(day, self._zone))}
        else:
            windows = {self._window(day, opens, closes) for opens, closes in self._wall_times(day)}
        return tuple(sorted(w for w in windows if w.opens < w.closes))

    def _wall_times(self, day: date) -> list[tuple[time, time]]:
        overrides = self._overrides.get(day)
        if overrides is None:
            rules = self._rules[day.weekday()]
            return [(rule.opens, rule.closes) for rule in rules if rule.is_valid_on(day)]
        opened = [
            (override.opens, override.closes)
            for override in overrides
            if override.opens is not None and override.closes is not None
        ]
        return opened if len(opened) == len(overrides) else []

    def _window(self, day: date, opens: time, closes: time) -> Window:
        closing_day = day if opens < closes else day + _DAY
        return Window(
            opening_instant(day, opens, self._zone),
            closing_instant(closing_day, closes, self._zone),
        )


def _run_ends(windows: Sequence[Window]) -> tuple[list[int], bool]:
    """Return where the run of joined windows ends, for each; and if any are joined."""
    ends = list(accumulate((window.closes for window in windows), max))
    joined = False
    for index in range(len(windows) - 2, -1, -1):
        if windows[index + 1].opens <= ends[index]:
            ends[index] = ends[index + 1]
            joined = True
    return ends, joined


def _check_wall_times(*walls: time) -> None:
    for wall in walls:
        if wall.tzinfo is not None or wall.microsecond:
            raise ValueError(f"{wall} is not a plain wall time in whole seconds")


def _check_positive(duration_seconds: int, step_seconds: int) -> None:
    if duration_seconds <= 0 or step_seconds <= 0:
        raise ValueError("duration and step are at least one second")
