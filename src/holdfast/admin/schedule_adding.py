"""What staff put into the calendar themselves: appointments made by hand, and time that is kept free."""

from collections import defaultdict
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from holdfast.admin.frame import PROBLEMS, AdminPage, Call, Form, checked, database_of, open_page, read_form, render
from holdfast.admin.schedule_moments import Refusal, as_slot, instant_in, moment_in, refusal_of, snapshot_of, told
from holdfast.admin.schedule_reading import PATH, everybody
from holdfast.availability.snapshots import Snapshot
from holdfast.booking.admission import instant
from holdfast.booking.blocks import Wanted, block
from holdfast.booking.bookings import keyed
from holdfast.booking.calls import desk_of, place_named
from holdfast.booking.contacts import Contact
from holdfast.booking.errors import TimeTaken
from holdfast.booking.manual import Manual, book_manually
from holdfast.booking.staff_web import ManualBody
from holdfast.identity.guards import Needs
from holdfast.identity.permissions import Permission
from holdfast.kernel.errors import Forbidden, UserError, ValidationFailed
from holdfast.kernel.ids import new_id, uuid_or_none
from holdfast.kernel.languages import N_
from holdfast.kernel.lists import date_in

_NEW, _BLOCK = f"{PATH}/new", f"{PATH}/block"
_MAX_REASON = 500
_TAKEN = {
    "appointment": N_("%(start)s to %(end)s: an appointment"),
    "reservation": N_("%(start)s to %(end)s: a hold"),
    "schedule": N_("%(start)s to %(end)s: a group"),
    "block": N_("%(start)s to %(end)s: blocked already"),
}


@get(_NEW, guards=[Needs(Permission.BOOK_APPOINTMENTS)], exception_handlers=PROBLEMS)
async def admin_schedule_new(request: Call) -> Response[Any]:
    """Show the form for an appointment made by hand, at the time and with whom the address says."""
    page = await open_page(request)
    return await _new(request, page, _asked(request, page))


@post(_NEW, status_code=200, guards=[Needs(Permission.BOOK_APPOINTMENTS)], exception_handlers=PROBLEMS)
async def admin_schedule_book(request: Call) -> Response[Any]:
    """Make an appointment by hand; sent twice it is made once."""
    form = await read_form(request)
    page = await open_page(request)
    snapshot = await snapshot_of(request, page)
    try:
        manual = _manual(form, page, snapshot)
        shown, booking = await book_manually(desk_of(request), manual)
    except UserError as refused:
        return await _new(request, page, form.as_typed(), refused)
    when = page.wording.moment(int(shown.start.timestamp()))
    day = page.wording.local(booking.starts_at).date()
    return told(page, request, "booked", page.text(N_("Booked: %(when)s."), when=when), day)


@get(_BLOCK, guards=[Needs(Permission.BLOCK_TIME)], exception_handlers=PROBLEMS)
async def admin_schedule_new_block(request: Call) -> Response[Any]:
    """Show the form for time that is kept free."""
    page = await open_page(request)
    return await _blocking(request, page, _asked(request, page))


@post(_BLOCK, status_code=200, guards=[Needs(Permission.BLOCK_TIME)], exception_handlers=PROBLEMS)
async def admin_schedule_block(request: Call) -> Response[Any]:
    """Keep time of somebody free; sent twice it is done once."""
    form = await read_form(request)
    page = await open_page(request)
    zone = page.business.timezone
    try:
        resource_id = uuid_or_none(form.line("resource"))
        if resource_id is None:
            raise ValidationFailed.at("resource", N_("Choose whose time it is."))
        start = moment_in(form, zone)
        end = moment_in(form, zone, "until_at", "until_date", "until_time")
        if end <= start:
            raise ValidationFailed.at("until_time", N_("The end is after the beginning."))
        wanted = Wanted(resource_id, instant(start), instant(end), _reason(form))
        key = keyed(form.line("key") or None, "block", f"{resource_id} {start} {end}".encode())
        await block(database_of(request), page.staff.business_id, wanted, key, page.staff.actor)
    except UserError as refused:
        return await _blocking(request, page, form.as_typed(), refused)
    w = page.wording
    text = page.text(N_("Blocked: %(start)s to %(end)s."), start=w.moment(start), end=w.moment(end))
    return told(page, request, "blocked", text, w.local(start).date())


handlers: list[HTTPRouteHandler] = [
    admin_schedule_new,
    admin_schedule_book,
    admin_schedule_new_block,
    admin_schedule_block,
]


def _asked(request: Call, page: AdminPage) -> dict[str, str]:
    """Return what a form begins with: the time of the address, for an hour."""
    at, who = (request.query_params.get(name) or "" for name in ("at", "who"))
    start = instant_in(at)
    filled = {"resource": who, "group": request.query_params.get("group") or "", "key": new_id().hex}
    if start is None:
        day = date_in(request.query_params.get("day"), "day")
        return filled if day is None else filled | {"date": day.isoformat(), "until_date": day.isoformat()}
    begins, ends = page.wording.local(start), page.wording.local(start + 3_600)
    return filled | {
        "at": at,
        "date": begins.date().isoformat(),
        "time": begins.strftime("%H:%M"),
        "until_at": str(start + 3_600),
        "until_date": ends.date().isoformat(),
        "until_time": ends.strftime("%H:%M"),
    }


async def _refusal(request: Call, page: AdminPage, refused: UserError | None, snapshot: Snapshot) -> Refusal | None:
    if refused is None:
        return None
    async with database_of(request).transaction(page.staff.business_id) as tx:
        return await refusal_of(tx, page, refused, snapshot)


async def _new(
    request: Call, page: AdminPage, typed: dict[str, str], refused: UserError | None = None
) -> Response[Any]:
    snapshot = await snapshot_of(request, page)
    refusal = await _refusal(request, page, refused, snapshot)
    who = uuid_or_none(typed.get("resource", ""))
    services = [s for s in snapshot.services.values() if s.active]
    # Whoever was clicked on comes first with what they do.
    services.sort(key=lambda s: (who is not None and who not in s.resource_ids(), s.name.casefold()))
    return render(
        page,
        "schedule_new.html",
        200 if refusal is None else refusal.status,
        request=request,
        typed=defaultdict(str, typed),
        refusal=refusal,
        asks_twice=refusal is not None and "occurrence" in refusal.wrong,
        services=services,
        leaders=[r for r in everybody(snapshot) if any(r.id in s.requirements[0] for s in services)],
        group=typed.get("group") or "",
        zone=page.business.timezone,
        may_override=page.may(Permission.OVERRIDE_HOURS),
        may_block=page.may(Permission.BLOCK_TIME),
    )


async def _blocking(
    request: Call, page: AdminPage, typed: dict[str, str], refused: UserError | None = None
) -> Response[Any]:
    snapshot = await snapshot_of(request, page)
    refusal = await _refusal(request, page, refused, snapshot)
    return render(
        page,
        "schedule_block.html",
        200 if refusal is None else refusal.status,
        request=request,
        typed=defaultdict(str, typed),
        refusal=refusal,
        in_the_way=_in_the_way(page, refused),
        asks_twice=refusal is not None and "occurrence" in refusal.wrong,
        present=everybody(snapshot),
        zone=page.business.timezone,
        may_book=page.may(Permission.BOOK_APPOINTMENTS),
    )


def _in_the_way(page: AdminPage, refused: UserError | None) -> list[str]:
    if not isinstance(refused, TimeTaken):
        return []
    w = page.wording
    return [
        page.text(_TAKEN[each["kind"]], start=w.moment(each["start"]), end=w.moment(each["end"]))
        for each in refused.details["conflicts"]
    ]


def _manual(form: Form, page: AdminPage, snapshot: Snapshot) -> Manual:
    """Return what is to be booked; raises ValidationFailed, Forbidden."""
    members: dict[str, Any] = {name: form.line(name) for name in ("guestName", "guestEmail", "guestPhone")}
    members |= {"reason": form.text("reason"), "partySize": _party(form), "override": form.ticked("override")}
    service = snapshot.services.get(uuid_or_none(form.line("service")) or UUID(int=0))
    if form.line("group"):
        members["scheduleId"] = form.line("group")
    elif service is None:
        raise ValidationFailed.at("service", N_("Choose what is booked."))
    else:
        at = moment_in(form, page.business.timezone)
        members |= {"serviceId": service.id, "resourceId": form.line("resource")} | as_slot(
            at, service.duration_minutes
        )
    data = checked(
        ManualBody, {name: str(value) if isinstance(value, UUID) else value for name, value in members.items()}
    )
    contact = Contact(data.guest_email, data.guest_phone, data.guest_name)
    if contact == Contact():
        raise ValidationFailed.at("guestName", N_("Say whom it is for: a name, an e-mail address or a phone number."))
    if data.override and not page.may(Permission.OVERRIDE_HOURS):
        raise Forbidden
    if data.override and not (data.reason or "").strip():
        raise ValidationFailed.at("reason", N_("Say why, it is kept in the history."))
    key = keyed(form.line("key") or None, "book by staff", data.fingerprint())
    wish = place_named(data, key, data.party_size or 1, service_id=data.service_id)
    return Manual(page.staff, wish, contact, data.override, data.reason)


def _party(form: Form) -> int:
    text = form.line("partySize") or "1"
    if not (text.isascii() and text.isdigit() and 0 < len(text) <= 6 and int(text) > 0):
        raise ValidationFailed.at("partySize", N_("Write how many people come."))
    return int(text)


def _reason(form: Form) -> str | None:
    reason = form.text("reason")
    if len(reason) > _MAX_REASON:
        raise ValidationFailed.at("reason", N_("Write at most 500 characters."))
    return reason or None
