"""Moving a booking: what is free on a day, and a time of one's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.bookings_changes import version_in
from holdfast.admin.bookings_words import Names, names_in, today_in, told, why
from holdfast.admin.frame import PROBLEMS, AdminPage, Call, Form, database_of, go, page_in, read_form, render
from holdfast.availability.walltime import calendar_instant
from holdfast.booking import bookings
from holdfast.booking.bookings import Booking, check_changeable, keyed
from holdfast.booking.calls import desk_of
from holdfast.booking.changes import reschedule
from holdfast.booking.errors import AppointmentNotFound, SlotConflict
from holdfast.booking.free_time import free_days
from holdfast.booking.history import Change, changes_since
from holdfast.booking.reservations import Wish
from holdfast.booking.schedules import list_schedules
from holdfast.identity.calls import id_named
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import UserError, ValidationFailed
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.languages import N_
from holdfast.kernel.lists import date_in

_PATH = "/admin/bookings/{booking_id:str}/move"
_MOVES = [Needs(Permission.CHANGE_APPOINTMENTS)]
_LONGEST_REASON = 500
_NO_DATE = N_("Choose another date")
_NO_TIME = N_("Choose a time, or type one like 14:30")
# How far ahead another date of a program is looked for.
_PROGRAM_DAYS = 62


@dataclass(frozen=True, slots=True)
class Choice:
    """A place to which a booking can be moved: the value of its button, when it begins, and what is to be known."""

    value: str
    label: str
    more: str = ""


@dataclass(frozen=True, slots=True)
class Slip:
    """Why a move was refused, what else is free, and what others have done since the booking was seen."""

    error: UserError
    nearest: Sequence[Choice] = ()
    meanwhile: Sequence[Change] = ()


@get(_PATH, guards=_MOVES, exception_handlers=PROBLEMS)
async def admin_booking_moving(request: Call, booking_id: FromPath[str]) -> Response[Any]:
    """Show where a booking can be moved on a day."""
    typed = {name: request.query_params.get(name) or "" for name in ("day", "resource")}
    return await _show(request, id_named(booking_id), typed)


@post(_PATH, status_code=200, guards=_MOVES, exception_handlers=PROBLEMS)
async def admin_booking_move(request: Call, booking_id: FromPath[str]) -> Response[Any]:
    """Move a booking to the place that was chosen, or say why it cannot be there, and what is free near it."""
    form = await read_form(request)
    wanted, staff = id_named(booking_id), staff_of(request)
    seen, reason = version_in(form), form.line("reason")[:_LONGEST_REASON] or None
    async with database_of(request).transaction(staff.business_id) as tx:
        booking = await bookings.read_appointment(tx, wanted)
        page = await page_in(tx, request)
        names = await names_in(tx)
    try:
        wish = _wish(page, booking, form)
        await reschedule(desk_of(request), booking, wish, expected_version=seen, reason=reason, actor=staff.actor)
    except AppointmentNotFound:
        raise
    except UserError as error:
        async with database_of(request).transaction(staff.business_id) as tx:
            meanwhile = await changes_since(tx, wanted, seen)
        nearest = _nearest(page, names, error) if isinstance(error, SlotConflict) else []
        return await _show(request, wanted, form.as_typed(), Slip(error, nearest, meanwhile))
    return go(f"/admin/bookings/{wanted}", done="moved")


handlers: list[HTTPRouteHandler] = [admin_booking_moving, admin_booking_move]


async def _show(request: Call, booking_id: UUID, typed: Mapping[str, str], slip: Slip | None = None) -> Response[Any]:
    staff = staff_of(request)
    async with database_of(request).transaction(staff.business_id) as tx:
        page = await page_in(tx, request)
        booking = await bookings.read_appointment(tx, booking_id)
        names = await names_in(tx, [booking.schedule_id])
        if slip is None:
            check_changeable(booking, booking.version, staff.actor)
        day = _day(page, booking, typed.get("day"))
        resource = uuid_or_none(typed.get("resource") or "")
        dates = [] if booking.schedule_id is None else await _dates(tx, page, booking, names)
    free = [] if booking.schedule_id is not None else await _free(request, page, booking, names, day, resource)
    return render(
        page,
        "bookings_move.html",
        200 if slip is None else slip.error.status,
        request=request,
        booking=booking,
        what=names.what(booking),
        whom=names.whom(booking.resource_ids),
        names=names,
        day=day,
        before=day - timedelta(days=1),
        after=day + timedelta(days=1),
        typed={"resource": "", "place": "", "time": "", "reason": "", **typed},
        people=[(str(each.id), each.name) for each in names.of_kind("practitioner") if each.active],
        free=free,
        dates=dates,
        slip=slip,
        slip_text=None if slip is None else why(page, slip.error),
        meanwhile=[] if slip is None else [told(page, change) for change in slip.meanwhile],
    )


async def _free(
    request: Call, page: AdminPage, booking: Booking, names: Names, day: date, resource: UUID | None
) -> list[Choice]:
    """Return what is free on a day by the rules for the public; nothing where these offer nothing."""
    assert booking.service_id is not None, "a slot is of a service"
    desk, zone = desk_of(request), page.business.timezone
    service = names.things.get(booking.service_id)
    if service is None:
        return []
    try:
        found = await free_days(
            desk.database,
            desk.snapshots,
            booking.business_id,
            service.slug,
            zone,
            day,
            day + timedelta(days=1),
            resource_id=resource,
            party=booking.party_size,
        )
    except UserError:
        return []
    return [
        Choice(str(slot.start), page.wording.time(page.wording.local(slot.start)), names.whom(slot.resource_ids))
        for _, slots in found.days
        for slot in slots
    ]


async def _dates(tx: Transaction, page: AdminPage, booking: Booking, names: Names) -> list[Choice]:
    """Return the dates of a program to which a place of it can be moved."""
    assert booking.schedule_id is not None, "a place is of a schedule"
    program = names.things.get(names.program_of[booking.schedule_id])
    if program is None or not program.active:
        return []
    until = datetime.now(UTC) + timedelta(days=_PROGRAM_DAYS)
    found = await list_schedules(tx, program.slug, end=until)
    return [
        Choice(str(each.id), page.wording.moment(each.start), str(each.places_left))
        for each in found.schedules
        if each.id != booking.schedule_id and each.places_left >= booking.party_size
    ]


def _nearest(page: AdminPage, names: Names, error: SlotConflict) -> list[Choice]:
    choices = []
    for each in error.details.get("alternatives", []):
        start = datetime.fromisoformat(each["start"])
        whom = names.name(uuid_or_none(str(each["resourceId"])))
        choices.append(Choice(str(int(start.timestamp())), page.wording.moment(start), whom))
    return choices


def _wish(page: AdminPage, booking: Booking, form: Form) -> Wish:
    """Return where to a form moves a booking; raises ValidationFailed for nowhere."""
    key = keyed(None, f"reschedule {booking.id}", b"")
    if booking.schedule_id is not None:
        schedule_id = uuid_or_none(form.line("place"))
        if schedule_id is None:
            raise ValidationFailed.at("place", _NO_DATE)
        return Wish(party=booking.party_size, key=key, schedule_id=schedule_id)
    start = _start(page, form)
    return Wish(
        party=booking.party_size,
        key=key,
        service_id=booking.service_id,
        start=start,
        end=start + int((booking.ends_at - booking.starts_at).total_seconds()),
        resource_id=uuid_or_none(form.line("resource")),
    )


def _start(page: AdminPage, form: Form) -> int:
    """Return the instant that was chosen, or that a day and a time of the business mean."""
    chosen, typed = form.line("place"), form.line("time")
    if chosen and not typed:
        if not (chosen.isascii() and chosen.isdigit() and len(chosen) <= 11):
            raise ValidationFailed.at("place", _NO_TIME)
        return int(chosen)
    day = date_in(form.line("day"), "day")
    try:
        at = time.fromisoformat(typed) if len(typed) == 5 else None
    except ValueError:
        at = None
    if day is None or at is None:
        raise ValidationFailed.at("time", _NO_TIME)
    return calendar_instant(datetime.combine(day, at), page.business.timezone)


def _day(page: AdminPage, booking: Booking, text: str | None) -> date:
    """Return the day that is looked at: the one asked for, that of the booking, or today if that is over."""
    try:
        day = date_in(text or "", "day")
    except ValidationFailed:
        day = None
    today = today_in(page.wording)
    return day or max(page.wording.local(booking.starts_at).date(), today)
