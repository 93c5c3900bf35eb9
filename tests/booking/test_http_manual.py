"""Appointments that staff make by hand: any time within the hours, never beyond capacity."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from booking.served import Clients, Json, appointment_path, new_key, problem, shifted, token_of, wrong_fields
from booking.staffed import StaffClients

PATH = "/api/booking/appointments"
GUEST = {"guestName": "Guest", "guestPhone": "+7 900 000 00 00"}


@pytest.fixture
def busy(clients: Clients, day: date) -> Iterator[Json]:
    """A slot in which an external calendar blocks practitioner-1."""
    slot = clients.slots("individual-session", day)[0]
    resource = clients.resource("practitioner-1")
    [[key]] = clients.sql(
        "insert into calendar_busy_intervals (business_id, resource_id, during, source)"
        " values (%s, %s, tstzrange(%s, %s), 'test') returning id",
        clients.card["id"],
        resource,
        slot["start"],
        slot["end"],
    )
    yield slot
    clients.sql("delete from calendar_busy_intervals where id = %s", key)


def wish(clients: Clients, service: str, slot: Json, **more: object) -> Json:
    """Return the body of an appointment by hand."""
    return clients.wish(service, slot) | GUEST | more


def moved(slot: Json, **by: float) -> Json:
    """Return a slot at another time."""
    return slot | {"start": shifted(slot["start"], **by), "end": shifted(slot["end"], **by)}


def test_staff_book_by_phone(clients: Clients, desk: StaffClients, day: date) -> None:
    """Staff make a confirmed appointment, with history and event, and hand its token on to the client (B-14, B-11)."""
    slot = clients.slots("individual-session", day)[0]
    answer = desk.call("POST", PATH, wish(clients, "individual-session", slot, reason="by phone"))
    made = answer.json()
    assert (answer.status_code, made["status"], made["version"], made["replayed"]) == (201, "confirmed", 1, False)
    shown = clients.http.get(appointment_path(made), headers=token_of(made)).json()
    assert (shown["guestName"], shown["guestEmail"], shown["start"]) == ("Guest", None, slot["start"])
    history = clients.sql(
        "select a.action, a.actor, a.actor_id::text, e.type from audit_log a join outbox_events e"
        " using (business_id, aggregate_id, version) where aggregate_id = %s",
        made["appointmentId"],
    )
    key_id = desk.key[3:35]
    assert [(*h[:2], h[2].replace("-", ""), *h[3:]) for h in history] == [
        ("book", "staff", key_id, "AppointmentConfirmed")
    ]
    assert clients.reasons(made["appointmentId"]) == ["by phone"]


def test_staff_take_no_place_that_is_taken(clients: Clients, desk: StaffClients, day: date) -> None:
    """By hand, too, a fourth booking of three practitioners is a conflict with alternatives, held places count (B-14, B-2)."""
    slot = clients.slots("individual-session", day)[0]
    clients.reserve("individual-session", slot)
    for _ in range(2):
        assert desk.call("POST", PATH, wish(clients, "individual-session", slot)).status_code == 201
    refused = desk.call("POST", PATH, wish(clients, "individual-session", slot))
    assert len(problem(refused, 409, "slot_conflict")["details"]["alternatives"]) == 5


def test_an_expired_hold_keeps_staff_from_nothing(clients: Clients, desk: StaffClients, day: date) -> None:
    """A hold that has run out and was not swept leaves its place to staff, in a room and in a group (B-4, B-14)."""
    slot = clients.slots("couple-session", day)[0]
    clients.run_out(clients.reserve("couple-session", slot))
    assert desk.call("POST", PATH, wish(clients, "couple-session", slot)).status_code == 201
    schedule = next(s for s in clients.schedules()[20:] if s["placesLeft"] == 12)
    clients.run_out(clients.post("/api/booking/reserve", {"scheduleId": schedule["id"], "partySize": 12}))
    joined = desk.call("POST", PATH, {"scheduleId": schedule["id"], "partySize": 12, **GUEST})
    assert joined.status_code == 201


def test_staff_are_bound_by_hours_and_not_by_the_offer(clients: Clients, desk: StaffClients, day: date) -> None:
    """Staff book off the grid, in the past and beyond the horizon, while the house is open; closed is 422 (A-4, B-14)."""
    slot = clients.slots("individual-session", day)[3]
    off_grid = moved(slot, minutes=7)
    problem(
        clients.http.post("/api/booking/reserve", json=clients.wish("individual-session", off_grid)),
        422,
        "slot_not_offered",
    )
    far = moved(slot, days=2_000)
    past = moved(slot, days=-1_000)
    for place in (off_grid, far, past):
        assert desk.call("POST", PATH, wish(clients, "individual-session", place)).status_code == 201
    first = clients.slots("individual-session", day)[0]
    for closed in (moved(first, hours=-2), moved(first, minutes=-5)):
        problem(desk.call("POST", PATH, wish(clients, "individual-session", closed)), 422, "slot_not_offered")
    longer = slot | {"end": shifted(slot["end"], minutes=10)}
    problem(desk.call("POST", PATH, wish(clients, "individual-session", longer)), 422, "slot_not_offered")


def test_an_owner_overrides_hours_and_says_why(clients: Clients, owner: StaffClients, day: date) -> None:
    """With override and reason an owner books while the house is closed; the reason is in the history (B-14)."""
    closed = moved(clients.slots("couple-session", day)[0], hours=-4)
    body = wish(clients, "couple-session", closed, override=True)
    for reason in (None, "", "  "):
        assert wrong_fields(owner.call("POST", PATH, body | {"reason": reason})) == {"reason"}
    made = owner.call("POST", PATH, body | {"reason": "an emergency"}).json()
    assert clients.reasons(made["appointmentId"]) == ["an emergency"]
    refused = owner.call("POST", PATH, body | {"reason": "another one"})
    problem(refused, 409, "slot_conflict")


def test_only_an_owner_overrides(clients: Clients, desk: StaffClients, day: date) -> None:
    """An assistant who overrides is 403, and has booked nothing (B-14, D-7)."""
    slot = clients.slots("couple-session", day)[0]
    body = wish(clients, "couple-session", slot, override=True, reason="please")
    problem(desk.call("POST", PATH, body), 403, "forbidden")
    assert clients.slots("couple-session", day)[0] == slot


def test_an_override_looks_past_busy_time_and_never_past_capacity(
    clients: Clients, desk: StaffClients, owner: StaffClients, busy: Json
) -> None:
    """Busy time of a calendar binds an assistant, an owner may override it; a taken place binds both (B-14, B-2)."""
    body = wish(clients, "individual-session", busy, resourceId=clients.resource("practitioner-1"))
    problem(desk.call("POST", PATH, body), 409, "slot_conflict")
    problem(owner.call("POST", PATH, body), 409, "slot_conflict")
    over = body | {"override": True, "reason": "the calendar is wrong"}
    assert owner.call("POST", PATH, over).status_code == 201
    problem(owner.call("POST", PATH, over), 409, "slot_conflict")


def test_a_group_is_joined_by_hand(clients: Clients, desk: StaffClients) -> None:
    """Staff take places in a group, counted as everybody's; a full one tells how many are left (B-14, B-20)."""
    schedule = next(s for s in clients.schedules()[25:] if s["placesLeft"] == 12)
    body = {"scheduleId": schedule["id"], "partySize": 5, **GUEST}
    assert desk.call("POST", PATH, body).status_code == 201
    assert desk.call("POST", PATH, body).status_code == 201
    refused = problem(desk.call("POST", PATH, body), 400, "CAPACITY_EXCEEDED")
    assert refused["details"] == {"placesLeft": 2}
    problem(desk.call("POST", PATH, body | {"scheduleId": clients.card["id"]}), 404, "unknown_schedule")


def test_a_repeated_booking_by_hand(clients: Clients, desk: StaffClients, day: date) -> None:
    """One key and one request make one appointment with one answer and one token; another request is 422 (B-9, B-14)."""
    slots = clients.slots("individual-session", day)
    body = wish(clients, "individual-session", slots[0])
    headers = {"Idempotency-Key": new_key()}
    first = desk.call("POST", PATH, body, headers=headers)
    again = desk.call("POST", PATH, body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json() | {"replayed": True}
    other = desk.call("POST", PATH, wish(clients, "individual-session", slots[1]), headers=headers)
    problem(other, 422, "idempotency_key_reused")
    [[answer]] = clients.sql("select answer::text from idempotency_keys where key = %s", headers["Idempotency-Key"])
    assert first.json()["cancellationToken"] not in answer


def test_what_cannot_be_booked_by_hand(clients: Clients, desk: StaffClients, day: date) -> None:
    """Nobody's appointment, no place, another business: each has its refusal (B-14, H-1, H-4)."""
    slot = clients.slots("intro-call", day)[0]
    body = wish(clients, "intro-call", slot)
    nobody = {name: value for name, value in body.items() if name not in GUEST}
    assert wrong_fields(desk.call("POST", PATH, nobody)) == {"guestName"}
    assert wrong_fields(desk.call("POST", PATH, body | {"slotEnd": None})) == {"slotEnd"}
    assert wrong_fields(desk.call("POST", PATH, body | {"scheduleId": clients.card["id"]})) == {"serviceId"}
    problem(desk.call("POST", PATH, body | {"businessId": slot["resourceIds"][0]}), 404, "unknown_business")
    problem(desk.call("POST", PATH, body | {"serviceId": clients.card["id"]}), 404, "unknown_service")


def test_what_is_paid_beforehand_is_booked_by_hand(clients: Clients, desk: StaffClients, day: date) -> None:
    """Staff book what clients have to pay for beforehand, confirmed at once and with nothing due (B-14)."""
    body = wish(clients, "intro-call", clients.slots("intro-call", day)[0])
    with clients.altered("services", "intro-call", payment_policy="prepay", price_minor=100):
        made = desk.call("POST", PATH, body)
    assert (made.status_code, made.json()["status"]) == (201, "confirmed")
    found = clients.sql("select price_minor, due_minor from bookings where id = %s", made.json()["appointmentId"])
    assert found == [(100, None)]


def test_a_walk_in(clients: Clients, desk: StaffClients) -> None:
    """Somebody who has come already is booked with a start that has passed, and has an outcome at once (B-14, B-19)."""
    slot = clients.slots("open-studio", datetime.now(UTC).date() + timedelta(days=30))[4]
    made = desk.call("POST", PATH, wish(clients, "open-studio", moved(slot, days=-31))).json()
    path = f"{appointment_path(made)}/outcome"
    assert desk.call("POST", path, {"outcome": "completed", "expectedVersion": 1}).json()["status"] == "completed"
