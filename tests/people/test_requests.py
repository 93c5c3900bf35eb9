"""What people may ask of a business about themselves, over HTTP."""

from datetime import date
from typing import Any
from uuid import uuid4

import httpx
import pytest

from booking.served import SLUG, Clients, Json, appointment_path, problem, token_of
from booking.staffed import StaffClients
from holdfast.identity.permissions import Role

SERVICE = "intro-call"
NOTE = "Speaks quietly of the winter"


@pytest.fixture
def owner(staffs: dict[Role, StaffClients]) -> StaffClients:
    """An owner, who answers."""
    return staffs[Role.OWNER]


def somebody() -> dict[str, str]:
    """Return a contact that nobody has had before."""
    number = uuid4().int % 10**9
    return {
        "guestEmail": f"guest-{uuid4().hex}@example.org",
        "guestPhone": f"+7 9{number:09}",
        "guestName": "Guest Once",
    }


def ask(owner: StaffClients, what: str, **whom: str | None) -> httpx.Response:
    """Ask in the name of a person."""
    return owner.call("POST", f"/api/admin/people/{what}", dict(whom))


def told(owner: StaffClients, **whom: str | None) -> dict[str, list[Json]]:
    """Return what is kept of a person."""
    answer = ask(owner, "export", **whom)
    assert answer.status_code == 200, answer.text
    kept: dict[str, list[Json]] = answer.json()["kept"]
    return kept


def made(clients: Clients, owner: StaffClients, day: date, whom: dict[str, str]) -> Json:
    """Make an appointment with a note."""
    booked = clients.commit(clients.reserve(SERVICE, clients.slots(SERVICE, day)[0]), **whom)
    answer = owner.call(
        "PATCH", appointment_path(booked), {"note": NOTE}, headers={"If-Match": f'"{booked["version"]}"'}
    )
    assert answer.status_code == 200, answer.text
    return booked


def cancelled(clients: Clients, booked: Json) -> None:
    """Cancel an appointment."""
    assert clients.cancel(booked).status_code == 200


def stored(clients: Clients, booked: Json) -> tuple[Any, ...]:
    """Return what of a person the row of a booking has."""
    [row] = clients.sql(
        "select contact, email_index, phone_index, note from bookings where id = %s", booked["appointmentId"]
    )
    return row


@pytest.mark.parametrize("handle", ["email", "phone"])
def test_a_person_is_told_what_is_kept(clients: Clients, owner: StaffClients, day: date, handle: str) -> None:
    """By e-mail address or phone number, however they are written, everything that is kept of a person is told: bookings
    with contact and note, and consents; nothing of anybody else (D-8).
    """
    whom, other = somebody(), somebody()
    booked = made(clients, owner, day, whom)
    clients.commit(clients.reserve(SERVICE, clients.slots(SERVICE, day)[0]), **other)
    given = {"kind": "privacy_policy", "documentVersion": "2026-01", "email": whom["guestEmail"]}
    assert clients.http.post("/api/public/consents", json=given).status_code < 300
    asked = (
        {"email": whom["guestEmail"].upper()} if handle == "email" else {"phone": whom["guestPhone"].replace(" ", "-")}
    )
    kept = told(owner, **asked)
    [booking] = kept["bookings"]
    assert (booking["id"], booking["note"]) == (booked["appointmentId"], NOTE)
    assert booking["contact"] == {"email": whom["guestEmail"], "phone": whom["guestPhone"], "name": whom["guestName"]}
    said = [(each["kind"], each["documentVersion"]) for each in kept["consents"]]
    assert said == ([("privacy_policy", "2026-01")] if handle == "email" else [])


def test_each_answer_is_audited(clients: Clients, owner: StaffClients, day: date) -> None:
    """Who was told what is kept of a person, or has forgotten them, stands in the audit log, without the person (D-7, D-8)."""
    whom = somebody()
    cancelled(clients, made(clients, owner, day, whom))
    for what, action in (("export", "tell_person"), ("erase", "forget_person")):
        request = ask(owner, what, email=whom["guestEmail"]).json()["requestId"]
        [(done, actor)] = clients.sql("select action, actor from audit_log where aggregate_id = %s", request)
        assert (done, actor) == (action, "staff")


def test_a_forgotten_person_is_gone(clients: Clients, owner: StaffClients, day: date) -> None:
    """After the erasure nothing finds or names the person, their token opens nothing, and time, state, price and history
    of their bookings stay; asked again, there is nobody to forget (D-8).
    """
    whom = somebody()
    booked = made(clients, owner, day, whom)
    cancelled(clients, booked)
    count = "select count(*) from audit_log where aggregate_id = %s"
    [(before,)] = clients.sql(count, booked["appointmentId"])
    answer = ask(owner, "erase", email=whom["guestEmail"])
    assert (answer.status_code, answer.json()["forgotten"]["bookings"]) == (200, 1), answer.text
    assert stored(clients, booked) == (None, None, None, None)
    assert told(owner, email=whom["guestEmail"], phone=whom["guestPhone"])["bookings"] == []
    problem(clients.http.get(appointment_path(booked), headers=token_of(booked)), 401, "authentication_required")
    seen = owner.call("GET", appointment_path(booked)).json()
    assert (seen["status"], seen["start"], seen["guestEmail"]) == ("cancelled", booked["start"], None)
    assert clients.sql(count, booked["appointmentId"]) == [(before + 1,)]
    assert ask(owner, "erase", email=whom["guestEmail"]).json()["forgotten"]["bookings"] == 0


def test_the_series_of_a_forgotten_person_opens_nothing(clients: Clients, owner: StaffClients, day: date) -> None:
    """After the erasure the token of a series proves none of its appointments and changes nothing, a repeated commit tells
    no token, and the series itself, which anybody can read by its id, has nothing of a person in it (D-8, B-21).
    """
    whom = somebody()
    slots = clients.slots(SERVICE, day)
    wish = {"serviceId": clients.service(SERVICE)["id"], "starts": [slots[0]["start"], slots[3]["start"]]}
    path = f"/api/booking/series/{clients.post('/api/booking/series', wish)['seriesId']}"
    done = clients.post(f"{path}/commit", whom)
    proof = {"cancellationToken": done["cancellationToken"]}
    assert clients.http.get(appointment_path(done["appointments"][0]), headers=token_of(done)).status_code == 200
    clients.post(f"{path}/cancel", proof, 200)
    assert ask(owner, "erase", email=whom["guestEmail"]).json()["forgotten"]["bookings"] == 2
    for appointment in done["appointments"]:
        problem(clients.http.get(appointment_path(appointment), headers=token_of(done)), 401, "authentication_required")
    problem(clients.http.post(f"{path}/cancel", json=proof), 401, "authentication_required")
    again = clients.post(f"{path}/commit", whom, 200)
    assert [again["cancellationToken"], *(each["cancellationToken"] for each in again["appointments"])] == [None] * 3
    seen = clients.http.get(path, headers=token_of(done))
    assert not any(text in seen.text for text in whom.values())


def test_whoever_is_expected_is_not_forgotten(clients: Clients, owner: StaffClients, day: date) -> None:
    """While a person has an appointment to come, forgetting them is refused, names it, and changes nothing (D-8)."""
    whom = somebody()
    booked = made(clients, owner, day, whom)
    refused = problem(ask(owner, "erase", phone=whom["guestPhone"]), 409, "person_has_appointments")
    assert refused["details"]["appointmentIds"] == [booked["appointmentId"]]
    assert None not in stored(clients, booked)


def test_questions_and_leads_are_told_and_forgotten(clients: Clients, owner: StaffClients) -> None:
    """What somebody has asked, and the lead that this and a form made of them, is told; after the erasure their words and
    every way to reach them are gone, while state and time of the question stay (D-8).
    """
    email, phone = somebody()["guestEmail"], somebody()["guestPhone"]
    lead = {"business": SLUG, "email": email, "phone": phone, "name": "Guest Once", "consent": True}
    assert clients.http.post("/api/public/leads", json=lead).status_code < 300
    asked = {"business": SLUG, "text": "Winter is long, what helps?", "email": email, "consent": True}
    question = clients.post("/api/public/questions", asked)
    kept = told(owner, email=email)
    assert [(each["id"], each["text"]) for each in kept["questions"]] == [(question["id"], asked["text"])]
    [found] = kept["leads"]
    assert sorted(each["value"] for each in found["identities"]) == sorted([email, phone])
    assert found["timeline"]
    forgotten = ask(owner, "erase", email=email).json()["forgotten"]
    assert (forgotten["questions"], forgotten["leads"]) == (1, 1)
    kept = told(owner, email=email, phone=phone)
    assert (kept["questions"], kept["leads"]) == ([], [])
    [(status, reached)] = clients.sql("select status, email_index from ugc_items where id = %s", question["id"])
    assert (status, reached) == ("new", None)
    seen = clients.http.get(f"/api/public/questions/{question['id']}", headers={"Question-Token": question["token"]})
    assert asked["text"] not in seen.text


def test_nobody_is_asked_for(owner: StaffClients) -> None:
    """A request without a handle, or with one that is none, is told what is missing (H-1)."""
    for what in ("export", "erase"):
        problem(ask(owner, what), 400, "validation_failed")
        problem(ask(owner, what, email="nobody"), 400, "validation_failed")
    assert told(owner, email="nobody-ever@example.org")["bookings"] == []


def test_plain_contacts_of_an_earlier_release_are_waited_for(clients: Clients, owner: StaffClients, day: date) -> None:
    """While contacts of an earlier release are not sealed yet, an answer would be incomplete, so there is none (D-8)."""
    booked = made(clients, owner, day, somebody())
    clients.sql("alter table bookings disable trigger user")
    try:
        clients.sql(
            "update bookings set contact_plain = true, guest_email = %s where id = %s",
            "guest@example.org",  # no part of the statement, which PostgreSQL may log
            booked["appointmentId"],
        )
        problem(ask(owner, "export", email="guest@example.org"), 409, "still_sealing")
        clients.sql(
            "update bookings set contact_plain = false, guest_email = null where id = %s", booked["appointmentId"]
        )
    finally:
        clients.sql("alter table bookings enable trigger user")


def test_reasons_of_a_forgotten_person_are_gone(clients: Clients, owner: StaffClients, day: date) -> None:
    """Why a person cancelled is told to them, and is gone after the erasure, while the history stays (D-8)."""
    whom = somebody()
    booked = made(clients, owner, day, whom)
    assert clients.cancel(booked, reason="Grief").status_code == 200
    assert [booking["reasons"] for booking in told(owner, email=whom["guestEmail"])["bookings"]] == [["Grief"]]
    before = clients.reasons(booked["appointmentId"])
    assert ask(owner, "erase", email=whom["guestEmail"]).status_code == 200
    assert "Grief" in before
    assert clients.reasons(booked["appointmentId"]) == [None] * (len(before) + 1)
