"""Spreading the schema over a cluster by tenant, as far as that can be known without one."""

import re
from collections.abc import Iterator

import psycopg
import pytest

from holdfast.kernel.distribution import LOCAL, REFERENCE, distribute, plan_of_distribution
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.migrate import MigrationError
from house.test_schema import JOBS, SHARED_TABLES
from journeys.instance import holdfast

# Takes what Citus would take, and remembers it: that the words mean tables, functions and arguments that exist.
STAND_IN = """
create schema stand_in;
do $$begin execute format('alter database %I set search_path = public, stand_in', current_database()); end$$;
set search_path = stand_in, public;
create table told (n integer generated always as identity, call text);
create table pg_dist_partition (logicalrelid regclass);
create function citus_version() returns text language sql return 'a stand-in';
create function create_reference_table(t regclass) returns void language sql as
    $$insert into told (call) values ('reference ' || t); insert into pg_dist_partition values (t)$$;
create function create_distributed_table(t regclass, by text, colocate_with text) returns void language sql as
    $$insert into told (call) select 'spread ' || t || ' by ' || a.attname || ' beside ' || colocate_with
        from pg_attribute a where a.attrelid = t and a.attname = by;
      insert into pg_dist_partition values (t)$$;
create function create_distributed_function(f regprocedure, by text, colocate_with regclass) returns void
    language sql as
    $$insert into told (call) select 'function ' || p.proname from pg_proc p
       where p.oid = f and p.proargnames[1] = by$$;
"""


@pytest.fixture
def dsn(postgres: EmbeddedPostgres, own_database: str) -> str:
    """A migrated database, as administrator."""
    return postgres.uri(database=own_database)


@pytest.fixture
def connection(dsn: str) -> Iterator[psycopg.Connection]:
    """A connection of the administrator."""
    with psycopg.connect(dsn, autocommit=True) as opened:
        yield opened


def test_each_table_has_its_place() -> None:
    """A table without a tenant is whole on every node or stays with the coordinator; all others are spread."""
    assert set(SHARED_TABLES) == REFERENCE | LOCAL
    assert not REFERENCE & LOCAL


def test_the_plan_spreads_every_table_of_tenants(dsn: str, connection: psycopg.Connection) -> None:
    """Each table with a business is spread once, by it, beside the others, after those to which it refers."""
    plan = plan_of_distribution(dsn).splitlines()
    spread = [
        match[1] for line in plan if (match := re.search(r"create_distributed_table\('(\w+)', 'business_id'", line))
    ]
    tenants = connection.execute(
        """select table_name from information_schema.columns
            join information_schema.tables using (table_schema, table_name)
            where table_schema = 'public' and column_name = 'business_id' and table_type = 'BASE TABLE'
              and table_name not like %s""",
        [JOBS],
    ).fetchall()
    assert sorted(spread) == sorted(name for (name,) in tenants)
    aside = {match[1] for line in plan if (match := re.search(r"drop constraint (\w+)", line))}
    keys = connection.execute(
        """select conname, conrelid::regclass::text, confrelid::regclass::text from pg_constraint
            where contype = 'f' and connamespace = 'public'::regnamespace and conrelid <> confrelid"""
    ).fetchall()
    early = {
        name for name, here, there in keys if {here, there} <= set(spread) and spread.index(here) < spread.index(there)
    }
    assert early == aside


def test_the_plan_gives_the_business_to_each_entrance(dsn: str, connection: psycopg.Connection) -> None:
    """Every function of admission that servers call for one business runs where that business is."""
    planned = re.findall(r"create_distributed_function\('(\w+)\(uuid", plan_of_distribution(dsn))
    called = connection.execute(
        """select proname from pg_proc where proowner = 'holdfast_admission'::regrole and prosecdef
              and proargnames[1] = 'p_business_id' and has_function_privilege('holdfast_app', oid, 'execute')"""
    ).fetchall()
    assert {name for (name,) in called} <= set(planned)
    assert {"admit", "commit_reservations", "move_booking"} <= set(planned)


def test_the_plan_names_what_exists(dsn: str, connection: psycopg.Connection) -> None:
    """Each statement of the plan fits the catalogue, all run in one transaction, and every key stands as before.

    What answers is a stand-in for Citus: that a cluster takes them is not shown by this.
    """
    keys = "select conname, pg_get_constraintdef(oid), convalidated from pg_constraint where contype = 'f' order by 1"
    before = connection.execute(keys).fetchall()
    connection.execute(STAND_IN)
    ran = distribute(dsn)
    told = [call for (call,) in connection.execute("select call from told order by n").fetchall()]
    assert len(told) == len([each for each in ran if each.startswith("select create_")])
    assert told[:3] == ["reference businesses", "reference roles", "spread resources by business_id beside none"]
    assert "spread claims by business_id beside resources" in told
    assert connection.execute(keys).fetchall() == before
    again = distribute(dsn)
    assert not [each for each in again if "_table(" in each or "constraint" in each]


def test_what_the_cluster_refuses_changes_nothing(dsn: str, connection: psycopg.Connection) -> None:
    """A statement that is refused is named, and what ran before it is undone."""
    connection.execute(STAND_IN)
    connection.execute("drop function create_distributed_function")
    with pytest.raises(MigrationError, match="The cluster refused `select create_distributed_function"):
        distribute(dsn)
    assert connection.execute("select count(*) from told").fetchone() == (0,)


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("create unique index plates_number on blocks (id)", "blocks.plates_number"),
        ("alter table blocks add constraint plates exclude using gist (id with =)", "blocks.plates"),
        ("create table plates (id uuid primary key)", "plates"),
        (
            "alter table intake_forms add foreign key (business_id, booking_id) references bookings on update cascade",
            "intake_forms.intake_forms_business_id_booking_id_fkey",
        ),
        (
            "alter table claims add foreign key (business_id, block_id) references blocks on delete set null",
            "claims.claims_business_id_block_id_fkey",
        ),
    ],
)
def test_a_schema_that_cannot_be_spread_is_told(
    dsn: str, connection: psycopg.Connection, damage: str, named: str
) -> None:
    """A key that one node could not check alone, or that changes rows by itself, and a table of nobody are named."""
    connection.execute(damage.encode())
    with pytest.raises(MigrationError, match=rf"cannot be spread by tenant: {re.escape(named)}\.$"):
        plan_of_distribution(dsn)


def test_without_citus_nothing_is_spread(dsn: str) -> None:
    """The command says what is missing and what to do, and prints its plan all the same."""
    refused = holdfast("migrate", "--dsn", dsn, "--distribute")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "CREATE EXTENSION citus" in refused.stderr
    planned = holdfast("migrate", "--dsn", dsn, "--distribute", "--plan")
    assert planned.returncode == 0
    assert "select create_distributed_table('bookings', 'business_id', colocate_with => 'resources');" in planned.stdout


def test_a_database_of_another_release_is_not_spread(postgres: EmbeddedPostgres, own_database: str) -> None:
    """What has not been migrated is migrated first."""
    dsn = postgres.uri(database=own_database)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("delete from schema_migrations where name = '0991_forgotten_requests_checked'")
    with pytest.raises(MigrationError, match="Run `holdfast migrate` first: 0991"):
        plan_of_distribution(dsn)
