"""What the doctor sees of the machine on which it runs: disk, limits, key, zone data."""

import resource
import shutil
import stat
from datetime import date
from pathlib import Path
from typing import Final

from holdfast import config
from holdfast.availability.walltime import TZDATA_VERSION
from holdfast.doctor.findings import Finding, ok, problem, warning
from holdfast.doctor.mail import examine_mail

_MEGABYTE: Final = 1024 * 1024
_DISK_LOW_BYTES: Final = 2048 * _MEGABYTE
_DISK_FULL_BYTES: Final = 512 * _MEGABYTE
_DISK_LOW_SHARE: Final = 0.05
# A connection of a client is a file, and so is one to the database.
_FILES_WANTED: Final = 4096
_FILES_NEEDED: Final = 512


def examine_machine(settings: config.Settings) -> list[Finding]:
    """Return what there is to say of the machine, whether or not the database can be reached."""
    embedded = settings.dsn is None
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return [
        disk_of(settings.data_dir) if embedded else ok("disk", "the database is elsewhere: its disk is watched there"),
        open_files(files),
        master_key(settings),
        tzdata(TZDATA_VERSION, date.today()),  # noqa: DTZ011 - a year is near enough
        examine_mail(settings.mail),
    ]


def disk_of(data_dir: Path) -> Finding:
    """Look at the disk of the data directory."""
    place = next((folder for folder in (data_dir, *data_dir.parents) if folder.exists()), None)
    if place is None:
        return problem("disk", f"{data_dir} has no place on this machine", "Name another data directory with --data.")
    usage = shutil.disk_usage(place)
    return disk(data_dir, usage.free, usage.total)


def disk(data_dir: Path, free_bytes: int, total_bytes: int) -> Finding:
    """Judge how much of the disk is free."""
    message = f"{free_bytes // _MEGABYTE} MB of {total_bytes // _MEGABYTE} MB are free under {data_dir}"
    advice = "Make room or move the data directory: a database without room stops, and nobody can book."
    if free_bytes < _DISK_FULL_BYTES:
        return problem("disk", message, advice)
    if free_bytes < _DISK_LOW_BYTES or free_bytes < _DISK_LOW_SHARE * total_bytes:
        return warning("disk", message, advice)
    return ok("disk", message)


def open_files(limit: int) -> Finding:
    """Judge how many files a process may open that is started from here."""
    if limit == resource.RLIM_INFINITY or limit >= _FILES_WANTED:
        return ok("open-files", "a process may open as many files as it needs")
    message = f"a process may open {limit} files, and each client's connection is one"
    advice = (
        f"Raise it for the server: `ulimit -n {_FILES_WANTED}`, or LimitNOFILE={_FILES_WANTED} in a unit of systemd."
    )
    return (problem if limit < _FILES_NEEDED else warning)("open-files", message, advice)


def master_key(settings: config.Settings) -> Finding:
    """Look whether the key of all tokens is there, and nobody else can read it."""
    if settings.master_key is not None:
        return ok("master-key", "set by HOLDFAST_MASTER_KEY")
    if settings.dsn is not None:
        return problem(
            "master-key",
            "HOLDFAST_MASTER_KEY is not set, and servers on an outside database do not start without it",
            "Set it to 64 hexadecimal characters, the same for every server; `openssl rand -hex 32` makes some.",
        )
    return _key_file(config.key_file(settings))


def _key_file(file: Path) -> Finding:
    restore = "Restore it from a backup: with another key no cancellation link works."
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        config.key_of_file(file)
    except FileNotFoundError:
        return problem(
            "master-key",
            f"there is no {file}",
            f"{restore} The first `holdfast serve` makes it.",
        )
    except OSError as error:
        return problem(
            "master-key", f"cannot read {file}: {error.strerror}", "Run this as the user who runs the server."
        )
    except config.ConfigurationError as error:
        return problem("master-key", str(error), restore)
    if mode & 0o077:
        return problem("master-key", f"{file} has the mode {mode:04o}: others may read it", f"chmod 600 {file}")
    return ok("master-key", f"{file} is there, and only its owner may read it")


def tzdata(version: str, today: date) -> Finding:
    """Judge how old the zone data is: countries change their clocks with a few weeks' notice."""
    if int(version[:4]) < today.year - 1:
        advice = "Update Holdfast: a country may have changed its clocks since."
        return warning("tzdata", f"the zone data is of {version[:4]} ({version})", advice, version=version)
    return ok("tzdata", f"the zone data is {version}", version=version)
