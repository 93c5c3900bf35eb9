"""Resources: who or what is occupied by a booking. `capacity` is the number of places at one moment."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from holdfast.catalog.errors import CapacityBelowPeak
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound
from holdfast.kernel.sql import load

_SQL = load("holdfast.catalog")


@dataclass(frozen=True, slots=True)
class Resource:
    """A practitioner, a room or a pool. Without a time zone of its own it lives in that of the business."""

    id: UUID
    slug: str
    name: str
    kind: str
    capacity: int
    daily_limit: int | None
    timezone: str | None
    always_open: bool
    active: bool


async def resources_of(tx: Transaction) -> list[Resource]:
    """Return every resource of the business, active or not, in the order in which they were made."""
    return await tx.all(Resource, _SQL["resources_of"], {"business_id": tx.business_id})


async def put_resource(
    tx: Transaction,
    *,
    slug: str,
    name: str,
    kind: str,
    capacity: int = 1,
    daily_limit: int | None = None,
    timezone: str | None = None,
    always_open: bool = False,
) -> UUID:
    """Make the resource with this slug be so, and active; return its id. Writes nothing when it is so already.

    Raises CapacityBelowPeak.
    """
    values = {
        "business_id": tx.business_id,
        "slug": slug,
        "name": name,
        "kind": kind,
        "capacity": capacity,
        "daily_limit": daily_limit,
        "timezone": timezone,
        "always_open": always_open,
    }
    found = await tx.rows(_SQL["find_resource"], values)
    if not found or found[0]["differs"]:
        found = await tx.rows(_SQL["put_resource"], values)
    resource_id: UUID = found[0]["id"]
    try:
        await set_capacity(tx, resource_id, capacity)
    except CapacityBelowPeak as refused:
        # A file says this of many resources at once: of which one is to be told.
        taken = refused.details["peak"]
        message = (
            f"{slug}: the capacity cannot be lowered to {capacity}: {taken} places are taken at one moment to come"
        )
        raise CapacityBelowPeak(message, details=refused.details) from None
    return resource_id


async def set_capacity(tx: Transaction, resource_id: UUID, capacity: int) -> None:
    """Change how many places a resource has: raised any time, lowered to its future peak at most (B-2).

    Raises CapacityBelowPeak, after which the transaction must be rolled back; NotFound.
    """
    values = {"business_id": tx.business_id, "id": resource_id, "capacity": capacity}
    now = await tx.value(_SQL["capacity"], values)
    if now is None:
        raise NotFound
    if capacity == now:
        return
    if capacity < now:
        await tx.run(_SQL["expire_holds"], values)
    peak = await tx.value(_SQL["change_capacity"], values)
    if peak is not None:
        raise CapacityBelowPeak(details={"peak": peak, "resourceId": str(resource_id)})


async def deactivate_resources(tx: Transaction, ids: Collection[UUID]) -> None:
    """Offer these resources no more; what is booked stays."""
    await tx.run(_SQL["deactivate_resources"], {"business_id": tx.business_id, "ids": list(ids)})
