"""What booking keeps of a person, and how it forgets them (D-8)."""

from typing import Any
from uuid import UUID

import msgspec

from holdfast.booking.bookings import Booking, find_all, record
from holdfast.booking.contacts import person_of
from holdfast.booking.tokens import new_nonce
from holdfast.booking.waitlist import WaitlistRequest, give_back_all, opened
from holdfast.kernel.audit import Actor, forget_reasons, reasons_of
from holdfast.kernel.database import Transaction
from holdfast.kernel.privacy import Handles
from holdfast.kernel.sql import load

_SQL = load("holdfast.booking", "personal.sql")


async def any_plain(tx: Transaction) -> bool:
    """Return whether contacts or reasons of an earlier release are in plain text, and could not be forgotten."""
    return bool(await tx.value(_SQL["any_plain"], {"business_id": tx.business_id}))


async def expected(tx: Transaction, whom: Handles) -> list[UUID]:
    """Return the appointments of a person that have not ended and still stand."""
    return [row["id"] for row in await tx.rows(_SQL["expected"], _values(tx, whom))]


async def told_of(tx: Transaction, whom: Handles) -> dict[str, list[dict[str, Any]]]:
    """Return the bookings of a person with contact, note, intake form and reasons, and what they wait for."""
    keys = await tx.keys()
    rows = {row["id"]: row for row in await tx.rows(_SQL["bookings_of"], _values(tx, whom))}
    bookings = []
    for booking in await find_all(tx, list(rows)):
        row = rows[booking.id]
        intake = row["intake"] and keys.open("intake_forms.answers", row["intake_id"], bytes(row["intake"]))
        bookings.append(
            _shown(booking)
            | {"contact": msgspec.to_builtins(person_of(keys, booking))}
            | {"note": row["note"] and keys.open("bookings.note", booking.id, bytes(row["note"]))}
            | {"intake": intake and msgspec.json.decode(intake)}
            | {"reasons": await reasons_of(tx, booking.id)}
        )
    return {"bookings": bookings, "waitlist": [_awaited(request) for request in await waits_of(tx, whom)]}


async def waits_of(tx: Transaction, whom: Handles) -> list[WaitlistRequest]:
    """Return what a person waits for, and has waited for, in the order in which they asked."""
    keys = await tx.keys()
    return [opened(keys, row) for row in await tx.rows(_SQL["waits_of"], _values(tx, whom))]


async def lock_forgettable(tx: Transaction, whom: Handles) -> list[UUID]:
    """Return the bookings of a person that can be forgotten, locked until the transaction ends.

    What they are offered is given back first: its places are locked before bookings.
    """
    await give_back_all(tx, [row["offered"] for row in await tx.rows(_SQL["lock_offered_to"], _values(tx, whom))])
    return [row["id"] for row in await tx.rows(_SQL["lock_bookings_of"], _values(tx, whom))]


async def forget(tx: Transaction, whom: Handles, actor: Actor) -> dict[str, int]:
    """Take contact, note, intake form and reasons from the bookings of a person, and their requests from the waitlist.

    Time, state, price and history stay, and so do appointments that are expected: they may have been made just now.
    Whoever still has the token of a forgotten booking, or of its series, opens nothing with it. What they are offered
    goes to the next in line.
    """
    ids = await lock_forgettable(tx, whom)
    for booking in await find_all(tx, ids):
        values = {"business_id": tx.business_id, "id": booking.id, "nonce": new_nonce()}
        await tx.run(_SQL["forget_contact"], values)
        await tx.run(_SQL["forget_intake"], values)
        await forget_reasons(tx, booking.id)
        await record(tx, booking, "forget_person", "AppointmentUpdated", actor, None)
    await tx.run(_SQL["forget_series"], {"business_id": tx.business_id, "ids": ids, "nonce": new_nonce()})
    return {"bookings": len(ids), "waitlist": await tx.run(_SQL["forget_waits"], _values(tx, whom))}


def _values(tx: Transaction, whom: Handles) -> dict[str, Any]:
    return {"business_id": tx.business_id, "email": whom.email, "phone": whom.phone}


def _shown(booking: Booking) -> dict[str, Any]:
    return {
        "id": booking.id,
        "status": booking.status,
        "start": booking.starts_at,
        "end": booking.ends_at,
        "partySize": booking.party_size,
        "priceMinor": booking.price_minor,
        "currency": booking.currency,
        "timezone": booking.timezone,
        "locale": booking.locale,
    }


def _awaited(request: WaitlistRequest) -> dict[str, Any]:
    wanted, guest = request.wanted, request.guest
    contact = {"email": guest.email, "phone": guest.phone, "name": guest.name}
    return {
        "id": request.id,
        "status": request.status,
        "serviceId": wanted.service_id,
        "scheduleId": wanted.schedule_id,
        "from": wanted.start,
        "to": wanted.end,
        "partySize": wanted.party_size,
        "timezone": guest.timezone,
        "locale": guest.locale,
        "contact": {name: text for name, text in contact.items() if text is not None},
        "createdAt": request.created_at,
    }
