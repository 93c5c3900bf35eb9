"""Changes of an appointment by its client, each one transaction with its key, its answer and its alternatives."""

from functools import partial

import msgspec

from holdfast.booking import bookings
from holdfast.booking.admission import Request, place_of
from holdfast.booking.bookings import Booking, Keyed, Move, check_changeable, find_answer, keep_answer
from holdfast.booking.errors import (
    CapacityExceeded,
    NotChangeable,
    PriceDiffers,
    ScheduleStarted,
    SlotConflict,
    UnknownSchedule,
    VersionConflict,
)
from holdfast.booking.reservations import Place, Reservations, Wish, raise_too
from holdfast.booking.views import ChangedView
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.errors import TryLater, UserError, ValidationFailed

_ASKS = 40


class _NotMoved(Exception):
    def __init__(self, move: Move) -> None:
        self.move = move


async def cancel_appointment(
    database: Database, booking: Booking, key: Keyed, *, expected_version: int | None, reason: str | None
) -> ChangedView:
    """Cancel an appointment and return the answer; the same one for the same key.

    Raises what bookings.cancel raises, and IdempotencyKeyReused.
    """

    async def work(tx: Transaction) -> ChangedView:
        try:
            cancelled = await bookings.cancel(tx, booking.id, expected_version=expected_version, reason=reason)
        except UserError:
            # It may have been cancelled with this very key, before or while this one waited for the lock.
            answered = await _answered(tx, key)
            if answered is None:
                raise
            return answered
        return await _answer(tx, key, cancelled)

    return await database.run(booking.business_id, work)


async def _answered(tx: Transaction, key: Keyed) -> ChangedView | None:
    found = await find_answer(tx, key)
    return None if found is None else msgspec.convert({**found, "replayed": True}, ChangedView)


async def _answer(tx: Transaction, key: Keyed, booking: Booking) -> ChangedView:
    shown = ChangedView.of(booking)
    await keep_answer(tx, key, booking.id, shown)
    return shown


async def reschedule(
    desk: Reservations, booking: Booking, wish: Wish, *, expected_version: int | None, reason: str | None
) -> ChangedView:
    """Move an appointment to the place that is wished for, or change nothing.

    Raises SlotConflict with alternatives, CapacityExceeded, VersionConflict, PriceDiffers, NotChangeable,
    CancellationClosed, SlotNotOffered, IdempotencyKeyReused and what finding the place raises.
    """
    if (wish.schedule_id is None) != (booking.schedule_id is None):
        raise ValidationFailed.at("scheduleId", "an appointment moves from slot to slot, or from schedule to schedule")

    for _ in range(_ASKS):
        async with desk.database.transaction(booking.business_id) as tx:
            answered = await _answered(tx, wish.key)
            if answered is not None:
                return answered
            check_changeable(await bookings.read_appointment(tx, booking.id), expected_version)
        place = None if wish.schedule_id is not None else await desk.find_place(booking.business_id, wish)
        if place is not None and place.service.price_minor != booking.price_minor:
            if await desk.snapshots.newer_than(place.snapshot) is None:
                raise PriceDiffers
            continue
        try:
            work = partial(
                _move, booking=booking, wish=wish, place=place, expected_version=expected_version, reason=reason
            )
            return await desk.database.run(booking.business_id, work)
        except _NotMoved as refused:
            outcome = refused.move.outcome
            if outcome == "spent":
                await desk.admission.sweep(booking.business_id)
            elif outcome == "stale":
                await desk.snapshots.refresh(booking.business_id)
            elif outcome != "again":
                raise await _refusal(desk, booking, place, refused.move) from None
    raise TryLater


async def _move(
    tx: Transaction,
    *,
    booking: Booking,
    wish: Wish,
    place: Place | None,
    expected_version: int | None,
    reason: str | None,
) -> ChangedView:
    answered = await _answered(tx, wish.key)
    if answered is not None:
        return answered
    request = Request(id=booking.id, operation=wish.key.operation, party=booking.party_size, schedule=wish.schedule_id)
    if place is not None:
        for name, value in place_of(place.offering, place.start, place.eligible).items():
            setattr(request, name, value)
        if request.solo is not None:
            request.needs, request.solo = [[request.solo]], None
        request.service = place.service.id
        request.catalog = place.snapshot.version
        request.notice_seconds = place.service.min_notice_minutes * 60
        request.horizon_seconds = place.service.max_horizon_days * 86_400
    move = await bookings.move(tx, booking.id, request, expected_version=expected_version, reason=reason)
    if move.outcome not in ("moved", "unchanged"):
        raise _NotMoved(move)
    return await _answer(tx, wish.key, await bookings.read_appointment(tx, booking.id))


async def _refusal(desk: Reservations, booking: Booking, place: Place | None, move: Move) -> Exception:
    outcome = move.outcome
    if outcome == "refused":
        assert place is not None, "only slots are refused"
        details = await desk.conflict_details(booking.business_id, place, booking.party_size)
        return SlotConflict.of_reschedule(details)
    if outcome in ("too_soon", "too_far"):
        raise_too(outcome)
    if outcome == "version_conflict":
        return VersionConflict(details={"currentVersion": move.version})
    if outcome == "full":
        return CapacityExceeded(details={"placesLeft": move.left})
    if outcome == "not_confirmed":
        return NotChangeable(details={"status": move.state})
    refusals: dict[str, type[Exception]] = {
        "unknown_schedule": UnknownSchedule,
        "started": ScheduleStarted,
        "price_differs": PriceDiffers,
    }
    return refusals[outcome]()
