"""What there is to export: found by the worker from the events of bookings.

An event carries no instruction. It says that the calendars of a booking have to be looked at, so that order, repetition
and loss of events do not matter. Each run looks back over what the last ones have read, further than any transaction
lives, since an event may be committed later than others whose time is after its own.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog

from holdfast.calendars import conflicts
from holdfast.calendars.conflicts import Place
from holdfast.calendars.event_ids import event_id_of
from holdfast.kernel.database import Database, Transaction, is_away
from holdfast.kernel.sql import load

log = structlog.get_logger(__name__)

_SQL = load(__package__, "export.sql")

_LOOK_BACK = timedelta(minutes=10)
_AT_ONCE = 500


async def feed(database: Database) -> int:
    """Make due what the calendars of all businesses lack after what has happened; return of how many events.

    What fails is logged and tried again for ten minutes; it keeps nothing else from its turn.
    """
    async with database.transaction() as tx:
        [begun] = await tx.rows(_SQL["begin_export_feed"])
    values: dict[str, Any] = {"since": begun["read_until"] - _LOOK_BACK, "at": None, "last": None, "limit": _AT_ONCE}
    total = 0
    while True:
        async with database.transaction() as tx:
            events = await tx.rows(_SQL["bookings_to_export"], values)
        for event in events:
            total += await _tried(database, event["business_id"], event["booking_id"])
        if len(events) < _AT_ONCE:
            break
        values |= {"at": events[-1]["occurred_at"], "last": events[-1]["id"]}
    async with database.transaction() as tx:
        await tx.run(_SQL["end_export_feed"], {"read_until": begun["now"]})
    return total


async def _tried(database: Database, business_id: UUID, booking_id: UUID) -> bool:
    try:
        return await database.run(business_id, lambda tx: want(tx, booking_id))
    except Exception as failure:
        if is_away(failure):
            raise
        log.exception("export_not_wanted", business_id=str(business_id), booking_id=str(booking_id))
    return False


async def want(tx: Transaction, booking_id: UUID) -> bool:
    """Make due what calendars lack of a booking; return whether that is anything.

    What was open about an event is superseded when the booking was moved since.
    """
    amiss = await tx.rows(_SQL["events_amiss"], {"business_id": tx.business_id, "booking_id": booking_id})
    for row in amiss:
        place = Place(row["calendar_id"], booking_id)
        if row["state"] == "conflict" and row["place"] == "there":
            await conflicts.supersede(tx, place)
            await conflicts.release(tx, place, None)
        else:
            await tx.run(_SQL["want_event"], place.values(tx, event_id=event_id_of(booking_id)))
    return bool(amiss)


async def want_all(tx: Transaction, calendar_id: UUID) -> int:
    """Make due whatever a calendar lacks: to be called when it begins to receive exports, or ceases to.

    All live appointments to come of its resource are exported to it; those to come are taken out of one that is not
    exported to any more. Returns of how many bookings.
    """
    rows = await tx.rows(_SQL["bookings_amiss"], {"business_id": tx.business_id, "calendar_id": calendar_id})
    for row in rows:
        await want(tx, row["id"])
    return len(rows)
