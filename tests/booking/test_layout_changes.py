"""Laying out anew: what a change of a rule, of a program or of a person's mind does to schedules that are there."""

import asyncio
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from booking.studio import HOUR, LATER, NOW, Studio
from catalog.holds import SPENT, hold_places, release_all
from holdfast.booking.errors import UnknownSchedule
from holdfast.booking.jobs import lay_out_all
from holdfast.booking.layouts import Deviation, Layout, lay_out_ahead
from holdfast.booking.schedules import Schedule, set_capacity
from holdfast.booking.withdrawals import ScheduleIsBooked, remove, restore
from holdfast.catalog.programs import deactivate_programs
from holdfast.identity.businesses import put
from holdfast.kernel.database import Database
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.ids import new_id


async def test_a_changed_rule_moves_what_is_free(studio: Studio) -> None:
    """A changed rule moves what is free; what has live bookings, or has begun, stays as it is and is told (K-4)."""
    program = await studio.program(LATER[0], resource_ids=[await studio.room(capacity=2)])
    await studio.lay_out(program, days=4, now=NOW - timedelta(days=1))
    [_, booked, cancelled] = await studio.listed()
    await studio.run(lambda tx: hold_places(tx, cancelled.id, cancelled.start, 1))
    await studio.run(release_all)
    await studio.run(lambda tx: hold_places(tx, booked.id, booked.start, 1))
    moved = await studio.program(LATER[1], resource_ids=list(program.resource_ids))
    layout = await studio.lay_out(moved)
    assert (layout.created, layout.withdrawn) == (3, 2)
    assert layout.deviations == (Deviation(program.id, "group", booked.start, "booked"),)
    assert [each.start for each in await studio.listed()] == sorted([booked.start, *studio.starts(moved)])
    # Beside these: the one that has begun, and the one whose booking was given back, which is kept but not offered.
    assert await studio.count("program_schedules") == 4 + 2

    back = await studio.program(LATER[0], resource_ids=list(program.resource_ids))
    assert await studio.lay_out(back) == Layout(2, 3)
    again = await studio.listed()
    assert [each.start for each in again] == studio.starts(program)
    assert [each.id for each in again][1:] == [booked.id, cancelled.id]


@pytest.mark.parametrize("change", [{"duration_minutes": 90}, {"resource_ids": []}])
async def test_a_changed_length_or_room_spares_what_is_booked(studio: Studio, change: dict[str, Any]) -> None:
    """Another length or other resources apply to free schedules only; a booked one keeps its time and its room (B-2)."""
    room = await studio.room()
    await studio.lay_out(await studio.program(LATER[0], resource_ids=[room]))
    [first, booked, last] = await studio.listed()
    await studio.run(lambda tx: hold_places(tx, booked.id, booked.start, 1))
    program = await studio.program(LATER[0], **({"resource_ids": [room]} | change))
    told = (Deviation(program.id, "group", booked.start, "booked"),)
    assert await studio.lay_out(program) == Layout(2, 2, told, told)
    changed = await studio.listed()
    assert [each.start for each in changed] == [first.start, booked.start, last.start]
    assert changed[1] == Schedule(booked.id, booked.start, booked.end, 3, 2)
    minutes = change.get("duration_minutes", 60)
    assert {each.end - each.start for each in (changed[0], changed[2])} == {timedelta(minutes=minutes)}
    assert await studio.count("claims") == (3 if "duration_minutes" in change else 1)


async def test_what_is_offered_no_more_is_withdrawn(studio: Studio) -> None:
    """A deactivated program keeps its booked schedules only, and their rooms; one that is back has all again (K-2)."""
    program = await studio.program(LATER[0], resource_ids=[await studio.room()])
    await studio.run(lay_out_ahead)
    [booked, *_] = await studio.listed()
    await studio.run(lambda tx: hold_places(tx, booked.id, booked.start, 1))
    await studio.run(lambda tx: deactivate_programs(tx, [program.id]))
    layout = await studio.run(lay_out_ahead)
    assert (layout.created, layout.withdrawn, [each.kind for each in layout.deviations]) == (0, 55, ["booked"])
    assert await studio.count("claims") == 1
    await studio.program(LATER[0], resource_ids=list(program.resource_ids))
    assert await studio.run(lay_out_ahead) == Layout(55)


async def test_what_was_made_by_hand_is_no_rules_business(studio: Studio) -> None:
    """A schedule that no rule has made is neither withdrawn nor changed, and none is laid out over it (K-4)."""
    program = await studio.program(LATER[0])
    [start, *_] = studio.starts(program)
    by_hand = """insert into program_schedules (business_id, program_id, starts_at, ends_at, max_capacity)
                 select %(business_id)s, %(program)s, at, at + interval '3 hours', 7
                   from unnest(%(starts)s::timestamptz[]) at"""
    values = {"business_id": studio.business_id, "program": program.id, "starts": [start, start + HOUR * 4]}
    await studio.run(lambda tx: tx.run(by_hand, values))
    assert await studio.lay_out(program) == Layout(2)
    assert [each.max_capacity for each in await studio.listed()] == [7, 7, 3, 3]


async def test_what_staff_removed_stays_away(studio: Studio) -> None:
    """A schedule that staff removed frees its room and no layout makes it anew, until it is left to its rule (K-4)."""
    room = await studio.room()
    program = await studio.program(LATER[0], resource_ids=[room])
    await studio.lay_out(program)
    [first, removed, last] = await studio.listed()
    for _ in range(2):
        await studio.run(lambda tx: remove(tx, removed.id))
        assert await studio.lay_out(program) == Layout()
        assert [each.id for each in await studio.listed()] == [first.id, last.id]
    assert await studio.count("claims") == 2
    with pytest.raises(UnknownSchedule):
        await studio.run(lambda tx: set_capacity(tx, removed.id, 5))

    await studio.run(lambda tx: restore(tx, removed.id))
    assert await studio.lay_out(program) == Layout(1)
    assert [each.id for each in await studio.listed()] == [first.id, removed.id, last.id]
    assert await studio.count("claims") == 3
    for unknown in (removed.id, new_id()):
        with pytest.raises(UnknownSchedule):
            await studio.run(lambda tx, unknown=unknown: restore(tx, unknown))
    with pytest.raises(UnknownSchedule):
        await studio.run(lambda tx: remove(tx, new_id()))


async def test_what_is_booked_cannot_be_removed(studio: Studio) -> None:
    """Staff remove what is free; live bookings refuse with their places, holds that have run out do not (B-4)."""
    await studio.lay_out(await studio.program(LATER[0]))
    [booked, spent, _] = await studio.listed()
    await studio.run(lambda tx: hold_places(tx, booked.id, booked.start, 2))
    await studio.run(lambda tx: hold_places(tx, spent.id, spent.start, 2, SPENT))
    with pytest.raises(ScheduleIsBooked) as refusal:
        await studio.run(lambda tx: remove(tx, booked.id))
    assert (refusal.value.status, refusal.value.details) == (409, {"taken": 2})
    await studio.run(lambda tx: remove(tx, spent.id))
    assert spent.id not in {each.id for each in await studio.listed()}


async def test_the_database_refuses_to_withdraw_what_is_booked(studio: Studio) -> None:
    """Not even a console withdraws a schedule with live bookings, or books one that was withdrawn (B-2)."""
    await studio.lay_out(await studio.program(LATER[0]))
    [booked, removed, _] = await studio.listed()
    await studio.run(lambda tx: hold_places(tx, booked.id, booked.start, 1))
    await studio.run(lambda tx: remove(tx, removed.id))
    with pytest.raises(ScheduleIsBooked):
        await studio.run(
            lambda tx: tx.run("update program_schedules set withdrawn = 'rule' where id = %s", [booked.id])
        )
    with pytest.raises(ScheduleIsBooked):
        await studio.run(lambda tx: hold_places(tx, removed.id, removed.start, 1))


async def test_schedules_follow_their_program(studio: Studio) -> None:
    """Coming schedules that have the former capacity of their program get its new one, but never below taken (B-20)."""
    await studio.lay_out(await studio.program(LATER[0], max_capacity=5), days=4)
    [free, booked, spent, changed] = await studio.listed()
    await studio.run(lambda tx: hold_places(tx, booked.id, booked.start, 4))
    await studio.run(lambda tx: hold_places(tx, spent.id, spent.start, 4, SPENT))
    await studio.run(lambda tx: set_capacity(tx, changed.id, 9))
    lowered = await studio.program(LATER[0], max_capacity=3)
    told = (Deviation(lowered.id, "group", booked.start, "crowded"),)
    assert await studio.lay_out(lowered, days=4) == Layout(deviations=told, noticed=told)
    capacities = {free.id: 3, booked.id: 5, spent.id: 3, changed.id: 9}
    assert {each.id: each.max_capacity for each in await studio.listed()} == capacities

    await studio.run(release_all)
    assert await studio.lay_out(lowered, days=4) == Layout()
    assert {each.id: each.max_capacity for each in await studio.listed()} == capacities | {booked.id: 3}


async def test_a_killed_layout_leaves_nothing_half_done(studio: Studio, admin_uri: str) -> None:
    """A layout whose connection is killed in its middle has changed nothing, and the next one does all of it (K-4)."""
    room = await studio.room()
    await studio.program(LATER[0], resource_ids=[room])
    await studio.run(lay_out_ahead)
    before = await studio.rows()
    last = studio.starts(await studio.program(LATER[1], resource_ids=[room]), days=50)[-1]
    async with await psycopg.AsyncConnection.connect(admin_uri) as blocker:
        # A claim of a new schedule's time that is not committed: the layout has withdrawn all, and waits.
        await blocker.execute(
            "insert into claims (business_id, resource_id, capacity, seat, during, block_id)"
            " values (%s, %s, 1, 1, tstzrange(%s, %s), uuidv7())",
            [studio.business_id, room, last, last + HOUR],
        )
        layout = asyncio.create_task(studio.run(lay_out_ahead))
        waiting = "select pid from pg_locks where not granted limit 1"
        async with await psycopg.AsyncConnection.connect(admin_uri, autocommit=True) as watcher:
            while (row := await (await watcher.execute(waiting)).fetchone()) is None:
                assert not layout.done()
                await asyncio.sleep(0.01)
            await watcher.execute("select pg_terminate_backend(%s)", row)
        with pytest.raises(psycopg.OperationalError):
            await layout
        await blocker.rollback()
    assert await studio.rows() == before
    assert await studio.run(lay_out_ahead) == Layout(56, 56)


async def test_one_failing_business_delays_no_other(postgres: EmbeddedPostgres, own_database: str) -> None:
    """A business that cannot be laid out is logged, and the others are laid out; the log has ids only (K-4)."""
    database = Database(postgres.uri(user="holdfast_app", database=own_database))
    await database.open()
    made = {}
    for zone in ("Europe/Berlin", "Nowhere/Lost", "Asia/Tokyo"):
        business = await database.run(
            None, lambda tx, zone=zone: put(tx, slug=f"b-{zone[:4].lower()}", name="B", timezone=zone, currency="EUR")
        )
        made[zone] = Studio(database, business.id, "")
        room = await made[zone].room()
        for slug in ("group", "rival"):
            await made[zone].program("12:00", slug=slug, resource_ids=[room])
    try:
        with capture_logs() as written:
            assert await lay_out_all(database) == 56 * 2
            assert await lay_out_all(database) == 0
    finally:
        await database.close()
    failed = [entry["business_id"] for entry in written if entry["event"] == "layout_failed"]
    assert failed == 2 * [str(made["Nowhere/Lost"].business_id)]
    told = [entry for entry in written if entry["event"] == "schedule_deviation"]
    assert len(told) == 56 * 2
    assert {frozenset(entry) for entry in told} == {
        frozenset({"event", "log_level", "business_id", "program_id", "resource_id", "start", "kind"})
    }
