"""Topics, which every business begins with some of, and tags: what sorts content."""

from typing import LiteralString
from uuid import UUID

import msgspec

from holdfast.kernel.audit import Actor, record
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound
from holdfast.kernel.http import Instant, Line, Slug
from holdfast.kernel.ids import new_id
from holdfast.kernel.lists import page_of, place_of
from holdfast.kernel.sql import load

_SQL = load("holdfast.content", "library.sql")


class TopicBody(msgspec.Struct, rename="camel", kw_only=True):
    """A new topic, with a name in each language of the product."""

    slug: Slug
    name_ru: Line
    name_en: Line
    business_id: UUID | None = None


class TopicChange(msgspec.Struct, rename="camel", kw_only=True):
    """What is to be another in a topic; what is left out stays."""

    slug: Slug | None = None
    name_ru: Line | None = None
    name_en: Line | None = None
    business_id: UUID | None = None


class TopicView(msgspec.Struct, rename="camel", kw_only=True):
    """A topic."""

    id: UUID
    slug: str
    name_ru: str
    name_en: str
    created_at: Instant


class TopicsView(msgspec.Struct, rename="camel"):
    """A page of topics in the order in which they were made; `nextCursor` leads to the next one."""

    topics: list[TopicView]
    next_cursor: str | None


class TagBody(msgspec.Struct, rename="camel", kw_only=True):
    """A new tag."""

    slug: Slug
    name: Line
    business_id: UUID | None = None


class TagChange(msgspec.Struct, rename="camel", kw_only=True):
    """What is to be another in a tag; what is left out stays."""

    slug: Slug | None = None
    name: Line | None = None
    business_id: UUID | None = None


class TagView(msgspec.Struct, rename="camel", kw_only=True):
    """A tag."""

    id: UUID
    slug: str
    name: str
    created_at: Instant


class TagsView(msgspec.Struct, rename="camel"):
    """A page of tags in the order in which they were made; `nextCursor` leads to the next one."""

    tags: list[TagView]
    next_cursor: str | None


async def topics(tx: Transaction, *, cursor: str | None, limit: int) -> TopicsView:
    """Return the topics of the business; raises ValidationFailed for a wrong cursor."""
    found = await tx.all(TopicView, _SQL["list_topics"], _page(tx, cursor, limit))
    return TopicsView(*page_of(found, limit, lambda topic: (topic.created_at, topic.id)))


async def add_topic(tx: Transaction, wanted: TopicBody, actor: Actor) -> TopicView:
    """Make a topic; raises TopicSlugTaken."""
    values = _row(tx, new_id(), slug=wanted.slug, name_ru=wanted.name_ru, name_en=wanted.name_en)
    [made] = await tx.all(TopicView, _SQL["add_topic"], values)
    await record(tx, "topic", made.id, "create", actor, after=made.slug)
    return made


async def change_topic(tx: Transaction, topic_id: UUID, changes: TopicChange, actor: Actor) -> TopicView:
    """Change slug or names of a topic, for all items that have it; raises NotFound, TopicSlugTaken."""
    values = _row(tx, topic_id, slug=changes.slug, name_ru=changes.name_ru, name_en=changes.name_en)
    changed = await tx.first(TopicView, _SQL["change_topic"], values)
    if changed is None:
        raise NotFound
    await record(tx, "topic", topic_id, "change", actor, after=changed.slug)
    return changed


async def remove_topic(tx: Transaction, topic_id: UUID, actor: Actor) -> None:
    """Remove a topic that no item has; raises NotFound, TopicInUse."""
    await _remove(tx, _SQL["remove_topic"], "topic", topic_id, actor)


async def tags(tx: Transaction, *, cursor: str | None, limit: int) -> TagsView:
    """Return the tags of the business; raises ValidationFailed for a wrong cursor."""
    found = await tx.all(TagView, _SQL["list_tags"], _page(tx, cursor, limit))
    return TagsView(*page_of(found, limit, lambda tag: (tag.created_at, tag.id)))


async def add_tag(tx: Transaction, wanted: TagBody, actor: Actor) -> TagView:
    """Make a tag; raises TagSlugTaken."""
    [made] = await tx.all(TagView, _SQL["add_tag"], _row(tx, new_id(), slug=wanted.slug, name=wanted.name))
    await record(tx, "tag", made.id, "create", actor, after=made.slug)
    return made


async def change_tag(tx: Transaction, tag_id: UUID, changes: TagChange, actor: Actor) -> TagView:
    """Change slug or name of a tag, for all items that have it; raises NotFound, TagSlugTaken."""
    changed = await tx.first(TagView, _SQL["change_tag"], _row(tx, tag_id, slug=changes.slug, name=changes.name))
    if changed is None:
        raise NotFound
    await record(tx, "tag", tag_id, "change", actor, after=changed.slug)
    return changed


async def remove_tag(tx: Transaction, tag_id: UUID, actor: Actor) -> None:
    """Remove a tag that no item has; raises NotFound, TagInUse."""
    await _remove(tx, _SQL["remove_tag"], "tag", tag_id, actor)


async def _remove(tx: Transaction, statement: LiteralString, kind: str, label_id: UUID, actor: Actor) -> None:
    if await tx.run(statement, _row(tx, label_id)) == 0:
        raise NotFound
    await record(tx, kind, label_id, "remove", actor)


def _page(tx: Transaction, cursor: str | None, limit: int) -> dict[str, object]:
    after, after_id = place_of(cursor)
    return {"business_id": tx.business_id, "after": after, "after_id": after_id, "limit": limit + 1}


def _row(tx: Transaction, label_id: UUID, **values: object) -> dict[str, object]:
    return {"business_id": tx.business_id, "id": label_id, **values}
