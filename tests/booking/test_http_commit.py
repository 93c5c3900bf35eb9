"""Committing a hold, and booking in one call."""

from datetime import date
from typing import Any
from uuid import uuid4

import pytest

from booking.served import Clients, new_key, problem, wrong_fields
from booking.staffed import StaffClients

COMMIT, BOOK = "/api/booking/commit", "/api/booking/book"
GONE = "RESERVATION_NOT_FOUND_OR_EXPIRED"
GUEST = {"guestEmail": "guest@example.org"}


def test_a_hold_becomes_an_appointment(clients: Clients, day: date) -> None:
    """A commit is 201: the reservation's own id, confirmed, with the token of its client (B-11)."""
    slot = clients.slots("individual-session", day)[0]
    held = clients.reserve("individual-session", slot, idempotencyKey=new_key())
    made = clients.commit(held, guestPhone="+7 900 123-45-67", guestName="Анна", locale="ru", timezone="Asia/Tokyo")
    assert made["appointmentId"] == held["reservationId"]
    assert (made["status"], made["version"], made["replayed"]) == ("confirmed", 2, False)
    assert (made["start"], made["end"]) == (slot["start"], slot["end"])
    assert len(made["cancellationToken"]) == 43, "256 bits"

    shown = clients.appointment(made)
    assert [shown[f"guest{name}"] for name in ("Email", "Phone", "Name")] == [
        "guest@example.org",
        "+7 900 123-45-67",
        "Анна",
    ]
    assert (shown["locale"], shown["timezone"], shown["priceMinor"], shown["currency"]) == (
        "ru",
        "Asia/Tokyo",
        350_000,
        "RUB",
    )
    assert shown["resourceIds"] == held["resourceIds"]


def test_a_commit_again(clients: Clients, day: date) -> None:
    """A repeated commit is 200 with the same appointment and the same token, and changes nothing (B-11)."""
    held = clients.reserve("intro-call", clients.slots("intro-call", day)[0])
    made = clients.commit(held)
    body = {"reservationId": held["reservationId"], "guestEmail": "Guest@Example.org"}
    assert clients.post(COMMIT, body, 200) == made | {"replayed": True}
    assert clients.appointment(made)["guestEmail"] == "guest@example.org"
    assert clients.appointment(made)["version"] == 2


def test_a_commit_by_somebody_else(clients: Clients, day: date) -> None:
    """Who repeats a commit with another address hears of the appointment and not its token: ids are no secrets (B-11)."""
    made = clients.booked("intro-call", clients.slots("intro-call", day)[0])
    body = {"reservationId": made["appointmentId"], "guestEmail": "somebody.else@example.org"}
    assert clients.post(COMMIT, body, 200) == made | {"replayed": True, "cancellationToken": None}
    assert clients.appointment(made)["guestEmail"] == "guest@example.org"


def test_what_was_never_held_is_not_committed(clients: Clients, desk: StaffClients, day: date) -> None:
    """An appointment that staff have made is no reservation, whoever asks and for whom (B-11, B-14)."""
    wish = clients.wish("intro-call", clients.slots("intro-call", day)[0])
    made = desk.call("POST", "/api/booking/appointments", wish | GUEST).json()
    answer = clients.http.post(COMMIT, json={"reservationId": made["appointmentId"], **GUEST})
    problem(answer, 404, GONE)
    clients.cancel(made)


def test_a_commit_has_one_entry_and_one_event(clients: Clients, day: date) -> None:
    """Commit writes one audit entry and one event, however often it is repeated (B-11)."""
    held = clients.reserve("intro-call", clients.slots("intro-call", day)[0])
    clients.commit(held)
    clients.post(COMMIT, {"reservationId": held["reservationId"], **GUEST}, 200)
    audit = clients.sql(
        "select action, from_state, to_state, version from audit_log where aggregate_id = %s", held["reservationId"]
    )
    events = clients.sql("select type, version from outbox_events where aggregate_id = %s", held["reservationId"])
    assert (audit, events) == ([("commit", "held", "confirmed", 2)], [("AppointmentConfirmed", 2)])


def test_the_token_is_nowhere_in_the_database(clients: Clients, day: date) -> None:
    """No column of a booking, its key, its audit or its events reveals the token (B-11)."""
    slot = clients.slots("intro-call", day)[0]
    made = clients.post(BOOK, clients.wish("intro-call", slot, idempotencyKey=new_key(), **GUEST))
    for table, column in (
        ("bookings", "id"),
        ("idempotency_keys", "booking_id"),
        ("audit_log", "aggregate_id"),
        ("outbox_events", "aggregate_id"),
    ):
        rows = clients.sql(f"select to_jsonb(t)::text from {table} t where {column} = %s", made["appointmentId"])
        assert rows, table
        assert made["cancellationToken"] not in str(rows)


def test_a_new_nonce_revokes_the_token(clients: Clients, day: date) -> None:
    """With another nonce the token proves nothing any more, and a repeated commit tells the new one (B-11)."""
    held = clients.reserve("intro-call", clients.slots("intro-call", day)[0])
    made = clients.commit(held)
    clients.alter_appointment(made, "token_nonce = decode(%s, 'hex')", uuid4().hex)
    problem(clients.cancel(made), 401, "authentication_required")
    renewed = clients.post(COMMIT, {"reservationId": held["reservationId"], **GUEST}, 200)
    assert renewed["cancellationToken"] != made["cancellationToken"]
    assert clients.cancel(renewed).status_code == 200


def test_what_is_not_there_or_not_held(clients: Clients, day: date) -> None:
    """An unknown reservation is 404, an expired one 410, both under one code (B-4, B-11)."""
    problem(clients.http.post(COMMIT, json={"reservationId": str(uuid4()), **GUEST}), 404, GONE)
    held = clients.reserve("intro-call", clients.slots("intro-call", day)[0])
    clients.run_out(held)
    answer = clients.http.post(COMMIT, json={"reservationId": held["reservationId"], **GUEST})
    assert problem(answer, 410, GONE)["message"] == "Reservation not found or expired"
    assert clients.sql("select 1 from audit_log where aggregate_id = %s", held["reservationId"]) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("guestEmail", None),
        ("guestEmail", ""),
        ("guestEmail", "no address"),
        ("guestEmail", "a@b\n"),
        ("guestEmail", "a@" + "b" * 300),
        ("guestEmail", 7),
        ("guestPhone", "call me"),
        ("guestPhone", "+ (-)"),
        ("guestPhone", "1" * 33),
        ("guestName", ""),
        ("guestName", "a\x00b"),
        ("guestName", "n" * 201),
        ("locale", "Russian please"),
        ("timezone", "Mars/Olympus"),
        ("reservationId", "x"),
        ("reservationId", 12),
    ],
)
def test_contacts_that_are_malformed(clients: Clients, field: str, value: object) -> None:
    """A malformed contact is 400, which names the member (B-11, H-1)."""
    body: dict[str, Any] = {"reservationId": str(uuid4()), **GUEST} | {field: value}
    assert wrong_fields(clients.http.post(COMMIT, json=body)) == {field}


def test_a_contact_is_needed(clients: Clients) -> None:
    """A commit without e-mail, or without a reservation, is malformed (B-11)."""
    assert wrong_fields(clients.http.post(COMMIT, json={"reservationId": str(uuid4())})) == {"body"}
    assert wrong_fields(clients.http.post(COMMIT, json=GUEST)) == {"body"}
    assert wrong_fields(clients.http.post(COMMIT)) == {"body"}


def test_a_booking_in_one_call(clients: Clients, day: date) -> None:
    """Book takes the place and confirms it at once, with the token of the client (B-13)."""
    slot = clients.slots("couple-session", day)[0]
    made = clients.post(BOOK, clients.wish("couple-session", slot, **GUEST, guestName="Пара"))
    assert (made["status"], made["version"], made["replayed"]) == ("confirmed", 1, False)
    assert clients.appointment(made)["guestName"] == "Пара"
    assert slot["start"] not in [s["start"] for s in clients.slots("couple-session", day)]
    refused = clients.http.post(BOOK, json=clients.wish("couple-session", slot, **GUEST))
    assert problem(refused, 409, "slot_conflict")["details"]["alternatives"]


def test_booking_what_is_not_offered(clients: Clients, day: date) -> None:
    """Book refuses what reserve refuses, and needs a contact (B-13, A-4)."""
    slot = clients.slots("intro-call", day)[0]
    assert wrong_fields(clients.http.post(BOOK, json=clients.wish("intro-call", slot))) == {"body"}
    wish = clients.wish("intro-call", slot, **GUEST)
    problem(clients.http.post(BOOK, json=wish | {"serviceId": str(uuid4())}), 404, "unknown_service")
    off = {"slotStart": slot["start"].replace(":00Z", ":30Z"), "slotEnd": slot["end"].replace(":00Z", ":30Z")}
    problem(clients.http.post(BOOK, json=wish | off), 422, "slot_not_offered")


def test_what_must_be_prepaid_is_refused(clients: Clients, day: date) -> None:
    """Where nobody takes money, what must be paid in advance is refused with a clear error, service or program (B-13)."""
    slot = clients.slots("intro-call", day)[0]
    with clients.altered("services", "intro-call", payment_policy="prepay", price_minor=100):
        refused = clients.http.post(BOOK, json=clients.wish("intro-call", slot, **GUEST))
        assert "paid in advance" in problem(refused, 422, "payments_unavailable")["message"]
    schedule = clients.schedules("open-lecture")[-1]
    with clients.altered("programs", "open-lecture", payment_policy="prepay", price_minor=100):
        for path in (BOOK, "/api/booking/reserve"):
            problem(clients.http.post(path, json={"scheduleId": schedule["id"], **GUEST}), 422, "payments_unavailable")
        listed = clients.http.get("/api/public/programs/open-lecture/schedules")
        problem(listed, 422, "payments_unavailable")
    assert clients.schedules("open-lecture")[-1] == schedule
