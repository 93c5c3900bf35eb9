"""Each thing that the doctor looks at: what is well, what wants a look, what must be mended (K-1)."""

import inspect
import resource
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg_pool import AsyncConnectionPool

from holdfast import config, worker
from holdfast.booking.turnstile import Turnstile
from holdfast.doctor import database, machine
from holdfast.doctor.backups import backups
from holdfast.doctor.findings import Finding
from holdfast.doctor.zones import Moved, moved_bookings
from holdfast.kernel.database import Database

MB = 1024 * 1024
SERVER = {
    "version": 180006,
    "version_text": "18.6",
    "encoding": "UTF8",
    "database": "holdfast",
    "size_bytes": 20 * MB,
    "role": "postgres",
    "sees_all": True,
}
DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "remote_apply"}
NOW = datetime(2026, 11, 21, tzinfo=UTC)
LIMITS = {"max_connections": "100", "superuser_reserved_connections": "3", "reserved_connections": "0"}


def role(name: str, *, logs_in: bool = False, bypasses: bool = False, **wrong: bool) -> dict[str, Any]:
    """Return a role as the database tells of it."""
    rights = {"is_super": False, "creates": False, "owns": False} | wrong
    return {"name": name, "logs_in": logs_in, "bypasses": bypasses} | rights


BACKFILL = {"name": "old-rows", "done": 0, "total": 9, "started": False, "still_seconds": 60.0}
ROLES = [
    role("holdfast_owner", bypasses=True),
    role("holdfast_admission", bypasses=True),
    role("holdfast_app", logs_in=True),
]


@pytest.mark.parametrize(
    ("finding", "level", "says"),
    [
        (machine.disk(Path("d"), 90_000 * MB, 100_000 * MB), "ok", "90000 MB of 100000 MB"),
        (machine.disk(Path("d"), 3_000 * MB, 100_000 * MB), "warning", "Make room"),
        (machine.disk(Path("d"), 2_000 * MB, 10_000 * MB), "warning", "Make room"),
        (machine.disk(Path("d"), 500 * MB, 600 * MB), "problem", "Make room"),
        (machine.open_files(resource.RLIM_INFINITY), "ok", "as many"),
        (machine.open_files(4096), "ok", "as many"),
        (machine.open_files(1024), "warning", "ulimit -n 4096"),
        (machine.open_files(256), "problem", "ulimit -n 4096"),
        (backups(keeps=False, fails=False, last=None, now=NOW), "warning", "Set HOLDFAST_BACKUP_DIR"),
        (backups(keeps=True, fails=True, last=NOW, now=NOW), "warning", "postgres.log"),
        (backups(keeps=True, fails=False, last=None, now=NOW), "warning", "holdfast backup"),
        (backups(keeps=True, fails=False, last=NOW - timedelta(hours=51), now=NOW), "warning", "holdfast backup"),
        (backups(keeps=True, fails=False, last=NOW - timedelta(hours=49), now=NOW), "ok", "any moment since"),
        (machine.tzdata("2026b", date(2026, 11, 21)), "ok", "2026b"),
        (machine.tzdata("2025a", date(2026, 11, 21)), "ok", "2025a"),
        (machine.tzdata("2024b", date(2026, 11, 21)), "warning", "Update Holdfast"),
        (database.durability(DURABLE), "ok", "on the disk"),
        (database.durability(DURABLE | {"fsync": "off"}), "problem", "fsync off"),
        (database.durability(DURABLE | {"synchronous_commit": "off"}), "problem", "synchronous_commit off"),
        (database.connections(LIMITS, 10), "ok", "10 of 97"),
        (database.connections(LIMITS, 90), "warning", "max_connections"),
        (database.connections(LIMITS | {"max_connections": "20"}, 1), "problem", "max_connections"),
        (database.connections(LIMITS | {"reserved_connections": "90"}, 1), "problem", "max_connections"),
        (database.clock(0.3, 0.01), "ok", "agree"),
        (database.clock(5.0, 4.5), "ok", "agree"),
        (database.clock(5.0, 0.1), "warning", "4.9 s ahead of"),
        (database.clock(-100.0, 0.1), "problem", "99.9 s behind"),
        (database.extensions(["plpgsql", "btree_gist"]), "ok", "is there"),
        (database.extensions(["plpgsql"]), "problem", "btree_gist"),
        (database.extensions(None), "problem", "btree_gist"),
        (database.worker(12.0), "ok", "12 s ago"),
        (database.worker(1_200.0), "warning", "for 20 minutes"),
        (database.worker(None), "warning", "no worker has run ever"),
        (moved_bookings([], 7), "ok", "none of 7"),
        (next(database.backfill_findings([])), "ok", "the form of this release"),
        (next(database.backfill_findings([BACKFILL])), "ok", "old-rows: 0 rows, going on"),
        (next(database.backfill_findings([BACKFILL | {"started": True}])), "ok", "0 of 9 rows"),
        (next(database.backfill_findings([BACKFILL | {"still_seconds": 1_200.0}])), "warning", "for 20 minutes"),
    ],
)
def test_what_is_found_has_a_level(finding: Finding, level: str, says: str) -> None:
    """Each finding is ok, a warning or a problem, and whatever is not ok says what to do (K-1)."""
    assert (finding.level, says in f"{finding.message} {finding.advice}") == (level, True)
    assert bool(finding.advice) == (level != "ok")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"version": 170004, "version_text": "17.4"}, "needs PostgreSQL 18"),
        ({"encoding": "SQL_ASCII"}, "ENCODING 'UTF8'"),
        ({"sees_all": False}, "BYPASSRLS"),
    ],
)
def test_a_server_that_does_not_do_is_told(wrong: Mapping[str, Any], says: str) -> None:
    """An old server, another encoding, or a role that sees only a part is a problem with what to do (K-1)."""
    assert {each.level for each in database.server_findings(SERVER)} == {"ok"}
    [found] = [each for each in database.server_findings({**SERVER, **wrong}) if each.level == "problem"]
    assert says in found.advice


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ([], "holdfast_app is missing"),
        ([role("holdfast_app")], "may not log in"),
        ([role("holdfast_app", logs_in=True, is_super=True)], "is a superuser"),
        ([role("holdfast_app", logs_in=True, bypasses=True)], "bypasses row-level security"),
        ([role("holdfast_app", logs_in=True, creates=True)], "may make roles"),
        ([role("holdfast_app", logs_in=True, owns=True)], "may do what the owner may"),
    ],
)
def test_a_role_with_other_rights_is_told(changed: list[dict[str, Any]], says: str) -> None:
    """A role of Holdfast that is missing, or may more or less than it should, is a problem with its cure (K-1)."""
    assert {each.level for each in database.role_findings(ROLES)} == {"ok"}
    [found] = [each for each in database.role_findings([*ROLES[:2], *changed]) if each.level == "problem"]
    assert says.removeprefix("holdfast_app ") in found.message
    assert "holdfast migrate" in found.advice or "ALTER ROLE holdfast_app LOGIN NOBYPASSRLS" in found.advice


def test_the_owners_of_functions_have_their_rights_too() -> None:
    """The role of admission that does not bypass row security, and an owner that may log in, are problems (K-1)."""
    swapped = [role("holdfast_owner", logs_in=True, bypasses=True), role("holdfast_admission"), ROLES[2]]
    found = [each.message for each in database.role_findings(swapped) if each.level == "problem"]
    assert found == ["holdfast_owner may log in", "holdfast_admission does not bypass row-level security"]


def test_connections_are_counted_as_they_are_opened() -> None:
    """The connections that the doctor reckons with are those that a web process and a worker open at most (K-1)."""
    pool = inspect.signature(Database).parameters["max_connections"].default
    lanes = inspect.signature(Turnstile).parameters["lanes"].default
    health = webhooks = 1
    assert pool + 2 * lanes + webhooks + health == database.WEB_CONNECTIONS
    jobs = inspect.signature(AsyncConnectionPool).parameters["min_size"].default
    assert worker.CONNECTIONS + jobs == database.WORKER_CONNECTIONS


def test_the_master_key_is_looked_at(tmp_path: Path) -> None:
    """A key that is missing, damaged, or readable by others is a problem; the doctor makes none (K-1, K-3)."""
    settings = config.Settings(data_dir=tmp_path)
    assert machine.master_key(config.Settings(master_key=bytes(32))).level == "ok"
    outside = machine.master_key(config.Settings(dsn="postgresql://x"))
    assert (outside.level, "HOLDFAST_MASTER_KEY" in outside.message) == ("problem", True)
    missing = machine.master_key(settings)
    assert (missing.level, list(tmp_path.iterdir())) == ("problem", [])
    config.master_key(settings)
    assert machine.master_key(settings).level == "ok"
    file = config.key_file(settings)
    file.chmod(0o640)
    open_to_others = machine.master_key(settings)
    assert (open_to_others.level, open_to_others.advice) == ("problem", f"chmod 600 {file}")
    file.chmod(0o600)
    file.write_text("garbage")
    damaged = machine.master_key(settings)
    assert (damaged.level, "Restore it" in damaged.advice) == ("problem", True)


def test_no_key_is_made_for_data_that_has_one(tmp_path: Path) -> None:
    """Where a database stands without its key, none is made that could not open it; what is missing is told (K-1, D-5)."""
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").touch()
    with pytest.raises(config.ConfigurationError, match=r"put your copy of it into .*master\.key"):
        config.master_key(config.Settings(data_dir=tmp_path))
    assert not config.key_file(config.Settings(data_dir=tmp_path)).exists()


def test_a_data_directory_that_is_not_there_yet_has_a_disk(tmp_path: Path) -> None:
    """The disk of a data directory that is still to be made is that of the folder in which it will be (K-1)."""
    there, later = machine.disk_of(tmp_path), machine.disk_of(tmp_path / "a" / "b")
    assert there.message.split(" MB of ")[1].split(" MB")[0] == later.message.split(" MB of ")[1].split(" MB")[0]


def test_a_long_list_of_bookings_is_cut_for_people_only() -> None:
    """Of many moved bookings people see the first twenty and how many more there are; scripts see all (A-6)."""
    begin = datetime(2027, 1, 1, 9, tzinfo=UTC)
    moved = [Moved("b", str(n), "Europe/Moscow", f"{begin}", f"{begin + timedelta(hours=1)}") for n in range(50)]
    found = moved_bookings(moved, 60)
    assert (found.level, found.message.count("\n"), "and 30 more" in found.message) == ("warning", 21, True)
    assert [each["id"] for each in found.details["bookings"]] == [str(n) for n in range(50)]
