"""The waitlist over HTTP: whoever finds nothing asks to be told, and staff see who waits."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, delete, get, post
from litestar.params import FromPath

from holdfast.booking import views, waitlist
from holdfast.booking.calls import Call, desk_of, named_business, tenancy_of
from holdfast.booking.contacts import Guest
from holdfast.booking.errors import UnknownSchedule, UnknownService
from holdfast.booking.waitlist import Filters, RequestState, WaitlistRequest, Wanted
from holdfast.identity.errors import UnknownBusiness
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import AuthenticationRequired, NotFound, ValidationFailed
from holdfast.kernel.http import Instant, decode, json_response
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.lists import in_calendar, number_in, word_in

LONGEST_WINDOW_DAYS = 62
_MAX_LIMIT = 500


class WaitBody(views.GuestBody, kw_only=True):
    """What somebody waits for: a service that begins in the window [from, to), or places of a schedule."""

    service_id: UUID | None = None
    schedule_id: UUID | None = None
    start: Instant | None = msgspec.field(default=None, name="from")
    end: Instant | None = msgspec.field(default=None, name="to")
    party_size: views.Party | None = None


class WaitingView(msgspec.Struct, rename="camel", kw_only=True):
    """That somebody waits, as they are told; the token takes them from the waitlist."""

    waitlist_id: UUID
    status: RequestState
    created_at: Instant
    token: str


class OfferView(msgspec.Struct, rename="camel"):
    """A place that is held for whoever waits; committing the reservation accepts it."""

    reservation_id: UUID
    start: Instant
    end: Instant
    expires_at: Instant


class _RequestShown(msgspec.Struct, rename="camel", kw_only=True):
    """What everybody is shown of a request who may see it."""

    waitlist_id: UUID
    status: RequestState
    service_id: UUID | None
    schedule_id: UUID | None
    start: Instant | None = msgspec.field(name="from")
    end: Instant | None = msgspec.field(name="to")
    party_size: int
    created_at: Instant
    offer: OfferView | None
    appointment_id: UUID | None


class StandingView(_RequestShown, rename="camel", kw_only=True):
    """How a request stands, to whoever has its token; `appointmentId` is what became of an offer that was accepted."""

    @classmethod
    def of(cls, request: WaitlistRequest) -> "StandingView":
        """Return a request without its contact."""
        return cls(**_shown(request))


class RequestView(_RequestShown, rename="camel", kw_only=True):
    """Who waits for what, as staff see it."""

    guest_email: str
    guest_phone: str | None
    guest_name: str | None
    timezone: str | None
    locale: str | None

    @classmethod
    def of(cls, request: WaitlistRequest) -> "RequestView":
        """Return a request as staff see it."""
        guest = request.guest
        return cls(
            guest_email=guest.email,
            guest_phone=guest.phone,
            guest_name=guest.name,
            timezone=guest.timezone,
            locale=guest.locale,
            **_shown(request),
        )


class RequestsView(msgspec.Struct, rename="camel"):
    """A page of the waitlist; `nextCursor` leads to the next one."""

    requests: list[RequestView]
    next_cursor: str | None


@post(
    "/api/public/booking/waitlist",
    status_code=201,
    opt=documented(WaitBody, answers=WaitingView, made="waitlistId"),
)
async def wait(request: Call) -> Response[bytes]:
    """Ask to be told when there is time or a place; asked again by the same contact it is the same request."""
    data = decode(WaitBody, await request.body())
    wanted = _wanted(data)
    thing = wanted.schedule_id or wanted.service_id
    assert thing is not None, "one of the two was given"
    business_id = await tenancy_of(request).of(thing)
    if business_id is None:
        raise UnknownService if data.schedule_id is None else UnknownSchedule
    if data.business_id not in (None, business_id):
        raise UnknownBusiness
    zone = views.checked_zone(data.timezone)
    guest = Guest(data.guest_email, data.guest_phone, data.guest_name, zone, data.locale)
    desk = desk_of(request)
    made = await desk.database.run(business_id, lambda tx: waitlist.wait(tx, wanted, guest))
    tenancy_of(request).remember(made.id, business_id)
    shown = WaitingView(
        waitlist_id=made.id,
        status=made.status,
        created_at=made.created_at,
        token=desk.tokens.of_request(business_id, made.id),
    )
    return json_response(shown, 201)


@get(
    "/api/public/booking/waitlist/{waitlist_id:str}",
    opt=documented(query=("businessId",), headers=("Booking-Token",), answers=StandingView, security="BookingToken"),
)
async def read_request(request: Call, waitlist_id: FromPath[str]) -> Response[bytes]:
    """Tell how a request stands, and what it is offered, by its token."""
    business_id, request_id = await _proven(request, waitlist_id)
    async with desk_of(request).database.transaction(business_id) as tx:
        found = await waitlist.find(tx, request_id)
    return json_response(StandingView.of(found))


@delete(
    "/api/public/booking/waitlist/{waitlist_id:str}",
    status_code=204,
    opt=documented(
        query=("businessId",),
        headers=("Booking-Token",),
        refusals={409: "What was offered is an appointment by now (`details.appointmentId`): cancel that."},
        security="BookingToken",
    ),
)
async def leave_waitlist(request: Call, waitlist_id: FromPath[str]) -> None:
    """Leave the waitlist, by the token of the request; what it was offered goes to the next in line.

    Whoever has accepted an offer cancels the appointment instead.
    """
    business_id, request_id = await _proven(request, waitlist_id)
    await desk_of(request).database.run(business_id, lambda tx: waitlist.withdraw(tx, request_id))


@get(
    "/api/admin/waitlist",
    guards=[Needs(Permission.READ_APPOINTMENTS)],
    opt=documented(
        query=("status", "serviceId", "scheduleId", "cursor", "limit"), answers=RequestsView, security="StaffKey"
    ),
)
async def list_of_requests(request: Call) -> Response[bytes]:
    """Return the waitlist, whoever asked first first."""
    asked = request.query_params
    filters = Filters(
        status=word_in(asked.get("status"), "status", RequestState),
        service_id=_id_in(asked.get("serviceId"), "serviceId"),
        schedule_id=_id_in(asked.get("scheduleId"), "scheduleId"),
    )
    limit = number_in(asked.get("limit"), "limit", 100, 1, _MAX_LIMIT)
    async with desk_of(request).database.transaction(staff_of(request).business_id) as tx:
        page, cursor = await waitlist.list_requests(tx, filters, cursor=asked.get("cursor") or None, limit=limit)
    return json_response(RequestsView([RequestView.of(each) for each in page], cursor))


handlers = [wait, read_request, leave_waitlist, list_of_requests]


def window_of(start: datetime | None, end: datetime | None) -> tuple[datetime, datetime]:
    """Return a window in UTC; raises ValidationFailed for what is none."""
    if start is None or end is None:
        raise ValidationFailed.at("from" if start is None else "to", "is missing")
    start = in_calendar(start, "from").astimezone(UTC)
    end = in_calendar(end, "to").astimezone(UTC)
    if end <= start:
        raise ValidationFailed.at("to", "must be after from")
    if end - start > timedelta(days=LONGEST_WINDOW_DAYS):
        raise ValidationFailed.at("to", f"at most {LONGEST_WINDOW_DAYS} days can be waited for at once")
    return start, end


async def _proven(request: Call, text: str) -> tuple[UUID, UUID]:
    """Return business and id of the request that a path names, to whoever has its token.

    Raises NotFound, AuthenticationRequired.
    """
    request_id = uuid_or_none(text)
    business_id = None if request_id is None else await tenancy_of(request).of(request_id)
    if request_id is None or business_id is None or named_business(request) not in (None, business_id):
        raise NotFound
    token = request.headers.get("Booking-Token")
    if not desk_of(request).tokens.proves_request(token, business_id, request_id):
        raise AuthenticationRequired
    return business_id, request_id


def _shown(request: WaitlistRequest) -> dict[str, Any]:
    wanted = request.wanted
    return {
        "waitlist_id": request.id,
        "status": request.status,
        "service_id": wanted.service_id,
        "schedule_id": wanted.schedule_id,
        "start": wanted.start,
        "end": wanted.end,
        "party_size": wanted.party_size,
        "created_at": request.created_at,
        "offer": _offer_view(request),
        "appointment_id": _appointment_of(request),
    }


def _offer_view(request: WaitlistRequest) -> OfferView | None:
    offer = request.offer
    if offer is None or request.status is not RequestState.OFFERED:
        return None
    return OfferView(offer.booking_id, offer.start, offer.end, offer.expires_at)


def _appointment_of(request: WaitlistRequest) -> UUID | None:
    return request.offer.booking_id if request.offer and request.status is RequestState.ACCEPTED else None


def _wanted(data: WaitBody) -> Wanted:
    party = data.party_size or 1
    if (data.service_id is None) == (data.schedule_id is None):
        raise ValidationFailed.at("serviceId", "give serviceId with from and to, or scheduleId")
    if data.schedule_id is not None:
        if data.start is not None or data.end is not None:
            raise ValidationFailed.at("from", "a schedule has its own times")
        return Wanted(party, schedule_id=data.schedule_id)
    start, end = window_of(data.start, data.end)
    return Wanted(party, data.service_id, None, start, end)


def _id_in(text: str | None, field: str) -> UUID | None:
    found = uuid_or_none(text or "")
    if text and found is None:
        raise ValidationFailed.at(field, "Invalid UUID")
    return found
