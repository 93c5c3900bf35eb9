"""Appointments in calendars: one event each, whatever fails on the way, and never at the cost of a booking."""

import asyncio
from datetime import timedelta
from typing import Any, cast

import pytest

from calendars.crashing import Crash, Crashing
from calendars.exporting import START, Exporting
from calendars.shelves import Scripted, Stored
from holdfast.administration.settings import Stage
from holdfast.calendars.connections import ProviderName
from holdfast.calendars.event_ids import event_id_of
from holdfast.calendars.export import export_due, resume
from holdfast.calendars.feed import feed, want_all
from holdfast.calendars.port import (
    CalendarGone,
    Mark,
    NeedsReconnect,
    OwnEvent,
    QuotaExceeded,
    Refused,
    Unreachable,
)
from holdfast.calendars.providers import Providers
from holdfast.calendars.upkeep import exports_kept_up
from holdfast.kernel.database import Database


def spans(*hours: int) -> list[tuple[int, int]]:
    """Return the times of appointments that begin so many hours after the start."""
    starts = [int((START + timedelta(hours=hour)).timestamp()) for hour in hours]
    return [(start, start + 3600) for start in starts]


async def test_a_booking_is_one_event_that_follows_it(practice: Exporting) -> None:
    """A confirmed booking makes one event, a reschedule moves it, a cancellation removes it (C-3)."""
    shelf = practice.shelves["ana"]
    booking_id = await practice.book()
    await practice.export()
    assert shelf.times() == spans(0)
    await practice.reschedule(booking_id, 2)
    await practice.export()
    assert shelf.times() == spans(2)
    await practice.cancel(booking_id)
    await practice.export()
    assert shelf.times() == []
    assert practice.states(booking_id) == {"ana": "removed"}
    assert [name for name, _ in shelf.calls] == ["put", "put", "remove"]
    # What is as it should be is not touched again.
    await practice.export()
    assert len(shelf.calls) == 3


async def test_an_event_names_the_service_and_nobody(practice: Exporting) -> None:
    """The title of an event is the name of the service; nothing of the client is in the calendar (C-3, C-7)."""
    booking_id = await practice.book()
    await practice.note(booking_id)
    written: list[Any] = []
    shelf = practice.shelves["ana"]
    await practice.export()
    written = list(shelf.events.values())
    assert [event.title for event in written] == ["A talk"]
    assert "Guest" not in repr(written)


async def test_a_booking_moved_to_somebody_else_moves_to_their_calendar(practice: Exporting) -> None:
    """Rescheduled to another person, the event goes from one calendar to the other, and back (C-3)."""
    await practice.connect("ben")
    booking_id = await practice.book()
    await practice.export()
    await practice.reschedule(booking_id, 1, "ben")
    await practice.until_quiet()
    assert (practice.shelves["ana"].times(), practice.shelves["ben"].times()) == ([], spans(1))
    await practice.reschedule(booking_id, 2, "ana")
    await practice.until_quiet()
    assert (practice.shelves["ana"].times(), practice.shelves["ben"].times()) == (spans(2), [])
    assert await practice.inbox() == []


async def test_what_no_calendar_shows_goes_to_none(practice: Exporting) -> None:
    """A hold makes no event, nor does a booking of somebody without a calendar to export to (C-3)."""
    await practice.connect("ben", exports=False)
    await practice.book(name="ben")
    start = START + timedelta(hours=1)
    body = {
        "businessId": str(practice.tenant.business_id),
        "serviceId": str(practice.service_id),
        "slotStart": start.isoformat(),
        "slotEnd": (start + timedelta(hours=1)).isoformat(),
        "resourceId": str(practice.resources["ana"]),
    }
    await practice.tenant.done("POST", "/api/booking/reserve", body)
    await practice.export()
    assert practice.due() == 0
    assert practice.shelves["ana"].calls == practice.shelves["ben"].calls == []


async def test_a_calendar_that_begins_or_ceases_to_be_exported_to(practice: Exporting) -> None:
    """Appointments to come are written when a calendar begins to receive them, and go when it ceases (C-3)."""
    calendar_id = await practice.connect("ben", exports=False)
    first, second = await practice.book(name="ben"), await practice.book(2, name="ben")
    await practice.export()
    for exports, times in ((True, spans(0, 2)), (False, []), (True, spans(0, 2))):
        practice.tenant.sql("update calendars set exports = %s where id = %s", exports, calendar_id)
        await practice.database.run(practice.tenant.business_id, lambda tx: want_all(tx, calendar_id))
        await practice.until_quiet()
        assert practice.shelves["ben"].times() == times
    assert practice.states(first) == practice.states(second) == {"ben": "exported"}
    assert await practice.inbox() == []


async def test_a_calendar_that_may_not_be_written_to_any_more_is_left_as_it_is(practice: Exporting) -> None:
    """What stands in a calendar of which the right to write is gone is not asked for in vain (C-3)."""
    booking_id = await practice.book()
    await practice.export()
    practice.tenant.sql(
        "update calendars set exports = false, access = 'read' where id = %s", practice.calendars["ana"]
    )
    await practice.cancel(booking_id)
    calls = len(practice.shelves["ana"].calls)
    await practice.until_quiet()
    assert len(practice.shelves["ana"].calls) == calls


async def test_a_title_that_a_person_has_changed_stays_and_the_event_follows(practice: Exporting) -> None:
    """Met with another version, the exporter looks, keeps what was added, and writes again (C-3, calendars 18)."""
    shelf = practice.shelves["ana"]
    booking_id = await practice.book()
    await practice.export()
    shelf.retitle(booking_id, "Bring the blue folder")
    await practice.reschedule(booking_id, 2)
    await practice.export()
    assert shelf.times() == spans(2)
    assert [event.title for event in shelf.events.values()] == ["Bring the blue folder"]
    assert await practice.inbox() == []


@pytest.mark.parametrize("deleted", [False, True])
async def test_a_human_change_that_an_export_meets_is_not_written_over(practice: Exporting, *, deleted: bool) -> None:
    """What a person has done is found by the export that comes before any look: into the inbox, untouched (C-5)."""
    shelf = practice.shelves["ana"]
    booking_id = await practice.book()
    await practice.export()
    if deleted:
        shelf.delete(booking_id)
    else:
        shelf.move(booking_id, START + timedelta(hours=5))
    await practice.reschedule(booking_id, 2)
    await practice.until_quiet()
    [conflict] = await practice.conflicts()
    assert conflict["kind"] == ("deleted" if deleted else "moved")
    assert shelf.times() == ([] if deleted else spans(5))
    assert len(await practice.inbox()) == 1


async def test_a_move_that_a_cancellation_overtakes_is_kept(practice: Exporting) -> None:
    """Cancelled before anybody saw that a person had moved it, the event goes, and the inbox remembers the move (C-5)."""
    shelf = practice.shelves["ana"]
    booking_id = await practice.book()
    await practice.export()
    shelf.move(booking_id, START + timedelta(hours=5))
    await practice.cancel(booking_id)
    await practice.until_quiet()
    assert shelf.times() == []
    [conflict] = await practice.conflicts("superseded")
    assert conflict["event"]["start"] == f"{START + timedelta(hours=5):%Y-%m-%dT%H:%M:%SZ}"
    assert await practice.inbox() == []


async def test_an_insert_that_was_done_though_it_failed_is_no_second_event(practice: Exporting) -> None:
    """Its answer lost, an insert is repeated, finds its own event and takes it for its success (C-3, calendars 1, 2)."""
    shelf = practice.shelves["ana"]

    def lost(_name: str) -> None:
        shelf.after = lambda _: None
        raise Unreachable("its answer is lost")

    shelf.after = lost
    booking_id = await practice.book()
    await practice.export()
    assert (practice.states(booking_id), shelf.times()) == ({"ana": "wanted"}, spans(0))
    await practice.until_quiet()
    assert (practice.states(booking_id), shelf.times()) == ({"ana": "exported"}, spans(0))
    assert [name for name, _ in shelf.calls] == ["put", "put"]


async def test_a_move_between_a_lost_answer_and_its_repetition_is_found(practice: Exporting) -> None:
    """What a person does to an event that nobody noted as written is in the inbox all the same (C-5)."""
    shelf = practice.shelves["ana"]

    def lost(_name: str) -> None:
        shelf.after = lambda _: None
        raise Unreachable("its answer is lost")

    shelf.after = lost
    booking_id = await practice.book()
    await practice.export()
    shelf.move(booking_id, START + timedelta(hours=5))
    await practice.until_quiet()
    assert [conflict["kind"] for conflict in await practice.conflicts()] == ["moved"]
    assert shelf.times() == spans(5)


async def test_an_event_of_others_under_our_id_is_an_alarm(practice: Exporting) -> None:
    """An event without our mark under our id is left alone, staff hear of it, and it settles when it is gone (calendars 2)."""
    shelf = practice.shelves["ana"]
    booking_id = await practice.book()
    event_id = event_id_of(practice.uuid(booking_id))
    shelf.events[event_id] = Stored(1, 2, None, "Somebody's", 900)
    await practice.export()
    assert await practice.inbox() == ["calendar_event_id_taken"]
    assert shelf.times() == [(1, 2)]
    await practice.export()
    assert len(shelf.calls) == 1
    del shelf.events[event_id]
    await practice.until_quiet()
    assert shelf.times() == spans(0)
    assert await practice.inbox() == []


async def test_a_worker_that_dies_at_any_step_leaves_one_event_each(practice: Exporting) -> None:
    """Whenever the exporter dies, before or after anything it does, the next one ends with one event each (C-3)."""
    shelf = practice.shelves["ana"]
    kept, hours = await practice.book(0), 0
    await practice.export()
    changes = (practice.book, practice.reschedule, practice.cancel)
    for change in changes:
        for at in range(1, 40):
            booking_id = kept
            if change == practice.book:
                hours += 1
                booking_id = await practice.book(hours)
            elif change == practice.reschedule:
                await practice.reschedule(kept, 100 + at)
            else:
                await practice.cancel(booking_id := await practice.book(50))
                practice.tenant.sql(
                    "update calendar_events set next_attempt_at = now() where booking_id = %s", booking_id
                )
            await feed(practice.database)
            crashing = Crashing(practice.database, at)
            shelf.before = shelf.after = crashing.step
            try:
                await export_due(cast(Database, crashing), practice.providers, Stage.PROD)
            except Crash:
                assert not crashing.survived
            shelf.before = shelf.after = lambda _: None
            await practice.until_quiet()
            event = shelf.of(booking_id)
            gone = change == practice.cancel
            assert (event is None or not event.spans) is gone, at
            if not gone:
                assert event is not None
                assert event.mark == Mark(practice.uuid(booking_id), practice.version(booking_id))
                assert event.spans[0].start == int(practice.booked_at(booking_id).timestamp()), at
            if crashing.survived:
                break
        else:
            raise AssertionError("it never came to its end")
    assert len(shelf.times()) == hours + 1
    assert await practice.inbox() == []


async def test_who_comes_late_notes_nothing(practice: Exporting) -> None:
    """An exporter whose lease has run out while the calendar was slow leaves the row to the one that has it (C-3)."""
    shelf = practice.shelves["ana"]
    booking_id = await practice.book()
    await feed(practice.database)

    def overtaken(_name: str) -> None:
        shelf.after = lambda _: None
        practice.tenant.sql(
            "update calendar_events set lease = gen_random_uuid(), leased_until = now() + interval '1 minute'"
            " where booking_id = %s",
            booking_id,
        )

    shelf.after = overtaken
    await export_due(practice.database, practice.providers, Stage.PROD)
    assert practice.states(booking_id) == {"ana": "wanted"}
    await practice.until_quiet()
    assert (practice.states(booking_id), shelf.times()) == ({"ana": "exported"}, spans(0))


async def test_a_booking_that_changes_while_it_is_written_stays_due(practice: Exporting) -> None:
    """Changed between the write and its note, a booking is written again, and not forgotten (C-3)."""
    shelf = practice.shelves["ana"]
    booking_id = await practice.book()
    await feed(practice.database)

    def meanwhile(_name: str) -> None:
        shelf.after = lambda _: None
        practice.touch(booking_id)

    shelf.after = meanwhile
    await export_due(practice.database, practice.providers, Stage.PROD)
    assert (practice.states(booking_id), practice.due()) == ({"ana": "exported"}, 1)
    await practice.until_quiet()
    event = shelf.of(booking_id)
    assert event is not None
    assert event.mark == Mark(practice.uuid(booking_id), practice.version(booking_id))


async def test_two_workers_write_one_event(practice: Exporting) -> None:
    """Exporters that run together make one event of each booking, and each is written once (C-3)."""
    bookings = [await practice.book(hours) for hours in range(6)]
    await asyncio.gather(*(feed(practice.database) for _ in range(3)))
    await asyncio.gather(*(export_due(practice.database, practice.providers, Stage.PROD) for _ in range(3)))
    shelf = practice.shelves["ana"]
    assert shelf.times() == spans(*range(6))
    assert sorted(event_id for _, event_id in shelf.calls) == sorted(event_id_of(practice.uuid(b)) for b in bookings)


async def test_a_provider_that_asks_for_patience_gets_it(practice: Exporting) -> None:
    """After a refusal for quota nothing of that connection is tried before the time that was asked for, not even what becomes
    due in the meantime (calendars 16).
    """
    shelf = practice.shelves["ana"]
    for hours in range(3):
        await practice.book(hours)

    def busy(_name: str) -> None:
        raise QuotaExceeded("too often", retry_after=3_600)

    shelf.before = busy
    await practice.export()
    await practice.export()
    assert len(shelf.calls) == 1
    await practice.book(3)
    await practice.export()
    assert len(shelf.calls) == 1
    [(waiting,)] = practice.tenant.sql(
        "select count(*) from calendar_events where business_id = %s and next_attempt_at > now() + interval '59 minutes'",
        practice.tenant.business_id,
    )
    assert waiting == 3
    shelf.before = lambda _: None
    await practice.until_quiet()
    assert shelf.times() == spans(0, 1, 2, 3)


async def test_staff_hear_of_what_cannot_be_written(practice: Exporting) -> None:
    """After ten failures in a row there is an item, which settles when the event is written at last (C-3)."""
    shelf = practice.shelves["ana"]
    booking_id = await practice.book()

    def away(_name: str) -> None:
        raise Unreachable("away")

    shelf.before = away
    await feed(practice.database)
    for attempt in range(1, 12):
        practice.tenant.sql("update calendar_events set next_attempt_at = now() where booking_id = %s", booking_id)
        await export_due(practice.database, practice.providers, Stage.PROD)
        assert await practice.inbox() == (["calendar_event_not_exported"] if attempt >= 10 else [])
    shelf.before = lambda _: None
    await practice.until_quiet()
    assert (shelf.times(), await practice.inbox()) == (spans(0), [])


async def test_an_event_that_never_will_do_holds_up_no_other(practice: Exporting) -> None:
    """Over which a provider stumbles each time, an event waits behind the others of its calendar in the end (C-3)."""
    shelf = practice.shelves["ana"]
    poison = await practice.book()
    await practice.book(2)
    event_id = event_id_of(practice.uuid(poison))

    def stumble(_name: str) -> None:
        if shelf.calls[-1][1] == event_id:
            raise Unreachable("an error of the provider")

    shelf.before = stumble
    for attempt in range(10):
        assert shelf.times() == [], attempt
        practice.tenant.sql(
            "update calendar_events set next_attempt_at = now() where business_id = %s and next_attempt_at is not null",
            practice.tenant.business_id,
        )
        await practice.export()
    assert shelf.times() == spans(2)
    await practice.book(4)
    await practice.export()
    assert shelf.times() == spans(2, 4)
    assert await practice.inbox() == ["calendar_event_not_exported"]


async def test_a_calendar_that_is_slow_gives_others_their_turn(
    practice: Exporting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the turn of a connection is over nothing more of it is begun, and what it still owes comes next (C-3)."""
    monkeypatch.setattr("holdfast.calendars.export._TURN_SECONDS", 0.0)
    await practice.book()
    await practice.book(2)
    await practice.export()
    assert practice.shelves["ana"].times() == spans(0)
    await practice.export()
    assert practice.shelves["ana"].times() == spans(0, 2)


@pytest.mark.parametrize(
    ("failure", "state", "kind"),
    [
        (NeedsReconnect("void"), "needs_reconnect", "calendar_needs_reconnect"),
        (Refused("no"), "stopped", "calendar_stopped"),
    ],
)
async def test_a_connection_that_does_not_work_is_left_alone(
    practice: Exporting, failure: Exception, state: str, kind: str
) -> None:
    """Nothing more is asked of it, the owner hears of it once, and what it owes waits in order (C-1, calendars 16, 17)."""
    shelf = practice.shelves["ana"]
    bookings = [await practice.book(hours) for hours in range(3)]

    def refuse(_name: str) -> None:
        raise failure

    shelf.before = refuse
    await practice.export()
    await practice.export()
    assert len(shelf.calls) == 1
    assert await practice.inbox() == [kind]
    connection_id = practice.connections["ana"]
    assert practice.tenant.sql("select state from calendar_connections where id = %s", connection_id) == [(state,)]
    shelf.before, shelf.calls[:] = (lambda _: None), []
    practice.tenant.sql("update calendar_connections set state = 'connected' where id = %s", connection_id)
    await practice.database.run(practice.tenant.business_id, lambda tx: resume(tx, connection_id))
    await practice.export()
    assert [event_id for _, event_id in shelf.calls] == [event_id_of(practice.uuid(each)) for each in bookings]
    assert shelf.times() == spans(0, 1, 2)


async def test_a_calendar_that_is_gone_keeps_no_other_from_its_turn(practice: Exporting) -> None:
    """Of a calendar that is not there any more the owner hears; other connections are served (C-3)."""
    await practice.connect("ben")
    await practice.book()
    await practice.book(name="ben")

    def gone(_name: str) -> None:
        raise CalendarGone("no such calendar")

    practice.shelves["ana"].before = gone
    await practice.export()
    assert practice.shelves["ben"].times() == spans(0)
    assert await practice.inbox() == ["calendar_gone"]


async def test_what_nobody_has_foreseen_keeps_nothing_else_from_its_turn(practice: Exporting) -> None:
    """A failure of ours with one event is tried again later, and the next event is written (C-3)."""
    shelf = practice.shelves["ana"]
    await practice.book()
    await practice.book(1)

    def broken(_name: str) -> None:
        shelf.before = lambda _: None
        raise ValueError("of words that a provider has sent")

    shelf.before = broken
    await practice.export()
    assert shelf.times() == spans(1)
    await practice.until_quiet()
    assert shelf.times() == spans(0, 1)


async def test_google_is_not_called_while_its_flag_is_off(practice: Exporting) -> None:
    """With the flag off nothing is written to a calendar of Google; what is owed waits, a minute at a time (C-7)."""
    await practice.connect("ben", "google")
    await practice.book(name="ben")
    await practice.export()
    assert (practice.shelves["ben"].calls, practice.due()) == ([], 1)
    put_off = practice.tenant.sql(
        "select next_attempt_at > now(), next_attempt_at <= now() + interval '1 minute' from calendar_events"
        " where business_id = %s",
        practice.tenant.business_id,
    )
    assert put_off == [(True, True)]


async def test_the_worker_exports_by_itself_until_it_ends(practice: Exporting) -> None:
    """Beside its jobs the worker writes what is booked, and gives back at its end what is in flight (C-3)."""
    shelf = practice.shelves["ana"]
    written, arrived, never = asyncio.Event(), asyncio.Event(), asyncio.Event()
    shelf.after = lambda _: written.set()
    async with exports_kept_up(practice.database, practice.providers, Stage.PROD):
        await practice.book()
        await asyncio.wait_for(written.wait(), 60)
    # Its end may have come before it was noted.
    await practice.until_quiet()
    assert shelf.times() == spans(0)
    # It may have ended before it noted what it had written.
    await practice.until_quiet()

    class Slow(Scripted):
        async def put(self, remote_id: str, event: OwnEvent, etag: str | None) -> str | None:
            arrived.set()
            await never.wait()
            return await super().put(remote_id, event, etag)

    slow = Providers({ProviderName.CALDAV: lambda *_: Slow(shelf)})
    async with exports_kept_up(practice.database, slow, Stage.PROD):
        booking_id = await practice.book(2)
        await asyncio.wait_for(arrived.wait(), 60)
    leased = practice.tenant.sql("select leased_until > now() from calendar_events where booking_id = %s", booking_id)
    assert leased == [(False,)]
    await practice.export()
    assert shelf.times() == spans(0, 2)
