"""Groups over HTTP: the schedules of a program, and places in them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from booking.served import Clients, instant, new_key, problem, wrong_fields

PATH = "/api/public/programs/morning-group/schedules"
RESERVE = "/api/booking/reserve"
Json = dict[str, Any]


@pytest.fixture
def schedule(clients: Clients) -> Json:
    """A schedule of the morning group of which nothing is taken."""
    return [s for s in clients.schedules() if s["placesLeft"] == 12][-1]


def left(clients: Clients, schedule: Json) -> int:
    """Return how many places of a schedule the list shows."""
    [found] = [s["placesLeft"] for s in clients.schedules() if s["id"] == schedule["id"]]
    return int(found)


def test_schedules_are_laid_out_ahead(clients: Clients) -> None:
    """The demo's groups have schedules for 8 weeks, at their wall time, of 12 and of 500 places (K-4)."""
    mornings, lectures = clients.schedules(), clients.schedules("open-lecture")
    assert 55 <= len(mornings) <= 56
    # The one of this week may have begun, and that of the last week is laid out within the hour.
    assert 7 <= len(lectures) <= 8
    assert {(instant(s["start"]).strftime("%H:%M"), s["maxCapacity"]) for s in mornings} == {("04:30", 12)}
    assert {(instant(s["start"]).strftime("%A %H:%M"), s["maxCapacity"]) for s in lectures} == {("Saturday 09:00", 500)}
    assert {instant(s["end"]) - instant(s["start"]) for s in lectures} == {timedelta(minutes=90)}
    starts = [s["start"] for s in mornings]
    assert starts == sorted(starts)


def test_schedules_by_pages(clients: Clients) -> None:
    """Pages that follow each other by the cursor are the whole list, in order, each once; the last has no cursor."""
    pages: list[Json] = []
    cursor: Json = {}
    while not pages or pages[-1]["nextCursor"]:
        pages.append(clients.get(PATH, limit=10, **cursor))
        cursor = {"cursor": pages[-1]["nextCursor"]}
    whole = clients.schedules()
    assert [s["id"] for page in pages for s in page["schedules"]] == [s["id"] for s in whole]
    assert [len(page["schedules"]) for page in pages[:-1]] == [10] * (len(pages) - 1)


def test_schedules_of_a_range(clients: Clients) -> None:
    """A range is of local dates, its end exclusive; the past has no schedule that could be booked."""
    first = datetime.now(UTC).date() + timedelta(days=10)
    found = clients.schedules(**{"from": str(first), "to": str(first + timedelta(days=3))})
    assert [s["start"][:10] for s in found] == [str(first + timedelta(days=n)) for n in range(3)]
    assert clients.schedules(**{"from": "2020-01-01", "to": "2020-02-01"}) == []
    assert len(clients.schedules(**{"from": "2020-01-01"})) == len(clients.schedules())


@pytest.mark.parametrize(
    "query",
    [
        {"from": "soon"},
        {"from": "2026-12-02", "to": "2026-12-02"},
        {"limit": "0"},
        {"limit": "501"},
        {"limit": "-1"},
        {"cursor": "here"},
        {"cursor": "MjAyNg=="},
        {"cursor": "%00"},
        {"cursor": "é"},
    ],
)
def test_what_the_list_refuses(clients: Clients, query: Json) -> None:
    """A malformed range, limit or cursor is 400, which names it (H-1)."""
    assert wrong_fields(clients.http.get(PATH, params=query)) <= set(query)


def test_a_program_that_is_not_there(clients: Clients) -> None:
    """An unknown program, or one of an unknown business, is 404 (H-1)."""
    problem(clients.http.get("/api/public/programs/yoga/schedules"), 404, "unknown_program")
    problem(clients.http.get(PATH, params={"business": "nobody"}), 404, "unknown_business")


def test_places_in_a_group(clients: Clients, schedule: Json) -> None:
    """Places of a schedule are held, counted, committed and given back (B-2, B-5, B-20)."""
    held = clients.post(RESERVE, {"businessId": clients.card["id"], "scheduleId": schedule["id"], "partySize": 3})
    assert (held["status"], held["partySize"], held["resourceIds"]) == ("held", 3, [])
    assert (held["start"], held["end"], held["scheduleId"]) == (schedule["start"], schedule["end"], schedule["id"])
    assert held["serviceId"] is None
    assert left(clients, schedule) == 9

    made = clients.commit(held)
    assert (made["partySize"], made["scheduleId"]) == (3, schedule["id"])
    assert left(clients, schedule) == 9
    assert clients.cancel(made).status_code == 200
    assert left(clients, schedule) == 12


def test_a_group_that_is_full(clients: Clients, schedule: Json) -> None:
    """A party that does not fit is 400 CAPACITY_EXCEEDED with the places left, and takes none of them (B-5, B-20)."""
    clients.post(RESERVE, {"scheduleId": schedule["id"], "partySize": 10})
    refused = clients.http.post(RESERVE, json={"scheduleId": schedule["id"], "partySize": 3})
    assert problem(refused, 400, "CAPACITY_EXCEEDED")["details"] == {"placesLeft": 2}
    clients.post(RESERVE, {"scheduleId": schedule["id"], "partySize": 2})
    refused = clients.http.post(RESERVE, json={"scheduleId": schedule["id"]})
    assert problem(refused, 400, "CAPACITY_EXCEEDED")["details"] == {"placesLeft": 0}
    assert left(clients, schedule) == 0


def test_a_place_in_a_group_again(clients: Clients, schedule: Json) -> None:
    """A keyed request for a place in a group is answered once and for all (B-9, B-20)."""
    wish = {"scheduleId": schedule["id"], "idempotencyKey": new_key()}
    first = clients.post(RESERVE, wish)
    again = clients.post(RESERVE, wish, 200)
    assert again | {"remainingSeconds": 0} == first | {"remainingSeconds": 0, "replayed": True}
    assert left(clients, schedule) == 11


def test_the_time_of_a_group_hold(clients: Clients, schedule: Json) -> None:
    """A hold in a group lives as long as its program says, or less when less is asked for (B-1, B-20)."""
    asked = {None: 900, 60: 60, 86_400: 900}
    for ttl, seconds in asked.items():
        held = clients.post(RESERVE, {"scheduleId": schedule["id"], "ttlSeconds": ttl})
        assert held["remainingSeconds"] == seconds


def test_a_group_is_booked_in_one_call(clients: Clients, schedule: Json) -> None:
    """A place in a group may be booked in one call (B-13, B-20)."""
    made = clients.post("/api/booking/book", {"scheduleId": schedule["id"], "guestEmail": "guest@example.org"})
    assert (made["status"], made["scheduleId"]) == ("confirmed", schedule["id"])
    assert clients.appointment(made)["priceMinor"] == 80_000


def test_a_group_that_has_started(clients: Clients) -> None:
    """A schedule that has begun can be neither found nor booked (A-4, B-20)."""
    [[program]] = clients.sql("select id from programs where slug = 'open-lecture'")
    [[started]] = clients.sql(
        "insert into program_schedules (business_id, program_id, starts_at, ends_at, max_capacity)"
        " values (%s, %s, now() - interval '1 minute', now() + interval '1 hour', 5) returning id",
        clients.card["id"],
        program,
    )
    problem(clients.http.post(RESERVE, json={"scheduleId": str(started)}), 422, "schedule_started")
    assert str(started) not in {s["id"] for s in clients.schedules("open-lecture")}


def test_either_a_slot_or_a_schedule(clients: Clients, day: date, schedule: Json) -> None:
    """A request names a slot of a service or a schedule, one of the two and whole."""
    slot = clients.wish("intro-call", clients.slots("intro-call", day)[0])
    assert wrong_fields(clients.http.post(RESERVE, json=slot | {"scheduleId": schedule["id"]})) == {"serviceId"}
    assert wrong_fields(clients.http.post(RESERVE, json={"businessId": clients.card["id"]})) == {"serviceId"}
    times = {"scheduleId": schedule["id"], "slotStart": slot["slotStart"]}
    assert wrong_fields(clients.http.post(RESERVE, json=times)) == {"slotStart"}
    for missing in ("slotStart", "slotEnd"):
        part = {name: value for name, value in slot.items() if name != missing}
        assert wrong_fields(clients.http.post(RESERVE, json=part)) == {missing}
    problem(clients.http.post(RESERVE, json={"scheduleId": str(uuid4())}), 404, "unknown_schedule")
    other = {"scheduleId": schedule["id"], "businessId": str(uuid4())}
    problem(clients.http.post(RESERVE, json=other), 404, "unknown_business")
