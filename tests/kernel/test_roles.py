"""The three roles are what they should be, or nothing begins to work (D-9)."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from conftest import FAST
from holdfast.config import Settings, application_dsn
from holdfast.kernel.database import Database
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.migrate import MigrationError, assert_sees_all_rows, migrate


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A migrated server of its own: roles belong to a whole server."""
    server = EmbeddedPostgres(Path(tmp_path_factory.mktemp("roles")), FAST)
    server.start()
    try:
        migrate(server.uri())
        yield server
    finally:
        server.stop()


def run(uri: str, *statements: str) -> None:
    """Run statements, each by itself."""
    with psycopg.connect(uri, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


async def checked(uri: str) -> None:
    """Look at the roles as a server does when it starts."""
    database = Database(uri, min_connections=1, max_connections=1)
    await database.open()
    try:
        await database.check_role()
    finally:
        await database.close()


async def test_a_server_starts_as_the_application(cluster: EmbeddedPostgres) -> None:
    """On a migrated database the application's role is let in, and one that the wall does not hold back is not (D-9)."""
    await checked(cluster.uri(user="holdfast_app"))
    run(
        cluster.uri(),
        "create role as_owner login in role holdfast_owner",
        "create role as_admission login noinherit in role holdfast_admission",
        "create role as_auditor login bypassrls",
    )
    superuser = psycopg.conninfo.conninfo_to_dict(cluster.uri())["user"]
    for role in ("as_owner", "as_admission", "as_auditor", superuser):
        with pytest.raises(PermissionError, match=f"must not run as {role}"):
            await checked(cluster.uri(user=str(role)))


async def test_who_steps_down_is_held_back(cluster: EmbeddedPostgres) -> None:
    """A server that logs in as administrator and steps down, as on the embedded database, is behind the wall (D-9)."""
    uri = application_dsn(Settings(), cluster.uri())
    await checked(uri)
    with psycopg.connect(uri) as connection:
        assert connection.execute("select current_user::text, row_security_active('bookings')").fetchone() == (
            "holdfast_app",
            True,
        )


async def test_a_server_does_not_start_where_a_table_stands_open(cluster: EmbeddedPostgres) -> None:
    """A table of tenants whose wall is down, or not forced, is named, with what to do about it (D-9)."""
    for down, up in (
        ("alter table bookings disable row level security", "alter table bookings enable row level security"),
        ("alter table businesses no force row level security", "alter table businesses force row level security"),
        ("create table loose (business_id uuid)", "drop table loose"),
    ):
        run(cluster.uri(), down)
        with pytest.raises(PermissionError, match=r"not hold on (bookings|businesses|loose): run `holdfast migrate`"):
            await checked(cluster.uri(user="holdfast_app"))
        run(cluster.uri(), up)
    await checked(cluster.uri(user="holdfast_app"))


@pytest.mark.parametrize(
    ("wrong", "right"), [("nobypassrls", "bypassrls"), ("login", "nologin"), ("superuser", "nosuperuser")]
)
async def test_a_server_does_not_start_without_a_sound_admission(
    cluster: EmbeddedPostgres, wrong: str, right: str
) -> None:
    """The role of admission sees across tenants, and nobody can be it, or no server starts (D-9)."""
    run(cluster.uri(), f"alter role holdfast_admission {wrong}")
    with pytest.raises(PermissionError, match="holdfast_admission must bypass row-level security"):
        await checked(cluster.uri(user="holdfast_app"))
    run(cluster.uri(), f"alter role holdfast_admission {right}")
    await checked(cluster.uri(user="holdfast_app"))


async def test_migrating_gives_back_what_a_role_has_lost(cluster: EmbeddedPostgres) -> None:
    """Owner and admission see all rows again after the next migration (D-1, D-9)."""
    run(cluster.uri(), "alter role holdfast_owner nobypassrls", "alter role holdfast_admission nobypassrls")
    migrate(cluster.uri())
    with psycopg.connect(cluster.uri()) as connection:
        assert_sees_all_rows(connection)
    await checked(cluster.uri(user="holdfast_app"))


@pytest.mark.parametrize("role", ["holdfast_owner", "holdfast_admission"])
def test_nobody_migrates_rows_that_he_does_not_see(cluster: EmbeddedPostgres, role: str) -> None:
    """A role of the migrations that is held back by the wall is named, with the statement that mends it (D-9)."""
    with psycopg.connect(cluster.uri()) as connection:
        connection.execute(f"alter role {role} nobypassrls".encode())
        with pytest.raises(MigrationError, match=f"run ALTER ROLE {role} BYPASSRLS"):
            assert_sees_all_rows(connection)
        connection.rollback()


def test_who_cannot_make_the_roles_is_told_so(cluster: EmbeddedPostgres) -> None:
    """A role that may not let others bypass row-level security cannot migrate, and hears who can (D-9)."""
    run(cluster.uri(), "create role weak login createrole", "alter role holdfast_admission nobypassrls")
    try:
        with pytest.raises(MigrationError, match="Migrate as a superuser"):
            migrate(cluster.uri(user="weak"))
    finally:
        run(cluster.uri(), "alter role holdfast_admission bypassrls")
