"""The pages on which a client books: plain HTML that works without JavaScript (U-1, first form).

Choose a service, a day and a time in one's own zone; the place is held while the details are typed; confirmed. A GET
never changes anything; a form that is sent twice has one effect.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect

from holdfast.availability.snapshots import Snapshot
from holdfast.availability.walltime import local_day, zones
from holdfast.booking import bookings
from holdfast.booking.bookings import Booking, keyed
from holdfast.booking.contacts import Guest
from holdfast.booking.errors import CheckLater, ReservationNotFoundOrExpired, SlotConflict, UnknownService
from holdfast.booking.free_time import free_days
from holdfast.booking.pages import offer, paying, waiting
from holdfast.booking.pages.opening import PROBLEMS, Call, contact_of, desk_of, open_page, typed_in
from holdfast.booking.pages.rendering import Page, render
from holdfast.booking.reservations import Wish
from holdfast.booking.states import LIVE, UNCOMMITTED, BookingState
from holdfast.booking.tracked import SLOTS_VIEWED
from holdfast.catalog.resources import Resource
from holdfast.catalog.services import Service
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.http import MAX_KEY_LENGTH, count_refusal, decode_form
from holdfast.kernel.ids import new_id, uuid_or_none

_DAYS_SHOWN = 7


@get(["/booking/slot", "/{business:str}/booking/slot"], exception_handlers=PROBLEMS)
async def choose(request: Call) -> Response[str]:
    """Show the services, or the free times of one."""
    business = request.path_params.get("business") or request.query_params.get("business")
    page, snapshot = await open_page(request, business)
    slug = request.query_params.get("service")
    if slug is not None:
        return await _times(request, page, snapshot, slug)
    sells = snapshot.takes_payments
    services = [s for s in snapshot.services.values() if s.active and (sells or not s.due_minor)]
    return render(page, "services.html", services=services)


@post("/{business:str}/booking/slot/hold", status_code=200, exception_handlers=PROBLEMS)
async def hold(request: Call, business: FromPath[str]) -> Response[Any]:
    """Hold the chosen time and lead on to the details; on a lost race show what is free instead.

    What was typed into the details before travels along.
    """
    page, snapshot = await open_page(request, business)
    form = decode_form(await request.body())
    typed = typed_in(form)
    service = snapshot.service(form.get("service", ""))
    if service is None:
        raise UnknownService
    wish = _wish(page, service, form)
    try:
        answer = await desk_of(request).reserve(snapshot.business.id, wish)
    except SlotConflict as lost:
        return _lost(page, snapshot, service, wish.resource_id, lost, typed)
    except CheckLater as later:
        count_refusal(later.code)
        day = None if wish.start is None else local_day(wish.start, page.zone)
        return render(page, "later.html", later.status, service=service, wanted=wish.resource_id, day=day)
    id_ = answer.made().id
    if typed:
        return _shown(page, snapshot, await _booking(request, snapshot, id_), wish.resource_id, typed)
    return Redirect(page.link(f"/booking/slot/held/{id_}", resource=wish.resource_id), status_code=303)


@get("/{business:str}/booking/slot/hold", exception_handlers=PROBLEMS)
async def hold_nothing(request: Call, business: FromPath[str]) -> Response[Any]:
    """Lead back to the times whoever opens the address of the form."""
    page, _ = await open_page(request, business)
    return Redirect(page.link("/booking/slot"), status_code=303)


@get("/{business:str}/booking/slot/held/{reservation_id:str}", exception_handlers=PROBLEMS)
async def held(request: Call, business: FromPath[str], reservation_id: FromPath[str]) -> Response[str]:
    """Show a held place with the form for the details, or what has become of it."""
    page, snapshot = await open_page(request, business)
    return _shown(page, snapshot, await _booking(request, snapshot, uuid_or_none(reservation_id)), _wanted(request), {})


@post("/{business:str}/booking/slot/held/{reservation_id:str}", status_code=200, exception_handlers=PROBLEMS)
async def confirm(request: Call, business: FromPath[str], reservation_id: FromPath[str]) -> Response[Any]:
    """Confirm the held place, or lead on to where it is paid; sending the form twice shows the same appointment."""
    page, snapshot = await open_page(request, business)
    booking = await _booking(request, snapshot, uuid_or_none(reservation_id))
    form = decode_form(await request.body())
    typed = typed_in(form)
    if booking.status not in LIVE:
        return _shown(page, snapshot, booking, _wanted(request), typed)
    try:
        body = contact_of(form)
    except ValidationFailed as invalid:
        return _shown(page, snapshot, booking, _wanted(request), typed, invalid)
    desk = desk_of(request)
    guest = Guest(body.guest_email, body.guest_phone, body.guest_name, page.zone, page.language)
    try:
        answer = await desk.commit(snapshot.business.id, booking.id, guest)
    except ReservationNotFoundOrExpired:
        return _shown(page, snapshot, await _booking(request, snapshot, booking.id), _wanted(request), typed)
    done = answer.made()
    if done.state not in LIVE:
        raise ReservationNotFoundOrExpired.gone()
    if done.state == BookingState.PENDING_PAYMENT:
        return await paying.committed(request, page, snapshot, answer)
    token = desk.tokens.of_nonce(snapshot.business.id, booking.id, answer.nonce)
    return render(page, "confirmed.html", booking=booking, token=token, **_what(snapshot, booking))


handlers: list[HTTPRouteHandler] = [
    choose,
    hold,
    hold_nothing,
    held,
    confirm,
    *waiting.handlers,
    *offer.handlers,
    *paying.handlers,
]


async def _times(request: Call, page: Page, snapshot: Snapshot, slug: str) -> Response[str]:
    service = snapshot.service(slug)
    if service is None:
        raise UnknownService
    desk = desk_of(request)
    today = local_day(int(await desk.now()), page.zone)
    horizon = today + timedelta(days=service.max_horizon_days)
    first = today
    asked = request.query_params.get("day")
    if asked:
        try:
            first = min(max(today, datetime.fromisoformat(asked).date()), horizon)
        except ValueError:
            raise ValidationFailed.at("day", "must be a date like 2026-11-21") from None
    later = first + timedelta(days=_DAYS_SHOWN)
    wanted = _wanted(request)
    found = await free_days(
        desk.database, desk.snapshots, snapshot.business.id, slug, page.zone, first, later, resource_id=wanted
    )
    desk.events.add(snapshot.business.id, SLOTS_VIEWED, service_slug=slug, timezone=page.zone)
    return render(
        page,
        "times.html",
        service=service,
        days=[(day, [(s.start, page.local(s.start)) for s in slots]) for day, slots in found.days],
        next_day=None if found.next_free is None else local_day(found.next_free, page.zone),
        nothing_free=found.next_free is None and not any(slots for _, slots in found.days),
        unknown=[snapshot.resources[r].name for r in found.unknown if r in snapshot.resources],
        day=first if first > today else None,
        earlier=max(today, first - timedelta(days=_DAYS_SHOWN)) if first > today else None,
        later=later if later <= horizon else None,
        leaders=_leaders(snapshot, service),
        wanted=wanted,
        zones=zones(),
        key=new_id(),
    )


async def _booking(request: Call, snapshot: Snapshot, booking_id: UUID | None) -> Booking:
    if booking_id is None:
        raise ReservationNotFoundOrExpired
    async with desk_of(request).database.transaction(snapshot.business.id) as tx:
        return await bookings.read_reservation(tx, booking_id)


def _wish(page: Page, service: Service, form: dict[str, str]) -> Wish:
    chosen, _, resource = form.get("start", "").partition("@")
    if not (chosen.isascii() and chosen.isdigit() and len(chosen) <= 11):
        raise ValidationFailed.at("start", "choose one of the times shown")
    start = int(chosen)
    resource_id = uuid_or_none(resource or form.get("resource", ""))
    # Whoever goes back and chooses another time from the same form wants another place: the time belongs to the key.
    key = f"{form.get('key') or new_id()} {start} {resource_id}"
    if len(key) > MAX_KEY_LENGTH:
        raise ValidationFailed.at("key", "must be the one of the form")
    return Wish(
        party=1,
        key=keyed(key, "hold by form", f"{service.id} {start} {resource_id}".encode()),
        timezone=page.zone,
        service_id=service.id,
        start=start,
        end=start + service.duration_minutes * 60,
        resource_id=resource_id,
    )


def _shown(
    page: Page,
    snapshot: Snapshot,
    booking: Booking,
    wanted: UUID | None,
    typed: dict[str, str],
    invalid: ValidationFailed | None = None,
) -> Response[str]:
    """Show a booking by its state: held with the form, run out with a way to hold it again, or confirmed."""
    what = _what(snapshot, booking)
    if booking.status is BookingState.HELD:
        wrong = "" if invalid is None else invalid.details["errors"][0]["field"]
        status = 200 if invalid is None else 400
        more = {"wanted": wanted, "typed": typed, "wrong": wrong, "offering": what["service"], **what}
        policy = page.leading_on if booking.due_minor else None
        return render(page, "held.html", status, policy=policy, booking=booking, **more)
    if booking.status is BookingState.PENDING_PAYMENT:
        return Redirect(page.link(f"/booking/slot/paid/{booking.id}"), status_code=303)
    if booking.status in UNCOMMITTED and what["service"] is not None:
        return render(page, "expired.html", 410, booking=booking, wanted=wanted, typed=typed, key=new_id(), **what)
    if booking.due_minor and booking.was_committed:
        # What goes back of the money is told where it was paid.
        return Redirect(page.link(f"/booking/slot/paid/{booking.id}"), status_code=303)
    if booking.status not in LIVE:
        raise ReservationNotFoundOrExpired.gone()
    # The token is shown to whoever confirms, not to whoever has the address.
    return render(page, "confirmed.html", booking=booking, token=None, **what)


def _lost(
    page: Page, snapshot: Snapshot, service: Service, wanted: UUID | None, lost: SlotConflict, typed: dict[str, str]
) -> Response[str]:
    alternatives = [
        {
            "at": datetime.fromisoformat(found["start"]),
            # Who wanted nobody in particular gets whoever is free when the time is chosen.
            "with_whom": None if wanted is None else snapshot.resources.get(found["resourceId"]),
        }
        for found in lost.details["alternatives"]
    ]
    return render(
        page,
        "lost.html",
        lost.status,
        service=service,
        alternatives=alternatives,
        wanted=wanted,
        typed=typed,
        key=new_id(),
    )


def _what(snapshot: Snapshot, booking: Booking) -> dict[str, Any]:
    service = None if booking.service_id is None else snapshot.services.get(booking.service_id)
    return {
        "service": service,
        "resources": [r for i in booking.resource_ids if (r := snapshot.resources.get(i)) and r.kind != "pool"],
        "at": booking.starts_at,
    }


def _leaders(snapshot: Snapshot, service: Service) -> list[Resource]:
    """Return whom a client may choose."""
    found = (snapshot.resources.get(r) for need in service.requirements[:1] for r in need)
    return [resource for resource in found if resource is not None and resource.active]


def _wanted(request: Call) -> UUID | None:
    """Return whom the client has chosen; the address remembers it, since a hold that has run out does not."""
    return uuid_or_none(request.query_params.get("resource") or "")
