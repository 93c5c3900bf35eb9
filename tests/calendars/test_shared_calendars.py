"""One calendar that is connected for two people: it has one event of each appointment, whosever it is."""

import pytest_asyncio

from calendars.exporting import Exporting
from calendars.shelves import Shelf
from calendars.test_export import spans
from calendars.test_reconciliation import compared
from holdfast.calendars import accounts
from holdfast.calendars.event_ids import event_id_of
from holdfast.calendars.feed import want_all
from holdfast.kernel.audit import CONSOLE


@pytest_asyncio.fixture
async def shelf(practice: Exporting) -> Shelf:
    """The calendar that both have connected."""
    practice.tenant.sql("update calendars set exports = false where id = %s", practice.calendars["ana"])
    for name in ("ana", "ben"):
        await practice.connect(name, remote_id="the calendar of the practice")
    practice.shelves["ben"] = practice.shelves["ana"]
    return practice.shelves["ana"]


async def test_what_goes_over_to_a_colleague_stays_in_the_calendar_of_both(practice: Exporting, shelf: Shelf) -> None:
    """An appointment that another of the two takes over is moved, not deleted, and nobody is asked (C-3, C-5)."""
    booking_id = await practice.book()
    await practice.until_quiet()
    for name, hours in (("ben", 2), ("ana", 4)):
        await practice.reschedule(booking_id, hours, name)
        await practice.until_quiet()
        assert shelf.times() == spans(hours)
    assert practice.states(booking_id) == {"ana": "exported", "ben": "removed"}
    assert "remove" not in [name for name, _ in shelf.calls]
    assert await practice.conflicts() == []
    await practice.cancel(booking_id)
    await practice.until_quiet()
    assert shelf.times() == []


async def test_a_comparison_leaves_the_events_of_the_other_alone(practice: Exporting, shelf: Shelf) -> None:
    """Compared for one of the two, a calendar keeps what stands in it for the other (C-3, C-4)."""
    await practice.book(0, "ana")
    await practice.book(2, "ben")
    await practice.until_quiet()
    assert await compared(practice) == 2
    assert shelf.times() == spans(0, 2)
    assert await practice.conflicts() == []


async def test_an_export_that_ends_for_one_leaves_what_the_other_exports(practice: Exporting, shelf: Shelf) -> None:
    """Who is exported no more takes out their own events, and none of those that the other stands for (C-3)."""
    taken_over = await practice.book(0, "ana")
    await practice.book(2, "ana")
    await practice.until_quiet()
    await practice.reschedule(taken_over, 4, "ben")
    practice.tenant.sql("update calendars set exports = false where id = %s", practice.calendars["ana"])
    calendar_id = practice.calendars["ana"]
    await practice.database.run(practice.tenant.business_id, lambda tx: want_all(tx, calendar_id))
    await practice.until_quiet()
    assert shelf.times() == spans(4)
    assert await practice.conflicts() == []


async def test_a_farewell_of_one_leaves_what_the_other_exports(practice: Exporting, shelf: Shelf) -> None:
    """Disconnected for one with the events to come, a calendar keeps those that the other stands for (C-3)."""
    taken_over, own = await practice.book(0, "ana"), await practice.book(2, "ana")
    await practice.until_quiet()
    await practice.reschedule(taken_over, 4, "ben")
    connection_id = practice.connections["ana"]
    left = await practice.database.run(
        practice.tenant.business_id, lambda tx: accounts.disconnect(tx, connection_id, CONSOLE)
    )
    assert [event.event_id for event in left.events] == [event_id_of(practice.uuid(own))]
    await practice.until_quiet()
    assert shelf.times() == spans(2, 4)
