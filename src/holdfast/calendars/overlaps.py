"""Events of external calendars that come to lie over bookings: told to staff, and nothing is changed.

A hold counts like an appointment, since it may become one any moment and nobody looks again then; when it lapses, what
was told is settled. Places of groups are not looked at.
"""

from collections.abc import Sequence
from uuid import UUID

from holdfast.availability.busy import EventTime
from holdfast.calendars import tasks
from holdfast.kernel.attention import Severity, raise_item, settle
from holdfast.kernel.database import Transaction
from holdfast.kernel.ids import new_id
from holdfast.kernel.sql import load

_SQL = load("holdfast.calendars", "overlaps.sql")


async def tell_overlaps(tx: Transaction, calendar_id: UUID, resource_id: UUID, added: Sequence[EventTime]) -> int:
    """Raise a conflict for each booking over which an event has come; return how many are new.

    An event that has moved and lies over the same booking is the same conflict while that is open.
    """
    if not added:
        return 0
    values = {
        "business_id": tx.business_id,
        "resource_id": resource_id,
        "keys": [time.event_key for time in added],
        "starts": [time.starts_at for time in added],
        "ends": [time.ends_at for time in added],
    }
    count = 0
    for found in await tx.rows(_SQL["bookings_under"], values):
        conflict = found | {"business_id": tx.business_id, "calendar_id": calendar_id}
        known = await tx.value(_SQL["open_overlap"], conflict)
        if known is not None:
            await tx.run(_SQL["move_overlap"], conflict | {"id": known})
            continue
        conflict["id"] = new_id()
        details = {"conflict": conflict["id"], "calendar": calendar_id}
        conflict["item_id"], _ = await raise_item(
            tx, tasks.OVERLAPPED, found["booking_id"], Severity.WARNING, **details
        )
        await tx.run(_SQL["add_overlap"], conflict)
        count += 1
    return count


async def end_overlaps(tx: Transaction, calendar_id: UUID) -> int:
    """Settle the open conflicts of a calendar whose event or booking has gone; return how many."""
    values = {"business_id": tx.business_id, "calendar_id": calendar_id}
    ended = [row["booking_id"] for row in await tx.rows(_SQL["end_overlaps"], values)]
    for booking_id in sorted(set(ended)):
        if not await tx.value(_SQL["still_overlapped"], {"business_id": tx.business_id, "booking_id": booking_id}):
            await settle(tx, tasks.OVERLAPPED, booking_id)
    return len(ended)
