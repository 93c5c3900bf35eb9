"""Leads: made or found by whoever is in touch, looked at and changed by staff."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from holdfast.booking.errors import VersionConflict, VersionRequired
from holdfast.crm.contacts import Contact, Identity, identities, looked_for
from holdfast.crm.errors import IdentityTaken, LeadMerged, LeadNotFound, UnknownLeadAssignee
from holdfast.crm.timeline import ASSIGNED, IDENTITY_ADDED, LEAD_CREATED, MERGE_SUGGESTED, STAGE_CHANGED, tell
from holdfast.kernel.attention import KINDS, Severity, raise_item
from holdfast.kernel.audit import Actor, record
from holdfast.kernel.database import Row, Transaction
from holdfast.kernel.ids import new_id
from holdfast.kernel.lists import cursor_after, place_of
from holdfast.kernel.sql import load
from holdfast.kernel.tracking import identifier

_SQL = load("holdfast.crm")

KIND = "lead"
_NAME, _VALUE = "leads.name", "lead_identities.value"

MAY_BE_ONE = KINDS.declare("leads_may_be_one", other=identifier)


@dataclass(frozen=True, slots=True)
class Utm:
    """The marks of a campaign (P0): letters, digits and `_+.-`, with a letter and six digits at most."""

    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    utm_term: str | None = None
    utm_content: str | None = None

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is marked."""
        return self == Utm()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where somebody came from: `source` is `form`, `question` or `booking`; `deep_link` the id of a link."""

    source: str
    locale: str | None = None
    utm: Utm = field(default_factory=Utm)
    deep_link: str | None = None


@dataclass(frozen=True, slots=True)
class Lead:
    """Somebody who has been in touch; `identities` are pairs of kind and value."""

    id: UUID
    stage: str
    source: str
    name: str | None
    locale: str | None
    utm: Utm
    deep_link: str | None
    assigned_to: UUID | None
    version: int
    created_at: datetime
    identities: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Filters:
    """Which leads; `contact` is any way to reach somebody, to the letter."""

    stage: str | None = None
    source: str | None = None
    assigned_to: UUID | None = None
    contact: str | None = None


async def receive(tx: Transaction, contact: Contact, origin: Origin, actor: Actor) -> UUID:
    """Return the lead of somebody who is in touch: the one whom a way to reach them leads to, or a new one.

    Two who come at once by the same address find one lead. What else they tell of how they are reached is added to it,
    but never taken from another lead: anybody can type the address of somebody else. That the two may be one person is
    put before staff, who merge them if they are.
    """
    keys = await tx.keys()
    told = identities(keys, contact)
    assert told, "a lead can be reached"
    await _lock_identities(tx, told)
    owners = await _owners(tx, told)
    known = next((owners[each.kind] for each in told if each.kind in owners), None)
    if known is None:
        lead_id = await _create(tx, contact, origin, actor)
    else:
        lead_id = (await _lock_survivor(tx, known))["id"]
    for each in told:
        if each.kind not in owners:
            await _add_identity(tx, lead_id, each)
    # A lead that was merged while we waited for it has taken its identities along.
    for other in sorted(set((await _owners(tx, told)).values()) - {lead_id}):
        await raise_item(tx, MAY_BE_ONE, lead_id, Severity.INFO, other=other)
        await tell(tx, lead_id, MERGE_SUGGESTED, other=other)
    return lead_id


async def add_identity(
    tx: Transaction, lead_id: UUID, contact: Contact, actor: Actor, *, expected_version: int | None
) -> Lead:
    """Add ways to reach a lead; those that it has already stay as they are.

    Raises LeadNotFound, LeadMerged, VersionRequired, VersionConflict, IdentityTaken.
    """
    told = identities(await tx.keys(), contact)
    await _lock_identities(tx, told)
    await lock(tx, lead_id, expected_version)
    owners = await _owners(tx, told)
    for each in told:
        owner = owners.get(each.kind)
        if owner is None:
            identity_id = await _add_identity(tx, lead_id, each)
            await tell(tx, lead_id, IDENTITY_ADDED, identity=identity_id)
        elif owner != lead_id:
            raise IdentityTaken(details={"field": each.kind, "leadId": str(owner)})
    await tx.run(_SQL["touch_lead"], {"business_id": tx.business_id, "id": lead_id})
    await record(tx, KIND, lead_id, "add_identity", actor)
    return await find(tx, lead_id)


async def find(tx: Transaction, lead_id: UUID) -> Lead:
    """Return a lead; of one that was merged the one that has everything now.

    Raises LeadNotFound.
    """
    found = await tx.rows(_SQL["lead"], {"business_id": tx.business_id, "id": lead_id})
    if not found:
        raise LeadNotFound
    return (await _shown(tx, found))[0]


async def list_leads(
    tx: Transaction, filters: Filters, *, cursor: str | None, limit: int
) -> tuple[list[Lead], str | None]:
    """Return a page of leads, the latest first, without those that were merged, and the cursor of the next page.

    Raises ValidationFailed for a cursor that no page has given.
    """
    at, last = place_of(cursor)
    indexes = looked_for(await tx.keys(), filters.contact) if filters.contact else {}
    values: dict[str, Any] = {
        "business_id": tx.business_id,
        "stage": filters.stage,
        "source": filters.source,
        "assigned_to": filters.assigned_to,
        "by_contact": filters.contact is not None,
        "kinds": list(indexes),
        "indexes": list(indexes.values()),
        "at": at,
        "last": last,
        "limit": limit + 1,
    }
    found = await tx.rows(_SQL["leads"], values)
    page = await _shown(tx, found[:limit])
    return page, cursor_after(page[-1].created_at, page[-1].id) if len(found) > limit else None


async def change(
    tx: Transaction,
    lead_id: UUID,
    actor: Actor,
    *,
    stage: str | None,
    assigned_to: UUID | None,
    expected_version: int | None,
) -> Lead:
    """Change how far a lead has come, and whose it is; None leaves what it is.

    Raises LeadNotFound, LeadMerged, VersionRequired, VersionConflict, UnknownLeadAssignee.
    """
    before = await lock(tx, lead_id, expected_version)
    values = {"business_id": tx.business_id, "id": lead_id, "stage": stage, "assigned_to": assigned_to}
    if assigned_to is not None and not await tx.value(_SQL["works_here"], values):
        raise UnknownLeadAssignee
    await tx.run(_SQL["change_lead"], values)
    if stage is not None and stage != before["stage"]:
        await tell(tx, lead_id, STAGE_CHANGED, before=before["stage"], after=stage)
    if assigned_to is not None and assigned_to != before["assigned_to"]:
        await tell(tx, lead_id, ASSIGNED, to=assigned_to)
    await record(tx, KIND, lead_id, "change", actor, before=before["stage"], after=stage or before["stage"])
    return await find(tx, lead_id)


async def become_client(tx: Transaction, lead_id: UUID, actor: Actor) -> None:
    """Let a lead who has booked be a client, whatever they were before."""
    before = await _lock_survivor(tx, lead_id)
    if before["stage"] != "client":
        values = {"business_id": tx.business_id, "id": lead_id, "stage": "client", "assigned_to": None}
        await tx.run(_SQL["change_lead"], values)
        await tell(tx, lead_id, STAGE_CHANGED, before=before["stage"], after="client")
        await record(tx, KIND, lead_id, "change", actor, before=before["stage"], after="client")


async def lock(tx: Transaction, lead_id: UUID, *expected_version: int | None) -> Row:
    """Return the row of a lead, locked; with a version only if it is that one.

    Raises LeadNotFound, LeadMerged, VersionRequired, VersionConflict.
    """
    found = await tx.rows(_SQL["lock_lead"], {"business_id": tx.business_id, "id": lead_id})
    if not found:
        raise LeadNotFound
    row = found[0]
    if row["merged_into"] is not None:
        raise LeadMerged(details={"mergedInto": str(row["merged_into"])})
    for version in expected_version:
        if version is None:
            raise VersionRequired("Name the version of the lead that you saw, by If-Match or expectedVersion")
        if version != row["version"]:
            current = {"currentVersion": row["version"]}
            raise VersionConflict("The lead was changed in the meantime", details=current)
    return row


async def _lock_survivor(tx: Transaction, lead_id: UUID) -> Row:
    """Return the row of a lead, locked, or of the one that it was merged into while we waited."""
    while True:
        [row] = await tx.rows(_SQL["lock_lead"], {"business_id": tx.business_id, "id": lead_id})
        if row["merged_into"] is None:
            return row
        lead_id = row["merged_into"]


async def _lock_identities(tx: Transaction, told: list[Identity]) -> None:
    # In one order, so that nobody waits for somebody who waits for him.
    for number in sorted(each.lock for each in told):
        await tx.run(_SQL["lock_identity"], {"number": number})


async def _owners(tx: Transaction, told: list[Identity]) -> dict[str, UUID]:
    """Return by kind whose the ways to reach somebody are."""
    values = {
        "business_id": tx.business_id,
        "kinds": [each.kind for each in told],
        "indexes": [each.index for each in told],
    }
    return {row["kind"]: row["lead_id"] for row in await tx.rows(_SQL["owners"], values)}


async def _create(tx: Transaction, contact: Contact, origin: Origin, actor: Actor) -> UUID:
    lead_id = new_id()
    values = {
        "business_id": tx.business_id,
        "id": lead_id,
        "source": origin.source,
        "name": None if contact.name is None else (await tx.keys()).seal(_NAME, lead_id, contact.name),
        "locale": origin.locale,
        "utm_source": origin.utm.utm_source,
        "utm_medium": origin.utm.utm_medium,
        "utm_campaign": origin.utm.utm_campaign,
        "utm_term": origin.utm.utm_term,
        "utm_content": origin.utm.utm_content,
        "deep_link": origin.deep_link,
    }
    await tx.run(_SQL["add_lead"], values)
    await tell(tx, lead_id, LEAD_CREATED, source=origin.source)
    await record(tx, KIND, lead_id, "create", actor, after="new")
    return lead_id


async def _add_identity(tx: Transaction, lead_id: UUID, identity: Identity) -> UUID:
    identity_id = new_id()
    values = {
        "business_id": tx.business_id,
        "id": identity_id,
        "lead_id": lead_id,
        "kind": identity.kind,
        "value": (await tx.keys()).seal(_VALUE, identity_id, identity.value),
        "value_index": identity.index,
    }
    await tx.run(_SQL["add_identity"], values)
    return identity_id


async def _shown(tx: Transaction, found: list[Row]) -> list[Lead]:
    keys = await tx.keys()
    values = {"business_id": tx.business_id, "ids": [row["id"] for row in found]}
    reached: dict[UUID, list[tuple[str, str]]] = {row["id"]: [] for row in found}
    for row in await tx.rows(_SQL["identities_of"], values):
        reached[row["lead_id"]].append((row["kind"], keys.open(_VALUE, row["id"], bytes(row["value"]))))
    return [
        Lead(
            id=row["id"],
            stage=row["stage"],
            source=row["source"],
            name=None if row["name"] is None else keys.open(_NAME, row["id"], bytes(row["name"])),
            locale=row["locale"],
            utm=Utm(**{name: row[name] for name in Utm.__dataclass_fields__}),
            deep_link=row["deep_link"],
            assigned_to=row["assigned_to"],
            version=row["version"],
            created_at=row["created_at"],
            identities=reached[row["id"]],
        )
        for row in found
    ]
