"""Leads over HTTP: made by whoever is in touch, found, changed, noted about; who may, and what is never seen."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from booking.served import problem, wrong_fields
from booking.tenants import Json, Tenant
from holdfast.crm.timeline import tell
from holdfast.identity.permissions import Role
from holdfast.kernel.database import Transaction
from holdfast.kernel.tracking import EventRefused

PUBLIC, LEADS = "/api/public/leads", "/api/admin/leads"
EMAIL, PHONE, HANDLE, NAME = "zora.lead@example.org", "+7 900 555-11-22", "@zora_quokka", "Zora Quokka"
NOTE = "Сказала, что боится летать, wombat-44"
OWNER, ASSISTANT, EDITOR = Role.OWNER, Role.ASSISTANT, Role.EDITOR


async def touch(tenant: Tenant, **told: Any) -> None:
    """Get in touch with a business."""
    answer = await tenant.call("POST", PUBLIC, {"business": tenant.slug, "consent": True, **told})
    assert (answer.status_code, answer.json()) == (202, {"status": "received"}), answer.text


async def leads(tenant: Tenant, **query: Any) -> list[Json]:
    """Return the first page of leads."""
    found: list[Json] = (await tenant.done("GET", LEADS, role=ASSISTANT, params=query))["leads"]
    return found


async def only_lead(tenant: Tenant) -> Json:
    """Return the one lead of a business."""
    [found] = await leads(tenant)
    return found


async def events(tenant: Tenant, lead: Json) -> list[str]:
    """Return what happened with a lead, the earliest first."""
    opened = await tenant.done("GET", f"{LEADS}/{lead['id']}", role=ASSISTANT)
    return [event["type"] for event in reversed(opened["timeline"])]


async def test_a_contact_becomes_a_lead(tenant: Tenant) -> None:
    """Whoever is in touch is a lead with what brought them here, shown to staff who may (D-5, D-7)."""
    utm = {"utmSource": "vk.com", "utmMedium": "cpc", "utmCampaign": "autumn-2026"}
    messenger = {"network": "telegram", "handle": HANDLE}
    await touch(tenant, email=EMAIL, phone=PHONE, messenger=messenger, name=NAME, locale="ru", **utm)
    lead = await only_lead(tenant)
    assert [(each["kind"], each["value"]) for each in lead["identities"]] == [
        ("email", EMAIL),
        ("phone", PHONE),
        ("telegram", HANDLE),
    ]
    assert {name: lead[name] for name in utm} == utm
    assert (lead["name"], lead["stage"], lead["source"], lead["locale"]) == (NAME, "new", "form", "ru")
    assert await events(tenant, lead) == ["lead_created", "contact_received"]
    for path in (LEADS, f"{LEADS}/{lead['id']}", f"{LEADS}/{lead['id']}/notes"):
        problem(await tenant.call("GET", path, role=EDITOR), 403, "forbidden")


async def test_who_comes_again_is_the_same_lead(tenant: Tenant) -> None:
    """Any way to reach somebody leads to their lead, however it is written, and what is new is added to it (D-5)."""
    await touch(tenant, email=EMAIL)
    await touch(tenant, email=EMAIL.upper(), phone=PHONE)
    await touch(tenant, phone="+7(900)5551122", messenger={"network": "telegram", "handle": "Zora_Quokka"})
    await touch(tenant, messenger={"network": "telegram", "handle": HANDLE})
    lead = await only_lead(tenant)
    assert [each["kind"] for each in lead["identities"]] == ["email", "phone", "telegram"]
    assert await events(tenant, lead) == ["lead_created", *["contact_received"] * 4]
    await touch(tenant, messenger={"network": "viber", "handle": HANDLE})
    assert len(await leads(tenant)) == 2


async def test_many_at_once_by_one_address_are_one_lead(tenant: Tenant) -> None:
    """Of those who come at the same moment by the same addresses, in whatever order, one makes the lead (D-4)."""
    both = {"email": EMAIL, "phone": PHONE}
    await asyncio.gather(*(touch(tenant, **both) for _ in range(12)))
    lead = await only_lead(tenant)
    assert sorted(each["kind"] for each in lead["identities"]) == ["email", "phone"]
    assert (await events(tenant, lead)).count("contact_received") == 12


async def test_strangers_are_not_merged_by_what_anybody_can_type(tenant: Tenant) -> None:
    """Who tells of the addresses of two leads merges nothing: staff are told that they may be one person (D-7)."""
    await touch(tenant, email=EMAIL)
    await touch(tenant, phone=PHONE)
    await touch(tenant, email=EMAIL, phone=PHONE)
    by_phone, by_email = await leads(tenant)
    assert [each["kind"] for each in by_email["identities"]] == ["email"]
    assert [each["kind"] for each in by_phone["identities"]] == ["phone"]
    assert (await events(tenant, by_email))[-2:] == ["merge_suggested", "contact_received"]
    raised = tenant.sql(
        "select kind, severity::text, details from attention_items where subject_id = %s", by_email["id"]
    )
    assert raised == [("leads_may_be_one", "info", {"other": by_phone["id"]})]


async def test_nothing_personal_is_in_the_database_or_in_a_refusal(
    tenant: Tenant, capfd: pytest.CaptureFixture[str]
) -> None:
    """Addresses, numbers, names and notes are in no column, log line or error, whatever is sent along (D-5, D-6)."""
    await touch(tenant, email=EMAIL, phone=PHONE, messenger={"network": "signal", "handle": HANDLE}, name=NAME)
    lead = await only_lead(tenant)
    await tenant.done("POST", f"{LEADS}/{lead['id']}/notes", {"text": NOTE}, role=ASSISTANT)
    sound = {"business": tenant.slug, "consent": True}
    refusals = [
        await tenant.call("POST", PUBLIC, body)
        for body in (
            *({**sound, "email": EMAIL, name: EMAIL} for name in ("utmSource", "utmTerm", "utmContent", "deepLink")),
            {**sound, "email": EMAIL, "utmCampaign": "8-900-555-11-22"},
            {**sound, "email": EMAIL, "utmMedium": NAME},
            {**sound, "email": NAME},
            {**sound, "phone": EMAIL},
            {**sound, "messenger": {"network": NAME, "handle": HANDLE}},
            {**sound, "email": EMAIL, "consent": False},
        )
    ]
    refusals += [
        await tenant.call("GET", LEADS, role=ASSISTANT, params={"stage": EMAIL}),
        await tenant.call("PATCH", f"{LEADS}/{lead['id']}", {"stage": EMAIL, "expectedVersion": 1}, role=ASSISTANT),
    ]
    assert {answer.status_code for answer in refusals} == {400}
    told = json.dumps([answer.json() for answer in refusals], ensure_ascii=False) + "".join(capfd.readouterr())
    secrets = (EMAIL, PHONE, HANDLE, NAME, NOTE)
    assert [secret for secret in secrets if secret in told] == []
    assert tenant.written(*secrets, "79005551122") == []


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({}, "email"),
        ({"email": "a@b.c", "utmSource": "a b"}, "utmSource"),
        ({"email": "a@b.c", "utmSource": "79005551122"}, "utmSource"),
        ({"email": "a@b.c", "utmTerm": "call+79005551122"}, "utmTerm"),
        ({"email": "a@b.c", "utmTerm": "12345"}, "utmTerm"),
        ({"email": "a@b.c", "utmContent": "x" * 65}, "utmContent"),
        ({"messenger": {"network": "icq", "handle": "1"}}, "messenger.network"),
        ({"messenger": {"network": "telegram"}}, "messenger"),
        ({"messenger": {"network": "telegram", "handle": " "}}, "messenger.handle"),
        ({"messenger": {"network": "telegram", "handle": "@ @"}}, "messenger.handle"),
        ({"email": "a@b.c", "consent": False}, "consent"),
        ({"email": "a@b.c", "deepLink": "a b"}, "deepLink"),
    ],
)
async def test_a_malformed_contact_names_its_field(tenant: Tenant, told: Json, field: str) -> None:
    """What cannot be kept is 400 and names the member; nothing is kept (H-1, D-6)."""
    answer = await tenant.call("POST", PUBLIC, {"business": tenant.slug, "consent": True, **told})
    assert wrong_fields(answer) == {field}
    assert await leads(tenant) == []


async def test_the_list_is_filtered_and_paged(tenant: Tenant) -> None:
    """Leads are found by stage, source, any way to reach them and whose they are, page by page (H-2)."""
    for number in range(5):
        await touch(tenant, email=f"lead-{number}@example.org")
    await touch(tenant, phone=PHONE, messenger={"network": "telegram", "handle": HANDLE})
    everyone = await leads(tenant)
    found: list[Json] = []
    query: Json = {"limit": "2"}
    while True:
        page = await tenant.done("GET", LEADS, role=ASSISTANT, params=query)
        found += page["leads"]
        if page["nextCursor"] is None:
            break
        query["cursor"] = page["nextCursor"]
    assert (found, len(found)) == (everyone, 6)
    for contact in (PHONE, "79005551122", HANDLE, "zora_quokka"):
        assert await leads(tenant, contact=contact) == everyone[:1], contact
    assert await leads(tenant, contact="LEAD-3@example.org") == [everyone[2]]
    assert await leads(tenant, contact="nobody@example.org") == []
    change = {"stage": "contacted", "assignedTo": tenant.key_id(EDITOR), "expectedVersion": 1}
    changed = await tenant.done("PATCH", f"{LEADS}/{everyone[1]['id']}", change, role=OWNER)
    assert (changed["stage"], changed["version"]) == ("contacted", 2)
    assert await leads(tenant, stage="contacted") == [changed]
    assert await leads(tenant, assignedTo=tenant.key_id(EDITOR)) == [changed]
    assert len(await leads(tenant, source="form")) == 6
    assert await leads(tenant, source="booking") == []


@pytest.mark.parametrize(
    "query", ["stage=old", "source=x", "assignedTo=me", "contact=%00", "cursor=x", "limit=0", "limit=201"]
)
async def test_a_malformed_filter_is_refused(tenant: Tenant, query: str) -> None:
    """What the list does not know is 400 and names the parameter (H-1)."""
    assert wrong_fields(await tenant.call("GET", f"{LEADS}?{query}", role=OWNER)) == {query.partition("=")[0]}


async def test_a_change_names_the_version_that_it_saw(tenant: Tenant) -> None:
    """Of several changes of one version one is made, and each is on the timeline and in the audit log (B-15, D-7)."""
    await touch(tenant, email=EMAIL)
    lead_id = (await only_lead(tenant))["id"]
    path, change = f"{LEADS}/{lead_id}", {"stage": "contacted", "expectedVersion": 1}
    answers = await asyncio.gather(*(tenant.call("PATCH", path, change, role=ASSISTANT) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    late = next(answer for answer in answers if answer.status_code == 409)
    assert problem(late, 409, "CONFLICT")["details"] == {"currentVersion": 2}
    problem(await tenant.call("PATCH", path, {"stage": "lost"}, role=ASSISTANT), 428, "version_required")
    assign = {"assignedTo": tenant.key_id(EDITOR), "expectedVersion": 2}
    problem(await tenant.call("PATCH", path, assign, role=ASSISTANT), 403, "forbidden")
    nobody = {"assignedTo": str(uuid4()), "expectedVersion": 2}
    problem(await tenant.call("PATCH", path, nobody, role=OWNER), 404, "unknown_lead_assignee")
    await tenant.done("PATCH", path, assign, role=OWNER)
    assert (await events(tenant, await only_lead(tenant)))[-2:] == ["stage_changed", "assigned"]
    log = tenant.sql(
        "select action, from_state, to_state from audit_log where aggregate_id = %s order by version", lead_id
    )
    assert log == [("create", None, "new"), ("change", "new", "contacted"), ("change", "contacted", "contacted")]


async def test_notes_are_read_by_owners_and_whom_the_lead_is_assigned_to(tenant: Tenant) -> None:
    """Nobody else reads notes, each reading is in the audit log, and a note is on the timeline by its id only (D-7)."""
    await touch(tenant, email=EMAIL)
    lead = await only_lead(tenant)
    path = f"{LEADS}/{lead['id']}/notes"
    first = await tenant.done("POST", path, {"text": NOTE}, role=ASSISTANT)
    await tenant.done("POST", path, {"text": "Перезвонить"}, role=OWNER)
    problem(await tenant.call("GET", path, role=ASSISTANT), 403, "lead_not_assigned")
    assert [note["text"] for note in (await tenant.done("GET", path, role=OWNER))["notes"]] == ["Перезвонить", NOTE]
    change = {"assignedTo": tenant.key_id(ASSISTANT), "expectedVersion": 1}
    await tenant.done("PATCH", f"{LEADS}/{lead['id']}", change, role=OWNER)
    assert (await tenant.done("GET", path, role=ASSISTANT))["notes"][1] == first
    reads = tenant.sql(
        "select actor_id::text from audit_log where aggregate_id = %s and action = 'read_notes' order by version",
        lead["id"],
    )
    assert reads == [(tenant.key_id(OWNER),), (tenant.key_id(ASSISTANT),)]
    assert (await events(tenant, lead)).count("note_added") == 2
    assert wrong_fields(await tenant.call("POST", path, {"text": " "}, role=OWNER)) == {"text"}


async def test_a_way_to_reach_a_lead_is_added_unless_it_is_anothers(tenant: Tenant) -> None:
    """Staff add ways to reach a lead; one of another lead is 409 and names the field and the lead (D-4)."""
    await touch(tenant, email=EMAIL)
    await touch(tenant, phone=PHONE)
    other, lead = await leads(tenant)
    path = f"{LEADS}/{lead['id']}/identities"
    taken = await tenant.call("POST", path, {"phone": PHONE, "expectedVersion": 1}, role=ASSISTANT)
    assert problem(taken, 409, "identity_taken")["details"] == {"field": "phone", "leadId": other["id"]}
    more = {"email": EMAIL, "messenger": {"network": "max", "handle": HANDLE}, "expectedVersion": 1}
    added = await tenant.done("POST", path, more, role=ASSISTANT)
    assert ([each["kind"] for each in added["identities"]], added["version"]) == (["email", "max"], 2)
    assert (await events(tenant, lead))[-1] == "identity_added"
    assert wrong_fields(await tenant.call("POST", path, {"expectedVersion": 2}, role=ASSISTANT)) == {"email"}


async def test_another_tenants_leads_are_unknown(tenant: Tenant, neighbour: Tenant) -> None:
    """The same address is another lead in another business, which is to staff what nobody has (H-4, D-9)."""
    await touch(neighbour, email=EMAIL)
    await touch(tenant, email=EMAIL)
    theirs, own = await only_lead(neighbour), await only_lead(tenant)
    assert theirs["id"] != own["id"]
    calls: list[tuple[str, str, Json | None]] = [
        ("GET", "", None),
        ("PATCH", "", {"stage": "lost", "expectedVersion": 1}),
        ("POST", "/identities", {"phone": PHONE, "expectedVersion": 1}),
        ("POST", "/merge", {"leadId": own["id"], "expectedVersion": 1}),
        ("GET", "/notes", None),
        ("POST", "/notes", {"text": NOTE}),
    ]
    for name in (theirs["id"], str(uuid4()), "nothing"):
        for method, rest, body in calls:
            problem(await tenant.call(method, f"{LEADS}/{name}{rest}", body, role=OWNER), 404, "lead_not_found")
    body = {"leadId": theirs["id"], "expectedVersion": 1}
    problem(await tenant.call("POST", f"{LEADS}/{own['id']}/merge", body, role=OWNER), 404, "lead_not_found")
    assert await only_lead(neighbour) == theirs
    assert await only_lead(tenant) == own


@pytest.mark.parametrize(
    ("event", "properties"),
    [
        ("called_back", {}),
        ("contact_received", {"email": EMAIL}),
        ("lead_created", {"source": EMAIL}),
        ("question_submitted", {"question": PHONE}),
        ("stage_changed", {"before": "new", "after": NOTE}),
    ],
)
async def test_the_timeline_takes_declared_facts_only(tenant: Tenant, event: str, properties: Json) -> None:
    """An undeclared event, or an address, number or sentence as a property, is refused, and not repeated (D-6)."""
    await touch(tenant, email=EMAIL)
    lead_id = (await only_lead(tenant))["id"]

    async def work(tx: Transaction) -> None:
        await tell(tx, lead_id, event, **properties)

    with pytest.raises(EventRefused) as refused:
        await tenant.database.run(tenant.business_id, work)
    assert [secret for secret in (EMAIL, PHONE, NOTE) if secret in str(refused.value)] == []


@pytest.mark.parametrize("word", [EMAIL, PHONE, NOTE])
async def test_the_database_takes_technical_facts_only(tenant: Tenant, word: str) -> None:
    """Past the product, too, no address, number or sentence gets onto a timeline (D-6)."""
    await touch(tenant, email=EMAIL)
    with pytest.raises(psycopg.errors.CheckViolation):
        tenant.sql(
            "insert into lead_timeline_events (business_id, id, lead_id, type, payload)"
            " values (%s, uuidv7(), %s, 'x', jsonb_build_object('a', %s::text))",
            tenant.business_id,
            (await only_lead(tenant))["id"],
            word,
        )


@pytest.mark.parametrize(
    "change",
    [
        "stage = 'lost'",
        "stage = 'lost', version = 3",
        "stage = 'gone', version = 2",
        "source = 'word of mouth', version = 2",
        "name = 'Zora'",
        "merged_into = id, version = 2",
        "utm_term = 'a@b.c', version = 2",
        "utm_term = '79005551122', version = 2",
    ],
)
async def test_the_database_keeps_what_it_is_told(tenant: Tenant, change: str) -> None:
    """Whoever writes past the product keeps to words, versions and ciphertext (D-5)."""
    await touch(tenant, email=EMAIL)
    lead_id = (await only_lead(tenant))["id"]
    with pytest.raises(psycopg.errors.CheckViolation):
        tenant.sql(f"update leads set {change} where id = %s", lead_id)
    tenant.sql("update leads set name = name where id = %s", lead_id)
