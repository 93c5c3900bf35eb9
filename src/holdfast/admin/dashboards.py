"""Dashboards: a period, the figures of it in words, a chart, and tables of the same; as a file as well (U-3, D-6)."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.charts import Chart, Series, chart
from holdfast.admin.frame import PROBLEMS, AdminPage, Call, Entry, database_of, page_in, render
from holdfast.admin.writing import Slip, slip_of
from holdfast.analytics import dashboards
from holdfast.analytics.dashboards import DASHBOARDS
from holdfast.analytics.errors import UnknownDashboard
from holdfast.analytics.utilisation import utilisation
from holdfast.catalog.programs import programs_of
from holdfast.catalog.services import services_of
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.identity.staff import Staff
from holdfast.kernel.database import Row, Transaction
from holdfast.kernel.errors import Forbidden, ValidationFailed
from holdfast.kernel.languages import N_
from holdfast.kernel.lists import date_in

_PATH = "/admin/dashboards"
_GUARDS = [Needs(Permission.READ_DASHBOARDS)]
ENTRY = Entry(_PATH, N_("Figures"), "business", Permission.READ_DASHBOARDS, 10)
_PERIODS = (7, 30, 90, 365)
_UTILISATION = "utilisation"
_MAX_DAYS = 366

Rows = Sequence[Row]
Share = Callable[[AdminPage, Mapping[str, int | None], float | None], str]


@dataclass(frozen=True, slots=True)
class View:
    """How a dashboard is shown: `by` is the column of what its rows are of, and `drawn` what its chart shows.

    `empty` says what is to happen before there are figures.
    """

    title: str
    permission: Permission
    counts: Mapping[str, str]
    drawn: Mapping[str, str]
    by: str | None
    by_label: str
    hint: str
    empty: str


@dataclass(frozen=True, slots=True)
class Told:
    """The figures of a period: for the local days [first, last)."""

    first: date
    last: date
    rows: Rows
    totals: Mapping[str, int | None]
    share: float | None


VIEWS: Mapping[str, View] = {
    "booking-funnel": View(
        N_("The way to a booking"),
        Permission.READ_APPOINTMENTS,
        {
            "viewed": N_("Looked at times"),
            "selected": N_("Chose a time"),
            "submitted": N_("Told their details"),
            "confirmed": N_("Have booked"),
            "conflicts": N_("Came too late for a time"),
        },
        {"confirmed": N_("Have booked")},
        "service_slug",
        N_("Service"),
        N_("Each step counts on the day on which it happened, without telling who it was."),
        N_("As soon as visitors look at the booking page, their steps are counted here."),
    ),
    "no-show": View(
        N_("Who came"),
        Permission.READ_APPOINTMENTS,
        {"completed": N_("Came"), "no_show": N_("Did not come")},
        {"completed": N_("Came"), "no_show": N_("Did not come")},
        "offering_slug",
        N_("Service"),
        N_("Of the appointments whose outcome is recorded, on the day on which they began."),
        N_("Record on the page of an appointment whether somebody came; then it is counted here."),
    ),
    _UTILISATION: View(
        N_("How full the days are"),
        Permission.READ_APPOINTMENTS,
        {"open_minutes": N_("Open hours"), "taken_minutes": N_("Taken hours")},
        {"taken": N_("Taken hours"), "free": N_("Free hours")},
        "resource",
        N_("Who or what"),
        N_("By the opening hours as they stand today; time before and after appointments counts as taken."),
        N_("Give your practitioners and rooms opening hours; then you see here how much of them is taken."),
    ),
    "moderation": View(
        N_("Answers in time"),
        Permission.MODERATE_QUESTIONS,
        {
            "received": N_("Questions"),
            "in_time": N_("Answered in time"),
            "late": N_("Answered late"),
            "waiting": N_("Waiting"),
            "overdue": N_("Overdue"),
        },
        {
            "in_time": N_("Answered in time"),
            "late": N_("Answered late"),
            "waiting": N_("Waiting"),
            "overdue": N_("Overdue"),
        },
        None,
        "",
        N_("By the day on which a question came in; a rejected one counts as answered."),
        N_("What visitors ask is counted here from the first question on."),
    ),
    "interactive": View(
        N_("Quizzes and rituals"),
        Permission.READ_CONTENT,
        {"started": N_("Begun"), "completed": N_("Finished"), "seconds": N_("Seconds together")},
        {"completed": N_("Finished"), "left": N_("Left before the end")},
        "slug",
        N_("Quiz or ritual"),
        N_("How long it took is told of five or more who have finished on a day: of fewer it would be about somebody."),
        N_("Publish a quiz or a ritual; then you see here how often it is gone through."),
    ),
}


@get(_PATH, guards=_GUARDS, exception_handlers=PROBLEMS)
async def admin_dashboards(request: Call) -> Response[Any]:
    """Show the first dashboard that whoever asks may read."""
    return await _shown(request, next(iter(_permitted(staff_of(request)))))


@get(f"{_PATH}/{{name:str}}", guards=_GUARDS, exception_handlers=PROBLEMS)
async def admin_dashboard(request: Call, name: FromPath[str]) -> Response[Any]:
    """Show the figures of a period."""
    return await _shown(request, name)


@get(f"{_PATH}/{{name:str}}/figures.csv", guards=_GUARDS, exception_handlers=PROBLEMS)
async def admin_dashboard_file(request: Call, name: FromPath[str]) -> Response[Any]:
    """Give the same figures as a file for a spreadsheet."""
    view, staff = _view(name, staff_of(request)), staff_of(request)
    async with database_of(request).transaction(staff.business_id) as tx:
        page = await page_in(tx, request)
        told = await _told(tx, page, name, *_asked(request))
    text = io.StringIO(newline="")
    columns = ["day", *([view.by] if view.by else []), *view.counts]
    written = csv.writer(text)
    written.writerow(columns)
    written.writerows([_cell(row[column]) for column in columns] for row in told.rows)
    file = f"{name}-{told.first}-{told.last - timedelta(days=1)}.csv"
    headers = {
        "Content-Disposition": f'attachment; filename="{file}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    # Spreadsheets take it for UTF-8 by its mark.
    return Response(b"\xef\xbb\xbf" + text.getvalue().encode(), media_type="text/csv", headers=headers)


handlers: list[HTTPRouteHandler] = [admin_dashboards, admin_dashboard, admin_dashboard_file]


async def _shown(request: Call, name: str) -> Response[Any]:
    staff = staff_of(request)
    view = _view(name, staff)
    slip: Slip | None = None
    async with database_of(request).transaction(staff.business_id) as tx:
        page = await page_in(tx, request)
        try:
            told = await _told(tx, page, name, *_asked(request))
        except ValidationFailed as refused:
            slip = slip_of(page, refused)
            told = await _told(tx, page, name, None, None)
        names = await _names(tx)
    today = page.wording.local(datetime.now(UTC)).date()
    days = [told.first + timedelta(days=number) for number in range((told.last - told.first).days)]
    by_day = _summed(told.rows, "day", view.counts)
    asked = request.query_params
    return render(
        page,
        "dashboards.html",
        200 if slip is None else slip.status,
        request=request,
        name=name,
        view=view,
        views=_permitted(staff),
        told=told,
        slip=slip,
        last_day=told.last - timedelta(days=1),
        periods=[(days, today - timedelta(days=days - 1), today) for days in _PERIODS],
        typed={
            "from": asked.get("from", "") if slip else str(told.first),
            "to": asked.get("to", "") if slip else str(told.last - timedelta(days=1)),
        },
        sentence=_sentence(page, name, told),
        chart=_chart(page, view, days, by_day),
        funnel=_funnel(page, view, told) if name == "booking-funnel" else None,
        by_day=by_day,
        by_what=_summed(told.rows, view.by, view.counts) if view.by else {},
        names=names,
        figure=lambda column, value: _figure(page, column, value),
    )


def _permitted(staff: Staff) -> dict[str, View]:
    """Return the dashboards of whoever asks: each asks for the right to what it counts as well."""
    return {name: view for name, view in VIEWS.items() if staff.may(view.permission)}


def _view(name: str, staff: Staff) -> View:
    if name not in VIEWS:
        raise UnknownDashboard
    if not staff.may(VIEWS[name].permission):
        raise Forbidden
    return VIEWS[name]


def _asked(request: Call) -> tuple[date | None, date | None]:
    """Return the days that are asked for, the last one exclusive; raises ValidationFailed."""
    asked = request.query_params
    first, last = date_in(asked.get("from"), "from"), date_in(asked.get("to"), "to")
    return first, None if last is None else last + timedelta(days=1)


async def _told(tx: Transaction, page: AdminPage, name: str, first: date | None, last: date | None) -> Told:
    if name != _UTILISATION:
        found = await dashboards.figures(tx, DASHBOARDS[name], first, last)
        return Told(found.first, found.last, found.rows, found.totals, found.share)
    # The same days as every other dashboard has.
    days = await dashboards.figures(tx, DASHBOARDS["no-show"], first, last)
    used = await utilisation(tx, page.business.timezone, days.first, days.last)
    rows: list[Row] = [
        {"day": u.day, "resource": u.resource, "open_minutes": u.open_minutes, "taken_minutes": u.taken_minutes}
        for u in used
    ]
    totals = {column: sum(row[column] for row in rows) for column in ("open_minutes", "taken_minutes")}
    opened, taken = totals["open_minutes"], totals["taken_minutes"]
    return Told(days.first, days.last, rows, totals, taken / opened if opened else None)


async def _names(tx: Transaction) -> dict[str, str]:
    """Return what is called how by its slug."""
    services = {service.slug: service.name for service in await services_of(tx)}
    return services | {program.slug: program.name for program in await programs_of(tx)}


def _summed(rows: Rows, by: str, counts: Mapping[str, str]) -> dict[Any, dict[str, int | None]]:
    """Return the sums of rows by a column; a figure that is not told makes none of a sum."""
    found: dict[Any, dict[str, int | None]] = {}
    for row in rows:
        sums = found.setdefault(row[by], dict.fromkeys(counts))
        for column in counts:
            if row[column] is not None:
                sums[column] = (sums[column] or 0) + row[column]
    return found


def _chart(page: AdminPage, view: View, days: Sequence[date], by_day: Mapping[date, Mapping[str, int | None]]) -> Chart:
    def value(day: date, column: str) -> int:
        found = by_day.get(day) or {}
        if column == "left":
            return (found.get("started") or 0) - (found.get("completed") or 0)
        if column == "taken":
            return _hours(found.get("taken_minutes"))
        if column == "free":
            return max(0, round(((found.get("open_minutes") or 0) - (found.get("taken_minutes") or 0)) / 60))
        return found.get(column) or 0

    series = [
        Series(page.text(label), [value(day, column) for day in days], is_rest=column in {"free", "left"})
        for column, label in view.drawn.items()
    ]
    return chart(page.wording, page.text(view.title), days, series)


def _funnel(page: AdminPage, view: View, told: Told) -> list[tuple[str, str, int, str]]:
    steps = ("viewed", "selected", "submitted", "confirmed")
    first = told.totals["viewed"] or 0
    counts = [(step, told.totals[step] or 0) for step in steps]
    shares = [(step, count, round(100 * count / first) if first else 0) for step, count in counts]
    return [
        (
            page.text(view.counts[step]),
            page.wording.number(count),
            min(100, percent),
            page.wording.percent(percent) if first else "",
        )
        for step, count, percent in shares
    ]


def _sentence(page: AdminPage, name: str, told: Told) -> str | None:
    """Return what the figures say in one sentence; None where there is nothing to say."""
    if told.share is None:
        return None
    share, totals = page.wording.percent(round(100 * told.share)), told.totals
    return {
        "booking-funnel": lambda: page.text(
            N_("Of those who looked at times, %(share)s have booked: %(part)s of %(whole)s."),
            share=share,
            part=page.wording.number(totals["confirmed"] or 0),
            whole=page.wording.number(totals["viewed"] or 0),
        ),
        "no-show": lambda: page.text(
            N_("Did not come: %(share)s of the recorded appointments, %(part)s of %(whole)s."),
            share=share,
            part=page.wording.number(totals["no_show"] or 0),
            whole=page.wording.number((totals["no_show"] or 0) + (totals["completed"] or 0)),
        ),
        _UTILISATION: lambda: page.text(
            N_("Taken: %(share)s of the open time, %(part)s of %(whole)s hours."),
            share=share,
            part=page.wording.number(_hours(totals["taken_minutes"])),
            whole=page.wording.number(_hours(totals["open_minutes"])),
        ),
        "moderation": lambda: page.text(
            N_("Answered in time: %(share)s of the questions that are answered or overdue."), share=share
        ),
        "interactive": lambda: page.text(
            N_("Finished: %(share)s of what was begun, %(part)s of %(whole)s."),
            share=share,
            part=page.wording.number(totals["completed"] or 0),
            whole=page.wording.number(totals["started"] or 0),
        ),
    }[name]()


def _hours(minutes: int | None) -> int:
    return round((minutes or 0) / 60)


def _figure(page: AdminPage, column: str, value: int | None) -> str:
    if value is None:
        return "–"
    if column.endswith("_minutes"):
        hours, minutes = divmod(value, 60)
        return page.text(N_("%(hours)s h %(minutes)02d min"), hours=hours, minutes=minutes)
    return page.wording.number(value)


def _cell(value: object) -> object:
    # What begins like a formula would be one in a spreadsheet.
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t" else value
