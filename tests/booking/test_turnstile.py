"""The turnstile: batches form by themselves, a bad request hurts nobody else, and nobody waits without end."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio

from booking.opened import HOUR_SECONDS, START, Practice, open_practice, outcomes
from holdfast.booking.admission import Admission, Answer, Request
from holdfast.booking.errors import SlotConflict, SlotNotOffered
from holdfast.booking.turnstile import Measure
from holdfast.kernel.errors import TryLater
from holdfast.kernel.ids import new_id


@pytest_asyncio.fixture
async def practice(app_uri: str) -> AsyncIterator[Practice]:
    """A business with one practitioner."""
    async with open_practice(app_uri) as opened:
        await opened.add_resource("ana")
        await opened.add_service("talk", ["ana"])
        yield opened


def request_for(schedule_id: object) -> Request:
    """Return a request for one place in a schedule."""
    return Request(id=new_id(), operation="reserve", party=1, schedule=schedule_id, ttl=60)  # type: ignore[arg-type]


async def test_requests_that_arrive_together_travel_together(practice: Practice, app_uri: str) -> None:
    """A hundred simultaneous requests take a handful of transactions, a lone one is sent at once (B-1)."""
    sizes: list[int] = []
    admission = Admission(
        practice.desk.database, app_uri, measure=lambda _queue: Measure(lambda size, _seconds: sizes.append(size))
    )
    schedule = await practice.add_schedule(200)
    try:
        await admission.admit(practice.business_id, request_for(schedule))
        assert sizes == [1]
        await asyncio.gather(*(admission.admit(practice.business_id, request_for(schedule)) for _ in range(100)))
        assert sum(sizes) == 101
        assert len(sizes) < 20
    finally:
        await admission.close()


async def test_a_full_queue_refuses_at_once(practice: Practice, app_uri: str) -> None:
    """Beyond the bound of the queue requests hear at once to try later; none of the others is lost (H-3)."""
    admission = Admission(practice.desk.database, app_uri, queue_limit=50)
    schedule = await practice.add_schedule(100_000)
    try:
        answers = await outcomes(
            *(admission.admit(practice.business_id, request_for(schedule)) for _ in range(100_000))
        )
    finally:
        await admission.close()
    held = [a for a in answers if isinstance(a, Answer)]
    refused = [a for a in answers if isinstance(a, TryLater)]
    assert len(held) + len(refused) == 100_000
    assert len(held) >= 50
    assert refused
    async with practice.desk.database.transaction(practice.business_id) as tx:
        taken = await tx.value("select taken from program_schedules where id = %s", [schedule])
    assert taken == len(held)


async def test_a_bad_request_hurts_nobody_else(practice: Practice) -> None:
    """A request that the database cannot even read fails alone; the batch that it came in is replayed one by one (B-1)."""
    schedule = await practice.add_schedule(100)
    bad = request_for(schedule)
    bad.timezone = "\x00"
    turnstile = practice.desk.admission.reserves
    results = await outcomes(
        *(turnstile.pass_through(practice.business_id, request_for(schedule)) for _ in range(20)),
        turnstile.pass_through(practice.business_id, bad),
        *(turnstile.pass_through(practice.business_id, request_for(schedule)) for _ in range(20)),
    )
    assert sum(isinstance(r, Answer) and r.outcome == "held" for r in results) == 40
    assert isinstance(results[20], psycopg.errors.DataError)


async def test_businesses_share_a_batch(practice: Practice, app_uri: str) -> None:
    """Requests of several businesses travel in one batch, and each is admitted for its own (B-1)."""
    async with open_practice(app_uri) as other:
        schedules = [await practice.add_schedule(5), await other.add_schedule(3)]
        turnstile = practice.desk.admission.reserves
        calls = [
            turnstile.pass_through(owner.business_id, request_for(schedule))
            for _ in range(10)
            for owner, schedule in zip((practice, other), schedules, strict=True)
        ]
        answers = await asyncio.gather(*calls)
        assert [sum(a.outcome == "held" for a in answers[i::2]) for i in (0, 1)] == [5, 3]
        foreign = await turnstile.pass_through(practice.business_id, request_for(schedules[1]))
        assert foreign.outcome == "unknown_schedule"


async def test_rules_that_changed_elsewhere_bind_at_once(practice: Practice, app_uri: str) -> None:
    """A server that has not heard of a change of rules does not admit by the old ones (A-4)."""
    await practice.reserve("talk")
    async with open_practice(app_uri) as other, other.desk.database.transaction(practice.business_id) as tx:
        await tx.run("update resources set always_open = false where business_id = %s", [practice.business_id])
    with pytest.raises(SlotNotOffered):
        await practice.reserve("talk", START + HOUR_SECONDS)
    async with practice.desk.database.transaction(practice.business_id) as tx:
        await tx.run("update resources set always_open = true where business_id = %s", [practice.business_id])
    assert (await practice.reserve("talk", START + HOUR_SECONDS)).outcome == "held"


async def test_busy_time_from_outside_binds(practice: Practice) -> None:
    """Time that an external calendar blocks is neither offered as an alternative nor admitted (A-2)."""
    await practice.add_resource("ben")
    await practice.add_service("anyone", ["ana", "ben"])
    async with practice.desk.database.transaction(practice.business_id) as tx:
        await tx.run(
            "insert into calendar_busy_intervals (business_id, resource_id, during, source)"
            " values (%s, %s, tstzrange(to_timestamp(%s), to_timestamp(%s)), 'test')",
            [practice.business_id, practice.resources["ana"], START, START + 3 * HOUR_SECONDS],
        )
    with pytest.raises(SlotConflict) as lost:
        await practice.reserve("talk", START + HOUR_SECONDS)
    starts = {a["start"] for a in lost.value.details["alternatives"]}
    assert len(starts) == 5
    assert (await practice.reserve("anyone", START)).resources == [practice.resources["ben"]]
    with pytest.raises(SlotConflict):
        await practice.reserve("anyone", START)


async def test_a_daily_limit_is_a_limit(practice: Practice) -> None:
    """A resource takes no more bookings on a local day than its limit, however many ask at once (A-2)."""
    await practice.add_resource("cleo", daily_limit=3)
    await practice.add_service("limited", ["cleo"])
    answers = await outcomes(*(practice.reserve("limited", START + n * HOUR_SECONDS) for n in range(10)))
    assert sum(isinstance(a, Answer) for a in answers) == 3
    lost = next(a for a in answers if isinstance(a, SlotConflict))
    day = min(a["start"][:10] for a in lost.details["alternatives"])
    limited_day = (await practice.read(next(a for a in answers if isinstance(a, Answer)).made().id)).starts_at
    assert day != limited_day.date().isoformat()


async def test_a_buffer_is_part_of_the_claim(practice: Practice) -> None:
    """Buffers keep neighbours away at admission, and are not shown to the client (B-8)."""
    await practice.add_service("cosy", ["ana"], buffer_before_minutes=15, buffer_after_minutes=10, slot_step_minutes=5)
    answer = await practice.reserve("cosy", START + 2 * HOUR_SECONDS)
    assert int(answer.made().starts.timestamp()) == START + 2 * HOUR_SECONDS
    for start in (START + HOUR_SECONDS, START + 3 * HOUR_SECONDS):
        with pytest.raises(SlotConflict):
            await practice.reserve("talk", start)
    assert (await practice.reserve("cosy", START + 3 * HOUR_SECONDS + 25 * 60, key=str(uuid4()))).outcome == "held"
