"""Transactions: whole or not at all, and no success while that is in doubt."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from booking.opened import open_practice
from conftest import FAST
from holdfast.kernel.audit import SYSTEM, record
from holdfast.kernel.database import Database
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.errors import OutcomeUnknown
from holdfast.kernel.ids import new_id


async def test_what_fails_leaves_neither_change_nor_entry(database: Database, app_uri: str) -> None:
    """Of a transaction that fails at its end there is nothing: no change, no reason, no entry of the audit log (D-7)."""
    thing = new_id()

    async def found(business_id: UUID) -> list[int]:
        async with database.transaction(business_id) as tx:
            return [
                await tx.value("select count(*) from audit_log where aggregate_id = %s", [thing]),
                await tx.value("select count(*) from audit_reasons"),
            ]

    async with open_practice(app_uri) as practice:
        before = await found(practice.business_id)
        for fails in (True, False):
            try:
                async with database.transaction(practice.business_id) as tx:
                    await record(tx, "thing", thing, "change", SYSTEM, reason="a reason of nobody's")
                    assert not fails, "the last step"
            except AssertionError:
                assert await found(practice.business_id) == before
        assert await found(practice.business_id) == [count + 1 for count in before]


@pytest.fixture
def replicated(tmp_path: Path) -> Iterator[str]:
    """A server whose commits wait for a standby that never comes, where they are asked to wait at all."""
    server = EmbeddedPostgres(tmp_path, FAST | {"synchronous_standby_names": "nobody"})
    server.start()
    yield server.uri()
    server.stop()


async def test_a_commit_in_doubt_is_no_success(replicated: str) -> None:
    """When the wait for a standby is cancelled the commit is on this node only, and nobody is told that it is sure (B-1)."""
    database = Database(replicated, max_connections=2)
    await database.open()
    try:
        with pytest.RaisesGroup(OutcomeUnknown):
            await keep(database, replicated)
        async with database.transaction() as tx:
            assert await tx.value("select to_regclass('kept') is not null")
    finally:
        await database.close()


async def keep(database: Database, uri: str) -> None:
    """Commit something by a commit that waits for the standby, and whose wait somebody cancels."""
    async with asyncio.TaskGroup() as beside, database.transaction() as tx:
        await tx.run("create table kept (n integer)")
        await tx.run("set local synchronous_commit = on")
        beside.create_task(cancel_wait(uri, tx.connection.info.backend_pid))


async def cancel_wait(uri: str, pid: int) -> None:
    """Cancel what a backend does when it waits for a standby."""
    waits = "select pg_cancel_backend(pid) from pg_stat_activity where pid = %s and wait_event = 'SyncRep'"
    async with await psycopg.AsyncConnection.connect(uri, autocommit=True) as watcher, asyncio.timeout(30):
        while await (await watcher.execute(waits, [pid])).fetchone() is None:
            pass
