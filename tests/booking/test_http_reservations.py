"""Reservations over HTTP: holding, reading, prolonging and giving back."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest

from booking.served import NOWHERE, Clients, instant, problem, shifted, wrong_fields

RESERVE = "/api/booking/reserve"
GONE = "RESERVATION_NOT_FOUND_OR_EXPIRED"


def path_of(reservation: dict[str, str]) -> str:
    """Return the path of a reservation."""
    return f"/api/booking/reservations/{reservation['reservationId']}"


def test_a_hold_of_a_slot(clients: Clients, day: date) -> None:
    """A reserved slot is 201 with id, status, expiry and resources, for 15 minutes by default (B-1)."""
    slot = clients.slots("individual-session", day)[0]
    held = clients.reserve("individual-session", slot)
    assert (held["status"], held["replayed"], held["version"], held["partySize"]) == ("held", False, 1, 1)
    assert (held["start"], held["end"]) == (slot["start"], slot["end"])
    assert held["remainingSeconds"] == 900
    assert timedelta(minutes=14) < instant(held["expiresAt"]) - datetime.now(UTC) <= timedelta(minutes=15)
    assert len(held["resourceIds"]) == 1
    assert held["resourceIds"][0] in slot["resourceIds"]
    assert (held["serviceId"], held["scheduleId"]) == (clients.service("individual-session")["id"], None)


def test_a_hold_takes_everything_that_the_service_needs(clients: Clients, day: date) -> None:
    """A couple's session holds a practitioner and the room: a second one at that time is refused (B-6, B-22)."""
    slot = clients.slots("couple-session", day)[0]
    held = clients.reserve("couple-session", slot)
    assert len(set(held["resourceIds"]) & set(slot["resourceIds"])) == 1
    assert clients.resource("room") in held["resourceIds"]
    refused = clients.http.post(RESERVE, json=clients.wish("couple-session", slot))
    assert problem(refused, 409, "slot_conflict")["message"] == "The selected time slot is no longer available"


def test_a_pool_is_not_shown(clients: Clients, day: date) -> None:
    """The pool that bounds a service is not among the resources of a reservation, first seen or read again (B-2)."""
    slot = clients.slots("open-studio", day)[0]
    held = clients.reserve("open-studio", slot, idempotencyKey=f"pool {uuid4()}")
    assert held["resourceIds"] == [clients.resource("studio")]
    assert clients.read(held)["resourceIds"] == [clients.resource("studio")]


def test_a_hold_is_read_by_its_id(clients: Clients, day: date) -> None:
    """A reservation can be read by id in every state, with its remaining seconds and nothing personal (B-12)."""
    slot, other = clients.slots("intro-call", day)[:2]
    held = clients.reserve("intro-call", slot, guestEmail="secret@example.org", guestPhone="+7 900 000-00-00")
    read = clients.read(held)
    assert 890 <= read["remainingSeconds"] <= 900
    assert read | {"remainingSeconds": 900} == held

    clients.commit(held, guestName="Somebody Secret")
    after = clients.read(held)
    assert (after["status"], after["version"], after["remainingSeconds"]) == ("confirmed", 2, 0)
    assert "ecret" not in str(after)

    released = clients.reserve("intro-call", other)
    assert clients.http.delete(path_of(released)).status_code == 204
    assert (clients.read(released)["status"], clients.read(released)["remainingSeconds"]) == ("released", 0)


def test_a_named_resource_is_the_one_held(clients: Clients, day: date) -> None:
    """A request that names a practitioner gets that one or a conflict, whoever else is free (B-7, B-22)."""
    chosen = clients.resource("practitioner-3")
    slot = clients.slots("individual-session", day)[0]
    assert clients.reserve("individual-session", slot, resourceId=chosen)["resourceIds"] == [chosen]
    refused = clients.http.post(RESERVE, json=clients.wish("individual-session", slot, resourceId=chosen))
    alternatives = problem(refused, 409, "slot_conflict")["details"]["alternatives"]
    assert alternatives[0]["start"] == slot["start"], "another practitioner is free at that very time"
    assert alternatives[0]["resourceId"] != chosen


def test_a_conflict_names_what_is_free(clients: Clients, day: date) -> None:
    """A conflict brings the five nearest alternatives, nearest first, and each can be reserved (B-22)."""
    slots = clients.slots("individual-session", day)
    middle = slots[len(slots) // 2]
    for _ in range(3):
        clients.reserve("individual-session", middle)
    refused = problem(clients.http.post(RESERVE, json=clients.wish("individual-session", middle)), 409, "slot_conflict")
    alternatives = refused["details"]["alternatives"]
    assert len(alternatives) == 5
    assert all(set(a) == {"start", "end", "resourceId"} for a in alternatives)
    away = [abs(instant(a["start"]) - instant(middle["start"])) for a in alternatives]
    assert away == sorted(away)
    assert timedelta(0) not in away
    for other in alternatives:
        held = clients.reserve("individual-session", other, resourceId=other["resourceId"])
        assert held["resourceIds"] == [other["resourceId"]]
        assert clients.http.delete(path_of(held)).status_code == 204


@pytest.mark.parametrize(
    ("wish", "seconds"),
    [
        ({"ttlMinutes": 5}, 300),
        ({"ttlSeconds": 90}, 90),
        ({"ttlMinutes": 16}, 900),
        ({"ttlMinutes": 1_440}, 900),
        ({"ttlSeconds": 86_400}, 900),
        ({"ttlMinutes": None, "ttlSeconds": None}, 900),
    ],
)
def test_less_time_may_be_asked_for(clients: Clients, day: date, wish: dict[str, int], seconds: int) -> None:
    """A request may ask for a shorter hold; a longer one is cut to that of the service (B-1)."""
    held = clients.reserve("intro-call", clients.slots("intro-call", day)[0], **wish)
    assert held["remainingSeconds"] == seconds


@pytest.mark.parametrize("wish", [{"ttlSeconds": 0}, {"ttlMinutes": 0}, {"ttlSeconds": 86_401}, {"ttlMinutes": 1_441}])
def test_times_to_live_out_of_range(clients: Clients, day: date, wish: dict[str, int]) -> None:
    """A hold of no time, or of more than the hard maximum of 24 hours, is malformed (B-1)."""
    slot = clients.slots("intro-call", day)[0]
    assert wrong_fields(clients.http.post(RESERVE, json=clients.wish("intro-call", slot, **wish))) == set(wish)


def test_a_hold_is_prolonged(clients: Clients, day: date) -> None:
    """Extending counts from now, is cut to the time of the service, never shortens and raises the version (B-12)."""
    held = clients.reserve("intro-call", clients.slots("intro-call", day)[0], ttlSeconds=60)
    longer = clients.post(f"{path_of(held)}/extend", {"ttlMinutes": 10}, 200)
    assert 595 <= longer["remainingSeconds"] <= 600
    assert longer["version"] == 2
    shorter = clients.post(f"{path_of(held)}/extend", {"ttlSeconds": 5}, 200)
    assert shorter["expiresAt"] == longer["expiresAt"]
    longest = clients.post(f"{path_of(held)}/extend", {"ttlMinutes": 1_440}, 200)
    assert 895 <= longest["remainingSeconds"] <= 900


def test_a_hold_lives_24_hours_at_most(clients: Clients, day: date) -> None:
    """However often it is extended, a hold ends 24 hours after it was made (B-1, B-12)."""
    held = clients.reserve("intro-call", clients.slots("intro-call", day)[0])
    clients.sql(
        "update bookings set held_at = held_at - interval '23 hours 59 minutes', version = version + 1 where id = %s",
        held["reservationId"],
    )
    clients.sql(
        "update bookings set expires_at = clock_timestamp() + interval '5 seconds', version = version + 1 where id = %s",
        held["reservationId"],
    )
    longest = clients.post(f"{path_of(held)}/extend", {}, 200)
    assert 50 <= longest["remainingSeconds"] <= 60
    problem(clients.http.post(f"{path_of(held)}/extend", json={}), 409, "hold_limit_reached")


def test_a_hold_is_given_back(clients: Clients, day: date) -> None:
    """A released place is free at once; released again it is 204 again; it can be neither extended nor committed (B-12)."""
    slot = clients.slots("couple-session", day)[0]
    held = clients.reserve("couple-session", slot)
    assert clients.http.delete(path_of(held)).status_code == 204
    assert clients.slots("couple-session", day)[0] == slot
    assert clients.http.delete(path_of(held)).status_code == 204

    problem(clients.http.post(f"{path_of(held)}/extend", json={}), 410, GONE)
    body = {"reservationId": held["reservationId"], "guestEmail": "guest@example.org"}
    answer = clients.http.post("/api/booking/commit", json=body)
    assert problem(answer, 410, GONE)["message"] == "Reservation not found or expired"


def test_an_appointment_is_not_released(clients: Clients, day: date) -> None:
    """What has been committed is an appointment: it is cancelled, not released (B-12)."""
    held = clients.reserve("intro-call", clients.slots("intro-call", day)[0])
    clients.commit(held)
    refused = problem(clients.http.delete(path_of(held)), 409, "not_changeable")
    assert refused["details"] == {"status": "confirmed"}
    problem(clients.http.post(f"{path_of(held)}/extend", json={}), 410, GONE)


def test_a_hold_that_ran_out(clients: Clients, day: date) -> None:
    """An expired reservation reads as expired and is 410 to every change (B-4, B-12)."""
    held = clients.reserve("intro-call", clients.slots("intro-call", day)[0])
    clients.run_out(held)
    assert (clients.read(held)["status"], clients.read(held)["remainingSeconds"]) == ("expired", 0)
    problem(clients.http.post(f"{path_of(held)}/extend", json={}), 410, GONE)
    problem(clients.http.delete(path_of(held)), 410, GONE)


@pytest.mark.parametrize("name", [NOWHERE, "nothing", "%00", "%ff", "{}", "1" * 32, "x" * 5_000])
def test_a_reservation_that_is_not_there(clients: Clients, name: str) -> None:
    """An unknown reservation is 404 to every call (B-12)."""
    path = f"/api/booking/reservations/{name}"
    for answer in (clients.http.get(path), clients.http.delete(path), clients.http.post(f"{path}/extend", json={})):
        assert problem(answer, 404, GONE)["message"] == "Reservation not found or expired"


def test_the_business_is_checked_where_it_is_named(clients: Clients, day: date) -> None:
    """Calls by id need no business; one that is named and wrong finds nothing."""
    slot = clients.slots("intro-call", day)[0]
    held = clients.reserve("intro-call", slot)
    right, wrong = {"businessId": clients.card["id"]}, {"businessId": str(uuid4())}
    assert clients.http.get(path_of(held), params=right).status_code == 200
    problem(clients.http.get(path_of(held), params=wrong), 404, GONE)
    problem(clients.http.delete(path_of(held), params=wrong), 404, GONE)
    problem(clients.http.post(f"{path_of(held)}/extend", json=wrong), 404, GONE)
    assert wrong_fields(clients.http.get(path_of(held), params={"businessId": "x"})) == {"businessId"}
    commit = {"reservationId": held["reservationId"], "guestEmail": "guest@example.org"}
    problem(clients.http.post("/api/booking/commit", json=commit | wrong), 404, GONE)
    problem(clients.http.post(RESERVE, json=clients.wish("intro-call", slot) | wrong), 404, "unknown_business")
    assert clients.read(held)["version"] == 1


def test_what_is_unknown_is_said(clients: Clients, day: date) -> None:
    """A service or resource that is not there is 404, also one that the service cannot be booked with."""
    slot = clients.slots("intro-call", day)[0]
    wish = clients.wish("intro-call", slot)
    nobody = str(uuid4())
    problem(clients.http.post(RESERVE, json=wish | {"serviceId": nobody}), 404, "unknown_service")
    problem(clients.http.post(RESERVE, json=wish | {"resourceId": nobody}), 404, "unknown_resource")
    studio = clients.resource("studio")
    problem(clients.http.post(RESERVE, json=wish | {"resourceId": studio}), 404, "unknown_resource")


def test_the_end_is_the_start_and_the_duration(clients: Clients, day: date) -> None:
    """A slot of another length than the service's is not offered, not even half of it."""
    slot = clients.slots("individual-session", day)[0]
    for minutes in (1, 25, 49, 51, 100):
        wish = clients.wish("individual-session", slot) | {"slotEnd": shifted(slot["start"], minutes=minutes)}
        problem(clients.http.post(RESERVE, json=wish), 422, "slot_not_offered")


def test_members_that_are_unknown_or_null(clients: Clients, day: date) -> None:
    """Unknown members are ignored, and null is as good as absent."""
    slot = clients.slots("intro-call", day)[0]
    nothing = dict.fromkeys(("idempotencyKey", "ttlSeconds", "resourceId", "partySize", "timezone", "guestEmail"))
    held = clients.reserve("intro-call", slot, **nothing, colour="blue", nested={"a": [1, None]}, scheduleId=None)
    assert (held["partySize"], held["remainingSeconds"]) == (1, 900)
