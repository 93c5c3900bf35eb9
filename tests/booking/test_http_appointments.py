"""Appointments over HTTP: reading, changing the contact, cancelling."""

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest

from booking.served import NOWHERE, Clients, appointment_path, instant, new_key, problem, token_of, wrong_fields

PATH = "/api/booking/appointments/"
CANCELLED = "RESERVATION_ALREADY_CANCELLED"


@pytest.fixture
def made(clients: Clients, day: date) -> dict[str, Any]:
    """An appointment on a day of its own, with its token."""
    held = clients.reserve("individual-session", clients.slots("individual-session", day)[0])
    return clients.commit(held, guestName="Guest")


def test_an_appointment_is_shown_to_its_client(clients: Clients, made: dict[str, Any]) -> None:
    """With its token an appointment is shown whole, tagged with its version (B-11, B-15)."""
    answer = clients.http.get(appointment_path(made), headers=token_of(made))
    shown = answer.json()
    assert (answer.status_code, answer.headers["etag"], shown["version"]) == (200, '"2"', 2)
    assert (shown["status"], shown["guestName"], shown["guestEmail"]) == ("confirmed", "Guest", "guest@example.org")
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("token", [None, "", "x", "é", "A" * 43, "A" * 5_000])
def test_the_token_is_needed(clients: Clients, made: dict[str, Any], token: str | None) -> None:
    """Without the token, or with another, nothing is shown and nothing changed (B-11, H-1)."""
    headers = {} if token is None else {"Booking-Token": token.encode("latin-1")}
    path = appointment_path(made)
    problem(clients.http.get(path, headers=headers), 401, "authentication_required")
    problem(clients.http.patch(path, headers=headers, json={"guestName": "B"}), 401, "authentication_required")
    if token is None or len(token) <= 200:
        body = {} if token is None else {"cancellationToken": token}
        problem(clients.http.post(f"{path}/cancel", json=body), 401, "authentication_required")
    assert clients.appointment(made)["version"] == 2


def test_the_token_of_another_booking(clients: Clients, day: date, made: dict[str, Any]) -> None:
    """The token of one booking proves nothing about another (B-11)."""
    other = clients.booked("individual-session", clients.slots("individual-session", day)[2])
    problem(clients.http.get(appointment_path(made), headers=token_of(other)), 401, "authentication_required")
    body = {"cancellationToken": other["cancellationToken"]}
    problem(clients.http.post(f"{appointment_path(made)}/cancel", json=body), 401, "authentication_required")


@pytest.mark.parametrize("name", [NOWHERE, "nothing", "%00", "%ff", "1" * 36])
def test_an_appointment_that_is_not_there(clients: Clients, name: str) -> None:
    """What is no appointment is 404 to every call (H-1)."""
    problem(clients.http.get(PATH + name), 404, "appointment_not_found")
    problem(clients.http.patch(PATH + name, json={"guestName": "B"}), 404, "appointment_not_found")
    problem(clients.http.post(f"{PATH}{name}/cancel", json={}), 404, "appointment_not_found")


def test_a_hold_is_no_appointment(clients: Clients, day: date) -> None:
    """A reservation is no appointment before its commit."""
    held = clients.reserve("intro-call", clients.slots("intro-call", day)[-1])
    path = PATH + held["reservationId"]
    for answer in (clients.http.get(path), clients.http.post(f"{path}/cancel", json={})):
        problem(answer, 404, "appointment_not_found")


def test_the_business_is_checked_where_it_is_named(clients: Clients, made: dict[str, Any]) -> None:
    """A business that is named with an appointment and is not its own finds nothing."""
    wrong, right = {"businessId": str(uuid4())}, {"businessId": clients.card["id"]}
    headers = token_of(made)
    problem(clients.http.get(appointment_path(made), params=wrong, headers=headers), 404, "appointment_not_found")
    problem(clients.change(made, {"guestName": "B"} | wrong), 404, "appointment_not_found")
    problem(clients.cancel(made, **wrong), 404, "appointment_not_found")
    assert clients.http.get(appointment_path(made), params=right, headers=headers).status_code == 200
    assert clients.change(made, {"guestName": "B"} | right).status_code == 200
    assert clients.cancel(made, **right).status_code == 200


def test_a_contact_is_changed(clients: Clients, made: dict[str, Any]) -> None:
    """A client changes what they give and nothing else; the version rises by one and is the new tag (B-15)."""
    answer = clients.change(made, {"guestPhone": "+7 900 000-00-00", "locale": "en", "timezone": "Asia/Tokyo"})
    shown = answer.json()
    assert (answer.status_code, answer.headers["etag"], shown["version"]) == (200, '"3"', 3)
    assert (shown["guestPhone"], shown["guestName"], shown["guestEmail"], shown["locale"], shown["timezone"]) == (
        "+7 900 000-00-00",
        "Guest",
        "guest@example.org",
        "en",
        "Asia/Tokyo",
    )
    assert clients.appointment(made) == shown
    events = clients.sql(
        "select type from outbox_events where aggregate_id = %s order by version", made["appointmentId"]
    )
    assert events == [("AppointmentConfirmed",), ("AppointmentUpdated",)]


@pytest.mark.parametrize("how", ["If-Match", "weak", "expectedVersion"])
def test_a_change_of_an_old_version(clients: Clients, made: dict[str, Any], how: str) -> None:
    """A change that saw an older version is 409 CONFLICT with the current one; with that one it is made (B-15)."""

    def change(version: int) -> Any:
        body: dict[str, Any] = {"guestName": f"Guest {version}"}
        if how == "expectedVersion":
            return clients.change(made, body | {"expectedVersion": version})
        return clients.change(made, body, {"If-Match": f'W/"{version}"' if how == "weak" else f'"{version}"'})

    for stale in (1, 3):
        assert problem(change(stale), 409, "CONFLICT")["details"] == {"currentVersion": 2}
    assert change(2).json()["version"] == 3
    assert problem(change(2), 409, "CONFLICT")["details"] == {"currentVersion": 3}


def test_any_version_will_do(clients: Clients, made: dict[str, Any]) -> None:
    """A client with a token needs to name no version, and may say so with a star (B-15)."""
    assert clients.change(made, {"guestName": "B"}).json()["version"] == 3
    assert clients.change(made, {"guestName": "C"}, {"If-Match": "*"}).json()["version"] == 4


@pytest.mark.parametrize("tag", ["-1", '"-1"', '"99999999999999999999"', '"1", "2"', "", "abc", "²", '"', "W/"])
def test_tags_that_are_malformed(clients: Clients, made: dict[str, Any], tag: str) -> None:
    """An If-Match that is no version is 400, which names it (B-15, H-1)."""
    answer = clients.http.patch(
        appointment_path(made), headers=token_of(made) | {"If-Match": tag.encode("latin-1")}, json={"guestName": "B"}
    )
    assert wrong_fields(answer) == {"If-Match"}


def test_two_versions_that_differ(clients: Clients, made: dict[str, Any]) -> None:
    """Header and member must name the same version (B-15)."""
    answer = clients.change(made, {"guestName": "B", "expectedVersion": 3}, {"If-Match": '"2"'})
    assert wrong_fields(answer) == {"expectedVersion"}
    assert clients.change(made, {"guestName": "B", "expectedVersion": 2}, {"If-Match": '"2"'}).status_code == 200


@pytest.mark.parametrize("version", [-1, 0, 10**9, 10**30])
def test_versions_that_never_were(clients: Clients, made: dict[str, Any], version: int) -> None:
    """A version that never was is a conflict like any other (B-15)."""
    answer = clients.change(made, {"guestName": "B", "expectedVersion": version})
    assert problem(answer, 409, "CONFLICT")["details"] == {"currentVersion": 2}
    problem(clients.cancel(made, expectedVersion=version), 409, "CONFLICT")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"colour": "blue"},
        {"serviceId": str(uuid4())},
        {"slotStart": "2027-01-01T10:00:00Z", "slotEnd": "2027-01-01T10:50:00Z", "guestName": "B"},
    ],
)
def test_a_change_is_of_one_kind(clients: Clients, made: dict[str, Any], body: dict[str, Any]) -> None:
    """A change is a move or another contact, one of the two."""
    assert wrong_fields(clients.change(made, body)) == {"body"}


def test_a_cancellation(clients: Clients, day: date, made: dict[str, Any]) -> None:
    """A client cancels: the state changes, the place is free, one entry and one event are written (B-17)."""
    assert clients.slots("individual-session", day)[0]["placesLeft"] == 2
    answer = clients.cancel(made, reason="ill")
    shown = answer.json()
    assert (answer.status_code, shown["status"], shown["version"]) == (200, "cancelled", 3)
    assert shown["appointmentId"] == made["appointmentId"]
    assert "Guest" not in answer.text
    assert clients.slots("individual-session", day)[0]["placesLeft"] == 3
    assert clients.appointment(made)["status"] == "cancelled"
    audit = "select action, from_state, to_state, actor from audit_log where aggregate_id = %s and version = 3"
    assert clients.sql(audit, made["appointmentId"]) == [("cancel", "confirmed", "cancelled", "client")]
    assert clients.reasons(made["appointmentId"]) == [None, "ill"]
    events = clients.sql(
        "select type from outbox_events where aggregate_id = %s order by version", made["appointmentId"]
    )
    assert events == [("AppointmentConfirmed",), ("AppointmentCancelled",)]


def test_a_cancellation_once(clients: Clients, day: date) -> None:
    """Cancelled again it is 400, and the place is given back exactly once (B-17, field pain 9)."""
    slot = clients.slots("open-studio", day)[0]
    made = clients.booked("open-studio", slot, partySize=5)
    clients.reserve("open-studio", slot, partySize=3)
    assert clients.cancel(made).status_code == 200
    for _ in range(2):
        assert problem(clients.cancel(made), 400, CANCELLED)["message"] == "This appointment is already cancelled"
    assert clients.slots("open-studio", day)[0]["placesLeft"] == 9
    problem(clients.change(made, {"guestName": "B"}), 400, CANCELLED)


def test_a_cancellation_of_an_old_version(clients: Clients, made: dict[str, Any]) -> None:
    """A cancellation may name the version that it saw, in body or header (B-15, B-17)."""
    problem(clients.cancel(made, expectedVersion=1), 409, "CONFLICT")
    path, body = f"{appointment_path(made)}/cancel", {"cancellationToken": made["cancellationToken"]}
    problem(clients.http.post(path, json=body, headers={"If-Match": '"1"'}), 409, "CONFLICT")
    assert clients.http.post(path, json=body, headers={"If-Match": '"2"'}).status_code == 200


def test_a_cancellation_that_comes_too_late(clients: Clients, day: date, made: dict[str, Any]) -> None:
    """Within the notice of the service a client can neither cancel nor move, but still mend the contact (B-17)."""
    slot = clients.slots("individual-session", day)[-1]
    notice = timedelta(days=365)
    with clients.altered("services", "individual-session", cancel_notice_minutes=notice.days * 1_440):
        refused = problem(clients.cancel(made), 409, "CANCELLATION_CLOSED")
        assert instant(refused["details"]["until"]) == instant(made["start"]) - notice
        move = {"slotStart": slot["start"], "slotEnd": slot["end"]}
        problem(clients.change(made, move), 409, "CANCELLATION_CLOSED")
        assert clients.change(made, {"guestName": "B"}).status_code == 200
    assert clients.appointment(made)["status"] == "confirmed"
    assert clients.cancel(made).status_code == 200


@pytest.mark.parametrize("state", ["completed", "no_show", "refunded"])
def test_what_is_over_is_not_changed(clients: Clients, made: dict[str, Any], state: str) -> None:
    """Only a confirmed appointment can be cancelled, moved or given another contact (B-15, B-17)."""
    clients.alter_appointment(made, "state = %s", state)
    move = {"slotStart": made["start"], "slotEnd": made["end"]}
    for answer in (clients.cancel(made), clients.change(made, {"guestName": "B"}), clients.change(made, move)):
        assert problem(answer, 409, "not_changeable")["details"] == {"status": state}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reason", "r" * 501),
        ("reason", "a\x00b"),
        ("reason", 5),
        ("cancellationToken", "t" * 201),
        ("cancellationToken", []),
        ("expectedVersion", "2"),
        ("expectedVersion", True),
        ("expectedVersion", 2.5),
        ("idempotencyKey", "k" * 201),
        ("businessId", "x"),
    ],
)
def test_cancellations_that_are_malformed(clients: Clients, made: dict[str, Any], field: str, value: object) -> None:
    """A malformed cancellation is 400, which names the member, and changes nothing (B-17, H-1)."""
    assert wrong_fields(clients.cancel(made, **{field: value})) == {field}
    assert clients.appointment(made)["version"] == 2


def test_a_key_may_stand_in_the_header(clients: Clients, made: dict[str, Any]) -> None:
    """A cancellation takes its key from the header as well (B-9, B-17)."""
    path, body = f"{appointment_path(made)}/cancel", {"cancellationToken": made["cancellationToken"]}
    header = {"Idempotency-Key": new_key()}
    first = clients.http.post(path, json=body, headers=header).json()
    assert clients.http.post(path, json=body, headers=header).json() == first | {"replayed": True}
