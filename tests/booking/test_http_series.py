"""Series over HTTP: reserved by a rule or a list, committed, released and cancelled as one (B-21)."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from booking.served import Clients, Json, appointment_path, instant, new_key, problem, shifted, token_of, wrong_fields

SERIES = "/api/booking/series"
TALK, PAIR, CALL = "individual-session", "couple-session", "intro-call"
GUEST = {"guestEmail": "secret@example.org", "guestName": "Somebody Secret"}


def wish(clients: Clients, service: str, **more: Any) -> Json:
    """Return the body of a series."""
    return {"serviceId": clients.service(service)["id"], **more}


def starts(clients: Clients, service: str, day: date, count: int = 4) -> list[str]:
    """Return the first free starts of a day that leave more than the buffers between them."""
    found: list[Json] = []
    for slot in clients.slots(service, day):
        if not found or instant(slot["start"]) - instant(found[-1]["end"]) >= timedelta(minutes=10):
            found.append(slot)
    return [slot["start"] for slot in found[:count]]


def held(clients: Clients, service: str, day: date, count: int = 4, **more: Any) -> Json:
    """Hold the first free slots of a day as a series."""
    return clients.post(SERIES, wish(clients, service, starts=starts(clients, service, day, count), **more))


def committed(clients: Clients, made: Json) -> Json:
    """Commit a series."""
    return clients.post(f"{SERIES}/{made['seriesId']}/commit", GUEST)


def token(done: Json) -> Json:
    """Return the member that proves whose a series is."""
    return {"cancellationToken": done["cancellationToken"]}


def test_a_series_by_a_rule(clients: Clients, day: date) -> None:
    """A rule holds the same wall time of the business each day, every hold with its id, expiry and resources (B-21)."""
    slot = clients.slots(TALK, day)[2]
    made = clients.post(
        SERIES, wish(clients, TALK, slotStart=slot["start"], slotEnd=slot["end"], rule="FREQ=DAILY;COUNT=3")
    )
    assert (made["status"], made["replayed"]) == ("held", False)
    assert [item["start"] for item in made["items"]] == [
        shifted(slot["start"], days=n).replace("+00:00", "Z") for n in range(3)
    ]
    for item in made["items"]:
        assert instant(item["end"]) - instant(item["start"]) == timedelta(minutes=50)
        assert timedelta(minutes=14) < instant(item["expiresAt"]) - datetime.now(UTC) <= timedelta(minutes=15)
        single = clients.read(item)
        assert (single["status"], single["resourceIds"]) == ("held", item["resourceIds"])
    assert len({tuple(item["resourceIds"]) for item in made["items"]}) == 1


def test_a_series_by_a_list(clients: Clients, day: date) -> None:
    """A list of starts is held in order of time, however it is sorted, and needs no end (B-21)."""
    wanted = starts(clients, PAIR, day, 3)
    made = clients.post(SERIES, wish(clients, PAIR, starts=wanted[::-1], ttlSeconds=60))
    assert [item["start"] for item in made["items"]] == wanted
    assert {len(item["resourceIds"]) for item in made["items"]} == {2}
    assert instant(made["items"][0]["expiresAt"]) - datetime.now(UTC) <= timedelta(seconds=60)


def test_a_pool_is_not_shown(clients: Clients, day: date) -> None:
    """The pool that bounds a service is not among the resources of a series (B-21, B-2)."""
    made = held(clients, "open-studio", day, 2, partySize=3)
    studio = clients.resource("studio")
    assert {tuple(item["resourceIds"]) for item in made["items"]} == {(studio,)}
    assert clients.get(f"{SERIES}/{made['seriesId']}") == made
    assert clients.slots("open-studio", day)[0]["placesLeft"] == 9


def test_a_conflict(clients: Clients, day: date) -> None:
    """A taken occurrence is 409 with the words of a conflict, every occurrence and alternatives for the first (B-21, B-22)."""
    wanted = starts(clients, PAIR, day, 4)
    [third] = [slot for slot in clients.slots(PAIR, day) if slot["start"] == wanted[2]]
    clients.reserve(PAIR, third)
    refused = problem(clients.http.post(SERIES, json=wish(clients, PAIR, starts=wanted)), 409, "slot_conflict")
    assert refused["message"] == "The selected time slot is no longer available"
    told = refused["details"]["occurrences"]
    assert [(o["start"], o["status"]) for o in told] == [
        (start, "refused" if n == 2 else "free") for n, start in enumerate(wanted)
    ]
    assert (told[2]["code"], told[2]["message"]) == ("slot_conflict", refused["message"])
    assert 0 < len(refused["details"]["alternatives"]) <= 5
    free = {slot["start"] for slot in clients.slots(PAIR, day)}
    assert [start for start in wanted if start in free] == [wanted[0], wanted[1], wanted[3]]

    made = clients.post(SERIES, wish(clients, PAIR, starts=wanted, partial=True))
    assert [item["status"] for item in made["items"]] == ["held", "held", "refused", "held"]
    assert set(made["items"][2]) == {"start", "end", "status", "code", "message"}


def test_what_is_not_offered(clients: Clients, day: date) -> None:
    """Closed, off grid or of another length is 422 with every occurrence (B-21, A-4)."""
    slot = clients.slots(TALK, day)[0]
    night = shifted(slot["start"], hours=-6)
    body = wish(clients, TALK, starts=[slot["start"], night, shifted(slot["start"], minutes=7)])
    told = problem(clients.http.post(SERIES, json=body), 422, "slot_not_offered")["details"]["occurrences"]
    assert [o["status"] for o in told] == ["refused", "free", "refused"]
    longer = wish(
        clients, TALK, slotStart=slot["start"], slotEnd=shifted(slot["end"], minutes=1), rule="FREQ=DAILY;COUNT=2"
    )
    assert "50 minutes" in problem(clients.http.post(SERIES, json=longer), 422, "slot_not_offered")["message"]
    for far in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9998-06-01T00:00:00Z"):
        problem(clients.http.post(SERIES, json=wish(clients, TALK, starts=[far])), 422, "slot_not_offered")
        rule = wish(clients, TALK, slotStart=far, rule="FREQ=DAILY;COUNT=2")
        assert clients.http.post(SERIES, json=rule).json()["code"] in {"slot_not_offered", "validation_failed"}


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({}, "rule"),
        ({"rule": "FREQ=DAILY;COUNT=2", "starts": ["2027-01-01T10:00:00Z"]}, "rule"),
        ({"rule": "FREQ=DAILY;COUNT=2"}, "slotStart"),
        ({"starts": ["2027-01-01T10:00:00Z"], "slotStart": "2027-01-01T10:00:00Z"}, "slotStart"),
        ({"rule": "FREQ=DAILY", "slotStart": "2027-01-01T10:00:00Z"}, "rule"),
        ({"rule": "FREQ=SECONDLY;COUNT=3", "slotStart": "2027-01-01T10:00:00Z"}, "rule"),
        ({"rule": "FREQ=DAILY;COUNT=201", "slotStart": "2027-01-01T10:00:00Z"}, "rule"),
        (
            {
                "rule": "FREQ=DAILY;COUNT=2",
                "slotStart": "2027-01-01T10:00:00Z",
                "slotEnd": "2027-01-01T10:00:00Z",
            },
            "slotEnd",
        ),
        ({"starts": []}, "starts"),
        ({"starts": ["2027-01-01T10:00:00Z", "2027-01-01T13:00:00+03:00"]}, "starts"),
        ({"starts": ["2027-01-01T10:00:00.5Z"]}, "starts"),
        ({"starts": ["2027-01-01T10:00:00Z"], "ttlMinutes": 1, "ttlSeconds": 1}, "ttlSeconds"),
        ({"starts": ["2027-01-01T10:00:00Z"], "timezone": "Mars/Olympus"}, "timezone"),
    ],
)
def test_malformed(clients: Clients, members: Json, field: str) -> None:
    """What makes no series is 400 and says which member is wrong (B-21, H-1)."""
    assert wrong_fields(clients.http.post(SERIES, json=wish(clients, TALK, **members))) == {field}


def test_the_limit_is_told(clients: Clients) -> None:
    """More than 200 occurrences are 400, by a list as by a rule, and the limit is said (B-21)."""
    first = datetime(2027, 1, 1, 10, tzinfo=UTC)
    many = [(first + timedelta(days=n)).isoformat() for n in range(201)]
    for members in ({"starts": many}, {"rule": "FREQ=DAILY;COUNT=201", "slotStart": many[0]}):
        refused = problem(clients.http.post(SERIES, json=wish(clients, TALK, **members)), 400, "validation_failed")
        assert "200" in refused["message"]
    # 200 are looked at, though none of them is offered.
    body = wish(clients, TALK, starts=[start.replace("10:00", "00:07") for start in many[:200]])
    told = problem(clients.http.post(SERIES, json=body), 422, "slot_not_offered")
    assert len(told["details"]["occurrences"]) == 200


def test_two_hundred_occurrences(clients: Clients, day: date) -> None:
    """A series of 200 is held, committed and cancelled as one of two is (B-21)."""
    wanted = [slot["start"] for slot in clients.slots(CALL, day, 6)][:200]
    assert len(wanted) == 200
    made = clients.post(SERIES, wish(clients, CALL, starts=wanted))
    assert len({item["reservationId"] for item in made["items"]}) == 200
    done = committed(clients, made)
    assert len(done["appointments"]) == 200
    answer = clients.post(f"{SERIES}/{made['seriesId']}/cancel", token(done), 200)
    assert {item["status"] for item in answer["items"]} == {"cancelled"}
    assert [slot["start"] for slot in clients.slots(CALL, day, 6)][:200] == wanted


def test_unknown_things(clients: Clients, day: date) -> None:
    """An unknown service, resource, business or series is 404, each with its code (B-21, H-1)."""
    first = starts(clients, TALK, day, 1)
    body = wish(clients, TALK, starts=first)
    problem(clients.http.post(SERIES, json=body | {"serviceId": str(uuid4())}), 404, "unknown_service")
    problem(clients.http.post(SERIES, json=body | {"resourceId": clients.resource("room")}), 404, "unknown_resource")
    problem(clients.http.post(SERIES, json=body | {"businessId": str(uuid4())}), 404, "unknown_business")
    single = clients.reserve(TALK, clients.slots(TALK, day)[0])["reservationId"]
    made = held(clients, TALK, day, 1)
    for series_id in ("nothing", str(uuid4()), single):
        path = f"{SERIES}/{series_id}"
        problem(clients.http.get(path), 404, "series_not_found")
        problem(clients.http.delete(path), 404, "series_not_found")
        problem(clients.http.post(f"{path}/commit", json=GUEST), 404, "series_not_found")
        problem(clients.http.post(f"{path}/cancel", json={}), 404, "series_not_found")
    other = {"businessId": str(uuid4())}
    problem(clients.http.get(f"{SERIES}/{made['seriesId']}", params=other), 404, "series_not_found")


@pytest.mark.parametrize("name", ["Idempotency-Key", "idempotencyKey", "clientRequestId", "client_request_id"])
def test_a_key(clients: Clients, day: date, name: str) -> None:
    """A repeated series is 200 and replayed, under each name of the key; another request is 422 (B-9, B-21)."""
    key = new_key()
    headers = {name: key} if name == "Idempotency-Key" else {}
    body = wish(clients, TALK, starts=starts(clients, TALK, day, 3)) | ({} if headers else {name: key})
    first = clients.post(SERIES, body, headers=headers)
    local = [datetime.fromisoformat(s).astimezone(UTC).isoformat() for s in body["starts"][::-1]]
    again = clients.post(SERIES, body | {"starts": local, "partySize": 1}, 200, headers=headers)
    assert again == first | {"replayed": True}
    problem(clients.http.post(SERIES, json=body | {"partial": True}, headers=headers), 422, "idempotency_key_reused")
    clients.http.delete(f"{SERIES}/{first['seriesId']}")
    assert clients.post(SERIES, body, 200, headers=headers) == first | {"replayed": True}


def test_commit(clients: Clients, day: date) -> None:
    """A commit makes every hold an appointment with a token of its own, and one of the series; again it is 200 (B-21, B-11)."""
    made = held(clients, TALK, day)
    done = committed(clients, made)
    assert (done["status"], done["replayed"]) == ("confirmed", False)
    assert [a["appointmentId"] for a in done["appointments"]] == [i["reservationId"] for i in made["items"]]
    tokens = [done["cancellationToken"], *(a["cancellationToken"] for a in done["appointments"])]
    assert len(set(tokens)) == 5
    for appointment in done["appointments"]:
        shown = clients.appointment(appointment)
        assert (shown["guestEmail"], shown["version"]) == (GUEST["guestEmail"], appointment["version"])
    again = clients.post(f"{SERIES}/{made['seriesId']}/commit", GUEST, 200)
    assert again == done | {"replayed": True}
    stranger = clients.post(f"{SERIES}/{made['seriesId']}/commit", {"guestEmail": "somebody.else@example.org"}, 200)
    assert [stranger["cancellationToken"], *(a["cancellationToken"] for a in stranger["appointments"])] == [None] * 5


def test_a_commit_of_what_ran_out(clients: Clients, day: date) -> None:
    """If one hold has run out, nothing is committed: 410 with its id (B-21, B-4)."""
    made = held(clients, TALK, day)
    clients.run_out(made["items"][2])
    answer = clients.http.post(f"{SERIES}/{made['seriesId']}/commit", json=GUEST)
    gone = problem(answer, 410, "RESERVATION_NOT_FOUND_OR_EXPIRED")
    assert [e["reservationId"] for e in gone["details"]["expired"]] == [made["items"][2]["reservationId"]]
    assert [i["status"] for i in clients.get(f"{SERIES}/{made['seriesId']}")["items"]] == [
        *("held", "held"),
        *("expired", "held"),
    ]


def test_reading_tells_nothing_personal(clients: Clients, day: date) -> None:
    """A series is read by its id in every state, without contact and without token (B-21, B-12)."""
    made = held(clients, TALK, day, 2)
    path = f"{SERIES}/{made['seriesId']}"
    assert clients.get(path) == made
    done = committed(clients, made)
    text = clients.http.get(path).text
    assert clients.get(path)["status"] == "confirmed"
    assert not any(word in text for word in ("secret", "Secret", done["cancellationToken"]))
    clients.post(f"{path}/cancel", token(done), 200)
    after = clients.get(path)
    assert (after["status"], {i["status"] for i in after["items"]}) == ("cancelled", {"cancelled"})


def test_release(clients: Clients, day: date) -> None:
    """A release is 204, also again, and gives every place back; appointments are not released (B-21, B-12)."""
    before = clients.slots(PAIR, day)
    made = held(clients, PAIR, day, 3)
    path = f"{SERIES}/{made['seriesId']}"
    assert [clients.http.delete(path).status_code for _ in range(2)] == [204, 204]
    assert clients.slots(PAIR, day) == before
    assert clients.get(path)["status"] == "released"
    other = held(clients, PAIR, day, 2)
    committed(clients, other)
    problem(clients.http.delete(f"{SERIES}/{other['seriesId']}"), 409, "not_changeable")


def test_cancel_by_the_token_only(clients: Clients, day: date) -> None:
    """A series is cancelled by its own token: neither without one nor by that of another or of one appointment (B-21, B-17)."""
    first, second = (committed(clients, held(clients, TALK, day, 2)) for _ in range(2))
    path = f"{SERIES}/{first['seriesId']}/cancel"
    for wrong in ({}, token(second), token(first["appointments"][0]), {"cancellationToken": "x" * 43}):
        problem(clients.http.post(path, json=wrong), 401, "authentication_required")
    unsigned = held(clients, TALK, day, 1)
    problem(
        clients.http.post(f"{SERIES}/{unsigned['seriesId']}/cancel", json=token(first)), 401, "authentication_required"
    )
    assert clients.post(path, token(first), 200)["status"] == "cancelled"


def test_the_token_of_a_series_proves_its_appointments(clients: Clients, day: date) -> None:
    """The series's token reads, moves and cancels each of its appointments, and none of another series (B-21, B-11)."""
    first, second = (committed(clients, held(clients, TALK, day, 2)) for _ in range(2))
    mine = [a | token(first) for a in first["appointments"]]
    assert clients.appointment(mine[0])["status"] == "confirmed"
    assert clients.cancel(mine[0]).status_code == 200
    slot = clients.slots(TALK, day)[-1]
    move = {"slotStart": slot["start"], "slotEnd": slot["end"]}
    assert clients.change(mine[1], move).status_code == 200
    theirs = second["appointments"][0]
    answer = clients.http.get(appointment_path(theirs), headers=token_of(first))
    problem(answer, 401, "authentication_required")


def test_cancel_one_the_following_and_all(clients: Clients, day: date) -> None:
    """One is cancelled by its own token, the following by `from`, the rest as a whole; what stays says why (B-21, B-17)."""
    done = committed(clients, held(clients, TALK, day, 5))
    ids = [a["appointmentId"] for a in done["appointments"]]
    path = f"{SERIES}/{done['seriesId']}/cancel"
    assert clients.cancel(done["appointments"][1]).status_code == 200
    following = clients.post(path, token(done) | {"from": ids[3], "reason": "ill"}, 200)
    assert following["status"] == "confirmed"
    assert [(i["appointmentId"], i["status"], i.get("code")) for i in following["items"]] == [
        (ids[3], "cancelled", None),
        (ids[4], "cancelled", None),
    ]
    rest = clients.post(path, token(done), 200)
    already = "RESERVATION_ALREADY_CANCELLED"
    assert [i.get("code") for i in rest["items"]] == [None, already, None, already, already]
    problem(clients.http.post(path, json=token(done)), 400, already)
    problem(clients.http.post(path, json=token(done) | {"from": str(uuid4())}), 404, "appointment_not_found")


def test_a_cancellation_again(clients: Clients, day: date) -> None:
    """A cancellation repeated with its key has its first answer; another request with it is 422 (B-9, B-21)."""
    done = committed(clients, held(clients, TALK, day, 3))
    path = f"{SERIES}/{done['seriesId']}/cancel"
    body = token(done) | {"from": done["appointments"][1]["appointmentId"], "idempotencyKey": new_key()}
    first = clients.post(path, body, 200)
    assert clients.post(path, body, 200) == first | {"replayed": True}
    problem(clients.http.post(path, json=body | {"reason": "other"}), 422, "idempotency_key_reused")
    assert [i["status"] for i in clients.get(f"{SERIES}/{done['seriesId']}")["items"]] == [
        "confirmed",
        *["cancelled"] * 2,
    ]


def test_what_is_too_late_stays(clients: Clients, day: date) -> None:
    """What is too late to cancel stays and says so; if it is all of it, that is the error (B-21, B-17)."""
    done = committed(clients, held(clients, TALK, day, 2))
    path = f"{SERIES}/{done['seriesId']}/cancel"
    clients.alter_appointment(done["appointments"][0], "state = 'completed'")
    with clients.altered("services", TALK, cancel_notice_minutes=60 * 24 * 365):
        problem(clients.http.post(path, json=token(done)), 409, "not_changeable")
        last = token(done) | {"from": done["appointments"][1]["appointmentId"]}
        assert "until" in problem(clients.http.post(path, json=last), 409, "CANCELLATION_CLOSED")["details"]
    answer = clients.post(path, token(done), 200)
    assert [(i["status"], i.get("code")) for i in answer["items"]] == [
        ("completed", "not_changeable"),
        ("cancelled", None),
    ]
