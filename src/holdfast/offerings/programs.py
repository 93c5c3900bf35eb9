"""Programs as staff set them up, with their weekly rules and the schedules that come of them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from holdfast.booking.by_hand import add_by_hand
from holdfast.booking.layouts import Layout, lay_out_ahead
from holdfast.booking.schedules import set_capacity
from holdfast.booking.withdrawals import remove, restore
from holdfast.catalog.programs import Program, deactivate_programs, programs_of, put_program
from holdfast.catalog.resources import resources_of
from holdfast.kernel.audit import Actor, record
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound
from holdfast.kernel.lists import cursor_after, place_of
from holdfast.kernel.sql import load
from holdfast.offerings.drafts import ProgramDraft, check_slug, values_of
from holdfast.offerings.entries import note_change
from holdfast.offerings.errors import OfferingSlugTaken
from holdfast.offerings.states import begin, check_seen, seen

_SQL = load(__package__)

KIND = "program"


@dataclass(frozen=True, slots=True)
class Coming:
    """A schedule that has not begun; one that staff have removed is told, too, since it can be restored."""

    id: UUID
    start: datetime
    end: datetime
    max_capacity: int
    taken: int
    by_hand: bool
    removed: bool


@dataclass(frozen=True, slots=True)
class ComingPage:
    """Coming schedules in order of time; `next_cursor` leads to those that follow, None when there are none."""

    schedules: list[Coming]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is to come of a program: schedules, their places, and how many of those are taken."""

    program_id: UUID
    schedules: int
    places: int
    taken: int
    next: datetime


async def program_of(tx: Transaction, program_id: UUID) -> Program:
    """Return a program of the business, active or not. Raises NotFound."""
    found = next((each for each in await programs_of(tx) if each.id == program_id), None)
    if found is None:
        raise NotFound
    return found


async def add_program(tx: Transaction, slug: str, draft: ProgramDraft, actor: Actor) -> Program:
    """Offer a new program and lay its schedules out. Raises ValidationFailed, OfferingSlugTaken."""
    await begin(tx)
    check_slug(slug)
    draft.check(await resources_of(tx))
    if any(each.slug == slug for each in await programs_of(tx)):
        raise OfferingSlugTaken
    program_id = await put_program(tx, slug=slug, **values_of(draft))
    await note_change(tx, KIND, program_id, "create", actor, {}, _told(draft))
    await lay_out_ahead(tx)
    return await program_of(tx, program_id)


async def change_program(tx: Transaction, program_id: UUID, draft: ProgramDraft, told: str, actor: Actor) -> Layout:
    """Make a program be so, and offered, if it is still as `told`, and bring its coming schedules to that.

    Schedules with places taken stay as they are. Raises NotFound, ChangedMeanwhile, ValidationFailed.
    """
    await begin(tx)
    before = await program_of(tx, program_id)
    check_seen(told, seen(before))
    draft.check(await resources_of(tx))
    await put_program(tx, slug=before.slug, **values_of(draft))
    was = _told(draft_of(before)) | {"active": before.active}
    await note_change(tx, KIND, program_id, "change", actor, was, _told(draft) | {"active": True})
    return await lay_out_ahead(tx)


async def deactivate_program(tx: Transaction, program_id: UUID, told: str, actor: Actor) -> None:
    """Offer a program no more, if it is still as `told`; schedules with places taken stay, the others go.

    Repeated, it changes nothing. Raises NotFound, ChangedMeanwhile.
    """
    await begin(tx)
    before = await program_of(tx, program_id)
    if before.active:
        check_seen(told, seen(before))
        await deactivate_programs(tx, [program_id])
        await note_change(tx, KIND, program_id, "deactivate", actor, {"active": True}, {"active": False})
        await lay_out_ahead(tx)


async def coming(tx: Transaction, program_id: UUID, *, cursor: str | None = None, limit: int = 50) -> ComingPage:
    """Return the coming schedules of a program; raises ValidationFailed for a cursor that no page has given."""
    after, after_id = place_of(cursor)
    values = {
        "business_id": tx.business_id,
        "program_id": program_id,
        "after": after,
        "after_id": after_id,
        "limit": limit + 1,
    }
    found = await tx.all(Coming, _SQL["schedules_ahead"], values)
    last = found[limit - 1] if len(found) > limit else None
    return ComingPage(found[:limit], None if last is None else cursor_after(last.start, last.id))


async def outlooks(tx: Transaction) -> dict[UUID, Outlook]:
    """Return what is to come of each program that has coming schedules."""
    found = await tx.all(Outlook, _SQL["programs_ahead"], {"business_id": tx.business_id})
    return {each.program_id: each for each in found}


async def add_schedule(tx: Transaction, program_id: UUID, start: datetime, max_capacity: int, actor: Actor) -> UUID:
    """Let a program take place once more, at a time that no rule touches; return the id of the schedule.

    Raises NotFound, ScheduleTimeTaken, ResourcesTaken, ValidationFailed.
    """
    await begin(tx)
    program = await program_of(tx, program_id)
    schedule_id = await add_by_hand(tx, program, start, max_capacity)
    await record(tx, "schedule", schedule_id, "create", actor, after=max_capacity)
    return schedule_id


async def move_schedule(tx: Transaction, program_id: UUID, schedule_id: UUID, start: datetime, actor: Actor) -> UUID:
    """Let an occurrence take place at another time instead, with as many places; return the id of the new schedule.

    Raises NotFound, UnknownSchedule, ScheduleIsBooked, ScheduleTimeTaken, ResourcesTaken, ValidationFailed.
    """
    await begin(tx)
    program = await program_of(tx, program_id)
    places = await tx.value(
        _SQL["places_of_schedule"], {"business_id": tx.business_id, "program_id": program_id, "id": schedule_id}
    )
    if places is None:
        raise NotFound
    await remove(tx, schedule_id)
    await record(tx, "schedule", schedule_id, "remove", actor)
    moved = await add_by_hand(tx, program, start, places)
    await record(tx, "schedule", moved, "create", actor, after=places)
    return moved


async def change_places(tx: Transaction, program_id: UUID, schedule_id: UUID, max_capacity: int, actor: Actor) -> None:
    """Change the places of one schedule of a program. Raises NotFound, CapacityBelowTaken, ValidationFailed."""
    await _check_own(tx, program_id, schedule_id)
    before = await set_capacity(tx, schedule_id, max_capacity)
    if before != max_capacity:
        await record(tx, "schedule", schedule_id, "change_capacity", actor, before=before, after=max_capacity)


async def remove_schedule(tx: Transaction, program_id: UUID, schedule_id: UUID, actor: Actor) -> None:
    """Let one occurrence not take place; repeated, it changes nothing. Raises NotFound, ScheduleIsBooked."""
    await begin(tx)
    if not await _check_own(tx, program_id, schedule_id):
        await remove(tx, schedule_id)
        await record(tx, "schedule", schedule_id, "remove", actor)


async def restore_schedule(tx: Transaction, program_id: UUID, schedule_id: UUID, actor: Actor) -> Layout:
    """Leave an occurrence that was removed to the rule again, which lays it out if it still means it.

    Raises NotFound.
    """
    await begin(tx)
    if await _check_own(tx, program_id, schedule_id):
        await restore(tx, schedule_id)
        await record(tx, "schedule", schedule_id, "restore", actor)
    return await lay_out_ahead(tx)


def draft_of(program: Program) -> ProgramDraft:
    """Return a program as the draft of itself."""
    return ProgramDraft(**{name: getattr(program, name) for name in ProgramDraft.__slots__})


async def _check_own(tx: Transaction, program_id: UUID, schedule_id: UUID) -> bool:
    """Return whether staff have removed the schedule; raises NotFound unless it is one of the program."""
    values = {"business_id": tx.business_id, "program_id": program_id, "id": schedule_id}
    removed = await tx.value(_SQL["is_removed"], values)
    if removed is None:
        raise NotFound
    return bool(removed)


def _told(draft: ProgramDraft) -> dict[str, object]:
    rules = [f"{rule.weekday} {rule.starts:%H:%M}" for rule in draft.rules]
    return values_of(draft) | {"rules": rules}
