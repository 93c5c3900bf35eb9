"""What staff note about an appointment: sealed, read by few, and every reading is written down (D-5, D-7)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio

from booking.opened import START, Practice, open_practice
from booking.served import Clients, Json, appointment_path, new_key, problem, token_of, wrong_fields
from booking.staffed import StaffClients, app_on, bearer, make_key
from holdfast.booking.admission import instant
from holdfast.booking.contacts import Guest
from holdfast.booking.notes import aggregate_of
from holdfast.identity.permissions import Role

TEXT = "Боится высоты.\nComes with her sister."


@pytest.fixture
def made(clients: Clients, day: date) -> Json:
    """An appointment at version 2, made by a client."""
    return clients.booked("individual-session", clients.slots("individual-session", day)[0])


def note_path(made: Json) -> str:
    """Return where the note of an appointment is read."""
    return f"/api/admin/appointments/{made['appointmentId']}/note"


def readings(clients: Clients, made: Json) -> list[tuple[object, ...]]:
    """Return who has read the note of an appointment, by the log."""
    return clients.sql(
        "select version, action, actor, actor_id, to_state from audit_log where aggregate_type = 'note'"
        " and aggregate_id = %s order by version",
        aggregate_of(UUID(made["appointmentId"])),
    )


def test_an_owner_reads_what_an_assistant_notes(
    clients: Clients, desk: StaffClients, owner: StaffClients, made: Json
) -> None:
    """Staff write a note and an owner reads it; the log has each reading and the history each writing (D-7, B-15)."""
    noted = desk.call("PATCH", appointment_path(made), {"note": TEXT, "expectedVersion": 2})
    assert (noted.status_code, noted.json()["version"], noted.headers["ETag"]) == (200, 3, '"3"')
    assert TEXT not in noted.text
    assert readings(clients, made) == []
    for count in (1, 2):
        shown = owner.call("GET", note_path(made))
        assert shown.json() == {"appointmentId": made["appointmentId"], "note": TEXT}
        assert len(readings(clients, made)) == count
    assert {row[1:3] for row in readings(clients, made)} == {("read_note", "staff")}
    assert {row[4] for row in readings(clients, made)} == {made["appointmentId"]}
    seen = owner.call("GET", appointment_path(made)).json()
    assert (seen["version"], seen["hasNote"], TEXT in str(seen)) == (3, True, False)
    [(action, reason)] = clients.sql(
        "select action, reason from audit_log where aggregate_id = %s and version = 3", made["appointmentId"]
    )
    assert (action, reason) == ("change_note", None)


def test_nobody_else_reads_a_note(
    clients: Clients, staffs: dict[Role, StaffClients], desk: StaffClients, made: Json
) -> None:
    """Assistant, editor and client are refused what is noted, and no reading is written down (D-7)."""
    desk.call("PATCH", appointment_path(made), {"note": TEXT, "expectedVersion": 2})
    for role in (Role.ASSISTANT, Role.EDITOR):
        assert TEXT not in str(problem(staffs[role].call("GET", note_path(made)), 403, "forbidden"))
    problem(clients.http.get(note_path(made), headers=token_of(made)), 401, "authentication_required")
    assert "hasNote" not in clients.appointment(made)
    assert readings(clients, made) == []


def test_a_note_follows_the_rules_of_every_change(clients: Clients, desk: StaffClients, made: Json) -> None:
    """A note names the version that was seen, has one effect for one key, and comes alone (B-9, B-15)."""
    path = appointment_path(made)
    problem(desk.call("PATCH", path, {"note": TEXT}), 428, "version_required")
    problem(desk.call("PATCH", path, {"note": TEXT, "expectedVersion": 1}), 409, "CONFLICT")
    key = {"Idempotency-Key": new_key()}
    first, again = [desk.call("PATCH", path, {"note": TEXT, "expectedVersion": 2}, headers=key) for _ in range(2)]
    assert (first.json()["version"], again.json()) == (3, first.json() | {"replayed": True})
    both = desk.call("PATCH", path, {"note": TEXT, "guestName": "Berta", "expectedVersion": 3})
    assert wrong_fields(both) == {"body"}
    long = desk.call("PATCH", path, {"note": "x" * 10_001, "expectedVersion": 3})
    assert wrong_fields(long) == {"note"}
    assert desk.call("PATCH", path, {"note": "я" * 10_000, "expectedVersion": 3}).status_code == 200


def test_clients_write_no_notes(clients: Clients, made: Json) -> None:
    """A client, who proves the booking to be theirs, is refused a note about it; nothing is changed (D-7)."""
    problem(clients.change(made, {"note": TEXT}), 403, "forbidden")
    assert clients.appointment(made)["version"] == 2


def test_a_note_outlives_its_appointment(clients: Clients, desk: StaffClients, owner: StaffClients, made: Json) -> None:
    """A note is written about what was cancelled as well, and an empty one removes it (D-7)."""
    assert clients.cancel(made).status_code == 200
    path = appointment_path(made)
    assert desk.call("PATCH", path, {"note": TEXT, "expectedVersion": 3}).status_code == 200
    assert owner.call("GET", note_path(made)).json()["note"] == TEXT
    assert desk.call("PATCH", path, {"note": "", "expectedVersion": 4}).status_code == 200
    assert owner.call("GET", note_path(made)).json()["note"] is None
    assert owner.call("GET", path).json()["hasNote"] is False
    assert len(readings(clients, made)) == 1, "nothing was shown the second time"


@pytest_asyncio.fixture
async def practice(app_uri: str) -> AsyncIterator[Practice]:
    """A business with one practitioner, who is there around the clock."""
    async with open_practice(app_uri) as opened:
        await opened.add_resource("ana")
        await opened.add_service("talk", ["ana"])
        yield opened


async def test_readers_at_once_are_all_written_down(practice: Practice, app_uri: str, admin_uri: str) -> None:
    """Of many who read a note at the same moment each has an entry in the log; a moved one opens for nobody (D-5, D-7)."""
    booking_id = (await practice.reserve("talk", guest=Guest("guest@example.org"))).made().id
    other = (await practice.reserve("talk", START + 7200, guest=Guest("guest@example.org"))).made().id
    key = bearer(await make_key(practice.desk.database, practice.business_id, Role.OWNER))
    async with app_on(app_uri, admin_uri) as http:
        for noted in (booking_id, other):
            path = f"/api/booking/appointments/{noted}"
            answer = await http.patch(path, headers=key, json={"note": TEXT, "expectedVersion": 1})
            assert answer.status_code == 200, answer.text
        path = f"/api/admin/appointments/{booking_id}/note"
        answers = await asyncio.gather(*(http.get(path, headers=key) for _ in range(8)))
        assert [answer.json()["note"] for answer in answers] == [TEXT] * 8
        with psycopg.connect(admin_uri) as connection:
            written = connection.execute(
                "select version from audit_log where aggregate_id = %s order by version", [aggregate_of(booking_id)]
            ).fetchall()
            connection.execute(
                "update bookings set note = (select note from bookings where id = %s) where id = %s",
                [other, booking_id],
            )
        assert written == [(version,) for version in range(1, 9)]
        moved = await http.get(path, headers=key)
        assert problem(moved, 500, "internal_error")["details"] == {}
        assert TEXT not in moved.text


@pytest.mark.parametrize("ended", [None, "cancel", "refund", "cancel the series"])
async def test_a_practitioner_reads_the_notes_about_their_clients(
    practice: Practice, app_uri: str, admin_uri: str, ended: str | None
) -> None:
    """Who signs in as the practitioner of an appointment reads its note, who is another one does not; so it stays when the
    appointment is cancelled or refunded, and each reading is written down (D-7).
    """
    await practice.add_resource("ben")
    key = bearer(await make_key(practice.desk.database, practice.business_id, Role.OWNER))
    with psycopg.connect(admin_uri) as connection:
        [slug] = (
            connection.execute("select slug from businesses where id = %s", [practice.business_id]).fetchone() or ()
        )
    async with app_on(app_uri, admin_uri) as http:
        series, wish = "/api/booking/series", {"starts": [instant(START).isoformat()]}
        made = (await http.post(series, json=wish | {"serviceId": str(practice.services["talk"])})).json()
        series += f"/{made['seriesId']}"
        done = (await http.post(f"{series}/commit", json={"guestEmail": "guest@example.org"})).json()
        booking_id = UUID(done["appointments"][0]["appointmentId"])
        path = f"/api/booking/appointments/{booking_id}"
        noted = (await http.patch(path, headers=key, json={"note": TEXT, "expectedVersion": 2})).json()
        if ended == "cancel the series":
            answer = await http.post(f"{series}/cancel", json={"cancellationToken": done["cancellationToken"]})
            assert answer.status_code == 200, answer.text
        elif ended is not None:
            seen = {"expectedVersion": noted["version"]}
            assert (await http.post(f"{path}/{ended}", headers=key, json=seen)).status_code == 200

        async def reads(resource: str) -> int:
            who = {"email": f"{resource}@example.org", "password": "correct horse battery staple"}
            more = {"name": resource, "roles": ["assistant"], "resourceIds": [str(practice.resources[resource])]}
            assert (await http.post("/api/admin/users", headers=key, json=who | more)).status_code == 201
            http.cookies.clear()
            assert (await http.post("/api/public/login", json=who | {"business": slug})).status_code == 200
            return (await http.get(f"/api/admin/appointments/{booking_id}/note")).status_code

        assert (await reads("ana"), await reads("ben")) == (200, 403)
    with psycopg.connect(admin_uri) as connection:
        read = "select count(*) from audit_log where aggregate_id = %s"
        assert connection.execute(read, [aggregate_of(booking_id)]).fetchone() == (1,)
