"""The waitlist: who wants to be told when a service has time within a window, or a schedule has places (W-1).

So far it is kept and shown to staff; nobody is offered anything by itself yet.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from holdfast.booking.contacts import Guest
from holdfast.booking.errors import PaymentsUnavailable, ScheduleStarted, UnknownSchedule, UnknownService
from holdfast.kernel.database import Row, Transaction
from holdfast.kernel.errors import NotFound, ValidationFailed
from holdfast.kernel.lists import page_of, place_of
from holdfast.kernel.privacy import TenantKeys
from holdfast.kernel.sql import load

_SQL = load(__package__, "waitlist.sql")

_SEALED = ("contact_email", "contact_phone", "contact_name")


class RequestState(StrEnum):
    """What has become of a request. A migration knows the same words."""

    WAITING = "waiting"
    OFFERED = "offered"
    ACCEPTED = "accepted"
    WITHDRAWN = "withdrawn"
    # What was offered was not taken.
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
class WaitlistRequest:
    """A request, opened."""

    id: UUID
    status: RequestState
    wanted: Wanted
    guest: Guest
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Filters:
    """Which requests are looked for; None leaves it open."""

    status: RequestState | None = None
    service_id: UUID | None = None
    schedule_id: UUID | None = None


async def wait(tx: Transaction, wanted: Wanted, guest: Guest) -> WaitlistRequest:
    """Put somebody on the waitlist; the same request when the same contact wants the same again.

    Raises UnknownService, UnknownSchedule, PaymentsUnavailable, ScheduleStarted, ValidationFailed for a window that is
    over and for a party that no schedule of this size takes.
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
    await tx.run(_SQL["wait"], values | sealed)
    return await find(tx, request_id)


async def withdraw(tx: Transaction, request_id: UUID) -> None:
    """Take somebody from the waitlist; nothing happens to a request that does not wait. Raises NotFound."""
    await find(tx, request_id)
    await tx.run(_SQL["withdraw"], {"business_id": tx.business_id, "id": request_id})


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
    return WaitlistRequest(
        row["id"],
        RequestState(row["state"]),
        Wanted(row["party_size"], row["service_id"], row["schedule_id"], row["wanted_from"], row["wanted_to"]),
        Guest(email, phone, name, row["timezone"], row["locale"]),
        row["created_at"],
    )


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
    if not await tx.value(_SQL["is_to_come"], {"at": wanted.end}):
        raise ValidationFailed.at("to", "is over")


def _id_of(keys: TenantKeys, wanted: Wanted, email_index: bytes, phone_index: bytes | None) -> UUID:
    """Return the id of a request: the same for the same wish and contact, and nothing can be read from it."""
    times = [at and at.timestamp() for at in (wanted.start, wanted.end)]
    wish = [wanted.service_id, wanted.schedule_id, wanted.party_size, *times, email_index, phone_index]
    return UUID(bytes=keys.index_other("waitlist request", msgspec.json.encode(wish).decode()), version=5)
