"""What happened with a lead: declared events with technical properties, nothing written freely (D-6)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from holdfast.kernel.database import Transaction
from holdfast.kernel.ids import new_id
from holdfast.kernel.lists import cursor_after, place_of
from holdfast.kernel.sql import load
from holdfast.kernel.tracking import Vocabulary, identifier, one_of

_SQL = load("holdfast.crm")

SOURCES = ("form", "question", "booking")
STAGES = ("new", "contacted", "client", "lost")
_STAGE = one_of(*STAGES)

EVENTS = Vocabulary()
LEAD_CREATED = EVENTS.declare("lead_created", source=one_of(*SOURCES))
CONTACT_RECEIVED = EVENTS.declare("contact_received")
QUESTION_SUBMITTED = EVENTS.declare("question_submitted", question=identifier)
APPOINTMENT_CONFIRMED = EVENTS.declare("appointment_confirmed", appointment=identifier)
STAGE_CHANGED = EVENTS.declare("stage_changed", before=_STAGE, after=_STAGE)
ASSIGNED = EVENTS.declare("assigned", to=identifier)
NOTE_ADDED = EVENTS.declare("note_added", note=identifier)
IDENTITY_ADDED = EVENTS.declare("identity_added", identity=identifier)
MERGE_SUGGESTED = EVENTS.declare("merge_suggested", other=identifier)
MERGED = EVENTS.declare("merged", other=identifier)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened with a lead."""

    id: UUID
    type: str
    payload: dict[str, Any]
    occurred_at: datetime


async def tell(
    tx: Transaction,
    lead_id: UUID,
    event: str,
    *,
    source_event: UUID | None = None,
    occurred_at: datetime | None = None,
    **properties: object,
) -> None:
    """Write down that something has happened with a lead; the time is now unless it is told.

    Raises EventRefused for what is not declared.
    """
    values = {
        "business_id": tx.business_id,
        "id": new_id(),
        "lead_id": lead_id,
        "type": event,
        "payload": msgspec.json.encode(EVENTS.check(event, properties)).decode(),
        "source_event": source_event,
        "occurred_at": occurred_at,
    }
    await tx.run(_SQL["tell"], values)


async def timeline(tx: Transaction, lead_id: UUID, *, cursor: str | None, limit: int) -> tuple[list[Event], str | None]:
    """Return a page of what happened with a lead, the latest first, and the cursor of the next page.

    Raises ValidationFailed for a cursor that no page has given.
    """
    at, last = place_of(cursor)
    values = {"business_id": tx.business_id, "lead_id": lead_id, "at": at, "last": last, "limit": limit + 1}
    found = await tx.all(Event, _SQL["timeline"], values)
    page = found[:limit]
    return page, cursor_after(page[-1].occurred_at, page[-1].id) if len(found) > limit else None
