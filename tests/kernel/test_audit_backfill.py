"""What an earlier release has written into the log is chained, and its reasons are sealed, while servers run (D-1, D-7)."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio

from conftest import MASTER_KEY
from holdfast.booking.sealing import BLOCK_REASONS
from holdfast.identity import businesses
from holdfast.kernel.audit import SYSTEM, open_reason, record
from holdfast.kernel.audit_backfill import CHAINING
from holdfast.kernel.backfills import run_pending
from holdfast.kernel.database import Database
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.privacy import Keyring
from holdfast.verify import verify

# As the release before wrote: without hashes, reasons as they were.
FORMERLY = """
alter table audit_log drop constraint audit_log_chained;
alter table audit_log disable trigger audit_log_reason_sealed;
insert into audit_log (business_id, aggregate_id, version, aggregate_type, action, actor, reason)
select %(business)s, thing, version, 'thing', 'change', 'staff', case when version %% 2 = 0 then 'why ' || version end
  from unnest(%(things)s::uuid[]) thing, generate_series(1, %(entries)s) version;
alter table audit_log enable trigger audit_log_reason_sealed;
alter table audit_log add constraint audit_log_chained check (mac is not null and octet_length(mac) = 32) not valid;
"""
THINGS, ENTRIES = 60, 7


@pytest.fixture
def uri(postgres: EmbeddedPostgres, own_database: str) -> str:
    """The administrator's URI."""
    return postgres.uri(database=own_database)


@pytest_asyncio.fixture
async def server(postgres: EmbeddedPostgres, own_database: str) -> AsyncIterator[Database]:
    """The database as a worker sees it."""
    app_uri = postgres.uri(user="holdfast_app", database=own_database)
    opened = Database(app_uri, max_connections=4, keyring=Keyring(MASTER_KEY, app_uri))
    await opened.open()
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def old_business(server: Database, uri: str) -> tuple[UUID, list[UUID]]:
    """A business whose log the release before has written, and the things that it is about."""
    async with server.transaction() as tx:
        business = (await businesses.put(tx, slug=f"t-{uuid4().hex[:12]}", name="T", timezone="UTC", currency="EUR")).id
    things = [uuid4() for _ in range(THINGS)]
    with psycopg.connect(uri, cursor_factory=psycopg.ClientCursor) as admin:
        admin.execute(FORMERLY, {"business": business, "things": things, "entries": ENTRIES})
    return business, things


async def run(server: Database) -> None:
    """Bring everything over."""
    assert await run_pending(server, [CHAINING, BLOCK_REASONS], rows_per_second=1_000_000)


def asked(uri: str, question: str) -> list[tuple[object, ...]]:
    """Return the rows of a query."""
    with psycopg.connect(uri) as admin:
        return admin.execute(question.encode()).fetchall()


async def wrong(uri: str) -> set[str]:
    """Return the names of the checks that fail with the key."""
    return {each.check for each in await asyncio.to_thread(verify, uri, lambda _: None, master_key=MASTER_KEY)}


async def test_old_entries_are_chained(server: Database, uri: str, old_business: tuple[UUID, list[UUID]]) -> None:
    """Every entry of the release before gets its hash, and the chains are genuine; before that nothing is called wrong."""
    assert await wrong(uri) == set()
    await run(server)
    assert asked(uri, "select count(*), count(mac), count(reason) from audit_log") == [(THINGS * ENTRIES,) * 2 + (0,)]
    assert asked(uri, "select count(*), min(version), max(version) from audit_heads") == [(THINGS, ENTRIES, ENTRIES)]
    assert await wrong(uri) == set()


async def test_old_reasons_are_sealed(server: Database, uri: str, old_business: tuple[UUID, list[UUID]]) -> None:
    """Every reason of the release before opens under the id that its entry names, and stands nowhere in plain text (D-5)."""
    business, things = old_business
    await run(server)
    async with server.transaction(business) as tx:
        rows = await tx.rows("select version, reason_id from audit_log where aggregate_id = %s order by 1", [things[0]])
        opened = [(row["version"], await open_reason(tx, row["reason_id"])) for row in rows]
    assert opened == [(n, f"why {n}" if n % 2 == 0 else None) for n in range(1, ENTRIES + 1)]
    assert asked(uri, "select count(*) from audit_reasons") == [(THINGS * (ENTRIES // 2),)]


async def test_a_reason_is_not_lost_before_it_is_sealed(
    server: Database, uri: str, old_business: tuple[UUID, list[UUID]]
) -> None:
    """A reason is taken out of the log only when it is kept sealed, under the id of its entry (D-5)."""
    business, things = old_business
    for _ in ("in no chain", "in its chain"):
        async with server.transaction(business) as tx:
            await tx.run("select take_audit_reason(%s, %s, 2)", [business, things[0]])
            key = (await tx.keys()).chain_key(things[0])
            await tx.run("select chain_audit(%s, %s, %s)", [business, things[0], key])
    plain = f"select reason from audit_log where aggregate_id = '{things[0]}' and version = 2"
    assert asked(uri, plain) == [("why 2",)]


async def test_a_new_entry_follows_old_ones(server: Database, uri: str, old_business: tuple[UUID, list[UUID]]) -> None:
    """What is written about a thing before the backfill comes to it follows its old entries, at once and for ever."""
    business, things = old_business
    for thing in things[:3]:
        async with server.transaction(business) as tx:
            assert await record(tx, "thing", thing, "change", SYSTEM) == ENTRIES + 1
    assert await wrong(uri) == set()
    await run(server)
    assert asked(uri, "select count(*) from audit_log where mac is null or reason is not null") == [(0,)]
    assert await wrong(uri) == set()


async def test_servers_write_beside_the_backfill(
    server: Database, uri: str, old_business: tuple[UUID, list[UUID]]
) -> None:
    """Servers that write to the very chains that are being made lose nothing, and all chains are genuine (D-1)."""
    business, things = old_business

    async def write(thing: UUID) -> int:
        async with server.transaction(business) as tx:
            return await record(tx, "thing", thing, "change", SYSTEM)

    _, *versions = await asyncio.gather(run(server), *(write(thing) for thing in reversed(things)))
    assert versions == [ENTRIES + 1] * THINGS
    assert asked(uri, "select count(*), count(mac), count(reason) from audit_log") == [
        (THINGS * (ENTRIES + 1),) * 2 + (0,)
    ]
    assert await wrong(uri) == set()


async def test_when_it_is_done_nothing_is_chained_any_more(
    server: Database, uri: str, old_business: tuple[UUID, list[UUID]]
) -> None:
    """After the backfill, who takes an entry's hash away cannot have the servers make a new one for it (D-7)."""
    business, things = old_business
    await run(server)
    with psycopg.connect(uri) as admin:
        admin.execute("alter table audit_log drop constraint audit_log_chained")
        admin.execute("update audit_log set mac = null, previous_mac = null where aggregate_id = %s", [things[0]])
        admin.execute("delete from audit_heads where aggregate_id = %s", [things[0]])
    with pytest.raises(psycopg.errors.UniqueViolation):
        async with server.transaction(business) as tx:
            await record(tx, "thing", things[0], "change", SYSTEM)
    with pytest.raises(psycopg.errors.CheckViolation, match="not chained any more"):
        async with server.transaction(business) as tx:
            await tx.run("select chain_audit(%s, %s, %s)", [business, things[0], bytes(32)])
    assert await wrong(uri) == {"kernel.chain_entries_have_hashes"}


async def test_reasons_of_old_blocks_are_sealed(
    server: Database, uri: str, old_business: tuple[UUID, list[UUID]]
) -> None:
    """Why time was kept free is sealed too, and the database takes it in plain text no more (D-5)."""
    business, _ = old_business
    block = uuid4()
    with psycopg.connect(uri) as admin:
        admin.execute("set session_replication_role = replica")
        admin.execute("alter table blocks drop constraint blocks_reason_sealed")
        admin.execute(
            "insert into blocks (business_id, id, resource_id, during, reason)"
            " values (%s, %s, %s, '[2045-05-02, 2045-05-03)', 'away')",
            [business, block, uuid4()],
        )
        admin.execute("alter table blocks add constraint blocks_reason_sealed check (reason is null) not valid")
    await run(server)
    async with server.transaction(business) as tx:
        [row] = await tx.rows("select reason, reason_id from blocks where id = %s", [block])
        assert (row["reason"], await open_reason(tx, row["reason_id"])) == (None, "away")
        with pytest.raises(psycopg.errors.CheckViolation):
            await tx.run("update blocks set reason = 'away' where id = %s", [block])
