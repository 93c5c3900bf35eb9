"""The page of the integrations: which calendars and payment providers are connected, how they are, and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from litestar import Response

from holdfast.admin.bookings_words import Names, names_in, why
from holdfast.admin.frame import AdminPage, Call, database_of, page_in, render, wrong_fields
from holdfast.admin.integrations_words import CALENDAR_STATES, CONNECTED_BY, PAYMENT_ACCOUNT_STATES, PROBLEMS_OF_GOOGLE
from holdfast.admin.payments_words import PROVIDERS
from holdfast.administration.settings import GCAL_INTEGRATION, flag_is_on
from holdfast.calendars import feeds
from holdfast.calendars.conflicts import ConflictState, find_conflicts
from holdfast.calendars.farewell import Farewell
from holdfast.calendars.overview import overview, policy_of
from holdfast.calendars.shapes import ConnectionView, connection_view
from holdfast.identity.guards import staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import UserError, ValidationFailed
from holdfast.kernel.languages import N_
from holdfast.kernel.pages import POLICY
from holdfast.payments import overview as payment_accounts
from holdfast.payments.account_shapes import EVENTS, PaymentAccountView
from holdfast.payments.port import ProviderName

PATH = "/admin/settings/integrations"
_CONNECTIONS_AT_ONCE = 200
_NOTICES = {
    "connected": N_(
        "The calendar is connected. Look below which of its calendars block time and receive appointments."
    ),
    "chosen": N_("What the calendar is for is kept."),
    "looked": N_("The calendars are looked at as soon as a worker is free, usually within seconds."),
    "retried": N_("The account answers again; what has waited goes on."),
    "disconnected": N_("The account is disconnected. Time that it blocked is free."),
    "dropped": N_("The address opens nothing any more."),
    "paying": N_("Payments are taken with this account from now on."),
    "secret": N_("The signing secret is kept."),
    "secrets": N_("Only the newest signing secret counts from now on."),
    "unpaying": N_("No new payments are taken with this account. What it has taken is still given back through it."),
}


@dataclass(frozen=True, slots=True)
class Slip:
    """A form that was not taken: which one, why, and what was typed into it, but for what is secret."""

    form: str
    error: UserError
    typed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Made:
    """The private address of a feed, which is shown once."""

    resource: str
    url: str


@dataclass(frozen=True, slots=True)
class FeedRow:
    """Whose appointments a feed tells, and since when there is one."""

    id: UUID
    name: str
    made_at: Any


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection as the page shows it."""

    view: ConnectionView
    resource: str
    by: str
    state: tuple[str, str]


async def show(
    request: Call, *, slip: Slip | None = None, made: Made | None = None, farewell: Farewell | None = None
) -> Response[Any]:
    """Return the page as everything is now, also after a form that was not taken."""
    staff, state = staff_of(request), request.app.state
    async with database_of(request).transaction(staff.business_id) as tx:
        page = await page_in(tx, request)
        names = await names_in(tx)
        policy = await policy_of(tx)
        found, following = await overview(
            tx, cursor=request.query_params.get("cursor") or None, limit=_CONNECTIONS_AT_ONCE
        )
        connections = [_connected(connection_view(each, policy), names) for each in found]
        enabled = await flag_is_on(tx, GCAL_INTEGRATION, state.stage)
        feed_rows = await _feeds(tx, names)
        conflicts = await _conflicts(tx, page)
        accounts = await _accounts(tx, request, page)
    google_works = enabled and state.calendars.google_is_configured
    return render(
        page,
        "integrations.html",
        200 if slip is None else slip.error.status,
        request=request,
        notices=_NOTICES,
        # The form that begins to connect a calendar of Google is led on to Google.
        headers=_leading_to(state.calendars.google.authorize_url) if google_works else {},
        connections=connections,
        following=following,
        outage_hides=policy.outage == "hide",
        freshness=policy.freshness_minutes,
        people=[(str(each.id), each.name) for each in names.resources if each.active],
        google_enabled=enabled,
        google_configured=state.calendars.google_is_configured,
        feeds=feed_rows,
        made=made,
        farewell=farewell,
        conflicts=conflicts,
        accounts=accounts,
        account_states=PAYMENT_ACCOUNT_STATES,
        providers=PROVIDERS,
        events={str(provider): words for provider, words in EVENTS.items()},
        webhook_urls=_webhook_urls(request),
        api_urls=[(url, url) for url in state.payment_settings.api_urls],
        may_connect=page.may(Permission.CONNECT_CALENDARS),
        may_take_payments=page.may(Permission.CONNECT_PAYMENTS),
        slip=slip,
        slip_text=_told(page, request, slip),
        wrong={} if slip is None else _wrong(page, slip),
    )


def _connected(view: ConnectionView, names: Names) -> Connected:
    return Connected(view, names.name(view.resource_id), CONNECTED_BY[view.provider], CALENDAR_STATES[_state_of(view)])


def _state_of(view: ConnectionView) -> str:
    if view.state != "connected":
        return view.state
    if view.stale:
        return "stale"
    if not any(each.blocks or each.exports for each in view.calendars):
        return "unused"
    if view.error_code is not None:
        return "troubled"
    return "works" if view.lag_seconds is not None else "first"


async def _feeds(tx: Transaction, names: Names) -> list[FeedRow]:
    return [
        FeedRow(each.id, each.name, await feeds.feed_made_at(tx, each.id)) for each in names.resources if each.active
    ]


async def _conflicts(tx: Transaction, page: AdminPage) -> int:
    if not page.may(Permission.CHANGE_APPOINTMENTS):
        return 0
    return len(await find_conflicts(tx, state=ConflictState.OPEN, booking_id=None, after=(None, None), limit=100))


async def _accounts(tx: Transaction, request: Call, page: AdminPage) -> list[PaymentAccountView]:
    if not page.may(Permission.CONNECT_PAYMENTS):
        return []
    settings = request.app.state.payment_settings
    return [
        PaymentAccountView.of(account, settings, page.business.id) for account in await payment_accounts.overview(tx)
    ]


def _webhook_urls(request: Call) -> dict[str, str | None]:
    settings, business_id = request.app.state.payment_settings, staff_of(request).business_id
    return {str(provider): settings.webhook_url(provider, business_id) for provider in ProviderName}


def _told(page: AdminPage, request: Call, slip: Slip | None) -> str | None:
    if slip is not None:
        return None if isinstance(slip.error, ValidationFailed) else why(page, slip.error)
    # What somebody came back from Google with; only words of ours are shown.
    problem = request.query_params.get("problem")
    return None if problem is None else page.text(PROBLEMS_OF_GOOGLE.get(problem, PROBLEMS_OF_GOOGLE["else"]))


def _wrong(page: AdminPage, slip: Slip) -> dict[str, str]:
    if not isinstance(slip.error, ValidationFailed):
        return {}
    return {f"{slip.form}-{name}": text for name, text in wrong_fields(page.language, slip.error).items()}


def _leading_to(address: str) -> dict[str, str]:
    origin = "/".join(address.split("/", 3)[:3])
    return {"Content-Security-Policy": f"{POLICY} {origin}; frame-ancestors 'none'"}
