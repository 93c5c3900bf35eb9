"""The application without a worker beside it, on a database of its own: what other tests of HTTP cannot arrange."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from booking.documented import check_answer
from booking.served import Clients, Json, problem, wrong_fields
from holdfast import config, web
from holdfast.business_files.demo import demo_text
from holdfast.business_files.importing import load
from holdfast.business_files.toml_file import read
from holdfast.catalog.resources import put_resource
from holdfast.catalog.services import put_service
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.embedded import EmbeddedPostgres

DAY = datetime.now(UTC).date() + timedelta(days=30)
SLOTS, RESERVE, COMMIT = "/api/public/booking/slots", "/api/booking/reserve", "/api/booking/commit"

Open = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def open_app(postgres: EmbeddedPostgres, own_database: str) -> Open:
    """Open the application on the test's own database, in this process."""
    settings = {"dsn": postgres.uri(database=own_database), "master_key": bytes(32)}

    @asynccontextmanager
    async def opened(**more: Any) -> AsyncIterator[httpx.AsyncClient]:
        app = web.build(config.Settings(**{**settings, **more}), uri)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://holdfast.test") as client:
            document = (await client.get("/schema")).json()

            async def check(answer: httpx.Response) -> None:
                await answer.aread()
                check_answer(document, answer)

            client.event_hooks = {"response": [check]}
            yield client

    uri = postgres.uri(user="holdfast_app", database=own_database)
    return opened


@pytest_asyncio.fixture
async def database(postgres: EmbeddedPostgres, own_database: str) -> AsyncIterator[Database]:
    """The test's own database with the demo business, as the application sees it."""
    opened = Database(postgres.uri(user="holdfast_app", database=own_database), min_connections=1, max_connections=2)
    await opened.open()
    await load(opened, read(demo_text()))
    yield opened
    await opened.close()


@pytest.fixture
def admin(postgres: EmbeddedPostgres, own_database: str) -> Clients:
    """SQL as administrator."""
    return Clients(httpx.Client(), postgres.uri(database=own_database))


async def wish_of(client: httpx.AsyncClient, service: str = "couple-session", number: int = 0) -> Json:
    """Return the body that reserves a free slot."""
    query = {"service_slug": service, "from": str(DAY), "to": str(DAY + timedelta(days=1))}
    days = (await client.get(SLOTS, params=query)).json()["days"]
    card = (await client.get("/api/public/businesses/emotional-balance")).json()
    [service_id] = [s["id"] for s in card["services"] if s["slug"] == service]
    slot = days[0]["slots"][number]
    return {"serviceId": service_id, "slotStart": slot["start"], "slotEnd": slot["end"]}


async def test_an_expired_hold_is_free_without_any_sweep(open_app: Open, database: Database, admin: Clients) -> None:
    """With no worker at all, an expired hold blocks nobody and is not committed (B-4, field pain 9)."""
    async with open_app() as client:
        wish = await wish_of(client)
        held = (await client.post(RESERVE, json=wish)).json()
        problem(await client.post(RESERVE, json=wish), 409, "slot_conflict")
        admin.run_out(held)
        assert admin.sql("select state from bookings") == [("held",)], "nobody has swept it"

        read_again = (await client.get(f"/api/booking/reservations/{held['reservationId']}")).json()
        assert (read_again["status"], read_again["remainingSeconds"]) == ("expired", 0)
        assert (await wish_of(client))["slotStart"] == wish["slotStart"], "its place is offered"
        commit = {"reservationId": held["reservationId"], "guestEmail": "late@example.org"}
        problem(await client.post(COMMIT, json=commit), 410, "RESERVATION_NOT_FOUND_OR_EXPIRED")
        assert admin.sql("select state from bookings") == [("held",)], "nobody has swept it"
        second = await client.post(RESERVE, json=wish)
        assert second.status_code == 201
        problem(await client.post(COMMIT, json=commit), 410, "RESERVATION_NOT_FOUND_OR_EXPIRED")


async def test_the_cleanup_is_not_there_without_a_secret(open_app: Open, database: Database) -> None:
    """Without a secret in the settings, the path of the cleanup is 404 and undocumented, whatever is sent (B-23)."""
    async with open_app() as client:
        for header in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer None"}):
            problem(await client.get("/api/cron/cleanup-reservations", headers=header), 404, "not_found")
        assert "/api/cron/cleanup-reservations" not in (await client.get("/schema")).json()["paths"]


async def test_a_business_must_be_named_among_several(open_app: Open, database: Database, admin: Clients) -> None:
    """With several businesses a call must name one, unless the settings name the default (H-1)."""
    admin.sql("insert into businesses (slug, name, timezone, currency, locale) values ('b', 'B', 'UTC', 'EUR', 'en')")
    query = {"service_slug": "intro-call"}
    async with open_app() as client:
        assert wrong_fields(await client.get(SLOTS, params=query)) == {"business"}
        assert wrong_fields(await client.get("/api/public/programs/morning-group/schedules")) == {"business"}
        named = await client.get(SLOTS, params=query | {"business": "emotional-balance"})
        problem(await client.get(SLOTS, params=query | {"business": "b"}), 404, "unknown_service")
    async with open_app(default_business="emotional-balance") as client:
        assert (await client.get(SLOTS, params=query)).json() == named.json()
    async with open_app(default_business="gone") as client:
        problem(await client.get(SLOTS, params=query), 404, "unknown_business")


async def test_what_one_tenant_has_another_does_not_see(open_app: Open, database: Database, admin: Clients) -> None:
    """An id of one business is unknown under another, in the words for what is not there (H-4)."""
    admin.sql("insert into businesses (slug, name, timezone, currency, locale) values ('b', 'B', 'UTC', 'EUR', 'en')")
    [[other]] = admin.sql("select id::text from businesses where slug = 'b'")
    async with open_app(default_business="emotional-balance") as client:
        wish = await wish_of(client)
        problem(await client.post(RESERVE, json=wish | {"businessId": other}), 404, "unknown_business")
        held = (await client.post(RESERVE, json=wish)).json()
        path = f"/api/booking/reservations/{held['reservationId']}"
        answers = [await client.get(path, params={"businessId": other}), await client.get(f"{path[:-4]}0000")]
        assert answers[0].json() == answers[1].json()
        page = await client.get(f"/b/booking/slot/held/{held['reservationId']}")
        assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")


async def test_instants_are_in_utc_whatever_the_database_thinks(
    open_app: Open, database: Database, admin: Clients, own_database: str
) -> None:
    """A database with a time zone of its own changes nothing: every instant is answered with a Z (A-5)."""
    admin.sql(f"alter database {own_database} set timezone = 'Asia/Kolkata'")
    async with open_app() as client:
        wish = await wish_of(client)
        held = (await client.post(RESERVE, json=wish)).json()
        read_again = (await client.get(f"/api/booking/reservations/{held['reservationId']}")).json()
        assert [read_again[name] for name in ("start", "end")] == [wish["slotStart"], wish["slotEnd"]]
        made = (await client.post(COMMIT, json={"reservationId": held["reservationId"], "guestEmail": "a@b.c"})).json()
        cancelled = await client.post(
            f"/api/booking/appointments/{made['appointmentId']}/cancel",
            json={"cancellationToken": made["cancellationToken"], "idempotencyKey": "k"},
        )
        assert cancelled.json()["start"] == wish["slotStart"]
        listed = (await client.get("/api/public/programs/open-lecture/schedules")).json()["schedules"]
        assert all(s["start"].endswith("Z") for s in listed)
    assert (
        admin.sql("select payload ->> 'start' from outbox_events where payload ->> 'start' not like '%%+00:00'") == []
    )


@pytest.mark.parametrize(
    "start",
    [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "1969-12-31T23:00:00Z",
        "9998-12-31T23:30:00Z",
        "9999-12-31T22:30:00Z",
        "9999-12-31T22:30:00-12:00",
    ],
)
async def test_the_ends_of_time(open_app: Open, database: Database, start: str) -> None:
    """Where a resource is open around the clock, the ends of the calendar are not offered either (A-4)."""

    async def open_for_ever(tx: Transaction) -> UUID:
        room = await put_resource(tx, slug="always", name="Always", kind="room", always_open=True)
        return await put_service(
            tx,
            slug="night",
            name="Night",
            duration_minutes=60,
            requirements=[[room]],
            buffer_before_minutes=600,
            buffer_after_minutes=600,
        )

    async with database.transaction() as tx:
        business_id: UUID = await tx.value("select id from only_business()")
    service = str(await database.run(business_id, open_for_ever))
    end = (
        start.replace("T23:30", "T24:30")
        .replace("T22:30", "T23:30")
        .replace("T00:00", "T01:00")
        .replace("T23:00", "T24:00")
    )
    place = {"serviceId": service, "slotStart": start, "slotEnd": end.replace("1969-12-31T24", "1970-01-01T00")}
    place["slotEnd"] = place["slotEnd"].replace("9998-12-31T24", "9999-01-01T00")
    async with open_app() as client:
        problem(await client.post(RESERVE, json=place), 422, "slot_not_offered")
        problem(await client.get("/api/booking/capacity", params=place), 422, "slot_not_offered")


async def test_servers_share_one_catalog(open_app: Open, database: Database, admin: Clients) -> None:
    """What one server offers after a change, another that has not heard of it takes (A-4)."""
    admin.sql("update services set active = false where slug = 'couple-session'")
    async with AsyncExitStack() as servers:
        first, second = [await servers.enter_async_context(open_app()) for _ in range(2)]
        for client in (first, second):
            problem(await client.get(SLOTS, params={"service_slug": "couple-session"}), 404, "unknown_service")
        admin.sql("update services set active = true where slug = 'couple-session'")
        wish = await wish_of(first)
        assert (await second.post(RESERVE, json=wish)).status_code == 201
        admin.sql("update services set active = false where slug = 'couple-session'")
        problem(await first.post(RESERVE, json=await wish_of(first, "intro-call") | wish), 404, "unknown_service")


async def test_the_express_lane_answers_as_the_framework_does(
    postgres: EmbeddedPostgres, own_database: str, database: Database
) -> None:
    """Requests on the express lane get the framework's answers, header by header, errors included (H-1)."""
    settings = config.Settings(dsn=postgres.uri(database=own_database), master_key=bytes(32))
    app = web.build(settings, postgres.uri(user="holdfast_app", database=own_database))
    lane = web.ExpressLane(app, web.booking_web.express)
    async with app.lifespan(), AsyncExitStack() as opened:
        both = [
            await opened.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://holdfast.test"))
            for transport in (httpx.ASGITransport(app), httpx.ASGITransport(lane))
        ]
        wish = await wish_of(both[0])
        held = (await both[0].post(RESERVE, json={**wish, "idempotencyKey": "the same"})).json()
        again = json.dumps({**wish, "idempotencyKey": "the same"}).encode()
        contact = {"reservationId": held["reservationId"], "guestEmail": "guest@example.org"}
        await both[0].post(COMMIT, json=contact)
        calls: list[tuple[str, str, bytes, int]] = [
            ("POST", RESERVE, again, 200),
            ("POST", RESERVE, b"{}", 400),
            ("POST", RESERVE, b"not JSON", 400),
            ("POST", RESERVE, b'{"serviceId": 7}', 400),
            ("POST", RESERVE, json.dumps({"scheduleId": str(UUID(int=7))}).encode(), 404),
            ("POST", RESERVE, json.dumps(wish).encode(), 409),
            ("POST", RESERVE, b" " * 70_000, 413),
            ("POST", COMMIT, json.dumps(contact).encode(), 200),
            ("POST", COMMIT, json.dumps({**contact, "reservationId": str(UUID(int=7))}).encode(), 404),
            ("POST", "/api/booking/book", json.dumps(wish).encode(), 400),
            ("GET", RESERVE, b"", 405),
            ("POST", RESERVE + "/", b"{}", 400),
            ("GET", "/health", b"", 200),
        ]
        for method, path, body, status in calls:
            plain, express = [await client.request(method, path, content=body) for client in both]
            assert plain.status_code == express.status_code == status, (path, body[:80], express.text)
            assert sorted(plain.headers.items()) == sorted(express.headers.items())
            # What is left of the hold's time may differ by the second between the two.
            assert _without_clock(plain) == _without_clock(express)


def _without_clock(answer: httpx.Response) -> Json:
    return {name: value for name, value in answer.json().items() if name != "remainingSeconds"}
