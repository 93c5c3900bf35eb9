"""Changes of an appointment, each one transaction with its key, its answer and its alternatives."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import NoReturn, TypeVar

import msgspec

from holdfast.booking import bookings
from holdfast.booking.admission import Request, place_of
from holdfast.booking.bookings import (
    Booking,
    Keyed,
    Move,
    check_changeable,
    find_answer,
    keep_answer,
    lock_appointment,
)
from holdfast.booking.errors import (
    CapacityExceeded,
    NotChangeable,
    PaymentRequired,
    PriceDiffers,
    ScheduleStarted,
    SlotConflict,
    UnknownSchedule,
    VersionConflict,
    raise_too,
)
from holdfast.booking.reservations import Place, Reservations, Wish
from holdfast.booking.terms import MOVING, STAFF
from holdfast.booking.views import CancelledView, ChangedView
from holdfast.kernel.audit import CLIENT, Actor
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.errors import TryLater, ValidationFailed

_ASKS = 40

V = TypeVar("V", bound=ChangedView)


class _NotMoved(Exception):
    def __init__(self, move: Move) -> None:
        self.move = move


async def once(
    database: Database,
    booking: Booking,
    key: Keyed,
    shape: type[V],
    change: Callable[[Transaction], Awaitable[Booking]],
) -> V:
    """Change an appointment and return the answer; for the same key the same answer, and no second change.

    Raises what the change raises, and IdempotencyKeyReused.
    """

    async def work(tx: Transaction) -> V:
        # Locked before the key is looked for, so that of two with one key the second finds what the first was told.
        await lock_appointment(tx, booking.id)
        answered = await _answered(tx, key, shape)
        return answered or await _answer(tx, key, await change(tx), shape)

    return await database.run(booking.business_id, work)


async def cancel_appointment(
    database: Database,
    booking: Booking,
    key: Keyed,
    *,
    expected_version: int | None,
    reason: str | None,
    actor: Actor = CLIENT,
    refund_percent: int | None = None,
) -> CancelledView:
    """Cancel an appointment and return the answer; the same one for the same key.

    Raises what bookings.cancel raises, and IdempotencyKeyReused.
    """
    change = partial(
        bookings.cancel,
        booking_id=booking.id,
        expected_version=expected_version,
        reason=reason,
        actor=actor,
        refund_percent=refund_percent,
    )
    return await once(database, booking, key, CancelledView, change)


async def _answered(tx: Transaction, key: Keyed, shape: type[V]) -> V | None:
    found = await find_answer(tx, key)
    return None if found is None else msgspec.convert({**found, "replayed": True}, shape)


async def _answer(tx: Transaction, key: Keyed, booking: Booking, shape: type[V]) -> V:
    shown = shape.of(booking)
    await keep_answer(tx, key, booking.id, shown)
    return shown


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for a change, of which version, and why."""

    expected_version: int | None
    reason: str | None
    actor: Actor = CLIENT


async def reschedule(
    desk: Reservations,
    booking: Booking,
    wish: Wish,
    *,
    expected_version: int | None,
    reason: str | None,
    actor: Actor = CLIENT,
) -> ChangedView:
    """Move an appointment to the place that is wished for, or change nothing.

    Staff may move off the grid of slots, inside the notice and beyond the horizon, also into the past.

    What was paid stays as it is: an offering of another price is refused, and so is one that is paid beforehand for
    whom has paid nothing.

    Raises SlotConflict with alternatives, CapacityExceeded, VersionConflict, PriceDiffers, PaymentRequired,
    NotChangeable, CancellationClosed, SlotNotOffered, IdempotencyKeyReused and what finding the place raises.
    """
    if (wish.schedule_id is None) != (booking.schedule_id is None):
        raise ValidationFailed.at("scheduleId", "an appointment moves from slot to slot, or from schedule to schedule")

    asked = Asked(expected_version, reason, actor)
    terms = MOVING if actor.is_client else STAFF
    for _ in range(_ASKS):
        async with desk.database.transaction(booking.business_id) as tx:
            # Read before the key is looked for: this very request, sent twice, may be done in between.
            now = await bookings.read_appointment(tx, booking.id)
            answered = await _answered(tx, wish.key, ChangedView)
        if answered is not None:
            return answered
        check_changeable(now, expected_version, actor)
        place = None if wish.schedule_id is not None else await desk.find_place(booking.business_id, wish, terms)
        if place is not None and not await _costs_no_more(desk, booking, place, actor):
            continue
        try:
            work = partial(_move, booking=booking, wish=wish, place=place, asked=asked)
            return await desk.database.run(booking.business_id, work)
        except _NotMoved as refused:
            outcome = refused.move.outcome
            if outcome == "spent":
                await desk.admission.sweep(booking.business_id)
            elif outcome == "stale":
                await desk.snapshots.refresh(booking.business_id)
            elif outcome != "again":
                return await _done_meanwhile(desk, booking, wish.key) or await _refuse(
                    desk, booking, place, refused.move, asked
                )
    raise TryLater


async def _costs_no_more(desk: Reservations, booking: Booking, place: Place, actor: Actor) -> bool:
    """Return whether a place is paid with what the appointment is paid with; False when that has to be looked at anew.

    Raises PriceDiffers, PaymentRequired.
    """
    service = place.service
    if service.price_minor == booking.price_minor:
        if actor.is_client and service.due_minor and booking.due_minor is None:
            raise PaymentRequired.of_reschedule()
        # Admission finds out when it is an old picture that says so.
        return True
    if await desk.snapshots.newer_than(place.snapshot) is None:
        raise PriceDiffers
    return False


async def _move(tx: Transaction, *, booking: Booking, wish: Wish, place: Place | None, asked: Asked) -> ChangedView:
    answered = await _answered(tx, wish.key, ChangedView)
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
        if asked.actor.is_client:
            request.notice_seconds = place.service.min_notice_minutes * 60
            request.horizon_seconds = place.service.max_horizon_days * 86_400
    move = await bookings.move(
        tx,
        booking.id,
        request,
        expected_version=asked.expected_version,
        reason=asked.reason,
        actor=asked.actor,
    )
    if move.outcome not in ("moved", "unchanged"):
        raise _NotMoved(move)
    return await _answer(tx, wish.key, await bookings.read_appointment(tx, booking.id), ChangedView)


async def _done_meanwhile(desk: Reservations, booking: Booking, key: Keyed) -> ChangedView | None:
    """Return the answer to this very request if it was sent twice, and the other one was faster."""
    async with desk.database.transaction(booking.business_id) as tx:
        return await _answered(tx, key, ChangedView)


async def _refuse(desk: Reservations, booking: Booking, place: Place | None, move: Move, asked: Asked) -> NoReturn:
    outcome = move.outcome
    if outcome == "not_confirmed" and not asked.actor.is_client and asked.expected_version != move.version:
        outcome = "version_conflict"
    if outcome == "refused":
        assert place is not None, "only slots are refused"
        details = await desk.conflict_details(booking.business_id, place, booking.party_size)
        raise SlotConflict.of_reschedule(details)
    if outcome in ("too_soon", "too_far"):
        raise_too(outcome)
    if outcome == "version_conflict":
        raise VersionConflict(details={"currentVersion": move.version})
    if outcome == "full":
        raise CapacityExceeded(details={"placesLeft": move.left})
    if outcome == "not_confirmed":
        raise NotChangeable(details={"status": move.state})
    if outcome == "payment_required":
        raise PaymentRequired.of_reschedule()
    refusals: dict[str, type[Exception]] = {
        "unknown_schedule": UnknownSchedule,
        "started": ScheduleStarted,
        "price_differs": PriceDiffers,
    }
    raise refusals[outcome]
