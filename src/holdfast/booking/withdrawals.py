"""Withdrawals: schedules that are offered no more, because their rule does not mean them or because staff say so."""

from collections.abc import Collection
from uuid import UUID

from holdfast.booking.errors import UnknownSchedule
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import UserError
from holdfast.kernel.sql import load

_SQL = load("holdfast.booking", "withdrawals.sql")


class ScheduleIsBooked(UserError):
    """The schedule has live bookings, which have to be moved or cancelled first; `details.taken` tells the places."""

    code, status = "schedule_is_booked", 409
    message = "The schedule has bookings"
    constraint = "program_schedules_withdrawn_free"


async def lock(tx: Transaction, ids: Collection[UUID]) -> set[UUID]:
    """Lock schedules that are offered, in order of id, and end their holds that have run out; return their ids.

    From then on nobody books them, and what their counters say is taken is taken (B-4).
    """
    values = {"business_id": tx.business_id, "ids": list(ids)}
    locked = {row["id"] for row in await tx.rows(_SQL["lock"], values)}
    await tx.run(_SQL["end_spent_places"], values)
    return locked


async def withdraw(tx: Transaction, ids: Collection[UUID]) -> None:
    """Withdraw locked schedules without live bookings: deleted if they never had any, else kept and not offered.

    A layout whose rule means one that was kept makes it anew. Raises ScheduleIsBooked.
    """
    if ids:
        values = {"business_id": tx.business_id, "ids": list(ids)}
        await tx.run(_SQL["drop_claims"], values)
        await tx.run(_SQL["drop_unbooked"], values)
        await tx.run(_SQL["withdraw_booked_before"], values)


async def remove(tx: Transaction, schedule_id: UUID) -> None:
    """Take a schedule out by hand: offered no more, its resources free, and no layout makes it anew.

    Repeated, it changes nothing. Raises UnknownSchedule; ScheduleIsBooked while it has live bookings.
    """
    await lock(tx, [schedule_id])
    values = {"business_id": tx.business_id, "id": schedule_id, "ids": [schedule_id]}
    taken = await tx.value(_SQL["places_taken"], values)
    if taken is None:
        raise UnknownSchedule
    if taken:
        raise ScheduleIsBooked(details={"taken": taken})
    await tx.run(_SQL["drop_claims"], values)
    await tx.run(_SQL["remove"], values)


async def restore(tx: Transaction, schedule_id: UUID) -> None:
    """Leave a schedule that was removed by hand to its rule: the next layout makes it, if the rule still means it.

    Raises UnknownSchedule for one that was not removed.
    """
    if not await tx.run(_SQL["restore"], {"business_id": tx.business_id, "id": schedule_id}):
        raise UnknownSchedule
