"""A database that is lost, hangs or has several hosts: how long it is waited for, and which host is meant."""

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from holdfast import config
from holdfast.kernel.database import Database, Session, is_away
from holdfast.kernel.embedded import EmbeddedPostgres


@pytest.fixture
def uri(postgres: EmbeddedPostgres, own_database: str) -> str:
    """How a server connects."""
    return postgres.uri(user="holdfast_app", database=own_database)


async def hang(database: Database) -> None:
    """Ask what is not answered in time."""
    async with database.transaction() as tx:
        assert isinstance(tx.connection, Session)
        tx.connection.silence_seconds = 0.05
        await tx.value("select pg_sleep(600)")


async def test_a_server_that_hangs_is_given_up(uri: str) -> None:
    """A statement to which nothing is said for too long ends as if its connection were lost, and the next one has another
    connection (H-3, K-1).
    """
    database = Database(uri, min_connections=1, max_connections=1)
    await database.open()
    try:
        with pytest.raises(psycopg.OperationalError) as lost:
            await hang(database)
        assert is_away(lost.value)
        async with database.transaction() as tx:
            assert await tx.value("select 1") == 1
    finally:
        await database.close()


async def test_silence_between_statements_is_none(uri: str) -> None:
    """What nobody asks may be silent for as long as it likes: the time counts for each statement anew (H-3)."""
    async with await Session.connect(uri, autocommit=True) as connection:
        connection.silence_seconds = 20
        for _ in range(3):
            await connection.execute("select pg_sleep(0.01)")
        assert not connection.closed


def test_several_hosts_mean_the_one_that_takes_writes() -> None:
    """Of several hosts the primary is meant, and each is given up within seconds; what is said stays as it is (K-3)."""
    several = conninfo_to_dict(config.checked_dsn("postgresql://me:pw@a:5432,b:5433,c/holdfast", "--dsn") or "")
    assert several["host"] == "a,b,c"
    assert several["target_session_attrs"] == "read-write"
    assert (several["connect_timeout"], several["tcp_user_timeout"]) == ("2", "5000")
    said = conninfo_to_dict(
        config.checked_dsn("host=a,b target_session_attrs=any connect_timeout=9 tcp_user_timeout=1", "--dsn") or ""
    )
    assert (said["target_session_attrs"], said["connect_timeout"], said["tcp_user_timeout"]) == ("any", "9", "1")


def test_one_host_is_noticed_to_be_lost() -> None:
    """A lone host may be slow to let somebody in and take no writes, but its loss is noticed as well (K-3)."""
    lone = conninfo_to_dict(config.checked_dsn("postgresql://a/holdfast", "--dsn") or "")
    assert lone["tcp_user_timeout"] == "5000"
    assert "keepalives_idle" in lone
    assert not {"target_session_attrs", "connect_timeout"} & set(lone)


@pytest.mark.parametrize("dsn", ["postgresql:///holdfast?host=/run/postgresql", "dbname=holdfast", "host=@abstract"])
def test_a_socket_stays_as_it_is(dsn: str) -> None:
    """A connection string without a network is left alone (K-3)."""
    assert config.checked_dsn(dsn, "--dsn") == dsn
