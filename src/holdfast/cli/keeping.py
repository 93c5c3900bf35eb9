"""`backup`, `restore` and `upgrade`: what keeps the embedded database through the years."""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from holdfast import config
from holdfast import verify as verification
from holdfast.cli.options import DataDir, Json, instant_of, say, settings_of
from holdfast.kernel.backups import alone, forget_older, lineage_in, lineage_of, make_base, size_bytes
from holdfast.kernel.converting import convert
from holdfast.kernel.embedded import EmbeddedPostgres, EmbeddedPostgresError, running_uri
from holdfast.kernel.privacy import Keyring
from holdfast.kernel.restoring import restore

BackupDir = Annotated[Path | None, typer.Option("--to", help="Folder of the backups. [HOLDFAST_BACKUP_DIR]")]


def run_backup(
    to: BackupDir = None,
    keep: Annotated[
        int | None, typer.Option(help="Remove older base backups, and the log that none needs.", min=1, max=10_000)
    ] = None,
    data: DataDir = None,
    as_json: Json = False,
) -> None:
    """Copy the embedded database, beside a running server or without one; progress on stderr."""
    settings = _embedded(data, "Back up an outside database with its own means: docs/backup.md says how.")
    backup_dir = to if to is not None else settings.backup_dir
    if backup_dir is None:
        raise config.ConfigurationError("Name a folder for the backups: --to, or HOLDFAST_BACKUP_DIR.")
    with alone(settings.data_dir):
        lineage = lineage_of(settings.data_dir, backup_dir.expanduser())
        with _running(settings) as uri:
            base = make_base(uri, lineage, binaries=settings.pg_bin)
        removed = [] if keep is None else forget_older(lineage, keep, binaries=settings.pg_bin)
    told = {
        "path": str(base.path),
        "endedAt": base.ended_at,
        "sizeBytes": size_bytes(base.path),
        "removed": [str(each.path) for each in removed],
        "keepsLog": settings.backup_dir is not None,
    }
    if as_json:
        print(msgspec.json.encode(told).decode())  # noqa: T201
        return
    for each in removed:
        say(f"removed {each.path}")
    if settings.backup_dir is None:
        say("Only its own moment can be had again: with HOLDFAST_BACKUP_DIR set for the server, any since.")
    say("The master key is not in it: keep a copy of it elsewhere. Without it nobody reads personal data.")
    print(base.path)  # noqa: T201


def run_restore(
    backups: Annotated[Path, typer.Argument(help="The folder of the backups.", exists=True, file_okay=False)],
    data: DataDir = None,
    at: Annotated[
        str | None, typer.Option(help="The moment, like 2026-11-21T16:00:00Z; by default the last that was kept.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a data directory as it was at a moment, and verify it; exit 1 if an invariant is violated."""
    settings = _embedded(data, "Restore an outside database with its own means: docs/backup.md says how.")
    violations: list[verification.Violation] = []

    def look(uri: str) -> None:
        key = config.known_master_key(settings)
        if key is None:
            say(f"no master key is known here: put it into {config.key_file(settings)} before you serve")
        else:
            asyncio.run(Keyring(key, uri).check())
        try:
            violations.extend(verification.verify(uri, report=say, master_key=key))
        except verification.VerifyError as error:
            say(f"not verified: {error}")

    restored = restore(
        lineage_in(backups.expanduser()),
        settings.data_dir,
        at=None if at is None else instant_of(at, "at"),
        look=look,
        report=say,
        binaries=settings.pg_bin,
    )
    told = {
        "dataDir": str(settings.data_dir),
        "base": str(restored.base.path),
        "lastChangeAt": restored.last_change_at or restored.base.ended_at,
        "violations": violations,
    }
    if as_json:
        print(msgspec.json.encode(told).decode())  # noqa: T201
    else:
        for violation in violations:
            print(f"{violation.check} {' '.join(violation.ids)}: {violation.problem}")  # noqa: T201
        print(f"{settings.data_dir} is as of {told['lastChangeAt']}")  # noqa: T201
    sys.exit(1 if violations else 0)


def run_upgrade(
    old_binaries: Annotated[
        Path, typer.Option(help="Folder of the programs of the PostgreSQL that the data is of.", file_okay=False)
    ],
    data: DataDir = None,
    as_json: Json = False,
) -> None:
    """Bring the embedded data to the major version of this release's PostgreSQL; the old files stay beside it."""
    settings = _embedded(data, "Upgrade an outside database with its own means, like pg_upgrade.")
    kept = convert(settings.data_dir, old_binaries.expanduser(), binaries=settings.pg_bin, report=say)
    say("Make a new base backup now: the log that was kept does not reach across. When all is well, remove:")
    print(json.dumps({"kept": str(kept)}) if as_json else kept)  # noqa: T201


@contextmanager
def _running(settings: config.Settings) -> Iterator[str]:
    """Yield the URI of the database: of the server that runs, else of one that runs for as long as this."""
    try:
        uri = running_uri(settings.data_dir)
    except EmbeddedPostgresError:
        server = EmbeddedPostgres(settings.data_dir, binaries=settings.pg_bin)
        server.start()
        try:
            yield server.uri()
        finally:
            server.stop()
    else:
        yield uri


def _embedded(data: Path | None, otherwise: str) -> config.Settings:
    settings = settings_of(data, None)
    if settings.dsn is not None:
        raise config.ConfigurationError(otherwise)
    return settings
