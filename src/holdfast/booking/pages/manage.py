"""The page of a booking, for whoever has its link: see it, move it, cancel it, take it into a calendar (U-2).

The address has the token of the booking, as the link of a message does. Opening any of these pages changes nothing: a
program that looks at links before a person does cancels no appointment.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect

from holdfast.availability.snapshots import Snapshot
from holdfast.availability.walltime import local_day
from holdfast.booking import bookings
from holdfast.booking.admission import instant, queries
from holdfast.booking.bookings import Booking, back_if_cancelled, check_changeable, keyed
from holdfast.booking.calls import base_url_of, client_appointment
from holdfast.booking.changes import cancel_appointment, reschedule
from holdfast.booking.errors import (
    AlreadyCancelled,
    AppointmentNotFound,
    SlotConflict,
    UnknownSchedule,
    UnknownService,
)
from holdfast.booking.free_time import free_days
from holdfast.booking.giving_back import left_to_send
from holdfast.booking.invites import Shown, invite
from holdfast.booking.pages.opening import PROBLEMS, Call, desk_of, open_page
from holdfast.booking.pages.paying import booking_cookie
from holdfast.booking.pages.rendering import Page, render
from holdfast.booking.reservations import Wish
from holdfast.booking.schedules import list_schedules
from holdfast.booking.states import CANCELLABLE, BookingState
from holdfast.catalog.programs import Program
from holdfast.catalog.services import Service
from holdfast.kernel.audit import CLIENT
from holdfast.kernel.errors import UserError, ValidationFailed
from holdfast.kernel.http import MAX_KEY_LENGTH, count_refusal, decode_form
from holdfast.kernel.ids import new_id, uuid_or_none
from holdfast.kernel.languages import LANGUAGES, N_
from holdfast.kernel.lists import date_in

_PATH = "/{business:str}/booking/slot/manage/{booking_id:str}"
_DAYS_SHOWN = 7
_SCHEDULES_SHOWN = 30
_MAX_REASON = 500
_DONE = {
    "moved": N_("Your booking is moved."),
    "cancelled": N_("Your booking is cancelled."),
    "unchanged": N_("Your booking takes place at this time already."),
}
# Why nothing was changed, to a client.
_REFUSED = {
    "CANCELLATION_CLOSED": N_("It is too late to change this booking here. Please get in touch with us."),
    "price_differs": N_("This time has another price than the one that you have agreed to. Please choose another one."),
    "payment_required": N_("This time would have to be paid beforehand. Please choose another one."),
    "not_changeable": N_("This booking cannot be changed any more."),
    "RESERVATION_ALREADY_CANCELLED": N_("This booking is cancelled already."),
    "slot_conflict": N_("Somebody else has just taken this time. Your booking is as it was."),
    "CAPACITY_EXCEEDED": N_("There are not enough places left. Your booking is as it was."),
    "slot_not_offered": N_("This time cannot be chosen any more. Your booking is as it was."),
    "CONFLICT": N_("This booking was changed in the meantime. Please look at it again; nothing else was changed."),
    "unknown_service": N_("This is not offered any more. Please get in touch with us to move your booking."),
    "unknown_program": N_("This is not offered any more. Please get in touch with us to move your booking."),
    "overloaded": N_("We cannot change bookings at this moment. Nothing was changed; please try again in a minute."),
}


@get(_PATH, exception_handlers=PROBLEMS)
async def manage(request: Call, business: FromPath[str], booking_id: FromPath[str]) -> Response[Any]:
    """Show a booking to whoever has its link, with what they can do."""
    opened = await _opened(request, business, booking_id, request.query_params.get("token"))
    done = _DONE.get(request.query_params.get("done", ""))
    return await _manage(request, opened, done=done)


@get(f"{_PATH}/move", exception_handlers=PROBLEMS)
async def manage_move(request: Call, business: FromPath[str], booking_id: FromPath[str]) -> Response[Any]:
    """Show where a booking could move to; or, when a place is chosen, from where to where it would."""
    opened = await _opened(request, business, booking_id, request.query_params.get("token"))
    try:
        check_changeable(opened.booking, None, CLIENT)
        if request.query_params.get("start") or request.query_params.get("schedule"):
            return await _confirm_move(request, opened)
        return await _choose(request, opened)
    except UserError as refused:
        return await _refused(request, opened, refused)


@post(f"{_PATH}/move", status_code=200, exception_handlers=PROBLEMS)
async def manage_moved(request: Call, business: FromPath[str], booking_id: FromPath[str]) -> Response[Any]:
    """Move a booking; on a lost race nothing changes, and what is free instead is shown."""
    form = decode_form(await request.body())
    opened = await _opened(request, business, booking_id, form.get("token"))
    start, schedule_id = _place_in(form)
    booking = opened.booking
    if (start is not None and start == int(booking.starts_at.timestamp())) or (
        schedule_id is not None and schedule_id == booking.schedule_id
    ):
        return _back(opened, "unchanged")
    service = None if booking.service_id is None else opened.snapshot.services.get(booking.service_id)
    key = keyed(_key_in(form), f"move by form {booking.id}", f"{start} {schedule_id}".encode())
    wish = Wish(
        party=booking.party_size,
        key=key,
        schedule_id=schedule_id,
        service_id=None if schedule_id is not None else booking.service_id,
        start=start,
        end=None if start is None or service is None else start + service.duration_minutes * 60,
    )
    try:
        await reschedule(desk_of(request), booking, wish, expected_version=_version_in(form), reason=None)
    except SlotConflict as lost:
        count_refusal(lost.code)
        return await _choose(request, opened, lost)
    except UserError as refused:
        return await _refused(request, opened, refused)
    return _back(opened, "moved")


@get(f"{_PATH}/cancel", exception_handlers=PROBLEMS)
async def manage_cancel(request: Call, business: FromPath[str], booking_id: FromPath[str]) -> Response[Any]:
    """Say what a cancellation would give back, with the form that cancels."""
    opened = await _opened(request, business, booking_id, request.query_params.get("token"))
    try:
        check_changeable(opened.booking, None, CLIENT, states=CANCELLABLE)
    except UserError as refused:
        return await _refused(request, opened, refused)
    async with desk_of(request).database.transaction(opened.booking.business_id) as tx:
        back = await back_if_cancelled(tx, opened.booking)
    return _render(opened, "manage_cancel.html", back=back, key=new_id())


@post(f"{_PATH}/cancel", status_code=200, exception_handlers=PROBLEMS)
async def manage_cancelled(request: Call, business: FromPath[str], booking_id: FromPath[str]) -> Response[Any]:
    """Cancel a booking; sending the form twice cancels once and shows the same."""
    form = decode_form(await request.body())
    opened = await _opened(request, business, booking_id, form.get("token"))
    booking = opened.booking
    reason = form.get("reason") or None
    if reason is not None and len(reason) > _MAX_REASON:
        raise ValidationFailed.at("reason", f"must have at most {_MAX_REASON} characters")
    key = keyed(_key_in(form), f"cancel by form {booking.id}", b"")
    try:
        await cancel_appointment(
            desk_of(request).database, booking, key, expected_version=_version_in(form), reason=reason
        )
    except AlreadyCancelled:
        return _back(opened, "cancelled")
    except UserError as refused:
        # Also of one that was changed meanwhile: what goes back may be another amount now than the one that was said.
        return await _refused(request, opened, refused)
    return _back(opened, "cancelled")


@get(f"{_PATH}/calendar.ics", exception_handlers=PROBLEMS)
async def manage_file(request: Call, business: FromPath[str], booking_id: FromPath[str]) -> Response[Any]:
    """Return a booking as a calendar file: the same event each time, as it is now (RFC 5545)."""
    opened = await _opened(request, business, booking_id, request.query_params.get("token"))
    page, booking = opened.page, opened.booking
    base = request.app.state.calendars.public_url or base_url_of(request)
    link = f"{base}{opened.link()}"
    assert page.business is not None, "a booking is of a business"
    offering = opened.service or opened.program
    shown = Shown(
        title=page.business.name if offering is None else offering.name,
        business=page.business.name,
        organizer=f"{base}/{page.business.slug}/booking/slot",
        description=page.text(N_("See, move or cancel your booking: %(link)s"), link=link),
        manage_url=link,
    )
    headers = {
        "Content-Disposition": 'attachment; filename="booking.ics"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(invite(booking, shown), media_type="text/calendar", headers=headers)


handlers: list[HTTPRouteHandler] = [manage, manage_move, manage_moved, manage_cancel, manage_cancelled, manage_file]


@dataclass(frozen=True, slots=True)
class _Opened:
    """A booking with the page on which its client sees it, and the token that proves that it is theirs."""

    page: Page
    snapshot: Snapshot
    booking: Booking
    program: Program | None
    token: str

    @property
    def service(self) -> Service | None:
        """Return the service that was booked; None for a group."""
        return None if self.booking.service_id is None else self.snapshot.services.get(self.booking.service_id)

    def link(self, more: str = "", **query: Any) -> str:
        """Return the address of this page, or of one below it."""
        return self.page.link(f"/booking/slot/manage/{self.booking.id}{more}", token=self.token, **query)


async def _opened(request: Call, business: str, text: str, token: str | None) -> _Opened:
    """Open the page of a booking for whoever has its token.

    Raises UnknownBusiness, AppointmentNotFound, AuthenticationRequired.
    """
    page, snapshot = await open_page(request, business)
    booking = await client_appointment(request, text, token)
    if booking.business_id != snapshot.business.id:
        raise AppointmentNotFound
    program = None
    if booking.schedule_id is not None:
        async with desk_of(request).database.transaction(snapshot.business.id) as tx:
            values = {"business_id": snapshot.business.id, "id": booking.schedule_id}
            [schedule] = await tx.rows(queries["find_schedule"], values)
        program = snapshot.programs.get(schedule["program_id"])
    page = request.state.page = _in_their_words(page, booking)
    assert token is not None, "it has proven the booking"
    return _Opened(page, snapshot, booking, program, token)


def _in_their_words(page: Page, booking: Booking) -> Page:
    """Return the page in the language and the zone in which they have booked, unless the address names others."""
    language = (booking.locale or "")[:2]
    if "lang" not in page.choices and language in LANGUAGES:
        page = replace(page, language=language)
    if "tz" not in page.choices and booking.timezone is not None:
        page = replace(page, zone=booking.timezone)
    return page


def _render(opened: _Opened, template: str, status: int = 200, **values: Any) -> Response[Any]:
    booking = opened.booking
    resources = (opened.snapshot.resources.get(resource_id) for resource_id in booking.resource_ids)
    what = {
        "service": opened.service,
        "program": opened.program,
        "resources": [r for r in resources if r is not None and r.kind != "pool"],
        "at": booking.starts_at,
    }
    return render(
        opened.page, template, status, booking=booking, link=opened.link, token=opened.token, **(what | values)
    )


async def _manage(
    request: Call, opened: _Opened, status: int = 200, *, done: str | None = None, slip: str | None = None
) -> Response[Any]:
    booking = opened.booking
    async with desk_of(request).database.transaction(booking.business_id) as tx:
        back = await back_if_cancelled(tx, booking)
        left = await left_to_send(tx, booking)
    is_over = booking.starts_at <= booking.now
    until = booking.starts_at - timedelta(minutes=booking.cancel_notice_minutes)
    is_waiting = booking.status is BookingState.PENDING_PAYMENT
    is_changeable = booking.status is BookingState.CONFIRMED and booking.now < until
    answer = _render(
        opened,
        "manage.html",
        status,
        done=None if done is None else opened.page.text(done),
        slip=slip,
        back=back,
        left_minor=left,
        is_over=is_over,
        is_waiting=is_waiting,
        may_move=is_changeable,
        may_cancel=is_changeable or is_waiting,
        # Where there is no notice, there is nothing to be told of it.
        until=until if is_changeable and booking.cancel_notice_minutes else None,
    )
    if is_waiting:
        # Whoever has the link may pay.
        answer.headers["Set-Cookie"] = booking_cookie(request, opened.page, booking.id, opened.token)
    return answer


async def _refused(request: Call, opened: _Opened, refused: UserError) -> Response[Any]:
    """Show the booking as it is now, and why it was not changed."""
    count_refusal(refused.code)
    known = _REFUSED.get(refused.code)
    slip = opened.page.problem(refused) if known is None else opened.page.text(known)
    async with desk_of(request).database.transaction(opened.booking.business_id) as tx:
        now = await bookings.read_appointment(tx, opened.booking.id)
    answer = await _manage(request, replace(opened, booking=now), refused.status, slip=slip)
    answer.headers.update(refused.headers)
    return answer


def _back(opened: _Opened, done: str) -> Response[Any]:
    """Lead back to the booking after a form, so that loading the page again sends nothing."""
    return Redirect(opened.link(done=done), status_code=303)


async def _choose(request: Call, opened: _Opened, lost: SlotConflict | None = None) -> Response[Any]:
    """Show what is free; after a lost race what is nearest to the place that was lost comes first."""
    page, booking = opened.page, opened.booking
    desk = desk_of(request)
    slip = None if lost is None else page.text(_REFUSED[lost.code])
    alternatives = [] if lost is None else [datetime.fromisoformat(a["start"]) for a in lost.details["alternatives"]]
    values: dict[str, Any] = {"slip": slip, "alternatives": alternatives}
    status = 200 if lost is None else lost.status
    if booking.schedule_id is not None:
        schedules = []
        if opened.program is not None:
            async with desk.database.transaction(booking.business_id) as tx:
                found = await list_schedules(tx, opened.program.slug, limit=_SCHEDULES_SHOWN)
            schedules = [s for s in found.schedules if s.id != booking.schedule_id]
        return _render(opened, "manage_schedules.html", status, schedules=schedules, **values)
    if opened.service is None:
        raise UnknownService
    today = local_day(int(booking.now.timestamp()), page.zone)
    horizon = today + timedelta(days=opened.service.max_horizon_days)
    asked = date_in(request.query_params.get("day") or None, "day")
    first = min(max(today, asked or local_day(int(booking.starts_at.timestamp()), page.zone)), horizon)
    later = first + timedelta(days=_DAYS_SHOWN)
    free = await free_days(
        desk.database, desk.snapshots, booking.business_id, opened.service.slug, page.zone, first, later
    )
    days = [(day, [(slot.start, page.local(slot.start)) for slot in slots]) for day, slots in free.days if slots]
    return _render(
        opened,
        "manage_times.html",
        status,
        days=days,
        next_day=None if free.next_free is None else local_day(free.next_free, page.zone),
        earlier=max(today, first - timedelta(days=_DAYS_SHOWN)) if first > today else None,
        later=later if later <= horizon else None,
        **values,
    )


async def _confirm_move(request: Call, opened: _Opened) -> Response[Any]:
    start, schedule_id = _place_in(dict(request.query_params))
    if schedule_id is not None:
        async with desk_of(request).database.transaction(opened.booking.business_id) as tx:
            found = await tx.rows(
                queries["find_schedule"], {"business_id": opened.booking.business_id, "id": schedule_id}
            )
        if not found:
            raise UnknownSchedule
        to = found[0]["starts_at"]
    else:
        assert start is not None, "one of the two is named"
        to = instant(start)
    return _render(opened, "manage_move.html", to=to, start=start, schedule=schedule_id, key=new_id())


def _place_in(values: Mapping[str, str]) -> tuple[int | None, UUID | None]:
    """Return the start, in epoch seconds, or the schedule that was chosen; raises ValidationFailed for neither."""
    schedule_id = uuid_or_none(values.get("schedule", ""))
    if schedule_id is not None:
        return None, schedule_id
    text = values.get("start", "")
    if not (text.isascii() and text.isdigit() and len(text) <= 11):
        raise ValidationFailed.at("start", "choose one of the times shown")
    return int(text), None


def _key_in(form: Mapping[str, str]) -> str:
    return (form.get("key") or str(new_id()))[:MAX_KEY_LENGTH]


def _version_in(form: Mapping[str, str]) -> int | None:
    text = form.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None
