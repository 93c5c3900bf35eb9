"""The booking page within the business' own site: what to paste there, which sites may, and what it looks like."""

from typing import Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from holdfast.admin.frame import PROBLEMS, AdminPage, Call, Entry, database_of, go, page_in, read_form, render
from holdfast.administration import settings
from holdfast.administration.settings import EMBEDDING_SITES
from holdfast.booking.calls import base_url_of
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.http import count_refusal
from holdfast.kernel.languages import N_
from holdfast.kernel.pages import CLOSED

ENTRY = Entry("/admin/settings/embedding", N_("On your own site"), "business", Permission.READ_SETTINGS, 60)
_NOTICES = {"saved": N_("These sites may show the booking page from now on.")}
# It shows a page of ours within itself.
_POLICY = f"{CLOSED}; frame-src 'self'"


@get(ENTRY.path, guards=[Needs(Permission.READ_SETTINGS)], exception_handlers=PROBLEMS)
async def admin_embedding(request: Call) -> Response[Any]:
    """Show the snippet, who may use it, and what comes of it."""
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        sites = str(await settings.read(tx, EMBEDDING_SITES))
    return _shown(request, page, sites)


@post(ENTRY.path, status_code=200, guards=[Needs(Permission.CHANGE_SETTINGS)], exception_handlers=PROBLEMS)
async def admin_embedding_saved(request: Call) -> Response[Any]:
    """Say which sites may show the booking page."""
    staff = staff_of(request)
    typed = (await read_form(request)).text("sites")
    async with database_of(request).transaction(staff.business_id) as tx:
        page = await page_in(tx, request)
        try:
            await settings.change(tx, EMBEDDING_SITES.key, " ".join(typed.split()), staff)
        except ValidationFailed as wrong:
            count_refusal(wrong.code)
            return _shown(request, page, typed, wrong)
    return go(ENTRY.path, done="saved")


handlers: list[HTTPRouteHandler] = [admin_embedding, admin_embedding_saved]


def _shown(request: Call, page: AdminPage, sites: str, wrong: ValidationFailed | None = None) -> Response[Any]:
    base = request.app.state.calendars.public_url or base_url_of(request)
    told = N_("Write addresses of sites like https://example.org, one in each line, ten at most.")
    return render(
        page,
        "embedding.html",
        200 if wrong is None else 400,
        request=request,
        notices=_NOTICES,
        policy=_POLICY,
        sites="\n".join(sites.split()),
        wrong={} if wrong is None else {"sites": page.text(told)},
        snippet=f'<script src="{base}/static/embed.js" data-business="{page.business.slug}" async></script>',
        shown=f"/{page.business.slug}/booking/slot?embed=1&lang={page.language}",
        may_change=page.may(Permission.CHANGE_SETTINGS),
    )
