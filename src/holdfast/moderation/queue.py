"""The queue of questions: the most urgent first, then the oldest, with how the business keeps its targets."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.lists import cursor_after, place_of
from holdfast.kernel.sql import load
from holdfast.moderation.questions import Targets, targets_of
from holdfast.moderation.review import Item
from holdfast.moderation.states import OPEN, ItemStatus

_SQL = load("holdfast.moderation")


@dataclass(frozen=True, slots=True)
class Filters:
    """Which questions of the queue; `age_hours` is how old they are at least."""

    statuses: Sequence[ItemStatus] = OPEN
    category: str | None = None
    assigned_to: UUID | None = None
    age_hours: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """How the open questions stand; `resolved` and `resolved_in_time` are of the last thirty days."""

    open: int
    unassigned: int
    overdue: int
    overdue_crises: int
    oldest_seconds: float | None
    resolved: int
    resolved_in_time: int


async def queue(tx: Transaction, filters: Filters, *, cursor: str | None, limit: int) -> tuple[list[Item], str | None]:
    """Return a page of the queue and the cursor of the next one.

    Raises ValidationFailed for a cursor that no page has given.
    """
    urgency, place = _split(cursor)
    at, last = place_of(place)
    values: dict[str, Any] = {
        "business_id": tx.business_id,
        "statuses": [str(status) for status in filters.statuses],
        "category": filters.category,
        "assigned_to": filters.assigned_to,
        "age_hours": filters.age_hours,
        "urgency": urgency,
        "at": at,
        "last": last,
        "limit": limit + 1,
    }
    found = await tx.all(Item, _SQL["queue"], values)
    page = found[:limit]
    return page, _cursor(page[-1]) if len(found) > limit else None


async def figures(tx: Transaction) -> tuple[Figures, Targets]:
    """Return how the open questions stand, and within how many hours they are to be answered."""
    found = await tx.first(Figures, _SQL["figures"], {"business_id": tx.business_id})
    assert found is not None, "an aggregate has one row"
    return found, await targets_of(tx)


def _cursor(item: Item) -> str:
    return urlsafe_b64encode(f"{item.urgency} {cursor_after(item.created_at, item.id)}".encode()).decode()


def _split(cursor: str | None) -> tuple[int, str | None]:
    if cursor is None:
        return 0, None
    try:
        urgency, _, place = urlsafe_b64decode(cursor).decode().partition(" ")
    except ValueError:
        urgency = ""
    if urgency not in {"0", "1", "2"}:
        raise ValidationFailed.at("cursor", "is not one that a list has given")
    return int(urgency), place
