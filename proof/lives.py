"""The lives of bookings as the clients know them: what was asked, what came of it, and when a place was taken.

Nobody outside can tell when within a call it took effect. So everything has two borders: from when to when a place was
certainly taken, and from when to when it may have been.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from math import inf

from proof.history import Call, Outcome, Place, Told
from proof.stage import Stage

MAKING = frozenset({"reserve", "book"})
# The clock of the database is that of the clients' machine, and an answer says when a hold ends to the microsecond.
CLOCK_SECONDS = 0.25


@dataclass(frozen=True)
class Effect:
    """All attempts at one effect, in the order in which they began; another request with the key is none of them."""

    calls: list[Call]
    strangers: list[Call]

    @property
    def operation(self) -> str:
        """What was asked for."""
        return self.calls[0].operation

    @property
    def name(self) -> str:
        """Its key, or its booking."""
        return self.calls[0].effect[1]

    @cached_property
    def started(self) -> float:
        """Before that it cannot have taken effect."""
        return self.calls[0].started

    @cached_property
    def done(self) -> Call | None:
        """The first answer that said that it had taken effect."""
        return min((call for call in self.calls if call.outcome == "done"), key=lambda call: call.ended, default=None)

    @property
    def told(self) -> Told:
        """What that answer said."""
        assert self.done is not None, "it was answered"
        return self.done.told or Told()

    @cached_property
    def outcome(self) -> Outcome:
        """Whether it took effect. An attempt without an answer may do so even after another one was refused."""
        if self.done is not None:
            return "done"
        return "refused" if all(call.outcome == "refused" for call in self.calls) else "unknown"

    @property
    def ids(self) -> tuple[int, ...]:
        """The numbers of its calls."""
        return tuple(call.id for call in self.calls)


@dataclass(frozen=True)
class Stay:
    """Places of a resource or a schedule that a booking takes, and when it did, on the monotonic clock.

    `from_`..`until` is the time that is booked (epoch seconds; of a schedule 0 to 1). It was taken for certain from
    `taken` to `freed`, and may have been from `earliest` to `latest`.
    """

    life: "Life"
    of: str
    from_: int
    until: int
    places: int
    earliest: float
    taken: float
    freed: float
    latest: float


@dataclass
class Life:
    """A booking from the first request for it on. `booking` is None as long as nobody was told its id."""

    made: Effect
    booking: str | None
    changes: list[Effect] = field(default_factory=list)

    def changed(self, operation: str) -> Iterator[Effect]:
        """Return the changes of a kind that took effect or may have."""
        return (change for change in self.changes if change.operation == operation and change.outcome != "refused")

    def was(self, *operations: str) -> bool:
        """Return whether one of such changes took effect for certain."""
        return any(change.outcome == "done" for operation in operations for change in self.changed(operation))

    @property
    def ids(self) -> tuple[int, ...]:
        """The numbers of all calls about it."""
        return tuple(id_ for effect in (self.made, *self.changes) for id_ in effect.ids)

    @cached_property
    def expires(self) -> float:
        """Until when its hold lives for certain, if nobody ends it, on the monotonic clock."""
        if self.made.done is None:
            return -inf
        if self.made.operation == "book":
            return inf
        ends = [monotonic(self.made.done)]
        return max(ends + [monotonic(change.done) for change in self.changed("extend") if change.done is not None])

    @cached_property
    def expires_at_last(self) -> float:
        """After that nothing is held any more, if it was not committed."""
        if self.made.done is None or any(change.outcome == "unknown" for change in self.changed("extend")):
            return inf
        return self.expires


def monotonic(call: Call) -> float:
    """Return when what an answer told of expires, on the clock of its `started`."""
    if call.told is None or call.told.expires is None:
        return inf
    return call.told.expires - call.at + call.started


def certain_until(commit: Effect) -> float:
    """Return until when what was committed is there for certain, if nobody ends it: as long as there is time to pay."""
    if commit.operation != "commit" or commit.done is None or commit.told.state != "pending_payment":
        return inf
    return monotonic(commit.done) - CLOCK_SECONDS


def effects_of(calls: Iterable[Call]) -> list[Effect]:
    """Return the calls as attempts at effects, in the order in which those were asked for."""
    grouped: dict[tuple[str, str], list[Call]] = defaultdict(list)
    for call in sorted(calls, key=lambda call: (call.started, call.id)):
        grouped[call.effect].append(call)
    return [
        Effect(
            [call for call in group if call.asked.body == group[0].asked.body],
            [call for call in group if call.asked.body != group[0].asked.body],
        )
        for group in grouped.values()
    ]


def lives_of(effects: Iterable[Effect]) -> list[Life]:
    """Return the lives of bookings that were made or may have been."""
    lives: list[Life] = []
    of_booking: dict[str, Life] = {}
    for effect in effects:
        if effect.operation in MAKING and effect.outcome != "refused":
            life = Life(effect, effect.told.booking if effect.done is not None else None)
            lives.append(life)
            if life.booking is not None:
                of_booking.setdefault(life.booking, life)
        elif effect.operation not in MAKING:
            known = of_booking.get(effect.calls[0].asked.booking or "")
            if known is not None:
                known.changes.append(effect)
    return lives


def stays_of(life: Life, stage: Stage) -> list[Stay]:
    """Return where a booking was, one place after the other, or may have been."""
    earliest = life.made.started
    taken = life.made.done.ended if life.made.done is not None else inf
    place, resources = place_of(life.made), life.made.told.resources if life.made.done is not None else None
    freed, latest = _ended(life)
    stays: list[Stay] = []
    for move in life.changed("reschedule"):
        if move.done is not None:
            until = min(move.started, freed), min(move.done.ended, latest)
            stays += _at(life, stage, place, resources, (earliest, taken, *until))
            place, resources = place_of(move), move.told.resources
            earliest, taken = move.started, move.done.ended
        else:
            # It may be at either place from then on.
            stays += _at(life, stage, place_of(move), None, (move.started, inf, -inf, latest))
            freed = min(move.started, freed)
    return [*stays, *_at(life, stage, place, resources, (earliest, taken, freed, latest))]


def place_of(effect: Effect) -> Place:
    """Return the place that was asked for."""
    place = effect.calls[0].asked.place
    assert place is not None, f"{effect.name} is about a place"
    return place


def _ended(life: Life) -> tuple[float, float]:
    """Return until when its places were taken for certain, and until when they may have been."""
    ends = [*life.changed("release"), *life.changed("cancel")]
    freed = min((end.started for end in ends), default=inf)
    latest = min((end.done.ended for end in ends if end.done is not None), default=inf)
    commits = list(life.changed("commit"))
    committed = next((commit for commit in commits if commit.done is not None), None)
    if committed is not None:
        return min(freed, certain_until(committed)), latest
    freed = min(freed, life.expires - CLOCK_SECONDS)
    return freed, latest if commits else min(latest, life.expires_at_last + CLOCK_SECONDS)


def _at(
    life: Life, stage: Stage, place: Place, resources: tuple[str, ...] | None, times: tuple[float, float, float, float]
) -> Iterator[Stay]:
    party = life.made.calls[0].asked.party or 1
    if place.schedule is not None:
        yield Stay(life, place.schedule, 0, 1, party, *times)
        return
    assert place.service is not None, "a slot is of a service"
    assert place.start is not None, "and has a start"
    offer = stage.offer(place.service)
    from_, until = offer.span(place.start)
    earliest, taken, freed, latest = times
    for need in offer.needs:
        options = [of for of in need if of in ({place.resource} & {*need} or need)]
        chosen = options if resources is None else [of for of in need if of in resources]
        for of in chosen:
            # Of one that may be here or there nothing is certain.
            certain = (taken, freed) if len(chosen) == 1 else (inf, -inf)
            places = party if stage.capacities[of] > 1 else 1
            yield Stay(life, of, from_, until, places, earliest, *certain, latest)


class Calendar:
    """The stays at one resource or schedule, to be looked up by the time that is booked."""

    def __init__(self, stays: Iterable[Stay]) -> None:
        self.stays = sorted(stays, key=lambda stay: stay.from_)
        self._starts = [stay.from_ for stay in self.stays]
        self._longest = max((stay.until - stay.from_ for stay in self.stays), default=0)

    def during(self, from_: int, until: int) -> list[Stay]:
        """Return those that share some of a time."""
        first, last = bisect_right(self._starts, from_ - self._longest), bisect_left(self._starts, until)
        return [stay for stay in self.stays[first:last] if stay.until > from_]


def by_what(stays: Iterable[Stay]) -> dict[str, Calendar]:
    """Return stays by resource or schedule."""
    sorted_: dict[str, list[Stay]] = defaultdict(list)
    for stay in stays:
        sorted_[stay.of].append(stay)
    return {of: Calendar(group) for of, group in sorted_.items()}
