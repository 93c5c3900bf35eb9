"""Staff on appointments: they name what they saw, learn in words what they did not, and say how it ended."""

import re
from datetime import date
from typing import Any
from uuid import uuid4

import pytest

from booking.served import Clients, Json, appointment_path, new_key, problem, shifted, token_of, wrong_fields
from booking.staffed import StaffClients

PATH = "/api/booking/appointments"


@pytest.fixture
def made(clients: Clients, day: date) -> Json:
    """An appointment at version 2, made by a client."""
    held = clients.reserve("individual-session", clients.slots("individual-session", day)[0])
    return clients.commit(held, guestName="Guest")


@pytest.fixture
def begun(clients: Clients, desk: StaffClients, day: date) -> Json:
    """An appointment at version 1 that has begun, made by staff."""
    slot = clients.slots("open-studio", day)[7]
    past = slot | {"start": shifted(slot["start"], days=-100), "end": shifted(slot["end"], days=-100)}
    body: Json = desk.call("POST", PATH, clients.wish("open-studio", past) | {"guestName": "Guest"}).json()
    return body


def later(clients: Clients, made: Json, number: int) -> Json:
    """Return the body that moves an appointment to a later slot of its day."""
    slot = clients.slots("individual-session", date.fromisoformat(made["start"][:10]))[number]
    return {"slotStart": slot["start"], "slotEnd": slot["end"]}


def changes(desk: StaffClients, clients: Clients, made: Json) -> dict[str, Any]:
    """Return each change that staff make, as a call that names the version in its body."""
    path = appointment_path(made)
    return {
        "move": lambda **v: desk.call("PATCH", path, later(clients, made, 3) | v),
        "contact": lambda **v: desk.call("PATCH", path, {"guestName": "Berta"} | v),
        "cancel": lambda **v: desk.call("POST", f"{path}/cancel", v),
        "refund": lambda **v: desk.call("POST", f"{path}/refund", v),
    }


@pytest.mark.parametrize("name", ["move", "contact", "cancel", "refund"])
def test_staff_name_the_version_that_they_saw(clients: Clients, desk: StaffClients, made: Json, name: str) -> None:
    """Without a version a change by staff is 428, with a stale one 409; with the current one it is made (B-15)."""
    call = changes(desk, clients, made)[name]
    problem(call(), 428, "version_required")
    clients.change(made, {"guestName": "Guest B"})
    stale = problem(call(expectedVersion=2), 409, "CONFLICT")
    assert stale["details"]["currentVersion"] == 3
    assert clients.appointment(made)["version"] == 3
    done = call(expectedVersion=3)
    assert (done.status_code, done.json()["version"]) == (200, 4)


@pytest.mark.parametrize("name", ["move", "contact", "cancel", "refund"])
def test_versions_that_no_appointment_can_have(clients: Clients, desk: StaffClients, made: Json, name: str) -> None:
    """A version that no row can hold is stale to each change by staff, whatever its size, and changes nothing (B-15)."""
    call = changes(desk, clients, made)[name]
    for version in (-1, 10**9, 2**31, 2**63, 2**70):
        problem(call(expectedVersion=version), 409, "CONFLICT")
    assert clients.appointment(made)["version"] == 2


def test_an_outcome_names_the_version_too(desk: StaffClients, begun: Json) -> None:
    """An outcome without a version is 428, with a stale one 409 (B-15, B-19)."""
    path = f"{appointment_path(begun)}/outcome"
    problem(desk.call("POST", path, {"outcome": "completed"}), 428, "version_required")
    assert desk.call("POST", path, {"outcome": "completed"}, headers={"If-Match": '"1"'}).status_code == 200
    late = problem(desk.call("POST", path, {"outcome": "no_show", "expectedVersion": 1}), 409, "CONFLICT")
    assert "marked as completed by staff" in late["message"]


def test_who_comes_too_late_is_told_what_was_changed(
    clients: Clients, desk: StaffClients, owner: StaffClients, made: Json
) -> None:
    """A stale version is answered with each change since: what, by client or staff, by which key, when, where to (B-15)."""
    body = later(clients, made, 3)
    assert clients.change(made, {"guestName": "Guest B"}).status_code == 200
    assert owner.call("PATCH", appointment_path(made), body | {"expectedVersion": 3}).status_code == 200
    refused = desk.call("POST", f"{appointment_path(made)}/cancel", {"expectedVersion": 2, "reason": "ill"})
    told = problem(refused, 409, "CONFLICT")
    time = r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"
    start = body["slotStart"].replace("T", " ")[:16]
    assert re.fullmatch(
        rf"Since you saw it, this appointment was given another contact by the client at {time}"
        rf" and moved to {start} UTC by staff \(owner\) at {time}\. Read it again before you change it",
        told["message"],
    )
    first, second = told["details"]["changes"]
    assert told["details"]["currentVersion"] == 4
    assert (first["version"], first["action"], first["by"], first["byName"]) == (3, "change_contact", "client", None)
    assert (second["version"], second["action"], second["by"], second["byName"]) == (4, "reschedule", "staff", "owner")
    assert second["start"] == body["slotStart"]
    assert all(change["at"].endswith("Z") for change in (first, second))
    assert "Guest" not in refused.text, "no personal data"


def test_a_cancellation_meanwhile_is_told(clients: Clients, desk: StaffClients, made: Json) -> None:
    """Staff who move what was cancelled meanwhile hear that the client has cancelled it, not merely a state (B-15)."""
    body = later(clients, made, 3)
    clients.cancel(made)
    told = problem(desk.call("PATCH", appointment_path(made), body | {"expectedVersion": 2}), 409, "CONFLICT")
    assert "cancelled by the client" in told["message"]
    again = problem(
        desk.call("POST", f"{appointment_path(made)}/cancel", {"expectedVersion": 2}),
        400,
        "RESERVATION_ALREADY_CANCELLED",
    )
    assert [change["by"] for change in again["details"]["changes"]] == ["client"]
    now = desk.call("PATCH", appointment_path(made), body | {"expectedVersion": 3})
    problem(now, 400, "RESERVATION_ALREADY_CANCELLED")


def test_staff_are_not_bound_by_notice(clients: Clients, desk: StaffClients, made: Json) -> None:
    """After the time for clients has run out, staff still move and cancel, with reason and key in the history (B-16, B-17)."""
    with clients.altered("services", "individual-session", cancel_notice_minutes=525_600):
        problem(clients.cancel(made), 409, "CANCELLATION_CLOSED")
        moved = desk.call(
            "PATCH", appointment_path(made), later(clients, made, 3) | {"expectedVersion": 2, "reason": "asked"}
        )
        assert (moved.status_code, moved.headers["etag"]) == (200, '"3"')
        cancelled = desk.call("POST", f"{appointment_path(made)}/cancel", {"expectedVersion": 3, "reason": "ill"})
        assert cancelled.json()["status"] == "cancelled"
    history = clients.sql(
        "select action, actor, replace(actor_id::text, '-', '') from audit_log where aggregate_id = %s order by version",
        made["appointmentId"],
    )
    told = zip(history, clients.reasons(made["appointmentId"]), strict=True)
    assert [(*entry, reason) for entry, reason in told] == [
        ("commit", "client", None, None),
        ("reschedule", "staff", desk.key[3:35], "asked"),
        ("cancel", "staff", desk.key[3:35], "ill"),
    ]


def test_staff_move_off_the_grid(clients: Clients, desk: StaffClients, made: Json) -> None:
    """Staff move to a time that the public is not offered; a closed one is refused, and a taken one a conflict (B-16)."""
    body = {name: shifted(at, minutes=7) for name, at in later(clients, made, 3).items()}
    moved = desk.call("PATCH", appointment_path(made), body | {"expectedVersion": 2})
    assert moved.json()["start"] == body["slotStart"].replace("+00:00", "Z")
    closed = {name: shifted(at, hours=12) for name, at in later(clients, made, 3).items()}
    refused = desk.call("PATCH", appointment_path(made), closed | {"expectedVersion": 3})
    problem(refused, 422, "slot_not_offered")
    taken = later(clients, made, 8)
    for _ in range(3):
        clients.post("/api/booking/reserve", {"serviceId": made["serviceId"], **taken})
    problem(desk.call("PATCH", appointment_path(made), taken | {"expectedVersion": 3}), 409, "slot_conflict")


def test_a_refund_is_a_state(clients: Clients, desk: StaffClients, made: Json) -> None:
    """A refund of nothing is 0, frees the place once, and repeated is 400; its key finds the same answer (B-9, B-18)."""
    body, path = {"expectedVersion": 2}, f"{appointment_path(made)}/refund"
    headers = {"Idempotency-Key": new_key()}
    slot = {"serviceId": made["serviceId"], "slotStart": made["start"], "slotEnd": made["end"]}
    before = clients.get("/api/booking/capacity", **slot)["available"]
    first = desk.call("POST", path, body, headers=headers)
    shown = first.json()
    assert (shown["status"], shown["refundedMinor"], shown["currency"], shown["version"]) == ("refunded", 0, "RUB", 3)
    assert clients.get("/api/booking/capacity", **slot)["available"] == before + 1
    for version in (2, 3, None):
        problem(desk.call("POST", path, {"expectedVersion": version}), 400, "ALREADY_REFUNDED")
    assert desk.call("POST", path, body, headers=headers).json() == shown | {"replayed": True}
    assert clients.get("/api/booking/capacity", **slot)["available"] == before + 1
    events = clients.sql(
        "select type from outbox_events where aggregate_id = %s order by version", made["appointmentId"]
    )
    assert events == [("AppointmentConfirmed",), ("AppointmentRefunded",)]


def test_only_what_is_confirmed_is_refunded(clients: Clients, desk: StaffClients, made: Json, begun: Json) -> None:
    """What is cancelled, or has an outcome, is 409 to a refund, whatever version is named (B-18)."""
    clients.cancel(made)
    desk.call("POST", f"{appointment_path(begun)}/outcome", {"outcome": "no_show", "expectedVersion": 1})
    for booking, state in ((made, "cancelled"), (begun, "no_show")):
        for version in (1, 2, 3, None):
            refused = desk.call("POST", f"{appointment_path(booking)}/refund", {"expectedVersion": version})
            assert problem(refused, 409, "REFUND_NOT_ALLOWED")["details"]["status"] == state


def test_an_outcome_is_said_and_corrected(clients: Clients, desk: StaffClients, begun: Json) -> None:
    """An outcome is recorded after the start, said again it changes nothing, and it can be corrected (B-19)."""
    path = f"{appointment_path(begun)}/outcome"
    for outcome, version, then in (("no_show", 1, 2), ("no_show", 2, 2), ("completed", 2, 3), ("no_show", 3, 4)):
        answer = desk.call("POST", path, {"outcome": outcome, "expectedVersion": version, "reason": "seen"})
        assert (answer.status_code, answer.json()["status"], answer.json()["version"]) == (200, outcome, then)
    history = clients.sql(
        "select action, from_state, to_state, actor from audit_log where aggregate_id = %s order by version",
        begun["appointmentId"],
    )
    told = zip(history, clients.reasons(begun["appointmentId"]), strict=True)
    assert [(*entry, reason) for entry, reason in told][1:] == [
        ("outcome", "confirmed", "no_show", "staff", "seen"),
        ("outcome", "no_show", "completed", "staff", "seen"),
        ("outcome", "completed", "no_show", "staff", "seen"),
    ]
    assert wrong_fields(desk.call("POST", path, {"outcome": "cancelled"})) == {"outcome"}


def test_an_outcome_with_a_key(desk: StaffClients, begun: Json) -> None:
    """A repeated outcome with its key is the same answer, also after a correction (B-9, B-19)."""
    path, headers = f"{appointment_path(begun)}/outcome", {"Idempotency-Key": new_key()}
    body = {"outcome": "no_show", "expectedVersion": 1}
    first = desk.call("POST", path, body, headers=headers).json()
    desk.call("POST", path, {"outcome": "completed", "expectedVersion": 2})
    assert desk.call("POST", path, body, headers=headers).json() == first | {"replayed": True}
    other = desk.call("POST", path, body | {"outcome": "completed"}, headers=headers)
    problem(other, 422, "idempotency_key_reused")


def test_before_the_start_there_is_no_outcome(clients: Clients, desk: StaffClients, made: Json) -> None:
    """Before its start an appointment has no outcome, and neither has a cancelled one (B-19)."""
    path, body = f"{appointment_path(made)}/outcome", {"outcome": "no_show", "expectedVersion": 2}
    early = problem(desk.call("POST", path, body), 409, "outcome_too_early")
    assert early["details"]["start"] == made["start"]
    clients.cancel(made)
    none = desk.call("POST", path, body | {"expectedVersion": 3})
    assert problem(none, 409, "not_changeable")["details"]["status"] == "cancelled"


def test_changes_by_staff_with_a_key(clients: Clients, desk: StaffClients, made: Json) -> None:
    """A move and a cancellation by staff are repeated with their key without a second effect (B-9)."""
    move, cancel = ({"Idempotency-Key": new_key()} for _ in range(2))
    body = later(clients, made, 3) | {"expectedVersion": 2}
    first = desk.call("PATCH", appointment_path(made), body, headers=move).json()
    gone = desk.call("POST", f"{appointment_path(made)}/cancel", {"expectedVersion": 3}, headers=cancel).json()
    assert desk.call("PATCH", appointment_path(made), body, headers=move).json() == first | {"replayed": True}
    again = desk.call("POST", f"{appointment_path(made)}/cancel", {"expectedVersion": 3}, headers=cancel).json()
    assert again == gone | {"replayed": True}
    assert clients.sql("select version from bookings where id = %s", made["appointmentId"]) == [(4,)]


def test_a_client_needs_no_version(clients: Clients, made: Json) -> None:
    """With the token of the booking a client changes it without naming a version, as before (B-15)."""
    assert (
        clients.http.patch(appointment_path(made), json={"guestName": "B"}, headers=token_of(made)).status_code == 200
    )
    assert clients.cancel(made).status_code == 200


def test_what_is_not_there_for_staff(clients: Clients, desk: StaffClients, day: date) -> None:
    """A hold, an unknown id and no id are 404 to every call of staff (H-1)."""
    held = clients.reserve("intro-call", clients.slots("intro-call", day)[0])["reservationId"]
    for name in (held, str(uuid4()), "nothing"):
        path = f"{PATH}/{name}"
        answers = [
            desk.call("GET", path),
            desk.call("PATCH", path, {"guestName": "B"}),
            desk.call("POST", f"{path}/cancel", {}),
            desk.call("POST", f"{path}/refund", {}),
            desk.call("POST", f"{path}/outcome", {"outcome": "completed"}),
        ]
        for answer in answers:
            problem(answer, 404, "appointment_not_found")
