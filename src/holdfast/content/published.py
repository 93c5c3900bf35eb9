"""What the public reads of content: only what is published, and as it was when it was published."""

from holdfast.content.glossary import fold
from holdfast.content.shapes import PublicCard, PublicCollection, PublicItem, PublicItems, TermsView, TermView
from holdfast.content.states import ContentType
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound
from holdfast.kernel.lists import page_of, place_of
from holdfast.kernel.sql import load

_SQL = load("holdfast.content", "public.sql")


async def public_items(
    tx: Transaction,
    *,
    content_type: ContentType | None,
    locale: str | None,
    topic: str | None,
    tag: str | None,
    cursor: str | None,
    limit: int,
) -> PublicItems:
    """Return published items, the newest first; raises ValidationFailed for a wrong cursor."""
    after, after_id = place_of(cursor)
    values = {
        "business_id": tx.business_id,
        "type": content_type,
        "locale": locale,
        "topic": topic,
        "tag": tag,
        "after": after,
        "after_id": after_id,
        "limit": limit + 1,
    }
    found = await tx.all(PublicCard, _SQL["public_items"], values)
    return PublicItems(*page_of(found, limit, lambda item: (item.published_at, item.id)))


async def public_item(tx: Transaction, content_type: str, slug: str) -> PublicItem:
    """Return a published item; NotFound for what is unpublished as for what never was."""
    values = {"business_id": tx.business_id, "type": content_type, "slug": slug}
    found = await tx.first(PublicItem, _SQL["public_item"], values)
    if found is None:
        raise NotFound
    return found


async def public_collection(tx: Transaction, slug: str) -> PublicCollection:
    """Return a published collection with what of it is published; raises NotFound."""
    values = {"business_id": tx.business_id, "slug": slug}
    found = await tx.first(PublicCollection, _SQL["public_collection"], values)
    if found is None:
        raise NotFound
    return found


async def terms(tx: Transaction, *, locale: str | None, cursor: str | None, limit: int) -> TermsView:
    """Return the glossary; raises ValidationFailed for a wrong cursor."""
    after, after_id = place_of(cursor)
    page: dict[str, object] = {"after": after, "after_id": after_id, "limit": limit + 1}
    values = {"business_id": tx.business_id, "locale": locale, **page}
    found = await tx.all(TermView, _SQL["public_terms"], values)
    return TermsView(*page_of(found, limit, lambda term: (term.created_at, term.id)))


async def find_term(tx: Transaction, name: str) -> TermView:
    """Return the term that has this name or synonym, in any case; raises NotFound."""
    found = await tx.first(TermView, _SQL["public_term"], {"business_id": tx.business_id, "folded": fold(name)})
    if found is None:
        raise NotFound
    return found
