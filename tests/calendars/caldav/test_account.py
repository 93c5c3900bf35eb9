"""How an account is found at a server of CalDAV, and what becomes of its refusals."""

from collections.abc import Mapping
from threading import Event
from uuid import uuid4

import httpx2
import pytest

from availability.calendar_texts import calendar as file
from availability.calendar_texts import event as vevent
from calendars.caldav.test_looks import BERLIN
from calendars.caldav.texts import ACCOUNT, PASSWORD, YEAR, Radicale, look, opened, ours
from calendars.http_servers import Asked, Reply, Server, passed_on
from holdfast.calendars import wire
from holdfast.calendars.caldav import CaldavAccount
from holdfast.calendars.port import (
    Access,
    CalendarError,
    CalendarGone,
    NeedsReconnect,
    QuotaExceeded,
    Refused,
    Unreachable,
)

EVENT = ours("2027-03-01T06:00", "2027-03-01T07:00")


async def test_the_calendars_of_an_account_are_found(account: CaldavAccount, radicale: Radicale) -> None:
    """From the address of a server its calendars are found, with name, zone and what we may do; task lists are not (C-8)."""
    owned = f"c{uuid4().hex}"
    zone = "\r\n".join(["BEGIN:VCALENDAR", *BERLIN, "END:VCALENDAR"]).replace("Praxis", "Europe/Berlin")
    address = radicale.made(owned, zone=zone)
    tasks = radicale.made(f"c{uuid4().hex}", components="VTODO")
    found = {each.remote_id: each for each in await account.calendars()}
    assert (found[address].name, found[address].access) == (owned, Access.WRITE)
    assert found[address].timezone == "Europe/Berlin"
    assert tasks not in found


async def test_a_calendar_that_may_only_be_read_is_told_as_such() -> None:
    """Privileges say whether we may write, read, or only learn when somebody is busy (C-8)."""
    privileges = {
        "write": "<D:privilege><D:read/></D:privilege><D:privilege><D:write/></D:privilege>",
        "parts": "<D:privilege><D:write-content/></D:privilege><D:privilege><D:bind/></D:privilege>"
        "<D:privilege><D:unbind/></D:privilege>",
        "read": "<D:privilege><D:read/></D:privilege><D:privilege><D:write-content/></D:privilege>",
        "busy": "<D:privilege><C:read-free-busy/></D:privilege>",
    }
    with Server(_home(privileges)).running() as server:
        there = opened(server.address)
        found = {each.name: each.access for each in await there.calendars()}
        await there.close()
    assert found == {"write": Access.WRITE, "parts": Access.WRITE, "read": Access.READ, "busy": Access.FREE_BUSY}


async def test_a_zone_of_a_calendar_is_one_that_we_know() -> None:
    """The zone that a server names is taken if it is one of the pinned database, and left out if not (C-8)."""
    zone = "\n".join(["BEGIN:VCALENDAR", *BERLIN, "END:VCALENDAR"])
    zones = {
        "known": zone.replace("Praxis", "/example.org/20260101/Europe/Berlin"),
        "unknown": zone,
        "broken": "BEGIN:VCALENDAR",
    }
    with Server(_home(dict.fromkeys(zones, ""), zones)).running() as server:
        there = opened(server.address)
        found = {each.name: each.timezone for each in await there.calendars()}
        await there.close()
    assert found == {"known": "Europe/Berlin", "unknown": None, "broken": None}


@pytest.mark.parametrize("path", ["", f"{ACCOUNT}/", "well-known"])
async def test_an_account_is_found_from_wherever_its_owner_begins(radicale: Radicale, calendar: str, path: str) -> None:
    """The root of a server, a principal and what its well-known address leads to are as good as one another (C-8)."""

    def answer(asked: Asked) -> Reply:
        if path == "well-known":
            if asked.path == "/.well-known/caldav":
                return Reply(301, {"location": "/dav/"})
            if asked.path == "/":
                return Reply(405)
        return passed_on(
            radicale.port, Asked(asked.method, asked.path.replace("/dav/", "/"), asked.headers, asked.body)
        )

    with Server(answer).running() as between:
        there = opened(f"{between.address}/{path if path != 'well-known' else ''}")
        names = {each.remote_id.rsplit("/", 2)[1] for each in await there.calendars()}
        await there.close()
    assert calendar.rsplit("/", 2)[1] in names


async def test_the_address_of_a_calendar_is_that_calendar(radicale: Radicale, calendar: str) -> None:
    """Who names one calendar gets this one and no other (C-8)."""
    there = opened(calendar)
    assert [each.remote_id for each in await there.calendars()] == [calendar]
    await there.close()


async def test_a_website_is_no_calendar() -> None:
    """An address where nobody speaks CalDAV is refused in words (C-8)."""
    with Server(lambda _: Reply(200, {}, b"<html>hello")).running() as server:
        there = opened(server.address)
        with pytest.raises(Refused, match="nobody speaks CalDAV"):
            await there.calendars()
        await there.close()


async def test_a_wrong_password_asks_for_a_new_connection(radicale: Radicale, calendar: str) -> None:
    """A password that is not accepted needs the owner, whatever is asked, and stands in no error (C-7, C-8)."""
    there = CaldavAccount(radicale.address, ACCOUNT, "wrong-" + PASSWORD, private_networks=True)
    with pytest.raises(NeedsReconnect) as refused:
        await there.calendars()
    with pytest.raises(NeedsReconnect):
        await look(there, calendar)
    with pytest.raises(NeedsReconnect):
        await there.put(calendar, EVENT, None)
    await there.close()
    assert PASSWORD not in str(refused.value)


async def test_a_calendar_that_may_not_be_written_refuses(account: CaldavAccount, radicale: Radicale) -> None:
    """Writing where we may not is refused and not tried for ever (C-8)."""
    readable = radicale.address + f"{ACCOUNT}/readable/"
    with pytest.raises(Refused, match="403"):
        await account.put(readable, EVENT, None)


async def test_a_calendar_that_was_deleted_is_gone(account: CaldavAccount, radicale: Radicale, calendar: str) -> None:
    """A calendar that is not there any more is told as gone, with and without a token (C-8)."""
    point = (await look(account, calendar)).point
    radicale.ask("DELETE", "/" + calendar.split("/", 3)[3])
    for sync_point in (point, None):
        with pytest.raises(CalendarGone):
            await look(account, calendar, sync_point)


@pytest.mark.parametrize(
    ("status", "headers", "error", "retry_after"),
    [
        (500, {}, Unreachable, None),
        (503, {"retry-after": "120"}, Unreachable, 120.0),
        (503, {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, Unreachable, 0.0),
        (429, {"retry-after": "30"}, QuotaExceeded, 30.0),
        (429, {"retry-after": "9999999"}, QuotaExceeded, 86_400.0),
        (429, {"retry-after": "soon"}, QuotaExceeded, None),
        (403, {}, Refused, None),
        (418, {}, Refused, None),
    ],
)
async def test_refusals_are_told_apart(
    status: int, headers: Mapping[str, str], error: type[CalendarError], retry_after: float | None
) -> None:
    """What passes by itself is tried again, when the server says; what does not is stopped (C-8, calendars 16)."""
    with Server(lambda _: Reply(status, headers)).running() as server:
        there = opened(server.address)
        with pytest.raises(error) as refused:
            await look(there, f"{server.address}/c/", '{"token":"1"}')
        with pytest.raises(error):
            await there.remove(f"{server.address}/c/", EVENT.event_id, '"1"')
        await there.close()
    assert type(refused.value) is error
    assert getattr(refused.value, "retry_after", None) == retry_after


async def test_a_server_that_is_silent_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not answer in time, or drips, or is not there, is tried again later (C-8)."""
    monkeypatch.setattr(wire, "_TIMEOUT", httpx2.Timeout(0.2))
    done = Event()

    def silent(_: Asked) -> Reply:
        done.wait(20)
        return Reply()

    with Server(silent).running() as server:
        there = opened(server.address)
        with pytest.raises(Unreachable, match="ReadTimeout"):
            await there.calendars()
        await there.close()
        done.set()
    there = opened(server.address)
    with pytest.raises(Unreachable, match="ConnectError"):
        await there.calendars()
    await there.close()


async def test_an_exchange_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that sends a byte from time to time is given up on, all its bytes together (C-8)."""
    monkeypatch.setattr(wire, "_EXCHANGE_SECONDS", 0.3)
    done = Event()

    def dripping(_: Asked) -> Reply:
        return Reply(207, {}, (b" " for _ in iter(lambda: done.wait(0.02), True)))

    with Server(dripping).running() as server:
        there = opened(server.address)
        with pytest.raises(Unreachable, match="too long"):
            await there.calendars()
        await there.close()
        done.set()


async def test_a_password_is_sent_over_https_only() -> None:
    """Without encryption a login goes to no server of the internet (C-7)."""
    there = CaldavAccount("http://caldav.example.org/", ACCOUNT, PASSWORD, private_networks=False)
    with pytest.raises(Refused, match="https"):
        await there.calendars()
    await there.close()


async def test_a_password_is_sent_to_no_stranger() -> None:
    """A server that sends us on to another site, or names calendars there, does not make us log in there (C-7)."""
    stranger = "http://calendar.example.org/"
    hostile = [
        Reply(302, {"location": stranger}),
        Reply(207, {}, (
            '<multistatus xmlns="DAV:"><response><href>/</href><propstat><prop><current-user-principal>'
            f"<href>{stranger}</href></current-user-principal></prop><status>HTTP/1.1 200 OK</status></propstat>"
            "</response></multistatus>"
        ).encode()),
    ]  # fmt: skip
    for reply in hostile:
        with Server(lambda _, reply=reply: reply).running() as server:
            there = opened(server.address)
            with pytest.raises(Refused, match="somebody else"):
                await there.calendars()
            with pytest.raises(Refused, match="somebody else"):
                await look(there, f"{stranger}c/")
            await there.close()


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><multistatus xmlns="DAV:"><sync-token>&c;</sync-token></multistatus>',
        b'<!DOCTYPE a SYSTEM "file:///a"><multistatus xmlns="DAV:"><sync-token>1</sync-token></multistatus>',
        b'<multistatus xmlns="DAV:"><sync-token>1</sync-token>' + b"<b/>" * 600_000 + b"</multistatus>",
        b"<a>",
        b"<a/>",
        b"\xff\xfe",
    ],
)
async def test_an_answer_that_is_no_answer_is_not_understood(body: bytes) -> None:
    """Declarations that grow or name files, and whatever else is no answer, are read no further (C-8)."""
    with Server(lambda _: Reply(207, {}, body)).running() as server:
        there = opened(server.address)
        with pytest.raises(Unreachable, match="cannot be read"):
            await look(there, f"{server.address}/c/", '{"token":"1"}')
        await there.close()


async def test_a_server_of_caldav_tells_nothing_by_itself(account: CaldavAccount, calendar: str) -> None:
    """It writes and does not push, and there is nothing to give back (C-8)."""
    assert (account.writes, account.pushes) == (True, False)
    with pytest.raises(Refused):
        await account.watch(calendar, uuid4(), "token", 60)
    await account.stop(uuid4(), "none")
    await account.revoke()
    assert [each async for each in account.own_events(calendar, YEAR)] == []


async def test_an_unknown_event_is_none(account: CaldavAccount, radicale: Radicale, calendar: str) -> None:
    """What was never written is not found, and is as good as deleted (C-8)."""
    radicale.put(calendar, "other.ics", file(*vevent("DTSTART:20270301T060000Z", "DURATION:PT1H")))
    assert await account.find(calendar, EVENT.event_id) is None
    await account.remove(calendar, EVENT.event_id, None)
    assert radicale.count(calendar) == 1


def _home(privileges: Mapping[str, str], zones: Mapping[str, str] | None = None):  # noqa: ANN202
    """Answer as a server whose account has these calendars."""

    def answer(_: Asked) -> Reply:
        calendars = "".join(
            f"<D:response><D:href>/{name}/</D:href><D:propstat><D:prop><D:resourcetype><D:collection/><C:calendar/>"
            f"</D:resourcetype><D:displayname>{name}</D:displayname>"
            f"<D:current-user-privilege-set>{allowed}</D:current-user-privilege-set>"
            f"<C:calendar-timezone>{(zones or {}).get(name, '')}</C:calendar-timezone></D:prop>"
            "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
            for name, allowed in privileges.items()
        )
        return Reply(207, {}, (
            '<D:multistatus xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:response><D:href>/</D:href>'
            "<D:propstat><D:prop><C:calendar-home-set><D:href>/</D:href></C:calendar-home-set></D:prop>"
            f"<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>{calendars}</D:multistatus>"
        ).encode())  # fmt: skip

    return answer
