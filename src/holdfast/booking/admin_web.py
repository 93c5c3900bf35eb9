"""What staff change of the business itself while it runs: blocked time, places of schedules and resources."""

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, delete, patch, post
from litestar.params import FromPath

from holdfast.booking import views
from holdfast.booking.blocks import BlockView, Wanted, block, unblock
from holdfast.booking.calls import Call, desk_of, key_of
from holdfast.booking.errors import UnknownSchedule
from holdfast.booking.public_web import ResourceCard, ScheduleView
from holdfast.booking.schedules import set_capacity as set_schedule_capacity
from holdfast.catalog.resources import set_capacity as set_resource_capacity
from holdfast.identity.calls import own_business
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.audit import record
from holdfast.kernel.database import Transaction
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import NotFound, ValidationFailed
from holdfast.kernel.http import Instant, decode, epoch_seconds, json_response
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.lists import in_calendar
from holdfast.kernel.sql import load

_SQL = load("holdfast.booking", "staff_queries.sql")


class BlockBody(views.KeyedBody, kw_only=True):
    """Time in which a resource is to be kept free."""

    resource_id: UUID
    start: Instant
    end: Instant
    business_id: UUID | None = None
    reason: views.Reason | None = None


class ScheduleBody(msgspec.Struct, rename="camel", kw_only=True):
    """How many places a schedule is to have."""

    max_capacity: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    business_id: UUID | None = None
    reason: views.Reason | None = None


class ResourceBody(msgspec.Struct, rename="camel", kw_only=True):
    """How many places a resource is to have."""

    capacity: Annotated[int, msgspec.Meta(ge=1, le=1_000)]
    business_id: UUID | None = None
    reason: views.Reason | None = None


@post(
    "/api/admin/blocks",
    guards=[Needs(Permission.BLOCK_TIME)],
    opt=documented(BlockBody, headers=("Idempotency-Key",), answers=BlockView, created=True, security="StaffKey"),
)
async def add_block(request: Call) -> Response[bytes]:
    """Keep a resource free of bookings for a time; refused while somebody has a place there."""
    data = decode(BlockBody, await request.body())
    staff = staff_of(request)
    business_id = own_business(staff, data.business_id)
    in_calendar(data.start, "start")
    in_calendar(data.end, "end")
    if epoch_seconds(data.end, "end") <= epoch_seconds(data.start, "start"):
        raise ValidationFailed.at("end", "must be after start")
    key = key_of(request, data, "block")
    wanted = Wanted(data.resource_id, data.start, data.end, data.reason)
    shown = await block(desk_of(request).database, business_id, wanted, key, staff.actor)
    return json_response(shown, 200 if shown.replayed else 201)


@delete(
    "/api/admin/blocks/{block_id:str}",
    status_code=204,
    guards=[Needs(Permission.BLOCK_TIME)],
    opt=documented(security="StaffKey"),
)
async def remove_block(request: Call, block_id: FromPath[str]) -> None:
    """Remove a block; its time is free at once."""
    staff = staff_of(request)
    wanted = uuid_or_none(block_id)
    if wanted is None:
        raise NotFound
    await desk_of(request).database.run(staff.business_id, lambda tx: unblock(tx, wanted, staff.actor))


@patch(
    "/api/admin/schedules/{schedule_id:str}",
    guards=[Needs(Permission.CHANGE_SCHEDULES)],
    opt=documented(ScheduleBody, answers=ScheduleView, security="StaffKey"),
)
async def change_schedule(request: Call, schedule_id: FromPath[str]) -> Response[bytes]:
    """Change the number of places of a schedule: raised any time, lowered to what is taken at most."""
    data = decode(ScheduleBody, await request.body())
    staff = staff_of(request)
    business_id = own_business(staff, data.business_id)
    wanted = uuid_or_none(schedule_id)
    if wanted is None:
        raise UnknownSchedule

    async def work(tx: Transaction) -> ScheduleView:
        before = await set_schedule_capacity(tx, wanted, data.max_capacity)
        await record(
            tx,
            "schedule",
            wanted,
            "change_capacity",
            staff.actor,
            before=before,
            after=data.max_capacity,
            reason=data.reason,
        )
        [shown] = await tx.all(ScheduleView, _SQL["schedule"], {"business_id": business_id, "id": wanted})
        return shown

    return json_response(await desk_of(request).database.run(business_id, work))


@patch(
    "/api/admin/resources/{resource_id:str}",
    guards=[Needs(Permission.CHANGE_RESOURCES)],
    opt=documented(ResourceBody, answers=ResourceCard, security="StaffKey"),
)
async def change_resource(request: Call, resource_id: FromPath[str]) -> Response[bytes]:
    """Change the number of places of a resource: raised any time, lowered to its future peak at most."""
    data = decode(ResourceBody, await request.body())
    staff = staff_of(request)
    business_id = own_business(staff, data.business_id)
    wanted = uuid_or_none(resource_id)
    if wanted is None:
        raise NotFound

    async def work(tx: Transaction) -> ResourceCard:
        await set_resource_capacity(tx, wanted, data.capacity)
        await record(
            tx,
            "resource",
            wanted,
            "change_capacity",
            staff.actor,
            after=data.capacity,
            reason=data.reason,
        )
        [shown] = await tx.all(ResourceCard, _SQL["resource"], {"business_id": business_id, "id": wanted})
        return shown

    return json_response(await desk_of(request).database.run(business_id, work))


handlers = [add_block, remove_block, change_schedule, change_resource]
