"""Appointments that staff make, without a reservation (B-14)."""

from dataclasses import dataclass
from functools import partial

import msgspec

from holdfast.booking.admission import Request
from holdfast.booking.bookings import Booking, find_answer, keep_answer, read_appointment
from holdfast.booking.contacts import Contact, Person, put_person
from holdfast.booking.errors import (
    CapacityExceeded,
    IdempotencyKeyReused,
    SlotConflict,
    UnknownSchedule,
)
from holdfast.booking.reservations import Place, Reservations, Wish
from holdfast.booking.terms import OVERRIDE, STAFF
from holdfast.booking.views import ChangedView
from holdfast.identity.staff import Staff
from holdfast.kernel.audit import seal_reason
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import TryLater
from holdfast.kernel.ids import new_id
from holdfast.kernel.sql import load

_SQL = load("holdfast.booking", "staff_queries.sql")
_ASKS = 40


class Booked(msgspec.Struct):
    """What book_by_staff() says; see staff.sql for the outcomes."""

    outcome: str
    left: int | None


_decode = msgspec.json.Decoder(Booked).decode


class _NotBooked(Exception):
    def __init__(self, booked: Booked) -> None:
        self.booked = booked


@dataclass(frozen=True, slots=True)
class Manual:
    """What one of the staff wants to book, for whom; with `overrides`, outside opening hours and over busy time."""

    staff: Staff
    wish: Wish
    contact: Contact
    overrides: bool = False
    reason: str | None = None


async def book_manually(desk: Reservations, manual: Manual) -> tuple[ChangedView, Booking]:
    """Make a confirmed appointment; return the answer, which is the same for the same key, with its booking as it is.

    Staff may book off the grid of slots, inside the notice, beyond the horizon and in the past; opening hours and busy
    time bind unless they are overridden, capacity and daily limits always. What clients pay beforehand is not due here:
    staff are paid in another way.
    Raises SlotConflict, SlotNotOffered, CapacityExceeded, IdempotencyKeyReused, and what finding the place raises.
    """
    business_id, wish = manual.staff.business_id, manual.wish
    terms = OVERRIDE if manual.overrides else STAFF
    for _ in range(_ASKS):
        async with desk.database.transaction(business_id) as tx:
            answered = await _answered(tx, manual)
        if answered is not None:
            return answered
        place = None if wish.schedule_id is not None else await desk.find_place(business_id, wish, terms)
        try:
            return await desk.database.run(business_id, partial(_book, desk=desk, manual=manual, place=place))
        except IdempotencyKeyReused:
            continue  # Somebody was faster with this very key: the next look finds out what they were told.
        except _NotBooked as refused:
            outcome = refused.booked.outcome
            if outcome == "spent":
                await desk.admission.sweep(business_id)
            elif outcome == "stale":
                await desk.snapshots.refresh(business_id)
            elif outcome != "again":
                # It may be this very request, sent twice, that has taken the last place.
                async with desk.database.transaction(business_id) as tx:
                    answered = await _answered(tx, manual)
                if answered is not None:
                    return answered
                raise await _refusal(desk, manual, place, refused.booked) from None
    raise TryLater


async def _answered(tx: Transaction, manual: Manual) -> tuple[ChangedView, Booking] | None:
    found = await find_answer(tx, manual.wish.key)
    if found is None:
        return None
    shown = msgspec.convert({**found, "replayed": True}, ChangedView)
    return shown, await read_appointment(tx, shown.appointment_id)


async def _book(
    tx: Transaction, *, desk: Reservations, manual: Manual, place: Place | None
) -> tuple[ChangedView, Booking]:
    wish, contact = manual.wish, manual.contact
    request = Request(
        id=new_id(),
        operation=wish.key.operation,
        party=wish.party,
        schedule=wish.schedule_id,
        timezone=contact.timezone,
        locale=contact.locale,
    )
    put_person(request, await tx.keys(), Person(contact.email, contact.phone, contact.name))
    if place is not None:
        desk.put_place(request, place)
        if request.solo is not None:
            request.needs, request.solo = [[request.solo]], None
    text = await tx.value(
        _SQL["book_by_staff"],
        {
            "business_id": tx.business_id,
            "request": msgspec.json.encode(request).decode(),
            "ignores_busy": manual.overrides,
            "actor_id": manual.staff.id,
            "reason_id": await seal_reason(tx, manual.reason),
        },
    )
    booked = _decode(text)
    if booked.outcome != "booked":
        raise _NotBooked(booked)
    booking = await read_appointment(tx, request.id)
    shown = ChangedView.of(booking)
    await keep_answer(tx, wish.key, booking.id, shown)
    return shown, booking


async def _refusal(desk: Reservations, manual: Manual, place: Place | None, booked: Booked) -> Exception:
    if booked.outcome == "refused":
        assert place is not None, "only slots are refused"
        return SlotConflict(details=await desk.conflict_details(manual.staff.business_id, place, manual.wish.party))
    if booked.outcome == "full":
        return CapacityExceeded(details={"placesLeft": booked.left})
    assert booked.outcome == "unknown_schedule", "every other outcome was dealt with"
    return UnknownSchedule()


def token_of(desk: Reservations, booking: Booking) -> str:
    """Return the token for the client of an appointment, to be handed on to them."""
    assert booking.token_nonce is not None, "what was booked has a nonce"
    return desk.tokens.token(booking.business_id, booking.id, booking.token_nonce)
