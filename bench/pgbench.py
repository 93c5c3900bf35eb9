"""The baseline: plain PostgreSQL, a counter updated and a row inserted in one transaction, measured by pgbench."""

import re
import subprocess
from dataclasses import dataclass
from importlib.resources import as_file, files

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from holdfast.kernel.embedded import find_binaries

DATABASE = "bench_baseline"
CLIENTS = (8, 32)

_TABLES = """
create table schedules (id integer primary key, taken integer not null, places integer not null,
                        check (taken between 0 and places));
create table places (id bigint generated always as identity primary key, schedule_id integer not null, party integer);
insert into schedules values (1, 0, 2000000000);
"""


class PgbenchError(Exception):
    """pgbench could not be run, or said something else than a rate."""


@dataclass(frozen=True)
class Baseline:
    """Transactions per second of one run, and how long one took on average."""

    clients: int
    rate: float
    average_ms: float


def prepare(dsn: str) -> str:
    """Make a database of its own on the same server; return its connection string."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))
    own = make_conninfo(dsn, dbname=DATABASE)
    with psycopg.connect(own, autocommit=True) as connection:
        connection.execute(_TABLES)
        connection.execute("vacuum (analyze)")
    return own


def run(dsn: str, clients: int, seconds: float) -> Baseline:
    """Measure the transaction, prepared, by so many clients in two threads."""
    with as_file(files("bench") / "pgbench.sql") as script:
        options = ["--no-vacuum", "--protocol=prepared", f"--client={clients}", "--jobs=2"]
        command = [str(find_binaries() / "pgbench"), *options, f"--time={max(round(seconds), 1)}", f"--file={script}"]
        done = subprocess.run([*command, dsn], capture_output=True, text=True, check=False)
    rate = re.search(r"tps = ([\d.]+)", done.stdout)
    average = re.search(r"latency average = ([\d.]+) ms", done.stdout)
    if done.returncode != 0 or rate is None or average is None:
        raise PgbenchError(f"pgbench ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return Baseline(clients, float(rate[1]), float(average[1]))
