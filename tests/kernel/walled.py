"""Databases in which tenants have one row in every table.

In one of them nothing but the wall stands between the tenants: constraints on values, foreign keys and triggers are gone,
and the servers' role has every right to every table, so that what is refused is refused by row-level security. In the
other, a tenant of the product's own making has such a neighbour. Rows are made from the catalogue, so that a table of a
later migration is among them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg import Connection, sql

from holdfast.kernel.embedded import EmbeddedPostgres
from house.tables import OWNERS
from house.test_schema import SHARED_TABLES

# The tables of tenants; a house test compares OWNERS with the schema.
TABLES = sorted(set(OWNERS) - set(SHARED_TABLES) | {"businesses"})

# What would refuse rows that are made from nothing but the types of their columns.
_LOOSEN = """
do $$
declare
    it record;
begin
    for it in select conrelid::regclass as owner, conname as name from pg_constraint c join pg_class t on t.oid = c.conrelid
               where t.relnamespace = 'public'::regnamespace and t.relname not like 'procrastinate%'
                 and c.contype in ('c', 'f')
    loop
        execute format('alter table %s drop constraint %I', it.owner, it.name);
    end loop;
    for it in select contypid::regtype as owner, conname as name from pg_constraint
               where contypid <> 0 and connamespace = 'public'::regnamespace
    loop
        execute format('alter domain %s drop constraint %I', it.owner, it.name);
    end loop;
    -- Where a tenant has one row of a kind, a second one would be refused for that.
    for it in select i.indexrelid::regclass as name from pg_index i
                join pg_class t on t.oid = i.indrelid
                join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
               where t.relnamespace = 'public'::regnamespace and i.indisunique and not i.indisprimary
                 and i.indnkeyatts = 1 and a.attname = 'business_id'
    loop
        execute format('drop index %s', it.name);
    end loop;
end $$
"""
# What would stand between tenants beside the wall.
_DISARM = """
do $$
declare
    it record;
begin
    for it in select oid::regclass as name from pg_class
               where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
                 and relname not like 'procrastinate%'
    loop
        execute format('alter table %s disable trigger user', it.name);
    end loop;
    grant all on all tables in schema public to holdfast_app;
    grant all on all sequences in schema public to holdfast_app;
end $$
"""
_COLUMNS = """
select a.attname, format_type(coalesce(nullif(d.typbasetype, 0), t.oid), null), t.typtype = 'e', a.attnotnull
  from pg_attribute a
  join pg_type t on t.oid = a.atttypid
  left join pg_type d on d.oid = t.oid and t.typtype = 'd'
 where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped
   and a.attidentity = '' and a.attgenerated = ''
 order by a.attnum
"""
_VALUES: dict[str, Any] = {
    "smallint": 1,
    "integer": 1,
    "numeric": 1,
    "double precision": 1,
    "boolean": True,
    "date": "2045-05-02",
    "time without time zone": "10:00",
    "timestamp with time zone": "2045-05-02 10:00Z",
    "tstzrange": "[2045-05-02 10:00Z, 2045-05-02 11:00Z)",
    "interval": "1 hour",
    "jsonb": "{}",
}


# No two tenants have the same one, where numbers count what a tenant has.
_NUMBERS = count(1)


@dataclass(frozen=True)
class Tenant:
    """A business; whatever it owns has the same id and number, and the same word wherever there is a text."""

    business_id: UUID = field(default_factory=uuid4)
    thing_id: UUID = field(default_factory=uuid4)
    word: str = field(default_factory=lambda: uuid4().hex)
    number: int = field(default_factory=lambda: next(_NUMBERS))

    def value(self, name: str, kind: str) -> Any:
        """Return what this tenant has in a column, or gives to a parameter, of this name and type."""
        if name == "business_id":
            return self.business_id
        if kind.endswith("[]"):
            return [self.value("", kind[:-2])]
        own = {
            "uuid": self.thing_id,
            "bigint": self.number,
            "text": self.word,
            "character varying": self.word,
            "bytea": b"hfe1" + self.word.encode(),
        }
        known = own | _VALUES
        assert kind in known, f"{name}: say in _VALUES what a {kind} is filled with"
        return known[kind]


def about(statement: str, table: str) -> sql.Composed:
    """Return a statement about a table, whose rows say in {key} whose they are."""
    key = "id" if table == "businesses" else "business_id"
    named = {"table": sql.Identifier(table), "key": sql.Identifier(key), "name": sql.Literal(table)}
    return sql.SQL(statement).format(**named)  # type: ignore[arg-type]


_EVERY_ROW = (
    sql.SQL(" union all ")
    .join(about("select {name}, to_jsonb(t) from {table} t where {key} = %(id)s", table) for table in TABLES)
    .as_bytes()
)


@dataclass(frozen=True)
class Walled:
    """The database: its URIs, and two tenants who have a row in every table.

    A connection of a server and one of the administrator stay open: each has to read the catalogue of a hundred tables
    before it answers.
    """

    uri: str
    app_uri: str
    ours: Tenant
    theirs: Tenant
    server: Connection
    administrator: Connection

    @contextmanager
    def acting_for(self, business_id: UUID | None) -> Iterator[Connection]:
        """Open a transaction of a server, which leaves nothing behind."""
        try:
            if business_id is not None:
                self.server.execute("select set_config('holdfast.business', %s, true)", [str(business_id)])
            yield self.server
        finally:
            self.server.rollback()

    def rows(self, tenant: Tenant) -> list[tuple[str, Any]]:
        """Return everything that a tenant has, read by the administrator."""
        return self.administrator.execute(_EVERY_ROW, {"id": tenant.business_id}).fetchall()


def insert_row(connection: Connection, table: str, tenant: Tenant) -> None:
    """Insert a row of a tenant: what must be there, and every id."""
    row: dict[str, Any] = {}
    for name, kind, is_enum, is_needed in connection.execute(_COLUMNS, [table]).fetchall():
        if is_enum:
            [row[name]] = (
                connection.execute(sql.SQL("select enum_first(null::{})").format(sql.SQL(kind))).fetchone() or ()
            )
        elif is_needed or kind == "uuid":
            row[name] = tenant.value("business_id" if (table, name) == ("businesses", "id") else name, kind)
    statement = sql.SQL("insert into {} ({}) values ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(map(sql.Placeholder, row)),
    )
    connection.execute(statement, row)


@contextmanager
def walled_database(postgres: EmbeddedPostgres) -> Iterator[Walled]:
    """Open a database in which nothing but the wall stands between two tenants; it is gone afterwards."""
    with neighbour_database(postgres) as made:
        with psycopg.connect(made.uri) as connection:
            connection.execute(_DISARM)
            for table in TABLES:
                insert_row(connection, table, made.ours)
        yield made


@contextmanager
def neighbour_database(postgres: EmbeddedPostgres) -> Iterator[Walled]:
    """Open a database in which one tenant, theirs, has a row in every table; it is gone afterwards."""
    name = f"walled_{uuid4().hex[:12]}"
    with psycopg.connect(postgres.uri(database="postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("create database {} template holdfast_template").format(sql.Identifier(name)))
        try:
            uri, app_uri = postgres.uri(database=name), postgres.uri(user="holdfast_app", database=name)
            with psycopg.connect(app_uri) as server, psycopg.connect(uri, autocommit=True) as administrator:
                made = Walled(uri, app_uri, Tenant(), Tenant(), server, administrator)
                with administrator.transaction():
                    administrator.execute(_LOOSEN)
                    # The triggers and foreign keys that are left stay out of it.
                    administrator.execute("set local session_replication_role = replica")
                    for table in TABLES:
                        insert_row(administrator, table, made.theirs)
                yield made
        finally:
            admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
