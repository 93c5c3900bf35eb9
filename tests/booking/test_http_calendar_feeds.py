"""The appointments of a resource as a feed that any calendar app reads (C-8)."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from icalendar import Calendar

from booking.served import Clients, Json, instant, problem
from booking.staffed import StaffClients
from conftest import MASTER_KEY
from holdfast import config, web
from holdfast.calendars.event_ids import event_id_of
from holdfast.calendars.feeds import Entry, Feed, written
from holdfast.calendars.ics import IcsFeed
from holdfast.calendars.port import Mark, RemoteEvent, Window
from leaks.capture import Capture, listening

ADDRESS = re.compile(r"https?://[^/]+/calendar-feeds/([A-Za-z0-9_-]{43})\.ics")
GUEST = {"guestEmail": "feeding@example.org", "guestName": "Xenia Feedless", "guestPhone": "+7 900 555-66-77"}
SERVICE = "individual-session"


def path_of(clients: Clients, resource: str) -> str:
    """Return the path under which the feed of a resource is made."""
    return f"/api/admin/resources/{clients.resource(resource)}/calendar-feed"


def made_by(owner: StaffClients, resource: str = "practitioner-1") -> str:
    """Return the address of a new feed."""
    answer = owner.call("POST", path_of(owner.clients, resource))
    assert answer.status_code == 201, answer.text
    address: str = answer.json()["url"]
    assert ADDRESS.fullmatch(address)
    return address


@pytest.fixture
def feed(owner: StaffClients) -> Iterator[str]:
    """The address of the feed of a practitioner, which is taken away after the test."""
    yield made_by(owner)
    assert owner.call("DELETE", path_of(owner.clients, "practitioner-1")).status_code == 204


def events(clients: Clients, address: str) -> dict[str, Any]:
    """Return the events of a feed by the appointment that they are of."""
    answer = clients.http.get(address)
    assert answer.status_code == 200, answer.text[:200]
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    return {str(event["X-HOLDFAST-BOOKING"]): event for event in Calendar.from_ical(answer.content).walk("VEVENT")}


def wished(clients: Clients, day: date, number: int) -> Json:
    """Return a slot of the practitioner whose feed is read, as a place to be booked."""
    person = clients.resource("practitioner-1")
    slot = clients.slots(SERVICE, day, resource_id=person)[number]
    return clients.wish(SERVICE, slot, resourceId=person)


def booked(clients: Clients, day: date, number: int = 0) -> Json:
    """Book the practitioner whose feed is read."""
    return clients.commit(clients.post("/api/booking/reserve", wished(clients, day, number)), **GUEST)


def test_a_feed_follows_the_appointments(clients: Clients, feed: str, day: date) -> None:
    """An appointment comes under the id of its event, moves with its version, and goes when it is cancelled (C-8)."""
    held = clients.post("/api/booking/reserve", wished(clients, day, 5))
    made = booked(clients, day)
    shown = events(clients, feed)
    assert held["reservationId"] not in shown
    event = shown[made["appointmentId"]]
    assert str(event["UID"]) == event_id_of(UUID(made["appointmentId"]))
    assert (event["DTSTART"].dt, event["DTEND"].dt) == (instant(made["start"]), instant(made["end"]))
    assert (int(event["SEQUENCE"]), str(event["STATUS"])) == (made["version"], "CONFIRMED")
    assert str(event["SUMMARY"]) == clients.service(SERVICE)["name"]

    moved = clients.change(made, wished(clients, day, 2)).json()
    event = events(clients, feed)[made["appointmentId"]]
    assert (event["DTSTART"].dt, int(event["SEQUENCE"])) == (instant(moved["start"]), moved["version"])
    assert moved["version"] > made["version"]

    assert clients.cancel(made).status_code == 200
    assert made["appointmentId"] not in events(clients, feed)


def test_a_feed_is_of_one_resource(clients: Clients, owner: StaffClients, feed: str, day: date) -> None:
    """Each feed shows what takes its resource, a room also what somebody has in it, and nothing else (C-8)."""
    room = made_by(owner, "room")
    alone = booked(clients, day)["appointmentId"]
    pair = clients.booked("couple-session", clients.slots("couple-session", day)[-1])
    shown = events(clients, room)
    assert pair["appointmentId"] in shown
    assert alone not in shown
    assert alone in events(clients, feed)
    owner.call("DELETE", path_of(clients, "room"))


def test_a_feed_tells_nothing_of_clients(clients: Clients, feed: str, day: date) -> None:
    """Neither name nor address nor number of a client, nor a note about them, is in a feed (C-8, D-5)."""
    made = booked(clients, day)
    text = clients.http.get(feed).text.replace("\r\n ", "")
    assert made["appointmentId"] in text
    for told in (*GUEST.values(), *GUEST["guestName"].split(), made["cancellationToken"]):
        assert told not in text


def test_a_feed_that_has_not_changed(clients: Clients, feed: str, day: date) -> None:
    """Whoever has the feed hears 304 until an appointment changes, and keeps it from shared caches (C-8)."""
    first = clients.http.get(feed)
    assert first.headers["cache-control"] == "private, no-cache"
    known = {"If-None-Match": first.headers["etag"]}
    same = clients.http.get(feed, headers=known)
    assert (same.status_code, same.content) == (304, b"")
    made = booked(clients, day)
    changed = clients.http.get(feed, headers=known)
    assert changed.status_code == 200
    assert clients.cancel(made).status_code == 200
    again = clients.http.get(feed, headers=known)
    assert again.status_code == 304, "what it shows is what it showed before"


def test_another_address_kills_the_one_before(clients: Clients, owner: StaffClients, feed: str) -> None:
    """A feed that is made anew has another address; the old one, and one taken away, are nothing (C-8)."""
    other = made_by(owner)
    assert other != feed
    problem(clients.http.get(feed), 404, "not_found")
    assert clients.http.get(other).status_code == 200
    assert owner.call("DELETE", path_of(clients, "practitioner-1")).status_code == 204
    problem(clients.http.get(other), 404, "not_found")


@pytest.mark.parametrize(
    "file", ["", "x.ics", "x", ".ics", f"{'A' * 43}.ics", f"{'A' * 43}", f"{'A' * 5000}.ics", "%00.ics", "%D1%8F.ics"]
)
def test_addresses_of_no_feed(clients: Clients, feed: str, file: str) -> None:
    """What is the address of no feed is not found, whatever it is (C-8, H-1)."""
    problem(clients.http.get(f"/calendar-feeds/{file}"), 404, "not_found")
    assert clients.http.get(feed.removesuffix(".ics")).status_code == 404


def test_owners_make_feeds_and_staff_see_that_there_are(
    clients: Clients, owner: StaffClients, desk: StaffClients, feed: str
) -> None:
    """Whether there is a feed and since when is told, its address never again; only owners make and drop it (C-8, D-7)."""
    path = path_of(clients, "practitioner-1")
    state = desk.call("GET", path).json()
    assert state["exists"] is True
    assert timedelta(0) <= datetime.now(UTC) - instant(state["createdAt"]) < timedelta(minutes=5)
    for method in ("POST", "DELETE"):
        problem(desk.call(method, path), 403, "forbidden")
    assert desk.call("GET", path_of(clients, "practitioner-2")).json() == {"exists": False, "createdAt": None}
    assert owner.call("DELETE", path_of(clients, "practitioner-2")).status_code == 204
    [pool] = clients.sql("select id from resources where kind = 'pool' limit 1")
    for nobody in (str(uuid4()), "nobody", str(pool[0])):
        for method in ("GET", "POST", "DELETE"):
            problem(owner.call(method, f"/api/admin/resources/{nobody}/calendar-feed"), 404, "not_found")


def test_making_and_dropping_is_written_down(clients: Clients, owner: StaffClients) -> None:
    """Each address that is made and taken away has its entry in the audit log, and the token is stored nowhere (C-7, D-7)."""
    person = clients.resource("practitioner-3")
    tokens = [ADDRESS.fullmatch(made_by(owner, "practitioner-3")) for _ in range(2)]
    for _ in range(2):
        assert owner.call("DELETE", path_of(clients, "practitioner-3")).status_code == 204
    actions = clients.sql(
        "select action from audit_log where aggregate_type = 'calendar_feed' and aggregate_id = %s order by version",
        person,
    )
    assert [action for (action,) in actions][-3:] == [
        "make_calendar_feed",
        "renew_calendar_feed",
        "drop_calendar_feed",
    ]
    for token in tokens:
        assert token is not None
        for table in ("calendar_feeds", "audit_log", "outbox_events"):
            assert clients.sql(f'select from "{table}" t where position(%s in t::text) > 0', token[1]) == []


async def test_we_know_our_own_feed(clients: Clients, feed: str, day: date) -> None:
    """Read back as somebody's calendar, a feed has our events with their marks, so that they block nothing twice (C-4, C-8)."""
    made = booked(clients, day)
    reader = IcsFeed(feed, private_networks=True)
    try:
        start = int(instant(made["start"]).timestamp())
        window = Window(start - 86_400, start + 86_400)
        found: list[RemoteEvent] = []
        async for page in reader.changes("feed", "UTC", None, window):
            found += page.events
    finally:
        await reader.close()
    booking_id = UUID(made["appointmentId"])
    [event] = [each for each in found if each.event_id == event_id_of(booking_id)]
    assert event.mark == Mark(booking_id, made["version"])
    assert [span.start for span in event.spans] == [start]


async def test_no_log_has_the_address(clients: Clients, owner: StaffClients, feed: str, day: date) -> None:
    """With a line for each request in the log, no line has the token, found or not, nor has an answer (C-7, C-8)."""
    token = ADDRESS.fullmatch(feed)
    assert token is not None
    settings = config.Settings(dsn=clients.dsn, master_key=MASTER_KEY, access_log=True, log_level="debug")
    uri = config.application_dsn(settings, clients.dsn)
    app = web.build(settings, uri)
    capture = Capture()
    with listening(capture):
        stack = web.watched(web.layered(app, settings), settings)
        transport = httpx.ASGITransport(stack, raise_app_exceptions=False)
        async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://holdfast.test") as http:
            path = f"/calendar-feeds/{token[1]}"
            answers = [await http.get(f"{path}{ending}") for ending in (".ics", ".txt", "x.ics", "/more")]
            answers += [await http.post(f"{path}.ics"), await http.get("/metrics")]
    assert [answer.status_code for answer in answers] == [200, 404, 404, 404, 405, 200]
    assert all(token[1] not in answer.text for answer in answers)
    heard = "\n".join(text for place, text in capture.heard() if "log" in place)
    assert "/calendar-feeds/{file}" in heard
    assert token[1] not in heard


def test_a_year_of_appointments_is_one_file() -> None:
    """A feed of thousands is a calendar file that reads back whole, with lines that are folded as they have to be (C-8)."""
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    entries = tuple(
        Entry(
            uuid4(),
            n + 1,
            begin + timedelta(hours=n),
            begin + timedelta(hours=n, minutes=50),
            None if n % 2 else begin,
            f"Индивидуальная встреча, {n}; «очная»\\{'x' * n}",
        )
        for n in range(300)
    )
    text = written(Feed("Анна", entries))
    assert max(len(line) for line in text.split(b"\r\n")) <= 75
    read = Calendar.from_ical(text).walk("VEVENT")
    assert [str(event["SUMMARY"]) for event in read] == [entry.title for entry in entries]
    assert [event["DTSTART"].dt for event in read] == [entry.starts_at for entry in entries]
