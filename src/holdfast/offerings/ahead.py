"""What is booked ahead, for whoever is about to change the hours beneath it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from holdfast.availability.hours import Hours
from holdfast.availability.walltime import local_day
from holdfast.kernel.database import Transaction
from holdfast.kernel.sql import load
from holdfast.offerings.errors import LeavesBookings
from holdfast.offerings.states import seen

_SQL = load(__package__)


@dataclass(frozen=True, slots=True)
class Ahead:
    """An appointment, or a schedule with places taken, that is to come; `name` is that of its service or program."""

    kind: str
    id: UUID
    start: datetime
    end: datetime
    name: str


@dataclass(frozen=True, slots=True)
class Opening:
    """The hours of a resource, with the days on which it says closed: groups take place by those only."""

    hours: Hours
    zone: str
    closed: Collection[date]

    def holds(self, each: Ahead) -> bool:
        """Return whether an appointment is within the hours, and a schedule not on a closed day."""
        start, end = int(each.start.timestamp()), int(each.end.timestamp())
        if each.kind == "schedule":
            return local_day(start, self.zone) not in self.closed
        return self.hours.covers(start, end)


async def booked_ahead(tx: Transaction, resource_id: UUID) -> list[Ahead]:
    """Return what is to come with a resource, in order of time."""
    return await tx.all(Ahead, _SQL["booked_ahead"], {"business_id": tx.business_id, "resource_id": resource_id})


async def appointments_ahead(tx: Transaction) -> dict[UUID, int]:
    """Return how many appointments are to come of each service that has any."""
    rows = await tx.rows(_SQL["appointments_ahead"], {"business_id": tx.business_id})
    return {row["service_id"]: row["appointments"] for row in rows}


async def check_left_outside(
    tx: Transaction, resource_id: UUID, before: Opening, after: Opening, accepted: str | None
) -> None:
    """Raise LeavesBookings when a change would leave something outside the hours that was within them.

    Not when `accepted` names exactly that: whoever changes the hours has been told of it.
    """
    left = _left(await booked_ahead(tx, resource_id), before, after)
    accept = seen(sorted(each.id for each in left))
    if left and accepted != accept:
        raise LeavesBookings(details={"accept": accept, "booked": left})


def _left(ahead: Iterable[Ahead], before: Opening, after: Opening) -> list[Ahead]:
    return [each for each in ahead if before.holds(each) and not after.holds(each)]
