"""What the CRM keeps of a person, and how it forgets them (D-8)."""

from typing import Any

from holdfast.kernel.audit import Actor, record
from holdfast.kernel.database import Transaction
from holdfast.kernel.privacy import Handles
from holdfast.kernel.sql import load

_SQL = load("holdfast.crm", "personal.sql")


async def told_of(tx: Transaction, whom: Handles) -> dict[str, list[dict[str, Any]]]:
    """Return the leads of a person and those merged into them: how they are reached, notes, what happened."""
    keys = await tx.keys()
    leads = []
    for row in await tx.rows(_SQL["leads_of"], _values(tx, whom)):
        lead = {"business_id": tx.business_id, "id": row["id"]}
        identities = await tx.rows(_SQL["identities_of_lead"], lead)
        notes = await tx.rows(_SQL["notes_of_lead"], lead)
        leads.append(
            {
                "id": row["id"],
                "stage": row["stage"],
                "source": row["source"],
                "createdAt": row["created_at"],
                "name": row["name"] and keys.open("leads.name", row["id"], bytes(row["name"])),
                "identities": [
                    {
                        "kind": each["kind"],
                        "value": keys.open("lead_identities.value", each["id"], bytes(each["value"])),
                    }
                    for each in identities
                ],
                "notes": [
                    {"at": each["created_at"], "text": keys.open("lead_notes.text", each["id"], bytes(each["text"]))}
                    for each in notes
                ],
                "timeline": [
                    {"at": each["occurred_at"], "type": each["type"], **each["payload"]}
                    for each in await tx.rows(_SQL["timeline_of_lead"], lead)
                ],
            }
        )
    return {"leads": leads}


async def forget(tx: Transaction, whom: Handles, actor: Actor) -> dict[str, int]:
    """Take name, ways to reach them and notes from the leads of a person; where they came from and when stays."""
    leads = await tx.rows(_SQL["lock_leads_of"], _values(tx, whom))
    for row in leads:
        lead = {"business_id": tx.business_id, "id": row["id"]}
        for statement in ("forget_identities", "forget_notes", "forget_name"):
            await tx.run(_SQL[statement], lead)
        await record(tx, "lead", row["id"], "forget_person", actor)
    return {"leads": len(leads)}


def _values(tx: Transaction, whom: Handles) -> dict[str, Any]:
    network, handle = whom.messenger or (None, None)
    return {
        "business_id": tx.business_id,
        "email": whom.email,
        "phone": whom.phone,
        "network": network,
        "handle": handle,
    }
