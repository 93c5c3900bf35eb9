"""Owners who are away at Google to consent: each comes back once, soon, and as who they left (RFC 6749, 10.12)."""

import hashlib
import secrets
from dataclasses import dataclass, field
from uuid import UUID

from holdfast.kernel.database import Transaction
from holdfast.kernel.ids import new_id
from holdfast.kernel.sql import load

_SQL = load("holdfast.calendars", "accounts.sql")
_VERIFIER = "calendar_authorizations.verifier"

MINUTES = 10


@dataclass(frozen=True, slots=True)
class Departure:
    """What goes along: the state as it is, and the secret of which Google is told a hash (RFC 7636)."""

    state: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Return:
    """For what somebody had left, and what proves that it is they who come back."""

    resource_id: UUID
    verifier: str = field(repr=False)
    redirect_uri: str


async def leave(tx: Transaction, resource_id: UUID, actor_id: UUID, redirect_uri: str) -> Departure:
    """Note that somebody leaves for Google to connect an account of a resource."""
    departure = Departure(secrets.token_urlsafe(32), secrets.token_urlsafe(48))
    await tx.run(_SQL["forget_authorizations"], {"business_id": tx.business_id})
    authorization_id = new_id()
    keys = await tx.keys()
    await tx.run(
        _SQL["add_authorization"],
        {
            "business_id": tx.business_id,
            "id": authorization_id,
            "resource_id": resource_id,
            "state_hash": _hash(departure.state),
            "verifier": keys.seal(_VERIFIER, authorization_id, departure.verifier),
            "redirect_uri": redirect_uri,
            "actor_id": actor_id,
            "minutes": MINUTES,
        },
    )
    return departure


async def come_back(tx: Transaction, state: str, actor_id: UUID) -> Return | None:
    """Return for what somebody had left, and forget it; None when nobody has left so, as another, or too long ago.

    The transaction has to be committed also for None: what came too late is of no use a second time either.
    """
    values = {"business_id": tx.business_id, "state_hash": _hash(state), "actor_id": actor_id}
    found = await tx.rows(_SQL["take_authorization"], values)
    if not found or not found[0]["in_time"]:
        return None
    row = found[0]
    verifier = (await tx.keys()).open(_VERIFIER, row["id"], bytes(row["verifier"]))
    return Return(row["resource_id"], verifier, row["redirect_uri"])


def _hash(state: str) -> bytes:
    return hashlib.sha256(state.encode()).digest()
