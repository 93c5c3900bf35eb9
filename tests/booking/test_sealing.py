"""Contacts of an earlier release are sealed while the servers of this one run (D-1, D-5)."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio

from booking.opened import HOUR_SECONDS, START, Practice, open_practice, violations
from holdfast.booking.contacts import Contact, Guest, change_contact, person_of
from holdfast.booking.sealing import SEALING, seal_contacts
from holdfast.kernel.backfills import run_pending
from holdfast.kernel.database import Transaction
from holdfast.kernel.embedded import EmbeddedPostgres

GUESTS = 12


@pytest.fixture
def admin(postgres: EmbeddedPostgres, own_database: str) -> str:
    """A URI of a database of this test's own, as administrator."""
    return postgres.uri(database=own_database)


@pytest_asyncio.fixture
async def practice(postgres: EmbeddedPostgres, own_database: str) -> AsyncIterator[Practice]:
    """A business with one practitioner, who is there around the clock."""
    async with open_practice(postgres.uri(user="holdfast_app", database=own_database)) as opened:
        await opened.add_resource("ana")
        await opened.add_service("talk", ["ana"])
        yield opened


async def upgraded(practice: Practice, admin: str) -> list[UUID]:
    """Make appointments and a hold, left as an earlier release has left them; return the appointments in order."""
    made = [
        (await practice.reserve("talk", START + n * HOUR_SECONDS, guest=Guest(f"guest-{n}@example.org"))).made().id
        for n in range(GUESTS)
    ]
    await practice.reserve("talk", START + GUESTS * HOUR_SECONDS)
    with psycopg.connect(admin) as connection:
        connection.execute("set local session_replication_role = replica")
        connection.execute("update bookings set contact = null, email_index = null, contact_plain = true")
        for n, booking_id in enumerate(made):
            mine = [f"guest-{n}@example.org", booking_id]
            connection.execute("update bookings set guest_email = %s, guest_phone = '+7 900' where id = %s", mine)
    return made


def rows(admin: str, question: str) -> list[tuple[object, ...]]:
    """Return what an administrator sees."""
    with psycopg.connect(admin) as connection:
        return connection.execute(question.encode()).fetchall()


async def emails(practice: Practice, ids: list[UUID]) -> list[str | None]:
    """Return for whom bookings are."""
    keys = await practice.desk.database.keys(practice.business_id)
    return [person_of(keys, await practice.read(booking_id)).email for booking_id in ids]


async def test_every_contact_is_sealed_as_it_was(practice: Practice, admin: str) -> None:
    """The worker's backfill leaves no plain contact, no other version, and the same guests; once is enough (D-1, D-5)."""
    ids = await upgraded(practice, admin)
    assert any(f"{GUESTS + 1} bookings have their contact in plain text" in told for told in violations(admin))
    state = "select id, version, state, starts_at from bookings order by id"
    before = rows(admin, state)
    assert await run_pending(practice.desk.database, [SEALING], rows_per_second=1_000_000)
    assert rows(admin, "select done, total, finished_at is null from backfills where name = 'booking-contacts'") == [
        (GUESTS + 1, GUESTS + 1, False)
    ]
    assert violations(admin) == []
    assert rows(admin, state) == before
    assert await emails(practice, ids) == [f"guest-{n}@example.org" for n in range(GUESTS)]
    sealed = "select id, contact, email_index, phone_index from bookings order by id"
    first = rows(admin, sealed)
    assert [row[1:] == (None, None, None) for row in first].count(True) == 1, "the hold is nobody's"

    async def again(tx: Transaction) -> object:
        return await seal_contacts(tx, None, 100)

    assert await practice.desk.database.run(practice.business_id, again) is None
    assert rows(admin, sealed) == first


async def test_sealing_disturbs_no_change(practice: Practice, admin: str) -> None:
    """Contacts that change and appointments that are cancelled meanwhile lose nothing, whoever is first (D-1, B-15)."""
    ids = await upgraded(practice, admin)
    changed, cancelled = ids[: GUESTS // 2], ids[GUESTS // 2 :]

    async def change(booking_id: UUID) -> None:
        contact = Contact(name="Berta")
        await practice.desk.database.run(
            practice.business_id, lambda tx: change_contact(tx, booking_id, contact, expected_version=1)
        )

    async def seal() -> None:
        position = None
        while True:
            step = await practice.desk.database.run(
                practice.business_id,
                lambda tx, after=position: seal_contacts(tx, after, 2),  # type: ignore[misc]
            )
            if step is None:
                return
            position = step.position

    await asyncio.gather(seal(), *map(change, changed), seal(), *map(practice.cancel, cancelled))
    assert rows(admin, "select count(*) from bookings where contact_plain") == [(0,)]
    assert rows(admin, "select distinct version from bookings where state <> 'held'") == [(2,)]
    assert await emails(practice, ids) == [f"guest-{n}@example.org" for n in range(GUESTS)]
    keys = await practice.desk.database.keys(practice.business_id)
    assert {person_of(keys, await practice.read(booking_id)).name for booking_id in changed} == {"Berta"}
    assert violations(admin) == []
