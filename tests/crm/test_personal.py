"""What people may ask about themselves as leads and as senders of questions."""

from booking.tenants import Json, Tenant
from holdfast.crm.feed import feed
from holdfast.identity.permissions import Role
from holdfast.verify import verify

LEADS, ITEMS = "/api/admin/leads", "/api/admin/moderation/items"
EMAIL, HANDLE, NAME = "forget.ibis@example.org", "@ibis_forgets", "Ibis Onceler"
TEXT, ANSWER, COMMENT, NOTE = "Ibis asks quietly", "Ibis is answered", "Ibis comment", "Ibis note"
OWNER = Role.OWNER


async def known(tenant: Tenant, email: str, **more: object) -> Json:
    """Send a question in, have it answered, and be a lead with a note; return the question."""
    contact = {"business": tenant.slug, "consent": True, "email": email}
    question = await tenant.done("POST", "/api/public/questions", {**contact, "text": TEXT})
    path = f"{ITEMS}/{question['id']}"
    await tenant.done("POST", f"{path}/assign", {"expectedVersion": 1}, role=OWNER)
    await tenant.done("POST", f"{path}/escalate", {"expectedVersion": 2, "comment": COMMENT}, role=OWNER)
    await tenant.done("POST", f"{path}/answer", {"expectedVersion": 3, "text": ANSWER}, role=OWNER)
    await tenant.done("POST", "/api/public/leads", {**contact, **more})
    [lead] = (await tenant.done("GET", LEADS, role=OWNER, params={"contact": email}))["leads"]
    await tenant.done("POST", f"{LEADS}/{lead['id']}/notes", {"text": NOTE}, role=OWNER)
    return question


async def kept(tenant: Tenant, email: str) -> Json:
    """Return what is kept of a person."""
    told: Json = (await tenant.done("POST", "/api/admin/people/export", {"email": email}, role=OWNER))["kept"]
    return told


async def test_a_person_is_told_and_forgotten(tenant: Tenant) -> None:
    """Question, answer, lead, timeline and notes are told to whom they are of, and forgotten for ever; nobody else's are,
    and the worker makes no lead anew (D-8).
    """
    other = "stays@example.org"
    question = await known(tenant, EMAIL, name=NAME, messenger={"network": "telegram", "handle": HANDLE})
    await known(tenant, other)
    told = await kept(tenant, EMAIL.upper())
    [asked], [lead] = told["questions"], told["leads"]
    assert (asked["text"], asked["answers"]) == (TEXT, [ANSWER])
    assert (lead["name"], lead["notes"][0]["text"]) == (NAME, NOTE)
    assert [each["value"] for each in lead["identities"]] == [EMAIL, HANDLE]
    of_other = await kept(tenant, other)
    await tenant.done("POST", "/api/admin/people/erase", {"email": EMAIL}, role=OWNER)
    assert await kept(tenant, EMAIL) == {**told, "questions": [], "leads": []}
    assert await kept(tenant, other) == of_other
    opened = await tenant.done("GET", f"{ITEMS}/{question['id']}", role=OWNER)
    assert (opened["text"], opened["email"], opened["answers"][0]["text"]) == ("", None, "")
    assert {action["comment"] for action in opened["actions"]} == {None}
    shown = (await tenant.done("GET", f"{LEADS}/{lead['id']}", role=OWNER))["lead"]
    assert (shown["name"], shown["identities"]) == (None, [])
    await feed(tenant.database)
    assert (await tenant.done("GET", LEADS, role=OWNER, params={"contact": EMAIL}))["leads"] == []
    assert [v for v in verify(tenant.admin_uri, lambda _: None) if v.business_id == tenant.business_id] == []


async def test_a_person_of_a_messenger_alone_is_told_and_forgotten(tenant: Tenant) -> None:
    """Whoever has told their name in a messenger and nothing else is found by it, in that messenger only (D-8)."""
    contact = {"messenger": {"network": "telegram", "handle": HANDLE}}
    await tenant.done("POST", "/api/public/leads", {"business": tenant.slug, "consent": True, "name": NAME, **contact})
    asked = {"messenger": {"network": "telegram", "handle": HANDLE.removeprefix("@").upper()}}
    elsewhere = {"messenger": {"network": "viber", "handle": HANDLE}}
    for body, found in ((elsewhere, []), (asked, [NAME])):
        told = (await tenant.done("POST", "/api/admin/people/export", body, role=OWNER))["kept"]
        assert [lead["name"] for lead in told["leads"]] == found
    for body, count in ((elsewhere, 0), (asked, 1), (asked, 0)):
        gone = await tenant.done("POST", "/api/admin/people/erase", body, role=OWNER)
        assert gone["forgotten"]["leads"] == count
    [lead] = (await tenant.done("GET", LEADS, role=OWNER))["leads"]
    assert (lead["name"], lead["identities"]) == (None, [])
