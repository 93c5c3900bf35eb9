"""Dashboards over HTTP: figures about nobody, for those whose work they are about."""

from datetime import date
from typing import Any

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from holdfast.analytics import dashboards
from holdfast.analytics.dashboards import DASHBOARDS
from holdfast.analytics.errors import UnknownDashboard
from holdfast.identity.calls import Call
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import Forbidden
from holdfast.kernel.http import json_response
from holdfast.kernel.lists import date_in


class DashboardView(msgspec.Struct, rename="camel"):
    """Figures of the local days from `first` up to `last`, which is not among them.

    A row has its day and what it is of beside its counts. `share` is what they say in one number: of the funnel the
    confirmed of the viewed, of outcomes those who did not come, of interactive the completed, of moderation what was in
    time; null where there is nothing to share. The seconds of quizzes and rituals are null in a row of fewer than five
    completed runs, and their total is that of the other rows.
    """

    name: str
    timezone: str
    first: date
    last: date
    rows: list[dict[str, Any]]
    totals: dict[str, int | None]
    share: float | None


@get(
    "/api/admin/dashboards/{name:str}",
    guards=[Needs(Permission.READ_DASHBOARDS)],
    opt=documented(query=("from", "to"), answers=DashboardView, security="StaffKey"),
)
async def dashboard(request: Call, name: FromPath[str]) -> Response[bytes]:
    """Return a dashboard: booking-funnel, no-show, interactive or moderation.

    Each asks for the right to what it counts.
    """
    found = DASHBOARDS.get(name)
    if found is None:
        raise UnknownDashboard
    staff = staff_of(request)
    if not staff.may(found.permission):
        raise Forbidden
    asked = request.query_params
    first, last = date_in(asked.get("from"), "from"), date_in(asked.get("to"), "to")
    async with request.app.state.database.transaction(staff.business_id) as tx:
        shown = await dashboards.figures(tx, found, first, last)
    rows = [{_camel(column): value for column, value in row.items()} for row in shown.rows]
    totals = {_camel(column): count for column, count in shown.totals.items()}
    return json_response(DashboardView(name, shown.timezone, shown.first, shown.last, rows, totals, shown.share))


handlers = [dashboard]


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
