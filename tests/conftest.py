"""Real PostgreSQL for every test: one server a run, one migrated template, a database of its own where a test asks."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio
from argon2 import PasswordHasher

from holdfast.identity import passwords
from holdfast.kernel.database import Database
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.migrate import migrate
from holdfast.kernel.privacy import Keyring
from holdfast.payments.settings import PaymentSettings
from leaks.capture import RUN, judge, listening
from leaks.databases import dump, guard_database

# Durability is off where only logic is tested; what proves durability starts its own server with the defaults.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}


# The master key of every server and database that tests open.
MASTER_KEY = bytes.fromhex("11" * 32)
# The one that the shared server asks of its scheduler.
CRON_SECRET = "a cron secret"  # noqa: S105  of the tests


# Where no provider of payments is: a server that is asked to try something out asks nobody.
NO_PROVIDERS = PaymentSettings(yookassa_api_url="http://127.0.0.1:9/v3", stripe_api_url="http://127.0.0.1:9")

# With which tests seal: theirs, and that of those who open the application by themselves.
MASTER_KEYS = (MASTER_KEY, bytes(32))


def pytest_xdist_auto_num_workers() -> int:
    """Run half as many processes again as there are cores: each of them waits for a fifth of its time."""
    cores = len(os.sched_getaffinity(0))
    return cores + cores // 2


@pytest.fixture(scope="session", autouse=True)
def _nothing_personal_is_told() -> Iterator[None]:
    """No log and no error of the whole run quotes what it has sealed, or a secret (D-5)."""
    RUN.guard_secret(MASTER_KEY.hex(), "master key")
    RUN.guard_secret(CRON_SECRET, "cron secret")
    with listening(RUN):
        yield
    judge(RUN)


@pytest.fixture(scope="session", autouse=True)
def _passwords_cost_little() -> Iterator[None]:
    """Passwords are kept with the least work that there is, as databases are without durability."""
    with pytest.MonkeyPatch.context() as patch:
        least = partial(PasswordHasher, time_cost=1, memory_cost=2048, parallelism=1)
        patch.setattr(passwords, "PasswordHasher", least)
        yield


@pytest.fixture
def _passwords_cost_what_they_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are kept as a server keeps them, for what proves that."""
    monkeypatch.setattr(passwords, "PasswordHasher", PasswordHasher)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Hear what processes have written to the stderr of the tests."""
    for name, text in report.sections:
        if name.startswith("Captured stderr"):
            RUN.hear("stderr of the tests", text)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A running server; its template database `holdfast_template` is migrated and empty.

    What the tests leave in its databases has nothing personal in plain text (D-5).
    """
    data_dir = Path(tmp_path_factory.mktemp("pg"))
    server = EmbeddedPostgres(data_dir, FAST)
    server.start()
    try:
        with psycopg.connect(server.uri(database="postgres"), autocommit=True) as admin:
            admin.execute("create database holdfast_template")
        migrate(server.uri(database="holdfast_template"))
        yield server
        with psycopg.connect(server.uri(database="postgres")) as admin:
            left = [name for (name,) in admin.execute("select datname from pg_database where not datistemplate")]
        for name in left:
            guard_database(RUN, server.uri(database=name), MASTER_KEYS)
        RUN.hear("log of PostgreSQL", (data_dir / "postgres.log").read_text(errors="replace"))
        judge(RUN, *(dump(server.uri(database=name), f"database {name}") for name in left))
    finally:
        server.stop()


@pytest.fixture(scope="session")
def shared_database(postgres: EmbeddedPostgres) -> str:
    """The name of one database that tests share, each with a business of its own."""
    return _create(postgres, "shared")


@pytest.fixture(scope="module")
def sound(postgres: EmbeddedPostgres, shared_database: str) -> Iterator[None]:
    """What the tests of a file leave in the shared database violates nothing; looked at once, since it all is looked at."""
    # What it stands on is loaded by the tests that ask for it.
    from booking.opened import violations  # noqa: PLC0415

    yield
    assert violations(postgres.uri(database=shared_database)) == []


@contextmanager
def created(postgres: EmbeddedPostgres, prefix: str) -> Iterator[str]:
    """Make a migrated database for the time of the block; return its name."""
    name = _create(postgres, f"{prefix}_{uuid4().hex[:12]}")
    yield name
    guard_database(RUN, postgres.uri(database=name), MASTER_KEYS)
    with psycopg.connect(postgres.uri(database="postgres"), autocommit=True) as admin:
        admin.execute(f'drop database "{name}" with (force)')


@pytest.fixture
def own_database(postgres: EmbeddedPostgres) -> Iterator[str]:
    """The name of a database that belongs to this test alone and may be damaged."""
    with created(postgres, "own") as name:
        yield name


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
def server(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server with the demo business; tests share it and keep out of each other's days."""
    with serving_demo(postgres, "served", tmp_path_factory.mktemp("server") / "log") as running:
        yield running


@contextmanager
def serving_demo(postgres: EmbeddedPostgres, database: str, log: Path) -> Iterator[Server]:
    """Serve the demo business on a database that is made for it."""
    dsn = postgres.uri(database=_create(postgres, database))
    environment = {
        **os.environ,
        "HOLDFAST_MASTER_KEY": MASTER_KEY.hex(),
        "HOLDFAST_PUBLIC_WRITES_PER_MINUTE": "0",
        "HOLDFAST_YOOKASSA_API_URL": NO_PROVIDERS.yookassa_api_url,
        "HOLDFAST_STRIPE_API_URL": NO_PROVIDERS.stripe_api_url,
        "CRON_SECRET": CRON_SECRET,
    }
    command = [sys.executable, "-m", "holdfast", "serve", "--dsn", dsn, "--port", "0", "--demo", "--json"]
    with (
        log.open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environment) as process,
    ):
        assert process.stdout is not None, "stdout is a pipe"
        line = process.stdout.readline()
        assert line, f"the server did not start:\n{log.read_text()}"
        ready = json.loads(line)
        yield Server(ready["url"], dsn, ready["pid"])
        process.terminate()
        assert process.wait(30) == 0
    RUN.hear(f"log of the server on {database}", log.read_text())


def _create(postgres: EmbeddedPostgres, name: str) -> str:
    with psycopg.connect(postgres.uri(database="postgres"), autocommit=True) as admin:
        admin.execute(f'create database "{name}" template holdfast_template')
    return name
