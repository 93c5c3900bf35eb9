"""Appointments in a calendar at Google, over HTTP: one event each, and what people do to them."""

import asyncio
import json
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from calendars.exporting import CONFLICTS, OWNER, START, Exporting
from calendars.google.exported_to import Exported
from calendars.google.fake import FakeGoogle
from holdfast.administration.settings import Stage
from holdfast.calendars import accounts
from holdfast.calendars.event_ids import event_id_of
from holdfast.calendars.export import export_due
from holdfast.calendars.reconciliation import reconcile_due
from holdfast.kernel.audit import CONSOLE

HOUR = timedelta(hours=1)


@pytest_asyncio.fixture
async def exported(practice: Exporting, google: FakeGoogle) -> Exported:
    """A practice whose appointments are exported to Google."""
    made = Exported(practice, google)
    await made.connect()
    return made


async def booked(exported: Exported, hours: int = 0) -> str:
    """Book somebody, and have that in the calendar."""
    booking_id = await exported.practice.book(hours)
    await exported.export()
    assert exported.event(booking_id)["status"] == "confirmed"
    return booking_id


async def test_an_appointment_is_one_event_at_google(exported: Exported) -> None:
    """Booked, moved and cancelled, an appointment is one event under its own id, and then none (C-3, calendars 1)."""
    booking_id = await booked(exported)
    event = exported.event(booking_id)
    assert event["id"] == event_id_of(exported.practice.uuid(booking_id))
    assert (event["summary"], exported.starts()) == ("A talk", [START])
    assert "Guest" not in repr(event)
    await exported.practice.reschedule(booking_id, 2)
    await exported.export()
    assert exported.starts() == [START + 2 * HOUR]
    await exported.practice.cancel(booking_id)
    await exported.export()
    assert exported.starts() == []
    assert exported.written() == [("insert", 200), ("patch", 200), ("delete", 200)]


@pytest.mark.parametrize("after", [False, True])
async def test_an_insert_that_times_out_is_retried_into_one_event(exported: Exported, *, after: bool) -> None:
    """Its connection cut, before or after it was done, an insert is repeated and makes one event (C-3, calendars 1)."""
    exported.google.faults.cut(after=after, only="calendar.events.insert")
    booking_id = await exported.practice.book()
    await exported.export()
    assert exported.practice.states(booking_id) == {"ana": "wanted"}
    await exported.until_quiet()
    assert exported.practice.states(booking_id) == {"ana": "exported"}
    assert exported.starts() == [START]
    assert [status for name, status in exported.written() if name == "insert"][-1] == (409 if after else 200)
    await exported.practice.reschedule(booking_id, 2)
    await exported.export()
    assert exported.starts() == [START + 2 * HOUR]


async def test_what_was_removed_on_leaving_comes_back_with_the_calendar(exported: Exported) -> None:
    """Disconnected with its events and connected again, a calendar has them again, and nobody is asked (C-1, C-3)."""
    practice = exported.practice
    booking_id = await booked(exported)
    connection_id = practice.connections["ana"]
    left = await practice.database.run(
        practice.tenant.business_id, lambda tx: accounts.disconnect(tx, connection_id, CONSOLE)
    )
    async with exported.providers.opened(practice.tenant.business_id, left.connection) as provider:
        for event in left.events:
            await provider.remove(event.remote_id, event.event_id, event.etag)
    assert exported.starts() == []
    await exported.connect()
    await exported.export()
    assert (practice.states(booking_id), exported.starts()) == ({"ana": "exported"}, [START])
    assert await practice.conflicts() == []


async def test_what_was_deleted_before_we_knew_of_it_is_put_before_staff(exported: Exported) -> None:
    """Deleted by a person while we do not know that our insert was done, an event is not made again (C-5, calendars 19)."""
    exported.google.faults.cut(after=True, only="calendar.events.insert")
    booking_id = await exported.practice.book()
    await exported.export()
    exported.delete(booking_id)
    await exported.until_quiet()
    assert [conflict["kind"] for conflict in await exported.practice.conflicts()] == ["deleted"]
    assert exported.starts() == []


async def test_an_event_of_others_under_our_id_is_left_alone(exported: Exported) -> None:
    """409 on insert and an event without our mark: an alarm, and nothing is written over it (calendars 2)."""
    booking_id = await exported.practice.book()
    exported.calendar.add(START + 3 * HOUR, START + 4 * HOUR, id=event_id_of(exported.practice.uuid(booking_id)))
    await exported.export()
    assert await exported.practice.inbox() == ["calendar_event_id_taken"]
    assert exported.starts() == [START + 3 * HOUR]
    assert exported.written() == [("insert", 409)]


async def test_our_own_event_comes_back_and_nothing_happens(exported: Exported) -> None:
    """Our own event, found by a look, blocks nothing, is no conflict and is not written again (C-4, calendars 3)."""
    booking_id = await booked(exported)
    with exported.counted() as writes:
        await exported.look()
        exported.calendar.change(event_id_of(exported.practice.uuid(booking_id)), description="Ring twice")
        await exported.look()
        await exported.export()
    assert writes == []
    assert (exported.busy(), await exported.practice.conflicts(), exported.practice.due()) == (0, [], 0)


async def test_a_copy_of_our_event_is_nobodys_business(exported: Exported) -> None:
    """A copy that carries our mark under another id blocks like any event, and is not removed (C-4, calendars 4)."""
    booking_id = await booked(exported)
    exported.calendar.copy(event_id_of(exported.practice.uuid(booking_id)), START + 5 * HOUR, START + 6 * HOUR)
    await exported.look()
    await compared(exported)
    assert (exported.busy(), await exported.practice.conflicts()) == (1, [])
    assert exported.starts() == [START, START + 5 * HOUR]


async def test_an_event_whose_booking_a_restore_has_lost_keeps_its_time(exported: Exported) -> None:
    """An event that we have written for a booking that is not in the database any more blocks its time from the next look on, and
    comparing leaves it where it is: nobody is booked over who was booked after the moment of a backup (C-2, C-4, K-1).
    """
    booking_id = await booked(exported)
    await exported.look()
    lost = str(uuid4())
    body = json.dumps(exported.event(booking_id)).replace(booking_id, lost)
    later = {"dateTime": (START + 5 * HOUR).isoformat()}, {"dateTime": (START + 6 * HOUR).isoformat()}
    exported.calendar.put(json.loads(body) | {"id": event_id_of(UUID(lost)), "start": later[0], "end": later[1]})
    await exported.look()
    await compared(exported)
    assert (exported.busy(), await exported.practice.conflicts()) == (1, [])
    assert exported.starts() == [START, START + 5 * HOUR]
    assert (
        exported.event(lost)["extendedProperties"]["private"]
        != exported.event(booking_id)["extendedProperties"]["private"]
    )


async def test_a_void_grant_queues_exports_and_consent_drains_them_in_order(exported: Exported) -> None:
    """While a grant is void exports wait, and after consent each is written once, in order (C-3, calendars 17)."""
    first = await booked(exported)
    exported.google.oauth.void_grants()
    waiting = [await exported.practice.book(hours) for hours in (2, 3, 4)]
    await exported.practice.reschedule(first, 6)
    for _ in range(3):
        await exported.export()
    assert await exported.practice.inbox() == ["calendar_needs_reconnect"]
    assert exported.starts() == [START]
    with exported.counted() as writes:
        await exported.reconnect()
        await exported.export()
    assert writes == [("insert", 200)] * 3 + [("patch", 200)]
    inserts = [call for call in exported.google.called("calendar.events.insert") if call.status == 200][1:]
    made = [call.body and call.body["id"] for call in inserts]
    assert made == [event_id_of(exported.practice.uuid(each)) for each in waiting]
    assert exported.starts() == [START + hours * HOUR for hours in (2, 3, 4, 6)]


async def test_changes_name_the_version_that_they_replace(exported: Exported) -> None:
    """A change names the version; met with 412 it looks, keeps what a person has added and writes again (calendars 18)."""
    booking_id = await booked(exported)
    exported.calendar.change(event_id_of(exported.practice.uuid(booking_id)), summary="Bring the blue folder")
    await exported.practice.reschedule(booking_id, 2)
    with exported.counted() as writes:
        await exported.export()
    assert writes == [("patch", 412), ("patch", 200)]
    assert (exported.event(booking_id)["summary"], exported.starts()) == ("Bring the blue folder", [START + 2 * HOUR])
    exported.calendar.change(event_id_of(exported.practice.uuid(booking_id)), summary="Bring both folders")
    await exported.practice.cancel(booking_id)
    with exported.counted() as writes:
        await exported.export()
    assert writes == [("delete", 412), ("delete", 200)]


async def test_a_human_move_is_decided_by_staff(exported: Exported) -> None:
    """A moved event is a conflict with both versions and changes nothing; accepted onto taken time it is refused, onto free
    time it moves the booking (C-5, calendars 19).
    """
    practice = exported.practice
    booking_id, other = await booked(exported), await booked(exported, 3)
    exported.move(booking_id, 3)
    await exported.look()
    [conflict] = await practice.conflicts()
    assert conflict["appointment"]["start"] == f"{START:%Y-%m-%dT%H:%M:%SZ}"
    assert conflict["event"]["start"] == f"{START + 3 * HOUR:%Y-%m-%dT%H:%M:%SZ}"
    assert (practice.booked_at(booking_id), practice.due()) == (START, 0)
    refused = await practice.tenant.call("POST", f"{CONFLICTS}/{conflict['id']}/accept", {}, role=OWNER)
    assert refused.json()["code"] == "slot_conflict"
    await practice.cancel(other)
    assert (await practice.decide(conflict, "accept"))["status"] == "accepted"
    await exported.until_quiet()
    assert practice.booked_at(booking_id) == START + 3 * HOUR
    assert exported.starts() == [START + 3 * HOUR]
    await exported.look()
    assert (await practice.conflicts(), await practice.inbox()) == ([], [])


@pytest.mark.parametrize("action", ["accept", "restore", "ignore"])
async def test_a_human_deletion_is_decided_by_staff(exported: Exported, action: str) -> None:
    """A deleted event is a conflict: accepted it cancels, restored it is there again, ignored it stays away (C-5, calendars 19)."""
    practice = exported.practice
    booking_id = await booked(exported)
    await exported.look()
    exported.delete(booking_id)
    await exported.look()
    await exported.until_quiet()
    [conflict] = await practice.conflicts()
    assert (conflict["kind"], practice.booked_at(booking_id), exported.starts()) == ("deleted", START, [])
    await practice.decide(conflict, action)
    await exported.until_quiet()
    await exported.look()
    [(state,)] = practice.tenant.sql("select state from bookings where id = %s", booking_id)
    assert (state, exported.starts()) == (
        "cancelled" if action == "accept" else "confirmed",
        [START] if action == "restore" else [],
    )
    assert (await practice.conflicts(), await practice.inbox()) == ([], [])


async def test_ten_minutes_without_google_cost_no_booking(exported: Exported) -> None:
    """Google down, everything can be booked, moved and cancelled; then each booking is one event as it is (C-3, calendars 21)."""
    practice, faults = exported.practice, exported.google.faults
    bookings = [await booked(exported, hours) for hours in (0, 2)]
    faults.cut(after=True, times=2, only="calendar.events")
    faults.fail(503, times=1_000)
    bookings += [await practice.book(hours) for hours in (4, 6, 8)]
    await practice.reschedule(bookings[0], 10)
    await practice.cancel(bookings[1])
    for minute in range(10):
        # The clock goes on: what was put off has its turn.
        practice.tenant.sql(
            "update calendar_events set next_attempt_at = now() where business_id = %s and next_attempt_at is not null",
            practice.tenant.business_id,
        )
        if minute == 5:
            await practice.reschedule(bookings[2], 12)
        await exported.export()
    assert exported.starts()[0] == START
    faults.clear()
    await exported.until_quiet()
    assert exported.starts() == [START + hours * HOUR for hours in (6, 8, 10, 12)]
    assert {name: practice.states(name)["ana"] for name in bookings} == {
        name: "removed" if name == bookings[1] else "exported" for name in bookings
    }
    assert await practice.conflicts() == []


async def test_a_booking_answers_while_google_hangs(exported: Exported) -> None:
    """While a request to Google is held, an appointment is booked, moved and cancelled as ever (C-3, calendars 21)."""
    practice = exported.practice
    gate = exported.google.faults.hold(only="calendar.events.insert")
    booking_id = await practice.book()
    exporting = asyncio.create_task(exported.export())
    await asyncio.to_thread(gate.arrived.wait, 10)
    await practice.reschedule(booking_id, 2)
    other = await practice.book(0)
    await practice.cancel(other)
    assert not exporting.done()
    gate.released.set()
    await exporting
    await exported.until_quiet()
    assert exported.starts() == [START + 2 * HOUR]


async def test_quota_is_waited_for(exported: Exported) -> None:
    """Told to wait, the exporter waits as long as Google says, and writes everything then (C-3, calendars 16)."""
    practice = exported.practice
    for hours in range(3):
        await practice.book(hours)
    exported.google.faults.fail(429, "rateLimitExceeded", retry_after="3600")
    await exported.export()
    await export_due(practice.database, exported.providers, Stage.PROD)
    assert len(exported.written()) == 1
    await exported.until_quiet()
    assert exported.starts() == [START + hours * HOUR for hours in range(3)]


async def compared(exported: Exported) -> None:
    """Let it be the turn of the calendar to be compared, and export what is due."""
    practice = exported.practice
    practice.tenant.sql(
        "update calendars set next_reconciliation_at = now() where business_id = %s", practice.tenant.business_id
    )
    assert await reconcile_due(practice.database, exported.providers, Stage.PROD) == 1
    await exported.until_quiet()


async def test_what_looks_and_exports_have_missed_is_mended_at_google(exported: Exported) -> None:
    """Compared, a calendar loses what stands for nothing and gets what lacks; people's changes go to staff (C-4, calendars 2)."""
    practice = exported.practice
    cancelled, moved, lacking = [await booked(exported, hours) for hours in (0, 2, 4)]
    await practice.cancel(cancelled)
    await exported.until_quiet()
    exported.calendar.change(event_id_of(practice.uuid(cancelled)), status="confirmed")
    exported.move(moved, 8)
    practice.tenant.sql("delete from calendar_events where booking_id = %s", lacking)
    await compared(exported)
    assert exported.starts() == [START + 4 * HOUR, START + 8 * HOUR]
    assert practice.states(lacking) == {"ana": "exported"}
    [conflict] = await practice.conflicts()
    assert (conflict["kind"], conflict["appointment"]["id"]) == ("moved", moved)


async def test_a_deletion_is_found_though_the_calendar_was_read_anew(exported: Exported) -> None:
    """Deleted while Google had forgotten the sync token, an event is missed by the look and found after it (C-5, calendars 7)."""
    practice = exported.practice
    booking_id = await booked(exported)
    await exported.look()
    exported.delete(booking_id)
    exported.google.lists.forget()
    await exported.look()
    assert await practice.conflicts() == []
    assert await reconcile_due(practice.database, exported.providers, Stage.PROD) == 1
    assert [conflict["kind"] for conflict in await practice.conflicts()] == ["deleted"]
