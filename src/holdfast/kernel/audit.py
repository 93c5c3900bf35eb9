"""The audit log and the outbox: what is written in the transaction of a change (D-7).

An aggregate is whatever has a version: each change of it makes one entry, whose version is one more than the last.
"""

from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

import msgspec

from holdfast.kernel.database import Transaction
from holdfast.kernel.sql import load

_SQL = load("holdfast.kernel", "audit.sql")


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
    reason: str | None = None,
) -> int:
    """Write the entry of what was done to an aggregate, whose row is locked or new; return the version that it made.

    `before` and `after` are states, never personal data. `reason` is what somebody wrote freely.
    """
    values = {
        "business_id": tx.business_id,
        "id": aggregate_id,
        "type": kind,
        "action": action,
        "from": None if before is None else str(before),
        "to": None if after is None else str(after),
        "actor": actor.kind,
        "actor_id": actor.id,
        "reason": reason,
    }
    version: int = await tx.value(_SQL["record"], values)
    return version


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
