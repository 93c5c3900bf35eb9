"""The weekly hours of a resource, drawn as a week."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
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
    database_of,
    go,
    page_in,
    read_form,
    render,
    words,
)
from holdfast.admin.rules_form import MAX_ROWS, WeekForm, as_drawn, drawn_from, intervals_in, readable
from holdfast.admin.typed import Typed, refused, wrong_of
from holdfast.catalog.resources import Resource
from holdfast.identity.calls import id_named
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import UserError
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.languages import N_
from holdfast.offerings.errors import ChangedMeanwhile, LeavesBookings
from holdfast.offerings.hours import Timetable, change_week, timetable_of
from holdfast.offerings.resources import own_resources, resource_of
from holdfast.offerings.weeks import DAYS, Week

_DONE = {
    "created": N_("Saved. Now say when it is open: without hours nobody finds a free time."),
    "saved": N_("The hours are saved. Clients see them now."),
}
_MESSAGES = {
    "valid_until": N_("The last day is not before the first one."),
    "days": N_("These are too many different weeks."),
    **{f"days[{weekday}]": N_("These hours overlap each other, or the night before.") for weekday in DAYS},
}
_WORKING_DAYS = range(5)
# With what most begin, to be changed from there.
_USUAL = ("09:00", "18:00")


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a form of a week is shown with, beside what stands in it."""

    resource: Resource
    table: Timetable
    others: Sequence[Resource]


@get("/admin/resources/{resource_id:str}/week", guards=[Needs(Permission.READ_OFFERINGS)], exception_handlers=PROBLEMS)
async def week_page(request: Call, resource_id: FromPath[str]) -> Response[Any]:
    """Show the week that holds today, or on the day asked for; as the first form of another one when `new` is asked."""
    wanted = id_named(resource_id)
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        shown = await _shown(tx, page, wanted)
    table = shown.table
    form = as_drawn(table.week_on(_day_in(request.query_params.get("on")) or table.today))
    if request.query_params.get("new"):
        form.valid_from = str(table.today + timedelta(days=7 - table.today.weekday()))
    return _form(request, page, shown, form)


@post(
    "/admin/resources/{resource_id:str}/week",
    status_code=200,
    guards=[Needs(Permission.CHANGE_OFFERINGS)],
    exception_handlers=PROBLEMS,
    request_max_body_size=MAX_FORM_BYTES,
)
async def draw_week(request: Call, resource_id: FromPath[str]) -> Response[Any]:
    """Save a week; or change only the form, as its other buttons ask, and show it again."""
    wanted = id_named(resource_id)
    form = await read_form(request)

    async def work(tx: Transaction) -> Response[Any]:
        page = await page_in(tx, request)
        shown = await _shown(tx, page, wanted)
        drawn = drawn_from(form)
        told = form.line("seen")
        action, _, rest = form.line("do").partition("-")
        if action in {"more", "copy", "take", "usual"}:
            _redraw(drawn, action, rest, await _week_of_another(tx, page, form.line("copy_from")))
            return _form(request, page, shown, drawn, told=told)
        typed = Typed(page, form)
        week = _week_in(typed, drawn)
        if action == "remove":
            week = _without(shown.table, week)
        if typed.wrong:
            return _form(request, page, shown, drawn, wrong=typed.wrong, told=told)
        accepted = form.line("accepted")
        error = await refused(tx, lambda: change_week(tx, wanted, week, told, page.staff.actor, accepted=accepted))
        if error is not None:
            kept = None if isinstance(error, ChangedMeanwhile) else told
            return _form(request, page, await _shown(tx, page, wanted), drawn, error=error, told=kept)
        on = None if week.is_on(shown.table.today) else week.valid_from or week.valid_until
        return go(f"/admin/resources/{wanted}/week", done="saved", on=on)

    return await database_of(request).run(staff_of(request).business_id, work)


handlers: list[HTTPRouteHandler] = [week_page, draw_week]


def _form(
    request: Call,
    page: AdminPage,
    shown: _Shown,
    form: WeekForm,
    *,
    wrong: Mapping[str, str] | None = None,
    error: UserError | None = None,
    told: str | None = None,
) -> Response[Any]:
    """Show a week with its bars, what is wrong with it, and what it would leave outside."""
    table = shown.table
    wrong = {**(wrong or {}), **({} if error is None else wrong_of(page, error, _MESSAGES))}
    days = [readable(rows) for rows in form.days]
    tails = [[each.end_minutes - 1440 for each in days[n - 1] if each.end_minutes > 1440] for n in DAYS]
    return render(
        page,
        "rules_week.html",
        200 if error is None and not wrong else 400 if error is None else error.status,
        request=request,
        notices=_DONE,
        resource=shown.resource,
        table=table,
        weeks=[(week, _held(page, week)) for week in table.weeks if (week.valid_until or date.max) >= table.today],
        others=shown.others,
        form=form,
        days=list(zip(DAYS, form.days, days, tails, strict=True)),
        max_rows=MAX_ROWS,
        wrong=wrong,
        error=None if error is None or wrong else words(page.language, error),
        leaves=error.details if isinstance(error, LeavesBookings) else None,
        differing=_differing(page, table, form) if isinstance(error, ChangedMeanwhile) else None,
        seen=told or table.seen_weeks,
        may_change=page.may(Permission.CHANGE_OFFERINGS),
    )


async def _shown(tx: Transaction, page: AdminPage, resource_id: UUID) -> _Shown:
    resource = await resource_of(tx, resource_id)
    others = [each for each in await own_resources(tx) if each.id != resource_id and not each.always_open]
    return _Shown(resource, await timetable_of(tx, page.business, resource), others)


async def _week_of_another(tx: Transaction, page: AdminPage, named: str) -> Week | None:
    """Return the hours that another resource has now."""
    id_ = uuid_or_none(named)
    other = next((each for each in await own_resources(tx) if each.id == id_), None)
    if other is None:
        return None
    table = await timetable_of(tx, page.business, other)
    return table.week_on(table.today)


def _redraw(form: WeekForm, action: str, rest: str, other: Week | None) -> None:
    """Change what stands in the form: another line, a day copied to others, somebody else's week or the usual one."""
    weekday, _, where = rest.partition("-")
    day = int(weekday) if weekday in {str(n) for n in DAYS} else None
    if action == "more" and day is not None and len(form.days[day]) < MAX_ROWS:
        form.days[day].append(("", ""))
    if action == "copy" and day is not None:
        for each in _WORKING_DAYS if where == "working" else DAYS:
            form.days[each] = list(form.days[day])
    if action == "usual":
        form.days = [[_USUAL] if n in _WORKING_DAYS else [] for n in DAYS]
    if action == "take" and other is not None:
        form.days = as_drawn(other).days


def _week_in(typed: Typed, form: WeekForm) -> Week:
    days = tuple(intervals_in(typed, f"days[{weekday}]", form.days[weekday]) for weekday in DAYS)
    return Week(days, typed.day("valid_from"), typed.day("valid_until"))


def _without(table: Timetable, week: Week) -> Week:
    """Return the time of a week with the hours of the one before it, or of the one after the first."""
    weeks = table.weeks
    place = next((n for n, each in enumerate(weeks) if each.is_on(week.valid_from or date.min)), 0)
    other = weeks[place - 1] if place else weeks[min(1, len(weeks) - 1)]
    return Week(other.days, week.valid_from, week.valid_until)


def _held(page: AdminPage, week: Week) -> str:
    """Return when a week holds, in words."""
    first = None if week.valid_from is None else page.wording.full_day(week.valid_from)
    last = None if week.valid_until is None else page.wording.full_day(week.valid_until)
    if first is None and last is None:
        return page.text(N_("always"))
    if last is None:
        return page.text(N_("from %(day)s on"), day=first)
    if first is None:
        return page.text(N_("until %(day)s"), day=last)
    return f"{first} – {last}"


def _differing(page: AdminPage, table: Timetable, form: WeekForm) -> list[tuple[str, str]]:
    """Return the days on which the saved hours are other than those in the form."""
    now = as_drawn(table.week_on(_day_in(form.valid_from) or table.today))
    pairs = zip(DAYS, now.days, form.days, strict=True)
    return [
        (page.wording.weekday(n), ", ".join(f"{opens}–{closes}" for opens, closes in saved) or page.text(N_("closed")))
        for n, saved, typed in pairs
        if saved != [row for row in typed if any(row)]
    ]


def _day_in(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None
