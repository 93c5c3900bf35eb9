"""How a page begins: for which business it is, and what becomes of an error on the way."""

from dataclasses import replace
from http import HTTPStatus
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import structlog
from litestar import Request, Response
from litestar.exceptions.http_exceptions import RequestEntityTooLarge

from holdfast.administration import settings
from holdfast.administration.settings import EMBEDDING_SITES
from holdfast.availability.snapshots import Snapshot
from holdfast.booking import views
from holdfast.booking.pages.rendering import Page, page_of, render
from holdfast.booking.reservations import Reservations
from holdfast.identity.errors import UnknownBusiness
from holdfast.kernel.errors import BodyTooLarge, OutcomeUnknown, TryLater, UserError
from holdfast.kernel.http import Line, count_refusal, decode, path_of, render_error
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.lists import number_in

log = structlog.get_logger(__name__)

Call = Request[Any, Any, Any]

# What a form brings of whoever fills it in.
_TYPED = ("name", "email", "phone", "consent")
_LARGEST_PARTY = 1_000_000


class ContactBody(msgspec.Struct, rename="camel", kw_only=True):
    """The contact that a form brings."""

    guest_email: views.Email
    guest_phone: views.Phone | None = None
    guest_name: Line | None = None


def contact_of(form: dict[str, str]) -> ContactBody:
    """Return the contact of an HTML form; raises ValidationFailed, which names the member."""
    members = {"guestEmail": form.get("email", ""), "guestPhone": form.get("phone"), "guestName": form.get("name")}
    return decode(ContactBody, msgspec.json.encode({name: value or None for name, value in members.items()}))


def show_problem(request: Call, error: UserError | psycopg.OperationalError | RequestEntityTooLarge) -> Response[str]:
    """Return an error as a page in the words of the client, with a way on."""
    if isinstance(error, psycopg.OperationalError):
        log.warning("database_unavailable", error=type(error).__name__)
        error = TryLater()
    if isinstance(error, RequestEntityTooLarge):
        error = BodyTooLarge()
    count_refusal(error.code)
    page: Page = request.state.get("page") or page_of(request, None)
    answer = render(page, "problem.html", error.status, error=error)
    answer.headers.update(error.headers)
    return answer


def show_failure(request: Call, error: Exception) -> Response[Any]:
    """Show what nobody foresaw as a page that leads on; the log has it, and nothing of it is shown."""
    answer = render_error(request, error)
    if answer.status_code != HTTPStatus.INTERNAL_SERVER_ERROR:
        return answer
    page: Page = request.state.get("page") or page_of(request, None)
    return render(page, "problem.html", HTTPStatus.INTERNAL_SERVER_ERROR, error=OutcomeUnknown())


PROBLEMS: Any = {
    **dict.fromkeys((UserError, psycopg.OperationalError, RequestEntityTooLarge), show_problem),
    Exception: show_failure,
}


async def open_page(request: Call, business: str | None) -> tuple[Page, Snapshot]:
    """Return the page of a business and what it offers; raises UnknownBusiness, ValidationFailed."""
    found = await request.app.state.tenancy.named(business)
    snapshot = await desk_of(request).snapshots.get(found.id, at_least=found.catalog_version)
    if snapshot is None:
        raise UnknownBusiness
    page = page_of(request, snapshot.business)
    if page.is_embedded and not _is_private(path_of(request)):
        async with desk_of(request).database.transaction(found.id) as tx:
            sites = await settings.read(tx, EMBEDDING_SITES)
        # Ours show what it looks like.
        page = replace(page, framers=f"'self' {sites}".rstrip())
    request.state.page = page
    return page, snapshot


def _is_private(path: str) -> bool:
    """Return whether a page lets whoever has its link change something by one click: it stands in no frame at all."""
    return any(f"/booking/slot/{name}/" in path for name in ("manage", "offer", "paid"))


def business_of(request: Call) -> str | None:
    """Return the business that an address names, None for the default one."""
    named: str | None = request.path_params.get("business") or request.query_params.get("business")
    return named


def party_in(text: str | None) -> int:
    """Return for how many somebody books, one if they do not say; raises ValidationFailed."""
    return number_in(text, "party", 1, 1, _LARGEST_PARTY)


def wanted_in(request: Call) -> UUID | None:
    """Return whom the client has chosen; the address remembers it, since a hold that has run out does not."""
    return uuid_or_none(request.query_params.get("resource") or "")


def typed_in(form: dict[str, str]) -> dict[str, str]:
    """Return what somebody has typed of themselves, which travels along."""
    return {name: form[name] for name in _TYPED if form.get(name)}


def desk_of(request: Call) -> Reservations:
    """Return where bookings are made."""
    return request.app.state.reservations  # type: ignore[no-any-return]
