"""Brings a database to the schema of this release: forward only, under one lock, safe to run anywhere at any time.

Three kinds of source, in this order: versioned files (`holdfast/migrations`, and those that the job library ships),
each run once, in one transaction with its mark; then definitions (functions), run again whenever their text changed.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import LiteralString, cast

import psycopg
from psycopg import AsyncConnection, Connection, sql

from holdfast.kernel import backfills
from holdfast.kernel.database import is_pooled

_LOCK = 0x486F6C6466617374  # "Holdfast" as a number: the same for every release and process
_LOCK_WAIT_SECONDS = 300
# Those of the roles that see across tenants, who do not.
_BLIND = """select rolname from pg_roles where rolname in ('holdfast_owner', 'holdfast_admission')
               and not (rolbypassrls or rolsuper)"""
# In the order in which they run.
_DEFINITIONS = (
    "kernel/replication",
    "identity/entrances",
    "kernel/audit_chain",
    "booking/admission",
    "booking/staff",
    "booking/beyond_tenants",
    "crm/entrances",
    "calendars/export_entrances",
    "calendars/entrances",
    "calendars/feed_entrances",
    "payments/entrances",
    "calendars/figures",
    "payments/figures",
    "payments/reconciliation_entrances",
    "payments/inbox_entrances",
    "notifications/entrances",
    "webhooks/entrances",
    "kernel/events",
    "analytics/dashboards",
    "kernel/backfill_entrances",
    "admin/live_entrances",
    "admin/schedule_entrances",
    "kernel/job_grants",
)
_DEPENDS = re.compile(r"^-- depends: (.+)$", re.MULTILINE)


class MigrationError(Exception):
    """The database cannot be brought to this release; says why and what to do."""


@dataclass(frozen=True, slots=True)
class Step:
    """One file of SQL; `repeatable` ones are definitions that replace themselves."""

    name: str
    text: str
    repeatable: bool = False

    @property
    def digest(self) -> str:
        """Return the checksum of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def steps() -> list[Step]:
    """Return every step of this release in the order in which it runs.

    Raises MigrationError when a file depends on one that does not come before it.
    """
    own = [Step(name, text) for name, text in _sql_files(files("holdfast.migrations"))]
    seen: set[str] = set()
    for step in own:
        declared = _DEPENDS.search(step.text)
        if declared is None:
            raise MigrationError(f"{step.name} does not say what it depends on")
        for dependency in declared.group(1).split(", "):
            if dependency != "nothing" and dependency not in seen:
                raise MigrationError(f"{step.name} depends on {dependency}, which does not come before it")
        seen.add(step.name)
    jobs = [Step(f"jobs/{name}", text) for name, text in _sql_files(files("procrastinate") / "sql" / "migrations")]
    definitions = [
        Step(name, (files("holdfast") / f"{name}.sql").read_text("utf-8"), repeatable=True) for name in _DEFINITIONS
    ]
    return own + jobs + definitions


def _sql_files(folder: Traversable) -> Iterator[tuple[str, str]]:
    for file in sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name):
        yield file.name.removesuffix(".sql"), file.read_text(encoding="utf-8")


def pending(connection: Connection) -> list[Step]:
    """Return the steps that this database still lacks.

    Raises MigrationError when a versioned file that has run was changed afterwards, or when the database has been
    migrated by a later release.
    """
    done: dict[str, str] = {}
    if connection.execute("select to_regclass('schema_migrations')").fetchone() != (None,):
        done = dict(connection.execute("select name, digest from schema_migrations").fetchall())
    release = steps()
    unknown = sorted(set(done) - {step.name for step in release})
    if unknown:
        raise MigrationError(
            f"This database was migrated by a later release (it has {unknown[0]}). Run that release instead."
        )
    for step in release:
        if not step.repeatable and step.name in done and done[step.name] != step.digest:
            raise MigrationError(f"Migration {step.name} was changed after it had run on this database.")
    return [step for step in release if done.get(step.name) != step.digest]


async def missing_steps(connection: AsyncConnection) -> list[str]:
    """Return the names of the steps that a server of this release needs and its database lacks."""
    cursor = await connection.execute("select name, digest from schema_migrations")
    done = {(name, digest) for name, digest in await cursor.fetchall()}
    return [step.name for step in steps() if (step.name, step.digest) not in done]


def plan(dsn: str) -> str:
    """Return the SQL that `migrate` would run on this database, running none of it."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        _check_server(connection)
        return "\n".join(f"-- {step.name}\n{step.text}" for step in pending(connection))


def migrate(dsn: str, *, report: Callable[[str], None] = lambda _: None) -> list[str]:
    """Run what is pending and return the names; needs an administrative role, and is safe from several processes.

    Raises MigrationError with a reason to act on; what has run stays, the failing step leaves nothing behind.
    """
    with psycopg.connect(dsn, autocommit=True, options="-c client_min_messages=warning") as connection:
        _check_server(connection)
        _lock(connection)
        _prepare(connection)
        ran = []
        todo = pending(connection)
        for number, step in enumerate(todo, 1):
            report(f"migrating {number}/{len(todo)}: {step.name}")
            _run(connection, step)
            ran.append(step.name)
        for backfill in backfills.pending(connection):
            report(f"backfill {backfill['name']} is pending: the worker does it while it serves")
        return ran


def _check_server(connection: Connection) -> None:
    if connection.info.server_version < 180000:
        raise MigrationError("Holdfast needs PostgreSQL 18 or later.")
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise MigrationError(f"The database has the encoding {encoding}; create it with ENCODING 'UTF8'.")
    [(backend,)] = connection.execute("select pg_backend_pid()").fetchall()
    if is_pooled(connection, backend):
        # The lock would be of a backend that the next statement may not have.
        raise MigrationError("A pooler stands before the database: migrate with a DSN that leads straight to it.")


def _lock(connection: Connection) -> None:
    # Polled: a blocking wait would hold a snapshot that CREATE INDEX CONCURRENTLY of another process waits for.
    deadline = time.monotonic() + _LOCK_WAIT_SECONDS
    while connection.execute("select pg_try_advisory_lock(%s)", [_LOCK]).fetchone() != (True,):
        if time.monotonic() > deadline:
            raise MigrationError("Another process has been migrating this database for five minutes.")
        time.sleep(0.05)


def _prepare(connection: Connection) -> None:
    """Create the roles, which belong to the whole cluster, and the book of migrations."""
    try:
        connection.execute(cast(LiteralString, (files("holdfast.kernel") / "roles.sql").read_text("utf-8")))
    except psycopg.errors.InsufficientPrivilege as refused:
        raise MigrationError(
            "Migrate as a superuser, or as a role with CREATEROLE and BYPASSRLS that may give both on: "
            f"{refused.diag.message_primary}"
        ) from refused
    assert_sees_all_rows(connection)
    database = sql.Identifier(connection.info.dbname)
    connection.execute(sql.SQL("grant create on database {} to holdfast_owner").format(database))


def assert_sees_all_rows(connection: Connection) -> None:
    """Refuse to migrate as an owner from whom row-level security hides rows: it would change none and report success.

    Raises MigrationError.
    """
    blind = connection.execute(_BLIND).fetchall()
    if blind:
        [role] = blind[0]
        raise MigrationError(f"Row-level security hides rows from {role}: run ALTER ROLE {role} BYPASSRLS.")


def _run(connection: Connection, step: Step) -> None:
    try:
        with connection.transaction():
            connection.execute("set local role holdfast_owner")
            connection.execute("set local lock_timeout = '10s'")
            connection.execute("set local statement_timeout = '15min'")
            connection.execute(cast(LiteralString, step.text))
            connection.execute(
                "insert into schema_migrations (name, digest) values (%s, %s)"
                " on conflict (name) do update set digest = excluded.digest, ran_at = now()",
                [step.name, step.digest],
            )
    except psycopg.Error as error:
        raise MigrationError(f"Migration {step.name} failed and left nothing behind: {error}") from error
