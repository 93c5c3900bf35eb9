"""`holdfast migrate --distribute`: the tables of tenants spread over a cluster of Citus, each tenant in one place.

What is spread is derived from the catalogue: a table that carries `business_id` is, by it. The others are listed here.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import LiteralString, cast

import psycopg
from psycopg import Connection
from psycopg.rows import class_row

from holdfast.kernel.migrate import MigrationError, pending
from holdfast.kernel.sql import load

_SQL = load("holdfast.kernel", "distribution.sql")

# Whole on every node, because rows of tenants refer to them or names are unique among all tenants.
REFERENCE = frozenset({"businesses", "roles"})
# Whole on the coordinator, as are the tables of the job library: workers and entrances work there, for all tenants.
LOCAL = frozenset(
    {
        "backfills",
        "calendar_export_feed",
        "event_feed",
        "heartbeats",
        "lead_feed",
        "login_attempts",
        "message_feed",
        "schema_migrations",
        "write_counts",
        "zone_records",
    }
)
# What all others lie beside: rows of one tenant are on one node.
_FIRST = "resources"
# The catalogue of Citus, where there is one.
_SPREAD: LiteralString = "select logicalrelid::text from pg_dist_partition"
_ADVICE = (
    "This PostgreSQL has no Citus. Install it on every node, then CREATE EXTENSION citus in this database and add the"
    " workers; docs/scaling.md says when that is worth it. With --plan the statements are printed without it."
)


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of ours."""

    name: str
    of_tenant: bool


@dataclass(frozen=True, slots=True)
class _Key:
    """A foreign key."""

    name: str
    from_table: str
    to_table: str
    definition: str


def plan_of_distribution(dsn: str) -> str:
    """Return the statements that `distribute` would run on this database, as if nothing had been spread yet.

    Raises MigrationError when the schema cannot be spread, or is not of this release.
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        return "".join(f"{statement};\n" for statement in _statements(connection, set()))


def distribute(dsn: str, *, report: Callable[[str], None] = lambda _: None) -> list[str]:
    """Spread what has not been spread yet, in one transaction, and return the statements that ran.

    Needs an administrative role, and nobody who serves meanwhile. Raises MigrationError without Citus, when the schema
    cannot be spread, or when the cluster refuses a statement; then nothing has changed.
    """
    with psycopg.connect(dsn) as connection:
        if connection.execute(_SQL["has_citus"]).fetchone() != (True,):
            raise MigrationError(_ADVICE)
        spread = {name for (name,) in connection.execute(_SPREAD).fetchall()}
        statements = list(_statements(connection, spread))
        for statement in statements:
            report(statement)
            try:
                connection.execute(cast(LiteralString, statement))
            except psycopg.Error as refusal:
                raise MigrationError(f"The cluster refused `{statement}`: {refusal.diag.message_primary}") from refusal
        return statements


def _statements(connection: Connection, spread: set[str]) -> Iterator[str]:
    if missing := [step.name for step in pending(connection)]:
        raise MigrationError(f"Run `holdfast migrate` first: {missing[0]} has not run.")
    tables = _tables(connection)
    with connection.cursor(row_factory=class_row(_Key)) as cursor:
        keys = cursor.execute(_SQL["foreign_keys"]).fetchall()
    order = _order([name for name in tables if name not in spread], keys)
    place = {name: n for n, name in enumerate(order)}
    # A key of two tables that refer to each other stands aside until both are spread.
    aside = [key for key in keys if key.from_table in place and place[key.from_table] < place.get(key.to_table, -1)]
    # Ours look at rows of their own tenant only, which are on the same node.
    yield "set local citus.enable_unsafe_triggers = on"
    # Table after table over one connection each: else one transaction could not do several.
    yield "set local citus.multi_shard_modify_mode = 'sequential'"
    for key in aside:
        yield f"alter table {key.from_table} drop constraint {key.name}"
    for name in sorted(REFERENCE - spread):
        yield f"select create_reference_table('{name}')"
    for name in order:
        beside = "none" if name == _FIRST else _FIRST
        yield f"select create_distributed_table('{name}', 'business_id', colocate_with => '{beside}')"
    for key in aside:
        yield f"alter table {key.from_table} add constraint {key.name} {key.definition}"
    for (function,) in connection.execute(_SQL["functions"]).fetchall():
        yield f"select create_distributed_function('{function}', 'p_business_id', colocate_with => '{_FIRST}')"


def _tables(connection: Connection) -> list[str]:
    """Return the tables of tenants. Raises MigrationError for what could not be spread, and names it."""
    with connection.cursor(row_factory=class_row(_Table)) as cursor:
        found = cursor.execute(_SQL["tables"]).fetchall()
    tables = [table.name for table in found if table.of_tenant]
    unfit = [table.name for table in found if not table.of_tenant and table.name not in REFERENCE | LOCAL]
    asked = {"tables": tables, "reference": sorted(REFERENCE)}
    for kind in ("unfit_keys", "unfit_foreign_keys"):
        unfit += [name for (name,) in connection.execute(_SQL[kind], asked).fetchall()]
    if unfit:
        raise MigrationError(f"This schema cannot be spread by tenant: {', '.join(unfit)}.")
    return tables


def _order(tables: Sequence[str], keys: Sequence[_Key]) -> list[str]:
    """Return the tables in an order in which each comes after those to which it refers, as far as that is possible."""
    # Everything lies beside the first.
    before = {name: {_FIRST} & set(tables) - {name} for name in tables}
    for key in keys:
        if key.from_table in before and key.to_table in before and key.from_table != key.to_table:
            before[key.from_table].add(key.to_table)
    while True:
        try:
            return list(TopologicalSorter(before).static_order())
        except CycleError as cycle:
            # Each of the circle comes before the next; the last one shall not wait.
            circle = cycle.args[1]
            before[circle[-1]].discard(circle[-2])
