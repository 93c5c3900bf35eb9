"""Admission against an oracle small enough to be seen to be right: a request is accepted if and only if its peak fits.

`ORACLE_EXAMPLES=200 pytest tests/booking/test_oracle.py` tries more days.
"""

import asyncio
import os
import random
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from booking.opened import START, Practice, beside, count, open_practice, violations
from holdfast.booking.admission import Answer
from holdfast.booking.errors import SlotConflict, SlotNotOffered

_EXAMPLES = os.environ.get("ORACLE_EXAMPLES")
STEP_MINUTES = 10
LENGTHS = (10, 20, 30, 50, 80)
ROOMS = ("r0", "r1", "r2")


@dataclass(frozen=True)
class Taken:
    """What the oracle remembers of a booking: places of rooms for a range of minutes."""

    rooms: dict[str, int]
    begin: int
    end: int


class Oracle:
    """Capacity is the peak of simultaneous places: nothing else is known here."""

    def __init__(self, capacities: dict[str, int]) -> None:
        self.capacities = capacities
        self.live: dict[UUID, Taken] = {}

    def peak(self, room: str, begin: int, end: int, without: UUID | None = None) -> int:
        """Return the greatest number of places taken at one minute of the range."""
        return max(
            sum(t.rooms.get(room, 0) for key, t in self.live.items() if key != without and t.begin <= minute < t.end)
            for minute in range(begin, end, STEP_MINUTES)
        )

    def fits(self, wanted: Taken, without: UUID | None = None) -> bool:
        """Return whether every room has the places in every minute."""
        return all(
            self.peak(room, wanted.begin, wanted.end, without) + places <= self.capacities[room]
            for room, places in wanted.rooms.items()
        )

    def wish(self, rooms: tuple[str, ...], begin: int, length: int, party: int) -> Taken:
        """Return what a booking of these rooms takes: one place of a room for one, a place a person elsewhere."""
        places = {room: party if self.capacities[room] > 1 else 1 for room in rooms}
        return Taken(places, begin * STEP_MINUTES, begin * STEP_MINUTES + length)


def service_name(rooms: tuple[str, ...], length: int) -> str:
    """Return the slug of the service that takes these rooms for so long."""
    return f"{'-'.join(rooms)}-for-{length}"


COMBINATIONS = (("r0",), ("r1",), ("r2",), ("r0", "r1"), ("r1", "r2"), ("r0", "r1", "r2"))


class Admissions(RuleBasedStateMachine):
    """Reserve, commit, release, cancel, move and let run out, in any order."""

    app_uri = ""
    admin_uri = ""
    runner: asyncio.Runner
    made = Bundle("made")
    confirmed = Bundle("confirmed")

    @initialize(capacities=st.tuples(*[st.integers(1, 5)] * 3))
    def open(self, capacities: tuple[int, ...]) -> None:
        """Open a business with three rooms and a service for every combination and length."""
        self.oracle = Oracle(dict(zip(ROOMS, capacities, strict=True)))
        self.stack = AsyncExitStack()

        async def work() -> Practice:
            practice = await self.stack.enter_async_context(open_practice(self.app_uri))
            for room, capacity in self.oracle.capacities.items():
                await practice.add_resource(room, capacity)
            for rooms in COMBINATIONS:
                for length in LENGTHS:
                    await practice.add_service(
                        service_name(rooms, length),
                        *([room] for room in rooms),
                        minutes=length,
                        slot_step_minutes=STEP_MINUTES,
                    )
            return practice

        self.practice = self.runner.run(work())

    places = st.builds(
        tuple[tuple[str, ...], int, int],
        st.tuples(st.sampled_from(COMBINATIONS), st.integers(0, 12), st.sampled_from(LENGTHS)),
    )

    @rule(target=made, place=places, party=st.integers(1, 5))
    def reserve(self, place: tuple[tuple[str, ...], int, int], party: int) -> UUID | None:
        """A reservation is made if and only if the peak fits."""
        rooms, begin, length = place
        wanted = self.oracle.wish(rooms, begin, length, party)
        largest = min((c for r in rooms if (c := self.oracle.capacities[r]) > 1), default=party)
        try:
            answer = self.runner.run(
                self.practice.reserve(
                    service_name(rooms, length), START + wanted.begin * 60, party=party, minutes=length
                )
            )
        except SlotNotOffered:
            assert party > largest
            return None
        except SlotConflict:
            assert not self.oracle.fits(wanted), "refused although the peak fits"
            return None
        assert self.oracle.fits(wanted), "accepted although the peak does not fit"
        booking_id = answer.made().id
        self.oracle.live[booking_id] = wanted
        return booking_id

    @rule(target=confirmed, booking_id=consumes(made))
    def commit(self, booking_id: UUID | None) -> UUID | None:
        """A commit changes no place."""
        if booking_id in self.oracle.live:
            self.runner.run(self.practice.commit(booking_id))
        return booking_id

    @rule(booking_id=consumes(made))
    def release(self, booking_id: UUID | None) -> None:
        """A released place is free at once."""
        if booking_id in self.oracle.live:
            self.runner.run(self.practice.release(booking_id))
            del self.oracle.live[booking_id]

    @rule(booking_id=consumes(made))
    def run_out(self, booking_id: UUID | None) -> None:
        """A hold that has run out is free at once, though nobody has swept it."""
        if booking_id in self.oracle.live:
            self.runner.run(self.practice.run_out(booking_id))
            del self.oracle.live[booking_id]

    @rule(booking_id=consumes(confirmed))
    def cancel(self, booking_id: UUID | None) -> None:
        """A cancelled place is free at once."""
        if booking_id in self.oracle.live:
            self.runner.run(self.practice.cancel(booking_id))
            del self.oracle.live[booking_id]

    @rule(booking_id=confirmed, place=places)
    def move(self, booking_id: UUID | None, place: tuple[tuple[str, ...], int, int]) -> None:
        """An appointment moves if and only if the peak without itself fits; else nothing changes."""
        if booking_id not in self.oracle.live:
            return
        rooms, begin, length = place
        party = self.runner.run(self.practice.read(booking_id)).party_size
        wanted = self.oracle.wish(rooms, begin, length, party)
        fits = self.oracle.fits(wanted, without=booking_id)
        try:
            self.runner.run(
                self.practice.move(booking_id, service_name(rooms, length), START + wanted.begin * 60, minutes=length)
            )
        except SlotNotOffered:
            assert party > min(c for r in rooms if (c := self.oracle.capacities[r]) > 1)
            return
        except SlotConflict:
            assert not fits, "not moved although the peak fits"
            return
        assert fits, "moved although the peak does not fit"
        self.oracle.live[booking_id] = wanted

    @invariant()
    def seats_are_as_many_as_places(self) -> None:
        """The rows that occupy are those of the oracle, unswept holds aside."""
        if not hasattr(self, "practice"):
            return
        seats = count(
            self.admin_uri,
            "select count(*) from claims c join bookings b on b.id = c.booking_id where c.business_id = %s"
            " and not (b.state = 'held' and b.expires_at <= clock_timestamp())",
            self.practice.business_id,
        )
        assert seats == sum(sum(t.rooms.values()) for t in self.oracle.live.values())

    def teardown(self) -> None:
        """Close the desk."""
        if hasattr(self, "stack"):
            self.runner.run(self.stack.aclose())


@contextmanager
def own_loop() -> Iterator[asyncio.Runner]:
    """A loop for a machine that is not asynchronous itself."""
    with asyncio.Runner() as runner:
        yield runner


def test_accepted_if_and_only_if_the_peak_fits(app_uri: str, admin_uri: str) -> None:
    """Whatever happens in whatever order, a place is given if and only if the peak fits (B-1 to B-6, B-16, B-17)."""
    with own_loop() as runner:
        Admissions.app_uri, Admissions.admin_uri, Admissions.runner = app_uri, admin_uri, runner
        Admissions.TestCase.settings = settings(
            max_examples=int(_EXAMPLES or 12),
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        from hypothesis.stateful import run_state_machine_as_test  # noqa: PLC0415

        run_state_machine_as_test(Admissions, settings=Admissions.TestCase.settings)
    assert violations(admin_uri) == []


async def test_fragments_are_seated_anew(app_uri: str, admin_uri: str) -> None:
    """What fits is accepted although every single seat is partly taken: the claims move to other seats (B-3)."""
    async with open_practice(app_uri) as practice:
        await practice.add_resource("hall", 2)
        for length in (20, 30, 40, 50):
            await practice.add_service(f"for-{length}", ["hall"], minutes=length, slot_step_minutes=10)

        async def take(begin: int, end: int) -> Answer:
            return await practice.reserve(f"for-{end - begin}", START + begin * 60, minutes=end - begin)

        # Seat 1: [0,30) [50,70); seat 2: [20,50) [60,90). The next one, [30,60), fits no seat as they lie, nor does it
        # when only its own neighbours are seated anew.
        fillers = [await take(20, 40)]
        first = await take(20, 50)
        await practice.release(fillers[0].made().id)
        await take(0, 30)
        await take(50, 70)
        await take(60, 90)
        before = await seats_of(practice, admin_uri)
        added = await take(30, 60)
        after = await seats_of(practice, admin_uri)
        assert added.outcome == "held"
        assert {booking: during for booking, (_, during) in before.items()}.items() <= {
            booking: during for booking, (_, during) in after.items()
        }.items()
        assert any(after[b][0] != seat for b, (seat, _) in before.items()), "nobody had to move"
        assert first.made().id in after
    assert violations(admin_uri) == []


async def seats_of(practice: Practice, admin_uri: str) -> dict[UUID, tuple[int, str]]:
    """Return seat and range of each claim of the business by its booking."""
    import psycopg  # noqa: PLC0415

    with psycopg.connect(admin_uri) as connection:
        rows = connection.execute(
            "select booking_id, seat, during::text from claims where business_id = %s", [practice.business_id]
        )
        return {booking: (seat, during) for booking, seat, during in rows}


@pytest.mark.parametrize("seed", range(4))
async def test_seating_anew_races_with_inserts(app_uri: str, admin_uri: str, seed: int) -> None:
    """While several servers book, cancel and seat anew, whoever is refused did not fit (B-2, B-3)."""
    chance = random.Random(seed)
    async with open_practice(app_uri) as practice, beside(practice) as other:
        capacity = 3
        await practice.add_resource("hall", capacity)
        await practice.add_resource("ana", 1)
        for length in LENGTHS:
            await practice.add_service(f"hall-{length}", ["hall"], minutes=length, slot_step_minutes=10)
            await practice.add_service(f"both-{length}", ["hall"], ["ana"], minutes=length, slot_step_minutes=10)
        # Fragments first: fill, then give back a random half.
        filled = [await attempt(practice, chance, "hall") for _ in range(60)]
        for begin, length, answer in filled:
            if isinstance(answer, Answer) and chance.random() < 0.5:
                await practice.release(answer.made().id)
            assert begin >= 0
            assert length > 0
        calls = [
            attempt(desk, chance, kind) for _ in range(60) for kind in ("hall", "both") for desk in (practice, other)
        ]
        refused = [(b, e) for b, e, a in await asyncio.gather(*calls) if isinstance(a, SlotConflict)]
        oracle = Oracle({"hall": capacity})
        for number, (_, during) in enumerate(await all_seats(practice, admin_uri, "hall")):
            oracle.live[UUID(int=number)] = Taken({"hall": 1}, *during)
        ana = Oracle({"ana": 1})
        for number, (_, during) in enumerate(await all_seats(practice, admin_uri, "ana")):
            ana.live[UUID(int=number)] = Taken({"ana": 1}, *during)
        # Nothing was given back during the race, so what did not fit then does not fit now.
        for begin, length in refused:
            hall_full = oracle.peak("hall", begin, begin + length) == capacity
            assert hall_full or ana.peak("ana", begin, begin + length) == 1
        assert refused
    assert violations(admin_uri) == []


async def attempt(practice: Practice, chance: random.Random, kind: str) -> tuple[int, int, object]:
    """Try to reserve at random; return when, how long, and what came of it."""
    begin, length = chance.randrange(0, 120, 10), chance.choice(LENGTHS)
    try:
        answer: object = await practice.reserve(f"{kind}-{length}", START + begin * 60, minutes=length)
    except SlotConflict as conflict:
        answer = conflict
    return begin, length, answer


async def all_seats(practice: Practice, admin_uri: str, resource: str) -> list[tuple[int, tuple[int, int]]]:
    """Return every claim of a resource as seat and minutes since START."""
    import psycopg  # noqa: PLC0415

    with psycopg.connect(admin_uri) as connection:
        rows = connection.execute(
            "select seat, extract(epoch from lower(during))::bigint, extract(epoch from upper(during))::bigint"
            " from claims where business_id = %s and resource_id = %s",
            [practice.business_id, practice.resources[resource]],
        )
        return [(seat, ((begin - START) // 60, (end - START) // 60)) for seat, begin, end in rows]


def test_pairs_of_edges_meet() -> None:
    """Ranges that touch do not overlap: one ends when the next begins (B-2)."""
    oracle = Oracle({"r0": 1})
    for number, (begin, end) in enumerate(pairwise((0, 30, 60, 90))):
        wanted = Taken({"r0": 1}, begin, end)
        assert oracle.fits(wanted)
        oracle.live[UUID(int=number)] = wanted
