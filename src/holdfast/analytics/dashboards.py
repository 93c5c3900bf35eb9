"""Dashboards: what each one counts, by whom it may be read, and what its counts come to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import LiteralString

from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Row, Transaction
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.sql import load

_SQL = load(__package__)

_DEFAULT_DAYS = 30
_MAX_DAYS = 366


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard: its statement, what its rows count, and the share that says it in one number.

    The share is the sum of the first column over the sum of all of the second.
    """

    statement: LiteralString
    permission: Permission
    counts: tuple[str, ...]
    share: tuple[str, tuple[str, ...]]


DASHBOARDS: Mapping[str, Dashboard] = {
    "booking-funnel": Dashboard(
        _SQL["booking_funnel"],
        Permission.READ_APPOINTMENTS,
        ("viewed", "selected", "submitted", "confirmed", "conflicts"),
        ("confirmed", ("viewed",)),
    ),
    "interactive": Dashboard(
        _SQL["interactive"],
        Permission.READ_CONTENT,
        ("started", "completed", "seconds"),
        ("completed", ("started",)),
    ),
    "moderation": Dashboard(
        _SQL["moderation"],
        Permission.MODERATE_QUESTIONS,
        ("received", "in_time", "late", "waiting", "overdue"),
        ("in_time", ("in_time", "late", "overdue")),
    ),
    "no-show": Dashboard(
        _SQL["no_show"], Permission.READ_APPOINTMENTS, ("completed", "no_show"), ("no_show", ("completed", "no_show"))
    ),
}


@dataclass(frozen=True, slots=True)
class Figures:
    """The rows of a dashboard for the local days [first, last), their sums, and the share; None of nothing.

    A figure that a row does not tell, since it would be about somebody, is None, and in no sum: the difference of sums
    tells it to nobody.
    """

    timezone: str
    first: date
    last: date
    rows: list[Row]
    totals: dict[str, int | None]
    share: float | None


async def figures(tx: Transaction, dashboard: Dashboard, first: date | None, last: date | None) -> Figures:
    """Return the figures of a range of days, by default of the last 30 with today.

    Raises ValidationFailed for a range that ends before it begins or is longer than a year.
    """
    [business] = await tx.rows(_SQL["business"], {"business_id": tx.business_id})
    until = last or max(business["today"], first or date.min) + timedelta(days=1)
    since = first or until - timedelta(days=_DEFAULT_DAYS)
    if not 0 < (until - since).days <= _MAX_DAYS:
        raise ValidationFailed.at("to", f"must be after from, by {_MAX_DAYS} days at most")
    rows = await tx.rows(dashboard.statement, {"business_id": tx.business_id, "from": since, "to": until})
    totals = {name: _sum([row[name] for row in rows]) for name in dashboard.counts}
    part, whole = totals[dashboard.share[0]] or 0, sum(totals[name] or 0 for name in dashboard.share[1])
    return Figures(business["timezone"], since, until, rows, totals, round(part / whole, 4) if whole else None)


def _sum(figures: list[int | None]) -> int | None:
    told = [figure for figure in figures if figure is not None]
    return sum(told) if told or not figures else None
