"""What a business offers, as one consistent picture, kept in memory until its catalog version changes.

The picture may be old for a moment: admission compares its version with the database's and answers `stale`, and
slots compare it with the version that their own query saw. So no decision rests on a stale picture.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from holdfast.availability.freshness import Freshness, Look, freshness_of, looks_of
from holdfast.availability.hours import Hours
from holdfast.availability.rules import overrides_of, rules_of
from holdfast.availability.slots import Offering, OpenResource
from holdfast.catalog.programs import Program, programs_of
from holdfast.catalog.resources import Resource, resources_of
from holdfast.catalog.services import Service, services_of
from holdfast.identity.businesses import Business, current
from holdfast.kernel.database import Database
from holdfast.kernel.rounds import Rounds
from holdfast.kernel.sql import load

_SQL = load("holdfast.availability")

_KEPT_BUSINESSES = 1_000
_NOBODY: Mapping[UUID, datetime] = {}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Services, resources, programs and hours of one business at one catalog version."""

    business: Business
    version: int
    resources: Mapping[UUID, Resource]
    services: Mapping[UUID, Service]
    programs: Mapping[UUID, Program]
    _open: Mapping[UUID, OpenResource]
    # Whether what has to be paid beforehand can be.
    takes_payments: bool = False
    # None where no calendar can hide anybody.
    freshness: Freshness | None = None
    _offerings: dict[tuple[UUID, UUID | None], Offering] = field(default_factory=dict)

    def service(self, slug: str) -> Service | None:
        """Return the active service with this slug."""
        return next((s for s in self.services.values() if s.slug == slug and s.active), None)

    def hours(self, resource_id: UUID) -> Hours:
        """Return when a resource of this picture is open."""
        return self._open[resource_id].hours

    def offering(self, service: Service, resource_id: UUID | None = None) -> Offering | None:
        """Return what a slot of the service needs, led by one resource if named; None if it cannot lead."""
        key = (service.id, resource_id)
        known = self._offerings.get(key)
        if known is not None:
            return known
        offering = self._whole_offering(service) if resource_id is None else self._led_by(service, resource_id)
        if offering is not None:
            self._offerings[key] = offering
        return offering

    def _led_by(self, service: Service, resource_id: UUID) -> Offering | None:
        whole, leader = self.offering(service), self._open.get(resource_id)
        if whole is None or leader is None or not any(each is leader for each in whole.needs[0]):
            return None
        return replace(whole, needs=((leader,), *whole.needs[1:]))

    def _whole_offering(self, service: Service) -> Offering | None:
        needs = [tuple(self._open[r] for r in need if self._open[r].active) for need in service.requirements]
        if not all(needs) or not needs:
            return None
        if service.pool_id is not None:
            needs.append((self._open[service.pool_id],))
        return Offering(
            needs=tuple(needs),
            duration_seconds=service.duration_minutes * 60,
            step_seconds=(service.slot_step_minutes or service.duration_minutes) * 60,
            before_seconds=service.buffer_before_minutes * 60,
            after_seconds=service.buffer_after_minutes * 60,
        )


class Snapshots:
    """The pictures of the businesses that this process serves."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: OrderedDict[UUID, Snapshot] = OrderedDict()
        self._rounds: Rounds[Snapshot | None] = Rounds()
        self._looks: Rounds[dict[UUID, Look]] = Rounds()

    def at_hand(self, business_id: UUID) -> Snapshot | None:
        """Return the picture of a business that this process has, however old, without waiting."""
        return self._kept.get(business_id)

    async def get(self, business_id: UUID, *, at_least: int = 0) -> Snapshot | None:
        """Return the picture of a business at this catalog version or a later one; None for an unknown business."""
        kept = self._kept.get(business_id)
        if kept is not None and kept.version >= at_least:
            self._kept.move_to_end(business_id)
            return kept
        return await self.refresh(business_id)

    async def newer_than(self, snapshot: Snapshot) -> Snapshot | None:
        """Return the picture of today if this one is of yesterday, else None."""
        async with self._database.transaction(snapshot.business.id) as tx:
            business = await current(tx)
        if business is None or business.catalog_version == snapshot.version:
            return None
        return await self.refresh(snapshot.business.id)

    async def refresh(self, business_id: UUID) -> Snapshot | None:
        """Read the picture anew; requests that come meanwhile share the reading that starts after them."""
        return await self._rounds.join(business_id, lambda: self._load(business_id))

    async def unknown(self, snapshot: Snapshot, resource_ids: Collection[UUID]) -> Mapping[UUID, datetime]:
        """Return whose calendar has not been seen for too long, and since when; the public is not offered them (C-6).

        Without waiting while what is known lasts. When it is over, the database is asked, once for all who ask.
        """
        freshness = snapshot.freshness
        if freshness is None or freshness.lasts(resource_ids):
            return _NOBODY
        business_id = snapshot.business.id
        return freshness.unknown(resource_ids, await self._looks.join(business_id, lambda: self._look(business_id)))

    async def _look(self, business_id: UUID) -> dict[UUID, Look]:
        async with self._database.reading(business_id) as tx:
            return await looks_of(tx)

    async def _load(self, business_id: UUID) -> Snapshot | None:
        async with self._database.transaction(business_id) as tx:
            # The version is read first: what changes during the reading makes it look older, never newer.
            business = await current(tx)
            if business is None:
                return None
            resources = await resources_of(tx)
            services = await services_of(tx)
            programs = await programs_of(tx)
            rules = await rules_of(tx)
            overrides = await overrides_of(tx)
            takes_payments = await tx.value(_SQL["takes_payments"], {"business_id": business_id})
            freshness = await freshness_of(tx)
        shared: dict[object, Hours] = {}
        opened = {}
        for resource in resources:
            zone = resource.timezone or business.timezone
            key = (
                zone,
                resource.always_open,
                tuple(rules.get(resource.id, ())),
                tuple(overrides.get(resource.id, ())),
            )
            # Resources with the same hours share one object and what it has resolved.
            if key not in shared:
                shared[key] = Hours(zone, key[2], key[3], always_open=resource.always_open)
            opened[resource.id] = OpenResource(
                resource.id, resource.capacity, shared[key], zone, resource.daily_limit, resource.active
            )
        snapshot = Snapshot(
            business,
            business.catalog_version,
            {r.id: r for r in resources},
            {s.id: s for s in services},
            {p.id: p for p in programs},
            opened,
            takes_payments,
            freshness,
        )
        self._kept[business_id] = snapshot
        self._kept.move_to_end(business_id)
        while len(self._kept) > _KEPT_BUSINESSES:
            self._kept.popitem(last=False)
        return snapshot
