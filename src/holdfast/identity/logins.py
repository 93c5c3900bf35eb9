"""Logins: browsers in which a user has signed in (H-4).

A cookie reads `<business>.<login>.<secret>`: the first two find the row, within its tenant; the secret proves it, and
is stored as its SHA-256 only. It carries 256 random bits, so there is nothing to guess.
"""

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from holdfast.identity.errors import UnknownLogin
from holdfast.identity.permissions import Role
from holdfast.identity.staff import Staff
from holdfast.kernel.audit import Actor, record
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import AuthenticationRequired
from holdfast.kernel.ids import new_id
from holdfast.kernel.sql import load

_SQL = load("holdfast.identity", "logins.sql")

_SHAPE = re.compile(r"([0-9a-f]{32})\.([0-9a-f]{32})\.([A-Za-z0-9_-]{43})")
# What a login is compared with that is not there: the same work, and nothing has this hash.
_NO_HASH = bytes(32)
# So many browsers can one user be signed in with; the one that was used longest ago gives way.
MOST_LOGINS = 50
_DEVICE_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a login lasts: so long without being used, and so long at all."""

    idle_minutes: int = 720
    days: int = 14


@dataclass(frozen=True, slots=True)
class Token:
    """What a cookie says. Nobody but the browser and, for the length of a call, the server has it."""

    business_id: UUID
    login_id: UUID
    secret: str

    @classmethod
    def read(cls, text: str) -> "Token | None":
        """Return what a cookie says, None for a text that no cookie of ours has."""
        shape = _SHAPE.fullmatch(text)
        return None if shape is None else cls(UUID(shape[1]), UUID(shape[2]), shape[3])

    @property
    def text(self) -> str:
        """The cookie's value."""
        return f"{self.business_id.hex}.{self.login_id.hex}.{self.secret}"

    @property
    def csrf(self) -> str:
        """What a page of ours sends with every change; another page can neither read nor derive it."""
        digest = hmac.digest(self.secret.encode(), b"holdfast csrf v1" + self.login_id.bytes, hashlib.sha256)
        return urlsafe_b64encode(digest).rstrip(b"=").decode()

    @property
    def hash(self) -> bytes:
        """What is stored of it."""
        return hashlib.sha256(self.secret.encode()).digest()


@dataclass(frozen=True, slots=True)
class Login:
    """A browser as its user sees it in a list."""

    id: UUID
    device: str | None
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime


async def begin(
    tx: Transaction, user_id: UUID, password_set_at: datetime, terms: Terms, device: str | None
) -> Token | None:
    """Sign a user in; None when they were deactivated, or their password changed, since it was read."""
    assert tx.business_id is not None, "a user belongs to a business"
    keys = await tx.keys()
    token = Token(tx.business_id, new_id(), secrets.token_urlsafe(32))
    shown = "".join(c for c in device or "" if c.isprintable())[:_DEVICE_LENGTH]
    values = {
        "business_id": tx.business_id,
        "id": token.login_id,
        "user_id": user_id,
        "password_set_at": password_set_at,
        "token_hash": token.hash,
        "device": keys.seal("logins.device", token.login_id, shown) if shown else None,
        "days": terms.days,
        "idle_minutes": terms.idle_minutes,
        "most": MOST_LOGINS - 1,
    }
    if not await tx.rows(_SQL["add_login"], values):
        return None
    await tx.run(_SQL["forget_logins"], values)
    await record(tx, "login", token.login_id, "sign_in", Actor.staff(user_id))
    return token


async def authenticate(tx: Transaction, token: Token, terms: Terms) -> Staff | None:
    """Return who is signed in, None when it is nobody, or no longer; notes the use of the login to the minute.

    The transaction is bound to the business that the token names. The secret is compared in constant time.
    """
    values = {"business_id": token.business_id, "id": token.login_id, "idle_minutes": terms.idle_minutes}
    found = await tx.rows(_SQL["login_by_id"], values)
    proved = hmac.compare_digest(token.hash, bytes(found[0]["token_hash"]) if found else _NO_HASH)
    if not proved or not found[0]["live"]:
        return None
    [row] = found
    if row["unnoted"]:
        await tx.run(_SQL["note_login"], values)
    return Staff(
        token.business_id,
        frozenset(Role(role) for role in row["roles"]),
        user_id=row["user_id"],
        login_id=token.login_id,
        resource_ids=frozenset(row["resource_ids"]),
    )


async def still_live(tx: Transaction, login_ids: Collection[UUID], terms: Terms) -> set[UUID]:
    """Return those logins that are good still. Being asked for keeps none of them from ending unused."""
    values = {"business_id": tx.business_id, "ids": list(login_ids), "idle_minutes": terms.idle_minutes}
    return {row["id"] for row in await tx.rows(_SQL["still_live"], values)}


async def owner_of(tx: Transaction, token: Token, terms: Terms) -> tuple[UUID, datetime]:
    """Return whose login it is and when it ends at the latest.

    Raises AuthenticationRequired when it has just been ended elsewhere.
    """
    values = {"business_id": token.business_id, "id": token.login_id, "idle_minutes": terms.idle_minutes}
    found = await tx.rows(_SQL["login_by_id"], values)
    if not found:
        raise AuthenticationRequired
    return found[0]["user_id"], found[0]["expires_at"]


async def logins_of(tx: Transaction, user_id: UUID, terms: Terms) -> list[Login]:
    """Return where a user is signed in, the latest first."""
    keys = await tx.keys()
    values = {"business_id": tx.business_id, "user_id": user_id, "idle_minutes": terms.idle_minutes}

    def login(row: dict[str, Any]) -> Login:
        device = row["device"]
        return Login(**{**row, "device": device and keys.open("logins.device", row["id"], device)})

    return [login(row) for row in await tx.rows(_SQL["logins_of"], values)]


async def end(tx: Transaction, user_id: UUID, login_id: UUID, *, actor: Actor) -> None:
    """Sign a user out of one browser. Raises UnknownLogin."""
    values = {"business_id": tx.business_id, "user_id": user_id, "id": login_id}
    if not await tx.run(_SQL["end_login"], values):
        raise UnknownLogin
    await record(tx, "login", login_id, "sign_out", actor)


async def end_logins(tx: Transaction, user_id: UUID, *, but: UUID | None = None) -> int:
    """Sign a user out everywhere, but for one browser; return of how many. What caused it is audited by its cause."""
    return await tx.run(_SQL["end_logins"], {"business_id": tx.business_id, "user_id": user_id, "but": but})
