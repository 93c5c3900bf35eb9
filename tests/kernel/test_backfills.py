"""Backfills: every row of an earlier release is brought over once, whatever happens to the workers (D-1)."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio

from conftest import MASTER_KEY
from holdfast import worker
from holdfast.kernel import backfills
from holdfast.kernel.backfills import Backfill, Step, kept_running, run_pending
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.embedded import SUPERUSER, EmbeddedPostgres
from holdfast.kernel.migrate import migrate
from holdfast.kernel.privacy import Keyring

ROWS = 450
NEXT = """
with due as (select id from things where id > %(after)s order by id limit %(limit)s)
update things set times = times + 1 where id in (select id from due) returning id
"""
# Killed in the middle of its third batch, after it has changed the rows.
KILLED = """
import asyncio, os, signal, sys
from holdfast.kernel.backfills import Backfill, run_pending
from holdfast.kernel.database import Database
sys.path.insert(0, sys.argv[1])
from kernel.test_backfills import bring_over, count

batches = 0
async def batch(tx, position, limit):
    global batches
    step = await bring_over(tx, position, limit)
    batches += 1
    if batches == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return step

async def main():
    database = Database(sys.argv[2], min_connections=1, max_connections=2)
    await database.open()
    await run_pending(database, [Backfill("things", batch, count)], rows_per_second=1_000_000)

asyncio.run(main())
"""


async def bring_over(tx: Transaction, position: object, limit: int) -> Step | None:
    """Count up the next rows of a business."""
    rows = await tx.rows(NEXT, {"after": position or 0, "limit": limit})
    return Step(max(row["id"] for row in rows), len(rows)) if rows else None


async def count(tx: Transaction) -> int:
    """Return how many rows a business has."""
    return int(await tx.value("select count(*) from things"))


async def fail(tx: Transaction, position: object, limit: int) -> Step | None:
    """Fail as soon as there is something to do."""
    raise ArithmeticError


THINGS = Backfill("things", bring_over, count)


@pytest.fixture
def uri(postgres: EmbeddedPostgres, own_database: str) -> str:
    """A database of which the middle one of three businesses has no rows to bring over, the others have many."""
    businesses = [uuid4() for _ in range(3)]
    with psycopg.connect(postgres.uri(database=own_database), autocommit=True) as admin:
        admin.execute("delete from backfills")
        admin.execute("create table things (business_id uuid, id integer, times integer not null default 0)")
        admin.execute("select isolate('things')")
        admin.execute("grant select, update on things to holdfast_app")
        for number, business in enumerate(sorted(businesses)):
            admin.execute(
                "insert into businesses (id, slug, name, timezone, currency) values (%s, %s, 'Test', 'UTC', 'EUR')",
                [business, f"t-{number}"],
            )
            if number != 1:
                admin.execute("insert into things select %s, g from generate_series(1, %s) g", [business, ROWS])
        admin.execute("insert into backfills (name) values ('things')")
    return postgres.uri(user="holdfast_app", database=own_database)


@pytest_asyncio.fixture
async def servers(uri: str) -> AsyncIterator[list[Database]]:
    """The pools of two workers."""
    pools = [Database(uri, max_connections=3, keyring=Keyring(MASTER_KEY, uri)) for _ in range(2)]
    for pool in pools:
        await pool.open()
    yield pools
    for pool in pools:
        await pool.close()


def asked(uri: str, question: str) -> list[tuple[object, ...]]:
    """Return the rows of a query that sees all tenants."""
    with psycopg.connect(uri.replace("holdfast_app", SUPERUSER), autocommit=True) as admin:
        return admin.execute(question.encode()).fetchall()


def all_once(uri: str) -> bool:
    """Tell whether each row was changed exactly once, and the backfill knows it."""
    times = asked(uri, "select times, count(*) from things group by times")
    book = asked(uri, "select done, total, finished_at is not null from backfills where name = 'things'")
    return times == [(1, 2 * ROWS)] and book == [(2 * ROWS, 2 * ROWS, True)]


async def test_every_row_of_every_business_is_brought_over_once(servers: list[Database], uri: str) -> None:
    """One run brings over the rows of all businesses, and another one touches none of them again (D-1)."""
    assert await run_pending(servers[0], [THINGS], rows_per_second=1_000_000)
    assert all_once(uri)
    assert await run_pending(servers[0], [THINGS], rows_per_second=1_000_000)
    assert all_once(uri)


async def test_a_killed_worker_repeats_nothing(servers: list[Database], uri: str) -> None:
    """After kill -9 in the middle of a batch another worker goes on where the last whole batch ended (D-1)."""
    here = __file__.rpartition("/kernel/")[0]
    command = [sys.executable, "-c", KILLED, here, uri]
    killed = await asyncio.to_thread(subprocess.run, command, check=False)
    assert killed.returncode == -9
    assert asked(uri, "select done, finished_at from backfills") == [(400, None)]
    while not await run_pending(servers[0], [THINGS], rows_per_second=1_000_000):
        pass  # the server may not have noticed yet that the killed one is gone
    assert all_once(uri)


async def test_workers_share_a_backfill(servers: list[Database], uri: str) -> None:
    """Two workers at once bring over each row once, and never two batches at a time (D-1)."""
    inside = 0
    seen = []

    async def alone(tx: Transaction, position: object, limit: int) -> Step | None:
        nonlocal inside
        inside += 1
        seen.append(inside)
        try:
            return await bring_over(tx, position, limit)
        finally:
            inside -= 1

    async def work(server: Database) -> None:
        while not await run_pending(server, [Backfill("things", alone, count)], rows_per_second=1_000_000):
            pass

    await asyncio.gather(*(work(server) for server in servers))
    assert set(seen) == {1}
    assert all_once(uri)


async def test_the_limit_of_rows_holds_for_all_workers(servers: list[Database], uri: str) -> None:
    """A batch is as large as a second of the limit at most, and nobody begins another before its time is over (D-1)."""
    batches: list[int] = []

    async def counted(tx: Transaction, position: object, limit: int) -> Step | None:
        batches.append(limit)
        return await bring_over(tx, position, limit)

    slow = Backfill("things", counted, count)
    assert await backfills._advance(servers[0], slow, 100) == 1
    [(pause,)] = asked(uri, "select extract(epoch from resumes_at - advanced_at)::float8 from backfills")
    assert pause == pytest.approx(1, abs=0.01)

    asked(uri, "update backfills set resumes_at = clock_timestamp() + interval '1 hour' returning name")
    rest = await backfills._advance(servers[1], slow, 100)
    assert rest == pytest.approx(3600, abs=60)
    assert (batches, asked(uri, "select done from backfills")) == ([100], [(100,)])


async def test_a_failing_backfill_stops_no_other(servers: list[Database], uri: str) -> None:
    """One that fails is not done and leaves nothing behind; the one after it is done all the same (D-1)."""
    asked(uri, "insert into backfills (name) values ('broken') returning name")
    broken = Backfill("broken", fail, count)
    assert not await run_pending(servers[0], [broken, THINGS], rows_per_second=1_000_000)
    assert all_once(uri)
    assert asked(uri, "select started_at, done, finished_at from backfills where name = 'broken'") == [(None, 0, None)]


async def test_a_worker_brings_rows_over_beside_its_work(servers: list[Database], uri: str) -> None:
    """Backfills run beside whatever else a worker does, until they are done (D-1)."""
    async with kept_running(servers[0], [THINGS], rows_per_second=1_000_000):
        while True:
            if asked(uri, "select from backfills where finished_at is not null"):
                break
            await asyncio.sleep(0.01)
    assert all_once(uri)


def test_a_migration_tells_what_is_pending(uri: str, own_database: str, postgres: EmbeddedPostgres) -> None:
    """`holdfast migrate` names the backfills that the worker has still to do, also when no migration ran (D-1)."""
    said: list[str] = []
    assert migrate(postgres.uri(database=own_database), report=said.append) == []
    assert said == ["backfill things is pending: the worker does it while it serves"]


def test_every_named_backfill_is_there(postgres: EmbeddedPostgres) -> None:
    """The worker has exactly the backfills that migrations name (D-1)."""
    named = asked(postgres.uri(user="holdfast_app", database="holdfast_template"), "select name from backfills")
    assert {name for (name,) in named} == {each.name for each in worker.BACKFILLS}
    assert len({each.name for each in worker.BACKFILLS}) == len(worker.BACKFILLS)
