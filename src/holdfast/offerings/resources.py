"""Resources as staff set them up, without their hours."""

from dataclasses import dataclass
from uuid import UUID

from holdfast.catalog.errors import CapacityBelowPeak
from holdfast.catalog.programs import programs_of
from holdfast.catalog.resources import Resource, deactivate_resources, put_resource, resources_of
from holdfast.catalog.services import Service, pool_slug, services_of
from holdfast.kernel.audit import Actor
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound
from holdfast.offerings.drafts import ResourceDraft, check_slug, values_of
from holdfast.offerings.entries import note_change
from holdfast.offerings.errors import OfferingSlugTaken, ResourceNeeded
from holdfast.offerings.states import begin, check_seen, seen

KIND = "resource"


@dataclass(frozen=True, slots=True)
class Need:
    """What a resource is needed for, by the names of services and programs."""

    services: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()


async def own_resources(tx: Transaction) -> list[Resource]:
    """Return the resources that staff set up: all but the pools of services."""
    pools = {service.pool_id for service in await services_of(tx)}
    return [each for each in await resources_of(tx) if each.id not in pools]


async def resource_of(tx: Transaction, resource_id: UUID) -> Resource:
    """Return a resource that staff set up, active or not. Raises NotFound."""
    found = next((each for each in await own_resources(tx) if each.id == resource_id), None)
    if found is None:
        raise NotFound
    return found


async def add_resource(tx: Transaction, slug: str, draft: ResourceDraft, actor: Actor) -> Resource:
    """Set up a new resource, without hours yet. Raises ValidationFailed, OfferingSlugTaken."""
    await begin(tx)
    check_slug(slug)
    draft.check()
    taken = {each.slug for each in await resources_of(tx)} | {pool_slug(each.slug) for each in await services_of(tx)}
    if slug in taken:
        raise OfferingSlugTaken
    resource_id = await put_resource(tx, slug=slug, **values_of(draft))
    await note_change(tx, KIND, resource_id, "create", actor, {}, values_of(draft))
    return await resource_of(tx, resource_id)


async def change_resource(
    tx: Transaction, resource_id: UUID, draft: ResourceDraft, told: str, actor: Actor
) -> Resource:
    """Make a resource be so, and offered, if it is still as `told`.

    Raises NotFound, ChangedMeanwhile, ValidationFailed; CapacityBelowPeak, after which the transaction must be rolled
    back.
    """
    await begin(tx)
    before = await resource_of(tx, resource_id)
    check_seen(told, seen(before))
    draft.check()
    try:
        await put_resource(tx, slug=before.slug, **values_of(draft))
    except CapacityBelowPeak as refused:
        raise CapacityBelowPeak(details=refused.details | {"field": "capacity"}) from None
    was = values_of(draft_of(before)) | {"active": before.active}
    await note_change(tx, KIND, resource_id, "change", actor, was, values_of(draft) | {"active": True})
    return await resource_of(tx, resource_id)


async def deactivate_resource(tx: Transaction, resource_id: UUID, told: str, actor: Actor) -> None:
    """Offer a resource no more, if it is still as `told`; what is booked stays. Repeated, it changes nothing.

    Raises NotFound, ChangedMeanwhile; ResourceNeeded while something that is offered cannot do without it.
    """
    await begin(tx)
    before = await resource_of(tx, resource_id)
    if not before.active:
        return
    check_seen(told, seen(before))
    need = await needed_for(tx, resource_id)
    if need.services or need.programs:
        raise ResourceNeeded(details={"services": list(need.services), "programs": list(need.programs)})
    await deactivate_resources(tx, [resource_id])
    await note_change(tx, KIND, resource_id, "deactivate", actor, {"active": True}, {"active": False})


async def needed_for(tx: Transaction, resource_id: UUID) -> Need:
    """Return what is offered and cannot do without a resource."""
    active = {each.id for each in await resources_of(tx) if each.active} - {resource_id}
    services = tuple(each.name for each in await services_of(tx) if each.active and _lacks(each, resource_id, active))
    programs = tuple(each.name for each in await programs_of(tx) if each.active and resource_id in each.resource_ids)
    return Need(services, programs)


def draft_of(resource: Resource) -> ResourceDraft:
    """Return a resource as the draft of itself."""
    return ResourceDraft(**{name: getattr(resource, name) for name in ResourceDraft.__slots__})


def _lacks(service: Service, resource_id: UUID, active: set[UUID]) -> bool:
    return any(resource_id in need and active.isdisjoint(need) for need in service.requirements)
