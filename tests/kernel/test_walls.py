"""Row-level security alone keeps tenants apart, in every table that there is (D-9)."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg
import pytest
from psycopg import Connection, sql

from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.embedded import EmbeddedPostgres
from kernel.walled import TABLES, Tenant, Walled, about, insert_row, walled_database

EVERY_TABLE = pytest.mark.parametrize("table", TABLES)


@pytest.fixture(scope="module")
def walled(postgres: EmbeddedPostgres) -> Iterator[Walled]:
    """A database in which two tenants have a row in every table."""
    with walled_database(postgres) as made:
        yield made


def seen(connection: Connection, table: str) -> list[UUID]:
    """Return whose rows of a table are there."""
    return [owner for (owner,) in connection.execute(about("select {key} from {table}", table)).fetchall()]


@contextmanager
def refused(connection: Connection) -> Iterator[None]:
    """Expect that the wall refuses what is tried, and go on."""
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security policy"),
        connection.transaction(),
    ):
        yield


def test_every_table_of_tenants_is_tried(walled: Walled) -> None:
    """Both tenants have a row in each table of the schema that has a business (D-9)."""
    with psycopg.connect(walled.uri) as connection:
        found = connection.execute(
            "select table_name from information_schema.columns where table_schema = 'public'"
            " and column_name = 'business_id' and table_name in (select relname from pg_class where relkind in ('r', 'p'))"
        ).fetchall()
        assert sorted({name for (name,) in found} | {"businesses"}) == TABLES
        for table in TABLES:
            assert set(seen(connection, table)) == {walled.ours.business_id, walled.theirs.business_id}, table


@EVERY_TABLE
def test_a_tenant_sees_no_row_of_another(walled: Walled, table: str) -> None:
    """A transaction of one tenant sees its own row of each table, and the other's not even when it asks for it (D-9)."""
    with walled.acting_for(walled.ours.business_id) as connection:
        assert seen(connection, table) == [walled.ours.business_id]
        theirs = about("select from {table} where {key} = %s", table)
        assert connection.execute(theirs, [walled.theirs.business_id]).fetchall() == []


@EVERY_TABLE
def test_a_tenant_changes_no_row_of_another(walled: Walled, table: str) -> None:
    """It can neither change nor delete a row of another tenant, nor make one, nor give its own away (D-9)."""
    before = walled.rows(walled.theirs)
    theirs = walled.theirs.business_id
    with walled.acting_for(walled.ours.business_id) as connection:
        update = about("update {table} set {key} = {key} where {key} = %s", table)
        assert connection.execute(update, [theirs]).rowcount == 0
        assert connection.execute(about("delete from {table} where {key} = %s", table), [theirs]).rowcount == 0
        with refused(connection):
            insert_row(connection, table, Tenant(theirs))
        with refused(connection):
            connection.execute(about("update {table} set {key} = %s", table), [theirs])
        connection.commit()
    assert walled.rows(walled.theirs) == before


@EVERY_TABLE
def test_nobody_sees_and_changes_nothing(walled: Walled, table: str) -> None:
    """A transaction that says for no tenant that it acts sees no row, changes none and makes none (D-9)."""
    with walled.acting_for(None) as connection:
        assert seen(connection, table) == []
        assert connection.execute(about("update {table} set {key} = {key}", table)).rowcount == 0
        assert connection.execute(about("delete from {table}", table)).rowcount == 0
        with refused(connection):
            insert_row(connection, table, Tenant(walled.ours.business_id))


@EVERY_TABLE
def test_without_the_wall_it_would_be_seen(walled: Walled, table: str) -> None:
    """Once the wall of a table is down, everybody sees and changes everything: nothing else refuses it here (D-9)."""
    with psycopg.connect(walled.uri) as connection:
        connection.execute(sql.SQL("alter table {} disable row level security").format(sql.Identifier(table)))
        connection.execute("set local role holdfast_app")
        assert len(seen(connection, table)) == 2
        insert_row(connection, table, Tenant(walled.theirs.business_id) if table != "businesses" else Tenant())
        assert connection.execute(about("update {table} set {key} = {key}", table)).rowcount == 3
        assert connection.execute(about("delete from {table}", table)).rowcount == 3
        connection.rollback()


async def test_the_tenant_of_a_transaction_ends_with_it(walled: Walled) -> None:
    """On the same connection of a pool, what follows a transaction or a reading of a tenant is nobody's (D-9)."""
    database = Database(walled.app_uri, min_connections=1, max_connections=1)
    await database.open()
    ours = walled.ours.business_id

    async def whose(tx: Transaction) -> list[UUID]:
        return [row["business_id"] for row in await tx.rows("select business_id from bookings")]

    async def nobody() -> list[UUID]:
        async with database.transaction() as tx:
            found = await whose(tx)
        async with database.reading() as tx:
            return found + await whose(tx)

    try:
        async with database.transaction(ours) as tx:
            assert await whose(tx) == [ours]
        assert await nobody() == []
        async with database.reading(ours) as tx:
            assert await whose(tx) == [ours]
        assert await nobody() == []
        async with database.transaction() as tx:
            assert await whose(await tx.act_for(ours)) == [ours]
        assert await nobody() == []
        with pytest.raises(psycopg.errors.DivisionByZero):
            async with database.transaction(ours) as tx:
                await tx.value("select 1 / 0")
        assert await nobody() == []
        assert database.statistics()["connections_num"] == 1
    finally:
        await database.close()
