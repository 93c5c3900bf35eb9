"""Schedules that staff make beside the rule of their program; no layout touches them."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from holdfast.booking.schedules import check_capacity
from holdfast.catalog.programs import Program
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import UserError, ValidationFailed
from holdfast.kernel.http import epoch_seconds
from holdfast.kernel.sql import load

_SQL = load("holdfast.booking", "layouts.sql")


class ScheduleTimeTaken(UserError):
    """The program takes place at that time already."""

    code, status, message = "schedule_time_taken", 409, "The program takes place at this time already"
    field = "start"


class ResourcesTaken(UserError):
    """What the program uses is not free then; `details.resourceId` names one, `details.kind` what is in the way."""

    code, status, message = "resources_taken", 409, "What the program needs is not free at this time"


async def add_by_hand(tx: Transaction, program: Program, start: datetime, max_capacity: int) -> UUID:
    """Let a program take place at a time, opening hours or not, and take what it uses; return the schedule's id.

    One that was removed at that time comes back. The business is locked. Raises ScheduleTimeTaken, ResourcesTaken,
    ValidationFailed.
    """
    check_capacity(max_capacity)
    epoch_seconds(start, "start")
    start = start.astimezone(UTC)
    if start <= await tx.value(_SQL["clock"]):
        raise ValidationFailed.at("start", "must not be in the past")
    end = start + timedelta(minutes=program.duration_minutes)
    here = {"business_id": tx.business_id}
    values = {"program_id": program.id, "start": start, "end": end, "max_capacity": max_capacity}
    schedule_id: UUID | None = await tx.value(_SQL["add_by_hand"], here | values)
    if schedule_id is None:
        raise ScheduleTimeTaken
    used = sorted(program.resource_ids)
    await tx.run(_SQL["lock_resources"], here | {"ids": used})
    await tx.run(_SQL["expire_holds"], here)
    wishes = {"numbers": [0] * len(used), "resources": used, "starts": [start] * len(used), "ends": [end] * len(used)}
    for row in await tx.rows(_SQL["occupied"], here | wishes):
        raise ResourcesTaken(details={"resourceId": str(row["resource_id"]), "kind": row["kind"]})
    for resource_id in used:
        if await tx.rows(_SQL["take_resource"], here | {"resource_id": resource_id, "ids": [schedule_id]}):
            raise ResourcesTaken(details={"resourceId": str(resource_id), "kind": "taken"})
    return schedule_id
