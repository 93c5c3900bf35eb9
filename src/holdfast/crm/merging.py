"""Two leads that turn out to be one person become one: the survivor gets everything, the other one leads to it."""

from uuid import UUID

from holdfast.crm.errors import LeadMerged, LeadNotFound
from holdfast.crm.leads import KIND, Lead, find, lock
from holdfast.crm.timeline import MERGED, tell
from holdfast.kernel.audit import Actor, record
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.sql import load

_SQL = load("holdfast.crm")


async def merge(
    tx: Transaction, survivor_id: UUID, other_id: UUID, actor: Actor, *, expected_version: int | None
) -> Lead:
    """Merge a lead into another and return the survivor; nothing happens when it was merged into it already.

    Identities, timeline and notes follow; stage, marks and name of the survivor stay as they are. Raises LeadNotFound,
    LeadMerged when one of the two was merged elsewhere, ValidationFailed for a lead and itself, VersionRequired,
    VersionConflict.
    """
    if survivor_id == other_id:
        raise ValidationFailed.at("leadId", "must be another lead")
    # Both locked in one order, so that of two who merge the same two one waits and then finds what the other has done.
    both = {"business_id": tx.business_id, "ids": [survivor_id, other_id]}
    rows = {row["id"]: row for row in await tx.rows(_SQL["lock_leads"], both)}
    if len(rows) < 2:
        raise LeadNotFound
    merged_into = rows[other_id]["merged_into"]
    if merged_into == survivor_id:
        return await find(tx, survivor_id)
    await lock(tx, survivor_id, expected_version)
    if merged_into is not None:
        raise LeadMerged(details={"mergedInto": str(merged_into)})
    values = {"business_id": tx.business_id, "survivor_id": survivor_id, "other_id": other_id}
    for statement in ("move_identities", "move_timeline", "move_notes", "redirect_lead"):
        await tx.run(_SQL[statement], values)
    await tx.run(_SQL["touch_lead"], {"business_id": tx.business_id, "id": survivor_id})
    await tell(tx, survivor_id, MERGED, other=other_id)
    await record(tx, KIND, survivor_id, "merge", actor, after=other_id)
    await record(tx, KIND, other_id, "merge_into", actor, after=survivor_id)
    return await find(tx, survivor_id)
