"""What the adapter for Google reads: looks, changes, times, who is busy."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from calendars.google.adapter import DAY, HOUR, START, WEEK, WINDOW, looked, opened, own_event
from calendars.google.fake import FakeGoogle
from holdfast.availability.ics.times import Span
from holdfast.calendars.port import Access, CalendarGone, Kind, RemoteCalendar, SyncPointGone, Unreachable, Window

_HOUR = timedelta(hours=1)


async def test_calendars_are_told_with_what_may_be_done(google: FakeGoogle) -> None:
    """The calendars of an account come with name, zone and access, over all pages (C-1)."""
    google.calendar()
    google.calendar("en.some#holiday@group.v.calendar.test", role="reader")
    google.calendar("colleague@calendar.test", zone="Mars/Olympus", role="freeBusyReader")
    google.calendar("team@calendar.test", role="writer")
    google.lists.page_size = 1
    async with opened(google) as adapter:
        found = await adapter.calendars()
    owner = google.oauth.account
    assert found == [
        RemoteCalendar(owner, f"Calendar of {owner}", "Europe/Moscow", Access.WRITE, primary=True),
        RemoteCalendar(
            "en.some#holiday@group.v.calendar.test",
            "Calendar of en.some#holiday@group.v.calendar.test",
            "Europe/Moscow",
            Access.READ,
        ),
        RemoteCalendar("colleague@calendar.test", "Calendar of colleague@calendar.test", None, Access.FREE_BUSY),
        RemoteCalendar("team@calendar.test", "Calendar of team@calendar.test", "Europe/Moscow", Access.WRITE),
    ]


async def test_only_the_last_page_says_where_to_go_on(google: FakeGoogle) -> None:
    """Three pages, a short and an empty one among them, are one look; the sync point comes with the last (C-2, calendars 5)."""
    calendar = google.calendar("a/b #c@group.calendar.test")
    ids = [calendar.add(DAY + n * _HOUR, DAY + (n + 1) * _HOUR) for n in range(5)]
    google.lists.page_size = 4
    google.lists.short_pages = [2, 0]
    async with opened(google) as adapter:
        pages, events, _ = await looked(adapter, calendar.id)
    assert [len(page.events) for page in pages] == [2, 0, 3]
    assert [page.sync_point is None for page in pages] == [True, True, False]
    assert all(page.whole for page in pages)
    assert list(events) == ids


async def test_a_sync_token_goes_alone_and_all_else_stays(google: FakeGoogle) -> None:
    """Later looks send the token without a window, and otherwise what the first one sent (C-2, calendars 6)."""
    calendar = google.calendar()
    calendar.add(DAY, DAY + _HOUR)
    async with opened(google) as adapter:
        _, _, point = await looked(adapter, calendar.id)
        late = [calendar.add(DAY + n * _HOUR, DAY + (n + 1) * _HOUR) for n in range(3)]
        google.lists.page_size = 2
        pages, events, _ = await looked(adapter, calendar.id, point)
    first, second, third = (call.query for call in google.called("calendar.events.list"))
    windows = {name: first.pop(name) for name in ("timeMin", "timeMax")}
    assert windows == {"timeMin": "2027-03-01T00:00:00Z", "timeMax": "2027-03-29T00:00:00Z"}
    assert second == first | {"syncToken": point}
    assert {name: value for name, value in third.items() if name != "pageToken"} == second
    assert list(events) == late
    assert not any(page.whole for page in pages)


async def test_an_unchanged_calendar_is_one_request(google: FakeGoogle) -> None:
    """A look after which nothing has changed asks once and says so (C-2, calendars 24)."""
    calendar = google.calendar()
    calendar.add(DAY, DAY + _HOUR)
    async with opened(google) as adapter:
        first, _, point = await looked(adapter, calendar.id)
        [page], _, _ = await looked(adapter, calendar.id, point)
    assert not first[-1].unchanged
    assert page.unchanged
    assert not page.events
    assert len(google.called("calendar.events.list")) == 2


async def test_a_sync_token_that_is_too_old_is_told_apart(google: FakeGoogle) -> None:
    """410 fullSyncRequired means that everything has to be read anew, which then works (C-2, calendars 7)."""
    calendar = google.calendar()
    event_id = calendar.add(DAY, DAY + _HOUR)
    async with opened(google) as adapter:
        _, _, point = await looked(adapter, calendar.id)
        google.lists.forget()
        with pytest.raises(SyncPointGone):
            await looked(adapter, calendar.id, point)
        _, events, _ = await looked(adapter, calendar.id)
    assert list(events) == [event_id]


async def test_a_moved_instance_keeps_its_identity(google: FakeGoogle) -> None:
    """An instance is known by its series and the time at which it would take place, wherever it is moved, also when it is
    deleted then and nothing else of it is told (C-2, calendars 8, 9).
    """
    calendar = google.calendar()
    series = calendar.add(DAY, DAY + _HOUR, recurrence=["RRULE:FREQ=WEEKLY"])
    third = calendar.instance_ids(series)[2]
    async with opened(google) as adapter:
        _, before, point = await looked(adapter, calendar.id)
        assert len(before) == 4
        assert len({event.key for event in before.values()}) == 4
        assert before[third].spans == (Span(START + 2 * WEEK, START + 2 * WEEK + HOUR),)
        calendar.move(third, START + 5 * HOUR, START + 6 * HOUR)
        _, moved, point = await looked(adapter, calendar.id, point)
        assert {event.key for event in moved.values()} == {before[third].key}
        assert moved[third].spans == (Span(START + 5 * HOUR, START + 6 * HOUR),)
        calendar.delete(third)
        _, deleted, point = await looked(adapter, calendar.id, point)
        assert [(event.key, event.kind, event.spans) for event in deleted.values()] == [
            (before[third].key, Kind.GONE, ())
        ]
        calendar.delete(series)
        _, gone, _ = await looked(adapter, calendar.id, point)
    assert {event.key for event in gone.values() if event.kind is Kind.GONE} >= {
        event.key for event in before.values()
    } - {before[third].key}


async def test_an_instance_that_hardly_says_anything_is_gone(google: FakeGoogle) -> None:
    """A cancelled instance may carry only its id, its series and its time: it is gone, under its identity (C-2, calendars 9)."""
    calendar = google.calendar()
    google.lists.tells_deleted = False
    series = calendar.add(DAY, DAY + _HOUR, recurrence=["RRULE:FREQ=WEEKLY;COUNT=3"])
    second = calendar.instance_ids(series)[1]
    async with opened(google) as adapter:
        _, before, point = await looked(adapter, calendar.id)
        calendar.delete(second)
        _, after, _ = await looked(adapter, calendar.id, point)
    [gone] = after.values()
    assert (gone.key, gone.kind, gone.spans, gone.etag) == (before[second].key, Kind.GONE, (), None)


async def test_the_same_instance_has_one_identity_in_any_zone(google: FakeGoogle) -> None:
    """The time by which an instance is known is an instant, however its offset is written (C-2, calendars 8)."""
    calendar = google.calendar(zone="Europe/Moscow")
    series = calendar.add(DAY, DAY + _HOUR, recurrence=["RRULE:FREQ=WEEKLY;COUNT=1"])
    async with opened(google) as adapter:
        _, before, _ = await looked(adapter, calendar.id)
        calendar.time_zone = "Asia/Tokyo"
        calendar.change(series, summary="Another name")
        _, after, _ = await looked(adapter, calendar.id, zone="Asia/Tokyo")
    assert [event.key for event in after.values()] == [event.key for event in before.values()]


async def test_what_lies_outside_of_the_window_takes_no_time(google: FakeGoogle) -> None:
    """A bounded look reads what touches its window; what is moved out of it later is told without a time (C-2, calendars 8)."""
    calendar = google.calendar()
    before = calendar.add(DAY - 2 * _HOUR, DAY)
    across = calendar.add(DAY - _HOUR, DAY + _HOUR)
    leaves = calendar.add(DAY, DAY + _HOUR)
    after = calendar.add(WINDOW.end, WINDOW.end + HOUR)
    async with opened(google) as adapter:
        _, events, point = await looked(adapter, calendar.id)
        assert list(events) == [across, leaves]
        assert events[across].spans == (Span(START - HOUR, START + HOUR),)
        calendar.move(leaves, WINDOW.end, WINDOW.end + HOUR)
        _, events, _ = await looked(adapter, calendar.id, point)
        assert events[leaves].spans == ()
        _, later, _ = await looked(adapter, calendar.id, window=Window(WINDOW.end, WINDOW.end + WEEK))
    assert set(later) == {leaves, after}
    assert before not in events


async def test_an_event_of_ours_is_told_wherever_it_is(google: FakeGoogle) -> None:
    """Where a person has moved it beyond what is looked at, our event comes with its time all the same (C-5, calendars 19)."""
    calendar = google.calendar()
    event = own_event()
    async with opened(google) as adapter:
        await adapter.put(calendar.id, event, None)
        _, _, point = await looked(adapter, calendar.id)
        calendar.move(event.event_id, WINDOW.end + WEEK, WINDOW.end + WEEK + HOUR)
        _, events, _ = await looked(adapter, calendar.id, point)
    assert events[event.event_id].spans == (Span(WINDOW.end + WEEK, WINDOW.end + WEEK + HOUR),)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({}, Kind.BUSY),
        ({"transparency": "transparent"}, Kind.FREE),
        ({"transparency": "opaque"}, Kind.BUSY),
        ({"eventType": "workingLocation", "workingLocationProperties": {"type": "homeOffice"}}, Kind.FREE),
        ({"eventType": "birthday"}, Kind.FREE),
        ({"eventType": "outOfOffice"}, Kind.BUSY),
        ({"eventType": "outOfOffice", "transparency": "transparent"}, Kind.BUSY),
        ({"eventType": "focusTime"}, Kind.BUSY),
        ({"eventType": "fromGmail"}, Kind.BUSY),
        ({"status": "tentative"}, Kind.TENTATIVE),
        ({"status": "tentative", "transparency": "transparent"}, Kind.FREE),
        ({"attendees": [{"self": True, "responseStatus": "declined"}]}, Kind.FREE),
        ({"attendees": [{"self": True, "responseStatus": "tentative"}]}, Kind.TENTATIVE),
        ({"attendees": [{"self": True, "responseStatus": "needsAction"}]}, Kind.BUSY),
        ({"attendees": [{"self": True, "responseStatus": "accepted"}]}, Kind.BUSY),
        (
            {"attendees": [{"responseStatus": "declined"}, {"self": True, "responseStatus": "accepted"}]},
            Kind.BUSY,
        ),
    ],
)
async def test_an_event_says_whether_it_takes_time(google: FakeGoogle, said: dict[str, Any], kind: Kind) -> None:
    """Transparent, declined, working places and birthdays are free, being away is busy, what is tentative is told apart
    (C-2, calendars 10).
    """
    calendar = google.calendar()
    event_id = calendar.add(DAY, DAY + _HOUR, **said)
    async with opened(google) as adapter:
        _, events, point = await looked(adapter, calendar.id)
        assert events[event_id].kind is kind
        calendar.delete(event_id)
        _, events, _ = await looked(adapter, calendar.id, point)
        assert (events[event_id].kind, events[event_id].spans) == (Kind.GONE, ())


@pytest.mark.parametrize(
    ("zone", "first", "last", "hours"),
    [
        ("Europe/Berlin", date(2027, 3, 28), date(2027, 3, 29), 23),
        ("Europe/Berlin", date(2027, 10, 31), date(2027, 11, 1), 25),
        ("Europe/Berlin", date(2027, 3, 27), date(2027, 3, 30), 71),
        ("Asia/Tokyo", date(2027, 3, 28), date(2027, 3, 29), 24),
        # Clocks go from midnight to one: the day begins at one.
        ("Asia/Beirut", date(2027, 3, 28), date(2027, 3, 29), 23),
    ],
)
async def test_a_day_is_that_of_the_calendar(
    google: FakeGoogle, zone: str, first: date, last: date, hours: int
) -> None:
    """A day without times blocks from midnight to midnight in the calendar's zone, the last one not included, also where
    it has 23 or 25 hours (C-2, calendars 11).
    """
    calendar = google.calendar(zone=zone)
    event_id = calendar.add(first, last)
    window = Window(START, START + 60 * WEEK)
    async with opened(google) as adapter:
        _, events, _ = await looked(adapter, calendar.id, zone=zone, window=window)
        # The zone is asked for where no look has told it.
        async with opened(google) as another:
            alone = await another.find(calendar.id, event_id)
    [span] = events[event_id].spans
    assert span.end - span.start == hours * HOUR
    begins, _ = calendar.bounds(calendar.live()[event_id])
    assert span.start == int(begins.timestamp())
    assert alone is not None
    assert alone.spans == (span,)


async def test_who_is_busy_is_asked_by_fifties(google: FakeGoogle) -> None:
    """51 calendars are two questions; a calendar with an error, or of which nothing is said, is unknown, never free
    (C-2, calendars 12).
    """
    ids = [f"colleague{n}@calendar.test" for n in range(51)]
    for n, calendar_id in enumerate(ids):
        google.calendar(calendar_id, role="freeBusyReader").add(DAY + n * _HOUR, DAY + (n + 1) * _HOUR)
    google.free_busy_errors[ids[50]] = ["internalError"]
    google.calendars[ids[1]].change(next(iter(google.calendars[ids[1]].live())), transparency="transparent")
    async with opened(google) as adapter:
        found = await adapter.busy([*ids, "unknown@calendar.test"], Window(START, START + 4 * WEEK))
    assert [len((call.body or {})["items"]) for call in google.called("calendar.freebusy.query")] == [50, 2]
    assert found[ids[0]] == [Span(START, START + HOUR)]
    assert found[ids[1]] == []
    assert found[ids[49]] == [Span(START + 49 * HOUR, START + 50 * HOUR)]
    assert found[ids[50]] is None
    assert found["unknown@calendar.test"] is None


async def test_a_long_time_is_asked_for_in_pieces(google: FakeGoogle) -> None:
    """A year is asked for in pieces, and what lies across two of them is one time (C-2, calendars 12)."""
    calendar = google.calendar()
    calendar.add(datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC))
    window = Window(START, START + 52 * WEEK)
    async with opened(google) as adapter:
        found = await adapter.busy([calendar.id], window)
    asked = [(call.body or {}) for call in google.called("calendar.freebusy.query")]
    assert len(asked) == 7
    assert [one["timeMin"] for one in asked[1:]] == [one["timeMax"] for one in asked[:-1]]
    assert found[calendar.id] == [Span(START, int(datetime(2028, 1, 1, tzinfo=UTC).timestamp()))]


async def test_an_error_in_one_piece_makes_a_calendar_unknown(google: FakeGoogle) -> None:
    """A calendar that could be told for a part of the time only is unknown for all of it (C-2, calendars 12)."""
    calendar = google.calendar()
    google.free_busy_errors[calendar.id] = ["", "backendError", ""]
    async with opened(google) as adapter:
        assert await adapter.busy([calendar.id], Window(START, START + 20 * WEEK)) == {calendar.id: None}


async def test_events_of_ours_are_found_by_their_mark(google: FakeGoogle) -> None:
    """Our events come with the booking and version that only programs see, copies under their own id; those of others do
    not come at all (C-4, calendars 3, 4).
    """
    calendar = google.calendar()
    calendar.add(DAY, DAY + _HOUR, extendedProperties={"private": {"another": "program"}})
    event = own_event(version=7)
    async with opened(google) as adapter:
        await adapter.put(calendar.id, event, None)
        copy = calendar.copy(event.event_id)
        found = [one async for one in adapter.own_events(calendar.id, WINDOW)]
        _, events, _ = await looked(adapter, calendar.id)
    assert [one.event_id for one in found] == [event.event_id, copy]
    assert [one.mark for one in found] == [event.mark, event.mark]
    assert events[event.event_id].mark == event.mark
    assert events[event.event_id].spans == (Span(START, START + HOUR),)


@pytest.mark.parametrize(
    "private",
    [
        {"holdfast": "1"},
        {"holdfast": "1", "holdfastBooking": "none", "holdfastVersion": "1"},
        {"holdfast": "1", "holdfastBooking": "0" * 32},
        {"holdfast": "1", "holdfastBooking": "0" * 32, "holdfastVersion": "-1"},
        {"holdfast": "1", "holdfastBooking": "0" * 32, "holdfastVersion": "1" * 40},
        {"holdfast": "1", "holdfastBooking": "0" * 32, "holdfastVersion": "²"},
    ],
)
async def test_a_broken_mark_is_none(google: FakeGoogle, private: dict[str, str]) -> None:
    """Private properties that we would not write mark no event of ours, and stop no look (C-4, calendars 4)."""
    calendar = google.calendar()
    event_id = calendar.add(DAY, DAY + _HOUR, extendedProperties={"private": private})
    async with opened(google) as adapter:
        _, events, _ = await looked(adapter, calendar.id)
        assert [one async for one in adapter.own_events(calendar.id, WINDOW)] == []
    assert (events[event_id].mark, events[event_id].kind) == (None, Kind.BUSY)


async def test_of_events_no_more_is_asked_than_is_used(google: FakeGoogle) -> None:
    """Neither titles nor people of foreign events are asked for (C-2)."""
    calendar = google.calendar()
    calendar.add(DAY, DAY + _HOUR, attendees=[{"email": f"{n}@calendar.test"} for n in range(9)])
    async with opened(google) as adapter:
        await looked(adapter, calendar.id)
    [call] = google.called("calendar.events.list")
    assert call.query["maxAttendees"] == 1
    assert not {"summary", "description", "location", "email", "creator", "organizer"} & {
        word for part in call.query["fields"].split(",") for word in part.replace("(", "/").replace(")", "").split("/")
    }


async def test_a_calendar_that_is_gone_is_told_apart(google: FakeGoogle) -> None:
    """404 of a calendar is not that of an event (C-2)."""
    calendar = google.calendar()
    async with opened(google) as adapter:
        await looked(adapter, calendar.id)
        assert await adapter.find(calendar.id, "0" * 26) is None
        del google.calendars[calendar.id]
        for asked in (looked(adapter, calendar.id), adapter.find(calendar.id, "0" * 26)):
            with pytest.raises(CalendarGone):
                await asked


async def test_a_last_page_without_token_is_no_look(google: FakeGoogle) -> None:
    """An answer that Google should not give ends the look, rather than to be taken for its end (C-2, calendars 5)."""
    calendar = google.calendar()
    google.lists.gives_tokens = False
    async with opened(google) as adapter:
        with pytest.raises(Unreachable, match="without sync token"):
            await looked(adapter, calendar.id)
