"""Our events at a real server of CalDAV: made once, changed only as they were seen, deleted only as they were seen."""

import asyncio
from uuid import uuid4

import pytest

from availability.calendar_texts import calendar as file
from availability.calendar_texts import event as vevent
from calendars.caldav.texts import YEAR, Radicale, at, look, opened, ours, shown
from calendars.http_servers import Asked, Reply, Server, passed_on
from holdfast.calendars.caldav import CaldavAccount
from holdfast.calendars.port import AlreadyThere, Changed, FeedBroken, Kind, Mark

NINE = ("2027-03-01T06:00", "2027-03-01T07:00")
TEN = ("2027-03-01T07:00", "2027-03-01T08:00")


async def test_an_event_is_made_with_if_none_match(account: CaldavAccount, radicale: Radicale, calendar: str) -> None:
    """A second export of a booking meets the first event instead of making another or writing over it (C-3, calendars 22)."""
    event = ours(*NINE)
    etag = await account.put(calendar, event, None)
    with pytest.raises(AlreadyThere) as there:
        await account.put(calendar, ours(*TEN, booking=event.mark.booking_id), None)
    assert etag is not None
    assert (there.value.event.mark, there.value.event.etag) == (event.mark, etag)
    assert shown(there.value.event) == ["2027-03-01T06:00/01T07:00"]
    assert radicale.count(calendar) == 1


async def test_a_retry_after_a_lost_answer_makes_no_second_event(radicale: Radicale, calendar: str) -> None:
    """When the answer to an insert is lost, the retry finds the event with our mark: there is one (C-3, calendars 1)."""
    lost = True

    def losing(asked: Asked) -> Reply:
        nonlocal lost
        reply = passed_on(radicale.port, asked)
        if asked.method == "PUT" and lost:
            lost = False
            return Reply(502)
        return reply

    event = ours(*NINE)
    with Server(losing).running() as between:
        through = opened(between.address)
        address = calendar.replace(radicale.address.rstrip("/"), between.address)
        with pytest.raises(Exception, match="502"):
            await through.put(address, event, None)
        with pytest.raises(AlreadyThere) as there:
            await through.put(address, event, None)
        await through.close()
    assert there.value.event.mark == event.mark
    assert radicale.count(calendar) == 1


async def test_another_event_of_our_id_has_no_mark(account: CaldavAccount, radicale: Radicale, calendar: str) -> None:
    """What somebody else has put under our id is told without a mark, and stays (C-3, calendars 2)."""
    event = ours(*NINE)
    foreign = file(*vevent("DTSTART:20270302T060000Z", "DTEND:20270302T070000Z", uid=event.event_id))
    radicale.put(calendar, f"{event.event_id}.ics", foreign)
    with pytest.raises(AlreadyThere) as there:
        await account.put(calendar, event, None)
    assert there.value.event.mark is None
    assert "20270302" in radicale.text(calendar, f"{event.event_id}.ics")


async def test_an_update_names_the_version_that_it_replaces(account: CaldavAccount, calendar: str) -> None:
    """An update goes through with If-Match of what was seen, and gives the next version (C-3, calendars 22)."""
    event = ours(*NINE)
    first = await account.put(calendar, event, None)
    moved = ours(*TEN, booking=event.mark.booking_id, version=2)
    second = await account.put(calendar, moved, first)
    found = await account.find(calendar, event.event_id)
    assert found is not None
    assert second not in {None, first}
    assert (found.mark, found.etag, shown(found)) == (moved.mark, second, ["2027-03-01T07:00/01T08:00"])


async def test_a_version_that_is_not_there_any_more_is_not_replaced(
    account: CaldavAccount, radicale: Radicale, calendar: str
) -> None:
    """After somebody has moved the event an update is refused, with the event as it is now (C-3, calendars 18, calendars 22)."""
    event = ours(*NINE)
    etag = await account.put(calendar, event, None)
    name = f"{event.event_id}.ics"
    radicale.put(calendar, name, radicale.text(calendar, name).replace("T06", "T09").replace("T07", "T10").encode())
    with pytest.raises(Changed) as changed:
        await account.put(calendar, ours(*TEN, booking=event.mark.booking_id, version=2), etag)
    assert changed.value.event is not None
    assert (changed.value.event.mark, shown(changed.value.event)) == (event.mark, ["2027-03-01T09:00/01T10:00"])
    assert changed.value.event.etag != etag


async def test_a_change_between_reading_and_writing_is_not_lost(radicale: Radicale, calendar: str) -> None:
    """Who moves the event while we are about to write meets 412 on our side, and is fetched again (C-3, calendars 22)."""
    event = ours(*NINE)
    name = f"{event.event_id}.ics"

    def racing(asked: Asked) -> Reply:
        if asked.method == "PUT" and "if-match" in asked.headers:
            text = radicale.text(calendar, name)
            radicale.put(calendar, name, text.replace("T06", "T12").replace("T07", "T13").encode())
        return passed_on(radicale.port, asked)

    with Server(racing).running() as between:
        through = opened(between.address)
        address = calendar.replace(radicale.address.rstrip("/"), between.address)
        etag = await through.put(address, event, None)
        with pytest.raises(Changed) as changed:
            await through.put(address, ours(*TEN, booking=event.mark.booking_id, version=2), etag)
        await through.close()
    assert changed.value.event is not None
    assert shown(changed.value.event) == ["2027-03-01T12:00/01T13:00"]


async def test_an_update_keeps_what_a_person_has_added(
    account: CaldavAccount, radicale: Radicale, calendar: str
) -> None:
    """A new time leaves words, alarms and guests of the owner where they are, and its number rises (C-3, calendars 18)."""
    event = ours(*NINE)
    etag = await account.put(calendar, event, None)
    name = f"{event.event_id}.ics"
    added = [
        "SUMMARY:Первый приём\\, взять ключи",
        "LOCATION:Zweiter Stock",
        "X-APPLE-TRAVEL-ADVISORY-BEHAVIOR:AUTOMATIC",
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        "DESCRIPTION:Losgehen",
        "TRIGGER:-PT30M",
        "END:VALARM",
        "END:VEVENT",
    ]
    text = radicale.text(calendar, name).replace("SUMMARY:Первый приём\r\n", "")
    radicale.put(calendar, name, text.replace("END:VEVENT", "\r\n".join(added)).encode())
    seen = await account.find(calendar, event.event_id)
    assert seen is not None
    assert seen.etag != etag
    await account.put(calendar, ours(*TEN, booking=event.mark.booking_id, version=2), seen.etag)
    kept = radicale.text(calendar, name)
    assert [line for line in added if line not in kept] == []
    assert "DTSTART:20270301T070000Z" in kept
    assert "SEQUENCE:1" in kept
    assert "X-HOLDFAST-VERSION:2" in kept


async def test_an_event_made_a_series_takes_place_once_again(
    account: CaldavAccount, radicale: Radicale, calendar: str
) -> None:
    """Restoring an event that a person repeats weekly, or has cancelled, leaves the one time of the booking (C-5, calendars 19)."""
    event = ours(*NINE)
    await account.put(calendar, event, None)
    name = f"{event.event_id}.ics"
    text = radicale.text(calendar, name)
    weekly = text.replace("END:VEVENT", "RRULE:FREQ=WEEKLY;COUNT=3\r\nSTATUS:CANCELLED\r\nEND:VEVENT")
    radicale.put(calendar, name, weekly.encode())
    seen = await account.find(calendar, event.event_id)
    assert seen is not None
    assert (seen.kind, seen.mark) == (Kind.GONE, event.mark)
    await account.put(calendar, event, seen.etag)
    found = await account.find(calendar, event.event_id)
    assert found is not None
    assert (found.kind, shown(found)) == (Kind.BUSY, ["2027-03-01T06:00/01T07:00"])
    assert "RRULE" not in radicale.text(calendar, name)


async def test_an_update_of_a_deleted_event_says_that_it_is_gone(
    account: CaldavAccount, radicale: Radicale, calendar: str
) -> None:
    """A person who has deleted our event does not get it back by an update (C-5, calendars 19)."""
    event = ours(*NINE)
    etag = await account.put(calendar, event, None)
    radicale.delete(calendar, f"{event.event_id}.ics")
    with pytest.raises(Changed) as changed:
        await account.put(calendar, event, etag)
    assert changed.value.event is None
    assert radicale.count(calendar) == 0


async def test_a_delete_names_the_version_that_it_means(
    account: CaldavAccount, radicale: Radicale, calendar: str
) -> None:
    """An event that a person has moved is not deleted, the one that was seen is, and again is as good (C-3, calendars 18)."""
    event = ours(*NINE)
    etag = await account.put(calendar, event, None)
    name = f"{event.event_id}.ics"
    radicale.put(calendar, name, radicale.text(calendar, name).replace("T06", "T05").encode())
    with pytest.raises(Changed) as changed:
        await account.remove(calendar, event.event_id, etag)
    assert changed.value.event is not None
    await account.remove(calendar, event.event_id, changed.value.event.etag)
    assert radicale.count(calendar) == 0
    await account.remove(calendar, event.event_id, changed.value.event.etag)
    assert await account.find(calendar, event.event_id) is None


async def test_our_event_is_found_under_another_name(account: CaldavAccount, radicale: Radicale, calendar: str) -> None:
    """A program that stores our event under a name of its own hides it neither from export nor from removal (C-4, calendars 2)."""
    event = ours(*NINE)
    await account.put(calendar, event, None)
    text = radicale.text(calendar, f"{event.event_id}.ics")
    before = await look(account, calendar)
    radicale.delete(calendar, f"{event.event_id}.ics")
    radicale.put(calendar, "another-name.ics", text.encode())
    after = await look(account, calendar, before.point)
    # It is neither gone nor foreign.
    assert [(each.event_id, each.mark, each.kind) for each in after.events] == [(event.event_id, event.mark, Kind.BUSY)]
    with pytest.raises(AlreadyThere) as there:
        await account.put(calendar, event, None)
    await account.put(calendar, ours(*TEN, booking=event.mark.booking_id, version=2), there.value.event.etag)
    found = await account.find(calendar, event.event_id)
    assert found is not None
    assert (found.mark, radicale.count(calendar)) == (Mark(event.mark.booking_id, 2), 1)
    await account.remove(calendar, event.event_id, found.etag)
    assert radicale.count(calendar) == 0


async def test_a_copy_of_our_event_has_our_mark_under_another_id(
    account: CaldavAccount, radicale: Radicale, calendar: str
) -> None:
    """A copy is told under its own id, so that it counts as foreign, and own events are found with it (C-4, calendars 3, calendars 4)."""
    event = ours(*NINE)
    await account.put(calendar, event, None)
    text = radicale.text(calendar, f"{event.event_id}.ics").replace(f"UID:{event.event_id}", f"UID:{uuid4()}")
    radicale.put(calendar, "copy.ics", text.encode())
    radicale.put(calendar, "foreign.ics", file(*vevent("DTSTART:20270301T060000Z", "DTEND:20270301T070000Z")))
    found = {(each.event_id, each.mark) async for each in account.own_events(calendar, YEAR)}
    assert found == {(event.event_id, event.mark), ("copy", event.mark)}
    seen = {(each.event_id, each.mark) for each in (await look(account, calendar)).events}
    assert seen == found | {("foreign", None)}


async def test_an_event_of_ours_that_was_moved_far_tells_where_it_is(
    account: CaldavAccount, radicale: Radicale, calendar: str
) -> None:
    """Our event comes with its time also when a person has moved it out of what is looked at (C-5, calendars 19)."""
    event = ours(*NINE)
    await account.put(calendar, event, None)
    before = await look(account, calendar)
    name = f"{event.event_id}.ics"
    radicale.put(calendar, name, radicale.text(calendar, name).replace(":20270301T", ":20310301T").encode())
    after = await look(account, calendar, before.point)
    assert [shown(each) for each in after.events] == [["2031-03-01T06:00/01T07:00"]]


async def test_a_file_that_cannot_be_read_is_not_written_over(
    account: CaldavAccount, radicale: Radicale, calendar: str
) -> None:
    """When our event is unreadable the owner hears of it, and nothing is written (C-3, calendars 22)."""
    event = ours(*NINE)
    garbage = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSEQUENCE:no number\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"

    def unreadable(asked: Asked) -> Reply:
        assert asked.method == "GET"
        return Reply(200, {"etag": '"7"'}, garbage.encode())

    with Server(unreadable).running() as server:
        there = opened(server.address)
        with pytest.raises(FeedBroken):
            await there.put(f"{server.address}/c/", event, '"7"')
        await there.close()
    assert server.methods() == ["GET"]


async def test_a_server_without_etag_in_its_answer_is_asked_for_it(radicale: Radicale, calendar: str) -> None:
    """Where the answer to a write has no version it is asked for, so that the next write can name it (C-3, calendars 22)."""

    def forgetting(asked: Asked) -> Reply:
        reply = passed_on(radicale.port, asked)
        kept = {name: value for name, value in reply.headers.items() if name.lower() != "etag"}
        return Reply(reply.status, kept, reply.body) if asked.method == "PUT" else reply

    event = ours(*NINE)
    with Server(forgetting).running() as between:
        through = opened(between.address)
        address = calendar.replace(radicale.address.rstrip("/"), between.address)
        etag = await through.put(address, event, None)
        found = await through.find(address, event.event_id)
        await through.close()
    assert found is not None
    assert etag == found.etag is not None


async def test_two_exports_at_once_make_one_event(radicale: Radicale, calendar: str) -> None:
    """Of two workers that insert the same booking together one makes the event, the other meets it (C-3, calendars 1)."""
    event = ours(*NINE)
    accounts = [opened(radicale.address) for _ in range(2)]
    done = await asyncio.gather(*(each.put(calendar, event, None) for each in accounts), return_exceptions=True)
    for each in accounts:
        await each.close()
    assert sorted(type(each).__name__ for each in done) == ["AlreadyThere", "str"]
    assert radicale.count(calendar) == 1
    assert at(NINE[0]) == event.start
