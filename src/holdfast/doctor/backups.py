"""What the doctor sees of backups: whether the log is kept, and how old the last copy is."""

from datetime import UTC, datetime, timedelta
from typing import Final

from psycopg import Connection
from psycopg.rows import dict_row

from holdfast import config
from holdfast.doctor.findings import Finding, ok, warning
from holdfast.kernel.backup_measures import ARCHIVER
from holdfast.kernel.backups import known_lineage

_OLD: Final = timedelta(hours=50)
_COPY: Final = "Run `holdfast backup`, best each night: docs/backup.md."


def examine_backups(connection: Connection, settings: config.Settings) -> Finding:
    """Look at the backups of an embedded database; those of another one are looked after elsewhere."""
    if settings.dsn is not None:
        return ok("backups", "the database is elsewhere: it is backed up there")
    with connection.cursor(row_factory=dict_row) as cursor:
        archiver = cursor.execute(ARCHIVER).fetchone() or {}
    lineage = None if settings.backup_dir is None else known_lineage(settings.data_dir, settings.backup_dir)
    bases = lineage.bases() if lineage is not None else []
    last = bases[-1].ended_at if bases else None
    return backups(keeps=archiver["keeps"], fails=archiver["fails"], last=last, now=datetime.now(UTC))


def backups(*, keeps: bool, fails: bool, last: datetime | None, now: datetime) -> Finding:
    """Judge whether a moment of the last days can be had again."""
    if not keeps:
        advice = "Set HOLDFAST_BACKUP_DIR, for the server and for this command: docs/backup.md."
        return warning("backups", "nothing is kept but the disk of the data directory", advice)
    if fails:
        advice = "Look into postgres.log of the data directory: most often the folder of the backups is full or away."
        return warning("backups", "the log could not be kept the last time, and gathers on the disk", advice)
    if last is None:
        return warning("backups", "the log is kept, but there is no copy to begin with", _COPY)
    if now - last > _OLD:
        return warning("backups", f"the last copy is of {last:%Y-%m-%d %H:%M} UTC", _COPY)
    return ok("backups", f"any moment since the copy of {last:%Y-%m-%d %H:%M} UTC can be had again")
