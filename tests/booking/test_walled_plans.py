"""Row-level security costs no index: what servers ask is found under a policy as it would be without one (D-3, D-9)."""

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import Connection, sql
from psycopg.pq import ExecStatus

from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.sql import load
from house.sources import place
from house.test_statements import STATEMENTS, is_check, numbered
from journeys.practice import clone

ASKED = [
    ("queries.sql", "find_bookings"),
    ("queries.sql", "find_key"),
    ("queries.sql", "find_schedule"),
    ("queries.sql", "cancel_appointment"),
    ("queries.sql", "free_places"),
    ("staff_queries.sql", "list_appointments"),
    ("staff_queries.sql", "changes_since"),
    ("staff_queries.sql", "drop_block_claims"),
    ("schedules.sql", "list_schedules"),
    ("layouts.sql", "coming_schedules"),
    ("withdrawals.sql", "end_spent_places"),
    ("series.sql", "release_holds"),
]
# What `holdfast verify` alone asks, past every policy, and in no file of checks.
OF_ADMINISTRATORS = {"claims_of_index"}
# The tables that are filled below.
LARGE = {"program_schedules", "bookings", "claims", "audit_log", "outbox_events", "idempotency_keys"}
ROWS = """
set local session_replication_role = replica;
insert into businesses (slug, name, timezone, currency)
select 'b' || n, 'b', 'UTC', 'EUR' from generate_series(1, 2) n;
insert into resources (business_id, slug, name, kind, capacity)
select id, 'r' || n, 'r', 'room', 1 from businesses, generate_series(1, 20) n;
insert into programs (business_id, slug, name, duration_minutes, max_capacity)
select id, 'p' || n, 'p', 60, 10 from businesses, generate_series(1, 20) n;
insert into program_schedules (business_id, program_id, starts_at, ends_at, max_capacity)
select business_id, id, now() + n * interval '1 day', now() + n * interval '1 day 1 hour', 10
  from programs, generate_series(1, 200) n;
insert into bookings (business_id, id, service_id, starts_at, ends_at, party_size, state, held_at,
                      expires_at, price_minor, currency)
select business_id, uuidv7(), uuidv7(), now() + n * interval '1 hour', now() + n * interval '2 hours', 1,
       case when n % 10 = 0 then 'held' else 'confirmed' end, now(), now() + interval '1 hour', 0, 'EUR'
  from resources, generate_series(1, 250) n;
insert into claims (business_id, resource_id, capacity, seat, during, booking_id)
select b.business_id, uuidv7(), 1, 1, tstzrange(b.starts_at, b.ends_at), b.id from bookings b;
insert into audit_log (business_id, aggregate_id, version, aggregate_type, action, actor, mac)
select business_id, id, 1, 'booking', 'commit', 'client', sha256('') from bookings;
insert into outbox_events (business_id, aggregate_id, version, type) select business_id, id, 1, 'X' from bookings;
insert into idempotency_keys (business_id, key, operation, request_hash, answer)
select business_id, id::text, 'reserve', 'x', '{}' from bookings;
analyze;
"""


@pytest.fixture(scope="module")
def filled(postgres: EmbeddedPostgres) -> Iterator[Connection]:
    """A connection of the administrator to a database with two businesses that have many rows."""
    name = clone(postgres, f"plans_{uuid4().hex[:12]}", "holdfast_template")
    with psycopg.connect(postgres.uri(database=name), autocommit=True) as connection:
        connection.execute(ROWS.encode())
        connection.execute("select set_config('holdfast.business', id::text, false) from businesses where slug = 'b1'")
        yield connection
    with psycopg.connect(postgres.uri(database="postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def scans(connection: Connection, role: str, statement: str) -> list[tuple[str, ...]]:
    """Return how each table is read when a role runs a statement: by which kind of scan, along which index."""
    connection.execute(sql.SQL("set role {}").format(sql.SQL(role)))
    # Not prepared by the driver, which would ask for values.
    answer = connection.pgconn.exec_(b"explain (generic_plan, format json) " + numbered(statement).encode())
    connection.execute("set role none")
    assert answer.status == ExecStatus.TUPLES_OK, answer.error_message.decode()
    [explained] = json.loads(answer.get_value(0, 0) or b"")
    return sorted(_scans(explained["Plan"]))


def _scans(node: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    if node["Node Type"].endswith("Scan"):
        yield node["Node Type"], node.get("Relation Name", ""), node.get("Index Name", "")
    for part in node.get("Plans", ()):
        yield from _scans(part)


@pytest.mark.parametrize(("file", "name"), ASKED, ids=[name for _, name in ASKED])
def test_a_policy_takes_no_index_away(filled: Connection, file: str, name: str) -> None:
    """The application reads each table along the same index as somebody whom no policy holds back (D-3, D-9)."""
    statement = load("holdfast.booking", file)[name]
    free = scans(filled, "none", statement)
    assert scans(filled, "holdfast_app", statement) == free
    assert LARGE & {relation for kind, relation, _ in free if kind == "Seq Scan"} == set()


def test_an_overlap_asks_a_function() -> None:
    """No statement of the application looks for what overlaps a range, which under a policy no index finds (D-9)."""
    found = [
        f"{place(path)}: {name}"
        for path, name, statement in STATEMENTS
        if "&&" in re.sub(r"--.*", "", statement) and not is_check(path) and name not in OF_ADMINISTRATORS
    ]
    assert found == []


def test_a_bound_is_known_before_the_rows() -> None:
    """No statement compares a column with `coalesce` of a parameter: a policy keeps that from the index (D-9).

    PostgreSQL takes it for something that could tell of a row; `(select coalesce(...))` is a value before any row is read.
    """
    found = [
        f"{place(path)}: {name}"
        for path, name, statement in STATEMENTS
        if re.search(r"[<>]=?\s*\(?coalesce\(%", statement) and not is_check(path)
    ]
    assert found == []
