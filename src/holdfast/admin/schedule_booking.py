"""One booking from the calendar: its essentials, and moving it, cancelling it, and saying how it ended."""

from collections import defaultdict
from functools import partial
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.frame import PROBLEMS, AdminPage, Call, Form, database_of, open_page, page_in, read_form, render
from holdfast.admin.schedule_board import STATES
from holdfast.admin.schedule_moments import NOT_BACK, Undo, instant_in, moment_in, refusal_of, snapshot_of, told
from holdfast.admin.schedule_reading import PATH
from holdfast.availability.snapshots import Snapshot
from holdfast.booking.bookings import Booking, back_if_cancelled, find, keyed
from holdfast.booking.calls import desk_of
from holdfast.booking.changes import cancel_appointment, once, reschedule
from holdfast.booking.contacts import Person, person_of
from holdfast.booking.errors import AppointmentNotFound, SlotConflict, UnknownService
from holdfast.booking.giving_back import amount_of
from holdfast.booking.outcomes import OUTCOMES, record_outcome
from holdfast.booking.reservations import Wish
from holdfast.booking.states import CANCELLABLE, BookingState
from holdfast.booking.views import ChangedView
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import UserError, ValidationFailed
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.languages import N_
from holdfast.kernel.privacy import Undecipherable

_PATH = f"{PATH}/bookings/{{booking_id:str}}"
_MOVED = N_("Moved to %(when)s.")
_BACK = N_("It is back at %(when)s.")
_CANCELLED = N_("The appointment was cancelled.")
_CANCELLED_BACK = N_("The appointment was cancelled. Goes back to the client: %(amount)s.")
_OUTCOME_WORDS = {
    BookingState.COMPLETED: N_("Noted: the client came."),
    BookingState.NO_SHOW: N_("Noted: the client did not come."),
}
_MAX_REASON = 500


@get(_PATH, guards=[Needs(Permission.READ_APPOINTMENTS)], exception_handlers=PROBLEMS)
async def admin_schedule_booking(request: Call, booking_id: FromPath[str]) -> Response[Any]:
    """Show the essentials of a booking and what can be done with it."""
    return await _shown(request, booking_id)


@post(f"{_PATH}/move", status_code=200, guards=[Needs(Permission.CHANGE_APPOINTMENTS)], exception_handlers=PROBLEMS)
async def admin_schedule_move(request: Call, booking_id: FromPath[str]) -> Response[Any]:
    """Move an appointment to another time, and to somebody else where they are named; or take a move back."""
    form = await read_form(request)
    booking = await _own(request, booking_id)
    page = await open_page(request)
    snapshot = await snapshot_of(request, page)
    try:
        start = instant_in(form.line("start")) if form.line("start") else moment_in(form, page.business.timezone)
        wish = _wish(form, booking, snapshot, start)
        version = _version(form)
        moved = await reschedule(
            desk_of(request), booking, wish, expected_version=version, reason=_reason(form), actor=page.staff.actor
        )
    except UserError as refused:
        if form.ticked("undo") and isinstance(refused, SlotConflict):
            refused.message = NOT_BACK
        return await _shown(request, booking_id, form, refused)
    when = page.wording.moment(int(moved.start.timestamp()))
    undo = Undo(
        f"{PATH}/bookings/{booking.id}/move",
        int(booking.starts_at.timestamp()),
        _leader(booking, snapshot),
        moved.version,
    )
    is_undo = form.ticked("undo")
    text = page.text(_BACK if is_undo else _MOVED, when=when)
    day = page.wording.local(int(moved.start.timestamp())).date()
    return told(page, request, "moved", text, day, None if is_undo or moved.version == booking.version else undo)


@post(f"{_PATH}/cancel", status_code=200, guards=[Needs(Permission.CHANGE_APPOINTMENTS)], exception_handlers=PROBLEMS)
async def admin_schedule_cancel(request: Call, booking_id: FromPath[str]) -> Response[Any]:
    """Cancel an appointment; how much goes back was said on the form."""
    form = await read_form(request)
    booking = await _own(request, booking_id)
    page = await open_page(request)
    try:
        answer = await cancel_appointment(
            database_of(request),
            booking,
            keyed(None, "cancel", b""),
            expected_version=_version(form),
            reason=_reason(form),
            actor=page.staff.actor,
            refund_percent=_percent(form),
        )
    except UserError as refused:
        return await _shown(request, booking_id, form, refused)
    text = page.text(_CANCELLED)
    if answer.refund_minor:
        text = page.text(_CANCELLED_BACK, amount=page.wording.price(answer.refund_minor, booking.currency))
    return told(page, request, "cancelled", text, page.wording.local(booking.starts_at).date())


@post(f"{_PATH}/outcome", status_code=200, guards=[Needs(Permission.RECORD_OUTCOMES)], exception_handlers=PROBLEMS)
async def admin_schedule_outcome(request: Call, booking_id: FromPath[str]) -> Response[Any]:
    """Say whether the client came, or correct it."""
    form = await read_form(request)
    booking = await _own(request, booking_id)
    page = await open_page(request)
    try:
        if form.line("outcome") not in OUTCOMES:
            raise ValidationFailed.at("outcome", N_("Say whether the client came."))
        outcome = BookingState(form.line("outcome"))
        change = partial(
            record_outcome,
            booking_id=booking.id,
            outcome=outcome,
            expected_version=_version(form),
            reason=_reason(form),
            actor=page.staff.actor,
        )
        await once(database_of(request), booking, keyed(None, "outcome", b""), ChangedView, change)
    except UserError as refused:
        return await _shown(request, booking_id, form, refused)
    return told(
        page, request, "outcome", page.text(_OUTCOME_WORDS[outcome]), page.wording.local(booking.starts_at).date()
    )


handlers: list[HTTPRouteHandler] = [
    admin_schedule_booking,
    admin_schedule_move,
    admin_schedule_cancel,
    admin_schedule_outcome,
]


async def _own(request: Call, text: str) -> Booking:
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        return await _found(tx, text)


async def _found(tx: Transaction, text: str) -> Booking:
    """Return a booking of the business in any state; raises AppointmentNotFound."""
    booking_id = uuid_or_none(text)
    booking = None if booking_id is None else await find(tx, booking_id)
    if booking is None:
        raise AppointmentNotFound
    return booking


async def _shown(request: Call, text: str, form: Form | None = None, refused: UserError | None = None) -> Response[Any]:
    """Show a booking as it is now; after a refusal with what was typed, and what others have done meanwhile."""
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        booking = await _found(tx, text)
        person = await _person(tx, booking)
        money = await _money(tx, page, booking)
        snapshot = await snapshot_of(request, page)
        seen = None if form is None else (booking.id, instant_in(form.line("version")) or booking.version)
        refusal = None if refused is None else await refusal_of(tx, page, refused, snapshot, seen)
    if form is not None and form.ticked("drop") and refusal is not None and page.is_part:
        return render(page, "schedule_refused.html", refusal.status, request=request, refusal=refusal)
    service = None if booking.service_id is None else snapshot.services.get(booking.service_id)
    starts = page.wording.local(booking.starts_at)
    leaders = [] if service is None else [snapshot.resources[each] for each in service.requirements[0]]
    typed = {
        "date": starts.date().isoformat(),
        "time": starts.strftime("%H:%M"),
        "resource": str(_leader(booking, snapshot) or ""),
        **({} if form is None else form.as_typed()),
    }
    is_over = booking.starts_at <= booking.now
    return render(
        page,
        "schedule_booking.html",
        200 if refusal is None else refusal.status,
        request=request,
        booking=booking,
        state=STATES[booking.status],
        person=person,
        service=service,
        whom=[snapshot.resources[each] for each in booking.resource_ids if each in snapshot.resources],
        leaders=[each for each in leaders if each.active],
        ends=page.wording.local(booking.ends_at),
        starts=starts,
        typed=defaultdict(str, typed),
        refusal=refusal,
        asks_twice=refusal is not None and "occurrence" in refusal.wrong,
        money=money,
        zone=page.business.timezone,
        may_move=page.may(Permission.CHANGE_APPOINTMENTS) and booking.state == "confirmed" and service is not None,
        may_cancel=page.may(Permission.CHANGE_APPOINTMENTS) and booking.state in CANCELLABLE,
        may_end=page.may(Permission.RECORD_OUTCOMES)
        and is_over
        and booking.state in OUTCOMES | {BookingState.CONFIRMED},
    )


async def _person(tx: Transaction, booking: Booking) -> Person:
    try:
        return person_of(await tx.keys(), booking)
    except Undecipherable:
        return Person()


async def _money(tx: Transaction, page: AdminPage, booking: Booking) -> dict[str, Any] | None:
    """Return what was paid and what would go back: all of it, or by the terms; None where nothing was paid."""
    if booking.state not in CANCELLABLE or booking.due_minor is None:
        return None
    paid = await amount_of(tx, booking, 100)
    if not paid:
        return None
    by_terms = await back_if_cancelled(tx, booking)
    percent, amount = (0, 0) if by_terms is None else by_terms
    w, currency = page.wording, booking.currency
    options = {100: page.text(N_("All of it: %(amount)s"), amount=w.price(paid, currency))}
    options.setdefault(
        percent, page.text(N_("As agreed with the client: %(amount)s"), amount=w.price(amount, currency))
    )
    options.setdefault(0, page.text(N_("Nothing")))
    return {"paid": w.price(paid, currency), "options": list(options.items())}


def _leader(booking: Booking, snapshot: Snapshot) -> UUID | None:
    """Return who or what leads an appointment: whose opening hours count."""
    service = None if booking.service_id is None else snapshot.services.get(booking.service_id)
    leaders = () if service is None else service.requirements[0]
    return next((each for each in booking.resource_ids if each in leaders), None)


def _wish(form: Form, booking: Booking, snapshot: Snapshot, start: int | None) -> Wish:
    """Return where an appointment is to be moved; raises ValidationFailed, UnknownService."""
    service = None if booking.service_id is None else snapshot.services.get(booking.service_id)
    if service is None:
        raise UnknownService
    if start is None:
        raise ValidationFailed.at("time", N_("Choose a time."))
    # Dragged along in a column of what only takes part, it stays with whom it is.
    named = None if form.line("resource") == form.line("from") else uuid_or_none(form.line("resource"))
    return Wish(
        party=booking.party_size,
        key=keyed(None, "reschedule", b""),
        service_id=service.id,
        start=start,
        end=start + service.duration_minutes * 60,
        resource_id=named or _leader(booking, snapshot),
    )


def _version(form: Form) -> int | None:
    return instant_in(form.line("version"))


def _percent(form: Form) -> int | None:
    text = form.line("refund")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= 100):
        raise ValidationFailed.at("refund", N_("Say how much goes back."))
    return int(text)


def _reason(form: Form) -> str | None:
    reason = form.text("reason")
    if len(reason) > _MAX_REASON:
        raise ValidationFailed.at("reason", N_("Write at most 500 characters."))
    return reason or None
