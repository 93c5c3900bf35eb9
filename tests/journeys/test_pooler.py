"""Servers and workers behind PgBouncer in transaction mode."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from proof.pgbouncer import Pooler, pooled, program

from holdfast.kernel.embedded import EmbeddedPostgres
from journeys.instance import Instance, copy_of, eventually, holdfast, serving
from journeys.load import Book, check, load_on, settle, until, wishes_of

pytestmark = pytest.mark.skipif(
    program() is None and os.environ.get("CI") != "true", reason="there is no pgbouncer: apt-get install pgbouncer"
)

# Fewer than two web processes and a worker would take by themselves, so that they have to take turns.
BACKENDS = 6
ENOUGH = 100


@pytest.fixture
def data_dir(served_before: Path, tmp_path: Path) -> Path:
    """A data directory with the demo business and its master key."""
    return copy_of(served_before, tmp_path / "data")


@pytest.fixture
def database(data_dir: Path) -> Iterator[EmbeddedPostgres]:
    """PostgreSQL on it, durable, that nobody serves yet."""
    server = EmbeddedPostgres(data_dir)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def pooler(database: EmbeddedPostgres, tmp_path: Path) -> Iterator[Pooler]:
    """PgBouncer before it, with few connections."""
    with pooled(tmp_path / "pooler", database.uri(), {"default_pool_size": BACKENDS}) as running:
        yield running


@pytest.fixture
def instance(data_dir: Path, database: EmbeddedPostgres, pooler: Pooler) -> Iterator[Instance]:
    """Two web processes and a worker, which reach the database through the pooler."""
    told = {
        "HOLDFAST_APP_DSN": pooler.uri("holdfast"),
        "HOLDFAST_POOLER": "1",
        "HOLDFAST_MASTER_KEY": (data_dir / "master.key").read_text(),
    }
    with serving(None, "--dsn", database.uri(), "--workers", "2", **told) as running:
        yield running


def backends(database: EmbeddedPostgres) -> list[tuple[str, str]]:
    """Return who is connected as the application: the name of the program and the last statement."""
    with psycopg.connect(database.uri()) as admin:
        return admin.execute(
            "select application_name, query from pg_stat_activity where usename = 'holdfast_app' and pid <> pg_backend_pid()"
        ).fetchall()


async def test_load_through_the_pooler(instance: Instance, pooler: Pooler, database: EmbeddedPostgres) -> None:
    """Under load from two web processes and a worker, over fewer connections than they ask for, every acknowledged hold
    and appointment is there once, nobody hears an error of the server, and verify finds nothing (B-9, K-1).
    """
    book = Book(await asyncio.to_thread(wishes_of, instance.url))
    async with load_on(instance.url, book):
        await until(lambda: book.acknowledged >= ENOUGH)
        connected = await asyncio.to_thread(backends, database)
    assert set(book.answers) <= {201, 409, 400}
    await settle(instance.url, book)
    check(database.uri(), book)
    assert len(connected) <= BACKENDS
    assert pooler.transactions() > book.acknowledged
    assert instance.stop() == 0


async def test_postgresql_is_killed_behind_the_pooler(
    instance: Instance, pooler: Pooler, database: EmbeddedPostgres
) -> None:
    """When PostgreSQL dies behind the pooler requests hear 503 until it is back, nothing that was acknowledged is lost,
    and what was not takes effect once when it is repeated (B-9, H-1, K-1).
    """
    book = Book(await asyncio.to_thread(wishes_of, instance.url))
    async with load_on(instance.url, book):
        for _ in range(2):
            reached = book.acknowledged
            await until(lambda: book.acknowledged >= reached + ENOUGH)  # noqa: B023 - awaited before it changes
            refused = book.answers[503]
            os.kill(database.pid, 9)
            await until(lambda: book.answers[503] > refused)  # noqa: B023
            database.start()
            await until(instance.answers)
        reached = book.acknowledged
        await until(lambda: book.acknowledged >= reached + ENOUGH)
    assert set(book.answers) <= {201, 409, 400, 503}
    assert book.slowest_seconds < 15
    assert pooler.process.poll() is None
    await settle(instance.url, book)
    check(database.uri(), book)
    assert instance.stop() == 0


def test_the_worker_does_its_jobs_beside_the_pooler(instance: Instance, database: EmbeddedPostgres) -> None:
    """The worker ends holds that have run out: its job library listens on a connection that no pooler lends (B-23)."""
    [wish] = [wish for wish in wishes_of(instance.url) if "scheduleId" in wish][:1]
    made = httpx.post(f"{instance.url}/api/booking/reserve", json=wish | {"ttlSeconds": 1}, timeout=30)
    with psycopg.connect(database.uri(), autocommit=True) as admin:
        state = "select state from bookings where id = %s"
        eventually(lambda: admin.execute(state, [made.json()["reservationId"]]).fetchone() == ("expired",), 90)
        listening = "select client_port from pg_stat_activity where usename = 'holdfast' and query ~* '^listen'"
        assert len(admin.execute(listening).fetchall()) == 1
    assert "job_revived" not in instance.log


def test_nobody_serves_through_a_pooler_unsaid(data_dir: Path, database: EmbeddedPostgres, pooler: Pooler) -> None:
    """A server that finds a pooler of which no setting tells refuses to start: prepared statements would be those of
    others. The doctor tells of it, and migrations, which lock for as long as a session lasts, refuse one altogether.
    """
    served = holdfast(
        "serve",
        "--dsn",
        database.uri(),
        "--port",
        "0",
        HOLDFAST_APP_DSN=pooler.uri("holdfast"),
        HOLDFAST_MASTER_KEY=(data_dir / "master.key").read_text(),
    )
    assert (served.returncode, "set HOLDFAST_POOLER=1" in served.stderr) == (2, True), served.stderr
    examined = holdfast("doctor", "--dsn", database.uri(), HOLDFAST_APP_DSN=pooler.uri("holdfast"))
    assert (examined.returncode, "Set HOLDFAST_POOLER=1" in examined.stdout) == (1, True), examined.stdout
    migrated = holdfast("migrate", "--dsn", pooler.uri("holdfast"))
    assert migrated.returncode == 2
    assert "unsupported startup parameter" in migrated.stderr


def test_a_pooler_that_takes_any_option_is_found_out(database: EmbeddedPostgres, tmp_path: Path) -> None:
    """Migrations refuse a pooler that lets their own options pass, too."""
    with pooled(tmp_path / "lax", database.uri(), {"ignore_startup_parameters": "options"}) as lax:
        migrated = holdfast("migrate", "--dsn", lax.uri("holdfast"))
    assert (migrated.returncode, "A pooler stands before the database" in migrated.stderr) == (2, True)
