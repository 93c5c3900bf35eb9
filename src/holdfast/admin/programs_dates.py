"""The dates of a program: its schedules, and what becomes of a single one."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.frame import PROBLEMS, AdminPage, Call, Form, database_of, go, page_in, read_form, render, words
from holdfast.admin.typed import Typed, refused
from holdfast.availability.walltime import calendar_instant
from holdfast.booking.by_hand import ResourcesTaken
from holdfast.booking.layouts import deviations
from holdfast.booking.schedules import CapacityBelowTaken
from holdfast.booking.withdrawals import ScheduleIsBooked
from holdfast.catalog.programs import Program
from holdfast.catalog.resources import resources_of
from holdfast.identity.calls import id_named
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import UserError
from holdfast.kernel.languages import N_
from holdfast.offerings.programs import (
    add_schedule,
    change_places,
    coming,
    move_schedule,
    program_of,
    remove_schedule,
    restore_schedule,
)

_DONE = {
    "created": N_("The program is set up, and its dates for the next eight weeks are there."),
    "added": N_("The date is added."),
    "moved": N_("The date is moved."),
    "places": N_("The number of places is changed."),
    "removed": N_("It does not take place on that date."),
    "restored": N_("The date is as the weekly rule says again."),
}
# What stands in the way of a date that the rule means, or keeps one as it was.
_DEVIATIONS = {
    "closed": N_("does not take place: what it takes is closed on that day"),
    "taken": N_("does not take place: what it takes is booked then"),
    "busy": N_("does not take place: an outside calendar says that what it takes is busy"),
    "booked": N_("stays as it was, since places are taken"),
    "crowded": N_("keeps its number of places, since more are taken"),
}
_PAGE = 30


@dataclass(frozen=True, slots=True)
class _Slip:
    """What was refused, in words; of which date, and what was typed for it."""

    text: str
    schedule_id: UUID | None
    form: Form
    status: int


@get("/admin/programs/{program_id:str}/dates", guards=[Needs(Permission.READ_OFFERINGS)], exception_handlers=PROBLEMS)
async def dates_page(request: Call, program_id: FromPath[str]) -> Response[Any]:
    """Show the coming dates of a program, with their places."""
    wanted = id_named(program_id)
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        return await _page(tx, request, page, await program_of(tx, wanted))


@post(
    "/admin/programs/{program_id:str}/dates",
    status_code=200,
    guards=[Needs(Permission.CHANGE_SCHEDULES)],
    exception_handlers=PROBLEMS,
)
async def add_date(request: Call, program_id: FromPath[str]) -> Response[Any]:
    """Let a program take place once more."""

    async def work(tx: Transaction, page: AdminPage, program: Program, typed: Typed) -> str:
        start, places = _start_in(typed, page, program), typed.whole("max_capacity")
        if not typed.wrong:
            await add_schedule(tx, program.id, start, places, page.staff.actor)
        return "added"

    return await _change(request, program_id, None, work)


@post(
    "/admin/programs/{program_id:str}/dates/{schedule_id:str}",
    status_code=200,
    guards=[Needs(Permission.CHANGE_SCHEDULES)],
    exception_handlers=PROBLEMS,
)
async def change_date(request: Call, program_id: FromPath[str], schedule_id: FromPath[str]) -> Response[Any]:
    """Change one date, as the button says: its places, its time, whether it takes place at all."""
    schedule = id_named(schedule_id)

    async def work(tx: Transaction, page: AdminPage, program: Program, typed: Typed) -> str:
        actor, action = page.staff.actor, typed.form.line("do")
        if action == "move":
            start = _start_in(typed, page, program)
            if not typed.wrong:
                await move_schedule(tx, program.id, schedule, start, actor)
            return "moved"
        if action == "remove":
            await remove_schedule(tx, program.id, schedule, actor)
            return "removed"
        if action == "restore":
            await restore_schedule(tx, program.id, schedule, actor)
            return "restored"
        places = typed.whole("max_capacity")
        if not typed.wrong:
            await change_places(tx, program.id, schedule, places, actor)
        return "places"

    return await _change(request, program_id, schedule, work)


handlers: list[HTTPRouteHandler] = [dates_page, add_date, change_date]


async def _change(
    request: Call,
    program_id: str,
    schedule_id: UUID | None,
    change: Callable[[Transaction, AdminPage, Program, Typed], Awaitable[str]],
) -> Response[Any]:
    wanted = id_named(program_id)
    form = await read_form(request)

    async def work(tx: Transaction) -> Response[Any]:
        page = await page_in(tx, request)
        program = await program_of(tx, wanted)
        typed = Typed(page, form)
        done: list[str] = []

        async def make() -> None:
            done.append(await change(tx, page, program, typed))

        error = await refused(tx, make)
        if error is not None:
            slip = _Slip(await _words(tx, page, error), schedule_id, form, error.status)
            return await _page(tx, request, page, program, slip)
        if typed.wrong:
            slip = _Slip(" ".join(typed.wrong.values()), schedule_id, form, 400)
            return await _page(tx, request, page, program, slip)
        return go(f"/admin/programs/{wanted}/dates", done=done[0], after=request.query_params.get("after"))

    return await database_of(request).run(staff_of(request).business_id, work)


async def _page(
    tx: Transaction, request: Call, page: AdminPage, program: Program, slip: _Slip | None = None
) -> Response[Any]:
    cursor = request.query_params.get("after")
    found = await coming(tx, program.id, cursor=cursor, limit=_PAGE)
    away = [each for each in await deviations(tx) if each.program_id == program.id]
    return render(
        page,
        "programs_dates.html",
        200 if slip is None else slip.status,
        request=request,
        notices=_DONE,
        program=program,
        zone=program.timezone or page.business.timezone,
        # Where its bookings are listed, days are those of the practice.
        dates=[
            (each, _local(page, program, each.start), page.wording.local(each.start).date()) for each in found.schedules
        ],
        cursor=cursor,
        next_cursor=found.next_cursor,
        away=[(_local(page, program, each.start), page.text(_DEVIATIONS[each.kind])) for each in away],
        slip=slip,
        may_change=page.may(Permission.CHANGE_SCHEDULES),
    )


def _start_in(typed: Typed, page: AdminPage, program: Program) -> datetime:
    """Return the instant of a day and a time of day in the zone of the program."""
    day, text = typed.day("day"), typed.form.line("time")
    at = typed.time("time", text)
    if day is None:
        typed.refuse("day", N_("Say on which day."))
    if day is None or at is None:
        return datetime.now(UTC)
    wall = datetime.combine(day, time(at.hour, at.minute))
    return datetime.fromtimestamp(calendar_instant(wall, program.timezone or page.business.timezone), UTC)


def _local(page: AdminPage, program: Program, start: datetime) -> datetime:
    """Return when a date is by the clocks of the program."""
    return replace(page.wording, zone=program.timezone or page.business.timezone).local(start)


async def _words(tx: Transaction, page: AdminPage, error: UserError) -> str:
    """Return why a date is not changed."""
    if isinstance(error, ScheduleIsBooked):
        message = N_("%(taken)s places are taken on this date. Move or cancel these bookings first.")
        return page.text(message, taken=error.details["taken"])
    if isinstance(error, CapacityBelowTaken):
        return page.text(N_("%(taken)s places are taken: at least as many."), taken=error.details["taken"])
    if isinstance(error, ResourcesTaken):
        names = {str(each.id): each.name for each in await resources_of(tx)}
        return page.text(N_("%(name)s is not free at that time."), name=names[error.details["resourceId"]])
    told = error.details.get("errors") or []
    if any(each["field"] == "start" for each in told):
        return page.text(N_("That time has passed already."))
    return words(page.language, error)
