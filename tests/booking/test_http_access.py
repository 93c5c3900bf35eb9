"""Who may call what: keys of staff, their roles, and the tenants that do not see each other."""

import re
from collections.abc import AsyncIterator, Iterator
from datetime import date
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
import pytest_asyncio

from booking.hostile import NOT_OBJECTS
from booking.opened import Practice, open_practice
from booking.served import Clients, Json, appointment_path, problem
from booking.staffed import app_on, bearer, key_for, make_key
from holdfast import config, web
from holdfast.booking.contacts import Guest
from holdfast.identity.guards import Needs, SignedIn
from holdfast.identity.permissions import MATRIX, STAFF_ROLES, Permission, Role, may

# What is for staff by its path, unless a client proves the booking to be theirs.
# Paying is for whoever has the booking's token.
FOR_STAFF = re.compile(r"\w+ /api/admin/|\w+ /api/booking/appointments(?!/\{[^}]+\}/payment$)")
SOMETHING = "00000000-0000-4000-8000-000000000000"


PASSWORD = "correct horse battery"  # noqa: S105 - of users that are made here
Guard = Needs | SignedIn
Headers = dict[str, str]


def guarded() -> list[tuple[str, str, Guard | None]]:
    """Return method, path and guard of every route of the application."""
    routes = web.handlers(config.Settings(cron_secret="any", bench_routes=True))  # noqa: S106 - opens a route
    return [
        (method, path, next((g for g in route.guards or () if isinstance(g, Guard)), None))
        for route in routes
        for path in route.paths
        for method in route.http_methods
        if method in {"GET", "POST", "PUT", "PATCH", "DELETE"}
    ]


API = [(method, path, guard) for method, path, guard in guarded() if not path.startswith("/admin")]
STAFF_ROUTES = [(method, path, guard) for method, path, guard in API if isinstance(guard, Needs)]
OWN_ROUTES = [(method, path) for method, path, guard in API if isinstance(guard, SignedIn)]
PAGES = [(method, path, guard) for method, path, guard in guarded() if path.startswith("/admin")]
# The pages before somebody has come in.
OUTSIDE = {"/admin/login", "/admin/invitation", "/admin/setup"}
# What is sent for as long as somebody listens; its own tests let them in (test_live.py).
STREAMS = {"/admin/events"}
# A proof of each kind that a role can have; clients have no keys.
PROOFS = [*((role, "key") for role in STAFF_ROLES), *((role, "login") for role in Role)]


@pytest.fixture(scope="module")
def keys(served: Clients) -> dict[Role, str]:
    """A key for each role of staff."""
    return {role: key_for(served, role) for role in STAFF_ROLES}


@pytest.fixture(scope="module")
def proofs(served: Clients, keys: dict[Role, str]) -> dict[tuple[Role, str], Headers]:
    """The headers of a call by each role: with a key, and with a login that proves its page."""
    found = {(role, "key"): bearer(key) for role, key in keys.items()}
    for role in Role:
        user = {"email": f"{uuid4().hex}@example.org", "name": "Guest", "roles": [role], "password": PASSWORD}
        served.post("/api/admin/users", user, headers=bearer(keys[Role.OWNER]))
        found[(role, "login")] = signed_in(served, user["email"])
    return found


def signed_in(served: Clients, email: str) -> Headers:
    """Return the headers of a login; the connection that all share is left without a cookie."""
    body = {"business": "emotional-balance", "email": email, "password": PASSWORD}
    answer = httpx.post(served.http.base_url.join("/api/public/login"), json=body, timeout=30)
    assert answer.status_code == 200, answer.text
    return {"Cookie": f"holdfast={answer.cookies['holdfast']}", "X-CSRF-Token": answer.json()["csrfToken"]}


def filled(path: str) -> str:
    """Return a path that names something which is not there."""
    return re.sub(r"\{\w+:\w+\}", SOMETHING, path)


def shown(path: str) -> str:
    """Return a path as the document of the API writes it."""
    return re.sub(r"\{(\w+):\w+\}", r"{\1}", path)


def test_every_route_for_staff_asks_for_a_permission() -> None:
    """No route of staff is without its permission, and no permission is without a role that has it (D-7, H-4)."""
    assert [
        (method, path) for method, path, guard in guarded() if FOR_STAFF.match(f"{method} {path}") and guard is None
    ] == []
    assert {permission for granted in MATRIX.values() for permission in granted} == set(Permission)
    assert set(MATRIX) == set(Role)


@pytest.mark.parametrize("proof", PROOFS, ids=[f"{role} by {how}" for role, how in PROOFS])
@pytest.mark.parametrize(("method", "path", "guard"), STAFF_ROUTES, ids=[f"{m} {p}" for m, p, _ in STAFF_ROUTES])
def test_every_role_meets_every_route_as_the_matrix_says(
    served: Clients,
    proofs: dict[tuple[Role, str], Headers],
    method: str,
    path: str,
    guard: Needs,
    proof: tuple[Role, str],
) -> None:
    """A role without the permission is 403 on every route, by key as by login; one with it is let in (D-7, H-4)."""
    answer = served.http.request(method, filled(path), headers=proofs[proof], json={})
    if may(proof[0], guard.permission):
        assert answer.status_code not in {401, 403}, answer.text
    else:
        problem(answer, 403, "forbidden")


@pytest.mark.parametrize(("method", "path", "guard"), STAFF_ROUTES, ids=[f"{m} {p}" for m, p, _ in STAFF_ROUTES])
def test_no_route_changes_anything_by_a_cookie_alone(
    served: Clients, proofs: dict[tuple[Role, str], Headers], method: str, path: str, guard: Needs
) -> None:
    """A change by an owner's cookie, without the proof of a page, is 403 on every route, or is a client's (H-4)."""
    cookie = {"Cookie": proofs[(Role.OWNER, "login")]["Cookie"]}
    answer = served.http.request(method, filled(path), headers=cookie, json={})
    if method == "GET":
        assert answer.status_code not in {401, 403}, answer.text
    elif guard.or_client:
        # Nothing is proven of a booking that is not there: neither by staff nor by its client.
        assert problem(answer, 404, "appointment_not_found")
    else:
        problem(answer, 403, "csrf_failed")


@pytest.mark.parametrize(("method", "path"), OWN_ROUTES)
def test_what_is_ones_own_needs_a_login(
    served: Clients, proofs: dict[tuple[Role, str], Headers], method: str, path: str
) -> None:
    """One's own login, whatever the role, answers to a login alone: a key has none, and a cookie alone changes none (H-4)."""
    for headers in ({}, proofs[(Role.OWNER, "key")], {"Cookie": "holdfast=x"}):
        problem(served.http.request(method, filled(path), headers=headers, json={}), 401, "authentication_required")
    for role in Role:
        own = proofs[(role, "login")]
        if method == "GET":
            assert served.http.request(method, filled(path), headers=own).status_code == 200
        else:
            cookie = {"Cookie": own["Cookie"]}
            problem(served.http.request(method, filled(path), headers=cookie, json={}), 403, "csrf_failed")


@pytest.mark.parametrize(("method", "path", "guard"), PAGES, ids=[f"{m} {p}" for m, p, _ in PAGES])
def test_every_page_is_for_whom_the_matrix_says(
    served: Clients, proofs: dict[tuple[Role, str], Headers], method: str, path: str, guard: Guard | None
) -> None:
    """A page of staff leads strangers to sign in, is 403 for a role without its permission and after a form without its
    proof, and lets the others in (D-7, H-4, U-3).
    """
    if path in OUTSIDE:
        assert guard is None
        return
    assert guard is not None
    for headers in ({}, {"Cookie": "holdfast=x"}):
        answer = served.http.request(method, filled(path), headers=headers)
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/admin/login")
    for role in Role:
        own = proofs[(role, "login")]
        if path == "/admin/logout" or path in STREAMS:
            # The one would end what the other tests show, the others would not end.
            continue
        answer = served.http.request(method, filled(path), headers=own)
        if isinstance(guard, SignedIn) or may(role, guard.permission):
            assert answer.status_code < 500, answer.text
            assert answer.status_code not in {401, 403}, answer.text
        else:
            assert answer.status_code == 403, answer.text
        if method != "GET":
            assert served.http.request(method, filled(path), headers={"Cookie": own["Cookie"]}).status_code == 403


def test_the_document_tells_who_may_what(served: Clients) -> None:
    """OpenAPI names the permission and the roles of each call of staff, and that key and login both serve (D-7)."""
    document = served.get("/schema/openapi.json")
    assert {"StaffKey", "StaffLogin"} <= set(document["components"]["securitySchemes"])
    for method, path, guard in STAFF_ROUTES:
        operation = document["paths"][shown(path)][method.lower()]
        assert operation["x-permission"] == guard.permission
        assert operation["x-roles"] == [role for role in Role if may(role, guard.permission)]
        schemes = [name for scheme in operation["security"] for name in scheme]
        assert schemes[-2:] == ["StaffKey", "StaffLogin"]


@pytest.mark.parametrize(("method", "path", "guard"), STAFF_ROUTES, ids=[f"{m} {p}" for m, p, _ in STAFF_ROUTES])
def test_no_route_opens_to_what_is_no_key(
    served: Clients, keys: dict[Role, str], method: str, path: str, guard: Needs
) -> None:
    """A wrong, unknown or revoked key is 401 on every route of staff, and tells nothing more; so is none (H-1, H-4)."""
    owner = keys[Role.OWNER]
    revoked = key_for(served, Role.OWNER)
    served.sql("update api_keys set revoked_at = now() where id = %s::uuid", revoked[3:35])
    wrong = ["x", "t" * 5_000, owner[:-1], f"hf_{uuid4().hex}_{owner[-43:]}", revoked]
    headers = [bearer(text) for text in wrong] + ([] if guard.or_client else [{}, {"Authorization": f"Basic {owner}"}])
    bodies = set()
    for header in headers:
        answer = served.http.request(method, filled(path), headers=header, json={})
        assert problem(answer, 401, "authentication_required")["details"] == {}
        assert answer.headers["www-authenticate"] == "Bearer"
        bodies.add(answer.text)
    assert len(bodies) == 1


@pytest.mark.parametrize("body", NOT_OBJECTS.values(), ids=NOT_OBJECTS)
def test_what_is_no_object_is_refused_to_staff_too(served: Clients, keys: dict[Role, str], body: bytes) -> None:
    """A body of staff that is no JSON object is malformed, or names what is not there; it is never an error of ours (H-1)."""
    paths = served.get("/schema/openapi.json")["paths"]
    for method, path, _ in STAFF_ROUTES:
        if "requestBody" in paths[shown(path)][method.lower()]:
            answer = served.http.request(method, filled(path), headers=bearer(keys[Role.OWNER]), content=body)
            problem(answer, 400, "validation_failed")


def test_staff_read_an_appointment(clients: Clients, keys: dict[Role, str], day: date) -> None:
    """Staff read an appointment of their business by its id and without its token (H-4)."""
    made = clients.booked("intro-call", clients.slots("intro-call", day)[0])
    for scheme in ("Bearer", "bearer"):
        answer = clients.http.get(appointment_path(made), headers={"Authorization": f"{scheme} {keys[Role.ASSISTANT]}"})
        assert (answer.status_code, answer.json()["guestEmail"]) == (200, "guest@example.org")
    other = {"businessId": str(uuid4())}
    answer = clients.http.get(appointment_path(made), headers=bearer(keys[Role.ASSISTANT]), params=other)
    problem(answer, 404, "appointment_not_found")
    proxied = {"Authorization": "Basic dXNlcjpwYXNz", "Booking-Token": made["cancellationToken"]}
    assert clients.http.get(appointment_path(made), headers=proxied).status_code == 200, "a client behind a proxy"


def test_the_token_of_a_booking_goes_before_a_cookie(
    clients: Clients, proofs: dict[tuple[Role, str], Headers], day: date
) -> None:
    """A browser that is signed in and shows the token of a booking is its client: the token decides alone (H-4)."""
    made = clients.booked("intro-call", clients.slots("intro-call", day)[0])
    editor = {"Cookie": proofs[(Role.EDITOR, "login")]["Cookie"]}
    problem(clients.http.get(appointment_path(made), headers=editor), 403, "forbidden")
    token = {"Booking-Token": made["cancellationToken"]}
    assert clients.http.get(appointment_path(made), headers=editor | token).status_code == 200
    owner = {"Cookie": proofs[(Role.OWNER, "login")]["Cookie"], "Booking-Token": "x"}
    problem(clients.http.get(appointment_path(made), headers=owner), 401, "authentication_required")


def test_a_late_change_tells_which_user_was_first(
    clients: Clients, proofs: dict[tuple[Role, str], Headers], day: date
) -> None:
    """Who comes too late with a change is told the name of the user who came first (B-15)."""
    made = clients.booked("intro-call", clients.slots("intro-call", day)[0])
    owner, late = proofs[(Role.OWNER, "login")], proofs[(Role.ASSISTANT, "key")]
    path, seen = appointment_path(made), {"If-Match": f'"{made["version"]}"'}
    first = clients.http.patch(path, json={"guestName": "A. Guest"}, headers=owner | seen)
    assert first.status_code == 200, first.text
    refused = clients.http.patch(path, json={"guestName": "B. Guest"}, headers=late | seen)
    [change] = problem(refused, 409, "CONFLICT")["details"]["changes"]
    assert (change["by"], change["byName"]) == ("staff", "Guest")


@pytest_asyncio.fixture
async def practice(app_uri: str) -> AsyncIterator[Practice]:
    """A business beside the one whose staff call."""
    async with open_practice(app_uri) as opened:
        await opened.add_resource("ana")
        await opened.add_service("talk", ["ana"])
        yield opened


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every statement that this process sends, in order."""
    sent: list[str] = []
    execute = psycopg.AsyncCursor.execute

    async def noted(self: Any, query: Any, *more: Any, **options: Any) -> Any:
        sent.append(str(query))
        return await execute(self, query, *more, **options)

    monkeypatch.setattr(psycopg.AsyncCursor, "execute", noted)
    return sent


async def test_another_tenants_id_is_as_unknown_as_any(
    practice: Practice, app_uri: str, admin_uri: str, statements: list[str]
) -> None:
    """To staff, an appointment of another tenant is what nobody has: the same 404, after the same statements (H-4)."""
    guest = Guest("guest@example.org")
    theirs = (await practice.reserve("talk", guest=guest)).made().id
    async with open_practice(app_uri) as own, app_on(app_uri, admin_uri) as http:
        key = await make_key(practice.desk.database, own.business_id, Role.OWNER)
        found: list[tuple[int, Json, list[str]]] = []

        async def look(name: object) -> None:
            statements.clear()
            answer = await http.get(f"/api/booking/appointments/{name}", headers=bearer(key))
            found.append((answer.status_code, answer.json(), list(statements)))

        await look(uuid4())  # notes the use of the key
        found.clear()
        for name in (uuid4(), theirs, "nothing"):
            await look(name)
    assert found[0][0] == 404
    assert len(found[0][2]) > 1
    assert found == [found[0]] * 3
