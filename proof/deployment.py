"""The whole of Holdfast as processes: a durable PostgreSQL, and servers with their workers, each behind a network."""

import ctypes
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psycopg
from bench.processes import Process

from holdfast.kernel.embedded import EmbeddedPostgres
from proof.proxy import Proxy

_PROGRAM = [sys.executable, "-m", "holdfast"]
_STOP_SECONDS = 40
_LOG_BYTES = 8_192
_CLOCK = Path(__file__).with_name("clock")
_DISK_BYTES = 1 << 30
# Less than the least piece of a file that PostgreSQL writes.
_LEFT_BYTES = 4096
# With twice as much left each time.
_TRIES = 16
_POSTGRES = {
    "shared_buffers": "64MB",
    # Small, so that little memory is a disk.
    "min_wal_size": "48MB",
    "max_wal_size": "128MB",
}
# What a server knows only by silence it is to find out within seconds.
_PATIENCE = "connect_timeout=2&tcp_user_timeout=5000&keepalives_idle=2&keepalives_interval=1&keepalives_count=3"


class DeploymentError(Exception):
    """A part does not start, stop or come back; says which, with the end of its log."""


class Disk:
    """A file system of its own in memory, which can be full; needs the right to mount."""

    def __init__(self, folder: Path) -> None:
        """Mount it. Raises OSError where that is not permitted."""
        self.folder = folder
        folder.mkdir()
        _mount(f"size={_DISK_BYTES},mode=0700", "-t", "tmpfs", "none", str(folder))

    def fill(self) -> None:
        """Let there be no room left. Raises OSError when the system does not permit that."""
        for attempt in range(_TRIES):
            of = os.statvfs(self.folder)
            used = (of.f_blocks - of.f_bfree) * of.f_frsize
            try:
                _mount(f"remount,size={used + (_LEFT_BYTES << attempt)}", str(self.folder))
            except OSError:
                # More has been written meanwhile than was to be left, and a disk cannot be smaller than its files.
                if attempt == _TRIES - 1:
                    raise
            else:
                return

    def empty(self) -> None:
        """Let there be room again."""
        _mount(f"remount,size={_DISK_BYTES}", str(self.folder))

    def unmount(self) -> None:
        """Take it away, with all that is on it."""
        subprocess.run(["umount", "--lazy", str(self.folder)], check=False)


class Clock:
    """The clock of a server, which can be shifted while it runs; needs libfaketime."""

    def __init__(self, file: Path) -> None:
        """Prepare it. Raises FileNotFoundError without the library."""
        found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        if not found:
            raise FileNotFoundError("libfaketime is not installed")
        self._file = file
        self.shift(0)
        self.environment = {
            "LD_PRELOAD": str(found[0]),
            "PYTHONPATH": str(_CLOCK),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DISABLE_SHM": "1",
            # Else modules are compiled anew at each start: their files seem to have changed.
            "NO_FAKE_STAT": "1",
        }

    def shift(self, seconds: int) -> None:
        """Let it be so many seconds ahead; it takes a second until the server sees that."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n", encoding="ascii")
        fresh.replace(self._file)


class Server:
    """A supervisor with its web server and its worker, on a port that stays."""

    def __init__(self, name: str, proxy: Proxy, log: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.proxy = proxy
        self.url = ""
        self._log = log
        self._environment = environment
        self._child: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it and wait until it serves. Raises DeploymentError."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start it, without waiting."""
        port = self.url.rpartition(":")[2] or "0"
        words = [*_PROGRAM, "serve", "--host", "127.0.0.1", "--port", port, "--json"]
        with self._log.open("ab") as errors:
            self._child = subprocess.Popen(
                words,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - it makes one system call
            )

    def wait(self) -> None:
        """Wait until it serves. Raises DeploymentError."""
        assert self._child is not None, "it was launched"
        assert self._child.stdout is not None, "stdout is a pipe"
        # It has no more to say than that.
        with self._child.stdout as out:
            line = out.readline()
        if not line:
            raise DeploymentError(f"{self.name} does not start:\n{self.last_words()}")
        self.url = json.loads(line)["url"]

    def stop(self) -> None:
        """Stop it in order. Raises DeploymentError when it does not end."""
        if self._child is None or self._child.poll() is not None:
            return
        self._child.terminate()
        try:
            self._child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill_all()
            raise DeploymentError(f"{self.name} did not stop within {_STOP_SECONDS} s:\n{self.last_words()}") from None

    def kill(self) -> None:
        """Kill the supervisor alone."""
        assert self._child is not None, "it was started"
        self._child.kill()
        self._child.wait()

    def kill_all(self) -> None:
        """Kill all its processes at once, as a power cut does."""
        for process in self.family():
            _kill(process)
        self.kill()

    def family(self) -> list[Process]:
        """Return the supervisor and all below it."""
        assert self._child is not None, "it was started"
        return Process(self._child.pid).family()

    def part(self, name: str) -> Process:
        """Return the process of a part, `web` or `worker`. Raises DeploymentError when it does not run."""
        for process in self.family():
            if process.words()[3:5] == ["part", name]:
                return process
        raise DeploymentError(f"{self.name} has no {name}")

    def kill_part(self, name: str) -> None:
        """Kill a part and all below it."""
        for process in self.part(name).family():
            _kill(process)

    def is_ready(self) -> bool:
        """Whether requests that need the database are served."""
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/health/ready", timeout=2).status_code == 200
        return False

    def last_words(self) -> str:
        """Return the end of its log."""
        with self._log.open("rb") as log:
            log.seek(-min(self._log.stat().st_size, _LOG_BYTES), os.SEEK_END)
            return log.read().decode(errors="replace").partition("\n")[2]


class Deployment:
    """All of it, running."""

    def __init__(self, postgres: EmbeddedPostgres, servers: list[Server], environment: Mapping[str, str]) -> None:
        self.postgres = postgres
        self.servers = servers
        # For commands that are run beside it.
        self.environment = dict(environment)
        # What this machine does not permit, with the reason.
        self.refused: dict[str, str] = {}
        self.disk: Disk | None = None
        self.clock: Clock | None = None

    @property
    def urls(self) -> list[str]:
        """Where it serves."""
        return [server.url for server in self.servers]

    @property
    def dsn(self) -> str:
        """How its administrator reaches the database, past all proxies."""
        return self.postgres.uri()

    @contextmanager
    def admin(self) -> Iterator[psycopg.Connection]:
        """Lend a connection of the administrator, which commits each statement."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            yield connection

    def backends(self) -> list[int]:
        """Return the processes of PostgreSQL that serve connections of the application."""
        with self.admin() as admin:
            rows = admin.execute("select pid from pg_stat_activity where backend_type = 'client backend'").fetchall()
            own = admin.info.backend_pid
        return [pid for (pid,) in rows if pid != own]

    def put_right(self) -> None:
        """Let everything run that should; raises DeploymentError when it does not within two minutes."""
        for server in self.servers:
            server.proxy.carry()
        eventually(self.is_whole, "not all servers are ready")

    def is_whole(self) -> bool:
        """Whether every server serves requests that need the database, which is started again when it has ended."""
        # `serve` does so with a PostgreSQL of its own, which its own tests try; this one is an outside one for it.
        self.postgres.start()
        return all(server.is_ready() for server in self.servers)


@contextmanager
def deployed(
    folder: Path, *, servers: int = 2, postgres: Mapping[str, str] | None = None, **settings: str
) -> Iterator[Deployment]:
    """Run PostgreSQL in a folder and so many servers on it, with further settings of either, for the time of the block.

    The first server has a clock of its own, if that can be had here. Call it from the main thread.
    Raises DeploymentError, EmbeddedPostgresError.
    """
    with ExitStack() as stack:
        disk, no_disk = _disk(folder / "disk", stack)
        data = (disk.folder if disk else folder) / "data"
        database = EmbeddedPostgres(data, _POSTGRES | dict(postgres or {}))
        stack.callback(database.stop)
        database.start()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HOLDFAST_", "PG", "CRON_"))}
        environment = kept | {
            "HOLDFAST_MASTER_KEY": secrets.token_hex(32),
            "HOLDFAST_PUBLIC_WRITES_PER_MINUTE": "0",
            "HOLDFAST_STAGE": "stage",
            # Its lines say what time it is for a server.
            "HOLDFAST_ACCESS_LOG": "1",
            **settings,
        }
        clock, no_clock = _clock(folder / "clock")
        started: list[Server] = []
        for number in range(servers):
            proxy = Proxy(data / ".s.PGSQL.5432")
            stack.callback(proxy.stop)
            its_own = {"HOLDFAST_DSN": f"postgresql://holdfast@127.0.0.1:{proxy.port}/holdfast?{_PATIENCE}"}
            shifted = clock.environment if clock is not None and number == 0 else {}
            server = Server(f"server {number}", proxy, folder / f"server-{number}.log", environment | shifted | its_own)
            stack.callback(server.stop)
            server.launch()
            started.append(server)
        for server in started:
            server.wait()
        deployment = Deployment(database, started, environment)
        deployment.disk, deployment.clock = disk, clock
        deployment.refused = {name: reason for name, reason in (("disk", no_disk), ("clock", no_clock)) if reason}
        yield deployment


def eventually(condition: Callable[[], Any], otherwise: str, seconds: float = 120.0) -> float:
    """Wait until a condition holds; return after how many seconds. Raises DeploymentError with what did not happen."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise DeploymentError(f"{otherwise} (within {seconds:.0f} s)")
        time.sleep(0.02)
    return time.monotonic() - began


def _disk(folder: Path, stack: ExitStack) -> tuple[Disk | None, str]:
    try:
        disk = Disk(folder)
    except OSError as refusal:
        return None, f"a file system cannot be mounted here: {refusal}"
    stack.callback(disk.unmount)
    return disk, ""


def _clock(file: Path) -> tuple[Clock | None, str]:
    try:
        return Clock(file), ""
    except FileNotFoundError as missing:
        return None, str(missing)


def _mount(options: str, *words: str) -> None:
    done = subprocess.run(["mount", "-o", options, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(done.stderr.strip())


def _kill(process: Process) -> None:
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
