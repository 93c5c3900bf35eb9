"""Free time as clients see it: the slots of a service, grouped by the days of their zone (A-3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from holdfast.availability.slots import Offering, Slot, free_slots
from holdfast.availability.snapshots import Snapshot, Snapshots
from holdfast.availability.walltime import day_bounds, local_day
from holdfast.booking.alternatives import occupation_of
from holdfast.booking.errors import PaymentsUnavailable, UnknownResource, UnknownService
from holdfast.catalog.services import Service
from holdfast.identity.errors import UnknownBusiness
from holdfast.kernel.database import Database
from holdfast.kernel.errors import TryLater

_STALE_TRIES = 5
# When the range is empty, the next free slot is looked for in pieces of this many days, up to the horizon.
_PIECE_SECONDS = 31 * 86_400


@dataclass(frozen=True, slots=True)
class FreeTime:
    """The days of a range with their free slots, and the next free start after a range that has none.

    `unknown` could have more: whose calendar has not been seen for too long, with when it was last (C-6).
    """

    days: list[tuple[date, list[Slot]]]
    next_free: int | None
    unknown: Mapping[UUID, datetime]


async def free_days(
    database: Database,
    snapshots: Snapshots,
    business_id: UUID,
    service_slug: str,
    zone: str,
    first: date,
    last: date,
    *,
    resource_id: UUID | None = None,
    party: int = 1,
) -> FreeTime:
    """Return the days of [first, last) in the zone with their free slots.

    Every slot can be reserved unless somebody takes it meanwhile (A-4). Raises UnknownBusiness, UnknownService,
    UnknownResource, PaymentsUnavailable.
    """
    begin, end = day_bounds(first, zone)[0], day_bounds(last, zone)[0]
    for _ in range(_STALE_TRIES):
        snapshot, service, offering = await _offered(snapshots, business_id, service_slug, resource_id)
        unknown = await snapshots.unknown(snapshot, [resource.id for resource in offering.resources()])
        offering = offering.without(unknown)
        found = await _free(database, snapshot, service, offering, begin, end, party)
        if found is not None:
            break
        await snapshots.refresh(business_id)
    else:
        raise TryLater
    slots, earliest, latest = found

    days: dict[date, list[Slot]] = {first + timedelta(days=n): [] for n in range((last - first).days)}
    for slot in slots:
        days[local_day(slot.start, zone)].append(slot)
    next_free = None
    at = max(end, earliest)
    while not slots and next_free is None and at < latest:
        piece = await _free(database, snapshot, service, offering, at, at + _PIECE_SECONDS, party)
        if piece is not None and piece[0]:
            next_free = piece[0][0].start
        at += _PIECE_SECONDS
    return FreeTime(list(days.items()), next_free, unknown)


async def _offered(
    snapshots: Snapshots, business_id: UUID, service_slug: str, resource_id: UUID | None
) -> tuple[Snapshot, Service, Offering]:
    snapshot = await snapshots.get(business_id)
    if snapshot is None:
        raise UnknownBusiness
    service = snapshot.service(service_slug)
    if service is None:
        raise UnknownService
    if service.due_minor and not snapshot.takes_payments:
        raise PaymentsUnavailable
    offering = snapshot.offering(service, resource_id)
    if offering is None:
        raise UnknownResource
    return snapshot, service, offering


async def _free(
    database: Database, snapshot: Snapshot, service: Service, offering: Offering, begin: int, end: int, party: int
) -> tuple[list[Slot], int, int] | None:
    """Return the free slots with the borders of notice and horizon; None when the catalogue has changed meanwhile."""
    # For whom is said to the function that is asked, which sees past the wall.
    async with database.reading() as tx:
        occupation = await occupation_of(tx, snapshot.business.id, offering, begin, end)
    if occupation.catalog != snapshot.version:
        return None
    # A whole second later than now, so that what is offered can still be reserved when the answer arrives.
    earliest = int(occupation.now) + 1 + service.min_notice_minutes * 60
    latest = int(occupation.now) + service.max_horizon_days * 86_400
    begin, end = max(begin, earliest), min(end, latest)
    slots = free_slots(offering, occupation, begin, end, party) if begin < end else []
    return slots, earliest, latest
