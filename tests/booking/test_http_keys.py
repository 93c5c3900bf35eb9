"""Idempotency over HTTP: one key, one effect, one answer (B-9)."""

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from booking.served import Clients, appointment_path, new_key, problem, wrong_fields

if TYPE_CHECKING:
    from collections.abc import Callable

RESERVE = "/api/booking/reserve"
BOOK = "/api/booking/book"
Json = dict[str, Any]
NAMES = ("idempotencyKey", "clientRequestId", "client_request_id")


def test_the_same_request_again(clients: Clients, day: date) -> None:
    """The same key and request are answered alike, 200 and replayed, but for the remaining seconds (B-9)."""
    wish = clients.wish("individual-session", clients.slots("individual-session", day)[0], idempotencyKey=new_key())
    first = clients.post(RESERVE, wish)
    again = clients.post(RESERVE, wish, 200)
    assert again.pop("remainingSeconds") <= first.pop("remainingSeconds")
    assert again == first | {"replayed": True}
    assert clients.slots("individual-session", day)[0]["placesLeft"] == 2


@pytest.mark.parametrize("name", NAMES)
def test_a_key_has_several_names(clients: Clients, day: date, name: str) -> None:
    """A key in the header is the same as in the body under each of its names (B-9)."""
    wish = clients.wish("intro-call", clients.slots("intro-call", day)[0])
    key = new_key()
    first = clients.post(RESERVE, wish, headers={"Idempotency-Key": key})
    again = clients.post(RESERVE, wish | {name: key}, 200)
    both = clients.post(RESERVE, wish | {name: key}, 200, headers={"Idempotency-Key": key})
    assert first["reservationId"] == again["reservationId"] == both["reservationId"]


@pytest.mark.parametrize("name", NAMES)
def test_two_different_keys(clients: Clients, day: date, name: str) -> None:
    """Two keys that differ are malformed, be they in header and body or both in the body (B-9)."""
    wish = clients.wish("intro-call", clients.slots("intro-call", day)[0])
    header = {"Idempotency-Key": new_key()}
    assert wrong_fields(clients.http.post(RESERVE, json=wish | {name: new_key()}, headers=header)) == {"idempotencyKey"}
    other = NAMES[NAMES.index(name) - 1]
    assert wrong_fields(clients.http.post(RESERVE, json=wish | {name: "a", other: "b"})) == {"idempotencyKey"}


def test_a_key_for_another_request(clients: Clients, day: date) -> None:
    """A key that was used for another request is 422, whichever member differs, and takes nothing (B-9)."""
    slot, other = clients.slots("open-studio", day)[:2]
    wish = clients.wish("open-studio", slot, idempotencyKey=new_key())
    clients.post(RESERVE, wish)
    changes: list[Json] = [
        {"partySize": 2},
        {"ttlSeconds": 60},
        {"slotStart": other["start"], "slotEnd": other["end"]},
        {"resourceId": clients.resource("studio")},
        {"timezone": "Asia/Tokyo"},
        {"guestEmail": "guest@example.org"},
    ]
    for change in changes:
        problem(clients.http.post(RESERVE, json=wish | change), 422, "idempotency_key_reused")
    assert clients.slots("open-studio", day)[0]["placesLeft"] == 11


def test_a_key_for_another_operation(clients: Clients, day: date) -> None:
    """All operations share one key space: a key of a reserve is refused by book, cancel and reschedule (B-9)."""
    slot, other, third = clients.slots("intro-call", day)[:3]
    key = {"idempotencyKey": new_key()}
    clients.post(RESERVE, clients.wish("intro-call", slot, **key))
    booking = clients.wish("intro-call", slot, **key, guestEmail="guest@example.org")
    problem(clients.http.post(BOOK, json=booking), 422, "idempotency_key_reused")

    made = clients.booked("intro-call", other)
    problem(clients.cancel(made, **key), 422, "idempotency_key_reused")
    move = {"slotStart": third["start"], "slotEnd": third["end"], **key}
    problem(clients.change(made, move), 422, "idempotency_key_reused")
    assert clients.appointment(made)["version"] == made["version"]


def test_a_replay_outlives_the_booking(clients: Clients, day: date) -> None:
    """The first answer is given again after release, expiry and cancellation, and nothing is taken anew (B-9)."""
    slots = clients.slots("couple-session", day)
    ends: list[Callable[[Json], object]] = [
        lambda held: clients.http.delete(f"/api/booking/reservations/{held['reservationId']}"),
        clients.run_out,
        lambda held: clients.cancel(clients.commit(held)),
    ]
    for slot, end in zip(slots, ends, strict=False):
        wish = clients.wish("couple-session", slot, idempotencyKey=new_key())
        first = clients.post(RESERVE, wish)
        end(first)
        again = clients.post(RESERVE, wish, 200)
        assert again | {"remainingSeconds": 0, "replayed": False} == first | {"remainingSeconds": 0}
    assert clients.slots("couple-session", day) == slots


def test_a_replay_outlives_the_offer(clients: Clients, day: date) -> None:
    """What was reserved with a key is answered again, also when it is not offered any more (B-9, A-4)."""
    slot = clients.slots("open-studio", day)[0]
    wish = clients.wish("open-studio", slot, idempotencyKey=new_key())
    first = clients.post(RESERVE, wish)
    with clients.altered("services", "open-studio", active=False):
        again = clients.post(RESERVE, wish, 200)
        problem(clients.http.post(RESERVE, json=clients.wish("open-studio", slot)), 404, "unknown_service")
    assert again["reservationId"] == first["reservationId"]
    assert again["resourceIds"] == first["resourceIds"]


def test_a_refusal_leaves_the_key_unused(clients: Clients, day: date) -> None:
    """A request that was refused has had no effect: its key may be used for what is free (B-9)."""
    slot, other = clients.slots("couple-session", day)[0], clients.slots("couple-session", day)[2]
    clients.reserve("couple-session", slot)
    key = new_key()
    refused = clients.http.post(RESERVE, json=clients.wish("couple-session", slot, idempotencyKey=key))
    problem(refused, 409, "slot_conflict")
    clients.reserve("couple-session", other, idempotencyKey=key)


def test_a_booking_in_one_call_again(clients: Clients, day: date) -> None:
    """A repeated book is the same appointment with the same token (B-9, B-13)."""
    slot = clients.slots("intro-call", day)[0]
    wish = clients.wish("intro-call", slot, idempotencyKey=new_key(), guestEmail="guest@example.org")
    first = clients.post(BOOK, wish)
    again = clients.post(BOOK, wish, 200)
    assert again == first | {"replayed": True}
    clients.cancel(first)
    assert clients.post(BOOK, wish, 200) == first | {"replayed": True}


def test_a_cancellation_again(clients: Clients, day: date) -> None:
    """A cancel repeated with its key has its first answer; with another key it is refused (B-9, B-17)."""
    made = clients.booked("intro-call", clients.slots("intro-call", day)[0])
    key = new_key()
    first = clients.cancel(made, idempotencyKey=key, reason="ill")
    again = clients.cancel(made, idempotencyKey=key, reason="ill")
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json() | {"replayed": True}
    problem(clients.cancel(made, idempotencyKey=key, reason="well"), 422, "idempotency_key_reused")
    problem(clients.cancel(made, idempotencyKey=new_key(), reason="ill"), 400, "RESERVATION_ALREADY_CANCELLED")


def test_a_reschedule_again(clients: Clients, day: date) -> None:
    """A reschedule repeated with its key has its first answer, also after the appointment moved on (B-9, B-16)."""
    slot, other, third = clients.slots("individual-session", day)[:3]
    made = clients.booked("individual-session", slot)
    move = {"slotStart": other["start"], "slotEnd": other["end"], "idempotencyKey": new_key()}
    first = clients.change(made, move)
    assert clients.change(made, move).json() == first.json() | {"replayed": True}
    assert clients.change(made, {"slotStart": third["start"], "slotEnd": third["end"]}).status_code == 200
    assert clients.change(made, move).json() == first.json() | {"replayed": True}
    assert clients.appointment(made)["start"] == third["start"]
    later = move | {"slotStart": third["start"], "slotEnd": third["end"]}
    problem(clients.change(made, later), 422, "idempotency_key_reused")


def test_keys_belong_to_one_booking_each(clients: Clients, day: date) -> None:
    """The key of one booking's cancellation does not cancel another (B-9)."""
    slot, other = clients.slots("intro-call", day)[:2]
    first, second = clients.booked("intro-call", slot), clients.booked("intro-call", other)
    key = new_key()
    assert clients.cancel(first, idempotencyKey=key).status_code == 200
    problem(clients.cancel(second, idempotencyKey=key), 422, "idempotency_key_reused")
    assert (
        clients.http.get(appointment_path(second), headers={"Booking-Token": second["cancellationToken"]}).json()[
            "status"
        ]
        == "confirmed"
    )


@pytest.mark.parametrize("key", ["", "k" * 201, "a\nb", "\x00", 5, {}])
def test_keys_that_are_malformed(clients: Clients, key: object) -> None:
    """A key has 1 to 200 characters, none of them a control character (B-9)."""
    assert wrong_fields(clients.http.post(RESERVE, json={"idempotencyKey": key})) == {"idempotencyKey"}


@pytest.mark.parametrize("key", ["", "k" * 201, "k" * 5_000, "a\tb"])
def test_headers_that_are_malformed(clients: Clients, key: str) -> None:
    """The header has the limits of the member (B-9)."""
    answer = clients.http.post(
        RESERVE, json=clients.wish("intro-call", {"start": "x", "end": "y"}), headers={"Idempotency-Key": key}
    )
    assert answer.status_code == 400


def test_a_change_of_contact_again(clients: Clients, day: date) -> None:
    """A contact changed twice with one key is changed once, and no contact is kept with the key (B-9)."""
    made = clients.booked("intro-call", clients.slots("intro-call", day)[0])
    key = new_key()
    change = {"guestEmail": "moved@example.org", "idempotencyKey": key}
    answers = [clients.change(made, change) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer.json()["version"] for answer in answers] == [made["version"] + 1] * 2
    assert answers[1].json()["guestEmail"] == "moved@example.org"
    [(kept,)] = clients.sql("select answer::text from idempotency_keys where key = %s", key)
    assert "moved@example.org" not in kept
    problem(clients.change(made, change | {"guestEmail": "other@example.org"}), 422, "idempotency_key_reused")
