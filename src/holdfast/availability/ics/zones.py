"""The time zones of a calendar file: those of tzdata, by their names, and those that a file describes itself.

A name that tzdata knows wins over a description, which exporters tend to cut to the rules of one year.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from holdfast.availability.ics.errors import quoted
from holdfast.availability.ics.recurrence import Budget, Rule, starts
from holdfast.availability.ics.values import UTC_ZONE
from holdfast.availability.walltime import UnknownTimeZone, calendar_instant, check_zone, wall_time

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - wall times are counted from it as if they were UTC
_DAY_SECONDS: Final = 86_400
_YEARS_AROUND: Final = timedelta(days=5 * 366)


class Zone(Protocol):
    """What makes wall times instants, and back."""

    def instant(self, wall: datetime) -> int:
        """Return the instant of a wall time: the first one of a repeated, by the offset before the gap of a skipped."""

    def wall(self, at: int) -> datetime:
        """Return what the clocks show at an instant."""


@dataclass(frozen=True, slots=True)
class Named:
    """A zone of tzdata."""

    name: str

    def instant(self, wall: datetime) -> int:
        """Return the instant of a wall time."""
        return calendar_instant(wall, self.name)

    def wall(self, at: int) -> datetime:
        """Return what the clocks show at an instant."""
        return wall_time(at, self.name)


@dataclass(frozen=True, slots=True)
class Observance:
    """From when on a zone is how far ahead of UTC, once or again and again. Its onsets are in the offset before."""

    line: int
    onset: datetime
    before_seconds: int
    offset_seconds: int
    rules: tuple[Rule, ...] = ()
    dates: tuple[datetime, ...] = ()


class Described:
    """A zone as a file describes it, for the years around those that matter."""

    def __init__(self, observances: Iterable[Observance], first: datetime, last: datetime, budget: Budget) -> None:
        changes: dict[int, tuple[int, int]] = {}
        for each in observances:
            onsets = {seconds_of(onset) - each.before_seconds for onset in (each.onset, *each.dates)}
            for rule in each.rules:
                ends = None if rule.until is None else seconds_of(rule.until.wall)
                for onset in starts(rule, each.onset, first - _YEARS_AROUND, last + _YEARS_AROUND, budget):
                    at = seconds_of(onset) - each.before_seconds
                    if ends is not None and at > ends:
                        break
                    onsets.add(at)
            changes |= dict.fromkeys(onsets, (each.before_seconds, each.offset_seconds))
        self._at = sorted(changes)
        self._offsets = [changes[self._at[0]][0], *(changes[at][1] for at in self._at)]

    def _offset(self, at: int) -> int:
        return self._offsets[bisect_right(self._at, at)]

    def instant(self, wall: datetime) -> int:
        """Return the instant of a wall time."""
        shown = seconds_of(wall)
        before, after = self._offset(shown - _DAY_SECONDS), self._offset(shown + _DAY_SECONDS)
        for offset in (before, after):
            if self._offset(shown - offset) == offset:
                return shown - offset
        return shown - before

    def wall(self, at: int) -> datetime:
        """Return what the clocks show at an instant."""
        return _EPOCH + timedelta(seconds=at + self._offset(at))


class Zones:
    """The zones of one calendar, by the names that the file gives them."""

    def __init__(
        self, described: Mapping[str, Sequence[Observance]], first: datetime, last: datetime, budget: Budget
    ) -> None:
        """Prepare the zones for the years around two wall times."""
        self._described = described
        self._years = (first, last, budget)
        self._known: dict[str, Zone] = {}

    def zone(self, name: str) -> Zone:
        """Return the zone of this name. Raises ValueError, in words, when nobody knows it."""
        if name not in self._known:
            self._known[name] = self._find(name)
        return self._known[name]

    def _find(self, name: str) -> Zone:
        place = place_of(name)
        if place is not None:
            return Named(place)
        if name in self._described:
            return Described(self._described[name], *self._years)
        if name in WINDOWS_TO_OLSON:
            return Named(check_zone(WINDOWS_TO_OLSON[name]))
        raise ValueError(f"there is no time zone {quoted(name)}, and the file has no VTIMEZONE that describes it")


def place_of(name: str) -> str | None:
    """Return the name that tzdata has for a zone: also for /example.org/20260101/Europe/Berlin, as some write it."""
    if name.upper() in {"UTC", "GMT", "Z"}:
        return UTC_ZONE
    parts = name.strip("/").split("/")
    for count in range(min(3, len(parts)), 0, -1):
        try:
            # A name of one word is meant only if it is the whole name: GB, but not /example.org/GB.
            return check_zone("/".join(parts[-count:])) if count > 1 or len(parts) == 1 else None
        except UnknownTimeZone:
            continue
    return None


def seconds_of(wall: datetime) -> int:
    """Return a wall time as a number: its seconds since 1970 by the same clock."""
    return (wall - _EPOCH) // timedelta(seconds=1)
