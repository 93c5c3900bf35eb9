"""What stands in a database: every envelope opened, and the whole of it as a text."""

import subprocess
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import psycopg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg.rows import dict_row

from holdfast.kernel.columns import registry
from holdfast.kernel.embedded import find_binaries
from holdfast.kernel.privacy import Generation, Keyring, TenantKeys, Undecipherable, WrongMasterKey
from leaks.capture import Capture

# Every column of bytes: bytea, a domain over it, or an array of either; and whether it takes blind indexes only.
_BYTES = """
    select c.relname, a.attname,
           'blind_index' in (t.typname, coalesce(e.typname, ''))
           or exists (select from pg_constraint k
                       where k.conrelid = c.oid and k.contype = 'c' and k.conkey = array[a.attnum]
                         and pg_get_constraintdef(k.oid) like 'CHECK (is_blind_index(%')
      from pg_attribute a
      join pg_class c on c.oid = a.attrelid
      join pg_type t on t.oid = a.atttypid
      left join pg_type e on e.oid = t.typelem and t.typcategory = 'A'
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
       and 'bytea'::regtype in (t.oid, t.typbasetype, e.oid, e.typbasetype)
     order by 1, 2"""


def guard_database(capture: Capture, uri: str, master_keys: Sequence[bytes]) -> int:
    """Guard the text of every envelope of a database that one of the master keys opens; return how many they were.

    What tests have damaged or moved opens under no key, and is left out.
    """
    opened = 0
    with psycopg.connect(uri, connect_timeout=5) as connection:
        if connection.execute("select to_regclass('tenant_keys')").fetchone() == (None,):
            return 0
        keys = dict(_keys(connection, master_keys))
        for table, columns in sealed_columns(connection).items():
            for column in columns:
                place = f"{table}.{column}"
                for business_id, row_id, envelope in _envelopes(connection, table, column):
                    text = _text(keys.get(business_id, ()), place, row_id, envelope)
                    if text is not None:
                        capture.guard(text, place)
                        opened += 1
    return opened


def sealed_columns(connection: psycopg.Connection[Any]) -> dict[str, list[str]]:
    """Return by table the columns of classes P1 and P2 that hold envelopes."""
    found: dict[str, list[str]] = {}
    for table, column, blind in connection.execute(_BYTES):
        if not blind and registry().get(f"{table}.{column}", "P0") != "P0":
            found.setdefault(table, []).append(column)
    return found


def blind_columns(connection: psycopg.Connection[Any]) -> set[str]:
    """Return the columns that hold blind indexes, named `table.column`."""
    return {f"{table}.{column}" for table, column, blind in connection.execute(_BYTES) if blind}


def dump(uri: str, place: str) -> Iterator[tuple[str, str]]:
    """Yield every line of a dump of a database, with its table as its place."""
    at = place
    with subprocess.Popen([find_binaries() / "pg_dump", uri], stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None, "stdout is a pipe"
        for line in process.stdout:
            if line.startswith("COPY "):
                at = f"{place}: {line.split()[1]}"
            yield at, line
    assert process.returncode == 0, f"pg_dump could not dump {place}"


def _keys(
    connection: psycopg.Connection[Any], master_keys: Sequence[bytes]
) -> Iterator[tuple[UUID, tuple[TenantKeys, ...]]]:
    """Yield for each business its keys, once for each master key that unwraps them."""
    stored: dict[UUID, list[dict[str, Any]]] = {}
    with connection.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute("select business_id, purpose, generation, wrapped from tenant_keys"):
            stored.setdefault(row["business_id"], []).append(row)
    for business_id, rows in stored.items():
        found = []
        for master_key in master_keys:
            try:
                found.append(_unwrapped(Keyring(master_key, ""), business_id, rows))
            except WrongMasterKey:
                continue
        yield business_id, tuple(found)


def _unwrapped(keyring: Keyring, business_id: UUID, rows: list[dict[str, Any]]) -> TenantKeys:
    generations = [
        Generation(row["generation"], 0, AESGCM(keyring._unwrap(business_id, row)))
        for row in rows
        if row["purpose"] == "data"
    ]
    return TenantKeys(business_id, generations, b"", b"")


def _envelopes(connection: psycopg.Connection[Any], table: str, column: str) -> Iterator[tuple[UUID, UUID, bytes]]:
    wanted = f'select business_id, id, "{column}" from "{table}" where "{column}" is not null'  # of the catalog
    with connection.cursor("envelopes") as cursor:
        for business_id, row_id, value in cursor.execute(wanted.encode()):
            for one in value if isinstance(value, list) else [value]:
                if one.startswith(b"hfe1"):
                    yield business_id, row_id, one


def _text(keys: tuple[TenantKeys, ...], place: str, row_id: UUID, envelope: bytes) -> str | None:
    for each in keys:
        try:
            return each.open(place, row_id, envelope)
        except Undecipherable:
            continue
    return None
