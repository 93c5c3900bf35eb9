"""Schedules: laid out ahead, listed, and changed in their number of places."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from catalog.holds import ALIVE, SPENT, hold_places, hold_slot, release_all
from holdfast.booking.errors import UnknownSchedule
from holdfast.booking.schedules import (
    AHEAD,
    CapacityBelowTaken,
    Conflict,
    Layout,
    Schedule,
    Withdrawal,
    clock,
    follow_capacity,
    lay_out,
    lay_out_ahead,
    list_schedules,
    occurrences,
    set_capacity,
    withdraw,
)
from holdfast.catalog.errors import UnknownProgram
from holdfast.catalog.programs import Program, ProgramRule, deactivate_programs, programs_of, put_program
from holdfast.catalog.resources import put_resource
from holdfast.catalog.services import put_service
from holdfast.identity.businesses import lock, put
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.ids import new_id
from holdfast.verify import verify

T = TypeVar("T")
EVERY_DAY = range(7)
HOUR = timedelta(hours=1)
NOW = datetime.now(UTC)
# Wall times of the studio that do not pass while the tests run.
LATER = [f"{(NOW.astimezone(ZoneInfo('Europe/Berlin')).hour + hours) % 24:02}:00" for hours in (5, 9, 14, 19)]


@dataclass
class Studio:
    """A business with programs."""

    database: Database
    business_id: UUID
    admin_uri: str

    async def run(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run a piece of work in one transaction."""
        return await self.database.run(self.business_id, work)

    async def room(self, slug: str = "room", capacity: int = 1) -> UUID:
        """Add a room."""
        return await self.run(lambda tx: put_resource(tx, slug=slug, name=slug, kind="room", capacity=capacity))

    async def program(self, *starts: str, slug: str = "group", **more: Any) -> Program:
        """Add a program that begins every day at these wall times, or on `days`."""
        days = more.pop("days", EVERY_DAY)
        rules = [ProgramRule(weekday, time.fromisoformat(start)) for weekday in days for start in starts]
        given = {"duration_minutes": 60, "max_capacity": 3} | more
        await self.run(lambda tx: put_program(tx, slug=slug, name=slug, rules=rules, **given))
        return next(program for program in await self.run(programs_of) if program.slug == slug)

    async def lay_out(self, program: Program, days: int = 3, now: datetime = NOW) -> Layout:
        """Lay out some days."""
        return await self.run(lambda tx: lay_out(tx, program, until=now + timedelta(days=days), now=now))

    async def listed(self, slug: str = "group", **more: Any) -> list[Schedule]:
        """Return the first page of a program."""
        return (await self.run(lambda tx: list_schedules(tx, slug, **more))).schedules

    async def count(self, what: str) -> int:
        """Count the rows of a table."""
        return int(
            await self.run(
                lambda tx: tx.value(
                    f"select count(*) from {what} where business_id = %(id)s",  # type: ignore[arg-type]
                    {"id": tx.business_id},
                )
            )
        )

    def violations(self) -> list[str]:
        """Return what `holdfast verify` says of this business."""
        return [each.problem for each in verify(self.admin_uri, lambda _: None) if each.business_id == self.business_id]


@pytest_asyncio.fixture
async def studio(database: Database, admin_uri: str) -> AsyncIterator[Studio]:
    """A business that nobody else uses; its rows are sound when the test has ended."""
    slug = f"b-{uuid4().hex[:8]}"
    business = await database.run(
        None, lambda tx: put(tx, slug=slug, name="Studio", timezone="Europe/Berlin", currency="EUR")
    )
    made = Studio(database, business.id, admin_uri)
    yield made
    assert made.violations() == []
    await made.run(release_all)


def utc(text: str) -> datetime:
    """Return an instant of UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


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
    program = Program(new_id(), "p", "P", 60, 1, 0, "none", 15, 0, None, active=True, rules=rules, resource_ids=())
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
    first, second, third = occurrences(program, "Europe/Berlin", after=NOW, until=NOW + timedelta(days=3))
    service_id = await studio.run(
        lambda tx: put_service(tx, slug="s", name="S", duration_minutes=60, requirements=[[hall], [room]])
    )
    await studio.run(lambda tx: hold_slot(tx, service_id, {hall: 3}, second - HOUR / 2, second + HOUR / 2, ALIVE))
    await studio.run(lambda tx: hold_slot(tx, service_id, {room: 1}, third - HOUR, third, ALIVE))
    assert await studio.lay_out(program) == Layout(2, (Conflict("group", second, hall),))
    assert [each.start for each in await studio.listed()] == [first, third]
    assert await studio.count("claims") == 2 * (1 + 4) + 2

    await studio.run(release_all)
    assert await studio.lay_out(program) == Layout(1)
    assert [each.start for each in await studio.listed()] == [first, second, third]


async def test_a_spent_hold_keeps_no_schedule_away(studio: Studio) -> None:
    """A hold that has run out does not keep a schedule from its room, although nobody has swept it (B-4)."""
    room = await studio.room()
    program = await studio.program(LATER[0], resource_ids=[room])
    [start] = occurrences(program, "Europe/Berlin", after=NOW, until=NOW + timedelta(days=1))
    service_id = await studio.run(
        lambda tx: put_service(tx, slug="s", name="S", duration_minutes=60, requirements=[[room]])
    )
    await studio.run(lambda tx: hold_slot(tx, service_id, {room: 1}, start, start + HOUR, SPENT))
    assert await studio.lay_out(program, days=1) == Layout(1)


async def test_programs_race_for_rooms(studio: Studio) -> None:
    """Programs laid out at once never share a room: each time has one winner, and the loser a conflict (B-2, B-6)."""
    room, hall = await studio.room(), await studio.room("hall", capacity=4)
    programs = [
        await studio.program(LATER[0], slug=f"group-{n}", resource_ids=[room, hall][:: 1 if n % 2 else -1])
        for n in range(4)
    ]

    async def once(program: Program) -> Layout:
        # Not tried again: a deadlock is a failure here.
        async with studio.database.transaction(studio.business_id) as tx:
            return await lay_out(tx, program, until=NOW + timedelta(days=20), now=NOW)

    layouts = await asyncio.gather(*map(once, programs))
    assert sum(layout.created for layout in layouts) == 20
    assert sum(len(layout.conflicts) for layout in layouts) == 60
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


async def test_only_what_was_never_booked_is_withdrawn(studio: Studio) -> None:
    """Withdrawing spares what has been booked and what has begun, and frees the rooms of the rest (B-2)."""
    program = await studio.program(*LATER, resource_ids=[await studio.room(capacity=2)])
    await studio.lay_out(program, days=2, now=NOW - timedelta(days=1))
    begun = occurrences(program, "Europe/Berlin", after=NOW - timedelta(days=1), until=datetime.now(UTC))
    [first, booked, *rest] = await studio.listed()
    await studio.run(lambda tx: hold_places(tx, booked.id, booked.start, 1))
    starts = [*begun, *(each.start for each in (first, booked, *rest))]
    assert await studio.run(lambda tx: withdraw(tx, program, starts)) == Withdrawal(len(rest) + 1, (booked.start,))
    assert [each.id for each in await studio.listed()] == [booked.id]
    assert await studio.count("program_schedules") == len(begun) + 1
    assert await studio.count("claims") == 2 * (len(begun) + 1)


async def test_schedules_follow_their_program(studio: Studio) -> None:
    """Coming schedules that have the former capacity of their program get its new one, but never below taken (B-20)."""
    await studio.lay_out(await studio.program(LATER[0], max_capacity=5), days=4)
    [free, booked, spent, changed] = await studio.listed()
    await studio.run(lambda tx: hold_places(tx, booked.id, booked.start, 4))
    await studio.run(lambda tx: hold_places(tx, spent.id, spent.start, 4, SPENT))
    await studio.run(lambda tx: set_capacity(tx, changed.id, 9))
    lowered = await studio.program(LATER[0], max_capacity=3)
    assert await studio.run(lambda tx: follow_capacity(tx, lowered, 5)) == 1
    assert {each.id: each.max_capacity for each in await studio.listed()} == {
        free.id: 3,
        booked.id: 5,
        spent.id: 3,
        changed.id: 9,
    }
