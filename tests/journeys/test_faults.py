"""Whatever is killed in the middle of the load: what was acknowledged is there, and what was not takes effect once."""

import asyncio
from contextlib import suppress
from pathlib import Path

import httpx
import psycopg
import pytest

from journeys.instance import copy_of, eventually, serving
from journeys.load import Book, check, load_on, settle, until, wishes_of

# Enough that batches, commits and refusals are in flight at any moment; few enough for a small machine.
BEFORE = 150
AFTER = 150


@pytest.fixture
def data_dir(served_before: Path, tmp_path: Path) -> Path:
    """A data directory that has served the demo business; its PostgreSQL is durable."""
    return copy_of(served_before, tmp_path / "data")


def end_backends(dsn: str) -> None:
    """End every connection of the servers, in the middle of what they do."""
    with suppress(psycopg.OperationalError), psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'holdfast_app'")


async def test_everything_is_killed_under_load(data_dir: Path) -> None:
    """After kill -9 of server and PostgreSQL under load every acknowledged hold and appointment is there, each open
    request takes effect once when it is repeated, and verify finds nothing (B-9, B-11, B-25, K-1).
    """
    with serving(data_dir) as instance:
        book = Book(wishes_of(instance.url))
        assert await asyncio.to_thread(lambda: instance.get("/health").status_code) == 200
        async with load_on(instance.url, book):
            await until(lambda: book.acknowledged >= BEFORE)
            await asyncio.to_thread(instance.kill_all)
            await until(lambda: book.answers[0] >= 20)
    assert book.open
    assert set(book.answers) <= {0, 201, 409, 400, 503}
    with serving(data_dir) as instance:
        await settle(instance.url, book)
        check(instance.dsn, book)


@pytest.mark.parametrize("victim", ["postmaster", "backend"])
async def test_postgresql_is_killed_under_load(data_dir: Path, victim: str) -> None:
    """When PostgreSQL is killed under load it comes back by itself; meanwhile requests hear 503, nothing that was
    acknowledged is lost, and what was not takes effect once when it is repeated (B-9, H-1, H-3, K-1).
    """
    with serving(data_dir) as instance:
        book = Book(wishes_of(instance.url))
        async with load_on(instance.url, book):
            await until(lambda: book.acknowledged >= BEFORE)
            killed = instance.postmaster()
            if victim == "backend":
                with psycopg.connect(instance.dsn) as admin:
                    row = admin.execute("select pid from pg_stat_activity where usename = 'holdfast_app'").fetchone()
                assert row is not None
                killed = next(p for p in instance.family() if p.pid == row[0])
            killed.kill()
            await until(lambda: book.answers[503] > 0)
            await until(instance.answers)
            reached = book.acknowledged
            await until(lambda: book.acknowledged >= reached + AFTER)
        assert set(book.answers) <= {201, 409, 400, 503}
        assert book.slowest_seconds < 15
        await settle(instance.url, book)
        check(instance.dsn, book)
        assert ("PostgreSQL ended by itself" in instance.log) == (victim == "postmaster")
        assert instance.stop() == 0


async def test_connections_are_ended_under_load(data_dir: Path) -> None:
    """When all connections to PostgreSQL end under load, again and again, no client hears 500, nothing that was
    acknowledged is lost, and what was not takes effect once when it is repeated (B-9, B-11, H-1).
    """
    with serving(data_dir) as instance:
        book = Book(wishes_of(instance.url))
        async with load_on(instance.url, book):
            for _ in range(8):
                reached = book.acknowledged
                await until(lambda: book.acknowledged >= reached + 40)  # noqa: B023 - awaited before it changes
                await asyncio.to_thread(end_backends, instance.dsn)
        assert set(book.answers) <= {201, 409, 400, 503}
        await settle(instance.url, book)
        check(instance.dsn, book)


async def test_web_workers_are_killed_under_load(data_dir: Path) -> None:
    """When the process that answers is killed under load another one takes its place, nothing that was acknowledged is
    lost, and what was not takes effect once when it is repeated (B-9, B-11, K-1).
    """
    with serving(data_dir) as instance:
        book = Book(wishes_of(instance.url))
        async with load_on(instance.url, book):
            await until(lambda: book.acknowledged >= BEFORE)
            for worker in instance.web_workers():
                worker.kill()
            await until(instance.answers)
            reached = book.acknowledged
            await until(lambda: book.acknowledged >= reached + AFTER)
        assert book.answers[0]
        await settle(instance.url, book)
        check(instance.dsn, book)


def test_the_worker_goes_on_after_postgresql(data_dir: Path) -> None:
    """After PostgreSQL was killed and is back, the worker ends holds that have run out (B-23, K-1)."""
    with serving(data_dir) as instance:
        eventually(lambda: instance.get("/health/booking").json()["status"] == "ok")
        instance.postmaster().kill()
        eventually(lambda: "PostgreSQL is back" in instance.log)
        eventually(instance.answers)
        [wish] = [wish for wish in wishes_of(instance.url) if "scheduleId" in wish][:1]
        made = httpx.post(f"{instance.url}/api/booking/reserve", json=wish | {"ttlSeconds": 1}, timeout=30)
        id_ = made.json()["reservationId"]
        with psycopg.connect(instance.dsn, autocommit=True) as admin:
            state = "select state from bookings where id = %s"
            eventually(lambda: admin.execute(state, [id_]).fetchone() == ("expired",), 90)
