"""People: one is found by e-mail address or phone number.

Nobody browses people: a page shows one, who was asked for.
"""

from typing import Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from holdfast.admin import customers_one, customers_requests
from holdfast.admin.customers_known import NO_CONTACT, known_by
from holdfast.admin.customers_one import kept_of
from holdfast.admin.frame import PROBLEMS, AdminPage, Call, Entry, database_of, go, page_in, read_form, render
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.languages import N_

PATH = "/admin/customers"
ENTRY = Entry(PATH, N_("Clients"), "day", Permission.READ_APPOINTMENTS, order=25)

_READS = [Needs(Permission.READ_APPOINTMENTS)]
_NOBODY = N_("Nobody is known by this address or number")
_NOTICES = {"erased": N_("The person was forgotten. What accounts need stays, without a name.")}


@get(PATH, guards=_READS, exception_handlers=PROBLEMS)
async def admin_customers(request: Call) -> Response[Any]:
    """Show where somebody is looked for."""
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
    return _search(request, page)


@post(PATH, status_code=200, guards=_READS, exception_handlers=PROBLEMS)
async def admin_customers_search(request: Call) -> Response[Any]:
    """Lead to a person, under an address that tells nobody who it is."""
    form = await read_form(request)
    text = form.line("q")
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        known = known_by(await tx.keys(), text)
        found = None if known is None else await kept_of(tx, known)
    if known is None or found is None:
        return _search(request, page, text, NO_CONTACT)
    if found.is_nobody:
        return _search(request, page, text, _NOBODY)
    return go(f"{PATH}/{known}")


handlers: list[HTTPRouteHandler] = [
    admin_customers,
    admin_customers_search,
    *customers_one.handlers,
    *customers_requests.handlers,
]


def _search(request: Call, page: AdminPage, typed: str = "", wrong: str | None = None) -> Response[Any]:
    return render(
        page,
        "customers.html",
        200 if wrong is None else 400,
        request=request,
        notices=_NOTICES,
        typed=typed,
        wrong=None if wrong is None else {"q": page.text(wrong)},
    )
