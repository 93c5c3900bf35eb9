"""Calls of the public and of users about what is theirs, with the ids of another tenant (H-4, D-9)."""

import itertools
import re
from types import NoneType
from uuid import uuid4

import pytest

from holdfast.identity.guards import Needs, SignedIn
from journeys.test_tenants import STAFF_ROUTES, UUID_LIKE, Owner, named, opened, owner, routes, walled
from kernel.walled import Tenant, Walled

# Of this file, as its database is: the calls of staff leave words of the neighbour in the own business.
__all__ = ["owner", "walled"]

# What a user who is signed in may do with what is theirs alone, named by its id.
OWN_ROUTES = [(method, path) for method, path in routes(SignedIn) if "{" in path]
# The card of a business is for everybody, by whichever name; the others name nothing of a tenant.
PUBLIC_ROUTES = [
    (method, path)
    for method, path in routes(NoneType)
    if not path.startswith(("/health", "/metrics", "/schema", "/api/public/businesses/", "/api/public/login"))
]
# Their answer to a service or group tells whether it or the business that was named beside it is unknown: what can be
# booked stands on the card of its business.
ON_THE_CARD = {"/api/booking/reserve", "/api/booking/book", "/api/booking/series", "/api/booking/capacity"}


@pytest.mark.parametrize(("method", "path"), PUBLIC_ROUTES, ids=named(PUBLIC_ROUTES))
async def test_what_another_tenant_has_is_not_there_for_the_public(
    walled: Walled, owner: Owner, method: str, path: str
) -> None:
    """Whoever calls without a proof and names a business, and beside it ids or words of another tenant, has the answer
    that they have for what nobody has, and none of his rows is changed (H-4, D-9).
    """
    theirs, nobody = walled.theirs, Tenant()
    before = walled.rows(theirs)
    async with opened(walled, owner) as desk:
        del desk.http.headers["Authorization"]
        # Whoever names no business means that of the ids.
        left_out = ["", *(name for name in desk.ids_in_body(method, path) if name != "businessId")]
        for by, own_service, without in itertools.product(("id", "word"), (False, True), left_out):
            heard = [
                await desk.call(method, path, names, by=by, business=desk.own, without=without, own_service=own_service)
                for names in (theirs, nobody)
            ]
            told = slice(1) if path in ON_THE_CARD else slice(None)
            assert heard[0][told] == heard[1][told], (by, own_service, without)
            assert (400 if "{" in path else 200) <= heard[0][0] < 500, heard
    assert walled.rows(theirs) == before


@pytest.mark.parametrize(("method", "path"), OWN_ROUTES, ids=named(OWN_ROUTES))
async def test_what_users_of_another_tenant_have_is_not_there(
    walled: Walled, owner: Owner, method: str, path: str
) -> None:
    """A user who is signed in and names what a user of another tenant has, has the answer for what nobody has, and none of
    the other's rows is changed (H-4, D-9).
    """
    theirs, nobody = walled.theirs, Tenant()
    before = walled.rows(theirs)
    async with opened(walled, owner) as desk:
        user = {"email": f"{uuid4().hex}@example.org", "password": "correct horse battery"}
        await desk.http.post("/api/admin/users", json=user | {"name": "Guest", "roles": ["owner"]})
        del desk.http.headers["Authorization"]
        login = await desk.http.post("/api/public/login", json=user | {"business": str(desk.own)})
        desk.http.headers["X-CSRF-Token"] = login.json()["csrfToken"]
        heard = [
            await desk.call(method, path, names, by="id", business=desk.own, without="") for names in (theirs, nobody)
        ]
    assert heard[0] == heard[1]
    assert heard[0][0] == 404
    assert walled.rows(theirs) == before


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_page_of_another_tenants_hold_is_not_there(walled: Walled, owner: Owner, method: str) -> None:
    """The page of a business has for the hold of another tenant what it has for one that nobody has (H-4, D-9)."""
    theirs, nobody = walled.theirs, Tenant()
    before = walled.rows(theirs)
    async with opened(walled, owner) as desk:
        heard = [
            await desk.http.request(
                method, f"/{desk.own}/booking/slot/held/{names.thing_id}", data={"email": "guest@example.org"}
            )
            for names in (theirs, nobody)
        ]
    told = [(answer.status_code, re.sub(UUID_LIKE, "#", answer.text)) for answer in heard]
    assert told[0] == told[1]
    assert told[0][0] == 404
    assert walled.rows(theirs) == before


def test_every_call_is_among_these() -> None:
    """No call that names something by its id is left out of these tests (H-4)."""
    every = {route for guard in (NoneType, Needs, SignedIn) for route in routes(guard) if "{" in route[1]}
    assert every - {*STAFF_ROUTES, *OWN_ROUTES, *PUBLIC_ROUTES} == {("GET", "/api/public/businesses/{slug}")}
    assert min(map(len, (STAFF_ROUTES, OWN_ROUTES, PUBLIC_ROUTES))) > 0
