"""Programs and their schedules: set up, changed and taken back by staff."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest

from booking.studio import HOUR, NOW, Studio
from catalog.holds import hold_places
from holdfast.availability.busy import replace_busy
from holdfast.availability.ics.times import Span
from holdfast.booking.by_hand import ResourcesTaken, ScheduleTimeTaken
from holdfast.booking.schedules import CapacityBelowTaken
from holdfast.booking.withdrawals import ScheduleIsBooked
from holdfast.catalog.programs import ProgramRule, programs_of
from holdfast.kernel.errors import NotFound, ValidationFailed
from holdfast.kernel.ids import new_id
from holdfast.offerings.drafts import ProgramDraft
from holdfast.offerings.errors import ChangedMeanwhile, OfferingSlugTaken
from holdfast.offerings.programs import (
    Coming,
    add_program,
    add_schedule,
    change_places,
    change_program,
    coming,
    deactivate_program,
    draft_of,
    move_schedule,
    outlooks,
    program_of,
    remove_schedule,
    restore_schedule,
)
from holdfast.offerings.states import seen
from offerings.setting import OWNER, entries, someone, wrong

# On the whole hour, so that no rule of these tests means it.
SOON = NOW.replace(minute=0, second=0, microsecond=0) + timedelta(days=2)


def circle(**more: Any) -> ProgramDraft:
    """Return a program of every Monday and Thursday at half past seven."""
    rules = tuple(ProgramRule(weekday, time(19, 30)) for weekday in (0, 3))
    return ProgramDraft(**{"name": "Circle", "duration_minutes": 60, "max_capacity": 8, "rules": rules, **more})


async def made(studio: Studio, **more: Any) -> UUID:
    """Offer the program."""
    return (await studio.run(lambda tx: add_program(tx, "circle", circle(**more), OWNER))).id


async def ahead(studio: Studio, program_id: UUID) -> list[Coming]:
    """Return every coming schedule."""
    return (await studio.run(lambda tx: coming(tx, program_id, limit=200))).schedules


async def test_a_program_is_laid_out_as_it_is_set_up(studio: Studio) -> None:
    """A new program has its schedules at once, a change brings them to what it means, its end takes them away (U-3)."""
    program_id = await made(studio)
    program = await studio.run(lambda tx: program_of(tx, program_id))
    assert draft_of(program) == circle()
    assert len(await ahead(studio, program_id)) == 16
    fewer = circle(rules=(ProgramRule(0, time(19, 30)),), max_capacity=5)
    await studio.run(lambda tx: change_program(tx, program_id, fewer, seen(program), OWNER))
    found = await ahead(studio, program_id)
    assert (len(found), {each.max_capacity for each in found}) == (8, {5})
    [outlook] = (await studio.run(outlooks)).values()
    assert (outlook.schedules, outlook.places, outlook.taken, outlook.next) == (8, 40, 0, found[0].start)
    with pytest.raises(ChangedMeanwhile):
        await studio.run(lambda tx: change_program(tx, program_id, circle(), seen(program), OWNER))
    now = seen(await studio.run(lambda tx: program_of(tx, program_id)))
    await studio.run(lambda tx: deactivate_program(tx, program_id, now, OWNER))
    await studio.run(lambda tx: deactivate_program(tx, program_id, now, OWNER))
    assert await ahead(studio, program_id) == []
    told = entries(studio, program_id)
    assert [action for action, _, _ in told] == ["create", "change", "deactivate"]
    assert told[1][1:] == (
        '{"max_capacity":8,"rules":["0 19:30","3 19:30"]}',
        '{"max_capacity":5,"rules":["0 19:30"]}',
    )


async def test_each_wrong_value_of_a_program_is_told(studio: Studio) -> None:
    """What is wrong with a program is told at its fields, and nothing is written (U-3)."""
    rule = ProgramRule(0, time(9))
    bad = circle(
        name="", max_capacity=0, rules=(rule, rule), resource_ids=(new_id(),), timezone="Nowhere", price_minor=-1
    )
    with pytest.raises(ValidationFailed) as failed:
        await studio.run(lambda tx: add_program(tx, "circle", bad, OWNER))
    assert wrong(failed) == {"name", "max_capacity", "rules", "resource_ids", "timezone", "price_minor"}
    assert await studio.run(programs_of) == []
    await made(studio)
    with pytest.raises(OfferingSlugTaken):
        await made(studio)


async def test_coming_schedules_come_page_by_page(studio: Studio) -> None:
    """The coming schedules of a program are listed in order, each on one page (H-2)."""
    program_id = await made(studio)
    whole = await ahead(studio, program_id)
    pages, cursor = [], None
    while True:
        page = await studio.run(lambda tx, cursor=cursor: coming(tx, program_id, cursor=cursor, limit=7))
        pages.append(page.schedules)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert [len(page) for page in pages] == [7, 7, 2]
    assert [each for page in pages for each in page] == whole


async def test_a_group_takes_place_once_more(studio: Studio) -> None:
    """Staff add an occurrence beside the rule; it takes the room, and no layout touches it (B-2, U-3)."""
    room = await someone(studio, "hall", kind="room")
    program_id = await made(studio, rules=(), resource_ids=(room,))
    at = await studio.run(lambda tx: add_schedule(tx, program_id, SOON, 4, OWNER))
    with pytest.raises(ScheduleTimeTaken):
        await studio.run(lambda tx: add_schedule(tx, program_id, SOON, 4, OWNER))
    with pytest.raises(ResourcesTaken) as refused:
        await studio.run(lambda tx: add_schedule(tx, program_id, SOON + HOUR / 2, 4, OWNER))
    assert refused.value.details == {"resourceId": str(room), "kind": "taken"}
    busy = [Span(int((SOON + 5 * HOUR).timestamp()), int((SOON + 6 * HOUR).timestamp()))]
    await studio.run(lambda tx: replace_busy(tx, room, busy, source="file:busy.ics"))
    with pytest.raises(ResourcesTaken) as refused:
        await studio.run(lambda tx: add_schedule(tx, program_id, SOON + 5 * HOUR, 4, OWNER))
    assert refused.value.details == {"resourceId": str(room), "kind": "busy"}
    for start, places in ((datetime.now(UTC).replace(microsecond=0) - HOUR, 4), (SOON + HOUR, 0)):
        with pytest.raises(ValidationFailed):
            await studio.run(lambda tx, start=start, places=places: add_schedule(tx, program_id, start, places, OWNER))
    [only] = await ahead(studio, program_id)
    assert only == Coming(at, SOON, SOON + HOUR, 4, 0, by_hand=True, removed=False)
    now = seen(await studio.run(lambda tx: program_of(tx, program_id)))
    bigger = circle(rules=(), resource_ids=(room,), max_capacity=20)
    await studio.run(lambda tx: change_program(tx, program_id, bigger, now, OWNER))
    assert await ahead(studio, program_id) == [only]
    await studio.run(lambda tx: remove_schedule(tx, program_id, at, OWNER))
    assert await ahead(studio, program_id) == []
    assert await studio.count("claims") == 0
    again = await studio.run(lambda tx: add_schedule(tx, program_id, SOON, 6, OWNER))
    assert [each.max_capacity for each in await ahead(studio, program_id)] == [6]
    assert [action for action, _, _ in entries(studio, again)] == ["create", "remove", "create"]


async def test_an_occurrence_is_moved_or_left_out(studio: Studio) -> None:
    """Without bookings an occurrence is moved or left out, and comes back when it is restored (U-3)."""
    program_id = await made(studio)
    first, second, *others = await ahead(studio, program_id)
    moved = await studio.run(lambda tx: move_schedule(tx, program_id, first.id, SOON, OWNER))
    await studio.run(lambda tx: remove_schedule(tx, program_id, second.id, OWNER))
    await studio.run(lambda tx: remove_schedule(tx, program_id, second.id, OWNER))
    found = await ahead(studio, program_id)
    assert {each.id for each in found if not each.removed} == {moved, *(each.id for each in others)}
    assert {each.id for each in found if each.removed} == {first.id, second.id}
    await studio.run(lambda tx: restore_schedule(tx, program_id, second.id, OWNER))
    found = await ahead(studio, program_id)
    assert {each.id for each in found if each.removed} == {first.id}
    assert [action for action, _, _ in entries(studio, second.id)] == ["remove", "restore"]


async def test_what_is_booked_is_neither_moved_nor_left_out(studio: Studio) -> None:
    """An occurrence with places taken stays until they are given back, and keeps room for them (B-20)."""
    program_id = await made(studio)
    first = (await ahead(studio, program_id))[0]
    await studio.run(lambda tx: hold_places(tx, first.id, first.start, 3))
    for work in (
        lambda tx: move_schedule(tx, program_id, first.id, SOON, OWNER),
        lambda tx: remove_schedule(tx, program_id, first.id, OWNER),
    ):
        with pytest.raises(ScheduleIsBooked) as booked:
            await studio.run(work)
        assert booked.value.details == {"taken": 3}
    with pytest.raises(CapacityBelowTaken):
        await studio.run(lambda tx: change_places(tx, program_id, first.id, 2, OWNER))
    await studio.run(lambda tx: change_places(tx, program_id, first.id, 3, OWNER))
    await studio.run(lambda tx: change_places(tx, program_id, first.id, 3, OWNER))
    assert entries(studio, first.id) == [("change_capacity", "8", "3")]
    now = (await ahead(studio, program_id))[0]
    assert (now.id, now.max_capacity, now.taken) == (first.id, 3, 3)


async def test_a_schedule_is_one_of_its_program(studio: Studio) -> None:
    """A schedule is changed under its own program only, and nobody changes what is not there (D-9)."""
    program_id = await made(studio)
    first = (await ahead(studio, program_id))[0]
    other = (await studio.run(lambda tx: add_program(tx, "other", circle(rules=()), OWNER))).id
    for parent, id_ in ((other, first.id), (program_id, new_id())):
        for work in (move_schedule, change_places, remove_schedule, restore_schedule):
            more = {move_schedule: (SOON,), change_places: (3,)}.get(work, ())
            with pytest.raises(NotFound):
                await studio.run(
                    lambda tx, work=work, more=more, parent=parent, id_=id_: work(tx, parent, id_, *more, OWNER)  # type: ignore[operator]
                )
