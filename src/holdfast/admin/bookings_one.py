"""One booking: everything about it, and what is noted and confided to those who may read that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.bookings_words import (
    MESSAGE_REASONS,
    MESSAGE_STATES,
    MESSAGES,
    OTHER_MESSAGE,
    SQL,
    STATES,
    names_in,
    told,
    why,
)
from holdfast.admin.customers_known import known_by
from holdfast.admin.frame import PROBLEMS, AdminPage, Call, database_of, page_in, render
from holdfast.admin.payments_words import PAYMENT_STATES
from holdfast.availability.wording import Wording
from holdfast.booking import bookings, intake, notes
from holdfast.booking.bookings import Booking, back_if_cancelled, taken_by
from holdfast.booking.contacts import person_of
from holdfast.booking.errors import AppointmentNotFound
from holdfast.booking.giving_back import amount_of, is_owed
from holdfast.booking.history import Change, changes_since
from holdfast.booking.series_changes import bookings_of as bookings_of_series
from holdfast.booking.series_changes import find_series_of
from holdfast.booking.states import CANCELLABLE, BookingState
from holdfast.identity.calls import id_named, may_read_confided
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import Forbidden, NotFound, UserError
from holdfast.kernel.languages import N_
from holdfast.notifications.messages import messages_of
from holdfast.payments.staff_views import list_payments

PATH = "/admin/bookings/{booking_id:str}"

# What an export that waits, stands or has failed is called, by the state of its row.
_EXPORTS = {
    "wanted": N_("waits to be written"),
    "exported": N_("stands in the calendar"),
    "removed": N_("taken out of the calendar"),
    "conflict": N_("somebody has changed it in the calendar"),
}
NOTICES = {
    "moved": N_("The booking was moved."),
    "cancelled": N_("The booking was cancelled. Its place is free."),
    "outcome": N_("The outcome is kept."),
    "refunded": N_("The booking was refunded. Its place is free."),
    "noted": N_("The note is kept."),
}
_ALL_PERCENT = 100


@dataclass(frozen=True, slots=True)
class Slip:
    """What became of a change that was not made: why, what others did meanwhile, and what was typed."""

    error: UserError
    action: str
    typed: Mapping[str, str] = field(default_factory=dict)
    meanwhile: Sequence[Change] = ()


@dataclass(frozen=True, slots=True)
class Confided:
    """What is noted about a booking, and what its client has answered."""

    note: str | None
    answers: Mapping[str, str]


@get(PATH, guards=[Needs(Permission.READ_APPOINTMENTS)], exception_handlers=PROBLEMS)
async def admin_booking(request: Call, booking_id: FromPath[str]) -> Response[Any]:
    """Show one booking."""
    return await show(request, id_named(booking_id))


@post(PATH + "/confided", status_code=200, guards=[Needs(Permission.READ_APPOINTMENTS)], exception_handlers=PROBLEMS)
async def admin_booking_confided(request: Call, booking_id: FromPath[str]) -> Response[Any]:
    """Show a booking with what is noted and confided; who has read it is written down."""
    wanted, staff = id_named(booking_id), staff_of(request)

    async def read(tx: Transaction) -> Confided:
        booking = await bookings.read_appointment(tx, wanted)
        if not may_read_confided(staff, await taken_by(tx, booking)):
            raise Forbidden("Only an owner and whom the client comes to may read what is confided or noted")
        note = await notes.read_note(tx, wanted, staff.actor)
        try:
            answers = (await intake.read(tx, wanted, staff.actor)).answers
        except NotFound:
            answers = {}
        return Confided(note, answers)

    return await show(request, wanted, confided=await database_of(request).run(staff.business_id, read))


handlers: list[HTTPRouteHandler] = [admin_booking, admin_booking_confided]


async def show(
    request: Call, booking_id: UUID, *, slip: Slip | None = None, confided: Confided | None = None
) -> Response[Any]:
    """Return the page of a booking as it is now, also after a change that was refused."""
    staff = staff_of(request)
    async with database_of(request).transaction(staff.business_id) as tx:
        page = await page_in(tx, request)
        booking = await bookings.find(tx, booking_id)
        if booking is None:
            raise AppointmentNotFound
        series = await find_series_of(tx, booking_id)
        siblings = [] if series is None else await bookings_of_series(tx, series.id)
        names = await names_in(tx, [booking.schedule_id])
        taken = await taken_by(tx, booking)
        keys = await tx.keys()
        person = person_of(keys, booking)
        reached = person.email or person.phone
        known = None if reached is None else known_by(keys, reached)
        history = await changes_since(tx, booking_id, 0) if booking.was_committed else []
        named = {"business_id": tx.business_id, "id": booking_id}
        may_confide = may_read_confided(staff, taken)
        values: dict[str, Any] = {
            "has_intake": may_confide and bool(await tx.value(SQL["has_intake"], named)),
            "exports": await _exports(tx, booking, named),
            "payments": await list_payments(tx, booking_id=booking_id) if page.may(Permission.READ_PAYMENTS) else [],
            "messages": await messages_of(tx, booking_id) if booking.was_committed else [],
            "can": await _can(tx, page, booking),
            "backs": await _backs(tx, page, booking),
        }
    return render(
        page,
        "bookings_one.html",
        200 if slip is None else slip.error.status,
        request=request,
        notices=NOTICES,
        booking=booking,
        names=names,
        what=names.what(booking),
        whom=names.whom(taken),
        person=person,
        known=known,
        state=STATES[booking.status],
        elsewhere=_elsewhere(page, booking),
        history=[told(page, change) for change in history],
        meanwhile=[] if slip is None else [told(page, change) for change in slip.meanwhile],
        slip=slip,
        slip_text=None if slip is None else why(page, slip.error),
        confided=confided,
        may_confide=may_confide,
        siblings=[(each, STATES[each.status]) for each in siblings],
        payment_states=PAYMENT_STATES,
        message_words=MESSAGES,
        other_message=OTHER_MESSAGE,
        message_states=MESSAGE_STATES,
        message_reasons=MESSAGE_REASONS,
        **values,
    )


async def _can(tx: Transaction, page: AdminPage, booking: Booking) -> dict[str, bool]:
    """Return what whoever sees the page can do about a booking as it is."""
    state = booking.status
    changes = page.may(Permission.CHANGE_APPOINTMENTS)
    has_begun = booking.starts_at <= booking.now
    settled = state in (BookingState.COMPLETED, BookingState.NO_SHOW)
    refundable = state is BookingState.CONFIRMED or (state is BookingState.CANCELLED and await is_owed(tx, booking))
    return {
        "move": changes and state is BookingState.CONFIRMED,
        "cancel": changes and state in CANCELLABLE,
        "settle": page.may(Permission.RECORD_OUTCOMES) and (settled or (state is BookingState.CONFIRMED and has_begun)),
        "refund": page.may(Permission.REFUND_APPOINTMENTS) and refundable,
        "note": changes and booking.was_committed,
    }


async def _backs(tx: Transaction, page: AdminPage, booking: Booking) -> list[tuple[str, str]]:
    """Return what may go back with a cancellation, as choices with their amounts; none where nothing was taken."""
    if booking.due_minor is None or booking.state != BookingState.CONFIRMED:
        return []
    by_terms = await back_if_cancelled(tx, booking)
    percents = {_ALL_PERCENT: N_("All of it"), 0: N_("Nothing")}
    if by_terms is not None and by_terms[0] not in percents:
        percents = {_ALL_PERCENT: N_("All of it"), by_terms[0]: N_("What the client has agreed to"), 0: N_("Nothing")}
    return [
        (
            str(percent),
            f"{page.text(label)}: {page.wording.price(await amount_of(tx, booking, percent), booking.currency)}",
        )
        for percent, label in percents.items()
    ]


async def _exports(tx: Transaction, booking: Booking, named: dict[str, Any]) -> list[dict[str, Any]]:
    keys = await tx.keys()
    return [
        {
            "name": keys.open("calendars.name", row["calendar_id"], bytes(row["name"])),
            "words": _EXPORTS[row["state"]],
            "waits": row["next_attempt_at"] is not None and booking.was_committed,
            "error": row["error_code"],
        }
        for row in await tx.rows(SQL["exports_of"], named)
    ]


def _elsewhere(page: AdminPage, booking: Booking) -> str | None:
    """Return when a booking begins where its client is, if clocks show another time there."""
    if booking.timezone is None or booking.timezone == page.business.timezone:
        return None
    there = Wording(page.language, booking.timezone)
    return (
        None
        if there.moment(booking.starts_at) == page.wording.moment(booking.starts_at)
        else there.moment(booking.starts_at)
    )


async def refused(
    request: Call, booking_id: UUID, error: UserError, action: str, typed: Mapping[str, str], seen: int | None
) -> Response[Any]:
    """Return the page of a booking after a change that was refused: why, and what others have done since it was seen.

    Nothing that was typed is lost. Raises the error for a booking that is not there.
    """
    if isinstance(error, AppointmentNotFound):
        raise error
    meanwhile: Sequence[Change] = ()
    if seen is not None:
        async with database_of(request).transaction(staff_of(request).business_id) as tx:
            meanwhile = await changes_since(tx, booking_id, seen)
    return await show(request, booking_id, slip=Slip(error, action, typed, meanwhile))
