"""The appointments of a business, page by page, as staff look for them (H-2)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from holdfast.booking.bookings import Booking, find_all
from holdfast.booking.contacts import looked_for
from holdfast.kernel.database import Transaction
from holdfast.kernel.lists import cursor_after, place_of
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
    program_id: UUID | None = None
    contact: str | None = None
    # The blind index of an e-mail address or of a phone number, for whoever knows a person by that alone.
    email_index: bytes | None = None
    phone_index: bytes | None = None

    @property
    def of_somebody(self) -> bool:
        """Return whether it is the appointments of one person that are looked for."""
        return (self.contact or self.email_index or self.phone_index) is not None


@dataclass(frozen=True, slots=True)
class Page:
    """Appointments in order of their start; `next_cursor` leads to those that follow, None when there are none."""

    appointments: list[Booking]
    next_cursor: str | None


async def list_appointments(tx: Transaction, filters: Filters, *, cursor: str | None = None, limit: int = 100) -> Page:
    """Return appointments in order of start and id, which no change of another one disturbs.

    `contact` is an e-mail address or a phone number, however it is cased or punctuated. Raises ValidationFailed for a
    cursor that no page has given.
    """
    after, after_id = place_of(cursor)
    values: dict[str, object] = {
        "business_id": tx.business_id,
        "from": filters.start,
        "to": filters.end,
        "states": None if filters.states is None else list(filters.states),
        "service_id": filters.service_id,
        "schedule_id": filters.schedule_id,
        "program_id": filters.program_id,
        "resource_id": filters.resource_id,
        "after": after,
        "after_id": after_id,
        "limit": limit + 1,
    }
    if not filters.of_somebody:
        found = await tx.all(Booking, _SQL["list_appointments"], values)
    else:
        values |= {"email_index": filters.email_index, "phone_index": filters.phone_index, "contact": filters.contact}
        if filters.contact is not None:
            values |= looked_for(await tx.keys(), filters.contact)
        found = await find_all(tx, [row["id"] for row in await tx.rows(_SQL["appointments_of"], values)])
    last = found[limit - 1] if len(found) > limit else None
    return Page(found[:limit], None if last is None else cursor_after(last.starts_at, last.id))
