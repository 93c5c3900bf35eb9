"""Looks at calendars of CalDAV: everything, what has changed since, and how servers of all kinds say so."""

import re
from collections.abc import Callable, Sequence

import pytest

from availability.calendar_texts import calendar as file
from availability.calendar_texts import event as vevent
from calendars.caldav.texts import Radicale, at, look, opened, ours, shown
from calendars.http_servers import Asked, Reply, Server, altered, passed_on
from holdfast.availability.ics.recurrence import Budget
from holdfast.calendars import files, wire
from holdfast.calendars.caldav import CaldavAccount
from holdfast.calendars.port import FeedBroken, Kind, SyncPointGone, Unreachable, Window

HOUR = ("DTSTART:20270301T060000Z", "DTEND:20270301T070000Z")
ONE = file(*vevent(*HOUR))
BERLIN = [
    "BEGIN:VTIMEZONE",
    "TZID:Praxis",
    "BEGIN:DAYLIGHT",
    "DTSTART:19700329T020000",
    "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3",
    "TZOFFSETFROM:+0100",
    "TZOFFSETTO:+0200",
    "END:DAYLIGHT",
    "BEGIN:STANDARD",
    "DTSTART:19701025T030000",
    "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10",
    "TZOFFSETFROM:+0200",
    "TZOFFSETTO:+0100",
    "END:STANDARD",
    "END:VTIMEZONE",
]


async def test_a_look_goes_on_where_the_last_one_has_ended(
    account: CaldavAccount, radicale: Radicale, calendar: str
) -> None:
    """The first look tells all events of the window; a later one what was added, changed and deleted; then nothing (C-2, C-8)."""
    for name in ("stays", "moves", "goes"):
        radicale.put(calendar, f"{name}.ics", file(*vevent(*HOUR, uid=name)))
    radicale.put(calendar, "past.ics", file(*vevent("DTSTART:20250301T060000Z", "DURATION:PT1H", uid="past")))
    first = await look(account, calendar)
    assert {each.event_id for each in first.events} == {"stays", "moves", "goes"}
    assert all(page.whole for page in first.pages)
    again = await look(account, calendar, first.point)
    assert again.unchanged
    radicale.put(calendar, "moves.ics", file(*vevent("DTSTART:20270302T060000Z", "DURATION:PT1H", uid="moves")))
    radicale.put(calendar, "comes.ics", file(*vevent(*HOUR, uid="comes")))
    radicale.delete(calendar, "goes.ics")
    later = await look(account, calendar, again.point)
    assert not any(page.whole for page in later.pages)
    assert [(each.event_id, each.kind, shown(each)) for each in later.events] == [
        ("goes", Kind.GONE, []),
        ("comes", Kind.BUSY, ["2027-03-01T06:00/01T07:00"]),
        ("moves", Kind.BUSY, ["2027-03-02T06:00/02T07:00"]),
    ]
    keys = {each.event_id: each.key for each in first.events}
    assert all(keys.get(each.event_id, each.key) == each.key for each in later.events)
    assert (await look(account, calendar, later.point)).unchanged


async def test_a_token_that_the_server_refuses_leads_to_a_full_look(
    account: CaldavAccount, radicale: Radicale, calendar: str
) -> None:
    """A refusal with valid-sync-token is told as such, and the look without a token tells everything (C-2, calendars 22)."""
    radicale.put(calendar, "one.ics", file(*vevent(*HOUR)))
    first = await look(account, calendar)
    assert "sync" in first.point
    stale = re.sub(r"[0-9a-f]{64}", "0" * 64, first.point)
    assert stale != first.point
    with pytest.raises(SyncPointGone):
        await look(account, calendar, stale)
    assert [each.event_id for each in (await look(account, calendar)).events] == ["one"]


async def test_a_server_without_sync_collection_is_compared_by_etags(radicale: Radicale, calendar: str) -> None:
    """Where there is no sync-collection, what the versions of a listing say is read anew, and nothing else (C-8, calendars 22)."""

    def old(asked: Asked) -> Reply:
        if b"sync-collection" in asked.body:
            return Reply(403, {}, b'<error xmlns="DAV:"><supported-report/></error>')
        reply = passed_on(radicale.port, asked)
        return altered(reply, (b"sync-token", b"nothing"), (b"sync-collection", b"nothing"))

    for name in ("stays", "moves", "goes"):
        radicale.put(calendar, f"{name}.ics", file(*vevent(*HOUR, uid=name)))
    with Server(old).running() as between:
        through = opened(between.address)
        address = calendar.replace(radicale.address.rstrip("/"), between.address)
        first = await look(through, address)
        again = await look(through, address, first.point)
        radicale.put(calendar, "moves.ics", file(*vevent("DTSTART:20270302T060000Z", "DURATION:PT1H", uid="moves")))
        radicale.put(calendar, "comes.ics", file(*vevent(*HOUR, uid="comes")))
        radicale.delete(calendar, "goes.ics")
        asked_before = len(between.asked)
        later = await look(through, address, again.point)
        asked = between.asked[asked_before:]
        last = await look(through, address, later.point)
        await through.close()
    assert {each.event_id for each in first.events} == {"stays", "moves", "goes"}
    assert (again.unchanged, last.unchanged) == (True, True)
    assert [(each.event_id, each.kind) for each in later.events] == [
        ("goes", Kind.GONE),
        ("comes", Kind.BUSY),
        ("moves", Kind.BUSY),
    ]
    assert [each.method for each in asked] == ["PROPFIND", "REPORT"]
    assert b"stays.ics" not in asked[1].body


async def test_a_server_that_forgets_sync_collection_leads_to_a_full_look(radicale: Radicale, calendar: str) -> None:
    """A server that has lost the report since the last look is read anew, by its listing (C-8, calendars 22)."""
    lost = False

    def losing(asked: Asked) -> Reply:
        if lost and b"<D:sync-collection" in asked.body:
            return Reply(403, {}, b'<error xmlns="DAV:"><supported-report/></error>')
        reply = passed_on(radicale.port, asked)
        return altered(reply, (b"sync-token", b"nothing")) if lost else reply

    radicale.put(calendar, "one.ics", file(*vevent(*HOUR)))
    with Server(losing).running() as between:
        through = opened(between.address)
        address = calendar.replace(radicale.address.rstrip("/"), between.address)
        first = await look(through, address)
        lost = True
        with pytest.raises(SyncPointGone):
            await look(through, address, first.point)
        anew = await look(through, address)
        assert (await look(through, address, anew.point)).unchanged
        await through.close()
    assert [each.key for each in anew.events] == [each.key for each in first.events]


async def test_a_series_with_exceptions_is_one_event_with_its_times(
    account: CaldavAccount, radicale: Radicale, calendar: str
) -> None:
    """A weekly event with a moved, a cancelled and an excluded time, in its file's zone, expands right (C-2, calendars 22)."""
    series = [
        *BERLIN,
        *vevent("DTSTART;TZID=Praxis:20270308T090000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=6",
                "EXDATE;TZID=Praxis:20270315T090000", uid="s"),
        *vevent("RECURRENCE-ID;TZID=Praxis:20270322T090000", "DTSTART;TZID=Praxis:20270323T140000",
                "DTEND;TZID=Praxis:20270323T143000", uid="s"),
        *vevent("RECURRENCE-ID;TZID=Praxis:20270405T090000", "DTSTART;TZID=Praxis:20270405T090000",
                "DURATION:PT1H", "STATUS:CANCELLED", uid="s"),
    ]  # fmt: skip
    radicale.put(calendar, "series.ics", file(*series))
    [event] = (await look(account, calendar)).events
    # The clocks go forward on the 28th of March.
    assert shown(event) == [
        "2027-03-08T08:00/08T09:00",
        "2027-03-23T13:00/23T13:30",
        "2027-03-29T07:00/29T08:00",
        "2027-04-12T07:00/12T08:00",
    ]
    assert event.kind is Kind.BUSY


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        ("20270301", "2027-02-28T23:00/01T23:00"),
        ("20270328", "2027-03-27T23:00/28T22:00"),
        ("20271031", "2027-10-30T22:00/31T23:00"),
    ],
)
async def test_a_whole_day_lasts_as_long_as_in_its_zone(
    account: CaldavAccount, radicale: Radicale, calendar: str, day: str, hours: str
) -> None:
    """A day without times blocks midnight to midnight of the calendar's zone, also of 23 and of 25 hours (C-2, calendars 11)."""
    radicale.put(calendar, "day.ics", file(*vevent(f"DTSTART;VALUE=DATE:{day}", uid="day")))
    [event] = (await look(account, calendar, zone="Europe/Berlin")).events
    assert shown(event) == [hours]


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ((), Kind.BUSY),
        (("TRANSP:OPAQUE", "STATUS:CONFIRMED"), Kind.BUSY),
        (("TRANSP:TRANSPARENT",), Kind.FREE),
        (("STATUS:CANCELLED",), Kind.FREE),
        (("STATUS:TENTATIVE",), Kind.TENTATIVE),
        (("STATUS:TENTATIVE", "TRANSP:TRANSPARENT"), Kind.FREE),
    ],
)
async def test_an_event_says_what_it_means_for_somebodys_time(
    account: CaldavAccount, radicale: Radicale, calendar: str, lines: tuple[str, ...], kind: Kind
) -> None:
    """Transparent and cancelled events are free, tentative ones tentative, all others busy (C-2, calendars 10)."""
    radicale.put(calendar, "one.ics", file(*vevent(*HOUR, *lines)))
    [event] = (await look(account, calendar)).events
    assert event.kind is kind


async def test_a_series_of_which_some_times_are_certain_is_busy_at_all_of_them(
    account: CaldavAccount, radicale: Radicale, calendar: str
) -> None:
    """A time that only may take place is not offered when others of its series certainly do (C-2, calendars 10)."""
    radicale.put(calendar, "one.ics", file(
        *vevent(*HOUR, "RRULE:FREQ=DAILY;COUNT=3", uid="s"),
        *vevent("RECURRENCE-ID:20270302T060000Z", "DTSTART:20270302T060000Z", "DURATION:PT1H", "STATUS:TENTATIVE",
                uid="s"),
        *vevent("RECURRENCE-ID:20270303T060000Z", "DTSTART:20270303T060000Z", "DURATION:PT1H", "TRANSP:TRANSPARENT",
                uid="s"),
    ))  # fmt: skip
    [event] = (await look(account, calendar)).events
    assert (event.kind, shown(event)) == (Kind.BUSY, ["2027-03-01T06:00/01T07:00", "2027-03-02T06:00/02T07:00"])


async def test_free_busy_time_that_is_free_is_not_busy(radicale: Radicale, calendar: str) -> None:
    """Of a calendar that shows when it is busy only, FBTYPE=FREE is free and all other kinds are busy (C-2, calendars 22)."""
    said = file(
        "BEGIN:VFREEBUSY",
        "FREEBUSY;FBTYPE=FREE:20270301T060000Z/20270301T070000Z",
        "FREEBUSY:20270301T080000Z/PT30M",
        "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20270301T090000Z/20270301T100000Z,20270301T110000Z/PT1H",
        "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20270302T060000Z/20270302T070000Z",
        "FREEBUSY:20280301T060000Z/20280301T070000Z",
        "END:VFREEBUSY",
    )
    window = Window(at("2027-03-01T00:00"), at("2027-03-03T00:00"))
    answers = {"/said/": Reply(200, {}, said), "/silent/": Reply(404), "/odd/": Reply(200, {}, b"<html>")}
    with Server(lambda asked: answers[asked.path]).running() as server:
        there = opened(server.address)
        asked = [f"{server.address}{path}" for path in answers]
        found = await there.busy(asked, window)
        await there.close()
    assert found[asked[0]] == [
        (at("2027-03-01T08:00"), at("2027-03-01T08:30")),
        (at("2027-03-01T09:00"), at("2027-03-01T10:00")),
        (at("2027-03-01T11:00"), at("2027-03-01T12:00")),
        (at("2027-03-02T06:00"), at("2027-03-02T07:00")),
    ]
    # Unknown is not free.
    assert (found[asked[1]], found[asked[2]]) == (None, None)


async def test_a_real_server_is_asked_when_it_is_busy(
    account: CaldavAccount, radicale: Radicale, calendar: str
) -> None:
    """The question for busy time is understood by a real server, which leaves free events out (C-8, calendars 22)."""
    radicale.put(calendar, "busy.ics", file(*vevent(*HOUR, uid="busy")))
    free = vevent("DTSTART:20270301T090000Z", "DURATION:PT1H", "TRANSP:TRANSPARENT", uid="free")
    radicale.put(calendar, "free.ics", file(*free))
    window = Window(at("2027-03-01T00:00"), at("2027-03-03T00:00"))
    assert await account.busy([calendar], window) == {calendar: [(at("2027-03-01T06:00"), at("2027-03-01T07:00"))]}


async def test_many_events_come_a_hundred_at_a_time(account: CaldavAccount, radicale: Radicale, calendar: str) -> None:
    """A large calendar comes in pages, of which the last alone says where to go on (C-2)."""
    events = [vevent(*HOUR, uid=f"e{number}") for number in range(230)]
    radicale.ask("DELETE", "/" + calendar.split("/", 3)[3])
    whole = file(*[line for event in events for line in event])
    done = radicale.ask("PUT", "/" + calendar.split("/", 3)[3], whole, content_type="text/calendar")
    assert done.status == 201
    first = await look(account, calendar)
    assert [len(page.events) for page in first.pages] == [100, 100, 30, 0]
    assert len({each.key for each in first.events}) == 230
    assert first.point


async def test_an_answer_in_parts_is_read_to_its_end(radicale: Radicale, calendar: str) -> None:
    """A server that tells a part of the changes at once is asked on from its token until it has told all (C-2)."""
    pages = {"0": (["a.ics"], "1"), "1": (["b.ics"], "2"), "2": ([], "3")}

    def partly(asked: Asked) -> Reply:
        token = re.search(rb"<D:sync-token>(\d)</D:sync-token>", asked.body)
        if token is None:
            return passed_on(radicale.port, asked)
        names, following = pages[token[1].decode()]
        changed = "".join(
            f"<response><href>{asked.path}{name}</href><propstat><prop><getetag>1</getetag></prop>"
            "<status>HTTP/1.1 200 OK</status></propstat></response>"
            for name in names
        )
        more = f"<response><href>{asked.path}</href><status>HTTP/1.1 507 Insufficient Storage</status></response>"
        return Reply(207, {}, (
            f'<multistatus xmlns="DAV:">{changed}{more if names else ""}<sync-token>{following}</sync-token>'
            "</multistatus>"
        ).encode())  # fmt: skip

    for name in ("a", "b"):
        radicale.put(calendar, f"{name}.ics", file(*vevent(*HOUR, uid=name)))
    with Server(partly).running() as between:
        through = opened(between.address)
        address = calendar.replace(radicale.address.rstrip("/"), between.address)
        found = await look(through, address, '{"token":"0"}')
        pages["1"] = (["b.ics"], "1")
        with pytest.raises(Unreachable):
            await look(through, address, '{"token":"0"}')
        await through.close()
    assert {each.event_id for each in found.events} == {"a", "b"}
    assert found.point == '{"token":"3"}'


async def test_an_object_that_an_answer_leaves_out_is_asked_for(radicale: Radicale, calendar: str) -> None:
    """What a server does not mention among many is fetched alone, and gone only if it is not there then either (C-2)."""
    for name in ("here", "there"):
        radicale.put(calendar, f"{name}.ics", file(*vevent(*HOUR, uid=name)))

    def forgetful(asked: Asked) -> Reply:
        reply = passed_on(radicale.port, asked)
        if b"calendar-multiget" in asked.body and isinstance(reply.body, bytes):
            parts = re.split(rb"(?=<(?:\w+:)?response>)", reply.body)
            kept = [part for part in parts if b"there.ics" not in part]
            end = b"" if kept[-1].endswith(b"multistatus>") else b"</multistatus>"
            return Reply(207, reply.headers, b"".join(kept) + end)
        return reply

    with Server(forgetful).running() as between:
        through = opened(between.address)
        address = calendar.replace(radicale.address.rstrip("/"), between.address)
        found = await look(through, address)
        await through.close()
    assert {each.event_id for each in found.events} == {"here", "there"}
    assert "GET" in between.methods()


@pytest.mark.parametrize("name", ["a%20b%3Fc.ics", "a%2Fb%23c.ics", "%D0%BE%40%25.ics", "a@b:c.ics"])
async def test_a_name_with_odd_letters_is_one_name(name: str) -> None:
    """Whatever is in the name of an object, and however a server writes it, its event is read and deleted as one (C-8)."""
    other = name.replace("@", "%40").replace(":", "%3A").lower()
    answer, gone = _of_objects(ONE, names=[f"/c/{name}"]), False

    def otherwise(asked: Asked) -> Reply:
        assert b"multiget" not in asked.body or f"<D:href>/c/{name}</D:href>".encode() in asked.body
        reply = answer(asked)
        if gone:
            text = f"<D:href>/c/{name}</D:href><D:propstat>"
            status = f"<D:href>/c/{other}</D:href><D:status>HTTP/1.1 404 Not Found</D:status><D:propstat>"
            return altered(reply, (text.encode(), status.encode()))
        return altered(reply, (f"/c/{name}".encode(), f"/c/{other}".encode())) if b"multiget" in asked.body else reply

    with Server(otherwise).running() as server:
        there = opened(server.address)
        [event] = (await look(there, f"{server.address}/c/", '{"token":"1"}')).events
        gone = True
        [none] = (await look(there, f"{server.address}/c/", '{"token":"2"}')).events
        await there.close()
    assert shown(event) == ["2027-03-01T06:00/01T07:00"]
    assert (none.kind, none.key) == (Kind.GONE, event.key)
    assert "GET" not in server.methods()


async def test_events_with_large_attachments_are_read_in_smaller_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """When a hundred objects are more than is read at once, fewer are asked for; one that is too large is told (C-8)."""
    monkeypatch.setattr(wire, "MOST_BYTES", 60_000)
    large = [file(*vevent(*HOUR, f"ATTACH:{'x' * 9_000}", uid=f"e{n}")) for n in range(20)]
    with Server(_of_objects(*large)).running() as server:
        there = opened(server.address)
        found = await look(there, f"{server.address}/c/", '{"token":"1"}')
        server.answering = _of_objects(file(*vevent(*HOUR, f"ATTACH:{'x' * 70_000}")))
        with pytest.raises(FeedBroken):
            await look(there, f"{server.address}/c/", '{"token":"1"}')
        await there.close()
    assert len(found.events) == 20


UNREADABLE: list[tuple[str, Callable[[int], list[str]]]] = [
    ("zone", lambda n: vevent("DTSTART;TZID=Nowhere/Town:20270301T090000", "DURATION:PT1H", uid=str(n))),
    ("secondly", lambda n: vevent(*HOUR, "RRULE:FREQ=SECONDLY", uid=str(n))),
    ("hourly", lambda n: vevent(*HOUR, "RRULE:FREQ=HOURLY;COUNT=3", uid=str(n))),
]


@pytest.mark.parametrize(("name", "lines"), UNREADABLE, ids=[name for name, _ in UNREADABLE])
async def test_what_cannot_be_read_right_is_not_guessed(name: str, lines: Callable[[int], list[str]]) -> None:
    """An unknown zone and rules without end make the calendar unreadable, instead of times that are wrong (C-8)."""
    with Server(_of_objects(file(*lines(1)))).running() as server:
        there = opened(server.address)
        with pytest.raises(FeedBroken) as broken:
            await look(there, f"{server.address}/c/", '{"token":"1"}')
        await there.close()
    assert "Nowhere" not in str(broken.value)


async def test_all_events_of_a_look_share_one_bound_on_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules that each are just bearable are refused together, in bounded time, however many there are (C-8)."""
    monkeypatch.setattr(files, "Budget", lambda: Budget(3_000_000))
    # What is counted is counted from its first time on, here for two thousand years.
    rule = "RRULE:FREQ=DAILY;COUNT=999999999"
    bearable = [file(*vevent("DTSTART:00010101T000000Z", "DURATION:PT1M", rule, uid=f"{n}")) for n in range(2)]
    with Server(_of_objects(bearable[0])).running() as server:
        there = opened(server.address)
        assert (await look(there, f"{server.address}/c/", '{"token":"1"}')).events
        await there.close()
    with Server(_of_objects(*bearable)).running() as server:
        there = opened(server.address)
        with pytest.raises(FeedBroken):
            await look(there, f"{server.address}/c/", '{"token":"1"}')
        await there.close()


async def test_a_task_among_the_events_is_passed_over(
    account: CaldavAccount, radicale: Radicale, calendar: str
) -> None:
    """What is no event is none to us, when it comes and when it goes (C-2)."""
    event = ours("2027-03-01T06:00", "2027-03-01T07:00")
    first = await look(account, calendar)
    task = file("BEGIN:VTODO", "UID:t", "DTSTAMP:20260101T000000Z", "SUMMARY:Rechnungen", "END:VTODO")
    radicale.ask("PUT", "/" + calendar.split("/", 3)[3] + "t.ics", task, content_type="text/calendar")
    await account.put(calendar, event, None)
    later = await look(account, calendar, first.point)
    assert [each.event_id for each in later.events] == [event.event_id]


def _of_objects(*bodies: bytes, names: Sequence[str] = ()) -> Callable[[Asked], Reply]:
    """Answer as a server with these objects does, all of which have changed."""
    names = names or [f"/c/{number}.ics" for number in range(len(bodies))]

    def answer(asked: Asked) -> Reply:
        listed = b"sync-collection" in asked.body
        found = "".join(
            f"<D:response><D:href>{name}</D:href><D:propstat><D:prop><D:getetag>1</D:getetag>"
            f"<C:calendar-data>{'' if listed else body.decode()}</C:calendar-data></D:prop><D:status>HTTP/1.1 200 OK</D:status>"
            "</D:propstat></D:response>"
            for name, body in zip(names, bodies, strict=True)
            if listed or f">{name}<".encode() in asked.body
        )
        return Reply(207, {}, (
            '<D:multistatus xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">'
            f"{found}<D:sync-token>2</D:sync-token></D:multistatus>"
        ).encode())  # fmt: skip

    return answer
