"""Consents over HTTP: given and withdrawn by people who prove who they are, and by those who only say so."""

from datetime import date
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from booking.served import SLUG, Clients, Json, problem, token_of, wrong_fields
from booking.staffed import StaffClients
from holdfast.identity.consents import Act, Kind, Proof

GIVE, WITHDRAW = "/api/public/consents", "/api/public/consents/withdraw"


def somebody() -> str:
    """Return an address that nobody else has."""
    return f"{uuid4().hex}@example.org"


def give(clients: Clients, **more: Any) -> Json:
    """Give a consent to be written to."""
    return clients.post(GIVE, {"business": SLUG, "kind": "marketing", "documentVersion": "2026-11", **more})


def seen(desk: StaffClients, contact: str) -> Json:
    """Return what staff see of a contact."""
    answer = desk.call("GET", "/api/admin/consents", params={"contact": contact})
    assert answer.status_code == 200, answer.text
    body: Json = answer.json()
    return body


def stands(desk: StaffClients, contact: str) -> list[tuple[str, str, str, bool]]:
    """Return kind, act, proof and whether it is contested, of what stands."""
    return [(s["kind"], s["act"], s["proof"], s["contested"]) for s in seen(desk, contact)["standing"]]


def booked(clients: Clients, day: date, email: str, **more: Any) -> Json:
    """Return an appointment of somebody."""
    reservation = clients.reserve("intro-call", clients.slots("intro-call", day)[0])
    return clients.commit(reservation, guestEmail=email, **more)


def test_a_consent_is_kept_with_version_and_time(clients: Clients, desk: StaffClients) -> None:
    """What was given is kept with kind, version, time and language, found by the address however it is cased (D-8)."""
    email = somebody()
    told = give(clients, email=email, locale="ru")
    assert {**told, "at": ""} == {"kind": "marketing", "act": "given", "documentVersion": "2026-11", "at": ""}
    [entry] = seen(desk, email.upper())["history"]
    assert entry == {**told, "proof": "claimed", "locale": "ru"}


def test_giving_and_withdrawing_are_both_kept(clients: Clients, desk: StaffClients) -> None:
    """A withdrawal overwrites nothing: history has every act in order, and the last one stands, kind by kind (D-8)."""
    phone = f"+7 999 {uuid4().int % 10**7:07}"
    give(clients, phone=phone)
    clients.post(WITHDRAW, {"business": SLUG, "kind": "marketing", "phone": phone})
    give(clients, phone=phone, documentVersion="2026-12")
    give(clients, phone=phone, kind="terms", documentVersion="1")
    clients.post(WITHDRAW, {"business": SLUG, "kind": "terms", "phone": phone})
    found = seen(desk, phone.replace(" ", "-"))
    assert [(e["kind"], e["act"], e["documentVersion"]) for e in found["history"]] == [
        ("marketing", "given", "2026-11"),
        ("marketing", "withdrawn", None),
        ("marketing", "given", "2026-12"),
        ("terms", "given", "1"),
        ("terms", "withdrawn", None),
    ]
    assert stands(desk, phone) == [("terms", "withdrawn", "claimed", False), ("marketing", "given", "claimed", False)]


def test_a_booking_proves_who_it_is(clients: Clients, desk: StaffClients, day: date) -> None:
    """With the token of a booking the consent is that of its contact, by address and by number (D-8)."""
    email, phone = somebody(), f"+7 999 {uuid4().int % 10**7:07}"
    made = booked(clients, day, email, guestPhone=phone)
    mine = {"bookingId": made["appointmentId"], "kind": "health_data"}
    clients.post(GIVE, mine | {"documentVersion": "3"}, headers=token_of(made))
    for contact in (email, phone):
        assert stands(desk, contact) == [("health_data", "given", "booking", False)]
    clients.post(WITHDRAW, mine, headers=token_of(made))
    assert stands(desk, email) == [("health_data", "withdrawn", "booking", False)]


def test_a_stranger_takes_nothing_back(clients: Clients, desk: StaffClients, day: date) -> None:
    """What was proven stays, whoever claims the contrary; staff see that somebody did, and settle it (D-8)."""
    email = somebody()
    made = booked(clients, day, email)
    mine = {"bookingId": made["appointmentId"], "kind": "health_data", "documentVersion": "3"}
    clients.post(GIVE, mine, headers=token_of(made))
    claimed = {"business": SLUG, "email": email, "kind": "health_data"}
    clients.post(WITHDRAW, claimed)
    assert stands(desk, email) == [("health_data", "given", "booking", True)]
    clients.post(GIVE, claimed | {"documentVersion": "4"})
    assert stands(desk, email) == [("health_data", "given", "booking", False)]
    clients.post(WITHDRAW, claimed)
    answer = desk.call("POST", "/api/admin/consents", {"email": email, "kind": "health_data", "act": "withdrawn"})
    assert answer.status_code == 201, answer.text
    assert stands(desk, email) == [("health_data", "withdrawn", "staff", False)]
    clients.post(GIVE, claimed | {"documentVersion": "4"})
    assert stands(desk, email) == [("health_data", "withdrawn", "staff", True)], "a stranger gives nothing either"


def test_nobody_learns_who_is_known(clients: Clients) -> None:
    """Withdrawing for somebody who has given consent and for nobody hears the same words (D-8, H-4)."""
    known = somebody()
    give(clients, email=known)
    told = [
        clients.post(WITHDRAW, {"business": SLUG, "kind": "marketing", "email": email}) for email in (known, somebody())
    ]
    assert [{**each, "at": ""} for each in told] == [
        {"kind": "marketing", "act": "withdrawn", "documentVersion": None, "at": ""}
    ] * 2


def test_a_booking_needs_its_token(clients: Clients, day: date) -> None:
    """Without its token, with a wrong one, or beside another contact, a booking proves nothing (D-8)."""
    made = booked(clients, day, somebody())
    mine = {"bookingId": made["appointmentId"], "kind": "terms", "documentVersion": "1"}
    for headers in ({}, {"Booking-Token": "x"}):
        problem(clients.http.post(GIVE, json=mine, headers=headers), 401, "authentication_required")
        problem(clients.http.post(WITHDRAW, json=mine, headers=headers), 401, "authentication_required")
    both = clients.http.post(GIVE, json=mine | {"email": somebody()}, headers=token_of(made))
    assert wrong_fields(both) == {"bookingId"}
    for unknown in (str(uuid4()), "nothing"):
        answer = clients.http.post(GIVE, json=mine | {"bookingId": unknown}, headers=token_of(made))
        problem(answer, 404, "appointment_not_found")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"kind": "everything"}, "kind"),
        ({"documentVersion": None}, "documentVersion"),
        ({"documentVersion": "somebody@example.org"}, "documentVersion"),
        ({"documentVersion": "v" * 51}, "documentVersion"),
        ({"email": "nobody"}, "email"),
        ({"email": None}, "email"),
        ({"phone": "call me"}, "phone"),
        ({"locale": "in plain words"}, "locale"),
    ],
)
def test_what_is_no_consent_is_refused(clients: Clients, wrong: Json, field: str) -> None:
    """A kind that is not declared, a version that could be a sentence, no contact: refused by the member's name (H-1)."""
    body = {"business": SLUG, "kind": "terms", "documentVersion": "1", "email": somebody()} | wrong
    assert wrong_fields(clients.http.post(GIVE, json=body)) == {field}


def test_staff_name_whom_they_ask_about(desk: StaffClients) -> None:
    """Without a contact, or with too long a one, there is no answer; a version is needed for what is given (H-1)."""
    for params in ({}, {"contact": ""}, {"contact": "x" * 255}):
        assert wrong_fields(desk.call("GET", "/api/admin/consents", params=params)) == {"contact"}
    answer = desk.call("POST", "/api/admin/consents", {"email": somebody(), "kind": "terms", "act": "given"})
    assert wrong_fields(answer) == {"documentVersion"}


def test_nobody_rewrites_what_was_said(clients: Clients) -> None:
    """The servers' role can neither change nor remove a consent, and no row has the address (D-5, D-8)."""
    email = somebody()
    give(clients, email=email)
    [(plain,)] = clients.sql("select count(*) from consents c where strpos(c::text, %s) > 0", email)
    assert plain == 0
    for statement in ("update consents set act = 'withdrawn'", "delete from consents"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            clients.sql(f"set role holdfast_app; {statement}")


def test_the_words_are_the_same_in_python_and_in_the_database(clients: Clients) -> None:
    """Kinds, acts and proofs are those that the database knows."""
    for constraint, words in (("kind", Kind), ("act", Act), ("proof", Proof)):
        [(check,)] = clients.sql(
            "select pg_get_constraintdef(oid) from pg_constraint where conname = %s", f"consents_{constraint}_known"
        )
        assert {word for word in check.split("'") if word.isidentifier()} >= {str(word) for word in words}
        assert check.count("::text") - 1 in {len(words), len(words) - 1}


def test_writing_down_is_audited(desk: StaffClients, clients: Clients) -> None:
    """What staff write down has an entry of who did it, without a word about whom (D-7)."""
    email = somebody()
    wish = {"email": email, "kind": "terms", "act": "given", "documentVersion": "7"}
    assert desk.call("POST", "/api/admin/consents", wish).status_code == 201
    [(actor, to_state, actor_id)] = clients.sql(
        "select actor, to_state, actor_id::text from audit_log where action = 'write_down_consent'"
        " order by occurred_at desc limit 1"
    )
    assert (actor, to_state, actor_id.replace("-", "")) == ("staff", "given", desk.key[3:35])
