"""Schedules: the occurrences of programs, each with a number of places; `layouts.py` makes them by the weekly rules."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from holdfast.booking.errors import UnknownSchedule
from holdfast.booking.withdrawals import lock
from holdfast.catalog.errors import UnknownProgram
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import UserError, ValidationFailed
from holdfast.kernel.sql import load

_SQL = load("holdfast.booking", "schedules.sql")

_MAX_CAPACITY = 1_000_000


class CapacityBelowTaken(UserError):
    """More places are taken than the new capacity; `details.taken` says how many."""

    code, status = "capacity_below_taken", 409
    message = "The capacity cannot be lowered below the number of places taken"


@dataclass(frozen=True, slots=True)
class Schedule:
    """An occurrence that can be booked. A full one has no places left."""

    id: UUID
    start: datetime
    end: datetime
    max_capacity: int
    places_left: int


@dataclass(frozen=True, slots=True)
class SchedulePage:
    """Schedules in order of time; `next_cursor` leads to those that follow, None when there are none."""

    schedules: list[Schedule]
    next_cursor: str | None


async def set_capacity(tx: Transaction, schedule_id: UUID, max_capacity: int) -> int:
    """Change the number of places: raised any time, lowered to what is taken at most (B-20). Return the former one.

    Raises CapacityBelowTaken, UnknownSchedule, ValidationFailed.
    """
    check_capacity(max_capacity)
    values = {"business_id": tx.business_id, "id": schedule_id, "max_capacity": max_capacity}
    before: int | None = await tx.value(_SQL["set_capacity"], values)
    if before is None:
        # What stands in the way may be holds that have run out: they count for nothing (B-4).
        await lock(tx, [schedule_id])
        before = await tx.value(_SQL["set_capacity"], values)
    if before is not None:
        return before
    taken = await tx.value(_SQL["places_taken"], values)
    if taken is None:
        raise UnknownSchedule
    raise CapacityBelowTaken(details={"taken": taken})


def check_capacity(max_capacity: int) -> None:
    """Raise ValidationFailed for a number of places that no schedule has."""
    if not 1 <= max_capacity <= _MAX_CAPACITY:
        raise ValidationFailed.at("maxCapacity", f"must be 1 to {_MAX_CAPACITY}")


async def list_schedules(
    tx: Transaction,
    program_slug: str,
    start: datetime | None = None,
    end: datetime | None = None,
    *,
    cursor: str | None = None,
    limit: int = 100,
) -> SchedulePage:
    """Return the schedules of a program that have not begun and begin in [start, end), in order of time.

    Raises UnknownProgram; ValidationFailed for a cursor that no page has given.
    """
    values: dict[str, Any] = {
        "business_id": tx.business_id,
        # PostgreSQL takes no NUL, and no slug has one.
        "slug": program_slug if program_slug.isascii() and program_slug.isprintable() else "",
        "from": start,
        "to": end,
        "after": _decoded(cursor) if cursor is not None else None,
        "limit": limit + 1,
    }
    found = await tx.all(Schedule, _SQL["list_schedules"], values)
    if not found and not await tx.value(_SQL["program_is_offered"], values):
        raise UnknownProgram
    more = len(found) > limit
    return SchedulePage(found[:limit], _encoded(found[limit - 1].start) if more else None)


def _encoded(start: datetime) -> str:
    return urlsafe_b64encode(start.isoformat().encode()).decode()


def _decoded(cursor: str) -> datetime:
    try:
        start = datetime.fromisoformat(urlsafe_b64decode(cursor).decode())
    except ValueError:
        start = None
    if start is None or start.tzinfo is None:
        raise ValidationFailed.at("cursor", "is not one that a list has given")
    return start
