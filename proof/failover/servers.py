"""Servers of ours on the cluster, as an administrator starts them; they are not touched again until the run ends."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from proof.failover.nodes import Cluster, ClusterError

COUNT = 2
MASTER_KEY = secrets.token_bytes(32)
_PASSWORD = secrets.token_hex(16)
_STOP_SECONDS = 40
_LOG_LINES = 30


def make_database(cluster: Cluster) -> str:
    """Make the database and who administers it, as docs/high-availability.md has it; return how servers connect."""
    with psycopg.connect(cluster.superuser_dsn(), autocommit=True) as connection:
        role = "create role holdfast login createrole bypassrls password {}"
        connection.execute(sql.SQL(role).format(_PASSWORD))
        connection.execute("create database holdfast owner holdfast")
    return cluster.dsn("holdfast", _PASSWORD)


def environment(dsn: str) -> dict[str, str]:
    """Return the settings of servers and commands on the cluster, and nothing of our own settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HOLDFAST_", "PG"))}
    return kept | {
        "HOLDFAST_DSN": dsn,
        "HOLDFAST_MASTER_KEY": MASTER_KEY.hex(),
        "HOLDFAST_PUBLIC_WRITES_PER_MINUTE": "0",
    }


def migrate(settings: dict[str, str]) -> None:
    """Bring the database to the schema, by the command. Raises ClusterError with what it said."""
    words = [sys.executable, "-m", "holdfast", "migrate"]
    done = subprocess.run(words, env=settings, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ClusterError(f"holdfast migrate: {done.stderr.strip()}")


@contextmanager
def running(folder: Path, settings: dict[str, str]) -> Iterator[list[str]]:
    """Serve for the time of the block; gives the addresses. Each server has a log in the folder.

    Raises ClusterError when a server does not start, or has ended by the end of the block.
    """
    servers: list[subprocess.Popen[bytes]] = []
    try:
        urls = []
        for number in range(1, COUNT + 1):
            servers.append(_started(folder / f"server{number}.log", settings))
            urls.append(_url_of(servers[-1], folder / f"server{number}.log"))
        yield urls
        for number, server in enumerate(servers, 1):
            if server.poll() is not None:
                raise ClusterError(f"server{number} ended with {server.returncode}; its log says why")
    finally:
        for server in servers:
            server.terminate()
        for server in servers:
            server.wait(_STOP_SECONDS)


def _started(log: Path, settings: dict[str, str]) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "holdfast", "serve", "--host", "127.0.0.1", "--port", "0", "--json"]
    with log.open("ab") as errors:
        return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors, env=settings)


def _url_of(server: subprocess.Popen[bytes], log: Path) -> str:
    assert server.stdout is not None, "it is a pipe"
    line = server.stdout.readline()
    if not line:
        tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
        raise ClusterError("\n".join(["a server does not start:", *tail]))
    return str(json.loads(line)["url"])
