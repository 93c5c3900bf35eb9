"""Intake forms: given by the client with the token, sealed, read by few, and every reading is written down (D-5, D-7)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import httpx
import psycopg
import pytest
import pytest_asyncio

from booking.opened import START, Practice, open_practice
from booking.served import Clients, Json, problem, token_of, wrong_fields
from booking.staffed import StaffClients, app_on, bearer, make_key
from holdfast.identity.permissions import Role

PATH = "/api/public/booking/intake"
ANSWERS = {"Что вас беспокоит?": "Не сплю.\nБоюсь высоты.", "Allergies": ""}


@pytest.fixture
def made(clients: Clients, day: date) -> Json:
    """An appointment, made by a client."""
    return clients.booked("individual-session", clients.slots("individual-session", day)[0])


def submit(clients: Clients, made: Json, answers: object = ANSWERS, **more: object) -> httpx.Response:
    """Answer a form that a client sends."""
    body = {"appointmentId": made["appointmentId"], "answers": answers, **more}
    return clients.http.post(PATH, json=body, headers=token_of(made))


def read_path(made: Json) -> str:
    """Return where the form of an appointment is read."""
    return f"/api/admin/appointments/{made['appointmentId']}/intake"


def told(clients: Clients, made: Json) -> list[tuple[object, ...]]:
    """Return what the log tells of the form of an appointment."""
    return clients.sql(
        "select action, actor from audit_log where aggregate_type = 'intake_form' and to_state = %s order by version",
        made["appointmentId"],
    )


def test_an_owner_reads_what_a_client_has_answered(clients: Clients, owner: StaffClients, made: Json) -> None:
    """A client answers, and again; an owner reads the last answers; the log has each writing and each reading (D-7)."""
    problem(owner.call("GET", read_path(made)), 404, "not_found")
    assert submit(clients, made, {"Allergies": "none"}).json()["appointmentId"] == made["appointmentId"]
    answered = submit(clients, made)
    assert "Боюсь" not in answered.text, "answers are not shown again"
    for _ in range(2):
        shown = owner.call("GET", read_path(made)).json()
        assert shown == {**answered.json(), "answers": ANSWERS}
    assert told(clients, made) == [
        ("submit_intake", "client"),
        ("change_intake", "client"),
        ("read_intake", "staff"),
        ("read_intake", "staff"),
    ]


def test_answers_are_kept_as_ciphertext(clients: Clients, made: Json) -> None:
    """Nothing of question or answer is in the row, and the database refuses plain text in its place (D-5)."""
    submit(clients, made)
    [(row, sealed)] = clients.sql(
        "select i::text, answers from intake_forms i where booking_id = %s", made["appointmentId"]
    )
    assert bytes(sealed).startswith(b"hfe1")
    for words in ("беспокоит", "Allergies", "Боюсь"):
        assert words not in row
        assert words.encode() not in bytes(sealed)
    with pytest.raises(psycopg.errors.CheckViolation):
        clients.sql("update intake_forms set answers = 'I cannot sleep, and nobody shall know of it'")


def test_nobody_else_reads_it(clients: Clients, staffs: dict[Role, StaffClients], made: Json) -> None:
    """Assistant, editor and client are refused, and no reading is written down (D-7)."""
    submit(clients, made)
    for role in (Role.ASSISTANT, Role.EDITOR):
        assert "Боюсь" not in str(problem(staffs[role].call("GET", read_path(made)), 403, "forbidden"))
    problem(clients.http.get(read_path(made), headers=token_of(made)), 401, "authentication_required")
    assert told(clients, made) == [("submit_intake", "client")]


def test_only_the_token_opens_the_form(clients: Clients, owner: StaffClients, made: Json, day: date) -> None:
    """Without the token of this very appointment nothing is kept, whoever asks, staff included (D-7)."""
    other = clients.booked("intro-call", clients.slots("intro-call", day)[-1])
    body = {"appointmentId": made["appointmentId"], "answers": ANSWERS}
    for headers in ({}, token_of(other), {"Booking-Token": "x"}, owner.headers):
        problem(clients.http.post(PATH, json=body, headers=headers), 401, "authentication_required")
    unknown = clients.http.post(PATH, json=body | {"appointmentId": clients.card["id"]}, headers=token_of(made))
    problem(unknown, 404, "appointment_not_found")
    assert told(clients, made) == []


@pytest.mark.parametrize(
    ("answers", "field"),
    [
        ({}, "answers"),
        ({"q": 1}, "answers"),
        ({"q": "x" * 4_001}, "answers"),
        ({"": "x"}, "answers"),
        ({"q": "\x00"}, "answers"),
        ({f"q{n}": "x" for n in range(51)}, "answers"),
        (["I cannot sleep"], "answers"),
    ],
)
def test_a_form_has_its_bounds(clients: Clients, made: Json, answers: object, field: str) -> None:
    """What is no form of questions and answers is refused by name, and nothing of it is said again (H-1, D-5)."""
    answer = submit(clients, made, answers)
    assert {name.partition("[")[0] for name in wrong_fields(answer)} == {field}
    assert "sleep" not in answer.text


def test_a_form_names_one_appointment(clients: Clients, made: Json) -> None:
    """The reservation's id is the appointment's; neither, or two different ones, is refused by name."""
    by_reservation = {"reservationId": made["appointmentId"], "answers": ANSWERS}
    assert clients.http.post(PATH, json=by_reservation, headers=token_of(made)).status_code == 200
    assert wrong_fields(submit(clients, made, reservationId=clients.card["id"])) == {"appointmentId"}
    none = clients.http.post(PATH, json={"answers": ANSWERS}, headers=token_of(made))
    assert wrong_fields(none) == {"appointmentId"}


def test_what_does_not_take_place_needs_no_form(clients: Clients, owner: StaffClients, made: Json) -> None:
    """Before a cancelled appointment nothing is answered any more; what was answered stays to be read."""
    submit(clients, made)
    assert clients.cancel(made).status_code == 200
    problem(submit(clients, made, {"q": "later"}), 409, "not_changeable")
    assert owner.call("GET", read_path(made)).json()["answers"] == ANSWERS


@pytest_asyncio.fixture
async def practice(app_uri: str) -> AsyncIterator[Practice]:
    """A business with two practitioners, of whom one takes appointments."""
    async with open_practice(app_uri) as opened:
        await opened.add_resource("ana")
        await opened.add_resource("ben")
        await opened.add_service("talk", ["ana"])
        yield opened


async def test_the_practitioner_reads_it(practice: Practice, app_uri: str, admin_uri: str) -> None:
    """Who signs in as the practitioner of an appointment reads its form, who is another one does not (D-7)."""
    key = bearer(await make_key(practice.desk.database, practice.business_id, Role.OWNER))
    with psycopg.connect(admin_uri) as connection:
        [slug] = (
            connection.execute("select slug from businesses where id = %s", [practice.business_id]).fetchone() or ()
        )
    async with app_on(app_uri, admin_uri) as http:
        made = await book(practice, http)
        assert (await put(http, made)).status_code == 200

        async def reads(resource: str) -> int:
            who = {"email": f"{resource}@example.org", "password": "correct horse battery staple"}
            more = {"name": resource, "roles": ["assistant"], "resourceIds": [str(practice.resources[resource])]}
            assert (await http.post("/api/admin/users", headers=key, json=who | more)).status_code == 201
            http.cookies.clear()
            assert (await http.post("/api/public/login", json=who | {"business": slug})).status_code == 200
            return (await http.get(read_path(made))).status_code

        assert (await reads("ana"), await reads("ben")) == (200, 403)


async def test_whoever_comes_at_once_is_written_down(practice: Practice, app_uri: str, admin_uri: str) -> None:
    """Of many who write and read at the same moment each has an entry, and there is one form; a moved one opens for nobody."""
    key = bearer(await make_key(practice.desk.database, practice.business_id, Role.OWNER))
    async with app_on(app_uri, admin_uri) as http:
        made, other = await book(practice, http), await book(practice, http, 7_200)
        answers = await asyncio.gather(*(put(http, made) for _ in range(6)), put(http, other))
        assert {answer.status_code for answer in answers} == {200}
        answers = await asyncio.gather(*(http.get(read_path(made), headers=key) for _ in range(6)))
        assert [answer.json()["answers"] for answer in answers] == [ANSWERS] * 6
        with psycopg.connect(admin_uri) as connection:
            actions = connection.execute(
                "select action, count(*) from audit_log where to_state = %s group by 1", [made["appointmentId"]]
            ).fetchall()
            connection.execute(
                "update intake_forms set answers = (select answers from intake_forms where booking_id = %s)"
                " where booking_id = %s",
                [other["appointmentId"], made["appointmentId"]],
            )
        assert dict(actions) == {"submit_intake": 1, "change_intake": 5, "read_intake": 6}
        moved = await http.get(read_path(made), headers=key)
        assert problem(moved, 500, "internal_error")["details"] == {}
        assert "Боюсь" not in moved.text


async def book(practice: Practice, http: httpx.AsyncClient, later_seconds: int = 0) -> Json:
    """Book an appointment of the practice."""
    start = START + later_seconds
    body = {
        "serviceId": str(practice.services["talk"]),
        "slotStart": text(start),
        "slotEnd": text(start + 3_600),
        "guestEmail": "guest@example.org",
    }
    answer = await http.post("/api/booking/book", json=body)
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


async def put(http: httpx.AsyncClient, made: Json) -> httpx.Response:
    """Answer a form that a client sends."""
    body = {"appointmentId": made["appointmentId"], "answers": ANSWERS}
    return await http.post(PATH, json=body, headers=token_of(made))


def text(epoch_seconds: int) -> str:
    """Return an instant as the API takes it."""
    return datetime.fromtimestamp(epoch_seconds, UTC).isoformat()
