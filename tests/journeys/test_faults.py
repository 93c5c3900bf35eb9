"""Whatever is killed in the middle of the load: what was acknowledged is there, and what was not takes effect once."""

import asyncio
from contextlib import suppress
from pathlib import Path

import httpx
import psycopg
import pytest
from proof.stage import look

from journeys.instance import eventually, serving
from journeys.load import until
from journeys.loaded import Staged, statuses

# Enough that batches, commits and refusals are in flight at any moment; few enough for a small machine.
BEFORE = 150
AFTER = 150
ANSWERS = {200, 201, 204, 400, 409, 410, 422, 503}


def end_backends(dsn: str) -> None:
    """End every connection of the servers, in the middle of what they do."""
    with suppress(psycopg.OperationalError), psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'holdfast_app'")


async def test_everything_is_killed_under_load(staged: Staged, tmp_path: Path) -> None:
    """After kill -9 of server and PostgreSQL under load every acknowledged change is there, each open request takes effect
    once when it is repeated, and no promise is broken (B-9, B-11, B-25, K-1).
    """
    with serving(staged.data_dir) as instance:
        async with staged.load(instance, tmp_path / "history", patience_seconds=0) as running:
            await running.until(lambda: running.acknowledged >= BEFORE)
            await asyncio.to_thread(instance.kill_all)
            await running.until(lambda: statuses(running)[0] >= 20)
    assert running.open
    assert set(statuses(running)) <= {0, *ANSWERS}
    running.around.patience_seconds = 60
    with serving(staged.data_dir) as instance:
        assert await staged.broken(running, instance) == []


@pytest.mark.parametrize("victim", ["postmaster", "backend"])
async def test_postgresql_is_killed_under_load(staged: Staged, tmp_path: Path, victim: str) -> None:
    """When PostgreSQL is killed under load it comes back by itself; meanwhile requests hear 503, nothing that was
    acknowledged is lost, and what was not takes effect once when it is repeated (B-9, H-1, H-3, K-1).
    """
    with serving(staged.data_dir) as instance:
        async with staged.load(instance, tmp_path / "history", attempt_seconds=60) as running:
            await running.until(lambda: running.acknowledged >= BEFORE)
            killed = instance.postmaster()
            if victim == "backend":
                with psycopg.connect(instance.dsn) as admin:
                    row = admin.execute("select pid from pg_stat_activity where usename = 'holdfast_app'").fetchone()
                assert row is not None
                killed = next(p for p in instance.family() if p.pid == row[0])
            killed.kill()
            await running.until(lambda: statuses(running)[503] > 0)
            await until(instance.answers)
            reached = running.acknowledged
            await running.until(lambda: running.acknowledged >= reached + AFTER)
        assert set(statuses(running)) <= ANSWERS
        assert max(call.ended - call.started for call in running.around.history.calls) < 15
        assert await staged.broken(running, instance) == []
        assert ("PostgreSQL ended by itself" in instance.log) == (victim == "postmaster")
        assert instance.stop() == 0


async def test_connections_are_ended_under_load(staged: Staged, tmp_path: Path) -> None:
    """When all connections to PostgreSQL end under load, again and again, no client hears 500, nothing that was
    acknowledged is lost, and what was not takes effect once when it is repeated (B-9, B-11, H-1).
    """
    with serving(staged.data_dir) as instance:
        async with staged.load(instance, tmp_path / "history", attempt_seconds=60) as running:
            for _ in range(8):
                reached = running.acknowledged
                await running.until(lambda: running.acknowledged >= reached + 40)  # noqa: B023 - awaited at once
                await asyncio.to_thread(end_backends, instance.dsn)
        assert set(statuses(running)) <= ANSWERS
        assert await staged.broken(running, instance) == []


async def test_web_workers_are_killed_under_load(staged: Staged, tmp_path: Path) -> None:
    """When the process that answers is killed under load another one takes its place, nothing that was acknowledged is
    lost, and what was not takes effect once when it is repeated (B-9, B-11, K-1).
    """
    with serving(staged.data_dir) as instance:
        async with staged.load(instance, tmp_path / "history") as running:
            await running.until(lambda: running.acknowledged >= BEFORE)
            for worker in instance.web_workers():
                worker.kill()
            await until(instance.answers)
            reached = running.acknowledged
            await running.until(lambda: running.acknowledged >= reached + AFTER)
        assert statuses(running)[0]
        assert await staged.broken(running, instance) == []


def test_the_worker_goes_on_after_postgresql(staged: Staged) -> None:
    """After PostgreSQL was killed and is back, the worker ends holds that have run out (B-23, K-1)."""
    with serving(staged.data_dir) as instance:
        eventually(lambda: instance.get("/health/booking").json()["status"] == "ok")
        instance.postmaster().kill()
        eventually(lambda: "PostgreSQL is back" in instance.log)
        eventually(instance.answers)
        wish = {"scheduleId": look(instance.url).groups[0].schedule, "ttlSeconds": 1}
        made = httpx.post(f"{instance.url}/api/booking/reserve", json=wish, timeout=30)
        id_ = made.json()["reservationId"]
        with psycopg.connect(instance.dsn, autocommit=True) as admin:
            state = "select state from bookings where id = %s"
            eventually(lambda: admin.execute(state, [id_]).fetchone() == ("expired",), 90)
