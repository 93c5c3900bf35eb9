"""What staff change of the business while it runs: blocked time, places of schedules and of resources."""

from datetime import date
from uuid import uuid4

import pytest

from booking.served import Clients, Json, appointment_path, new_key, problem, shifted, wrong_fields
from booking.staffed import StaffClients

BLOCKS = "/api/admin/blocks"


def around(clients: Clients, resource: str, slot: Json, **more: object) -> Json:
    """Return the body that blocks a resource for a slot."""
    return {"resourceId": clients.resource(resource), "start": slot["start"], "end": slot["end"], **more}


def history(clients: Clients, thing_id: str) -> list[tuple[object, ...]]:
    """Return the audit entries of what is no booking."""
    entries = clients.sql(
        "select aggregate_type, action, from_state, to_state, actor, replace(actor_id::text, '-', '')"
        " from audit_log where aggregate_id = %s order by version",
        thing_id,
    )
    return [(*entry, reason) for entry, reason in zip(entries, clients.reasons(thing_id), strict=True)]


def test_a_block_takes_every_place(clients: Clients, desk: StaffClients, day: date) -> None:
    """A blocked resource is not offered and not booked, whoever asks; unblocked it is free at once (B-2, A-2)."""
    slot = clients.slots("open-studio", day)[0]
    answer = desk.call("POST", BLOCKS, around(clients, "studio", slot, reason="paint"))
    made = answer.json()
    assert (answer.status_code, made["start"], made["end"], made["reason"]) == (
        201,
        slot["start"],
        slot["end"],
        "paint",
    )
    try:
        assert slot["start"] not in {s["start"] for s in clients.slots("open-studio", day)}
        problem(clients.http.post("/api/booking/reserve", json=clients.wish("open-studio", slot)), 409, "slot_conflict")
        by_hand = clients.wish("open-studio", slot) | {"guestName": "Guest"}
        problem(desk.call("POST", "/api/booking/appointments", by_hand), 409, "slot_conflict")
    finally:
        assert desk.call("DELETE", f"{BLOCKS}/{made['id']}").status_code == 204
    assert clients.slots("open-studio", day)[0] == slot
    problem(desk.call("DELETE", f"{BLOCKS}/{made['id']}"), 404, "not_found")
    key = desk.key[3:35]
    assert history(clients, made["id"]) == [
        ("block", "block", None, None, "staff", key, "paint"),
        ("block", "unblock", None, None, "staff", key, None),
    ]


def test_a_block_does_not_push_anybody_out(clients: Clients, desk: StaffClients, day: date) -> None:
    """Where somebody has a place, a block is 409 and names what is there with its times, and nothing is blocked (B-2)."""
    slot = clients.slots("couple-session", day)[0]
    made = clients.booked("couple-session", slot)
    held = clients.reserve("couple-session", clients.slots("couple-session", day)[1])
    refused = desk.call("POST", BLOCKS, around(clients, "room", slot | {"end": held["end"]}))
    conflicts = problem(refused, 409, "time_taken")["details"]["conflicts"]
    assert conflicts == [
        {"kind": "appointment", "id": made["appointmentId"], "start": made["start"], "end": made["end"]},
        {"kind": "reservation", "id": held["reservationId"], "start": held["start"], "end": held["end"]},
    ]
    assert clients.sql("select 1 from blocks where resource_id = %s", clients.resource("room")) == []
    schedule = clients.schedules()[10]
    over_group = {"resourceId": clients.resource("studio"), "start": schedule["start"], "end": schedule["end"]}
    [group] = problem(desk.call("POST", BLOCKS, over_group), 409, "time_taken")["details"]["conflicts"]
    assert (group["kind"], group["id"]) == ("schedule", schedule["id"])


def test_a_hold_that_ran_out_is_no_conflict(clients: Clients, desk: StaffClients, day: date) -> None:
    """A hold that has run out and was not swept keeps no block away (B-4)."""
    slot = clients.slots("couple-session", day)[0]
    clients.run_out(clients.reserve("couple-session", slot))
    made = desk.call("POST", BLOCKS, around(clients, "room", slot))
    assert made.status_code == 201
    assert desk.call("DELETE", f"{BLOCKS}/{made.json()['id']}").status_code == 204


def test_a_block_with_a_key(clients: Clients, desk: StaffClients, day: date) -> None:
    """A repeated block with its key is one block with one answer; without the key it meets itself (B-9).

    The answer that is kept for it has not the reason in it, which is told again all the same (D-5).
    """
    slot = clients.slots("couple-session", day)[0]
    key = new_key()
    body, headers = around(clients, "room", slot, reason="a private matter"), {"Idempotency-Key": key}
    first = desk.call("POST", BLOCKS, body, headers=headers)
    again = desk.call("POST", BLOCKS, body, headers=headers)
    assert (again.status_code, again.json()) == (200, first.json() | {"replayed": True})
    assert again.json()["reason"] == "a private matter"
    assert clients.sql("select answer ->> 'reason' from idempotency_keys where key = %s", key) == [(None,)]
    [itself] = problem(desk.call("POST", BLOCKS, body), 409, "time_taken")["details"]["conflicts"]
    assert (itself["kind"], itself["id"]) == ("block", first.json()["id"])
    assert desk.call("DELETE", f"{BLOCKS}/{first.json()['id']}").status_code == 204


def test_what_cannot_be_blocked(clients: Clients, desk: StaffClients, day: date) -> None:
    """No time, one beyond the calendar, no resource or another business's: each is refused in its words (H-1, H-4)."""
    body = around(clients, "room", clients.slots("couple-session", day)[0])
    assert wrong_fields(desk.call("POST", BLOCKS, body | {"end": body["start"]})) == {"end"}
    assert wrong_fields(desk.call("POST", BLOCKS, body | {"end": shifted(body["end"], milliseconds=1)})) == {"end"}
    assert wrong_fields(desk.call("POST", BLOCKS, {"start": body["start"], "end": body["end"]})) == {"body"}
    assert wrong_fields(desk.call("POST", BLOCKS, body | {"start": "0001-01-01T00:00:00+14:00"})) == {"start"}
    assert wrong_fields(desk.call("POST", BLOCKS, body | {"end": "9999-12-31T23:59:59-12:00"})) == {"end"}
    problem(desk.call("POST", BLOCKS, body | {"resourceId": str(uuid4())}), 404, "not_found")
    problem(desk.call("POST", BLOCKS, body | {"businessId": str(uuid4())}), 404, "unknown_business")
    for name in (str(uuid4()), "nothing"):
        problem(desk.call("DELETE", f"{BLOCKS}/{name}"), 404, "not_found")


def test_places_of_a_schedule(clients: Clients, desk: StaffClients) -> None:
    """A schedule gets more places any time, and fewer down to what is taken; each change is in the history (B-20)."""
    schedule = next(s for s in clients.schedules()[35:] if s["placesLeft"] == 12)
    path = f"/api/admin/schedules/{schedule['id']}"
    clients.commit(clients.post("/api/booking/reserve", {"scheduleId": schedule["id"], "partySize": 5}))
    shown = desk.call("PATCH", path, {"maxCapacity": 20, "reason": "a bigger hall"}).json()
    assert shown == schedule | {"maxCapacity": 20, "placesLeft": 15}
    refused = problem(desk.call("PATCH", path, {"maxCapacity": 4}), 409, "capacity_below_taken")
    assert refused["details"] == {"taken": 5}
    assert desk.call("PATCH", path, {"maxCapacity": 5}).json()["placesLeft"] == 0
    assert desk.call("PATCH", path, {"maxCapacity": 12}).json()["placesLeft"] == 7
    key = desk.key[3:35]
    assert history(clients, schedule["id"]) == [
        ("schedule", "change_capacity", "12", "20", "staff", key, "a bigger hall"),
        ("schedule", "change_capacity", "20", "5", "staff", key, None),
        ("schedule", "change_capacity", "5", "12", "staff", key, None),
    ]
    for wrong in (0, 1_000_001, "12", None):
        assert desk.call("PATCH", path, {"maxCapacity": wrong}).status_code == 400
    for name in (str(uuid4()), "nothing"):
        problem(desk.call("PATCH", f"/api/admin/schedules/{name}", {"maxCapacity": 5}), 404, "unknown_schedule")


def test_places_of_a_resource(clients: Clients, owner: StaffClients, day: date) -> None:
    """A resource gets more places any time, and fewer down to its future peak, else 409 with the peak (B-2)."""
    path = f"/api/admin/resources/{clients.resource('room')}"
    slot = clients.slots("couple-session", day)[0]
    assert owner.call("PATCH", path, {"capacity": 2, "reason": "a wall"}).json()["capacity"] == 2
    try:
        made = [clients.booked("couple-session", slot) for _ in range(2)]
        refused = problem(owner.call("PATCH", path, {"capacity": 1}), 409, "capacity_below_peak")
        assert refused["details"]["peak"] == 2
        cancelled = owner.call("POST", f"{appointment_path(made[0])}/cancel", {"expectedVersion": 2})
        assert cancelled.status_code == 200
    finally:
        assert owner.call("PATCH", path, {"capacity": 1}).json()["capacity"] == 1
    entries = history(clients, clients.resource("room"))
    assert entries[-2:] == [
        ("resource", "change_capacity", None, "2", "staff", owner.key[3:35], "a wall"),
        ("resource", "change_capacity", None, "1", "staff", owner.key[3:35], None),
    ]
    problem(owner.call("PATCH", f"/api/admin/resources/{uuid4()}", {"capacity": 1}), 404, "not_found")


@pytest.mark.parametrize("path", ["blocks", "schedules/x", "resources/x"])
def test_not_without_a_key(clients: Clients, path: str) -> None:
    """What staff change is closed to everybody else (H-4)."""
    method = "POST" if path == "blocks" else "PATCH"
    problem(clients.http.request(method, f"/api/admin/{path}", json={}), 401, "authentication_required")
