"""Leads: who has been in touch; one of them with what happened, how they are reached, and what is noted (U-3, D-5)."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.colleagues import colleagues
from holdfast.admin.frame import PROBLEMS, Call, Entry, Form, checked, database_of, go, page_in, read_form, render
from holdfast.admin.writing import raw, slip_of, typed_in
from holdfast.crm import leads
from holdfast.crm.contacts import Network
from holdfast.crm.errors import IdentityTaken, LeadMerged, LeadNotFound
from holdfast.crm.leads import Filters, Lead
from holdfast.crm.shapes import AddIdentityBody, ChangeLeadBody, Source, Stage, contact_in
from holdfast.crm.timeline import timeline
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import Forbidden, UserError, ValidationFailed
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.languages import N_
from holdfast.kernel.lists import number_in, word_in

PATH = "/admin/leads"
ONE = f"{PATH}/{{lead_id:str}}"
_LIMIT = 50
_EVENTS = 30
_MAX_VERSION = 999_999_999
_MAX_LINE_LENGTH = 254
ENTRY = Entry(PATH, N_("Leads"), "day", Permission.READ_LEADS, 50)
READ, CHANGE = [Needs(Permission.READ_LEADS)], [Needs(Permission.CHANGE_LEADS)]

STAGES = {
    Stage.NEW: N_("New"),
    Stage.CONTACTED: N_("In contact"),
    Stage.CLIENT: N_("Client"),
    Stage.LOST: N_("Not interested any more"),
}
SOURCES = {Source.FORM: N_("Contact form"), Source.QUESTION: N_("Question"), Source.BOOKING: N_("Booking")}
KINDS = {
    "email": N_("E-mail"),
    "phone": N_("Telephone"),
    Network.TELEGRAM: "Telegram",
    Network.WHATSAPP: "WhatsApp",
    Network.VIBER: "Viber",
    Network.VK: "VK",
    Network.SIGNAL: "Signal",
    Network.MAX: "MAX",
}
_HAPPENED = {
    "lead_created": N_("Was in touch for the first time"),
    "contact_received": N_("Sent the contact form"),
    "question_submitted": N_("Asked a question"),
    "appointment_confirmed": N_("Booked"),
    "stage_changed": N_("Now counts otherwise"),
    "assigned": N_("Was assigned"),
    "note_added": N_("Something was noted"),
    "identity_added": N_("A way to reach them was added"),
    "merge_suggested": N_("Another lead may be the same person"),
    "merged": N_("Another lead was merged into this one"),
}
NOTICES = {
    "changed": N_("It is changed."),
    "added": N_("The way to reach them is added."),
    "noted": N_("The note is kept."),
    "merged": N_("Both are one lead now: everything of the other one is here."),
    "was_merged": N_("That lead was merged into this one."),
}


@get(PATH, guards=READ, exception_handlers=PROBLEMS)
async def admin_leads(request: Call) -> Response[Any]:
    """Show who has been in touch, the latest first."""
    asked = request.query_params
    whose = asked.get("whose") or ""
    assigned_to = staff_of(request).actor.id if whose == "mine" else uuid_or_none(whose)
    if whose and assigned_to is None:
        raise ValidationFailed.at("whose", "Invalid UUID")
    stage = word_in(asked.get("stage"), "stage", Stage)
    filters = Filters(stage, word_in(asked.get("source"), "source", Source), assigned_to)
    chosen = {"stage": stage or "", "source": asked.get("source") or "", "whose": whose}
    return await _listed(request, filters, chosen, asked.get("cursor") or None)


@post(f"{PATH}/find", status_code=200, guards=READ, exception_handlers=PROBLEMS)
async def admin_leads_find(request: Call) -> Response[Any]:
    """Show whom a way to reach them belongs to; it is sent as a form, so that no address of a page has it."""
    contact = (await read_form(request)).line("contact")
    if not 0 < len(contact) <= _MAX_LINE_LENGTH:
        return go(PATH)
    return await _listed(request, Filters(contact=contact), {"stage": "", "source": "", "whose": ""}, None, contact)


@get(ONE, guards=READ, exception_handlers=PROBLEMS)
async def admin_lead(request: Call, lead_id: FromPath[str]) -> Response[Any]:
    """Show a lead and what happened with it; one that was merged leads to the one that has everything now."""
    return await shown(request, id_in(lead_id))


@post(ONE, status_code=200, guards=CHANGE, exception_handlers=PROBLEMS)
async def admin_lead_change(request: Call, lead_id: FromPath[str]) -> Response[Any]:
    """Change how far a lead has come and, for owners, whose it is."""
    staff = staff_of(request)

    async def work(tx: Transaction, form: Form) -> Lead:
        body = checked(ChangeLeadBody, {"stage": form.line("stage"), "assignedTo": form.line("assignedTo")})
        if body.assigned_to is not None and not staff.may(Permission.ASSIGN_LEADS):
            raise Forbidden
        return await leads.change(
            tx,
            id_in(lead_id),
            staff.actor,
            stage=body.stage,
            assigned_to=body.assigned_to,
            expected_version=version_in(form),
        )

    return await _do(request, lead_id, "change", "changed", work)


@post(f"{ONE}/identities", status_code=200, guards=CHANGE, exception_handlers=PROBLEMS)
async def admin_lead_identity(request: Call, lead_id: FromPath[str]) -> Response[Any]:
    """Add a way to reach a lead."""

    async def work(tx: Transaction, form: Form) -> Lead:
        kind, value = form.line("kind"), raw(form, "value")
        if kind in {"email", "phone"}:
            told: dict[str, Any] = {kind: value}
        else:
            told = {"messenger": {"network": kind, "handle": value}}
        try:
            contact = contact_in(checked(AddIdentityBody, told))
        except ValidationFailed as wrong:
            # However the shapes below name it, it was typed in one field.
            [first, *_] = wrong.details["errors"]
            raise ValidationFailed.at("value", first["message"]) from None
        return await leads.add_identity(
            tx, id_in(lead_id), contact, staff_of(request).actor, expected_version=version_in(form)
        )

    return await _do(request, lead_id, "identity", "added", work)


handlers: list[HTTPRouteHandler] = [admin_leads, admin_leads_find, admin_lead, admin_lead_change, admin_lead_identity]


async def _listed(
    request: Call, filters: Filters, chosen: dict[str, str], cursor: str | None, contact: str = ""
) -> Response[Any]:
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        found, after = await leads.list_leads(tx, filters, cursor=cursor, limit=_LIMIT)
        staff_here = await colleagues(tx)
    return render(
        page,
        "leads.html",
        request=request,
        leads=found,
        cursor=after,
        chosen=chosen,
        contact=contact,
        is_filtered=bool(contact) or any(chosen.values()),
        colleagues=staff_here,
        may_have=staff_here.who_may(Permission.READ_LEADS),
        stages=STAGES,
        sources=SOURCES,
        kinds=KINDS,
    )


async def shown(
    request: Call, wanted: UUID, form: Form | None = None, refused: UserError | None = None, step: str = ""
) -> Response[Any]:
    """Show a lead, or show it again with what was typed and why it was refused."""
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        lead = await leads.find(tx, wanted)
        if lead.id != wanted:
            return go(f"{PATH}/{lead.id}", done="was_merged")
        events, cursor = await timeline(tx, lead.id, cursor=request.query_params.get("cursor") or None, limit=_EVENTS)
        staff_here = await colleagues(tx)
    slip = None if refused is None else slip_of(page, refused, form)
    return render(
        page,
        "leads_one.html",
        200 if slip is None else slip.status,
        request=request,
        notices=NOTICES,
        lead=lead,
        events=events,
        cursor=cursor,
        colleagues=staff_here,
        may_have=staff_here.who_may(Permission.READ_LEADS),
        may_read_notes=page.may(Permission.READ_CONFIDED) or lead.assigned_to == page.staff.actor.id,
        slip=slip,
        step=step,
        # The value that was typed belongs to another lead, which may be the same person.
        other=refused.details.get("leadId") if isinstance(refused, IdentityTaken) else None,
        typed=typed_in(form),
        stages=STAGES,
        sources=SOURCES,
        kinds=KINDS,
        happened=_HAPPENED,
    )


async def _do(
    request: Call, lead_id: str, step: str, done: str, work: Callable[[Transaction, Form], Awaitable[Lead]]
) -> Response[Any]:
    form, wanted = await read_form(request), id_in(lead_id)
    try:
        await database_of(request).run(staff_of(request).business_id, lambda tx: work(tx, form))
    except (LeadNotFound, Forbidden):
        raise
    except LeadMerged as merged:
        return go(f"{PATH}/{merged.details['mergedInto']}", done="was_merged")
    except UserError as refused:
        return await shown(request, wanted, form, refused, step)
    return go(f"{PATH}/{wanted}", done=done)


def id_in(text: str) -> UUID:
    """Return the id of a lead; raises LeadNotFound for what is none."""
    lead_id = uuid_or_none(text)
    if lead_id is None:
        raise LeadNotFound
    return lead_id


def version_in(form: Form) -> int:
    """Return the version that somebody saw."""
    return number_in(form.line("version"), "version", 0, 0, _MAX_VERSION)
