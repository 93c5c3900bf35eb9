"""What clients meet while somebody's calendar does not answer, and when a calendar takes a time from under them."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import psycopg
import pytest

from booking.served import SLUG, Clients, instant, new_key, problem
from booking.staffed import StaffClients
from calendars.watched import connect, disconnect, look
from wording import say

SLOTS, RESERVE = "/api/public/booking/slots", "/api/booking/reserve"
PAGE = f"/{SLUG}/booking/slot"
LONG_AGO = timedelta(hours=3)
Connect = Callable[[str, timedelta], UUID]


@pytest.fixture
def connected(clients: Clients) -> Iterator[Connect]:
    """Connect a calendar to a resource of the demo business, which was looked at so long ago; it goes after the test."""
    made: list[UUID] = []

    def connecting(resource: str, seen: timedelta) -> UUID:
        business_id, resource_id = UUID(clients.card["id"]), UUID(clients.resource(resource))
        made.append(asyncio.run(connect(clients.dsn, business_id, resource_id, seen=seen)))
        return made[-1]

    yield connecting
    for calendar in made:
        disconnect(clients.dsn, calendar)


def wanted(clients: Clients, day: date) -> dict[str, str]:
    """Return the query for the slots of a day of sessions."""
    return {"service_slug": "individual-session", "from": str(day), "to": str(day + timedelta(days=1))}


def test_slots_say_whom_to_check_later(clients: Clients, day: date, connected: Connect) -> None:
    """The answer names who is not known, since when, and its tag changes as it comes and goes (C-6, A-3)."""
    first = clients.http.get(SLOTS, params=wanted(clients, day))
    assert first.json()["checkLater"] == []
    calendar = connected("practitioner-1", LONG_AGO)
    hidden = clients.http.get(SLOTS, params=wanted(clients, day), headers={"If-None-Match": first.headers["ETag"]})
    assert hidden.status_code == 200
    [later] = hidden.json()["checkLater"]
    assert later["resourceId"] == clients.resource("practitioner-1")
    assert LONG_AGO <= datetime.now(UTC) - instant(later["since"]) < LONG_AGO + timedelta(minutes=5)
    assert all(later["resourceId"] not in slot["resourceIds"] for slot in hidden.json()["days"][0]["slots"])
    same = clients.http.get(SLOTS, params=wanted(clients, day), headers={"If-None-Match": hidden.headers["ETag"]})
    assert same.status_code == 304

    look(clients.dsn, calendar)
    again = clients.http.get(SLOTS, params=wanted(clients, day), headers={"If-None-Match": hidden.headers["ETag"]})
    assert (again.status_code, again.json()) == (200, first.json())


def test_reserving_whom_nobody_knows(clients: Clients, day: date, connected: Connect) -> None:
    """A slot that was fetched before is refused with check_later, who it is, and where to wait; no 503 (C-6)."""
    slot = clients.slots("couple-session", day)[0]
    connected("room", LONG_AGO)
    wish = clients.wish("couple-session", slot)
    for path, body in ((RESERVE, wish), ("/api/booking/book", wish | {"guestEmail": "guest@example.org"})):
        refused = clients.http.post(path, json=body)
        shown = problem(refused, 409, "check_later")
        assert shown["details"] == {
            "resourceIds": [clients.resource("room")],
            "waitlist": "/api/public/booking/waitlist",
        }
        assert "Retry-After" not in refused.headers
    series = {"serviceId": wish["serviceId"], "starts": [slot["start"]]}
    problem(clients.http.post("/api/booking/series", json=series), 409, "check_later")
    query = {"serviceId": wish["serviceId"], "slotStart": slot["start"], "slotEnd": slot["end"]}
    problem(clients.http.get("/api/booking/capacity", params=query), 409, "check_later")


def test_capacity_counts_who_is_known(clients: Clients, day: date, connected: Connect) -> None:
    """Places left are those of the people whose calendars are known (C-6)."""
    slot = clients.slots("individual-session", day)[0]
    query = {
        "serviceId": clients.service("individual-session")["id"],
        "slotStart": slot["start"],
        "slotEnd": slot["end"],
    }
    assert clients.get("/api/booking/capacity", **query) == {"available": 3, "capacity": 3}
    connected("practitioner-2", LONG_AGO)
    assert clients.get("/api/booking/capacity", **query) == {"available": 2, "capacity": 2}


def test_a_reservation_is_told_again_whoever_is_known(clients: Clients, day: date, connected: Connect) -> None:
    """A reserve that is repeated with its key gets its reservation, also when the calendar went silent since (B-9, C-6)."""
    key = new_key()
    slot = clients.slots("couple-session", day)[0]
    held = clients.reserve("couple-session", slot, idempotencyKey=key)
    connected("room", LONG_AGO)
    again = clients.post(RESERVE, clients.wish("couple-session", slot, idempotencyKey=key), status=200)
    assert (again["reservationId"], again["replayed"]) == (held["reservationId"], True)
    assert clients.commit(held)["status"] == "confirmed"


def test_a_change_of_the_policy_holds_at_once(
    clients: Clients, owner: StaffClients, day: date, connected: Connect
) -> None:
    """An owner who chooses `keep` has the times offered by the next answer, and hidden by the next choice (C-6)."""
    connected("room", LONG_AGO)
    for choice, offered in (("keep", True), (None, False)):
        answer = owner.call("PUT", "/api/admin/settings/calendar_outage", {"value": choice})
        assert answer.status_code == 200, answer.text
        assert bool(clients.slots("couple-session", day)) is offered


@pytest.mark.parametrize(
    ("language", "later", "join", "title"),
    [
        ("en", "Please check again later", "Join the waitlist", "Please check later"),
        ("ru", "Загляните, пожалуйста, позже", "Встать в лист ожидания", "Загляните, пожалуйста, позже"),
    ],
)
def test_the_page_says_check_later(
    clients: Clients, day: date, connected: Connect, language: str, later: str, join: str, title: str
) -> None:
    """The page tells whose times are not known instead of that there are none, and leads to the waitlist, in both
    languages (C-6, U-4).
    """
    slot = clients.slots("couple-session", day)[0]
    query = {"service": "couple-session", "day": str(day), "lang": language}
    assert join not in clients.http.get(PAGE, params=query).text
    connected("room", LONG_AGO)
    shown = clients.http.get(PAGE, params=query).text
    assert later in shown
    assert join in shown
    assert "/booking/slot/waitlist?" in shown
    assert say(language, "No free times") not in shown

    form = {"service": "couple-session", "start": str(int(instant(slot["start"]).timestamp())), "key": new_key()}
    refused = clients.http.post(f"{PAGE}/hold", data=form, params={"lang": language})
    assert refused.status_code == 409
    assert f"<h1>{title}</h1>" in refused.text
    assert join in refused.text


def test_busy_time_that_came_after_the_slots(clients: Clients, day: date, connected: Connect) -> None:
    """Reserving over busy time is 409 slot_conflict with alternatives, also of slots fetched before it came (calendars 27)."""
    person = clients.resource("practitioner-3")
    fetched = clients.slots("individual-session", day, resource_id=person)
    calendar = connected("practitioner-3", timedelta(0))
    slot, begin, end = fetched[2], fetched[2]["start"], fetched[3]["end"]
    with psycopg.connect(clients.dsn) as connection:
        connection.execute(
            "insert into calendar_busy_intervals (business_id, resource_id, source, during, calendar_id, event_key)"
            " values (%s, %s, 'calendar', tstzrange(%s, %s), %s, %s)",
            [clients.card["id"], person, begin, end, calendar, bytes(16)],
        )
    refused = clients.http.post(RESERVE, json=clients.wish("individual-session", slot, resourceId=person))
    shown = problem(refused, 409, "slot_conflict")
    assert shown["message"] == "The selected time slot is no longer available"
    alternatives = shown["details"]["alternatives"]
    assert len(alternatives) == 5
    assert {"start": slot["start"], "end": slot["end"]} in [
        {"start": each["start"], "end": each["end"]} for each in alternatives if each["resourceId"] != person
    ]
    for each in alternatives:
        assert each["resourceId"] != person or each["end"] <= begin or each["start"] >= end
    still = [each["start"] for each in clients.slots("individual-session", day, resource_id=person)]
    assert slot["start"] not in still
    assert fetched[0]["start"] in still
