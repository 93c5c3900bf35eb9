"""Which calendars are looked at when: all that are due, never all at once, none held up by another."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest

from calendars.scripted import Connected, Scripted, connected, event, paused
from holdfast.administration.settings import Stage
from holdfast.calendars import mirror, patience
from holdfast.calendars.mirror import keep_up, sync_due
from holdfast.calendars.port import Page, Unreachable, Window
from holdfast.kernel.database import Transaction
from holdfast.kernel.embedded import SUPERUSER, EmbeddedPostgres

TICK_SECONDS = 15
PERIOD_TICKS = patience.POLL_SECONDS // TICK_SECONDS
# Every instant that is kept about looks.
INSTANTS = ("next_sync_at", "leased_until", "last_attempt_at", "last_success_at")


@asynccontextmanager
async def alone(postgres: EmbeddedPostgres, own_database: str) -> AsyncIterator[Connected]:
    """Open a practice on a database where nobody else has calendars."""
    app_uri, admin_uri = (postgres.uri(user=user, database=own_database) for user in ("holdfast_app", SUPERUSER))
    async with connected(app_uri, admin_uri) as office:
        yield office


async def look_at_all(office: Connected) -> int:
    """Look at whatever is due."""
    return await sync_due(office.practice.desk.database, office.providers, Stage.PROD)


def pass_time(office: Connected, seconds: float) -> None:
    """Let time pass: everything that was kept is so much longer ago."""
    moved = ", ".join(f"{column} = {column} - make_interval(secs => {seconds})" for column in INSTANTS)
    office.sql(f"update calendars set {moved}")


async def connect_many(office: Connected, number: int) -> None:
    """Connect so many accounts, each with a calendar, all due now."""
    ids = [(uuid4(), uuid4()) for _ in range(number)]

    async def work(tx: Transaction) -> None:
        keys, cursor = await tx.keys(), tx.connection.cursor()
        await cursor.executemany(
            "insert into calendar_connections (business_id, id, resource_id, provider, account_index)"
            " values (%s, %s, %s, 'caldav', %s)",
            [
                (office.business_id, account, office.resource_id, keys.index_other("a", str(account)))
                for account, _ in ids
            ],
        )
        await cursor.executemany(
            "insert into calendars (business_id, id, connection_id, resource_id, remote_id, remote_id_index, name, access,"
            " blocks) values (%s, %s, %s, %s, %s, %s, %s, 'read', true)",
            [
                (
                    office.business_id,
                    each,
                    account,
                    office.resource_id,
                    keys.seal("calendars.remote_id", each, str(each)),
                    keys.index_other("c", str(each)),
                    keys.seal("calendars.name", each, "Calendar of somebody"),
                )
                for account, each in ids
            ],
        )

    await office.practice.desk.database.run(office.business_id, work)


class Counting(Scripted):
    """Counts who is asked, and how many at once."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: Counter[str] = Counter()
        self.now = self.most = 0

    async def changes(
        self, remote_id: str, _timezone: str, sync_point: str | None, _window: Window
    ) -> AsyncIterator[Page]:
        """Answer that there is nothing, after a moment."""
        self.looks[remote_id] += 1
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        self.now -= 1
        yield Page((), whole=sync_point is None, sync_point="p")


async def test_a_thousand_calendars_are_looked_at_without_a_burst(
    postgres: EmbeddedPostgres, own_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1,000 connections that come at one instant are asked eight at a time, and within 15 minutes each once more at
    times of their own (C-2, calendars 16).
    """
    monkeypatch.setattr(patience, "_random", random.Random(7))
    async with alone(postgres, own_database) as office:
        office.provider = counting = Counting()
        await connect_many(office, 1_000)
        await look_at_all(office)
        assert len(counting.looks) == 1_000
        assert 1 < counting.most <= mirror.AT_ONCE
        counting.looks.clear()
        per_tick = []
        for _ in range(PERIOD_TICKS):
            pass_time(office, TICK_SECONDS)
            per_tick.append(await look_at_all(office))
        assert len(counting.looks) == 1_000, "each within 15 minutes"
        assert max(counting.looks.values()) <= 3
        assert max(per_tick) <= 3 * 1_000 / PERIOD_TICKS, per_tick


async def test_what_was_missed_is_looked_at_by_the_clock(postgres: EmbeddedPostgres, own_database: str) -> None:
    """When all pushes of an hour are lost, each quarter of an hour finds what has changed (C-2, calendars 15)."""
    async with alone(postgres, own_database) as office:
        calendar_id = await office.add_calendar()
        await look_at_all(office)
        for quarter in range(4):
            office.provider.answers.append([Page((event(f"e{quarter}", quarter),), whole=False, sync_point="p")])
            assert await look_at_all(office) == 0
            pass_time(office, patience.POLL_SECONDS)
            assert await look_at_all(office) == 1
            assert office.hours(calendar_id) == list(range(quarter + 1))


async def test_a_calendar_that_fails_keeps_nobody_from_their_turn(
    postgres: EmbeddedPostgres, own_database: str
) -> None:
    """What one provider refuses, and what breaks while its calendar is read, is its own affair."""
    async with alone(postgres, own_database) as office:
        failures: Sequence[Any] = (Unreachable("away"), RuntimeError("broken"), None)
        ids: list[UUID] = []
        for number, failure in enumerate(failures):
            scripted = Scripted([[failure]] if failure else [[Page((event("a", 1),), whole=True, sync_point="p")]])
            connection_id = await office.connect(scripted=scripted)
            ids.append(await office.add_calendar(str(number), connection_id=connection_id))
        assert await look_at_all(office) == 3
        told = [office.calendar(each, "failures, error_code") for each in ids]
        assert told == [(1, "unreachable"), (1, "unexpected"), (0, None)]
        assert office.hours() == [1]


async def test_one_that_takes_long_holds_up_no_other(
    postgres: EmbeddedPostgres, own_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a first look goes on, others are begun and ended, and it is not begun a second time (C-2)."""
    look, ended = mirror.sync, asyncio.Queue[UUID]()

    async def telling(*values: Any, **more: Any) -> bool:
        told = await look(*values, **more)
        ended.put_nowait(values[-1])
        return told

    monkeypatch.setattr(mirror, "sync", telling)
    monkeypatch.setattr(mirror, "_PAUSE_SECONDS", 0.02)
    async with alone(postgres, own_database) as office:
        reached, go_on = asyncio.Event(), asyncio.Event()
        slow = Scripted([[partial(paused, reached, go_on), Page((event("slow", 0),), whole=True, sync_point="p")]])
        quick = Scripted([[Page((event("quick", 5),), whole=True, sync_point="p")]])
        first = await office.add_calendar("slow", connection_id=await office.connect(scripted=slow))
        looking = asyncio.create_task(keep_up(office.practice.desk.database, office.providers, Stage.PROD))
        await reached.wait()
        second = await office.add_calendar("quick", connection_id=await office.connect(scripted=quick))
        assert await ended.get() == second
        assert office.calendar(first, "lease is not null") == (True,)
        go_on.set()
        assert await ended.get() == first
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
        assert office.hours() == [0, 5]
        assert (len(slow.asked), len(quick.asked)) == (1, 1)


async def test_calendars_of_broken_connections_are_not_due(postgres: EmbeddedPostgres, own_database: str) -> None:
    """Nobody is asked for what has no use, nor under a connection that does not work (calendars 17)."""
    async with alone(postgres, own_database) as office:
        await office.add_calendar("unused", blocks=False)
        stopped, void = await office.connect(), await office.connect()
        for connection_id in (stopped, void):
            await office.add_calendar("main", connection_id=connection_id)
        office.sql("update calendar_connections set state = 'stopped' where id = %s", stopped)
        office.sql("update calendar_connections set state = 'needs_reconnect' where id = %s", void)
        assert await look_at_all(office) == 0
        office.sql("update calendar_connections set state = 'connected' where id = %s", void)
        assert await look_at_all(office) == 1
