"""What happens to a booking after its hold: reading, extending, releasing, cancelling, moving."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from holdfast.booking.admission import Request, queries
from holdfast.booking.errors import (
    AlreadyCancelled,
    AppointmentNotFound,
    CancellationClosed,
    HoldLimitReached,
    IdempotencyKeyReused,
    NotChangeable,
    ReservationNotFoundOrExpired,
    VersionConflict,
    VersionRequired,
)
from holdfast.booking.giving_back import amount_of, percent_of
from holdfast.booking.states import CANCELLABLE, UNCOMMITTED, BookingState
from holdfast.kernel.audit import CLIENT, Actor, seal_reason
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import UserError


@dataclass(frozen=True, slots=True)
class Booking:
    """A booking as its row tells, with the rules of its offering and the time at which it was read."""

    business_id: UUID
    id: UUID
    service_id: UUID | None
    schedule_id: UUID | None
    starts_at: datetime
    ends_at: datetime
    party_size: int
    state: str
    version: int
    held_at: datetime
    expires_at: datetime | None
    price_minor: int
    currency: str
    timezone: str | None
    locale: str | None
    contact: bytes | None
    # In plain text, of a row of an earlier release that is not sealed yet.
    guest_email: str | None
    guest_phone: str | None
    guest_name: str | None
    has_note: bool
    token_nonce: bytes | None
    # What has to be paid before it is confirmed; the terms that its client has agreed to with that, and how much of it
    # goes back, once it was cancelled or refunded.
    due_minor: int | None
    refund_terms: list[dict[str, int]] | None
    refund_percent: int | None
    # More does not go back to its client, who has moved it when it was this much.
    refund_most_percent: int | None
    now: datetime
    resource_ids: list[UUID]
    cancel_notice_minutes: int
    hold_minutes: int
    # What goes back of its money with the change that was just made.
    refund_minor: int = 0

    @property
    def status(self) -> BookingState:
        """Return the state; a hold that has run out is expired, swept or not (B-4)."""
        if self.state == BookingState.HELD and self.expires_at is not None and self.expires_at <= self.now:
            return BookingState.EXPIRED
        return BookingState(self.state)

    @property
    def remaining_seconds(self) -> int:
        """Return how long the place still waits, for the commit or for the payment: 0 when it does not."""
        if self.status not in (BookingState.HELD, BookingState.PENDING_PAYMENT) or self.expires_at is None:
            return 0
        return max(int((self.expires_at - self.now).total_seconds()), 0)

    @property
    def was_committed(self) -> bool:
        """Return whether it is, or was, an appointment: also one that has expired unpaid, which knows its terms."""
        return self.state not in UNCOMMITTED or self.refund_terms is not None


@dataclass(frozen=True, slots=True)
class Keyed:
    """The key of a request and the fingerprint by which the same request is known again (B-9).

    `guard_seconds` marks a key that the guard for clients without keys has made, and for how long it counts (B-10).
    """

    key: str | None
    operation: str
    hash: str
    guard_seconds: int | None = None


def keyed(key: str | None, operation: str, request: bytes) -> Keyed:
    """Return the key with the hash of a request, which is given without the key and in one order of its members."""
    return Keyed(key, operation, "" if key is None else hashlib.sha256(request).hexdigest())


async def find_answer(tx: Transaction, key: Keyed) -> Any | None:
    """Return what this request was answered before, or None.

    Raises IdempotencyKeyReused when the key belongs to another request.
    """
    if key.key is None:
        return None
    rows = await tx.rows(queries["find_key"], {"business_id": tx.business_id, "key": key.key})
    if not rows:
        return None
    if rows[0]["operation"] != key.operation or rows[0]["request_hash"] != key.hash:
        raise IdempotencyKeyReused
    return rows[0]["answer"]


async def keep_answer(tx: Transaction, key: Keyed, booking_id: UUID | None, answer: object) -> None:
    """Write down what a request was answered, in the transaction of its effect."""
    if key.key is not None:
        await tx.run(
            queries["write_key"],
            {
                "business_id": tx.business_id,
                "key": key.key,
                "operation": key.operation,
                "hash": key.hash,
                "booking_id": booking_id,
                "answer": msgspec.json.encode(answer).decode(),
            },
        )


async def find(tx: Transaction, booking_id: UUID) -> Booking | None:
    """Return a booking in any state."""
    return await tx.first(Booking, queries["find_bookings"], {"business_id": tx.business_id, "ids": [booking_id]})


async def find_all(tx: Transaction, booking_ids: list[UUID]) -> list[Booking]:
    """Return those of the bookings that are there, in the order of the ids."""
    found = await tx.all(Booking, queries["find_bookings"], {"business_id": tx.business_id, "ids": booking_ids})
    place = {booking_id: number for number, booking_id in enumerate(booking_ids)}
    return sorted(found, key=lambda booking: place[booking.id])


async def read_reservation(tx: Transaction, booking_id: UUID) -> Booking:
    """Return a booking by the id of its reservation, in every state.

    Raises ReservationNotFoundOrExpired (404).
    """
    booking = await find(tx, booking_id)
    if booking is None:
        raise ReservationNotFoundOrExpired
    return booking


async def read_appointment(tx: Transaction, booking_id: UUID) -> Booking:
    """Return a booking that has been committed, whatever became of it.

    Raises AppointmentNotFound.
    """
    booking = await find(tx, booking_id)
    if booking is None or not booking.was_committed:
        raise AppointmentNotFound
    return booking


async def extend(tx: Transaction, booking_id: UUID, ttl_seconds: int | None) -> Booking:
    """Prolong a live hold to so many seconds from now, at most its offering's hold time and 24 hours in all.

    Never shortens. Raises ReservationNotFoundOrExpired (404, 410) and HoldLimitReached.
    """
    before = await lock_reservation(tx, booking_id)
    allowed = before.hold_minutes * 60
    ttl = min(ttl_seconds or allowed, allowed)
    changed = await tx.run(queries["extend_hold"], {"business_id": tx.business_id, "id": booking_id, "ttl": ttl})
    if changed == 0:
        if before.status is BookingState.HELD:
            raise HoldLimitReached
        raise ReservationNotFoundOrExpired.gone()
    return await read_reservation(tx, booking_id)


async def release(tx: Transaction, booking_id: UUID) -> None:
    """Give a held place back; nothing happens when it was released before.

    Raises ReservationNotFoundOrExpired (404, 410), NotChangeable for an appointment.
    """
    before = await lock_reservation(tx, booking_id)
    if before.state == BookingState.RELEASED:
        return
    if before.state not in UNCOMMITTED:
        raise NotChangeable(
            "This reservation is an appointment already; cancel the appointment instead",
            details={"status": before.state},
        )
    if await tx.run(queries["release_hold"], {"business_id": tx.business_id, "id": booking_id}) == 0:
        raise ReservationNotFoundOrExpired.gone()
    await tx.run(queries["free_places"], {"business_id": tx.business_id, "id": booking_id})


async def cancel(
    tx: Transaction,
    booking_id: UUID,
    *,
    expected_version: int | None,
    reason: str | None,
    actor: Actor = CLIENT,
    refund_percent: int | None = None,
) -> Booking:
    """Cancel an appointment that is confirmed or awaits its payment, and free its place, once.

    How much of its money goes back is written down with it: `refund_percent`, which staff may name, or what its terms
    say. Whoever took the money sends it. The answer tells how much that is.

    Raises AlreadyCancelled and what check_changeable and percent_of raise, AppointmentNotFound.
    """
    before = await lock_appointment(tx, booking_id)
    if before.state == BookingState.CANCELLED:
        raise AlreadyCancelled
    check_changeable(before, expected_version, actor, states=CANCELLABLE)
    percent = percent_of(before, actor, refund_percent)
    values = {"business_id": tx.business_id, "id": booking_id}
    await tx.run(queries["cancel_appointment"], values | {"refund_percent": percent})
    await tx.run(queries["free_places"], values)
    await record(tx, before, "cancel", "AppointmentCancelled", actor, reason)
    return replace(await read_appointment(tx, booking_id), refund_minor=await amount_of(tx, before, percent))


class Move(msgspec.Struct):
    """What move_booking() says; see admission.sql for the outcomes."""

    outcome: str
    state: str | None
    version: int | None
    left: int | None


_decode_move = msgspec.json.Decoder(Move).decode


async def move(
    tx: Transaction,
    booking_id: UUID,
    request: Request,
    *,
    expected_version: int | None,
    reason: str | None,
    actor: Actor = CLIENT,
) -> Move:
    """Try to move an appointment to another place; the caller rolls back unless the outcome is `moved`."""
    request.chain_key = (await tx.keys()).chain_key(booking_id).hex()
    text = await tx.value(
        queries["move_booking"],
        {
            "business_id": tx.business_id,
            "id": booking_id,
            "expected_version": expected_version,
            "request": msgspec.json.encode(request).decode(),
            "actor": actor.kind,
            "actor_id": actor.id,
            "reason_id": await seal_reason(tx, reason),
        },
    )
    return _decode_move(text)


def check_version(booking: Booking, expected_version: int | None, actor: Actor) -> None:
    """Let a booking be changed only as it was seen; staff have to say how they saw it.

    Raises VersionRequired, VersionConflict.
    """
    if expected_version is None and not actor.is_client:
        raise VersionRequired
    if expected_version is not None and expected_version != booking.version:
        raise VersionConflict(details={"currentVersion": booking.version})


def check_changeable(
    booking: Booking,
    expected_version: int | None,
    actor: Actor = CLIENT,
    *,
    with_notice: bool = True,
    states: Collection[BookingState] = frozenset({BookingState.CONFIRMED}),
) -> None:
    """Let a booking be changed only while it is confirmed, as it was seen, and by a client only in time.

    `states` are others that will do as well. Raises AlreadyCancelled, NotChangeable, VersionRequired, VersionConflict,
    CancellationClosed.
    """
    if not actor.is_client:
        # Whatever has become of it: that it was changed, and by whom, tells more than what it is now.
        check_version(booking, expected_version, actor)
    if booking.state == BookingState.CANCELLED:
        raise AlreadyCancelled
    if booking.state not in states:
        raise NotChangeable(details={"status": booking.state})
    check_version(booking, expected_version, actor)
    until = booking.starts_at - timedelta(minutes=booking.cancel_notice_minutes)
    # Who has not paid yet may give the place back at any time.
    is_binding = with_notice and booking.state == BookingState.CONFIRMED
    if is_binding and actor.is_client and booking.now >= until:
        raise CancellationClosed(details={"until": until})


async def back_if_cancelled(tx: Transaction, booking: Booking) -> tuple[int, int] | None:
    """Return the percent and the amount that its client would get back now, by cancelling it.

    The amount in minor units; None where nothing was due, or a client cannot cancel it any more.
    """
    try:
        check_changeable(booking, None, CLIENT, states=CANCELLABLE)
    except UserError:
        return None
    percent = percent_of(booking, CLIENT)
    return None if percent is None else (percent, await amount_of(tx, booking, percent))


async def lock_reservation(tx: Transaction, booking_id: UUID) -> Booking:
    """Return a booking in any state, locked with all that changing it may touch.

    Raises ReservationNotFoundOrExpired (404).
    """
    await tx.run(queries["lock_booking"], {"business_id": tx.business_id, "id": booking_id})
    return await read_reservation(tx, booking_id)


async def lock_appointment(tx: Transaction, booking_id: UUID) -> Booking:
    """Return an appointment, locked with all that changing it may touch.

    Raises AppointmentNotFound.
    """
    await tx.run(queries["lock_booking"], {"business_id": tx.business_id, "id": booking_id})
    return await read_appointment(tx, booking_id)


async def read_still(tx: Transaction, booking_id: UUID) -> Booking:
    """Return an appointment that nobody changes before this transaction ends: what is written by it stays true.

    Raises AppointmentNotFound.
    """
    await tx.run(queries["hold_still"], {"business_id": tx.business_id, "id": booking_id})
    return await read_appointment(tx, booking_id)


async def taken_by(tx: Transaction, booking: Booking) -> Collection[UUID]:
    """Return whom and what an appointment takes, or took until it was cancelled or refunded."""
    if booking.resource_ids:
        return booking.resource_ids
    named = {"business_id": tx.business_id, "id": booking.id}
    return await tx.value(queries["former_resources"], named) or []


async def record(tx: Transaction, before: Booking, action: str, event: str, actor: Actor, reason: str | None) -> None:
    """Write the audit entry and the event of a change that was just made."""
    await tx.run(
        queries["record_change"],
        {
            "business_id": tx.business_id,
            "id": before.id,
            "action": action,
            "from_state": before.state,
            "actor": actor.kind,
            "actor_id": actor.id,
            "chain_key": (await tx.keys()).chain_key(before.id),
            "reason_id": await seal_reason(tx, reason),
            "event": event,
        },
    )
