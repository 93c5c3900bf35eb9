"""Bad input is refused with a clear problem, whatever it is: never a 500, never a hang (H-1).

Every answer is checked for its shape by the clients themselves.
"""

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from booking.hostile import HEADERS, NOT_OBJECTS, NOT_TEXTS, TEXTS, TIMES, TYPES, VALUES, ZONES, targets
from booking.served import Clients, Json, problem, shifted, token_of, wrong_fields
from booking.staffed import StaffClients

CALLS = ("reserve", "book", "commit", "series", "wait", "extend", "change", "cancel")
SLOTS, CAPACITY, RESERVE = "/api/public/booking/slots", "/api/booking/capacity", "/api/booking/reserve"
GROUPS = "/api/public/programs/morning-group/schedules"
MEGABYTE = 1_000_000


class Attack:
    """A live hold and an appointment, and calls about them with anything in the body."""

    def __init__(self, clients: Clients, held: Json, made: Json) -> None:
        self.clients, self.held, self.made = clients, held, made
        self.targets = targets(clients, held, made)

    def send(self, call: str, content: bytes, **headers: str) -> httpx.Response:
        """Answer a call with this body."""
        method, path, _ = self.targets[call]
        return self.clients.http.request(method, path, content=content, headers=token_of(self.made) | headers)

    def send_members(self, call: str, **members: object) -> httpx.Response:
        """Answer a call with its good body but for these members."""
        return self.send(call, json.dumps(self.targets[call][2] | members).encode())


@pytest.fixture
def attack(clients: Clients, day: date) -> Iterator[Attack]:
    """A target of attacks, which is as it was afterwards."""
    first, second = clients.slots("intro-call", day)[:2]
    held = clients.reserve("intro-call", first)
    made = clients.booked("intro-call", second)
    yield Attack(clients, held, made)
    assert clients.http.get("/health/ready").status_code == 200
    assert clients.read(held)["status"] == "held"
    assert clients.appointment(made)["status"] == "confirmed"


@pytest.mark.parametrize("call", CALLS)
def test_bodies_that_are_no_objects(attack: Attack, call: str) -> None:
    """Whatever is no JSON object is 400 to every call (H-1)."""
    for name, body in NOT_OBJECTS.items():
        assert attack.send(call, body).status_code == 400, name
        problem(attack.send(call, body), 400, "validation_failed")


@pytest.mark.parametrize(
    ("call", "member"),
    [
        ("reserve", "timezone"),
        ("book", "guestName"),
        ("commit", "guestName"),
        ("change", "guestName"),
        ("cancel", "reason"),
    ],
)
def test_texts_that_are_none(attack: Attack, call: str, member: str) -> None:
    """Text that is no Unicode, or that no line may hold, is 400 (H-1)."""
    for name, text in NOT_TEXTS.items():
        body = json.dumps(attack.targets[call][2] | {member: "@@"}).encode().replace(b"@@", text)
        assert attack.send(call, body).status_code == 400, name


@pytest.mark.parametrize(
    ("call", "member", "value", "words"),
    [
        ("reserve", "guestEmail", "nobody", "must be an e-mail address"),
        ("commit", "guestPhone", "none", "must be a phone number"),
        ("book", "locale", "Russian", "must be a language"),
        ("book", "idempotencyKey", "a\0b", "must not have control characters"),
        ("commit", "guestName", "a\nb", "must not have control characters"),
        ("cancel", "reason", "\0", "must not have the character NUL"),
        ("series", "idempotencyKey", "\x7f", "must not have control characters"),
    ],
)
def test_what_does_not_fit_is_told_in_words(attack: Attack, call: str, member: str, value: str, words: str) -> None:
    """What is wrong with a text is told in words, and not as the pattern that it does not match (H-1)."""
    told = problem(attack.send_members(call, **{member: value}), 400, "validation_failed")
    assert told["message"].startswith(f"{member}: {words}")


@pytest.mark.parametrize("call", CALLS)
def test_every_member_with_every_value(attack: Attack, call: str) -> None:
    """No value of any documented member makes a call fail in an undocumented way (H-1)."""
    document = attack.clients.get("/schema")
    method, path, _ = attack.targets[call]
    template = path.replace(attack.held["reservationId"], "{reservation_id}")
    template = template.replace(attack.made["appointmentId"], "{appointment_id}")
    body = document["paths"][template][method.lower()]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    members = document["components"]["schemas"][body.rpartition("/")[2]]["properties"]
    assert len(members) >= 3
    for member in members:
        for value in VALUES:
            attack.send_members(call, **{member: value})


@pytest.mark.parametrize("call", ["reserve", "book", "change"])
def test_times_that_are_none(attack: Attack, call: str) -> None:
    """A time that is malformed is 400, one that was never offered 422, to reserve, book and reschedule (A-4, H-1)."""
    for at in TIMES:
        end = attack.held["end"] if at < attack.held["end"] else "9999-12-31T23:59:59-14:00"
        place = {"slotStart": at, "slotEnd": end} | ({} if call != "change" else {"guestName": None})
        answer = attack.send_members(call, **place)
        assert answer.status_code in {400, 422}, at
        assert attack.send_members(call, **place | {"slotEnd": at}).status_code in {400, 422}, at


def test_times_that_are_none_in_a_query(attack: Attack) -> None:
    """The same times in a query are refused alike (A-4, H-1)."""
    http, far = attack.clients.http, "9999-12-31T00:00:00Z"
    for at in TIMES:
        for name in ("slotStart", "slotEnd"):
            query = {"serviceId": attack.held["serviceId"], "slotStart": attack.held["start"], "slotEnd": far, name: at}
            assert http.get(CAPACITY, params=query).status_code in {400, 422}, at
    for at in TIMES:
        if at and at != "2026-12-01":
            assert wrong_fields(http.get(SLOTS, params={"service_slug": "intro-call", "from": at})) == {"from"}
            assert wrong_fields(http.get(GROUPS, params={"to": at})) == {"to"}


def test_an_end_before_the_start(attack: Attack) -> None:
    """An end at or before the start is malformed (H-1)."""
    start = attack.held["start"]
    for minutes in (0, -1, -60 * 24 * 365):
        for call in ("reserve", "book"):
            answer = attack.send_members(call, slotStart=start, slotEnd=shifted(start, minutes=minutes))
            assert wrong_fields(answer) == {"slotEnd"}
        query = {"serviceId": attack.held["serviceId"], "slotStart": start, "slotEnd": shifted(start, minutes=minutes)}
        assert wrong_fields(attack.clients.http.get(CAPACITY, params=query)) == {"slotEnd"}


def test_fractions_of_a_second(attack: Attack) -> None:
    """A time between two seconds is malformed (H-1)."""
    for call in ("reserve", "book"):
        answer = attack.send_members(call, slotStart=attack.held["start"].replace("Z", ".25Z"))
        assert wrong_fields(answer) == {"slotStart"}


@pytest.mark.parametrize("call", ["reserve", "book", "commit", "change"])
def test_zones_that_do_not_exist(attack: Attack, call: str) -> None:
    """A zone that does not exist, in that very spelling, is malformed (H-1)."""
    for zone in ZONES:
        assert wrong_fields(attack.send_members(call, timezone=zone)) == {"timezone"}, zone


@pytest.mark.parametrize("size", [0, -1, 10**9, 10**30, True, 1.0, "1", [1]])
def test_party_sizes_that_are_none(attack: Attack, size: object) -> None:
    """A party is a whole number from 1 (H-1, B-5)."""
    for call in ("reserve", "book"):
        assert wrong_fields(attack.send_members(call, partySize=size)) == {"partySize"}


def test_queries_with_broken_texts(attack: Attack) -> None:
    """No text in any documented parameter of a query is more than a refusal or an empty answer (H-1)."""
    document = attack.clients.get("/schema")
    asked = {
        SLOTS: "service_slug=intro-call",
        CAPACITY: f"serviceId={attack.held['serviceId']}",
        GROUPS: "limit=1",
        f"/api/booking/reservations/{attack.held['reservationId']}": "",
    }
    for path, rest in asked.items():
        template = path.replace("morning-group", "{slug}").replace(attack.held["reservationId"], "{reservation_id}")
        names = [p["name"] for p in document["paths"][template]["get"]["parameters"] if p["in"] == "query"]
        assert names
        for name in names:
            for text in TEXTS:
                answer = attack.clients.http.get(f"{path}?{rest}&{name}={text}")
                assert answer.status_code in {200, 400, 404, 422}, (path, name, text)
        for query in (
            "&" * 2_000,
            "=" * 2_000,
            "?" * 500,
            "a=b;" * 500,
            "a[]=1&a[b]=2",
            "%00=%ff",
            "&".join(["a=b"] * 5_000),
        ):
            assert attack.clients.http.get(f"{path}?{query}").status_code < 500


@pytest.mark.parametrize(
    "path",
    [
        "/api/public/businesses/{}",
        "/api/public/programs/{}/schedules",
        "/api/booking/reservations/{}",
        "/api/booking/appointments/{}",
        "/{}/booking/slot/",
        "/emotional-balance/booking/slot/held/{}",
        "/static/{}",
        "/{}",
    ],
)
def test_names_in_paths(clients: Clients, path: str) -> None:
    """No name in a path is more than something that is not there (H-1)."""
    for text in set(TEXTS) - {".."}:
        answer = clients.http.get(path.format(text))
        assert answer.status_code in {400, 401, 404, 405}, (path, text)


@pytest.mark.parametrize("call", CALLS)
def test_a_body_of_ten_megabytes(attack: Attack, call: str) -> None:
    """A body that is too large is 413 at once, announced or in pieces, and the connection is good for more (H-1)."""
    told = problem(attack.send(call, b'{"a": "' + b"x" * 10 * MEGABYTE + b'"}'), 413, "body_too_large")
    assert "send less" in told["message"]
    method, path, _ = attack.targets[call]
    pieces = (b"x" * 65_536 for _ in range(160))
    problem(attack.clients.http.request(method, path, content=pieces), 413, "body_too_large")


def test_a_body_at_the_limit(attack: Attack) -> None:
    """A body of 64 KiB is read, one byte more is too large (H-1)."""
    for size, status in ((65_536, 400), (65_537, 413)):
        body = b'{"a": "' + b"x" * (size - 9) + b'"}'
        assert len(body) == size
        assert attack.send("reserve", body).status_code == status


@pytest.mark.parametrize("kind", TYPES)
def test_other_content_types(attack: Attack, kind: str) -> None:
    """A body is JSON, whatever it says that it is (H-1)."""
    answer = attack.send("reserve", b'{"partySize": 0}', **{"Content-Type": kind})
    assert wrong_fields(answer) == {"partySize"}
    assert attack.send("reserve", b"<a/>", **{"Content-Type": kind}).status_code == 400


@pytest.mark.parametrize("name", HEADERS)
def test_odd_headers(attack: Attack, name: str) -> None:
    """No header is more than ignored or refused (H-1)."""
    headers: Any = HEADERS[name]
    for path in (
        "/health",
        SLOTS,
        f"/api/booking/appointments/{attack.made['appointmentId']}",
        "/booking/slot/",
        "/booking/slot/?embed=1",
        "/admin/login",
        "/admin/nothing",
        "/nothing",
    ):
        assert attack.clients.http.get(path, headers=headers).status_code in {200, 400, 401, 404}, path
    assert attack.clients.http.post(RESERVE, headers=headers, json={}).status_code == 400


def test_a_host_that_is_none_gets_no_address(clients: Clients, owner: StaffClients) -> None:
    """A secret address is not made for a host that is none, and the one that there was stays (C-8, H-1)."""
    path = f"/api/admin/resources/{clients.resource('practitioner-2')}/calendar-feed"
    assert wrong_fields(owner.call("POST", path, headers={"Host": "example.org:99999"})) == {"Host"}
    assert owner.call("GET", path).json()["exists"] is False
    made = owner.call("POST", path, headers={"Host": "example.org:8443"})
    assert made.json()["url"].startswith("http://example.org:8443/calendar-feeds/")
    assert owner.call("DELETE", path).status_code == 204


def test_addresses_that_are_too_long(clients: Clients) -> None:
    """An address of 60,000 characters is not found, and no worse (H-1)."""
    problem(clients.http.get("/" + "x" * 60_000), 404, "not_found")
    assert wrong_fields(clients.http.get(f"{SLOTS}?tz={'x' * 60_000}")) == {"service_slug"}


def test_methods_that_are_not_there(clients: Clients) -> None:
    """Another method is 405 and says which ones there are; OPTIONS says so as well (H-1)."""
    for path, operations in clients.get("/schema")["paths"].items():
        known = {method.upper() for method in operations}
        if "GET" in known:
            known.add("HEAD")
        address = path.replace("{", "").replace("}", "")
        for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "X"} - known:
            answer = clients.http.request(method, address)
            assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json"), path
            assert known < set(answer.headers["allow"].split(", ")), path
            if method != "HEAD":
                problem(answer, 405, "method_not_allowed")
        answer = clients.http.options(address)
        assert (answer.status_code, answer.content) == (204, b"")
        assert known | {"OPTIONS"} == set(answer.headers["allow"].split(", ")), path


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x00\xa5\x01\x00\x00",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /health HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost\r\n\r\n",
        b"POST /api/booking/reserve HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/booking/reserve HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}",
        b"POST /api/booking/reserve HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n{}",
        b"POST /api/booking/reserve HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /" + b"x" * 1_000_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_what_is_no_http(clients: Clients, sent: bytes) -> None:
    """Whatever is sent into the socket, and however it ends, the server goes on serving."""
    address = urlsplit(str(clients.http.base_url))
    assert address.hostname is not None
    with socket.create_connection((address.hostname, address.port or 80), timeout=10) as line:
        line.sendall(sent)
        answer = b""
        # It may have hung up already; what it must not do is to keep the line without a word.
        with suppress(OSError):
            line.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):
            answer = line.recv(100)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 "), answer
    assert b" 500 " not in answer
    assert clients.get("/health") == {"status": "ok"}
