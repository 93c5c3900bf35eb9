"""The calendar with which a practice works all day: by day, by week, as a list (U-3)."""

from datetime import UTC, datetime
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from holdfast.admin import schedule_adding, schedule_booking, schedule_opening
from holdfast.admin.frame import PROBLEMS, Call, Entry, database_of, page_in, render
from holdfast.admin.schedule_board import STATES, Picture, drawn, listed
from holdfast.admin.schedule_reading import PATH, VIEWS, Asked, asked_of, entries, everybody, names_of, shown_of
from holdfast.availability.walltime import day_bounds, local_day
from holdfast.booking.admission import instant
from holdfast.booking.calls import desk_of
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.languages import N_
from holdfast.kernel.pages import COMPRESSED

ENTRY = Entry(PATH, N_("Calendar"), "day", Permission.READ_APPOINTMENTS, 10)

_DONE = {
    "moved": N_("The appointment was moved."),
    "cancelled": N_("The appointment was cancelled."),
    "outcome": N_("It was noted how the appointment ended."),
    "booked": N_("The appointment was made."),
    "blocked": N_("The time is blocked."),
    "unblocked": N_("The time is free again."),
}
_VIEW_WORDS = {"day": N_("Day"), "week": N_("Week"), "list": N_("List")}
_KIND_WORDS = {
    "booking": N_("Appointments and holds"),
    "group": N_("Groups"),
    "block": N_("Blocked time"),
    "busy": N_("External calendars"),
}
# Rows of the longest day, which is of 25 hours and some that come twice, and the widest calendar.
_MOST_ROWS = 12 * 27
_MOST_COLUMNS = 7 * 61
_MOST_LANES = 24


@get(PATH, guards=[Needs(Permission.READ_APPOINTMENTS)], exception_handlers=PROBLEMS)
async def admin_schedule(request: Call) -> Response[Any]:
    """Show the calendar; where a script asks, what it consists of without the page around."""
    staff = staff_of(request)
    async with database_of(request).transaction(staff.business_id) as tx:
        page = await page_in(tx, request)
        zone = page.business.timezone
        today = local_day(int(datetime.now(UTC).timestamp()), zone)
        asked = asked_of(request.query_params, today, _is_phone(request))
        snapshot = await desk_of(request).snapshots.get(staff.business_id, at_least=page.business.catalog_version)
        assert snapshot is not None, "the business of who is signed in is there"
        resources = shown_of(asked, staff, snapshot)
        begins, ends = day_bounds(asked.first, zone)[0], day_bounds(_last(asked), zone)[1]
        found = await entries(tx, [r.id for r in resources], instant(begins), instant(ends), ended=asked.ended)
        names = names_of(await tx.keys(), found)
    picture = Picture(asked, snapshot, resources, found, names, page.wording)
    template = "schedule_board.html" if page.is_part else "schedule.html"
    return render(
        page,
        template,
        request=request,
        notices=_DONE,
        asked=asked,
        today=today,
        zone=zone,
        views=[(view, _VIEW_WORDS[view]) for view in VIEWS],
        kinds=_KIND_WORDS,
        states=STATES,
        present=everybody(snapshot),
        board=None if asked.view == "list" else drawn(picture),
        days=listed(picture) if asked.view == "list" else [],
        last=_last(asked),
        may_book=page.may(Permission.BOOK_APPOINTMENTS),
        may_block=page.may(Permission.BLOCK_TIME),
        may_change=page.may(Permission.CHANGE_APPOINTMENTS),
    )


@get(
    f"{PATH}/grid.css",
    guards=[Needs(Permission.READ_APPOINTMENTS)],
    exception_handlers=PROBLEMS,
    middleware=[COMPRESSED],
)
async def admin_schedule_grid() -> Response[str]:
    """Return the classes by which things stand in the grid: a page has no styles within."""
    headers = {"Cache-Control": "private, max-age=604800", "X-Content-Type-Options": "nosniff"}
    return Response(_GRID, media_type="text/css", headers=headers)


handlers: list[HTTPRouteHandler] = [
    admin_schedule,
    admin_schedule_grid,
    *schedule_booking.handlers,
    *schedule_adding.handlers,
    *schedule_opening.handlers,
]


def _grid() -> str:
    first = "".join(f".f{n}{{grid-row-start:{n}}}" for n in range(1, _MOST_ROWS + 1))
    count = "".join(f".s{n}{{grid-row-end:span {n}}}" for n in range(1, _MOST_ROWS + 1))
    lanes = "".join(f".l{n}{{grid-column:{n}}}" for n in range(1, _MOST_LANES + 1))
    columns = "".join(f".n{n}{{--n:{n}}}" for n in range(1, _MOST_COLUMNS + 1))
    days = "".join(f".w{n}{{grid-column-end:span {n}}}" for n in range(1, _MOST_COLUMNS // 7 + 1))
    return first + count + lanes + columns + days


_GRID = _grid()


def _last(asked: Asked) -> Any:
    return type(asked.day).fromordinal(asked.first.toordinal() + asked.days - 1)


def _is_phone(request: Call) -> bool:
    """Return whether a browser says that it is on a phone: there a list is easier to read than columns."""
    hint = request.headers.get("Sec-CH-UA-Mobile")
    return hint == "?1" if hint is not None else "Mobi" in request.headers.get("User-Agent", "")
