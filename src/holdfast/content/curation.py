"""Collections: items in an order that somebody chose."""

from typing import Annotated
from uuid import UUID

import msgspec

from holdfast.content.shapes import Summary
from holdfast.kernel.audit import Actor, record
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound, ValidationFailed
from holdfast.kernel.http import Instant, Line, Slug
from holdfast.kernel.ids import new_id
from holdfast.kernel.lists import page_of, place_of
from holdfast.kernel.sql import load

_SQL = load("holdfast.content", "library.sql")

Items = Annotated[list[UUID], msgspec.Meta(max_length=200)]


class CollectionBody(msgspec.Struct, rename="camel", kw_only=True):
    """A new collection; `items` are ids of content in their order."""

    slug: Slug
    title: Line
    description: Summary = ""
    published: bool = False
    items: Items = []
    business_id: UUID | None = None


class CollectionChange(msgspec.Struct, rename="camel", kw_only=True):
    """What is to be another in a collection; what is left out stays, and `items` replace those before."""

    slug: Slug | None = None
    title: Line | None = None
    description: Summary | None = None
    published: bool | None = None
    items: Items | None = None
    business_id: UUID | None = None


class CollectionView(msgspec.Struct, rename="camel", kw_only=True):
    """A collection with the ids of its items in their order."""

    id: UUID
    slug: str
    title: str
    description: str
    published: bool
    items: list[UUID]
    created_at: Instant


class CollectionsView(msgspec.Struct, rename="camel"):
    """A page of collections in the order in which they were made; `nextCursor` leads to the next one."""

    collections: list[CollectionView]
    next_cursor: str | None


_FIELDS = ("slug", "title", "description", "published")


async def collections(tx: Transaction, *, cursor: str | None, limit: int) -> CollectionsView:
    """Return the collections of the business; raises ValidationFailed for a wrong cursor."""
    after, after_id = place_of(cursor)
    values = {"business_id": tx.business_id, "id": None, "after": after, "after_id": after_id, "limit": limit + 1}
    found = await tx.all(CollectionView, _SQL["list_collections"], values)
    return CollectionsView(*page_of(found, limit, lambda each: (each.created_at, each.id)))


async def read_collection(tx: Transaction, collection_id: UUID) -> CollectionView:
    """Return a collection; raises NotFound."""
    values = {"business_id": tx.business_id, "id": collection_id, "after": None, "after_id": None, "limit": 1}
    found = await tx.first(CollectionView, _SQL["list_collections"], values)
    if found is None:
        raise NotFound
    return found


async def add_collection(tx: Transaction, wanted: CollectionBody, actor: Actor) -> CollectionView:
    """Make a collection; raises CollectionSlugTaken, ValidationFailed for items that there are not."""
    collection_id = new_id()
    values = {name: getattr(wanted, name) for name in _FIELDS}
    await tx.run(_SQL["add_collection"], {"business_id": tx.business_id, "id": collection_id, **values})
    await _fill(tx, collection_id, wanted.items)
    await record(tx, "collection", collection_id, "create", actor, after=wanted.slug)
    return await read_collection(tx, collection_id)


async def change_collection(
    tx: Transaction, collection_id: UUID, changes: CollectionChange, actor: Actor
) -> CollectionView:
    """Change a collection; raises NotFound, CollectionSlugTaken, ValidationFailed for items that there are not."""
    this = {"business_id": tx.business_id, "id": collection_id}
    values = {name: getattr(changes, name) for name in _FIELDS}
    if await tx.run(_SQL["change_collection"], this | values) == 0:
        raise NotFound
    if changes.items is not None:
        await tx.run(_SQL["clear_collection"], this)
        await _fill(tx, collection_id, changes.items)
    await record(tx, "collection", collection_id, "change", actor)
    return await read_collection(tx, collection_id)


async def remove_collection(tx: Transaction, collection_id: UUID, actor: Actor) -> None:
    """Remove a collection, and none of its items; raises NotFound."""
    if await tx.run(_SQL["remove_collection"], {"business_id": tx.business_id, "id": collection_id}) == 0:
        raise NotFound
    await record(tx, "collection", collection_id, "remove", actor)


async def _fill(tx: Transaction, collection_id: UUID, items: list[UUID]) -> None:
    if not items:
        return
    values = {"business_id": tx.business_id, "id": collection_id, "items": items}
    # An item is never deleted, so what is known stays so.
    known = {row["id"] for row in await tx.rows(_SQL["known_items"], values)}
    for place, item_id in enumerate(items):
        if item_id not in known:
            raise ValidationFailed.at(f"items[{place}]", "there is no such item")
        if item_id in items[:place]:
            raise ValidationFailed.at(f"items[{place}]", "is listed twice")
    await tx.run(_SQL["fill_collection"], values)
