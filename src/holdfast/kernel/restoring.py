"""A data directory as it was at a moment, from a base backup and the log that was kept since."""

import re
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from holdfast.kernel.backups import BackupError, Base, Lineage, check_base, copy_of, fetching
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.sql import load

_SQL = load(__package__, "keeping.sql")

_DAY_SECONDS = 86_400
_TOLD_EVERY_SECONDS = 2.0
_SHORT = "recovery ended before configured recovery target was reached"
_SEGMENT = re.compile(rb'restored log file "([0-9A-F]{24})"')


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored: from which base, and when the last change was made that it has."""

    base: Base
    last_change_at: datetime | None


def restore(
    lineage: Lineage,
    data_dir: Path,
    *,
    at: datetime | None,
    look: Callable[[str], None],
    report: Callable[[str], None],
    binaries: Path | None = None,
) -> Restored:
    """Make a data directory that has all changes up to a moment, or all that were kept; the backups stay as they are.

    `look` is given the URI of the restored database while it runs, before anybody else. Raises BackupError, and
    EmbeddedPostgresError for a moment that the log does not reach; then nothing is left behind.
    """
    base = _base_for(lineage, at)
    if (data_dir / "postgres").exists():
        raise BackupError(f"{data_dir} has a database already: name an empty directory.")
    report(f"checking {base.path}")
    check_base(base, binaries=binaries)
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    cluster = data_dir / "postgres"
    server = EmbeddedPostgres(data_dir, _until(lineage, at), binaries=binaries, ready_seconds=_DAY_SECONDS)
    try:
        copy_of(base, cluster, report)
        (cluster / "recovery.signal").touch(mode=0o600)
        with _Progress(data_dir / "postgres.log", report):
            server.start()
        with psycopg.connect(server.uri(), autocommit=True) as connection:
            row = connection.execute(_SQL["last_change_replayed"]).fetchone()
        look(server.uri())
    except BaseException as failure:
        server.stop()
        shutil.rmtree(cluster, ignore_errors=True)
        if _SHORT in str(failure):
            raise BackupError(
                f"The log that was kept does not reach {at}: leave --at out for all that there is."
            ) from None
        raise
    server.stop()
    return Restored(base, row[0] if row else None)


def _base_for(lineage: Lineage, at: datetime | None) -> Base:
    bases = lineage.bases()
    if not bases:
        raise BackupError(f"There is no base backup in {lineage.path}.")
    usable = [base for base in bases if at is None or base.ended_at <= at]
    if not usable:
        raise BackupError(f"The oldest base backup is of {bases[0].ended_at}: nothing before that can be had.")
    if at is not None and at > datetime.now(UTC):
        raise BackupError(f"{at} is yet to come.")
    return usable[-1]


def _until(lineage: Lineage, at: datetime | None) -> dict[str, str]:
    settings = {
        "restore_command": fetching(lineage),
        "recovery_target_action": "promote",
        "hot_standby": "off",  # nobody looks before it is whole
        "archive_mode": "off",
    }
    return settings if at is None else settings | {"recovery_target_time": at.astimezone(UTC).isoformat()}


class _Progress:
    """Tells which segment of the log is replayed, every two seconds, as PostgreSQL notes it in its own log."""

    def __init__(self, log: Path, report: Callable[[str], None]) -> None:
        self._log, self._report = log, report
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tell, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _tell(self) -> None:
        read, count = 0, 0
        while not self._over.wait(_TOLD_EVERY_SECONDS):
            if not self._log.exists():
                continue
            with self._log.open("rb") as log:
                log.seek(read)
                found = _SEGMENT.findall(log.read())
                read = log.tell()
            count += len(found)
            if found:
                self._report(f"replayed {count} segments of the log, the last one {found[-1].decode()}")
