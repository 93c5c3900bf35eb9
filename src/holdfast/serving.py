"""`holdfast serve`: PostgreSQL if none is given, migrations, web server and worker, as one thing that starts and stops.

The supervisor starts each part as a process of its own, prints the ready line when the web server answers, and stops
everything in the reverse order. Whatever kills it takes its children with it.
"""

import ctypes
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from granian.constants import Interfaces, Loops, RuntimeModes
from granian.server import Server

from holdfast import config
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.migrate import migrate

_START_SECONDS = 60
_STOP_SECONDS = 20
_DRAIN_SECONDS = 15
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

    Raises ServeError, EmbeddedPostgresError, MigrationError or ConfigurationError with what to do.
    """
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, _stop)
    postgres = None
    parts: list[subprocess.Popen[bytes]] = []
    try:
        port = _free_port(host, port)
        if settings.dsn is None:
            postgres = EmbeddedPostgres(settings.data_dir, binaries=settings.pg_bin)
            report(f"starting PostgreSQL in {settings.data_dir}")
            postgres.start()
            dsn, app_dsn = postgres.uri(), postgres.uri(user="holdfast_app")
        else:
            dsn, app_dsn = settings.dsn, config.application_dsn(settings, settings.dsn)
        migrate(dsn, report=report)
        prepare(dsn)
        environment = {
            **os.environ,
            "HOLDFAST_DSN": dsn,
            "HOLDFAST_APP_DSN": app_dsn,
            "HOLDFAST_MASTER_KEY": config.master_key(settings).hex(),
            "HOLDFAST_PARENT_PID": str(os.getpid()),
        }
        web = _start(["web", host, str(port), str(workers)], environment)
        parts = [_start(["worker"], environment), web]
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        _wait_until_answering(url, web)
        ready(Ready(url, dsn, os.getpid(), settings.data_dir if postgres else None))
        _watch(parts)
    except Stopped:
        report("stopping")
    finally:
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, signal.SIG_IGN)
        for part in reversed(parts):
            _end(part)
        if postgres is not None:
            postgres.stop()


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


def _start(part: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    # A session of its own: Ctrl-C reaches the supervisor, which then stops the parts in order.
    command = [sys.executable, "-m", "holdfast", "part", *part]
    return subprocess.Popen(command, env=environment, stdout=sys.stderr, start_new_session=True)  # noqa: S603 - our own


def _free_port(host: str, port: int) -> int:
    """Return the port, or a free one for 0; waits for the remains of a killed server to let it go.

    Two web servers on one port would both start and share the requests, so it is tried first.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    deadline = time.monotonic() + _DRAIN_SECONDS
    while True:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
                return int(probe.getsockname()[1])
            except OSError as taken:
                if time.monotonic() > deadline or port == 0:
                    raise ServeError(f"Port {port} on {host} is in use; choose another with --port.") from taken
        time.sleep(0.1)


def _wait_until_answering(url: str, web: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if web.poll() is not None:
            raise ServeError("The web server ended while it was starting; its reason stands above.")
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:  # noqa: S310 - our own server
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise ServeError(f"The web server did not answer within {_START_SECONDS} seconds.")


def _watch(parts: list[subprocess.Popen[bytes]]) -> None:
    """Return never while every part runs.

    Raises ServeError when one has ended by itself, Stopped when somebody asked to stop.
    """
    while True:
        for part in parts:
            if part.poll() is not None:
                raise ServeError(f"A part of the server ended with status {part.returncode}; stopping the others.")
        time.sleep(0.2)


def _end(part: subprocess.Popen[bytes]) -> None:
    if part.poll() is None:
        part.terminate()
        try:
            part.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            part.kill()
            part.wait()


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise Stopped
