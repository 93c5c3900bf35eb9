"""Moving an appointment over HTTP: all of it or nothing (B-16)."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from booking.served import Clients, instant, problem, shifted

Json = dict[str, Any]


def to(slot: Json, **more: Any) -> Json:
    """Return the change that moves an appointment to a slot."""
    return {"slotStart": slot["start"], "slotEnd": slot["end"], **more}


def test_a_move(clients: Clients, day: date) -> None:
    """A move takes the new place, frees the old one and raises the version by one (B-16)."""
    slots = clients.slots("couple-session", day)
    made = clients.booked("couple-session", slots[0])
    answer = clients.change(made, to(slots[3], reason="train"), {"If-Match": '"2"'})
    moved = answer.json()
    assert (answer.status_code, answer.headers["etag"]) == (200, '"3"')
    assert (moved["start"], moved["end"], moved["version"]) == (slots[3]["start"], slots[3]["end"], 3)
    assert (moved["status"], moved["replayed"]) == ("confirmed", False)

    free = [s["start"] for s in clients.slots("couple-session", day)]
    assert slots[0]["start"] in free
    assert slots[3]["start"] not in free
    assert clients.appointment(made)["start"] == slots[3]["start"]
    [(event, before)] = clients.sql(
        "select type, payload ->> 'previousStart' from outbox_events where aggregate_id = %s and version = 3",
        made["appointmentId"],
    )
    assert (event, datetime.fromisoformat(before)) == ("AppointmentRescheduled", instant(slots[0]["start"]))


def test_a_move_to_a_place_that_is_taken(clients: Clients, day: date) -> None:
    """If the new place is not free, nothing changes and alternatives are named (B-16, B-22)."""
    slots = clients.slots("couple-session", day)
    made = clients.booked("couple-session", slots[0])
    clients.reserve("couple-session", slots[4])
    before, free = clients.appointment(made), clients.slots("couple-session", day)

    refused = problem(clients.change(made, to(slots[4])), 409, "slot_conflict")
    assert refused["message"] == "No available capacity for the new time slot"
    alternatives = refused["details"]["alternatives"]
    assert 1 <= len(alternatives) <= 5
    assert clients.appointment(made) == before
    assert clients.slots("couple-session", day) == free
    assert clients.change(made, to(alternatives[0])).status_code == 200


def test_a_move_within_its_own_place(clients: Clients, day: date) -> None:
    """An appointment does not stand in its own way: it may move to a time that overlaps its old one (B-16)."""
    slots = clients.slots("open-studio", day)
    made = clients.booked("open-studio", slots[0], partySize=12)
    assert clients.change(made, to(slots[1])).json()["start"] == slots[1]["start"]
    assert clients.change(made, to(slots[1])).status_code == 200


def test_a_move_to_another_practitioner(clients: Clients, day: date) -> None:
    """The new place may be with another practitioner, at the same time as well (B-16)."""
    slot = clients.slots("individual-session", day)[0]
    first, second = clients.resource("practitioner-1"), clients.resource("practitioner-2")
    made = clients.booked("individual-session", slot, resourceId=first)
    moved = clients.change(made, to(slot, resourceId=second)).json()
    assert moved["resourceIds"] == [second]
    assert clients.slots("individual-session", day, resource_id=first)[0] == slot | {
        "resourceIds": [first],
        "placesLeft": 1,
    }


def test_a_move_to_another_service(clients: Clients, day: date) -> None:
    """Another service is allowed at equal price only (B-16)."""
    made = clients.booked("individual-session", clients.slots("individual-session", day)[0])
    other = clients.slots("couple-session", day)[-1]
    move = to(other, serviceId=clients.service("couple-session")["id"])
    problem(clients.change(made, move), 409, "price_differs")
    assert clients.appointment(made)["version"] == 2
    with clients.altered("services", "couple-session", price_minor=350_000):
        moved = clients.change(made, move).json()
    assert (moved["serviceId"], moved["start"]) == (clients.service("couple-session")["id"], other["start"])
    assert clients.resource("room") in moved["resourceIds"]
    assert clients.appointment(made)["priceMinor"] == 350_000


def test_a_move_keeps_the_price(clients: Clients, day: date) -> None:
    """What was agreed stays: once the service costs more, the old price cannot be moved to (B-16)."""
    slots = clients.slots("individual-session", day)
    made = clients.booked("individual-session", slots[0])
    with clients.altered("services", "individual-session", price_minor=400_000):
        problem(clients.change(made, to(slots[2])), 409, "price_differs")


def test_a_move_to_what_is_not_offered(clients: Clients, day: date) -> None:
    """A move is held to the offer like a reserve: grid, hours, notice and horizon (A-4, B-16)."""
    slots = clients.slots("individual-session", day)
    made = clients.booked("individual-session", slots[0])
    far = datetime.now(UTC).date() + timedelta(days=120)
    for start in (
        shifted(slots[2]["start"], minutes=1),
        shifted(slots[0]["start"], minutes=-50),
        shifted(slots[-1]["start"], minutes=50),
        shifted(slots[0]["start"], days=-200),
        f"{far}T06:00:00Z",
    ):
        end = (datetime.fromisoformat(start) + timedelta(minutes=50)).isoformat()
        problem(clients.change(made, {"slotStart": start, "slotEnd": end}), 422, "slot_not_offered")
    assert clients.appointment(made)["version"] == 2


def test_a_move_of_an_old_version(clients: Clients, day: date) -> None:
    """A move names the version that it saw: an older one is 409 CONFLICT, and nothing moves (B-15, B-16)."""
    slots = clients.slots("individual-session", day)
    made = clients.booked("individual-session", slots[0])
    refused = problem(clients.change(made, to(slots[2]), {"If-Match": '"1"'}), 409, "CONFLICT")
    assert refused["details"] == {"currentVersion": 2}
    assert clients.appointment(made)["start"] == slots[0]["start"]


def test_a_move_of_what_was_cancelled(clients: Clients, day: date) -> None:
    """A cancelled appointment does not move (B-16, B-17)."""
    slots = clients.slots("individual-session", day)
    made = clients.booked("individual-session", slots[0])
    clients.cancel(made)
    problem(clients.change(made, to(slots[2])), 400, "RESERVATION_ALREADY_CANCELLED")


def test_a_move_past_a_hold_that_ran_out(clients: Clients, day: date) -> None:
    """An expired hold does not keep an appointment from moving to its place (B-4, B-16)."""
    slots = clients.slots("couple-session", day)
    made = clients.booked("couple-session", slots[0])
    clients.run_out(clients.reserve("couple-session", slots[3]))
    assert clients.change(made, to(slots[3])).json()["start"] == slots[3]["start"]


@pytest.mark.parametrize("party", [1, 4])
def test_a_move_to_another_group(clients: Clients, party: int) -> None:
    """An appointment in a group moves to another day of the group with all its places (B-16, B-20)."""
    first, second = [s for s in clients.schedules() if s["placesLeft"] == 12][10:12]
    held = clients.post("/api/booking/reserve", {"scheduleId": first["id"], "partySize": party})
    made = clients.commit(held)
    moved = clients.change(made, {"scheduleId": second["id"]}).json()
    assert (moved["scheduleId"], moved["start"], moved["partySize"]) == (second["id"], second["start"], party)
    left = {s["id"]: s["placesLeft"] for s in clients.schedules()}
    assert (left[first["id"]], left[second["id"]]) == (12, 12 - party)
    problem(clients.change(made, {"scheduleId": str(uuid4())}), 404, "unknown_schedule")
    dearer = clients.schedules("open-lecture")[-1]
    problem(clients.change(made, {"scheduleId": dearer["id"]}), 409, "price_differs")


def test_a_move_to_a_group_that_is_full(clients: Clients) -> None:
    """If the other group is full, nothing changes and the places left are named (B-16, B-20)."""
    first, second = [s for s in clients.schedules() if s["placesLeft"] == 12][14:16]
    made = clients.commit(clients.post("/api/booking/reserve", {"scheduleId": first["id"], "partySize": 4}))
    clients.post("/api/booking/reserve", {"scheduleId": second["id"], "partySize": 10})
    refused = problem(clients.change(made, {"scheduleId": second["id"]}), 400, "CAPACITY_EXCEEDED")
    assert refused["details"] == {"placesLeft": 2}
    left = {s["id"]: s["placesLeft"] for s in clients.schedules()}
    assert (left[first["id"]], left[second["id"]]) == (8, 2)


def test_a_slot_does_not_become_a_group(clients: Clients, day: date) -> None:
    """An appointment moves from slot to slot, or from schedule to schedule."""
    made = clients.booked("intro-call", clients.slots("intro-call", day)[0])
    answer = clients.change(made, {"scheduleId": clients.schedules()[-1]["id"]})
    assert problem(answer, 400, "validation_failed")["details"]["errors"][0]["field"] == "scheduleId"
