"""Calendars compared with the bookings: what looks and exports have missed is mended."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from booking.tenants import open_tenant
from calendars.exporting import START, Exporting, open_exporting
from calendars.shelves import Scripted, providers_of
from calendars.test_export import spans
from holdfast.administration.settings import Stage
from holdfast.availability.ics.times import Span
from holdfast.calendars.connections import ProviderName
from holdfast.calendars.event_ids import event_id_of
from holdfast.calendars.port import Kind, Mark, RemoteEvent, Unreachable, Window
from holdfast.calendars.providers import Providers
from holdfast.calendars.reconciliation import reconcile_due


async def compared(practice: Exporting) -> int:
    """Let it be the turn of every calendar of the business, and then export what is due; return how many had theirs."""
    practice.tenant.sql(
        "update calendars set next_reconciliation_at = now() where business_id = %s", practice.tenant.business_id
    )
    count = await reconcile_due(practice.database, practice.providers, Stage.PROD)
    await practice.until_quiet()
    return count


async def test_what_is_right_is_left_alone(practice: Exporting) -> None:
    """Nothing is written to a calendar that is as it should be, and it has its turn once (C-4)."""
    await practice.book()
    await practice.export()
    shelf = practice.shelves["ana"]
    before = list(shelf.calls)
    assert await compared(practice) == 1
    assert shelf.calls == before
    assert await reconcile_due(practice.database, practice.providers, Stage.PROD) == 0


async def test_a_calendar_that_takes_too_long_gives_others_their_turn(
    practice: Exporting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that does not come to an end is given up and compared again later (C-4)."""

    class Endless(Scripted):
        async def own_events(self, remote_id: str, window: Window) -> AsyncIterator[RemoteEvent]:  # noqa: ARG002 - it never answers
            await asyncio.Event().wait()
            for nothing in ():
                yield nothing

    monkeypatch.setattr("holdfast.calendars.reconciliation._TURN_SECONDS", 0.05)
    business_id = practice.tenant.business_id
    practice.tenant.sql("update calendars set next_reconciliation_at = now() where business_id = %s", business_id)
    endless = Providers({ProviderName.CALDAV: lambda *_: Endless(practice.shelves["ana"])})
    assert await reconcile_due(practice.database, endless, Stage.PROD) == 0
    waits = practice.tenant.sql(
        "select next_reconciliation_at > now() from calendars where business_id = %s and exports", business_id
    )
    assert waits == [(True,)]


async def test_what_lacks_is_written(practice: Exporting) -> None:
    """A booking whose event nobody has made, its event of the outbox lost, is found and exported (C-3, C-4)."""
    await practice.book()
    practice.tenant.sql("update calendar_export_feed set read_until = now() + interval '1 day'")
    try:
        await practice.export()
        assert practice.shelves["ana"].times() == []
        await compared(practice)
        assert practice.shelves["ana"].times() == spans(0)
    finally:
        practice.tenant.sql("update calendar_export_feed set read_until = now()")


async def test_what_stands_for_nothing_goes(practice: Exporting) -> None:
    """An event of a booking that is cancelled is removed, though nobody remembers that it was written (C-4, calendars 2)."""
    shelf = practice.shelves["ana"]
    booking_id = await practice.book()
    await practice.export()
    left = dict(shelf.events)
    await practice.cancel(booking_id)
    await practice.until_quiet()
    for forget in (False, True):
        shelf.events = {event_id: replace(event, gone=False) for event_id, event in left.items()}
        if forget:
            practice.tenant.sql("delete from calendar_events where booking_id = %s", booking_id)
        await compared(practice)
        assert shelf.times() == []


async def test_the_events_of_another_business_stay(practice: Exporting) -> None:
    """Where two businesses export to one calendar, neither takes the events of the other for its own (C-4, D-4)."""
    tenant = practice.tenant
    other = await open_exporting(await open_tenant(tenant.http, tenant.database, tenant.admin_uri))
    other.shelves["ana"] = practice.shelves["ana"]
    await practice.book()
    await other.book(1)
    both = providers_of({each.connections["ana"]: practice.shelves["ana"] for each in (practice, other)})
    await practice.until_quiet(both)
    assert practice.shelves["ana"].times() == spans(0, 1)
    practice.tenant.sql("update calendars set next_reconciliation_at = now()")
    await reconcile_due(practice.database, both, Stage.PROD)
    await practice.until_quiet(both)
    assert practice.shelves["ana"].times() == spans(0, 1)


async def test_of_duplicates_the_right_one_stays_and_a_copy_is_nobodys_business(practice: Exporting) -> None:
    """Of two events under one id the right one stays; a copy under another id stays as well (C-4, calendars 2, 4)."""
    shelf = practice.shelves["ana"]
    booking_id = await practice.book()
    await practice.export()
    event_id, mark = event_id_of(practice.uuid(booking_id)), Mark(practice.uuid(booking_id), 1)
    shelf.strays = [
        RemoteEvent(event_id, event_id, Kind.BUSY, (Span(1, 2),), '"stray"', mark),
        RemoteEvent("copy", "copy", Kind.BUSY, (Span(1, 2),), '"copy"', mark),
    ]
    await compared(practice)
    assert [stray.event_id for stray in shelf.strays] == ["copy"]
    assert shelf.times() == spans(0)
    assert await practice.inbox() == []


async def test_what_a_person_has_done_unseen_is_put_before_staff(practice: Exporting) -> None:
    """Moves near and far and deletions that no look has met are found, and nothing is written back (C-5, calendars 19)."""
    shelf = practice.shelves["ana"]
    near, far, gone = [await practice.book(hours) for hours in (0, 2, 4)]
    await practice.export()
    shelf.move(near, START + timedelta(hours=8))
    shelf.move(far, START + timedelta(days=2_000))
    shelf.delete(gone)
    calls = len(shelf.calls)
    await compared(practice)
    found = {conflict["appointment"]["id"]: conflict["kind"] for conflict in await practice.conflicts()}
    assert found == {near: "moved", far: "moved", gone: "deleted"}
    assert {name for name, _ in shelf.calls[calls:]} == {"find"}


async def test_an_event_of_an_older_version_follows(practice: Exporting) -> None:
    """A calendar that was set back to what it showed before is brought up to date, without a conflict (C-3, C-4)."""
    shelf = practice.shelves["ana"]
    booking_id = await practice.book()
    await practice.export()
    earlier = dict(shelf.events)
    await practice.reschedule(booking_id, 2)
    await practice.export()
    shelf.events = {event_id: replace(event, version=900) for event_id, event in earlier.items()}
    await compared(practice)
    assert shelf.times() == spans(2)
    assert await practice.inbox() == []


async def test_a_calendar_that_does_not_answer_is_compared_soon_again(practice: Exporting) -> None:
    """A failure is no reason to wait for hours, nor for another calendar to wait (C-4)."""
    await practice.connect("ben")
    await practice.book(name="ben")

    def away(_name: str) -> None:
        raise Unreachable("away")

    practice.shelves["ana"].before = away
    assert await compared(practice) == 1
    waits = practice.tenant.sql(
        "select id, next_reconciliation_at < now() + interval '20 minutes' from calendars where business_id = %s",
        practice.tenant.business_id,
    )
    assert dict(waits) == {practice.calendars["ana"]: True, practice.calendars["ben"]: False}
