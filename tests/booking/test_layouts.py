"""Laying out: schedules follow the rules of their programs, where nothing stands in the way."""

import asyncio
from datetime import UTC, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from booking.studio import EVERY_DAY, HOUR, LATER, NOW, Studio, utc
from catalog.holds import ALIVE, SPENT, hold_places, hold_slot, release_all
from holdfast.availability.hours import Override
from holdfast.availability.rules import replace_overrides
from holdfast.booking.layouts import AHEAD, Deviation, Layout, clock, deviations, lay_out, lay_out_ahead, occurrences
from holdfast.catalog.programs import Program, ProgramRule, deactivate_programs, put_program
from holdfast.catalog.resources import put_resource
from holdfast.catalog.services import put_service
from holdfast.identity.businesses import lock
from holdfast.kernel.ids import new_id


async def test_eight_weeks_are_laid_out(studio: Studio) -> None:
    """Every active program is laid out 8 weeks ahead by its weekly rule, and once more adds nothing (K-4)."""
    tokyo = {"timezone": "Asia/Tokyo"}
    await studio.program("07:30", "19:00", max_capacity=12, **tokyo)
    await studio.program("12:00", slug="lecture", days=[5], max_capacity=500, **tokyo)
    gone = await studio.program("12:00", slug="gone")
    await studio.run(lambda tx: deactivate_programs(tx, [gone.id]))
    now = await studio.run(clock)
    assert await studio.run(lay_out_ahead) == Layout(56 * 2 + 8)
    assert await studio.run(lay_out_ahead) == Layout()
    group, lecture = await studio.listed(limit=1000), await studio.listed("lecture")
    assert (len(group), len(lecture)) == (112, 8)
    assert {(each.max_capacity, each.places_left, each.end - each.start) for each in group} == {(12, 12, HOUR)}
    assert all(now < each.start <= now + AHEAD + HOUR for each in group)
    assert {(each.max_capacity, each.start.astimezone(UTC).weekday()) for each in lecture} == {(500, 5)}


@pytest.mark.parametrize(
    ("zone", "start", "now", "expected"),
    [
        (None, "07:30", "2027-03-27T00:00", ["2027-03-27T06:30", "2027-03-28T05:30", "2027-03-29T05:30"]),
        (None, "02:30", "2027-03-27T00:00", ["2027-03-27T01:30", "2027-03-28T01:00", "2027-03-29T00:30"]),
        (None, "02:30", "2027-10-30T00:00", ["2027-10-30T00:30", "2027-10-31T00:30", "2027-11-01T01:30"]),
        ("Asia/Tokyo", "07:30", "2027-03-26T23:00", ["2027-03-27T22:30", "2027-03-28T22:30", "2027-03-29T22:30"]),
    ],
)
async def test_rules_are_wall_time(studio: Studio, zone: str | None, start: str, now: str, expected: list[str]) -> None:
    """A rule is wall time of the program's zone, else the business's; gaps and repetitions are opening edges (A-5)."""
    program = await studio.program(start, timezone=zone)
    await studio.lay_out(program, now=utc(now))
    assert [each.start for each in await studio.listed()] == [utc(each) for each in expected]


def test_a_skipped_day_has_no_occurrence() -> None:
    """A day that a zone has skipped has no occurrence, and two wall times of one gap are one occurrence (A-5)."""
    rules = tuple(ProgramRule(weekday, start) for weekday in EVERY_DAY for start in (time(2, 10), time(2, 40)))
    shape = {
        "duration_minutes": 60,
        "max_capacity": 1,
        "hold_minutes": 15,
        "cancel_notice_minutes": 0,
        "timezone": None,
    }
    money = {"price_minor": 0, "payment_policy": "none", "payment_minutes": 30, "refund_terms": ()}
    program = Program(id=new_id(), slug="p", name="P", active=True, rules=rules, resource_ids=(), **shape, **money)  # type: ignore[arg-type]
    apia = occurrences(program, "Pacific/Apia", after=utc("2011-12-29T12:00"), until=utc("2011-12-30T13:00"))
    assert apia == [utc("2011-12-29T12:10"), utc("2011-12-29T12:40"), utc("2011-12-30T12:10"), utc("2011-12-30T12:40")]
    berlin = occurrences(program, "Europe/Berlin", after=utc("2027-03-28T00:00"), until=utc("2027-03-28T12:00"))
    assert berlin == [utc("2027-03-28T01:00")]


async def test_a_schedule_takes_what_it_uses(studio: Studio) -> None:
    """A schedule claims every place of each resource that its program uses, for its whole time (B-2)."""
    room, hall = await studio.room(), await studio.room("hall", capacity=4)
    program = await studio.program(LATER[0], resource_ids=[room, hall])
    assert await studio.lay_out(program) == Layout(3)
    assert await studio.count("claims") == 3 * (1 + 4)
    taken = await studio.run(
        lambda tx: tx.rows(
            """select c.resource_id, s.starts_at, count(*) as places,
                      bool_and(c.during = tstzrange(s.starts_at, s.ends_at))
                 from claims c join program_schedules s on s.id = c.schedule_id
                where c.business_id = %(id)s group by 1, 2""",
            {"id": tx.business_id},
        )
    )
    assert {(row["resource_id"], row["places"], row["bool_and"]) for row in taken} == {(room, 1, True), (hall, 4, True)}


async def test_a_taken_room_costs_one_schedule(studio: Studio) -> None:
    """Where a resource is not free the schedule is reported and not made, not even in part; the others are (B-2)."""
    room, hall = await studio.room(), await studio.room("hall", capacity=4)
    program = await studio.program(LATER[0], resource_ids=[room, hall])
    first, second, third = studio.starts(program)
    service_id = await studio.run(
        lambda tx: put_service(tx, slug="s", name="S", duration_minutes=60, requirements=[[hall], [room]])
    )
    await studio.run(lambda tx: hold_slot(tx, service_id, {hall: 3}, second - HOUR / 2, second + HOUR / 2, ALIVE))
    await studio.run(lambda tx: hold_slot(tx, service_id, {room: 1}, third - HOUR, third, ALIVE))
    told = (Deviation(program.id, "group", second, "taken", hall),)
    assert await studio.lay_out(program) == Layout(2, deviations=told, noticed=told)
    assert [each.start for each in await studio.listed()] == [first, third]
    assert await studio.count("claims") == 2 * (1 + 4) + 2
    assert await studio.lay_out(program) == Layout(deviations=told)
    assert await studio.run(deviations) == [*told]

    await studio.run(release_all)
    assert await studio.lay_out(program) == Layout(1)
    assert [each.start for each in await studio.listed()] == [first, second, third]
    assert await studio.run(deviations) == []


async def test_a_spent_hold_keeps_no_schedule_away(studio: Studio) -> None:
    """A hold that has run out does not keep a schedule from its room, although nobody has swept it (B-4)."""
    room = await studio.room()
    program = await studio.program(LATER[0], resource_ids=[room])
    [start] = studio.starts(program, days=1)
    service_id = await studio.run(
        lambda tx: put_service(tx, slug="s", name="S", duration_minutes=60, requirements=[[room]])
    )
    await studio.run(lambda tx: hold_slot(tx, service_id, {room: 1}, start, start + HOUR, SPENT))
    assert await studio.lay_out(program, days=1) == Layout(1)


async def test_programs_race_for_rooms(studio: Studio) -> None:
    """Programs laid out at once never share a room: each time has one winner, and the others a deviation (B-2, B-6)."""
    room, hall = await studio.room(), await studio.room("hall", capacity=4)
    programs = [
        await studio.program(LATER[0], slug=f"group-{n}", resource_ids=[room, hall][:: 1 if n % 2 else -1])
        for n in range(4)
    ]

    async def once(program: Program) -> Layout:
        # Not tried again: a deadlock is a failure here.
        async with studio.database.transaction(studio.business_id) as tx:
            return await lay_out(tx, [program], until=NOW + timedelta(days=20), now=NOW)

    layouts = await asyncio.gather(*map(once, programs))
    assert sum(layout.created for layout in layouts) == 20
    assert sum(len(layout.deviations) for layout in layouts) == 60
    assert await studio.count("claims") == 20 * (1 + 4)


async def test_one_program_is_laid_out_once(studio: Studio) -> None:
    """Several layouts of one program at once make each schedule once, and no conflict with themselves (K-4)."""
    program = await studio.program(LATER[0], resource_ids=[await studio.room(capacity=3)])
    layouts = await asyncio.gather(*(studio.lay_out(program, days=10) for _ in range(4)))
    assert sorted(layouts, key=lambda layout: layout.created) == [Layout(), Layout(), Layout(), Layout(10)]


async def test_a_layout_waits_for_an_import(studio: Studio) -> None:
    """Programs are laid out by the rules that an import in flight gives them, not by those that it replaces (K-2)."""
    await studio.program(LATER[0])
    async with studio.database.transaction(studio.business_id) as tx:
        await lock(tx)
        rules = [ProgramRule(weekday, time.fromisoformat(LATER[1])) for weekday in EVERY_DAY]
        await put_program(tx, slug="group", name="group", rules=rules, duration_minutes=60, max_capacity=3)
        layout = asyncio.create_task(studio.run(lay_out_ahead))
        while not await tx.value("select exists (select from pg_locks where not granted)"):
            assert not layout.done()
            await asyncio.sleep(0.01)
    assert await layout == Layout(56)
    berlin = ZoneInfo("Europe/Berlin")
    assert {f"{each.start.astimezone(berlin):%H:%M}" for each in await studio.listed()} == {LATER[1]}


async def test_a_second_layout_writes_nothing(studio: Studio) -> None:
    """A layout that finds all as it left it writes not one row, also where it could not do what the rule means (K-4)."""
    room, hall = await studio.room(), await studio.room("hall")
    program = await studio.program(LATER[0], resource_ids=[room, hall])
    await studio.close(room, NOW.date() + timedelta(days=5))
    await studio.program(LATER[0], slug="rival", resource_ids=[hall])
    first = await studio.run(lay_out_ahead)
    assert {each.kind for each in first.deviations} == {"closed", "taken"}
    before = await studio.rows()
    assert await studio.run(lay_out_ahead) == Layout(deviations=first.deviations)
    assert await studio.rows() == before
    assert [each.program_id for each in first.deviations if each.kind == "closed"] == [program.id]


async def test_several_programs_share_a_layout(studio: Studio) -> None:
    """Who loses a room to another program in one layout takes no room away from a third (B-2, B-3)."""
    room, hall = await studio.room(), await studio.room("hall")
    await studio.program(LATER[0], slug="a", resource_ids=[hall])
    await studio.program(LATER[0], slug="b", resource_ids=sorted([room, hall]))
    await studio.program(LATER[0], slug="c", resource_ids=[room])
    layout = await studio.run(lay_out_ahead)
    assert layout.created == 56 + 56
    assert {each.program_slug for each in layout.deviations} == {"b"}


async def test_holidays_are_skipped(studio: Studio) -> None:
    """On a closed day of a resource, by its own calendar, nothing that uses it is laid out, and that is told (A-1)."""
    room, hall = await studio.room(), await studio.room("hall")
    tokyo = ZoneInfo("Asia/Tokyo")
    await studio.run(lambda tx: put_resource(tx, slug="hall", name="hall", kind="room", timezone="Asia/Tokyo"))
    program = await studio.program("01:00", "23:00", resource_ids=[room, hall])
    free = await studio.program("01:00", slug="free")
    starts = studio.starts(program, days=6)
    holiday = (NOW + timedelta(days=3)).date()
    # 23:00 in Berlin is the next morning in Tokyo: the calendar of the hall decides, not that of the business.
    skipped = [start for start in starts if start.astimezone(tokyo).date() == holiday]
    assert {start.astimezone(ZoneInfo("Europe/Berlin")).hour for start in skipped} == {1, 23}
    await studio.close(hall, holiday)
    told = tuple(Deviation(program.id, "group", start, "closed", hall) for start in skipped)
    assert await studio.lay_out(program, days=6) == Layout(len(starts) - len(skipped), deviations=told, noticed=told)
    assert await studio.lay_out(free, days=6) == Layout(6)


async def test_only_closed_days_of_what_has_hours_are_skipped(studio: Studio) -> None:
    """Other hours on a date are no holiday, and what is always open has none (A-1)."""
    room, hall = await studio.room(), await studio.room("hall")
    await studio.run(lambda tx: put_resource(tx, slug="hall", name="hall", kind="room", always_open=True))
    program = await studio.program(LATER[0], resource_ids=[room, hall])
    days = [NOW.date() + timedelta(days=n) for n in range(5)]
    await studio.close(hall, *days)
    shorter = [Override(day, time(10), time(11)) for day in days]
    await studio.run(lambda tx: replace_overrides(tx, room, shorter))
    assert await studio.lay_out(program) == Layout(3)


async def test_a_later_holiday_withdraws_what_is_free(studio: Studio) -> None:
    """A holiday that comes later withdraws free schedules; booked ones stay until they are free, and are told (A-1)."""
    room = await studio.room()
    program = await studio.program(LATER[0], resource_ids=[room], timezone="UTC")
    await studio.lay_out(program, days=4)
    first, booked, free, last = await studio.listed()
    await studio.run(lambda tx: hold_places(tx, booked.id, booked.start, 1))
    await studio.close(room, booked.start.date(), free.start.date())
    layout = await studio.lay_out(program, days=4)
    assert (layout.created, layout.withdrawn) == (0, 1)
    assert [(each.start, each.kind) for each in layout.deviations] == [(booked.start, "booked"), (free.start, "closed")]
    assert [each.id for each in await studio.listed()] == [first.id, booked.id, last.id]

    await studio.run(release_all)
    assert [each.kind for each in (await studio.lay_out(program, days=4)).deviations] == ["closed", "closed"]
    assert [each.id for each in await studio.listed()] == [first.id, last.id]
    await studio.close(room)
    assert await studio.lay_out(program, days=4) == Layout(2)
    assert [each.start for each in await studio.listed()] == [each.start for each in (first, booked, free, last)]


async def test_busy_time_keeps_a_schedule_away(studio: Studio) -> None:
    """Where an outside calendar says that a resource is busy, nothing is laid out, and that is told (A-2)."""
    room = await studio.room()
    program = await studio.program(LATER[0], resource_ids=[room])
    [_, second, _] = studio.starts(program)
    busy = """insert into calendar_busy_intervals (business_id, resource_id, during, source)
              values (%(business_id)s, %(room)s, tstzrange(%(from)s, %(to)s), 'a test')"""
    values = {"business_id": studio.business_id, "room": room, "from": second + HOUR / 2, "to": second + HOUR * 2}
    await studio.run(lambda tx: tx.run(busy, values))
    told = (Deviation(program.id, "group", second, "busy", room),)
    assert await studio.lay_out(program) == Layout(2, deviations=told, noticed=told)
