"""Two leads that are one person."""

import asyncio
from typing import Any

import psycopg
import pytest

from booking.served import problem, wrong_fields
from booking.tenants import Json, Tenant
from holdfast.identity.permissions import Role
from holdfast.verify import verify

PUBLIC, LEADS = "/api/public/leads", "/api/admin/leads"
OWNER, ASSISTANT = Role.OWNER, Role.ASSISTANT


async def made(tenant: Tenant, *told: Json) -> list[Json]:
    """Return all leads after these people got in touch, in their order."""
    for each in told:
        await tenant.done("POST", PUBLIC, {"business": tenant.slug, "consent": True, **each})
    listed = (await tenant.done("GET", LEADS, role=OWNER))["leads"]
    return list(reversed(listed))


async def merge(tenant: Tenant, survivor: Json, other: Json, **more: Any) -> Any:
    """Return the answer to a merge."""
    body = {"leadId": other["id"], "expectedVersion": survivor["version"], **more}
    return await tenant.call("POST", f"{LEADS}/{survivor['id']}/merge", body, role=OWNER)


def violations(tenant: Tenant) -> list[str]:
    """Return what `holdfast verify` says of a business."""
    return [v.problem for v in verify(tenant.admin_uri, lambda _: None) if v.business_id == tenant.business_id]


async def test_the_survivor_gets_everything(tenant: Tenant) -> None:
    """Identities, timeline and notes follow, the other leads to the survivor, and repeating changes nothing (D-7)."""
    phone = {"phone": "+7 900 000-00-01"}
    survivor, other = await made(tenant, {"email": "a@example.org", "name": "A"}, phone)
    await tenant.done("POST", f"{LEADS}/{other['id']}/notes", {"text": "Звонила сама"}, role=ASSISTANT)
    merged = (await merge(tenant, survivor, other)).json()
    assert [each["kind"] for each in merged["identities"]] == ["email", "phone"]
    assert (merged["id"], merged["name"], merged["version"]) == (survivor["id"], "A", 2)
    opened = await tenant.done("GET", f"{LEADS}/{survivor['id']}", role=OWNER)
    told = sorted(event["type"] for event in opened["timeline"])
    assert told == [*["contact_received"] * 2, *["lead_created"] * 2, "merged", "note_added"]
    notes = (await tenant.done("GET", f"{LEADS}/{survivor['id']}/notes", role=OWNER))["notes"]
    assert [note["text"] for note in notes] == ["Звонила сама"]
    assert await tenant.done("GET", f"{LEADS}/{other['id']}", role=OWNER) == opened
    again = await merge(tenant, survivor, other)
    assert (again.status_code, again.json()) == (200, merged)
    log = tenant.sql(
        "select aggregate_id::text, action, to_state from audit_log where action ~ '^merge' and business_id = %s",
        tenant.business_id,
    )
    assert set(log) == {(survivor["id"], "merge", other["id"]), (other["id"], "merge_into", survivor["id"])}
    assert len(log) == 2
    assert [lead["id"] for lead in await made(tenant, phone)] == [survivor["id"]]
    with pytest.raises(psycopg.errors.CheckViolation):
        tenant.sql("update leads set merged_into = null, version = version + 1 where id = %s", other["id"])
    assert violations(tenant) == []


async def test_a_merged_lead_is_changed_no_more(tenant: Tenant) -> None:
    """What names a merged lead to change it is 409 with the survivor, however many merges lead there (D-7)."""
    first, second, third = await made(tenant, *({"email": f"{name}@example.org"} for name in "abc"))
    assert (await merge(tenant, second, first)).status_code == 200
    assert (await merge(tenant, third, second)).status_code == 200
    for name in (first["id"], second["id"]):
        for method, rest, body in (
            ("PATCH", "", {"stage": "lost", "expectedVersion": 1}),
            ("POST", "/notes", {"text": "x"}),
            ("GET", "/notes", None),
            ("POST", "/identities", {"phone": "123", "expectedVersion": 1}),
        ):
            answer = await tenant.call(method, f"{LEADS}/{name}{rest}", body, role=OWNER)
            assert problem(answer, 409, "lead_merged")["details"] == {"mergedInto": third["id"]}
        assert (await tenant.done("GET", f"{LEADS}/{name}", role=OWNER))["lead"]["id"] == third["id"]
    problem(await merge(tenant, first, third), 409, "lead_merged")
    fourth = (await made(tenant, {"email": "d@example.org"}))[-1]
    problem(await merge(tenant, fourth, first), 409, "lead_merged")
    assert violations(tenant) == []


@pytest.mark.parametrize("crosswise", [True, False])
async def test_two_merges_at_once_make_one(tenant: Tenant, crosswise: bool) -> None:
    """Of two merges of the same two leads at the same moment one is made: both ways never, nothing is lost (D-7)."""
    for number in range(5):
        told = [{"email": f"{name}{number}@example.org"} for name in "ab"]
        one, other = (await made(tenant, *told))[-2:]
        pairs = [(one, other), (other, one) if crosswise else (one, other)]
        answers = await asyncio.gather(*(merge(tenant, *pair) for pair in pairs))
        assert sorted(answer.status_code for answer in answers) == [200, 409 if crosswise else 200]
        survivor = next(answer.json() for answer in answers if answer.status_code == 200)
        assert sorted(each["value"] for each in survivor["identities"]) == [each["email"] for each in told]
    assert violations(tenant) == []


async def test_a_merge_and_contacts_at_once_lose_nothing(tenant: Tenant) -> None:
    """Whoever is in touch while their lead is merged is found on the survivor (D-7)."""
    survivor, other = await made(tenant, {"email": "a@example.org"}, {"email": "b@example.org"})
    body = {"business": tenant.slug, "consent": True, "email": "b@example.org"}
    contacts = [tenant.call("POST", PUBLIC, body | {"phone": f"+7900000000{n}"}) for n in range(8)]
    answers = await asyncio.gather(*contacts[:4], merge(tenant, survivor, other), *contacts[4:])
    assert {answer.status_code for answer in answers} == {200, 202}
    [lead] = (await tenant.done("GET", LEADS, role=OWNER))["leads"]
    assert len(lead["identities"]) == 10
    assert violations(tenant) == []


async def test_a_lead_is_not_merged_with_itself(tenant: Tenant) -> None:
    """A lead and itself are 400, and assistants merge nothing: notes would come before other eyes (D-7)."""
    [lead] = await made(tenant, {"email": "a@example.org"})
    assert wrong_fields(await merge(tenant, lead, lead)) == {"leadId"}
    body = {"leadId": lead["id"], "expectedVersion": 1}
    problem(await tenant.call("POST", f"{LEADS}/{lead['id']}/merge", body, role=ASSISTANT), 403, "forbidden")
