"""Real PostgreSQL for every test: one server a run, one migrated template, a database of its own where a test asks."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio

from holdfast.kernel.database import Database
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.migrate import migrate
from holdfast.kernel.privacy import Keyring

# Durability is off where only logic is tested; what proves durability starts its own server with the defaults.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}


# The master key of every server and database that tests open.
MASTER_KEY = bytes.fromhex("11" * 32)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A running server; its template database `holdfast_template` is migrated and empty."""
    server = EmbeddedPostgres(Path(tmp_path_factory.mktemp("pg")), FAST)
    server.start()
    try:
        with psycopg.connect(server.uri(database="postgres"), autocommit=True) as admin:
            admin.execute("create database holdfast_template")
        migrate(server.uri(database="holdfast_template"))
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def shared_database(postgres: EmbeddedPostgres) -> str:
    """The name of one database that tests share, each with a business of its own."""
    return _create(postgres, "shared")


@pytest.fixture
def own_database(postgres: EmbeddedPostgres) -> Iterator[str]:
    """The name of a database that belongs to this test alone and may be damaged."""
    name = _create(postgres, f"own_{uuid4().hex[:12]}")
    yield name
    with psycopg.connect(postgres.uri(database="postgres"), autocommit=True) as admin:
        admin.execute(f'drop database "{name}" with (force)')


@pytest.fixture
def admin_uri(postgres: EmbeddedPostgres, shared_database: str) -> str:
    """A URI of the shared database as administrator."""
    return postgres.uri(database=shared_database)


@pytest.fixture
def app_uri(postgres: EmbeddedPostgres, shared_database: str) -> str:
    """A URI of the shared database as the application's role."""
    return postgres.uri(user="holdfast_app", database=shared_database)


@pytest_asyncio.fixture
async def database(app_uri: str) -> AsyncIterator[Database]:
    """The shared database as the application sees it."""
    opened = Database(app_uri, max_connections=12, keyring=Keyring(MASTER_KEY, app_uri))
    await opened.open()
    yield opened
    await opened.close()


@dataclass(frozen=True)
class Server:
    """`holdfast serve --demo` as a process of its own, on a database of its own."""

    url: str
    dsn: str
    pid: int


@pytest.fixture(scope="session")
def server(postgres: EmbeddedPostgres) -> Iterator[Server]:
    """A running server with the demo business; tests share it and keep out of each other's days."""
    dsn = postgres.uri(database=_create(postgres, "served"))
    environment = {
        **os.environ,
        "HOLDFAST_MASTER_KEY": MASTER_KEY.hex(),
        "HOLDFAST_PUBLIC_WRITES_PER_MINUTE": "0",
        "CRON_SECRET": "a cron secret",
    }
    command = [sys.executable, "-m", "holdfast", "serve", "--dsn", dsn, "--port", "0", "--demo", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None, "stdout is a pipe"
        line = process.stdout.readline()
        assert line, "the server did not start; its reason is on stderr"
        ready = json.loads(line)
        yield Server(ready["url"], dsn, ready["pid"])
        process.terminate()
        assert process.wait(30) == 0


def _create(postgres: EmbeddedPostgres, name: str) -> str:
    with psycopg.connect(postgres.uri(database="postgres"), autocommit=True) as admin:
        admin.execute(f'create database "{name}" template holdfast_template')
    return name
