"""Deep links: short names that lead to a page and tell which campaign they were given out for (D-4)."""

from typing import Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.frame import PROBLEMS, Call, Entry, Form, checked, database_of, go, page_in, read_form, render
from holdfast.admin.writing import slip_of, typed_in
from holdfast.crm import links
from holdfast.crm.errors import DeepLinkNotFound
from holdfast.crm.links import DeepLink
from holdfast.crm.shapes import LinkBody
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import UserError
from holdfast.kernel.languages import N_

_PATH = "/admin/links"
_LIMIT = 50
ENTRY = Entry(_PATH, N_("Links of campaigns"), "public", Permission.CHANGE_DEEP_LINKS, 40)
_GUARDS = [Needs(Permission.CHANGE_DEEP_LINKS)]
_MARKS = {
    "utmSource": N_("Source"),
    "utmMedium": N_("Medium"),
    "utmCampaign": N_("Campaign"),
    "utmTerm": N_("Keyword"),
    "utmContent": N_("Variant"),
}
_NOTICES = {
    "added": N_("The link is made."),
    "retired": N_("The link leads nowhere any more."),
}


@get(_PATH, guards=_GUARDS, exception_handlers=PROBLEMS)
async def admin_links(request: Call) -> Response[Any]:
    """Show the links with how often they were followed, the latest first, retired ones too."""
    return await _shown(request)


@post(_PATH, status_code=200, guards=_GUARDS, exception_handlers=PROBLEMS)
async def admin_link_add(request: Call) -> Response[Any]:
    """Make a link."""
    form, staff = await read_form(request), staff_of(request)

    async def work(tx: Transaction) -> DeepLink:
        body = checked(LinkBody, {name: form.line(name) for name in ("targetPath", "id", *_MARKS)})
        return await links.create(tx, staff.actor, link_id=body.id, target_path=body.target_path, utm=body.marks())

    try:
        await database_of(request).run(staff.business_id, work)
    except UserError as refused:
        return await _shown(request, form, refused)
    return go(_PATH, done="added")


@post(f"{_PATH}/{{link_id:str}}/retire", status_code=200, guards=_GUARDS, exception_handlers=PROBLEMS)
async def admin_link_retire(request: Call, link_id: FromPath[str]) -> Response[Any]:
    """Let a link lead nowhere any more; its name is not given again."""
    staff = staff_of(request)
    if not (link_id.isascii() and link_id.isprintable()):
        raise DeepLinkNotFound
    await database_of(request).run(staff.business_id, lambda tx: links.retire(tx, link_id, staff.actor))
    return go(_PATH, done="retired")


handlers: list[HTTPRouteHandler] = [admin_links, admin_link_add, admin_link_retire]


async def _shown(request: Call, form: Form | None = None, refused: UserError | None = None) -> Response[Any]:
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        found, cursor = await links.links(tx, cursor=request.query_params.get("cursor") or None, limit=_LIMIT)
    slip = None if refused is None else slip_of(page, refused, form)
    return render(
        page,
        "leads_links.html",
        200 if slip is None else slip.status,
        request=request,
        notices=_NOTICES,
        links=found,
        cursor=cursor,
        marks=_MARKS,
        slip=slip,
        typed=typed_in(form),
    )
