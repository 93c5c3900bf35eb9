"""What clients do: each visit is what one person does with one booking, from the first request to the last."""

import asyncio
from dataclasses import replace

from proof.clients import Answer, Body, Client, Request, other_body, slot_body
from proof.history import Asked, Place
from proof.stage import Stage

# Few enough that clients meet; beside them anybody may ask for anything.
_SOUGHT_AFTER = 6
_SHARE_SOUGHT_AFTER = 0.7
_HOLD_SECONDS = 600
_SHORT_HOLD_SECONDS = 1


async def visit(client: Client, stage: Stage) -> None:
    """Take a place, or be refused, and do with it whatever people do."""
    wish = _wish(client, stage)
    taken = await client.ask(wish)
    if taken is None or not taken.done:
        return
    if client.chance.random() < 0.08:
        await client.attempt(wish)
    elif client.chance.random() < 0.05:
        # Its key with another wish: refused, and the booking stays as it is.
        await client.attempt(other_body(wish, partySize=(wish.asked.party or 1) + 1))
    if wish.operation == "book":
        await _keep(client, stage, wish, taken)
    else:
        await _decide(client, stage, wish, taken)


async def _decide(client: Client, stage: Stage, wish: Request, held: Answer) -> None:
    """Commit what is held, or give it back, or forget it."""
    match client.chance.choices(("commit", "extend", "release", "forget"), (60, 8, 26, 6))[0]:
        case "commit":
            await _commit(client, stage, wish, held)
        case "extend":
            if await client.ask(_extend(held)) is not None:
                await _commit(client, stage, wish, held)
        case "release":
            if await client.ask(_release(held)) is not None and client.chance.random() < 0.1:
                # Too late: what was given back is not committed.
                await client.ask(_commitment(client, held))
        case _:
            pass


def _wish(client: Client, stage: Stage) -> Request:
    """Return a wish for a place; now and then one that is held for a moment only, or booked in one call."""
    place, party = _place(client, stage)
    chance = client.chance.random()
    body: Body = slot_body(place) | {"partySize": party, "businessId": stage.business}
    paid = place.service is not None and stage.offer(place.service).due_minor > 0
    if chance < 0.15 and not paid:
        body |= {"guestEmail": f"{client.name}@example.org"}
        asked = Asked(place, party)
        return Request("book", "POST", "/api/booking/book", body, asked, client.new_key())
    ttl = _SHORT_HOLD_SECONDS if chance > 0.93 else _HOLD_SECONDS
    asked = Asked(place, party, ttl)
    return Request("reserve", "POST", "/api/booking/reserve", body | {"ttlSeconds": ttl}, asked, client.new_key())


def _place(client: Client, stage: Stage) -> tuple[Place, int]:
    chance = client.chance
    offers = [offer for offer in stage.offers if client.around.pay is not None or not offer.due_minor]
    number = chance.randrange(len(offers) + 1)
    sought = chance.random() < _SHARE_SOUGHT_AFTER
    if number == len(offers):
        group = chance.choice(stage.groups[:_SOUGHT_AFTER] if sought else stage.groups)
        return Place(schedule=group.schedule, start=group.start, end=group.end), chance.randint(1, 3)
    offer = offers[number]
    start = chance.choice(offer.slots[:_SOUGHT_AFTER] if sought else offer.slots)
    [first, *_] = offer.needs
    party = chance.randint(1, 3) if stage.capacities[first[0]] > 1 else 1
    # Now and then somebody wants to come to one of them, not to any.
    named = chance.choice(first) if len(first) > 1 and chance.random() < 0.2 else None
    return Place(offer.service, None, start, start + offer.minutes * 60, named), party


def _commitment(client: Client, held: Answer) -> Request:
    booking = str(held.body["reservationId"])
    body = {"reservationId": booking, "guestEmail": f"{client.name}@example.org"}
    return Request("commit", "POST", "/api/booking/commit", body, Asked(booking=booking))


def _extend(held: Answer) -> Request:
    booking = str(held.body["reservationId"])
    path = f"/api/booking/reservations/{booking}/extend"
    asked = Asked(booking=booking, ttl_seconds=_HOLD_SECONDS + 200)
    return Request("extend", "POST", path, {"ttlSeconds": asked.ttl_seconds}, asked)


def _release(held: Answer) -> Request:
    booking = str(held.body["reservationId"])
    return Request("release", "DELETE", f"/api/booking/reservations/{booking}", {}, Asked(booking=booking))


async def _commit(client: Client, stage: Stage, wish: Request, held: Answer) -> None:
    request = _commitment(client, held)
    committed = await client.ask(request)
    if committed is None or not committed.done:
        return
    pay_at = None if committed.call.told is None else committed.call.told.pay_at
    if pay_at is not None and client.around.pay is not None and client.chance.random() < 0.8:
        await client.around.pay(pay_at)
    if client.chance.random() < 0.1:
        await client.attempt(request)
    await _keep(client, stage, wish, committed)


async def _keep(client: Client, stage: Stage, wish: Request, kept: Answer) -> None:
    """Come to what was booked, or move it, or cancel it, or both."""
    paid = kept.body["status"] == "pending_payment"
    if not paid and client.chance.random() < 0.3:
        moved = await client.ask(_move(client, stage, wish, kept))
        if moved is None:
            return
        if not moved.done and moved.call.code not in {"slot_conflict", "CAPACITY_EXCEEDED"}:
            return
    if client.chance.random() < 0.6:
        request = _cancellation(client, kept)
        cancelled = await client.ask(request)
        if cancelled is not None and client.chance.random() < 0.1:
            await asyncio.gather(client.ask(request), client.ask(replace(request, key=client.new_key())))


def _move(client: Client, stage: Stage, wish: Request, kept: Answer) -> Request:
    """Ask for another time of the same; by staff where there are any, now and then."""
    booking = str(kept.body["appointmentId"])
    place = wish.asked.place
    assert place is not None, "a wish is for a place"
    if place.schedule is not None:
        group = client.chance.choice(stage.groups[:_SOUGHT_AFTER])
        place = Place(schedule=group.schedule, start=group.start, end=group.end)
    else:
        assert place.service is not None, "a slot is of a service"
        offer = stage.offer(place.service)
        start = client.chance.choice(offer.slots[: 2 * _SOUGHT_AFTER])
        place = Place(offer.service, None, start, start + offer.minutes * 60)
    asked = Asked(place, kept.body["partySize"], booking=booking)
    path = f"/api/booking/appointments/{booking}"
    if client.around.staff_key is not None and client.chance.random() < 0.5:
        headers = {"Authorization": f"Bearer {client.around.staff_key}"}
        body = slot_body(place) | {"expectedVersion": kept.body["version"]}
        return Request("reschedule", "PATCH", path, body, asked, client.new_key(), headers)
    headers = {"Booking-Token": str(kept.body["cancellationToken"])}
    return Request("reschedule", "PATCH", path, slot_body(place), asked, client.new_key(), headers)


def _cancellation(client: Client, kept: Answer) -> Request:
    booking = str(kept.body["appointmentId"])
    path = f"/api/booking/appointments/{booking}/cancel"
    body = {"cancellationToken": kept.body["cancellationToken"]}
    return Request("cancel", "POST", path, body, Asked(booking=booking), client.new_key())
