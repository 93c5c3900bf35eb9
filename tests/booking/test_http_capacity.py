"""How many places are left, asked without taking one."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from booking.served import Clients, problem, shifted, wrong_fields

PATH = "/api/booking/capacity"


def asked(clients: Clients, service: str, slot: dict[str, Any], **more: str) -> dict[str, str]:
    """Return the query about a slot."""
    return {"serviceId": clients.service(service)["id"], "slotStart": slot["start"], "slotEnd": slot["end"], **more}


def test_capacity_of_a_slot(clients: Clients, day: date) -> None:
    """The capacity of a slot is what its resources hold, less what is taken of it (B-2)."""
    for service, total in (("individual-session", 3), ("couple-session", 1), ("open-studio", 12)):
        slot = clients.slots(service, day)[-1]
        assert clients.get(PATH, **asked(clients, service, slot)) == {"available": total, "capacity": total}

    slot = clients.slots("individual-session", day)[0]
    chosen = clients.resource("practitioner-1")
    clients.reserve("individual-session", slot, resourceId=chosen)
    query = asked(clients, "individual-session", slot, businessId=clients.card["id"])
    assert clients.get(PATH, **query) == {"available": 2, "capacity": 3}
    assert clients.get(PATH, **query, resourceId=chosen) == {"available": 0, "capacity": 1}


def test_capacity_of_a_full_slot(clients: Clients, day: date) -> None:
    """A slot that is taken has no place available, and no error."""
    slot = clients.slots("open-studio", day)[0]
    clients.reserve("open-studio", slot, partySize=12)
    assert clients.get(PATH, **asked(clients, "open-studio", slot)) == {"available": 0, "capacity": 12}


def test_capacity_of_a_schedule(clients: Clients) -> None:
    """The capacity of a schedule is its places, less those taken by live bookings (B-2, B-4)."""
    schedule = clients.schedules("open-lecture")[2]
    held = clients.post("/api/booking/reserve", {"scheduleId": schedule["id"], "partySize": 7})
    assert clients.get(PATH, scheduleId=schedule["id"]) == {"available": 493, "capacity": 500}
    clients.run_out(held)
    assert clients.get(PATH, scheduleId=schedule["id"]) == {"available": 500, "capacity": 500}


def test_capacity_of_what_is_not_offered(clients: Clients, day: date) -> None:
    """A time that is closed, off the grid, past or beyond the horizon is 422 slot_not_offered (A-4)."""
    slots = clients.slots("individual-session", day)
    far = f"{datetime.now(UTC).date() + timedelta(days=120)}T06:00:00Z"
    past = f"{datetime.now(UTC).date() - timedelta(days=3)}T06:00:00Z"
    for start in (shifted(slots[0]["start"], minutes=1), shifted(slots[-1]["start"], minutes=50), far, past):
        end = (datetime.fromisoformat(start) + timedelta(minutes=50)).isoformat()
        query = asked(clients, "individual-session", {"start": start, "end": end})
        problem(clients.http.get(PATH, params=query), 422, "slot_not_offered")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"serviceId": str(uuid4())}, 404, "unknown_service"),
        ({"scheduleId": str(uuid4()), "serviceId": "", "slotStart": "", "slotEnd": ""}, 404, "unknown_schedule"),
        ({"businessId": str(uuid4())}, 404, "unknown_business"),
        ({"resourceId": str(uuid4())}, 404, "unknown_resource"),
    ],
)
def test_what_capacity_does_not_know(
    clients: Clients, day: date, change: dict[str, str], status: int, code: str
) -> None:
    """What is unknown is 404 (H-1)."""
    slot = clients.slots("intro-call", day)[0]
    problem(clients.http.get(PATH, params=asked(clients, "intro-call", slot) | change), status, code)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "serviceId"),
        ({"serviceId": "x"}, "serviceId"),
        ({"serviceId": str(uuid4()), "scheduleId": str(uuid4())}, "serviceId"),
        ({"slotStart": "tomorrow"}, "slotStart"),
        ({"slotStart": "2026-12-01T10:00:00"}, "slotStart"),
        ({"slotEnd": "2026-12-01T10:00:00 03:00"}, "slotEnd"),
    ],
)
def test_capacity_malformed(clients: Clients, query: dict[str, str], field: str) -> None:
    """A malformed question is 400, which names the member (H-1)."""
    assert wrong_fields(clients.http.get(PATH, params=query)) == {field}
