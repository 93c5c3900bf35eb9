"""Intake forms over HTTP: written by the client who has the token, read by an owner and by whom the client comes to."""

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from holdfast.booking import intake
from holdfast.booking.calls import Call, client_appointment, confided_appointment, desk_of
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.http import Instant, Line, decode, json_response, worded

_MOST = 50

Words = Annotated[
    str,
    msgspec.Meta(
        max_length=4_000,
        pattern=worded(
            r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$(?![\s\S])", "must not have control characters other than line breaks"
        ),
    ),
]


class IntakeBody(msgspec.Struct, rename="camel", kw_only=True):
    """The answers of a client by question; the appointment by either of its names."""

    answers: Annotated[dict[Line, Words], msgspec.Meta(min_length=1, max_length=_MOST)]
    appointment_id: UUID | None = None
    reservation_id: UUID | None = None


class SubmittedView(msgspec.Struct, rename="camel"):
    """That the answers are kept; what they say is not shown again."""

    appointment_id: UUID
    submitted_at: Instant


class IntakeView(msgspec.Struct, rename="camel"):
    """What a client has answered."""

    appointment_id: UUID
    submitted_at: Instant
    answers: dict[str, str]


@post(
    "/api/public/booking/intake",
    status_code=200,
    opt=documented(IntakeBody, headers=("Booking-Token",), answers=SubmittedView, security="BookingToken"),
)
async def submit_intake(request: Call) -> Response[bytes]:
    """Keep the answers of a client for an appointment, in the place of those before."""
    data = decode(IntakeBody, await request.body())
    named = {data.appointment_id, data.reservation_id} - {None}
    if len(named) != 1:
        raise ValidationFailed.at("appointmentId", "name one appointment")
    booking = await client_appointment(request, str(named.pop()), request.headers.get("Booking-Token"))
    form = await desk_of(request).database.run(
        booking.business_id, lambda tx: intake.submit(tx, booking.id, data.answers)
    )
    return json_response(SubmittedView(booking.id, form.submitted_at))


@get(
    "/api/admin/appointments/{appointment_id:str}/intake",
    guards=[Needs(Permission.READ_APPOINTMENTS)],
    opt=documented(answers=IntakeView, security="StaffKey"),
)
async def read_intake(request: Call, appointment_id: FromPath[str]) -> Response[bytes]:
    """Return what a client has answered before an appointment; who reads it is written down."""
    staff = staff_of(request)
    booking = await confided_appointment(request, staff, appointment_id)
    form = await desk_of(request).database.run(booking.business_id, lambda tx: intake.read(tx, booking.id, staff.actor))
    return json_response(IntakeView(booking.id, form.submitted_at, form.answers))


handlers = [submit_intake, read_intake]
