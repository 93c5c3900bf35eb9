"""Events of external calendars that come to lie over bookings."""

from typing import Any
from uuid import UUID

import psycopg

from booking.opened import HOUR_SECONDS, START, violations
from calendars.scripted import Connected, event
from holdfast.availability.ics.times import Span
from holdfast.booking.contacts import Guest
from holdfast.calendars.port import Kind, Page, RemoteEvent

GUEST = Guest("guest@example.org")


def changed(*events: Any) -> Page:
    """Return a page that names what has changed."""
    return Page(events, whole=False, sync_point="p")


async def book(office: Connected, hour: int) -> UUID:
    """Book an hour; return the appointment."""
    answer = await office.practice.reserve("talk", START + hour * HOUR_SECONDS, guest=GUEST)
    assert answer.id is not None
    return answer.id


def conflicts(office: Connected) -> list[tuple[Any, ...]]:
    """Return the conflicts of the business: kind, booking, state, the hour of the event."""
    rows = office.sql(
        "select kind, booking_id, state, extract(epoch from remote_starts_at)::bigint from calendar_conflicts"
        " where business_id = %s order by raised_at",
        office.business_id,
    )
    return [(*row, (start - START) // HOUR_SECONDS) for *row, start in rows]


async def test_an_event_over_a_booking_is_told_once_and_changes_nothing(office: Connected) -> None:
    """A busy time that comes over a booking is one task for staff; booking, slot and event stay (C-5, calendars 25)."""
    calendar_id = await office.add_calendar()
    booking_id = await book(office, 0)
    await book(office, 5)
    before = office.sql("select to_jsonb(b) from bookings b where business_id = %s order by id", office.business_id)
    await office.look(calendar_id, changed(event("over", 0), event("beside", 1)))
    assert conflicts(office) == [("overlap", booking_id, "open", 0)]
    assert office.inbox() == [("calendar_overlap", booking_id)]
    [(details, conflict_id)] = office.sql(
        "select i.details, c.id from calendar_conflicts c join attention_items i on i.id = c.item_id"
        " where c.business_id = %s",
        office.business_id,
    )
    assert details == {"conflict": str(conflict_id), "calendar": str(calendar_id)}
    for _ in range(2):
        await office.look(calendar_id, Page((event("over", 0), event("beside", 1)), whole=True, sync_point="p"))
    assert len(conflicts(office)) == len(office.inbox()) == 1
    after = office.sql("select to_jsonb(b) from bookings b where business_id = %s order by id", office.business_id)
    assert (after, office.hours()) == (before, [0, 1])
    assert violations(office.admin_uri) == []


async def test_an_event_that_moves_over_the_same_booking_is_the_same_conflict(office: Connected) -> None:
    """While a conflict is open its event may move under it; over another booking it is another one (calendars 25)."""
    calendar_id = await office.add_calendar()
    first, second = await book(office, 0), await book(office, 1)
    await office.look(calendar_id, changed(event("over", 0)))
    half = RemoteEvent("over", "over", Kind.BUSY, (Span(START + 1_800, START + HOUR_SECONDS),))
    await office.look(calendar_id, changed(half))
    told = office.sql("select remote_starts_at from calendar_conflicts where business_id = %s", office.business_id)
    assert [start.timestamp() for (start,) in told] == [START + 1_800]
    await office.look(calendar_id, changed(event("over", 0, 1)))
    assert conflicts(office) == [("overlap", first, "open", 0), ("overlap", second, "open", 1)]
    await office.look(calendar_id, changed(event("over", 1)))
    assert conflicts(office) == [("overlap", first, "superseded", 0), ("overlap", second, "open", 1)]
    assert office.inbox() == [("calendar_overlap", second)]


async def test_a_conflict_settles_when_the_event_or_the_booking_goes(office: Connected) -> None:
    """The task is done by itself when the event is gone, and when the appointment is cancelled (calendars 25)."""
    calendar_id = await office.add_calendar()
    await book(office, 0)
    cancelled = await book(office, 3)
    await office.look(calendar_id, changed(event("a", 0), event("b", 3)))
    assert len(office.inbox()) == 2
    await office.look(calendar_id, changed(event("a", kind=Kind.GONE)))
    assert office.inbox() == [("calendar_overlap", cancelled)]
    await office.practice.cancel(cancelled)
    await office.sync(calendar_id)
    assert (office.inbox(), [state for _, _, state, _ in conflicts(office)]) == ([], ["superseded"] * 2)


async def test_a_hold_counts_until_it_lapses(office: Connected) -> None:
    """An event over a hold is told, since the hold may become an appointment; when it lapses nothing is left to do."""
    calendar_id = await office.add_calendar()
    held = await office.practice.reserve("talk", START)
    await office.look(calendar_id, changed(event("a", 0)))
    assert office.inbox() == [("calendar_overlap", held.id)]
    await office.practice.run_out(held.id)
    assert violations(office.admin_uri) == []
    await office.sync(calendar_id)
    assert office.inbox() == []


async def test_events_of_two_calendars_over_one_booking_are_one_task(office: Connected) -> None:
    """Two conflicts about one booking stand in the inbox as one item, which stays until both are gone (calendars 25)."""
    one, other = await office.add_calendar("one"), await office.add_calendar("other")
    booking_id = await book(office, 0)
    await office.look(one, changed(event("a", 0)))
    await office.look(other, changed(event("a", 0)))
    assert (len(conflicts(office)), office.inbox()) == (2, [("calendar_overlap", booking_id)])
    await office.look(one, changed(event("a", kind=Kind.GONE)))
    assert office.inbox() == [("calendar_overlap", booking_id)]
    await office.look(other, changed(event("a", kind=Kind.GONE)))
    assert office.inbox() == []


def shift(office: Connected, booking_id: UUID, days: int) -> None:
    """Let a booking be on another day than its places are, without history: a test must bring it back."""
    with psycopg.connect(office.admin_uri) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute(
            "update bookings set starts_at = starts_at + make_interval(days => %(days)s),"
            " ends_at = ends_at + make_interval(days => %(days)s) where id = %(id)s",
            {"days": days, "id": booking_id},
        )


async def test_what_is_past_is_no_conflict(office: Connected) -> None:
    """An event over an appointment that has ended is mirrored and not told."""
    calendar_id = await office.add_calendar()
    booking_id = await book(office, 0)
    shift(office, booking_id, -30)
    try:
        await office.look(calendar_id, changed(event("over", 0)))
        assert (conflicts(office), office.inbox()) == ([], [])
    finally:
        shift(office, booking_id, 30)
