"""The files of the schema have a form, and end in one schema however they are run (D-1)."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import LiteralString
from uuid import uuid4

import psycopg
import pytest

from holdfast.kernel.embedded import EmbeddedPostgres, find_binaries
from holdfast.kernel.migrate import migrate, steps
from house.sources import PACKAGE, place

FILES = sorted((PACKAGE / "migrations").glob("*.sql"))
DOMAINS = {
    "00": "identity and plumbing",
    "01": "content",
    "02": "interactive",
    "03": "catalog and booking",
    "04": "moderation",
    "05": "crm",
    "06": "payments",
    "07": "calendars",
    "08": "analytics",
    "09": "messages",
    "10": "webhooks",
}


@pytest.fixture
def empty_database(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A URI of a database in which nothing is, as administrator."""
    name = f"empty_{uuid4().hex[:12]}"
    with psycopg.connect(postgres.uri(database="postgres"), autocommit=True) as admin:
        admin.execute(f'create database "{name}"')
        yield postgres.uri(database=name)
        admin.execute(f'drop database "{name}" with (force)')


def test_files_are_named_by_their_domain() -> None:
    """A migration has a number of its domain, a name, a line that says why it is there, and what it depends on."""
    numbers = [path.name[:4] for path in FILES]
    assert len(set(numbers)) == len(numbers)
    for path in FILES:
        assert re.fullmatch(r"\d{4}_[a-z_]+\.sql", path.name), place(path)
        assert path.name[:2] in DOMAINS, place(path)
        assert path.read_text(encoding="utf-8").startswith("-- "), place(path)
    assert [step.name for step in steps()][: len(FILES)] == [path.stem for path in FILES]


def test_running_twice_has_no_effect(empty_database: str) -> None:
    """The second run runs nothing, and the schema stays as it was, to the letter (D-1)."""
    assert migrate(empty_database) == [step.name for step in steps()]
    before = _schema(empty_database)
    assert migrate(empty_database) == []
    assert _schema(empty_database) == before


def test_a_killed_migration_leaves_nothing_half_done(empty_database: str, postgres: EmbeddedPostgres) -> None:
    """After kill -9 in the middle of a step the next run goes on at once and ends in the same schema (D-1)."""
    with psycopg.connect(empty_database) as blocker, psycopg.connect(empty_database, autocommit=True) as watcher:
        # A table of this name that is not committed: the step waits for our decision in its middle.
        blocker.execute("create table claims (in_the_way integer)")
        process = _start(empty_database)
        _poll(lambda: _clients(watcher, "and wait_event_type = 'Lock'") == 1)
        process.kill()
        process.communicate()
        blocker.rollback()
        blocker.close()
        _poll(lambda: _clients(watcher) == 0)
        # The step before is done, and of this one not even the table that it had made already is there.
        made = watcher.execute("select to_regclass('resources')::text, to_regclass('bookings')").fetchone()
        assert made == ("resources", None)
    assert "0303_booking" in migrate(empty_database)
    assert _schema(empty_database) == _schema(postgres.uri(database="holdfast_template"))


def _start(uri: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "holdfast", "migrate", "--dsn", uri]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _schema(uri: str) -> str:
    """Return the whole schema as a text, without what differs from dump to dump."""
    pg_dump = find_binaries() / "pg_dump"
    dump = subprocess.run([pg_dump, "--schema-only", uri], capture_output=True, text=True, check=True).stdout
    return re.sub(r"^\\(?:un)?restrict .*$", "", dump, flags=re.MULTILINE)


def _clients(connection: psycopg.Connection, such: LiteralString = "") -> int:
    """Return how many other clients this database has."""
    row = connection.execute(
        "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        " and backend_type = 'client backend' " + such
    ).fetchone()
    assert row is not None
    return int(row[0])


def _poll(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
