"""Laying out while clients book: a place or a time has one taker, and nobody waits for a deadlock."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime, time, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio

from booking.opened import Practice, beside, open_practice, outcomes
from holdfast.booking.admission import Answer
from holdfast.booking.errors import SlotConflict, UnknownSchedule
from holdfast.booking.layouts import Layout, lay_out_ahead
from holdfast.booking.places import places_left
from holdfast.booking.reservations import Wish
from holdfast.booking.schedules import Schedule, list_schedules
from holdfast.booking.withdrawals import ScheduleIsBooked, remove
from holdfast.catalog.programs import ProgramRule, put_program
from holdfast.kernel.database import Transaction

DAYS = 55  # Those of eight weeks that are whole, whatever the time is.


@pytest_asyncio.fixture
async def practice(app_uri: str) -> AsyncIterator[Practice]:
    """A business whose room and hall are used by a program and by a service."""
    async with open_practice(app_uri) as opened:
        await opened.add_resource("room")
        await opened.add_resource("hall", 3)
        await opened.add_resource("desk", daily_limit=50)
        await opened.add_service("talk", ["room"])
        await opened.add_service("show", ["room"], ["hall"], ["desk"])
        yield opened


async def rule(practice: Practice, *hours: int, uses: tuple[str, ...] = ("room", "hall", "desk")) -> None:
    """Let the program begin every day at these hours of UTC."""
    rules = [ProgramRule(weekday, time(hour)) for weekday in range(7) for hour in hours]

    async def work(tx: Transaction) -> None:
        await put_program(
            tx,
            slug="group",
            name="Group",
            duration_minutes=60,
            max_capacity=2,
            rules=rules,
            resource_ids=[practice.resources[slug] for slug in uses],
        )

    await practice.desk.database.run(practice.business_id, work)


async def lay_out(practice: Practice) -> Layout:
    """Lay out in one transaction that is not tried again: a deadlock is a failure here."""
    async with practice.desk.database.transaction(practice.business_id) as tx:
        return await lay_out_ahead(tx)


async def listed(practice: Practice) -> list[Schedule]:
    """Return the coming schedules."""
    async with practice.desk.database.transaction(practice.business_id) as tx:
        return (await list_schedules(tx, "group", limit=1_000)).schedules


def days(practice: Practice, hour: int) -> list[int]:
    """Return this hour of the coming days, in epoch seconds."""
    today = datetime.now(UTC).replace(hour=hour, minute=0, second=0, microsecond=0)
    return [int((today + timedelta(days=n)).timestamp()) for n in range(1, DAYS + 1)]


async def waiting(practice: Practice, others: int = 1) -> None:
    """Return as soon as so many transactions of the server wait for a lock."""
    async with practice.desk.database.transaction() as tx:
        while await tx.value("select count(*) from pg_locks where not granted") < others:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_a_rule_changes_while_clients_book(practice: Practice) -> None:
    """Who books while a rule changes has the schedule at its time, or is told that there is none; never both (B-2)."""
    await rule(practice, 8)
    await lay_out(practice)
    before = await listed(practice)
    await rule(practice, 12)
    layouts: list[asyncio.Task[Layout]] = []
    answers = []
    for n, each in enumerate(before):
        if n == len(before) // 2:
            layouts = [asyncio.create_task(lay_out(practice)) for _ in range(3)]
        answers += await outcomes(practice.join(each.id))
    done = await asyncio.gather(*layouts)

    after = {each.id: each for each in await listed(practice)}
    booked = [each for each, answer in zip(before, answers, strict=True) if isinstance(answer, Answer)]
    refused = [answer for answer in answers if not isinstance(answer, Answer)]
    assert {type(answer) for answer in refused} == {UnknownSchedule}
    assert len(booked) >= len(before) // 2
    assert {each.id for each in booked} == {each.id for each in before if each.id in after}
    assert {(after[each.id].start, after[each.id].places_left) for each in booked} == {(e.start, 1) for e in booked}
    assert sum(layout.withdrawn for layout in done) == len(refused)
    assert {each.start for each in done[0].deviations} == {each.start for each in booked}
    assert len(after) == len(booked) + len(before)


async def test_a_reservation_in_flight_keeps_its_schedule(practice: Practice, app_uri: str) -> None:
    """A layout waits for a reservation that is being written, and then leaves its schedule where it is (B-2)."""
    await rule(practice, 8)
    await lay_out(practice)
    [schedule, *_] = await listed(practice)
    await rule(practice)
    request = [{"n": 1, "id": str(uuid4()), "party": 1, "schedule": str(schedule.id)}]
    async with await psycopg.AsyncConnection.connect(app_uri) as client:
        await client.execute("select admit(%s, %s)", [practice.business_id, json.dumps(request)])
        layout = asyncio.create_task(lay_out(practice))
        await waiting(practice)
        await client.commit()
    assert [(each.start, each.kind) for each in (await layout).deviations] == [(schedule.start, "booked")]
    assert [(each.id, each.places_left) for each in await listed(practice)] == [(schedule.id, 1)]


@pytest.mark.parametrize("history", [False, True])
async def test_a_withdrawal_in_flight_refuses_reservations(practice: Practice, history: bool) -> None:
    """A reservation waits for a layout that is withdrawing its schedule, and is then told that there is none (B-2)."""
    await rule(practice, 8)
    await lay_out(practice)
    [schedule, *_] = await listed(practice)
    if history:
        await practice.release((await practice.join(schedule.id)).made().id)
    await rule(practice, 9)
    async with practice.desk.database.transaction(practice.business_id) as tx:
        await lay_out_ahead(tx)
        asked = asyncio.create_task(practice.join(schedule.id))
        await waiting(practice)
    with pytest.raises(UnknownSchedule):
        await asked
    assert schedule.id not in {each.id for each in await listed(practice)}


async def test_a_room_is_laid_out_while_clients_take_it(practice: Practice) -> None:
    """Each hour goes to the group or to a client, whoever comes first, without any deadlock (B-2, B-6)."""
    await rule(practice, 8, 9)
    hours = [*days(practice, 8), *days(practice, 9)]
    async with beside(practice) as other:
        clients = [
            desk.reserve(service, start)
            for start in hours[::3]
            for desk, service in ((practice, "talk"), (other, "show"))
        ]
        layouts = [lay_out(practice), lay_out(other)]
        *answers, first, second = await outcomes(*clients[::2], *clients[1::2], *layouts)
    assert {type(answer) for answer in answers} <= {Answer, SlotConflict}
    assert isinstance(first, Layout)
    assert isinstance(second, Layout)
    theirs = {answer.starts for answer in answers if isinstance(answer, Answer)}
    ours = {each.start for each in await listed(practice)}
    asked = {datetime.fromtimestamp(start, UTC) for start in hours}
    assert theirs.isdisjoint(ours)
    assert (theirs | ours) >= asked
    assert first.created + second.created == len(ours)
    taken = {each.start for layout in (first, second) for each in layout.deviations}
    assert taken & asked == theirs


@pytest.mark.parametrize("service", ["talk", "show", "dance"])
async def test_what_a_group_has_is_nobody_elses(practice: Practice, service: str) -> None:
    """The time of a schedule is neither offered nor sold to a client, however many resources or places he needs (A-4)."""
    await practice.add_service("dance", ["hall"])
    await rule(practice, 8)
    await lay_out(practice)
    free, taken = days(practice, 9)[0], days(practice, 8)[0]
    for start, left in ((free, 1), (taken, 0)):
        wish = Wish(party=1, key=None, service_id=practice.services[service], start=start, end=start + 3600)
        places, _ = await places_left(practice.desk, practice.business_id, wish)
        assert min(places, 1) == left
    assert (await practice.reserve(service, free)).outcome == "held"
    with pytest.raises(SlotConflict) as refusal:
        await practice.reserve(service, taken)
    starts = {str(each["start"]) for each in refusal.value.details["alternatives"]}
    assert starts
    theirs = {datetime.fromtimestamp(at, UTC) for at in days(practice, 8)}
    assert theirs.isdisjoint(datetime.fromisoformat(start) for start in starts)


async def test_a_client_in_flight_is_waited_for(practice: Practice, app_uri: str) -> None:
    """A layout waits for a client who is taking its room, and reports the time as taken (B-2)."""
    await rule(practice, 8, uses=("room",))
    start, *_ = days(practice, 8)
    at = datetime.fromtimestamp(start, UTC)
    async with await psycopg.AsyncConnection.connect(app_uri) as client:
        await client.execute("select set_config('holdfast.business', %s, true)", [str(practice.business_id)])
        await client.execute(
            "with made as (insert into blocks (business_id, resource_id, during)"
            " values (%(business)s, %(room)s, tstzrange(%(from)s, %(to)s)) returning id)"
            " select take_whole_resource(%(business)s, %(room)s, tstzrange(%(from)s, %(to)s), null, id) from made",
            {
                "business": practice.business_id,
                "room": practice.resources["room"],
                "from": at,
                "to": at + timedelta(minutes=30),
            },
        )
        layout = asyncio.create_task(lay_out(practice))
        await waiting(practice)
        await client.commit()
    assert [(each.start, each.kind) for each in (await layout).deviations] == [(at, "taken")]


async def test_removing_and_booking_cannot_both_win(practice: Practice) -> None:
    """A schedule that staff remove while clients book it ends removed or booked (B-2)."""

    def removal(schedule: UUID) -> Awaitable[None]:
        return practice.desk.database.run(practice.business_id, lambda tx: remove(tx, schedule))

    for n in range(30):
        schedule = await practice.add_schedule(1)
        calls = [practice.join(schedule), removal(schedule)]
        told = {type(answer) for answer in await outcomes(*(calls if n % 2 else reversed(calls)))}
        assert told in ({Answer, ScheduleIsBooked}, {UnknownSchedule, type(None)})

    # Who of them wins a race is chance; who comes first does not leave it to chance.
    booked, removed = await practice.add_schedule(1), await practice.add_schedule(1)
    await practice.join(booked)
    with pytest.raises(ScheduleIsBooked):
        await removal(booked)
    await removal(removed)
    with pytest.raises(UnknownSchedule):
        await practice.join(removed)
