"""The inbox of what needs a person: raised by any capability in the transaction in which it comes up."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from holdfast.kernel.audit import SYSTEM, Actor, record
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound, UserError, ValidationFailed
from holdfast.kernel.ids import new_id
from holdfast.kernel.sql import load
from holdfast.kernel.tracking import Vocabulary

_SQL = load("holdfast.kernel", "attention.sql")

# The kinds of items with their details: a capability declares its own, as it does events.
KINDS = Vocabulary()


class Severity(StrEnum):
    """How soon somebody has to look. A migration knows the same words."""

    INFO = "info"
    WARNING = "warning"
    URGENT = "urgent"


class ItemResolved(UserError):
    """The item is resolved, and was so before; the same thing may come up again as another item."""

    code, status, message = "item_resolved", 409, "This item is resolved"


class Status(StrEnum):
    """What has become of an item."""

    OPEN = "open"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Item:
    """Something that needs a person, or has needed one."""

    id: UUID
    kind: str
    subject_id: UUID
    severity: Severity
    status: Status
    details: dict[str, Any]
    times_raised: int
    raised_at: datetime
    last_raised_at: datetime
    assignee_id: UUID | None
    snoozed_until: datetime | None
    resolved_at: datetime | None
    resolved_by: UUID | None


async def raise_item(
    tx: Transaction, kind: str, subject_id: UUID, severity: Severity, **details: object
) -> tuple[UUID, bool]:
    """Put something before the staff of the business; return its id, and whether it is new.

    While an item of this kind about this subject is not resolved there is no second one: the details become those of
    the last time, the severity the greater of the two. A snoozed item stays snoozed unless it has become more severe.
    Raises EventRefused for a kind or details that are not declared.
    """
    values = {
        "business_id": tx.business_id,
        "id": new_id(),
        "kind": kind,
        "subject_id": subject_id,
        "severity": severity,
        "details": msgspec.json.encode(KINDS.check(kind, details)).decode(),
    }
    [row] = await tx.rows(_SQL["raise_item"], values)
    return row["id"], row["id"] == values["id"]


async def find_items(
    tx: Transaction,
    *,
    status: Status | None,
    severity: Severity | None,
    kind: str | None,
    assignee_id: UUID | None,
    after: tuple[datetime | None, UUID | None],
    limit: int,
) -> list[Item]:
    """Return items of the business by the time at which they were first raised, oldest first."""
    values = {
        "business_id": tx.business_id,
        "status": status,
        "severity": severity,
        "kind": kind,
        "assignee_id": assignee_id,
        "after": after[0],
        "after_id": after[1],
        "limit": limit,
    }
    return [_item(row) for row in await tx.rows(_SQL["find_items"], values)]


async def find_resolved(
    tx: Transaction,
    *,
    severity: Severity | None,
    kind: str | None,
    assignee_id: UUID | None,
    before: tuple[datetime | None, UUID | None],
    limit: int,
) -> list[Item]:
    """Return items that need nobody any more, those first that were raised last."""
    values = {
        "business_id": tx.business_id,
        "severity": severity,
        "kind": kind,
        "assignee_id": assignee_id,
        "before": before[0],
        "before_id": before[1],
        "limit": limit,
    }
    return [_item(row) for row in await tx.rows(_SQL["find_resolved"], values)]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many items are open, by how soon somebody has to look; `newer` are those that were raised after a time."""

    open: dict[Severity, int]
    newer: int

    @property
    def all(self) -> int:
        """Return how many there are."""
        return sum(self.open.values())


async def count_open(tx: Transaction, since: datetime | None = None) -> Counts:
    """Return how many items are open, and how many of these were raised after a time."""
    rows = await tx.rows(_SQL["count_open"], {"business_id": tx.business_id, "since": since})
    counted = {Severity(row["severity"]): row["items"] for row in rows}
    return Counts({severity: counted.get(severity, 0) for severity in Severity}, sum(row["newer"] for row in rows))


async def assign(tx: Transaction, item_id: UUID, assignee_id: UUID | None, actor: Actor) -> Item:
    """Give an open item to one of the staff, or back to all; raises NotFound, ItemResolved."""
    before = await _lock(tx, item_id)
    await tx.run(_SQL["assign"], {"business_id": tx.business_id, "id": item_id, "assignee_id": assignee_id})
    await record(tx, "attention_item", item_id, "assign", actor, before=before.assignee_id, after=assignee_id)
    return await _find(tx, item_id)


async def snooze(tx: Transaction, item_id: UUID, until: datetime, actor: Actor) -> Item:
    """Put an open item aside until a time to come.

    Raises NotFound, ItemResolved, and ValidationFailed for a time that is not to come.
    """
    before = await _lock(tx, item_id)
    if not await tx.run(_SQL["snooze"], {"business_id": tx.business_id, "id": item_id, "until": until}):
        raise ValidationFailed.at("until", "must be in the future, within a year")
    await record(tx, "attention_item", item_id, "snooze", actor, before=before.status, after=Status.SNOOZED)
    return await _find(tx, item_id)


async def resolve(tx: Transaction, item_id: UUID, actor: Actor, reason: str | None) -> Item:
    """Say that an item needs nobody any more; raises NotFound, ItemResolved."""
    before = await _lock(tx, item_id)
    await tx.run(_SQL["resolve"], {"business_id": tx.business_id, "id": item_id, "by": actor.id})
    await record(
        tx, "attention_item", item_id, "resolve", actor, before=before.status, after=Status.RESOLVED, reason=reason
    )
    return await _find(tx, item_id)


async def settle(tx: Transaction, kind: str, subject_id: UUID) -> bool:
    """Resolve what is before the staff since its cause is gone; return whether there was anything.

    Nobody has resolved such an item: `resolved_by` stays None.
    """
    item_id = await tx.value(_SQL["settle"], {"business_id": tx.business_id, "kind": kind, "subject_id": subject_id})
    if item_id is None:
        return False
    await record(tx, "attention_item", item_id, "settle", SYSTEM, before=Status.OPEN, after=Status.RESOLVED)
    return True


async def resolve_about(tx: Transaction, subject_id: UUID, kinds: Collection[str], actor: Actor) -> int:
    """Resolve what these kinds of items have said about something that this actor has done; return how many there were.

    In the transaction in which it is done, so that nobody is called to what needs nobody any more.
    """
    about = {"business_id": tx.business_id, "subject_id": subject_id, "kinds": list(kinds)}
    found = await tx.rows(_SQL["lock_items_about"], about)
    for row in found:
        await resolve(tx, row["id"], actor, None)
    return len(found)


async def _lock(tx: Transaction, item_id: UUID) -> Item:
    await tx.run(_SQL["lock_item"], {"business_id": tx.business_id, "id": item_id})
    item = await _find(tx, item_id)
    if item.status is Status.RESOLVED:
        raise ItemResolved
    return item


async def _find(tx: Transaction, item_id: UUID) -> Item:
    found = await tx.rows(_SQL["find_item"], {"business_id": tx.business_id, "id": item_id})
    if not found:
        raise NotFound
    return _item(found[0])


def _item(row: dict[str, Any]) -> Item:
    return Item(**row | {"severity": Severity(row["severity"]), "status": Status(row["status"])})
