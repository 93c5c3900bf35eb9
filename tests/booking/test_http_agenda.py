"""The list of appointments: found by what is known of them, page by page."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from booking.served import Clients, Json, problem, shifted, wrong_fields
from booking.staffed import StaffClients
from holdfast.kernel.sql import load

PATH = "/api/booking/appointments"


@pytest.fixture
def day(clients: Clients, desk: StaffClients) -> Iterator[date]:
    """A day on which nobody has ever booked, so that not even something cancelled is listed with it."""
    with ExitStack() as horizon:
        for slug in ("individual-session", "couple-session", "intro-call"):
            horizon.enter_context(clients.altered("services", slug, max_horizon_days=400))
        # Past the days that tests share.
        days = (datetime.now(UTC).date() + timedelta(days=ahead) for ahead in range(100, 360))
        yield next(day for day in days if not names(desk, **{"from": str(day), "to": str(day + timedelta(days=1))}))


@pytest.fixture
def several(clients: Clients, day: date) -> list[Json]:
    """Four appointments of a day: two of one client, one cancelled, two at one time."""
    slots = clients.slots("individual-session", day)
    made = [
        clients.booked("individual-session", slots[n], guestName=str(n), resourceId=clients.resource("practitioner-2"))
        for n in (0, 2, 4)
    ]
    made.append(clients.commit(clients.reserve("individual-session", slots[0]), guestEmail="other@example.org"))
    clients.commit(clients.reserve("couple-session", clients.slots("couple-session", day)[3]), guestPhone="+7 900")
    clients.cancel(made[2])
    return made


def names(desk: StaffClients, **query: Any) -> list[str]:
    """Return the ids that a list has."""
    answer = desk.call("GET", PATH, params=query)
    assert answer.status_code == 200, answer.text
    return [shown["appointmentId"] for shown in answer.json()["appointments"]]


@pytest.mark.usefixtures("several")
def test_a_day_in_order(clients: Clients, desk: StaffClients, day: date) -> None:
    """A day of the business is listed in order of start, cancelled ones too, holds not, with contact (H-2)."""
    clients.reserve("intro-call", clients.slots("intro-call", day)[-1])
    query = {"from": str(day), "to": str(day + timedelta(days=1))}
    shown = desk.call("GET", PATH, params=query).json()["appointments"]
    assert len(shown) == 5
    assert [(s["start"], s["appointmentId"]) for s in shown] == sorted((s["start"], s["appointmentId"]) for s in shown)
    assert {s["guestEmail"] for s in shown} == {"guest@example.org", "other@example.org"}
    first, last = shown[0]["start"], shown[-1]["start"]
    assert len(names(desk, **{"from": first, "to": last})) == 4
    assert len(names(desk, **{"from": shifted(first, seconds=1), "to": shifted(last, seconds=1)})) == 3


def test_filters(clients: Clients, desk: StaffClients, day: date, several: list[Json]) -> None:
    """Status, service, resource, schedule and contact each leave what they name, and all of them together (H-2)."""
    ids = [made["appointmentId"] for made in several]
    query: Json = {"from": str(day), "to": str(day + timedelta(days=1))}
    couple = clients.service("couple-session")["id"]
    second = clients.resource("practitioner-2")
    assert names(desk, **query, status="cancelled") == [ids[2]]
    assert len(names(desk, **query, status="cancelled,confirmed")) == 5
    assert len(names(desk, **query, serviceId=couple)) == 1
    assert set(names(desk, **query, resourceId=second)) >= {ids[0], ids[1]}
    assert ids[3] not in names(desk, **query, resourceId=second)
    assert names(desk, **query, contact="other@example.org") == [ids[3]]
    assert len(names(desk, **query, contact="+7 900")) == 1
    assert names(desk, **query, contact="OTHER@example.org") == [ids[3]]
    assert names(desk, **query, contact="+7 (900)") == names(desk, **query, contact="7900")
    assert names(desk, **query, contact="nobody@example.org") == []
    assert names(desk, **query, contact="guest@example.org", status="confirmed", resourceId=second)[:1] == [ids[0]]
    schedule = clients.schedules()[30]["id"]
    grouped = clients.commit(clients.post("/api/booking/reserve", {"scheduleId": schedule}))["appointmentId"]
    assert names(desk, scheduleId=schedule) == [grouped]
    assert grouped in names(desk, resourceId=clients.resource("studio"))
    assert grouped not in names(desk, resourceId=second)


@pytest.mark.usefixtures("several")
def test_pages(desk: StaffClients, day: date) -> None:
    """Page by page every appointment comes once, in the order of the whole list (H-2)."""
    query: Json = {"from": str(day), "to": str(day + timedelta(days=1))}
    whole = names(desk, **query)
    for limit in (1, 2, 4, 5):
        found, cursor = [], None
        while True:
            page = desk.call(
                "GET", PATH, params=query | {"limit": limit} | ({"cursor": cursor} if cursor else {})
            ).json()
            assert len(page["appointments"]) <= limit
            found += [shown["appointmentId"] for shown in page["appointments"]]
            cursor = page["nextCursor"]
            if cursor is None:
                break
        assert found == whole


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("from", text) for text in ("now", "2026-13-01", "2026-12-01T10:00:00", "0001-01-01", "x" * 30)),
        ("to", "9999-12-31T23:59:59Z"),
        ("status", "held"),
        ("status", "confirmed,"),
        *((name, "1") for name in ("serviceId", "resourceId", "scheduleId", "businessId")),
        *(("limit", text) for text in ("0", "501", "-1", "x")),
        *(("cursor", text) for text in ("x", "MjAyNg==", "é")),
        ("contact", "a\x00b"),
        ("contact", "x" * 255),
    ],
)
def test_wrong_questions(desk: StaffClients, field: str, value: str) -> None:
    """A value that no filter can have is refused, and named (H-1, H-2)."""
    assert wrong_fields(desk.call("GET", PATH, params={field: value})) == {field}


def test_no_other_business(desk: StaffClients) -> None:
    """Another business is unknown, and ids of nobody find nothing (H-2, H-4)."""
    problem(desk.call("GET", PATH, params={"businessId": str(uuid4())}), 404, "unknown_business")
    for name in ("serviceId", "resourceId", "scheduleId"):
        assert names(desk, **{name: str(uuid4())}) == []
    backwards = {"from": "2027-01-02", "to": "2027-01-01"}
    assert wrong_fields(desk.call("GET", PATH, params=backwards)) == {"to"}


def test_the_list_follows_its_index(clients: Clients) -> None:
    """The list is read in the order of an index of its own, without sorting and without the holds (D-3, H-2)."""
    statement = load("holdfast.booking", "staff_queries.sql")["list_appointments"]
    names = dict.fromkeys(re.findall(r"%\((\w+)\)s", statement))
    numbered = re.sub(r"%\((\w+)\)s", lambda name: f"${list(names).index(name[1]) + 1}", statement)
    with psycopg.connect(clients.dsn) as admin:
        # A table of a few rows is read as a whole, whatever indexes it has.
        admin.execute("set enable_seqscan = off")
        plan = admin.pgconn.exec_(f"explain (generic_plan) {numbered}".encode())
    lines = [plan.get_value(row, 0).decode() for row in range(plan.ntuples)]
    outer = [line for line in lines if "bookings b" in line]
    assert len(outer) == 1, lines
    assert "Index Scan using idx_appointments_time" in outer[0]
    assert not any(line.lstrip(" ->").startswith("Sort") for line in lines[: lines.index(outer[0])])
