"""What anybody may read: published content, collections, the glossary. Caches may keep it for a minute."""

from uuid import UUID

from litestar import Response, get
from litestar.params import FromPath

from holdfast.content import published
from holdfast.content.shapes import PublicCollection, PublicItem, PublicItems, TermsView, TermView
from holdfast.content.states import ContentType
from holdfast.identity.calls import Call, name_named
from holdfast.kernel.database import Database
from holdfast.kernel.documents import documented
from holdfast.kernel.http import public_response
from holdfast.kernel.lists import line_in, number_in, word_in

_MAX_LIMIT = 500


@get(
    "/api/public/content",
    opt=documented(
        query=("business", "type", "locale", "topic", "tag", "cursor", "limit"),
        headers=("If-None-Match",),
        answers=PublicItems,
    ),
)
async def public_contents(request: Call) -> Response[bytes]:
    """Return published items, the newest first."""
    asked = request.query_params
    content_type = word_in(asked.get("type"), "type", ContentType)
    locale, topic, tag = (line_in(asked.get(name), name) for name in ("locale", "topic", "tag"))
    cursor, limit = _page(request)
    async with _database(request).reading(await _business(request)) as tx:
        page = await published.public_items(
            tx, content_type=content_type, locale=locale, topic=topic, tag=tag, cursor=cursor, limit=limit
        )
    return public_response(request, page)


@get(
    "/api/public/content/{content_type:str}/{slug:str}",
    opt=documented(query=("business",), headers=("If-None-Match",), answers=PublicItem),
)
async def public_content(request: Call, content_type: FromPath[str], slug: FromPath[str]) -> Response[bytes]:
    """Return a published item in the version that was published."""
    async with _database(request).reading(await _business(request)) as tx:
        return public_response(request, await published.public_item(tx, name_named(content_type), name_named(slug)))


@get(
    "/api/public/collections/{slug:str}",
    opt=documented(query=("business",), headers=("If-None-Match",), answers=PublicCollection),
)
async def public_collection(request: Call, slug: FromPath[str]) -> Response[bytes]:
    """Return a published collection with what of it is published, in its order."""
    async with _database(request).reading(await _business(request)) as tx:
        return public_response(request, await published.public_collection(tx, name_named(slug)))


@get(
    "/api/public/glossary",
    opt=documented(query=("business", "locale", "cursor", "limit"), headers=("If-None-Match",), answers=TermsView),
)
async def public_glossary(request: Call) -> Response[bytes]:
    """Return the terms of the glossary with their synonyms."""
    locale = line_in(request.query_params.get("locale"), "locale")
    cursor, limit = _page(request)
    async with _database(request).reading(await _business(request)) as tx:
        return public_response(request, await published.terms(tx, locale=locale, cursor=cursor, limit=limit))


@get(
    "/api/public/glossary/{name:str}",
    opt=documented(query=("business",), headers=("If-None-Match",), answers=TermView),
)
async def public_term(request: Call, name: FromPath[str]) -> Response[bytes]:
    """Return the term that has this name or synonym, in any case."""
    async with _database(request).reading(await _business(request)) as tx:
        return public_response(request, await published.find_term(tx, name_named(name)))


handlers = [public_contents, public_content, public_collection, public_glossary, public_term]


async def _business(request: Call) -> UUID:
    business = await request.app.state.tenancy.named(request.query_params.get("business"))
    business_id: UUID = business.id
    return business_id


def _page(request: Call) -> tuple[str | None, int]:
    asked = request.query_params
    return asked.get("cursor") or None, number_in(asked.get("limit"), "limit", 100, 1, _MAX_LIMIT)


def _database(request: Call) -> Database:
    return request.app.state.database  # type: ignore[no-any-return]
