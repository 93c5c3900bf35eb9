"""Days of a resource that differ from its week: closed, or with hours of their own; holidays from calendar files."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from itertools import groupby
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.frame import (
    MAX_FORM_BYTES,
    PROBLEMS,
    AdminPage,
    Call,
    Form,
    database_of,
    go,
    page_in,
    read_form,
    render,
    words,
)
from holdfast.admin.rules_form import Row, intervals_in, rows_in, rows_of
from holdfast.admin.typed import Typed, refused, wrong_of
from holdfast.availability.ics.errors import CalendarFileInvalid
from holdfast.availability.ics.reading import Calendar, read
from holdfast.availability.walltime import local_day
from holdfast.business_files.calendars import put_calendar, window_around
from holdfast.catalog.resources import Resource
from holdfast.identity.calls import id_named
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.audit import record
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import UserError, ValidationFailed
from holdfast.kernel.http import count_refusal
from holdfast.kernel.languages import N_
from holdfast.offerings.ahead import booked_ahead, check_left_outside
from holdfast.offerings.errors import ChangedMeanwhile, LeavesBookings
from holdfast.offerings.hours import Timetable, change_days, days_between, forget_source, timetable_of
from holdfast.offerings.resources import resource_of
from holdfast.offerings.weeks import Intervals

_DONE = {
    "saved": N_("The days are saved. Clients see them now."),
    "file": N_("The holidays are in. Groups do not take place on them, unless somebody is booked."),
    "forgotten": N_("The days of that calendar are as the week says again."),
}
_MESSAGES = {
    "last_day": N_("Not before the first day, and at most a year later."),
    "hours": N_("These hours overlap."),
    "source": N_("Give the calendar a name of one line."),
}
# How far ahead and back the calendar leads.
_MONTHS_AROUND = 24
_SPARE_ROWS = 2
_WHATS = ("closed", "hours", "week")


@dataclass(slots=True)
class DaysForm:
    """Days and what is to be on them, as it is typed; of the calendar file its name and text."""

    first_day: str = ""
    last_day: str = ""
    what: str = "closed"
    rows: tuple[Row, ...] = ()
    source: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class _Cell:
    """A day of the calendar: its hours, whether they are its own or brought, and what is booked."""

    day: date
    hours: Intervals
    kind: str
    booked: int
    is_out: bool


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the form is shown with."""

    resource: Resource
    table: Timetable
    booked: Mapping[date, int]


@get("/admin/resources/{resource_id:str}/days", guards=[Needs(Permission.READ_OFFERINGS)], exception_handlers=PROBLEMS)
async def days_page(request: Call, resource_id: FromPath[str]) -> Response[Any]:
    """Show a month with what differs, and the form for a day that was chosen in it."""
    wanted = id_named(resource_id)
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        shown = await _shown(tx, page, wanted)
    day = _day_in(request.query_params.get("day"))
    form = DaysForm() if day is None else _form_of(shown.table, day)
    return _page(request, page, shown, form)


@post(
    "/admin/resources/{resource_id:str}/days",
    status_code=200,
    guards=[Needs(Permission.CHANGE_OFFERINGS)],
    exception_handlers=PROBLEMS,
    request_max_body_size=MAX_FORM_BYTES,
)
async def save_days(request: Call, resource_id: FromPath[str]) -> Response[Any]:
    """Give days hours of their own, close them, or leave them to the week again."""
    wanted = id_named(resource_id)
    form = await read_form(request)

    async def work(tx: Transaction) -> Response[Any]:
        page = await page_in(tx, request)
        shown = await _shown(tx, page, wanted)
        told = form.line("seen")
        typed = Typed(page, form)
        days, hours = _meant(typed)
        if typed.wrong:
            return _page(request, page, shown, _typed(form), wrong=typed.wrong, told=told)
        accepted = form.line("accepted")
        error = await refused(
            tx, lambda: change_days(tx, wanted, days, hours, told, page.staff.actor, accepted=accepted)
        )
        if error is not None:
            kept = None if isinstance(error, ChangedMeanwhile) else told
            return _page(request, page, await _shown(tx, page, wanted), _typed(form), error=error, told=kept)
        return go(f"/admin/resources/{wanted}/days", done="saved", month=f"{days[0]:%Y-%m}")

    return await database_of(request).run(staff_of(request).business_id, work)


@post(
    "/admin/resources/{resource_id:str}/days/file",
    status_code=200,
    guards=[Needs(Permission.CHANGE_OFFERINGS)],
    exception_handlers=PROBLEMS,
    request_max_body_size=MAX_FORM_BYTES,
)
async def bring_holidays(request: Call, resource_id: FromPath[str]) -> Response[Any]:
    """Close the days that a calendar file has, beside those that the practice closes itself."""
    wanted = id_named(resource_id)
    form = await read_form(request)
    unreadable: UserError | None = None
    calendars: list[Calendar] = []
    try:
        text = form.fields.get("text", [""])[-1].encode(errors="replace")
        calendars = await asyncio.to_thread(read, BytesIO(text))
    except CalendarFileInvalid as invalid:
        count_refusal(invalid.code)
        unreadable = invalid

    async def work(tx: Transaction) -> Response[Any]:
        page = await page_in(tx, request)
        shown = await _shown(tx, page, wanted)
        if unreadable is not None:
            return _page(request, page, shown, _typed(form), error=unreadable)

        async def bring() -> None:
            source, window = form.line("source"), window_around(datetime.now(UTC))
            if not source:
                raise ValidationFailed.at("source", "must be a name")
            slugs = [shown.resource.slug]
            await put_calendar(tx, calendars, meaning="holidays", source=source, window=window, resources=slugs)
            after = await timetable_of(tx, page.business, shown.resource)
            accepted = form.line("accepted")
            await check_left_outside(tx, wanted, shown.table.opening(), after.opening(), accepted)
            await record(tx, "resource", wanted, "bring_holidays", page.staff.actor)

        error = await refused(tx, bring)
        if error is not None:
            return _page(request, page, shown, _typed(form), error=error)
        return go(f"/admin/resources/{wanted}/days", done="file")

    return await database_of(request).run(staff_of(request).business_id, work)


@post(
    "/admin/resources/{resource_id:str}/days/forget",
    status_code=200,
    guards=[Needs(Permission.CHANGE_OFFERINGS)],
    exception_handlers=PROBLEMS,
)
async def forget_holidays(request: Call, resource_id: FromPath[str]) -> Response[Any]:
    """Take out what a calendar file has brought."""
    wanted = id_named(resource_id)
    form = await read_form(request)
    staff = staff_of(request)
    await database_of(request).run(
        staff.business_id, lambda tx: forget_source(tx, wanted, form.line("source"), staff.actor)
    )
    return go(f"/admin/resources/{wanted}/days", done="forgotten")


handlers: list[HTTPRouteHandler] = [days_page, save_days, bring_holidays, forget_holidays]


def _page(
    request: Call,
    page: AdminPage,
    shown: _Shown,
    form: DaysForm,
    *,
    wrong: Mapping[str, str] | None = None,
    error: UserError | None = None,
    told: str | None = None,
) -> Response[Any]:
    table = shown.table
    wrong = {**(wrong or {}), **({} if error is None else wrong_of(page, error, _MESSAGES))}
    first = _month_in(request.query_params.get("month"), form.first_day, table.today)
    return render(
        replace(page, path=f"/admin/resources/{shown.resource.id}/days"),
        "rules_days.html",
        200 if error is None and not wrong else 400 if error is None else error.status,
        request=request,
        notices=_DONE,
        resource=shown.resource,
        table=table,
        month=first,
        weeks=_weeks(shown, first),
        before=_month(first, -1, table.today),
        after=_month(first, 1, table.today),
        ahead=_spans(table),
        form=form,
        rows=[*form.rows, *[("", "")] * _SPARE_ROWS],
        wrong=wrong,
        error=None if error is None or wrong else words(page.language, error),
        leaves=error.details if isinstance(error, LeavesBookings) else None,
        stale=isinstance(error, ChangedMeanwhile),
        seen=told or table.seen_days,
        may_change=page.may(Permission.CHANGE_OFFERINGS),
    )


async def _shown(tx: Transaction, page: AdminPage, resource_id: UUID) -> _Shown:
    resource = await resource_of(tx, resource_id)
    table = await timetable_of(tx, page.business, resource)
    booked: dict[date, int] = {}
    for each in await booked_ahead(tx, resource_id):
        day = local_day(int(each.start.timestamp()), table.zone)
        booked[day] = booked.get(day, 0) + 1
    return _Shown(resource, table, booked)


def _meant(typed: Typed) -> tuple[list[date], Intervals | None]:
    form = typed.form
    first = typed.day("first_day")
    last = typed.day("last_day") or first
    what = typed.word("what", _WHATS)
    hours = intervals_in(typed, "hours", rows_in(form, "opens", "closes")) if what == "hours" else ()
    if what == "hours" and not hours:
        typed.refuse("hours", N_("Say when it is open."))
    days: list[date] = []
    if first is None or last is None:
        typed.refuse("first_day", N_("Say on which day."))
    else:
        try:
            days = days_between(first, last)
        except ValidationFailed:
            typed.refuse("last_day", _MESSAGES["last_day"])
    return days, None if what == "week" else hours


def _typed(form: Form) -> DaysForm:
    return DaysForm(
        form.line("first_day"),
        form.line("last_day"),
        form.line("what") or "closed",
        tuple(rows_in(form, "opens", "closes")),
        form.line("source"),
        form.text("text"),
    )


def _form_of(table: Timetable, day: date) -> DaysForm:
    """Return the form for a day as it is now."""
    hours = table.hours_on(day)
    is_own = any(each.day == day for each in table.own)
    what = "hours" if is_own and hours else "closed"
    return DaysForm(str(day), "", what, tuple(rows_of(hours)))


def _weeks(shown: _Shown, first: date) -> list[list[_Cell]]:
    """Return the weeks that have days of a month."""
    table = shown.table
    own, brought = {each.day for each in table.own}, {each.day for each in table.brought}
    day = first - timedelta(days=first.weekday())
    weeks = []
    while day.month == first.month or day < first:
        days = [day + timedelta(days=number) for number in range(7)]
        weeks.append(
            [
                _Cell(
                    each,
                    table.hours_on(each),
                    "own" if each in own else "brought" if each in brought else "",
                    shown.booked.get(each, 0),
                    each.month != first.month,
                )
                for each in days
            ]
        )
        day += timedelta(days=7)
    return weeks


def _spans(table: Timetable) -> list[tuple[date, date, Intervals]]:
    """Return the coming days of its own: those that follow each other with the same hours as one."""
    days = sorted({each.day for each in table.own if each.day >= table.today})
    own = {day: tuple(sorted((e.opens, e.closes) for e in table.own if e.day == day and e.opens)) for day in days}
    spans = []
    for _, group in groupby(enumerate(days), key=lambda pair: (pair[1].toordinal() - pair[0], own[pair[1]])):
        found = [day for _, day in group]
        spans.append((found[0], found[-1], table.hours_on(found[0])))
    return spans


def _month_in(asked: str | None, chosen: str, today: date) -> date:
    """Return the first day of the month that is asked for, or of the chosen day, not too far from today."""
    wanted = _day_in(f"{asked}-01") if asked else _day_in(chosen)
    first = (wanted or today).replace(day=1)
    apart = (first.year - today.year) * 12 + first.month - today.month
    return first if abs(apart) <= _MONTHS_AROUND else today.replace(day=1)


def _month(first: date, by: int, today: date) -> str | None:
    number = first.year * 12 + first.month - 1 + by
    if abs(number - (today.year * 12 + today.month - 1)) > _MONTHS_AROUND:
        return None
    return f"{number // 12:04}-{number % 12 + 1:02}"


def _day_in(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None
