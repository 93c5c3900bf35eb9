"""What operators call: the cleanup, health, metrics, and the OpenAPI document."""

import re
from datetime import date

import pytest

from booking.documented import misfits
from booking.served import CRON, Clients, problem

CLEANUP = "/api/cron/cleanup-reservations"
DOCUMENT = "/schema/openapi.json"


def test_a_cleanup(clients: Clients, day: date) -> None:
    """The protected call ends holds that ran out and says how many (B-23)."""
    held = clients.reserve("intro-call", clients.slots("intro-call", day)[0])
    clients.run_out(held)
    answer = clients.http.get(CLEANUP, headers=CRON)
    assert answer.status_code == 200
    assert answer.json()["expired"] >= 0, "the worker may have been faster"
    assert clients.sql("select state, version from bookings where id = %s", held["reservationId"]) == [("expired", 3)]
    assert clients.sql("select 1 from claims where booking_id = %s", held["reservationId"]) == []
    assert clients.http.get(CLEANUP, headers=CRON).json() == {"expired": 0}


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer wrong",
        "Bearer a cron secre",
        "bearer a cron secret",
        "Basic a cron secret",
        "a cron secret",
        "Bearer ключ",
    ],
)
def test_a_cleanup_needs_its_secret(clients: Clients, header: str | None) -> None:
    """Without the secret, or with another one, the cleanup is 401 (B-23, H-1)."""
    headers = {} if header is None else {"Authorization": header.encode()}
    problem(clients.http.get(CLEANUP, headers=headers), 401, "authentication_required")


def test_the_process_answers(clients: Clients) -> None:
    """Health is that the process answers; readiness that the database is there and migrated."""
    assert clients.get("/health") == {"status": "ok"}
    assert clients.get("/health/ready") == {"status": "ok"}


def test_readiness_names_what_is_missing(clients: Clients) -> None:
    """A database without a migration of this release is not ready, and the migration is named (D-1)."""
    [row] = clients.sql("delete from schema_migrations where name = '0303_booking' returning name, digest, ran_at")
    try:
        answer = clients.http.get("/health/ready")
    finally:
        clients.sql("insert into schema_migrations (name, digest, ran_at) values (%s, %s, %s)", *row)
    assert problem(answer, 503, "not_ready")["details"] == {"missingMigrations": ["0303_booking"]}


def test_the_health_of_reservations(clients: Clients, day: date) -> None:
    """Health counts the holds that live and that ran out, their age, the conversion and the age of the sweep (B-24)."""
    before = clients.get("/health/booking")
    assert before["status"] == "ok"
    assert 0 <= before["cleanupAgeSeconds"] < 600
    slots = clients.slots("intro-call", day)
    clients.commit(clients.reserve("intro-call", slots[0]))
    clients.reserve("intro-call", slots[1])
    after = clients.get("/health/booking")
    assert (after["active"], after["heldLastDay"]) == (before["active"] + 1, before["heldLastDay"] + 2)
    assert after["confirmedLastDay"] == before["confirmedLastDay"] + 1
    assert after["conversion"] == pytest.approx(after["confirmedLastDay"] / after["heldLastDay"])
    assert after["oldestSeconds"] >= 0


def test_health_counts_deviations(clients: Clients) -> None:
    """Health says when schedules were last laid out, and how many differ from their rule but for a holiday (B-24)."""
    clients.sql(
        "insert into heartbeats values ('lay-out-schedules', now() - interval '2 hours')"
        " on conflict (job) do update set finished_at = excluded.finished_at"
    )
    before = clients.get("/health/booking")
    assert before["layoutAgeSeconds"] == pytest.approx(7_200, abs=60)
    clients.sql(
        "insert into schedule_deviations (business_id, program_id, starts_at, kind, resource_id)"
        " select p.business_id, p.id, now() + make_interval(days => n), kind, of_whom.resource_id from program_resources r"
        " join programs p on p.id = r.program_id,"
        " (values (1, 'taken', true), (2, 'booked', false), (3, 'closed', true), (-1, 'taken', true)) told (n, kind, whose)"
        " cross join lateral (select case when whose then r.resource_id end as resource_id) of_whom"
    )
    assert clients.get("/health/booking")["scheduleDeviations"] == before["scheduleDeviations"] + 2
    clients.sql("delete from schedule_deviations")


def test_health_alerts_without_a_sweep(clients: Clients) -> None:
    """When no cleanup has run for ten minutes, the state is alert (B-24)."""
    clients.sql("update heartbeats set finished_at = now() - interval '11 minutes' where job = 'cleanup-reservations'")
    assert clients.get("/health/booking")["status"] == "alert"
    clients.http.get(CLEANUP, headers=CRON)
    assert clients.get("/health/booking")["status"] == "ok"


def test_the_figures_of_the_process(clients: Clients, day: date) -> None:
    """Metrics are Prometheus text: holds alive and overdue, and a conflict counted under its service (B-22, B-24)."""

    def conflicts() -> float:
        shown = clients.http.get("/metrics").text
        found = re.search(
            r"^holdfast_booking_conflict\w*_total\{[^}]*couple-session[^}]*\} (\S+)$", shown, re.MULTILINE
        )
        return 0.0 if found is None else float(found[1])

    before = conflicts()
    slot = clients.slots("couple-session", day)[0]
    clients.reserve("couple-session", slot)
    problem(clients.http.post("/api/booking/reserve", json=clients.wish("couple-session", slot)), 409, "slot_conflict")
    assert conflicts() == before + 1

    clients.get("/health/booking")
    answer = clients.http.get("/metrics")
    assert re.fullmatch(r"text/plain; version=[\d.]+; charset=utf-8", answer.headers["content-type"])
    for figure in ("holdfast_reservations_active", "holdfast_reservations_expired_not_cleaned"):
        assert re.search(rf"^{figure} \d", answer.text, re.MULTILINE), figure


def test_the_document_is_at_two_places(clients: Clients) -> None:
    """The OpenAPI document is served as JSON under both of its paths."""
    document = clients.get(DOCUMENT)
    assert document["openapi"].startswith("3.1")
    assert clients.get("/schema") == document


def test_operations_have_ids_of_their_own(clients: Clients) -> None:
    """No two operations of the document have one id, and each says in a sentence what it does."""
    operations = [o for path in clients.get(DOCUMENT)["paths"].values() for o in path.values()]
    ids = [o["operationId"] for o in operations]
    assert len(ids) == len(set(ids))
    assert all(o["summary"].endswith(".") or ":" in o["summary"] for o in operations)


def test_references_of_the_document_lead_somewhere(clients: Clients) -> None:
    """Every reference in the document names a schema that is in it."""
    answer = clients.http.get(DOCUMENT)
    schemas = answer.json()["components"]["schemas"]
    assert {name for name in re.findall(r'"#/components/schemas/([^"]+)"', answer.text) if name not in schemas} == set()


def test_every_documented_path_answers(clients: Clients) -> None:
    """Every operation of the document exists: what answers is no 405, and a 404 is about what was named."""
    document = clients.get(DOCUMENT)
    for path, operations in document["paths"].items():
        for method in operations:
            answer = clients.http.request(method.upper(), re.sub(r"\{\w+\}", "nothing", path), headers=CRON)
            assert answer.status_code != 405, path
            if answer.status_code == 404 and answer.json()["code"] == "not_found":
                # What is named is not there; of a path that does not exist, no method is wrong.
                assert clients.http.request("TRACE", answer.url.path).status_code == 405, path


def test_an_answer_without_a_body_is_documented_where_a_cache_may_ask(clients: Clients) -> None:
    """Whatever takes If-None-Match says that it may answer 304, and nothing else does (H-1)."""
    operations = [each for methods in clients.get(DOCUMENT)["paths"].values() for each in methods.values()]
    asked = [any(p["name"] == "If-None-Match" for p in each["parameters"]) for each in operations]
    assert any(asked)
    assert asked == ["304" in each["responses"] for each in operations]


def test_the_contract_is_documented(clients: Clients) -> None:
    """The document has the paths of the contract that exist, and the headers that they take."""
    paths = clients.get(DOCUMENT)["paths"]
    booking = "/api/booking"
    wanted = {
        "/api/public/businesses/{slug}": {"get"},
        "/api/public/booking/slots": {"get"},
        "/api/public/programs/{slug}/schedules": {"get"},
        f"{booking}/reserve": {"post"},
        f"{booking}/commit": {"post"},
        f"{booking}/book": {"post"},
        f"{booking}/capacity": {"get"},
        f"{booking}/reservations/{{reservation_id}}": {"get", "delete"},
        f"{booking}/reservations/{{reservation_id}}/extend": {"post"},
        f"{booking}/series": {"post"},
        f"{booking}/series/{{series_id}}": {"get", "delete"},
        f"{booking}/series/{{series_id}}/commit": {"post"},
        f"{booking}/series/{{series_id}}/cancel": {"post"},
        f"{booking}/appointments": {"get", "post"},
        f"{booking}/appointments/{{appointment_id}}": {"get", "patch"},
        f"{booking}/appointments/{{appointment_id}}/cancel": {"post"},
        f"{booking}/appointments/{{appointment_id}}/refund": {"post"},
        f"{booking}/appointments/{{appointment_id}}/outcome": {"post"},
        f"{booking}/appointments/{{appointment_id}}/payment": {"get", "post"},
        "/api/admin/appointments/{appointment_id}/note": {"get"},
        "/api/admin/blocks": {"post"},
        "/api/admin/blocks/{block_id}": {"delete"},
        "/api/admin/schedules/{schedule_id}": {"patch"},
        "/api/admin/resources/{resource_id}": {"patch", "put"},
        CLEANUP: {"get"},
        "/health": {"get"},
        "/health/ready": {"get"},
        "/health/booking": {"get"},
        "/metrics": {"get"},
        "/schema": {"get"},
        DOCUMENT: {"get"},
    }
    assert {path: set(operations) for path, operations in paths.items() if path in wanted} == wanted
    assert {path for path in paths if path.startswith("/api/booking/")} <= set(wanted)
    keyed = {
        path
        for path, operations in paths.items()
        for operation in operations.values()
        if "Idempotency-Key" in {p["name"] for p in operation["parameters"]}
    }
    assert keyed == {
        f"{booking}/reserve",
        f"{booking}/book",
        f"{booking}/series",
        f"{booking}/series/{{series_id}}/cancel",
        f"{booking}/appointments",
        f"{booking}/appointments/{{appointment_id}}",
        f"{booking}/appointments/{{appointment_id}}/cancel",
        f"{booking}/appointments/{{appointment_id}}/refund",
        f"{booking}/appointments/{{appointment_id}}/outcome",
        "/api/admin/blocks",
        "/api/admin/payments/{payment_id}/refunds",
    }


def test_the_check_of_answers_can_fail(clients: Clients) -> None:
    """The check that every answer of these tests passes finds what is missing, unknown, mistyped or not in UTC."""
    document = clients.get(DOCUMENT)
    schema = document["components"]["schemas"]["ScheduleView"]
    good = {
        "id": clients.card["id"],
        "start": "2026-12-01T10:00:00Z",
        "end": "2026-12-01T11:00:00Z",
        "maxCapacity": 3,
        "placesLeft": 1,
    }
    assert misfits(document, schema, good) == []
    changes = (
        {"id": "x"},
        {"start": "2026-12-01T13:00:00+03:00"},
        {"maxCapacity": True},
        {"colour": "blue"},
        {"end": 1},
    )
    for change in changes:
        assert misfits(document, schema, good | change), change
    assert misfits(document, schema, {name: value for name, value in good.items() if name != "placesLeft"})
