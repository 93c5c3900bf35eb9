"""A database of an earlier release, with everything that it holds, becomes one of this release (D-1).

`releases/` keeps such databases as dumps, in each two businesses with bookings in every state.
"""

import gzip
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import unified_diff
from pathlib import Path
from typing import LiteralString, cast
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from holdfast.kernel.embedded import EmbeddedPostgres, find_binaries
from holdfast.kernel.migrate import migrate, steps

RELEASES = sorted((Path(__file__).parent / "releases").glob("*.sql.gz"))
# Rows of these differ by what a release is.
OF_THE_RELEASE = {"schema_migrations"}


@contextmanager
def _empty(postgres: EmbeddedPostgres) -> Iterator[str]:
    """Make a database in which nothing is; give its URI as administrator."""
    name = f"earlier_{uuid4().hex[:12]}"
    with psycopg.connect(postgres.uri(database="postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        yield postgres.uri(database=name)
        admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture(params=RELEASES, ids=lambda path: path.name.partition(".")[0])
def earlier(request: pytest.FixtureRequest, postgres: EmbeddedPostgres) -> Iterator[str]:
    """A URI of a database as an earlier release has left it, as administrator."""
    with _empty(postgres) as uri:
        _run(uri, gzip.decompress(request.param.read_bytes()).decode())
        yield uri


def test_an_upgraded_database_has_the_schema_of_a_fresh_one(earlier: str, postgres: EmbeddedPostgres) -> None:
    """Migrated from an earlier release, filled as it is, a database has the schema of a new one, to the letter (D-1)."""
    ran = migrate(earlier)
    assert ran
    assert migrate(earlier) == []
    fresh = _read_again(postgres, postgres.uri(database="holdfast_template"))
    upgraded = _read_again(postgres, earlier)
    assert list(unified_diff(fresh.splitlines(), upgraded.splitlines(), lineterm="", n=2)) == []


def test_an_upgrade_loses_no_row(earlier: str) -> None:
    """Every table of the earlier release has at least the rows that it had (D-1)."""
    before = _counts(earlier)
    assert sum(before.values()) > 100
    migrate(earlier)
    after = _counts(earlier)
    assert {table: count for table, count in before.items() if after.get(table, 0) < count} == {}


def test_businesses_that_there_were_get_topics(earlier: str) -> None:
    """Migrated, each business of the earlier release has the seeded topics like one that is made today (D-2)."""
    migrate(earlier)
    with psycopg.connect(earlier) as connection:
        slug, name, zone, currency = "made-today", "B", "UTC", "EUR"
        connection.execute(
            "insert into businesses (slug, name, timezone, currency) values (%s, %s, %s, %s)",
            [slug, name, zone, currency],
        )
        seeded = connection.execute(
            "select b.slug, array(select t.slug from topics t where t.business_id = b.id order by t.slug) from businesses b"
        ).fetchall()
    topics = dict(seeded)
    assert len(topics) == 3
    assert "anxiety" in topics[slug]
    assert [found for found in topics.values() if found != topics[slug]] == []


def test_a_migrated_step_stays_as_it_was(earlier: str) -> None:
    """What an earlier release has run is in this release to the letter: no versioned file was edited or removed (D-1)."""
    with psycopg.connect(earlier) as connection:
        done = dict(connection.execute("select name, digest from schema_migrations").fetchall())
    ours = {step.name: step for step in steps()}
    assert set(done) - set(ours) == set()
    assert [name for name in done if not ours[name].repeatable and ours[name].digest != done[name]] == []


def _run(uri: str, dump: str) -> None:
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(cast(LiteralString, dump))


def _read_again(postgres: EmbeddedPostgres, uri: str) -> str:
    """Return a schema as it is dumped after it was dumped and read again, since that gives expressions other brackets.

    What is old in an upgraded database has gone that way before, and what is new in it has not.
    """
    with _empty(postgres) as restored:
        _run(restored, _schema(uri))
        return _schema(restored)


def _schema(uri: str) -> str:
    """Return the whole schema as a text, without what differs from dump to dump."""
    pg_dump = find_binaries() / "pg_dump"
    dump = subprocess.run([pg_dump, "--schema-only", uri], capture_output=True, text=True, check=True).stdout
    return re.sub(r"^\\(?:un)?restrict .*$", "", dump, flags=re.MULTILINE)


def _counts(uri: str) -> dict[str, int]:
    with psycopg.connect(uri) as connection:
        tables = connection.execute(
            "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
        )
        names = [name for (name,) in tables.fetchall() if name not in OF_THE_RELEASE]
        count = sql.SQL("select count(*) from {}")
        return {name: connection.execute(count.format(sql.Identifier(name))).fetchone()[0] for name in names}  # type: ignore[index]
