"""Bookings written past admission: places that are taken, without asking who may take them."""

from datetime import datetime, timedelta
from uuid import UUID

from holdfast.kernel.database import Transaction
from holdfast.kernel.ids import new_id

ALIVE, SPENT = timedelta(hours=12), timedelta(seconds=-1)


async def hold_slot(
    tx: Transaction, service_id: UUID, seats: dict[UUID, int], start: datetime, end: datetime, left: timedelta = ALIVE
) -> UUID:
    """Hold one seat of each resource for a service; return the booking."""
    booking_id = await _hold(tx, {"service_id": service_id, "schedule_id": None}, start, end, 1, left)
    for resource_id, seat in seats.items():
        await tx.run(
            """insert into claims (business_id, resource_id, capacity, seat, during, booking_id)
               select business_id, id, capacity, %(seat)s, tstzrange(%(start)s, %(end)s), %(booking_id)s
                 from resources where business_id = %(business_id)s and id = %(resource_id)s""",
            {
                "business_id": tx.business_id,
                "resource_id": resource_id,
                "seat": seat,
                "start": start,
                "end": end,
                "booking_id": booking_id,
            },
        )
    return booking_id


async def hold_places(
    tx: Transaction, schedule_id: UUID, start: datetime, party_size: int, left: timedelta = ALIVE
) -> UUID:
    """Hold places of a schedule; return the booking."""
    offering = {"service_id": None, "schedule_id": schedule_id}
    return await _hold(tx, offering, start, start + timedelta(hours=1), party_size, left)


async def release_all(tx: Transaction) -> None:
    """Give every place of the business back, so that nothing of a test is left to be swept."""
    values = {"business_id": tx.business_id}
    await tx.run("delete from claims where business_id = %(business_id)s and booking_id is not null", values)
    await tx.run(
        """update bookings set state = 'released', version = version + 1
            where business_id = %(business_id)s and state = 'held'""",
        values,
    )


async def _hold(
    tx: Transaction, offering: dict[str, UUID | None], start: datetime, end: datetime, party_size: int, left: timedelta
) -> UUID:
    booking_id = new_id()
    await tx.run(
        """insert into bookings (business_id, id, service_id, schedule_id, starts_at, ends_at, party_size, state,
                                 held_at, expires_at, price_minor, currency)
           values (%(business_id)s, %(id)s, %(service_id)s, %(schedule_id)s, %(start)s, %(end)s, %(party_size)s,
                   'held', clock_timestamp() - interval '1 minute', clock_timestamp() + %(left)s, 0, 'RUB')""",
        {
            "business_id": tx.business_id,
            "id": booking_id,
            **offering,
            "start": start,
            "end": end,
            "party_size": party_size,
            "left": left,
        },
    )
    return booking_id
