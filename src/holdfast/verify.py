"""Recomputes the invariants of a database from its rows: `holdfast verify` (B-25).

Each capability says in `checks.sql` (and `.._checks.sql` beside it) what must be true of its tables: named queries,
each of which must return no row.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import LiteralString
from uuid import UUID

import psycopg
from psycopg import Connection, IsolationLevel

from holdfast.booking import indexed
from holdfast.kernel import audit_chain
from holdfast.kernel.sql import load
from holdfast.payments.balances import Balance, balances_of_all

# A database may be damaged in any way, and restored without statistics. So: read the tables themselves, since an index
# may lack rows; join by hashing and sorting, since a loop chosen on wrong figures takes for ever; no parallel workers,
# whose shared memory is scarce in a container. `row_security` off makes a policy that would hide rows an error.
_OPTIONS = (
    "-c search_path=public -c timezone=UTC -c datestyle=ISO -c row_security=off -c statement_timeout=0"
    " -c idle_in_transaction_session_timeout=0 -c enable_indexscan=off -c enable_indexonlyscan=off"
    " -c enable_bitmapscan=off -c enable_nestloop=off -c max_parallel_workers_per_gather=0 -c jit=off -c work_mem=64MB"
)


OF_THE_INDEX = "verifying the index that keeps a place from being sold twice"
WITHOUT_KEY = "the hashes of the audit log are not verified, for want of the master key; its links and versions are"


class VerifyError(Exception):
    """The database cannot be verified; says why and what to do."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One breach of an invariant: the check that found it, the rows that it is about, and a sentence with figures."""

    check: str
    business_id: UUID | None
    ids: tuple[str, ...]
    problem: str


def checks() -> dict[str, LiteralString]:
    """Return every capability's checks by name: `booking.seats_are_taken_once`."""
    sources = sorted(
        (folder.name, file.name)
        for folder in files("holdfast").iterdir()
        if folder.is_dir()
        for file in folder.iterdir()
        if file.name.endswith("checks.sql")
    )
    return {
        f"{folder}.{name}": statement
        for folder, file in sources
        for name, statement in load(f"holdfast.{folder}", file).items()
    }


def verify(dsn: str, report: Callable[[str], None], *, master_key: bytes | None = None) -> list[Violation]:
    """Return every violation in one snapshot of the database; changes nothing, and may run beside a live server.

    With the master key the hashes of the audit log are computed anew; without it only its links and versions are looked
    at, by which an entry that was rewritten in its place is not found (D-7).

    Raises VerifyError when the role does not see all rows or the schema is not that of this release.
    """
    with psycopg.connect(dsn, options=_OPTIONS) as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        _assert_sees_all_rows(connection)
        todo = checks()
        violations: list[Violation] = []
        for number, (name, statement) in enumerate(todo.items(), 1):
            report(f"verifying {number}/{len(todo)}: {name}")
            violations += _run(connection, name, statement)
        report(OF_THE_INDEX)
        violations += [
            Violation("booking.claims_are_in_their_index", gap.business_id, (indexed.INDEX,), gap.problem)
            for gap in indexed.gaps(connection)
        ]
        if master_key is None:
            report(WITHOUT_KEY)
        else:
            violations += _forgeries(connection, master_key, report)
        return violations


def money(dsn: str) -> list[Balance]:
    """Return where the money of each business is (P-9): also what is only set aside, and what waits for staff.

    Raises VerifyError when the role does not see all rows.
    """
    with psycopg.connect(dsn, options=_OPTIONS) as connection:
        connection.read_only = True
        _assert_sees_all_rows(connection)
        return balances_of_all(connection)


def _forgeries(connection: Connection, master_key: bytes, report: Callable[[str], None]) -> Iterator[Violation]:
    report("verifying the hashes of the audit log")
    for found in audit_chain.forgeries(connection, master_key):
        if isinstance(found, str):
            report(f"verifying: {found}")
        else:
            yield Violation(found.check, found.business_id, found.ids, found.problem)


def _assert_sees_all_rows(connection: Connection) -> None:
    # An owner under FORCE ROW LEVEL SECURITY sees no rows, and would report all clean.
    found = connection.execute(load("holdfast", "verify.sql")["sees_all_rows"]).fetchone()
    if found is None or not found[1]:
        role = found[0] if found else "of this connection"
        raise VerifyError(
            f"The role {role} is subject to row-level security and does not see all rows: "
            "verify as a superuser, or as a role with BYPASSRLS that may read every table."
        )


def _run(connection: Connection, name: str, statement: LiteralString) -> list[Violation]:
    try:
        rows = connection.execute(statement).fetchall()
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
        raise VerifyError(
            f"The check {name} needs the schema of this release; run `holdfast migrate` first: "
            f"{error.diag.message_primary}"
        ) from error
    return [Violation(name, business_id, tuple(ids), problem) for business_id, ids, problem in rows]
