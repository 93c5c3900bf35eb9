"""Waiting for a connection: for a database that is busy, and not for one that is away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import psycopg
import pytest
import pytest_asyncio

from holdfast.kernel.database import Database
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.errors import TryLater


@pytest_asyncio.fixture
async def small(postgres: EmbeddedPostgres, own_database: str) -> AsyncIterator[Database]:
    """A pool of two connections to a database of its own, which counts how often it was asked whether it is there."""
    database = Database(postgres.uri(user="holdfast_app", database=own_database), max_connections=2)
    await database.open()
    yield database
    await database.close()


async def asked(database: Database, times: int) -> None:
    """Return when the database has been asked so many times whether it is there."""
    enough = asyncio.Event()
    left = times
    before = database._waits._reachable

    async def counted() -> bool:
        nonlocal left
        there = await before()
        left -= 1
        if left == 0:
            enough.set()
        return there

    database._waits._reachable = counted
    await enough.wait()


async def read(database: Database) -> int:
    """Read something."""
    async with database.transaction() as tx:
        return int(await tx.value("select 1"))


@pytest.mark.parametrize("limit", [-1, 2])
async def test_a_busy_pool_is_waited_for(
    postgres: EmbeddedPostgres, own_database: str, small: Database, limit: int
) -> None:
    """A thousand reads wait while all connections are busy, also if the server has no room for more; none is refused (H-3)."""
    with psycopg.connect(postgres.uri(database="postgres"), autocommit=True) as admin:
        admin.execute(f'alter database "{own_database}" connection limit {limit}'.encode())
    async with small.transaction(), small.transaction():
        reads = asyncio.gather(*(read(small) for _ in range(1_000)))
        await asked(small, times=2)
        assert not reads.done()
    assert await reads == [1] * 1_000


async def test_an_absent_database_is_not_waited_for(
    postgres: EmbeddedPostgres, own_database: str, small: Database
) -> None:
    """When no connection can be made, whoever waits is told so at once and not when his time is over; later all is well."""
    with psycopg.connect(postgres.uri(database="postgres"), autocommit=True) as admin:
        admin.execute(f'alter database "{own_database}" allow_connections false'.encode())
        admin.execute(
            "select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = %s", [own_database]
        )
        told = await asyncio.gather(*(read(small) for _ in range(20)), return_exceptions=True)
        assert {type(each) for each in told} == {TryLater}
        # The pool's own patience ends with another cause.
        assert {type(each.__cause__) for each in told} == {TimeoutError}  # type: ignore[union-attr]
        admin.execute(f'alter database "{own_database}" allow_connections true'.encode())
    assert await read(small) == 1


async def test_connections_that_have_died_are_passed_over(postgres: EmbeddedPostgres, own_database: str) -> None:
    """When the database has ended every connection of a full pool, the very next read is answered and not refused (H-3)."""
    database = Database(postgres.uri(user="holdfast_app", database=own_database))
    await database.open()
    async with AsyncExitStack() as lent:
        full = [await lent.enter_async_context(database.transaction()) for _ in range(10)]
        lost = {transaction.connection.info.backend_pid for transaction in full}
    with psycopg.connect(postgres.uri(database="postgres"), autocommit=True) as admin:
        admin.execute("select pg_terminate_backend(pid, 10000) from unnest(%s::integer[]) pid", [list(lost)])
    async with database.transaction() as tx:
        assert tx.connection.info.backend_pid not in lost
        assert await tx.value("select 1") == 1
    await database.close()
