"""What staff note about a lead: sealed, read by few, and never unseen (D-5, D-7)."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from holdfast.crm.errors import LeadNotAssigned
from holdfast.crm.leads import KIND, lock
from holdfast.crm.timeline import NOTE_ADDED, tell
from holdfast.identity.permissions import Permission
from holdfast.identity.staff import Staff
from holdfast.kernel.audit import record
from holdfast.kernel.database import Transaction
from holdfast.kernel.ids import new_id
from holdfast.kernel.sql import load

_SQL = load("holdfast.crm")
_PLACE = "lead_notes.text"


@dataclass(frozen=True, slots=True)
class Note:
    """A note about a lead."""

    id: UUID
    text: str
    author: UUID
    created_at: datetime


async def add_note(tx: Transaction, lead_id: UUID, staff: Staff, text: str) -> Note:
    """Note something about a lead; raises LeadNotFound, LeadMerged."""
    await lock(tx, lead_id)
    note_id, author = new_id(), staff.actor.id
    assert author is not None, "staff have an id"
    values = {
        "business_id": tx.business_id,
        "id": note_id,
        "lead_id": lead_id,
        "text": (await tx.keys()).seal(_PLACE, note_id, text),
        "author": author,
    }
    created_at = await tx.value(_SQL["add_note"], values)
    await tell(tx, lead_id, NOTE_ADDED, note=note_id)
    await record(tx, KIND, lead_id, "add_note", staff.actor)
    return Note(note_id, text, author, created_at)


async def read_notes(tx: Transaction, lead_id: UUID, staff: Staff) -> list[Note]:
    """Return the notes about a lead, the latest first, and write down who has read them.

    Raises LeadNotFound, LeadMerged, LeadNotAssigned.
    """
    # Locked, so that of two readers at once each has an entry of their own in the log.
    row = await lock(tx, lead_id)
    if not staff.may(Permission.READ_CONFIDED) and row["assigned_to"] != staff.actor.id:
        raise LeadNotAssigned
    keys = await tx.keys()
    found = await tx.rows(_SQL["notes_of"], {"business_id": tx.business_id, "lead_id": lead_id})
    notes = [Note(r["id"], keys.open(_PLACE, r["id"], bytes(r["text"])), r["author"], r["created_at"]) for r in found]
    await record(tx, KIND, lead_id, "read_notes", staff.actor)
    return notes
