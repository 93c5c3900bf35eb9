"""What providers tell: proven, written down before it is answered, once for each fact, and for nobody else."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_network
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from booking.opened import Practice, open_practice
from booking.served import problem
from conftest import MASTER_KEY
from holdfast import config, web
from holdfast.kernel.database import Database
from holdfast.kernel.embedded import SUPERUSER, EmbeddedPostgres
from holdfast.payments import webhooks
from payments.telling import (
    YOOKASSA,
    Edge,
    add_account,
    events,
    heard_from,
    intent_event,
    opened,
    payment_event,
    set_secrets,
    signature,
    yookassa_id,
)

pytestmark = pytest.mark.usefixtures("nothing_waits")

SECRET, OLDER = "whsec_quokka_unforgettable", "whsec_quokka_of_yesterday"
NOWHERE = "a-business-that-is-not-there"


@pytest_asyncio.fixture
async def practice(app_uri: str) -> AsyncIterator[Practice]:
    """A business with an account at both providers, of which Stripe is known by two secrets."""
    async with open_practice(app_uri) as made:
        await add_account(made.desk.database, made.business_id, "yookassa")
        await add_account(made.desk.database, made.business_id, "stripe", [SECRET, OLDER], active=False)
        yield made


@pytest_asyncio.fixture
async def edge(app_uri: str, admin_uri: str) -> AsyncIterator[Edge]:
    """The application, called from an address of YooKassa."""
    async with opened(app_uri, admin_uri) as made:
        yield made


async def test_stripe_is_known_by_its_signature_over_the_raw_body(
    edge: Edge, practice: Practice, database: Database
) -> None:
    """Signed with any secret of the account it is kept; altered by a blank, unsigned, of 301 s ago or ahead, or signed by
    another it is 400 and nothing is kept (P-2, payments 1).
    """
    body, id_ = intent_event("pi_raw"), practice.business_id
    now = time.time()
    refused = [
        (body, None),
        (body, signature(body, "whsec_of_somebody_else")),
        (body, signature(body, SECRET).replace("v1=", "v0=")),
        (body, signature(body, SECRET, now - 301)),
        (body, signature(body, SECRET, now + 302)),
        (body.replace(b'"id"', b' "id"', 1), signature(body, SECRET)),
        (json.dumps(json.loads(body), separators=(",", ":")).encode(), signature(body, SECRET)),
    ]
    for sent, signed in refused:
        problem(await edge.stripe(id_, sent, signed), 400, "invalid_signature")
    assert await events(database, id_) == []
    for number, secret in enumerate((SECRET, OLDER)):
        other = intent_event(f"pi_{number}")
        both = signature(other, "whsec_of_somebody_else") + "," + signature(other, secret).split(",")[1]
        for signed in (signature(other, secret), both):
            answer = await edge.stripe(id_, other, signed)
            assert (answer.status_code, answer.json()) == (200, {"status": "heard"})
    assert [row["object_id"] for row in await events(database, id_)] == ["pi_0", "pi_1"]


async def test_a_secret_that_is_taken_back_proves_nothing_within_seconds(
    edge: Edge, practice: Practice, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process reads the secrets anew after five seconds: a new one is taken, an old one is not any more (payments 1)."""
    clock = time.monotonic()
    monkeypatch.setattr(webhooks.time, "monotonic", lambda: clock)
    account = await add_account(database, practice.business_id, "stripe", ["whsec_first_wombat"], active=False)
    first, second = intent_event("pi_first"), intent_event("pi_second")
    assert (await edge.stripe(practice.business_id, first, signature(first, "whsec_first_wombat"))).status_code == 200
    await set_secrets(database, practice.business_id, account, ["whsec_next_wombat"])
    clock += 5.1
    problem(
        await edge.stripe(practice.business_id, second, signature(second, "whsec_first_wombat")),
        400,
        "invalid_signature",
    )
    assert (await edge.stripe(practice.business_id, second, signature(second, "whsec_next_wombat"))).status_code == 200


async def test_what_is_nothing_to_us_is_heard_and_not_kept(edge: Edge, practice: Practice, database: Database) -> None:
    """An event of Stripe that we do not listen for is answered with 200, so that it is not told for three days (P-2)."""
    body = intent_event("cus_1", kind="customer.created")
    assert (await edge.stripe(practice.business_id, body, signature(body, SECRET))).status_code == 200
    assert await events(database, practice.business_id) == []


@pytest.mark.parametrize(
    ("peer", "forwarded", "status"),
    [
        (YOOKASSA, None, 200),
        ("2a02:5180:0:1509::1", None, 200),
        ("2a02:5181::1", None, 403),
        ("203.0.113.7", None, 403),
        # His own tale.
        ("203.0.113.7", YOOKASSA, 403),
        (YOOKASSA, "203.0.113.7", 200),
        # Behind a proxy that is trusted only what that says counts.
        ("10.9.8.7", YOOKASSA, 200),
        ("10.9.8.7", f"203.0.113.7, {YOOKASSA}", 200),
        ("10.9.8.7", f"{YOOKASSA}, 203.0.113.7", 403),
        ("10.9.8.7", None, 403),
    ],
)
async def test_yookassa_is_known_by_where_it_tells_from(
    app_uri: str, admin_uri: str, practice: Practice, database: Database, peer: str, forwarded: str | None, status: int
) -> None:
    """Only from its addresses, behind a trusted proxy only by the address that this has heard from; else 403, and
    nothing is kept (P-2, payments 2).
    """
    proxies = {"trusted_proxies": (ip_network("10.9.8.0/24"),)}
    async with opened(app_uri, admin_uri, peer=peer, **proxies) as edge:
        headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
        answer = await edge.yookassa(practice.business_id, payment_event(yookassa_id()), **headers)
    assert answer.status_code == status
    if status == 403:
        problem(answer, 403, "not_the_provider")
    assert len(await events(database, practice.business_id)) == (status == 200)


async def test_where_yookassa_tells_from_is_a_setting(app_uri: str, admin_uri: str, practice: Practice) -> None:
    """A counterpart at another address can stand in, and then nobody else is heard (P-2, payments 2)."""
    heard = {"payments": heard_from(ip_network("203.0.113.0/24"))}
    async with opened(app_uri, admin_uri, peer="203.0.113.7", **heard) as edge:
        assert (await edge.yookassa(practice.business_id, payment_event(yookassa_id()))).status_code == 200
    async with opened(app_uri, admin_uri, **heard) as edge:
        problem(await edge.yookassa(practice.business_id, payment_event(yookassa_id())), 403, "not_the_provider")


async def test_who_takes_no_money_by_a_provider_is_not_there_for_it(
    edge: Edge, app_uri: str, practice: Practice, database: Database
) -> None:
    """A business that is not there and one without an account get the same 404, by slug and by id (P-2, H-4)."""
    async with open_practice(app_uri) as poor:
        answers = []
        for name in (poor.business_id, uuid4(), NOWHERE, "x" * 300, "%00", "ы"):
            answers.append(await edge.yookassa(name, payment_event(yookassa_id())))
            body = intent_event("pi_1")
            answers.append(await edge.stripe(name, body, signature(body, SECRET)))
        assert [problem(answer, 404, "not_found") for answer in answers] == [answers[0].json()] * 12
        assert await events(database, poor.business_id) == []
    async with database.transaction(practice.business_id) as tx:
        slug = await tx.value("select slug from businesses where id = %s", [practice.business_id])
    assert (await edge.yookassa(slug, payment_event(yookassa_id()))).status_code == 200
    assert len(await events(database, practice.business_id)) == 1


async def test_one_event_a_hundred_times_at_once_is_one_entry(
    edge: Edge, practice: Practice, database: Database
) -> None:
    """Each is answered with 200, and it is written down once, its body sealed (P-2, P-7, payments 3)."""
    object_id = yookassa_id()
    told = payment_event(object_id, card={"last4": "wombat-4242"})
    answers = await asyncio.gather(*(edge.yookassa(practice.business_id, told) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {200}
    [kept] = await events(database, practice.business_id)
    assert (kept["object_id"], kept["type"], kept["times_heard"]) == (object_id, "payment.succeeded", 1)
    assert b"wombat" not in bytes(kept["body"])
    keys = await database.keys(practice.business_id)
    assert json.loads(keys.open("webhook_events.body", kept["id"], bytes(kept["body"]))) == told


async def test_two_events_of_one_fact_are_one_entry(edge: Edge, practice: Practice, database: Database) -> None:
    """Told under a hundred ids at once it is one entry with the last body; told anew it is to be acted upon again
    (P-7, payments 3).
    """
    told = [intent_event("pi_fact", event_id=f"evt_platypus_{number}") for number in range(100)]
    answers = await asyncio.gather(
        *(edge.stripe(practice.business_id, body, signature(body, SECRET)) for body in told * 2)
    )
    assert {answer.status_code for answer in answers} == {200}
    [kept] = await events(database, practice.business_id)
    keys = await database.keys(practice.business_id)
    assert keys.open("webhook_events.body", kept["id"], bytes(kept["body"])).encode() in told
    assert kept["times_heard"] >= 100
    await processed(database, practice, "0 seconds")
    assert (await edge.stripe(practice.business_id, told[0], signature(told[0], SECRET))).status_code == 200
    [again] = await events(database, practice.business_id)
    assert (again["id"], again["processed_at"]) == (kept["id"], None)


async def test_an_event_that_was_seen_to_is_seen_to_again_only_later(
    edge: Edge, practice: Practice, database: Database
) -> None:
    """Told twice it is one effect; told again after ten seconds it is looked at anew, so that one that was told before its
    time keeps no true one away (payments 2, payments 3).
    """
    told = payment_event(yookassa_id())
    assert (await edge.yookassa(practice.business_id, told)).status_code == 200
    for ago, is_due in (("9 seconds", False), ("11 seconds", True)):
        await processed(database, practice, ago)
        assert (await edge.yookassa(practice.business_id, told)).status_code == 200
        [kept] = await events(database, practice.business_id)
        assert (kept["processed_at"] is None, kept["times_heard"]) == (is_due, 1)


async def processed(database: Database, practice: Practice, ago: str) -> None:
    """Tick off what a business was told, some time ago."""
    async with database.transaction(practice.business_id) as tx:
        await tx.run(
            "update webhook_events set processed_at = clock_timestamp() - %s::interval, outcome = 'looked_at'", [ago]
        )


async def test_an_id_of_an_event_that_is_of_another_fact_is_heard_and_left(
    edge: Edge, practice: Practice, database: Database
) -> None:
    """One id of an event stands for one fact; told with another it changes nothing, alone and in one batch (P-7)."""
    first, other = (intent_event(name, event_id="evt_echidna") for name in ("pi_1", "pi_2"))
    for told in ((first,), (other,), (first, other, other)):
        answers = await asyncio.gather(
            *(edge.stripe(practice.business_id, body, signature(body, SECRET)) for body in told)
        )
        assert {answer.status_code for answer in answers} == {200}
    assert [row["object_id"] for row in await events(database, practice.business_id)] == ["pi_1"]


async def test_what_one_business_is_told_is_nothing_to_another(
    edge: Edge, app_uri: str, practice: Practice, database: Database
) -> None:
    """Two businesses told of objects with one id, in one batch, have an entry each, and each opens with its own key
    (D-9, P-7).
    """
    async with open_practice(app_uri) as other:
        await add_account(database, other.business_id, "yookassa")
        told = payment_event("2d000000-000f-5000-8000-100000000000")
        both = [practice.business_id, other.business_id]
        answers = await asyncio.gather(*(edge.yookassa(id_, told) for _ in range(10) for id_ in both))
        assert {answer.status_code for answer in answers} == {200}
        kept = [(await events(database, id_)) for id_ in both]
        assert [len(rows) for rows in kept] == [1, 1]
        assert kept[0][0]["id"] != kept[1][0]["id"]
        for id_, [row] in zip(both, kept, strict=True):
            assert (
                json.loads((await database.keys(id_)).open("webhook_events.body", row["id"], bytes(row["body"])))
                == told
            )
        body = intent_event("pi_theirs")
        problem(await edge.stripe(other.business_id, body, signature(body, SECRET)), 404, "not_found")


async def test_it_is_written_down_before_it_is_answered(
    app_uri: str, admin_uri: str, practice: Practice, database: Database, edge: Edge
) -> None:
    """While it cannot be committed there is no answer; when the connection breaks twice it is 503 and not kept; told again
    it is (P-2, payments 6).
    """
    told = payment_event(yookassa_id())
    async with nothing_is_kept(admin_uri) as wait:
        call = asyncio.create_task(edge.yookassa(practice.business_id, told))
        for _ in range(2):
            await wait(and_kill=True)
        problem(await call, 503, "outcome_unknown")
        call = asyncio.create_task(edge.yookassa(practice.business_id, told))
        await wait()
        assert not call.done()
    assert (await call).status_code == 200
    assert len(await events(database, practice.business_id)) == 1


@asynccontextmanager
async def nothing_is_kept(admin_uri: str) -> AsyncIterator[Callable[..., Awaitable[None]]]:
    """Let nothing be written down for the time of the block; lend what waits until something would be.

    It can break the connection on which it would be.
    """
    connect = psycopg.AsyncConnection.connect
    async with await connect(admin_uri) as lock, await connect(admin_uri, autocommit=True) as watcher:
        await lock.execute("lock table webhook_events in exclusive mode")

        async def wait(*, and_kill: bool = False) -> None:
            found = None
            while found is None:
                cursor = await watcher.execute(
                    "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
                    " and query like '%hear_events%' and pid <> pg_backend_pid()"
                )
                found = await cursor.fetchone()
            if and_kill:
                await watcher.execute("select pg_terminate_backend(%s, 5000)", [found[0]])

        yield wait


async def test_without_a_database_it_is_told_again(postgres: EmbeddedPostgres, own_database: str) -> None:
    """While the database is away each is 503 with when to come back, and no body of an error tells of it (P-2)."""
    uri, admin_uri = postgres.uri(user="holdfast_app", database=own_database), postgres.uri(database=own_database)
    async with open_practice(uri) as practice, opened(uri, admin_uri) as edge:
        await add_account(practice.desk.database, practice.business_id, "yookassa")
        told = payment_event(yookassa_id())
        assert (await edge.yookassa(practice.business_id, told)).status_code == 200
        with psycopg.connect(postgres.uri(database="postgres"), autocommit=True) as admin:
            admin.execute(f'alter database "{own_database}" allow_connections false'.encode())
            try:
                admin.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [own_database]
                )
                answer = await edge.yookassa(practice.business_id, payment_event(yookassa_id()))
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            finally:
                admin.execute(f'alter database "{own_database}" allow_connections true'.encode())
        assert (await edge.yookassa(practice.business_id, told)).status_code == 200
        assert len(await events(practice.desk.database, practice.business_id)) == 1


async def test_who_finds_the_queue_full_tells_it_again(
    edge: Edge, admin_uri: str, practice: Practice, database: Database
) -> None:
    """Beyond what can wait each is 503 at once, and none that was answered with 200 is missing (P-2)."""
    edge.app.state.webhooks.inbox.queue_limit = 5
    ids = [yookassa_id() for _ in range(40)]
    async with nothing_is_kept(admin_uri) as wait:
        first = asyncio.create_task(edge.yookassa(practice.business_id, payment_event(ids[0])))
        await wait()
        calls = [asyncio.create_task(edge.yookassa(practice.business_id, payment_event(id_))) for id_ in ids[1:]]
        refused, pending = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        while len(pending) > 5:
            more, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            refused |= more
        for call in refused:
            problem(call.result(), 503, "overloaded")
    taken = [first, *pending]
    assert {(await call).status_code for call in taken} == {200}
    kept = {row["object_id"] for row in await events(database, practice.business_id)}
    assert kept == {id_ for id_, call in zip(ids, [first, *calls], strict=True) if call in taken}


async def test_providers_are_not_counted_as_clients(app_uri: str, admin_uri: str, practice: Practice) -> None:
    """Where clients may write once a minute, a provider tells as often as it has something to tell (H-3, payments 6)."""
    limits = {"public_writes_per_minute": 1, "business_writes_per_minute": 1}
    async with opened(app_uri, admin_uri, **limits) as edge:
        for _ in range(10):
            assert (await edge.yookassa(practice.business_id, payment_event(yookassa_id()))).status_code == 200
            body = intent_event("pi_1")
            assert (await edge.stripe(practice.business_id, body, signature(body, SECRET))).status_code == 200


async def test_the_lane_answers_providers_as_the_framework_does(
    app_uri: str, admin_uri: str, practice: Practice
) -> None:
    """The same call gets the same answer both ways, header by header, and is counted under the declared path (H-1)."""
    body = intent_event("pi_both")
    calls: list[tuple[str, bytes, dict[str, str], int]] = [
        (f"stripe/{practice.business_id}", body, {"Stripe-Signature": signature(body, SECRET)}, 200),
        (f"stripe/{practice.business_id}", body, {}, 400),
        (f"stripe/{NOWHERE}", body, {}, 404),
        ("stripe/", body, {}, 404),
        ("stripe/a/b", body, {}, 404),
        (f"stripe/{practice.business_id}", b"x" * 70_000, {}, 413),
        (f"yookassa/{practice.business_id}", json.dumps(payment_event(yookassa_id())).encode(), {}, 200),
        (f"yookassa/{practice.business_id}", b"{}", {}, 400),
        (f"yookassa/{practice.business_id}", b"{}", {"X-Forwarded-For": "203.0.113.7"}, 403),
        (f"yookassa/{NOWHERE}", b"{}", {}, 404),
    ]
    async with opened(app_uri, admin_uri, trusted_proxies=(ip_network(f"{YOOKASSA}/32"),)) as lane:
        for path, content, more, status in calls:
            headers = {"X-Forwarded-For": YOOKASSA} | more
            express = await lane.client.post(f"/api/webhooks/{path}", content=content, headers=headers)
            # What is at the end of a path with another slash is the framework's.
            plain = await lane.client.post(f"/api/webhooks/{path}/", content=content, headers=headers)
            assert plain.status_code == express.status_code == status, (path, express.text)
            assert sorted(plain.headers.items()) == sorted(express.headers.items())
            assert plain.content == express.content


words = st.sampled_from(
    ["notification", "payment.succeeded", "refund.succeeded", yookassa_id(), "evt_1", "", "\0", "ы"]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
members = st.fixed_dictionaries(
    {},
    optional={
        "type": words | anything,
        "event": words | anything,
        "id": words | anything,
        "object": st.fixed_dictionaries({}, optional={"id": words | anything, "payment_id": words | anything})
        | anything,
        "data": st.fixed_dictionaries({}, optional={"object": anything}) | anything,
    },
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=300) | members.map(lambda told: json.dumps(told).encode()),
    name=st.sampled_from(["", NOWHERE, "..", "%2e%2e", "a b", "\\"]) | st.none(),
    odd=st.text("tv10=,abcdef", max_size=30) | st.none(),
)
async def test_whatever_is_told_is_answered(
    edge: Edge, practice: Practice, body: bytes, name: str | None, odd: str | None
) -> None:
    """Any body, name and signature gets 200 or a problem, and never an error of ours (H-1, payments 2)."""
    business = practice.business_id if name is None else name
    answers = [
        await edge.yookassa(business, body),
        await edge.stripe(business, body, signature(body, SECRET) if odd is None else odd),
    ]
    for answer in answers:
        assert answer.status_code in {200, 400, 404, 405}, answer.text
        if answer.status_code != 200:
            assert answer.json()["code"], "it is a problem"


async def test_logs_tell_nothing_of_what_was_told(
    app_uri: str, admin_uri: str, practice: Practice, capsys: pytest.CaptureFixture[str]
) -> None:
    """No log has a body, a signature, a secret, the address of who told or what looks like a card; at the level of
    debugging, with the line of each request, and when something breaks (P-2, D-5, payments 20).
    """
    from holdfast import logs  # noqa: PLC0415

    marks = ["5555-numbat-4444", "zygomaturus@heart-of-gold.example", "203.0.113.77", SECRET, "v1=", "185.71.76.9"]
    event = payment_event(yookassa_id(), card=marks[0], email=marks[1])
    before = structlog.get_config()
    logs.configure("debug", process="web")
    try:
        settings_ = config.Settings(
            dsn=admin_uri, master_key=MASTER_KEY, log_level="debug", access_log=True, trusted_proxies=()
        )
        async with opened(app_uri, admin_uri) as edge:
            watched = replace(edge)
            assert watched.app is edge.app
            observed = web.watched(web.layered(edge.app, settings_), settings_)
            import httpx  # noqa: PLC0415

            transport = httpx.ASGITransport(observed, client=(YOOKASSA, 1))  # type: ignore[arg-type]
            async with httpx.AsyncClient(transport=transport, base_url="http://holdfast.test") as client:
                told = Edge(edge.app, client)
                body = json.dumps({**json.loads(intent_event("pi_log")), "note": marks[:2]}).encode()
                signed = signature(body, SECRET)
                marks.append(signed.partition("v1=")[2])
                assert (await told.yookassa(practice.business_id, event)).status_code == 200
                assert (await told.stripe(practice.business_id, body, signed)).status_code == 200
                assert (await told.stripe(practice.business_id, body + b" ", signed)).status_code == 400
                assert (await told.yookassa(practice.business_id, json.dumps(event).encode()[:-1])).status_code == 400
                async with nothing_is_kept(admin_uri) as wait:
                    call = asyncio.create_task(told.stripe(practice.business_id, body, signed))
                    for _ in range(2):
                        await wait(and_kill=True)
                    assert (await call).status_code == 503
    finally:
        structlog.configure(**before)
    said = capsys.readouterr().err
    assert "turnstile_outcome_unknown" in said
    assert "/api/webhooks/stripe/{business}" in said
    assert [mark for mark in marks if mark in said] == []
    assert SUPERUSER not in marks
