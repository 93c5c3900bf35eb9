"""Businesses: the tenants that own everything else."""

from dataclasses import dataclass
from uuid import UUID

from holdfast.kernel.audit import Actor, record
from holdfast.kernel.database import Transaction
from holdfast.kernel.ids import new_id
from holdfast.kernel.sql import load

_SQL = load("holdfast.identity")


@dataclass(frozen=True, slots=True)
class Business:
    """A tenant. `catalog_version` rises with every change of what its requests are checked against."""

    id: UUID
    slug: str
    name: str
    timezone: str
    currency: str
    locale: str
    catalog_version: int


async def put(tx: Transaction, *, slug: str, name: str, timezone: str, currency: str, locale: str = "en") -> Business:
    """Make the business with this slug be so, and keep it locked against other puts until the transaction ends.

    Writes nothing when it is so already. Whatever the transaction was bound to, it goes on for this business. Raises
    InvalidBusinessSlug, InvalidCurrency.
    """
    wanted = {"slug": slug, "name": name, "timezone": timezone, "currency": currency, "locale": locale}
    found = await tx.first(Business, _SQL["business_by_slug"], {"slug": slug})
    if found is None:
        own = await tx.act_for(new_id())
        made = await own.first(Business, _SQL["add_business"], {"id": own.business_id, **wanted})
        if made is not None:
            return made
        # Somebody else has made it between the two statements, and businesses stay.
        [found] = await tx.all(Business, _SQL["business_by_slug"], {"slug": slug})
    own = await tx.act_for(found.id)
    # Also when there is nothing to change, so that two imports of one business run one after the other.
    await lock(own)
    await own.run(_SQL["change_business"], {"id": found.id, **wanted})
    [business] = await own.all(Business, _SQL["own_business"], {"id": found.id})
    return business


async def change(tx: Transaction, actor: Actor, *, name: str, timezone: str, currency: str, locale: str) -> Business:
    """Make the business of the transaction be so; each fact that changes is told in the audit log.

    Raises InvalidCurrency.
    """
    before = await lock(tx)
    assert before is not None, "businesses stay"
    wanted = {"name": name, "timezone": timezone, "currency": currency, "locale": locale}
    if await tx.run(_SQL["change_business"], {"id": tx.business_id, **wanted}):
        for fact in ("timezone", "currency", "locale"):
            was, now = getattr(before, fact), wanted[fact]
            if was != now:
                await record(tx, "business", before.id, f"change_{fact}", actor, before=was, after=now)
        if before.name != name:
            await record(tx, "business", before.id, "rename_business", actor)
    [business] = await tx.all(Business, _SQL["own_business"], {"id": tx.business_id})
    return business


async def find(tx: Transaction, slug_or_id: str) -> Business | None:
    """Return the business with this id, if it reads as one, else with this slug, for whomever the transaction is."""
    try:
        business_id = UUID(slug_or_id)
    except ValueError:
        # PostgreSQL takes neither NUL nor half a surrogate pair, and no slug has them.
        if not (slug_or_id.isascii() and slug_or_id.isprintable()):
            return None
        return await tx.first(Business, _SQL["business_by_slug"], {"slug": slug_or_id})
    return await tx.first(Business, _SQL["business_by_id"], {"id": business_id})


async def current(tx: Transaction) -> Business | None:
    """Return the business of the transaction."""
    return await tx.first(Business, _SQL["own_business"], {"id": tx.business_id})


async def lock(tx: Transaction) -> Business | None:
    """Return the business of the transaction, locked against puts, hence imports, until the transaction ends."""
    return await tx.first(Business, _SQL["lock_business"], {"id": tx.business_id})


async def raise_catalog_version(tx: Transaction) -> None:
    """Have every server read the picture of the business anew, since something has changed that is part of it."""
    await tx.run(_SQL["raise_catalog_version"], {"id": tx.business_id})


async def only(tx: Transaction) -> Business | None:
    """Return the business if there is exactly one."""
    return await tx.first(Business, _SQL["only_business"])
