"""Resources as they are put, changed and taken out of the offer."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from catalog.holds import ALIVE, SPENT, hold_slot
from holdfast.catalog.errors import CapacityBelowPeak
from holdfast.catalog.resources import Resource, deactivate_resources, put_resource, resources_of, set_capacity
from holdfast.catalog.services import put_service
from holdfast.identity.businesses import Business
from holdfast.kernel.database import Database
from holdfast.kernel.errors import NotFound
from holdfast.kernel.ids import new_id

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=7)
TWO_HOURS = timedelta(hours=2)
ROOM: dict[str, Any] = {"slug": "room", "name": "Room", "kind": "room"}


async def only_resource(run: Any) -> Resource:
    """Return the one resource."""
    [resource] = [each for each in await run(resources_of) if each.kind != "pool"]
    return resource


async def test_put_says_all_of_a_resource(run: Any) -> None:
    """What is put is what is read: every field of a resource (K-2)."""
    given = ROOM | {"capacity": 3, "daily_limit": 5, "timezone": "Asia/Tokyo", "always_open": True}
    made = await run(lambda tx: put_resource(tx, **given))
    assert asdict(await only_resource(run)) == given | {"id": made, "active": True}


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Hall"},
        {"kind": "practitioner"},
        {"capacity": 4},
        {"daily_limit": 5},
        {"timezone": "Asia/Tokyo"},
        {"always_open": True},
    ],
)
async def test_only_a_change_writes(run: Any, version: Callable[[], Awaitable[int]], change: dict[str, Any]) -> None:
    """A put that changes nothing writes nothing, and one that changes a field raises the catalog version (K-2)."""
    made = await run(lambda tx: put_resource(tx, **ROOM))
    before = await version()
    assert await run(lambda tx: put_resource(tx, **ROOM)) == made
    assert await version() == before
    assert await run(lambda tx: put_resource(tx, **ROOM | change)) == made
    assert await version() > before
    assert asdict(await only_resource(run)).items() >= change.items()


async def test_unchanged_resource_is_not_locked(database: Database, run: Any, business: Business) -> None:
    """Putting a resource that stays as it is does not make admission wait for its row (B-3)."""
    made = await run(lambda tx: put_resource(tx, **ROOM))
    async with database.transaction(business.id) as tx, database.transaction(business.id) as other:
        await put_resource(tx, **ROOM)
        await other.run("select from resources where id = %(id)s for update nowait", {"id": made})


async def test_what_was_taken_out_comes_back(run: Any) -> None:
    """A deactivated resource keeps its row and id, and is active again when it is put again (K-2)."""
    made = await run(lambda tx: put_resource(tx, **ROOM))
    await run(lambda tx: deactivate_resources(tx, [made]))
    assert not (await only_resource(run)).active
    assert await run(lambda tx: put_resource(tx, **ROOM)) == made
    assert (await only_resource(run)).active


async def offered(run: Any, capacity: int) -> tuple[UUID, UUID]:
    """Make a resource of this capacity and a service on it; return the ids of service and resource."""
    resource_id = await run(lambda tx: put_resource(tx, **ROOM, capacity=capacity))
    service_id = await run(
        lambda tx: put_service(tx, slug="s", name="S", duration_minutes=60, requirements=[[resource_id]])
    )
    return service_id, resource_id


async def test_capacity_sinks_to_the_future_peak_only(run: Any) -> None:
    """A capacity may be lowered to the future peak; below it is 409 with the peak, and nothing changes (B-2)."""
    service_id, resource_id = await offered(run, 4)
    for seat, begin in ((4, 0), (2, 1), (3, 2)):
        start = NOON + timedelta(hours=begin)
        await run(
            lambda tx, seat=seat, start=start: hold_slot(tx, service_id, {resource_id: seat}, start, start + TWO_HOURS)
        )
    with pytest.raises(CapacityBelowPeak) as refusal:
        await run(lambda tx: put_resource(tx, **ROOM | {"name": "Hall", "capacity": 1}))
    assert (refusal.value.status, refusal.value.details) == (409, {"peak": 2, "resourceId": str(resource_id)})
    assert ((await only_resource(run)).name, (await only_resource(run)).capacity) == ("Room", 4)
    await run(lambda tx: set_capacity(tx, resource_id, 2))
    assert (await only_resource(run)).capacity == 2


async def test_spent_hold_does_not_keep_a_capacity_up(run: Any) -> None:
    """A hold that has run out keeps nobody from lowering a capacity, whatever place it had (B-2, B-4)."""
    service_id, resource_id = await offered(run, 3)
    for seat, left in ((3, SPENT), (2, ALIVE), (1, SPENT)):
        await run(
            lambda tx, seat=seat, left=left: hold_slot(
                tx, service_id, {resource_id: seat}, NOON, NOON + TWO_HOURS, left
            )
        )
    await run(lambda tx: set_capacity(tx, resource_id, 1))
    assert (await only_resource(run)).capacity == 1


async def test_unknown_resource_has_no_capacity(run: Any) -> None:
    """The capacity of a resource that does not exist cannot be changed (B-2)."""
    with pytest.raises(NotFound):
        await run(lambda tx: set_capacity(tx, new_id(), 2))


async def test_database_refuses_what_is_no_capacity(run: Any) -> None:
    """A capacity outside 1 to 1000 is refused by the database itself (B-2)."""
    for capacity in (0, 1001):
        with pytest.raises(psycopg.errors.CheckViolation):
            await run(lambda tx, capacity=capacity: put_resource(tx, **ROOM, capacity=capacity))
