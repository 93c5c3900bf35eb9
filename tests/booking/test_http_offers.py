"""What is offered can be reserved, and nothing else (A-4)."""

import time
from datetime import UTC, date, datetime, timedelta

import pytest

from booking.served import Clients, Json, problem, shifted

RESERVE = "/api/booking/reserve"
SERVICES = ("individual-session", "intro-call", "couple-session", "open-studio")
WAIT_SECONDS = 10


@pytest.mark.parametrize("service", SERVICES)
def test_every_offered_slot_can_be_reserved(clients: Clients, day: date, service: str) -> None:
    """Each slot that is offered over three days can be reserved with any resource that it names (A-4, field pain 25)."""
    slots = clients.slots(service, day, 3)
    assert len(slots) >= 3 * 9
    for number, slot in enumerate(slots):
        chosen = slot["resourceIds"][number % len(slot["resourceIds"])]
        held = clients.reserve(service, slot, resourceId=chosen)
        assert held["resourceIds"][0] == chosen or chosen in held["resourceIds"]
        path = f"/api/booking/reservations/{held['reservationId']}"
        assert clients.http.delete(path).status_code == 204
    assert clients.slots(service, day, 3) == slots


def test_offers_hold_beside_bookings(clients: Clients, day: date) -> None:
    """On a day that is partly taken by other services, each slot that is still offered can be reserved (A-4, field pain 7)."""
    for service, number in (("intro-call", 4), ("individual-session", 5), ("intro-call", 20), ("couple-session", 6)):
        slot = clients.slots(service, day)[number]
        clients.reserve(service, slot, resourceId=slot["resourceIds"][-1])
    for service in SERVICES:
        for slot in clients.slots(service, day):
            held = clients.reserve(service, slot, resourceId=slot["resourceIds"][0])
            assert clients.http.delete(f"/api/booking/reservations/{held['reservationId']}").status_code == 204


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_not_offered_is_refused(clients: Clients, day: date, service: str) -> None:
    """Off the grid, before and after hours, past and beyond the horizon: each is 422 slot_not_offered (A-4)."""
    slots = clients.slots(service, day)
    first, last = slots[0]["start"], slots[-1]["start"]
    length = datetime.fromisoformat(slots[0]["end"]) - datetime.fromisoformat(first)
    starts = {
        "a minute off the grid": shifted(first, minutes=1),
        "a second off the grid": shifted(first, seconds=1),
        "before opening": shifted(first, hours=-1),
        "a step before opening": shifted(first, seconds=-length.total_seconds()),
        "so late that it ends after closing": shifted(last, seconds=length.total_seconds()),
        "at night": shifted(first, hours=-6),
        "yesterday": f"{datetime.now(UTC).date() - timedelta(days=1)}T06:00:00+00:00",
        "before the first hold": "1970-01-01T06:00:00+00:00",
        "in four months": f"{datetime.now(UTC).date() + timedelta(days=120)}T06:00:00+00:00",
        "in eighty years": f"{datetime.now(UTC).year + 80}-06-01T06:00:00+00:00",
    }
    for name, start in starts.items():
        slot = {"start": start, "end": (datetime.fromisoformat(start) + length).isoformat()}
        answer = clients.http.post(RESERVE, json=clients.wish(service, slot))
        assert problem(answer, 422, "slot_not_offered"), name
    assert clients.slots(service, day) == slots


def test_notice_and_horizon_bind(clients: Clients, day: date) -> None:
    """What notice or horizon take out of the offer cannot be reserved either, to the day (A-2, A-4)."""
    slot = clients.slots("intro-call", day)[5]
    ahead = datetime.fromisoformat(slot["start"]) - datetime.now(UTC)
    wish = clients.wish("intro-call", slot)
    with clients.altered("services", "intro-call", min_notice_minutes=ahead // timedelta(minutes=1) + 60):
        assert slot["start"] not in [s["start"] for s in clients.slots("intro-call", day)]
        refused = problem(clients.http.post(RESERVE, json=wish), 422, "slot_not_offered")
        assert "too soon" in refused["message"]
    with clients.altered("services", "intro-call", max_horizon_days=ahead.days - 1):
        assert clients.slots("intro-call", day) == []
        refused = problem(clients.http.post(RESERVE, json=wish), 422, "slot_not_offered")
        assert "too far" in refused["message"]
    assert clients.reserve("intro-call", slot)["status"] == "held"


def test_a_party_that_can_never_fit(clients: Clients, day: date) -> None:
    """A party larger than the largest resource is not offered, rather than in conflict (A-4, B-5)."""
    slot = clients.slots("open-studio", day)[0]
    answer = clients.http.post(RESERVE, json=clients.wish("open-studio", slot, partySize=13))
    assert "12" in problem(answer, 422, "slot_not_offered")["message"]
    assert clients.reserve("open-studio", slot, partySize=12)["partySize"] == 12


def test_buffers_bind_unseen(clients: Clients, day: date) -> None:
    """The ten minutes after a session are not shown in it, and nobody can book into them (B-8)."""
    chosen = clients.resource("practitioner-1")
    first, second, third = clients.slots("individual-session", day, resource_id=chosen)[:3]
    held = clients.reserve("individual-session", first, resourceId=chosen)
    assert (held["end"], second["start"]) == (first["end"], first["end"]), "they touch, but for the buffer"
    assert clients.slots("individual-session", day, resource_id=chosen)[0] == third
    wish = clients.wish("individual-session", second, resourceId=chosen)
    problem(clients.http.post(RESERVE, json=wish), 409, "slot_conflict")


def test_an_expired_hold_is_free_at_once(clients: Clients, day: date) -> None:
    """A hold of one second is over after one second: free again, not to be committed (B-4, field pain 9)."""
    slot = clients.slots("couple-session", day)[0]
    held = clients.reserve("couple-session", slot, ttlSeconds=1)
    assert held["remainingSeconds"] == 1
    deadline = time.monotonic() + WAIT_SECONDS
    seen: Json = held
    while seen["status"] == "held" and time.monotonic() < deadline:
        seen = clients.read(held)
    assert (seen["status"], seen["remainingSeconds"]) == ("expired", 0)

    body = {"reservationId": held["reservationId"], "guestEmail": "late@example.org"}
    answer = clients.http.post("/api/booking/commit", json=body)
    problem(answer, 410, "RESERVATION_NOT_FOUND_OR_EXPIRED")
    assert clients.slots("couple-session", day)[0] == slot
    assert clients.reserve("couple-session", slot)["status"] == "held"
