"""The shapes of content: what texts may be, and how items and their versions are shown."""

from typing import Annotated
from uuid import UUID

import msgspec

from holdfast.booking.views import Locale
from holdfast.content.states import ContentState, ContentType
from holdfast.kernel.http import Instant, Line, Slug, worded

TEXT = worded(r"^[^\x00]*$(?![\s\S])", "must not have the character NUL")

Summary = Annotated[str, msgspec.Meta(max_length=1000, pattern=TEXT)]
# In any language it fits into a request with everything beside it.
Markdown = Annotated[str, msgspec.Meta(max_length=30_000, pattern=TEXT)]
Slugs = Annotated[list[Slug], msgspec.Meta(max_length=20)]
MediaIds = Annotated[list[UUID], msgspec.Meta(max_length=50)]


class ItemBody(msgspec.Struct, rename="camel", kw_only=True):
    """A new item, a draft."""

    type: ContentType
    slug: Slug
    locale: Locale
    title: Line
    summary: Summary = ""
    body: Markdown = ""
    media: MediaIds = []
    topics: Slugs = []
    tags: Slugs = []
    business_id: UUID | None = None


class SaveBody(msgspec.Struct, rename="camel", kw_only=True):
    """What is to be another in an item; what is left out stays."""

    slug: Slug | None = None
    locale: Locale | None = None
    title: Line | None = None
    summary: Summary | None = None
    body: Markdown | None = None
    media: MediaIds | None = None
    topics: Slugs | None = None
    tags: Slugs | None = None
    expected_version: int | None = None
    business_id: UUID | None = None


class StepBody(msgspec.Struct, rename="camel", kw_only=True):
    """A step of an item or of one of its versions."""

    expected_version: int | None = None
    business_id: UUID | None = None


class ItemCard(msgspec.Struct, rename="camel", kw_only=True):
    """An item in a list; `contentVersion` is the newest of its text, `publishedVersion` the one that is public."""

    id: UUID
    type: ContentType
    slug: str
    locale: str
    status: ContentState
    version: int
    content_version: int
    published_version: int | None
    created_at: Instant
    updated_at: Instant
    published_at: Instant | None
    title: str


class ItemView(ItemCard, kw_only=True):
    """An item with the newest version of its text."""

    summary: str
    body: str
    media: list[UUID]
    topics: list[str]
    tags: list[str]


class ItemsView(msgspec.Struct, rename="camel"):
    """A page of items, the newest first; `nextCursor` leads to the next one."""

    items: list[ItemCard]
    next_cursor: str | None


class VersionCard(msgspec.Struct, rename="camel", kw_only=True):
    """A version of a text; `restoredFrom` is the one that it repeats."""

    number: int
    title: str
    restored_from: int | None
    created_at: Instant


class VersionView(VersionCard, kw_only=True):
    """A version with its text."""

    summary: str
    body: str
    media: list[UUID]


class VersionsView(msgspec.Struct, rename="camel"):
    """A page of versions, the newest first; `nextCursor` leads to the next one."""

    versions: list[VersionCard]
    next_cursor: str | None


class Label(msgspec.Struct):
    """A topic or a tag, in the language of the item that has it."""

    slug: str
    name: str


class ShownMedia(msgspec.Struct, rename="camel"):
    """A file that an item shows, and where it lies."""

    location: str
    media_type: str
    alt_text: str
    bytes: int
    sha256: str


class PublicCard(msgspec.Struct, rename="camel", kw_only=True):
    """A published item in a list."""

    id: UUID
    type: ContentType
    slug: str
    locale: str
    title: str
    summary: str
    published_at: Instant
    topics: list[Label]
    tags: list[Label]


class PublicItem(msgspec.Struct, rename="camel", kw_only=True):
    """A published item; `body` is Markdown."""

    type: ContentType
    slug: str
    locale: str
    title: str
    summary: str
    body: str
    published_at: Instant
    revised_at: Instant
    topics: list[Label]
    tags: list[Label]
    media: list[ShownMedia]


class PublicItems(msgspec.Struct, rename="camel"):
    """A page of published items, the newest first; `nextCursor` leads to the next one."""

    items: list[PublicCard]
    next_cursor: str | None


class CollectedItem(msgspec.Struct):
    """A published item of a collection."""

    type: ContentType
    slug: str
    locale: str
    title: str
    summary: str


class PublicCollection(msgspec.Struct):
    """A published collection with what of it is published, in its order."""

    slug: str
    title: str
    description: str
    items: list[CollectedItem]


class TermView(msgspec.Struct, rename="camel", kw_only=True):
    """A term of the glossary; its definition is Markdown."""

    id: UUID
    term: str
    definition: str
    locale: str
    synonyms: list[str]
    created_at: Instant


class TermsView(msgspec.Struct, rename="camel"):
    """A page of terms in the order in which they were made; `nextCursor` leads to the next one."""

    terms: list[TermView]
    next_cursor: str | None
