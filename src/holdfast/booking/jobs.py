"""What the worker does for bookings: sweeping holds that have run out (B-23), laying out schedules ahead (K-4)."""

import structlog

from holdfast.booking.admission import queries, sweep
from holdfast.booking.layouts import lay_out_ahead
from holdfast.kernel.database import Database, is_away

log = structlog.get_logger(__name__)

_KEYS_AT_ONCE = 5_000


async def sweep_all(database: Database) -> int:
    """End every hold of every business that has run out; return how many. Written down for the health check."""
    async with database.transaction() as tx:
        due = [row["business_id"] for row in await tx.rows(queries["businesses_with_spent_holds"])]
    total = 0
    for business_id in due:
        while count := await sweep(database, business_id):
            total += count
    async with database.transaction() as tx:
        await tx.run(queries["beat"], {"job": "cleanup-reservations", "items": total})
    if total:
        log.info("holds_expired", count=total)
    return total


async def forget_keys(database: Database) -> int:
    """Forget the idempotency keys that nobody will repeat any more; return how many."""
    total = 0
    while True:
        async with database.transaction() as tx:
            count = int(await tx.value(queries["forget_keys"], {"limit": _KEYS_AT_ONCE}))
        total += count
        if count < _KEYS_AT_ONCE:
            break
    if total:
        log.info("keys_forgotten", count=total)
    return total


async def lay_out_all(database: Database) -> int:
    """Bring the schedules of every business to their rules, eight weeks ahead; return how many were made.

    What cannot be laid out is logged when it is new, and kept (`layouts.deviations`). A business whose layout fails
    keeps nobody else from theirs. Written down for the health check.
    """
    async with database.transaction() as tx:
        ids = [row["business_id"] for row in await tx.rows(queries["businesses_with_programs"])]
    total = 0
    for business_id in ids:
        try:
            # In transactions of their own, so that the layout need not lock what belongs to holds.
            while await sweep(database, business_id):
                pass
            layout = await database.run(business_id, lay_out_ahead)
        except Exception as failure:
            if is_away(failure):
                raise
            log.exception("layout_failed", business_id=str(business_id))
            continue
        total += layout.created
        for deviation in layout.noticed:
            log.warning(
                "schedule_deviation",
                business_id=str(business_id),
                program_id=str(deviation.program_id),
                resource_id=str(deviation.resource_id) if deviation.resource_id else None,
                start=deviation.start.isoformat(),
                kind=deviation.kind,
            )
    async with database.transaction() as tx:
        await tx.run(queries["beat"], {"job": "lay-out-schedules", "items": total})
    if total:
        log.info("schedules_laid_out", count=total)
    return total
