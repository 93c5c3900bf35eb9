"""What the doctor sees of the database: server, roles, schema, limits, clock, worker."""

import asyncio
import time
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import psycopg
from psycopg import Connection
from psycopg.rows import dict_row, scalar_row

from holdfast.doctor.findings import Finding, ok, problem, warning
from holdfast.kernel import backfills
from holdfast.kernel.database import is_pooled
from holdfast.kernel.migrate import MigrationError, pending
from holdfast.kernel.privacy import Keyring, WrongMasterKey
from holdfast.kernel.sql import load

_SQL = load("holdfast.doctor")

_VERSION_NEEDED: Final = 180_000
_EXTENSIONS: Final = ("btree_gist",)
_MEGABYTE: Final = 1024 * 1024
# What one web process and one worker take at most; a test compares the first with what it opens.
WEB_CONNECTIONS: Final = 16
WORKER_CONNECTIONS: Final = 16
_SKEW_NOTED_SECONDS: Final = 1
_SKEW_BAD_SECONDS: Final = 30
# As long as the health check waits before it raises an alert.
_SWEEP_LATE_SECONDS: Final = 600
# A backfill that was declared or advanced so long ago, and is not done, has nobody who does it.
_BACKFILL_STILL_SECONDS: Final = 600
# Role: may log in, bypasses row security. None is a superuser or makes roles and databases.
_ROLES: Final = {"holdfast_owner": (False, True), "holdfast_admission": (False, True), "holdfast_app": (True, False)}
_MIGRATE: Final = "Run `holdfast migrate` as an administrative role; `holdfast serve` does it when it starts."


def examine_database(connection: Connection, app_dsn: str, *, pooler: bool) -> Iterator[Finding]:
    """Yield what there is to say of a database that was reached; `pooler` is what servers are told."""
    with connection.cursor(row_factory=dict_row) as cursor:
        server = cursor.execute(_SQL["server"]).fetchone() or {}
        settings = {row["name"]: row["setting"] for row in cursor.execute(_SQL["settings"]).fetchall()}
        roles = cursor.execute(_SQL["roles"]).fetchall()
    yield from server_findings(server)
    yield durability(settings)
    yield connections(settings, int(_value(connection, "connections")))
    yield _clock(connection)
    yield from role_findings(roles)
    yield _application(app_dsn, pooler=pooler)
    yield extensions(server["extensions"])
    yield _schema(connection)


def server_findings(server: Mapping[str, Any]) -> Iterator[Finding]:
    """Judge the server and the role of the doctor."""
    size = f"{server['size_bytes'] // _MEGABYTE} MB"
    if server["version"] < _VERSION_NEEDED:
        yield problem(
            "server", f"this is PostgreSQL {server['version_text']}", "Holdfast needs PostgreSQL 18 or later."
        )
    elif server["encoding"] != "UTF8":
        advice = "Create another database with ENCODING 'UTF8'."
        yield problem("server", f"the database has the encoding {server['encoding']}", advice)
    else:
        yield ok("server", f"PostgreSQL {server['version_text']}, database {server['database']}, {size}")
    if server["sees_all"]:
        yield ok("role", f"{server['role']} sees the rows of every business")
    else:
        yield problem(
            "role",
            f"{server['role']} is subject to row-level security and may not see every business",
            "Use a superuser or a role with BYPASSRLS for `holdfast doctor`, `verify` and `migrate`.",
        )


def durability(settings: Mapping[str, str]) -> Finding:
    """Judge whether an acknowledged booking survives a crash."""
    unsafe = [name for name in ("fsync", "full_page_writes", "synchronous_commit") if settings[name] == "off"]
    if unsafe:
        return problem(
            "durability",
            f"a crash loses bookings that were confirmed: {', '.join(unsafe)} off",
            "Switch it on in postgresql.conf, and for the role and the database (ALTER ROLE, ALTER DATABASE).",
        )
    return ok("durability", "what is acknowledged is on the disk")


def connections(settings: Mapping[str, str], used: int) -> Finding:
    """Judge whether there are connections enough for a web process and a worker."""
    reserved = int(settings["superuser_reserved_connections"]) + int(settings["reserved_connections"])
    available = int(settings["max_connections"]) - reserved
    needed = WEB_CONNECTIONS + WORKER_CONNECTIONS
    message = f"{used} of {available} connections are used; a web process takes {WEB_CONNECTIONS} at most, a worker"
    message += f" {WORKER_CONNECTIONS}"
    advice = "Raise max_connections, run fewer web processes, or put a pooler before it (HOLDFAST_POOLER=1)."
    if available < needed:
        return problem("connections", message, advice)
    if used > 0.8 * available:
        return warning("connections", message, advice)
    return ok("connections", message)


def clock(ahead_seconds: float, trip_seconds: float) -> Finding:
    """Judge how far the clock of the database is from this machine's, beyond what the way there explains."""
    apart = max(0.0, abs(ahead_seconds) - trip_seconds)
    if apart <= _SKEW_NOTED_SECONDS:
        return ok("clock", "this machine and the database agree on the time")
    message = (
        f"the clock of the database is {apart:.1f} s {'ahead of' if ahead_seconds > 0 else 'behind'} this machine's"
    )
    advice = "Let both follow a time server. Holds run on the database's clock; what this machine shows of them is off."
    return (problem if apart > _SKEW_BAD_SECONDS else warning)("clock", message, advice, aheadSeconds=ahead_seconds)


def role_findings(roles: Collection[Mapping[str, Any]]) -> Iterator[Finding]:
    """Judge the three roles: that they are there, and may do what they should and no more."""
    known = {role["name"]: role for role in roles}
    for name, (logs_in, bypasses) in _ROLES.items():
        role = known.get(name)
        if role is None:
            yield problem("roles", f"the role {name} is missing", _MIGRATE)
            continue
        wrong = [
            said
            for said, differs in (
                ("is a superuser", role["is_super"]),
                ("may make roles or databases", role["creates"]),
                ("bypasses row-level security", role["bypasses"] and not bypasses),
                ("does not bypass row-level security", bypasses and not role["bypasses"]),
                ("may not log in", logs_in and not role["logs_in"]),
                ("may log in", role["logs_in"] and not logs_in),
                ("may do what the owner may", role["owns"]),
            )
            if differs
        ]
        if wrong:
            rights = f"{'LOGIN' if logs_in else 'NOLOGIN'} {'BYPASSRLS' if bypasses else 'NOBYPASSRLS'}"
            advice = f"Run ALTER ROLE {name} {rights} NOSUPERUSER NOCREATEROLE NOCREATEDB; revoke holdfast_owner."
            yield problem("roles", f"{name} {', '.join(wrong)}", advice)
        else:
            yield ok("roles", f"{name} is as it should be")


def extensions(present: Collection[str] | None) -> Finding:
    """Judge whether the extensions are there that the schema stands on."""
    missing = [name for name in _EXTENSIONS if name not in (present or ())]
    if missing:
        advice = f"{_MIGRATE} The server needs the contrib package of PostgreSQL."
        return problem("extensions", f"missing: {', '.join(missing)}", advice)
    return ok("extensions", f"{', '.join(_EXTENSIONS)} is there")


def worker(swept_seconds_ago: float | None) -> Finding:
    """Judge whether a worker runs: it ends holds every 20 seconds."""
    if swept_seconds_ago is not None and swept_seconds_ago <= _SWEEP_LATE_SECONDS:
        return ok("worker", f"a worker ended holds {swept_seconds_ago:.0f} s ago")
    since = "ever" if swept_seconds_ago is None else f"for {swept_seconds_ago / 60:.0f} minutes"
    advice = "Start `holdfast serve` or `holdfast worker`. Until then programs are not laid out further."
    return warning("worker", f"no worker has run {since}", advice)


def examine_worker(connection: Connection) -> Finding:
    """Look when a worker was last at work."""
    ago = _value(connection, "swept_seconds_ago")
    return worker(None if ago is None else float(ago))


def backfill_findings(pending: Collection[Mapping[str, Any]]) -> Iterator[Finding]:
    """Judge what the worker still has to do to rows of earlier releases."""
    if not pending:
        yield ok("backfills", "every row has the form of this release")
    for each in pending:
        of_all = f" of {each['total']}" if each["started"] else ""
        message = f"{each['name']}: {each['done']}{of_all} rows"
        if each["still_seconds"] <= _BACKFILL_STILL_SECONDS:
            yield ok("backfills", f"{message}, going on")
        else:
            advice = "Look for a running worker, and for backfill_failed in its log."
            yield warning("backfills", f"{message}, nothing more for {each['still_seconds'] / 60:.0f} minutes", advice)


def examine_backfills(connection: Connection) -> Iterator[Finding]:
    """Look what is left to bring over."""
    yield from backfill_findings(backfills.pending(connection))


def contacts(plain: int) -> Finding:
    """Judge whether clients' contacts are ciphertext."""
    if plain == 0:
        return ok("contacts", "the contacts of clients are encrypted")
    advice = "Let a worker run: it encrypts what an earlier release wrote. Backups made before have it in plain text."
    return warning("contacts", f"{plain} bookings have their contact in plain text still", advice, plain=plain)


def examine_contacts(connection: Connection) -> Finding:
    """Look how many contacts an earlier release has left in plain text."""
    return contacts(int(_value(connection, "plain_contacts")))


def examine_keys(dsn: str, master_key: bytes) -> Finding:
    """Look whether the master key is the one under which the database keeps its data."""
    try:
        asyncio.run(Keyring(master_key, dsn).check())
    except WrongMasterKey:
        return problem(
            "tenant-keys",
            "the master key is not the one under which this database keeps its data: no server can read it",
            "Restore HOLDFAST_MASTER_KEY, or the file master.key, of this database.",
        )
    return ok("tenant-keys", "the master key opens the keys of the businesses")


def _clock(connection: Connection) -> Finding:
    asked, ticks = time.time(), time.monotonic()
    there = float(_value(connection, "clock"))
    trip = time.monotonic() - ticks
    return clock(there - (asked + trip / 2), trip)


def _application(app_dsn: str, *, pooler: bool) -> Finding:
    """Look whether servers can connect as they would."""
    try:
        with psycopg.connect(app_dsn, connect_timeout=10, row_factory=dict_row) as connection:
            role = connection.execute(_SQL["server"]).fetchone() or {}
            pooled = is_pooled(connection, role["backend"])
    except psycopg.Error as error:
        reason = str(error).strip().splitlines()[-1]
        advice = "Mend HOLDFAST_APP_DSN, or let the role of HOLDFAST_DSN step down: GRANT holdfast_app TO it."
        return problem("application", f"servers cannot connect: {reason}", advice)
    if role["sees_all"]:
        advice = "Let HOLDFAST_APP_DSN name holdfast_app: servers refuse to run as anybody who bypasses the rules."
        return problem("application", f"servers would run as {role['role']}, which bypasses row-level security", advice)
    if pooled and not pooler:
        advice = "Set HOLDFAST_POOLER=1 for servers and workers; HOLDFAST_DSN leads straight to PostgreSQL."
        return problem("application", "a pooler stands before the database, of which servers are not told", advice)
    return ok("application", f"servers connect as {role['role']}{', through a pooler' if pooled else ''}")


def _schema(connection: Connection) -> Finding:
    try:
        missing = [step.name for step in pending(connection)]
    except MigrationError as error:
        return problem("migrations", str(error), "Run the release by which the database was migrated.")
    except psycopg.errors.InsufficientPrivilege:
        return problem("migrations", "the role may not see which migrations have run", "Use an administrative role.")
    if missing:
        return problem(
            "migrations", f"{len(missing)} have not run: {', '.join(missing[:5])}", _MIGRATE, missing=missing
        )
    return ok("migrations", "the schema is that of this release")


def _value(connection: Connection, statement: str) -> Any:
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(_SQL[statement]).fetchone()
