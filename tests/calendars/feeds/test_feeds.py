"""Feeds over real HTTP: read when they have changed, within bounds, and never guessed."""

import asyncio
import gzip
import tracemalloc
from collections.abc import Iterator
from threading import Event as ThreadEvent
from typing import Any
from uuid import uuid4

import pytest

from availability.calendar_texts import calendar as file
from availability.calendar_texts import event as vevent
from calendars.caldav.texts import YEAR, Look, look, ours, shown
from calendars.http_servers import Answering, Asked, Reply, Server
from holdfast.availability.ics.recurrence import Budget
from holdfast.calendars import files, ics, wire
from holdfast.calendars.event_ids import event_id_of
from holdfast.calendars.files import read_file
from holdfast.calendars.ics import IcsFeed
from holdfast.calendars.own_files import written
from holdfast.calendars.port import (
    Access,
    CalendarError,
    CalendarGone,
    FeedBroken,
    Kind,
    Mark,
    NeedsReconnect,
    QuotaExceeded,
    Refused,
    RemoteCalendar,
    RemoteEvent,
    Unreachable,
)
from holdfast.kernel import outward
from leaks.capture import RUN

HOUR = ("DTSTART:20270301T060000Z", "DTEND:20270301T070000Z")
ONE = file(*vevent(*HOUR))
# Whoever knows the address of a feed can read it.
SECRET = "private-e8b1f0c2d94a47"  # noqa: S105  of the tests
PATH = f"/feed/{SECRET}/basic.ics"


@pytest.fixture(autouse=True)
def _guarded() -> None:
    RUN.guard_secret(SECRET, "address of a feed")


async def read(answering: Answering, *, zone: str = "Europe/Berlin") -> Look:
    """Look at a feed once."""
    with Server(answering).running() as server:
        feed = IcsFeed(server.address + PATH, private_networks=True)
        try:
            return await look(feed, "feed", zone=zone)
        finally:
            await feed.close()


async def events_of(*lines: str, zone: str = "Europe/Berlin", own_zone: str | None = None) -> list[RemoteEvent]:
    """Return the events of a feed with these lines."""
    return (await read(lambda _: Reply(200, {}, file(*lines, zone=own_zone)), zone=zone)).events


@pytest.mark.parametrize(
    ("sent", "asked"),
    [
        ({"etag": '"v1"'}, {"if-none-match": '"v1"'}),
        (
            {"last-modified": "Sat, 21 Nov 2026 09:00:00 GMT"},
            {"if-modified-since": "Sat, 21 Nov 2026 09:00:00 GMT"},
        ),
        (
            {"etag": 'W/"v1"', "last-modified": "Sat, 21 Nov 2026 09:00:00 GMT"},
            {"if-none-match": 'W/"v1"', "if-modified-since": "Sat, 21 Nov 2026 09:00:00 GMT"},
        ),
    ],
)
async def test_an_unchanged_feed_is_not_sent_again(sent: dict[str, str], asked: dict[str, str]) -> None:
    """ETag and Last-Modified are sent back, and 304 means that there is nothing to read (C-8, calendars 23)."""
    answered: list[int] = []

    def answer(it: Asked) -> Reply:
        known = {name: it.headers[name] for name in ("if-none-match", "if-modified-since") if name in it.headers}
        answered.append(304 if known == asked else 200)
        return Reply(304) if known == asked else Reply(200, sent, ONE)

    with Server(answer).running() as server:
        feed = IcsFeed(server.address + PATH, private_networks=True)
        first = await look(feed, "feed")
        second = await look(feed, "feed", first.point)
        third = await look(feed, "feed", second.point)
        anew = await look(feed, "feed")
        await feed.close()
    assert [len(each.events) for each in (first, second, third, anew)] == [1, 0, 0, 1]
    assert [each.unchanged for each in (first, second, third, anew)] == [False, True, True, False]
    assert answered == [200, 304, 304, 200]
    assert (first.pages[0].whole, second.pages[0].whole) == (True, False)


async def test_the_same_file_without_a_version_is_not_read_again() -> None:
    """A server that knows neither ETag nor Last-Modified sends the same file, which is known by its content (C-8, calendars 23)."""
    bodies = [ONE, ONE, file(*vevent(*HOUR, uid="another"))]

    with Server(lambda _: Reply(200, {}, bodies[len(server.asked) - 1])).running() as server:
        feed = IcsFeed(server.address + PATH, private_networks=True)
        first = await look(feed, "feed")
        second = await look(feed, "feed", first.point)
        third = await look(feed, "feed", second.point)
        await feed.close()
    assert [each.unchanged for each in (first, second, third)] == [False, True, False]
    assert [each.event_id for each in third.events] == ["another"]


def pieces(count: int, size: int = 65_536) -> Iterator[bytes]:
    """Yield so many pieces of a calendar that goes on and on."""
    yield b"BEGIN:VCALENDAR\r\n"
    for _ in range(count):
        yield b"X-PADDING:" + b"x" * (size - 12) + b"\r\n"


async def test_a_feed_of_more_than_20_mb_is_not_read_to_its_end() -> None:
    """After 20 MB a feed is given up on, and its server is listened to no longer (C-8, calendars 23)."""
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        for piece in pieces(4_096):
            sent += len(piece)
            yield piece

    with pytest.raises(FeedBroken, match="20 MB"):
        await read(lambda _: Reply(200, {}, endless()))
    # What lies in the buffers of the network is on its way; of the 256 MB the rest was never sent.
    assert wire.MOST_BYTES < sent < 64 * 1024 * 1024


async def test_a_length_that_lies_is_not_believed() -> None:
    """A server that announces less than it sends, or more, gets nothing out of it (C-8, calendars 23)."""
    with pytest.raises(FeedBroken, match="20 MB"):
        await read(lambda _: Reply(200, {"content-length": str(1 << 40)}, pieces(4_096)))
    with pytest.raises(CalendarError):
        await read(lambda _: Reply(200, {"content-length": "10"}, pieces(2)))


async def test_a_feed_that_unpacks_to_more_than_20_mb_is_not_unpacked() -> None:
    """A few packed bytes that become gigabytes are given up on as soon as they are too many (C-8, calendars 23)."""
    bomb = gzip.compress(b"BEGIN:VCALENDAR\r\nX-PADDING:" + bytes(200 * 1024 * 1024))
    assert len(bomb) < 1024 * 1024
    tracemalloc.start()
    try:
        with pytest.raises(FeedBroken, match="20 MB"):
            await read(lambda _: Reply(200, {"content-encoding": "gzip"}, bomb))
        assert tracemalloc.get_traced_memory()[1] < 64 * 1024 * 1024
    finally:
        tracemalloc.stop()


async def test_a_packed_feed_is_read() -> None:
    """A server may pack what it sends; what is cut off or packed otherwise is not guessed (C-8, calendars 23)."""
    packed = gzip.compress(ONE)

    def answer(asked: Asked) -> Reply:
        assert asked.headers["accept-encoding"] == "gzip"
        return Reply(200, {"content-encoding": "gzip"}, packed)

    assert [shown(each) for each in (await read(answer)).events] == [["2027-03-01T06:00/01T07:00"]]
    for encoding, body in (("gzip", packed[:-8]), ("gzip", ONE), ("br", ONE)):
        with pytest.raises(FeedBroken):
            await read(lambda _, e=encoding, b=body: Reply(200, {"content-encoding": e}, b))


async def test_redirects_are_followed_five_times() -> None:
    """A feed that has moved is found, also through five redirects, and not through six (C-8, calendars 23)."""

    def answer(asked: Asked) -> Reply:
        left = int(asked.path.removeprefix("/"))
        return Reply(302, {"location": f"/{left - 1}"}) if left else Reply(200, {}, ONE)

    with Server(answer).running() as server:
        near, far = (IcsFeed(f"{server.address}/{times}", private_networks=True) for times in (5, 6))
        assert len((await look(near, "feed")).events) == 1
        with pytest.raises(Refused, match="more than 5"):
            await look(far, "feed")
        for feed in (near, far):
            await feed.close()
    assert len(server.asked) == 12


@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.2:{port}/", "http://10.0.0.1/", "http://[::1]:{port}/", "http://169.254.169.254/latest/meta-data/",
     "http://[::ffff:127.0.0.2]:{port}/", "http://2130706434:{port}/", "file:///etc/hostname", "ftp://example.org/a.ics"],
)  # fmt: skip
async def test_redirects_lead_to_public_addresses_only(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    """A public feed that sends us to our own network is not followed: nothing there is asked (C-8, calendars 23)."""
    judged = outward.may_connect
    # The server of the test stands for one of the internet.
    monkeypatch.setattr(
        outward,
        "may_connect",
        lambda address, *, private_networks: (
            str(address) == "127.0.0.1" or judged(address, private_networks=private_networks)
        ),
    )

    def answer(asked: Asked) -> Reply:
        return Reply(302, {"location": target.format(port=server.port)})

    with Server(answer).running() as server:
        feed = IcsFeed(server.address + PATH, private_networks=False)
        with pytest.raises(Refused) as refused:
            await look(feed, "feed")
        await feed.close()
    assert [each.path for each in server.asked] == [PATH]
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("address", ["http://127.0.0.1/a.ics", "https://localhost/a.ics", "webcal://10.1.2.3/a.ics"])
async def test_a_feed_is_at_a_public_address(address: str) -> None:
    """A feed at an address of our own network is not asked, unless whoever runs the server allows it (C-8, calendars 23)."""
    feed = IcsFeed(address, private_networks=False)
    with pytest.raises(Refused, match="not public"):
        await look(feed, "feed")
    await feed.close()


async def test_no_redirect_takes_encryption_away() -> None:
    """What was asked over https is not asked over http, where everybody on the way reads the address (C-7, C-8)."""
    speaking = wire.Wire(private_networks=True)
    base = speaking.url("webcal://calendar.example.org/a.ics")
    assert base.scheme == "https"
    with pytest.raises(Refused, match="https to http"):
        speaking.url("http://calendar.example.org/a.ics", base)
    await speaking.close()


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Please log in</html>",
        b"",
        ONE[:-20],
        file(*vevent("DTSTART:tomorrow")),
        file(*vevent("DTSTART;TZID=Nowhere/Town:20270301T090000", "DURATION:PT1H")),
        file(*vevent(*HOUR, "RRULE:FREQ=SECONDLY")),
        file(*vevent(*HOUR, "RRULE:FREQ=MINUTELY;INTERVAL=5")),
        b"BEGIN:VCALENDAR\r\n" * 50,
    ],
    ids=["html", "empty", "cut off", "no time", "unknown zone", "secondly", "minutely", "nested"],
)
async def test_a_broken_file_is_told_as_broken(body: bytes) -> None:
    """What is no calendar, or not all of one, gives no page, so that the last good copy stays; no word of it is told (C-8, calendars 23)."""
    with pytest.raises(FeedBroken) as broken:
        await read(lambda _: Reply(200, {"etag": '"v2"'}, body))
    assert "Nowhere" not in str(broken.value)
    assert "tomorrow" not in str(broken.value)


async def test_rules_that_take_for_ever_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules that each are just bearable make the feed unreadable together, after a bounded amount of work (C-8, calendars 23)."""
    monkeypatch.setattr(files, "Budget", lambda: Budget(3_000_000))
    rule = "RRULE:FREQ=DAILY;COUNT=999999999"
    two = [vevent("DTSTART:00010101T000000Z", "DURATION:PT1M", rule, uid=uid) for uid in "ab"]
    assert len(await events_of(*two[0])) == 1
    with pytest.raises(FeedBroken):
        await events_of(*two[0], *two[1])


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(401), NeedsReconnect),
        (Reply(403), Refused),
        (Reply(404), CalendarGone),
        (Reply(410), CalendarGone),
        (Reply(429, {"retry-after": "60"}), QuotaExceeded),
        (Reply(503), Unreachable),
        (Reply(204), Refused),
        (Reply(304), Refused),
        (Reply(302), Refused),
    ],
)
async def test_refusals_of_a_feed_are_told_apart(reply: Reply, error: type[CalendarError]) -> None:
    """A feed that moved away, is closed, or is down for a while is each told as what it is (C-8, calendars 23)."""
    with pytest.raises(error) as refused:
        await read(lambda _: reply)
    assert type(refused.value) is error
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("address", ["calendar.ics", "https://", "file:///etc/hostname", "https://[::1", "http://a b/"])
async def test_what_is_no_address_is_refused(address: str) -> None:
    """Only addresses of the web are asked (C-8)."""
    feed = IcsFeed(address, private_networks=True)
    with pytest.raises((Refused, Unreachable)):
        await feed.calendars()
    await feed.close()


async def test_a_feed_is_one_calendar() -> None:
    """A feed is named as it names itself, in its zone, and can be read only (C-8)."""
    named = ONE.replace(b"VERSION:2.0", b"VERSION:2.0\r\nX-WR-CALNAME:Anna\\, Praxis\r\nX-WR-TIMEZONE:Europe/Vienna")
    for body, name, zone in ((named, "Anna, Praxis", "Europe/Vienna"), (ONE, "127.0.0.1", None)):
        with Server(lambda _, body=body: Reply(200, {}, body)).running() as server:
            feed = IcsFeed(server.address + PATH, private_networks=True)
            assert await feed.calendars() == [RemoteCalendar("feed", name, zone, Access.READ)]
            await feed.close()


async def test_nothing_is_written_to_a_feed() -> None:
    """A feed cannot be exported to, nor tell of changes (C-8)."""
    feed = IcsFeed("https://calendar.example.org/a.ics", private_networks=False)
    event = ours("2027-03-01T06:00", "2027-03-01T07:00")
    for call in (
        feed.put("feed", event, None),
        feed.remove("feed", event.event_id, None),
        feed.find("feed", event.event_id),
        feed.watch("feed", uuid4(), "token", 60),
    ):
        with pytest.raises(Refused, match="only be read"):
            await call
    assert (feed.writes, feed.pushes) == (False, False)
    assert await feed.busy(["feed"], YEAR) == {"feed": None}
    assert [each async for each in feed.own_events("feed", YEAR)] == []
    await feed.stop(uuid4(), "none")
    await feed.revoke()
    await feed.close()


async def test_a_series_is_one_event_with_all_its_times() -> None:
    """A recurring event comes once, with its times and exceptions within the window (C-2, calendars 22)."""
    [event] = await events_of(
        *vevent("DTSTART;TZID=Europe/Berlin:20270322T090000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=3", uid="s"),
        *vevent("RECURRENCE-ID;TZID=Europe/Berlin:20270329T090000", "DTSTART;TZID=Europe/Berlin:20270330T100000",
                "DURATION:PT30M", uid="s"),
    )  # fmt: skip
    assert shown(event) == ["2027-03-22T08:00/22T09:00", "2027-03-30T08:00/30T08:30", "2027-04-05T07:00/05T08:00"]


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        ("20270301", "2027-02-28T23:00/01T23:00"),
        ("20270328", "2027-03-27T23:00/28T22:00"),
        ("20271031", "2027-10-30T22:00/31T23:00"),
    ],
)
async def test_a_whole_day_of_a_feed_lasts_as_long_as_in_its_zone(day: str, hours: str) -> None:
    """A day without times is one of the feed's zone, else of the calendar's, also of 23 and of 25 hours (C-2, calendars 11)."""
    [own] = await events_of(*vevent(f"DTSTART;VALUE=DATE:{day}"), zone="Asia/Tokyo", own_zone="Europe/Berlin")
    [given] = await events_of(*vevent(f"DTSTART;VALUE=DATE:{day}"), zone="Europe/Berlin")
    assert (shown(own), shown(given)) == ([hours], [hours])


async def test_events_of_a_feed_say_what_they_mean_for_somebodys_time() -> None:
    """Transparent events are free, tentative ones tentative, free-busy parts busy unless FREE, cancelled ones nothing (C-2, calendars 10)."""
    found = await events_of(
        *vevent(*HOUR, uid="busy"),
        *vevent(*HOUR, "TRANSP:TRANSPARENT", uid="free"),
        *vevent(*HOUR, "STATUS:TENTATIVE", uid="perhaps"),
        *vevent(*HOUR, "STATUS:CANCELLED", uid="cancelled"),
        *vevent("DTSTART:20250301T060000Z", "DURATION:PT1H", uid="past"),
        "BEGIN:VFREEBUSY",
        "FREEBUSY;FBTYPE=FREE:20270302T060000Z/PT1H",
        "FREEBUSY:20270303T060000Z/PT1H",
        "END:VFREEBUSY",
        *vevent("DTSTART:20270304T060000Z", "DURATION:PT1H", uid=None),
        *vevent("DTSTART:20270305T060000Z", "DURATION:PT1H", uid=None),
    )
    assert {each.event_id: each.kind for each in found} == {
        "busy": Kind.BUSY,
        "free": Kind.FREE,
        "perhaps": Kind.TENTATIVE,
        "": Kind.BUSY,
    }
    [nameless] = [each for each in found if not each.event_id]
    assert shown(nameless) == [f"2027-03-0{day}T06:00/0{day}T07:00" for day in (3, 4, 5)]
    assert len({each.key for each in found}) == len(found)


async def test_events_of_ours_are_known_in_a_feed() -> None:
    """Our event is known by its id, also with the name of a provider behind it, and by its mark where the feed has it (C-4, calendars 3)."""
    event = ours("2027-03-01T06:00", "2027-03-01T07:00", version=4)
    booking = uuid4()
    [marked] = (await read(lambda _: Reply(200, {}, written(event)))).events
    [named] = await events_of(*vevent(*HOUR, uid=f"{event_id_of(booking)}@google.com"))
    assert (marked.event_id, marked.mark) == (event.event_id, Mark(event.mark.booking_id, 4))
    assert (named.event_id, named.mark) == (event_id_of(booking), None)


async def test_uids_that_differ_in_their_letters_are_two_events() -> None:
    """Capital and small letters tell events apart, so that the one does not hide the other (C-2)."""
    lower, upper = await events_of(
        *vevent(*HOUR, uid="a"), *vevent("DTSTART:20270302T060000Z", "DURATION:PT1H", uid="A")
    )
    assert lower.key.casefold() != upper.key.casefold()


async def test_a_feed_is_read_beside_other_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a file is worked out, the process goes on with everything else (C-8)."""
    loop, went_on = asyncio.get_running_loop(), ThreadEvent()

    def waiting(*given: Any) -> list[RemoteEvent]:
        # The loop can say so only if it is not the one that waits here.
        loop.call_soon_threadsafe(went_on.set)
        assert went_on.wait(5)
        return read_file(*given)

    monkeypatch.setattr(ics, "read_file", waiting)
    assert len((await read(lambda _: Reply(200, {}, ONE))).events) == 1
