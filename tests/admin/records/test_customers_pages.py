"""People on pages of staff: one is found and shown, a consent is written down, and what a person may ask for is done."""

import json
from datetime import date, timedelta
from uuid import uuid4

import pytest

from admin.records.desks import Desk
from booking.served import Clients, Json, shifted
from booking.staffed import StaffClients
from holdfast.identity.permissions import Role
from journeys.browser import Page
from wording import say

PATH = "/admin/customers"


def booked(clients: Clients, day: date, **contact: str) -> Json:
    """Book a time of a day."""
    return clients.commit(clients.reserve("individual-session", clients.slots("individual-session", day)[0]), **contact)


def somebody(**more: str) -> dict[str, str]:
    """Return how somebody is reached whom nobody has seen."""
    return {"guestEmail": f"{uuid4().hex}@example.org", "guestName": "Second Guest", **more}


def found(desk: Desk, text: str) -> Page:
    """Return the page of a person."""
    page = desk.send(desk.open(PATH), PATH, q=text)
    assert page.status == 200, page.text
    return page


def test_a_person_is_shown_with_what_concerns_them(
    clients: Clients, staffs: dict[Role, StaffClients], owner: Desk, day: date
) -> None:
    """By e-mail or phone staff see what somebody has booked, before and to come, and waits for; the address of the page tells
    nobody who it is (U-3, D-5).
    """
    contact = somebody(guestPhone=f"+7 {uuid4().int % 10**10:010}")
    coming = booked(clients, day, **contact)
    slot = clients.slots("individual-session", day)[2]
    past = {"slotStart": shifted(slot["start"], days=-200), "slotEnd": shifted(slot["end"], days=-200)}
    wish = {"serviceId": clients.service("individual-session")["id"], **past, **contact}
    before = staffs[Role.ASSISTANT].call("POST", "/api/booking/appointments", wish).json()
    window = {"from": f"{day}T06:00:00Z", "to": f"{day + timedelta(days=1)}T06:00:00Z"}
    waits = {"businessId": clients.card["id"], "serviceId": clients.service("intro-call")["id"], **window, **contact}
    waiting = clients.post("/api/public/booking/waitlist", waits)
    clients.http.delete(
        f"/api/public/booking/waitlist/{waiting['waitlistId']}", headers={"Booking-Token": waiting["token"]}
    )
    for text in (contact["guestEmail"].upper(), contact["guestPhone"].replace(" ", " (0) ").replace(" (0)", "")):
        page = found(owner, text)
        for words in ("Second Guest", contact["guestEmail"], contact["guestPhone"], "Знакомство", "Has left"):
            assert words in page.text, words
        links = page.links
        assert f"/admin/bookings/{coming['appointmentId']}" in links
        assert f"/admin/bookings/{before['appointmentId']}" in links
        assert contact["guestEmail"].partition("@")[0] not in page.address
        assert contact["guestPhone"][-8:] not in page.address


@pytest.mark.parametrize("text", ["nobody-at-all@example.org", "+7 000 000 00 01"])
def test_who_is_not_known_is_nobody(owner: Desk, text: str) -> None:
    """Who was never heard of is nobody, which is said where it was typed (U-3)."""
    page = owner.send(owner.open(PATH), PATH, q=text)
    assert page.status == 400
    assert "Nobody is known by this address or number" in page.text
    assert owner.form(page, PATH).fields["q"] == text


@pytest.mark.parametrize("who", ["email-", f"email-{'0' * 32}", f"fax-{'0' * 32}", "x", f"phone-{'G' * 32}"])
def test_an_address_of_nobody_opens_nothing(owner: Desk, who: str) -> None:
    """An address that names nobody is refused, and shows no page of anybody."""
    assert owner.open(f"{PATH}/{who}").status in {400, 404}


def test_a_consent_is_written_down(clients: Clients, assistant: Desk, day: date) -> None:
    """What a client says on paper is written down with the version of the document, and its history told (D-6, U-3)."""
    contact = somebody()
    booked(clients, day, **contact)
    page = found(assistant, contact["guestEmail"])
    refused = assistant.send(page, "/consents", kind="marketing", act="given", version="")
    assert refused.status == 400
    assert say("ru", "Say which version of the document they agreed to") in refused.text
    done = assistant.send(page, "/consents", kind="marketing", act="given", version="2026-01")
    assert done.status == 200
    for words in ("The consent is written down.", "News and offers", "Given", "told to staff"):
        assert say("ru", words) in done.text
    assert "2026-01" in done.text
    gone = assistant.send(done, "/consents", kind="marketing", act="withdrawn", version="")
    assert say("ru", "Withdrawn") in gone.text


def test_what_is_kept_of_a_person_is_handed_out(clients: Clients, owner: Desk, assistant: Desk, day: date) -> None:
    """An owner downloads what is kept of a person, which the log tells; others cannot, and see no way to (D-8)."""
    contact = somebody()
    made = booked(clients, day, **contact)
    page = found(owner, contact["guestEmail"])
    form = owner.form(page, "/export")
    answer = owner.post(form.action, **form.fields)
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith("attachment")
    told = json.loads(answer.text)
    [kept] = told["kept"]["bookings"]
    assert (kept["id"], kept["contact"]["email"]) == (made["appointmentId"], contact["guestEmail"])
    [(action,)] = clients.sql("select action from audit_log where aggregate_id = %s", told["requestId"])
    assert action == "tell_person"
    assert form.action not in {form.action for form in found(assistant, contact["guestEmail"]).forms}
    for ending in ("export", "erase"):
        refused = assistant.post(form.action.replace("export", ending), word="forget")
        assert refused.status_code == 403


def test_a_person_is_forgotten_once_that_is_meant(clients: Clients, owner: Desk, day: date) -> None:
    """Nobody is forgotten without the word, or while they are expected; then nobody is known by the address any more, and the
    booking stays (D-8).
    """
    contact = somebody(guestPhone=f"+7 {uuid4().int % 10**10:010}")
    made = booked(clients, day, **contact)
    page = found(owner, contact["guestEmail"])
    [also] = [given["value"] for tag, given in page.tags if tag == "input" and given.get("name") == "also"][:1]
    refused = owner.send(page, "/erase", word="yes", also=str(also))
    assert refused.status == 400
    assert "Type the word to confirm" in refused.text
    expected = owner.send(page, "/erase", word="forget", also=str(also))
    assert expected.status == 409
    assert "This person has appointments to come; cancel them first" in expected.text
    clients.cancel(made)
    done = owner.send(page, "/erase", word=" Удалить ", also=str(also))
    assert "The person was forgotten." in done.text
    for text in (contact["guestEmail"], contact["guestPhone"]):
        assert owner.send(owner.open(PATH), PATH, q=text).status == 400
    shown = owner.open(f"/admin/bookings/{made['appointmentId']}")
    assert shown.status == 200
    assert contact["guestEmail"] not in shown.source
    assert "The person was forgotten" in shown.text
