"""Publications: the list, and the editor in which two who write at once lose nothing (U-3, D-1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.content_reading import as_read
from holdfast.admin.frame import (
    MAX_FORM_BYTES,
    PROBLEMS,
    AdminPage,
    Call,
    Entry,
    Form,
    database_of,
    go,
    page_in,
    read_form,
    render,
)
from holdfast.admin.writing import Slip, raw, slip_of
from holdfast.content import items, labels, media
from holdfast.content.items import Filters
from holdfast.content.shapes import ItemBody, ItemView, SaveBody, VersionView
from holdfast.content.states import ContentState, ContentType
from holdfast.identity.calls import id_named
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound, UserError
from holdfast.kernel.http import decode
from holdfast.kernel.languages import LANGUAGES, N_
from holdfast.kernel.lists import line_in, number_in, word_in

PATH = "/admin/content"
_LIMIT = 50
_MAX_LABELS = 500
_MAX_NUMBER = 999_999_999
ENTRY = Entry(PATH, N_("Publications"), "public", Permission.READ_CONTENT, 10)
READ, WRITE = [Needs(Permission.READ_CONTENT)], [Needs(Permission.WRITE_CONTENT)]

TYPES = {
    ContentType.ARTICLE: N_("Article"),
    ContentType.EXERCISE: N_("Exercise"),
    ContentType.STORY: N_("Story"),
    ContentType.FAQ: N_("Question and answer"),
    ContentType.PAGE: N_("Page"),
}
STATES = {
    ContentState.DRAFT: N_("Draft"),
    ContentState.REVIEW: N_("To be reviewed"),
    ContentState.PUBLISHED: N_("Published"),
    ContentState.ARCHIVED: N_("Archived"),
}
MEANINGS = {
    ContentState.DRAFT: N_("Nobody but staff can read it. When it is ready, submit it for review."),
    ContentState.REVIEW: N_("Somebody is to read it once more, and then publish it or return it."),
    ContentState.PUBLISHED: N_(
        "Everybody can read the version that was published. What you save now is read only when it is published again."
    ),
    ContentState.ARCHIVED: N_(
        "Nobody but staff can read it, and it cannot be changed. Make a draft of it to work on it."
    ),
}
NOTICES = {
    "created": N_("The draft is kept."),
    "saved": N_("Saved as a new version."),
    "submit": N_("It waits for a review now."),
    "return": N_("It is a draft again."),
    "publish": N_("It is published: everybody reads the newest version now."),
    "archive": N_("It is archived: nobody but staff can read it."),
    "restored": N_("The old text is the newest version again; every version in between is kept."),
}
FIELDS = {
    "title": N_("Title"),
    "summary": N_("Summary"),
    "body": N_("Text"),
    "slug": N_("Web address"),
    "locale": N_("Language"),
    "topics": N_("Topics"),
    "tags": N_("Tags"),
    "media": N_("Files"),
}
_LINES = ("title", "summary", "body", "slug", "locale")
_LISTS = ("topics", "tags", "media")
# What a version keeps, so that it can be told who of two has changed it.
_VERSIONED = ("title", "summary", "body", "media")

Typed = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Merged:
    """What two have made of one item: `typed` with what only the other one has changed, and where both did."""

    typed: Typed
    taken: list[str]
    theirs: Typed


@get(PATH, guards=READ, exception_handlers=PROBLEMS)
async def admin_content(request: Call) -> Response[Any]:
    """Show what there is of any state, the newest first."""
    asked = request.query_params
    filters = Filters(
        type=word_in(asked.get("type"), "type", ContentType),
        state=word_in(asked.get("status"), "status", ContentState),
        locale=line_in(asked.get("locale"), "locale"),
        topic=line_in(asked.get("topic"), "topic"),
        title=line_in(asked.get("title"), "title"),
    )
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        found, cursor = await items.list_items(tx, filters, cursor=asked.get("cursor") or None, limit=_LIMIT)
        topics = (await labels.topics(tx, cursor=None, limit=_MAX_LABELS)).topics
    chosen = {name: asked.get(name) or "" for name in ("title", "status", "type", "locale", "topic")}
    return render(
        page,
        "content.html",
        request=request,
        items=found,
        cursor=cursor,
        topics=topics,
        chosen=chosen,
        is_filtered=any(chosen.values()),
        types=TYPES,
        states=STATES,
    )


@get(f"{PATH}/new", guards=WRITE, exception_handlers=PROBLEMS)
async def admin_content_new(request: Call) -> Response[Any]:
    """Show an empty editor."""
    return await editor(request, None)


@post(
    f"{PATH}/new",
    status_code=200,
    guards=WRITE,
    exception_handlers=PROBLEMS,
    request_max_body_size=MAX_FORM_BYTES,
)
async def admin_content_add(request: Call) -> Response[Any]:
    """Make a draft."""
    form, staff = await read_form(request), staff_of(request)
    typed = _typed(form) | {"type": form.line("type")}
    try:
        body = decode(ItemBody, msgspec.json.encode(typed))
        made = await database_of(request).run(staff.business_id, lambda tx: items.create(tx, body, staff.actor))
    except UserError as refused:
        return await editor(request, None, form, typed, refused)
    return go(f"{PATH}/{made.id}", done="created")


@get(f"{PATH}/{{item_id:str}}", guards=READ, exception_handlers=PROBLEMS)
async def admin_content_item(request: Call, item_id: FromPath[str]) -> Response[Any]:
    """Show an item in the editor, or as it is read to whoever may not write."""
    return await editor(request, id_named(item_id))


@post(
    f"{PATH}/{{item_id:str}}",
    status_code=200,
    guards=WRITE,
    exception_handlers=PROBLEMS,
    request_max_body_size=MAX_FORM_BYTES,
)
async def admin_content_save(request: Call, item_id: FromPath[str]) -> Response[Any]:
    """Save a new version; what somebody else has saved meanwhile is shown beside what was typed."""
    form, staff, wanted = await read_form(request), staff_of(request), id_named(item_id)
    typed = _typed(form)

    async def work(tx: Transaction) -> ItemView:
        body = decode(SaveBody, msgspec.json.encode(typed))
        expected = number_in(form.line("version"), "version", 0, 0, _MAX_NUMBER)
        return await items.save(tx, wanted, body, expected_version=expected, actor=staff.actor)

    try:
        await database_of(request).run(staff.business_id, work)
    except NotFound:
        raise
    except UserError as refused:
        return await editor(request, wanted, form, typed, refused)
    return go(f"{PATH}/{wanted}", done="saved")


handlers: list[HTTPRouteHandler] = [
    admin_content,
    admin_content_new,
    admin_content_add,
    admin_content_item,
    admin_content_save,
]


def _typed(form: Form) -> Typed:
    labelled = {name: sorted(form.lines(name)) for name in ("topics", "tags")}
    return {name: raw(form, name) for name in _LINES} | labelled | {"media": form.lines("media")}


async def editor(
    request: Call,
    wanted: UUID | None,
    form: Form | None = None,
    typed: Typed | None = None,
    refused: UserError | None = None,
) -> Response[Any]:
    """Show the editor: of an item as it is kept, or again with what was typed and why it was refused."""
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        item = None if wanted is None else await items.read(tx, wanted)
        topics = (await labels.topics(tx, cursor=None, limit=_MAX_LABELS)).topics
        tags = (await labels.tags(tx, cursor=None, limit=_MAX_LABELS)).tags
        files = (await media.media(tx, cursor=None, limit=_MAX_LABELS)).media
        slip = None if refused is None else slip_of(page, refused, form)
        merged = None
        if slip is not None and slip.is_stale and item is not None and form is not None:
            merged = merge(typed or {}, await _base(tx, item, form), item)
    called = {str(one.id): one.alt_text or one.location for one in files}
    shown = merged.typed if merged else typed or _kept(item) or _new(page, request)
    chosen_media = shown["media"]
    return render(
        page,
        "content_item.html",
        200 if slip is None else slip.status,
        request=request,
        notices=NOTICES,
        item=item,
        typed=shown,
        slip=slip,
        wrong=_wrong(slip),
        merged=merged,
        called=called,
        read=as_read(shown["body"]),
        topics=topics,
        tags=tags,
        # Those that are shown come first, in their order.
        files=sorted(files, key=lambda one: _place(chosen_media, str(one.id))),
        locales=dict.fromkeys([*LANGUAGES, *filter(None, [shown["locale"]])]),
        is_writable=page.may(Permission.WRITE_CONTENT) and (item is None or item.status != ContentState.ARCHIVED),
        types=TYPES,
        states=STATES,
        meanings=MEANINGS,
        fields=FIELDS,
    )


def merge(typed: Typed, base: Typed, item: ItemView) -> Merged:
    """Return what comes of a text that two have changed since they saw the same version of it.

    What only the other one has changed is taken; where both did, what was typed stays and theirs is shown beside it.
    """
    now, result = _kept(item) or {}, dict(typed)
    taken, theirs = [], {}
    for name in (*_LINES, *_LISTS):
        if now[name] == typed[name]:
            continue
        if name in base and typed[name] == base[name]:
            result[name] = now[name]
            taken.append(name)
        elif base.get(name) != now[name]:
            theirs[name] = now[name]
    return Merged(result, taken, theirs)


async def _base(tx: Transaction, item: ItemView, form: Form) -> Typed:
    """Return the version that somebody saw who has typed; nothing where it is none."""
    number = number_in(form.line("number"), "number", 0, 0, _MAX_NUMBER)
    if not 0 < number <= item.content_version:
        return {}
    seen = await items.read_version(tx, item.id, number)
    return {name: _plain(seen, name) for name in _VERSIONED}


def _kept(item: ItemView | None) -> Typed | None:
    return None if item is None else {name: _plain(item, name) for name in (*_LINES, *_LISTS)}


def _plain(text: ItemView | VersionView, name: str) -> Any:
    value = getattr(text, name)
    return [str(one) for one in value] if isinstance(value, list) else value.replace("\r\n", "\n").strip()


def _new(page: AdminPage, request: Call) -> Typed:
    kind = word_in(request.query_params.get("type"), "type", ContentType) or ContentType.ARTICLE
    empty: Typed = dict.fromkeys(_LINES, "") | {name: [] for name in _LISTS}
    return empty | {"type": kind, "locale": page.business.locale[:2]}


def _wrong(slip: Slip | None) -> Mapping[str, str]:
    return {} if slip is None else slip.wrong


def _place(chosen: list[str], asset: str) -> int:
    return chosen.index(asset) if asset in chosen else len(chosen)
