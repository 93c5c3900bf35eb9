"""The guard for clients without keys: an impatient second click makes no second reservation (B-10)."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import httpx
import pytest

from booking.served import Clients, new_key, problem
from holdfast.booking.guard import ContactGuard
from holdfast.booking.jobs import forget_keys
from holdfast.kernel.database import Database

RESERVE = "/api/booking/reserve"
EMAIL = {"guestEmail": "guest@example.org"}
PHONE = {"guestPhone": "+7 900 000-00-00"}
Json = dict[str, Any]


@pytest.mark.parametrize("contact", [EMAIL, PHONE, EMAIL | PHONE])
def test_a_second_click_is_the_same_reservation(clients: Clients, day: date, contact: Json) -> None:
    """The same contact at the same slot without a key gets the reservation that it has, 200 and replayed (B-10)."""
    slot = clients.slots("open-studio", day)[0]
    first = clients.post(RESERVE, clients.wish("open-studio", slot, **contact))
    again = clients.post(RESERVE, clients.wish("open-studio", slot, **contact), 200)
    assert (again["reservationId"], again["replayed"]) == (first["reservationId"], True)
    assert clients.slots("open-studio", day)[0]["placesLeft"] == 11


def test_a_contact_is_known_however_it_is_written(clients: Clients, day: date) -> None:
    """Capitals in an address and marks in a number make no other contact (B-10)."""
    slot, other = clients.slots("open-studio", day)[:2]
    first = clients.reserve("open-studio", slot, guestEmail="Guest@Example.org")
    assert (
        clients.post(RESERVE, clients.wish("open-studio", slot, **EMAIL), 200)["reservationId"]
        == (first["reservationId"])
    )
    second = clients.reserve("open-studio", other, **PHONE)
    again = clients.wish("open-studio", other, guestPhone="+79000000000")
    assert clients.post(RESERVE, again, 200)["reservationId"] == second["reservationId"]


def test_a_schedule_is_guarded_as_well(clients: Clients) -> None:
    """The same contact in the same group has one reservation (B-10)."""
    wish = {"scheduleId": clients.schedules()[0]["id"], **EMAIL}
    first = clients.post(RESERVE, wish)
    assert clients.post(RESERVE, wish, 200)["reservationId"] == first["reservationId"]


def test_what_differs_is_not_guarded(clients: Clients, day: date) -> None:
    """Another contact, slot or key, or no contact at all, is another reservation (B-10, B-9)."""
    slot, other = clients.slots("open-studio", day)[:2]
    made = [
        clients.reserve("open-studio", slot, **EMAIL),
        clients.reserve("open-studio", other, **EMAIL),
        clients.reserve("open-studio", slot, guestEmail="other@example.org"),
        clients.reserve("open-studio", slot, **EMAIL, idempotencyKey=new_key()),
        clients.reserve("open-studio", slot),
        clients.reserve("open-studio", slot),
    ]
    assert len({each["reservationId"] for each in made}) == len(made)


def test_a_hold_that_has_ended_guards_no_more(clients: Clients, day: date) -> None:
    """After release, expiry or commit the same contact may reserve the same slot anew (B-10, B-4)."""
    slot = clients.slots("open-studio", day)[0]
    wish = clients.wish("open-studio", slot, **EMAIL)
    seen = set()
    ends: list[Any] = [
        lambda held: clients.http.delete(f"/api/booking/reservations/{held['reservationId']}"),
        clients.run_out,
        clients.commit,
        lambda _: None,
    ]
    for end in ends:
        held = clients.post(RESERVE, wish)
        assert held["reservationId"] not in seen
        seen.add(held["reservationId"])
        end(held)


def test_the_guard_ends_with_its_window(clients: Clients, day: date) -> None:
    """A minute later the same contact may take another place, and that one is guarded in turn (B-10)."""
    slot = clients.slots("open-studio", day)[0]
    wish = clients.wish("open-studio", slot, **EMAIL)
    first = clients.post(RESERVE, wish)
    clients.sql("update idempotency_keys set created_at = created_at - interval '61 seconds' where operation = 'guard'")
    second = clients.post(RESERVE, wish)
    assert second["reservationId"] != first["reservationId"]
    assert clients.post(RESERVE, wish, 200)["reservationId"] == second["reservationId"]


def test_simultaneous_clicks_are_one_reservation(clients: Clients, day: date) -> None:
    """Twenty clicks at once of one contact make one reservation, also where an older one was guarded (B-10)."""
    slot = clients.slots("open-studio", day)[0]
    wish = clients.wish("open-studio", slot, **EMAIL)
    old = clients.post(RESERVE, wish)
    clients.run_out(old)
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: clients.http.post(RESERVE, json=wish), range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.json()["reservationId"] for answer in answers}) == 1
    for answer in answers:
        clients.note(answer)


def test_a_key_of_the_guard_says_nothing_of_the_contact(clients: Clients, day: date) -> None:
    """What the guard keeps is an HMAC: without the master key nobody can try contacts against it (B-10)."""
    clients.reserve("open-studio", clients.slots("open-studio", day)[0], **EMAIL)
    [(key, answer)] = clients.sql(
        "select key, answer::text from idempotency_keys where operation = 'guard' order by created_at desc limit 1"
    )
    assert "guest" not in key + answer
    ours, theirs = (ContactGuard(bytes([n]) * 32, 60).keyed("guest@example.org", None, b"") for n in (1, 2))
    assert ours != theirs
    assert ContactGuard(bytes(32), 0).keyed("guest@example.org", None, b"") is None, "0 switches it off"


def test_a_client_cannot_name_a_key_of_the_guard(clients: Clients, day: date) -> None:
    """A key of the guard, sent as a client's own, belongs to another request (B-9, B-10)."""
    slot = clients.slots("open-studio", day)[0]
    clients.reserve("open-studio", slot, **EMAIL)
    [(key,)] = clients.sql(
        "select key from idempotency_keys where operation = 'guard' order by created_at desc limit 1"
    )
    answer = clients.http.post(RESERVE, json=clients.wish("open-studio", slot, idempotencyKey=key))
    problem(answer, 422, "idempotency_key_reused")


async def test_keys_are_forgotten_in_time(clients: Clients, day: date) -> None:
    """The worker forgets keys after 90 days, those of the guard after one, and no others (B-9, B-10)."""
    slot = clients.slots("open-studio", day)[0]
    keys = {name: new_key() for name in ("old", "young")}

    def book() -> list[httpx.Response]:
        wishes = [clients.wish("open-studio", slot, idempotencyKey=key) for key in keys.values()]
        return [clients.http.post(RESERVE, json=wish) for wish in [*wishes, clients.wish("open-studio", slot, **EMAIL)]]

    for answer in await asyncio.to_thread(book):
        clients.note(answer)
    age = "update idempotency_keys set created_at = created_at - %s::interval where "
    clients.sql(age + "key = %s", "91 days", keys["old"])
    clients.sql(age + "key = %s", "89 days", keys["young"])
    clients.sql(age + "operation = 'guard'", "25 hours")
    database = Database(clients.dsn)
    await database.open()
    assert await forget_keys(database) >= 2
    await database.close()
    left = {row[0] for row in clients.sql("select key from idempotency_keys where key = any(%s)", list(keys.values()))}
    assert left == {keys["young"]}
    assert clients.sql("select 1 from idempotency_keys where operation = 'guard'") == []
