"""What the database has written and no other node has confirmed is never told as done."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio

from booking.opened import Practice, open_practice
from conftest import FAST
from holdfast.booking.bookings import find_answer, keep_answer, keyed
from holdfast.kernel.database import Transaction
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.errors import OutcomeUnknown
from holdfast.kernel.migrate import migrate

SETTINGS = FAST | {"synchronous_commit": "on", "shared_buffers": "16MB"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A migrated server of its own: for whom commits wait is set for a whole server."""
    server = EmbeddedPostgres(Path(tmp_path_factory.mktemp("replication")), SETTINGS)
    server.start()
    try:
        migrate(server.uri())
        yield server
    finally:
        server.stop()


@pytest_asyncio.fixture
async def practice(cluster: EmbeddedPostgres) -> AsyncIterator[Practice]:
    """A business with one practitioner; commits wait for nobody yet."""
    async with open_practice(cluster.uri(user="holdfast_app")) as opened:
        await opened.add_resource("ana")
        await opened.add_service("talk", ["ana"])
        try:
            yield opened
        finally:
            await wait_for(cluster, "")


async def wait_for(cluster: EmbeddedPostgres, node: str) -> None:
    """Let commits wait for a node, or for none; returns when they do."""
    connect = psycopg.AsyncConnection.connect
    async with await connect(cluster.uri(), autocommit=True) as admin:
        await admin.execute(f"alter system set synchronous_standby_names = '{node}'".encode())
        await admin.execute("select pg_reload_conf()")
    async with await connect(cluster.uri(), autocommit=True) as probe:
        while await waits(cluster, probe.execute("select pg_logical_emit_message(true, 'test', '')")) != bool(node):
            pass


async def waits(cluster: EmbeddedPostgres, call: Awaitable[object]) -> bool:
    """Await a call; each wait of its commits is broken off, as an administrator can. Tell whether there was one."""
    task = asyncio.ensure_future(call)
    broken_off = 0
    async with await psycopg.AsyncConnection.connect(cluster.uri(), autocommit=True) as admin:
        while not task.done():
            found = await admin.execute(
                "select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'"
            )
            broken_off += found.rowcount
    await task
    return broken_off > 0


async def test_a_hold_that_one_node_has_alone_is_not_told(practice: Practice, cluster: EmbeddedPostgres) -> None:
    """When the wait of a commit for another node is broken off the outcome is unknown, for whoever repeats it too, until
    the other node has it; then it is the one hold that was made (B-9, H-1).
    """
    await wait_for(cluster, "another")
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            await waits(cluster, practice.reserve("talk", key="first"))
    await wait_for(cluster, "")
    answer = await practice.reserve("talk", key="first")
    assert answer.outcome == "replayed"


async def test_an_appointment_that_one_node_has_alone_is_not_told(
    practice: Practice, cluster: EmbeddedPostgres
) -> None:
    """The same holds for a commit of a hold, which has no key (B-11, H-1)."""
    held = (await practice.reserve("talk")).made().id
    await wait_for(cluster, "another")
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            await waits(cluster, practice.commit(held))
    await wait_for(cluster, "")
    await practice.commit(held)
    assert (await practice.read(held)).state == "confirmed"


async def test_a_change_that_one_node_has_alone_is_not_told(practice: Practice, cluster: EmbeddedPostgres) -> None:
    """The same holds for what is changed under a key, outside the turnstile (B-9, H-1)."""
    held = (await practice.reserve("talk")).made().id
    await practice.commit(held)
    await wait_for(cluster, "another")
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            await waits(cluster, practice.cancel(held, key="off"))
    await wait_for(cluster, "")
    assert (await practice.cancel(held, key="off")).replayed


async def test_an_answer_that_one_node_has_alone_is_not_repeated(practice: Practice, cluster: EmbeddedPostgres) -> None:
    """What was answered to a key is not told again before the other node has it, whoever looks for it (B-9)."""
    database, key = practice.desk.database, keyed("kept", "block", b"a wish")

    async def keep(tx: Transaction) -> None:
        await keep_answer(tx, key, None, {"told": True})

    async def find(tx: Transaction) -> object:
        return await find_answer(tx, key)

    await wait_for(cluster, "another")
    for work in (keep, find):
        with pytest.raises(OutcomeUnknown):
            await waits(cluster, database.run(practice.business_id, work))
    await wait_for(cluster, "")
    assert await database.run(practice.business_id, find) == {"told": True}
