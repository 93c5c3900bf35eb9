"""A payment that comes when the place was given up: the same place is taken again, if it can be (P-3)."""

from typing import Literal
from uuid import UUID

import msgspec

from holdfast.availability.walltime import day_bounds, local_day
from holdfast.booking.admission import instant, queries
from holdfast.booking.errors import NotChangeable
from holdfast.booking.unpaid import tell_confirmed
from holdfast.kernel.database import Transaction

Outcome = Literal["readmitted", "refused", "spent", "again"]


async def readmit(tx: Transaction, booking_id: UUID) -> Outcome:
    """Confirm a booking that has expired unpaid, in the place that it had, if nobody else has it.

    The payment that pays it is written down in this transaction before. Capacity, blocks, busy time and daily limits
    decide as for everybody, and what is offered no more or has started is refused; opening hours, notice and grid do
    not bind again. `spent`: a sweep (`Admission.sweep`) may free the place; `again`: somebody was in the way for a
    moment. Unless it is readmitted nothing has changed, but what the caller has written stands and is his to undo.

    Raises NotChangeable for what has not expired unpaid; CheckViolation, of the constraint `bookings_paid`, where no
    payment pays it in full.
    """
    named = {"business_id": tx.business_id, "id": booking_id}
    days = {
        str(row["id"]): [
            instant(at).isoformat()
            for at in day_bounds(local_day(int(row["starts_at"].timestamp()), row["timezone"]), row["timezone"])
        ]
        for row in await tx.rows(queries["limits_of_former_places"], named)
    }
    more = {"days": msgspec.json.encode(days).decode(), "chain_key": (await tx.keys()).chain_key(booking_id)}
    outcome: Outcome | Literal["not_expired"] = await tx.value(queries["readmit"], named | more)
    if outcome == "not_expired":
        raise NotChangeable("Only what has expired unpaid can be admitted again")
    if outcome == "readmitted":
        await tell_confirmed(tx, booking_id)
    return outcome
