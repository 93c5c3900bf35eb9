"""Services as staff set them up."""

from collections.abc import Iterable
from uuid import UUID

from holdfast.catalog.errors import CapacityBelowPeak
from holdfast.catalog.resources import Resource, resources_of
from holdfast.catalog.services import Service, deactivate_services, pool_slug, put_service, services_of
from holdfast.kernel.audit import Actor
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound
from holdfast.offerings.drafts import ServiceDraft, check_slug, values_of
from holdfast.offerings.entries import note_change
from holdfast.offerings.errors import OfferingSlugTaken
from holdfast.offerings.states import begin, check_seen, seen

KIND = "service"


async def service_of(tx: Transaction, service_id: UUID) -> Service:
    """Return a service of the business, active or not. Raises NotFound."""
    found = next((each for each in await services_of(tx) if each.id == service_id), None)
    if found is None:
        raise NotFound
    return found


async def add_service(tx: Transaction, slug: str, draft: ServiceDraft, actor: Actor) -> Service:
    """Offer a new service. Raises ValidationFailed, OfferingSlugTaken."""
    await begin(tx)
    check_slug(slug)
    resources = await resources_of(tx)
    draft.check(resources)
    if any(each.slug == slug for each in await services_of(tx)):
        raise OfferingSlugTaken
    _check_pool(slug, resources, draft)
    service_id = await put_service(tx, slug=slug, **values_of(draft))
    await note_change(tx, KIND, service_id, "create", actor, {}, values_of(draft))
    return await service_of(tx, service_id)


async def change_service(tx: Transaction, service_id: UUID, draft: ServiceDraft, told: str, actor: Actor) -> Service:
    """Make a service be so, and offered, if it is still as `told`; what is booked keeps its time and its price.

    Raises NotFound, ChangedMeanwhile, ValidationFailed; CapacityBelowPeak when more bookings are to come at one moment
    than are to be allowed, after which the transaction must be rolled back.
    """
    await begin(tx)
    before = await service_of(tx, service_id)
    check_seen(told, seen(before))
    resources = await resources_of(tx)
    draft.check(resources)
    _check_pool(before.slug, resources, draft)
    try:
        await put_service(tx, slug=before.slug, **values_of(draft))
    except CapacityBelowPeak as refused:
        raise CapacityBelowPeak(details=refused.details | {"field": "maxSimultaneousBookings"}) from None
    was = values_of(draft_of(before)) | {"active": before.active}
    await note_change(tx, KIND, service_id, "change", actor, was, values_of(draft) | {"active": True})
    return await service_of(tx, service_id)


async def deactivate_service(tx: Transaction, service_id: UUID, told: str, actor: Actor) -> None:
    """Offer a service no more, if it is still as `told`; what is booked stays. Repeated, it changes nothing.

    Raises NotFound, ChangedMeanwhile.
    """
    await begin(tx)
    before = await service_of(tx, service_id)
    if before.active:
        check_seen(told, seen(before))
        await deactivate_services(tx, [service_id])
        await note_change(tx, KIND, service_id, "deactivate", actor, {"active": True}, {"active": False})


def draft_of(service: Service) -> ServiceDraft:
    """Return a service as the draft of itself."""
    return ServiceDraft(**{name: getattr(service, name) for name in ServiceDraft.__slots__})


def _check_pool(slug: str, resources: Iterable[Resource], draft: ServiceDraft) -> None:
    """Refuse a limit whose pool would be what somebody has set up under that name; a pool of the service is not."""
    known = next((each for each in resources if each.slug == pool_slug(slug)), None)
    if draft.max_simultaneous_bookings is None or known is None:
        return
    if known.kind != "pool" or not known.always_open:
        raise OfferingSlugTaken
