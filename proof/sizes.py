"""`python -m proof.sizes`: what a booking takes in the database, as rows, bytes and log.

A few bookings are made over HTTP, so that the rows are those that the product writes; a great many are put into the
database as `make bench` does, so that the indexes are as deep as they become. Exit codes: 0 measured, 2 could not be.
"""

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import psycopg
from bench.data import Stage, add_past, furnish, settle
from bench.scripts import SLOT_MINUTES
from bench.server import running
from psycopg import Connection, sql
from psycopg.rows import class_row

from holdfast.kernel.sql import load
from proof import document
from proof.deployment import DeploymentError, eventually

_SQL = load("proof", "sizes.sql")
_MILLION = 1_000_000
_MEGABYTE = 1024 * 1024
# How many of the largest indexes are told by name.
_INDEXES = 8


@dataclass(frozen=True, slots=True)
class TableSize:
    """What a table takes."""

    name: str
    rows: int
    table_bytes: int
    index_bytes: int


@dataclass(frozen=True, slots=True)
class IndexSize:
    """What an index takes."""

    name: str
    of_table: str
    bytes: int


@dataclass(frozen=True)
class Sizes:
    """What `bookings` past bookings have added, and what one made over HTTP writes."""

    bookings: int
    seconds: float
    tables: list[TableSize]
    indexes: list[IndexSize]
    made: int
    # Rows that each booking made over HTTP has added, by table; and bytes of log for reserve and commit together.
    rows_made: dict[str, float]
    log_bytes: float

    @property
    def table_bytes(self) -> int:
        """Bytes of all tables, without their indexes."""
        return sum(each.table_bytes for each in self.tables)

    @property
    def index_bytes(self) -> int:
        """Bytes of all indexes."""
        return sum(each.index_bytes for each in self.tables)


def measure(folder: Path, bookings: int, made: int, say: Callable[[str], None]) -> Sizes:
    """Measure in a database of its own, which lives in the folder."""
    with running(folder / "data") as server:
        stage = furnish(server.dsn)
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            rows_made, log_bytes = _book(server.url, stage, made, connection)
            say(f"{made} bookings made over HTTP")
            settle(server.dsn)
            before = {each.name: each for each in _tables(connection)}
            small = {each.name: each.bytes for each in _indexes(connection)}
            began = time.monotonic()
            add_past(stage, bookings, say)
            seconds = time.monotonic() - began
            tables = [
                TableSize(
                    each.name,
                    each.rows - before[each.name].rows,
                    each.table_bytes - before[each.name].table_bytes,
                    each.index_bytes - before[each.name].index_bytes,
                )
                for each in _tables(connection)
            ]
            indexes = [
                IndexSize(each.name, each.of_table, each.bytes - small[each.name]) for each in _indexes(connection)
            ]
    # Others have grown by what a worker did meanwhile.
    grown = [each for each in tables if each.rows >= bookings]
    grown.sort(key=lambda each: each.table_bytes + each.index_bytes, reverse=True)
    return Sizes(bookings, seconds, grown, indexes[:_INDEXES], made, rows_made, log_bytes)


def markdown(sizes: Sizes) -> str:
    """Return the section of docs/proof.md."""
    per_million = _MILLION / sizes.bookings / _MEGABYTE
    rows = [
        [
            f"`{each.name}`",
            f"{each.rows / sizes.bookings:.3g}",
            f"{sizes.rows_made.get(each.name, 0):.3g}",
            f"{each.table_bytes * per_million:,.0f}",
            f"{each.index_bytes * per_million:,.0f}",
        ]
        for each in sizes.tables
    ]
    rows.append(
        ["together", "", "", f"{sizes.table_bytes * per_million:,.0f}", f"{sizes.index_bytes * per_million:,.0f}"]
    )
    tables = document.table(
        ["table", "rows a past booking", "rows one made over HTTP", "MB a million", "MB of indexes a million"], rows
    )
    indexes = document.table(
        ["index", "MB a million bookings"],
        [[f"`{each.name}`", f"{each.bytes * per_million:,.0f}"] for each in sizes.indexes],
    )
    each_bytes = math.ceil((sizes.table_bytes + sizes.index_bytes) / sizes.bookings)
    return (
        f"{sizes.bookings:,} completed bookings of past years take {each_bytes:,} bytes each, indexes included. Reserve"
        f" and commit of one over HTTP write {sizes.log_bytes:,.0f} bytes of log, full pages after a checkpoint"
        f" included (mean of {sizes.made}).\n\n{tables}\n\nThe largest indexes:\n\n{indexes}"
    )


def _book(url: str, stage: Stage, count: int, connection: Connection) -> tuple[dict[str, float], float]:
    """Make bookings as clients do; return the rows and the bytes of log that each has added."""
    settle(stage.dsn)
    before = {each.name: each.rows for each in _tables(connection)}
    log = _number(connection, "wal")
    with httpx.Client(base_url=url, timeout=60) as http:
        for n in range(count):
            start = stage.new_lone_slot()
            asked = {
                "businessId": stage.business,
                "serviceId": stage.lone.service,
                "slotStart": start.isoformat(),
                "slotEnd": (start + timedelta(minutes=SLOT_MINUTES)).isoformat(),
                "idempotencyKey": f"sizes-{n}",
            }
            held = http.post("/api/booking/reserve", json=asked).raise_for_status().json()
            guest = {"reservationId": held["reservationId"], "guestEmail": "guest@example.org", "guestName": "Guest"}
            http.post("/api/booking/commit", json=guest | {"businessId": stage.business}).raise_for_status()
    log = _number(connection, "wal") - log
    # A worker writes of them too, and not among what is counted later.
    eventually(lambda: not _number(connection, "leads_to_come"), "the worker made no leads of the bookings")
    settle(stage.dsn)
    added = {each.name: (each.rows - before[each.name]) / count for each in _tables(connection)}
    return {name: rows for name, rows in added.items() if rows > 0}, log / count


def _tables(connection: Connection) -> list[TableSize]:
    # Counted: what VACUUM notes is an estimate where it has skipped pages.
    return [
        TableSize(name, _rows(connection, name), table_bytes, index_bytes)
        for name, table_bytes, index_bytes in connection.execute(_SQL["tables"], {}).fetchall()
    ]


def _rows(connection: Connection, table: str) -> int:
    row = connection.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(table))).fetchone()
    assert row is not None, "a count is a row"
    return int(row[0])


def _indexes(connection: Connection) -> list[IndexSize]:
    with connection.cursor(row_factory=class_row(IndexSize)) as cursor:
        return cursor.execute(_SQL["indexes"], {}).fetchall()


def _number(connection: Connection, statement: str) -> int:
    row = connection.execute(_SQL[statement]).fetchone()
    assert row is not None, "it returns a number"
    return int(row[0])


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m proof.sizes", description="Measure what a booking takes.")
    parser.add_argument("--bookings", type=int, default=_MILLION, help="past bookings (1,000,000)")
    parser.add_argument("--made", type=int, default=500, help="bookings made over HTTP (500)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--write", action="store_true", help="replace the section of docs/proof.md")
    options = parser.parse_args()

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="holdfast-sizes-") as folder:
        try:
            sizes = measure(Path(folder), options.bookings, options.made, say)
        except (RuntimeError, DeploymentError, OSError, psycopg.Error, httpx.HTTPError) as failure:
            say(f"sizes: {failure}")
            return 2
    print(json.dumps(asdict(sizes)) if options.json else markdown(sizes))
    if options.write:
        document.write("scale", markdown(sizes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
