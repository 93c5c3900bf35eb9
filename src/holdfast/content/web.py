"""What staff do with content items: write, submit, publish, archive, and look into former versions."""

from litestar import Response, get, patch, post
from litestar.params import FromPath

from holdfast.booking.calls import expected_version
from holdfast.content import items
from holdfast.content.items import Filters
from holdfast.content.shapes import (
    ItemBody,
    ItemsView,
    ItemView,
    SaveBody,
    StepBody,
    VersionsView,
    VersionView,
)
from holdfast.content.states import ContentState, ContentType, Step
from holdfast.identity.calls import Call, id_named, number_named, own_business
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Database
from holdfast.kernel.documents import documented
from holdfast.kernel.http import decode, json_response
from holdfast.kernel.lists import line_in, number_in, word_in

_MAX_LIMIT = 500

_CHANGE = documented(StepBody, headers=("If-Match",), answers=ItemView, security="StaffKey")


@get(
    "/api/admin/content",
    guards=[Needs(Permission.READ_CONTENT)],
    opt=documented(
        query=("type", "status", "locale", "topic", "tag", "title", "cursor", "limit"),
        answers=ItemsView,
        security="StaffKey",
    ),
)
async def content_items(request: Call) -> Response[bytes]:
    """Return items of any state, the newest first; `title` is a part of the newest title, in any case."""
    asked = request.query_params
    filters = Filters(
        type=word_in(asked.get("type"), "type", ContentType),
        state=word_in(asked.get("status"), "status", ContentState),
        locale=line_in(asked.get("locale"), "locale"),
        topic=line_in(asked.get("topic"), "topic"),
        tag=line_in(asked.get("tag"), "tag"),
        title=line_in(asked.get("title"), "title"),
    )
    limit = number_in(asked.get("limit"), "limit", 100, 1, _MAX_LIMIT)
    async with _database(request).reading(staff_of(request).business_id) as tx:
        page = await items.list_items(tx, filters, cursor=asked.get("cursor") or None, limit=limit)
    return json_response(ItemsView(*page))


@post(
    "/api/admin/content",
    guards=[Needs(Permission.WRITE_CONTENT)],
    opt=documented(ItemBody, answers=ItemView, security="StaffKey"),
)
async def add_content(request: Call) -> Response[bytes]:
    """Make a draft."""
    data = decode(ItemBody, await request.body())
    staff = staff_of(request)
    business_id = own_business(staff, data.business_id)
    async with _database(request).transaction(business_id) as tx:
        item = await items.create(tx, data, staff.actor)
    return _shown(item, 201)


@get(
    "/api/admin/content/{item_id:str}",
    guards=[Needs(Permission.READ_CONTENT)],
    opt=documented(answers=ItemView, security="StaffKey"),
)
async def read_content(request: Call, item_id: FromPath[str]) -> Response[bytes]:
    """Return an item with the newest version of its text."""
    async with _database(request).reading(staff_of(request).business_id) as tx:
        return _shown(await items.read(tx, id_named(item_id)))


@patch(
    "/api/admin/content/{item_id:str}",
    guards=[Needs(Permission.WRITE_CONTENT)],
    opt=documented(SaveBody, headers=("If-Match",), answers=ItemView, security="StaffKey"),
)
async def save_content(request: Call, item_id: FromPath[str]) -> Response[bytes]:
    """Save a new version of an item; what is public stays until it is published anew, but for topics and tags."""
    data = decode(SaveBody, await request.body())
    expected = expected_version(request, data.expected_version)
    staff = staff_of(request)
    business_id = own_business(staff, data.business_id)
    async with _database(request).transaction(business_id) as tx:
        item = await items.save(tx, id_named(item_id), data, expected_version=expected, actor=staff.actor)
    return _shown(item)


@post(
    "/api/admin/content/{item_id:str}/submit",
    status_code=200,
    guards=[Needs(Permission.WRITE_CONTENT)],
    opt=_CHANGE,
)
async def submit_content(request: Call, item_id: FromPath[str]) -> Response[bytes]:
    """Ask for a draft to be reviewed."""
    return await _step(request, item_id, Step.SUBMIT)


@post(
    "/api/admin/content/{item_id:str}/return",
    status_code=200,
    guards=[Needs(Permission.WRITE_CONTENT)],
    opt=_CHANGE,
)
async def return_content(request: Call, item_id: FromPath[str]) -> Response[bytes]:
    """Make a draft again of what is in review or was archived."""
    return await _step(request, item_id, Step.RETURN)


@post(
    "/api/admin/content/{item_id:str}/publish",
    status_code=200,
    guards=[Needs(Permission.PUBLISH_CONTENT)],
    opt=_CHANGE,
)
async def publish_content(request: Call, item_id: FromPath[str]) -> Response[bytes]:
    """Show the newest version to the public: of what was reviewed, or anew of what is public and was changed since."""
    return await _step(request, item_id, Step.PUBLISH)


@post(
    "/api/admin/content/{item_id:str}/archive",
    status_code=200,
    guards=[Needs(Permission.PUBLISH_CONTENT)],
    opt=_CHANGE,
)
async def archive_content(request: Call, item_id: FromPath[str]) -> Response[bytes]:
    """Take an item from the public."""
    return await _step(request, item_id, Step.ARCHIVE)


@get(
    "/api/admin/content/{item_id:str}/versions",
    guards=[Needs(Permission.READ_CONTENT)],
    opt=documented(query=("cursor", "limit"), answers=VersionsView, security="StaffKey"),
)
async def content_versions(request: Call, item_id: FromPath[str]) -> Response[bytes]:
    """Return the versions of an item, the newest first."""
    asked = request.query_params
    limit = number_in(asked.get("limit"), "limit", 100, 1, _MAX_LIMIT)
    async with _database(request).reading(staff_of(request).business_id) as tx:
        page = await items.list_versions(tx, id_named(item_id), cursor=asked.get("cursor") or None, limit=limit)
    return json_response(VersionsView(*page))


@get(
    "/api/admin/content/{item_id:str}/versions/{number:str}",
    guards=[Needs(Permission.READ_CONTENT)],
    opt=documented(answers=VersionView, security="StaffKey"),
)
async def read_content_version(request: Call, item_id: FromPath[str], number: FromPath[str]) -> Response[bytes]:
    """Return a version of an item with its text."""
    async with _database(request).reading(staff_of(request).business_id) as tx:
        return json_response(await items.read_version(tx, id_named(item_id), number_named(number)))


@post(
    "/api/admin/content/{item_id:str}/versions/{number:str}/restore",
    status_code=200,
    guards=[Needs(Permission.WRITE_CONTENT)],
    opt=_CHANGE,
)
async def restore_content_version(request: Call, item_id: FromPath[str], number: FromPath[str]) -> Response[bytes]:
    """Make the text of an old version the newest one; every version in between stays."""
    data = decode(StepBody, await request.body())
    expected = expected_version(request, data.expected_version)
    staff = staff_of(request)
    business_id = own_business(staff, data.business_id)
    wanted = number_named(number)
    async with _database(request).transaction(business_id) as tx:
        item = await items.restore(tx, id_named(item_id), wanted, expected_version=expected, actor=staff.actor)
    return _shown(item)


handlers = [
    *(content_items, add_content, read_content, save_content),
    *(submit_content, return_content, publish_content, archive_content),
    *(content_versions, read_content_version, restore_content_version),
]


async def _step(request: Call, item_id: str, step: Step) -> Response[bytes]:
    data = decode(StepBody, await request.body())
    expected = expected_version(request, data.expected_version)
    staff = staff_of(request)
    business_id = own_business(staff, data.business_id)
    async with _database(request).transaction(business_id) as tx:
        item = await items.step(tx, id_named(item_id), step, expected_version=expected, actor=staff.actor)
    return _shown(item)


def _shown(item: ItemView, status: int = 200) -> Response[bytes]:
    return json_response(item, status, {"ETag": f'"{item.version}"'})


def _database(request: Call) -> Database:
    return request.app.state.database  # type: ignore[no-any-return]
