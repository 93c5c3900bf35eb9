"""Envelopes, blind indexes and the keys of tenants, on a real database (D-5)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio

from booking.opened import until_blocked
from conftest import MASTER_KEY
from holdfast.identity import businesses
from holdfast.kernel import privacy
from holdfast.kernel.database import Database
from holdfast.kernel.privacy import Keyring, TenantKeys, Undecipherable, WrongMasterKey

PLACE, OTHER_PLACE = "bookings.guest_email", "bookings.guest_phone"
TEXT = "мне тревожно"


@pytest_asyncio.fixture
async def tenant(database: Database) -> UUID:
    """A business of its own."""
    async with database.transaction() as tx:
        slug = f"t-{uuid4().hex[:12]}"
        return (await businesses.put(tx, slug=slug, name="Test", timezone="UTC", currency="EUR")).id


@pytest_asyncio.fixture
async def keys(app_uri: str, tenant: UUID) -> AsyncIterator[TenantKeys]:
    """The keys of the business."""
    return await Keyring(MASTER_KEY, app_uri).of(tenant)


def test_an_envelope_opens_where_it_was_sealed(keys: TenantKeys) -> None:
    """A text comes back as it was, its envelope shows nothing of it, and no two envelopes are equal."""
    row = uuid4()
    envelope = keys.seal(PLACE, row, TEXT)
    assert keys.open(PLACE, row, envelope) == TEXT
    assert TEXT.encode() not in envelope
    assert keys.seal(PLACE, row, TEXT) != envelope


async def test_an_envelope_opens_nowhere_else(keys: TenantKeys, app_uri: str, database: Database) -> None:
    """Ciphertext moved to another row, column or tenant, or changed by a bit anywhere, does not open."""
    row = uuid4()
    envelope = keys.seal(PLACE, row, TEXT)
    with pytest.raises(Undecipherable):
        keys.open(PLACE, uuid4(), envelope)
    with pytest.raises(Undecipherable):
        keys.open(OTHER_PLACE, row, envelope)
    async with database.transaction() as tx:
        slug = f"t-{uuid4().hex[:12]}"
        stranger = await businesses.put(tx, slug=slug, name="Test", timezone="UTC", currency="EUR")
    others = await Keyring(MASTER_KEY, app_uri).of(stranger.id)
    with pytest.raises(Undecipherable):
        others.open(PLACE, row, envelope)
    for position in range(len(envelope)):
        damaged = bytearray(envelope)
        damaged[position] ^= 1
        with pytest.raises(Undecipherable):
            keys.open(PLACE, row, bytes(damaged))


def test_a_place_that_is_not_personal_is_not_sealed(keys: TenantKeys) -> None:
    """Sealing for a column that the registry does not call personal is refused: rotation would not find it."""
    with pytest.raises(AssertionError, match="not registered"):
        keys.seal("bookings.state", uuid4(), TEXT)
    with pytest.raises(KeyError):
        keys.seal("bookings.no_such_column", uuid4(), TEXT)


async def test_every_process_has_the_same_keys(app_uri: str, tenant: UUID) -> None:
    """Two processes that meet a new tenant at once end with one set of keys."""
    first, second = Keyring(MASTER_KEY, app_uri), Keyring(MASTER_KEY, app_uri)
    ours, theirs = await first.of(tenant), await second.of(tenant)
    row = uuid4()
    assert theirs.open(PLACE, row, ours.seal(PLACE, row, TEXT)) == TEXT
    assert ours.index_email("Guest@Example.org ") == theirs.index_email("guest@example.org")
    assert ours.chain_key(row) == theirs.chain_key(row)
    assert ours.index_exact("calendar", "Id") == theirs.index_exact("calendar", "Id")
    others = [ours.index_exact("calendar", "id"), ours.index_exact("event", "Id"), ours.index_other("calendar", "Id")]
    assert ours.index_exact("calendar", "Id") not in others, "letters and kinds tell"


async def test_blind_indexes_tell_nothing_across_kinds_and_tenants(
    keys: TenantKeys, app_uri: str, database: Database
) -> None:
    """The same text has another index as phone than as e-mail, and another at another tenant."""
    assert keys.index_phone("+7 (900) 000-00-00") == keys.index_phone("79000000000")
    assert keys.index_phone("79000000000") != keys.index_email("79000000000")
    async with database.transaction() as tx:
        slug = f"t-{uuid4().hex[:12]}"
        stranger = await businesses.put(tx, slug=slug, name="Test", timezone="UTC", currency="EUR")
    assert (await Keyring(MASTER_KEY, app_uri).of(stranger.id)).index_email("a@b.c") != keys.index_email("a@b.c")


async def test_a_wrong_master_key_is_told(app_uri: str, tenant: UUID, keys: TenantKeys) -> None:
    """A process with another master key hears that, and makes no second set of keys."""
    with pytest.raises(WrongMasterKey, match="Restore HOLDFAST_MASTER_KEY"):
        await Keyring(b"\x22" * 32, app_uri).of(tenant)


async def test_a_new_generation_is_used_when_all_know_it(app_uri: str, tenant: UUID) -> None:
    """A new data key seals nothing before its time, then everything; what the old one sealed still opens."""
    at_once = Keyring(MASTER_KEY, app_uri, refresh_seconds=0)
    row = uuid4()
    old = (await at_once.of(tenant)).seal(PLACE, row, TEXT)
    assert await at_once.add_generation(tenant) == 2
    keys = await at_once.of(tenant)
    assert privacy.generation_of(keys.seal(PLACE, row, TEXT)) == 2
    assert keys.open(PLACE, row, old) == TEXT
    patient = Keyring(MASTER_KEY, app_uri, refresh_seconds=3600)
    assert await patient.add_generation(tenant) == 3
    assert privacy.generation_of((await patient.of(tenant)).seal(PLACE, row, TEXT)) == 2


async def test_a_new_generation_waits_for_the_slowest(app_uri: str, admin_uri: str, tenant: UUID) -> None:
    """However often the process reads keys that makes a new one, it is used after twice the time of the process that
    reads them most rarely, even if that one tells its time at this very moment (D-5).
    """
    quick = Keyring(MASTER_KEY, app_uri, refresh_seconds=0)
    await quick.of(tenant)
    with psycopg.connect(admin_uri) as other:
        # As a process that has told its time and not yet read what keys there are.
        other.execute("update tenant_keys set refresh_seconds = 600 where business_id = %s", [tenant])
        adding = asyncio.create_task(quick.add_generation(tenant))
        await until_blocked(admin_uri, adding)
        other.commit()
    assert await adding == 2
    assert 1_190 < active_in(admin_uri, tenant, 2) <= 1_200


async def test_whoever_reads_keys_during_a_rotation_is_waited_for(app_uri: str, admin_uri: str, tenant: UUID) -> None:
    """A process that reads keys while a new one is being made knows the new one; for how long it uses what it has read is
    told to the next rotation (D-5).
    """
    locked, may_make = asyncio.Event(), asyncio.Event()

    class Slowly(Keyring):
        """Makes a key when it may, and has looked at the others before."""

        async def _make(self, *of_key: Any) -> None:
            locked.set()
            await may_make.wait()
            await super()._make(*of_key)

    await Keyring(MASTER_KEY, app_uri, refresh_seconds=0).of(tenant)
    making = asyncio.create_task(Slowly(MASTER_KEY, app_uri, refresh_seconds=0).add_generation(tenant))
    await locked.wait()
    reading = asyncio.create_task(Keyring(MASTER_KEY, app_uri, refresh_seconds=600).of(tenant))
    await until_blocked(admin_uri, reading)
    may_make.set()
    assert await making == 2
    assert (await reading).generation == 2
    assert await Keyring(MASTER_KEY, app_uri, refresh_seconds=0).add_generation(tenant) == 3
    assert 1_190 < active_in(admin_uri, tenant, 3) <= 1_200


def active_in(admin_uri: str, tenant: UUID, generation: int) -> float:
    """Return in how many seconds a data key is used."""
    with psycopg.connect(admin_uri) as connection:
        row = connection.execute(
            "select extract(epoch from active_from - clock_timestamp()) from tenant_keys"
            " where business_id = %s and purpose = 'data' and generation = %s",
            [tenant, generation],
        ).fetchone()
    assert row is not None
    return float(row[0])


def test_the_database_refuses_what_is_no_envelope(admin_uri: str) -> None:
    """Plain text, in whatever form, does not become an envelope, and a text of any length is no blind index."""
    with psycopg.connect(admin_uri, autocommit=True) as connection:
        for plain in (b"", TEXT.encode(), b"x" * 100, b"hfe1"):
            with pytest.raises(psycopg.errors.CheckViolation):
                connection.execute("select %s::bytea::envelope", [plain])
            with pytest.raises(psycopg.errors.CheckViolation):
                connection.execute("select %s::bytea::blind_index", [plain])
