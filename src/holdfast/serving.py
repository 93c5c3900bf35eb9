"""`holdfast serve`: PostgreSQL if none is given, migrations, web server and worker, as one thing that starts and stops.

The supervisor starts each part as a process of its own and prints the ready line when the web server answers. What ends
by itself, PostgreSQL included, is started again; whatever kills the supervisor takes its children with it.
"""

import asyncio
import ctypes
import errno
import http.client
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from granian.constants import Interfaces, Loops, RuntimeModes
from granian.server import Server

from holdfast import config
from holdfast.kernel.backups import archiving, lineage_of
from holdfast.kernel.database import leads_to_pooler
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.figures import FOLDER_VARIABLE
from holdfast.kernel.migrate import migrate
from holdfast.kernel.privacy import Keyring

_START_SECONDS = 60
_PORT_SECONDS = 10
# Together with the 20 seconds in which PostgreSQL stops, whatever it does, this makes the 30 that a stop may take.
_DRAIN_SECONDS = 8
_STOP_SECONDS = 10
_CALM_SECONDS = 60
_MOST_CONNECTIONS = 20_000


class ServeError(Exception):
    """The server cannot start; says why and what to do."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What the ready line tells."""

    url: str
    dsn: str
    pid: int
    data_dir: Path | None

    def as_json(self) -> str:
        """Return the object that scripts read."""
        data_dir = None if self.data_dir is None else str(self.data_dir)
        return json.dumps({"url": self.url, "dsn": self.dsn, "pid": self.pid, "dataDir": data_dir})


class Stopped(Exception):
    """SIGTERM or SIGINT has come."""


def serve(
    settings: config.Settings,
    *,
    host: str,
    port: int,
    workers: int,
    prepare: Callable[[str], None],
    ready: Callable[[Ready], None],
    report: Callable[[str], None],
) -> None:
    """Serve until SIGTERM or SIGINT. `prepare` runs on the migrated database, before anybody is served.

    Raises ServeError, EmbeddedPostgresError, MigrationError, ConfigurationError or WrongMasterKey with what to do.
    """
    postgres = None
    parts: list[Part] = []
    figures_dir = tempfile.mkdtemp(prefix="holdfast-")
    try:
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, _stop)
        # Before the database, which belongs to its key from the first moment.
        master_key = config.master_key(settings)
        if settings.dsn is None:
            postgres = EmbeddedPostgres(settings.data_dir, _kept(settings), binaries=settings.pg_bin)
            report(f"starting PostgreSQL in {settings.data_dir}")
            postgres.start()
            dsn, app_dsn = postgres.uri(), postgres.uri(user="holdfast_app")
        else:
            dsn, app_dsn = settings.dsn, config.application_dsn(settings, settings.dsn)
        environment = {
            **config.with_secrets(os.environ),
            "HOLDFAST_DSN": dsn,
            "HOLDFAST_APP_DSN": app_dsn,
            "HOLDFAST_MASTER_KEY": master_key.hex(),
            "HOLDFAST_DATA_DIR": str(settings.data_dir),
            "HOLDFAST_PARENT_PID": str(os.getpid()),
            FOLDER_VARIABLE: figures_dir,
        }
        if postgres is None:
            # It is kept where it is.
            environment.pop("HOLDFAST_BACKUP_DIR", None)
        with _taken_port(host, port, report) as taken:
            port = taken.getsockname()[1]
            migrate(dsn, report=report)
            asyncio.run(Keyring(master_key, dsn).check())
            if not settings.pooler and leads_to_pooler(app_dsn):
                # Each part would refuse to start, again and again.
                raise ServeError("A pooler stands before the database: set HOLDFAST_POOLER=1.")
            prepare(dsn)
            parts = [Part(["web", host, str(port), str(workers)], environment), Part(["worker"], environment)]
            for part in parts:
                part.start()
            _wait_until_answering(host, port, parts[0])
            url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
            ready(Ready(url, dsn, os.getpid(), settings.data_dir if postgres else None))
            _watch(parts, postgres, report)
    except Stopped:
        report("stopping")
    finally:
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, signal.SIG_IGN)
        _end(parts)
        if postgres is not None:
            postgres.stop()
        shutil.rmtree(figures_dir, ignore_errors=True)


class Restarts:
    """How long to wait before what has ended is started again: longer each time, until it has been calm for a while."""

    def __init__(self) -> None:
        self._recent = 0
        self._last = time.monotonic()

    def wait_seconds(self) -> float:
        """Return the pause before the next start, which is counted."""
        now = time.monotonic()
        self._recent = self._recent + 1 if now - self._last < _CALM_SECONDS else 0
        self._last = now
        return min(0.25 * (1 << self._recent), 10.0)


class Part:
    """A process of the server, in a session of its own: Ctrl-C reaches the supervisor, which then stops the parts."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str]) -> None:
        self.name = words[0]
        self._command = [sys.executable, "-m", "holdfast", "part", *words]
        self._environment = environment
        self._restarts = Restarts()
        self._due: float | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process."""
        self._due = None
        self.process = subprocess.Popen(  # noqa: S603 - our own words, no shell
            self._command, env=self._environment, stdout=sys.stderr, start_new_session=True
        )

    def keep(self, report: Callable[[str], None]) -> None:
        """Start the process again when it has ended, after a pause that grows with each end; never waits itself."""
        assert self.process is not None, "a part is started before it is kept"
        if self._due is not None:
            if time.monotonic() >= self._due:
                self.start()
        elif self.process.poll() is not None:
            pause = self._restarts.wait_seconds()
            self._due = time.monotonic() + pause
            report(f"the {self.name} ended with status {self.process.returncode}; starting it again in {pause:g} s")


def run_web(host: str, port: int, workers: int) -> None:
    """Run the web server in this process until SIGTERM; requests in flight are finished."""
    end_with_parent()
    os.environ["HOLDFAST_PARENT_PID"] = str(os.getpid())
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    Server(
        "holdfast.web:create_app",
        factory=True,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        workers=workers,
        loop=Loops.uvloop,
        runtime_mode=RuntimeModes.mt,
        runtime_threads=1,
        # Both count connections, not requests: beyond them clients would wait without an answer. The bound of what is
        # accepted for work is the turnstile's, which answers 503.
        backlog=16_384,
        backpressure=_MOST_CONNECTIONS,
        respawn_failed_workers=True,
        workers_kill_timeout=_DRAIN_SECONDS,
        log_enabled=True,
        log_access=False,
    ).serve()


def end_with_parent() -> None:
    """Ask the kernel for SIGTERM when the parent dies; at once if it is gone already."""
    parent = os.environ.get("HOLDFAST_PARENT_PID")
    if parent is not None:
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
        if os.getppid() != int(parent):
            sys.exit(0)


def _kept(settings: config.Settings) -> Mapping[str, str]:
    """Return the settings by which PostgreSQL keeps its log, where backups are wanted."""
    return {} if settings.backup_dir is None else archiving(lineage_of(settings.data_dir, settings.backup_dir))


def _taken_port(host: str, port: int, report: Callable[[str], None]) -> socket.socket:
    """Return a socket that keeps the port (a free one for 0) for our web server, and never listens itself.

    Two web servers on one port would both start and share the requests, so it is tried without sharing first; the
    remains of a killed server are given time to let it go. Raises ServeError.
    """
    deadline = None
    while True:
        taken = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind((host, port))
        except OSError as refusal:
            taken.close()
            if refusal.errno != errno.EADDRINUSE:
                raise ServeError(f"Cannot listen on {host}, port {port}: {refusal.strerror}.") from refusal
            if deadline is None:
                report(f"port {port} on {host} is in use; waiting up to {_PORT_SECONDS} s for it")
                deadline = time.monotonic() + _PORT_SECONDS
            elif time.monotonic() > deadline:
                raise ServeError(f"Port {port} on {host} is in use; choose another with --port.") from refusal
        else:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            return taken
        time.sleep(0.1)


def _wait_until_answering(host: str, port: int, web: Part) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if web.process is not None and web.process.poll() is not None:
            raise ServeError("The web server ended while it was starting; its reason stands above.")
        connection = http.client.HTTPConnection(host, port, timeout=2)
        with suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        connection.close()
        time.sleep(0.05)
    raise ServeError(f"The web server did not answer within {_START_SECONDS} seconds.")


def _watch(parts: Sequence[Part], postgres: EmbeddedPostgres | None, report: Callable[[str], None]) -> NoReturn:
    """Start again whatever ends by itself, for ever.

    Raises Stopped when somebody asked to stop, EmbeddedPostgresError when PostgreSQL does not come back.
    """
    restarts = Restarts()
    while True:
        if postgres is not None and not postgres.running:
            pause = restarts.wait_seconds()
            report(f"PostgreSQL ended by itself; starting it again in {pause:g} s")
            time.sleep(pause)
            postgres.start()
            report("PostgreSQL is back")
        for part in parts:
            part.keep(report)
        time.sleep(0.2)


def _end(parts: Sequence[Part]) -> None:
    """Stop all parts at once; what is in flight is finished, what does not end in time is killed with its children."""
    processes = [part.process for part in parts if part.process is not None and part.process.poll() is None]
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + _STOP_SECONDS
    for process in processes:
        try:
            process.wait(max(deadline - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise Stopped
