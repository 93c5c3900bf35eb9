"""Envelope encryption of personal data with a key for each tenant, and the blind indexes that find it (D-5).

A master key, which is never in the database, wraps the keys of every tenant. A value is sealed with AES-256-GCM
(NIST SP 800-38D) under the tenant's data key, and bound to its tenant, table, column and row: elsewhere it does not
open.

An envelope is: the four bytes `hfe1`, the generation of its key (4 bytes, big-endian), a random nonce (12), the
ciphertext and its tag (16).
"""

import asyncio
import hashlib
import hmac
import math
import os
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from holdfast.kernel.columns import guarded
from holdfast.kernel.sql import load

_SQL = load("holdfast.kernel", "privacy.sql")

_MAGIC = b"hfe1"
_NONCE_BYTES = 12
_KEY_BYTES = 32
_HEAD_BYTES = len(_MAGIC) + 4
_INDEX_BYTES = 16
# A process reads the keys of a tenant anew when it has had them for so long; a new generation is used after twice the
# greatest of these times.
REFRESH_SECONDS = 60


class Undecipherable(Exception):
    """An envelope does not open: it was damaged, or moved here from another tenant, table, column or row."""


@dataclass(frozen=True, slots=True)
class Handles:
    """A person as they are found: by the blind indexes of their e-mail address, phone number and name in a messenger.

    `messenger` is which messenger, and the index.
    """

    email: bytes | None = None
    phone: bytes | None = None
    messenger: tuple[str, bytes] | None = None

    @property
    def all(self) -> list[bytes]:
        """Return those that are known, of what bookings and consents are found by: address and number."""
        return [index for index in (self.email, self.phone) if index is not None]


@dataclass(frozen=True, slots=True)
class Generation:
    """One data key. `active_at` is on the monotonic clock of this process."""

    number: int
    active_at: float
    cipher: AESGCM


class TenantKeys:
    """What seals, opens and finds the personal data of one business. Knows no database and waits for nothing."""

    __slots__ = ("_audit", "_generations", "_index", "business_id", "read_at")

    def __init__(self, business_id: UUID, generations: Sequence[Generation], index: bytes, audit: bytes) -> None:
        self.business_id = business_id
        self.read_at = time.monotonic()
        self._generations = {each.number: each for each in generations}
        self._index = index
        self._audit = audit

    @property
    def generation(self) -> int:
        """Return the number of the data key with which values are sealed now."""
        now = time.monotonic()
        return max(each.number for each in self._generations.values() if each.active_at <= now)

    def seal(self, place: str, row: UUID, text: str) -> bytes:
        """Return the envelope of a text for the column `place` (`table.column`) of a row."""
        number = self.generation
        nonce = os.urandom(_NONCE_BYTES)
        ciphertext = self._generations[number].cipher.encrypt(nonce, text.encode(), self._binding(place, row))
        return _MAGIC + number.to_bytes(4) + nonce + ciphertext

    def open(self, place: str, row: UUID, envelope: bytes) -> str:
        """Return the text in an envelope, given where it was found. Raises Undecipherable."""
        generation = self._generations.get(generation_of(envelope))
        if generation is None:
            raise Undecipherable(f"{place}: no such key")
        nonce, ciphertext = envelope[_HEAD_BYTES:][:_NONCE_BYTES], envelope[_HEAD_BYTES + _NONCE_BYTES :]
        try:
            return generation.cipher.decrypt(nonce, ciphertext, self._binding(place, row)).decode()
        except InvalidTag:
            raise Undecipherable(f"{place}: damaged, or of another row") from None

    def index_email(self, address: str) -> bytes:
        """Return what an e-mail address is found by, however its letters are cased."""
        return self._blind(b"email", address.strip().casefold())

    def index_phone(self, number: str) -> bytes:
        """Return what a phone number is found by, however it is punctuated."""
        return self._blind(b"phone", re.sub(r"[^0-9]", "", number))

    def index_other(self, kind: str, text: str) -> bytes:
        """Return what another handle of a person, such as a name in a messenger, is found by."""
        return self._blind(b"other:" + kind.encode(), text.strip().casefold())

    def index_exact(self, kind: str, text: str) -> bytes:
        """Return what a name that others have given, such as the id of a calendar, is found by: to the letter."""
        return self._blind(b"exact:" + kind.encode(), text)

    def chain_key(self, aggregate_id: UUID) -> bytes:
        """Return the key (32 bytes) of the chain of audit entries of one aggregate."""
        return chain_key_of(self._audit, aggregate_id)

    def _binding(self, place: str, row: UUID) -> bytes:
        assert guarded(place), f"{place} is not registered as personal"
        return b"holdfast envelope v1\0" + self.business_id.bytes + row.bytes + place.encode()

    def _blind(self, kind: bytes, text: str) -> bytes:
        return hmac.digest(self._index, kind + b"\0" + text.encode(), hashlib.sha256)[:_INDEX_BYTES]


def chain_key_of(audit_key: bytes, aggregate_id: UUID) -> bytes:
    """Return the key of the chain of one aggregate: whoever learns it can write for this aggregate only."""
    return hmac.digest(audit_key, b"holdfast audit chain v1" + aggregate_id.bytes, hashlib.sha256)


def open_audit_keys(master_key: bytes, rows: Iterable[tuple[UUID, bytes]]) -> dict[UUID, bytes | None]:
    """Return the key of the audit log of each business, out of its wrapped one; None where it does not open."""
    wrapping = _wrapping_of(master_key)
    opened: dict[UUID, bytes | None] = {}
    for business_id, wrapped in rows:
        try:
            opened[business_id] = _unwrapped(wrapping, business_id, "audit", 1, wrapped)
        except WrongMasterKey:
            opened[business_id] = None
    return opened


def generation_of(envelope: bytes) -> int:
    """Return the generation of the key of an envelope. Raises Undecipherable for what is none."""
    if len(envelope) < _HEAD_BYTES + _NONCE_BYTES + 16 or envelope[: len(_MAGIC)] != _MAGIC:
        raise Undecipherable("not an envelope")
    return int.from_bytes(envelope[len(_MAGIC) : _HEAD_BYTES])


class Keyring:
    """The keys of all tenants, unwrapped in the memory of this process when they are first needed."""

    def __init__(self, master_key: bytes, dsn: str, *, refresh_seconds: float = REFRESH_SECONDS) -> None:
        """Prepare; `dsn` is where new keys are made, on a connection of their own."""
        self._wrapping = _wrapping_of(master_key)
        self._dsn = dsn
        self.refresh_seconds = refresh_seconds
        self._known: dict[UUID, TenantKeys] = {}
        self._reading: dict[UUID, asyncio.Lock] = {}

    def at_hand(self, business_id: UUID) -> TenantKeys | None:
        """Return the keys of a tenant if this process has read them lately, without waiting."""
        keys = self._known.get(business_id)
        if keys is None or time.monotonic() - keys.read_at > self.refresh_seconds:
            return None
        return keys

    async def of(self, business_id: UUID) -> TenantKeys:
        """Return the keys of a tenant, which are made when it has none.

        On a connection of its own: keys must stay when the transaction that first needs them does not. Raises
        ForeignKeyViolation when there is no such business.
        """
        async with self._reading.setdefault(business_id, asyncio.Lock()):
            keys = self.at_hand(business_id)
            if keys is None:
                keys = self._known[business_id] = await self._read(business_id)
        return keys

    async def check(self) -> None:
        """Raise WrongMasterKey if another master key wraps the keys that the database has; one of them tells.

        Needs a role that sees the rows of all tenants; for another one there is nothing to see.
        """
        async with await AsyncConnection.connect(self._dsn, row_factory=dict_row, connect_timeout=5) as connection:
            cursor = await connection.execute(_SQL["any_tenant_key"])
            for row in await cursor.fetchall():
                self._unwrap(row["business_id"], row)

    async def add_generation(self, business_id: UUID) -> int:
        """Make a new data key and return its number; it is used when every process knows it.

        That is after twice the greatest `refresh_seconds` of those that have read the keys before, this one included.
        Two processes that do so at the same moment make one key. Raises WrongMasterKey: beside keys that another
        master key wraps, a new one would be one that no server can open.
        """
        async with await self._connect(business_id) as connection:
            rows = await self._stored(connection, business_id)
            for row in rows:
                self._unwrap(business_id, row)
            number = 1 + max((row["generation"] for row in rows if row["purpose"] == "data"), default=0)
            locked = await connection.execute(_SQL["lock_data_keys"], {"business_id": business_id})
            slowest = max([self.refresh_seconds, *(row["refresh_seconds"] for row in await locked.fetchall())])
            await self._make(connection, business_id, "data", number, 2 * slowest if rows else 0)
        self._known.pop(business_id, None)
        return number

    async def _read(self, business_id: UUID) -> TenantKeys:
        async with await self._connect(business_id) as connection:
            rows = await self._stored(connection, business_id)
            if not rows:
                for purpose in ("data", "index", "audit"):
                    await self._make(connection, business_id, purpose, 1, 0)
                rows = await self._stored(connection, business_id)
            # Before keys are used it is told for how long. Who waits here for a rotation reads its new key as well.
            told = {"business_id": business_id, "refresh_seconds": math.ceil(self.refresh_seconds)}
            while any(row["refresh_seconds"] < self.refresh_seconds for row in rows if row["purpose"] == "data"):
                await connection.execute(_SQL["tell_refresh"], told)
                rows = await self._stored(connection, business_id)
        now = time.monotonic()
        generations = []
        single: dict[str, bytes] = {}
        for row in rows:
            key = self._unwrap(business_id, row)
            if row["purpose"] == "data":
                generations.append(Generation(row["generation"], now + row["active_in_seconds"], AESGCM(key)))
            else:
                single[row["purpose"]] = key
        return TenantKeys(business_id, generations, single["index"], single["audit"])

    async def _connect(self, business_id: UUID) -> "AsyncConnection[dict[str, Any]]":
        # Names of prepared statements would clash behind a pooler, and hardly anything is asked twice.
        connection = await AsyncConnection.connect(
            self._dsn, row_factory=dict_row, connect_timeout=5, prepare_threshold=None
        )
        await connection.execute(_SQL["act_for"], {"business_id": str(business_id)})
        return connection

    async def _stored(self, connection: AsyncConnection[dict[str, Any]], business_id: UUID) -> list[dict[str, Any]]:
        cursor = await connection.execute(_SQL["tenant_keys"], {"business_id": business_id})
        return await cursor.fetchall()

    async def _make(
        self, connection: AsyncConnection[Any], business_id: UUID, purpose: str, generation: int, active_in: float
    ) -> None:
        nonce = os.urandom(_NONCE_BYTES)
        bound = _key_binding(business_id, purpose, generation)
        values = {
            "business_id": business_id,
            "purpose": purpose,
            "generation": generation,
            "wrapped": nonce + self._wrapping.encrypt(nonce, os.urandom(_KEY_BYTES), bound),
            "active_in": active_in,
            "refresh_seconds": math.ceil(self.refresh_seconds),
        }
        await connection.execute(_SQL["add_tenant_key"], values)

    def _unwrap(self, business_id: UUID, row: dict[str, Any]) -> bytes:
        return _unwrapped(self._wrapping, business_id, row["purpose"], row["generation"], row["wrapped"])


class WrongMasterKey(Exception):
    """The keys of a tenant were wrapped under another master key than this process has."""

    def __str__(self) -> str:
        return "The master key is not the one under which this database keeps its data. Restore HOLDFAST_MASTER_KEY."


def _wrapping_of(master_key: bytes) -> AESGCM:
    # A key of its own for this purpose, so that no other use of the master key can open an envelope.
    return AESGCM(hmac.digest(master_key, b"holdfast tenant keys v1", hashlib.sha256))


def _unwrapped(wrapping: AESGCM, business_id: UUID, purpose: str, generation: int, wrapped: bytes) -> bytes:
    bound = _key_binding(business_id, purpose, generation)
    try:
        return wrapping.decrypt(bytes(wrapped[:_NONCE_BYTES]), bytes(wrapped[_NONCE_BYTES:]), bound)
    except (InvalidTag, ValueError):
        raise WrongMasterKey from None


def _key_binding(business_id: UUID, purpose: str, generation: int) -> bytes:
    return b"holdfast tenant key v1\0" + business_id.bytes + purpose.encode() + generation.to_bytes(4)
