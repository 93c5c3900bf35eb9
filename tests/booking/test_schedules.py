"""Schedules: listed, and changed in their number of places."""

from datetime import timedelta
from uuid import uuid4

import pytest

from booking.studio import LATER, NOW, Studio
from catalog.holds import ALIVE, SPENT, hold_places
from holdfast.booking.errors import UnknownSchedule
from holdfast.booking.schedules import CapacityBelowTaken, Schedule, list_schedules, set_capacity
from holdfast.catalog.errors import UnknownProgram
from holdfast.catalog.programs import deactivate_programs
from holdfast.identity.businesses import put
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.ids import new_id


async def test_the_list_is_of_what_can_be_booked(studio: Studio) -> None:
    """Listed is what begins in the future, within the range asked for, full ones with no place left (B-20)."""
    program = await studio.program(*LATER)
    await studio.lay_out(program, days=4, now=NOW - timedelta(days=2))
    listed = await studio.listed()
    assert len(listed) == 8
    assert all(each.start > NOW for each in listed)
    await studio.run(lambda tx: hold_places(tx, listed[1].id, listed[1].start, 3))
    assert [each.places_left for each in await studio.listed()] == [3, 0, 3, 3, 3, 3, 3, 3]
    some = await studio.listed(start=listed[2].start, end=listed[5].start)
    assert [each.id for each in some] == [each.id for each in listed[2:5]]


async def test_a_spent_hold_takes_no_place(studio: Studio) -> None:
    """Places left do not count holds that have run out, although nobody has swept them (B-4)."""
    await studio.lay_out(await studio.program(LATER[0]))
    [schedule, *_] = await studio.listed()
    await studio.run(lambda tx: hold_places(tx, schedule.id, schedule.start, 2, SPENT))
    await studio.run(lambda tx: hold_places(tx, schedule.id, schedule.start, 1, ALIVE))
    assert [each.places_left for each in await studio.listed()] == [2, 3, 3]


@pytest.mark.parametrize("limit", [1, 3, 8, 12, 13])
async def test_pages_hold_everything_once(studio: Studio, limit: int) -> None:
    """Pages of any size hold each schedule once and in order, also when others are added meanwhile (H-2)."""
    program = await studio.program(LATER[0])
    await studio.lay_out(program, days=12)
    seen: list[Schedule] = []
    cursor: str | None = None
    while True:
        page = await studio.run(lambda tx, cursor=cursor: list_schedules(tx, "group", cursor=cursor, limit=limit))
        seen += page.schedules
        cursor = page.next_cursor
        if cursor is None:
            break
        assert len(page.schedules) == limit
        assert len(seen) <= 13
        await studio.lay_out(program, days=13)
    assert len(seen) in {12, 13}
    assert [each.start for each in seen] == sorted({each.start for each in seen})


async def test_what_cannot_be_listed_is_told(studio: Studio) -> None:
    """An unknown or inactive program is 404; a cursor that no page has given is a validation error (H-1, H-2)."""
    program = await studio.program(LATER[0])
    assert await studio.listed() == []
    for slug in ("nothing", "", "a\0b", "имя"):
        with pytest.raises(UnknownProgram):
            await studio.listed(slug)
    for cursor in ("", "x", "имя", "MjAyNy0wMS0wMQ==", "\ud800"):
        with pytest.raises(ValidationFailed):
            await studio.listed(cursor=cursor)
    await studio.lay_out(program)
    await studio.run(lambda tx: deactivate_programs(tx, [program.id]))
    with pytest.raises(UnknownProgram):
        await studio.listed()


async def test_capacity_sinks_to_what_is_taken_only(studio: Studio) -> None:
    """Places may be raised any time and lowered to what is taken; below it is 409 with that number (B-20)."""
    await studio.lay_out(await studio.program(LATER[0], max_capacity=5))
    [schedule, *others] = await studio.listed()
    await studio.run(lambda tx: hold_places(tx, schedule.id, schedule.start, 4))
    with pytest.raises(CapacityBelowTaken) as refusal:
        await studio.run(lambda tx: set_capacity(tx, schedule.id, 3))
    assert (refusal.value.status, refusal.value.details) == (409, {"taken": 4})
    for capacity in (4, 500):
        await studio.run(lambda tx, capacity=capacity: set_capacity(tx, schedule.id, capacity))
        [changed, *unchanged] = await studio.listed()
        assert (changed.max_capacity, changed.places_left, unchanged) == (capacity, capacity - 4, others)


async def test_a_spent_hold_keeps_no_capacity_up(studio: Studio) -> None:
    """Holds that have run out do not count as taken when places are lowered, although nobody swept them (B-4, B-20)."""
    await studio.lay_out(await studio.program(LATER[0]))
    [schedule, *_] = await studio.listed()
    await studio.run(lambda tx: hold_places(tx, schedule.id, schedule.start, 2, SPENT))
    await studio.run(lambda tx: hold_places(tx, schedule.id, schedule.start, 1))
    await studio.run(lambda tx: set_capacity(tx, schedule.id, 1))
    assert (await studio.listed())[0].places_left == 0


async def test_a_capacity_that_cannot_be_is_told(studio: Studio) -> None:
    """An unknown schedule is 404, and places outside 1 to 1000000 are a validation error (B-20, H-1)."""
    await studio.lay_out(await studio.program(LATER[0]))
    [schedule, *_] = await studio.listed()
    with pytest.raises(UnknownSchedule):
        await studio.run(lambda tx: set_capacity(tx, new_id(), 2))
    for capacity in (0, -1, 1_000_001):
        with pytest.raises(ValidationFailed):
            await studio.run(lambda tx, capacity=capacity: set_capacity(tx, schedule.id, capacity))


async def test_another_tenant_is_out_of_reach(studio: Studio) -> None:
    """A schedule of another business can be neither listed nor changed (H-4)."""
    await studio.lay_out(await studio.program(LATER[0]))
    [schedule, *_] = await studio.listed()
    other = await studio.database.run(
        None, lambda tx: put(tx, slug=f"b-{uuid4().hex[:8]}", name="Other", timezone="UTC", currency="EUR")
    )
    with pytest.raises(UnknownSchedule):
        await studio.database.run(other.id, lambda tx: set_capacity(tx, schedule.id, 2))
    with pytest.raises(UnknownProgram):
        await studio.database.run(other.id, lambda tx: list_schedules(tx, "group"))
