"""The chain of the audit log as whoever verifies it computes it, from the rows and a key (D-7).

The database computes the same when it writes (`audit_chain.sql`), but is not asked here: it may have been damaged.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from holdfast.kernel.privacy import chain_key_of, open_audit_keys
from holdfast.kernel.sql import load

_SQL = load("holdfast.kernel", "audit_verification.sql")

_NOTHING_BEFORE = bytes(32)
_ROWS_AT_ONCE = 5_000
_TOLD_EVERY_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the log as its row tells."""

    business_id: UUID
    aggregate_id: UUID
    version: int
    aggregate_type: str
    action: str
    from_state: str | None
    to_state: str | None
    actor: str
    actor_id: UUID | None
    reason_id: UUID | None
    occurred_at: bytes  # microseconds since 2000, as PostgreSQL sends them
    previous_mac: bytes | None
    mac: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """How far a chain reaches, and the hash of the entry that is there."""

    business_id: UUID
    aggregate_id: UUID
    version: int
    entry_mac: bytes
    mac: bytes


@dataclass(frozen=True, slots=True)
class Forgery:
    """A hash that nobody who has the key has made: of which check, in which business, of what, said in a sentence."""

    check: str
    business_id: UUID
    ids: tuple[str, ...]
    problem: str


def mac_of(key: bytes, entry: Entry) -> bytes:
    """Return the hash that an entry has when nobody has touched it. `key` is that of its aggregate."""
    before = entry.previous_mac
    head = _NOTHING_BEFORE if before is None else head_mac_of(key, entry.version - 1, before)
    message = b"".join(
        (
            b"\x01",
            head,
            entry.aggregate_id.bytes,
            entry.version.to_bytes(4, signed=True),
            entry.occurred_at,
            _text(entry.to_state),
            entry.business_id.bytes,
            *map(_text, (entry.aggregate_type, entry.action, entry.from_state, entry.actor)),
            _id(entry.actor_id),
            _id(entry.reason_id),
        )
    )
    return hmac.digest(key, message, hashlib.sha256)


def head_mac_of(key: bytes, version: int, mac: bytes) -> bytes:
    """Return the hash of a head whose last entry has this version and this hash."""
    return hmac.digest(key, b"\x02" + version.to_bytes(4, signed=True) + mac, hashlib.sha256)


def forgeries(connection: Connection, master_key: bytes) -> Iterator[Forgery | str]:
    """Yield every hash that is wrong, and now and then a word on how far this is; in bounded memory.

    The connection is in the one transaction of the verification.
    """
    opened = open_audit_keys(master_key, connection.execute(_SQL["audit_keys"]).fetchall())
    for (business,) in connection.execute(_SQL["businesses_with_chains"]).fetchall():
        if opened.get(business) is None:
            problem = f"the key of the audit log of business {business} is missing, or of another master key"
            yield Forgery("kernel.chain_keys_open", business, (str(business),), problem)

    @lru_cache(maxsize=1_000)
    def key_of(business_id: UUID, aggregate_id: UUID) -> bytes | None:
        key = opened.get(business_id)
        return None if key is None else chain_key_of(key, aggregate_id)

    yield from _forged_entries(connection, key_of)
    yield from _forged_heads(connection, key_of)


def _forged_entries(connection: Connection, key_of: Callable[[UUID, UUID], bytes | None]) -> Iterator[Forgery | str]:
    with connection.cursor("entries", row_factory=class_row(Entry)) as entries:
        entries.itersize = _ROWS_AT_ONCE
        for number, entry in enumerate(entries.execute(_SQL["chained_entries"]), 1):
            if number % _TOLD_EVERY_ROWS == 0:
                yield f"{number} entries of the audit log"
            key = key_of(entry.business_id, entry.aggregate_id)
            if key is not None and not hmac.compare_digest(mac_of(key, entry), entry.mac):
                ids = (str(entry.aggregate_id), str(entry.version))
                problem = f"version {entry.version} of {entry.aggregate_type} {entry.aggregate_id} was not written so"
                yield Forgery("kernel.chain_entries_are_genuine", entry.business_id, ids, problem)


def _forged_heads(connection: Connection, key_of: Callable[[UUID, UUID], bytes | None]) -> Iterator[Forgery]:
    with connection.cursor("heads", row_factory=class_row(Head)) as heads:
        heads.itersize = _ROWS_AT_ONCE
        for head in heads.execute(_SQL["heads"]):
            key = key_of(head.business_id, head.aggregate_id)
            if key is not None and not hmac.compare_digest(head_mac_of(key, head.version, head.entry_mac), head.mac):
                problem = f"the head of the chain of {head.aggregate_id} was not written so"
                yield Forgery("kernel.chain_heads_are_genuine", head.business_id, (str(head.aggregate_id),), problem)


def _text(text: str | None) -> bytes:
    if text is None:
        return b"\xff\xff\xff\xff"
    encoded = text.encode()
    return len(encoded).to_bytes(4) + encoded


def _id(value: UUID | None) -> bytes:
    return b"\x00" if value is None else b"\x01" + value.bytes
