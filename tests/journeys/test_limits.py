"""Public writes are limited, exactly and by the client's own address; a herd beyond the queue is told at once."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest

from holdfast import web
from holdfast.config import Settings
from holdfast.kernel.embedded import EmbeddedPostgres
from journeys.instance import Instance, copy_of, eventually, holdfast, serving

LIMIT = 20
RESERVE = "/api/booking/reserve"
DEMO = "emotional-balance"


@pytest.fixture(scope="module")
def limited(served_before: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """A server of three processes behind a proxy, with a limit for each client and none for the business."""
    with serving(
        copy_of(served_before, tmp_path_factory.mktemp("limited") / "data"),
        "--workers",
        "3",
        HOLDFAST_PUBLIC_WRITES_PER_MINUTE=str(LIMIT),
        HOLDFAST_BUSINESS_WRITES_PER_MINUTE="0",
        HOLDFAST_TRUSTED_PROXIES="127.0.0.0/8, 10.0.0.0/8",
    ) as instance:
        yield instance


def wish(instance: Instance) -> dict[str, Any]:
    """Return a request for a place in a group that has many."""
    schedules = instance.get("/api/public/programs/open-lecture/schedules?limit=1").json()
    return {"scheduleId": schedules["schedules"][0]["id"]}


def waiting(watcher: psycopg.Connection) -> int:
    """Return how many sessions wait for a lock."""
    row = watcher.execute("select count(*) from pg_stat_activity where wait_event_type = 'Lock'").fetchone()
    assert row is not None
    return int(row[0])


def seen_as(*forwarded_for: str) -> dict[str, str]:
    """Return the header that a proxy adds."""
    return {"X-Forwarded-For": ", ".join(forwarded_for)}


async def send(instance: Instance, times: int, body: dict[str, Any], **more: Any) -> list[httpx.Response]:
    """Send a request so many times at once, each over a connection of its own, so that every process hears some."""

    async def once() -> httpx.Response:
        transport = httpx.AsyncHTTPTransport(local_address=more.get("address"))
        async with httpx.AsyncClient(timeout=60, trust_env=False, transport=transport) as client:
            return await client.post(instance.url + more.get("path", RESERVE), json=body, headers=more.get("headers"))

    return await asyncio.gather(*(once() for _ in range(times)))


async def test_the_limit_is_exact_across_processes(limited: Instance) -> None:
    """Of 150 writes of one client at three processes exactly as many are accepted as are allowed; all others hear 429
    with the rest of the minute, as a problem, and the same number of places is taken (H-1, H-3).
    """
    assert len(limited.web_workers()) == 3
    before = limited.get("/health/booking").json()["active"]
    answers = await send(limited, 150, wish(limited), headers=seen_as("198.51.100.1"))
    assert Counter(answer.status_code for answer in answers) == {201: LIMIT, 429: 150 - LIMIT}
    assert limited.get("/health/booking").json()["active"] == before + LIMIT
    for answer in answers:
        if answer.status_code == 429:
            told = answer.json()
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
            assert told["details"] == {"limit": "client", "retryAfterSeconds": int(answer.headers["Retry-After"])}
            assert (told["status"], told["code"]) == (429, "too_many_requests")


async def test_a_client_is_his_address(limited: Instance) -> None:
    """Behind the proxy each client has a limit of his own, whatever he claims; an IPv6 network is one client (H-3)."""
    body = wish(limited)
    spoofed = [seen_as(f"203.0.113.{n}", "198.51.100.2", "10.0.0.1") for n in range(30)]
    network = [seen_as(f"2001:db8:1:2::{n:x}") for n in range(30)]
    others = [seen_as(f"198.51.100.{n}") for n in range(100, 130)]
    told = []
    for headers in (spoofed, network, others):
        answers = await asyncio.gather(*(send(limited, 1, body, headers=each) for each in headers))
        told.append(Counter(answer.status_code for [answer] in answers))
    assert told == [{201: LIMIT, 429: 10}, {201: LIMIT, 429: 10}, {201: 30}]


async def test_every_write_counts_and_no_read(limited: Instance) -> None:
    """Any call that could change something counts, valid or not, whatever its path; reading is never refused (H-3)."""
    headers = seen_as("198.51.100.3")
    nothing = str(uuid4())
    paths = [RESERVE, "/api/booking/commit", "/api/booking/book", f"/api/booking/appointments/{nothing}/cancel"]
    paths += [f"/{DEMO}/booking/slot/hold", f"/nobody/booking/slot/held/{nothing}"]
    for path in paths:
        [answer] = await send(limited, 1, {"serviceId": nothing}, path=path, headers=headers)
        assert answer.status_code in {400, 404}, path
    rest = await send(limited, LIMIT, {}, headers=headers)
    assert Counter(answer.status_code for answer in rest) == {400: LIMIT - len(paths), 429: len(paths)}
    async with httpx.AsyncClient(base_url=limited.url, headers=headers, trust_env=False) as client:
        assert (await client.patch(f"/api/booking/appointments/{nothing}")).status_code == 429
        assert (await client.delete(f"/api/booking/reservations/{nothing}")).status_code == 429
        page = await client.post(f"/{DEMO}/booking/slot/hold?lang=en")
        assert (page.status_code, page.headers["Content-Type"]) == (429, "text/html; charset=utf-8")
        assert "Retry-After" in page.headers
        assert "too often" in page.text
        for path in ("/health", "/health/ready", "/health/booking", f"/api/public/businesses/{DEMO}", "/schema"):
            assert {(await client.get(path)).status_code for _ in range(3)} == {200}, path


async def test_staff_are_not_the_public(limited: Instance) -> None:
    """Calls with a key or a login of staff are not counted and pass where the public is refused; one that opens nothing
    is worth none (H-3, H-4).
    """
    made = holdfast("key", "create", "--role", "owner", "--name", "Desk", "--data", limited.data_dir)
    address = seen_as("198.51.100.4")
    staff = address | {"Authorization": f"Bearer {made.stdout.strip()}"}
    forged = address | {"Authorization": f"Bearer {made.stdout.strip()[:-1]}-"}
    user = {"email": "desk@example.org", "name": "Desk", "roles": ["assistant"], "password": "correct horse battery"}
    [answer] = await send(limited, 1, user, path="/api/admin/users", headers=staff)
    assert answer.status_code == 201
    elsewhere = seen_as("198.51.100.40")
    [answer] = await send(limited, 1, user, path="/api/public/login", headers=elsewhere)
    login = address | {"Cookie": f"holdfast={answer.cookies['holdfast']}"}
    spoilt = address | {"Cookie": login["Cookie"][:-1]}
    for headers, told in (
        (staff, {400: 30}),
        (login, {400: 30}),
        (forged, {400: LIMIT, 429: 30 - LIMIT}),
        (spoilt, {429: 30}),
        (staff, {400: 30}),
        (login, {400: 30}),
    ):
        answers = await send(limited, 30, {}, headers=headers)
        assert Counter(answer.status_code for answer in answers) == told


async def test_the_layer_leaves_bodies_alone(limited: Instance) -> None:
    """What follows the layer reads the body as it came, in pieces or whole, and refuses what is too long (H-1, H-3)."""

    async def pieces() -> AsyncIterator[bytes]:
        for letter in json.dumps(wish(limited)):
            yield letter.encode()

    async def too_many() -> AsyncIterator[bytes]:
        for _ in range(66):
            yield b" " * 1_000

    async with httpx.AsyncClient(base_url=limited.url, headers=seen_as("198.51.100.5"), trust_env=False) as client:
        assert (await client.post(RESERVE, content=pieces())).status_code == 201
        for content, status in ((b" " * 70_000, 413), (too_many(), 413), (b"\xff", 400), (b"[" * 5_000, 400)):
            assert (await client.post(RESERVE, content=content)).status_code == status


async def test_nobody_is_believed_without_a_proxy(served_before: Path, tmp_path: Path) -> None:
    """Without a trusted proxy the header is ignored; clients of a business share its limit, however they spread (H-3)."""
    places = copy_of(served_before, tmp_path / "data")
    with serving(places, HOLDFAST_PUBLIC_WRITES_PER_MINUTE="4", HOLDFAST_BUSINESS_WRITES_PER_MINUTE="6") as instance:
        body = wish(instance)
        service = instance.get(f"/api/public/businesses/{DEMO}").json()["services"][0]["id"]
        far = (datetime.now(UTC) + timedelta(days=30)).replace(hour=9, minute=0, second=0, microsecond=0)
        series = {"serviceId": service, "starts": [(far + timedelta(minutes=n)).isoformat() for n in range(60)]}
        series["partial"] = True
        [made] = await send(instance, 1, series, path="/api/booking/series", address="127.0.0.3")
        told = []
        for address in ("127.0.0.1", "127.0.0.2"):
            answers = [
                answer
                for n in range(8)
                for answer in await send(instance, 1, body, headers=seen_as(f"198.51.100.{n}"), address=address)
            ]
            told.append(Counter(answer.json().get("details", {}).get("limit", "accepted") for answer in answers))
        assert told == [{"accepted": 4, "client": 4}, {"accepted": 1, "business": 7}]
        path = f"/api/booking/series/{made.json()['seriesId']}/commit"
        [refused] = await send(instance, 1, {}, path=path, address="127.0.0.4")
        assert refused.json()["details"]["limit"] == "business"
        # Nor does it help to name something else, or to write the path in another way.
        item = next(each["reservationId"] for each in made.json()["items"] if "reservationId" in each)
        for n, (path, body) in enumerate(
            [
                ("/api/booking/series", {**series, "scheduleId": str(uuid4())}),
                ("/api/booking/commit", {"reservationId": item, "serviceId": str(uuid4())}),
                ("/api/booking/commit/", {"reservationId": item, "scheduleId": str(uuid4())}),
                (f"//api/booking/reservations/{item}/extend", {"ttlMinutes": 5}),
                ("/api/booking/commit", {"reservationId": item, "businessId": "x", "business": 1, "bookingId": []}),
                ("/api/public/booking/waitlist", {"serviceId": service, "businessId": str(uuid4())}),
                (f"/api/public/booking/waitlist/{item}", {}),
                ("/api/public/consents", {"email": "guest@example.org", "kind": "terms", "documentVersion": "1"}),
                ("/api/public/consents/withdraw", {"business": DEMO, "phone": "+7 999", "kind": "terms"}),
                ("/api/public/questions", {"text": "Why?", "consent": True}),
                ("/api/public/leads", {"business": DEMO, "email": "guest@example.org", "consent": True}),
                ("/api/public/login", {"business": DEMO, "email": "guest@example.org", "password": "a guess"}),
            ]
        ):
            [refused] = await send(instance, 1, body, path=path, address=f"127.0.1.{n}")
            assert refused.json()["details"].get("limit") == "business", path


def test_without_a_limit_there_is_no_layer() -> None:
    """With no limits set, no layer stands before the routes: nothing is spent on finding out that nothing is to be done."""
    settings = Settings(dsn="postgresql://nowhere", public_writes_per_minute=0, business_writes_per_minute=0)
    app = web.build(settings, "postgresql://nowhere")
    assert type(web.layered(app, settings)) is web.ExpressLane
    for limit in ("public_writes_per_minute", "business_writes_per_minute"):
        assert type(web.layered(app, replace(settings, **{limit: 1}))) is web.PublicWrites


async def test_a_full_queue_answers_at_once(served_before: Path, tmp_path: Path) -> None:
    """While nobody is admitted, as many wait as the queue holds, and all others hear 503 with Retry-After at once; health
    answers all the while, and who has waited is served (H-3, B-24).
    """
    with serving(copy_of(served_before, tmp_path / "data"), HOLDFAST_QUEUE_LIMIT="3") as instance:
        body = wish(instance)
        with (
            psycopg.connect(instance.dsn) as blocker,
            psycopg.connect(instance.dsn, autocommit=True) as watcher,
        ):
            blocker.execute("select from program_schedules where id = %s for update", [UUID(body["scheduleId"])])
            async with httpx.AsyncClient(base_url=instance.url, timeout=60, trust_env=False) as client:
                served = []
                for lane in (1, 2):
                    served.append(asyncio.create_task(client.post(RESERVE, json=body)))
                    await asyncio.to_thread(eventually, lambda lane=lane: waiting(watcher) == lane)
                herd = {asyncio.create_task(client.post(RESERVE, json=body)) for _ in range(40)}
                refused: set[asyncio.Task[httpx.Response]] = set()
                while len(refused) < 37:
                    refused |= (await asyncio.wait(herd - refused, return_when=asyncio.FIRST_COMPLETED))[0]
                for path in ("/health", "/health/ready", "/health/booking", "/metrics"):
                    assert (await client.get(path)).status_code == 200, path
                blocker.rollback()
                everybody = [await call for call in (*served, *herd)]
        told = {(call.result().json()["code"], call.result().headers["Retry-After"]) for call in refused}
        assert told == {("overloaded", "1")}
        assert Counter(answer.status_code for answer in everybody) == {201: 5, 503: 37}


async def test_health_answers_while_the_database_is_away(
    postgres: EmbeddedPostgres, own_database: str, tmp_path: Path
) -> None:
    """While no connection to the database can be made, the process says that it lives and is not ready, and calls hear
    503 with Retry-After; when the database is back, all is well without a restart (H-3, K-1).
    """
    dsn = postgres.uri(database=own_database)
    environment = {"HOLDFAST_MASTER_KEY": "11" * 32, "HOLDFAST_DATA_DIR": str(tmp_path)}
    with (
        serving(None, "--dsn", dsn, **environment) as instance,
        psycopg.connect(postgres.uri(database="postgres"), autocommit=True) as admin,
    ):
        admin.execute(f'alter database "{own_database}" allow_connections false'.encode())
        admin.execute(
            "select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = %s", [own_database]
        )
        assert instance.get("/health").status_code == 200
        assert instance.get("/metrics").status_code == 200
        ready = instance.get("/health/ready")
        assert (ready.status_code, ready.json()["code"]) == (503, "not_ready")
        for answer in (
            instance.get(f"/api/public/businesses/{DEMO}"),
            *await send(instance, 3, {"serviceId": str(uuid4())}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
            assert answer.headers["Retry-After"] == "1"
        admin.execute(f'alter database "{own_database}" allow_connections true'.encode())
        eventually(instance.answers)
