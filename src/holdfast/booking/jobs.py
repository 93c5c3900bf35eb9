"""What the worker does for bookings: sweeping holds that have run out (B-23), laying out schedules ahead (K-4)."""

import structlog

from holdfast.booking.admission import queries, sweep
from holdfast.booking.schedules import lay_out_ahead
from holdfast.kernel.database import Database

log = structlog.get_logger(__name__)


async def sweep_all(database: Database) -> int:
    """End every hold of every business that has run out; return how many. Written down for the health check."""
    async with database.transaction() as tx:
        due = [row["business_id"] for row in await tx.rows(queries["businesses_with_spent_holds"])]
    total = 0
    for business_id in due:
        while count := await sweep(database, business_id):
            total += count
    async with database.transaction() as tx:
        await tx.run(queries["beat"], {"job": "cleanup-reservations"})
    if total:
        log.info("holds_expired", count=total)
    return total


async def lay_out_all(database: Database) -> int:
    """Lay out the schedules of every business eight weeks ahead; return how many were made."""
    async with database.transaction() as tx:
        ids = [row["business_id"] for row in await tx.rows(queries["businesses_with_programs"])]
    total = 0
    for business_id in ids:
        layout = await database.run(business_id, lay_out_ahead)
        total += layout.created
        for conflict in layout.conflicts:
            log.warning(
                "schedule_conflict",
                business_id=str(business_id),
                program=conflict.program_slug,
                start=conflict.start.isoformat(),
            )
    if total:
        log.info("schedules_laid_out", count=total)
    return total
