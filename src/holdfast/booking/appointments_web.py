"""Appointments over HTTP: for the client who has the booking's token, and for staff who have a key."""

from uuid import UUID

from litestar import Response, get, patch, post
from litestar.params import FromPath

from holdfast.booking import bookings, views
from holdfast.booking.bookings import Booking, Contact
from holdfast.booking.calls import Call, desk_of, expected_version, key_of, located, named_business, place_named
from holdfast.booking.changes import cancel_appointment, reschedule
from holdfast.booking.errors import AppointmentNotFound, ReservationNotFoundOrExpired
from holdfast.identity.guards import Needs, staff_or_none
from holdfast.identity.permissions import Permission
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import AuthenticationRequired, ValidationFailed
from holdfast.kernel.http import decode, json_response, uuid_or_none

# What no booking has.
_NO_ID = UUID(int=0)


@get(
    "/api/booking/appointments/{appointment_id:str}",
    guards=[Needs(Permission.READ_APPOINTMENTS, or_client=True)],
    opt=documented(query=("businessId",), answers=views.AppointmentView, security=("BookingToken", "StaffKey")),
)
async def read_appointment(request: Call, appointment_id: FromPath[str]) -> Response[bytes]:
    """Return an appointment to the client whose token it is, or to staff."""
    booking = await _proven(request, appointment_id, request.headers.get("Booking-Token"))
    return _appointment(booking)


@patch(
    "/api/booking/appointments/{appointment_id:str}",
    opt=documented(
        views.ChangeBody,
        headers=("Idempotency-Key", "If-Match"),
        answers=(views.ChangedView, views.AppointmentView),
        security="BookingToken",
    ),
)
async def change(request: Call, appointment_id: FromPath[str]) -> Response[bytes]:
    """Move an appointment to another place, or change its contact."""
    data = decode(views.ChangeBody, await request.body())
    expected = expected_version(request, data.expected_version)
    zone = views.checked_zone(data.timezone)
    booking = await _proven(request, appointment_id, request.headers.get("Booking-Token"), data.business_id)
    contact = Contact(data.guest_email, data.guest_phone, data.guest_name, zone, data.locale)
    changes_contact = contact != Contact()
    if data.moves == changes_contact:
        raise ValidationFailed.at("body", "give either a new time (slotStart and slotEnd, or scheduleId) or a contact")
    desk = desk_of(request)
    if changes_contact:
        changed = await desk.database.run(
            booking.business_id,
            lambda tx: bookings.change_contact(tx, booking.id, contact, expected_version=expected),
        )
        return _appointment(changed)
    key = key_of(request, data, f"reschedule {booking.id}")
    wish = place_named(data, key, booking.party_size, service_id=data.service_id or booking.service_id)
    moved = await reschedule(desk, booking, wish, expected_version=expected, reason=data.reason)
    return json_response(moved, headers={"ETag": f'"{moved.version}"'})


@post(
    "/api/booking/appointments/{appointment_id:str}/cancel",
    status_code=200,
    opt=documented(views.CancelBody, headers=("Idempotency-Key", "If-Match"), answers=views.ChangedView),
)
async def cancel(request: Call, appointment_id: FromPath[str]) -> Response[bytes]:
    """Cancel an appointment; its place is free at once."""
    data = decode(views.CancelBody, await request.body())
    expected = expected_version(request, data.expected_version)
    booking = await _proven(request, appointment_id, data.cancellation_token, data.business_id)
    key = key_of(request, data, f"cancel {booking.id}")
    answer = await cancel_appointment(
        desk_of(request).database, booking, key, expected_version=expected, reason=data.reason
    )
    return json_response(answer)


handlers = [read_appointment, change, cancel]


async def _proven(request: Call, text: str, token: str | None, named: UUID | None = None) -> Booking:
    """Return an appointment if the token is its token, or if it is of the business whose staff call.

    Raises AppointmentNotFound, AuthenticationRequired.
    """
    staff = staff_or_none(request)
    if staff is not None:
        return await _own(request, staff.business_id, text, named)
    try:
        booking_id, business_id = await located(request, text, named)
    except ReservationNotFoundOrExpired:
        raise AppointmentNotFound from None
    desk = desk_of(request)
    async with desk.database.transaction(business_id) as tx:
        booking = await bookings.read_appointment(tx, booking_id)
    if not desk.tokens.proves(token, business_id, booking_id, booking.token_nonce):
        raise AuthenticationRequired
    return booking


async def _own(request: Call, business_id: UUID, text: str, named: UUID | None) -> Booking:
    """Return an appointment of the business whose staff call.

    Looked for in that business only: for an id of another tenant the same is done as for one that nobody has (H-4).
    """
    others = {named, named_business(request)} - {None, business_id}
    async with desk_of(request).database.transaction(business_id) as tx:
        booking = await bookings.read_appointment(tx, uuid_or_none(text) or _NO_ID)
    if others:
        raise AppointmentNotFound
    return booking


def _appointment(booking: Booking) -> Response[bytes]:
    return json_response(views.AppointmentView.of(booking), headers={"ETag": f'"{booking.version}"'})
