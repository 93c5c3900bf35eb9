"""The audit log and the outbox: what is written in the transaction of a change (D-7).

An aggregate is whatever has a version: each change of it makes one entry, whose version is one more than the last.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import NAMESPACE_OID, UUID, uuid5

import msgspec

from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound
from holdfast.kernel.ids import new_id
from holdfast.kernel.lists import page_of, place_of
from holdfast.kernel.sql import load

_SQL = load("holdfast.kernel", "audit.sql")

_REASON = "audit_reasons.body"
# Before every entry of an instant, where a page ends that begins at one.
_LEAST = UUID(int=0)


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


@dataclass(frozen=True, slots=True)
class Entry:
    """What was done to a thing: by whom, when, and how it stood before and after. Why, is kept under `reason_id`."""

    kind: str
    aggregate_id: UUID
    version: int
    action: str
    from_state: str | None
    to_state: str | None
    actor: str
    actor_id: UUID | None
    reason_id: UUID | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Filters:
    """Which entries of the log; `since` is the first instant and `until` the first one after them."""

    kind: str | None = None
    aggregate_id: UUID | None = None
    action: str | None = None
    actor: str | None = None
    actor_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


async def find_entries(
    tx: Transaction, filters: Filters, *, cursor: str | None, limit: int
) -> tuple[list[Entry], str | None]:
    """Return a page of the log of the business, the newest entry first, and the cursor of the next page.

    Raises ValidationFailed for a cursor that no page has given.
    """
    before, before_id = place_of(cursor)
    if filters.until is not None and (before is None or filters.until <= before):
        before, before_id = filters.until, _LEAST
    values = {
        "business_id": tx.business_id,
        "before": before,
        "before_id": before_id,
        "limit": limit + 1,
        **{name: getattr(filters, name) for name in Filters.__slots__ if name != "until"},
    }
    statement = "find_entries" if filters.aggregate_id is None else "entries_of"
    found = await tx.all(Entry, _SQL[statement], values)
    # No thing has two entries at one microsecond: each is written under the lock of its chain.
    return page_of(found, limit, lambda entry: (entry.at, entry.aggregate_id))


async def find_entry(tx: Transaction, aggregate_id: UUID, version: int) -> Entry:
    """Return one entry. Raises NotFound."""
    values = {"business_id": tx.business_id, "aggregate_id": aggregate_id, "version": version}
    found = await tx.first(Entry, _SQL["find_entry"], values)
    if found is None:
        raise NotFound
    return found


async def read_reason(tx: Transaction, entry: Entry, actor: Actor) -> str | None:
    """Return why something was done; None when nobody said, or when their words were forgotten.

    What somebody has written freely may be what a client has confided: that it was read is told as well (D-7).
    """
    if entry.reason_id is None:
        return None
    reason = await open_reason(tx, entry.reason_id)
    read = uuid5(NAMESPACE_OID, f"holdfast reasons {tx.business_id} {entry.aggregate_id}")
    await record(tx, "reason", read, "read_reason", actor, after=entry.aggregate_id)
    return reason


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
