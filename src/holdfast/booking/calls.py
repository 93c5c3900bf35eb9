"""What the edges of booking ask of a call: its desk, its key, the version, the place and the booking that it names."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request

from holdfast.availability.walltime import day_bounds
from holdfast.booking import views
from holdfast.booking.admission import instant
from holdfast.booking.bookings import Booking, Keyed, keyed, read_appointment, taken_by
from holdfast.booking.errors import AppointmentNotFound, ReservationNotFoundOrExpired
from holdfast.booking.reservations import Reservations, Wish
from holdfast.booking.series_changes import find_series_of
from holdfast.booking.tenancy import Tenancy
from holdfast.identity.calls import may_read_confided
from holdfast.identity.staff import Staff
from holdfast.kernel.about import BOOKING_ID, note
from holdfast.kernel.errors import AuthenticationRequired, Forbidden, ValidationFailed
from holdfast.kernel.http import Instant, epoch_seconds
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.lists import date_in, in_calendar

_NO_VERSION = 999_999_999

Call = Request[Any, Any, Any]

# What no booking has.
_NO_ID = UUID(int=0)


def desk_of(request: Call) -> Reservations:
    """Return where bookings are made."""
    return request.app.state.reservations  # type: ignore[no-any-return]


def tenancy_of(request: Call) -> Tenancy:
    """Return who knows which business a call is for."""
    return request.app.state.tenancy  # type: ignore[no-any-return]


def base_url_of(request: Call) -> str:
    """Return this server as the client has called it, without a slash at its end."""
    return f"{request.scope['scheme']}://{request.headers.get('host') or 'localhost'}"


async def own_appointment(request: Call, staff: Staff, text: str, named: UUID | None = None) -> Booking:
    """Return an appointment of the business whose staff call.

    Looked for in that business only: for an id of another tenant the same is done as for one that nobody has (H-4).
    Raises AppointmentNotFound.
    """
    others = {named, named_business(request)} - {None, staff.business_id}
    async with desk_of(request).database.transaction(staff.business_id) as tx:
        booking = await read_appointment(tx, uuid_or_none(text) or _NO_ID)
    if others:
        raise AppointmentNotFound
    return booking


async def confided_appointment(request: Call, staff: Staff, text: str) -> Booking:
    """Return an appointment of the business, cancelled or not, to staff who may read what its client has confided.

    Raises AppointmentNotFound, Forbidden.
    """
    booking = await own_appointment(request, staff, text)
    async with desk_of(request).database.transaction(staff.business_id) as tx:
        taken = await taken_by(tx, booking)
    if not may_read_confided(staff, taken):
        raise Forbidden("Only an owner and whom the client comes to may read what is confided or noted")
    return booking


async def client_appointment(request: Call, text: str, token: str | None, named: UUID | None = None) -> Booking:
    """Return an appointment to whoever has its token, or that of its series.

    Raises AppointmentNotFound, AuthenticationRequired.
    """
    try:
        booking_id, business_id = await located(request, text, named)
    except ReservationNotFoundOrExpired:
        raise AppointmentNotFound from None
    desk = desk_of(request)
    async with desk.database.transaction(business_id) as tx:
        booking = await read_appointment(tx, booking_id)
        proven = desk.tokens.proves(token, business_id, booking_id, booking.token_nonce)
        if not proven and token is not None:
            # The token of a series is that of each of its appointments.
            series = await find_series_of(tx, booking_id)
            proven = series is not None and desk.tokens.proves(token, business_id, series.id, series.token_nonce)
    if not proven:
        raise AuthenticationRequired
    return booking


async def located(request: Call, text: str, named: UUID | None = None) -> tuple[UUID, UUID]:
    """Return the booking that a path names with its business, which body or query may name as well.

    Raises ReservationNotFoundOrExpired when there is none, or it is of another business.
    """
    also_named = named_business(request)
    booking_id = uuid_or_none(text)
    business_id = None if booking_id is None else await tenancy_of(request).of(booking_id)
    others = {named, also_named} - {None, business_id}
    if booking_id is None or business_id is None or others:
        raise ReservationNotFoundOrExpired
    note(BOOKING_ID, booking_id)
    return booking_id, business_id


def named_business(request: Call) -> UUID | None:
    """Return the business that a query names; raises ValidationFailed for what is no id."""
    text = request.query_params.get("businessId")
    business_id = uuid_or_none(text or "")
    if text and business_id is None:
        raise ValidationFailed.at("businessId", "Invalid UUID")
    return business_id


def place_named(data: views.PlaceBody, key: Keyed, party: int, *, service_id: UUID | None, **more: Any) -> Wish:
    """Return the wish for the place that a body names.

    Raises ValidationFailed when it names none, or two.
    """
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


def key_of(request: Call, data: views.KeyedBody, operation: str) -> Keyed:
    """Return the key of a call, from header or body, with what makes another call the same; raises ValidationFailed."""
    key = data.resolved_key(request.headers.get("Idempotency-Key"))
    return keyed(key, operation, data.fingerprint())


def expected_version(request: Call, given: int | None) -> int | None:
    """Return the version that a call names by If-Match or in its body, None when it names none.

    Raises ValidationFailed.
    """
    if given is not None:
        # What no row can have is a stale version like any other.
        given = min(max(given, 0), _NO_VERSION)
    header = request.headers.get("If-Match")
    if header is None or header == "*":
        return given
    text = header.removeprefix("W/").strip('"')
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ValidationFailed.at("If-Match", 'must be the version in quotes, like "3"')
    if given is not None and given != int(text):
        raise ValidationFailed.at("expectedVersion", "differs from If-Match")
    return int(text)


def id_in(text: str | None, field: str) -> UUID | None:
    """Return an id of a query; raises ValidationFailed, which names the field."""
    if not text:
        return None
    found = uuid_or_none(text)
    if found is None:
        raise ValidationFailed.at(field, "Invalid UUID")
    return found


def instant_in(text: str | None, field: str, zone: str) -> datetime | None:
    """Return an instant of a query, or that at which a local date begins; raises ValidationFailed."""
    if text is None or len(text) <= 10:
        day = date_in(text, field)
        return None if day is None else instant(day_bounds(day, zone)[0])
    try:
        # A plus sign that nobody has encoded arrives as a space.
        at = msgspec.convert(text.replace(" ", "+"), Instant)
    except msgspec.ValidationError:
        raise ValidationFailed.at(field, "must be a time like 2026-11-21T10:00:00Z, or a date") from None
    return in_calendar(at, field)
