"""Webhooks as owners and their programs meet them over HTTP (H-5)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from standardwebhooks import Webhook

from apps import kept_open
from booking.opened import open_practice
from booking.served import NOWHERE, problem
from booking.staffed import bearer, make_key
from calendars.http_servers import Reply
from conftest import MASTER_KEY, NO_PROVIDERS
from holdfast import config
from holdfast.identity.permissions import Role
from holdfast.webhooks.settings import WebhookSettings
from holdfast.webhooks.signing import headers_of, new_secret
from house import webhooks_doc
from webhooks.telling import HERE, Receiver, Telling, verified

PATH = "/api/admin/webhooks"


class Owner:
    """Calls of an owner with a key."""

    def __init__(self, http: httpx.AsyncClient, key: str) -> None:
        self.http, self.headers = http, bearer(key)

    async def call(self, method: str, path: str, body: object = None, **query: Any) -> httpx.Response:
        """Return the answer to a call."""
        return await self.http.request(method, path, json=body, params=query, headers=self.headers)

    async def made(self, method: str, path: str, body: object = None, status: int = 200, **query: Any) -> Any:
        """Return what a call answers that succeeds."""
        answer = await self.call(method, path, body, **query)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None


@asynccontextmanager
async def owner_of(telling: Telling, settings: WebhookSettings) -> AsyncIterator[Owner]:
    """Open the application for an owner of the practice."""
    known = config.Settings(
        dsn=telling.admin_dsn, master_key=MASTER_KEY, payments=NO_PROVIDERS, webhooks=settings, default_business=None
    )
    key = await make_key(telling.database, telling.business_id, Role.OWNER)
    async with kept_open(known, telling.dsn) as app:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://holdfast.test") as http:
            yield Owner(http, key)


@pytest_asyncio.fixture
async def owner(telling: Telling) -> AsyncIterator[Owner]:
    """An owner whose server may tell programs of its own network."""
    async with owner_of(telling, HERE) as opened:
        yield opened


@pytest_asyncio.fixture
async def outside(telling: Telling) -> AsyncIterator[Owner]:
    """An owner whose server may not."""
    async with owner_of(telling, WebhookSettings()) as opened:
        yield opened


async def test_an_endpoint_lives_and_ends(telling: Telling, owner: Owner, receiver: Receiver) -> None:
    """An endpoint is made, shown without its secret, tried out, changed, rotated, disabled, enabled and removed (H-5)."""
    body = {"name": "Bookkeeping", "url": receiver.url, "types": ["TimeBlocked"], "unknown": 1}
    made = await owner.made("POST", PATH, body, 201)
    one, secret = f"{PATH}/{made['id']}", made.pop("secret")
    assert (made["status"], made["types"], made["url"]) == ("active", ["TimeBlocked"], receiver.url)
    assert await owner.made("GET", one) == made
    assert await owner.made("GET", PATH) == {"webhooks": [made]}

    trial = await owner.made("POST", f"{one}/test", status=202)
    assert (trial["type"], trial["status"], trial["subjectId"]) == ("WebhookTest", "pending", None)
    await telling.tell()
    assert verified(receiver.told[0], secret)["data"] == {"webhookId": made["id"]}
    shown = await owner.made("GET", f"{one}/deliveries/{trial['id']}")
    assert (shown["status"], shown["lastStatus"], shown["messageId"]) == ("delivered", 204, receiver.ids()[0])

    rotated = await owner.made("POST", f"{one}/rotate", {"overlapHours": 2})
    assert rotated["secret"] != secret
    assert rotated["formerSecretUntil"] is not None
    changed = await owner.made("PATCH", one, {"name": "Books", "allTypes": True})
    assert (changed["name"], changed["types"], changed["url"]) == ("Books", None, receiver.url)
    disabled = await owner.made("PATCH", one, {"status": "disabled"})
    assert (disabled["status"], disabled["reason"]) == ("disabled", "staff")
    for path, more in (
        ("/test", None),
        (f"/deliveries/{trial['id']}/replay", None),
        ("/replay", {"since": "2026-01-01T00:00:00Z"}),
    ):
        problem(await owner.call("POST", one + path, more), 409, "webhook_disabled")
    enabled = await owner.made("PATCH", one, {"status": "active"})
    assert (enabled["status"], enabled["reason"]) == ("active", None)
    await owner.made("POST", f"{one}/deliveries/{trial['id']}/replay", status=202)
    assert await telling.send() == 1
    await owner.made("DELETE", one, status=204)
    problem(await owner.call("GET", one), 404, "not_found")
    assert await owner.made("GET", PATH) == {"webhooks": []}


async def test_the_log_and_the_messages_say_the_same(telling: Telling, owner: Owner, receiver: Receiver) -> None:
    """An event of the log has the members of the message, whose webhook-id is its id; the cursor goes on later (H-5)."""
    await owner.made("POST", PATH, {"name": "All", "url": receiver.url}, 201)
    empty = await owner.made("GET", "/api/admin/events")
    assert (empty["events"], empty["more"]) == ([], False)
    for _ in range(3):
        await telling.happen()
    await telling.tell()
    page = await owner.made("GET", "/api/admin/events", cursor=empty["nextCursor"], limit=2)
    rest = await owner.made("GET", "/api/admin/events", cursor=page["nextCursor"])
    logged = page["events"] + rest["events"]
    assert [event.pop("id") for event in sorted(logged, key=lambda event: event["number"])] == [
        name for _, name in sorted(zip((b["number"] for b in receiver.bodies()), receiver.ids(), strict=True))
    ]
    assert logged == sorted(receiver.bodies(), key=lambda body: body["number"])
    day = logged[0]["timestamp"][:10]
    assert (await owner.made("GET", "/api/admin/events", since=day, types="TimeBlocked"))["events"] != []


async def test_a_time_is_replayed_over_http(telling: Telling, owner: Owner, receiver: Receiver) -> None:
    """A replay of a time says how many messages are on their way, and whether there may be others (H-5)."""
    await telling.happen()
    made = await owner.made("POST", PATH, {"name": "Late", "url": receiver.url}, 201)
    await telling.tell()
    one = f"{PATH}/{made['id']}"
    asked = {"since": "2026-01-01T00:00:00Z"}
    assert await owner.made("POST", f"{one}/replay", asked, 202) == {"queued": 0, "more": False}
    assert await owner.made("POST", f"{one}/replay", asked | {"again": True}, 202) == {"queued": 1, "more": False}
    await telling.send()
    page = await owner.made("GET", f"{one}/deliveries", limit=1)
    assert (len(page["deliveries"]), page["nextCursor"]) == (1, None)
    assert (page["deliveries"][0]["attempts"], page["deliveries"][0]["number"]) == (2, 1)
    failed = await owner.call("GET", f"{one}/deliveries", status="failed")
    assert failed.json()["deliveries"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x"}, "url"),
        ({"name": "", "url": "https://example.org"}, "name"),
        ({"name": "x", "url": "http://127.0.0.1/"}, "url"),
        ({"name": "x", "url": "https://127.0.0.1/"}, "url"),
        ({"name": "x", "url": "https://169.254.169.254/"}, "url"),
        ({"name": "x", "url": 1}, "url"),
        ({"name": "x", "url": "https://93.184.216.34/", "types": ["Nothing"]}, "types"),
        ({"name": "x", "url": "https://93.184.216.34/", "types": []}, "types"),
    ],
)
async def test_what_cannot_be_told_is_refused(outside: Owner, body: dict[str, Any], field: str) -> None:
    """A wrong member is named, an address that is not public is refused, and nothing is made (H-1, H-5)."""
    answer = await outside.call("POST", PATH, body)
    details = problem(answer, 400, "validation_failed")["details"]
    assert details["errors"][0]["field"].startswith(field) or field == "url"
    assert await outside.made("GET", PATH) == {"webhooks": []}


async def test_an_endpoint_does_not_move_to_a_private_address(
    telling: Telling, outside: Owner, receiver: Receiver
) -> None:
    """An endpoint is changed to no address that it could not have been made with, and stays where it was (H-5)."""
    endpoint, _ = await telling.add(receiver.url)
    problem(
        await outside.call("PATCH", f"{PATH}/{endpoint.id}", {"url": "https://10.0.0.1/"}), 400, "validation_failed"
    )
    assert (await telling.endpoint(endpoint.id)).url == receiver.url
    # One that was made when it could be is not told where it cannot be any more.
    assert (await outside.made("GET", f"{PATH}/{endpoint.id}"))["status"] == "active"


async def test_wrong_questions_are_refused(telling: Telling, owner: Owner, receiver: Receiver) -> None:
    """Wrong cursors, kinds, times and members are named; what is not there is 404 (H-1, H-5)."""
    endpoint, _ = await telling.add(receiver.url)
    one = f"{PATH}/{endpoint.id}"
    for query in ({"cursor": "x"}, {"types": "Nothing"}, {"since": "soon"}, {"limit": "0"}):
        problem(await owner.call("GET", "/api/admin/events", **query), 400, "validation_failed")
    for query in ({"cursor": "x"}, {"status": "late"}):
        problem(await owner.call("GET", f"{one}/deliveries", **query), 400, "validation_failed")
    for path, body in (
        ("/replay", {}),
        ("/replay", {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}),
        ("/replay", {"since": "9999-12-31T23:59:59Z"}),
        ("/rotate", {"overlapHours": 169}),
    ):
        problem(await owner.call("POST", one + path, body), 400, "validation_failed")
    problem(await owner.call("PATCH", one, {"allTypes": True, "types": ["TimeBlocked"]}), 400, "validation_failed")
    for path in (f"{PATH}/{NOWHERE}", f"{PATH}/x", f"{one}/deliveries/{NOWHERE}", f"{PATH}/{NOWHERE}/deliveries"):
        problem(await owner.call("GET", path), 404, "not_found")


async def test_there_are_twenty_endpoints_at_most(telling: Telling, owner: Owner, receiver: Receiver) -> None:
    """Also of several that are made at once, only twenty are; the others hear 409 (H-5)."""
    body = {"name": "One of many", "url": receiver.url}
    answers = await asyncio.gather(*(owner.call("POST", PATH, body) for _ in range(24)))
    refused = [answer for answer in answers if answer.status_code != 201]
    assert len(refused) == 4
    for answer in refused:
        assert problem(answer, 409, "too_many_webhooks")["details"] == {"most": 20}
    assert len((await owner.made("GET", PATH))["webhooks"]) == 20


async def test_others_see_and_hear_nothing(telling: Telling, owner: Owner, receiver: Receiver) -> None:
    """Endpoints, deliveries and the log of a business are not there for another one, which is told of its own only (H-4, H-5)."""
    endpoint, _ = await telling.add(receiver.url)
    await telling.happen()
    await telling.tell()
    [delivery] = await telling.deliveries(endpoint.id)
    async with open_practice(telling.dsn) as other:
        theirs = Owner(owner.http, await make_key(telling.database, other.business_id, Role.OWNER))
        one = f"{PATH}/{endpoint.id}"
        assert await theirs.made("GET", PATH) == {"webhooks": []}
        assert (await theirs.made("GET", "/api/admin/events"))["events"] == []
        for method, path, body in (
            ("GET", one, None),
            ("PATCH", one, {"name": "Mine"}),
            ("DELETE", one, None),
            ("POST", f"{one}/rotate", {}),
            ("POST", f"{one}/test", None),
            ("POST", f"{one}/replay", {"since": "2026-01-01T00:00:00Z"}),
            ("GET", f"{one}/deliveries", None),
            ("GET", f"{one}/deliveries/{delivery.id}", None),
            ("POST", f"{one}/deliveries/{delivery.id}/replay", None),
        ):
            problem(await theirs.call(method, path, body), 404, "not_found")
        mine = await theirs.made("POST", PATH, {"name": "Mine", "url": receiver.url}, 201)
        await telling.happen()
        await telling.tell()
        assert (await theirs.made("GET", f"{PATH}/{mine['id']}/deliveries"))["deliveries"] == []
    assert {body["businessId"] for body in receiver.bodies()} == {str(telling.business_id)}


async def test_addresses_and_secrets_are_sealed(telling: Telling, receiver: Receiver) -> None:
    """Neither the address of an endpoint nor its secret is in the database as it is (D-5, H-5)."""
    _, secret = await telling.add(receiver.url)
    with telling.as_admin() as connection:
        [(url, sealed)] = connection.execute("select url, secret from webhook_endpoints").fetchall()
    for value in (url, sealed):
        assert bytes(value).startswith(b"hfe1")
        assert b"a-token-of-theirs" not in bytes(value)
        assert secret.encode() not in bytes(value)


async def test_the_figures_tell_what_waits_and_what_was_given_up(
    telling: Telling, owner: Owner, receiver: Receiver
) -> None:
    """What is on its way, for how long, and endpoints that fail or were given up are figures (H-5)."""
    await telling.add(f"{receiver.url}&failing")
    await telling.add(receiver.url)
    await telling.happen()
    receiver.answering = lambda asked: Reply(500 if asked.path.endswith("failing") else 410)
    await telling.tell()
    text = (await owner.http.get("/metrics")).text
    for line in (
        "holdfast_webhooks_pending 1.0",
        "holdfast_webhook_endpoints_failing 1.0",
        "holdfast_webhook_endpoints_disabled 1.0",
    ):
        assert line in text
    assert 'holdfast_webhook_attempts_total{outcome="gone"}' in text


def test_the_example_in_the_document_verifies() -> None:
    """The Python of docs/webhooks.md believes what this server signs, and nothing else (H-5)."""
    text = webhooks_doc.DOCUMENT.read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    exec(text.partition("```python\n")[2].partition("```")[0], names)  # noqa: S102 - the example is what is tested
    secret, former, body, now = new_secret(), new_secret(), b'{"type":"TimeBlocked"}', datetime.now(UTC)
    headers = headers_of("msg_1", now, body, [secret, former])
    assert names["verified"](headers, body, secret)
    assert names["verified"](headers, body, former)
    assert not names["verified"](headers, body + b" ", secret)
    assert not names["verified"](headers, body, new_secret())
    old = headers_of("msg_1", now - timedelta(minutes=6), body, [secret])
    assert not names["verified"](old, body, secret)
    assert Webhook(secret).verify(body, headers) == {"type": "TimeBlocked"}


def test_the_document_lists_the_events() -> None:
    """docs/webhooks.md lists the events that there are; `.venv/bin/python tests/house/webhooks_doc.py` writes them (H-5)."""
    text = webhooks_doc.DOCUMENT.read_text(encoding="utf-8")
    assert webhooks_doc.written(text) == text
