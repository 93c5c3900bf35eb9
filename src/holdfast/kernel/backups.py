"""Copies of the embedded PostgreSQL from which any moment can be had again: base backups, and the log between them.

Each data directory writes into a folder of its own under the folder of backups, its lineage. A directory that was
restored is another lineage: what is tried out on a copy never gets among the backups of the original.
"""

import fcntl
import os
import re
import secrets
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from holdfast.kernel.embedded import find_binaries

# A segment of the log is given up to be kept after so long at the latest: what a lost disk takes with it.
ARCHIVE_SECONDS = 60

_NAME_OF_BASE = "%Y%m%dT%H%M%S.%fZ"
_FIRST_SEGMENT = re.compile(r"^START WAL LOCATION: \S+ \(file ([0-9A-F]{24})\)$", re.MULTILINE)


class BackupError(Exception):
    """A backup cannot be made, found or restored; says why and what to do."""


@dataclass(frozen=True, slots=True)
class Base:
    """A base backup; everything from `ended_at` on can be had again from it and the log."""

    path: Path
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Lineage:
    """The backups of one data directory."""

    path: Path

    @property
    def log(self) -> Path:
        """Where the segments of the log are kept."""
        return self.path / "wal"

    def bases(self) -> list[Base]:
        """Return the base backups that are whole, oldest first."""
        found = []
        for path in (self.path / "base").glob("*Z"):
            try:
                found.append(Base(path, datetime.strptime(path.name, _NAME_OF_BASE).replace(tzinfo=UTC)))
            except ValueError:
                continue
        return sorted(found, key=lambda base: base.ended_at)


def lineage_of(data_dir: Path, backup_dir: Path) -> Lineage:
    """Return where a data directory keeps its backups; made when it has none yet.

    Raises BackupError for a folder inside the data directory, whose loss would take both.
    """
    if backup_dir.resolve().is_relative_to(data_dir.resolve()):
        raise BackupError(f"{backup_dir} lies in the data directory: name a folder elsewhere, best on another disk.")
    note = data_dir / "lineage"
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not note.exists():
        fresh = note.with_suffix(".new")
        fresh.write_text(f"{datetime.now(UTC):%Y%m%d}-{secrets.token_hex(4)}\n")
        fresh.rename(note)
    lineage = Lineage(backup_dir.absolute() / note.read_text().strip())
    for folder in (lineage.path / "base", lineage.log):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return lineage


def known_lineage(data_dir: Path, backup_dir: Path) -> Lineage | None:
    """Return where a data directory keeps its backups; None when it has never kept any. Makes nothing."""
    note = data_dir / "lineage"
    return Lineage(backup_dir.absolute() / note.read_text().strip()) if note.exists() else None


def has_database(data_dir: Path) -> bool:
    """Tell whether a data directory has a database in it, running or not."""
    return (data_dir / "postgres" / "PG_VERSION").exists()


@contextmanager
def alone(data_dir: Path) -> Iterator[None]:
    """Let nobody else copy the same data directory meanwhile: two copies are made in one place, and spoil each other.

    The lock is on the data directory's own disk, since that of the backups may be one that knows no locks. Raises
    BackupError when somebody else is at it, and where there is no database to copy.
    """
    if not has_database(data_dir):
        raise BackupError(f"There is no database in {data_dir}: name its data directory (HOLDFAST_DATA_DIR).")
    held = os.open(data_dir / "backup.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BackupError(f"A copy of {data_dir} is being made already: wait until it is done.") from error
        yield
    finally:
        os.close(held)


def archiving(lineage: Lineage) -> dict[str, str]:
    """Return the settings with which PostgreSQL keeps its log there.

    A segment appears whole and on the disk or not at all; another one under the same name is never overwritten. Of a
    segment that was given up early, only what is in it takes room.
    """
    place = _quoted(lineage.log)
    kept, part = f"{place}/%f", f"{place}/.%f"
    keep = f"cp --sparse=always %p {part} && sync {part} && mv {part} {kept} && sync {place}"
    return {
        "archive_mode": "on",
        "archive_command": f"if test -e {kept}; then cmp -s %p {kept}; else {keep}; fi",
        "archive_timeout": f"{ARCHIVE_SECONDS}s",
    }


def fetching(lineage: Lineage) -> str:
    """Return the command by which PostgreSQL has a segment back."""
    return f"cp {_quoted(lineage.log)}/%f %p"


def make_base(uri: str, lineage: Lineage, *, binaries: Path | None = None) -> Base:
    """Copy a running PostgreSQL, while it serves; whole and on the disk, or not there at all.

    Its progress goes to stderr. Raises BackupError.
    """
    folder = lineage.path / "base"
    for unfinished in folder.glob(".*"):
        shutil.rmtree(unfinished)
    fresh = folder / ".unfinished"
    words = [f"--dbname={uri}", f"--pgdata={fresh}", "--checkpoint=fast", "--wal-method=stream", "--progress"]
    program = _program("pg_basebackup", binaries)
    # Its own words stand on stderr, where people read them.
    done = subprocess.run([program, *words, "--no-password"], check=False, stdin=subprocess.DEVNULL)  # noqa: S603
    if done.returncode:
        shutil.rmtree(fresh, ignore_errors=True)
        raise BackupError("The base backup was not made; the reason stands above.")
    ended_at = datetime.now(UTC)
    base = Base(folder / ended_at.strftime(_NAME_OF_BASE), ended_at)
    fresh.rename(base.path)
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    return base


def forget_older(lineage: Lineage, keep: int, *, binaries: Path | None = None) -> list[Base]:
    """Remove all base backups but the last `keep`, and the log that none of those needs; return what was removed."""
    assert keep > 0, "one is kept"
    bases = lineage.bases()
    old, kept = bases[:-keep], bases[-keep:]
    if kept:
        label = (kept[0].path / "backup_label").read_text()
        found = _FIRST_SEGMENT.search(label)
        if found is None:
            raise BackupError(f"{kept[0].path} does not say where it begins: it is no base backup.")
        _run([_program("pg_archivecleanup", binaries), str(lineage.log), found[1]])
    for base in old:
        shutil.rmtree(base.path)
    return old


def check_base(base: Base, *, binaries: Path | None = None) -> None:
    """Compare each file of a base backup with what was noted when it was made. Raises BackupError."""
    _run([_program("pg_verifybackup", binaries), "--quiet", str(base.path)])


def size_bytes(folder: Path) -> int:
    """Return the room that the files of a folder take on the disk, in bytes."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def lineage_in(backups: Path) -> Lineage:
    """Return the lineage that a folder is, or the only one in it. Raises BackupError."""
    if (backups / "base").is_dir():
        return Lineage(backups.absolute())
    found = sorted(path for path in backups.glob("*") if (path / "base").is_dir())
    if not found:
        raise BackupError(f"There are no backups in {backups}.")
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise BackupError(f"{backups} has the backups of several data directories; name one of them: {names}.")
    return Lineage(found[0].absolute())


def copy_of(base: Base, place: Path, report: Callable[[str], None]) -> None:
    """Copy a base backup to a place that does not exist yet; by reference where the file system can."""
    report(f"copying {size_bytes(base.path) // 1_000_000} MB from {base.path}")
    _run(["cp", "--archive", "--reflink=auto", str(base.path), str(place)])


def _program(name: str, binaries: Path | None) -> str:
    program = find_binaries(binaries) / name
    if not program.exists():
        raise BackupError(f"There is no {name} in {program.parent}; set HOLDFAST_PG_BIN to a whole PostgreSQL 18.")
    return str(program)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603
    if done.returncode:
        raise BackupError(f"{Path(command[0]).name} failed: {done.stderr.strip() or done.stdout.strip()}")


def _quoted(path: Path) -> str:
    return shlex.quote(str(path)).replace("%", "%%")
