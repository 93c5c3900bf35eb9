"""What anybody may read: the card of a business, free slots, the schedules of a program."""

import hashlib
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath

from holdfast.availability.walltime import day_bounds, local_day, local_text, utc_text
from holdfast.booking.errors import PaymentsUnavailable, UnknownResource
from holdfast.booking.free_time import free_days
from holdfast.booking.schedules import list_schedules
from holdfast.booking.tracked import SLOTS_VIEWED
from holdfast.booking.views import checked_zone
from holdfast.catalog.errors import UnknownProgram
from holdfast.catalog.refund_terms import Term
from holdfast.identity.errors import UnknownBusiness
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.http import Instant, json_response
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.lists import date_in, number_in

Call = Request[Any, Any, Any]

MAX_RANGE_DAYS = 62
_DEFAULT_RANGE_DAYS = 14
_MAX_LIMIT = 500


class RefundTermView(msgspec.Struct, rename="camel"):
    """Who cancels at least so many hours before the start gets so many percent back; the greatest notice decides."""

    hours_before: int
    percent: int


class ServiceCard(msgspec.Struct, rename="camel"):
    """A service that can be booked. The price is that of a booking, in minor units of the currency.

    With `paymentPolicy` prepay a place waits for its payment for `paymentMinutes` after the commit, and `refundTerms`
    say what a client who cancels gets back: all of it without any, nothing when none of them is kept.
    """

    id: UUID
    slug: str
    name: str
    duration_minutes: int
    price_minor: int
    payment_policy: str
    max_simultaneous_bookings: int | None
    resource_ids: list[UUID]
    payment_minutes: int
    refund_terms: list[RefundTermView]


class ResourceCard(msgspec.Struct, rename="camel"):
    """A resource that a client may name."""

    id: UUID
    slug: str
    name: str
    kind: str
    capacity: int


class ProgramCard(msgspec.Struct, rename="camel"):
    """A group offering. The price is that of a place, in minor units of the currency; the rest is as of a service."""

    id: UUID
    slug: str
    name: str
    duration_minutes: int
    max_capacity: int
    price_minor: int
    payment_policy: str
    payment_minutes: int
    refund_terms: list[RefundTermView]


class BusinessCard(msgspec.Struct, rename="camel"):
    """What a client needs to know of a business to book."""

    id: UUID
    slug: str
    name: str
    timezone: str
    currency: str
    locale: str
    services: list[ServiceCard]
    resources: list[ResourceCard]
    programs: list[ProgramCard]


class SlotView(msgspec.Struct, rename="camel"):
    """A slot as instants in UTC and in the zone that was asked for."""

    start: str
    end: str
    start_local: str
    end_local: str
    resource_ids: tuple[UUID, ...]
    places_left: int


class DayView(msgspec.Struct):
    """A local day with its slots; days without any are there, too."""

    date: str
    slots: list[SlotView]


class UnknownView(msgspec.Struct, rename="camel"):
    """A resource whose calendar was last seen so long ago that nobody can tell when it is free."""

    resource_id: UUID
    since: Instant


class SlotsView(msgspec.Struct, rename="camel"):
    """The days of a range; when all are empty, `nextFree` is the next slot after it, if there is one.

    `checkLater` could have more, which is not known at the moment: look again in some minutes, or ask to be told.
    """

    timezone: str
    days: list[DayView]
    next_free: str | None
    check_later: list[UnknownView]


class ScheduleView(msgspec.Struct, rename="camel"):
    """One occurrence of a program."""

    id: UUID
    start: Instant
    end: Instant
    max_capacity: int
    places_left: int


class SchedulesView(msgspec.Struct, rename="camel"):
    """A page of schedules; `nextCursor` leads to the next one."""

    schedules: list[ScheduleView]
    next_cursor: str | None


_encode = msgspec.json.Encoder().encode


@get("/api/public/businesses/{slug:str}", opt=documented(answers=BusinessCard))
async def card(request: Call, slug: FromPath[str]) -> Response[bytes]:
    """Return the public card of a business."""
    business = await request.app.state.tenancy.named(slug)
    snapshot = await request.app.state.reservations.snapshots.get(business.id, at_least=business.catalog_version)
    if snapshot is None:
        raise UnknownBusiness
    services = [s for s in snapshot.services.values() if s.active]
    return json_response(
        BusinessCard(
            business.id,
            business.slug,
            business.name,
            business.timezone,
            business.currency,
            business.locale,
            [
                ServiceCard(
                    s.id,
                    s.slug,
                    s.name,
                    s.duration_minutes,
                    s.price_minor,
                    s.payment_policy,
                    s.max_simultaneous_bookings,
                    [r for r in s.requirements[0] if snapshot.resources[r].active] if s.requirements else [],
                    s.payment_minutes,
                    _terms(s.refund_terms),
                )
                for s in services
            ],
            [
                ResourceCard(r.id, r.slug, r.name, r.kind, r.capacity)
                for r in snapshot.resources.values()
                if r.active and r.kind != "pool"
            ],
            [
                ProgramCard(
                    p.id,
                    p.slug,
                    p.name,
                    p.duration_minutes,
                    p.max_capacity,
                    p.price_minor,
                    p.payment_policy,
                    p.payment_minutes,
                    _terms(p.refund_terms),
                )
                for p in snapshot.programs.values()
                if p.active
            ],
        )
    )


@get(
    "/api/public/booking/slots",
    opt=documented(
        query=("service_slug", "from", "to", "tz", "business", "resource_id", "party_size"),
        headers=("If-None-Match",),
        answers=SlotsView,
    ),
)
async def slots(request: Call) -> Response[bytes]:
    """Return the free slots of a service, grouped by local day."""
    asked = request.query_params
    slug = asked.get("service_slug")
    if not slug:
        raise ValidationFailed.at("service_slug", "is missing")
    business = await request.app.state.tenancy.named(asked.get("business"))
    await request.app.state.reservations.snapshots.get(business.id, at_least=business.catalog_version)
    zone = checked_zone(asked.get("tz"), "tz") or business.timezone
    today = local_day(int(await request.app.state.reservations.now()), zone)
    first, last = _range(asked.get("from"), asked.get("to"), today)
    found = await free_days(
        request.app.state.reservations.database,
        request.app.state.reservations.snapshots,
        business.id,
        slug,
        zone,
        first,
        last,
        resource_id=_resource(asked.get("resource_id")),
        party=number_in(asked.get("party_size"), "party_size", 1, 1, 1_000_000),
    )
    request.app.state.reservations.events.add(business.id, SLOTS_VIEWED, service_slug=slug, timezone=zone)
    answer = SlotsView(
        zone,
        [
            DayView(
                day.isoformat(),
                [
                    SlotView(
                        utc_text(s.start),
                        utc_text(s.end),
                        local_text(s.start, zone),
                        local_text(s.end, zone),
                        s.resource_ids,
                        s.places_left,
                    )
                    for s in free
                ],
            )
            for day, free in found.days
        ],
        None if found.next_free is None else utc_text(found.next_free),
        [UnknownView(resource_id, since) for resource_id, since in found.unknown.items()],
    )
    body = _encode(answer)
    # Computed anew for every request; the tag spares only the way over the network.
    tag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if tag in (request.headers.get("If-None-Match") or ""):
        return Response(b"", status_code=304, headers=headers, media_type="application/json")
    return Response(body, headers=headers, media_type="application/json")


@get(
    "/api/public/programs/{slug:str}/schedules",
    opt=documented(query=("business", "from", "to", "cursor", "limit"), answers=SchedulesView),
)
async def schedules(request: Call, slug: FromPath[str]) -> Response[bytes]:
    """Return the schedules of a program that can be booked, with the places left."""
    asked = request.query_params
    business = await request.app.state.tenancy.named(asked.get("business"))
    snapshot = await request.app.state.reservations.snapshots.get(business.id, at_least=business.catalog_version)
    program = next((p for p in snapshot.programs.values() if p.slug == slug and p.active), None)
    if program is None:
        raise UnknownProgram
    if program.place_due_minor and not snapshot.takes_payments:
        raise PaymentsUnavailable
    first = date_in(asked.get("from"), "from")
    last = date_in(asked.get("to"), "to")
    if first is not None and last is not None and last <= first:
        raise ValidationFailed.at("to", "must be after from")
    limit = number_in(asked.get("limit"), "limit", 100, 1, _MAX_LIMIT)
    zone = business.timezone
    async with request.app.state.reservations.database.transaction(business.id) as tx:
        page = await list_schedules(
            tx,
            slug,
            start=_instant(first, zone),
            end=_instant(last, zone),
            cursor=asked.get("cursor"),
            limit=limit,
        )
    return json_response(
        SchedulesView(
            [ScheduleView(s.id, s.start, s.end, s.max_capacity, s.places_left) for s in page.schedules],
            page.next_cursor,
        )
    )


handlers = [card, slots, schedules]


def _terms(terms: Iterable[Term]) -> list[RefundTermView]:
    return [RefundTermView(term.hours_before, term.percent) for term in terms]


def _instant(day: date | None, zone: str) -> datetime | None:
    return None if day is None else datetime.fromisoformat(utc_text(day_bounds(day, zone)[0]))


def _resource(text: str | None) -> UUID | None:
    if not text:
        return None
    resource_id = uuid_or_none(text)
    if resource_id is None:
        raise UnknownResource
    return resource_id


def _range(first_text: str | None, last_text: str | None, today: date) -> tuple[date, date]:
    first = date_in(first_text, "from") or today
    last = date_in(last_text, "to") or first + timedelta(days=_DEFAULT_RANGE_DAYS)
    if last <= first:
        raise ValidationFailed.at("to", "must be after from")
    if (last - first).days > MAX_RANGE_DAYS:
        raise ValidationFailed.at("to", f"at most {MAX_RANGE_DAYS} days can be asked for at once")
    return first, last
