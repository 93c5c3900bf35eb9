"""Places by the word of the clients alone: never more taken than there are, and nobody refused what was free.

An order of events fits a history when every call took effect at some moment between its start and its end. Only what no
such order allows is a finding.
"""

from collections.abc import Iterable, Iterator, Sequence

from proof.findings import Finding, Kind
from proof.history import Call
from proof.lives import Calendar, Effect, Life, Stay, by_what, stays_of
from proof.stage import Stage

REFUSALS = {"slot_conflict", "CAPACITY_EXCEEDED"}


def check_places(stage: Stage, effects: Iterable[Effect], lives: Iterable[Life]) -> Iterator[Finding]:
    """Return where more was acknowledged than there is, and what was refused though it was free."""
    stays = by_what(stay for life in lives for stay in stays_of(life, stage))
    capacities = stage.capacities | {group.schedule: group.capacity for group in stage.groups}
    for of, calendar in stays.items():
        yield from _overcommitted(of, capacities[of], Calendar(s for s in calendar.stays if s.taken < s.freed))
    for effect in effects:
        for call in effect.calls:
            if call.code in REFUSALS:
                yield from _free(stage, capacities, stays, call)


def _overcommitted(of: str, capacity: int, certain: Calendar) -> Iterator[Finding]:
    """Look at each instant at which a stay begins, and there at each moment at which somebody came."""
    seen: set[tuple[str, ...]] = set()
    for instant in sorted({stay.from_ for stay in certain.stays}):
        here = certain.during(instant, instant + 1)
        present: dict[int, Stay] = {}
        # Who leaves at the moment at which another comes is gone.
        moments = sorted([(s.freed, 0, n) for n, s in enumerate(here)] + [(s.taken, 1, n) for n, s in enumerate(here)])
        for _, comes, number in moments:
            if not comes:
                present.pop(number)
                continue
            present[number] = here[number]
            places = sum(stay.places for stay in present.values())
            names = tuple(sorted(stay.life.made.name for stay in present.values()))
            if places > capacity and names not in seen:
                seen.add(names)
                what = f"{of} has {capacity} places; at {instant} {places} were taken at once by {', '.join(names)}"
                yield Finding(
                    Kind.OVERCOMMITTED, what, tuple(id_ for stay in present.values() for id_ in stay.life.made.ids)
                )


def _free(stage: Stage, capacities: dict[str, int], stays: dict[str, Calendar], call: Call) -> Iterator[Finding]:
    """Find what was refused although, whatever the order, each thing that it needs had enough places all the while."""
    place = call.asked.place
    assert place is not None, "what is refused for want of places is about a place"
    party = call.asked.party or 1
    if place.schedule is not None:
        needs, span = [[place.schedule]], (0, 1)
    else:
        assert place.service is not None, "a slot is of a service"
        assert place.start is not None, "and has a start"
        offer = stage.offer(place.service)
        needs = [[place.resource] if place.resource in need else need for need in offer.needs]
        span = offer.span(place.start)

    def fits(of: str) -> bool:
        there = stays[of].during(*span) if of in stays else []
        others = [stay for stay in there if _may_stand_in_the_way(stay, call)]
        places = party if capacities[of] > 1 else 1
        return _peak(others, span) + places <= capacities[of]

    free = [next((of for of in need if fits(of)), None) for need in needs]
    if None not in free:
        yield Finding(
            Kind.REFUSED_FALSELY,
            f"{call.operation} {call.key}: {party} places at {span[0]} were refused, and free were {free}",
            (call.id,),
        )


def _may_stand_in_the_way(stay: Stay, call: Call) -> bool:
    if stay.life.made.name == call.key or stay.life.booking == (call.asked.booking or ""):
        return False
    return stay.earliest <= call.ended and call.started <= stay.latest


def _peak(stays: Sequence[Stay], span: tuple[int, int]) -> int:
    """Return the most places that may have been taken at one instant of what was asked for."""
    # Only where a stay begins the sum can grow.
    instants = {span[0], *(stay.from_ for stay in stays if stay.from_ > span[0])}
    return max(sum(stay.places for stay in stays if stay.from_ <= instant < stay.until) for instant in instants)
