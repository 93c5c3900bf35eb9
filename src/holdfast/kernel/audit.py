"""The audit log and the outbox: what is written in the transaction of a change (D-7).

An aggregate is whatever has a version: each change of it makes one entry, whose version is one more than the last.
"""

from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

import msgspec

from holdfast.kernel.database import Transaction
from holdfast.kernel.ids import new_id
from holdfast.kernel.sql import load

_SQL = load("holdfast.kernel", "audit.sql")

_REASON = "audit_reasons.body"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: `staff` with the id of their user or key, `client`, `console` or `system`."""

    kind: str
    id: UUID | None = None

    @property
    def is_client(self) -> bool:
        """Return whether the rules for clients bind: notice before the start, and no need of a version."""
        return self.kind == "client"

    @classmethod
    def staff(cls, actor_id: UUID) -> Self:
        """Return one of the staff."""
        return cls("staff", actor_id)


CLIENT, CONSOLE, SYSTEM = Actor("client"), Actor("console"), Actor("system")


async def record(
    tx: Transaction,
    kind: str,
    aggregate_id: UUID,
    action: str,
    actor: Actor,
    *,
    before: object = None,
    after: object = None,
    reason: str | UUID | None = None,
) -> int:
    """Write the entry of what was done to an aggregate, whose row is locked or new; return the version that it made.

    `before` and `after` are states, never personal data. `reason` is what somebody wrote freely, or the id
    under which it is kept already.
    """
    values = {
        "business_id": tx.business_id,
        "id": aggregate_id,
        "key": (await tx.keys()).chain_key(aggregate_id),
        "type": kind,
        "action": action,
        "from": None if before is None else str(before),
        "to": None if after is None else str(after),
        "actor": actor.kind,
        "actor_id": actor.id,
        "reason_id": reason if isinstance(reason, UUID) else await seal_reason(tx, reason),
    }
    version: int = await tx.value(_SQL["record"], values)
    return version


async def seal_reason(tx: Transaction, reason: str | None) -> UUID | None:
    """Keep what somebody wrote freely, and return the id by which an entry names it; None for nothing written."""
    if not reason:
        return None
    reason_id = new_id()
    await keep_reason(tx, reason_id, reason)
    return reason_id


async def keep_reason(tx: Transaction, reason_id: UUID, reason: str) -> None:
    """Seal a reason under an id that was given to it already."""
    body = (await tx.keys()).seal(_REASON, reason_id, reason)
    await tx.run(_SQL["keep_reason"], {"business_id": tx.business_id, "id": reason_id, "body": body})


async def open_reason(tx: Transaction, reason_id: UUID | None) -> str | None:
    """Return a reason that was kept; None when there is none, or none any more since its person was erased.

    Raises Undecipherable.
    """
    if reason_id is None:
        return None
    body = await tx.value(_SQL["find_reason"], {"business_id": tx.business_id, "id": reason_id})
    return None if body is None else (await tx.keys()).open(_REASON, reason_id, bytes(body))


async def reasons_of(tx: Transaction, aggregate_id: UUID) -> list[str]:
    """Return every reason that is kept of the history of an aggregate, oldest first. Raises Undecipherable."""
    keys = await tx.keys()
    rows = await tx.rows(_SQL["reasons_of"], {"business_id": tx.business_id, "id": aggregate_id})
    return [keys.open(_REASON, row["id"], bytes(row["body"])) for row in rows]


async def forget_reasons(tx: Transaction, aggregate_id: UUID) -> None:
    """Delete every reason of the history of an aggregate; its entries stay, and their chain is whole without them."""
    await tx.run(_SQL["forget_reasons"], {"business_id": tx.business_id, "id": aggregate_id})


async def emit(tx: Transaction, aggregate_id: UUID, version: int, event: str, payload: dict[str, Any]) -> None:
    """Write a fact for others, one for a version of its aggregate; the payload has no personal data."""
    values = {
        "business_id": tx.business_id,
        "id": aggregate_id,
        "version": version,
        "type": event,
        "payload": msgspec.json.encode(payload).decode(),
    }
    await tx.run(_SQL["emit"], values)
