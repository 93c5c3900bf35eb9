"""Races about what is offered to those who wait: workers, clients and staff at once, in any order, dying anywhere.

A usual run tries the same few lives each time. `WAITLIST_EXAMPLES=500 pytest tests/races/test_waitlist.py` tries ever others,
and more of them.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from uuid import UUID

import msgspec
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from booking.opened import HOUR_SECONDS, START, outcomes, until_blocked
from booking.waiting import Line, fill, open_line
from holdfast.availability.slots import free_slots
from holdfast.booking.admission import Answer, queries
from holdfast.booking.alternatives import occupation_of
from holdfast.booking.contacts import Guest
from holdfast.booking.errors import AlreadyCancelled, CapacityExceeded, NotChangeable, SlotConflict
from holdfast.booking.offers import Offers
from holdfast.booking.waitlist import WaitlistRequest
from holdfast.catalog.errors import CapacityBelowPeak
from holdfast.catalog.resources import set_capacity
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import ValidationFailed

HOURS = 3
PLACES = 3
_EXAMPLES = os.environ.get("WAITLIST_EXAMPLES")


@pytest_asyncio.fixture
async def line(app_uri: str) -> AsyncIterator[Line]:
    """A business where people wait."""
    async with open_line(app_uri) as opened:
        yield opened


async def all_workers(line: Line, count: int = 8) -> None:
    """Let many workers come by at once, each until it finds nothing more to do."""

    async def work() -> None:
        offers = Offers(line.practice.desk.database)
        idle = 0
        while idle < 3:
            idle = 0 if await line.turn(offers) else idle + 1

    for result in await outcomes(*(work() for _ in range(count))):
        assert result is None, result


async def bookings_offered(line: Line) -> list[UUID]:
    """Return every booking that somebody is offered, once for each of them."""
    offered = "select offered_booking_id as id from waitlist_requests where state = 'offered'"
    return [row["id"] for row in await line.rows(offered)]


async def test_many_workers_offer_each_place_once_and_in_order(line: Line) -> None:
    """Eight workers offer ten places that become free at once to the ten who asked first of forty, each once (W-1)."""
    appointments = await fill(line, hours=10)
    waits = [await line.wait(hours=10) for _ in range(40)]
    cancelled, *_ = await outcomes(
        asyncio.gather(*(line.practice.cancel(appointment) for appointment in appointments)), all_workers(line)
    )
    assert isinstance(cancelled, list), cancelled
    await all_workers(line)
    assert await line.offered(*waits) == waits[:10]
    offered = await bookings_offered(line)
    assert len(offered) == len(set(offered)) == 10


async def test_places_go_on_while_many_workers_race(line: Line) -> None:
    """However often offers run out under eight workers, the line moves on in order, until everybody has been asked (W-1)."""
    schedule = await line.practice.add_schedule(3)
    waits = [await line.wait(schedule=schedule) for _ in range(12)]
    for n in range(4):
        await all_workers(line)
        assert await line.offered(*waits) == waits[3 * n : 3 * n + 3]
        for request in waits[3 * n : 3 * n + 3]:
            await line.run_out(request)
    await all_workers(line)
    assert await line.states(*waits) == ["passed"] * 12
    assert [await line.stored(request) for request in waits] == ["passed"] * 12


async def test_the_public_and_the_waitlist_race_for_one_place(line: Line) -> None:
    """Of workers and clients who race for freed places each place goes to one, and nothing that is free is left (W-1)."""
    for n in range(8):
        start = START + n * HOUR_SECONDS
        [appointment] = await fill(line, start=start)
        waits = [await line.wait(start=start) for _ in range(2)]
        await line.practice.cancel(appointment)
        results = await outcomes(all_workers(line, 3), *(line.practice.reserve("talk", start) for _ in range(3)))
        reserved = [result for result in results if isinstance(result, Answer)]
        assert all(result is None or isinstance(result, Answer | SlotConflict) for result in results), results
        assert len(await line.offered(*waits)) + len(reserved) == 1
        await line.clear()


async def test_taking_and_losing_an_offer_cannot_both_be(line: Line) -> None:
    """An offer that is committed at the moment when it runs out is either an appointment and accepted, or gone on (W-1)."""
    for n in range(20):
        start = START + n * HOUR_SECONDS
        first, second = await line.wait(start=start), await line.wait(start=start)
        await line.turn()
        booking = await line.booking_of(first)
        ends = (
            "update bookings set version = version + 1, expires_at = clock_timestamp() + make_interval(secs => %s)"
            " where id = %s"
        )
        await line.run(lambda tx, n=n, ends=ends, booking=booking: tx.run(ends, [n % 4 / 1000, booking]))
        await outcomes(line.practice.commit(booking), all_workers(line, 2), all_workers(line, 2))
        await all_workers(line, 1)
        confirmed = (await line.practice.read(booking)).state == "confirmed"
        stand = [await line.stored(request) for request in (first, second)]
        assert stand == (["accepted", "waiting"] if confirmed else ["passed", "offered"])
        await line.clear()


async def test_a_commit_that_was_in_time_is_waited_for(line: Line, admin_uri: str) -> None:
    """An offer whose commit was in time, and ends after the offer has run out, is accepted and not passed (W-1)."""
    practice = line.practice
    waits = await line.wait()
    await line.turn()
    booking = await line.booking_of(waits)
    request = Guest(line.emails[waits]).commit_of(await practice.desk.database.keys(practice.business_id), booking, n=1)
    batch = msgspec.json.encode({str(practice.business_id): [request]}).decode()
    soon = (
        "update bookings set version = version + 1, expires_at = clock_timestamp() + interval '300 milliseconds'"
        " where id = %s returning expires_at"
    )
    [row] = await line.rows(soon, booking)
    async with practice.desk.database.transaction(practice.business_id) as tx:
        await tx.rows(queries["commit_batch"], {"batch": batch, "repeated": False})
        while not await tx.value("select clock_timestamp() > %s", [row["expires_at"]]):
            pass
        turn = asyncio.create_task(line.turn())
        await until_blocked(admin_uri, turn)
    await turn
    assert (await practice.read(booking)).state == "confirmed"
    assert await line.stored(waits) == "accepted"


async def test_opting_out_and_taking_an_offer_cannot_both_be(line: Line) -> None:
    """Who opts out and commits at once has either an appointment, accepted, or neither offer nor turn (W-1)."""
    for n in range(20):
        waits = await line.wait(start=START + n * HOUR_SECONDS)
        await line.turn()
        booking = await line.booking_of(waits)
        await outcomes(line.practice.commit(booking), line.withdraw(waits), all_workers(line, 1))
        await all_workers(line, 1)
        state = (await line.practice.read(booking)).state
        assert (state, await line.stored(waits)) in {("confirmed", "accepted"), ("released", "withdrawn")}


class _Died(Exception):
    """A worker was killed."""


class Life:
    """What happens at a business where people wait, and what must be true of it whenever the worker has come by."""

    def __init__(self, line: Line, schedule: UUID) -> None:
        self.line = line
        self.schedule = schedule
        self.made: list[UUID] = []
        self.waits: list[UUID] = []
        self.wishes: dict[UUID, dict[str, Any]] = {}

    async def do(self, step: tuple[str, int, int]) -> None:
        """Do a step, as far as there is something to do it to; the numbers choose to what."""
        name, number, other = step
        await getattr(self, name)(number, other)

    async def wait(self, number: int, other: int) -> None:
        """Somebody asks to wait: for an hour or several of a talk, for places of the hall, or of the group."""
        start, party = START + number % HOURS * HOUR_SECONDS, 1 + other % PLACES
        kind = (number + other) % 3
        wish: dict[str, Any] = {"schedule": self.schedule, "party": party}
        if kind == 0:
            wish = {"service": "talk", "start": start, "hours": 1 + other % 2}
        elif kind == 1:
            wish = {"service": "dance", "start": start, "party": party}
        # The hall may have got too small for the party, who is told so.
        with suppress(ValidationFailed):
            self.waits.append(await self.line.wait(**wish))
            self.wishes[self.waits[-1]] = wish

    async def reserve(self, number: int, other: int) -> None:
        """The public takes a place, and perhaps books it."""
        start, party = START + number % HOURS * HOUR_SECONDS, 1 + other % 2
        practice = self.line.practice
        with suppress(SlotConflict, CapacityExceeded):
            if other % 3 == 0:
                made = await practice.reserve("talk", start)
            elif other % 3 == 1:
                made = await practice.reserve("dance", start, party=party)
            else:
                made = await practice.join(self.schedule, party)
            self.made.append(made.made().id)
            if number % 2:
                await practice.commit(made.made().id)

    async def free(self, number: int, _: int) -> None:
        """A place that the public has is cancelled or given back, or runs out."""
        if not self.made:
            return
        booking = await self.line.practice.read(self.made.pop(number % len(self.made)))
        if booking.state == "confirmed":
            with suppress(AlreadyCancelled):
                await self.line.practice.cancel(booking.id)
        elif number % 2:
            await self.line.practice.run_out(booking.id)
        else:
            await self.line.practice.release(booking.id)

    async def _offered(self, number: int) -> list[UUID]:
        offered = await self.line.offered(*self.waits)
        return [offered[number % len(offered)]] if offered else []

    async def accept(self, number: int, _: int) -> None:
        """Somebody takes what they are offered."""
        for request in await self._offered(number):
            booking = await self.line.booking_of(request)
            await self.line.practice.commit(booking)
            self.made.append(booking)

    async def run_out(self, number: int, _: int) -> None:
        """Somebody does not answer in time, and perhaps asks anew."""
        for request in await self._offered(number):
            await self.line.run_out(request)
            if number % 2:
                with suppress(ValidationFailed):
                    await self.line.wait(**self.wishes[request], email=self.line.emails[request])

    async def opt_out(self, number: int, _: int) -> None:
        """Somebody does not want to wait any more."""
        # Whoever has taken an offer is told to cancel the appointment.
        with suppress(NotChangeable):
            if self.waits:
                await self.line.withdraw(self.waits[number % len(self.waits)])

    async def resize(self, number: int, _: int) -> None:
        """The hall gets more places or fewer."""
        hall = self.line.practice.resources["hall"]
        with suppress(CapacityBelowPeak):
            await self.line.run(lambda tx: set_capacity(tx, hall, 2 + number % 3))

    async def work(self, number: int, _: int) -> None:
        """Workers come by, one or several."""
        await all_workers(self.line, 1 + number % 3)

    async def die(self, number: int, other: int) -> None:
        """A worker dies before one of its statements; what it had not committed has never been."""
        left = number + other * 3

        def killing(whole: Any) -> Any:
            async def statement(*args: Any, **more: Any) -> Any:
                nonlocal left
                left -= 1
                if left < 0:
                    raise _Died
                return await whole(*args, **more)

            return statement

        with pytest.MonkeyPatch.context() as patch, suppress(_Died):
            for method in ("rows", "value", "run"):
                patch.setattr(Transaction, method, killing(getattr(Transaction, method)))
            await self.line.turn(Offers(self.line.practice.desk.database))

    async def check(self) -> None:
        """Let a worker come by: then nothing is free for anybody who waits, each offer is a hold of what was asked for,
        and nobody was overtaken for a place that they could have had.
        """
        before = {request for request in self.waits if await self.line.stored(request) == "waiting"}
        await all_workers(self.line, 1)
        requests = [await self.line.read(request) for request in self.waits]
        offered = [request for request in requests if request.status == "offered"]
        waiting = [request for request in requests if request.status == "waiting"]
        ids = await bookings_offered(self.line)
        assert len(ids) == len(set(ids)) == len(offered)
        for request in offered:
            assert request.offer is not None
            booking = await self.line.practice.read(request.offer.booking_id)
            assert (str(booking.status), booking.party_size) == ("held", request.wanted.party_size)
        for request in waiting:
            assert await self.fitting(request) == 0, "nobody waits for what is free"
        for late in (request for request in offered if request.id in before):
            for early in (request for request in waiting if request.created_at < late.created_at):
                assert not await self.would_fit(early, late), "nobody overtakes whom the place would have fitted"

    async def fitting(self, request: WaitlistRequest) -> int:
        """Return for how many starts there are places for the whole party."""
        return len([at for at, places in (await self.free_places(request)) if places >= request.wanted.party_size])

    async def would_fit(self, early: WaitlistRequest, late: WaitlistRequest) -> bool:
        """Return whether the earlier request would fit if the later one had not been offered its place."""
        assert late.offer is not None
        same = (early.wanted.service_id, early.wanted.schedule_id) == (late.wanted.service_id, late.wanted.schedule_id)
        if not same:
            return False
        start = int(late.offer.start.timestamp())
        if early.wanted.start is not None and early.wanted.end is not None:
            if not early.wanted.start <= late.offer.start < early.wanted.end:
                return False
            if early.wanted.service_id == self.line.practice.services["talk"]:
                return True
        left = dict(await self.free_places(early)).get(start, 0)
        return left + late.wanted.party_size >= early.wanted.party_size

    async def free_places(self, request: WaitlistRequest) -> list[tuple[int, int]]:
        """Return the starts at which a request could be served with the places that are left then."""
        practice, wanted = self.line.practice, request.wanted
        if wanted.schedule_id is not None:
            [row] = await self.line.rows(
                "select extract(epoch from starts_at)::integer as at, max_capacity - taken as places"
                " from program_schedules where id = %s",
                wanted.schedule_id,
            )
            return [(row["at"], row["places"])]
        assert wanted.service_id is not None
        assert wanted.start is not None
        assert wanted.end is not None
        snapshot = await practice.desk.snapshots.refresh(practice.business_id)
        assert snapshot is not None
        offering = snapshot.offering(snapshot.services[wanted.service_id])
        assert offering is not None
        first, last = int(wanted.start.timestamp()), int(wanted.end.timestamp())
        async with practice.desk.database.reading() as tx:
            occupation = await occupation_of(tx, practice.business_id, offering, first, last)
        return [(slot.start, slot.places_left) for slot in free_slots(offering, occupation, first, last)]


numbers = st.integers(0, 11)
STEPS = ("wait", "wait", "reserve", "reserve", "free", "free", "accept", "run_out", "opt_out", "resize", "work", "die")
lives = st.lists(st.tuples(st.sampled_from(STEPS), numbers, numbers), min_size=5, max_size=40)


@settings(
    max_examples=int(_EXAMPLES or 12),
    derandomize=_EXAMPLES is None,
    deadline=None,
    database=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
@given(steps=lives)
def test_whatever_happens_nothing_rots_and_nothing_is_offered_twice(
    app_uri: str, steps: list[tuple[str, int, int]]
) -> None:
    """In any order of asking, booking, cancelling, taking, letting pass, opting out, growing, shrinking and dying: what is free
    is offered to whoever asked first of those who fit, once, and never rots (W-1).
    """

    async def live() -> None:
        async with open_line(app_uri) as line:
            life = Life(line, await line.practice.add_schedule(PLACES))
            for n, step in enumerate(steps):
                await life.do(step)
                if n % 5 == 4:
                    await life.check()
            await life.check()

    asyncio.run(live())
