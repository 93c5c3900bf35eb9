"""The page of somebody who waits: what they are offered and until when, with the form that takes it (W-1).

Its address has the token of the request, as the link of an offer does; opening it changes nothing.
"""

from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect

from holdfast.availability.snapshots import Snapshot
from holdfast.booking import bookings, waitlist
from holdfast.booking.bookings import Booking
from holdfast.booking.errors import NotChangeable
from holdfast.booking.pages.opening import PROBLEMS, Call, desk_of, open_page
from holdfast.booking.pages.rendering import Page, render
from holdfast.booking.pages.what import program_of
from holdfast.booking.waitlist import RequestState, WaitlistRequest
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import AuthenticationRequired, NotFound
from holdfast.kernel.http import decode_form
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.languages import LANGUAGES

_PATH = "/{business:str}/booking/slot/offer/{waitlist_id:str}"


@get(_PATH, exception_handlers=PROBLEMS)
async def show(request: Call, business: FromPath[str], waitlist_id: FromPath[str]) -> Response[Any]:
    """Show what somebody who waits is offered, with the form that takes it, or how their request stands."""
    page, snapshot = await open_page(request, business)
    token = request.query_params.get("token") or ""
    request_id = _proven(request, snapshot, waitlist_id, token)
    async with desk_of(request).database.transaction(snapshot.business.id) as tx:
        return await _shown(tx, page, snapshot, request_id, token)


@post(_PATH, status_code=200, exception_handlers=PROBLEMS)
async def leave(request: Call, business: FromPath[str], waitlist_id: FromPath[str]) -> Response[Any]:
    """Take somebody from the waitlist; what they were offered goes to the next in line."""
    page, snapshot = await open_page(request, business)
    token = decode_form(await request.body()).get("token", "")
    request_id = _proven(request, snapshot, waitlist_id, token)

    async def work(tx: Transaction) -> Response[Any]:
        # What was taken meanwhile stays, and is shown.
        with suppress(NotChangeable):
            await waitlist.withdraw(tx, request_id)
        return await _shown(tx, page, snapshot, request_id, token)

    return await desk_of(request).database.run(snapshot.business.id, work)


handlers: list[HTTPRouteHandler] = [show, leave]


def _proven(request: Call, snapshot: Snapshot, text: str, token: str) -> UUID:
    """Return the id of a request to whoever has its token; raises NotFound, AuthenticationRequired."""
    request_id = uuid_or_none(text)
    if request_id is None:
        raise NotFound
    if not desk_of(request).tokens.proves_request(token, snapshot.business.id, request_id):
        raise AuthenticationRequired
    return request_id


async def _shown(tx: Transaction, page: Page, snapshot: Snapshot, request_id: UUID, token: str) -> Response[Any]:
    waits = await waitlist.find(tx, request_id)
    page = _in_their_words(page, waits)
    values: dict[str, Any] = {"token": token, "path": f"/booking/slot/offer/{request_id}"}
    values |= await _what(tx, snapshot, waits)
    booking = None if waits.offer is None else await bookings.read_reservation(tx, waits.offer.booking_id)
    if waits.status is RequestState.ACCEPTED and booking is not None and booking.due_minor:
        # Whether it is paid, and until when it waits for that, is told where it is paid.
        return Redirect(page.link(f"/booking/slot/paid/{booking.id}"), status_code=303)
    values |= _where(snapshot, booking)
    if waits.status is not RequestState.OFFERED:
        return render(page, "standing.html", waits=waits, booking=booking, **values)
    guest = waits.guest
    given = {"name": guest.name, "email": guest.email, "phone": guest.phone}
    typed = {name: text for name, text in given.items() if text is not None}
    policy = page.leading_on if booking is not None and booking.due_minor else None
    values["offering"] = values["service"] or values["program"]
    return render(
        page, "offered.html", policy=policy, booking=booking, typed=typed, wrong="", wanted=None, said=None, **values
    )


def _in_their_words(page: Page, waits: WaitlistRequest) -> Page:
    """Return the page in the language and the zone in which they have asked, unless the address names others."""
    guest, choices = waits.guest, dict(page.choices)
    language = (guest.locale or "")[:2]
    if "lang" not in choices and language in LANGUAGES:
        page = replace(page, language=language)
        choices["lang"] = language
    if "tz" not in choices and guest.timezone is not None:
        page = replace(page, zone=guest.timezone)
        choices["tz"] = guest.timezone
    return replace(page, choices=choices)


async def _what(tx: Transaction, snapshot: Snapshot, waits: WaitlistRequest) -> dict[str, Any]:
    """Return the service, or the program of the schedule, that somebody waits for."""
    wanted = waits.wanted
    if wanted.service_id is not None:
        return {"service": snapshot.services.get(wanted.service_id), "program": None}
    assert wanted.schedule_id is not None, "somebody waits for one of the two"
    return {"service": None, "program": await program_of(tx, snapshot, wanted.schedule_id)}


def _where(snapshot: Snapshot, booking: Booking | None) -> dict[str, Any]:
    if booking is None:
        return {}
    found = (snapshot.resources.get(resource_id) for resource_id in booking.resource_ids)
    resources = [r for r in found if r is not None and r.kind != "pool"]
    return {"at": booking.starts_at, "until": booking.ends_at, "resources": resources}
