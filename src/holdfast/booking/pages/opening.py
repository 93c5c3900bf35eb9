"""How a page begins: for which business it is, and what becomes of an error on the way."""

from typing import Any

import msgspec
import psycopg
import structlog
from litestar import Request, Response

from holdfast.availability.snapshots import Snapshot
from holdfast.booking import views
from holdfast.booking.pages.rendering import Page, page_of, render
from holdfast.booking.reservations import Reservations
from holdfast.identity.errors import UnknownBusiness
from holdfast.kernel.errors import TryLater, UserError
from holdfast.kernel.http import Line, count_refusal, decode

log = structlog.get_logger(__name__)

Call = Request[Any, Any, Any]

# What a form brings of whoever fills it in.
_TYPED = ("name", "email", "phone")


class ContactBody(msgspec.Struct, rename="camel", kw_only=True):
    """The contact that a form brings."""

    guest_email: views.Email
    guest_phone: views.Phone | None = None
    guest_name: Line | None = None


def contact_of(form: dict[str, str]) -> ContactBody:
    """Return the contact of an HTML form; raises ValidationFailed, which names the member."""
    members = {"guestEmail": form.get("email", ""), "guestPhone": form.get("phone"), "guestName": form.get("name")}
    return decode(ContactBody, msgspec.json.encode({name: value or None for name, value in members.items()}))


def show_problem(request: Call, error: UserError | psycopg.OperationalError) -> Response[str]:
    """Return an error as a page in the words of the client, with a way on."""
    if isinstance(error, psycopg.OperationalError):
        log.warning("database_unavailable", error=type(error).__name__)
        error = TryLater()
    count_refusal(error.code)
    page: Page = request.state.get("page") or page_of(request, None)
    answer = render(page, "problem.html", error.status, error=error)
    answer.headers.update(error.headers)
    return answer


PROBLEMS: Any = {UserError: show_problem, psycopg.OperationalError: show_problem}


async def open_page(request: Call, business: str | None) -> tuple[Page, Snapshot]:
    """Return the page of a business and what it offers; raises UnknownBusiness, ValidationFailed."""
    found = await request.app.state.tenancy.named(business)
    snapshot = await desk_of(request).snapshots.get(found.id, at_least=found.catalog_version)
    if snapshot is None:
        raise UnknownBusiness
    page = request.state.page = page_of(request, snapshot.business)
    return page, snapshot


def typed_in(form: dict[str, str]) -> dict[str, str]:
    """Return what somebody has typed of themselves, which travels along."""
    return {name: form[name] for name in _TYPED if form.get(name)}


def desk_of(request: Call) -> Reservations:
    """Return where bookings are made."""
    return request.app.state.reservations  # type: ignore[no-any-return]
