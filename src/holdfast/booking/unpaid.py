"""Bookings that await their payment: paid in time, kept while money is taken, or ended when none comes (ADR 31)."""

from uuid import UUID

import structlog

from holdfast.booking.admission import end_overdue, queries
from holdfast.booking.bookings import Booking, lock_appointment, read_appointment, record
from holdfast.booking.errors import NotChangeable
from holdfast.booking.states import BookingState
from holdfast.booking.tracked import CONFIRMED
from holdfast.kernel.audit import SYSTEM
from holdfast.kernel.database import Database, Transaction, is_away
from holdfast.kernel.recorder import tell

log = structlog.get_logger(__name__)


async def end_unpaid(tx: Transaction, booking_id: UUID, *, now: bool = False) -> bool:
    """End a booking that awaits its payment, if its time is over or, with `now`, before that; free its place.

    Returns whether it was ended: False for one whose time is not over, and for one that awaits nothing any more.
    """
    values = {
        "business_id": tx.business_id,
        "ids": [booking_id],
        "chain_keys": [(await tx.keys()).chain_key(booking_id)],
        "early": now,
    }
    return bool(await tx.value(queries["end_unpaid"], values))


async def end_all_unpaid(database: Database) -> int:
    """End every booking of every business that was not paid in its time; return how many.

    A business whose bookings cannot be ended keeps nobody else from theirs. Written down for the monitors.
    """
    async with database.transaction() as tx:
        due = [row["business_id"] for row in await tx.rows(queries["businesses_with_unpaid"])]
    total = 0
    for business_id in due:
        try:
            while count := await end_overdue(database, business_id):
                total += count
        except Exception as failure:
            if is_away(failure):
                raise
            log.exception("unpaid_not_ended", business_id=str(business_id))
    async with database.transaction() as tx:
        await tx.run(queries["beat"], {"job": "end-unpaid", "items": total})
    if total:
        log.info("unpaid_ended", count=total)
    return total


async def keep_for_capture(tx: Transaction, booking_id: UUID) -> Booking:
    """Keep the place of a booking that awaits its payment for ten minutes at least: its money is being taken.

    This may go beyond 24 hours in all. Raises NotChangeable for one that awaits nothing any more, AppointmentNotFound.
    """
    before = await _awaiting(tx, booking_id)
    if await tx.run(queries["keep_for_capture"], {"business_id": tx.business_id, "id": booking_id}):
        await record(tx, before, "keep", "AppointmentAwaitingPayment", SYSTEM, None)
    return await read_appointment(tx, booking_id)


async def confirm_paid(tx: Transaction, booking_id: UUID) -> Booking:
    """Confirm a booking that awaits its payment, which is written down in this transaction as the one that pays it.

    Raises NotChangeable for one that awaits nothing any more, AppointmentNotFound; CheckViolation, of the constraint
    `bookings_paid`, where no payment pays it in full.
    """
    before = await _awaiting(tx, booking_id)
    await tx.run(queries["confirm_paid"], {"business_id": tx.business_id, "id": booking_id})
    await record(tx, before, "pay", "AppointmentConfirmed", SYSTEM, None)
    await tell_confirmed(tx, booking_id)
    return await read_appointment(tx, booking_id)


async def tell_confirmed(tx: Transaction, booking_id: UUID) -> None:
    """Tell analytics, in the transaction of the change, that somebody who had to pay is booked."""
    slug = await tx.value(queries["service_slug"], {"business_id": tx.business_id, "id": booking_id})
    if slug is not None:
        await tell(tx, CONFIRMED, service_slug=slug)


async def _awaiting(tx: Transaction, booking_id: UUID) -> Booking:
    before = await lock_appointment(tx, booking_id)
    if before.state != BookingState.PENDING_PAYMENT:
        raise NotChangeable("This booking awaits no payment", details={"status": before.state})
    return before
