"""`python -m bench.privacy`: what it costs that what people confide is stored as ciphertext.

Reads intake forms page by page, as every list is read: in a transaction bound to the business, under the application's
role, into JSON. Beside it the same rows from a table that holds their text. Prints how many times as long it takes.

Exit codes: 0 it was measured, whatever the figure; 2 it could not be measured.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any, LiteralString
from uuid import UUID, uuid4

import msgspec
import psycopg

from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.migrate import migrate
from holdfast.kernel.privacy import Keyring, TenantKeys

TARGET = 2.0
_PLACE = "intake_forms.answers"
# As many as a list shows at most.
_PAGE = 100
_TEXT = "Плохо сплю уже третий месяц, просыпаюсь под утро и не могу перестать думать о работе. "
_TABLE = """
    create table plain_forms (business_id uuid, id uuid, answers text not null, primary key (business_id, id));
    grant select on plain_forms to holdfast_app;
    select isolate('plain_forms')"""
_READ: dict[str, LiteralString] = {
    table: f"""
    select id, answers from {table}
     where business_id = %(business_id)s and id > %(after)s::uuid
     order by id limit {_PAGE}"""
    for table in ("intake_forms", "plain_forms")
}

Shown = list[dict[str, Any]]
Read = Callable[[Transaction, UUID], Awaitable[Shown]]


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.privacy", description="Measure what encryption costs.")
    parser.add_argument("--values", type=int, default=10_000, help="how many are read (10,000)")
    parser.add_argument("--rounds", type=int, default=7, help="how often, each way in turn; the median counts (7)")
    parser.add_argument("--json", action="store_true", help="print one object instead of a sentence")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        server = EmbeddedPostgres(Path(folder))
        server.start()
        try:
            migrate(server.uri())
            sealed, plain = asyncio.run(_measured(server.uri(), server.uri(user="holdfast_app"), options))
        finally:
            server.stop()
    ratio = sealed / plain
    if options.json:
        print(json.dumps({"values": options.values, "sealedSeconds": sealed, "plainSeconds": plain, "ratio": ratio}))
    else:
        print(
            f"{options.values:,} confided texts: sealed {sealed * 1e3:.0f} ms, plain {plain * 1e3:.0f} ms,"
            f" ratio {ratio:.2f} (at most {TARGET}: {'kept' if ratio <= TARGET else 'MISSED'})"
        )
    return 0


async def _measured(admin_uri: str, app_uri: str, options: argparse.Namespace) -> tuple[float, float]:
    """Return the median seconds of reading all values sealed and plain, one after the other in each round."""
    with psycopg.connect(admin_uri, autocommit=True) as admin:
        admin.execute(_TABLE.encode())
        row = admin.execute(
            "insert into businesses (slug, name, timezone, currency) values ('b', 'B', 'UTC', 'EUR') returning id"
        ).fetchone()
        assert row is not None, "an insert returns what it has inserted"
        business_id: UUID = row[0]
        keyring = Keyring(os.urandom(32), app_uri)
        _fill(admin, await keyring.of(business_id), options.values)
    database = Database(app_uri, min_connections=1, max_connections=1, keyring=keyring)
    await database.open()
    try:
        took: dict[Read, list[float]] = {_sealed: [], _plain: []}
        for _ in range(options.rounds + 1):
            for read, seconds in took.items():
                started = time.perf_counter()
                read_values = await _all(database, business_id, read)
                seconds.append(time.perf_counter() - started)
                assert read_values == options.values, f"{read_values} values were read"
    finally:
        await database.close()
    # The first round makes plans and fills caches.
    return median(took[_sealed][1:]), median(took[_plain][1:])


def _fill(admin: psycopg.Connection[Any], keys: TenantKeys, values: int) -> None:
    # Without their bookings: only reading is measured.
    admin.execute("set session_replication_role = replica")
    with admin.cursor() as cursor:
        for number in range(values):
            row, text = uuid4(), json.dumps({"answer": f"{_TEXT * (1 + number % 5)} {number}"}, ensure_ascii=False)
            found = [keys.business_id, row]
            cursor.execute(
                "insert into intake_forms (business_id, id, booking_id, answers) values (%s, %s, %s, %s)",
                [*found, uuid4(), keys.seal(_PLACE, row, text)],
            )
            cursor.execute("insert into plain_forms values (%s, %s, %s)", [*found, text])
    admin.execute("vacuum (analyze)")


async def _all(database: Database, business_id: UUID, read: Read) -> int:
    """Read every value, page by page, each into JSON; return how many they were."""
    after, values = UUID(int=0), 0
    while True:
        async with database.transaction(business_id) as tx:
            shown = await read(tx, after)
        msgspec.json.encode(shown)
        values += len(shown)
        if len(shown) < _PAGE:
            return values
        after = shown[-1]["id"]


async def _sealed(tx: Transaction, after: UUID) -> Shown:
    keys = await tx.keys()
    rows = await tx.rows(_READ["intake_forms"], {"business_id": tx.business_id, "after": after})
    return [{"id": row["id"], "answers": keys.open(_PLACE, row["id"], row["answers"])} for row in rows]


async def _plain(tx: Transaction, after: UUID) -> Shown:
    rows = await tx.rows(_READ["plain_forms"], {"business_id": tx.business_id, "after": after})
    return [{"id": row["id"], "answers": row["answers"]} for row in rows]


if __name__ == "__main__":
    try:
        code = main()
    except (RuntimeError, OSError, psycopg.Error) as failure:
        print(f"bench: {failure}", file=sys.stderr)
        code = 2
    sys.exit(code)
