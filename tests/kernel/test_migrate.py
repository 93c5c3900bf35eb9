"""Migrations run anywhere at any time, and leave one schema (D-1)."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psycopg
import pytest

from holdfast.kernel import migrate as migration
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.migrate import MigrationError, Step, migrate, plan, steps


@pytest.fixture
def empty(postgres: EmbeddedPostgres) -> Iterator[str]:
    """The administrator's URI of an empty database."""
    name = f"empty_{uuid4().hex[:10]}"
    with psycopg.connect(postgres.uri(database="postgres"), autocommit=True) as admin:
        admin.execute(f'create database "{name}"')
    yield postgres.uri(database=name)
    with psycopg.connect(postgres.uri(database="postgres"), autocommit=True) as admin:
        admin.execute(f'drop database "{name}" with (force)')


def test_five_processes_migrate_one_empty_database(empty: str) -> None:
    """Five processes that migrate one empty database at once all succeed, and each step has run once (D-1)."""
    command = [sys.executable, "-m", "holdfast", "migrate", "--dsn", empty, "--json"]
    with ThreadPoolExecutor(5) as pool:
        runs = list(pool.map(lambda _: subprocess.run(command, capture_output=True, check=True), range(5)))
    ran = [name for run in runs for name in eval(run.stdout)["ran"]]  # noqa: S307 - our own output
    assert sorted(ran) == sorted(step.name for step in steps())


def test_a_second_run_changes_nothing(empty: str) -> None:
    """Migrating again runs nothing, and a plan of what is done is empty (D-1)."""
    assert plan(empty).count("create table") > 10
    assert migrate(empty)
    assert migrate(empty) == []
    assert plan(empty) == ""


def test_a_failing_step_leaves_nothing(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that fails is rolled back whole and named; what ran before it stays, and a mended release goes on (D-1)."""
    broken = Step("9999_broken", "create table half_done (id integer); select 1 / 0;")
    real = steps()
    monkeypatch.setattr(migration, "steps", lambda: [*real[:3], broken])
    with pytest.raises(MigrationError, match="9999_broken failed and left nothing behind"):
        migrate(empty)
    with psycopg.connect(empty) as connection:
        assert connection.execute("select to_regclass('half_done')").fetchone() == (None,)
        assert connection.execute("select count(*) from schema_migrations").fetchone() == (3,)
    monkeypatch.setattr(migration, "steps", lambda: real)
    assert len(migrate(empty)) == len(real) - 3


def test_history_is_not_rewritten(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that changed after it had run, and a database of a later release, are refused by name (D-1)."""
    real = steps()
    migrate(empty)
    monkeypatch.setattr(migration, "steps", lambda: [Step(real[0].name, "select 1"), *real[1:]])
    with pytest.raises(MigrationError, match=f"{real[0].name} was changed"):
        migrate(empty)
    monkeypatch.setattr(migration, "steps", lambda: real[1:])
    with pytest.raises(MigrationError, match="later release"):
        migrate(empty)


def test_definitions_follow_their_text(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions are defined anew when their text has changed, on a database that is in use (D-1)."""
    real = steps()
    migrate(empty)
    changed = [
        Step(s.name, s.text + "\n-- changed", s.repeatable) if s.name == "booking/admission" else s for s in real
    ]
    monkeypatch.setattr(migration, "steps", lambda: changed)
    assert migrate(empty) == ["booking/admission"]


def test_the_application_owns_nothing(admin_uri: str) -> None:
    """The role of the servers owns no table, bypasses no rule, and cannot rewrite the audit log (H-4)."""
    with psycopg.connect(admin_uri) as connection:
        row = connection.execute(
            "select rolsuper, rolbypassrls, rolcreaterole from pg_roles where rolname = 'holdfast_app'"
        ).fetchone()
        assert row == (False, False, False)
        owned = connection.execute("select count(*) from pg_class where relowner = 'holdfast_app'::regrole").fetchone()
        assert owned == (0,)
        connection.execute("set role holdfast_app")
        for statement in ("update audit_log set reason = 'x'", "delete from audit_log", "delete from outbox_events"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(statement.encode())
