"""Free slots as the API shows them."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from booking.served import SLUG, Clients, instant, problem, wrong_fields

PATH = "/api/public/booking/slots"
TODAY = datetime.now(UTC).date()


@pytest.mark.parametrize("zone", ["Europe/Moscow", "Asia/Tokyo", "America/New_York", "Asia/Kathmandu"])
def test_slots_are_grouped_by_local_day(clients: Clients, day: date, zone: str) -> None:
    """Slots stand under the day of the asked zone, as instants in UTC and in that zone; `to` is exclusive (A-3)."""
    shown = clients.days("individual-session", day, 3, tz=zone)
    assert shown["timezone"] == zone
    assert [d["date"] for d in shown["days"]] == [str(day + timedelta(days=n)) for n in range(3)]
    assert all(d["slots"] for d in shown["days"])
    for each in shown["days"]:
        for slot in each["slots"]:
            begin, end = instant(slot["start"]), instant(slot["end"])
            assert end - begin == timedelta(minutes=50)
            local = datetime.fromisoformat(slot["startLocal"])
            assert (local, datetime.fromisoformat(slot["endLocal"])) == (begin, end)
            assert local.utcoffset() == begin.astimezone(ZoneInfo(zone)).utcoffset()
            assert str(local.date()) == each["date"]


def test_slots_fill_the_opening_hours(clients: Clients, day: date) -> None:
    """On a free day each service starts at every step from 09:00 for as long as it ends by 21:00 (A-2, K-4)."""
    steps = {
        "individual-session": (50, 50),
        "intro-call": (20, 20),
        "couple-session": (80, 80),
        "open-studio": (60, 15),
    }
    for service, (duration, step) in steps.items():
        starts = [datetime.fromisoformat(s["startLocal"]) for s in clients.slots(service, day)]
        minutes = [(at.hour - 9) * 60 + at.minute for at in starts]
        assert minutes == list(range(0, 12 * 60 - duration + 1, step)), service


def test_slots_name_who_is_free(clients: Clients, day: date) -> None:
    """A slot names the resources that can lead it and counts the bookings that still fit (A-3)."""
    practitioners = {clients.resource(f"practitioner-{n}") for n in (1, 2, 3)}
    first = clients.slots("individual-session", day)[0]
    assert (set(first["resourceIds"]), first["placesLeft"]) == (practitioners, 3)

    held = clients.reserve("individual-session", first)
    second = clients.slots("individual-session", day)[0]
    assert second["start"] == first["start"]
    assert set(second["resourceIds"]) == practitioners - set(held["resourceIds"])
    assert second["placesLeft"] == 2


def test_slots_of_one_resource(clients: Clients, day: date) -> None:
    """With a resource named, only its own free time is shown (A-3)."""
    chosen = clients.resource("practitioner-2")
    first = clients.slots("individual-session", day, resource_id=chosen)[0]
    assert first["resourceIds"] == [chosen]
    clients.reserve("individual-session", first, resourceId=chosen)
    starts = [s["start"] for s in clients.slots("individual-session", day, resource_id=chosen)]
    assert first["start"] not in starts
    assert first["start"] in [s["start"] for s in clients.slots("individual-session", day)]


def test_slots_for_a_party(clients: Clients, day: date) -> None:
    """With a party size, only slots that take the whole party are shown (A-3, B-5)."""
    first = clients.slots("open-studio", day, party_size=12)[0]
    clients.reserve("open-studio", first)
    twelve = [s["start"] for s in clients.slots("open-studio", day, party_size=12)]
    eleven = clients.slots("open-studio", day, party_size=11)
    assert first["start"] not in twelve
    assert (eleven[0]["start"], eleven[0]["placesLeft"]) == (first["start"], 11)
    assert clients.slots("open-studio", day, party_size=13) == []


def test_an_empty_range_hints_at_the_next_slot(clients: Clients) -> None:
    """A range without a free slot still lists its days, and names the next free slot after it (A-3)."""
    past = TODAY - timedelta(days=5)
    shown = clients.days("individual-session", past, 2)
    assert shown["days"] == [{"date": str(past + timedelta(days=n)), "slots": []} for n in range(2)]
    coming = clients.slots("individual-session", TODAY - timedelta(days=1), 5)
    assert shown["nextFree"] == coming[0]["start"]


def test_no_hint_where_none_is_needed_or_true(clients: Clients, day: date) -> None:
    """A range with slots has no hint, nor has one beyond the horizon (A-3)."""
    assert clients.days("individual-session", day)["nextFree"] is None
    far = clients.days("individual-session", TODAY + timedelta(days=200))
    assert (far["days"][0]["slots"], far["nextFree"]) == ([], None)


def test_a_closed_day_is_empty_at_once(clients: Clients, day: date) -> None:
    """An override that closes a day shows in the next answer, which hints at the day after (A-1, A-3)."""
    before = clients.slots("open-studio", day, 2)
    studio = clients.resource("studio")
    clients.sql(
        "insert into availability_overrides (business_id, resource_id, day) values (%s, %s, %s)",
        clients.card["id"],
        studio,
        day,
    )
    try:
        shown = clients.days("open-studio", day)
        assert shown["days"][0]["slots"] == []
        assert shown["nextFree"] == next(s["start"] for s in before if s["startLocal"][:10] > str(day))
        slot = clients.wish("open-studio", before[0])
        problem(clients.http.post("/api/booking/reserve", json=slot), 422, "slot_not_offered")
    finally:
        clients.sql("delete from availability_overrides where resource_id = %s and day = %s", studio, day)
    assert clients.slots("open-studio", day, 2) == before


def test_what_is_offered_anew_can_be_reserved_at_once(clients: Clients, day: date) -> None:
    """What a change of the hours has just opened can be reserved, though nobody has looked at it yet (A-4)."""
    slot = clients.slots("open-studio", day)[0]
    studio = clients.resource("studio")
    clients.sql(
        "insert into availability_overrides (business_id, resource_id, day) values (%s, %s, %s)",
        clients.card["id"],
        studio,
        day,
    )
    try:
        assert clients.slots("open-studio", day) == []
    finally:
        clients.sql("delete from availability_overrides where resource_id = %s and day = %s", studio, day)
    assert clients.reserve("open-studio", slot)["status"] == "held"


def test_a_service_that_comes_back_is_seen_at_once(clients: Clients, day: date) -> None:
    """A service that is offered again has slots in the next answer, also after its absence was noticed (A-3)."""
    before = clients.slots("intro-call", day)
    query = {"service_slug": "intro-call", "from": str(day), "to": str(day + timedelta(days=1))}
    with clients.altered("services", "intro-call", active=False):
        problem(clients.http.get(PATH, params=query), 404, "unknown_service")
    assert clients.slots("intro-call", day) == before


def test_the_tag_changes_with_the_answer(clients: Clients, day: date) -> None:
    """The same answer is 304 by its ETag, and never once a slot was taken (A-3)."""
    query = {"service_slug": "individual-session", "from": str(day), "to": str(day + timedelta(days=1))}
    first = clients.http.get(PATH, params=query)
    tag = first.headers["etag"]
    again = clients.http.get(PATH, params=query, headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)

    clients.reserve("individual-session", first.json()["days"][0]["slots"][0])
    changed = clients.http.get(PATH, params=query, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


def test_no_cache_may_keep_slots_for_long(clients: Clients, day: date) -> None:
    """Slots may not be shown from a cache without asking, or for more than 15 minutes (A-3)."""
    answer = clients.http.get(PATH, params={"service_slug": "intro-call", "from": str(day)})
    assert answer.headers["cache-control"] == "no-cache"


def test_range_by_default(clients: Clients) -> None:
    """Without a range two weeks from today are shown, in the zone of the business (A-3)."""
    shown = clients.get(PATH, service_slug="intro-call")
    today = datetime.now(ZoneInfo("Europe/Moscow")).date()
    assert shown["timezone"] == "Europe/Moscow"
    assert [d["date"] for d in shown["days"]] == [str(today + timedelta(days=n)) for n in range(14)]


def test_range_of_62_days_at_most(clients: Clients) -> None:
    """62 days can be asked for at once, 63 cannot (A-3)."""
    assert len(clients.days("couple-session", TODAY, 62)["days"]) == 62
    query = {"service_slug": "couple-session", "from": str(TODAY), "to": str(TODAY + timedelta(days=63))}
    assert wrong_fields(clients.http.get(PATH, params=query)) == {"to"}


def test_the_business_by_slug_or_id(clients: Clients, day: date) -> None:
    """The business may be named by slug or by id, or not at all when it is the only one."""
    answers = [clients.days("intro-call", day, business=name) for name in (SLUG, clients.card["id"])]
    assert answers == [clients.days("intro-call", day)] * 2


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"service_slug": "nothing"}, 404, "unknown_service"),
        ({"service_slug": "intro-call", "business": "nobody"}, 404, "unknown_business"),
        ({"service_slug": "intro-call", "resource_id": "nobody"}, 404, "unknown_resource"),
        (
            {"service_slug": "intro-call", "resource_id": "01a1fc5c-20d3-7d36-8981-57ccd416e980"},
            404,
            "unknown_resource",
        ),
        ({}, 400, "validation_failed"),
        ({"service_slug": "intro-call", "tz": "Mars/Olympus"}, 400, "validation_failed"),
        ({"service_slug": "intro-call", "tz": "europe/moscow"}, 400, "validation_failed"),
        ({"service_slug": "intro-call", "tz": "../../etc/passwd"}, 400, "validation_failed"),
        ({"service_slug": "intro-call", "from": "21.11.2026"}, 400, "validation_failed"),
        ({"service_slug": "intro-call", "from": "2026-02-30"}, 400, "validation_failed"),
        ({"service_slug": "intro-call", "from": "2026-W01-1"}, 400, "validation_failed"),
        ({"service_slug": "intro-call", "from": "0001-01-01"}, 400, "validation_failed"),
        ({"service_slug": "intro-call", "from": "9999-12-31"}, 400, "validation_failed"),
        ({"service_slug": "intro-call", "from": "2026-12-02", "to": "2026-12-02"}, 400, "validation_failed"),
        ({"service_slug": "intro-call", "from": "2026-12-02", "to": "2026-12-01"}, 400, "validation_failed"),
        ({"service_slug": "intro-call", "party_size": "0"}, 400, "validation_failed"),
        ({"service_slug": "intro-call", "party_size": "1000000000"}, 400, "validation_failed"),
        ({"service_slug": "intro-call", "party_size": "-1"}, 400, "validation_failed"),
        ({"service_slug": "intro-call", "party_size": "two"}, 400, "validation_failed"),
    ],
)
def test_what_slots_refuse(clients: Clients, query: dict[str, str], status: int, code: str) -> None:
    """What is unknown is 404, what is malformed 400, each in the shape of every error (A-3, H-1)."""
    problem(clients.http.get(PATH, params=query), status, code)


def test_a_resource_that_does_not_lead(clients: Clients) -> None:
    """A resource that the service cannot be booked with is unknown to it (A-3)."""
    answer = clients.http.get(PATH, params={"service_slug": "intro-call", "resource_id": clients.resource("studio")})
    problem(answer, 404, "unknown_resource")


def test_what_must_be_prepaid_is_not_offered(clients: Clients, day: date) -> None:
    """Where nobody takes money, what must be paid in advance shows no slots, since none could be reserved (A-4)."""
    slot = clients.slots("intro-call", day)[0]
    with clients.altered("services", "intro-call", payment_policy="prepay", price_minor=100):
        problem(clients.http.get(PATH, params={"service_slug": "intro-call"}), 422, "payments_unavailable")
        answer = clients.http.post("/api/booking/reserve", json=clients.wish("intro-call", slot))
        problem(answer, 422, "payments_unavailable")
