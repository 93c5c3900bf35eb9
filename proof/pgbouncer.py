"""PgBouncer in transaction mode between servers and database: the configuration that docs/scaling.md shows."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import conninfo
from psycopg.rows import dict_row

TEMPLATE = Path(__file__).parents[1] / "deploy" / "pgbouncer" / "pgbouncer.ini"
_USER = "holdfast_app"
_CONSOLE = "pooler"
_START_SECONDS = 10
# Where Debian puts daemons, which is not on everybody's path.
_PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])


class NoPooler(RuntimeError):
    """PgBouncer is not here, or does not start; says why."""


@dataclass(frozen=True)
class Pooler:
    """A running PgBouncer."""

    folder: Path
    process: "subprocess.Popen[bytes]"
    port: int = 6432

    def uri(self, database: str, user: str = _USER) -> str:
        """Return how a server reaches a database through it."""
        return f"postgresql://{user}@/{database}?host={quote(str(self.folder), safe='')}&port={self.port}"

    def transactions(self) -> int:
        """Return how many transactions have gone through it."""
        with psycopg.connect(
            self.uri("pgbouncer", _CONSOLE), autocommit=True, row_factory=dict_row, prepare_threshold=None
        ) as console:
            shown: list[dict[str, Any]] = console.execute("show stats").fetchall()
        return sum(int(each["total_xact_count"]) for each in shown if each["database"] != "pgbouncer")

    @property
    def log(self) -> str:
        """Return what it has said."""
        return (self.folder / "log").read_text(errors="replace")


def program() -> str | None:
    """Return the program, None when the machine has none. In Debian: `apt-get install pgbouncer`."""
    return shutil.which("pgbouncer", path=_PLACES)


@contextmanager
def pooled(folder: Path, dsn: str, settings: Mapping[str, object] | None = None) -> Iterator[Pooler]:
    """Run PgBouncer before the server of a DSN that leads to a socket, until the block ends.

    Whoever comes as holdfast_app through the socket in the folder is believed. Raises NoPooler.
    """
    name = program()
    if name is None:
        raise NoPooler("pgbouncer is not installed")
    folder.mkdir(mode=0o700)
    behind = conninfo.conninfo_to_dict(dsn)
    mine = {
        "listen_addr": "",
        "unix_socket_dir": folder,
        "auth_type": "trust",
        "auth_file": folder / "users",
        "admin_users": _CONSOLE,
        "logfile": folder / "log",
    } | dict(settings or {})
    text = _with(TEMPLATE.read_text(encoding="utf-8"), f"host={behind['host']} port={behind['port']}", mine)
    (folder / "pgbouncer.ini").write_text(text, encoding="utf-8")
    (folder / "users").write_text(f'"{_USER}" ""\n"{_CONSOLE}" ""\n', encoding="utf-8")
    with subprocess.Popen(
        [*_unprivileged(), name, "--quiet", str(folder / "pgbouncer.ini")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        pooler = Pooler(folder, process)
        try:
            _wait(pooler)
            yield pooler
        finally:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)


def _wait(pooler: Pooler) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not (pooler.folder / f".s.PGSQL.{pooler.port}").exists():
        if pooler.process.poll() is not None or time.monotonic() > deadline:
            raise NoPooler(f"pgbouncer does not start in {pooler.folder}")
        time.sleep(0.02)


def _with(template: str, server: str, settings: Mapping[str, object]) -> str:
    """Return the configuration with our own places; all else stays as it is shown."""
    lines = []
    for line in template.splitlines():
        key = line.partition("=")[0].strip()
        if key == "holdfast":
            lines.append(f"* = {server}")
        elif key not in settings:
            lines.append(line)
    return "\n".join([*lines, *(f"{key} = {value}" for key, value in settings.items()), ""])


def _unprivileged() -> list[str]:
    """Return the words that hide root from PgBouncer, which refuses to run as root; none for a normal user."""
    if os.geteuid() != 0:
        return []
    mask = next(account.pw_uid for account in pwd.getpwall() if account.pw_uid)
    return [
        "unshare",
        "--user",
        f"--map-user={mask}",
        f"--map-group={mask}",
        "--",
        "setpriv",
        "--pdeathsig",
        "TERM",
        "--",
    ]
