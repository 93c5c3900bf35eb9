"""What the adapter for Google writes: one event each, only what is ours, never over what it has not seen."""

import asyncio
import re
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from calendars.google.adapter import HOUR, START, opened, own_event
from calendars.google.fake import FakeGoogle
from holdfast.availability.ics.times import Span
from holdfast.calendars.port import AlreadyThere, CalendarGone, Changed, Kind, Mark, Refused, Unreachable


async def test_an_insert_that_was_not_answered_makes_one_event(google: FakeGoogle) -> None:
    """When the connection breaks after Google has made the event, making it again finds it: there is one, under the id of
    the booking (C-3, calendars 1, 2).
    """
    calendar = google.calendar()
    event = own_event()
    google.faults.cut(after=True, only="calendar.events.insert")
    async with opened(google) as adapter:
        with pytest.raises(Unreachable):
            await adapter.put(calendar.id, event, None)
        with pytest.raises(AlreadyThere) as met:
            await adapter.put(calendar.id, event, None)
    assert re.fullmatch("[a-v0-9]{5,1024}", event.event_id)
    assert list(calendar.live()) == [event.event_id]
    assert met.value.event.mark == event.mark
    assert met.value.event.etag == calendar.live()[event.event_id]["etag"]


@pytest.mark.parametrize("deleted", [False, True])
async def test_an_id_that_another_event_has_is_told(google: FakeGoogle, *, deleted: bool) -> None:
    """When the id of ours is that of another event, also of a deleted one, it comes without mark, and stays as it is
    (C-3, calendars 2).
    """
    calendar = google.calendar()
    event = own_event()
    another = own_event()
    calendar.add(
        START,
        START + HOUR,
        id=event.event_id,
        extendedProperties={"private": {"holdfastBooking": str(another.mark.booking_id), "holdfastVersion": "1"}},
    )
    if deleted:
        calendar.delete(event.event_id)
    async with opened(google) as adapter:
        with pytest.raises(AlreadyThere) as met:
            await adapter.put(calendar.id, event, None)
    assert met.value.event.mark is None
    assert met.value.event.kind is (Kind.GONE if deleted else Kind.BUSY)


async def test_an_event_that_was_deleted_comes_back(google: FakeGoogle) -> None:
    """An event of ours that is deleted keeps its id: it is met as gone, with mark and version, and written over
    (C-3, calendars 2).
    """
    calendar = google.calendar()
    event = own_event()
    async with opened(google) as adapter:
        await adapter.put(calendar.id, event, None)
        await adapter.remove(calendar.id, event.event_id, None)
        with pytest.raises(AlreadyThere) as met:
            await adapter.put(calendar.id, event, None)
        assert (met.value.event.kind, met.value.event.mark) == (Kind.GONE, event.mark)
        etag = await adapter.put(calendar.id, event, met.value.event.etag)
        found = await adapter.find(calendar.id, event.event_id)
    assert found is not None
    assert (found.kind, found.etag, found.spans) == (Kind.BUSY, etag, (Span(START, START + HOUR),))


async def test_a_change_names_the_version_that_it_replaces(google: FakeGoogle) -> None:
    """Changing and deleting send If-Match: over a version that was not seen nothing is written, and the one that is there
    comes back (C-3, calendars 18).
    """
    calendar = google.calendar()
    event = own_event()
    moved = own_event(event.mark.booking_id, START + 2 * HOUR, 2)
    async with opened(google) as adapter:
        etag = await adapter.put(calendar.id, event, None)
        assert etag is not None
        calendar.change(event.event_id, location="Room 5")
        for refused in (adapter.put(calendar.id, moved, etag), adapter.remove(calendar.id, event.event_id, etag)):
            with pytest.raises(Changed) as met:
                await refused
            assert met.value.event is not None
            assert met.value.event.spans == (Span(START, START + HOUR),)
        now = met.value.event.etag
        assert now == calendar.live()[event.event_id]["etag"] != etag
        after = await adapter.put(calendar.id, moved, now)
        body = calendar.live()[event.event_id]
        await adapter.remove(calendar.id, event.event_id, after)
    assert (body["etag"], body["location"]) == (after, "Room 5")
    assert calendar.live() == {}


async def test_what_a_person_has_added_stays(google: FakeGoogle) -> None:
    """A change writes times and mark, and leaves title, text, place, people and colour as they are; days become times
    again (C-3, calendars 18).
    """
    calendar = google.calendar()
    event = own_event()
    added = {
        "summary": "Renamed",
        "description": "Bring the papers",
        "location": "Room 5",
        "colorId": "3",
        "attendees": [{"email": "guest@calendar.test", "responseStatus": "needsAction"}],
    }
    async with opened(google) as adapter:
        await adapter.put(calendar.id, event, None)
        private = {"private": {**calendar.live()[event.event_id]["extendedProperties"]["private"], "theirs": "1"}}
        calendar.change(event.event_id, **added, extendedProperties=private)
        calendar.move(event.event_id, datetime(2027, 3, 5, tzinfo=UTC).date(), datetime(2027, 3, 6, tzinfo=UTC).date())
        found = await adapter.find(calendar.id, event.event_id)
        assert found is not None
        await adapter.put(calendar.id, own_event(event.mark.booking_id, START + HOUR, 2), found.etag)
        again = await adapter.find(calendar.id, event.event_id)
    body = calendar.live()[event.event_id]
    assert {name: body[name] for name in added} == added
    assert body["start"] == {"dateTime": "2027-03-01T04:00:00+03:00", "timeZone": "Europe/Moscow"}
    assert body["extendedProperties"]["private"].pop("theirs") == "1"
    assert again is not None
    assert again.mark == Mark(event.mark.booking_id, 2)


async def test_an_event_tells_nothing_but_its_title_and_booking(google: FakeGoogle) -> None:
    """What is made has exactly the members that it needs, and nobody is written to (C-3, calendars 1)."""
    calendar = google.calendar()
    event = own_event()
    async with opened(google) as adapter:
        await adapter.put(calendar.id, event, None)
    [call] = google.called("calendar.events.insert")
    booking = str(event.mark.booking_id)
    assert call.body == {
        "id": event.event_id,
        "summary": "First talk",
        "description": booking,
        "status": "confirmed",
        "start": {"dateTime": "2027-03-01T03:00:00+03:00", "timeZone": "Europe/Moscow"},
        "end": {"dateTime": "2027-03-01T04:00:00+03:00", "timeZone": "Europe/Moscow"},
        "extendedProperties": {"private": {"holdfast": "1", "holdfastBooking": booking, "holdfastVersion": "1"}},
    }
    assert call.query["sendUpdates"] == "none"


async def test_what_is_gone_is_as_good_as_deleted(google: FakeGoogle) -> None:
    """Deleting an event that is deleted, by us or by a person, or that never was, is no error (C-3, calendars 7)."""
    calendar = google.calendar()
    event, another = own_event(), own_event()
    async with opened(google) as adapter:
        etag = await adapter.put(calendar.id, event, None)
        google.faults.cut(after=True, only="calendar.events.delete")
        with pytest.raises(Unreachable):
            await adapter.remove(calendar.id, event.event_id, etag)
        await adapter.remove(calendar.id, event.event_id, etag)
        old = await adapter.put(calendar.id, another, None)
        calendar.delete(another.event_id)
        await adapter.remove(calendar.id, another.event_id, old)
        await adapter.remove(calendar.id, own_event().event_id, None)
    assert calendar.live() == {}


async def test_a_calendar_that_is_gone_is_not_taken_for_an_event_that_is(google: FakeGoogle) -> None:
    """404 for an event is looked into: the calendar may be what is gone (C-3)."""
    calendar = google.calendar()
    event = own_event()
    async with opened(google, "https://calendars.test/hook") as adapter:
        with pytest.raises(Changed) as met:
            await adapter.put(calendar.id, event, '"1"')
        assert met.value.event is None
        del google.calendars[calendar.id]
        for asked in (
            adapter.put(calendar.id, event, None),
            adapter.put(calendar.id, event, '"1"'),
            adapter.remove(calendar.id, event.event_id, None),
            adapter.watch(calendar.id, uuid4(), "token", 60),
        ):
            with pytest.raises(CalendarGone):
                await asked


async def test_a_calendar_that_may_only_be_read_is_not_written(google: FakeGoogle) -> None:
    """A refusal that does not pass by itself is told as one (C-3, calendars 16)."""
    calendar = google.calendar(role="reader")
    async with opened(google) as adapter:
        with pytest.raises(Refused, match="requiredAccessLevel"):
            await adapter.put(calendar.id, own_event(), None)


async def test_two_that_insert_at_once_make_one_event(google: FakeGoogle) -> None:
    """Exporters that race for one booking make one event: who comes second finds it (C-3, calendars 1, 2)."""
    calendar = google.calendar()
    event = own_event()
    async with opened(google) as first, opened(google) as second:
        done = await asyncio.gather(
            *(adapter.put(calendar.id, event, None) for adapter in (first, second)), return_exceptions=True
        )
    assert sorted(type(one).__name__ for one in done) == ["AlreadyThere", "str"]
    assert list(calendar.live()) == [event.event_id]


async def test_a_calendar_tells_of_changes_until_it_is_stopped(google: FakeGoogle) -> None:
    """A channel has the id and token that we chose, ends when Google says, and says nothing once it is stopped, which it
    may be twice (C-2, calendars 13, 14).
    """
    calendar = google.calendar()
    channel_id, push_address = uuid4(), "https://calendars.test/hook"
    async with opened(google, push_address) as adapter:
        watch = await adapter.watch(calendar.id, channel_id, "a token of ours", 3_600)
        calendar.add(START, START + HOUR)
        first, second = google.channels.take()
        assert first.state == "sync"
        assert second.state == "exists"
        for push in (first, second):
            assert push.address == push_address
            assert push.headers["X-Goog-Channel-ID"] == str(channel_id)
            assert push.headers["X-Goog-Channel-Token"] == "a token of ours"
            assert push.headers["X-Goog-Resource-ID"] == watch.remote_resource
        numbers = [int(push.headers["X-Goog-Message-Number"]) for push in (first, second)]
        assert numbers == sorted(set(numbers))
        ends = google.channels.live[str(channel_id)].expires_at
        assert watch.expires_at == ends
        await adapter.stop(channel_id, watch.remote_resource)
        await adapter.stop(channel_id, watch.remote_resource)
        calendar.add(START, START + HOUR)
    assert google.channels.take() == []
    assert adapter.pushes


async def test_without_an_address_nobody_tells(google: FakeGoogle) -> None:
    """A server that Google cannot reach asks for no channel, and says so (C-2)."""
    async with opened(google) as adapter:
        assert not adapter.pushes
        assert adapter.writes
