"""The waitlist: asked for by clients, seen by staff, left by its token."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from html import unescape
from uuid import uuid4

import httpx
import pytest

from booking.served import NOWHERE, SLUG, Clients, Json, problem, wrong_fields
from booking.staffed import StaffClients

PATH, LIST = "/api/public/booking/waitlist", "/api/admin/waitlist"
PAGE = f"/{SLUG}/booking/slot/waitlist"
TOKEN = re.compile(r"<code>([\w-]{43})</code>")


def new_email() -> str:
    """Return an address that nobody else has."""
    return f"{uuid4().hex}@example.org"


def wish(clients: Clients, day: date, email: str, **more: object) -> Json:
    """Return the body of somebody who waits for a session late on a day, when it is closed: the server offers nothing."""
    return {
        "businessId": clients.card["id"],
        "serviceId": clients.service("individual-session")["id"],
        "from": f"{day}T19:00:00Z",
        "to": f"{day}T23:00:00Z",
        "guestEmail": email,
        **more,
    }


def kept(clients: Clients, waitlist_id: str) -> list[tuple[str, int]]:
    """Return state and party of the request as it is stored."""
    return clients.sql("select state, party_size from waitlist_requests where id = %s", waitlist_id)


def listed(desk: StaffClients, **query: object) -> list[Json]:
    """Return the whole waitlist, read in small pages."""
    found: list[Json] = []
    cursor = ""
    while True:
        answer = desk.call("GET", LIST, params={"limit": 2, "cursor": cursor, **query})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["requests"]
        cursor = page["nextCursor"]
        if cursor is None:
            return found


def joined(clients: Clients) -> Json:
    """Return a schedule that somebody has joined, so that all its places are offered to nobody."""
    schedule = clients.schedules()[-1]
    clients.post("/api/booking/reserve", {"scheduleId": schedule["id"]})
    return schedule


def test_asking_twice_is_asking_once(clients: Clients, day: date) -> None:
    """The same wish of the same contact gets the same answer and is one request, also of ten at the same moment (W-1)."""
    email = new_email()
    bodies = [wish(clients, day, email), wish(clients, day, email.upper(), partySize=1)]
    bodies.append(wish(clients, day, email) | {"from": f"{day}T22:00:00+03:00"})
    with ThreadPoolExecutor(10) as threads:
        url = clients.http.base_url.join(PATH)
        answers = list(threads.map(lambda n: httpx.post(url, json=bodies[n % 3], timeout=30), range(10)))
    assert {answer.status_code for answer in answers} == {201}
    told = {answer.text for answer in answers} | {clients.http.post(PATH, json=bodies[0]).text}
    assert len(told) == 1
    first = answers[0].json()
    assert first["status"] == "waiting"
    assert kept(clients, first["waitlistId"]) == [("waiting", 1)]


@pytest.mark.parametrize(
    "more",
    [
        {"partySize": 2},
        {"to": "2031-01-01T00:00:00Z", "from": "2030-12-31T00:00:00Z"},
        {"guestPhone": "+7 900 000-00-07"},
    ],
)
def test_another_wish_is_another_request(clients: Clients, day: date, more: Json) -> None:
    """Another window, party or contact is another request of the same person (W-1)."""
    email = new_email()
    first = clients.post(PATH, wish(clients, day, email))
    second = clients.post(PATH, wish(clients, day, email, **more))
    assert first["waitlistId"] != second["waitlistId"]


def test_a_schedule_is_waited_for(clients: Clients) -> None:
    """Places of a schedule are waited for by its id alone, and no more of them than it has (W-1)."""
    schedule = joined(clients)
    body = {"scheduleId": schedule["id"], "guestEmail": new_email()}
    made = clients.post(PATH, body | {"partySize": 12})
    assert kept(clients, made["waitlistId"]) == [("waiting", 12)]
    assert wrong_fields(clients.http.post(PATH, json=body | {"partySize": 13})) == {"partySize"}
    clients.http.delete(f"{PATH}/{made['waitlistId']}", headers={"Booking-Token": made["token"]})


def test_leaving_the_waitlist(clients: Clients, day: date) -> None:
    """Whoever has the token leaves, once and for all who repeat it; asking again begins anew (W-1)."""
    body = wish(clients, day, new_email())
    made = clients.post(PATH, body)
    path = f"{PATH}/{made['waitlistId']}"
    for token in ({}, {"Booking-Token": "x" * 43}, {"Booking-Token": made["token"][:-1]}):
        problem(clients.http.delete(path, headers=token), 401, "authentication_required")
    other = clients.post(PATH, wish(clients, day, new_email()))
    problem(clients.http.delete(path, headers={"Booking-Token": other["token"]}), 401, "authentication_required")
    assert kept(clients, made["waitlistId"]) == [("waiting", 1)]
    for _ in range(2):
        assert clients.http.delete(path, headers={"Booking-Token": made["token"]}).status_code == 204
        assert kept(clients, made["waitlistId"]) == [("withdrawn", 1)]
    again = clients.post(PATH, body)
    assert (again["waitlistId"], again["status"], again["token"]) == (made["waitlistId"], "waiting", made["token"])
    assert again["createdAt"] > made["createdAt"]


@pytest.mark.parametrize("waitlist_id", [NOWHERE, "nothing", "%00", "1"])
def test_leaving_what_is_not_there(clients: Clients, waitlist_id: str) -> None:
    """A request that nobody has made is not found (H-1)."""
    problem(clients.http.delete(f"{PATH}/{waitlist_id}", headers={"Booking-Token": "x"}), 404, "not_found")


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"from": None}, "from"),
        ({"to": None}, "to"),
        ({"from": "2030-01-02T00:00:00Z", "to": "2030-01-02T00:00:00Z"}, "to"),
        ({"from": "2030-01-02T00:00:00Z", "to": "2030-01-01T00:00:00Z"}, "to"),
        ({"from": "2030-01-01T00:00:00Z", "to": "2030-03-05T00:00:00Z"}, "to"),
        ({"from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z"}, "to"),
        ({"from": "0001-01-01T00:00:00Z", "to": "2030-01-02T00:00:00Z"}, "from"),
        ({"from": "9999-12-31T00:00:00Z", "to": "9999-12-31T23:00:00Z"}, "from"),
        ({"from": "2030-01-01T00:00:00"}, "from"),
        ({"to": 1}, "to"),
        ({"partySize": 0}, "partySize"),
        ({"guestEmail": None}, "body"),
        ({"guestEmail": "nobody"}, "guestEmail"),
        ({"timezone": "Europe/Nowhere"}, "timezone"),
        ({"serviceId": None}, "serviceId"),
        ({"serviceId": "1"}, "serviceId"),
        ({"scheduleId": str(uuid4())}, "serviceId"),
        ({"serviceId": None, "scheduleId": str(uuid4())}, "from"),
    ],
)
def test_wishes_that_are_none(clients: Clients, day: date, more: Json, field: str) -> None:
    """What says no window, or two things at once, is refused by the name of the member (W-1, H-1)."""
    body = {name: value for name, value in wish(clients, day, new_email(), **more).items() if value is not None}
    assert wrong_fields(clients.http.post(PATH, json=body)) == {field}


def test_waiting_for_what_is_not_offered(clients: Clients, day: date) -> None:
    """Services and schedules that are not there or not for sale cannot be waited for, nor those of another business (W-1, H-4)."""
    body = wish(clients, day, new_email())
    problem(clients.http.post(PATH, json=body | {"serviceId": str(uuid4())}), 404, "unknown_service")
    problem(clients.http.post(PATH, json=body | {"businessId": str(uuid4())}), 404, "unknown_business")
    with clients.altered("services", "individual-session", active=False):
        problem(clients.http.post(PATH, json=body), 404, "unknown_service")
    with clients.altered("services", "individual-session", payment_policy="prepay"):
        problem(clients.http.post(PATH, json=body), 422, "payments_unavailable")
    schedule = {"scheduleId": clients.schedules("morning-group")[0]["id"], "guestEmail": new_email()}
    problem(clients.http.post(PATH, json=schedule | {"scheduleId": str(uuid4())}), 404, "unknown_schedule")
    with clients.altered("programs", "morning-group", active=False):
        problem(clients.http.post(PATH, json=schedule), 404, "unknown_schedule")
    [(begun,)] = clients.sql("select id::text from program_schedules where starts_at < now() limit 1") or [(None,)]
    if begun is not None:
        problem(clients.http.post(PATH, json=schedule | {"scheduleId": begun}), 422, "schedule_started")


def test_staff_see_who_waits(clients: Clients, desk: StaffClients, day: date) -> None:
    """Staff read the list page by page in the order of asking, by state, service or schedule, with the contact (W-1, H-2)."""
    emails = [new_email() for _ in range(5)]
    made = [clients.post(PATH, wish(clients, day, email, guestName="Guest of the list")) for email in emails]
    group = clients.post(PATH, {"scheduleId": joined(clients)["id"], "guestEmail": new_email(), "partySize": 12})
    clients.http.delete(f"{PATH}/{made[0]['waitlistId']}", headers={"Booking-Token": made[0]["token"]})

    ids = [each["waitlistId"] for each in made]
    shown = [each for each in listed(desk) if each["waitlistId"] in ids]
    assert [each["waitlistId"] for each in shown] == ids
    assert [each["guestEmail"] for each in shown] == emails
    assert shown[1] == {
        "waitlistId": ids[1],
        "status": "waiting",
        "serviceId": clients.service("individual-session")["id"],
        "scheduleId": None,
        "from": f"{day}T19:00:00Z",
        "to": f"{day}T23:00:00Z",
        "partySize": 1,
        "guestEmail": emails[1],
        "guestPhone": None,
        "guestName": "Guest of the list",
        "timezone": None,
        "locale": None,
        "createdAt": made[1]["createdAt"],
        "offer": None,
        "appointmentId": None,
    }
    waiting = [each["waitlistId"] for each in listed(desk, status="waiting")]
    assert ids[0] not in waiting
    assert set(ids[1:]) < set(waiting)
    of_group = listed(desk, scheduleId=clients.schedules()[-1]["id"])
    assert group["waitlistId"] in [each["waitlistId"] for each in of_group]
    assert not {each["waitlistId"] for each in of_group} & set(ids)
    of_service = listed(desk, serviceId=clients.service("individual-session")["id"])
    assert set(ids) < {each["waitlistId"] for each in of_service}
    clients.http.delete(f"{PATH}/{group['waitlistId']}", headers={"Booking-Token": group["token"]})


@pytest.mark.parametrize(
    ("name", "value"),
    [("status", "gone"), ("serviceId", "1"), ("scheduleId", "x"), ("cursor", "x"), ("limit", "0"), ("limit", "501")],
)
def test_lists_that_are_asked_for_badly(desk: StaffClients, name: str, value: str) -> None:
    """A filter, cursor or limit that is none is refused by its name (H-2)."""
    assert wrong_fields(desk.call("GET", LIST, params={name: value})) == {name}


def test_the_contact_is_sealed_and_can_be_forgotten(clients: Clients, owner: StaffClients, day: date) -> None:
    """The contact is in envelopes only, a person is told what they wait for, and it is gone when they are forgotten (D-5, D-8)."""
    email, phone, name = new_email(), "+7 900 111-22-33", "Guest who waits"
    made = clients.post(PATH, wish(clients, day, email, guestPhone=phone, guestName=name))
    [row] = clients.sql("select row_to_json(w)::text from waitlist_requests w where id = %s", made["waitlistId"])
    for text in (email, phone, name, name.encode().hex(), email.encode().hex()):
        assert text not in row[0]
    [told] = owner.call("POST", "/api/admin/people/export", {"email": email}).json()["kept"]["waitlist"]
    [shown] = [each for each in listed(owner) if each["waitlistId"] == made["waitlistId"]]
    assert (told["id"], told["contact"]) == (made["waitlistId"], {"email": email, "phone": phone, "name": name})
    same = ("status", "serviceId", "scheduleId", "from", "to", "partySize", "timezone", "locale", "createdAt")
    assert {each: told[each] for each in same} == {each: shown[each] for each in same}
    assert owner.call("POST", "/api/admin/people/erase", {"email": email}).status_code == 200
    assert kept(clients, made["waitlistId"]) == []
    gone = clients.http.delete(f"{PATH}/{made['waitlistId']}", headers={"Booking-Token": made["token"]})
    problem(gone, 404, "not_found")


@pytest.mark.parametrize(
    ("language", "heading", "done"),
    [("en", "Join the waitlist", "You are on the waitlist"), ("ru", "Встать в лист ожидания", "Вы в листе ожидания")],
)
def test_the_page_of_the_waitlist(
    clients: Clients, desk: StaffClients, day: date, language: str, heading: str, done: str
) -> None:
    """Without JavaScript a client names days and contact, once however often the form is sent, and gets the code (W-1, U-4)."""
    query = {"lang": language, "tz": "Asia/Tokyo"}
    form = clients.http.get(PAGE, params=query | {"service": "intro-call", "day": str(day)}).text
    assert f"<h1>{heading}</h1>" in form
    assert f'name="from" type="date" value="{day}" required' in form

    email, until = new_email(), day + timedelta(days=2)
    typed = {"service": "intro-call", "from": str(day), "to": str(until), "email": email, "name": "Guest <b>"}
    answers = [clients.http.post(PAGE, params=query, data=typed) for _ in range(2)]
    for answer in answers:
        assert answer.status_code == 200, answer.text
        assert f"<h1>{done}</h1>" in answer.text
    [token] = {TOKEN.findall(answer.text)[0] for answer in answers}
    [request] = [each for each in listed(desk) if each["guestEmail"] == email]
    assert (request["from"], request["to"]) == (f"{day - timedelta(days=1)}T15:00:00Z", f"{until}T15:00:00Z")
    assert (request["locale"], request["timezone"], request["guestName"]) == (language, "Asia/Tokyo", "Guest <b>")
    left = clients.http.delete(f"{PATH}/{request['waitlistId']}", headers={"Booking-Token": token})
    assert left.status_code == 204


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("email", "nobody"),
        ("email", ""),
        ("from", ""),
        ("from", "soon"),
        ("to", "2020-01-01"),
        ("to", "9998-01-01"),
        ("from", "2020-01-01"),
        ("phone", "x" * 40),
    ],
)
def test_a_form_of_the_waitlist_that_is_wrong(clients: Clients, day: date, name: str, value: str) -> None:
    """A form that cannot be taken is shown again with what was typed, and nobody waits by it (H-1, U-4)."""
    typed = {"service": "intro-call", "from": str(day), "to": str(day), "email": new_email(), "name": '"><b>'}
    answer = clients.http.post(PAGE, data=typed | {name: value}, params={"lang": "en"})
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert ("Please check the days" in answer.text) is (name in ("from", "to"))
    assert "<b>" not in answer.text
    assert typed["name"] in unescape(answer.text)
    assert clients.http.get(PAGE, params={"service": "nothing"}).status_code == 404
    assert clients.http.post(PAGE, data={"service": "nothing"}).status_code == 404
