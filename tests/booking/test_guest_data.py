"""Whom a booking is for is ciphertext in the database, wherever it came in, and opens for nobody else (D-5)."""

from collections.abc import AsyncIterator
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio
import structlog

from booking.opened import START, Practice, open_practice
from booking.served import Clients, Json, appointment_path, problem, token_of
from booking.staffed import StaffClients, app_on, bearer, make_key
from holdfast.booking.contacts import Guest
from holdfast.identity.permissions import Role
from holdfast.kernel.embedded import EmbeddedPostgres

MAIL, PHONE, NAME = "trillian.{}@vogsphere.example", "+44 1632 96{}", "Tricia {} McMillan"
# What of them must not be found, whatever stands around it.
WORDS = ["trillian", "vogsphere", "163296", "1632 96", "tricia", "mcmillan", "zaphodphobia"]
PERSONAL = {"guestEmail", "guestPhone", "guestName", "note"}


def guest(number: int) -> Json:
    """Return a contact that is like no other one."""
    return {
        "guestEmail": MAIL.format(number),
        "guestPhone": PHONE.format(f"{number:04}"),
        "guestName": NAME.format(number),
    }


def takers(document: Json) -> set[str]:
    """Return every call that takes personal data, as the document of the API says."""

    def members(shape: Json) -> set[str]:
        shape = document["components"]["schemas"].get(shape.get("$ref", "").rpartition("/")[2], shape)
        return set(shape.get("properties", ()))

    return {
        f"{method} {path}"
        for path, operations in document["paths"].items()
        if path.startswith("/api/booking/")
        for method, operation in operations.items()
        for content in operation.get("requestBody", {}).get("content", {}).values()
        if members(content["schema"]) & PERSONAL
    }


def found(clients: Clients, words: list[str]) -> list[tuple[str, str]]:
    """Return in which tables there are which of the words, in whatever column, as text or as bytes."""
    tables = clients.sql("select tablename from pg_tables where schemaname = 'public'")
    texts = [(word, form) for word in words for form in (word, word.encode().hex())]
    return [
        (table, word)
        for (table,) in tables
        for word, form in texts
        if clients.sql(f'select 1 from "{table}" t where strpos(lower(t::text), %s) > 0 limit 1', form)
    ]


def walk(clients: Clients, desk: StaffClients, day: date) -> set[str]:
    """Give personal data to every call that takes some; return which calls those were."""
    slots = iter(clients.slots("intro-call", day))
    held = clients.reserve("intro-call", next(slots), **{k: v for k, v in guest(1).items() if k != "guestName"})
    made = clients.commit(held, **guest(1))
    clients.post("/api/booking/book", clients.wish("intro-call", next(slots), **guest(2), idempotencyKey=str(uuid4())))
    starts = [next(slots)["start"] for _ in range(2)]
    series = clients.post("/api/booking/series", {"serviceId": clients.service("intro-call")["id"], "starts": starts})
    clients.post(f"/api/booking/series/{series['seriesId']}/commit", guest(3))
    by_hand = clients.wish("intro-call", next(slots), **guest(4), idempotencyKey=str(uuid4()))
    assert desk.call("POST", "/api/booking/appointments", by_hand).status_code == 201
    assert clients.change(made, guest(5)).status_code == 200
    path = appointment_path(made)
    assert desk.call("PATCH", path, {"note": "has zaphodphobia", "expectedVersion": 3}).status_code == 200
    held = clients.reserve("intro-call", next(slots))
    page = f"/emotional-balance/booking/slot/held/{held['reservationId']}"
    form = {"name": NAME.format(6), "email": MAIL.format(6), "phone": PHONE.format("0006"), "consent": "yes"}
    assert clients.http.post(page, data=form).status_code == 200
    return {
        "post /api/booking/reserve",
        "post /api/booking/commit",
        "post /api/booking/book",
        "post /api/booking/series/{series_id}/commit",
        "post /api/booking/appointments",
        "patch /api/booking/appointments/{appointment_id}",
    }


def test_nothing_personal_is_stored_in_plain_text(clients: Clients, desk: StaffClients, day: date) -> None:
    """After every call that takes a contact or a note, no column of any table has a word of them (D-5, invariant 8)."""
    assert walk(clients, desk, day) == takers(clients.get("/schema"))
    assert found(clients, WORDS) == []
    [(sealed, plain)] = clients.sql("select count(contact), count(*) filter (where contact_plain) from bookings")
    assert (sealed > 0, plain) == (True, 0)
    assert found(clients, ["intro-call"]) != [], "the search finds what is there"


@pytest.fixture
def own_uri(postgres: EmbeddedPostgres, own_database: str) -> str:
    """A URI of a database that may be damaged, as the application's role."""
    return postgres.uri(user="holdfast_app", database=own_database)


@pytest.fixture
def own_admin_uri(postgres: EmbeddedPostgres, own_database: str) -> str:
    """The same as administrator."""
    return postgres.uri(database=own_database)


@pytest_asyncio.fixture
async def practice(own_uri: str) -> AsyncIterator[Practice]:
    """A business with one practitioner, who is there around the clock."""
    async with open_practice(own_uri) as opened:
        await opened.add_resource("ana")
        await opened.add_service("talk", ["ana"])
        yield opened


async def booked(practice: Practice, number: int) -> UUID:
    """Book an hour for a guest of this number."""
    contact = Guest(MAIL.format(number), PHONE.format(number), NAME.format(number))
    return (await practice.reserve("talk", START + number * 3600, guest=contact)).made().id


def administer(uri: str, statement: str, *values: object) -> None:
    """Run a statement past the product and past the triggers."""
    with psycopg.connect(uri) as connection:
        connection.execute("set local session_replication_role = replica")
        connection.execute(statement.encode(), values)


def made_plain(uri: str, booking_id: UUID, email: str) -> None:
    """Leave a booking as an earlier release has left it."""
    administer(
        uri,
        "update bookings set contact = null, email_index = null, phone_index = null, contact_plain = true,"
        " guest_email = %s, guest_phone = '+7 900', guest_name = 'Guest' where id = %s",
        email,
        booking_id,
    )


async def test_ciphertext_of_another_row_tells_nothing(practice: Practice, own_uri: str, own_admin_uri: str) -> None:
    """A contact that was moved to another booking is an error of ours for every call that would show it (D-5).

    Neither the answer nor the log has a word of it; the log names the row.
    """
    theirs, ours = [await booked(practice, number) for number in (1, 2)]
    key = bearer(await make_key(practice.desk.database, practice.business_id, Role.OWNER))
    moved = "update bookings set contact = (select contact from bookings where id = %s) where id = %s"
    administer(own_admin_uri, moved, theirs, ours)
    path = f"/api/booking/appointments/{ours}"
    async with app_on(own_uri, own_admin_uri) as http:
        with structlog.testing.capture_logs() as lines:
            answers = [
                await http.get(path, headers=key),
                await http.get("/api/booking/appointments", headers=key),
                await http.patch(path, headers=key, json={"guestName": "Guest", "expectedVersion": 1}),
            ]
        for answer in answers:
            assert problem(answer, 500, "internal_error")["details"] == {}
            assert [word for word in WORDS if word in answer.text.lower()] == []
        told = [line for line in lines if line["event"] == "undecipherable"]
        assert [(line["column"], line["booking_id"]) for line in told] == [("bookings.contact", str(ours))] * 3
        assert [word for word in WORDS if word in str(lines).lower()] == []
        shown = (await http.get(f"/api/booking/appointments/{theirs}", headers=key)).json()
        assert shown["guestEmail"] == MAIL.format(1)


async def test_a_contact_of_an_earlier_release_is_read_as_before(
    practice: Practice, own_uri: str, own_admin_uri: str
) -> None:
    """A contact in plain text is shown and found; the change of a part seals it all, with the rest kept (D-5, B-15)."""
    booking_id = await booked(practice, 1)
    made_plain(own_admin_uri, booking_id, "guest@example.org")
    key = bearer(await make_key(practice.desk.database, practice.business_id, Role.ASSISTANT))
    path = f"/api/booking/appointments/{booking_id}"

    async with app_on(own_uri, own_admin_uri) as http:

        async def names(contact: str) -> list[Any]:
            answer = await http.get("/api/booking/appointments", headers=key, params={"contact": contact})
            return [shown["guestName"] for shown in answer.json()["appointments"]]

        assert (await http.get(path, headers=key)).json()["guestPhone"] == "+7 900"
        assert await names("guest@example.org") == await names("+7 900") == ["Guest"]
        change = {"guestName": "Berta", "expectedVersion": 1}
        assert (await http.patch(path, headers=key, json=change)).json()["guestEmail"] == "guest@example.org"
        assert await names("GUEST@example.org") == await names("7900") == ["Berta"]
    with psycopg.connect(own_admin_uri) as connection:
        row = connection.execute(
            "select contact_plain, num_nonnulls(guest_email, guest_phone, guest_name) from bookings where id = %s",
            [booking_id],
        ).fetchone()
    assert row == (False, 0)


async def test_a_commit_is_repeated_across_an_upgrade(practice: Practice, own_admin_uri: str) -> None:
    """What an earlier release committed is committed again with its token, shown to the same address only (B-11)."""
    reservation = (await practice.reserve("talk")).made().id
    first = await practice.desk.commit(practice.business_id, reservation, Guest("guest@example.org"))
    made_plain(own_admin_uri, reservation, "Guest@example.org")
    again = await practice.desk.commit(practice.business_id, reservation, Guest("guest@EXAMPLE.org"))
    assert (again.outcome, again.nonce) == ("repeated", first.nonce)
    other = await practice.desk.commit(practice.business_id, reservation, Guest("other@example.org"))
    assert (other.outcome, other.nonce) == ("repeated", None)


async def test_a_server_of_an_earlier_release_loses_no_contact(practice: Practice, own_uri: str) -> None:
    """A contact that is given in plain text, as earlier releases did, is refused and the hold stays (B-11, D-1)."""
    reservation = (await practice.reserve("talk")).made().id
    old = psycopg.types.json.Jsonb([{"n": 1, "id": str(reservation), "email": "guest@example.org", "nonce": "00" * 16}])
    with psycopg.connect(own_uri) as connection, pytest.raises(psycopg.errors.InvalidParameterValue, match="sealed"):
        connection.execute("select commit_reservations(%s, %s)", [practice.business_id, old])
    assert (await practice.read(reservation)).state == "held"


def test_a_contact_is_shown_to_its_client(clients: Clients, day: date) -> None:
    """What was sealed is shown to whoever proves the booking to be theirs, as it was given (B-11, D-5)."""
    made = clients.commit(clients.reserve("intro-call", clients.slots("intro-call", day)[0]), **guest(7))
    shown = clients.appointment(made)
    assert {name: shown[name] for name in guest(7)} == guest(7)
    answer = clients.http.get(appointment_path(made), headers=token_of(made))
    assert "hasNote" not in answer.json()
