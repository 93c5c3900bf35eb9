"""Free time: opening hours less what occupies the resources. Slots are computed, never stored (A-2).

Everything here is arithmetic on epoch seconds; the caller brings the hours and the occupation.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import msgspec

from holdfast.availability.hours import Hours
from holdfast.availability.walltime import day_bounds, local_day


class Occupation(msgspec.Struct, frozen=True):
    """What occupies resources in a range, as the database saw it at `now` (epoch seconds)."""

    now: float
    catalog: int
    spans: dict[UUID, list[tuple[int, int, int]]]
    starts: dict[UUID, list[float]]


@dataclass(frozen=True, slots=True)
class OpenResource:
    """A resource as slots see it: when it is open and how much it takes."""

    id: UUID
    capacity: int
    hours: Hours
    zone: str
    daily_limit: int | None = None
    active: bool = True


@dataclass(frozen=True, slots=True)
class Offering:
    """What a slot of a service needs. The first need leads: the hours of its resources set the grid."""

    needs: tuple[tuple[OpenResource, ...], ...]
    duration_seconds: int
    step_seconds: int
    before_seconds: int
    after_seconds: int

    def resources(self) -> list[OpenResource]:
        """Return every resource that a slot may take."""
        return [resource for need in self.needs for resource in need]

    def without(self, resource_ids: Collection[UUID]) -> "Offering":
        """Return what a slot needs where these resources cannot be had; with none for a need there are no slots."""
        if not resource_ids:
            return self
        needs = tuple(tuple(resource for resource in need if resource.id not in resource_ids) for need in self.needs)
        return replace(self, needs=needs)


@dataclass(frozen=True, slots=True)
class Slot:
    """A bookable time: epoch seconds, the leading resources that are free, and how many bookings still fit."""

    start: int
    end: int
    resource_ids: tuple[UUID, ...]
    places_left: int


def free_slots(offering: Offering, occupation: Occupation, first: int, last: int, party: int = 1) -> list[Slot]:
    """Return the slots that start in [first, last), in order of time."""
    free = {resource.id: _Room(resource, offering, occupation, party) for resource in offering.resources()}
    leaders: defaultdict[int, list[UUID]] = defaultdict(list)
    # Places beyond the one that each free leader gives.
    more: defaultdict[int, int] = defaultdict(int)
    for leader in offering.needs[0]:
        if leader.active:
            room = free[leader.id]
            starts = leader.hours.starts(first, last, offering.duration_seconds, offering.step_seconds)
            for start in room.among(starts):
                leaders[start].append(leader.id)
                if leader.capacity > 1:
                    more[start] += room.left(start) - 1

    slots = []
    single = len(offering.needs) == 1
    for start in sorted(leaders):
        resource_ids = leaders[start]
        left = len(resource_ids) + more.get(start, 0)
        if not single:
            left = min(left, _left_of_others(offering, free, start))
        if left > 0:
            slots.append(Slot(start, start + offering.duration_seconds, tuple(resource_ids), left))
    return slots


def _left_of_others(offering: Offering, free: Mapping[UUID, "_Room"], start: int) -> int:
    end = start + offering.duration_seconds
    return min(
        sum(free[r.id].left(start) for r in need if r.active and r.hours.covers(start, end) and free[r.id].fits(start))
        for need in offering.needs[1:]
    )


class _Room:
    """How much of one resource is free at a time, buffers and daily limit included."""

    def __init__(
        self,
        resource: OpenResource,
        offering: Offering,
        occupation: Occupation,
        party: int,
    ) -> None:
        self._before = offering.before_seconds
        self._after = offering.duration_seconds + offering.after_seconds
        self._capacity = resource.capacity
        self._places = party if resource.capacity > 1 else 1
        spans = occupation.spans.get(resource.id, [])
        self._single = resource.capacity == 1
        if self._single:
            self._begins, self._ends = _merged(spans)
        else:
            self._edges, self._taken = _steps(spans)
        self._full_days = _full_days(resource, occupation.starts.get(resource.id, []))

    def among(self, starts: Sequence[int]) -> Iterable[int]:
        """Return those of the ascending starts that are free."""
        if not self._single or self._full_days:
            return [start for start in starts if self.fits(start)]
        if not self._begins:
            return starts
        before, after, begins, ends = (
            self._before,
            self._after,
            self._begins,
            self._ends,
        )
        free = []
        at, count = 0, len(begins)
        for start in starts:
            while at < count and ends[at] <= start - before:
                at += 1
            if at == count or begins[at] >= start + after:
                free.append(start)
        return free

    def fits(self, start: int) -> bool:
        """Return whether the party fits."""
        return self.left(start) > 0

    def left(self, start: int) -> int:
        """Return how many places are left to bookings of this party: 0 when it does not fit."""
        if any(begin <= start < end for begin, end in self._full_days):
            return 0
        begin, end = start - self._before, start + self._after
        if self._single:
            at = bisect_right(self._ends, begin)
            return 1 if at == len(self._begins) or self._begins[at] >= end else 0
        # The step function: _taken[i] holds from _edges[i] to the next edge.
        at = max(bisect_right(self._edges, begin) - 1, 0)
        peak = max(self._taken[at : bisect_left(self._edges, end)], default=0) if self._edges else 0
        left = self._capacity - peak
        return left if left >= self._places else 0


def _merged(spans: Sequence[tuple[int, int, int]]) -> tuple[list[int], list[int]]:
    begins: list[int] = []
    ends: list[int] = []
    for begin, end, _ in sorted(spans):
        if ends and begin <= ends[-1]:
            ends[-1] = max(ends[-1], end)
        else:
            begins.append(begin)
            ends.append(end)
    return begins, ends


def _steps(spans: Sequence[tuple[int, int, int]]) -> tuple[list[int], list[int]]:
    changes: dict[int, int] = {}
    for begin, end, places in spans:
        changes[begin] = changes.get(begin, 0) + places
        changes[end] = changes.get(end, 0) - places
    edges = sorted(changes)
    taken = []
    running = 0
    for edge in edges:
        running += changes[edge]
        taken.append(running)
    return edges, taken


def _full_days(resource: OpenResource, starts: Sequence[float]) -> list[tuple[int, int]]:
    """Return the local days, as instants, on which the resource has reached its daily limit."""
    if resource.daily_limit is None:
        return []
    counts: dict[tuple[int, int], int] = {}
    for start in starts:
        bounds = day_bounds(local_day(int(start), resource.zone), resource.zone)
        counts[bounds] = counts.get(bounds, 0) + 1
    return [bounds for bounds, count in counts.items() if count >= resource.daily_limit]


def nearest(slots: Sequence[Slot], start: int, count: int, fits: Callable[[Slot], bool]) -> list[Slot]:
    """Return the nearest slots to a start, nearest first, that meet the condition."""
    return sorted((s for s in slots if fits(s)), key=lambda s: (abs(s.start - start), s.start))[:count]
