"""A new data key for a business, and everything sealed anew under it (D-5)."""

from collections.abc import Iterator
from itertools import count
from types import SimpleNamespace
from uuid import UUID, uuid4

import psycopg
import pytest

from conftest import MASTER_KEY
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.privacy import Keyring, TenantKeys, WrongMasterKey, generation_of
from holdfast.kernel.rotation import Rotated, rotate

PLACE = "webhook_events.body"
INSERT = """insert into webhook_events (business_id, id, provider, event_id, type, object_id, body)
            values (%s, %s, 'yookassa', %s, 'payment.succeeded', uuidv7()::text, %s)"""


@pytest.fixture
def admin(postgres: EmbeddedPostgres, own_database: str) -> Iterator[psycopg.Connection]:
    """The administrator of a database in which nothing is."""
    with psycopg.connect(postgres.uri(database=own_database), autocommit=True) as connection:
        yield connection


@pytest.fixture
def uri(postgres: EmbeddedPostgres, own_database: str) -> str:
    """A URI of that database, as administrator."""
    return postgres.uri(database=own_database)


def business(admin: psycopg.Connection, slug: str = "practice") -> UUID:
    """Make a business."""
    values = "(slug, name, timezone, currency) values (%s, 'Test', 'UTC', 'EUR') returning id"
    row = admin.execute(f"insert into businesses {values}".encode(), [slug]).fetchone()
    assert row is not None
    return UUID(str(row[0]))


def keep(admin: psycopg.Connection, keys: TenantKeys, text: str, *, sealed: bytes | None = None) -> UUID:
    """Store a sealed text in a row of its own; return the id of the row."""
    row = uuid4()
    admin.execute(INSERT, [keys.business_id, row, str(row), sealed or keys.seal(PLACE, row, text)])
    return row


def stored(admin: psycopg.Connection) -> dict[UUID, bytes]:
    """Return every envelope by its row."""
    return {row: bytes(body) for row, body in admin.execute("select id, body from webhook_events").fetchall()}


def quietly(_line: str) -> None:
    """Take a line of progress that nobody looks at."""


async def test_everything_is_sealed_anew_and_reads_as_before(admin: psycopg.Connection, uri: str) -> None:
    """After a rotation each value is under the new key and reads as before, the old key is gone, and so is what it opened."""
    ours = business(admin)
    keyring = Keyring(MASTER_KEY, uri, refresh_seconds=0)
    keys = await keyring.of(ours)
    texts = {keep(admin, keys, text): text for text in map(str, range(1_203))}
    old = stored(admin)
    assert await rotate(uri, keyring, business="practice", report=quietly) == [Rotated("practice", 2, len(texts), [])]
    keys = await keyring.of(ours)
    for row, envelope in stored(admin).items():
        assert generation_of(envelope) == 2
        assert keys.open(PLACE, row, envelope) == texts.pop(row)
    assert texts == {}
    assert admin.execute("select generation from tenant_keys where purpose = 'data'").fetchall() == [(2,)]
    assert {generation_of(envelope) for envelope in old.values()} == {1}


async def test_an_interrupted_rotation_goes_on(
    admin: psycopg.Connection, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that was stopped after some batches leaves everything readable; the next one makes no further key and ends it."""
    ours = business(admin)
    keyring = Keyring(MASTER_KEY, uri, refresh_seconds=0)
    keys = await keyring.of(ours)
    rows = [keep(admin, keys, "text") for _ in range(1_203)]

    sealed, seal = count(), TenantKeys.seal

    def seal_some(self: TenantKeys, place: str, row: UUID, text: str) -> bytes:
        if next(sealed) == 700:
            raise InterruptedError
        return seal(self, place, row, text)

    monkeypatch.setattr(TenantKeys, "seal", seal_some)
    with pytest.raises(InterruptedError):
        await rotate(uri, keyring, business=None, report=quietly)
    monkeypatch.undo()
    half = stored(admin)
    assert {generation_of(envelope) for envelope in half.values()} == {1, 2}
    keys = await keyring.of(ours)
    assert {keys.open(PLACE, row, half[row]) for row in rows} == {"text"}
    [rotated] = await rotate(uri, Keyring(MASTER_KEY, uri, refresh_seconds=0), business=None, report=quietly)
    assert (rotated.generation, rotated.broken) == (2, [])
    assert {generation_of(envelope) for envelope in stored(admin).values()} == {2}


async def test_only_the_named_business_is_rotated(admin: psycopg.Connection, uri: str) -> None:
    """The keys and values of others stay as they are; a business that does not exist is told."""
    keyring = Keyring(MASTER_KEY, uri, refresh_seconds=0)
    ours, theirs = [await keyring.of(business(admin, slug)) for slug in ("ours", "theirs")]
    keep(admin, ours, "ours")
    row = keep(admin, theirs, "theirs")
    before = stored(admin)[row]
    await rotate(uri, keyring, business="ours", report=quietly)
    assert stored(admin)[row] == before
    with pytest.raises(LookupError):
        await rotate(uri, keyring, business="nobody", report=quietly)


async def test_what_does_not_open_keeps_its_key(admin: psycopg.Connection, uri: str) -> None:
    """A value that was moved here from another row is named and left, all others are sealed anew, and the old key stays."""
    ours = business(admin)
    keyring = Keyring(MASTER_KEY, uri, refresh_seconds=0)
    keys = await keyring.of(ours)
    good = keep(admin, keys, "good")
    bad = keep(admin, keys, "", sealed=keys.seal(PLACE, uuid4(), "of another row"))
    [rotated] = await rotate(uri, keyring, business=None, report=quietly)
    assert (rotated.values, rotated.broken) == (1, [f"{PLACE} {bad}"])
    assert {row: generation_of(envelope) for row, envelope in stored(admin).items()} == {good: 2, bad: 1}
    assert admin.execute("select count(*) from tenant_keys where purpose = 'data'").fetchone() == (2,)


async def test_a_value_that_changes_meanwhile_is_not_overwritten(
    admin: psycopg.Connection, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value that somebody writes between the reading of a batch and its writing stays as they wrote it."""
    ours = business(admin)
    keyring = Keyring(MASTER_KEY, uri, refresh_seconds=0)
    row = keep(admin, await keyring.of(ours), "before")
    opened = TenantKeys.open

    def open_while_somebody_writes(self: TenantKeys, place: str, id_: UUID, envelope: bytes) -> str:
        text = opened(self, place, id_, envelope)
        admin.execute("update webhook_events set body = %s where id = %s", [self.seal(PLACE, row, "after"), row])
        return text

    monkeypatch.setattr(TenantKeys, "open", open_while_somebody_writes)
    [rotated] = await rotate(uri, keyring, business=None, report=quietly)
    monkeypatch.undo()
    assert rotated.values == 0
    assert (await keyring.of(ours)).open(PLACE, row, stored(admin)[row]) == "after"


async def test_another_master_key_makes_no_key(admin: psycopg.Connection, uri: str) -> None:
    """A rotation under another master key than the database's is refused and leaves no key that no server could open."""
    ours = business(admin)
    await Keyring(MASTER_KEY, uri).of(ours)
    with pytest.raises(WrongMasterKey):
        await rotate(uri, Keyring(bytes(32), uri, refresh_seconds=0), business=None, report=quietly)
    assert admin.execute("select generation from tenant_keys where purpose = 'data'").fetchall() == [(1,)]
    assert (await Keyring(MASTER_KEY, uri).of(ours)).generation == 1


async def test_old_keys_stay_until_the_slowest_process_is_done(
    admin: psycopg.Connection, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rotation by a process that reads keys all the time waits before it deletes keys for one that reads them rarely:
    twice its time before everything is sealed anew, and once more for what is on its way (D-5).
    """
    ours = business(admin)
    await Keyring(MASTER_KEY, uri, refresh_seconds=30).of(ours)
    waited: list[float] = []

    async def pass_at_once(seconds: float) -> None:
        waited.append(seconds)
        admin.execute("update tenant_keys set active_from = clock_timestamp() where active_from > clock_timestamp()")

    monkeypatch.setattr("holdfast.kernel.rotation.asyncio", SimpleNamespace(sleep=pass_at_once))
    [rotated] = await rotate(uri, Keyring(MASTER_KEY, uri, refresh_seconds=0), business=None, report=quietly)
    monkeypatch.undo()
    assert (rotated.generation, len(waited)) == (2, 2)
    assert 55 < waited[0] <= 60
    assert waited[1] == 30
