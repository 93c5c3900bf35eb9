"""Deep links over HTTP."""

import asyncio

import psycopg
import pytest

from booking.served import problem, wrong_fields
from booking.tenants import Json, Tenant
from holdfast.identity.permissions import Role

PUBLIC, LINKS, LEADS = "/api/public/deep-links", "/api/admin/deep-links", "/api/admin/leads"
OWNER, ASSISTANT, EDITOR = Role.OWNER, Role.ASSISTANT, Role.EDITOR


async def add(tenant: Tenant, **link: object) -> Json:
    """Make a link."""
    return await tenant.done("POST", LINKS, {"targetPath": "/booking/slot/?service=talk", **link}, role=EDITOR)


async def test_a_link_leads_to_its_target_and_counts(tenant: Tenant) -> None:
    """A link is followed to its path and marks, and each time counts once, at whatever moment (D-4)."""
    made = await add(tenant, id="autumn", utmSource="flyer", utmCampaign="autumn")
    assert (made["clicks"], made["version"]) == (0, 1)
    query = {"business": tenant.slug}
    followed = await asyncio.gather(*(tenant.done("GET", f"{PUBLIC}/autumn", params=query) for _ in range(7)))
    assert (followed[0]["targetPath"], followed[0]["utmSource"]) == ("/booking/slot/?service=talk", "flyer")
    [listed] = (await tenant.done("GET", LINKS, role=OWNER))["links"]
    assert (listed["clicks"], listed["version"]) == (7, 1)
    problem(await tenant.call("GET", LINKS, role=ASSISTANT), 403, "forbidden")


async def test_an_id_is_given_once(tenant: Tenant, neighbour: Tenant) -> None:
    """An id that a business has given already is 409 and names the field, also after the link was retired (D-4)."""
    await add(tenant, id="autumn")
    for _ in range(2):
        answer = await tenant.call("POST", LINKS, {"id": "autumn", "targetPath": "/"}, role=EDITOR)
        assert problem(answer, 409, "duplicate_deep_link")["details"] == {"field": "id"}
        await tenant.call("DELETE", f"{LINKS}/autumn", role=EDITOR)
    await add(neighbour, id="autumn")
    assert len({(await add(tenant))["id"] for _ in range(3)}) == 3


async def test_a_link_is_changed_and_retired(tenant: Tenant, neighbour: Tenant) -> None:
    """A change names the version that it saw; a retired link leads nowhere; each is in the audit log (B-15, D-7)."""
    await add(tenant, id="autumn", utmSource="flyer")
    path = f"{LINKS}/autumn"
    problem(await tenant.call("PATCH", path, {"targetPath": "/new"}, role=EDITOR), 428, "version_required")
    changed = await tenant.done("PATCH", path, {"targetPath": "/new", "expectedVersion": 1}, role=EDITOR)
    assert (changed["targetPath"], changed["utmSource"], changed["version"]) == ("/new", "flyer", 2)
    late = await tenant.call("PATCH", path, {"targetPath": "/late", "expectedVersion": 1}, role=EDITOR)
    assert problem(late, 409, "CONFLICT")["details"] == {"currentVersion": 2}
    for method in ("PATCH", "DELETE"):
        problem(await neighbour.call(method, path, {"expectedVersion": 2}, role=EDITOR), 404, "deep_link_not_found")
    assert (await tenant.call("DELETE", path, role=EDITOR)).status_code == 204
    problem(await tenant.call("DELETE", path, role=EDITOR), 404, "deep_link_not_found")
    for name in ("autumn", "nothing", "a%00b", "х"):
        answer = await tenant.call("GET", f"{PUBLIC}/{name}", params={"business": tenant.slug})
        problem(answer, 404, "deep_link_not_found")
    log = tenant.sql(
        "select action, to_state from audit_log where aggregate_type = 'deep_link' and business_id = %s order by version",
        tenant.business_id,
    )
    assert log == [("create", "autumn"), ("change", "autumn"), ("retire", "autumn")]


async def test_a_lead_tells_which_link_has_brought_them(tenant: Tenant) -> None:
    """A lead has the link that it came by, retired or not, and its marks unless it tells of others (D-5)."""
    await add(tenant, id="autumn", utmSource="flyer", utmTerm="sleep")
    await tenant.call("DELETE", f"{LINKS}/autumn", role=EDITOR)
    body = {"business": tenant.slug, "consent": True, "deepLink": "autumn"}
    for more in ({"email": "a@example.org"}, {"email": "b@example.org", "utmSource": "vk"}):
        await tenant.done("POST", "/api/public/leads", body | more)
    second, first = (await tenant.done("GET", LEADS, role=OWNER))["leads"]
    assert (first["deepLink"], first["utmSource"], first["utmTerm"]) == ("autumn", "flyer", "sleep")
    assert (second["deepLink"], second["utmSource"], second["utmTerm"]) == ("autumn", "vk", None)


async def test_a_link_that_never_was_costs_no_lead(tenant: Tenant) -> None:
    """Whoever came by a link that there is not is a lead all the same, without a link."""
    body = {"business": tenant.slug, "consent": True, "email": "a@example.org", "deepLink": "mistyped"}
    await tenant.done("POST", "/api/public/leads", body | {"utmSource": "vk"})
    [lead] = (await tenant.done("GET", LEADS, role=OWNER))["leads"]
    assert (lead["deepLink"], lead["utmSource"]) == (None, "vk")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"targetPath": "https://elsewhere.example"}, "targetPath"),
        ({"targetPath": "//elsewhere.example"}, "targetPath"),
        ({"targetPath": "/\\elsewhere.example"}, "targetPath"),
        ({"targetPath": "booking"}, "targetPath"),
        ({"targetPath": "/a b"}, "targetPath"),
        ({"targetPath": "/" + "a" * 500}, "targetPath"),
        ({"targetPath": "/", "id": "ab"}, "id"),
        ({"targetPath": "/", "id": "a@b.c"}, "id"),
        ({"targetPath": "/", "utmSource": "a@b.c"}, "utmSource"),
    ],
)
async def test_a_link_leads_to_a_page_of_ours_only(tenant: Tenant, wrong: Json, field: str) -> None:
    """The address of another site, a shape that is none and a mark that could be an address are 400 (H-1, D-6)."""
    assert wrong_fields(await tenant.call("POST", LINKS, wrong, role=EDITOR)) == {field}
    past_the_product = {"id": "abc", "targetPath": "/", "utmSource": None} | wrong
    with pytest.raises(psycopg.errors.CheckViolation):
        tenant.sql(
            "insert into deep_links (business_id, id, target_path, utm_source) values (%s, %s, %s, %s)",
            tenant.business_id,
            *past_the_product.values(),
        )


async def test_links_are_listed_page_by_page(tenant: Tenant) -> None:
    """The list of links goes on where the last page ended (H-2)."""
    made = [(await add(tenant))["id"] for _ in range(5)]
    found: list[str] = []
    query: Json = {"limit": "2"}
    while True:
        page = await tenant.done("GET", LINKS, role=EDITOR, params=query)
        found += [link["id"] for link in page["links"]]
        if page["nextCursor"] is None:
            break
        query["cursor"] = page["nextCursor"]
    assert found == made[::-1]
    assert wrong_fields(await tenant.call("GET", f"{LINKS}?cursor=x", role=EDITOR)) == {"cursor"}
