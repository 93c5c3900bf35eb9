"""What staff do with what stands around items: topics, tags, media, collections, the glossary."""

from uuid import UUID

from litestar import Response, delete, get, patch, post
from litestar.params import FromPath

from holdfast.content import curation, glossary, labels, media, published
from holdfast.content.shapes import TermsView, TermView
from holdfast.identity.calls import Call, id_named, own_business
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Database
from holdfast.kernel.documents import documented
from holdfast.kernel.http import decode, json_response
from holdfast.kernel.lists import number_in

_MAX_LIMIT = 500

_READ = [Needs(Permission.READ_CONTENT)]
_WRITE = [Needs(Permission.WRITE_CONTENT)]
_QUERY = ("cursor", "limit")


@get("/api/admin/topics", guards=_READ, opt=documented(query=_QUERY, answers=labels.TopicsView, security="StaffKey"))
async def list_topics(request: Call) -> Response[bytes]:
    """Return the topics of the business."""
    cursor, limit = _page(request)
    async with _database(request).reading(staff_of(request).business_id) as tx:
        return json_response(await labels.topics(tx, cursor=cursor, limit=limit))


@post(
    "/api/admin/topics", guards=_WRITE, opt=documented(labels.TopicBody, answers=labels.TopicView, security="StaffKey")
)
async def add_topic(request: Call) -> Response[bytes]:
    """Make a topic."""
    data = decode(labels.TopicBody, await request.body())
    async with _database(request).transaction(_own(request, data.business_id)) as tx:
        made = await labels.add_topic(tx, data, staff_of(request).actor)
    return json_response(made, 201)


@patch(
    "/api/admin/topics/{topic_id:str}",
    guards=_WRITE,
    opt=documented(labels.TopicChange, answers=labels.TopicView, security="StaffKey"),
)
async def change_topic(request: Call, topic_id: FromPath[str]) -> Response[bytes]:
    """Change a topic, for all items that have it."""
    data = decode(labels.TopicChange, await request.body())
    async with _database(request).transaction(_own(request, data.business_id)) as tx:
        changed = await labels.change_topic(tx, id_named(topic_id), data, staff_of(request).actor)
    return json_response(changed)


@delete("/api/admin/topics/{topic_id:str}", status_code=204, guards=_WRITE, opt=documented(security="StaffKey"))
async def remove_topic(request: Call, topic_id: FromPath[str]) -> None:
    """Remove a topic that no item has."""
    async with _database(request).transaction(staff_of(request).business_id) as tx:
        await labels.remove_topic(tx, id_named(topic_id), staff_of(request).actor)


@get("/api/admin/tags", guards=_READ, opt=documented(query=_QUERY, answers=labels.TagsView, security="StaffKey"))
async def list_tags(request: Call) -> Response[bytes]:
    """Return the tags of the business."""
    cursor, limit = _page(request)
    async with _database(request).reading(staff_of(request).business_id) as tx:
        return json_response(await labels.tags(tx, cursor=cursor, limit=limit))


@post("/api/admin/tags", guards=_WRITE, opt=documented(labels.TagBody, answers=labels.TagView, security="StaffKey"))
async def add_tag(request: Call) -> Response[bytes]:
    """Make a tag."""
    data = decode(labels.TagBody, await request.body())
    async with _database(request).transaction(_own(request, data.business_id)) as tx:
        made = await labels.add_tag(tx, data, staff_of(request).actor)
    return json_response(made, 201)


@patch(
    "/api/admin/tags/{tag_id:str}",
    guards=_WRITE,
    opt=documented(labels.TagChange, answers=labels.TagView, security="StaffKey"),
)
async def change_tag(request: Call, tag_id: FromPath[str]) -> Response[bytes]:
    """Change a tag, for all items that have it."""
    data = decode(labels.TagChange, await request.body())
    async with _database(request).transaction(_own(request, data.business_id)) as tx:
        changed = await labels.change_tag(tx, id_named(tag_id), data, staff_of(request).actor)
    return json_response(changed)


@delete("/api/admin/tags/{tag_id:str}", status_code=204, guards=_WRITE, opt=documented(security="StaffKey"))
async def remove_tag(request: Call, tag_id: FromPath[str]) -> None:
    """Remove a tag that no item has."""
    async with _database(request).transaction(staff_of(request).business_id) as tx:
        await labels.remove_tag(tx, id_named(tag_id), staff_of(request).actor)


@get("/api/admin/media", guards=_READ, opt=documented(query=_QUERY, answers=media.MediaList, security="StaffKey"))
async def list_media(request: Call) -> Response[bytes]:
    """Return the media assets of the business."""
    cursor, limit = _page(request)
    async with _database(request).reading(staff_of(request).business_id) as tx:
        return json_response(await media.media(tx, cursor=cursor, limit=limit))


@post("/api/admin/media", guards=_WRITE, opt=documented(media.MediaBody, answers=media.MediaView, security="StaffKey"))
async def add_media(request: Call) -> Response[bytes]:
    """Note a file that lies somewhere: what it is and where, not its bytes."""
    data = decode(media.MediaBody, await request.body())
    async with _database(request).transaction(_own(request, data.business_id)) as tx:
        made = await media.add_media(tx, data, staff_of(request).actor)
    return json_response(made, 201)


@patch(
    "/api/admin/media/{asset_id:str}",
    guards=_WRITE,
    opt=documented(media.MediaChange, answers=media.MediaView, security="StaffKey"),
)
async def change_media(request: Call, asset_id: FromPath[str]) -> Response[bytes]:
    """Change the words about a file, or where it lies."""
    data = decode(media.MediaChange, await request.body())
    async with _database(request).transaction(_own(request, data.business_id)) as tx:
        changed = await media.change_media(tx, id_named(asset_id), data, staff_of(request).actor)
    return json_response(changed)


@delete("/api/admin/media/{asset_id:str}", status_code=204, guards=_WRITE, opt=documented(security="StaffKey"))
async def remove_media(request: Call, asset_id: FromPath[str]) -> None:
    """Forget a file that no version of an item shows."""
    async with _database(request).transaction(staff_of(request).business_id) as tx:
        await media.remove_media(tx, id_named(asset_id), staff_of(request).actor)


@get(
    "/api/admin/collections",
    guards=_READ,
    opt=documented(query=_QUERY, answers=curation.CollectionsView, security="StaffKey"),
)
async def list_collections(request: Call) -> Response[bytes]:
    """Return the collections of the business."""
    cursor, limit = _page(request)
    async with _database(request).reading(staff_of(request).business_id) as tx:
        return json_response(await curation.collections(tx, cursor=cursor, limit=limit))


@post(
    "/api/admin/collections",
    guards=_WRITE,
    opt=documented(curation.CollectionBody, answers=curation.CollectionView, security="StaffKey"),
)
async def add_collection(request: Call) -> Response[bytes]:
    """Make a collection of items in an order."""
    data = decode(curation.CollectionBody, await request.body())
    async with _database(request).transaction(_own(request, data.business_id)) as tx:
        made = await curation.add_collection(tx, data, staff_of(request).actor)
    return json_response(made, 201)


@patch(
    "/api/admin/collections/{collection_id:str}",
    guards=_WRITE,
    opt=documented(curation.CollectionChange, answers=curation.CollectionView, security="StaffKey"),
)
async def change_collection(request: Call, collection_id: FromPath[str]) -> Response[bytes]:
    """Change a collection; `items` replace those before."""
    data = decode(curation.CollectionChange, await request.body())
    async with _database(request).transaction(_own(request, data.business_id)) as tx:
        changed = await curation.change_collection(tx, id_named(collection_id), data, staff_of(request).actor)
    return json_response(changed)


@delete(
    "/api/admin/collections/{collection_id:str}", status_code=204, guards=_WRITE, opt=documented(security="StaffKey")
)
async def remove_collection(request: Call, collection_id: FromPath[str]) -> None:
    """Remove a collection, and none of its items."""
    async with _database(request).transaction(staff_of(request).business_id) as tx:
        await curation.remove_collection(tx, id_named(collection_id), staff_of(request).actor)


@get("/api/admin/glossary", guards=_READ, opt=documented(query=_QUERY, answers=TermsView, security="StaffKey"))
async def list_terms(request: Call) -> Response[bytes]:
    """Return the glossary of the business."""
    cursor, limit = _page(request)
    async with _database(request).reading(staff_of(request).business_id) as tx:
        return json_response(await published.terms(tx, locale=None, cursor=cursor, limit=limit))


@post("/api/admin/glossary", guards=_WRITE, opt=documented(glossary.TermBody, answers=TermView, security="StaffKey"))
async def add_term(request: Call) -> Response[bytes]:
    """Make a term with its synonyms."""
    data = decode(glossary.TermBody, await request.body())
    async with _database(request).transaction(_own(request, data.business_id)) as tx:
        made = await glossary.add_term(tx, data, staff_of(request).actor)
    return json_response(made, 201)


@patch(
    "/api/admin/glossary/{term_id:str}",
    guards=_WRITE,
    opt=documented(glossary.TermChange, answers=TermView, security="StaffKey"),
)
async def change_term(request: Call, term_id: FromPath[str]) -> Response[bytes]:
    """Change a term; `synonyms` replace those before."""
    data = decode(glossary.TermChange, await request.body())
    async with _database(request).transaction(_own(request, data.business_id)) as tx:
        changed = await glossary.change_term(tx, id_named(term_id), data, staff_of(request).actor)
    return json_response(changed)


@delete("/api/admin/glossary/{term_id:str}", status_code=204, guards=_WRITE, opt=documented(security="StaffKey"))
async def remove_term(request: Call, term_id: FromPath[str]) -> None:
    """Remove a term with its synonyms."""
    async with _database(request).transaction(staff_of(request).business_id) as tx:
        await glossary.remove_term(tx, id_named(term_id), staff_of(request).actor)


handlers = [
    *(list_topics, add_topic, change_topic, remove_topic),
    *(list_tags, add_tag, change_tag, remove_tag),
    *(list_media, add_media, change_media, remove_media),
    *(list_collections, add_collection, change_collection, remove_collection),
    *(list_terms, add_term, change_term, remove_term),
]


def _own(request: Call, named: UUID | None) -> UUID:
    return own_business(staff_of(request), named)


def _page(request: Call) -> tuple[str | None, int]:
    asked = request.query_params
    return asked.get("cursor") or None, number_in(asked.get("limit"), "limit", 100, 1, _MAX_LIMIT)


def _database(request: Call) -> Database:
    return request.app.state.database  # type: ignore[no-any-return]
