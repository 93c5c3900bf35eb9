"""Hours of a resource: weeks and days, changed by staff."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from booking.opened import START, Practice
from booking.studio import NOW, Studio
from catalog.holds import hold_places
from holdfast.availability.hours import Override
from holdfast.availability.rules import replace_overrides
from holdfast.booking.layouts import lay_out_ahead
from holdfast.catalog.resources import put_resource
from holdfast.identity.businesses import current
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound, ValidationFailed
from holdfast.kernel.ids import new_id
from holdfast.offerings.errors import ChangedMeanwhile, LeavesBookings
from holdfast.offerings.hours import Timetable, change_days, change_week, days_between, forget_source, timetable_of
from holdfast.offerings.resources import resource_of
from holdfast.offerings.weeks import CLOSED, Intervals, Week
from offerings.setting import OWNER, entries, hours, someone, wrong

ALL_DAY = (hours("00:00-00:00"),) * 7
DAY = (NOW + timedelta(days=20)).date()


async def of(studio: Studio, resource_id: UUID) -> Timetable:
    """Return when a resource is open."""

    async def work(tx: Transaction) -> Timetable:
        business = await current(tx)
        assert business is not None
        return await timetable_of(tx, business, await resource_of(tx, resource_id))

    return await studio.run(work)


async def give(studio: Studio, resource_id: UUID, week: Week, accepted: str | None = None) -> None:
    """Give a resource a week."""
    told = (await of(studio, resource_id)).seen_weeks
    await studio.run(lambda tx: change_week(tx, resource_id, week, told, OWNER, accepted=accepted))


async def test_a_week_becomes_rules(studio: Studio) -> None:
    """What staff draw as a week is when the resource opens, and the log tells before and after (U-3)."""
    person = await someone(studio)
    week = Week((hours("09:00-13:00", "14:00-18:00"), *[()] * 6))
    await give(studio, person, week)
    found = await of(studio, person)
    assert found.weeks == [week]
    assert found.zone == "Europe/Berlin"
    later = Week((*[()] * 6, hours("10:00-11:00")), DAY)
    await give(studio, person, later)
    found = await of(studio, person)
    assert found.weeks == [Week(week.days, None, DAY - timedelta(days=1)), later]
    assert (found.week_on(DAY), found.hours_on(DAY)) == (later, later.days[DAY.weekday()])
    _, _, (action, before, after) = entries(studio, person)
    assert action == "change"
    assert before is not None
    assert after is not None
    assert '"14:00-18:00"' in before
    assert '"10:00-11:00"' in after


async def test_of_two_who_draw_a_week_the_second_is_told(studio: Studio) -> None:
    """A week that was read before somebody else changed the hours is refused; days are another matter (U-3)."""
    person = await someone(studio)
    stale = await of(studio, person)
    await give(studio, person, Week(ALL_DAY))
    with pytest.raises(ChangedMeanwhile):
        await studio.run(lambda tx: change_week(tx, person, Week(CLOSED), stale.seen_weeks, OWNER))
    await studio.run(lambda tx: change_days(tx, person, [DAY], (), stale.seen_days, OWNER))
    with pytest.raises(ChangedMeanwhile):
        await studio.run(lambda tx: change_days(tx, person, [DAY], None, stale.seen_days, OWNER))
    assert (await of(studio, person)).hours_on(DAY) == ()


async def test_bookings_that_would_be_outside_are_told_first(practice: Practice) -> None:
    """Hours that leave bookings outside are refused with the list, until that list is agreed to; they stay (U-3)."""
    person = await practice.add_resource("someone")
    await practice.add_service("talk", ["someone"])
    booked = (await practice.reserve("talk")).made().id
    await practice.commit(booked)
    studio = Studio(practice.desk.database, practice.business_id, "")
    await studio.run(lambda tx: put_resource(tx, slug="someone", name="someone", kind="room"))
    await give(studio, person, Week(ALL_DAY))
    start = datetime.fromtimestamp(START, UTC)
    late = Week((hours("12:00-20:00"),) * 7)
    with pytest.raises(LeavesBookings) as refused:
        await give(studio, person, late)
    [left] = refused.value.details["booked"]
    assert (left.kind, left.id, left.start, left.name) == ("appointment", booked, start, "talk")
    accept = refused.value.details["accept"]
    with pytest.raises(LeavesBookings):
        await give(studio, person, late, "another list")
    told = (await of(studio, person)).seen_days
    with pytest.raises(LeavesBookings):
        await studio.run(lambda tx: change_days(tx, person, [start.date()], (), told, OWNER))
    await give(studio, person, late, accept)
    # What is outside already is no news.
    await give(studio, person, Week(CLOSED))
    assert (await practice.read(booked)).status == "confirmed"


async def test_days_differ_from_the_week(studio: Studio) -> None:
    """Days are closed, have hours of their own or those of the week again; nothing else is touched (A-1)."""
    person = await someone(studio)
    await give(studio, person, Week(ALL_DAY))
    await studio.run(lambda tx: replace_overrides(tx, person, [Override(DAY)], source="file:holidays.ics"))

    async def put(days: list[date], day_hours: Intervals | None) -> Timetable:
        told = (await of(studio, person)).seen_days
        await studio.run(lambda tx: change_days(tx, person, days, day_hours, told, OWNER))
        return await of(studio, person)

    next_day = DAY + timedelta(days=1)
    found = await put([DAY, next_day], hours("10:00-12:00", "13:00-14:00"))
    assert len(found.own) == 4
    # A day for which one source says closed is closed.
    assert (found.hours_on(DAY), found.hours_on(next_day)) == ((), hours("10:00-12:00", "13:00-14:00"))
    assert [(each.source, each.days) for each in found.sources] == [("file:holidays.ics", 1)]
    found = await put([next_day], None)
    assert found.hours_on(next_day) == ALL_DAY[0]
    assert {each.day for each in found.own} == {DAY}
    await studio.run(lambda tx: forget_source(tx, person, "file:holidays.ics", OWNER))
    await studio.run(lambda tx: forget_source(tx, person, "file:holidays.ics", OWNER))
    found = await of(studio, person)
    assert (found.sources, found.hours_on(DAY)) == ((), hours("10:00-12:00", "13:00-14:00"))
    told = entries(studio, person)
    assert len(told) == 1 + 1 + 2 + 1
    assert str(DAY) not in str(told[3])


async def test_wrong_days_are_told(studio: Studio) -> None:
    """Hours of a day that overlap, no days and more than a year of them are refused (A-1)."""
    person = await someone(studio)
    told = (await of(studio, person)).seen_days
    for days, day_hours, field in (
        ([DAY], hours("09:00-12:00", "11:00-13:00"), "hours"),
        ([], (), "days"),
        ([DAY + timedelta(days=n) for n in range(367)], (), "days"),
    ):
        with pytest.raises(ValidationFailed) as failed:
            await studio.run(
                lambda tx, days=days, day_hours=day_hours: change_days(tx, person, days, day_hours, told, OWNER)
            )
        assert wrong(failed) == {field}
    assert len(days_between(DAY, DAY + timedelta(days=365))) == 366
    for last in (DAY - timedelta(days=1), DAY + timedelta(days=366)):
        with pytest.raises(ValidationFailed):
            days_between(DAY, last)
    with pytest.raises(NotFound):
        await studio.run(lambda tx: change_days(tx, new_id(), [DAY], (), told, OWNER))


async def test_a_closed_day_takes_its_groups_out(studio: Studio) -> None:
    """Closing a day withdraws the groups of that day that nobody has booked, and opening it brings them back (A-1)."""
    room = await someone(studio, "hall", kind="room")
    program = await studio.program("12:00", resource_ids=[room])
    await studio.run(lay_out_ahead)
    at = next(each.start for each in await studio.listed(limit=1000) if each.start.date() == DAY)

    async def put(day_hours: Intervals | None) -> bool:
        told = (await of(studio, room)).seen_days
        await studio.run(lambda tx: change_days(tx, room, [DAY], day_hours, told, OWNER))
        return any(each.start == at for each in await studio.listed(limit=1000))

    assert not await put(())
    assert await put(None)
    [schedule] = [each for each in await studio.listed(limit=1000) if each.start == at]
    assert program.resource_ids == (room,)
    await studio.run(lambda tx: hold_places(tx, schedule.id, at, 1))
    with pytest.raises(LeavesBookings) as refused:
        await put(())
    assert [(each.kind, each.id) for each in refused.value.details["booked"]] == [("schedule", schedule.id)]
