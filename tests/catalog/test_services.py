"""Services as they are put: what they require, and the pool that limits them."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from catalog.holds import hold_slot
from holdfast.catalog.errors import CapacityBelowPeak
from holdfast.catalog.resources import Resource, put_resource, resources_of
from holdfast.catalog.services import Service, deactivate_services, put_service, services_of
from holdfast.kernel.database import Transaction

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=7)
SESSION: dict[str, Any] = {"slug": "session", "name": "Session", "duration_minutes": 50}
EVERYTHING = SESSION | {
    "buffer_before_minutes": 5,
    "buffer_after_minutes": 10,
    "slot_step_minutes": 15,
    "price_minor": 350_000,
    "payment_policy": "on_site",
    "hold_minutes": 20,
    "min_notice_minutes": 30,
    "max_horizon_days": 60,
    "cancel_notice_minutes": 90,
    "max_simultaneous_bookings": 7,
}


@pytest_asyncio.fixture
async def rooms(run: Any) -> list[UUID]:
    """Three resources."""

    async def work(tx: Transaction) -> list[UUID]:
        return [await put_resource(tx, slug=f"room-{n}", name=f"Room {n}", kind="room", capacity=9) for n in range(3)]

    found: list[UUID] = await run(work)
    return found


async def only_service(run: Any) -> Service:
    """Return the one service."""
    [service] = await run(services_of)
    return service


async def pool(run: Any) -> Resource | None:
    """Return the one pool."""
    return next((each for each in await run(resources_of) if each.kind == "pool"), None)


async def test_put_says_all_of_a_service(run: Any, rooms: list[UUID]) -> None:
    """What is put is what is read: every field of a service and all that it requires (K-2, B-6, B-7)."""
    given = {"requirements": [rooms[:2], rooms[2:]]}
    made = await run(lambda tx: put_service(tx, **EVERYTHING, **given))
    service = await only_service(run)
    assert service.requirements == (tuple(sorted(rooms[:2])), (rooms[2],))
    assert asdict(service).items() >= (EVERYTHING | {"id": made, "active": True}).items()


@pytest.mark.parametrize("field", [name for name in EVERYTHING if name not in {"slug", "duration_minutes"}])
async def test_only_a_change_writes(
    run: Any, rooms: list[UUID], version: Callable[[], Awaitable[int]], field: str
) -> None:
    """A put that changes nothing writes nothing, and one that changes a field raises the catalog version (K-2)."""
    given = SESSION | {"requirements": [rooms[:2], rooms[2:]]}
    change = {field: "Other" if field == "name" else EVERYTHING[field]}
    made = await run(lambda tx: put_service(tx, **given))
    before = await version()
    assert await run(lambda tx: put_service(tx, **given)) == made
    assert await version() == before
    assert await run(lambda tx: put_service(tx, **given | change)) == made
    assert await version() > before
    changed = await version()
    assert await run(lambda tx: put_service(tx, **given | change)) == made
    assert await version() == changed


async def test_requirements_are_replaced(run: Any, rooms: list[UUID], version: Callable[[], Awaitable[int]]) -> None:
    """Requirements are those of the last put and no others, also when a resource moves to another one (B-6)."""
    await run(lambda tx: put_service(tx, **SESSION, requirements=[rooms[:2], rooms[2:]]))
    before = await version()
    await run(lambda tx: put_service(tx, **SESSION, requirements=[rooms[2:], rooms[1:2]]))
    assert (await only_service(run)).requirements == ((rooms[2],), (rooms[1],))
    assert await version() > before


async def test_a_limit_is_a_pool(run: Any, rooms: list[UUID]) -> None:
    """A service with a limit of simultaneous bookings owns a pool of that capacity, which is always open (B-2)."""
    limited = SESSION | {"requirements": [rooms]}
    await run(lambda tx: put_service(tx, **limited, max_simultaneous_bookings=5))
    made = await pool(run)
    assert made
    assert (made.slug, made.capacity, made.always_open, made.active) == ("session-pool", 5, True, True)
    assert (await only_service(run)).pool_id == made.id

    await run(lambda tx: put_service(tx, **limited, max_simultaneous_bookings=8))
    raised = await pool(run)
    assert raised
    assert (raised.id, raised.capacity) == (made.id, 8)
    assert (await only_service(run)).max_simultaneous_bookings == 8


async def test_a_pool_ends_with_its_limit(run: Any, rooms: list[UUID]) -> None:
    """A service without a limit any more has no pool; its former one is deactivated, and comes back with it (B-2)."""
    limited = SESSION | {"requirements": [rooms]}
    await run(lambda tx: put_service(tx, **limited, max_simultaneous_bookings=5))
    await run(lambda tx: put_service(tx, **limited))
    service, former = await only_service(run), await pool(run)
    assert former
    assert (service.pool_id, service.max_simultaneous_bookings, former.active) == (None, None, False)
    await run(lambda tx: put_service(tx, **limited, max_simultaneous_bookings=6))
    service, again = await only_service(run), await pool(run)
    assert again
    assert (service.pool_id, again.capacity, again.active) == (former.id, 6, True)


async def test_a_limit_sinks_to_the_future_peak_only(run: Any, rooms: list[UUID]) -> None:
    """A limit below the bookings that overlap in the future is refused with their number; nothing changes (B-2)."""
    limited = SESSION | {"requirements": [rooms]}
    service_id = await run(lambda tx: put_service(tx, **limited, max_simultaneous_bookings=5))
    made = await pool(run)
    assert made
    for seat in (1, 5):
        taken = {rooms[0]: seat, made.id: seat}
        await run(lambda tx, taken=taken: hold_slot(tx, service_id, taken, NOON, NOON + timedelta(hours=1)))
    with pytest.raises(CapacityBelowPeak) as refusal:
        await run(lambda tx: put_service(tx, **limited | {"name": "Other"}, max_simultaneous_bookings=1))
    assert refusal.value.details["peak"] == 2
    service = await only_service(run)
    assert (service.name, service.max_simultaneous_bookings) == ("Session", 5)


async def test_what_was_taken_out_comes_back(run: Any, rooms: list[UUID]) -> None:
    """A deactivated service keeps its row, and it and its pool are active again when it is put again (K-2)."""
    limited = SESSION | {"requirements": [rooms], "max_simultaneous_bookings": 5}
    made = await run(lambda tx: put_service(tx, **limited))
    await run(lambda tx: deactivate_services(tx, [made]))
    closed = await pool(run)
    assert closed
    assert not (await only_service(run)).active
    assert not closed.active
    assert await run(lambda tx: put_service(tx, **limited)) == made
    reopened = await pool(run)
    assert reopened
    assert (await only_service(run)).active
    assert reopened.active
