"""What people have done to appointments in their calendars: seen side by side, and decided."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.bookings_words import names_in, why
from holdfast.admin.frame import PROBLEMS, Call, database_of, go, page_in, read_form, render
from holdfast.admin.integrations_words import CONFLICT_STATES, CONFLICTS
from holdfast.booking import bookings
from holdfast.booking.calls import desk_of
from holdfast.calendars import conflicts
from holdfast.calendars.conflicts import Conflict, ConflictKind, ConflictState
from holdfast.identity.calls import id_named
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.audit import Actor
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound, UserError
from holdfast.kernel.languages import N_
from holdfast.kernel.lists import page_of, place_of, word_in

PATH = "/admin/conflicts"
_CONFLICT = PATH + "/{conflict_id:str}"
_DECIDES = [Needs(Permission.CHANGE_APPOINTMENTS)]
_LIMIT = 50
_LONGEST_REASON = 500
_NOTICES = {
    "accepted": N_("The appointment is as the calendar says."),
    "restored": N_("The calendar will be written back as the appointment is."),
    "ignored": N_("Both stay as they are until the appointment changes."),
}

Decide = Callable[[Transaction, Any, Actor, str | None], Awaitable[Conflict]]


@get(PATH, guards=_DECIDES, exception_handlers=PROBLEMS)
async def admin_conflicts(request: Call) -> Response[Any]:
    """Show what is to be decided, or what has become of what was."""
    return await _list(request)


@post(_CONFLICT + "/accept", status_code=200, guards=_DECIDES, exception_handlers=PROBLEMS)
async def admin_conflict_accept(request: Call, conflict_id: FromPath[str]) -> Response[Any]:
    """Take over what the calendar says, by the same rules as any change."""
    named, staff = id_named(conflict_id), staff_of(request)
    reason = (await read_form(request)).line("reason")[:_LONGEST_REASON] or None
    try:
        await conflicts.accept(desk_of(request), staff.business_id, named, staff.actor, reason)
    except NotFound:
        raise
    except UserError as error:
        return await _list(request, error)
    return go(PATH, done="accepted")


@post(_CONFLICT + "/restore", status_code=200, guards=_DECIDES, exception_handlers=PROBLEMS)
async def admin_conflict_restore(request: Call, conflict_id: FromPath[str]) -> Response[Any]:
    """Have the event written back as the appointment is."""
    return await _decided(request, conflict_id, conflicts.restore, "restored")


@post(_CONFLICT + "/ignore", status_code=200, guards=_DECIDES, exception_handlers=PROBLEMS)
async def admin_conflict_ignore(request: Call, conflict_id: FromPath[str]) -> Response[Any]:
    """Leave both as they are."""
    return await _decided(request, conflict_id, conflicts.ignore, "ignored")


handlers: list[HTTPRouteHandler] = [
    admin_conflicts,
    admin_conflict_accept,
    admin_conflict_restore,
    admin_conflict_ignore,
]


async def _decided(request: Call, conflict_id: str, decide: Decide, done: str) -> Response[Any]:
    named, staff = id_named(conflict_id), staff_of(request)
    reason = (await read_form(request)).line("reason")[:_LONGEST_REASON] or None
    try:
        await database_of(request).run(staff.business_id, lambda tx: decide(tx, named, staff.actor, reason))
    except NotFound:
        raise
    except UserError as error:
        return await _list(request, error)
    return go(PATH, done=done)


async def _list(request: Call, error: UserError | None = None) -> Response[Any]:
    asked = request.query_params
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        state = word_in(asked.get("status"), "status", ConflictState) or ConflictState.OPEN
        after = place_of(asked.get("cursor") or None)
        found = await conflicts.find_conflicts(tx, state=state, booking_id=None, after=after, limit=_LIMIT + 1)
        found, cursor = page_of(found, _LIMIT, lambda conflict: (conflict.raised_at, conflict.id))
        booked = await bookings.find_all(tx, list({conflict.booking_id for conflict in found}))
        names = await names_in(tx, (booking.schedule_id for booking in booked))
    by_id = {booking.id: booking for booking in booked}
    return render(
        page,
        "integrations_conflicts.html",
        200 if error is None else error.status,
        request=request,
        notices=_NOTICES,
        shown=[
            (each, names.what(by_id[each.booking_id]), names.whom(by_id[each.booking_id].resource_ids))
            for each in found
            if each.booking_id in by_id
        ],
        kinds=CONFLICTS,
        moved=ConflictKind.MOVED,
        overlap=ConflictKind.OVERLAP,
        states=CONFLICT_STATES,
        state=state,
        is_open=state is ConflictState.OPEN,
        following=cursor and f"{PATH}?{urlencode({'status': state, 'cursor': cursor})}",
        slip=None if error is None else why(page, error),
    )
