"""Two of the staff change one appointment at once: one wins, the other is told in words what happened (B-15)."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import combinations_with_replacement
from threading import Barrier

import httpx
import pytest

from booking.served import Clients, Json, appointment_path
from booking.staffed import StaffClients

ROUNDS = 4
PAIRS = list(combinations_with_replacement(["move", "contact", "cancel", "refund"], 2))


def calls(clients: Clients, made: Json, number: int) -> dict[str, tuple[str, str, Json]]:
    """Return method, path and body of each change, all of the version that was made."""
    slot = clients.slots("individual-session", date.fromisoformat(made["start"][:10]))[number]
    path, seen = appointment_path(made), {"expectedVersion": made["version"]}
    return {
        "move": ("PATCH", path, {"slotStart": slot["start"], "slotEnd": slot["end"]} | seen),
        "contact": ("PATCH", path, {"guestName": "Berta"} | seen),
        "cancel": ("POST", f"{path}/cancel", seen),
        "refund": ("POST", f"{path}/refund", seen),
    }


@pytest.fixture
def at_once(clients: Clients) -> Iterator[Callable[..., list[httpx.Response]]]:
    """Send calls of several of the staff at one moment, each over a connection of its own."""
    with ThreadPoolExecutor(2) as pool, httpx.Client() as one, httpx.Client() as other:

        def send(*calls: tuple[dict[str, str], tuple[str, str, Json]]) -> list[httpx.Response]:
            barrier = Barrier(len(calls))

            def call(http: httpx.Client, headers: dict[str, str], method: str, path: str, body: Json) -> httpx.Response:
                barrier.wait()
                return http.request(method, clients.http.base_url.join(path), json=body, headers=headers)

            sent = [
                pool.submit(call, http, headers, *what)
                for http, (headers, what) in zip((one, other), calls, strict=True)
            ]
            return [answer.result() for answer in sent]

        yield send


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_one_wins_and_the_other_is_told(
    clients: Clients,
    desk: StaffClients,
    owner: StaffClients,
    day: date,
    at_once: Callable[..., list[httpx.Response]],
    first: str,
    second: str,
) -> None:
    """Of two changes at once one is made; the other changes nothing and names what was done, and by whose key (B-15)."""
    slots = clients.slots("individual-session", day)
    for number in range(ROUNDS):
        made = clients.booked("individual-session", slots[2 * number])
        wishes = calls(clients, made, 10)
        answers = at_once((desk.headers, wishes[first]), (owner.headers, wishes[second]))
        assert sorted(answer.status_code == 200 for answer in answers) == [False, True], [a.text for a in answers]
        winner = "assistant" if answers[0].status_code == 200 else "owner"
        [lost] = [answer.json() for answer in answers if answer.status_code != 200]
        assert lost["code"] in {"CONFLICT", "RESERVATION_ALREADY_CANCELLED", "ALREADY_REFUNDED", "REFUND_NOT_ALLOWED"}
        [change] = lost["details"]["changes"]
        assert (change["by"], change["byName"], lost["details"]["currentVersion"]) == ("staff", winner, 3)
        if lost["code"] == "CONFLICT":
            assert f" by staff ({winner}) at " in lost["message"]
        assert clients.sql("select version from bookings where id = %s", made["appointmentId"]) == [(3,)]


def test_one_key_of_two(
    clients: Clients, desk: StaffClients, day: date, at_once: Callable[..., list[httpx.Response]]
) -> None:
    """The same change sent twice at once with one key is made once, and both are told the same (B-9)."""
    slots = clients.slots("individual-session", day)
    for number in range(ROUNDS):
        made = clients.booked("individual-session", slots[2 * number])
        wishes = calls(clients, made, 10)
        for name, version in (("move", 2), ("cancel", 3)):
            method, path, body = wishes[name]
            keyed = body | {"expectedVersion": version, "idempotencyKey": f"{name} {made['appointmentId']}"}
            answers = [a.json() for a in at_once(*[(desk.headers, (method, path, keyed))] * 2)]
            assert sorted(a.pop("replayed", str(a)) for a in answers) == [False, True]
            assert answers[0] == answers[1]
            assert answers[0]["version"] == version + 1
