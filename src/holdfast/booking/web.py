"""The booking API: paths, names and codes are a contract with clients."""

from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response, delete, get, patch, post
from litestar.params import FromPath

from holdfast.booking import bookings, views
from holdfast.booking.admission import Answer
from holdfast.booking.bookings import Booking, Contact, Keyed, keyed
from holdfast.booking.changes import cancel_appointment, reschedule
from holdfast.booking.errors import (
    AppointmentNotFound,
    ReservationNotFoundOrExpired,
    SlotConflict,
    UnknownSchedule,
    UnknownService,
)
from holdfast.booking.places import places_left
from holdfast.booking.reservations import Guest, Reservations, Wish
from holdfast.booking.tenancy import Tenancy
from holdfast.identity.errors import UnknownBusiness
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import AuthenticationRequired, ValidationFailed
from holdfast.kernel.http import decode, epoch_seconds, json_response, problem_of, uuid_or_none

Call = Request[Any, Any, Any]


@post(
    "/api/booking/reserve",
    opt=documented(views.ReserveBody, headers=("Idempotency-Key",), answers=views.ReservationView, created=True),
)
async def reserve(request: Call) -> Response[bytes]:
    """Hold a place for a limited time: a slot of a service, or places in a schedule."""
    data = decode(views.ReserveBody, await request.body())
    business_id, wish = await _wish(request, data, "reserve")
    try:
        answer = await _desk(request).reserve(business_id, wish)
    except SlotConflict as lost:
        # A herd is mostly refusals, and an error on its way through the framework costs more than the refusal.
        return problem_of(lost)
    _remember(request, answer, business_id)
    shown = views.ReservationView.of_answer(answer, data.service_id, data.schedule_id)
    return json_response(shown, 200 if answer.outcome == "replayed" else 201)


@post(
    "/api/booking/book",
    opt=documented(views.BookBody, headers=("Idempotency-Key",), answers=views.CommittedView, created=True),
)
async def book(request: Call) -> Response[bytes]:
    """Book a place in one call, where no payment is needed beforehand."""
    data = decode(views.BookBody, await request.body())
    guest = Guest(data.guest_email, data.guest_phone, data.guest_name, views.checked_zone(data.timezone), data.locale)
    business_id, wish = await _wish(request, data, "book", guest)
    answer = await _desk(request).reserve(business_id, wish)
    _remember(request, answer, business_id)
    assert answer.nonce is not None, "what was booked has a nonce"
    token = _desk(request).tokens.token(business_id, answer.made().id, bytes.fromhex(answer.nonce))
    shown = views.CommittedView.of_booking(answer, token, data.service_id, data.schedule_id)
    return json_response(shown, 200 if answer.outcome == "replayed" else 201)


@get(
    "/api/booking/reservations/{reservation_id:str}",
    opt=documented(query=("businessId",), answers=views.ReservationView),
)
async def read_reservation(request: Call, reservation_id: FromPath[str]) -> Response[bytes]:
    """Return a reservation in any state, without personal data."""
    booking_id, business_id = await _located(request, reservation_id)
    async with _desk(request).database.transaction(business_id) as tx:
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
    booking_id, business_id = await _located(request, reservation_id, data.business_id)
    ttl = views.ttl_of(data)
    booking = await _desk(request).database.run(business_id, lambda tx: bookings.extend(tx, booking_id, ttl))
    return json_response(views.ReservationView.of(booking))


@delete("/api/booking/reservations/{reservation_id:str}", status_code=204, opt=documented(query=("businessId",)))
async def release(request: Call, reservation_id: FromPath[str]) -> None:
    """Give a held place back."""
    booking_id, business_id = await _located(request, reservation_id)
    await _desk(request).database.run(business_id, lambda tx: bookings.release(tx, booking_id))


@post("/api/booking/commit", opt=documented(views.CommitBody, answers=views.CommittedView, created=True))
async def commit(request: Call) -> Response[bytes]:
    """Turn a reservation into an appointment; repeated, it returns the same appointment."""
    data = decode(views.CommitBody, await request.body())
    guest = Guest(data.guest_email, data.guest_phone, data.guest_name, views.checked_zone(data.timezone), data.locale)
    desk = _desk(request)
    business_id = await _tenancy(request).of(data.reservation_id)
    if business_id is None or data.business_id not in (None, business_id):
        raise ReservationNotFoundOrExpired
    answer = await desk.commit(business_id, data.reservation_id, guest)
    token = desk.tokens.token(business_id, answer.id, bytes.fromhex(answer.made().nonce))
    return json_response(views.CommittedView.of_commit(answer, token), 201 if answer.outcome == "committed" else 200)


@get(
    "/api/booking/appointments/{appointment_id:str}",
    opt=documented(query=("businessId",), answers=views.AppointmentView, security="BookingToken"),
)
async def read_appointment(request: Call, appointment_id: FromPath[str]) -> Response[bytes]:
    """Return an appointment to the client whose token it is."""
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
    expected = _expected_version(request, data.expected_version)
    zone = views.checked_zone(data.timezone)
    booking = await _proven(request, appointment_id, request.headers.get("Booking-Token"), data.business_id)
    contact = Contact(data.guest_email, data.guest_phone, data.guest_name, zone, data.locale)
    changes_contact = contact != Contact()
    if data.moves == changes_contact:
        raise ValidationFailed.at("body", "give either a new time (slotStart and slotEnd, or scheduleId) or a contact")
    desk = _desk(request)
    if changes_contact:
        changed = await desk.database.run(
            booking.business_id,
            lambda tx: bookings.change_contact(tx, booking.id, contact, expected_version=expected),
        )
        return _appointment(changed)
    key = _key(request, data, f"reschedule {booking.id}")
    wish = _place(data, key, booking.party_size, service_id=data.service_id or booking.service_id)
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
    expected = _expected_version(request, data.expected_version)
    booking = await _proven(request, appointment_id, data.cancellation_token, data.business_id)
    key = _key(request, data, f"cancel {booking.id}")
    answer = await cancel_appointment(
        _desk(request).database, booking, key, expected_version=expected, reason=data.reason
    )
    return json_response(answer)


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
    wish = _place(data, keyed(None, "capacity", b""), 1, service_id=data.service_id)
    available, total = await places_left(_desk(request), business_id, wish)
    return json_response(views.CapacityView(available, total))


handlers = [
    reserve,
    book,
    read_reservation,
    extend,
    release,
    commit,
    read_appointment,
    change,
    cancel,
    capacity,
]

# What a rush is made of.
express = [reserve, book, commit]


def _desk(request: Call) -> Reservations:
    return request.app.state.reservations  # type: ignore[no-any-return]


def _tenancy(request: Call) -> Tenancy:
    return request.app.state.tenancy  # type: ignore[no-any-return]


def _remember(request: Call, answer: Answer, business_id: UUID) -> None:
    if answer.id is not None:
        _tenancy(request).remember(answer.id, business_id)


async def _located(request: Call, text: str, named: UUID | None = None) -> tuple[UUID, UUID]:
    """Return the booking that a path names with its business, which body or query may name as well."""
    query = request.query_params.get("businessId")
    if query and uuid_or_none(query) is None:
        raise ValidationFailed.at("businessId", "Invalid UUID")
    booking_id = uuid_or_none(text)
    business_id = None if booking_id is None else await _tenancy(request).of(booking_id)
    others = {named, uuid_or_none(query or "")} - {None, business_id}
    if booking_id is None or business_id is None or others:
        raise ReservationNotFoundOrExpired
    return booking_id, business_id


async def _proven(request: Call, text: str, token: str | None, named: UUID | None = None) -> Booking:
    """Return an appointment if the token is its token.

    Raises AppointmentNotFound, AuthenticationRequired.
    """
    try:
        booking_id, business_id = await _located(request, text, named)
    except ReservationNotFoundOrExpired:
        raise AppointmentNotFound from None
    desk = _desk(request)
    async with desk.database.transaction(business_id) as tx:
        booking = await bookings.read_appointment(tx, booking_id)
    if not desk.tokens.proves(token, business_id, booking_id, booking.token_nonce):
        raise AuthenticationRequired
    return booking


async def _business_of(request: Call, data: views.PlaceBody) -> UUID:
    """Return the business of what is to be booked; raises the error of the thing that is not there."""
    if (data.schedule_id is None) == (data.service_id is None):
        raise ValidationFailed.at("serviceId", "give serviceId with slotStart and slotEnd, or scheduleId")
    thing = data.schedule_id or data.service_id
    assert thing is not None, "one of the two was given"
    missing = UnknownService if data.schedule_id is None else UnknownSchedule
    tenancy = _tenancy(request)
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
    wish = _place(
        data,
        _key(request, data, operation),
        data.party_size or 1,
        service_id=data.service_id,
        ttl_seconds=views.ttl_of(data),
        timezone=data.timezone,
        guest=guest,
    )
    return business_id, wish


def _place(data: views.PlaceBody, key: Keyed, party: int, *, service_id: UUID | None, **more: Any) -> Wish:
    if data.schedule_id is not None:
        if data.slot_start is not None or data.slot_end is not None:
            raise ValidationFailed.at("slotStart", "a schedule has its own times")
        return Wish(party=party, key=key, schedule_id=data.schedule_id, **more)
    if data.slot_start is None or data.slot_end is None:
        raise ValidationFailed.at("slotStart" if data.slot_start is None else "slotEnd", "is missing")
    start = epoch_seconds(data.slot_start, "slotStart")
    end = epoch_seconds(data.slot_end, "slotEnd")
    if end <= start:
        raise ValidationFailed.at("slotEnd", "must be after slotStart")
    return Wish(party=party, key=key, service_id=service_id, start=start, end=end, resource_id=data.resource_id, **more)


def _key(request: Call, data: views.KeyedBody, operation: str) -> Keyed:
    key = data.resolved_key(request.headers.get("Idempotency-Key"))
    return keyed(key, operation, data.fingerprint())


def _expected_version(request: Call, given: int | None) -> int | None:
    header = request.headers.get("If-Match")
    if header is None or header == "*":
        return given
    text = header.removeprefix("W/").strip('"')
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ValidationFailed.at("If-Match", 'must be the version in quotes, like "3"')
    if given is not None and given != int(text):
        raise ValidationFailed.at("expectedVersion", "differs from If-Match")
    return int(text)


def _appointment(booking: Booking) -> Response[bytes]:
    return json_response(views.AppointmentView.of(booking), headers={"ETag": f'"{booking.version}"'})
