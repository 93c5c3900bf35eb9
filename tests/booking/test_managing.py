"""The page of a booking for whoever has its link: seeing, moving, cancelling, taking it into a calendar (U-2)."""

import re
from datetime import UTC, datetime
from html import unescape
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from icalendar import Calendar

from booking.served import SLUG, Clients, Json, instant
from wording import say

SERVICE = "individual-session"


def page_of(made: Json, more: str = "", **query: object) -> str:
    """Return the address of the page of an appointment, or of one below it, with its token."""
    asked = "".join(f"&{name}={value}" for name, value in query.items())
    token = made["cancellationToken"]
    return f"/{SLUG}/booking/slot/manage/{made['appointmentId']}{more}?token={token}&lang=en{asked}"


def said(answer: httpx.Response) -> str:
    """Return what a page says."""
    return unescape(answer.text).replace("\u00a0", " ")


def fields(answer: httpx.Response) -> dict[str, str]:
    """Return the hidden fields of the form of a page."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', answer.text))


def state_of(clients: Clients, made: Json) -> tuple[str, datetime, int]:
    """Return how an appointment is, past the product."""
    [found] = clients.sql("select state, starts_at, version from bookings where id = %s", made["appointmentId"])
    return found  # type: ignore[return-value]


@pytest.fixture
def made(clients: Clients) -> Json:
    """An appointment that its client has just made."""
    return clients.booked(SERVICE, clients.slots(SERVICE, clients.fresh_day())[0])


def start_of(made: Json) -> datetime:
    """Return when an appointment begins."""
    return instant(made["start"])


@pytest.mark.parametrize("more", ["", "/move", "/cancel", "/calendar.ics"])
def test_only_the_link_opens_the_page(clients: Clients, made: Json, more: str) -> None:
    """Without the token of this very booking nothing of it is shown, and nothing says whether it exists (U-2, D-4)."""
    path = page_of(made, more)
    address, token = path.partition("?")[0], made["cancellationToken"]
    assert clients.http.get(path).status_code == 200
    for other in ("", "?token=", f"?token={token[:-1]}x", f"?token={'a' * 43}"):
        answer = clients.http.get(f"{address}{other}")
        assert answer.status_code == 401
        assert say("en", "This link is not complete. Please open it just as you have got it.") in said(
            clients.http.get(f"{address}{other}", headers={"Accept-Language": "en"})
        )
        assert made["appointmentId"] not in answer.text
    nobody = address.replace(made["appointmentId"], "00000000-0000-4000-8000-000000000000")
    assert clients.http.get(f"{nobody}?token={token}").status_code == 404


def test_opening_changes_nothing(clients: Clients, made: Json) -> None:
    """A program that follows every link of a message leaves the booking as it was (U-2)."""
    before = state_of(clients, made)
    free = clients.slots(SERVICE, start_of(made).date(), 2)[-1]
    start = int(instant(free["start"]).timestamp())
    for path in (
        page_of(made),
        page_of(made, "/move"),
        page_of(made, "/move", start=start),
        page_of(made, "/cancel"),
        page_of(made, "/calendar.ics"),
    ):
        answer = clients.http.get(path)
        assert answer.status_code == 200
        for link in re.findall(r'href="(/[^"]*)"', unescape(answer.text)):
            assert clients.http.get(link).status_code == 200, link
    assert state_of(clients, made) == before


def test_it_moves_to_the_time_that_was_chosen(clients: Clients, made: Json) -> None:
    """A client moves a booking to a free time that the page shows; sent twice it moves once (U-2, B-14, B-16)."""
    choose = clients.http.get(page_of(made, "/move"))
    links = [link for link in re.findall(r'href="(/[^"]*)"', unescape(choose.text)) if "start=" in link]
    confirm = clients.http.get(links[-1])
    [start] = parse_qs(urlsplit(links[-1]).query)["start"]
    assert say("en", "Move the booking to this time?") in said(confirm)
    form, path = fields(confirm), page_of(made, "/move")
    assert form["start"] == start
    for _ in range(2):
        answer = clients.http.post(path, data=form)
        assert answer.status_code == 303
        after = clients.http.get(answer.headers["location"])
        assert say("en", "Your booking is moved.") in said(after) or say(
            "en", "Your booking takes place at this time already."
        ) in said(after)
    state, starts_at, version = state_of(clients, made)
    assert (state, starts_at, version) == ("confirmed", datetime.fromtimestamp(int(start), UTC), 3)


def test_a_lost_race_moves_nothing_and_shows_what_is_free(clients: Clients, made: Json) -> None:
    """When somebody else takes the new time first, the booking stays and the nearest free times are links (B-22, U-2)."""
    before = state_of(clients, made)
    slot = clients.slots(SERVICE, start_of(made).date(), 1)[-1]
    start = int(instant(slot["start"]).timestamp())
    form = fields(clients.http.get(page_of(made, "/move", start=start)))
    for _ in slot["resourceIds"]:
        clients.reserve(SERVICE, slot)
    answer = clients.http.post(page_of(made, "/move"), data=form)
    assert answer.status_code == 409
    assert say("en", "Somebody else has just taken this time. Your booking is as it was.") in said(answer)
    assert say("en", "Free times near it") in said(answer)
    assert state_of(clients, made) == before
    near = next(link for link in re.findall(r'href="(/[^"]*)"', unescape(answer.text)) if "start=" in link)
    form = fields(clients.http.get(near))
    assert clients.http.post(page_of(made, "/move"), data=form).status_code == 303
    assert state_of(clients, made)[1] == datetime.fromtimestamp(int(form["start"]), UTC)


def test_it_is_cancelled_once(clients: Clients, made: Json) -> None:
    """A client cancels by the form, with a reason; sent twice it is one cancellation, and the page says so (U-2, B-15)."""
    ask = clients.http.get(page_of(made, "/cancel"))
    form = fields(ask) | {"reason": "I am travelling"}
    for _ in range(2):
        answer = clients.http.post(page_of(made, "/cancel"), data=form)
        assert answer.status_code == 303
        shown = said(clients.http.get(answer.headers["location"]))
        assert say("en", "This booking is cancelled") in shown
        assert say("en", "Move the booking") not in shown
    assert state_of(clients, made)[::2] == ("cancelled", 3)
    assert clients.reasons(made["appointmentId"])[-1] == "I am travelling"
    refused = clients.http.get(page_of(made, "/move"))
    assert refused.status_code == 400
    assert say("en", "This booking is cancelled already.") in said(refused)


def test_what_changed_meanwhile_is_told(clients: Clients, made: Json) -> None:
    """Who cancels what staff have changed since is told so, and nothing is cancelled unseen (B-14, U-2)."""
    form = fields(clients.http.get(page_of(made, "/cancel")))
    clients.alter_appointment(made, "price_minor = price_minor")
    answer = clients.http.post(page_of(made, "/cancel"), data=form)
    assert answer.status_code == 409
    told = "This booking was changed in the meantime. Please look at it again; nothing else was changed."
    assert say("en", told) in said(answer)
    assert state_of(clients, made)[0] == "confirmed"
    again = fields(clients.http.get(page_of(made, "/cancel")))
    assert clients.http.post(page_of(made, "/cancel"), data=again).status_code == 303


def test_too_late_is_said_before_it_is_tried(clients: Clients, made: Json) -> None:
    """Inside the notice the page offers neither move nor cancellation, and refuses both in words (B-15, U-2)."""
    minutes = 200 * 24 * 60
    with clients.altered("services", SERVICE, cancel_notice_minutes=minutes):
        shown = said(clients.http.get(page_of(made)))
        late = say("en", "It is too late to change this booking here. Please get in touch with us.")
        assert late in shown
        assert say("en", "Cancel the booking") not in shown
        for more in ("/move", "/cancel"):
            answer = clients.http.get(page_of(made, more))
            assert (answer.status_code, late in said(answer)) == (409, True)
        token = {"token": made["cancellationToken"]}
        assert clients.http.post(page_of(made, "/cancel"), data=token).status_code == 409
    assert state_of(clients, made)[0] == "confirmed"


def test_a_place_in_a_group_moves_to_another_day(clients: Clients) -> None:
    """Who has places in a group sees its other days with the places left, and moves with all of their party (U-2)."""
    first, second, *_ = clients.schedules()
    wish = {"businessId": clients.card["id"], "scheduleId": first["id"], "partySize": 2}
    made = clients.commit(clients.post("/api/booking/reserve", wish))
    choose = clients.http.get(page_of(made, "/move"))
    link = next(x for x in re.findall(r'href="(/[^"]*)"', unescape(choose.text)) if second["id"] in x)
    form = fields(clients.http.get(link))
    answer = clients.http.post(page_of(made, "/move"), data=form)
    assert answer.status_code == 303
    [moved] = clients.sql("select schedule_id::text, party_size from bookings where id = %s", made["appointmentId"])
    assert moved == (second["id"], 2)


@pytest.mark.parametrize(("zone", "language"), [("Europe/Moscow", "ru"), ("America/New_York", "en")])
def test_the_file_names_the_instant_of_the_page(clients: Clients, zone: str, language: str) -> None:
    """The calendar file has the very instants of the booking, one UID, and a sequence that grows (U-2, W-2, RFC 5545)."""
    slot = clients.slots(SERVICE, clients.fresh_day())[0]
    made = clients.commit(clients.reserve(SERVICE, slot), timezone=zone, locale=language)

    def event() -> object:
        answer = clients.http.get(page_of(made, "/calendar.ics"))
        assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        [found] = Calendar.from_ical(answer.content).walk("VEVENT")
        return found

    before = event()
    assert before["DTSTART"].dt == instant(slot["start"])  # type: ignore[index]
    assert before["DTEND"].dt == instant(slot["end"])  # type: ignore[index]
    assert made["cancellationToken"] in before["URL"]  # type: ignore[index]
    later = clients.slots(SERVICE, start_of(made).date(), 1)[-1]
    assert clients.change(made, {"slotStart": later["start"], "slotEnd": later["end"]}).status_code == 200
    after = event()
    assert after["UID"] == before["UID"]  # type: ignore[index]
    assert after["SEQUENCE"] > before["SEQUENCE"]  # type: ignore[index]
    assert after["DTSTART"].dt == instant(later["start"])  # type: ignore[index]


def test_it_speaks_as_the_client_has_booked(clients: Clients) -> None:
    """The page is in the language and the zone in which the booking was made, unless the address says otherwise (U-4)."""
    slot = clients.slots(SERVICE, clients.fresh_day())[0]
    made = clients.commit(clients.reserve(SERVICE, slot), timezone="Asia/Tokyo", locale="ru")
    path = page_of(made).replace("&lang=en", "")
    own = said(clients.http.get(path, headers={"Accept-Language": "en"}))
    assert say("ru", "Your booking") in own
    assert "(Asia/Tokyo)" in own
    other = said(clients.http.get(f"{path}&lang=en&tz=Europe/London"))
    assert say("en", "Your booking") in other
    assert "(Europe/London)" in other


@pytest.mark.parametrize("field", ["start", "schedule", "key", "version"])
@pytest.mark.parametrize("value", ["", "x" * 5_000, "\x00", "-1", "99999999999", "'; drop table bookings", "<script>"])
def test_forms_that_nobody_could_send(clients: Clients, made: Json, field: str, value: str) -> None:
    """Whatever stands in a field of the form is answered in words, never by a failure of ours (U-2)."""
    slot = clients.slots(SERVICE, start_of(made).date(), 1)[-1]
    form = {"token": made["cancellationToken"], "start": str(int(instant(slot["start"]).timestamp()))}
    for more in ("/move", "/cancel"):
        answer = clients.http.post(page_of(made, more), data=form | {field: value})
        assert answer.status_code in {303, 400, 401, 404, 409, 410, 422}, answer.text
