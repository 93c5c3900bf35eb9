"""Deep links: short addresses that lead to a page of ours and tell which campaign they were given out for (D-4)."""

import secrets
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from holdfast.booking.errors import VersionConflict, VersionRequired
from holdfast.crm.errors import DeepLinkNotFound
from holdfast.crm.leads import Utm
from holdfast.kernel.audit import Actor, record
from holdfast.kernel.database import Row, Transaction
from holdfast.kernel.lists import cursor_after, place_of
from holdfast.kernel.sql import load

_SQL = load("holdfast.crm")
KIND = "deep_link"


@dataclass(frozen=True, slots=True)
class DeepLink:
    """A link; `clicks` is how often it was followed, by people and machines alike."""

    id: str
    reference: UUID
    target_path: str
    utm: Utm
    clicks: int
    version: int
    created_at: datetime
    retired_at: datetime | None


async def create(tx: Transaction, actor: Actor, *, link_id: str | None, target_path: str, utm: Utm) -> DeepLink:
    """Make a link, with an id of ours if none is given.

    Raises DuplicateDeepLink, which names the field.
    """
    chosen = link_id or secrets.token_urlsafe(6)
    values = {"business_id": tx.business_id, "id": chosen, "target_path": target_path, **asdict(utm)}
    [row] = await tx.rows(_SQL["add_link"], values)
    await record(tx, KIND, row["reference"], "create", actor, after=chosen)
    return _link(row)


async def links(tx: Transaction, *, cursor: str | None, limit: int) -> tuple[list[DeepLink], str | None]:
    """Return a page of links, the latest first, retired ones too, and the cursor of the next page.

    Raises ValidationFailed for a cursor that no page has given.
    """
    at, last = place_of(cursor)
    values = {"business_id": tx.business_id, "at": at, "last": last, "limit": limit + 1}
    found = [_link(row) for row in await tx.rows(_SQL["links"], values)]
    page = found[:limit]
    if len(found) <= limit:
        return page, None
    return page, cursor_after(page[-1].created_at, page[-1].reference)


async def change(
    tx: Transaction, link_id: str, actor: Actor, *, target_path: str | None, utm: Utm, expected_version: int | None
) -> DeepLink:
    """Lead a link elsewhere, or mark it otherwise; None leaves what it is.

    Raises DeepLinkNotFound, VersionRequired, VersionConflict.
    """
    await _lock(tx, link_id, expected_version)
    values: dict[str, Any] = {"business_id": tx.business_id, "id": link_id, "target_path": target_path, **asdict(utm)}
    [row] = await tx.rows(_SQL["change_link"], values)
    await record(tx, KIND, row["reference"], "change", actor, after=link_id)
    return _link(row)


async def retire(tx: Transaction, link_id: str, actor: Actor) -> None:
    """Let a link lead nowhere any more; its id is not given again.

    Raises DeepLinkNotFound when there is none, or none any more.
    """
    reference = await tx.value(_SQL["retire_link"], {"business_id": tx.business_id, "id": link_id})
    if reference is None:
        raise DeepLinkNotFound
    await record(tx, KIND, reference, "retire", actor, after=link_id)


async def follow(tx: Transaction, link_id: str) -> DeepLink:
    """Return where a link leads, and count that it was followed.

    Raises DeepLinkNotFound.
    """
    found = await tx.rows(_SQL["follow_link"], {"business_id": tx.business_id, "id": link_id})
    if not found:
        raise DeepLinkNotFound
    return _link(found[0])


async def marks_of(tx: Transaction, link_id: str) -> Utm | None:
    """Return the marks of a link, retired or not; None where there is no such link."""
    found = await tx.rows(_SQL["link"], {"business_id": tx.business_id, "id": link_id})
    return _link(found[0]).utm if found else None


async def _lock(tx: Transaction, link_id: str, expected_version: int | None) -> None:
    found = await tx.rows(_SQL["lock_link"], {"business_id": tx.business_id, "id": link_id})
    if not found:
        raise DeepLinkNotFound
    if expected_version is None:
        raise VersionRequired("Name the version of the link that you saw, by If-Match or expectedVersion")
    if expected_version != found[0]["version"]:
        current = {"currentVersion": found[0]["version"]}
        raise VersionConflict("The link was changed in the meantime", details=current)


def _link(row: Row) -> DeepLink:
    utm = Utm(**{name: row.pop(name) for name in Utm.__dataclass_fields__})
    return DeepLink(**row, utm=utm)
