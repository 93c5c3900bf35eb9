"""What stands around publications: topics, tags, collections, the glossary and files, a page each."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.content import PATH, READ, TYPES, WRITE
from holdfast.admin.frame import (
    MAX_FORM_BYTES,
    PROBLEMS,
    Call,
    Form,
    database_of,
    go,
    page_in,
    read_form,
    render,
)
from holdfast.admin.writing import raw, slip_of
from holdfast.content import curation, glossary, items, labels, media, published
from holdfast.content.items import Filters
from holdfast.identity.calls import id_named
from holdfast.identity.guards import staff_of
from holdfast.kernel.audit import Actor
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound, UserError, ValidationFailed
from holdfast.kernel.http import decode
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.languages import LANGUAGES, N_

_SHELVES = f"{PATH}/library/{{shelf:str}}"
_LIMIT = 500
_NOTICES = {"added": N_("Added."), "changed": N_("Changed."), "removed": N_("Removed.")}

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """Something that is said of each thing: `kind` is line, text, lines, locale, number, tick or items."""

    name: str
    label: str
    kind: str = "line"
    hint: str = ""
    is_required: bool = True
    # What can be said once, when the thing is made.
    only_new: bool = False


@dataclass(frozen=True, slots=True)
class Shelf:
    """Things of one kind: what is said of each, and the use cases for them."""

    title: str
    empty: str
    fields: tuple[Field, ...]
    body: type[Any]
    change_body: type[Any]
    list: Callable[..., Awaitable[tuple[list[Any], str | None]]]
    add: Callable[[Transaction, Any, Actor], Awaitable[Any]]
    change: Callable[[Transaction, UUID, Any, Actor], Awaitable[Any]]
    remove: Callable[[Transaction, UUID, Actor], Awaitable[None]]


_SLUG_HINT = N_("Small Latin letters, digits and hyphens")

SHELVES: Mapping[str, Shelf] = {
    "topics": Shelf(
        N_("Topics"),
        N_("Topics sort publications and questions; each has a name in both languages."),
        (
            Field("nameEn", N_("Name in English")),
            Field("nameRu", N_("Name in Russian")),
            Field("slug", N_("Web address"), hint=_SLUG_HINT),
        ),
        labels.TopicBody,
        labels.TopicChange,
        lambda tx, cursor: _of(labels.topics(tx, cursor=cursor, limit=_LIMIT), "topics"),
        labels.add_topic,
        labels.change_topic,
        labels.remove_topic,
    ),
    "tags": Shelf(
        N_("Tags"),
        N_("Tags say more precisely than topics what a publication is about."),
        (Field("name", N_("Name")), Field("slug", N_("Web address"), hint=_SLUG_HINT)),
        labels.TagBody,
        labels.TagChange,
        lambda tx, cursor: _of(labels.tags(tx, cursor=cursor, limit=_LIMIT), "tags"),
        labels.add_tag,
        labels.change_tag,
        labels.remove_tag,
    ),
    "collections": Shelf(
        N_("Collections"),
        N_("A collection shows publications in an order that you choose."),
        (
            Field("title", N_("Title")),
            Field("slug", N_("Web address"), hint=_SLUG_HINT),
            Field("description", N_("Description"), "text", is_required=False),
            Field(
                "items",
                N_("Publications in their order"),
                "items",
                N_("One on each line, by kind and address: article/how-to-sleep"),
                is_required=False,
            ),
            Field("published", N_("Everybody can see it"), "tick", is_required=False),
        ),
        curation.CollectionBody,
        curation.CollectionChange,
        lambda tx, cursor: _of(curation.collections(tx, cursor=cursor, limit=_LIMIT), "collections"),
        curation.add_collection,
        curation.change_collection,
        curation.remove_collection,
    ),
    "glossary": Shelf(
        N_("Glossary"),
        N_("Words that readers may not know, each with what it means and what else it is called."),
        (
            Field("term", N_("Term")),
            Field("definition", N_("What it means"), "text", N_("Markdown, as in the text of a publication")),
            Field("synonyms", N_("Other names"), "lines", N_("One on each line"), is_required=False),
            Field("locale", N_("Language"), "locale"),
        ),
        glossary.TermBody,
        glossary.TermChange,
        lambda tx, cursor: _of(published.terms(tx, locale=None, cursor=cursor, limit=_LIMIT), "terms"),
        glossary.add_term,
        glossary.change_term,
        glossary.remove_term,
    ),
    "media": Shelf(
        N_("Files"),
        N_("Pictures and sounds lie on your site; here is noted where, and what they show."),
        (
            Field(
                "location", N_("Where it lies"), hint=N_("An https address, or a path of the site: /pictures/lamp.png")
            ),
            Field(
                "altText",
                N_("What it shows"),
                hint=N_("For those who do not see it; empty for mere decoration"),
                is_required=False,
            ),
            Field("mediaType", N_("Media type"), hint="image/png", only_new=True),
            Field("bytes", N_("Size in bytes"), "number", only_new=True),
            Field("sha256", N_("SHA-256 of its bytes"), only_new=True),
        ),
        media.MediaBody,
        media.MediaChange,
        lambda tx, cursor: _of(media.media(tx, cursor=cursor, limit=_LIMIT), "media"),
        media.add_media,
        media.change_media,
        media.remove_media,
    ),
}


@get(_SHELVES, guards=READ, exception_handlers=PROBLEMS)
async def admin_library(request: Call, shelf: FromPath[str]) -> Response[Any]:
    """Show the things of one kind, with a form for a new one, or for the one that is to be changed."""
    return await _shown(request, shelf, uuid_or_none(request.query_params.get("edit") or ""))


@post(_SHELVES, status_code=200, guards=WRITE, exception_handlers=PROBLEMS, request_max_body_size=MAX_FORM_BYTES)
async def admin_library_add(request: Call, shelf: FromPath[str]) -> Response[Any]:
    """Add a thing."""
    form, staff, kept = await read_form(request), staff_of(request), _shelf(shelf)

    async def work(tx: Transaction) -> None:
        values = await _values(tx, kept, form, is_new=True)
        await kept.add(tx, decode(kept.body, msgspec.json.encode(values)), staff.actor)

    try:
        await database_of(request).run(staff.business_id, work)
    except UserError as refused:
        return await _shown(request, shelf, None, form, refused)
    return go(f"{PATH}/library/{shelf}", done="added")


@post(
    f"{_SHELVES}/{{thing_id:str}}",
    status_code=200,
    guards=WRITE,
    exception_handlers=PROBLEMS,
    request_max_body_size=MAX_FORM_BYTES,
)
async def admin_library_change(request: Call, shelf: FromPath[str], thing_id: FromPath[str]) -> Response[Any]:
    """Change a thing, wherever it is shown."""
    form, staff, kept, wanted = await read_form(request), staff_of(request), _shelf(shelf), id_named(thing_id)

    async def work(tx: Transaction) -> None:
        values = await _values(tx, kept, form, is_new=False)
        await kept.change(tx, wanted, decode(kept.change_body, msgspec.json.encode(values)), staff.actor)

    try:
        await database_of(request).run(staff.business_id, work)
    except NotFound:
        raise
    except UserError as refused:
        return await _shown(request, shelf, wanted, form, refused)
    return go(f"{PATH}/library/{shelf}", done="changed")


@post(f"{_SHELVES}/{{thing_id:str}}/remove", status_code=200, guards=WRITE, exception_handlers=PROBLEMS)
async def admin_library_remove(request: Call, shelf: FromPath[str], thing_id: FromPath[str]) -> Response[Any]:
    """Remove a thing that nothing needs."""
    staff, kept, wanted = staff_of(request), _shelf(shelf), id_named(thing_id)
    try:
        await database_of(request).run(staff.business_id, lambda tx: kept.remove(tx, wanted, staff.actor))
    except NotFound:
        raise
    except UserError as refused:
        return await _shown(request, shelf, wanted, None, refused)
    return go(f"{PATH}/library/{shelf}", done="removed")


handlers: list[HTTPRouteHandler] = [admin_library, admin_library_add, admin_library_change, admin_library_remove]


async def _shown(
    request: Call,
    shelf: str,
    edited: UUID | None,
    form: Form | None = None,
    refused: UserError | None = None,
) -> Response[Any]:
    kept = _shelf(shelf)
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        found, cursor = await kept.list(tx, request.query_params.get("cursor") or None)
        addresses = await _addresses(tx) if shelf == "collections" else {}
    rows = [{"id": one.id, **_written(kept, one, addresses)} for one in found]
    wanted = next((row for row in rows if row["id"] == edited), None)
    if edited is not None and wanted is None:
        raise NotFound
    slip = None if refused is None else slip_of(page, refused, form)
    typed: Values = {name: raw(form, name) for name in form.fields} if form else wanted or {}
    if not typed:
        typed = {"locale": page.business.locale[:2]}
    return render(
        page,
        "content_library.html",
        200 if slip is None else slip.status,
        request=request,
        notices=_NOTICES,
        shelves=SHELVES,
        shelf=shelf,
        kept=kept,
        rows=rows,
        cursor=cursor,
        edited=wanted,
        typed=typed,
        slip=slip,
        languages_there=LANGUAGES,
        types=TYPES,
    )


async def _of(listing: Awaitable[Any], name: str) -> tuple[list[Any], str | None]:
    page = await listing
    return getattr(page, name), page.next_cursor


def _shelf(name: str) -> Shelf:
    if name not in SHELVES:
        raise NotFound
    return SHELVES[name]


async def _values(tx: Transaction, kept: Shelf, form: Form, *, is_new: bool) -> Values:
    values: Values = {}
    for one in kept.fields:
        typed = raw(form, one.name)
        if one.only_new and not is_new:
            continue
        if one.kind == "tick":
            values[one.name] = bool(typed)
        elif one.kind == "lines":
            values[one.name] = typed.split("\n") if typed else []
        elif one.kind == "items":
            values[one.name] = await _ids(tx, typed)
        elif one.kind == "number":
            values[one.name] = int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 14 else typed
        else:
            values[one.name] = typed
    return values


async def _ids(tx: Transaction, typed: str) -> list[str]:
    """Return the ids of publications, which are written by kind and address; raises ValidationFailed."""
    known = {address: str(item_id) for item_id, address in (await _addresses(tx)).items()} if typed else {}
    lines = [line.strip() for line in typed.split("\n") if line.strip()]
    for place, line in enumerate(lines):
        if line not in known:
            raise ValidationFailed.at(f"items[{place}]", "there is no such item")
    return [known[line] for line in lines]


async def _addresses(tx: Transaction) -> dict[UUID, str]:
    found: dict[UUID, str] = {}
    cursor: str | None = None
    while True:
        page, cursor = await items.list_items(tx, Filters(), cursor=cursor, limit=_LIMIT)
        found |= {item.id: f"{item.type}/{item.slug}" for item in page}
        if cursor is None:
            return found


def _written(kept: Shelf, thing: Any, addresses: Mapping[UUID, str]) -> Values:
    """Return what is said of a thing as a form has it."""
    told = msgspec.to_builtins(thing)
    values = {one.name: told[one.name] for one in kept.fields}
    for one in kept.fields:
        if one.kind == "items":
            values[one.name] = "\n".join(addresses[UUID(item_id)] for item_id in told[one.name])
        elif one.kind == "lines":
            values[one.name] = "\n".join(told[one.name])
    return values
