"""`holdfast` as its users have it: processes of its own, a data directory, signals."""

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg

from journeys.commands import run
from leaks.capture import RUN
from leaks.databases import guard_database

HOLDFAST = [sys.executable, "-m", "holdfast"]
STOP_SECONDS = 30
# Loading the authorities of the machine for each request takes longer than the answer.
NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def holdfast(*words: str | Path, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with what is typed."""
    done = run([*map(str, words)], clean_environment() | environment, stdin)
    RUN.hear(f"stderr of holdfast {words[0]}", done.stderr)
    return done


def clean_environment() -> dict[str, str]:
    """Return the environment without the settings of whoever runs the tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("HOLDFAST_", "PG", "CRON_"))}


def eventually(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """Return the first true value of a condition; fail when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"this did not happen within {seconds} s"
        time.sleep(0.02)


@dataclass(frozen=True)
class Process:
    """A process as /proc tells of it; the time of its start tells it from a later one with its number."""

    pid: int
    parent: int
    born: str
    words: tuple[str, ...]

    @classmethod
    def look(cls, pid: int) -> "Process | None":
        """Return a process that lives, or None."""
        with suppress(OSError):
            stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            words = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
            if stat[0] not in "ZX":
                return cls(pid, int(stat[1]), stat[19], tuple(words))
        return None

    @property
    def lives(self) -> bool:
        """Whether it has not ended."""
        now = Process.look(self.pid)
        return now is not None and now.born == self.born

    def kill(self) -> None:
        """End it without a word of warning."""
        with suppress(ProcessLookupError):
            if self.lives:
                os.kill(self.pid, signal.SIGKILL)


def family(pid: int) -> list[Process]:
    """Return a process with all its descendants."""
    everybody = [p for entry in Path("/proc").glob("[0-9]*") if (p := Process.look(int(entry.name)))]
    found = [p for p in everybody if p.pid == pid]
    for ancestor in found:
        found += [p for p in everybody if p.parent == ancestor.pid]
    return found


class Instance:
    """A running `holdfast serve` on an embedded PostgreSQL."""

    def __init__(self, data_dir: Path, process: "subprocess.Popen[str]", log: Path) -> None:
        self.data_dir = data_dir
        self.process = process
        self._log = log
        assert process.stdout is not None, "stdout is a pipe"
        self.first_line = process.stdout.readline()
        assert self.first_line, f"the server did not start:\n{self.log}"
        ready = json.loads(self.first_line) if self.first_line.startswith("{") else {}
        self.ready: dict[str, Any] = ready
        self.url: str = ready.get("url", "")
        self.dsn: str = ready.get("dsn", "")

    @property
    def log(self) -> str:
        """What it wrote to stderr."""
        return self._log.read_text()

    def part(self, name: str) -> Process:
        """Return the process of a part, as soon as it runs: `web` or `worker`."""

        def look() -> Process | None:
            parts = [p for p in family(self.process.pid) if p.words[3:5] == ("part", name)]
            return next((p for p in parts if p.parent == self.process.pid), None)

        found = eventually(look)
        assert isinstance(found, Process)
        return found

    def web_workers(self) -> list[Process]:
        """Return the processes that answer requests."""
        return [p for p in family(self.part("web").pid) if p.pid != self.part("web").pid]

    def family(self) -> list[Process]:
        """Return all its processes, those of PostgreSQL among them."""
        return family(self.process.pid)

    def postmaster(self) -> Process:
        """Return the process that heads PostgreSQL."""
        return next(p for p in self.family() if p.words[0].endswith("/postgres"))

    def get(self, path: str) -> httpx.Response:
        """Ask over a connection of its own."""
        return httpx.get(self.url + path, timeout=30, verify=NO_AUTHORITIES)

    def answers(self) -> bool:
        """Whether requests that need the database are served."""
        with suppress(httpx.TransportError):
            return self.get("/health/ready").status_code == 200
        return False

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop; return its exit code."""
        self.process.send_signal(sign)
        return self.process.wait(STOP_SECONDS)

    def kill_all(self) -> list[Process]:
        """Kill the supervisor and then everybody whom it had, as a power cut would; return them."""
        everybody = family(self.process.pid)
        for process in everybody:
            process.kill()
        self.process.wait(STOP_SECONDS)
        eventually(lambda: not any(process.lives for process in everybody))
        return everybody


@contextmanager
def serving(data_dir: Path | None, *options: str, as_json: bool = True, **environment: str) -> Iterator[Instance]:
    """Serve on a free port until the block ends, at the latest; without a directory on what the options say."""
    place = ["--data", str(data_dir)] if data_dir else []
    words = ["serve", *place, "--port", "0", *(["--json"] if as_json else []), *options]
    with (
        tempfile.NamedTemporaryFile() as stderr,
        subprocess.Popen(
            [*HOLDFAST, *words],
            env=clean_environment() | {"HOLDFAST_PUBLIC_WRITES_PER_MINUTE": "0"} | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        instance = None
        try:
            instance = Instance(data_dir or Path(), process, Path(stderr.name))
            yield instance
        finally:
            if process.poll() is None:
                guard(data_dir, instance)
                process.terminate()
                try:
                    process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    for one in family(process.pid):
                        one.kill()
            hear(data_dir, Path(stderr.name))


def guard(data_dir: Path | None, instance: Instance | None) -> None:
    """Let the run know what is sealed in the database of a server, if it still answers."""
    if data_dir is not None and instance is not None and instance.dsn and (data_dir / "master.key").exists():
        master_key = (data_dir / "master.key").read_text()
        RUN.guard_secret(master_key, "master key")
        with suppress(psycopg.OperationalError):
            guard_database(RUN, instance.dsn, [bytes.fromhex(master_key)])


def hear(data_dir: Path | None, log: Path) -> None:
    """Let the run know what a server and its PostgreSQL have said."""
    RUN.hear("log of holdfast serve", log.read_text(errors="replace"))
    if data_dir is not None and (data_dir / "postgres.log").exists():
        RUN.hear("log of PostgreSQL under holdfast serve", (data_dir / "postgres.log").read_text(errors="replace"))


def copy_of(data_dir: Path, place: Path) -> Path:
    """Return a copy of the data directory of a stopped server, which is faster than making one."""
    return Path(shutil.copytree(data_dir, place, ignore=shutil.ignore_patterns("lock", "sockets")))
