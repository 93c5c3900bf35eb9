"""The mirror of a calendar at Google, over HTTP."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from booking.opened import START
from calendars import measured
from calendars.google.adapter import opened, own_event
from calendars.google.fake import FakeGoogle
from calendars.google.mirrored import Mirrored, at, mirrored
from calendars.google.server import settings_of
from calendars.google.store import Entry
from calendars.http_servers import Asked, Reply, Server
from calendars.scripted import Connected
from calendars.test_channels import PATH, is_due, renew
from calendars.test_looking import alone, look_at_all, pass_time
from calendars.test_mirror import rows_of
from conftest import MASTER_KEY
from holdfast.availability.walltime import utc_text
from holdfast.booking.contacts import Guest
from holdfast.booking.errors import SlotConflict
from holdfast.calendars import patience
from holdfast.kernel.embedded import EmbeddedPostgres

EVENTS = 20_000
WRITES = ("calendar.events.insert", "calendar.events.patch", "calendar.events.update", "calendar.events.delete")


async def book(office: Connected, hour: int) -> UUID:
    """Book an hour; return the appointment."""
    answer = await office.practice.reserve("talk", at(hour), guest=Guest("guest@example.org"))
    assert answer.id is not None
    return answer.id


async def export(made: Mirrored, booking_id: UUID, hour: int) -> str:
    """Write the event of a booking; return its id."""
    event = own_event(booking_id, at(hour))
    async with opened(made.google) as adapter:
        await adapter.put(made.calendar.id, event, None)
    return event.event_id


async def test_an_appointment_of_google_blocks_the_slot(office: Connected, google: FakeGoogle) -> None:
    """An event made at Google takes its slot after one look, with alternatives for whoever comes too late, and gives it back
    when it is deleted (C-2, calendars 27).
    """
    made, calendar_id = await mirrored(office, google)
    [event_id] = made.add(0)
    await office.sync(calendar_id)
    with pytest.raises(SlotConflict) as refused:
        await office.practice.reserve("talk", START)
    starts = [each["start"] for each in refused.value.details["alternatives"]]
    assert starts
    assert utc_text(START) not in starts
    made.calendar.delete(event_id)
    await office.sync(calendar_id)
    await office.practice.reserve("talk", START)


async def test_our_event_makes_no_busy_time_and_no_write(office: Connected, google: FakeGoogle) -> None:
    """A look that finds the event of an appointment mirrors nothing, and writes nothing to Google (C-4, calendars 3)."""
    made, calendar_id = await mirrored(office, google)
    await office.sync(calendar_id)
    booking_id = await book(office, 0)
    await export(made, booking_id, 0)
    before = {method: len(google.called(method)) for method in WRITES}
    for _ in range(3):
        await office.sync(calendar_id)
    assert {method: len(google.called(method)) for method in WRITES} == before
    assert (office.hours(), office.inbox()) == ([], [])


async def test_a_copy_of_our_event_blocks(office: Connected, google: FakeGoogle) -> None:
    """What a person has duplicated carries our mark under another id, and is busy like anything else (C-4, calendars 4)."""
    made, calendar_id = await mirrored(office, google)
    booking_id = await book(office, 0)
    event_id = await export(made, booking_id, 0)
    made.calendar.copy(event_id, at(7), at(8))
    await office.sync(calendar_id)
    assert office.hours() == [7]


async def test_a_crash_on_page_two_restarts_from_the_old_token(office: Connected, google: FakeGoogle) -> None:
    """The token of three pages is kept with the last one, short and empty pages are not the end (C-2, calendars 5)."""
    made, calendar_id = await mirrored(office, google)
    made.add(0)
    await office.sync(calendar_id)
    made.add(1, 2, 3, 4, 5)
    google.lists.page_size = 2
    google.lists.short_pages = [0, 1]
    gate = google.faults.hold(after=True, only="calendar.events.list")
    look = asyncio.create_task(office.sync(calendar_id))
    await asyncio.to_thread(gate.arrived.wait)
    google.faults.cut(after=False, times=10, only="calendar.events.list")
    gate.released.set()
    await look
    google.faults.clear()
    assert office.calendar(calendar_id, "failures, error_code") == (1, "unreachable")
    first, second = made.asked()[1], made.asked()[2]
    assert "pageToken" not in first
    assert "pageToken" in second
    await office.sync(calendar_id)
    restarted = next(query for query in reversed(made.asked()) if "pageToken" not in query)
    assert restarted["syncToken"] == first["syncToken"]
    assert office.hours() == [0, 1, 2, 3, 4, 5]
    await office.sync(calendar_id)
    assert made.asked()[-1]["syncToken"] != first["syncToken"]


async def test_410_reads_everything_over_what_is_there(office: Connected, google: FakeGoogle) -> None:
    """After fullSyncRequired the old mirror blocks until it is replaced, and what only we know stays (C-2, calendars 7)."""
    made, calendar_id = await mirrored(office, google)
    stays, goes = made.add(0, 1)
    await office.sync(calendar_id)
    kept = office.sql("select id from calendar_busy_intervals where calendar_id = %s order by during", calendar_id)
    own = office.calendar(calendar_id, "blocks, exports, resource_id, name")
    made.calendar.delete(goes)
    made.add(4)
    google.lists.forget(made.calendar.id)
    google.lists.page_size = 1
    # The first call hears 410, the second is the first page of everything.
    google.faults.hold(after=False, only="calendar.events.list").released.set()
    gates = [google.faults.hold(after=False, only="calendar.events.list") for _ in range(2)]
    look = asyncio.create_task(office.sync(calendar_id))
    for gate in gates:
        await asyncio.to_thread(gate.arrived.wait)
        assert office.hours() == [0, 1]
        gate.released.set()
    await look
    assert office.hours() == [0, 4]
    assert office.sql("select id from calendar_busy_intervals where id = %s", kept[0][0]), "what is as it was stays"
    assert office.calendar(calendar_id, "blocks, exports, resource_id, name") == own
    assert stays in made.calendar.live()


async def test_a_moved_instance_keeps_its_identity(office: Connected, google: FakeGoogle) -> None:
    """An instance that was moved, moved again and deleted is one row or none, whatever a look tells of it
    (C-2, calendars 8, calendars 9).
    """
    made, calendar_id = await mirrored(office, google)
    [series] = made.add(0, recurrence=["RRULE:FREQ=DAILY;COUNT=3"])
    await office.sync(calendar_id)
    assert office.hours() == [0, 24, 48]
    second = made.calendar.instance_ids(series)[1]
    for hour in (27, 30):
        made.calendar.move(second, at(hour), at(hour + 1))
        await office.sync(calendar_id)
        assert office.hours() == [0, hour, 48]
    made.calendar.delete(second)
    await office.sync(calendar_id)
    assert office.hours() == [0, 48]


async def test_the_horizon_of_google_moves_on(office: Connected, google: FakeGoogle) -> None:
    """Single events are asked for 13 months ahead, and anew when less than 12 of them are left (C-2, calendars 8)."""
    made, calendar_id = await mirrored(office, google)
    far = 24 * 380
    await office.sync(calendar_id)
    office.sql("update calendars set window_ends_at = now() + interval '300 days' where id = %s", calendar_id)
    made.add(far)
    await office.sync(calendar_id)
    assert "syncToken" not in made.asked()[-1]
    assert {"timeMin", "timeMax"} <= made.asked()[-1].keys()
    assert office.hours() == [far]


async def test_whole_days_follow_the_calendar_into_another_zone(office: Connected, google: FakeGoogle) -> None:
    """When the owner of a calendar moves it to another zone its whole days are read anew, once, though none of them has
    changed (C-2, calendars 11).
    """
    made, calendar_id = await mirrored(office, google)
    day = datetime.fromtimestamp(START, UTC).date()
    made.calendar.add(day, day + timedelta(days=1))
    await office.sync(calendar_id)
    [before] = office.hours()
    made.calendar.time_zone = "Asia/Tokyo"
    await office.sync(calendar_id)
    assert office.hours() == [before - 6]
    await office.sync(calendar_id)
    assert ["syncToken" in query for query in made.asked()[-3:]] == [True, False, True]


async def test_tentative_is_a_choice(office: Connected, google: FakeGoogle) -> None:
    """A tentative event of Google is busy by default and free when the business says so (calendars 10)."""
    made, calendar_id = await mirrored(office, google)
    made.add(0, status="tentative")
    made.add(1, transparency="transparent")
    await office.sync(calendar_id)
    assert office.hours() == [0]
    office.turn_on("calendar_tentative", "free")
    await office.sync(calendar_id)
    assert office.hours() == []


async def test_fifty_one_calendars_are_two_questions(office: Connected, google: FakeGoogle) -> None:
    """51 calendars that tell only busy time are asked for in two calls a piece of time; one error is unknown, never free
    (C-2, calendars 12).
    """
    made, _ = await mirrored(office, google)
    ids = {}
    for number in range(51):
        calendar = google.calendar(f"c{number}@example.org", role="freeBusyReader")
        calendar.add(at(number), at(number + 1))
        ids[number] = await office.add_calendar(calendar.id, access="free_busy")
    await office.sync(ids[0])
    calls = google.called("calendar.freebusy.query")
    pieces = {(call.body or {})["timeMin"] for call in calls}
    assert len(calls) == 2 * len(pieces)
    assert sorted({len((call.body or {})["items"]) for call in calls}) == [1, 50]
    assert all(office.hours(ids[number]) == [number] for number in (0, 25, 50))
    google.free_busy_errors["c25@example.org"] = ["internalError"] * 20
    for number in (0, 25):
        google.calendars[f"c{number}@example.org"].add(at(100), at(101))
    await office.sync(ids[0])
    assert (office.hours(ids[0]), office.hours(ids[25])) == ([0, 100], [25])
    assert office.calendar(ids[25], "failures") == (1,)
    assert made.asked() == []


@pytest_asyncio.fixture
async def doorstep(http: httpx.AsyncClient) -> AsyncIterator[Server]:
    """Where the fake finds the application: a server that hands on what it hears."""
    loop = asyncio.get_running_loop()

    def hand_on(asked: Asked) -> Reply:
        call = http.post(asked.path, headers=dict(asked.headers), content=asked.body)
        return Reply(asyncio.run_coroutine_threadsafe(call, loop).result(60).status_code)

    server = Server(hand_on)
    with server.running():
        yield server


async def test_google_tells_and_the_calendar_is_looked_at(
    office: Connected, google: FakeGoogle, doorstep: Server
) -> None:
    """Messages before the answer of watch, with gaps, twice and out of order, have the calendar looked at (calendars 13)."""
    made, calendar_id = await mirrored(office, google, doorstep.address + PATH)
    await office.sync(calendar_id)
    google.channels.sync_first = True
    assert await renew(office) == 1
    assert is_due(office, calendar_id), "the first message came before there was an answer, and counts"
    await office.sync(calendar_id)
    made.add(0, 1, 2)
    pushes = google.channels.take()
    numbers = [int(push.headers["X-Goog-Message-Number"]) for push in pushes]
    assert max(numbers) > len(numbers), "there are gaps"
    for push in [*reversed(pushes[1:]), pushes[-1]]:
        assert await asyncio.to_thread(push.deliver) == 204
    assert is_due(office, calendar_id)
    await office.sync(calendar_id)
    assert (office.hours(), is_due(office, calendar_id)) == ([0, 1, 2], False)
    forged = pushes[0].headers | {"X-Goog-Channel-Token": "forged"}
    assert await asyncio.to_thread(type(pushes[0])(pushes[0].address, forged).deliver) == 404
    assert not is_due(office, calendar_id)
    office.sql("update calendar_connections set state = 'stopped' where business_id = %s", office.business_id)


async def test_a_channel_of_google_is_replaced_without_double_effect(
    office: Connected, google: FakeGoogle, doorstep: Server
) -> None:
    """The next channel has another id; while both are there a change is one look, and then the old one is ended
    (calendars 14).
    """
    made, calendar_id = await mirrored(office, google, doorstep.address + PATH)
    await office.sync(calendar_id)
    await renew(office)
    [old] = google.channels.live
    office.sql("update calendar_channels set expires_at = now() + interval '15 minutes' where id = %s", UUID(old))
    google.faults.fail(503, times=20, only="calendar.channels.stop")
    await renew(office)
    assert len(google.channels.live) == 2
    google.channels.take()
    made.add(0)
    assert [await asyncio.to_thread(push.deliver) for push in google.channels.take()] == [204, 204]
    before = len(made.asked())
    assert is_due(office, calendar_id)
    await office.sync(calendar_id)
    assert (len(made.asked()) - before, is_due(office, calendar_id), office.hours()) == (1, False, [0])
    google.faults.clear()
    await renew(office)
    assert old not in google.channels.live
    assert len(google.channels.live) == 1
    office.sql("update calendar_connections set state = 'stopped' where business_id = %s", office.business_id)


async def test_without_any_push_polling_converges(
    postgres: EmbeddedPostgres, own_database: str, google: FakeGoogle
) -> None:
    """An hour of changes of which nobody tells is seen by the clock alone (C-2, calendars 15)."""
    async with alone(postgres, own_database) as office:
        made, _ = await mirrored(office, google)
        await look_at_all(office)
        ids = made.add(0, 1, 2)
        for quarter in range(4):
            pass_time(office, patience.POLL_SECONDS)
            assert await look_at_all(office) == 1
            if quarter < 3:
                made.calendar.delete(ids[quarter])
                made.add(10 + quarter)
        assert office.hours() == [10, 11, 12]


async def test_patience_is_obeyed_and_a_refusal_stops(office: Connected, google: FakeGoogle) -> None:
    """rateLimitExceeded waits as long as Google says; another 403 asks no more and tells the owner (calendars 16)."""
    _, calendar_id = await mirrored(office, google)
    await office.sync(calendar_id)
    google.faults.fail(403, "rateLimitExceeded", times=20, retry_after="7200")
    await office.sync(calendar_id)
    google.faults.clear()
    told = office.calendar(calendar_id, "error_code, next_sync_at > now() + interval '1 hour'")
    assert told == ("quota_exceeded", True)
    google.faults.fail(403, "accessNotConfigured")
    await office.sync(calendar_id)
    assert office.inbox() == [("calendar_stopped", office.connections[0])]
    count = len(google.calls)
    assert not await office.sync(calendar_id)
    assert len(google.calls) == count


async def test_a_void_grant_asks_the_owner_to_connect_again(office: Connected, google: FakeGoogle) -> None:
    """invalid_grant is one task, looks stop, and what is mirrored blocks (C-1, calendars 17)."""
    made, calendar_id = await mirrored(office, google)
    made.add(0)
    await office.sync(calendar_id)
    google.oauth.expire_access_tokens()
    google.oauth.void_grants()
    await office.sync(calendar_id)
    assert office.inbox() == [("calendar_needs_reconnect", office.connections[0])]
    assert not await office.sync(calendar_id)
    assert office.hours() == [0]


async def test_ten_looks_at_an_unchanged_calendar(office: Connected, google: FakeGoogle) -> None:
    """Each is one request, and no row changes but when the calendar was looked at (C-2, calendars 24)."""
    made, calendar_id = await mirrored(office, google)
    made.add(0, 3)
    await office.sync(calendar_id)
    before, asked = rows_of(office), len(google.calls)
    for _ in range(10):
        assert await office.sync(calendar_id)
    assert rows_of(office) == before
    assert len(google.calls) == asked + 10


async def test_an_event_over_an_appointment_is_a_task(office: Connected, google: FakeGoogle) -> None:
    """A person who makes an event over an appointment hears of it here; the appointment stays (C-5, calendars 25)."""
    made, calendar_id = await mirrored(office, google)
    await office.sync(calendar_id)
    booking_id = await book(office, 0)
    [event_id] = made.add(0)
    await office.sync(calendar_id)
    assert office.inbox() == [("calendar_overlap", booking_id)]
    assert (await office.practice.read(booking_id)).state == "confirmed"
    made.calendar.delete(event_id)
    await office.sync(calendar_id)
    assert office.inbox() == []


async def test_two_looks_at_one_calendar_are_one(office: Connected, google: FakeGoogle) -> None:
    """While one worker waits for Google the other leaves at once (calendars 26)."""
    made, calendar_id = await mirrored(office, google)
    gate = google.faults.hold(only="calendar.events.list")
    first = asyncio.create_task(office.sync(calendar_id))
    await asyncio.to_thread(gate.arrived.wait)
    assert not await office.sync(calendar_id)
    gate.released.set()
    assert await first
    assert len(made.asked()) == 1


async def test_a_first_look_at_twenty_thousand_events_is_bounded(
    office: Connected, google: FakeGoogle, app_uri: str
) -> None:
    """A first look at 20,000 events takes at most 80 MB more than the process has idle, and tells how far it is (C-2)."""
    made, small = await mirrored(office, google)
    made.add(0)
    crowded = google.calendar("crowded@example.org")
    body = crowded.masters[crowded.add(at(0), at(1))]
    with crowded.lock:
        for number in range(1, EVENTS):
            one = body | {"id": f"{number:026d}"}
            for name, hour in (("start", number), ("end", number + 1)):
                # Within the horizon, one beside the other.
                one[name] = body[name] | {"dateTime": utc_text(START + hour * 1_200)}
            crowded.masters[one["id"]] = one
            crowded.expanded[one["id"]] = Entry(one, crowded.changed)
    large = await office.add_calendar(crowded.id)
    # The small calendar, then the first three pages of the large one go through; the fourth is held.
    for _ in range(4):
        google.faults.hold(only="calendar.events.list").released.set()
    gate = google.faults.hold(only="calendar.events.list")
    given = {
        "uri": app_uri,
        "key": MASTER_KEY.hex(),
        "google": asdict(settings_of(google)),
        "business": str(office.business_id),
        "small": str(small),
        "large": str(large),
    }
    script = Path(measured.__file__)
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    told = asyncio.create_task(process.communicate(json.dumps(given).encode()))
    await asyncio.to_thread(gate.arrived.wait)
    assert office.calendar(large, "events_seen") == (5_000,)
    gate.released.set()
    answer, _ = await told
    assert process.returncode == 0
    found = json.loads(answer)
    assert office.sql("select count(*) from calendar_busy_intervals where calendar_id = %s", large) == [(EVENTS,)]
    assert found["peak"] - found["idle"] <= 80 * 1_024, found
