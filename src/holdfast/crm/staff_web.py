"""Leads for staff: find, look, change, note, merge."""

from uuid import UUID

import msgspec
from litestar import Response, get, patch, post
from litestar.params import FromPath

from holdfast.booking.calls import Call, expected_version
from holdfast.crm import leads, merging, notes
from holdfast.crm.errors import LeadNotFound
from holdfast.crm.leads import Filters, Lead
from holdfast.crm.notes import Note
from holdfast.crm.shapes import (
    AddIdentityBody,
    ChangeLeadBody,
    EventView,
    LeadsPage,
    LeadView,
    MergeBody,
    NoteBody,
    NotesView,
    NoteView,
    OpenedLeadView,
    Source,
    Stage,
    contact_in,
)
from holdfast.crm.timeline import timeline
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Transaction
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import Forbidden, ValidationFailed
from holdfast.kernel.http import decode, json_response
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.lists import number_in

_MAX_LIMIT = 200
_MAX_LINE_LENGTH = 254


@get(
    "/api/admin/leads",
    guards=[Needs(Permission.READ_LEADS)],
    opt=documented(
        query=("stage", "source", "contact", "assignedTo", "cursor", "limit"), answers=LeadsPage, security="StaffKey"
    ),
)
async def list_of_leads(request: Call) -> Response[bytes]:
    """Return the leads of the business, the latest first.

    `contact` is an e-mail address, a phone number or a name in a messenger, to the letter.
    """
    asked, staff = request.query_params, staff_of(request)
    contact = asked.get("contact") or None
    if contact is not None and not (contact.isprintable() and len(contact) <= _MAX_LINE_LENGTH):
        raise ValidationFailed.at("contact", "must be one line")
    assigned_to = uuid_or_none(asked.get("assignedTo") or "")
    if asked.get("assignedTo") and assigned_to is None:
        raise ValidationFailed.at("assignedTo", "Invalid UUID")
    filters = Filters(
        stage=_one_of(asked.get("stage"), "stage", Stage),
        source=_one_of(asked.get("source"), "source", Source),
        assigned_to=assigned_to,
        contact=contact,
    )
    limit = number_in(asked.get("limit"), "limit", 50, 1, _MAX_LIMIT)
    async with request.app.state.database.transaction(staff.business_id) as tx:
        page, cursor = await leads.list_leads(tx, filters, cursor=asked.get("cursor") or None, limit=limit)
    return json_response(LeadsPage([LeadView.of(lead) for lead in page], cursor))


@get(
    "/api/admin/leads/{lead_id:str}",
    guards=[Needs(Permission.READ_LEADS)],
    opt=documented(query=("cursor", "limit"), answers=OpenedLeadView, security="StaffKey"),
)
async def lead(request: Call, lead_id: FromPath[str]) -> Response[bytes]:
    """Return a lead and what happened with it; of one that was merged the one that has everything now."""
    asked, staff, wanted = request.query_params, staff_of(request), _id_in(lead_id)
    limit = number_in(asked.get("limit"), "limit", 100, 1, _MAX_LIMIT)
    async with request.app.state.database.transaction(staff.business_id) as tx:
        found = await leads.find(tx, wanted)
        page, cursor = await timeline(tx, found.id, cursor=asked.get("cursor") or None, limit=limit)
    events = msgspec.convert(page, list[EventView], from_attributes=True)
    return json_response(OpenedLeadView(LeadView.of(found), events, cursor))


@patch(
    "/api/admin/leads/{lead_id:str}",
    guards=[Needs(Permission.CHANGE_LEADS)],
    opt=documented(ChangeLeadBody, headers=("If-Match",), answers=LeadView, security="StaffKey"),
)
async def change_lead(request: Call, lead_id: FromPath[str]) -> Response[bytes]:
    """Change how far a lead has come and, for owners, whose it is: they can read the notes about it."""
    data = decode(ChangeLeadBody, await request.body())
    staff, wanted = staff_of(request), _id_in(lead_id)
    if data.assigned_to is not None and not staff.may(Permission.ASSIGN_LEADS):
        raise Forbidden
    version = expected_version(request, data.expected_version)

    async def work(tx: Transaction) -> Lead:
        return await leads.change(
            tx, wanted, staff.actor, stage=data.stage, assigned_to=data.assigned_to, expected_version=version
        )

    return json_response(LeadView.of(await request.app.state.database.run(staff.business_id, work)))


@post(
    "/api/admin/leads/{lead_id:str}/identities",
    status_code=200,
    guards=[Needs(Permission.CHANGE_LEADS)],
    opt=documented(AddIdentityBody, headers=("If-Match",), answers=LeadView, security="StaffKey"),
)
async def add_identity(request: Call, lead_id: FromPath[str]) -> Response[bytes]:
    """Add a way to reach a lead; 409 with `details.leadId` when it belongs to another one."""
    data = decode(AddIdentityBody, await request.body())
    staff, wanted, contact = staff_of(request), _id_in(lead_id), contact_in(data)
    version = expected_version(request, data.expected_version)

    async def work(tx: Transaction) -> Lead:
        return await leads.add_identity(tx, wanted, contact, staff.actor, expected_version=version)

    return json_response(LeadView.of(await request.app.state.database.run(staff.business_id, work)))


@post(
    "/api/admin/leads/{lead_id:str}/merge",
    status_code=200,
    guards=[Needs(Permission.MERGE_LEADS)],
    opt=documented(MergeBody, headers=("If-Match",), answers=LeadView, security="StaffKey"),
)
async def merge_lead(request: Call, lead_id: FromPath[str]) -> Response[bytes]:
    """Merge another lead into this one, which gets everything it has; this cannot be undone."""
    data = decode(MergeBody, await request.body())
    staff, wanted = staff_of(request), _id_in(lead_id)
    version = expected_version(request, data.expected_version)

    async def work(tx: Transaction) -> Lead:
        return await merging.merge(tx, wanted, data.lead_id, staff.actor, expected_version=version)

    return json_response(LeadView.of(await request.app.state.database.run(staff.business_id, work)))


@get(
    "/api/admin/leads/{lead_id:str}/notes",
    guards=[Needs(Permission.READ_LEADS)],
    opt=documented(answers=NotesView, security="StaffKey"),
)
async def lead_notes(request: Call, lead_id: FromPath[str]) -> Response[bytes]:
    """Return the notes about a lead, to owners and to whom it is assigned; that they were read is written down."""
    staff, wanted = staff_of(request), _id_in(lead_id)

    async def work(tx: Transaction) -> list[Note]:
        return await notes.read_notes(tx, wanted, staff)

    found = await request.app.state.database.run(staff.business_id, work)
    return json_response(NotesView(msgspec.convert(found, list[NoteView], from_attributes=True)))


@post(
    "/api/admin/leads/{lead_id:str}/notes",
    guards=[Needs(Permission.CHANGE_LEADS)],
    opt=documented(NoteBody, answers=NoteView, security="StaffKey"),
)
async def add_note(request: Call, lead_id: FromPath[str]) -> Response[bytes]:
    """Note something about a lead."""
    data = decode(NoteBody, await request.body())
    staff, wanted = staff_of(request), _id_in(lead_id)

    async def work(tx: Transaction) -> Note:
        return await notes.add_note(tx, wanted, staff, data.text)

    made = await request.app.state.database.run(staff.business_id, work)
    return json_response(msgspec.convert(made, NoteView, from_attributes=True), 201)


def _id_in(text: str) -> UUID:
    lead_id = uuid_or_none(text)
    if lead_id is None:
        raise LeadNotFound
    return lead_id


def _one_of(text: str | None, field: str, words: type[Stage] | type[Source]) -> str | None:
    if text and text not in set(words):
        raise ValidationFailed.at(field, f"must be one of {', '.join(words)}")
    return text or None


handlers = [list_of_leads, lead, change_lead, add_identity, merge_lead, lead_notes, add_note]
