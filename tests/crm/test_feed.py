"""Leads of those who book and of those who ask, made by the worker from events."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from booking.opened import until_blocked
from booking.tenants import Json, Tenant
from holdfast.catalog.resources import put_resource
from holdfast.catalog.services import put_service
from holdfast.crm.contacts import Contact
from holdfast.crm.feed import feed
from holdfast.crm.leads import receive
from holdfast.identity.permissions import Role
from holdfast.kernel.audit import SYSTEM
from holdfast.kernel.database import Transaction
from holdfast.kernel.sql import load
from holdfast.people.requests import Answer, forget

LEADS, QUESTIONS = "/api/admin/leads", "/api/public/questions"
APPOINTMENTS = "/api/booking/appointments"
EMAIL, PHONE = "books@example.org", "+7 900 555-33-44"
OWNER = Role.OWNER
START = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=10)


async def offer(tenant: Tenant) -> UUID:
    """Offer a service around the clock."""

    async def work(tx: Transaction) -> UUID:
        room = await put_resource(tx, slug="room", name="Room", kind="room", capacity=1, always_open=True)
        return await put_service(tx, slug="talk", name="Talk", duration_minutes=60, requirements=[[room]])

    return await tenant.database.run(tenant.business_id, work)


async def book(tenant: Tenant, service_id: UUID, hour: int, **guest: str) -> str:
    """Book the service at an hour; return the id of the appointment."""
    start = START.replace(hour=hour)
    place = {"slotStart": start.isoformat(), "slotEnd": (start + timedelta(hours=1)).isoformat()}
    body = {"businessId": str(tenant.business_id), "serviceId": str(service_id), **place, **guest}
    made: Json = await tenant.done("POST", "/api/booking/book", body)
    return str(made["appointmentId"])


async def ask(tenant: Tenant, **more: Any) -> str:
    """Send a question in; return its id."""
    body = {"business": tenant.slug, "text": "Как спать?", "consent": True, **more}
    return str((await tenant.done("POST", QUESTIONS, body))["id"])


async def leads(tenant: Tenant) -> list[Json]:
    """Return the leads of a business, the latest first."""
    found: list[Json] = (await tenant.done("GET", LEADS, role=OWNER))["leads"]
    return found


async def timeline(tenant: Tenant, lead: Json) -> list[tuple[str, Json]]:
    """Return what happened with a lead, the earliest first."""
    opened = await tenant.done("GET", f"{LEADS}/{lead['id']}", role=OWNER)
    return [(event["type"], event["payload"]) for event in reversed(opened["timeline"])]


async def test_who_asks_and_books_is_one_lead(tenant: Tenant) -> None:
    """A question with an address and a booking make and find one lead, who becomes a client; each is told once (D-6)."""
    service_id = await offer(tenant)
    question_id = await ask(tenant, email=EMAIL, locale="en")
    await ask(tenant)
    await feed(tenant.database)
    [lead] = await leads(tenant)
    assert (lead["source"], lead["stage"], lead["locale"]) == ("question", "new", "en")
    first = await book(tenant, service_id, 10, guestEmail=EMAIL.upper(), guestPhone=PHONE, guestName="Zora")
    second = await book(tenant, service_id, 12, guestEmail="other@example.org", guestPhone="+7 900 1")
    await feed(tenant.database)
    await feed(tenant.database)
    other, lead = await leads(tenant)
    assert [each["kind"] for each in lead["identities"]] == ["email", "phone"]
    assert (lead["stage"], other["stage"], other["source"]) == ("client", "client", "booking")
    assert sorted(await timeline(tenant, lead), key=str) == sorted(
        [
            ("lead_created", {"source": "question"}),
            ("question_submitted", {"question": question_id}),
            ("appointment_confirmed", {"appointment": first}),
            ("stage_changed", {"before": "new", "after": "client"}),
        ],
        key=str,
    )
    assert ("appointment_confirmed", {"appointment": second}) in await timeline(tenant, other)
    assert tenant.written(EMAIL, PHONE) == []


async def test_an_event_is_taken_once_however_often_it_is_read(tenant: Tenant) -> None:
    """Run from the beginning again, and by several workers at once, the feed tells of each event once (D-6)."""
    for number in range(4):
        await ask(tenant, email=f"asks-{number % 2}@example.org")
    tenant.sql("update lead_feed set read_until = now() - interval '1 day'")
    await asyncio.gather(*(feed(tenant.database) for _ in range(3)))
    tenant.sql("update lead_feed set read_until = now() - interval '1 day'")
    await feed(tenant.database)
    found = await leads(tenant)
    assert len(found) == 2
    for lead in found:
        assert [name for name, _ in await timeline(tenant, lead)].count("question_submitted") == 2


async def test_an_event_that_is_committed_late_is_not_lost(tenant: Tenant) -> None:
    """An event whose transaction ends after later events were read is read by the next run (D-6)."""
    late_id = await ask(tenant, email="late@example.org")
    with psycopg.connect(tenant.admin_uri) as late:
        # As if it had not been committed yet: it comes back with the time at which it was written.
        row = late.execute("delete from outbox_events where aggregate_id = %s returning *", [late_id]).fetchone()
        late.commit()
        await ask(tenant, email="soon@example.org")
        await feed(tenant.database)
        assert [lead["identities"][0]["value"] for lead in await leads(tenant)] == ["soon@example.org"]
        assert row is not None
        places = ", ".join(["%s"] * len(row))
        values = [psycopg.types.json.Jsonb(value) if isinstance(value, dict) else value for value in row]
        late.execute(f"insert into outbox_events values ({places})".encode(), values)
    await feed(tenant.database)
    assert {lead["identities"][0]["value"] for lead in await leads(tenant)} == {"soon@example.org", "late@example.org"}


async def test_what_fails_keeps_nothing_else_from_its_turn(tenant: Tenant) -> None:
    """An event whose address does not open is put before staff, and those after it become leads (D-5, D-6)."""
    broken, donor = await ask(tenant, email="broken@example.org"), await ask(tenant, email="donor@example.org")
    tenant.sql("update ugc_items set email = (select email from ugc_items where id = %s) where id = %s", donor, broken)
    await feed(tenant.database)
    assert [lead["identities"][0]["value"] for lead in await leads(tenant)] == ["donor@example.org"]
    raised = tenant.sql("select kind, subject_id::text from attention_items where business_id = %s", tenant.business_id)
    assert raised == [("lead_not_made", broken)]


async def forgettable(tenant: Tenant, source: str) -> None:
    """Let somebody ask, or book and cancel, who has no lead yet."""
    if source == "question":
        await ask(tenant, email=EMAIL)
        return
    appointment_id = await book(tenant, await offer(tenant), 10, guestEmail=EMAIL)
    await tenant.done("POST", f"{APPOINTMENTS}/{appointment_id}/cancel", {"expectedVersion": 1}, role=OWNER)


@pytest.mark.parametrize("source", ["question", "booking"])
async def test_whoever_is_forgotten_while_events_are_read_stays_forgotten(
    tenant: Tenant, admin_uri: str, source: str
) -> None:
    """A worker that reads the event of somebody who is being forgotten waits for that, and makes no lead (D-8)."""
    await forgettable(tenant, source)
    async with tenant.database.transaction(tenant.business_id) as tx:
        await forget(tx, Contact(email=EMAIL), SYSTEM)
        feeding = asyncio.create_task(feed(tenant.database))
        await until_blocked(admin_uri, feeding)
    await feeding
    assert await leads(tenant) == []


@pytest.mark.parametrize("source", ["question", "booking"])
async def test_forgetting_waits_for_a_lead_that_is_being_made(
    tenant: Tenant, admin_uri: str, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is forgotten after a worker has read of them, and before it has made their lead, is forgotten as a lead
    as well (D-8).
    """
    await forgettable(tenant, source)
    known, go_on = asyncio.Event(), asyncio.Event()

    async def receive_later(tx: Transaction, *contact: Any) -> UUID:
        if tx.business_id == tenant.business_id:
            known.set()
            await go_on.wait()
        return await receive(tx, *contact)

    monkeypatch.setattr("holdfast.crm.feed.receive", receive_later)
    feeding = asyncio.create_task(feed(tenant.database))
    await known.wait()

    async def forget_them(tx: Transaction) -> Answer:
        return await forget(tx, Contact(email=EMAIL), SYSTEM)

    forgetting = asyncio.create_task(tenant.database.run(tenant.business_id, forget_them))
    await until_blocked(admin_uri, forgetting)
    go_on.set()
    await feeding
    assert (await forgetting).parts["leads"] == 1
    [lead] = await leads(tenant)
    assert lead["identities"] == []


def test_the_feed_reads_its_index(admin_uri: str) -> None:
    """What the worker asks of all events is found by the index of just these (D-3)."""
    with psycopg.connect(admin_uri) as connection:
        # Few rows here: what is asked is whether the index can answer it.
        connection.execute("set enable_seqscan = off")
        [[body]] = connection.execute("select prosrc from pg_proc where proname = 'facts_for_leads'").fetchall()
        for name, value in (("p_since", "now()"), ("p_after_at", "now()"), ("p_limit", "10")):
            body = body.replace(name, value)
        body = body.replace("p_after_id", f"'{uuid4()}'")
        plan = "\n".join(line for (line,) in connection.execute(f"explain {body}".encode()).fetchall())
    assert "outbox_events_in_order" in plan, plan
    assert "facts_for_leads" in load("holdfast.crm", "feed.sql")
