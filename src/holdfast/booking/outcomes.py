"""How an appointment ended, as staff record it: somebody came, did not come, or was given their money back."""

from dataclasses import replace
from uuid import UUID

from holdfast.booking.admission import queries
from holdfast.booking.bookings import Booking, check_version, lock_appointment, read_appointment, record
from holdfast.booking.errors import AlreadyRefunded, NotChangeable, OutcomeTooEarly, RefundNotAllowed
from holdfast.booking.giving_back import amount_of, is_owed
from holdfast.booking.states import BookingState
from holdfast.kernel.audit import Actor
from holdfast.kernel.database import Transaction
from holdfast.kernel.sql import load

_SQL = load("holdfast.booking", "staff_queries.sql")

OUTCOMES = frozenset({BookingState.COMPLETED, BookingState.NO_SHOW})


async def record_outcome(
    tx: Transaction,
    booking_id: UUID,
    outcome: BookingState,
    *,
    expected_version: int | None,
    reason: str | None,
    actor: Actor,
) -> Booking:
    """Say whether the client came, or correct what was said; nothing changes when it was said before (B-19).

    Raises OutcomeTooEarly before the start, NotChangeable for what is neither confirmed nor over, VersionRequired,
    VersionConflict, AppointmentNotFound.
    """
    assert outcome in OUTCOMES, "an outcome is one of two"
    before = await lock_appointment(tx, booking_id)
    if before.state == outcome:
        return before
    check_version(before, expected_version, actor)
    if before.state not in OUTCOMES | {BookingState.CONFIRMED}:
        raise NotChangeable(
            "Only an appointment that was confirmed, and stands, has an outcome",
            details={"status": before.state},
        )
    values = {"business_id": tx.business_id, "id": booking_id, "state": outcome}
    if await tx.run(_SQL["set_outcome"], values) == 0:
        raise OutcomeTooEarly(details={"start": before.starts_at})
    await record(tx, before, "outcome", "AppointmentOutcomeRecorded", actor, reason)
    return await read_appointment(tx, booking_id)


async def refund(
    tx: Transaction, booking_id: UUID, *, expected_version: int | None, reason: str | None, actor: Actor
) -> Booking:
    """Refund a confirmed appointment and free its place, once; or one cancelled whose money is still owed (B-18).

    All that was paid through Holdfast goes back, of one that was cancelled what was decided then; whoever took the
    money sends it, and the answer tells how much that is. Raises AlreadyRefunded, RefundNotAllowed in any other state,
    VersionRequired, VersionConflict, AppointmentNotFound.
    """
    before = await lock_appointment(tx, booking_id)
    if before.state == BookingState.REFUNDED:
        raise AlreadyRefunded
    is_cancelled = before.state == BookingState.CANCELLED
    if before.state != BookingState.CONFIRMED and not (is_cancelled and await is_owed(tx, before)):
        raise RefundNotAllowed(details={"status": before.state})
    check_version(before, expected_version, actor)
    values = {"business_id": tx.business_id, "id": booking_id}
    await tx.run(_SQL["refund_appointment"], values)
    await tx.run(queries["free_places"], values)
    await record(tx, before, "refund", "AppointmentRefunded", actor, reason)
    after = await read_appointment(tx, booking_id)
    return replace(after, refund_minor=await amount_of(tx, before, after.refund_percent))
