"""Laying out: schedules are brought to what the weekly rules of their programs mean, weeks ahead, and kept there.

Every layout compares the two anew, so it does not matter what has changed since the last one, how often it runs, or
where one ended. It changes schedules without live bookings only. What it cannot bring about is a deviation: told to
whoever asked for the layout, and kept for staff to read.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from holdfast.availability.walltime import day_bounds, local_day, opening_instant
from holdfast.booking.withdrawals import lock, withdraw
from holdfast.catalog.programs import Program, programs_of
from holdfast.identity import businesses
from holdfast.identity.errors import UnknownBusiness
from holdfast.kernel.database import Transaction
from holdfast.kernel.sql import load

_SQL = load("holdfast.booking", "layouts.sql")

AHEAD = timedelta(weeks=8)
# No zone is further than this from UTC, so that an earlier day has ended everywhere.
_DAYS_BACK = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Deviation:
    """Where the schedules of a program differ from its rule, and why.

    Not laid out: `closed` (a resource of the program has a closed day), `taken` (a booking, a block or another
    schedule has the resource), `busy` (an outside calendar says so). Laid out, but not as the rule means it now, since
    it has live bookings: `booked`, and `crowded` when only its capacity is more than that of the program.
    """

    program_id: UUID
    program_slug: str
    start: datetime
    kind: str
    resource_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """What laying out has done, and every deviation that there is now; `noticed` are those that are new."""

    created: int = 0
    withdrawn: int = 0
    deviations: tuple[Deviation, ...] = ()
    noticed: tuple[Deviation, ...] = ()


@dataclass(frozen=True, slots=True)
class _Schedule:
    """A coming schedule as it is, with the resources that it claims."""

    id: UUID
    program_id: UUID
    starts_at: datetime
    ends_at: datetime
    max_capacity: int
    # None for one that was made by hand, which no rule touches.
    rule_capacity: int | None
    withdrawn: str | None
    resource_ids: list[UUID]


class _Spot(NamedTuple):
    """A time at which a program is to take place; at most one schedule is there."""

    program_id: UUID
    start: datetime


@dataclass(slots=True)
class _Found:
    """What is there, what is to be, and what stands between the two."""

    programs: Mapping[UUID, Program]
    coming: Mapping[_Spot, _Schedule]
    # In the order in which they take what they need: program by program.
    wanted: Sequence[_Spot]
    deviations: dict[_Spot, Deviation] = field(default_factory=dict)

    def deviates(self, spot: _Spot, kind: str, resource_id: UUID | None = None) -> None:
        """Write a deviation down."""
        self.deviations[spot] = Deviation(
            spot.program_id, self.programs[spot.program_id].slug, spot.start, kind, resource_id
        )


async def clock(tx: Transaction) -> datetime:
    """Return the time by the clock of the database."""
    now: datetime = await tx.value(_SQL["clock"])
    return now


async def deviations(tx: Transaction) -> list[Deviation]:
    """Return where the coming schedules of the business differ from the rules, as the last layout found it."""
    return await tx.all(Deviation, _SQL["deviations"], {"business_id": tx.business_id})


async def lay_out_ahead(tx: Transaction) -> Layout:
    """Lay out every program of the business 8 weeks ahead from the clock of the database.

    Raises UnknownBusiness.
    """
    # Locked before the programs are read: schedules of a rule that an import replaces meanwhile would be laid out.
    if await businesses.lock(tx) is None:
        raise UnknownBusiness
    now = await clock(tx)
    return await lay_out(tx, await programs_of(tx), now=now, until=now + AHEAD)


async def lay_out(tx: Transaction, programs: Sequence[Program], *, now: datetime, until: datetime) -> Layout:
    """Bring the schedules of these programs that begin after `now` to what the rules mean; repeated, change nothing.

    Up to `until`, a schedule that is meant and not there is made, unless a resource of its program is closed on the
    local day on which it begins, or not free. One that is not meant (any more), or with another length or other
    resources, is withdrawn, unless it has live bookings. Those with the program's capacity follow it. Layouts of a
    business happen one after the other. Raises UnknownBusiness.
    """
    business = await businesses.lock(tx)
    if business is None:
        raise UnknownBusiness
    found = await _find(tx, programs, business.timezone, now, until)
    withdrawn = await _withdraw_stale(tx, found)
    stays = {spot for spot, each in found.coming.items() if each.withdrawn != "rule" and each.id not in withdrawn}
    created = await _create(tx, found, [spot for spot in found.wanted if spot not in stays and spot.start <= until])
    noticed = await _note(tx, found)
    return Layout(created, len(withdrawn), _in_order(found.deviations.values()), _in_order(noticed))


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


async def _find(tx: Transaction, programs: Sequence[Program], zone: str, now: datetime, until: datetime) -> _Found:
    """Compare what is there with what is meant; nothing is locked, so what is to be changed is looked at again."""
    ids = [program.id for program in programs]
    rows = await tx.all(
        _Schedule, _SQL["coming_schedules"], {"business_id": tx.business_id, "programs": ids, "now": now}
    )
    coming = {_Spot(each.program_id, each.starts_at): each for each in rows}
    # What was laid out further ahead is judged, too.
    last = max([until, *(each.starts_at for each in rows)])
    closed = await _closed_days(tx, programs, now)
    wanted: list[_Spot] = []
    found = _Found({program.id: program for program in programs}, coming, wanted)
    by_hand = {spot for spot, each in coming.items() if each.rule_capacity is None}
    for program in programs:
        if not program.active:
            continue
        for start in occurrences(program, program.timezone or zone, after=now, until=last):
            spot = _Spot(program.id, start)
            closing = next((r for r in program.resource_ids if _is_closed(closed, r, start)), None)
            if closing is None or spot in by_hand:
                wanted.append(spot)
            elif start <= until:
                found.deviates(spot, "closed", closing)
    return found


async def _closed_days(
    tx: Transaction, programs: Sequence[Program], now: datetime
) -> dict[UUID, tuple[str, set[date]]]:
    """Return the zone and the closed days of each resource that has any."""
    values = {
        "business_id": tx.business_id,
        "resources": sorted({resource_id for program in programs for resource_id in program.resource_ids}),
        "first_day": (now - _DAYS_BACK).date(),
    }
    closed: dict[UUID, tuple[str, set[date]]] = {}
    for row in await tx.rows(_SQL["closed_days"], values):
        closed.setdefault(row["resource_id"], (row["timezone"], set()))[1].add(row["day"])
    return closed


def _is_closed(closed: Mapping[UUID, tuple[str, set[date]]], resource_id: UUID, start: datetime) -> bool:
    if resource_id not in closed:
        return False
    zone, days = closed[resource_id]
    return local_day(int(start.timestamp()), zone) in days


async def _withdraw_stale(tx: Transaction, found: _Found) -> set[UUID]:
    """Withdraw what is not meant, so that the resources are free for what is; let the others follow the capacity.

    Returns the ids of what was withdrawn.
    """
    wanted = set(found.wanted)
    stale: dict[UUID, _Spot] = {}
    following: dict[UUID, _Spot] = {}
    for spot, each in found.coming.items():
        program = found.programs[spot.program_id]
        if each.rule_capacity is None or each.withdrawn is not None:
            continue
        lasts = timedelta(minutes=program.duration_minutes)
        same = each.ends_at - each.starts_at == lasts and set(each.resource_ids) == set(program.resource_ids)
        if spot not in wanted or not same:
            stale[each.id] = spot
        elif each.rule_capacity == each.max_capacity != program.max_capacity:
            following[each.id] = spot
    if not stale and not following:
        return set()

    locked = await lock(tx, [*stale, *following])
    here = {"business_id": tx.business_id}
    followed = await tx.rows(_SQL["follow_capacity"], here | {"ids": list(locked & following.keys())})
    for schedule_id in locked & following.keys() - {row["id"] for row in followed}:
        found.deviates(following[schedule_id], "crowded")
    rows = await tx.rows(_SQL["which_are_free"], here | {"ids": list(locked & stale.keys())})
    free = {row["id"] for row in rows if row["free"]}
    for schedule_id in {row["id"] for row in rows} - free:
        found.deviates(stale[schedule_id], "booked")
    await _lock_resources(
        tx, found, {r for each in found.coming.values() if each.id in free for r in each.resource_ids}
    )
    await withdraw(tx, free)
    return free


async def _create(tx: Transaction, found: _Found, missing: Sequence[_Spot]) -> int:
    """Make schedules at these spots where their resources are free, and write down where they are not.

    Those that lose a resource to somebody at the same moment, or to each other, are looked at again.
    """
    if not missing:
        return 0
    await _lock_resources(tx, found)
    created = 0
    swept = False
    while missing:
        taken = await _occupied(tx, found, missing)
        if taken and not swept:
            # Rarely there is one: the worker sweeps three times a minute.
            await tx.run(_SQL["expire_holds"], {"business_id": tx.business_id})
            swept = True
            continue
        for spot, (kind, resource_id) in taken.items():
            found.deviates(spot, kind, resource_id)
        made = await _add(tx, found, [spot for spot in missing if spot not in taken])
        lost = await _take(tx, found, made)
        await withdraw(tx, [made[spot] for spot in lost])
        created += len(made) - len(lost)
        missing = lost
    return created


async def _lock_resources(tx: Transaction, found: _Found, others: Collection[UUID] = ()) -> None:
    """Lock what the programs use, and others, all at once and before any claim of them is touched."""
    ids = {resource_id for program in found.programs.values() for resource_id in program.resource_ids}.union(others)
    await tx.run(_SQL["lock_resources"], {"business_id": tx.business_id, "ids": sorted(ids)})


async def _occupied(tx: Transaction, found: _Found, spots: Sequence[_Spot]) -> dict[_Spot, tuple[str, UUID]]:
    """Return who or what is in the way of schedules at these spots."""
    wishes = [(n, spot, r) for n, spot in enumerate(spots) for r in found.programs[spot.program_id].resource_ids]
    values = {
        "business_id": tx.business_id,
        "numbers": [n for n, _, _ in wishes],
        "resources": [resource_id for *_, resource_id in wishes],
        "starts": [spot.start for _, spot, _ in wishes],
        "ends": [_end(found, spot) for _, spot, _ in wishes],
    }
    rows = await tx.rows(_SQL["occupied"], values)
    return {spots[row["n"]]: (row["kind"], row["resource_id"]) for row in rows}


async def _add(tx: Transaction, found: _Found, spots: Sequence[_Spot]) -> dict[_Spot, UUID]:
    """Write schedules; return their ids, in the order of the spots."""
    values = {
        "business_id": tx.business_id,
        "programs": [spot.program_id for spot in spots],
        "starts": [spot.start for spot in spots],
        "ends": [_end(found, spot) for spot in spots],
    }
    rows = await tx.rows(_SQL["add_schedules"], values)
    ids = {_Spot(row["program_id"], row["starts_at"]): row["id"] for row in rows}
    return {spot: ids[spot] for spot in spots if spot in ids}


async def _take(tx: Transaction, found: _Found, made: Mapping[_Spot, UUID]) -> list[_Spot]:
    """Take every place of what the schedules need; return the spots that did not get all of it."""
    lost: set[UUID] = set()
    needed = {resource_id for spot in made for resource_id in found.programs[spot.program_id].resource_ids}
    # Resource by resource, in order of id, as admission takes them: whoever keeps to one order cannot deadlock.
    for resource_id in sorted(needed):
        asking = [
            schedule_id
            for spot, schedule_id in made.items()
            if schedule_id not in lost and resource_id in found.programs[spot.program_id].resource_ids
        ]
        values = {"business_id": tx.business_id, "resource_id": resource_id, "ids": asking}
        lost |= {row["id"] for row in await tx.rows(_SQL["take_resource"], values)}
    return [spot for spot, schedule_id in made.items() if schedule_id in lost]


async def _note(tx: Transaction, found: _Found) -> list[Deviation]:
    """Make the stored deviations those that were found; return those that are new."""
    values = {
        "business_id": tx.business_id,
        "among": list(found.programs),
        "programs": [spot.program_id for spot in found.deviations],
        "starts": [spot.start for spot in found.deviations],
        "kinds": [each.kind for each in found.deviations.values()],
        "resources": [each.resource_id for each in found.deviations.values()],
    }
    await tx.run(_SQL["forget_deviations"], values)
    rows = await tx.rows(_SQL["note_deviations"], values)
    return [found.deviations[_Spot(row["program_id"], row["starts_at"])] for row in rows]


def _end(found: _Found, spot: _Spot) -> datetime:
    return spot.start + timedelta(minutes=found.programs[spot.program_id].duration_minutes)


def _in_order(found: Iterable[Deviation]) -> tuple[Deviation, ...]:
    return tuple(sorted(found, key=lambda each: (each.start, each.program_slug)))
