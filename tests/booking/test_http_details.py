"""The pages between a chosen time and a booking: more time to type, the consent, and places of a group."""

import re
from datetime import date, timedelta
from html import unescape
from uuid import uuid4

import httpx
import pytest

from booking.served import NOWHERE, SLUG, Clients, Json, instant
from booking.staffed import StaffClients
from holdfast.booking.pages.consent import VERSION
from journeys.browser import Page
from wording import say

START = f"/{SLUG}/booking/slot"
CONSENT = "I agree that %(business)s keeps these details and uses them to arrange this booking."


def somebody() -> dict[str, str]:
    """Return details that nobody else has, without a consent."""
    return {"name": "Guest", "email": f"{uuid4().hex}@example.org", "phone": f"+7 999 {uuid4().int % 10**7:07}"}


def held_at(clients: Clients, day: date) -> Json:
    """Hold a free time of a day."""
    return clients.reserve("intro-call", clients.slots("intro-call", day)[0])


def page_of(held: Json, then: str = "") -> str:
    """Return the address of the page of what is held."""
    return f"{START}/held/{held['reservationId']}{then}?lang=en"


def consents(desk: StaffClients, contact: str) -> list[Json]:
    """Return every consent of a contact, oldest first."""
    answer = desk.call("GET", "/api/admin/consents", params={"contact": contact})
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()["history"]
    return found


def dates(clients: Clients, program: str = "morning-group", **query: object) -> httpx.Response:
    """Return the page of the dates of a group."""
    return clients.http.get(START, params={"program": program, "lang": "en", **query})


def test_too_much_at_once_is_told_as_a_page(clients: Clients, day: date) -> None:
    """Details that are longer than is read are answered by a page in words (U-1)."""
    refused = clients.http.post(page_of(held_at(clients, day)), data=somebody() | {"name": "x" * 100_000})
    assert (refused.status_code, refused.headers["content-type"]) == (413, "text/html; charset=utf-8")
    assert say("en", "This is too much to send at once; nothing was changed, send less") in Page(refused).text


def test_without_a_consent_nothing_is_booked(clients: Clients, desk: StaffClients, day: date) -> None:
    """Details without the consent book nothing and keep nothing; the form asks for it with what was typed (D-8, U-1)."""
    held, typed = held_at(clients, day), somebody()
    refused = clients.http.post(page_of(held), data=typed)
    assert refused.status_code == 400
    page = Page(refused)
    assert say("en", "Please agree: without that we may not keep your details.") in page.text
    [box] = [given for tag, given in page.tags if tag == "input" and given.get("name") == "consent"]
    assert (box.get("aria-invalid"), box.get("aria-describedby"), "checked" in box) == ("true", "consent-wrong", False)
    assert {name: page.form.fields[name] for name in typed} == typed
    assert clients.read(held)["status"] == "held"
    assert consents(desk, typed["email"]) == []


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_consent_is_kept_with_the_booking(clients: Clients, desk: StaffClients, day: date, language: str) -> None:
    """What a client agrees to is kept once, proven by the booking, with version, time and language, for the address and the
    number that they give; the sentence that they read names the business (D-8, U-1, U-4).
    """
    held, typed = held_at(clients, day), somebody()
    address = page_of(held).replace("lang=en", f"lang={language}")
    sentence = say(language, CONSENT) % {"business": clients.card["name"]}
    assert sentence in Page(clients.http.get(address)).text
    for _ in range(2):
        assert clients.http.post(address, data=typed | {"consent": "yes"}).status_code == 200
    for contact in (typed["email"], typed["phone"]):
        [entry] = consents(desk, contact)
        kept = [entry[name] for name in ("kind", "act", "documentVersion", "proof", "locale")]
        assert kept == ["privacy_policy", "given", VERSION, "booking", language]


def test_a_consent_is_given_for_each_booking(clients: Clients, desk: StaffClients, day: date) -> None:
    """Who has taken a consent back and books anew has given it anew (D-8)."""
    typed = somebody()
    for number in range(2):
        held = clients.reserve("intro-call", clients.slots("intro-call", day)[number])
        assert clients.http.post(page_of(held), data=typed | {"consent": "yes"}).status_code == 200
        if not number:
            gone = {"business": SLUG, "kind": "privacy_policy", "email": typed["email"]}
            clients.post("/api/public/consents/withdraw", gone)
    acts = [(entry["act"], entry["proof"]) for entry in consents(desk, typed["email"])]
    assert acts == [("given", "booking"), ("withdrawn", "claimed"), ("given", "booking")]


def test_another_sentence_is_another_version() -> None:
    """The version that is kept belongs to the very words of the sentence: whoever changes them changes it (D-8)."""
    words = {
        "en": CONSENT,
        "ru": "Я согласен (согласна), чтобы «%(business)s» хранила эти данные и использовала их для этой записи.",
    }
    assert {language: say(language, CONSENT) for language in words} == words
    assert VERSION == "booking-page-1"


def test_more_time_keeps_what_was_typed(clients: Clients, day: date) -> None:
    """The button holds the place for its whole time again, books nothing, and the form still has what was typed, be it
    right or not; opening its address does nothing (B-12, U-1).
    """
    held = held_at(clients, day)
    clients.sql(
        "update bookings set held_at = held_at - interval '14 minutes', expires_at = expires_at - interval '14 minutes',"
        " version = version + 1 where id = %s",
        held["reservationId"],
    )
    before = clients.read(held)
    assert before["remainingSeconds"] < 120
    led = clients.http.get(page_of(held, "/extend"))
    assert led.status_code == 303
    assert clients.read(held)["expiresAt"] == before["expiresAt"]
    typed = somebody() | {"email": "not yet", "consent": "yes"}
    page = Page(clients.http.post(page_of(held, "/extend"), data=typed))
    assert page.status == 200
    after = clients.read(held)
    assert (after["status"], after["remainingSeconds"] > 800) == ("held", True)
    assert say("en", "It is held for longer now.") in page.text
    assert {name: page.form.fields.get(name) for name in typed} == typed
    [button] = [given for tag, given in page.tags if tag == "button" and given.get("formaction")]
    assert unescape(button["formaction"] or "") == page_of(held, "/extend")
    # Whoever presses Enter in a field confirms.
    assert page.form.buttons.index(("", "")) == 0
    assert "formnovalidate" in button


def test_more_time_is_not_without_end(clients: Clients, day: date) -> None:
    """What has been held for a day is not held any longer, and the page says so; what has run out is not held by it (B-12, U-1)."""
    held = held_at(clients, day)
    clients.sql(
        "update bookings set held_at = clock_timestamp() - interval '24 hours' + interval '1 minute',"
        " expires_at = clock_timestamp() + interval '1 minute', version = version + 1 where id = %s",
        held["reservationId"],
    )
    clients.http.post(page_of(held, "/extend"))
    page = Page(clients.http.post(page_of(held, "/extend"), data={"name": "Guest"}))
    assert say("en", "It cannot be held any longer. Please finish before the time is over.") in page.text
    assert page.form.fields["name"] == "Guest"
    clients.run_out(held)
    over = Page(clients.http.post(page_of(held, "/extend"), data={"name": "Guest"}))
    assert over.status == 410
    assert say("en", "This time is no longer held for you") in over.text
    assert over.form.fields["name"] == "Guest"
    assert clients.read(held)["status"] == "expired"


@pytest.mark.parametrize("text", ["nothing", "%00", NOWHERE])
def test_more_time_for_nothing(clients: Clients, text: str) -> None:
    """Who asks for more time for what is not held gets a page that says so (H-1)."""
    assert clients.http.post(f"{START}/held/{text}/extend").status_code == 404


def test_groups_stand_beside_services(clients: Clients) -> None:
    """Groups are listed with the services, and lead to their dates as the API has them, with the places left (B-20, U-1)."""
    start = Page(clients.http.get(START, params={"lang": "en"}))
    [way] = [link for link in start.links if "program=morning-group" in link]
    page = clients.http.get(unescape(way))
    told = clients.schedules()[:20]
    assert [value for name, value in Page(page).form.buttons if name == "schedule"] == [each["id"] for each in told]
    left = [int(number) for number in re.findall(r"(\d+) places? left", page.text)]
    assert left == [each["placesLeft"] for each in told]
    [later] = [link for link in Page(page).links if "cursor=" in link and "lang=ru" not in link]
    following = Page(clients.http.get(unescape(later)))
    assert following.form.buttons[0][1] == clients.schedules()[20]["id"]


def test_places_of_a_group_are_booked(clients: Clients, desk: StaffClients) -> None:
    """A client chooses for how many and a date, types the details, and so many places are theirs (B-20, U-1)."""
    schedule = clients.schedules()[4]
    page = Page(dates(clients, party=3, tz="Asia/Tokyo"))
    [less, more] = re.findall(r'<a href="([^"]+)" data-swap aria-label="One person', page.source)
    assert ["party=2" in less, "party=4" in more] == [True, True]
    form = page.form
    answer = clients.http.post(form.action, data=form.fields | {"schedule": schedule["id"]})
    assert answer.status_code == 303
    again = clients.http.post(form.action, data=form.fields | {"schedule": schedule["id"]})
    assert again.headers["location"] == answer.headers["location"]
    held = Page(clients.http.get(answer.headers["location"]))
    assert ["Утренняя группа" in held.text, "3 places" in held.text, "Asia/Tokyo" in held.text] == [True] * 3
    typed = somebody()
    done = Page(clients.http.post(held.form.action, data=typed | {"consent": "yes"}))
    assert say("en", "Your booking is confirmed") in done.text
    assert [now["placesLeft"] for now in clients.schedules() if now["id"] == schedule["id"]] == [
        schedule["placesLeft"] - 3
    ]
    made = re.findall(r"/manage/([0-9a-f-]{36})\?[^\"]*token=([A-Za-z0-9_-]{43})", unescape(done.source))[0]
    shown = clients.appointment({"appointmentId": made[0], "cancellationToken": made[1]})
    assert [shown[name] for name in ("status", "partySize", "guestEmail")] == ["confirmed", 3, typed["email"]]
    assert clients.cancel({"appointmentId": made[0], "cancellationToken": made[1]}).status_code == 200


@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_lost_race_for_places_shows_what_is_left(clients: Clients, language: str) -> None:
    """Who wants more places than are left is told how many there are, sees the other dates, and has nothing to type again;
    dates with too few places cannot be chosen (B-20, B-22, U-1, U-4).
    """
    schedule, other = clients.schedules()[6:8]
    form = Page(dates(clients, party=2, lang=language)).form
    typed = somebody() | {"consent": "yes"}
    taken = clients.post(
        "/api/booking/reserve", {"scheduleId": schedule["id"], "partySize": schedule["placesLeft"] - 1}
    )
    lost = clients.http.post(form.action, data=form.fields | typed | {"schedule": schedule["id"]})
    assert lost.status_code == 409
    page = Page(lost)
    words = {"en": "this date has 1 place left", "ru": "на эту дату осталось 1 место"}
    assert words[language] in page.text
    assert {name: page.form.fields[name] for name in typed} == typed
    [full] = [given for tag, given in page.tags if tag == "button" and given.get("value") == schedule["id"]]
    assert "disabled" in full
    held = clients.http.post(page.form.action, data=page.form.fields | {"schedule": other["id"]})
    assert held.status_code == 200
    shown = Page(held)
    assert {name: shown.form.fields[name] for name in typed} == typed
    clients.http.delete(f"/api/booking/reservations/{taken['reservationId']}")
    reservation = re.findall(r"/held/([0-9a-f-]{36})", shown.form.action)[0]
    assert clients.http.delete(f"/api/booking/reservations/{reservation}").status_code == 204


@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_full_date_leads_to_the_waitlist(clients: Clients, desk: StaffClients, language: str) -> None:
    """Where a date has too few places left one can ask to wait for it, for as many, once however often the form is sent; a
    mistake in it keeps what was typed (W-1, U-1, U-4).
    """
    schedule, typed = clients.schedules()[10], somebody()
    taken = clients.post(
        "/api/booking/reserve", {"scheduleId": schedule["id"], "partySize": schedule["placesLeft"] - 1}
    )
    page = Page(dates(clients, party=2, lang=language, tz="Asia/Tokyo"))
    [way] = [link for link in page.links if "/waitlist" in link]
    form = Page(clients.http.get(unescape(way))).form
    assert {name: form.fields[name] for name in ("schedule", "party")} == {"schedule": schedule["id"], "party": "2"}
    wrong = Page(clients.http.post(form.action, data=form.fields | typed | {"email": "nobody"}))
    assert (wrong.status, wrong.form.fields["phone"]) == (400, typed["phone"])
    for _ in range(2):
        waiting = Page(clients.http.post(wrong.form.action, data=wrong.form.fields | typed))
        assert say(language, "You are on the waitlist") in waiting.text
        assert "Утренняя группа" in waiting.text
    listed = desk.call("GET", "/api/admin/waitlist", params={"limit": 500}).json()["requests"]
    [made] = [each for each in listed if each["guestEmail"] == typed["email"]]
    kept = [made[name] for name in ("scheduleId", "partySize", "serviceId", "timezone", "locale")]
    assert kept == [schedule["id"], 2, None, "Asia/Tokyo", language]
    [way] = [unescape(link) for link in waiting.links if "/offer/" in link]
    assert clients.http.post(way, data={"token": way.partition("token=")[2].partition("&")[0]}).status_code == 200
    clients.http.delete(f"/api/booking/reservations/{taken['reservationId']}")


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"schedule": "nothing"}, 404),
        ({"schedule": str(uuid4())}, 404),
        ({"service": "nothing"}, 404),
        ({"service": "open-studio", "party": "13", "from": "2090-01-01", "to": "2090-01-02"}, 400),
        ({"service": "open-studio", "party": "0"}, 400),
    ],
)
def test_what_cannot_be_waited_for(clients: Clients, asked: dict[str, str], status: int) -> None:
    """Who asks to wait for what there is not, or for more places than there ever are, gets a page that says so (H-1, W-1)."""
    refused = clients.http.post(f"{START}/waitlist?lang=en", data=asked | {"email": "guest@example.org"})
    assert refused.status_code == status
    assert say("en", "That did not work") in refused.text


def test_places_that_have_run_out_are_held_again(clients: Clients) -> None:
    """Whose places of a group are not held any more holds them again, as many, with what was typed (B-4, B-20, U-1)."""
    schedule = clients.schedules()[8]
    held = clients.post("/api/booking/reserve", {"scheduleId": schedule["id"], "partySize": 2})
    clients.run_out(held)
    typed = somebody() | {"consent": "yes"}
    expired = Page(clients.http.post(page_of(held), data=typed))
    assert expired.status == 410
    assert [link for link in expired.links if "program=morning-group" in link]
    again = Page(clients.http.post(expired.form.action, data=expired.form.fields | dict(expired.form.buttons)))
    assert again.status == 200
    reservation = re.findall(r"/held/([0-9a-f-]{36})", again.form.action)[0]
    assert clients.read({"reservationId": reservation})["partySize"] == 2
    assert {name: again.form.fields[name] for name in typed} == typed
    clients.http.delete(f"/api/booking/reservations/{reservation}")


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"schedule": "nothing"}, 404),
        ({"schedule": str(uuid4())}, 404),
        ({"schedule": "\x00"}, 404),
        ({"schedule": str(uuid4()), "party": "0"}, 400),
        ({"schedule": str(uuid4()), "key": "k" * 200}, 400),
    ],
)
def test_forms_that_hold_no_places(clients: Clients, form: dict[str, str], status: int) -> None:
    """A form that names no date of a group is refused by a page (H-1)."""
    assert clients.http.post(f"{START}/hold", data=form).status_code == status


def test_groups_that_are_not_offered(clients: Clients) -> None:
    """A group that is none, one that is not offered any more, and a page that no list has led to are refused (H-1)."""
    assert dates(clients, "nothing").status_code == 404
    assert dates(clients, cursor="nothing").status_code == 400
    with clients.altered("programs", "open-lecture", active=False):
        assert dates(clients, "open-lecture").status_code == 404
        assert "program=open-lecture" not in clients.http.get(START).text
    # Without an account nothing can be paid beforehand.
    with clients.altered("programs", "morning-group", payment_policy="prepay"):
        assert dates(clients).status_code == 422
        assert "program=morning-group" not in clients.http.get(START).text


def test_a_booking_leads_to_its_own_pages(clients: Clients, day: date) -> None:
    """Who has booked finds the calendar file and the page of the booking, both with its token; who has only the address of
    what was held finds neither (B-11, U-1, U-2).
    """
    held = held_at(clients, day)
    done = Page(clients.http.post(page_of(held), data=somebody() | {"consent": "yes"}))
    ways = [unescape(link) for link in done.links if "/manage/" in link]
    assert len(ways) == 2
    file = clients.http.get(next(way for way in ways if ".ics" in way))
    assert file.headers["content-type"].startswith("text/calendar")
    assert f"DTSTART:{instant(held['start']):%Y%m%dT%H%M%SZ}" in file.text.replace("\r\n", "\n")
    assert clients.http.get(next(way for way in ways if ".ics" not in way)).status_code == 200
    assert "/manage/" not in clients.http.get(page_of(held)).text


def test_the_countdown_is_told_without_scripts(clients: Clients, day: date) -> None:
    """Until when a place is held stands on the page in the client's zone, and how long that is in words (B-4, U-1, U-4)."""
    held = held_at(clients, day)
    until = instant(held["expiresAt"]) + timedelta(hours=9)
    for language, minutes in (("en", "15 minutes"), ("ru", "15 минут")):
        page = Page(clients.http.get(page_of(held).replace("lang=en", f"lang={language}&tz=Asia/Tokyo")))
        assert f"{until:%H:%M}" in page.text
        assert minutes in page.text.replace("\u00a0", " ")
