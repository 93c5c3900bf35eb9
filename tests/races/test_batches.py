"""Batches that meet inside admission: what their locks and their order are for, without leaving it to chance."""

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import psycopg
import pytest

from booking.opened import DAY_SECONDS, HOUR_SECONDS, START, Practice, count
from holdfast.booking.admission import Answer, Request, instant, queries
from holdfast.booking.errors import ReservationNotFoundOrExpired
from holdfast.kernel.ids import new_id
from races.meeting import met


def slot(practice: Practice, start: int, catalog: int, **more: Any) -> Request:
    """Return a request for an hour of whatever `more` says it takes."""
    begin, end = instant(start), instant(start + HOUR_SECONDS)
    return Request(
        id=new_id(),
        operation="reserve",
        party=1,
        catalog=catalog,
        service=practice.services["talk"],
        starts=begin,
        ends=end,
        claims_from=begin,
        claims_to=end,
        notice_seconds=0,
        horizon_seconds=10**8,
        ttl=60,
        price=0,
        currency="EUR",
        **more,
    )


async def version(practice: Practice) -> int:
    """Return the version of the catalog."""
    snapshot = await practice.desk.snapshots.get(practice.business_id)
    assert snapshot is not None, "the business exists"
    return snapshot.version


async def admit(connection: psycopg.AsyncConnection, practice: Practice, *requests: Request) -> list[str]:
    """Have a batch admitted in the transaction of a connection; return the outcomes in the order of the requests."""
    for n, request in enumerate(requests, 1):
        request.n = n
    batch = msgspec.json.encode({str(practice.business_id): requests}).decode()
    cursor = await connection.execute(queries["admit_batch"], {"batch": batch, "repeated": False})
    [(_, told)] = await cursor.fetchall()
    return [answer["outcome"] for answer in sorted(json.loads(told), key=lambda answer: answer["n"])]


@pytest.fixture
async def desks(app_uri: str) -> Any:
    """Three connections of servers; what the first does stays open."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(await psycopg.AsyncConnection.connect(app_uri, autocommit=n > 0))
            for n in range(3)
        ]


async def test_batches_in_another_order_do_not_deadlock(
    practice: Practice, app_uri: str, desks: list[psycopg.AsyncConnection]
) -> None:
    """Of two batches that want the same places in opposite orders one gets them all, and none ends in a deadlock (B-6)."""
    catalog, ana = await version(practice), practice.resources["ana"]
    hours = [START + n * HOUR_SECONDS for n in (10, 12, 14)]
    between, *racing = desks
    # Whoever holds the middle stops both batches in the middle of theirs.
    assert await admit(between, practice, slot(practice, hours[1], catalog, solo=ana)) == ["held"]
    calls = []
    for desk, order in zip(racing, (hours, hours[::-1]), strict=True):
        wanted = [slot(practice, start, catalog, solo=ana) for start in order]
        calls.append(asyncio.create_task(admit(desk, practice, *wanted)))
        await met(app_uri, desk.info.backend_pid, calls[-1])
    await between.rollback()
    assert sorted(await asyncio.gather(*calls)) == [["held"] * 3, ["refused"] * 3]


async def test_a_daily_limit_counts_whoever_was_first(
    practice: Practice, app_uri: str, admin_uri: str, desks: list[psycopg.AsyncConnection]
) -> None:
    """Whoever asks for the last booking of a day waits for the one that is being written, and then does not get it (A-2)."""
    cleo = await practice.add_resource("cleo", daily_limit=1)
    await practice.add_service("limited", ["cleo"])
    catalog = await version(practice)
    day = {str(cleo): (instant(START), instant(START + DAY_SECONDS))}
    asked = [slot(practice, START + n * HOUR_SECONDS, catalog, needs=[[cleo]], days=day) for n in (10, 12)]
    first, second, _ = desks
    assert await admit(first, practice, asked[0]) == ["held"]
    call = asyncio.create_task(admit(second, practice, asked[1]))
    await met(app_uri, second.info.backend_pid, call)
    await first.commit()
    assert await call == ["again"]
    assert count(admin_uri, "select count(*) from claims where resource_id = %s", cleo) == 1


async def test_the_last_place_of_a_group_is_waited_for(
    practice: Practice, app_uri: str, desks: list[psycopg.AsyncConnection]
) -> None:
    """Whoever asks for the last place of a group while it is being taken waits, and then hears that it is full (B-20)."""
    schedule = await practice.add_schedule(1)
    asked = [Request(id=new_id(), operation="reserve", party=1, ttl=60, schedule=schedule) for _ in range(2)]
    first, second, _ = desks
    assert await admit(first, practice, asked[0]) == ["held"]
    call = asyncio.create_task(admit(second, practice, asked[1]))
    await met(app_uri, second.info.backend_pid, call)
    await first.commit()
    assert await call == ["full"]


async def test_a_hold_that_has_run_out_is_not_committed(practice: Practice) -> None:
    """What counts is the clock of the database at the commit, whether anybody has swept or not (B-4, B-11)."""
    held = (await practice.reserve("talk")).made().id
    async with practice.desk.database.transaction(practice.business_id) as tx:
        ended = "update bookings set version = version + 1, expires_at = clock_timestamp() where id = %s"
        assert await tx.run(ended, [held]) == 1
    with pytest.raises(ReservationNotFoundOrExpired):
        await practice.commit(held)


async def test_a_resource_is_locked_beside_its_foreign_keys(practice: Practice, admin_uri: str) -> None:
    """A claim that is being written, which shares the key of its resource, holds up nobody who locks that (B-6)."""
    with psycopg.connect(admin_uri) as writing:
        writing.execute("select from resources where id = %s for key share", [practice.resources["hall"]])
        assert isinstance(await practice.reserve("dance"), Answer)


async def test_what_was_checked_against_an_older_catalog_is_checked_again(
    practice: Practice, desks: list[psycopg.AsyncConnection]
) -> None:
    """A request that was checked by rules which have changed since takes no place (A-4)."""
    now, ana = await version(practice), practice.resources["ana"]
    first, *_ = desks
    for catalog, outcome in ((now - 1, "stale"), (now, "held")):
        assert await admit(first, practice, slot(practice, START, catalog, solo=ana)) == [outcome]
    await first.rollback()
