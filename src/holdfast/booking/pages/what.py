"""What a booking is of, as its pages say it: a service with whom and what one meets, or the group of a date."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from holdfast.availability.snapshots import Snapshot
from holdfast.booking.admission import queries
from holdfast.booking.bookings import Booking
from holdfast.catalog.programs import Program
from holdfast.catalog.resources import Resource
from holdfast.catalog.services import Service
from holdfast.kernel.database import Transaction


@dataclass(frozen=True, slots=True)
class What:
    """A service or a program, whatever is not offered any more included; when it is, and who or what takes part."""

    service: Service | None
    program: Program | None
    resources: list[Resource]
    at: datetime
    until: datetime

    def values(self) -> dict[str, Any]:
        """Return the same for a template."""
        shown = {"service": self.service, "program": self.program, "resources": self.resources}
        return shown | {"at": self.at, "until": self.until, "offering": self.service or self.program}


async def what_of(tx: Transaction, snapshot: Snapshot, booking: Booking) -> What:
    """Return what a booking is of."""
    program = None if booking.schedule_id is None else await program_of(tx, snapshot, booking.schedule_id)
    resources = (snapshot.resources.get(resource_id) for resource_id in booking.resource_ids)
    return What(
        None if booking.service_id is None else snapshot.services.get(booking.service_id),
        program,
        # A pool only counts.
        [r for r in resources if r is not None and r.kind != "pool"],
        booking.starts_at,
        booking.ends_at,
    )


async def program_of(tx: Transaction, snapshot: Snapshot, schedule_id: UUID) -> Program | None:
    """Return the group of which a schedule is a date."""
    found = await date_of(tx, snapshot, schedule_id)
    return None if found is None else found[0]


async def date_of(tx: Transaction, snapshot: Snapshot, schedule_id: UUID) -> tuple[Program, datetime] | None:
    """Return the group of which a schedule is a date, and when that begins."""
    rows = await tx.rows(queries["find_schedule"], {"business_id": tx.business_id, "id": schedule_id})
    program = snapshot.programs.get(rows[0]["program_id"]) if rows else None
    return None if program is None else (program, rows[0]["starts_at"])
