"""The API of reserving and committing: paths, names and codes are a contract with clients."""

from uuid import UUID

import msgspec
from litestar import Response, delete, get, post
from litestar.params import FromPath

from holdfast.booking import bookings, views
from holdfast.booking.admission import Answer
from holdfast.booking.bookings import keyed
from holdfast.booking.calls import Call, base_url_of, desk_of, key_of, located, place_named, tenancy_of
from holdfast.booking.contacts import Guest
from holdfast.booking.errors import ReservationNotFoundOrExpired, SlotConflict, UnknownSchedule, UnknownService
from holdfast.booking.places import places_left
from holdfast.booking.prepayment import open_payment
from holdfast.booking.reservations import Wish
from holdfast.identity.errors import UnknownBusiness
from holdfast.kernel.about import BOOKING_ID, note
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.http import decode, json_response, problem_of


@post(
    "/api/booking/reserve",
    opt=documented(
        views.ReserveBody,
        headers=("Idempotency-Key",),
        answers=views.ReservationView,
        created=True,
        made="reservationId",
        refusals=views.PLACE_REFUSALS,
    ),
)
async def reserve(request: Call) -> Response[bytes]:
    """Hold a place for a limited time: a slot of a service, or places in a schedule."""
    data = decode(views.ReserveBody, await request.body())
    business_id, wish = await _wish(request, data, "reserve")
    try:
        answer = await desk_of(request).reserve(business_id, wish)
    except SlotConflict as lost:
        # A herd is mostly refusals, and an error on its way through the framework costs more than the refusal.
        return problem_of(lost)
    _remember(request, answer, business_id)
    shown = views.ReservationView.of_answer(answer, data.service_id, data.schedule_id)
    return json_response(shown, 200 if answer.outcome == "replayed" else 201)


@post(
    "/api/booking/book",
    opt=documented(
        views.BookBody,
        headers=("Idempotency-Key",),
        answers=views.CommittedView,
        created=True,
        made="appointmentId",
        refusals=views.PLACE_REFUSALS,
    ),
)
async def book(request: Call) -> Response[bytes]:
    """Book a place in one call, where no payment is needed beforehand."""
    data = decode(views.BookBody, await request.body())
    guest = Guest(data.guest_email, data.guest_phone, data.guest_name, views.checked_zone(data.timezone), data.locale)
    business_id, wish = await _wish(request, data, "book", guest)
    answer = await desk_of(request).reserve(business_id, wish)
    _remember(request, answer, business_id)
    assert answer.nonce is not None, "what was booked has a nonce"
    token = desk_of(request).tokens.token(business_id, answer.made().id, bytes.fromhex(answer.nonce))
    shown = views.CommittedView.of_booking(answer, token, data.service_id, data.schedule_id)
    return json_response(shown, 200 if answer.outcome == "replayed" else 201)


@get(
    "/api/booking/reservations/{reservation_id:str}",
    opt=documented(query=("businessId",), answers=views.ReservationView),
)
async def read_reservation(request: Call, reservation_id: FromPath[str]) -> Response[bytes]:
    """Return a reservation in any state, without personal data."""
    booking_id, business_id = await located(request, reservation_id)
    async with desk_of(request).database.transaction(business_id) as tx:
        booking = await bookings.read_reservation(tx, booking_id)
    return json_response(views.ReservationView.of(booking))


@post(
    "/api/booking/reservations/{reservation_id:str}/extend",
    status_code=200,
    opt=documented(views.ExtendBody, answers=views.ReservationView),
)
async def extend(request: Call, reservation_id: FromPath[str]) -> Response[bytes]:
    """Prolong a live hold, within 24 hours in all."""
    data = decode(views.ExtendBody, await request.body())
    booking_id, business_id = await located(request, reservation_id, data.business_id)
    ttl = views.ttl_of(data)
    booking = await desk_of(request).database.run(business_id, lambda tx: bookings.extend(tx, booking_id, ttl))
    return json_response(views.ReservationView.of(booking))


@delete("/api/booking/reservations/{reservation_id:str}", status_code=204, opt=documented(query=("businessId",)))
async def release(request: Call, reservation_id: FromPath[str]) -> None:
    """Give a held place back."""
    booking_id, business_id = await located(request, reservation_id)
    await desk_of(request).database.run(business_id, lambda tx: bookings.release(tx, booking_id))


@post(
    "/api/booking/commit",
    opt=documented(views.CommitBody, answers=views.CommittedView, created=True, made="appointmentId"),
)
async def commit(request: Call) -> Response[bytes]:
    """Turn a reservation into an appointment; repeated, it returns the same appointment.

    What has to be paid beforehand awaits its payment then, and its place is kept for that time.
    """
    data = decode(views.CommitBody, await request.body())
    guest = Guest(data.guest_email, data.guest_phone, data.guest_name, views.checked_zone(data.timezone), data.locale)
    desk = desk_of(request)
    business_id = await tenancy_of(request).of(data.reservation_id)
    if business_id is None or data.business_id not in (None, business_id):
        raise ReservationNotFoundOrExpired
    note(BOOKING_ID, data.reservation_id)
    answer = await desk.commit(business_id, data.reservation_id, guest)
    token = desk.tokens.of_nonce(business_id, answer.id, answer.nonce)
    payable = await open_payment(desk.till, business_id, answer, base_url_of(request))
    shown = views.CommittedView.of_commit(answer, token, payable)
    return json_response(shown, 201 if answer.outcome == "committed" else 200)


@get(
    "/api/booking/capacity",
    opt=documented(
        query=("businessId", "serviceId", "slotStart", "slotEnd", "scheduleId", "resourceId"),
        answers=views.CapacityView,
    ),
)
async def capacity(request: Call) -> Response[bytes]:
    """Return how many places a slot or a schedule has, and how many are left."""
    asked = {name: value for name, value in request.query_params.items() if value}
    data = decode(views.PlaceBody, msgspec.json.encode(asked))
    business_id = await _business_of(request, data)
    wish = place_named(data, keyed(None, "capacity", b""), 1, service_id=data.service_id)
    available, total = await places_left(desk_of(request), business_id, wish)
    return json_response(views.CapacityView(available, total))


handlers = [
    reserve,
    book,
    read_reservation,
    extend,
    release,
    commit,
    capacity,
]

# What a rush is made of.
express = [reserve, book, commit]


def _remember(request: Call, answer: Answer, business_id: UUID) -> None:
    if answer.id is not None:
        note(BOOKING_ID, answer.id)
        tenancy_of(request).remember(answer.id, business_id)


async def _business_of(request: Call, data: views.PlaceBody) -> UUID:
    """Return the business of what is to be booked; raises the error of the thing that is not there."""
    if (data.schedule_id is None) == (data.service_id is None):
        raise ValidationFailed.at("serviceId", "give serviceId with slotStart and slotEnd, or scheduleId")
    thing = data.schedule_id or data.service_id
    assert thing is not None, "one of the two was given"
    missing = UnknownService if data.schedule_id is None else UnknownSchedule
    tenancy = tenancy_of(request)
    business_id = await tenancy.of(thing)
    if business_id is None:
        raise missing
    if data.business_id not in (None, business_id):
        raise UnknownBusiness
    return business_id


async def _wish(
    request: Call, data: views.ReserveBody, operation: str, guest: Guest | None = None
) -> tuple[UUID, Wish]:
    business_id = await _business_of(request, data)
    views.checked_zone(data.timezone)
    key = key_of(request, data, operation)
    guard = desk_of(request).guard
    if key.key is None and guest is None and guard is not None:
        key = guard.keyed(data.guest_email, data.guest_phone, data.place()) or key
    wish = place_named(
        data,
        key,
        data.party_size or 1,
        service_id=data.service_id,
        ttl_seconds=views.ttl_of(data),
        timezone=data.timezone,
        guest=guest,
    )
    return business_id, wish
