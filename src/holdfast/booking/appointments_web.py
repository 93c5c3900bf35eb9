"""Appointments over HTTP: for the client who has the booking's token, and for staff who have a key."""

from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from uuid import UUID

import msgspec
from litestar import Response, get, patch, post
from litestar.params import FromPath

from holdfast.booking import bookings, views
from holdfast.booking.bookings import Booking, back_if_cancelled
from holdfast.booking.calls import (
    Call,
    client_appointment,
    desk_of,
    expected_version,
    key_of,
    own_appointment,
    place_named,
)
from holdfast.booking.changes import cancel_appointment, once, reschedule
from holdfast.booking.contacts import Contact, change_contact, person_of
from holdfast.booking.history import told_in_words
from holdfast.booking.notes import put_note
from holdfast.booking.payment_views import RefundView
from holdfast.identity.guards import Needs, staff_or_none
from holdfast.identity.permissions import Permission
from holdfast.kernel.audit import CLIENT, Actor
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import Forbidden, ValidationFailed
from holdfast.kernel.http import decode, json_response


@get(
    "/api/booking/appointments/{appointment_id:str}",
    guards=[Needs(Permission.READ_APPOINTMENTS, or_client=True)],
    opt=documented(
        query=("businessId",),
        answers=(views.StaffAppointmentView, views.AppointmentView),
        security=("BookingToken", "StaffKey"),
    ),
)
async def read_appointment(request: Call, appointment_id: FromPath[str]) -> Response[bytes]:
    """Return an appointment to the client whose token it is, or to staff."""
    booking = await _proven(request, appointment_id, request.headers.get("Booking-Token"))
    return await _appointment(request, booking)


@patch(
    "/api/booking/appointments/{appointment_id:str}",
    guards=[Needs(Permission.CHANGE_APPOINTMENTS, or_client=True)],
    opt=documented(
        views.ChangeBody,
        headers=("Idempotency-Key", "If-Match"),
        answers=(views.ChangedView, views.StaffAppointmentView, views.AppointmentView),
        security=("BookingToken", "StaffKey"),
    ),
)
async def change(request: Call, appointment_id: FromPath[str]) -> Response[bytes]:
    """Move an appointment to another place, change its contact, or note something about it.

    Staff name the version that they saw. Who comes too late is told what was changed, by whom and when.
    Notes are for staff to write.
    """
    data = decode(views.ChangeBody, await request.body())
    expected = expected_version(request, data.expected_version)
    zone = views.checked_zone(data.timezone)
    booking = await _proven(request, appointment_id, request.headers.get("Booking-Token"), data.business_id)
    contact = Contact(data.guest_email, data.guest_phone, data.guest_name, zone, data.locale)
    changes_contact = contact != Contact()
    if [data.moves, changes_contact, data.note is not None].count(True) != 1:
        raise ValidationFailed.at(
            "body", "give one of: a new time (slotStart and slotEnd, or scheduleId), a contact, a note"
        )
    desk, actor = desk_of(request), _actor(request)
    if data.note is not None and actor.is_client:
        raise Forbidden("Notes are for staff")
    async with _told(request, booking, expected):
        if data.note is not None:
            key = key_of(request, data, f"change note {booking.id}")
            noting = partial(put_note, booking_id=booking.id, text=data.note, expected_version=expected, actor=actor)
            noted = await once(desk.database, booking, key, views.ChangedView, noting)
            return json_response(noted, headers={"ETag": f'"{noted.version}"'})
        if changes_contact:
            key = key_of(request, data, f"change contact {booking.id}")
            change = partial(
                change_contact,
                booking_id=booking.id,
                contact=contact,
                expected_version=expected,
                actor=actor,
            )
            await once(desk.database, booking, key, views.ChangedView, change)
            # The kept answer names nobody; the contact is shown as it is now.
            async with desk.database.transaction(booking.business_id) as tx:
                now = await bookings.read_appointment(tx, booking.id)
            return await _appointment(request, now)
        key = key_of(request, data, f"reschedule {booking.id}")
        wish = place_named(data, key, booking.party_size, service_id=data.service_id or booking.service_id)
        moved = await reschedule(desk, booking, wish, expected_version=expected, reason=data.reason, actor=actor)
    return json_response(moved, headers={"ETag": f'"{moved.version}"'})


@post(
    "/api/booking/appointments/{appointment_id:str}/cancel",
    status_code=200,
    guards=[Needs(Permission.CHANGE_APPOINTMENTS, or_client=True)],
    opt=documented(
        views.CancelBody,
        headers=("Idempotency-Key", "If-Match"),
        answers=views.CancelledView,
        # A client's token is in the body.
        security=(None, "StaffKey"),
    ),
)
async def cancel(request: Call, appointment_id: FromPath[str]) -> Response[bytes]:
    """Cancel an appointment; its place is free at once, and what was paid goes back as its terms say.

    Staff give all of it back, or as much as they name by `refundPercent`.
    """
    data = decode(views.CancelBody, await request.body())
    expected = expected_version(request, data.expected_version)
    booking = await _proven(request, appointment_id, data.cancellation_token, data.business_id)
    key = key_of(request, data, f"cancel {booking.id}")
    async with _told(request, booking, expected):
        answer = await cancel_appointment(
            desk_of(request).database,
            booking,
            key,
            expected_version=expected,
            reason=data.reason,
            actor=_actor(request),
            refund_percent=None if data.refund_percent is msgspec.UNSET else data.refund_percent,
        )
    return json_response(answer)


handlers = [read_appointment, change, cancel]


async def _proven(request: Call, text: str, token: str | None, named: UUID | None = None) -> Booking:
    """Return an appointment if the token is its or its series's, or if it is of the business whose staff call.

    Raises AppointmentNotFound, AuthenticationRequired.
    """
    staff = staff_or_none(request)
    if staff is not None:
        return await own_appointment(request, staff, text, named)
    return await client_appointment(request, text, token, named)


def _actor(request: Call) -> Actor:
    staff = staff_or_none(request)
    return CLIENT if staff is None else staff.actor


def _told(request: Call, booking: Booking, expected: int | None) -> AbstractAsyncContextManager[None]:
    if staff_or_none(request) is None:
        return nullcontext()
    return told_in_words(desk_of(request).database, booking.business_id, booking.id, expected)


async def _appointment(request: Call, booking: Booking) -> Response[bytes]:
    database = desk_of(request).database
    person = person_of(await database.keys(booking.business_id), booking)
    view = views.AppointmentView if staff_or_none(request) is None else views.StaffAppointmentView
    goes_back = None
    if booking.due_minor is not None:
        async with database.transaction(booking.business_id) as tx:
            back = await back_if_cancelled(tx, booking)
        if back is not None:
            goes_back = RefundView(percent=back[0], amount_minor=back[1], currency=booking.currency)
    return json_response(view.of(booking, person, goes_back), headers={"ETag": f'"{booking.version}"'})
