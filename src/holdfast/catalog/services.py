"""Services: what can be booked at a free time, and which resources it takes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from holdfast.catalog.refund_terms import Term, stored_terms, terms_of
from holdfast.catalog.resources import deactivate_resources, put_resource
from holdfast.kernel.database import Transaction
from holdfast.kernel.sql import load

_SQL = load("holdfast.catalog")


@dataclass(frozen=True, slots=True)
class Service:
    """A booking takes one resource of each requirement, and places of the pool if there is one.

    Without a step, slots follow each other at the distance of the duration.
    """

    id: UUID
    slug: str
    name: str
    duration_minutes: int
    buffer_before_minutes: int
    buffer_after_minutes: int
    slot_step_minutes: int | None
    price_minor: int
    payment_policy: str
    payment_minutes: int
    refund_terms: tuple[Term, ...]
    hold_minutes: int
    min_notice_minutes: int
    max_horizon_days: int
    cancel_notice_minutes: int
    max_simultaneous_bookings: int | None
    pool_id: UUID | None
    active: bool
    requirements: tuple[tuple[UUID, ...], ...]

    @property
    def due_minor(self) -> int | None:
        """Return what has to be paid before a booking is confirmed; None when nothing has to be."""
        return self.price_minor if self.payment_policy == "prepay" and self.price_minor > 0 else None

    def resource_ids(self) -> list[UUID]:
        """Return every resource that an appointment may take, whatever it is needed for."""
        return [resource_id for need in self.requirements for resource_id in need]


async def services_of(tx: Transaction) -> list[Service]:
    """Return every service of the business, active or not, in the order in which they were made."""
    rows = await tx.rows(_SQL["services_of"], {"business_id": tx.business_id})
    return [_service(row) for row in rows]


async def put_service(
    tx: Transaction,
    *,
    slug: str,
    name: str,
    duration_minutes: int,
    requirements: Sequence[Collection[UUID]],
    buffer_before_minutes: int = 0,
    buffer_after_minutes: int = 0,
    slot_step_minutes: int | None = None,
    price_minor: int = 0,
    payment_policy: str = "none",
    payment_minutes: int = 30,
    refund_terms: Sequence[Term] = (),
    hold_minutes: int = 15,
    min_notice_minutes: int = 0,
    max_horizon_days: int = 90,
    cancel_notice_minutes: int = 0,
    max_simultaneous_bookings: int | None = None,
) -> UUID:
    """Make the service with this slug be so, and active; return its id. Writes nothing when it is so already.

    A limit on simultaneous bookings is a pool of that capacity, which belongs to the service (B-2).
    Raises CapacityBelowPeak.
    """
    values: dict[str, Any] = {
        "business_id": tx.business_id,
        "slug": slug,
        "name": name,
        "duration_minutes": duration_minutes,
        "buffer_before_minutes": buffer_before_minutes,
        "buffer_after_minutes": buffer_after_minutes,
        "slot_step_minutes": slot_step_minutes,
        "price_minor": price_minor,
        "payment_policy": payment_policy,
        "payment_minutes": payment_minutes,
        "refund_terms": Jsonb(stored_terms(refund_terms)),
        "hold_minutes": hold_minutes,
        "min_notice_minutes": min_notice_minutes,
        "max_horizon_days": max_horizon_days,
        "cancel_notice_minutes": cancel_notice_minutes,
        "max_simultaneous_bookings": max_simultaneous_bookings,
        "pool_id": None,
    }
    if max_simultaneous_bookings is not None:
        values["pool_id"] = await put_resource(
            tx, slug=pool_slug(slug), name=name, kind="pool", capacity=max_simultaneous_bookings, always_open=True
        )
    else:
        known = await tx.value(_SQL["service_id"], values)
        await _close_pools(tx, [known])
    await tx.run(_SQL["put_service"], values)
    service_id: UUID = await tx.value(_SQL["service_id"], values)
    await _require(tx, service_id, requirements)
    return service_id


async def deactivate_services(tx: Transaction, ids: Collection[UUID]) -> None:
    """Offer these services no more, nor their pools; what is booked stays."""
    await _close_pools(tx, ids)
    await tx.run(_SQL["deactivate_services"], {"business_id": tx.business_id, "ids": list(ids)})


def pool_slug(service_slug: str) -> str:
    """Return the slug of the pool that bounds the simultaneous bookings of a service."""
    return f"{service_slug}-pool"


async def _close_pools(tx: Transaction, service_ids: Collection[UUID | None]) -> None:
    pools = await tx.rows(_SQL["pools_of"], {"business_id": tx.business_id, "ids": list(service_ids)})
    await deactivate_resources(tx, [row["pool_id"] for row in pools])


async def _require(tx: Transaction, service_id: UUID, requirements: Sequence[Collection[UUID]]) -> None:
    needed = [(number, resource_id) for number, ids in enumerate(requirements, 1) for resource_id in ids]
    values = {
        "business_id": tx.business_id,
        "service_id": service_id,
        "numbers": [number for number, _ in needed],
        "resource_ids": [resource_id for _, resource_id in needed],
    }
    # First away with the old: a resource may have moved from one requirement to another.
    await tx.run(_SQL["drop_requirements"], values)
    await tx.run(_SQL["add_requirements"], values)


def _service(row: dict[str, Any]) -> Service:
    pairs = zip(row.pop("numbers"), row.pop("resource_ids"), strict=True)
    requirements = tuple(
        tuple(resource_id for _, resource_id in each) for _, each in groupby(pairs, key=lambda pair: pair[0])
    )
    return Service(**row | {"refund_terms": terms_of(row["refund_terms"])}, requirements=requirements)
