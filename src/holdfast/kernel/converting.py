"""The embedded data from one major version of PostgreSQL to the next, by PostgreSQL's own pg_upgrade on a copy."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psycopg
from psycopg import sql

from holdfast.kernel.embedded import (
    SUPERUSER,
    EmbeddedPostgres,
    EmbeddedPostgresError,
    find_binaries,
    initialise,
    major_of,
    unprivileged,
)
from holdfast.kernel.sql import load

_SQL = load(__package__, "keeping.sql")
# What pg_upgrade would have people run, and what we have done.
_ADVICE = ("delete_old_cluster.sh", "update_extensions.sql")


def convert(data_dir: Path, old_binaries: Path, *, binaries: Path | None = None, report: Callable[[str], None]) -> Path:
    """Bring a data directory to the major version of `binaries`; return where the old files stay.

    Whatever fails, the old ones are in their place, and it can be done again. Raises EmbeddedPostgresError.
    """
    new_binaries, old_binaries = find_binaries(binaries), find_binaries(old_binaries)
    cluster = data_dir / "postgres"
    new, old = major_of(new_binaries), _major_in(cluster)
    if new == old:
        raise EmbeddedPostgresError(f"the data in {data_dir} is of PostgreSQL {new} already: there is nothing to do")
    if major_of(old_binaries) != old:
        raise EmbeddedPostgresError(f"the data is of PostgreSQL {old}, and {old_binaries} has {major_of(old_binaries)}")
    fresh, kept = data_dir / f"converted-{new}", data_dir / f"postgres-{old}"
    if kept.exists():
        raise EmbeddedPostgresError(f"{kept} is there already, of an earlier conversion: move it away")

    report(f"starting PostgreSQL {old} once more, so that it ends in order")
    server = EmbeddedPostgres(data_dir, binaries=old_binaries)
    server.start()
    try:
        with psycopg.connect(server.uri(), autocommit=True) as connection:
            row = connection.execute("show data_checksums").fetchone()
    finally:
        server.stop()

    server = EmbeddedPostgres(data_dir, binaries=new_binaries)
    with server.closed():
        shutil.rmtree(fresh, ignore_errors=True)  # of an attempt that was killed
        checksums = "--data-checksums" if row == ("on",) else "--no-data-checksums"
        initialise(new_binaries, fresh, checksums)
        try:
            _pg_upgrade(old_binaries, new_binaries, cluster, fresh, report)
        except BaseException:
            shutil.rmtree(fresh)
            raise
        for name in _ADVICE:
            (fresh / name).unlink(missing_ok=True)
        cluster.rename(kept)
        fresh.rename(cluster)
        # What is kept of the log so far does not lead on to this: it begins a line of backups of its own.
        with suppress(FileNotFoundError):
            (data_dir / "lineage").unlink()
    report(f"starting PostgreSQL {new}, and having it look at what is where")
    server.start()
    try:
        with psycopg.connect(server.uri(), autocommit=True) as connection:
            for (name,) in connection.execute(_SQL["outdated_extensions"]).fetchall():
                connection.execute(sql.SQL("alter extension {} update").format(sql.Identifier(name)))
            connection.execute("analyze")
    finally:
        server.stop()
    return kept


def _pg_upgrade(old_binaries: Path, new_binaries: Path, old: Path, new: Path, report: Callable[[str], None]) -> None:
    command = [*unprivileged(), str(new_binaries / "pg_upgrade"), "--copy", f"--username={SUPERUSER}"]
    command += [f"--old-bindir={old_binaries}", f"--new-bindir={new_binaries}"]
    command += [f"--old-datadir={old}", f"--new-datadir={new}"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    # A socket's path is short.
    sockets = tempfile.mkdtemp(prefix="holdfast-", dir="/tmp")
    words: list[str] = []
    try:
        with subprocess.Popen(  # noqa: S603 - our own words, no shell
            [*command, f"--socketdir={sockets}"],
            cwd=new,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            assert process.stdout is not None, "it is a pipe"
            for line in process.stdout:
                if line.strip():
                    words.append(line.strip())
                    report(words[-1])
    finally:
        shutil.rmtree(sockets, ignore_errors=True)
    if process.returncode:
        raise EmbeddedPostgresError("pg_upgrade failed, and the data is as it was:\n" + "\n".join(words[-8:]))


def _major_in(cluster: Path) -> str:
    try:
        return (cluster / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        raise EmbeddedPostgresError(f"there is no database in {cluster.parent}") from None
