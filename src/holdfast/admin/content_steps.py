"""What becomes of a publication: how it is read, its way to the public, and the versions it has had."""

from typing import Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.content import FIELDS, PATH, READ, STATES, TYPES, WRITE, editor
from holdfast.admin.content_reading import as_read, changes
from holdfast.admin.frame import (
    MAX_FORM_BYTES,
    PROBLEMS,
    AdminPage,
    Call,
    database_of,
    go,
    page_in,
    read_form,
    render,
)
from holdfast.admin.writing import raw
from holdfast.booking.errors import VersionConflict
from holdfast.content import items, labels, media
from holdfast.content.errors import ContentStepNotAllowed
from holdfast.content.shapes import ItemView, VersionView
from holdfast.content.states import ContentState, Step
from holdfast.identity.calls import id_named, number_named
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Transaction
from holdfast.kernel.lists import number_in

_VERSIONS = 20
_MAX_LABELS = 500
_MAX_NUMBER = 999_999_999
_PUBLISH = [Needs(Permission.PUBLISH_CONTENT)]
_TEXTS = ("title", "summary", "body")


@get(f"{PATH}/{{item_id:str}}/preview", guards=READ, exception_handlers=PROBLEMS)
async def admin_content_preview(request: Call, item_id: FromPath[str]) -> Response[Any]:
    """Show the newest version as readers will see it."""
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        item = await items.read(tx, id_named(item_id))
        text = {name: getattr(item, name) for name in ("title", "summary", "body", "locale")}
        return await _preview(tx, page, request, text, item.topics, [str(one) for one in item.media], item)


@post(
    f"{PATH}/preview",
    status_code=200,
    guards=READ,
    exception_handlers=PROBLEMS,
    request_max_body_size=MAX_FORM_BYTES,
)
async def admin_content_preview_typed(request: Call) -> Response[Any]:
    """Show what is typed as readers would see it; nothing is kept."""
    form = await read_form(request)
    text = {name: raw(form, name) for name in ("title", "summary", "body", "locale")}
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        return await _preview(tx, page, request, text, form.lines("topics"), form.lines("media"), None)


@post(f"{PATH}/{{item_id:str}}/submit", status_code=200, guards=WRITE, exception_handlers=PROBLEMS)
async def admin_content_submit(request: Call, item_id: FromPath[str]) -> Response[Any]:
    """Ask for a draft to be reviewed."""
    return await _step(request, item_id, Step.SUBMIT)


@post(f"{PATH}/{{item_id:str}}/return", status_code=200, guards=WRITE, exception_handlers=PROBLEMS)
async def admin_content_return(request: Call, item_id: FromPath[str]) -> Response[Any]:
    """Make a draft again of what is in review or was archived."""
    return await _step(request, item_id, Step.RETURN)


@post(f"{PATH}/{{item_id:str}}/publish", status_code=200, guards=_PUBLISH, exception_handlers=PROBLEMS)
async def admin_content_publish(request: Call, item_id: FromPath[str]) -> Response[Any]:
    """Show the newest version to the public."""
    return await _step(request, item_id, Step.PUBLISH)


@post(f"{PATH}/{{item_id:str}}/archive", status_code=200, guards=_PUBLISH, exception_handlers=PROBLEMS)
async def admin_content_archive(request: Call, item_id: FromPath[str]) -> Response[Any]:
    """Take an item from the public."""
    return await _step(request, item_id, Step.ARCHIVE)


@get(f"{PATH}/{{item_id:str}}/versions", guards=READ, exception_handlers=PROBLEMS)
async def admin_content_versions(request: Call, item_id: FromPath[str]) -> Response[Any]:
    """Show the versions of an item, the newest first, each with what has changed in it."""
    wanted = id_named(item_id)
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        item = await items.read(tx, wanted)
        cursor = request.query_params.get("cursor") or None
        cards, after = await items.list_versions(tx, wanted, cursor=cursor, limit=_VERSIONS)
        texts = {card.number: await items.read_version(tx, wanted, card.number) for card in cards}
        if cards and cards[-1].number > 1:
            oldest = cards[-1].number - 1
            texts[oldest] = await items.read_version(tx, wanted, oldest)
    return render(
        page,
        "content_versions.html",
        request=request,
        item=item,
        versions=[(card, _changed(texts.get(card.number - 1), texts[card.number])) for card in cards],
        cursor=after,
        states=STATES,
        fields=FIELDS,
    )


@get(f"{PATH}/{{item_id:str}}/versions/{{number:str}}", guards=READ, exception_handlers=PROBLEMS)
async def admin_content_version(request: Call, item_id: FromPath[str], number: FromPath[str]) -> Response[Any]:
    """Show a version with what has changed in it."""
    wanted, named = id_named(item_id), number_named(number)
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        item = await items.read(tx, wanted)
        version = await items.read_version(tx, wanted, named)
        before = await items.read_version(tx, wanted, named - 1) if named > 1 else None
    return render(
        page,
        "content_version.html",
        request=request,
        item=item,
        version=version,
        changes=[]
        if before is None
        else [(FIELDS[name], changes(getattr(before, name), getattr(version, name))) for name in _TEXTS],
        other_media=before is not None and before.media != version.media,
        read=as_read(version.body),
        may_restore=page.may(Permission.WRITE_CONTENT)
        and named != item.content_version
        and item.status != ContentState.ARCHIVED,
        fields=FIELDS,
    )


@post(
    f"{PATH}/{{item_id:str}}/versions/{{number:str}}/restore",
    status_code=200,
    guards=WRITE,
    exception_handlers=PROBLEMS,
)
async def admin_content_restore(request: Call, item_id: FromPath[str], number: FromPath[str]) -> Response[Any]:
    """Make the text of an old version the newest one."""
    form, staff = await read_form(request), staff_of(request)
    wanted, named = id_named(item_id), number_named(number)
    expected = number_in(form.line("version"), "version", 0, 0, _MAX_NUMBER)

    async def work(tx: Transaction) -> ItemView:
        return await items.restore(tx, wanted, named, expected_version=expected, actor=staff.actor)

    try:
        await database_of(request).run(staff.business_id, work)
    except (VersionConflict, ContentStepNotAllowed) as refused:
        return await editor(request, wanted, refused=refused)
    return go(f"{PATH}/{wanted}", done="restored")


handlers: list[HTTPRouteHandler] = [
    admin_content_preview,
    admin_content_preview_typed,
    admin_content_submit,
    admin_content_return,
    admin_content_publish,
    admin_content_archive,
    admin_content_versions,
    admin_content_version,
    admin_content_restore,
]


async def _step(request: Call, item_id: str, step: Step) -> Response[Any]:
    form, staff, wanted = await read_form(request), staff_of(request), id_named(item_id)
    expected = number_in(form.line("version"), "version", 0, 0, _MAX_NUMBER)

    async def work(tx: Transaction) -> ItemView:
        return await items.step(tx, wanted, step, expected_version=expected, actor=staff.actor)

    try:
        await database_of(request).run(staff.business_id, work)
    except (VersionConflict, ContentStepNotAllowed) as refused:
        return await editor(request, wanted, refused=refused)
    return go(f"{PATH}/{wanted}", done=step)


async def _preview(
    tx: Transaction,
    page: AdminPage,
    request: Call,
    text: dict[str, str],
    topics: list[str],
    shown: list[str],
    item: ItemView | None,
) -> Response[Any]:
    known = (await labels.topics(tx, cursor=None, limit=_MAX_LABELS)).topics
    files = {str(one.id): one for one in (await media.media(tx, cursor=None, limit=_MAX_LABELS)).media}
    name_of = "name_ru" if text["locale"].startswith("ru") else "name_en"
    return render(
        page,
        "content_reader.html" if page.is_part else "content_preview.html",
        request=request,
        item=item,
        text=text,
        read=as_read(text["body"]),
        topics=[getattr(one, name_of) for one in known if one.slug in topics],
        files=[files[one] for one in shown if one in files],
        types=TYPES,
    )


def _changed(before: VersionView | None, after: VersionView) -> list[str]:
    """Return the labels of what is another in a version than in the one before; nothing for the first."""
    if before is None:
        return []
    return [FIELDS[name] for name in (*_TEXTS, "media") if getattr(before, name) != getattr(after, name)]
