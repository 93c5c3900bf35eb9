"""Webhooks: which other programs are told what happens, and adding one (H-5)."""

from typing import Any
from urllib.parse import urlsplit

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from holdfast.admin import webhooks_one
from holdfast.admin.frame import PROBLEMS, Call, Entry, Form, checked, database_of, page_in, read_form, render
from holdfast.admin.webhooks_one import MANAGES, PATH, wish_of
from holdfast.admin.webhooks_words import endpoint_state
from holdfast.admin.writing import slip_of, typed_in
from holdfast.identity.guards import staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import UserError
from holdfast.kernel.languages import N_
from holdfast.webhooks import endpoints
from holdfast.webhooks.endpoints import MOST, Endpoint
from holdfast.webhooks.events import EVENTS
from holdfast.webhooks.shapes import EndpointBody
from holdfast.webhooks.web import settings_of
from holdfast.webhooks.wire import check

ENTRY = Entry(PATH, N_("Webhooks"), "business", Permission.MANAGE_WEBHOOKS, order=35)
_NOTICES = {"removed": N_("The webhook is removed. That program is told nothing any more.")}


@get(PATH, guards=MANAGES, exception_handlers=PROBLEMS)
async def admin_webhooks(request: Call) -> Response[Any]:
    """Show who is told, and how that goes."""
    return await _list(request)


@post(PATH, status_code=200, guards=MANAGES, exception_handlers=PROBLEMS)
async def admin_webhook_add(request: Call) -> Response[Any]:
    """Have another program told; its secret is shown on the page that follows, and never again."""
    form, staff = await read_form(request), staff_of(request)
    try:
        told = checked(EndpointBody, {"name": form.line("name"), "url": form.line("url")})
        wish = wish_of(form, told.name, told.url)
        await check(wish.url, settings_of(request))

        async def work(tx: Transaction) -> tuple[Endpoint, str]:
            return await endpoints.add(tx, wish, staff.actor)

        made, secret = await database_of(request).run(staff.business_id, work)
    except UserError as refused:
        return await _list(request, form, refused)
    return await webhooks_one.show(request, made.id, secret=secret)


handlers: list[HTTPRouteHandler] = [admin_webhooks, admin_webhook_add, *webhooks_one.handlers]


async def _list(request: Call, form: Form | None = None, refused: UserError | None = None) -> Response[Any]:
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        found = await endpoints.list_all(tx)
    slip = None if refused is None else slip_of(page, refused, form)
    return render(
        page,
        "webhooks.html",
        200 if slip is None else slip.status,
        request=request,
        notices=_NOTICES,
        shown=[(each, urlsplit(each.url).hostname, endpoint_state(each)) for each in found],
        is_full=len(found) >= MOST,
        events=EVENTS,
        chosen=[] if form is None else form.lines("types"),
        typed=typed_in(form),
        slip=slip,
    )
