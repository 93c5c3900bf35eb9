"""Deep links for staff: make, list, change, retire."""

from litestar import Response, delete, get, patch, post
from litestar.params import FromPath

from holdfast.booking.calls import Call, expected_version
from holdfast.crm import links
from holdfast.crm.errors import DeepLinkNotFound
from holdfast.crm.links import DeepLink
from holdfast.crm.shapes import ChangeLinkBody, LinkBody, LinksPage, LinkView
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Transaction
from holdfast.kernel.documents import documented
from holdfast.kernel.http import decode, json_response
from holdfast.kernel.lists import number_in

_MAX_LIMIT = 200


@post(
    "/api/admin/deep-links",
    guards=[Needs(Permission.CHANGE_DEEP_LINKS)],
    opt=documented(LinkBody, answers=LinkView, security="StaffKey"),
)
async def add_link(request: Call) -> Response[bytes]:
    """Make a link; 409 that names the field when the business has given its id already."""
    data, staff = decode(LinkBody, await request.body()), staff_of(request)

    async def work(tx: Transaction) -> DeepLink:
        return await links.create(tx, staff.actor, link_id=data.id, target_path=data.target_path, utm=data.marks())

    return json_response(LinkView.of(await request.app.state.database.run(staff.business_id, work)), 201)


@get(
    "/api/admin/deep-links",
    guards=[Needs(Permission.CHANGE_DEEP_LINKS)],
    opt=documented(query=("cursor", "limit"), answers=LinksPage, security="StaffKey"),
)
async def list_of_links(request: Call) -> Response[bytes]:
    """Return the links of the business with their clicks, the latest first, retired ones too."""
    asked, staff = request.query_params, staff_of(request)
    limit = number_in(asked.get("limit"), "limit", 50, 1, _MAX_LIMIT)
    async with request.app.state.database.transaction(staff.business_id) as tx:
        page, cursor = await links.links(tx, cursor=asked.get("cursor") or None, limit=limit)
    return json_response(LinksPage([LinkView.of(link) for link in page], cursor))


@patch(
    "/api/admin/deep-links/{link_id:str}",
    guards=[Needs(Permission.CHANGE_DEEP_LINKS)],
    opt=documented(ChangeLinkBody, headers=("If-Match",), answers=LinkView, security="StaffKey"),
)
async def change_link(request: Call, link_id: FromPath[str]) -> Response[bytes]:
    """Lead a link elsewhere, or mark it otherwise."""
    data = decode(ChangeLinkBody, await request.body())
    staff, wanted = staff_of(request), _id_in(link_id)
    version = expected_version(request, data.expected_version)

    async def work(tx: Transaction) -> DeepLink:
        return await links.change(
            tx, wanted, staff.actor, target_path=data.target_path, utm=data.marks(), expected_version=version
        )

    return json_response(LinkView.of(await request.app.state.database.run(staff.business_id, work)))


@delete(
    "/api/admin/deep-links/{link_id:str}",
    status_code=204,
    guards=[Needs(Permission.CHANGE_DEEP_LINKS)],
    opt=documented(security="StaffKey"),
)
async def retire_link(request: Call, link_id: FromPath[str]) -> None:
    """Let a link lead nowhere any more; its id is not given again."""
    staff, wanted = staff_of(request), _id_in(link_id)
    await request.app.state.database.run(staff.business_id, lambda tx: links.retire(tx, wanted, staff.actor))


def _id_in(text: str) -> str:
    if not (text.isascii() and text.isprintable()):
        raise DeepLinkNotFound
    return text


handlers = [add_link, list_of_links, change_link, retire_link]
