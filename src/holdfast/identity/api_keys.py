"""API keys: how staff and their programs prove who they are, until and beside signing in (H-4).

A key reads `hf_<id>_<secret>`: the id finds its row, the secret proves it. The secret is shown once, when it is made,
and stored as its SHA-256 only. That is enough: it carries 256 random bits, so there is nothing to guess.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from holdfast.identity.errors import UnknownKey
from holdfast.identity.permissions import STAFF_ROLES, Role
from holdfast.identity.staff import Staff
from holdfast.kernel.audit import CONSOLE, record
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.ids import new_id
from holdfast.kernel.sql import load

_SQL = load("holdfast.identity")

_SHAPE = re.compile(r"hf_([0-9a-f]{32})_([A-Za-z0-9_-]{43})")
_MAX_NAME_LENGTH = 100
# What a text is compared with that is no key, or names none: the same work, and nothing has this hash.
_NO_ID = UUID(int=0)
_NO_HASH = bytes(32)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret."""

    id: UUID
    role: Role
    name: str
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


async def create(tx: Transaction, *, role: Role, name: str) -> tuple[ApiKey, str]:
    """Make a key of the business; return it with its text, which nobody can learn again.

    Raises ValidationFailed for a name that is empty, longer than 100 characters or not one line, and for a role that is
    not one of staff.
    """
    if role not in STAFF_ROLES:
        raise ValidationFailed.at("role", f"must be one of staff: {', '.join(STAFF_ROLES)}")
    if not (0 < len(name) <= _MAX_NAME_LENGTH and name.isprintable() and name.strip()):
        raise ValidationFailed.at("name", f"must be one line of 1 to {_MAX_NAME_LENGTH} characters")
    key_id, secret = new_id(), secrets.token_urlsafe(32)
    values = {"business_id": tx.business_id, "id": key_id, "role": role, "name": name, "hash": _hash(secret)}
    [row] = await tx.rows(_SQL["add_key"], values)
    await record(tx, "api_key", key_id, "create_key", CONSOLE)
    return _key(row), f"hf_{key_id.hex}_{secret}"


async def keys_of(tx: Transaction) -> list[ApiKey]:
    """Return every key of the business, revoked or not, oldest first."""
    return [_key(row) for row in await tx.rows(_SQL["keys_of"], {"business_id": tx.business_id})]


async def revoke(tx: Transaction, key_id: UUID) -> ApiKey:
    """Let a key open nothing any more, from the next call on; once revoked it stays as it is.

    Raises UnknownKey.
    """
    values = {"business_id": tx.business_id, "id": key_id}
    if await tx.run(_SQL["revoke_key"], values):
        await record(tx, "api_key", key_id, "revoke_key", CONSOLE)
    found = await tx.rows(_SQL["find_key"], values)
    if not found:
        raise UnknownKey
    return _key(found[0])


async def business_of(tx: Transaction, key_id: UUID) -> UUID:
    """Return whose key it is.

    Raises UnknownKey.
    """
    found = await tx.rows(_SQL["key_by_id"], {"id": key_id})
    if not found:
        raise UnknownKey
    business_id: UUID = found[0]["business_id"]
    return business_id


async def authenticate(tx: Transaction, text: str) -> Staff | None:
    """Return whose key this text is, or None when it is nobody's or was revoked; notes its use to the minute.

    Whatever is wrong with it, the work is the same, and the secret is compared in constant time.
    """
    shape = _SHAPE.fullmatch(text)
    key_id, secret = (UUID(shape[1]), shape[2]) if shape else (_NO_ID, "")
    found = await tx.rows(_SQL["key_by_id"], {"id": key_id})
    proved = hmac.compare_digest(_hash(secret), found[0]["secret_hash"] if found else _NO_HASH)
    if not proved or found[0]["is_revoked"]:
        return None
    [row] = found
    if row["is_unnoted"]:
        own = await tx.act_for(row["business_id"])
        await own.run(_SQL["note_use"], {"business_id": own.business_id, "id": key_id})
    return Staff(row["business_id"], frozenset({Role(row["role"])}), key_id=key_id)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _key(row: dict[str, object]) -> ApiKey:
    return ApiKey(**{**row, "role": Role(str(row["role"]))})  # type: ignore[arg-type]
