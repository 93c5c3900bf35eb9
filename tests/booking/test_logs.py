"""Logs tell what happened and where, and nothing of the people it happened to."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
import pytest

from booking.served import SLUG, Json
from holdfast import logs
from journeys.instance import Instance, serving

EMAIL, PHONE, NAME = "zaphod.beeblebrox@heart-of-gold.example", "+44 909 424 42 42", "Zaphod Quetzalcoatl"
REASON = "two heads ache"
# What a broken database quotes is nobody's: PostgreSQL logs it, and whatever belongs to a client must not stand there.
QUOTED = "slartibartfast@magrathea.example"
GUEST = {"guestEmail": EMAIL, "guestPhone": PHONE, "guestName": NAME}
DAY = datetime.now(UTC).date() + timedelta(days=10)


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """A server of its own, whose stderr is kept."""
    with serving(tmp_path_factory.mktemp("logs") / "data", "--demo") as started:
        yield started


@pytest.fixture
def http(instance: Instance) -> Iterator[httpx.Client]:
    """A client of that server."""
    with httpx.Client(base_url=instance.url, timeout=30) as client:
        yield client


def wish(http: httpx.Client) -> Json:
    """Return the body that reserves a free slot."""
    card = http.get(f"/api/public/businesses/{SLUG}").json()
    [service] = [s["id"] for s in card["services"] if s["slug"] == "intro-call"]
    days = http.get("/api/public/booking/slots", params={"service_slug": "intro-call", "from": str(DAY)}).json()["days"]
    slot = days[0]["slots"][0]
    return {"serviceId": service, "slotStart": slot["start"], "slotEnd": slot["end"]}


def secrets_in(text: str, *more: str) -> list[str]:
    """Return what of the client stands in a text."""
    words = [EMAIL, PHONE, NAME, REASON, *more, *EMAIL.split("@"), *NAME.split(), PHONE.replace(" ", "")]
    return [word for word in words if word.lower() in text.lower()]


def log_of_database(instance: Instance) -> str:
    """Return what PostgreSQL has written."""
    return (instance.data_dir / "postgres.log").read_text()


@contextmanager
def broken(instance: Instance, breaking: str, mending: str) -> Iterator[None]:
    """Make the database fail for a while."""
    with psycopg.connect(instance.dsn, autocommit=True) as admin:
        admin.execute(breaking.encode())
        try:
            yield
        finally:
            admin.execute(mending.encode())


def test_a_booking_leaves_nothing_of_its_client(instance: Instance, http: httpx.Client) -> None:
    """After reserve, commit, change, refusals and cancel, no log has the client's e-mail, phone, name, words or token."""
    held = http.post("/api/booking/reserve", json=wish(http) | {"guestEmail": EMAIL, "guestPhone": PHONE}).json()
    commit = {"reservationId": held["reservationId"], **GUEST}
    made = http.post("/api/booking/commit", json=commit).json()
    token, path = made["cancellationToken"], f"/api/booking/appointments/{made['appointmentId']}"
    assert http.get(path, headers={"Booking-Token": token}).json()["guestName"] == NAME
    change = {"guestName": f"{NAME} II", "timezone": "Asia/Tokyo"}
    assert http.patch(path, headers={"Booking-Token": token}, json=change).status_code == 200

    for body in (
        {"guestEmail": f"{EMAIL}\x00"},
        {"guestName": [NAME]},
        {"guestPhone": f"{PHONE} or {NAME}"},
        {"locale": NAME},
    ):
        assert http.post("/api/booking/commit", json=commit | body).status_code == 400
    assert http.post("/api/booking/commit", content=json.dumps(commit)[:-2]).status_code == 400
    assert http.get("/nothing", params={"token": token, "email": EMAIL}).status_code == 404
    assert http.get(path, headers={"Booking-Token": f"{token}x"}).status_code == 401

    cancel = {"cancellationToken": token, "reason": REASON}
    assert http.post(f"{path}/cancel", json=cancel).status_code == 200
    assert http.post(f"{path}/cancel", json=cancel).status_code == 400
    assert secrets_in(instance.log + log_of_database(instance), token) == []


def test_an_error_whose_message_quotes_a_row(instance: Instance, http: httpx.Client) -> None:
    """An unforeseen error is a 500 that tells nothing, and its log has kind and place, and no word of its message."""
    breaking = f"""
        create function betray() returns trigger language plpgsql as $$
        begin
            raise exception '{QUOTED}' using detail = '{QUOTED}', hint = '{QUOTED}';
        end $$;
        create trigger betray before insert or update on bookings for each row
            when (new.contact is not null) execute function betray()"""
    held = http.post("/api/booking/reserve", json=wish(http)).json()
    before = instance.log.count("unhandled_error")
    with broken(instance, breaking, "drop function betray cascade"):
        answers = [
            http.post("/api/booking/commit", json={"reservationId": held["reservationId"], **GUEST}),
            http.post("/api/booking/book", json=wish(http) | GUEST),
        ]
    for answer in answers:
        assert (answer.status_code, answer.json()["code"], answer.json()["details"]) == (500, "internal_error", {})
        assert answer.headers["content-type"] == "application/problem+json"
        assert secrets_in(answer.text, QUOTED) == []
    assert secrets_in(instance.log, QUOTED) == []
    assert QUOTED in log_of_database(instance)
    logged = [json.loads(line) for line in instance.log.splitlines() if "unhandled_error" in line]
    assert len(logged) == before + 2
    assert [shape["type"] for shape in logged[-1]["exception"]] == ["RaiseException"]
    assert any(frame.startswith("book:") for frame in logged[-1]["exception"][0]["frames"])

    commit = {"reservationId": held["reservationId"], **GUEST}
    assert http.post("/api/booking/commit", json=commit).status_code == 201, "nothing was changed by the error"


def test_a_violated_constraint(instance: Instance, http: httpx.Client) -> None:
    """When the database refuses a row, neither the server's log nor PostgreSQL's own quotes it."""
    server, database = len(instance.log), len(log_of_database(instance))
    breaking = "alter table bookings add constraint nobody check (contact is null) not valid"
    with broken(instance, breaking, "alter table bookings drop constraint nobody"):
        answer = http.post("/api/booking/book", json=wish(http) | GUEST)
    assert (answer.status_code, secrets_in(answer.text)) == (500, [])
    assert "CheckViolation" in instance.log[server:]
    assert 'violates check constraint "nobody"' in log_of_database(instance)[database:]
    assert secrets_in(instance.log[server:] + log_of_database(instance)[database:]) == []


def test_what_libraries_log() -> None:
    """An exception that a library logs is shown by kind and place, too, with those that led to it."""
    program = """
import logging
from holdfast import logs
logs.configure()
try:
    try:
        raise KeyError("Zaphod")
    except KeyError as first:
        raise ValueError("Zaphod") from first
except ValueError:
    logging.getLogger("procrastinate.worker").exception("a job has failed")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "a job has failed" in done.stderr
    assert "ValueError" in done.stderr
    assert "KeyError" in done.stderr
    assert "Zaphod" not in done.stderr


def test_the_shape_of_an_exception() -> None:
    """The shape of an exception names its kind, its state and its frames; it leaves out message, arguments and notes."""
    error = psycopg.errors.CheckViolation(EMAIL, PHONE)
    error.add_note(NAME)
    try:
        raise error
    except psycopg.errors.CheckViolation as raised:
        shapes = logs._shape_of((type(raised), raised, raised.__traceback__))
    assert secrets_in(json.dumps(shapes)) == []
    assert (shapes[0]["type"], shapes[0]["sqlstate"]) == ("CheckViolation", "23514")
    assert shapes[0]["frames"][0].startswith("test_the_shape_of_an_exception:")
