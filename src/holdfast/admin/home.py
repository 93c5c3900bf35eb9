"""Where staff arrive: today, what needs a person, what does not answer, and what is left to set up."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from holdfast.admin.attention_words import SEVERITIES
from holdfast.admin.frame import PROBLEMS, AdminPage, Call, database_of, page_in, render
from holdfast.admin.linking import link_to, page_at
from holdfast.availability.walltime import opening_instant
from holdfast.calendars.overview import policy_of
from holdfast.identity.guards import SignedIn, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel import attention
from holdfast.kernel.attention import Severity
from holdfast.kernel.database import Row, Transaction
from holdfast.kernel.languages import N_
from holdfast.kernel.sql import load
from holdfast.moderation.queue import figures
from holdfast.payments.tasks import ACCOUNT_UNAUTHORIZED

_SQL = load("holdfast.admin", "home.sql")

_INTEGRATIONS = "/admin/settings/integrations"
_DONE = {"setup": N_("Holdfast is set up, and you are signed in. The list below says what comes next.")}


@dataclass(frozen=True, slots=True)
class Step:
    """Something that a new practice does once; what is not needed by everybody may stay undone."""

    done: bool
    title: str
    text: str
    link: str | None
    is_needed: bool = True


@get("/admin", guards=[SignedIn()], exception_handlers=PROBLEMS)
async def admin_home(request: Call) -> Response[Any]:
    """Show what there is to know and to do today."""
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        shown: dict[str, Any] = dict.fromkeys(
            ("today", "coming", "counts", "questions", "calendars", "payments", "steps")
        )
        if page.may(Permission.READ_APPOINTMENTS):
            shown |= await _appointments(tx, request, page)
        if page.may(Permission.WORK_INBOX):
            shown["counts"] = await attention.count_open(tx)
        if page.may(Permission.MODERATE_QUESTIONS):
            shown["questions"], _ = await figures(tx)
        if page.may(Permission.READ_CALENDARS):
            minutes = (await policy_of(tx)).freshness_minutes
            [shown["calendars"]] = await tx.rows(_SQL["calendars"], _own(tx) | {"minutes": minutes})
        if page.may(Permission.READ_PAYMENTS):
            [shown["payments"]] = await tx.rows(_SQL["payments"], _own(tx) | {"kind": ACCOUNT_UNAUTHORIZED})
        if page.may(Permission.CHANGE_SETTINGS):
            [done] = await tx.rows(_SQL["steps"], _own(tx))
            shown["steps"] = _steps(request, page, done)
    return render(
        page,
        "home.html",
        request=request,
        notices=_DONE,
        severities=[(severity, SEVERITIES[severity]) for severity in reversed(Severity)],
        tones={Severity.URGENT: "bad", Severity.WARNING: "warn", Severity.INFO: "cool"},
        page_at=lambda path: page_at(request, path),
        integrations=page_at(request, _INTEGRATIONS),
        **shown,
    )


handlers: list[HTTPRouteHandler] = [admin_home]


def _own(tx: Transaction) -> dict[str, Any]:
    return {"business_id": tx.business_id}


async def _appointments(tx: Transaction, request: Call, page: AdminPage) -> dict[str, Any]:
    """Return what begins today, by the clock of the business, and what begins next."""
    zone = page.business.timezone
    day = page.wording.local(int(datetime.now(UTC).timestamp())).date()
    begins, ends = (
        datetime.fromtimestamp(opening_instant(each, time(), zone), UTC) for each in (day, day + timedelta(days=1))
    )
    [today] = await tx.rows(_SQL["today"], _own(tx) | {"from": begins, "to": ends})
    coming = await tx.rows(_SQL["coming"], _own(tx))
    linked = [row | {"link": link_to(request, "booking", row["booking_id"])} for row in coming]
    return {"today": today | {"day": day}, "coming": linked}


def _steps(request: Call, page: AdminPage, done: Row) -> list[Step]:
    """Return what a new practice does, none when all that is needed is done."""
    integrations = page_at(request, _INTEGRATIONS)
    steps = [
        Step(
            done["offers"],
            N_("Say what can be booked"),
            N_("Services with their length and price, and groups."),
            page_at(request, "/admin/services"),
        ),
        Step(
            done["hours"],
            N_("Say when"),
            N_("Who works, and at which hours of the week."),
            page_at(request, "/admin/resources"),
        ),
        Step(
            done["calendar"],
            N_("Connect a calendar"),
            N_("What stands in it blocks time, and appointments appear there."),
            integrations,
            is_needed=False,
        ),
        Step(
            done["payments"],
            N_("Connect a payment account"),
            N_("If clients are to pay when they book."),
            integrations,
            is_needed=False,
        ),
        Step(
            request.app.state.mail.server is not None,
            N_("Name a mail server"),
            N_("Clients then hear of their appointments by mail, and staff of theirs. It is a setting of the server."),
            None,
            is_needed=False,
        ),
        Step(
            done["booking"],
            N_("Book something for a test"),
            N_("As a client would, on your own booking page. Cancel it afterwards."),
            f"/{page.business.slug}/booking/slot",
        ),
    ]
    return steps if any(step.is_needed and not step.done for step in steps) else []
