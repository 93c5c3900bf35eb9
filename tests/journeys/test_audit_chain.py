"""Whoever edits the audit log is found: with the master key always, without it by links, versions and heads (D-7)."""

import asyncio
import hmac
import random
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio
from psycopg.conninfo import make_conninfo

from conftest import MASTER_KEY
from holdfast import config
from holdfast.identity import businesses
from holdfast.kernel.audit import SYSTEM, Actor, forget_reasons, open_reason, reasons_of, record
from holdfast.kernel.database import Database
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.privacy import Keyring
from holdfast.verify import WITHOUT_KEY, verify
from journeys.damages import Finding
from journeys.damages_of_chains import CHAINS, ENTRIES, cut, says
from journeys.practice import NEIGHBOUR, PRACTICE, clone, open_practice, the

TABLES = ("audit_log", "audit_heads", "tenant_keys")


def found(uri: str, master_key: bytes | None = None) -> set[Finding]:
    """Return what verify finds wrong with chains."""
    told = verify(uri, lambda _: None, master_key=master_key)
    return {(each.check, each.ids) for each in told if each.check.startswith("kernel.chain_")}


@pytest.fixture(scope="module")
def chained(postgres: EmbeddedPostgres) -> str:
    """A URI of a database with two businesses; who has it may write anything into its audit log."""
    name = clone(postgres, f"chained_{uuid4().hex[:12]}", "holdfast_template")
    with psycopg.connect(postgres.uri(database=name), autocommit=True) as connection:
        open_practice(connection, PRACTICE)
        open_practice(connection, NEIGHBOUR)
        connection.execute("update backfills set started_at = now(), finished_at = now()")
        connection.execute("alter table audit_log drop constraint audit_log_chained")
        connection.execute("create schema sound")
        for table in TABLES:
            connection.execute(f"create table sound.{table} as table {table}".encode())
    return postgres.uri(database=name)


@pytest.fixture
def sound(chained: str) -> Iterator[str]:
    """The URI of that database, with its chains as they were written."""
    with psycopg.connect(chained) as connection:
        for table in TABLES:
            connection.execute(f"delete from {table}".encode())
            connection.execute(f"insert into {table} select * from sound.{table}".encode())
        connection.execute("alter table audit_heads drop constraint if exists audit_heads_pkey")
        connection.execute("alter table audit_heads add primary key (business_id, aggregate_id)")
    return chained


@pytest_asyncio.fixture
async def tenant(database: Database) -> UUID:
    """A business of its own."""
    async with database.transaction() as tx:
        return (await businesses.put(tx, slug=f"t-{uuid4().hex[:12]}", name="T", timezone="UTC", currency="EUR")).id


def test_what_was_written_is_sound(sound: str) -> None:
    """Chains as the product writes them are found genuine, entry by entry and head by head (D-7, B-25)."""
    assert found(sound, MASTER_KEY) == set()
    with psycopg.connect(sound) as connection:
        assert connection.execute("select count(*) > 20, count(mac) = count(*) from audit_log").fetchone() == (
            True,
            True,
        )


@pytest.mark.parametrize("name", CHAINS)
def test_damage_is_found(sound: str, name: str) -> None:
    """Each damage is found where it is, with the key always, without it as far as links and versions go (D-7, B-25)."""
    statements, with_key, without_key = CHAINS[name]
    with psycopg.connect(sound) as connection:
        connection.execute(statements.encode())
    assert found(sound, MASTER_KEY) == with_key
    assert found(sound) == without_key


def test_another_key_proves_nothing(sound: str) -> None:
    """With another master key each business is told, and none of its entries is called genuine or forged (D-7)."""
    businesses = {("kernel.chain_keys_open", (the("business", tenant),)) for tenant in (PRACTICE, NEIGHBOUR)}
    assert found(sound, bytes(32)) == businesses


def test_who_has_no_key_is_told(sound: str) -> None:
    """Without the master key verify says what it has not looked at, and with it that it has (D-7)."""
    for key, told in ((None, True), (MASTER_KEY, False)):
        lines: list[str] = []
        verify(sound, lines.append, master_key=key)
        assert (WITHOUT_KEY in lines) is told
        assert ("verifying the hashes of the audit log" in lines) is not told


def test_the_key_is_found_and_never_made(tmp_path: Path) -> None:
    """Verify takes the key that is set, or that of the data directory, and makes none where there is none (D-7)."""
    settings = config.Settings(data_dir=tmp_path)
    assert config.known_master_key(settings) is None
    assert list(tmp_path.iterdir()) == []
    made = config.master_key(settings)
    assert config.known_master_key(settings) == made
    assert config.known_master_key(config.Settings(data_dir=tmp_path, dsn="host=elsewhere")) is None
    assert config.known_master_key(config.Settings(dsn="host=elsewhere", master_key=MASTER_KEY)) == MASTER_KEY


async def test_writing_on_heals_nothing(sound: str) -> None:
    """After a cut tail and a head moved back, further entries do not make the chain look whole (D-7)."""
    thing = UUID(the("thing"))
    database = Database(
        make_conninfo(sound, user="holdfast_app"), min_connections=1, keyring=Keyring(MASTER_KEY, sound)
    )
    await database.open()
    try:
        for number in range(3):
            async with database.transaction(UUID(the("business"))) as tx:
                assert await record(tx, "thing", thing, "change", SYSTEM) == number + 1
        assert await asyncio.to_thread(found, sound, MASTER_KEY) == set()
        with psycopg.connect(sound) as connection:
            connection.execute(cut("thing", 3).encode())
        async with database.transaction(UUID(the("business"))) as tx:
            assert await record(tx, "thing", thing, "change", SYSTEM) == 3
    finally:
        await database.close()
    assert await asyncio.to_thread(found, sound, MASTER_KEY) == says(ENTRIES, "thing", 3)


def test_the_hash_is_that_of_the_standard(chained: str) -> None:
    """What the database computes is HMAC-SHA-256 of RFC 2104, as Python has it, for any key and message (D-7)."""
    chance = random.Random(7)
    with psycopg.connect(chained) as connection:
        for size in [0, 1, 31, 55, 56, 63, 64, 65, 119, 1000, *(chance.randrange(300) for _ in range(50))]:
            key, message = chance.randbytes(32), chance.randbytes(size)
            row = connection.execute(
                "select audit_mac(audit_inner(%s), audit_outer(%s), %s)", [key, key, message]
            ).fetchone()
            assert row == (hmac.digest(key, message, "sha256"),)


async def test_entries_of_one_thing_at_once_make_one_chain(database: Database, admin_uri: str, tenant: UUID) -> None:
    """Whoever writes to one chain at the same time gets a version and a link of their own, and all is genuine (D-7)."""
    thing, actor = uuid4(), Actor.staff(uuid4())

    async def write(number: int) -> int:
        async with database.transaction(tenant) as tx:
            return await record(
                tx, "thing", thing, f"änderung {number}", actor, before="ü'\"\\", after="", reason=f"r{number}"
            )

    assert await write(0) == 1
    assert sorted(await asyncio.gather(*(write(number) for number in range(1, 12)))) == list(range(2, 13))
    problems = await asyncio.to_thread(verify, admin_uri, lambda _: None, master_key=MASTER_KEY)
    assert [each for each in problems if each.business_id == tenant] == []


async def test_reasons_are_sealed(database: Database, admin_uri: str, tenant: UUID) -> None:
    """Why somebody did something is ciphertext in the database, opens with the tenant's key, and is found nowhere plain (D-5)."""
    thing = uuid4()
    async with database.transaction(tenant) as tx:
        await record(tx, "thing", thing, "change", SYSTEM, reason="Паническая атака")
        [entry_] = await tx.rows("select reason, reason_id from audit_log where aggregate_id = %s", [thing])
        assert (entry_["reason"], await open_reason(tx, entry_["reason_id"])) == (None, "Паническая атака")
        assert await open_reason(tx, None) is None
        assert await open_reason(tx, uuid4()) is None
        assert await reasons_of(tx, thing) == ["Паническая атака"]
        [sealed] = await tx.rows("select body from audit_reasons where id = %s", [entry_["reason_id"]])
        assert "Паническая".encode() not in sealed["body"]
    with psycopg.connect(admin_uri) as admin, pytest.raises(psycopg.errors.CheckViolation, match="stored sealed"):
        admin.execute("update audit_log set reason = 'x' where aggregate_id = %s", [thing])


async def test_a_reason_is_forgotten_and_the_chain_is_whole(database: Database, admin_uri: str, tenant: UUID) -> None:
    """A reason can be deleted for good, and every entry of the history stays and is genuine (D-7, D-8)."""
    thing = uuid4()
    async with database.transaction(tenant) as tx:
        for number in range(3):
            await record(tx, "thing", thing, "change", SYSTEM, reason=f"because {number}")
        await forget_reasons(tx, thing)
        assert await reasons_of(tx, thing) == []
        assert await tx.value("select count(reason_id) from audit_log where aggregate_id = %s", [thing]) == 3
    problems = await asyncio.to_thread(verify, admin_uri, lambda _: None, master_key=MASTER_KEY)
    assert [each for each in problems if each.business_id == tenant] == []
