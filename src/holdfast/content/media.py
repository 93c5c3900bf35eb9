"""Media assets: what a file is and where it lies. Its bytes are kept by whoever serves them, never by Holdfast."""

from typing import Annotated
from uuid import UUID

import msgspec

from holdfast.kernel.audit import Actor, record
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound
from holdfast.kernel.http import Instant, worded
from holdfast.kernel.ids import new_id
from holdfast.kernel.lists import page_of, place_of
from holdfast.kernel.sql import load

_SQL = load("holdfast.content", "library.sql")

_SHA256 = worded(r"^[0-9a-f]{64}$(?![\s\S])", "must be a SHA-256 as 64 small hexadecimal digits")
_MEDIA_TYPE = worded(r"^[a-z]+/[a-z0-9.+-]+$(?![\s\S])", "must be a media type like image/png")
# An address with another scheme could be a script in somebody's page.
_LOCATION = worded(
    r"^(https://[^/\s\x00-\x1f\x7f]+)?(/[^/\s\x00-\x1f\x7f][^\s\x00-\x1f\x7f]*)$(?![\s\S])",
    "must be an https address, or a path on the site that begins with one slash",
)
_LINE = worded(r"^[^\x00-\x1f\x7f]*$(?![\s\S])", "must not have control characters")

AltText = Annotated[str, msgspec.Meta(max_length=500, pattern=_LINE)]
Location = Annotated[str, msgspec.Meta(max_length=1000, pattern=_LOCATION)]


class MediaBody(msgspec.Struct, rename="camel", kw_only=True):
    """A file that lies somewhere; `altText` is empty for mere decoration."""

    sha256: Annotated[str, msgspec.Meta(pattern=_SHA256)]
    media_type: Annotated[str, msgspec.Meta(max_length=100, pattern=_MEDIA_TYPE)]
    bytes: Annotated[int, msgspec.Meta(ge=1, le=1_099_511_627_776)]
    alt_text: AltText
    location: Location
    business_id: UUID | None = None


class MediaChange(msgspec.Struct, rename="camel", kw_only=True):
    """What is to be another about a file; what is left out stays. Other bytes are another asset."""

    alt_text: AltText | None = None
    location: Location | None = None
    business_id: UUID | None = None


class MediaView(msgspec.Struct, rename="camel", kw_only=True):
    """A file: its SHA-256, media type, size in bytes, words for those who do not see it, and where it lies."""

    id: UUID
    sha256: str
    media_type: str
    bytes: int
    alt_text: str
    location: str
    created_at: Instant


class MediaList(msgspec.Struct, rename="camel"):
    """A page of assets in the order in which they were made; `nextCursor` leads to the next one."""

    media: list[MediaView]
    next_cursor: str | None


async def media(tx: Transaction, *, cursor: str | None, limit: int) -> MediaList:
    """Return the assets of the business; raises ValidationFailed for a wrong cursor."""
    after, after_id = place_of(cursor)
    values = {"business_id": tx.business_id, "after": after, "after_id": after_id, "limit": limit + 1}
    found = await tx.all(MediaView, _SQL["list_media"], values)
    return MediaList(*page_of(found, limit, lambda asset: (asset.created_at, asset.id)))


async def add_media(tx: Transaction, wanted: MediaBody, actor: Actor) -> MediaView:
    """Note a file; raises MediaKnown when the business has one with these bytes."""
    values = {name: getattr(wanted, name) for name in ("sha256", "media_type", "bytes", "alt_text", "location")}
    [made] = await tx.all(MediaView, _SQL["add_media"], {"business_id": tx.business_id, "id": new_id(), **values})
    await record(tx, "media", made.id, "create", actor)
    return made


async def change_media(tx: Transaction, asset_id: UUID, changes: MediaChange, actor: Actor) -> MediaView:
    """Change the words about a file, or where it lies, wherever it is shown; raises NotFound."""
    values = {"business_id": tx.business_id, "id": asset_id}
    about = {"alt_text": changes.alt_text, "location": changes.location}
    changed = await tx.first(MediaView, _SQL["change_media"], values | about)
    if changed is None:
        raise NotFound
    await record(tx, "media", asset_id, "change", actor)
    return changed


async def remove_media(tx: Transaction, asset_id: UUID, actor: Actor) -> None:
    """Forget a file that no version shows; raises NotFound, MediaInUse."""
    if await tx.run(_SQL["remove_media"], {"business_id": tx.business_id, "id": asset_id}) == 0:
        raise NotFound
    await record(tx, "media", asset_id, "remove", actor)
