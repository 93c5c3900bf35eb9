"""What staff do with one booking from its page: note, cancel, say how it ended, refund."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.bookings_one import PATH, refused
from holdfast.admin.frame import MAX_FORM_BYTES, PROBLEMS, Call, Form, checked, database_of, go, read_form
from holdfast.booking import bookings, notes, outcomes, views
from holdfast.booking.bookings import Booking
from holdfast.booking.states import BookingState
from holdfast.identity.calls import id_named, may_read_confided
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import Forbidden, UserError, ValidationFailed
from holdfast.kernel.languages import N_

Change = Callable[[Transaction], Awaitable[object]]

_SHOWN_AS = "/admin/bookings"
_NOTED = N_("Somebody has noted something already: read it before you write over it")


class NoteForm(msgspec.Struct, kw_only=True):
    """What is noted; nothing removes what was noted before."""

    note: views.Note = ""


class ReasonForm(msgspec.Struct, kw_only=True):
    """Why a booking is changed."""

    reason: views.Reason | None = None


@post(
    PATH + "/note",
    status_code=200,
    guards=[Needs(Permission.CHANGE_APPOINTMENTS)],
    exception_handlers=PROBLEMS,
    request_max_body_size=MAX_FORM_BYTES,
)
async def admin_booking_note(request: Call, booking_id: FromPath[str]) -> Response[Any]:
    """Keep a note about a booking; over one that is there only from whoever may read it."""
    form = await read_form(request)
    wanted, staff = id_named(booking_id), staff_of(request)
    seen = version_in(form)

    async def work(tx: Transaction) -> Booking:
        text = checked(NoteForm, {"note": form.text("note")}).note
        booking = await bookings.read_appointment(tx, wanted)
        if booking.has_note and not may_read_confided(staff, await bookings.taken_by(tx, booking)):
            raise Forbidden(_NOTED)
        return await notes.put_note(tx, wanted, text, expected_version=seen, actor=staff.actor)

    return await _made(request, wanted, form, "note", work, "noted")


@post(PATH + "/cancel", status_code=200, guards=[Needs(Permission.CHANGE_APPOINTMENTS)], exception_handlers=PROBLEMS)
async def admin_booking_cancel(request: Call, booking_id: FromPath[str]) -> Response[Any]:
    """Cancel a booking, giving back as much as was chosen."""
    form = await read_form(request)
    wanted = id_named(booking_id)
    change = partial(
        bookings.cancel, booking_id=wanted, expected_version=version_in(form), refund_percent=_percent(form)
    )
    return await _reasoned(request, wanted, form, "cancel", change, "cancelled")


@post(PATH + "/outcome", status_code=200, guards=[Needs(Permission.RECORD_OUTCOMES)], exception_handlers=PROBLEMS)
async def admin_booking_outcome(request: Call, booking_id: FromPath[str]) -> Response[Any]:
    """Say whether the client came, or correct it."""
    form = await read_form(request)
    wanted = id_named(booking_id)
    came = form.line("outcome")
    if came not in outcomes.OUTCOMES:
        raise ValidationFailed.at("outcome", f"must be one of {', '.join(sorted(outcomes.OUTCOMES))}")
    change = partial(
        outcomes.record_outcome, booking_id=wanted, outcome=BookingState(came), expected_version=version_in(form)
    )
    return await _reasoned(request, wanted, form, "outcome", change, "outcome")


@post(PATH + "/refund", status_code=200, guards=[Needs(Permission.REFUND_APPOINTMENTS)], exception_handlers=PROBLEMS)
async def admin_booking_refund(request: Call, booking_id: FromPath[str]) -> Response[Any]:
    """Refund a booking; what was paid through Holdfast goes back."""
    form = await read_form(request)
    wanted = id_named(booking_id)
    change = partial(outcomes.refund, booking_id=wanted, expected_version=version_in(form))
    return await _reasoned(request, wanted, form, "refund", change, "refunded")


handlers: list[HTTPRouteHandler] = [
    admin_booking_note,
    admin_booking_cancel,
    admin_booking_outcome,
    admin_booking_refund,
]


async def _reasoned(
    request: Call, booking_id: UUID, form: Form, action: str, change: Callable[..., Awaitable[object]], done: str
) -> Response[Any]:
    async def work(tx: Transaction) -> object:
        reason = checked(ReasonForm, {"reason": form.line("reason")}).reason
        return await change(tx, reason=reason, actor=staff_of(request).actor)

    return await _made(request, booking_id, form, action, work, done)


async def _made(request: Call, booking_id: UUID, form: Form, action: str, change: Change, done: str) -> Response[Any]:
    try:
        await database_of(request).run(staff_of(request).business_id, change)
    except UserError as error:
        return await refused(request, booking_id, error, action, form.as_typed(), version_in(form))
    return go(f"{_SHOWN_AS}/{booking_id}", done=done)


def version_in(form: Form) -> int:
    """Return the version that a form says was seen; raises ValidationFailed."""
    text = form.line("version")
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ValidationFailed.at("version", "is missing: open the page anew")
    return int(text)


def _percent(form: Form) -> int | None:
    text = form.line("refund")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text[:4]) <= 100):
        raise ValidationFailed.at("refund", "must be from 0 to 100")
    return int(text)
