"""Bookings: looked for and listed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from holdfast.admin import bookings_changes, bookings_moving, bookings_one
from holdfast.admin.bookings_words import SQL, STATES, Names, names_in, today_in
from holdfast.admin.customers_known import NO_CONTACT, Known, known_by, known_in
from holdfast.admin.frame import (
    PROBLEMS,
    AdminPage,
    Call,
    Entry,
    Form,
    database_of,
    go,
    page_in,
    read_form,
    render,
)
from holdfast.availability.walltime import day_bounds
from holdfast.booking import bookings
from holdfast.booking.admission import instant
from holdfast.booking.agenda import Filters, list_appointments
from holdfast.booking.bookings import Booking
from holdfast.booking.contacts import Person, person_of
from holdfast.booking.states import UNCOMMITTED, BookingState
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Transaction
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.languages import N_
from holdfast.kernel.lists import date_in, word_in

PATH = "/admin/bookings"
ENTRY = Entry(PATH, N_("Bookings"), "day", Permission.READ_APPOINTMENTS, order=20)

_READS = [Needs(Permission.READ_APPOINTMENTS)]
_LIMIT = 50
_NO_BOOKING = N_("There is no booking with this number")
_FIELDS = ("q", "who", "service", "resource", "state", "from", "to")


@dataclass(frozen=True, slots=True)
class Shown:
    """A line of the list."""

    booking: Booking
    person: Person
    what: str
    whom: str
    state: tuple[str, str]
    series_id: UUID | None


@get(PATH, guards=_READS, exception_handlers=PROBLEMS)
async def admin_bookings(request: Call) -> Response[Any]:
    """Show bookings in order of time: from today on, unless somebody looks for others."""
    asked = {name: request.query_params.get(name) or "" for name in (*_FIELDS, "cursor")}
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        names = await names_in(tx)
        found, cursor = await _found(tx, page, asked, names)
        shown = await shown_of(tx, found)
    return _list(request, page, asked, names, shown=shown, following=cursor and _address(asked, cursor=cursor))


@post(PATH, status_code=200, guards=_READS, exception_handlers=PROBLEMS)
async def admin_bookings_search(request: Call) -> Response[Any]:
    """Lead to what is looked for, under an address that tells nobody's contact."""
    form = await read_form(request)
    typed = {name: form.line(name) for name in _FIELDS}
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        wrong, found = await _looked_for(tx, form)
        if wrong is not None:
            page = await page_in(tx, request)
            return _list(request, page, typed, await names_in(tx), wrong={"q": page.text(wrong)}, status=400)
    if isinstance(found, Booking):
        return go(f"{PATH}/{found.id}")
    who = typed["who"] if found is None else str(found)
    return go(_address({**typed, "who": who, "q": ""}))


handlers: list[HTTPRouteHandler] = [
    admin_bookings,
    admin_bookings_search,
    *bookings_one.handlers,
    *bookings_changes.handlers,
    *bookings_moving.handlers,
]


async def shown_of(tx: Transaction, found: list[Booking]) -> list[Shown]:
    """Return bookings as a list shows them."""
    names = await names_in(tx, (booking.schedule_id for booking in found))
    values = {"business_id": tx.business_id, "ids": [booking.id for booking in found]}
    series = {row["booking_id"]: row["series_id"] for row in await tx.rows(SQL["series_of"], values)}
    keys = await tx.keys()
    return [
        Shown(
            booking,
            person_of(keys, booking),
            names.what(booking),
            names.whom(booking.resource_ids),
            STATES[booking.status],
            series.get(booking.id),
        )
        for booking in found
    ]


def _list(
    request: Call,
    page: AdminPage,
    typed: Mapping[str, str],
    names: Names,
    *,
    shown: list[Shown] | None = None,
    following: str | None = None,
    wrong: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response[Any]:
    today = today_in(page.wording)
    spans = {
        N_("Today"): (today, today),
        N_("Next 7 days"): (today, today + timedelta(days=6)),
        N_("Last 7 days"): (today - timedelta(days=7), today - timedelta(days=1)),
        N_("Last 30 days"): (today - timedelta(days=30), today - timedelta(days=1)),
    }
    kept = {name: typed.get(name, "") for name in ("who", "service", "resource", "state")}
    return render(
        page,
        "bookings.html",
        status,
        request=request,
        typed=typed,
        wrong=wrong,
        shown=shown,
        following=following,
        offered=[(str(each.id), each.name) for each in names.bookable],
        people=[(str(each.id), each.name) for each in names.resources],
        from_today=_address(kept) if not kept["who"] else None,
        is_from_today=not (typed["from"] or typed["to"]),
        spans=[
            (label, _address({**kept, "from": str(first), "to": str(last)}), (str(first), str(last)))
            for label, (first, last) in spans.items()
        ],
        everybody=_address({**typed, "q": "", "who": ""}),
        states=[(str(state), page.text(STATES[state][0])) for state in BookingState if state not in UNCOMMITTED],
    )


async def _found(
    tx: Transaction, page: AdminPage, asked: Mapping[str, str], names: Names
) -> tuple[list[Booking], str | None]:
    zone = page.business.timezone
    first, last = date_in(_from(page, asked), "from"), date_in(asked["to"], "to")
    who = known_in(asked["who"])
    wanted = uuid_or_none(asked["service"])
    thing = None if wanted is None else names.things.get(wanted)
    state = word_in(asked["state"], "state", BookingState)
    filters = Filters(
        start=None if first is None else instant(day_bounds(first, zone)[0]),
        # People mean the last day with all its hours.
        end=None if last is None else instant(day_bounds(last, zone)[1]),
        states=None if state is None else [state],
        service_id=wanted if thing is None or thing.kind == "service" else None,
        program_id=wanted if thing is not None and thing.kind == "program" else None,
        resource_id=uuid_or_none(asked["resource"]),
        email_index=None if who is None else who.handles.email,
        phone_index=None if who is None else who.handles.phone,
    )
    found = await list_appointments(tx, filters, cursor=asked["cursor"] or None, limit=_LIMIT)
    return found.appointments, found.next_cursor


async def _looked_for(tx: Transaction, form: Form) -> tuple[str | None, Booking | Known | None]:
    """Return what is wrong with what was typed, or the booking or the person that it names."""
    text = form.line("q")
    if not text:
        return None, None
    booking_id = uuid_or_none(text)
    if booking_id is not None:
        booking = await bookings.find(tx, booking_id)
        return (_NO_BOOKING, None) if booking is None else (None, booking)
    who = known_by(await tx.keys(), text)
    return (NO_CONTACT, None) if who is None else (None, who)


def _from(page: AdminPage, asked: Mapping[str, str]) -> str:
    """Return from which day on is shown: today when nobody says otherwise, of one person everything."""
    if asked["from"] or asked["to"] or asked["who"]:
        return asked["from"]
    return str(today_in(page.wording))


def _address(asked: Mapping[str, str], **more: str) -> str:
    query = {name: value for name, value in {**asked, **more}.items() if value}
    return PATH + (f"?{urlencode(query)}" if query else "")
