"""What staff note about an appointment: sealed, read by few, and never unseen (D-5, D-7)."""

from uuid import NAMESPACE_OID, UUID, uuid5

import structlog

from holdfast.booking.bookings import Booking, check_version, lock_appointment, read_appointment, record
from holdfast.kernel import audit
from holdfast.kernel.audit import Actor
from holdfast.kernel.database import Transaction
from holdfast.kernel.privacy import Undecipherable
from holdfast.kernel.sql import load

log = structlog.get_logger(__name__)

_SQL = load("holdfast.booking", "staff_queries.sql")

_PLACE = "bookings.note"
KIND = "note"


async def put_note(
    tx: Transaction, booking_id: UUID, text: str, *, expected_version: int | None, actor: Actor
) -> Booking:
    """Keep a note about an appointment, in whatever state it is, in the place of the one before; "" removes it.

    Raises VersionRequired, VersionConflict, AppointmentNotFound.
    """
    before = await lock_appointment(tx, booking_id)
    check_version(before, expected_version, actor)
    sealed = (await tx.keys()).seal(_PLACE, booking_id, text) if text else None
    await tx.run(_SQL["put_note"], {"business_id": tx.business_id, "id": booking_id, "note": sealed})
    await record(tx, before, "change_note", "AppointmentUpdated", actor, None)
    return await read_appointment(tx, booking_id)


async def read_note(tx: Transaction, booking_id: UUID, actor: Actor) -> str | None:
    """Return the note about an appointment, and write down who has read it; None when there is none.

    The edge has to know that this reader may. Raises Undecipherable, which nobody is shown.
    """
    # Locked, so that of two readers at once each has an entry of their own in the log.
    sealed = await tx.value(_SQL["lock_note"], {"business_id": tx.business_id, "id": booking_id})
    if sealed is None:
        return None
    try:
        text = (await tx.keys()).open(_PLACE, booking_id, bytes(sealed))
    except Undecipherable:
        log.error("undecipherable", column=_PLACE, booking_id=str(booking_id))  # noqa: TRY400 - whoever answers tells more
        raise
    await audit.record(tx, KIND, aggregate_of(booking_id), "read_note", actor, after=booking_id)
    return text


def aggregate_of(booking_id: UUID) -> UUID:
    """Return what the log calls the note of an appointment: whoever reads it changes no version of the appointment."""
    return uuid5(NAMESPACE_OID, f"holdfast note {booking_id}")
