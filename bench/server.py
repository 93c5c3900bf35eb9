"""The server that is measured: started as a user starts it, stopped as an operator stops it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.processes import Process

_STOP_SECONDS = 40
_LOG_LINES = 30

PROGRAM = Path(sys.executable).with_name("holdfast")


@dataclass(frozen=True)
class Server:
    """A running server with its embedded PostgreSQL."""

    url: str
    dsn: str
    process: Process
    log: Path

    def last_words(self) -> str:
        """Return the end of its log."""
        return _tail(self.log)

    @property
    def port(self) -> int:
        """The port on which it listens."""
        port = urlsplit(self.url).port
        assert port is not None, "the ready line names the port"
        return port

    def web_cpu_seconds(self) -> float:
        """CPU time that its Python processes have used so far."""
        return sum(p.cpu_seconds() for p in self.process.family() if p.is_python())

    def database_cpu_seconds(self) -> float:
        """CPU time that PostgreSQL has used so far."""
        return sum(p.cpu_seconds() for p in self.process.family() if p.program() == "postgres")

    def web_memory_mb(self) -> float:
        """Resident memory of the largest Python process that serves, in MiB."""
        return max(p.resident_bytes() for p in self.process.family() if p.is_python()) / 2**20


@contextmanager
def running(data: Path, **settings: str) -> Iterator[Server]:
    """Serve on a data directory for the time of the block, with further settings; the log goes to a file beside it.

    Raises RuntimeError with the end of the log when the server does not start or does not stop.
    """
    log = data.with_name("server.log")
    command = [str(PROGRAM), "serve", "--data", str(data), "--host", "127.0.0.1", "--port", "0", "--json"]
    with log.open("ab") as errors:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=_environment() | settings)
    assert child.stdout is not None, "stdout is a pipe"
    try:
        line = child.stdout.readline()
        if not line:
            raise RuntimeError(f"The server did not start:\n{_tail(log)}")
        told = json.loads(line)
        yield Server(told["url"], told["dsn"], Process(child.pid), log)
    finally:
        child.terminate()
        try:
            child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            raise RuntimeError(f"The server did not stop within {_STOP_SECONDS} s:\n{_tail(log)}") from None
        finally:
            child.stdout.close()


def verify(dsn: str) -> tuple[int, str]:
    """Run `holdfast verify`; return its exit code and what it said."""
    command = [str(PROGRAM), "verify", "--dsn", dsn]
    done = subprocess.run(command, capture_output=True, text=True, env=_environment(), check=False)
    return done.returncode, done.stdout + done.stderr


def _environment() -> dict[str, str]:
    """Return our own environment without its settings of Holdfast, and with those of the benchmark."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
    return kept | {"HOLDFAST_BENCH_ROUTES": "1", "HOLDFAST_PUBLIC_WRITES_PER_MINUTE": "0"}


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:])
