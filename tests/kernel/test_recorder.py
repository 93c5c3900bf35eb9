"""The recorder of events: nothing lost that can be written, nothing written twice, nobody kept waiting (D-6)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio

from holdfast.availability.walltime import zones
from holdfast.booking import tracked
from holdfast.identity import businesses
from holdfast.kernel import recorder
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.errors import TryLater
from holdfast.kernel.recorder import EVENTS, LOST, Recorder
from holdfast.kernel.tracking import EventRefused

VIEWED = tracked.SLOTS_VIEWED


async def new_tenant(database: Database) -> UUID:
    """Return a new business."""
    async with database.transaction() as tx:
        slug = f"e-{uuid4().hex[:12]}"
        return (await businesses.put(tx, slug=slug, name="Test", timezone="UTC", currency="EUR")).id


@pytest_asyncio.fixture
async def tenant(database: Database) -> UUID:
    """A business of its own."""
    return await new_tenant(database)


async def written(database: Database, tenant: UUID) -> dict[str, int]:
    """Return how often each zone was looked at in, as the database knows."""
    async with database.transaction(tenant) as tx:
        found = await tx.rows(
            "select properties ->> 'timezone' as zone, sum(times)::int from analytics_events group by 1"
        )
    return {row["zone"]: row["sum"] for row in found}


def losses(before: dict[tuple[str, ...], float]) -> dict[str, float]:
    """Return how many events were lost since."""
    return {labels[0]: n - before.get(labels, 0) for labels, n in LOST.values.items() if n != before.get(labels, 0)}


class Away(Database):
    """A database that cannot be reached, or whose answer to a write is lost, as long as that is said."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn, min_connections=1, max_connections=1)
        self.away = False
        self.answers_lost = False

    @asynccontextmanager
    async def reading(self, business_id: UUID | None = None) -> AsyncIterator[Transaction]:
        """Lend a connection unless the database is away."""
        if self.away:
            raise TryLater
        async with super().reading(business_id) as tx:
            yield tx
        if self.answers_lost:
            raise psycopg.OperationalError("the connection was lost")


@pytest_asyncio.fixture
async def away(app_uri: str) -> AsyncIterator[Away]:
    """A database that can be made to be away."""
    opened = Away(app_uri)
    await opened.open()
    yield opened
    await opened.close()


async def test_what_is_the_same_is_one_row(database: Database, tenant: UUID) -> None:
    """A thousand equal events of a second are one row that says so, each other one its own; tenants stay apart."""
    events, other = Recorder(database), await new_tenant(database)
    for _ in range(1_000):
        events.add(tenant, VIEWED, timezone="Europe/Moscow")
    events.add(tenant, VIEWED, timezone="UTC")
    events.add(other, VIEWED, timezone="UTC")
    await events.flush()
    assert await written(database, tenant) == {"Europe/Moscow": 1_000, "UTC": 1}
    assert await written(database, other) == {"UTC": 1}
    await events.flush()
    assert await written(database, tenant) == {"Europe/Moscow": 1_000, "UTC": 1}


async def test_what_is_not_declared_is_lost_alone(
    database: Database, tenant: UUID, capsys: pytest.CaptureFixture[str]
) -> None:
    """An undeclared event or property and words of people are counted as lost, told to nobody, and stop no other (D-6)."""
    before, events = dict(LOST.values), Recorder(database)
    events.add(tenant, "guest@example.org")
    events.add(tenant, VIEWED, words="I cannot sleep")
    events.add(tenant, VIEWED, timezone="guest@example.org")
    events.add(tenant, VIEWED, service_slug="no-service-of-theirs")
    events.add(uuid4(), VIEWED, timezone="UTC")
    events.add(tenant, VIEWED, timezone="UTC")
    await events.flush()
    assert await written(database, tenant) == {"UTC": 1}
    assert losses(before) == {"refused": 5}
    shown = capsys.readouterr()
    assert "event_refused" in shown.out + shown.err
    assert "guest" not in shown.out + shown.err
    assert "sleep" not in shown.out + shown.err


async def test_the_buffer_is_bounded(database: Database, tenant: UUID) -> None:
    """Beyond its limit different events are counted as lost, equal ones still are counted in (D-6)."""
    before, events = dict(LOST.values), Recorder(database, limit=2)
    for zone in ("UTC", "Europe/Moscow", "Europe/Berlin", "UTC"):
        events.add(tenant, VIEWED, timezone=zone)
    await events.flush()
    assert await written(database, tenant) == {"UTC": 2, "Europe/Moscow": 1}
    assert losses(before) == {"full": 1}


async def test_nothing_is_lost_while_the_database_is_away(away: Away, database: Database, tenant: UUID) -> None:
    """What cannot be written waits and is written when the database is back, within the limit of the buffer (D-6)."""
    before, events = dict(LOST.values), Recorder(away, limit=2)
    away.away = True
    for zone in ("UTC", "Europe/Moscow", "Europe/Berlin"):
        events.add(tenant, VIEWED, timezone=zone)
        with pytest.raises(TryLater):
            await events.flush()
    away.away = False
    await events.flush()
    assert await written(database, tenant) == {"UTC": 1, "Europe/Moscow": 1}
    assert losses(before) == {"full": 1}


async def test_a_lost_answer_writes_nothing_twice(away: Away, database: Database, tenant: UUID) -> None:
    """A batch whose fate is unknown is written again with the same ids, and counts once (D-6)."""
    before, events = dict(LOST.values), Recorder(away)
    away.answers_lost = True
    events.add(tenant, VIEWED, timezone="UTC")
    with pytest.raises(psycopg.OperationalError):
        await events.flush()
    away.answers_lost = False
    await events.flush()
    assert await written(database, tenant) == {"UTC": 1}
    assert losses(before) == {}


async def test_what_the_database_refuses_is_not_asked_for_ever(
    database: Database, tenant: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that only the database refuses is counted as lost with its batch, and the next ones are written (D-6)."""
    before, events = dict(LOST.values), Recorder(database)
    with monkeypatch.context() as patched:
        patched.setattr(EVENTS, "check", lambda _name, properties: properties)
        events.add(tenant, VIEWED, timezone="guest@example.org")
        await events.flush()
    events.add(tenant, VIEWED, timezone="UTC")
    await events.flush()
    assert await written(database, tenant) == {"UTC": 1}
    assert losses(before) == {"refused": 1}


async def test_the_last_second_is_written_at_the_end(database: Database, tenant: UUID) -> None:
    """What happened just before the end of a process is written before it ends, however many batches that takes."""
    events = Recorder(database)
    # More than one batch takes.
    several = [name for name in zones() if name != "Factory"][: recorder._BATCH + 50]
    assert len(several) > recorder._BATCH
    async with events.kept():
        for zone in several:
            events.add(tenant, VIEWED, timezone=zone)
    assert await written(database, tenant) == dict.fromkeys(several, 1)


class Watched(Recorder):
    """A recorder that says when it has tried to write."""

    tries = 0
    tried = asyncio.Event()

    async def flush(self) -> None:
        """Write, after one try that fails."""
        self.tries += 1
        if self.tries == 1:
            raise TryLater
        await super().flush()
        self.tried.set()


async def test_it_writes_by_itself(database: Database, tenant: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recorder that is kept writes without being asked, and goes on after it could not."""
    monkeypatch.setattr(recorder, "_EVERY_SECONDS", 0.01)
    events = Watched(database)
    events.add(tenant, VIEWED, timezone="UTC")
    async with events.kept(), asyncio.timeout(30):
        await events.tried.wait()
        assert await written(database, tenant) == {"UTC": 1}


async def test_the_application_writes_no_events_past_the_gate(database: Database, tenant: UUID) -> None:
    """The application's role reads events of its business and can neither write, change nor remove one (D-6, D-9)."""
    for statement in (
        "insert into analytics_events values (%s, uuidv7(), 'booking_conflict', '{}', 1, now())",
        "update analytics_events set times = 2 where business_id = %s",
        "delete from analytics_events where business_id = %s",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with database.transaction(tenant) as tx:
                await tx.run(statement, [tenant])


def test_the_database_knows_the_declared_events(admin_uri: str) -> None:
    """The CHECK knows the names that the code declares and no others, and refuses addresses in properties (D-6)."""
    with psycopg.connect(admin_uri) as connection:
        row = connection.execute(
            "select pg_get_constraintdef(oid) from pg_constraint where conname = 'analytics_events_declared'"
        ).fetchone()
        assert row is not None
        assert set(row[0].split("'")[1::2]) == EVENTS.names()
        insert = "insert into analytics_events values (uuidv7(), uuidv7(), %s, %s::jsonb, 1, now())"
        with pytest.raises(psycopg.errors.CheckViolation, match="analytics_events_technical"):
            # An address that no test seals: PostgreSQL logs the row that it refuses.
            connection.execute(insert, ["booking_conflict", '{"service_slug": "refused@example.org"}'])


def test_a_refusal_names_the_event_only_when_it_is_declared() -> None:
    """The line in the log about a refused event can name it, because its name is one of ours (D-6)."""
    with pytest.raises(EventRefused) as refused:
        EVENTS.check(VIEWED, {"timezone": "guest@example.org"})
    assert refused.value.details["event"] == VIEWED
