"""Schedules: the occurrences of programs, laid out ahead by the weekly rule, each with a number of places.

A schedule claims the whole of every resource that its program uses, so it exists only where they are free.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from holdfast.availability.walltime import day_bounds, local_day, opening_instant
from holdfast.booking.errors import UnknownSchedule
from holdfast.catalog.errors import UnknownProgram
from holdfast.catalog.programs import Program, programs_of
from holdfast.identity import businesses
from holdfast.identity.errors import UnknownBusiness
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import UserError, ValidationFailed
from holdfast.kernel.sql import load

_SQL = load("holdfast.booking", "schedules.sql")

AHEAD = timedelta(weeks=8)
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


@dataclass(frozen=True, slots=True)
class Conflict:
    """A schedule that was not made, because a resource that it uses is not free."""

    program_slug: str
    start: datetime
    resource_id: UUID


@dataclass(frozen=True, slots=True)
class Layout:
    """What laying out has done."""

    created: int = 0
    conflicts: tuple[Conflict, ...] = ()


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """How many schedules were withdrawn, and the starts of those that stay because they have been booked."""

    withdrawn: int = 0
    kept: tuple[datetime, ...] = ()


async def lay_out(tx: Transaction, program: Program, *, until: datetime, now: datetime) -> Layout:
    """Make the schedules that the rule of a program asks for between now and `until`, where there are none yet.

    Where a resource is not free, that schedule is not made but reported, and the others are.
    """
    zone = program.timezone or (await _business(tx)).timezone
    made = await tx.rows(
        _SQL["add_schedules"],
        {
            "business_id": tx.business_id,
            "program_id": program.id,
            "starts": occurrences(program, zone, after=now, until=until),
            "duration_minutes": program.duration_minutes,
            "max_capacity": program.max_capacity,
        },
    )
    ids = [row["id"] for row in made]
    conflicts: list[Conflict] = []
    if ids and program.resource_ids:
        await tx.run(_SQL["expire_holds"], {"business_id": tx.business_id})
    # Resource by resource, in order of id, as admission takes them: whoever keeps to one order cannot deadlock.
    for resource_id in sorted(program.resource_ids):
        values = {"business_id": tx.business_id, "resource_id": resource_id, "ids": ids}
        refused = await tx.rows(_SQL["take_resource"], values)
        conflicts += [Conflict(program.slug, row["starts_at"], resource_id) for row in refused]
        gone = {row["id"] for row in refused}
        await _drop(tx, gone)
        ids = [schedule_id for schedule_id in ids if schedule_id not in gone]
    return Layout(len(ids), tuple(conflicts))


async def clock(tx: Transaction) -> datetime:
    """Return the time by the clock of the database."""
    now: datetime = await tx.value(_SQL["clock"])
    return now


async def lay_out_ahead(tx: Transaction) -> Layout:
    """Lay out every active program of the business 8 weeks ahead from the clock of the database.

    Raises UnknownBusiness.
    """
    # Locked before the programs are read: schedules of a rule that an import replaces meanwhile would stay for ever.
    if await businesses.lock(tx) is None:
        raise UnknownBusiness
    now = await clock(tx)
    created = 0
    conflicts: tuple[Conflict, ...] = ()
    for program in await programs_of(tx):
        if program.active:
            layout = await lay_out(tx, program, until=now + AHEAD, now=now)
            created += layout.created
            conflicts += layout.conflicts
    return Layout(created, conflicts)


def occurrences(program: Program, zone: str, *, after: datetime, until: datetime) -> list[datetime]:
    """Return the instants in (after, until] at which the rule of a program starts it, in order.

    A wall time that does not exist is the first instant after the gap, a repeated one its first occurrence (A-5).
    """
    starts = set()
    day = local_day(int(after.timestamp()), zone)
    last = local_day(int(until.timestamp()), zone)
    while day <= last:
        begins, ends = day_bounds(day, zone)
        if begins < ends:  # else the zone skipped the whole day
            starts |= {
                opening_instant(day, rule.starts, zone) for rule in program.rules if rule.weekday == day.weekday()
            }
        day += timedelta(days=1)
    return [start for start in (datetime.fromtimestamp(at, UTC) for at in sorted(starts)) if after < start <= until]


async def withdraw(tx: Transaction, program: Program, starts: Collection[datetime]) -> Withdrawal:
    """Withdraw the schedules of a program that begin at these instants of the future and were never booked."""
    values = {"business_id": tx.business_id, "program_id": program.id, "starts": list(starts)}
    found = await tx.rows(_SQL["lock_schedules"], values)
    ids = [row["id"] for row in found]
    unbooked = await tx.rows(_SQL["unbooked"], {"business_id": tx.business_id, "ids": ids})
    gone = {row["id"] for row in unbooked}
    await _drop(tx, gone)
    return Withdrawal(len(gone), tuple(sorted(row["starts_at"] for row in found if row["id"] not in gone)))


async def last_start(tx: Transaction, program: Program) -> datetime | None:
    """Return when the last schedule of a program begins."""
    start: datetime | None = await tx.value(
        _SQL["last_schedule"], {"business_id": tx.business_id, "program_id": program.id}
    )
    return start


async def set_capacity(tx: Transaction, schedule_id: UUID, max_capacity: int) -> None:
    """Change the number of places: raised any time, lowered to what is taken at most (B-20).

    Raises CapacityBelowTaken, UnknownSchedule, ValidationFailed.
    """
    if not 1 <= max_capacity <= _MAX_CAPACITY:
        raise ValidationFailed.at("maxCapacity", f"must be 1 to {_MAX_CAPACITY}")
    if await _change_capacity(tx, [schedule_id], max_capacity):
        return
    values = {"business_id": tx.business_id, "id": schedule_id}
    # What stands in the way may be holds that have run out: they count for nothing (B-4).
    await tx.run(_SQL["expire_holds"], values)
    if await _change_capacity(tx, [schedule_id], max_capacity):
        return
    taken = await tx.value(_SQL["places_taken"], values)
    if taken is None:
        raise UnknownSchedule
    raise CapacityBelowTaken(details={"taken": taken})


async def follow_capacity(tx: Transaction, program: Program, before: int) -> int:
    """Give the coming schedules that still have the program's former capacity its new one.

    Returns how many cannot be lowered so far because more places are taken; they stay as they are.
    """
    await tx.run(_SQL["expire_holds"], {"business_id": tx.business_id})
    found = await tx.rows(
        _SQL["lock_schedules_of_capacity"],
        {"business_id": tx.business_id, "program_id": program.id, "before": before},
    )
    ids = [row["id"] for row in found]
    return len(ids) - await _change_capacity(tx, ids, program.max_capacity)


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


async def _change_capacity(tx: Transaction, ids: list[UUID], max_capacity: int) -> int:
    values = {"business_id": tx.business_id, "ids": ids, "max_capacity": max_capacity}
    return await tx.run(_SQL["set_schedule_capacity"], values)


async def _drop(tx: Transaction, ids: Collection[UUID]) -> None:
    if ids:
        values = {"business_id": tx.business_id, "ids": list(ids)}
        await tx.run(_SQL["drop_claims"], values)
        await tx.run(_SQL["drop_schedules"], values)


async def _business(tx: Transaction) -> businesses.Business:
    business = await businesses.find(tx, str(tx.business_id))
    if business is None:
        raise UnknownBusiness
    return business


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
