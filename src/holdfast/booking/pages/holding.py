"""The pages on which a place is held, the details are typed and the booking is confirmed (U-1)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect

from holdfast.availability.snapshots import Snapshot
from holdfast.availability.walltime import local_day
from holdfast.booking import bookings
from holdfast.booking.bookings import Booking, Keyed, keyed
from holdfast.booking.contacts import Guest
from holdfast.booking.errors import (
    CapacityExceeded,
    CheckLater,
    HoldLimitReached,
    ReservationNotFoundOrExpired,
    SlotConflict,
    UnknownSchedule,
    UnknownService,
)
from holdfast.booking.pages import groups, paying
from holdfast.booking.pages.consent import check_consent, keep_consent
from holdfast.booking.pages.opening import PROBLEMS, Call, contact_of, desk_of, open_page, party_in, typed_in, wanted_in
from holdfast.booking.pages.rendering import Page, render
from holdfast.booking.pages.what import What, program_of, what_of
from holdfast.booking.reservations import Wish
from holdfast.booking.states import LIVE, UNCOMMITTED, BookingState
from holdfast.catalog.services import Service
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.http import MAX_KEY_LENGTH, count_refusal, decode_form
from holdfast.kernel.ids import new_id, uuid_or_none


@dataclass(frozen=True, slots=True)
class _Sight:
    """What a page is shown with: for whom it is, what is offered, and what travels along with a form."""

    request: Call
    page: Page
    snapshot: Snapshot
    typed: dict[str, str]

    async def booking(self, text: str) -> Booking:
        """Return the booking that an address names; raises ReservationNotFoundOrExpired."""
        booking_id = uuid_or_none(text)
        if booking_id is None:
            raise ReservationNotFoundOrExpired
        async with desk_of(self.request).database.transaction(self.snapshot.business.id) as tx:
            return await bookings.read_reservation(tx, booking_id)

    async def what(self, booking: Booking) -> What:
        """Return what a booking is of."""
        async with desk_of(self.request).database.transaction(self.snapshot.business.id) as tx:
            return await what_of(tx, self.snapshot, booking)


@post("/{business:str}/booking/slot/hold", status_code=200, exception_handlers=PROBLEMS)
async def hold(request: Call, business: FromPath[str]) -> Response[Any]:
    """Hold the chosen time and lead on to the details; on a lost race show what is free instead.

    What was typed into the details before travels along.
    """
    page, snapshot = await open_page(request, business)
    form = decode_form(await request.body())
    sight = _Sight(request, page, snapshot, typed_in(form))
    if form.get("schedule"):
        return await _hold_places(sight, form)
    service = snapshot.service(form.get("service", ""))
    if service is None:
        raise UnknownService
    wish = _wish(page, service, form)
    try:
        answer = await desk_of(request).reserve(snapshot.business.id, wish)
    except SlotConflict as lost:
        return _lost(sight, service, wish, lost)
    except CheckLater as later:
        count_refusal(later.code)
        day = None if wish.start is None else local_day(wish.start, page.zone)
        return render(page, "later.html", later.status, service=service, wanted=wish.resource_id, day=day)
    return await _held(sight, answer.made().id, wish.resource_id)


@get("/{business:str}/booking/slot/hold", exception_handlers=PROBLEMS)
async def hold_nothing(request: Call, business: FromPath[str]) -> Response[Any]:
    """Lead back to the times whoever opens the address of the form."""
    page, _ = await open_page(request, business)
    return Redirect(page.link("/booking/slot"), status_code=303)


@get("/{business:str}/booking/slot/held/{reservation_id:str}", exception_handlers=PROBLEMS)
async def held(request: Call, business: FromPath[str], reservation_id: FromPath[str]) -> Response[Any]:
    """Show a held place with the form for the details, or what has become of it."""
    sight = _Sight(request, *await open_page(request, business), {})
    return await _shown(sight, await sight.booking(reservation_id))


@post("/{business:str}/booking/slot/held/{reservation_id:str}/extend", status_code=200, exception_handlers=PROBLEMS)
async def extend(request: Call, business: FromPath[str], reservation_id: FromPath[str]) -> Response[Any]:
    """Hold the place for longer, and show the form again with what was typed so far."""
    page, snapshot = await open_page(request, business)
    sight = _Sight(request, page, snapshot, typed_in(decode_form(await request.body())))
    booking, said = await sight.booking(reservation_id), "extended"
    try:
        booking = await desk_of(request).database.run(
            snapshot.business.id, lambda tx: bookings.extend(tx, booking.id, None)
        )
    except HoldLimitReached:
        said = "longest"
    except ReservationNotFoundOrExpired:
        # What has become of it meanwhile is shown.
        booking = await sight.booking(reservation_id)
    return await _shown(sight, booking, said=said)


@get("/{business:str}/booking/slot/held/{reservation_id:str}/extend", exception_handlers=PROBLEMS)
async def extend_nothing(request: Call, business: FromPath[str], reservation_id: FromPath[str]) -> Response[Any]:
    """Lead back to the held place whoever opens the address of the button."""
    page, _ = await open_page(request, business)
    booking_id = uuid_or_none(reservation_id)
    if booking_id is None:
        raise ReservationNotFoundOrExpired
    return Redirect(page.link(f"/booking/slot/held/{booking_id}", resource=wanted_in(request)), status_code=303)


@post("/{business:str}/booking/slot/held/{reservation_id:str}", status_code=200, exception_handlers=PROBLEMS)
async def confirm(request: Call, business: FromPath[str], reservation_id: FromPath[str]) -> Response[Any]:
    """Confirm the held place, or lead on to where it is paid; sending the form twice shows the same appointment."""
    page, snapshot = await open_page(request, business)
    form = decode_form(await request.body())
    sight = _Sight(request, page, snapshot, typed_in(form))
    booking = await sight.booking(reservation_id)
    if booking.status not in LIVE:
        return await _shown(sight, booking)
    try:
        body = contact_of(form)
        check_consent(form)
    except ValidationFailed as invalid:
        return await _shown(sight, booking, invalid=invalid)
    desk = desk_of(request)
    guest = Guest(body.guest_email, body.guest_phone, body.guest_name, page.zone, page.language)
    try:
        answer = await desk.commit(snapshot.business.id, booking.id, guest)
    except ReservationNotFoundOrExpired:
        return await _shown(sight, await sight.booking(reservation_id))
    done = answer.made()
    if done.state not in LIVE:
        raise ReservationNotFoundOrExpired.gone()
    token = desk.tokens.of_nonce(snapshot.business.id, booking.id, answer.nonce)
    if token is not None:
        # Whoever is told the token is the guest of the booking.
        await desk.database.run(snapshot.business.id, lambda tx: keep_consent(tx, booking, guest))
    if done.state == BookingState.PENDING_PAYMENT:
        return await paying.committed(request, page, snapshot, answer)
    what = await sight.what(booking)
    return render(page, "confirmed.html", booking=booking, token=token, **what.values())


handlers: list[HTTPRouteHandler] = [hold, hold_nothing, held, extend, extend_nothing, confirm]


def _wish(page: Page, service: Service, form: dict[str, str]) -> Wish:
    chosen, _, resource = form.get("start", "").partition("@")
    if not (chosen.isascii() and chosen.isdigit() and len(chosen) <= 11):
        raise ValidationFailed.at("start", "choose one of the times shown")
    start, party = int(chosen), party_in(form.get("party"))
    resource_id = uuid_or_none(resource or form.get("resource", ""))
    return Wish(
        party=party,
        key=_key(form, f"{start} {resource_id}", f"{service.id} {start} {resource_id} {party}"),
        timezone=page.zone,
        service_id=service.id,
        start=start,
        end=start + service.duration_minutes * 60,
        resource_id=resource_id,
    )


def _key(form: dict[str, str], place: str, whole: str) -> Keyed:
    # Whoever goes back and chooses another time from the same form wants another place: the time belongs to the key.
    key = f"{form.get('key') or new_id()} {place}"
    if len(key) > MAX_KEY_LENGTH:
        raise ValidationFailed.at("key", "must be the one of the form")
    return keyed(key, "hold by form", whole.encode())


async def _hold_places(sight: _Sight, form: dict[str, str]) -> Response[Any]:
    """Hold places at a date of a group; where there are not enough any more, show what the dates have left."""
    schedule_id, party = uuid_or_none(form["schedule"]), party_in(form.get("party"))
    if schedule_id is None:
        raise UnknownSchedule
    wish = Wish(
        party=party,
        key=_key(form, str(schedule_id), f"{schedule_id} {party}"),
        timezone=sight.page.zone,
        schedule_id=schedule_id,
    )
    desk, business_id = desk_of(sight.request), sight.snapshot.business.id
    try:
        answer = await desk.reserve(business_id, wish)
    except CapacityExceeded as full:
        count_refusal(full.code)
        async with desk.database.transaction(business_id) as tx:
            program = await program_of(tx, sight.snapshot, schedule_id)
        if program is None or not program.active:
            raise
        left, status = full.details["placesLeft"], SlotConflict.status
        return await groups.show_dates(
            sight.request, sight.page, program, party, left=left, typed=sight.typed, status=status
        )
    return await _held(sight, answer.made().id, None)


async def _held(sight: _Sight, booking_id: UUID, wanted: UUID | None) -> Response[Any]:
    if sight.typed:
        return await _shown(sight, await sight.booking(str(booking_id)), wanted=wanted)
    return Redirect(sight.page.link(f"/booking/slot/held/{booking_id}", resource=wanted), status_code=303)


async def _shown(
    sight: _Sight,
    booking: Booking,
    *,
    wanted: UUID | None = None,
    invalid: ValidationFailed | None = None,
    said: str | None = None,
) -> Response[Any]:
    """Show a booking by its state: held with the form, run out with a way to hold it again, or confirmed."""
    page, what = sight.page, await sight.what(booking)
    values = {"booking": booking, "typed": sight.typed, "wanted": wanted or wanted_in(sight.request), **what.values()}
    if booking.status is BookingState.HELD:
        wrong = "" if invalid is None else invalid.details["errors"][0]["field"]
        status = 200 if invalid is None else 400
        policy = page.leading_on if booking.due_minor else None
        return render(page, "held.html", status, policy=policy, wrong=wrong, said=said, **values)
    if booking.status is BookingState.PENDING_PAYMENT:
        return Redirect(page.link(f"/booking/slot/paid/{booking.id}"), status_code=303)
    if booking.status in UNCOMMITTED and (what.service or what.program) is not None:
        return render(page, "expired.html", 410, key=new_id(), **values)
    if booking.due_minor and booking.was_committed:
        # What goes back of the money is told where it was paid.
        return Redirect(page.link(f"/booking/slot/paid/{booking.id}"), status_code=303)
    if booking.status not in LIVE:
        raise ReservationNotFoundOrExpired.gone()
    # The token is shown to whoever confirms, not to whoever has the address.
    return render(page, "confirmed.html", token=None, **values)


def _lost(sight: _Sight, service: Service, wish: Wish, lost: SlotConflict) -> Response[Any]:
    alternatives = [
        {
            "at": datetime.fromisoformat(found["start"]),
            # Who wanted nobody in particular gets whoever is free when the time is chosen.
            "with_whom": None if wish.resource_id is None else sight.snapshot.resources.get(found["resourceId"]),
        }
        for found in lost.details["alternatives"]
    ]
    return render(
        sight.page,
        "lost.html",
        lost.status,
        service=service,
        alternatives=alternatives,
        wanted=wish.resource_id,
        party=wish.party,
        typed=sight.typed,
        key=new_id(),
    )
