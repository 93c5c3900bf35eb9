"""What is confided and what cannot be undone about a lead: notes, and merging two leads that are one person."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.colleagues import colleagues
from holdfast.admin.frame import (
    MAX_FORM_BYTES,
    PROBLEMS,
    Call,
    Form,
    checked,
    database_of,
    go,
    page_in,
    read_form,
    render,
)
from holdfast.admin.leads import CHANGE, KINDS, NOTICES, ONE, PATH, READ, SOURCES, STAGES, id_in, shown, version_in
from holdfast.admin.writing import raw, slip_of, typed_in
from holdfast.crm import leads, merging, notes
from holdfast.crm.errors import LeadMerged, LeadNotFound
from holdfast.crm.leads import Filters, Lead
from holdfast.crm.notes import Note
from holdfast.crm.shapes import NoteBody
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import UserError
from holdfast.kernel.ids import uuid_or_none

_MERGE = [Needs(Permission.MERGE_LEADS)]
_FOUND = 20


@get(f"{ONE}/notes", guards=READ, exception_handlers=PROBLEMS)
async def admin_lead_notes(request: Call, lead_id: FromPath[str]) -> Response[Any]:
    """Show the notes about a lead, to owners and to whom it is assigned; that they were read is written down."""
    wanted = id_in(lead_id)
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        lead = await leads.find(tx, wanted)
        if lead.id != wanted:
            return go(f"{PATH}/{lead.id}", done="was_merged")
        found = await notes.read_notes(tx, wanted, staff_of(request))
        staff_here = await colleagues(tx)
    return render(
        page,
        "leads_notes.html",
        request=request,
        notices=NOTICES,
        lead=lead,
        notes=found,
        colleagues=staff_here,
    )


@post(f"{ONE}/notes", status_code=200, guards=CHANGE, exception_handlers=PROBLEMS, request_max_body_size=MAX_FORM_BYTES)
async def admin_lead_note(request: Call, lead_id: FromPath[str]) -> Response[Any]:
    """Note something about a lead."""
    form, staff, wanted = await read_form(request), staff_of(request), id_in(lead_id)

    async def work(tx: Transaction) -> Note:
        body = checked(NoteBody, {"text": raw(form, "text")})
        return await notes.add_note(tx, wanted, staff, body.text)

    try:
        await database_of(request).run(staff.business_id, work)
    except LeadNotFound:
        raise
    except LeadMerged as merged:
        return go(f"{PATH}/{merged.details['mergedInto']}", done="was_merged")
    except UserError as refused:
        return await shown(request, wanted, form, refused, "note")
    return go(f"{PATH}/{wanted}", done="noted")


@get(f"{ONE}/merge", guards=_MERGE, exception_handlers=PROBLEMS)
async def admin_lead_merge(request: Call, lead_id: FromPath[str]) -> Response[Any]:
    """Show what becomes of two leads that are merged, or ask which the other one is."""
    return await _both(request, id_in(lead_id), uuid_or_none(request.query_params.get("other") or ""))


@post(f"{ONE}/merge/find", status_code=200, guards=_MERGE, exception_handlers=PROBLEMS)
async def admin_lead_merge_find(request: Call, lead_id: FromPath[str]) -> Response[Any]:
    """Show which leads a way to reach somebody leads to."""
    form = await read_form(request)
    return await _both(request, id_in(lead_id), None, form)


@post(f"{ONE}/merge", status_code=200, guards=_MERGE, exception_handlers=PROBLEMS)
async def admin_lead_merged(request: Call, lead_id: FromPath[str]) -> Response[Any]:
    """Merge another lead into this one."""
    form, staff, wanted = await read_form(request), staff_of(request), id_in(lead_id)
    other = id_in(form.line("other"))

    async def work(tx: Transaction) -> Lead:
        return await merging.merge(tx, wanted, other, staff.actor, expected_version=version_in(form))

    try:
        await database_of(request).run(staff.business_id, work)
    except LeadNotFound:
        raise
    except UserError as refused:
        return await _both(request, wanted, other, form, refused)
    return go(f"{PATH}/{wanted}", done="merged")


handlers: list[HTTPRouteHandler] = [
    admin_lead_notes,
    admin_lead_note,
    admin_lead_merge,
    admin_lead_merge_find,
    admin_lead_merged,
]


async def _both(
    request: Call, wanted: UUID, other_id: UUID | None, form: Form | None = None, refused: UserError | None = None
) -> Response[Any]:
    contact = "" if form is None else form.line("contact")
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        lead = await leads.find(tx, wanted)
        if lead.id != wanted:
            return go(f"{PATH}/{lead.id}", done="was_merged")
        other = None if other_id is None else await leads.find(tx, other_id)
        if other is not None and other.id == lead.id:
            return go(f"{PATH}/{lead.id}", done="was_merged")
        found, _ = (
            await leads.list_leads(tx, Filters(contact=contact), cursor=None, limit=_FOUND) if contact else ([], None)
        )
        staff_here = await colleagues(tx)
    slip = None if refused is None else slip_of(page, refused, form)
    return render(
        page,
        "leads_merge.html",
        200 if slip is None else slip.status,
        request=request,
        lead=lead,
        other=other,
        found=[one for one in found if one.id != lead.id],
        contact=contact,
        colleagues=staff_here,
        slip=slip,
        typed=typed_in(form),
        stages=STAGES,
        sources=SOURCES,
        kinds=KINDS,
    )
