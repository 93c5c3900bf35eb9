"""The waitlist: who wants a service within a window, or places of a schedule, and what becomes of their offers.

`offers.py` makes the offers (W-1). An offer is a hold: whoever commits it has accepted it, and when it ends otherwise
the request has passed. That is read from the booking, and written down when somebody comes by.

Order of locks: a request before the booking that it was offered, and what that takes.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from holdfast.booking import bookings
from holdfast.booking.contacts import Guest
from holdfast.booking.errors import (
    NotChangeable,
    PaymentsUnavailable,
    ReservationNotFoundOrExpired,
    ScheduleStarted,
    UnknownSchedule,
    UnknownService,
)
from holdfast.booking.states import CANCELLABLE
from holdfast.kernel.audit import emit
from holdfast.kernel.database import Row, Transaction
from holdfast.kernel.errors import NotFound, ValidationFailed
from holdfast.kernel.lists import page_of, place_of
from holdfast.kernel.privacy import TenantKeys
from holdfast.kernel.sql import load

_SQL = load(__package__, "waitlist.sql")

_SEALED = ("contact_email", "contact_phone", "contact_name")
_SETTLED_AT_ONCE = 100


class RequestState(StrEnum):
    """What has become of a request. A migration knows the same words."""

    WAITING = "waiting"
    OFFERED = "offered"
    ACCEPTED = "accepted"
    WITHDRAWN = "withdrawn"
    # What was offered was not taken, or what was wanted is over.
    PASSED = "passed"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody waits for: a service that begins within [start, end), or places of a schedule."""

    party_size: int
    service_id: UUID | None = None
    schedule_id: UUID | None = None
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """A place that is held for somebody who waits, or that they have accepted."""

    booking_id: UUID
    start: datetime
    end: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class WaitlistRequest:
    """A request, opened. It has an offer while it is offered a place, and when it has accepted one."""

    id: UUID
    status: RequestState
    wanted: Wanted
    guest: Guest
    created_at: datetime
    offer: Offer | None = None


@dataclass(frozen=True, slots=True)
class Filters:
    """Which requests are looked for; None leaves it open."""

    status: RequestState | None = None
    service_id: UUID | None = None
    schedule_id: UUID | None = None


async def wait(tx: Transaction, wanted: Wanted, guest: Guest) -> WaitlistRequest:
    """Put somebody on the waitlist; the same request when the same contact wants the same again.

    Raises UnknownService, UnknownSchedule, PaymentsUnavailable, ScheduleStarted, ValidationFailed for a window that is
    over and for a party that the schedule, or what the service needs, never has places for.
    """
    await _check(tx, wanted)
    keys = await tx.keys()
    email_index = keys.index_email(guest.email)
    phone_index = None if guest.phone is None else keys.index_phone(guest.phone)
    request_id = _id_of(keys, wanted, email_index, phone_index)
    sealed = {
        name: None if text is None else keys.seal(f"waitlist_requests.contact_{name}", request_id, text)
        for name, text in (("email", guest.email), ("phone", guest.phone), ("name", guest.name))
    }
    values = {
        "business_id": tx.business_id,
        "id": request_id,
        "service_id": wanted.service_id,
        "schedule_id": wanted.schedule_id,
        "from": wanted.start,
        "to": wanted.end,
        "party": wanted.party_size,
        "email_index": email_index,
        "phone_index": phone_index,
        "timezone": guest.timezone,
        "locale": guest.locale,
    }
    # Whose offer has just run out asks anew.
    await settle(tx, request_id)
    await tx.run(_SQL["wait"], values | sealed)
    return await find(tx, request_id)


async def withdraw(tx: Transaction, request_id: UUID) -> None:
    """Take somebody from the waitlist, and what they were offered from them.

    Nothing happens to a request that has ended, also with the appointment that it came to. Raises NotFound,
    NotChangeable for one whose offer is an appointment that can be cancelled.
    """
    named = {"business_id": tx.business_id, "id": request_id}
    rows = await tx.rows(_SQL["lock_request"], named)
    if not rows:
        raise NotFound
    if rows[0]["state"] in (RequestState.OFFERED, RequestState.ACCEPTED):
        booking_id = rows[0]["offered_booking_id"]
        try:
            await _give_back(tx, booking_id)
        except NotChangeable as taken:
            status = taken.details["status"]
            if status in CANCELLABLE:
                raise NotChangeable(
                    "What you were offered is your appointment by now; cancel the appointment instead",
                    details={"status": status, "appointmentId": booking_id},
                ) from None
            await settle(tx, request_id)
    await tx.run(_SQL["withdraw"], named)


async def give_back_all(tx: Transaction, offered: Sequence[UUID]) -> None:
    """Give back what was offered to requests that are locked, unless it is an appointment by now."""
    if offered:
        # All at once: one after another they would be locked in an order of their own.
        await tx.run(_SQL["lock_offers"], {"business_id": tx.business_id, "ids": list(offered)})
    for booking_id in offered:
        with suppress(NotChangeable):
            await _give_back(tx, booking_id)


async def settle(tx: Transaction, request_id: UUID | None = None) -> int:
    """Write down what has become of offers that have ended, up to 100, or of one; return of how many."""
    values = {"business_id": tx.business_id, "id": request_id, "limit": _SETTLED_AT_ONCE}
    settled = await tx.rows(_SQL["settle_offers"], values)
    await _tell_passed(tx, settled)
    return len(settled)


async def pass_over(tx: Transaction) -> int:
    """Let requests pass, up to 100, whose window is over or whose schedule has begun; return how many."""
    passed = await tx.rows(_SQL["pass_over"], {"business_id": tx.business_id, "limit": _SETTLED_AT_ONCE})
    await _tell_passed(tx, passed)
    return len(passed)


async def tell(tx: Transaction, event: str, request: Row) -> None:
    """Write a fact about a request, which is locked, for others: whose it is and what it is about, nobody's contact."""
    version = await tx.value(_SQL["next_version"], {"business_id": tx.business_id, "id": request["id"]})
    payload = {
        "waitlistId": request["id"],
        "reservationId": request["offered_booking_id"],
        "serviceId": request["service_id"],
        "scheduleId": request["schedule_id"],
    }
    await emit(tx, request["id"], version, event, payload)


async def find(tx: Transaction, request_id: UUID) -> WaitlistRequest:
    """Return a request of the business; raises NotFound."""
    rows = await tx.rows(_SQL["request"], {"business_id": tx.business_id, "id": request_id})
    if not rows:
        raise NotFound
    return opened(await tx.keys(), rows[0])


async def list_requests(
    tx: Transaction, filters: Filters, *, cursor: str | None = None, limit: int = 100
) -> tuple[list[WaitlistRequest], str | None]:
    """Return a page of requests, whoever asked first first, and the cursor of the next page.

    Raises ValidationFailed for a cursor that no page has given.
    """
    after, after_id = place_of(cursor)
    values = {
        "business_id": tx.business_id,
        "state": filters.status,
        "service_id": filters.service_id,
        "schedule_id": filters.schedule_id,
        "after": after,
        "after_id": after_id,
        "limit": limit + 1,
    }
    keys = await tx.keys()
    found = [opened(keys, row) for row in await tx.rows(_SQL["requests"], values)]
    return page_of(found, limit, lambda request: (request.created_at, request.id))


def opened(keys: TenantKeys, row: Row) -> WaitlistRequest:
    """Return what a row with all of a request holds."""
    email, phone, name = (
        row[column] and keys.open(f"waitlist_requests.{column}", row["id"], bytes(row[column])) for column in _SEALED
    )
    status = RequestState(row["state"])
    offer = None
    if status in (RequestState.OFFERED, RequestState.ACCEPTED):
        offer = Offer(row["booking_id"], row["starts_at"], row["ends_at"], row["expires_at"])
    return WaitlistRequest(
        row["id"],
        status,
        Wanted(row["party_size"], row["service_id"], row["schedule_id"], row["wanted_from"], row["wanted_to"]),
        Guest(email, phone, name, row["timezone"], row["locale"]),
        row["created_at"],
        offer,
    )


async def _give_back(tx: Transaction, booking_id: UUID) -> None:
    # One that has run out is nobody's already.
    with suppress(ReservationNotFoundOrExpired):
        await bookings.release(tx, booking_id)


async def _tell_passed(tx: Transaction, requests: Sequence[Row]) -> None:
    for request in requests:
        if request["state"] == RequestState.PASSED:
            await tell(tx, "WaitlistPassed", request)


async def _check(tx: Transaction, wanted: Wanted) -> None:
    if wanted.schedule_id is not None:
        values = {"business_id": tx.business_id, "id": wanted.schedule_id}
        rows = await tx.rows(_SQL["schedule_waited_for"], values)
        if not rows:
            raise UnknownSchedule
        if rows[0]["has_started"]:
            raise ScheduleStarted
        if wanted.party_size > rows[0]["max_capacity"]:
            raise ValidationFailed.at("partySize", "is more than the schedule has places")
        return
    rows = await tx.rows(_SQL["service_waited_for"], {"business_id": tx.business_id, "id": wanted.service_id})
    if not rows:
        raise UnknownService
    if rows[0]["cannot_be_paid"]:
        raise PaymentsUnavailable
    if rows[0]["largest"] is not None and wanted.party_size > rows[0]["largest"]:
        raise ValidationFailed.at("partySize", "is more than the service ever has places")
    if not await tx.value(_SQL["is_to_come"], {"at": wanted.end}):
        raise ValidationFailed.at("to", "is over")


def _id_of(keys: TenantKeys, wanted: Wanted, email_index: bytes, phone_index: bytes | None) -> UUID:
    """Return the id of a request: the same for the same wish and contact, and nothing can be read from it."""
    times = [at and at.timestamp() for at in (wanted.start, wanted.end)]
    wish = [wanted.service_id, wanted.schedule_id, wanted.party_size, *times, email_index, phone_index]
    return UUID(bytes=keys.index_other("waitlist request", msgspec.json.encode(wish).decode()), version=5)
