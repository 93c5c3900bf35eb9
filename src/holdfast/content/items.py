"""Content items: written, saved in versions, submitted, published, archived; as staff work with them."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

from holdfast.booking.errors import VersionConflict, VersionRequired
from holdfast.content.errors import ContentAddressFixed, ContentStepNotAllowed
from holdfast.content.shapes import ItemBody, ItemCard, ItemView, SaveBody, VersionCard, VersionView
from holdfast.content.states import GOALS, TRANSITIONS, ContentState, ContentType, Step
from holdfast.kernel.audit import Actor, emit, record
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound, ValidationFailed
from holdfast.kernel.ids import new_id
from holdfast.kernel.lists import page_of, place_of
from holdfast.kernel.sql import load

_SQL = load("holdfast.content")

_KIND = "content"
_TEXTS = ("title", "summary", "body", "media")
_MAX_NUMBER = 999_999_999
# Where a text may still be worked on; of what is published, the next version.
_WRITABLE = frozenset({ContentState.DRAFT, ContentState.REVIEW, ContentState.PUBLISHED})
_EVENTS = {Step.PUBLISH: "ContentPublished", Step.ARCHIVE: "ContentArchived"}


@dataclass(frozen=True, slots=True)
class Filters:
    """Which items are looked for; None leaves it open. `title` is a part of the newest title, in any case."""

    type: ContentType | None = None
    state: ContentState | None = None
    locale: str | None = None
    topic: str | None = None
    tag: str | None = None
    title: str | None = None


async def create(tx: Transaction, wanted: ItemBody, actor: Actor) -> ItemView:
    """Make a draft with its first version.

    Raises ContentSlugTaken; ValidationFailed for topics, tags and media that the business does not have.
    """
    item_id = new_id()
    address = {"type": wanted.type, "slug": wanted.slug, "locale": wanted.locale}
    await tx.run(_SQL["add_item"], {"business_id": tx.business_id, "id": item_id, **address})
    await _add_version(tx, item_id, {name: getattr(wanted, name) for name in _TEXTS}, actor)
    await _sort(tx, item_id, wanted)
    await record(tx, _KIND, item_id, "create", actor, after=ContentState.DRAFT)
    return await read(tx, item_id)


async def read(tx: Transaction, item_id: UUID) -> ItemView:
    """Return an item with the newest version of its text; raises NotFound."""
    item = await tx.first(ItemView, _SQL["read_item"], {"business_id": tx.business_id, "id": item_id})
    if item is None:
        raise NotFound
    return item


async def list_items(
    tx: Transaction, filters: Filters, *, cursor: str | None, limit: int
) -> tuple[list[ItemCard], str | None]:
    """Return items, the newest first, and the cursor of the next page; raises ValidationFailed for a wrong cursor."""
    after, after_id = place_of(cursor)
    values = {
        "business_id": tx.business_id,
        "type": filters.type,
        "state": filters.state,
        "locale": filters.locale,
        "topic": filters.topic,
        "tag": filters.tag,
        "title": filters.title,
        "after": after,
        "after_id": after_id,
        "limit": limit + 1,
    }
    found = await tx.all(ItemCard, _SQL["list_items"], values)
    return page_of(found, limit, lambda item: (item.created_at, item.id))


async def save(
    tx: Transaction, item_id: UUID, changes: SaveBody, *, expected_version: int | None, actor: Actor
) -> ItemView:
    """Add a version of the text with these changes; what is public stays as it is until it is published anew.

    Topics and tags belong to the item as a whole and count at once. Raises NotFound, VersionRequired, VersionConflict,
    ContentSlugTaken, ContentAddressFixed for what is published, ContentStepNotAllowed for what is archived,
    ValidationFailed.
    """
    before = await _locked(tx, item_id, expected_version)
    if before.status not in _WRITABLE:
        raise ContentStepNotAllowed(details={"status": before.status})
    address = {"slug": changes.slug or before.slug, "locale": changes.locale or before.locale}
    if before.status == ContentState.PUBLISHED and address != {"slug": before.slug, "locale": before.locale}:
        raise ContentAddressFixed
    texts = {name: _given(getattr(changes, name), getattr(before, name)) for name in _TEXTS}
    number = await _add_version(tx, item_id, texts, actor)
    await tx.run(_SQL["touch_item"], {"business_id": tx.business_id, "id": item_id, **address})
    await _sort(tx, item_id, changes)
    await record(tx, _KIND, item_id, "save", actor, before=before.content_version, after=number)
    return await read(tx, item_id)


async def step(tx: Transaction, item_id: UUID, wanted: Step, *, expected_version: int | None, actor: Actor) -> ItemView:
    """Bring an item into another state; publishing pins the newest version as what the public sees.

    What is published already can be published anew once it has a newer version. Raises NotFound, VersionRequired,
    VersionConflict, ContentStepNotAllowed.
    """
    before = await _locked(tx, item_id, expected_version)
    goal = GOALS[wanted]
    anew = before.status == goal == ContentState.PUBLISHED and before.published_version != before.content_version
    if goal not in TRANSITIONS[before.status] and not anew:
        raise ContentStepNotAllowed(details={"status": before.status})
    values = {"business_id": tx.business_id, "id": item_id, "state": goal, "number": before.content_version}
    await tx.run(_SQL["move_item"], values)
    version = await record(tx, _KIND, item_id, wanted, actor, before=before.status, after=goal)
    if wanted in _EVENTS:
        told = {"type": before.type, "slug": before.slug, "locale": before.locale}
        await emit(tx, item_id, version, _EVENTS[wanted], {**told, "contentVersion": before.content_version})
    return await read(tx, item_id)


async def list_versions(
    tx: Transaction, item_id: UUID, *, cursor: str | None, limit: int
) -> tuple[list[VersionCard], str | None]:
    """Return versions, the newest first, and the cursor of the next page; raises NotFound, ValidationFailed."""
    _, after = place_of(cursor)
    before = None if after is None else min(after.int, _MAX_NUMBER)
    values = {"business_id": tx.business_id, "id": item_id, "before": before, "limit": limit + 1}
    found = await tx.all(VersionCard, _SQL["list_versions"], values)
    if not found and cursor is None:
        raise NotFound
    return page_of(found, limit, lambda version: (version.created_at, UUID(int=version.number)))


async def read_version(tx: Transaction, item_id: UUID, number: int) -> VersionView:
    """Return a version with its text; raises NotFound."""
    values = {"business_id": tx.business_id, "id": item_id, "number": number}
    version = await tx.first(VersionView, _SQL["read_version"], values)
    if version is None:
        raise NotFound
    return version


async def restore(
    tx: Transaction, item_id: UUID, number: int, *, expected_version: int | None, actor: Actor
) -> ItemView:
    """Make an old version the newest one by repeating it; nothing in between is lost.

    Raises NotFound, VersionRequired, VersionConflict, ContentStepNotAllowed for what is archived, ValidationFailed for
    the newest version itself.
    """
    before = await _locked(tx, item_id, expected_version)
    if before.status not in _WRITABLE:
        raise ContentStepNotAllowed(details={"status": before.status})
    old = await read_version(tx, item_id, number)
    if number == before.content_version:
        raise ValidationFailed.at("number", "is the newest version already")
    texts = {name: getattr(old, name) for name in _TEXTS}
    await _add_version(tx, item_id, texts, actor, restored_from=number)
    same = {"business_id": tx.business_id, "id": item_id, "slug": None, "locale": None}
    await tx.run(_SQL["touch_item"], same)
    await record(tx, _KIND, item_id, "restore", actor, before=before.content_version, after=number)
    return await read(tx, item_id)


async def _locked(tx: Transaction, item_id: UUID, expected_version: int | None) -> ItemView:
    await tx.run(_SQL["lock_item"], {"business_id": tx.business_id, "id": item_id})
    item = await read(tx, item_id)
    if expected_version is None:
        raise VersionRequired("Name the version of the item that you saw, by If-Match or expectedVersion")
    if expected_version != item.version:
        raise VersionConflict("The item was changed in the meantime", details={"currentVersion": item.version})
    return item


async def _add_version(
    tx: Transaction, item_id: UUID, texts: dict[str, Any], actor: Actor, *, restored_from: int | None = None
) -> int:
    item = {"business_id": tx.business_id, "id": item_id}
    media: list[UUID] = texts["media"]
    if any(times > 1 for times in Counter(media).values()):
        raise ValidationFailed.at("media", "names an asset twice")
    if media and len(await tx.rows(_SQL["lock_media"], {**item, "media": media})) != len(media):
        raise ValidationFailed.at("media", "names an asset that there is not")
    words = {name: texts[name] for name in ("title", "summary", "body")}
    number: int = await tx.value(
        _SQL["add_version"], {**item, **words, "restored_from": restored_from, "actor_id": actor.id}
    )
    if media:
        await tx.run(_SQL["show_media"], {**item, "number": number, "media": media})
    return number


async def _sort(tx: Transaction, item_id: UUID, wanted: ItemBody | SaveBody) -> None:
    if wanted.topics is not None:
        lock, drop, give = _SQL["lock_topics"], _SQL["drop_other_topics"], _SQL["give_topics"]
        await _label(tx, item_id, "topics", wanted.topics, (lock, drop, give))
    if wanted.tags is not None:
        lock, drop, give = _SQL["lock_tags"], _SQL["drop_other_tags"], _SQL["give_tags"]
        await _label(tx, item_id, "tags", wanted.tags, (lock, drop, give))


async def _label(
    tx: Transaction,
    item_id: UUID,
    field: str,
    slugs: list[str],
    statements: tuple[LiteralString, LiteralString, LiteralString],
) -> None:
    """Give an item exactly these labels; raises ValidationFailed for one that the business does not have."""
    lock, drop, give = statements
    values = {"business_id": tx.business_id, "id": item_id, "slugs": slugs}
    known = {row["slug"] for row in await tx.rows(lock, values)}
    for place, slug in enumerate(slugs):
        if slug not in known:
            raise ValidationFailed.at(f"{field}[{place}]", "there is none with this slug")
    await tx.run(drop, values)
    await tx.run(give, values)


def _given(value: object, otherwise: object) -> object:
    return otherwise if value is None else value
