"""Counting public writes: exact for all processes together, and forgotten when the minute is over."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio

from holdfast.identity.write_limits import WriteLimits, forget
from holdfast.kernel.database import Database
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.errors import TooManyRequests

KEY = bytes(range(32))
ACCEPTED = "accepted"


@pytest_asyncio.fixture
async def servers(app_uri: str) -> AsyncIterator[list[Database]]:
    """The pools of three servers."""
    async with AsyncExitStack() as stack:
        pools = [Database(app_uri, max_connections=5) for _ in range(3)]
        for pool in pools:
            await pool.open()
            stack.push_async_callback(pool.close)
        yield pools


def limits(server: Database, per_client: int = 0, per_business: int = 0) -> WriteLimits:
    """Return the limits as a server that has just started has them."""
    return WriteLimits(server, KEY, per_client=per_client, per_business=per_business)


async def write(by: WriteLimits, client: str, business_id: UUID | None = None) -> str:
    """Write once; return what has become of it."""
    try:
        by.refuse_known(client)
        await by.count(client, business_id)
    except TooManyRequests as refusal:
        return str(refusal.details["limit"])
    return ACCEPTED


async def passes(database: Database, seconds: float) -> None:
    """Let time pass for every count, without waiting."""
    async with database.transaction() as tx:
        await tx.run("update write_counts set began_at = began_at - make_interval(secs => %s)", [seconds])


async def test_the_limit_is_exact_across_servers(servers: list[Database]) -> None:
    """Of any number of writes at once, through several servers, exactly as many pass as a client may have (H-3)."""
    clients = [f"client {uuid4()}" for _ in range(3)]
    every = [limits(server, per_client=37) for server in servers]
    asked = [(by, client) for _ in range(40) for by in every for client in clients]
    told = await asyncio.gather(*(write(by, client) for by, client in asked))
    for client in clients:
        answers = Counter(answer for answer, (_, who) in zip(told, asked, strict=True) if who == client)
        assert answers == {ACCEPTED: 37, "client": 120 - 37}


async def test_all_clients_of_a_business_share_a_limit(servers: list[Database]) -> None:
    """Clients of one business together pass as often as it allows, and those of another are not concerned (H-3)."""
    every = [limits(server, per_client=10, per_business=50) for server in servers]
    crowded, calm = uuid4(), uuid4()
    crowd = [write(by, f"{crowded} {n}", crowded) for n in range(30) for by in every]
    others = [write(by, f"{calm} {n}", calm) for n in range(10) for by in every]
    told = await asyncio.gather(*crowd, *others)
    assert Counter(told[:90]) == {ACCEPTED: 50, "business": 40}
    assert Counter(told[90:]) == {ACCEPTED: 30}


async def test_who_is_refused_takes_nothing_from_others(servers: list[Database]) -> None:
    """A client beyond his limit is not counted for the business, so he alone cannot keep others away from it (H-3)."""
    by, business = limits(servers[0], per_client=3, per_business=5), uuid4()
    # Through a server that does not remember the refusal, too.
    told = [
        await write(each, f"{business} flood", business) for _ in range(20) for each in (by, limits(servers[1], 3, 5))
    ]
    assert Counter(told) == {ACCEPTED: 3, "client": 37}
    assert [await write(by, f"{business} {n}", business) for n in range(3)] == [ACCEPTED, ACCEPTED, "business"]


@pytest.mark.parametrize(("passed", "wait"), [(0.0, 60), (20.5, 40), (58.5, 2)])
async def test_the_refusal_says_when_to_come_back(servers: list[Database], passed: float, wait: int) -> None:
    """Retry-After is the rest of the minute that began with the client's first write, in whole seconds (H-3)."""
    client = f"client {uuid4()}"
    assert await write(limits(servers[0], 1), client) == ACCEPTED
    await passes(servers[0], passed)
    by = limits(servers[0], 1)
    with pytest.raises(TooManyRequests) as first:
        await by.count(client, None)
    with pytest.raises(TooManyRequests) as remembered:
        by.refuse_known(client)
    for refusal in (first.value, remembered.value):
        # A second may begin while the statements run.
        assert refusal.retry_after_seconds in {wait, max(wait - 1, 1)}
        assert refusal.headers == {"Retry-After": str(refusal.retry_after_seconds)}
        assert (refusal.status, refusal.code) == (429, "too_many_requests")


async def test_a_new_minute_begins_with_nothing(servers: list[Database]) -> None:
    """When the minute is over, the client may write again, and as often as before; refusals did not prolong it (H-3)."""
    client = f"client {uuid4()}"
    for _ in range(2):
        told = [await write(limits(servers[0], 3), client) for _ in range(6)]
        assert told == [ACCEPTED] * 3 + ["client"] * 3
        await passes(servers[0], 59)
        assert await write(limits(servers[0], 3), client) == "client"
        await passes(servers[0], 2)


async def test_no_limit_counts_nobody(servers: list[Database]) -> None:
    """A limit of 0 is none: nobody is refused and nobody is written down (H-3)."""
    by, business = limits(servers[0]), uuid4()
    async with servers[0].transaction() as tx:
        before = await tx.value("select count(*) from write_counts")
        assert {await write(by, "somebody", business) for _ in range(100)} == {ACCEPTED}
        assert await tx.value("select count(*) from write_counts") == before


async def test_no_address_is_stored(postgres: EmbeddedPostgres, own_database: str) -> None:
    """What is stored of a client is a hash under a key of the server: no address, and another one under another key (H-3)."""
    database = Database(postgres.uri(user="holdfast_app", database=own_database))
    await database.open()
    try:
        for key in (KEY, bytes(32)):
            await WriteLimits(database, key, per_client=5, per_business=5).count("203.0.113.9", uuid4())
        async with database.transaction() as tx:
            rows = await tx.rows("select subject, t::text as told from write_counts t")
    finally:
        await database.close()
    assert len({bytes(row["subject"]) for row in rows}) == 4
    assert {len(row["subject"]) for row in rows} == {16}
    assert not any("203.0" in row["told"] or b"203.0.113.9".hex() in row["told"] for row in rows)


async def test_minutes_that_are_over_are_forgotten(servers: list[Database], admin_uri: str) -> None:
    """The worker forgets minutes that are over and no others, and waits for nobody who is writing (H-3)."""
    server = servers[0]
    await limits(server, 5).count(f"past {uuid4()}", None)
    await limits(server, 5).count(f"busy {uuid4()}", None)
    await passes(server, 61)
    present = f"present {uuid4()}"
    await limits(server, 5).count(present, None)
    with psycopg.connect(admin_uri) as writer:
        over = "select subject from write_counts where began_at <= clock_timestamp() - interval '1 minute'"
        busy = writer.execute(f"{over} limit 1 for update").fetchone()
        async with server.transaction() as tx:
            await forget(tx)
        async with server.transaction() as tx:
            assert [(bytes(row["subject"]),) for row in await tx.rows(over)] == [busy]
    async with server.transaction() as tx:
        assert await forget(tx) == 1
    told = [await write(limits(server, 2), present) for _ in range(2)]
    assert told == [ACCEPTED, "client"]
