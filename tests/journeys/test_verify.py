"""`holdfast verify` finds nothing in what the product itself made, and names every damage with its rows."""

import re
from collections.abc import Callable, Iterator
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.verify import VerifyError, Violation, checks, verify
from journeys.damages import CLAIMS, HISTORY, PLACES, Finding
from journeys.practice import NEIGHBOUR, PRACTICE, Tenant, at, clone, open_practice, the

DAMAGES = PLACES | CLAIMS | HISTORY


def findings(uri: str) -> set[Finding]:
    """Return what verify finds, without its words."""
    return {(violation.check, violation.ids) for violation in verify(uri, lambda _: None)}


@pytest.fixture(scope="module")
def healthy(postgres: EmbeddedPostgres) -> str:
    """The name of a database with two businesses that have bookings in every state."""
    name = clone(postgres, f"healthy_{uuid4().hex[:12]}", "holdfast_template")
    with psycopg.connect(postgres.uri(database=name), autocommit=True) as connection:
        open_practice(connection, PRACTICE)
        open_practice(connection, NEIGHBOUR)
    return name


@pytest.fixture(scope="module")
def stripped(postgres: EmbeddedPostgres, healthy: str) -> str:
    """The name of a copy that has lost constraints, indexes, triggers and functions, and accepts anything."""
    name = clone(postgres, f"stripped_{uuid4().hex[:12]}", healthy)
    with psycopg.connect(postgres.uri(database=name), autocommit=True) as connection:
        connection.execute(STRIP)
    return name


@pytest.fixture
def damage(postgres: EmbeddedPostgres, stripped: str) -> Iterator[Callable[[str], str]]:
    """A function that runs SQL on a stripped copy of the healthy database and returns the URI of the copy."""
    name = clone(postgres, f"damaged_{uuid4().hex[:12]}", stripped)
    uri = postgres.uri(database=name)

    def run(statements: str) -> str:
        with psycopg.connect(uri) as connection:
            connection.execute(statements.encode())
        return uri

    yield run
    with psycopg.connect(postgres.uri(database="postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("drop database {}").format(sql.Identifier(name)))


STRIP = """
do $$
declare
    it record;
begin
    for it in select c.conrelid::regclass as owner, c.conname as name from pg_constraint c
                join pg_class t on t.oid = c.conrelid
               where t.relnamespace = 'public'::regnamespace and t.relname not like 'procrastinate%'
                 and c.contype in ('p', 'u', 'f', 'c', 'x')
               order by c.contype in ('p', 'u')
    loop
        execute format('alter table %s drop constraint %I', it.owner, it.name);
    end loop;
    for it in select indexrelid::regclass as name from pg_index join pg_class t on t.oid = indrelid
               where t.relnamespace = 'public'::regnamespace and t.relkind = 'r'
                 and t.relname not like 'procrastinate%'
    loop
        execute format('drop index %s', it.name);
    end loop;
    for it in select tgrelid::regclass as owner, tgname as name from pg_trigger
               where not tgisinternal and tgrelid::regclass::text not like 'procrastinate%'
    loop
        execute format('drop trigger %I on %s', it.name, it.owner);
    end loop;
    for it in select p.oid::regprocedure as name from pg_proc p
               where p.proowner in ('holdfast_owner'::regrole, 'holdfast_admission'::regrole)
                 and p.proname not like 'procrastinate%'
    loop
        execute format('drop function %s', it.name);
    end loop;
    alter table claims alter id drop identity;
end $$
"""


def test_empty_database_is_sound(postgres: EmbeddedPostgres, own_database: str) -> None:
    """A database that was only migrated has no violation (B-25)."""
    assert verify(postgres.uri(database=own_database), lambda _: None) == []


def test_what_the_product_made_is_sound(postgres: EmbeddedPostgres, healthy: str) -> None:
    """Bookings in every state, made through admission, have no violation (B-25, SPEC 11 invariants 1 to 4, 6, 7, 9)."""
    assert verify(postgres.uri(database=healthy), lambda _: None) == []


def test_lost_constraints_are_no_damage(postgres: EmbeddedPostgres, stripped: str) -> None:
    """A database without constraints, indexes, triggers and functions is judged by its rows alone (B-25)."""
    assert verify(postgres.uri(database=stripped), lambda _: None) == []


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named(name: str, damage: Callable[[str], str]) -> None:
    """Each kind of damage is found by the check that is for it, with the ids of its rows (B-25, SPEC 11)."""
    statements, expected = DAMAGES[name]
    assert findings(damage(statements)) == expected


def test_a_violation_is_a_sentence(damage: Callable[[str], str]) -> None:
    """A violation tells its business, the rows and the figures (B-25)."""
    statements, _ = PLACES["a counter is too low"]
    assert verify(damage(statements), lambda _: None) == [
        Violation(
            "booking.schedule_counters_equal_their_bookings",
            UUID(the("business")),
            (the("monday"),),
            f"schedule {the('monday')} counts 8 places taken, but its bookings take 9",
        )
    ]
