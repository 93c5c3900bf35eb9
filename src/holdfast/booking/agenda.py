"""The appointments of a business, page by page, as staff look for them (H-2)."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from holdfast.booking.bookings import Booking
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.sql import load

_SQL = load("holdfast.booking", "staff_queries.sql")


@dataclass(frozen=True, slots=True)
class Filters:
    """Which appointments are looked for; None leaves it open. They begin in [start, end)."""

    start: datetime | None = None
    end: datetime | None = None
    states: Collection[str] | None = None
    service_id: UUID | None = None
    schedule_id: UUID | None = None
    resource_id: UUID | None = None
    contact: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Appointments in order of their start; `next_cursor` leads to those that follow, None when there are none."""

    appointments: list[Booking]
    next_cursor: str | None


async def list_appointments(tx: Transaction, filters: Filters, *, cursor: str | None = None, limit: int = 100) -> Page:
    """Return appointments in order of start and id, which no change of another one disturbs.

    `contact` is an e-mail address or a phone number to the letter. Raises ValidationFailed for a cursor that no page
    has given.
    """
    after, after_id = _decoded(cursor) if cursor is not None else (None, None)
    values = {
        "business_id": tx.business_id,
        "from": filters.start,
        "to": filters.end,
        "states": None if filters.states is None else list(filters.states),
        "service_id": filters.service_id,
        "schedule_id": filters.schedule_id,
        "resource_id": filters.resource_id,
        "contact": filters.contact,
        "after": after,
        "after_id": after_id,
        "limit": limit + 1,
    }
    found = await tx.all(Booking, _SQL["list_appointments"], values)
    more = len(found) > limit
    return Page(found[:limit], _encoded(found[limit - 1]) if more else None)


def _encoded(booking: Booking) -> str:
    return urlsafe_b64encode(f"{booking.starts_at.isoformat()} {booking.id}".encode()).decode()


def _decoded(cursor: str) -> tuple[datetime, UUID]:
    try:
        start, _, booking_id = urlsafe_b64decode(cursor).decode().partition(" ")
        at, last = datetime.fromisoformat(start), UUID(booking_id)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ValidationFailed.at("cursor", "is not one that a list has given")
    return at, last
