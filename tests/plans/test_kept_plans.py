"""A connection keeps the plans that it has made: made while the tables were small, they hold when they have grown (D-3)."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from conftest import created
from holdfast.kernel.embedded import EmbeddedPostgres
from journeys.practice import ENVELOPE

# How often a plan is made anew before one is kept, and more.
SMALL = 8
# What one deed may read; of resources and bookings the business has many more.
ROWS_READ = 100
SEALED = {"contact": ENVELOPE.hex(), "chain_key": "00" * 32, "nonce": "ab" * 16}
START = datetime(2031, 5, 1, tzinfo=UTC)


@dataclass
class Growing:
    """One connection to one business; each slot that it asks for is a later one."""

    connection: psycopg.Connection[Any]
    business: str
    service: str
    schedule: str
    lone: str
    hall: str
    hours: Iterator[int]
    # How many rows admission has read; what others do beside it, as a foreign key of payments does, is no matter of it.
    read: int = 0

    def ask(self, function: str, *arguments: Any) -> Any:
        """Call a function of admission for the business."""
        values = [self.business, *arguments]
        places = ", ".join(["%s"] * len(values))
        before = self._rows_read()
        [answer] = self.connection.execute(f"select {function}({places})".encode(), values).fetchone() or ()
        self.read += self._rows_read() - before
        return answer

    def slot(self, **wanted: Any) -> dict[str, Any]:
        """Return the fields of a request for the next hour."""
        start = START + timedelta(hours=next(self.hours))
        begins, ends = start.isoformat(), (start + timedelta(hours=1)).isoformat()
        times = {"starts": begins, "ends": ends, "claims_from": begins, "claims_to": ends}
        limits = {"notice_seconds": 0, "horizon_seconds": 10**9, "catalog": self.catalog()}
        return {"service": self.service, "price": 0, "currency": "EUR"} | times | limits | wanted

    def catalog(self) -> int:
        """Return the version of the catalog that a request has to name."""
        query = "select catalog_version from businesses where id = %s"
        [version] = self.connection.execute(query, [self.business]).fetchone() or ()
        return int(version)

    def admit(self, *wanted: dict[str, Any]) -> list[str]:
        """Reserve or book; return the ids of the bookings."""
        common = {"operation": "reserve", "hash": "h", "party": 1, "ttl": 900}
        batch = [common | each | {"n": n, "id": str(uuid4()), "key": str(uuid4())} for n, each in enumerate(wanted, 1)]
        answers = self.ask("admit", json.dumps(batch), False)
        assert {answer["outcome"] for answer in answers} <= {"held", "confirmed"}
        return [answer["id"] for answer in answers]

    def commit(self) -> None:
        """Commit a place in the schedule."""
        [held] = self.admit({"schedule": self.schedule})
        [answer] = self.ask("commit_reservations", json.dumps([SEALED | {"n": 1, "id": held}]))
        assert answer["outcome"] == "committed"

    def choose(self) -> None:
        """Reserve where resources are to be chosen and locked."""
        self.admit(self.slot(needs=[[self.hall, self.lone]]))

    def lock(self) -> None:
        """Lock what a change of two bookings may touch."""
        ids = self.admit({"schedule": self.schedule}, self.slot(needs=[[self.hall]]))
        self.ask("lock_bookings", ids)

    def expire(self) -> None:
        """End two holds that have run out."""
        self.admit({"schedule": self.schedule, "ttl": 0}, self.slot(needs=[[self.hall]], ttl=0))
        assert self.ask("expire_holds", 500) == 2

    def move(self) -> None:
        """Move an appointment to another hour."""
        [booked] = self.admit(self.slot(solo=self.lone) | SEALED)
        wish = self.slot(needs=[[self.lone]]) | SEALED
        assert self.ask("move_booking", booked, 1, json.dumps(wish), "client", None)["outcome"] == "moved"

    def await_payment(self, *wanted: dict[str, Any]) -> list[str]:
        """Commit what has to be paid."""
        held = self.admit(*(each | {"due": 100} for each in wanted))
        answers = self.ask(
            "commit_reservations", json.dumps([SEALED | {"n": n, "id": i} for n, i in enumerate(held, 1)])
        )
        assert {answer["state"] for answer in answers} == {"pending_payment"}
        return held

    def end_unpaid(self) -> None:
        """End two bookings that nobody has paid."""
        waiting = self.await_payment(self.slot(needs=[[self.hall]]), self.slot(solo=self.lone))
        assert len(self.ask("end_unpaid", waiting, [bytes(32)] * 2, True)) == 2

    def readmit(self) -> None:
        """Take a place again for a payment that came late."""
        [late] = self.await_payment(self.slot(needs=[[self.hall], [self.lone]]))
        self.ask("end_unpaid", [late], [bytes(32)], True)
        self.connection.execute(
            "insert into payments (business_id, id, booking_id, attempt, provider, account, provider_key, state,"
            " amount_minor, currency, captured_minor, captured_at, pays, next_attempt_at)"
            " values (%s, uuidv7(), %s, 1, 'stripe', 'a', %s, 'succeeded', 100, 'EUR', 100, now(), true, null)",
            [self.business, late, late],
        )
        assert self.ask("readmit_booking", late, "{}", bytes(32)) == "readmitted"

    def _rows_read(self) -> int:
        """Return how many rows have been read so far that statistics do not tell of yet."""
        query = "select sum(seq_tup_read + idx_tup_fetch) from pg_stat_xact_user_tables where schemaname = 'public'"
        [rows] = self.connection.execute(query).fetchone() or ()
        return int(rows)


@pytest.fixture(scope="module", params=["never counted", "counted while small"])
def growing(request: pytest.FixtureRequest, postgres: EmbeddedPostgres) -> Iterator[Growing]:
    """A business that has done everything a few times, and has grown since; the planner knew nothing of it, or that it is small."""
    with (
        created(postgres, "kept_plans") as name,
        psycopg.connect(postgres.uri(database=name), autocommit=True) as admin,
    ):

        def made(query: str, *values: Any) -> str:
            [row_id] = admin.execute(f"{query} returning id".encode(), values).fetchone() or ()
            return str(row_id)

        business = made("insert into businesses (slug, name, timezone, currency) values ('b', 'B', 'UTC', 'EUR')")
        resource = "insert into resources (business_id, slug, name, kind, capacity, timezone) values (%s, %s, 'R', 'room', %s, 'UTC')"
        for number in range(3 * ROWS_READ):
            lone = made(resource, business, f"r-{number}", 1)
        hall = made(resource, business, "hall", 50)
        service = made(
            "insert into services (business_id, slug, name, duration_minutes) values (%s, 's', 'S', 60)", business
        )
        program = made(
            "insert into programs (business_id, slug, name, duration_minutes, max_capacity) values (%s, 'p', 'P', 60, 100000)",
            business,
        )
        schedule = made(
            "insert into program_schedules (business_id, program_id, starts_at, ends_at, max_capacity)"
            " values (%s, %s, %s, %s, 100000)",
            business, program, START, START + timedelta(hours=1),
        )  # fmt: skip
        admin.execute("update backfills set started_at = now(), finished_at = now()")
        one = Growing(admin, business, service, schedule, lone, hall, count(1))
        for number in range(SMALL):
            if number == 2 and request.param == "counted while small":
                admin.execute("analyze")
            for deed in DEEDS.values():
                deed(one)
        for _ in range(4):
            one.admit(*[{"schedule": schedule}] * ROWS_READ)
            one.admit(*[one.slot(needs=[[hall]]) for _ in range(ROWS_READ)])
        yield one


DEEDS: dict[str, Callable[[Growing], None]] = {
    "commit": Growing.commit,
    "choose": Growing.choose,
    "lock": Growing.lock,
    "expire": Growing.expire,
    "move": Growing.move,
    "end unpaid": Growing.end_unpaid,
    "readmit": Growing.readmit,
}


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
def test_a_kept_plan_reads_no_more_when_tables_have_grown(growing: Growing, deed: Callable[[Growing], None]) -> None:
    """What admission does to a few bookings reads a few rows, however many the business has (D-3)."""
    with growing.connection.transaction():
        growing.read = 0
        deed(growing)
        assert growing.read < ROWS_READ
