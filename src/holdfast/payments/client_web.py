"""The payment of an appointment over HTTP: for the client who has the booking's token."""

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from holdfast.booking.bookings import Booking, read_reservation
from holdfast.booking.calls import Call, base_url_of, client_appointment, desk_of
from holdfast.booking.errors import PaymentsUnavailable
from holdfast.booking.payment_views import PaymentView
from holdfast.booking.prepayment import Payable, Till
from holdfast.booking.states import BookingState
from holdfast.kernel.documents import documented
from holdfast.kernel.http import json_response


class PaidView(msgspec.Struct, rename="camel", kw_only=True):
    """How a booking and its payment stand. `status` is that of the booking: it is confirmed when it says so.

    Without a payment nothing has to be paid, or nobody has asked yet how to pay.
    """

    status: BookingState
    payment: PaymentView | None = None


@get(
    "/api/booking/appointments/{appointment_id:str}/payment",
    opt=documented(query=("businessId",), answers=PaidView, security="BookingToken"),
)
async def read_payment(request: Call, appointment_id: FromPath[str]) -> Response[bytes]:
    """Return how an appointment and its payment stand, also after its time to be paid has run out.

    The provider is asked first, once in two seconds at most; what follows from its answer is done.
    """
    booking = await _proven(request, appointment_id)
    return await _answer(request, booking, await _till(request).look(booking.business_id, booking.id))


@post(
    "/api/booking/appointments/{appointment_id:str}/payment",
    status_code=200,
    opt=documented(query=("businessId",), answers=PaidView, security="BookingToken"),
)
async def begin_payment(request: Call, appointment_id: FromPath[str]) -> Response[bytes]:
    """Return how to pay an appointment: by the payment that is open, or by a new attempt after one that has failed."""
    booking = await _proven(request, appointment_id)
    payable = await _till(request).open(booking.business_id, booking.id, base_url=base_url_of(request))
    return await _answer(request, booking, payable)


handlers = [read_payment, begin_payment]


def _till(request: Call) -> Till:
    till = desk_of(request).till
    if till is None:
        raise PaymentsUnavailable
    return till


async def _proven(request: Call, text: str) -> Booking:
    """Return an appointment if the token is its, whatever has become of it since it was committed.

    Raises AppointmentNotFound, AuthenticationRequired.
    """
    return await client_appointment(request, text, request.headers.get("Booking-Token"))


async def _answer(request: Call, booking: Booking, payable: Payable | None) -> Response[bytes]:
    # Read after the provider was asked: the booking may be confirmed by now.
    async with desk_of(request).database.transaction(booking.business_id) as tx:
        now = await read_reservation(tx, booking.id)
    payment = None if payable is None else PaymentView.of(payable)
    return json_response(PaidView(status=now.status, payment=payment))
