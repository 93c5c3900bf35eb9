"""The pages on which a client books: plain HTML that works without JavaScript (U-1, first form).

Choose a service, a day and a time in one's own zone; the place is held while the details are typed; confirmed.
"""

from datetime import datetime, timedelta
from typing import Any

from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect

from holdfast.availability.snapshots import Snapshot
from holdfast.availability.walltime import local_day, zones
from holdfast.booking import bookings, views
from holdfast.booking.bookings import Booking, keyed
from holdfast.booking.errors import ReservationNotFoundOrExpired, SlotConflict, UnknownService
from holdfast.booking.free_time import free_days
from holdfast.booking.pages.rendering import Page, page_of, render
from holdfast.booking.reservations import Guest, Reservations, Wish
from holdfast.booking.states import UNCOMMITTED, BookingState
from holdfast.identity.errors import UnknownBusiness
from holdfast.kernel.errors import UserError, ValidationFailed
from holdfast.kernel.http import MAX_KEY_LENGTH, decode_form, uuid_or_none
from holdfast.kernel.ids import new_id

Call = Request[Any, Any, Any]

_DAYS_SHOWN = 7


@get(["/booking/slot", "/{business:str}/booking/slot"])
async def choose(request: Call) -> Response[str]:
    """Show the services, or the free times of one."""
    business = request.path_params.get("business") or request.query_params.get("business")
    try:
        page, snapshot = await _page(request, business)
    except UserError as error:
        return _lost(request, error)
    asked = request.query_params
    services = [s for s in snapshot.services.values() if s.active and s.payment_policy != "prepay"]
    slug = asked.get("service")
    if slug is None:
        return render(page, "services.html", services=services)
    try:
        return await _times(request, page, snapshot, slug)
    except UserError as error:
        return _lost(request, error, page)


@post("/{business:str}/booking/slot/hold", status_code=200)
async def hold(request: Call, business: FromPath[str]) -> Response[Any]:
    """Hold the chosen time and lead on to the details; on a lost race show what is free instead."""
    try:
        page, snapshot = await _page(request, business)
        form = decode_form(await request.body())
        service = snapshot.service(form.get("service", ""))
        if service is None:
            raise UnknownService
        start = _start(form.get("start", ""))
        key = form.get("key") or str(new_id())
        if len(key) > MAX_KEY_LENGTH:
            raise ValidationFailed.at("key", "must be the one of the form")
        resource_id = uuid_or_none(form.get("resource", ""))
        wish = Wish(
            party=1,
            key=keyed(key, "hold by form", f"{service.id} {start} {resource_id}".encode()),
            timezone=page.zone,
            service_id=service.id,
            start=start,
            end=start + service.duration_minutes * 60,
            resource_id=resource_id,
        )
        answer = await _desk(request).reserve(snapshot.business.id, wish)
    except SlotConflict as lost:
        alternatives = [
            {"at": datetime.fromisoformat(a["start"]), "resource": snapshot.resources[a["resourceId"]]}
            for a in lost.details["alternatives"]
        ]
        return render(
            page, "lost.html", 409, service=service, alternatives=alternatives, resource_id=resource_id, key=new_id()
        )
    except UserError as error:
        return _lost(request, error)
    return Redirect(page.link(f"/booking/slot/held/{answer.made().id}"), status_code=303)


@get("/{business:str}/booking/slot/held/{reservation_id:str}")
async def held(request: Call, business: FromPath[str], reservation_id: FromPath[str]) -> Response[str]:
    """Show a held place with the form for the details."""
    try:
        page, snapshot = await _page(request, business)
        booking = await _reservation(request, snapshot, reservation_id)
    except UserError as error:
        return _lost(request, error)
    return _held(page, snapshot, booking, {}, None)


@post("/{business:str}/booking/slot/held/{reservation_id:str}", status_code=200)
async def confirm(request: Call, business: FromPath[str], reservation_id: FromPath[str]) -> Response[str]:
    """Confirm the held place; sending the form twice shows the same appointment."""
    try:
        page, snapshot = await _page(request, business)
        booking = await _reservation(request, snapshot, reservation_id)
        form = decode_form(await request.body())
    except UserError as error:
        return _lost(request, error)
    try:
        body = views.contact_of(form)
    except ValidationFailed as invalid:
        return _held(page, snapshot, booking, form, invalid)
    desk = _desk(request)
    guest = Guest(body.guest_email, body.guest_phone, body.guest_name, page.zone, page.language)
    try:
        answer = await desk.commit(snapshot.business.id, booking.id, guest)
    except UserError as error:
        return _lost(request, error, page)
    token = desk.tokens.token(snapshot.business.id, booking.id, bytes.fromhex(answer.made().nonce))
    return render(page, "confirmed.html", booking=booking, token=token, **_shown(snapshot, booking))


handlers: list[HTTPRouteHandler] = [choose, hold, held, confirm]


async def _times(request: Call, page: Page, snapshot: Snapshot, slug: str) -> Response[str]:
    service = snapshot.service(slug)
    if service is None:
        raise UnknownService
    desk = _desk(request)
    today = local_day(int(await desk.now()), page.zone)
    first = today
    asked = request.query_params.get("day")
    if asked:
        try:
            first = max(today, datetime.fromisoformat(asked).date())
        except ValueError:
            raise ValidationFailed.at("day", "must be a date like 2026-11-21") from None
    first = min(first, today + timedelta(days=service.max_horizon_days))
    resource_id = uuid_or_none(request.query_params.get("resource") or "")
    days, next_free = await free_days(
        desk.database,
        desk.snapshots,
        snapshot.business.id,
        slug,
        page.zone,
        first,
        first + timedelta(days=_DAYS_SHOWN),
        resource_id=resource_id,
    )
    leaders = [snapshot.resources[r] for r in service.requirements[0] if snapshot.resources[r].active]
    return render(
        page,
        "times.html",
        service=service,
        days=[(day, [(s.start, page.local(s.start)) for s in slots]) for day, slots in days],
        next_day=None if next_free is None else local_day(next_free, page.zone),
        earlier=max(today, first - timedelta(days=_DAYS_SHOWN)) if first > today else None,
        later=first + timedelta(days=_DAYS_SHOWN),
        leaders=leaders,
        resource_id=resource_id,
        zones=zones(),
        key=new_id(),
    )


async def _page(request: Call, business: str | None) -> tuple[Page, Snapshot]:
    found = await request.app.state.tenancy.named(business)
    snapshot = await _desk(request).snapshots.get(found.id, at_least=found.catalog_version)
    if snapshot is None:
        raise UnknownBusiness
    return page_of(request, snapshot.business), snapshot


async def _reservation(request: Call, snapshot: Snapshot, text: str) -> Booking:
    booking_id = uuid_or_none(text)
    if booking_id is None:
        raise ReservationNotFoundOrExpired
    async with _desk(request).database.transaction(snapshot.business.id) as tx:
        booking = await bookings.read_reservation(tx, booking_id)
    if booking.status in UNCOMMITTED and booking.status is not BookingState.HELD:
        raise ReservationNotFoundOrExpired.gone()
    return booking


def _held(
    page: Page, snapshot: Snapshot, booking: Booking, typed: dict[str, str], invalid: ValidationFailed | None
) -> Response[str]:
    wrong = "" if invalid is None else invalid.details["errors"][0]["field"]
    status = 200 if invalid is None else 400
    return render(page, "held.html", status, booking=booking, typed=typed, wrong=wrong, **_shown(snapshot, booking))


def _shown(snapshot: Snapshot, booking: Booking) -> dict[str, Any]:
    service = None if booking.service_id is None else snapshot.services.get(booking.service_id)
    return {
        "service": service,
        "resources": [snapshot.resources[r] for r in booking.resource_ids if r in snapshot.resources],
        "at": booking.starts_at,
    }


def _lost(request: Call, error: UserError, page: Page | None = None) -> Response[str]:
    return render(page or page_of(request, None), "problem.html", error.status, error=error)


def _start(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 11):
        raise ValidationFailed.at("start", "choose one of the times shown")
    return int(text)


def _desk(request: Call) -> Reservations:
    return request.app.state.reservations  # type: ignore[no-any-return]
