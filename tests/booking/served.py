"""The demo business as its clients meet it: over HTTP, every answer checked against the OpenAPI document."""

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import uuid4

import httpx
import psycopg
from psycopg.types.json import Jsonb

from booking.documented import PROBLEM, check_answer
from conftest import MASTER_KEY
from holdfast.kernel.privacy import Keyring

# An id that no row has; the same in every run, since it names tests.
NOWHERE = "00000000-0000-4000-8000-000000000000"
SLUG = "emotional-balance"
CRON = {"Authorization": "Bearer a cron secret"}
Json = dict[str, Any]

# Days far enough ahead to be nobody else's, and near enough to be booked.
_days = itertools.cycle(range(20, 85))


class Clients:
    """Clients of the demo business on one keep-alive connection."""

    def __init__(self, http: httpx.Client, dsn: str) -> None:
        self.http = http
        self.dsn = dsn
        self._made: dict[str, str | None] = {}

    @cached_property
    def card(self) -> Json:
        """The public card of the business."""
        return self.get(f"/api/public/businesses/{SLUG}")

    def service(self, slug: str) -> Json:
        """Return a service of the card."""
        return next(s for s in self.card["services"] if s["slug"] == slug)

    def resource(self, slug: str) -> str:
        """Return the id of a resource of the card."""
        return str(next(r["id"] for r in self.card["resources"] if r["slug"] == slug))

    def get(self, path: str, **query: Any) -> Json:
        """Return the answer to a read that succeeds."""
        answer = self.http.get(path, params=query)
        assert answer.status_code == 200, answer.text[:500]
        body: Json = answer.json()
        return body

    def post(self, path: str, body: Json, status: int = 201, **more: Any) -> Json:
        """Return the answer to a post that is answered with this status."""
        answer = self.http.post(path, json=body, **more)
        assert answer.status_code == status, answer.text[:500]
        shown: Json = answer.json()
        return shown

    def days(self, service: str, first: date, days: int = 1, **query: Any) -> Json:
        """Return the answer about the free slots of some days."""
        asked = {"service_slug": service, "from": str(first), "to": str(first + timedelta(days=days)), **query}
        return self.get("/api/public/booking/slots", **asked)

    def slots(self, service: str, first: date, days: int = 1, **query: Any) -> list[Json]:
        """Return the free slots of some days."""
        return [slot for day in self.days(service, first, days, **query)["days"] for slot in day["slots"]]

    def wish(self, service: str, slot: Json, **more: Any) -> Json:
        """Return the body of a reserve."""
        place = {"serviceId": self.service(service)["id"], "slotStart": slot["start"], "slotEnd": slot["end"]}
        return {"businessId": self.card["id"], **place, **more}

    def reserve(self, service: str, slot: Json, **more: Any) -> Json:
        """Hold a slot."""
        return self.post("/api/booking/reserve", self.wish(service, slot, **more))

    def commit(self, reservation: Json, **more: Any) -> Json:
        """Commit a reservation; return the appointment with its token."""
        body = {"reservationId": reservation["reservationId"], "guestEmail": "guest@example.org", **more}
        return self.post("/api/booking/commit", body)

    def booked(self, service: str, slot: Json, **more: Any) -> Json:
        """Hold a slot and commit it."""
        return self.commit(self.reserve(service, slot, **more))

    def read(self, reservation: Json) -> Json:
        """Return a reservation as it is now."""
        return self.get(f"/api/booking/reservations/{reservation['reservationId']}")

    def appointment(self, made: Json) -> Json:
        """Return an appointment as its client sees it."""
        answer = self.http.get(appointment_path(made), headers=token_of(made))
        assert answer.status_code == 200, answer.text[:500]
        body: Json = answer.json()
        return body

    def change(self, made: Json, body: Json, headers: dict[str, str] | None = None) -> httpx.Response:
        """Answer a change of an appointment by its client."""
        return self.http.patch(appointment_path(made), json=body, headers=token_of(made) | (headers or {}))

    def cancel(self, made: Json, **more: Any) -> httpx.Response:
        """Answer a cancellation of an appointment by its client."""
        body = {"cancellationToken": made["cancellationToken"], **more}
        return self.http.post(f"{appointment_path(made)}/cancel", json=body)

    def schedules(self, program: str = "morning-group", **query: Any) -> list[Json]:
        """Return the coming schedules of a program."""
        found: list[Json] = self.get(f"/api/public/programs/{program}/schedules", **query)["schedules"]
        return found

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement as administrator, past the product."""
        with psycopg.connect(self.dsn) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def reasons(self, aggregate_id: str) -> list[str | None]:
        """Return why each change of a thing was made, in the order of its history; None where nobody said."""
        kept = self.sql(
            "select a.business_id, r.id, r.body from audit_log a left join audit_reasons r"
            " on r.business_id = a.business_id and r.id = a.reason_id where a.aggregate_id = %s order by a.version",
            aggregate_id,
        )
        keys = asyncio.run(Keyring(MASTER_KEY, self.dsn).of(kept[0][0]))
        return [None if body is None else keys.open("audit_reasons.body", id_, body) for _, id_, body in kept]

    @contextmanager
    def altered(self, table: str, slug: str, **values: object) -> Iterator[None]:
        """Give columns of a service, a program or a resource other values for a while."""
        columns = ", ".join(values)
        [before] = self.sql(f"select {columns} from {table} where slug = %s", slug)
        put = f"update {table} set {', '.join(f'{name} = %s' for name in values)} where slug = %s"
        self.sql(put, *map(_stored, values.values()), slug)
        try:
            yield
        finally:
            self.sql(put, *map(_stored, before), slug)

    def run_out(self, reservation: Json) -> None:
        """Let a hold run out now, as if its time had passed."""
        self.sql(
            "update bookings set held_at = held_at - interval '1 day', expires_at = clock_timestamp(),"
            " version = version + 1 where id = %s and state = 'held'",
            reservation["reservationId"],
        )

    def alter_appointment(self, made: Json, change: str, *values: object) -> None:
        """Change columns of an appointment as its staff would, with an entry in its history and an event."""
        booking_id = made["appointmentId"]
        [(before,)] = self.sql("select state from bookings where id = %s", booking_id)
        self.sql(f"update bookings set {change}, version = version + 1 where id = %s", *values, booking_id)
        self.sql(
            "select record_changes(business_id, array[id], array[%s::bytea], 'change', %s, 'staff', null,"
            " 'AppointmentUpdated') from bookings where id = %s",
            bytes(32),
            before,
            booking_id,
        )
        self.sql(
            "delete from claims c using bookings b where b.id = %s and c.booking_id = b.id and b.state = 'refunded'",
            booking_id,
        )

    def fresh_day(self) -> date:
        """Return a day on which nothing is taken yet."""
        for ahead in itertools.islice(_days, 65):
            day = datetime.now(UTC).date() + timedelta(days=ahead)
            places = {
                slot["placesLeft"]
                for service in ("individual-session", "couple-session", "open-studio")
                for slot in self.slots(service, day)
            }
            if places == {1, 3, 12}:
                return day
        raise AssertionError("somebody has taken something on every day")

    def note(self, answer: httpx.Response) -> None:
        """Note what an answer says was made, with the token by which it can be undone."""
        if answer.request.method == "POST" and answer.status_code == 201:
            body = answer.json()
            # A series lists what it is made of.
            for made in body.get("items") or body.get("appointments") or [body]:
                if "appointmentId" in made or "reservationId" in made:
                    self._made[made.get("appointmentId") or made["reservationId"]] = made.get("cancellationToken")

    def give_back(self) -> None:
        """Release and cancel everything that was made since the last time."""
        for booking_id, token in self._made.items():
            path = f"/api/booking/appointments/{booking_id}/cancel"
            if token is None or self.http.post(path, json={"cancellationToken": token}).status_code != 200:
                self.http.delete(f"/api/booking/reservations/{booking_id}")
        self._made.clear()


def _stored(value: object) -> object:
    """Return a value as its column takes it: lists are JSON."""
    return Jsonb(value) if isinstance(value, list) else value


def clients_of(url: str, dsn: str) -> Clients:
    """Return clients of a server, whose every answer is checked."""
    http = httpx.Client(base_url=url, timeout=30)
    document = http.get("/schema/openapi.json").json()

    clients = Clients(http, dsn)

    def check(answer: httpx.Response) -> None:
        answer.read()
        check_answer(document, answer)
        clients.note(answer)

    http.event_hooks = {"response": [check]}
    return clients


def problem(answer: httpx.Response, status: int, code: str) -> Json:
    """Return the body of an answer that is this error."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM), answer.text[:500]
    body: Json = answer.json()
    assert body["code"] == code, body
    return body


def wrong_fields(answer: httpx.Response) -> set[str]:
    """Return the fields that a refusal names as malformed."""
    return {error["field"] for error in problem(answer, 400, "validation_failed")["details"]["errors"]}


def appointment_path(made: Json) -> str:
    """Return the path of an appointment."""
    return f"/api/booking/appointments/{made['appointmentId']}"


def token_of(made: Json) -> dict[str, str]:
    """Return the header by which a client proves that an appointment is theirs."""
    return {"Booking-Token": made["cancellationToken"]}


def new_key() -> str:
    """Return a key that nobody has used."""
    return f"key-{uuid4().hex}"


def instant(text: str) -> datetime:
    """Return an instant that an answer names, which is in UTC and says so with a Z."""
    assert text.endswith("Z"), text
    return datetime.fromisoformat(text)


def shifted(text: str, **by: float) -> str:
    """Return an instant, moved."""
    return (instant(text) + timedelta(**by)).isoformat()
