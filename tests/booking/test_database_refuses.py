"""What the database refuses by itself, whoever writes: a superuser at a console, past all of our code."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import Connection
from psycopg.errors import IntegrityError

from holdfast.kernel.embedded import EmbeddedPostgres
from journeys.practice import ENVELOPE, NEIGHBOUR, PRACTICE, at, clone, open_practice, the
from journeys.references import REFERENCES, offering, released, row
from journeys.references_of_content import CONTENT_REFERENCES

ANA, STUDIO, TALK, MONDAY = (the(name) for name in ("ana", "studio", "talk", "monday"))
WITHOUT_TRIGGERS = "set local session_replication_role = replica;"


@pytest.fixture(scope="module")
def practice(postgres: EmbeddedPostgres) -> str:
    """The URI of a database with two businesses that have bookings in every state."""
    name = clone(postgres, f"practice_{uuid4().hex[:12]}", "holdfast_template")
    uri = postgres.uri(database=name)
    with psycopg.connect(uri, autocommit=True) as connection:
        open_practice(connection, PRACTICE)
        open_practice(connection, NEIGHBOUR)
    return uri


@pytest.fixture
def console(practice: str) -> Iterator[Connection]:
    """A superuser's transaction that nobody will see, with every constraint checked at once."""
    with psycopg.connect(practice) as connection:
        connection.execute("set constraints all immediate")
        yield connection
        connection.rollback()


def refusal(console: Connection, statement: str) -> str | None:
    """Return the name of the constraint that refuses a statement."""
    with pytest.raises(IntegrityError) as refused:
        console.execute(statement.encode())
    return refused.value.diag.constraint_name


def place(times: str, **values: Any) -> str:
    """Return SQL that claims a place of Ana's for the booking `past`."""
    claim: dict[str, Any] = {"resource_id": ANA, "capacity": 1, "seat": 1, "booking_id": the("past")}
    return row("claims", during=times, **(claim | values))


def span(begins: str, ends: str) -> str:
    """Return a half open range of the day on which most bookings are."""
    return f"[{at(begins)}, {at(ends)})"


def booked(**values: Any) -> str:
    """Return SQL that inserts a confirmed booking, by default of a service."""
    columns: dict[str, Any] = {
        "id": the("new"),
        "service_id": TALK,
        "starts_at": at("10:00", day=20),
        "ends_at": at("11:00", day=20),
        "party_size": 1,
        "state": "confirmed",
        "held_at": at("10:00", year=2020),
        "price_minor": 0,
        "currency": "RUB",
    } | values
    return row("bookings", **{name: value for name, value in columns.items() if value is not None})


def change(name: str, assignments: str, step: int = 1) -> str:
    """Return SQL that changes a booking's row and its version."""
    return f"update bookings set {assignments}, version = version + {step} where id = '{the(name)}'"


def during(table: str, times: str) -> str:
    """Return SQL that keeps Ana busy or free of bookings for a range."""
    source = {"source": "google"} if table == "calendar_busy_intervals" else {}
    return row(table, id=the("new"), resource_id=ANA, during=times, **source)


FREE = span("20:00", "21:00")
RANGES = {
    "empty": "empty",
    "without end": f"[{at('20:00')},)",
    "without beginning": f"(,{at('09:00', year=2020)})",
    "until infinity": f"[{at('20:00')}, infinity)",
    "since minus infinity": f"[-infinity, {at('09:00', year=2020)})",
}
CLAIMS = {
    "an overlap": (place(span("10:30", "10:45")), "claims_no_overlap"),
    "an overlap of a microsecond": (place(f"[{at('10:59')[:-4]}:59.999999Z, {at('11:30')})"), "claims_no_overlap"),
    "seat zero": (place(FREE, seat=0), "claims_seat_exists"),
    "a seat above the capacity": (place(FREE, seat=2), "claims_seat_exists"),
    "a seat above the capacity, with another capacity": (place(FREE, seat=2, capacity=2), "claims_resource"),
    "fewer places than are taken": (f"update resources set capacity = 1 where id = '{STUDIO}'", "claims_seat_exists"),
    "no owner": (f"update claims set booking_id = null where booking_id = '{the('past')}'", "claims_one_owner"),
    "two owners": (place(FREE, booking_id=the("past"), block_id=the("repairs")), "claims_one_owner"),
    **{f"a range {name}": (place(times), "claims_bounded") for name, times in RANGES.items()},
    "a range without its first instant": (place(f"({at('20:00')}, {at('21:00')})"), "claims_bounded"),
    "a range with its last instant": (place(f"[{at('20:00')}, {at('21:00')}]"), "claims_bounded"),
    "a booking deleted, its claim left": (f"delete from bookings where id = '{the('hold')}'", "claims_booking"),
    "a block deleted, its claims left": (f"delete from blocks where id = '{the('repairs')}'", "claims_block"),
    **{f"a block {name}": (during("blocks", times), "blocks_bounded") for name, times in RANGES.items()},
    **{
        f"busy time {name}": (during("calendar_busy_intervals", times), "calendar_busy_intervals_bounded")
        for name, times in RANGES.items()
    },
}
COUNTERS = {
    "a booking beyond the capacity": (
        booked(service_id=None, schedule_id=MONDAY, party_size=2),
        "program_schedules_capacity",
    ),
    "a party that grows beyond the capacity": (change("seat", "party_size = 5"), "program_schedules_capacity"),
    "a booking moved to a full schedule": (
        f"{booked(service_id=None, schedule_id=the('tuesday'), party_size=2)};"
        + change("new", f"schedule_id = '{MONDAY}'"),
        "program_schedules_capacity",
    ),
    "a capacity below what is taken": (
        f"update program_schedules set max_capacity = 8 where id = '{MONDAY}'",
        "program_schedules_capacity",
    ),
    "a counter below zero": (
        f"{WITHOUT_TRIGGERS} update program_schedules set taken = -1 where id = '{MONDAY}'",
        "program_schedules_capacity",
    ),
    "a counter above the capacity": (
        f"{WITHOUT_TRIGGERS} update program_schedules set taken = 11 where id = '{MONDAY}'",
        "program_schedules_capacity",
    ),
    "a counter written by hand": (
        f"update program_schedules set taken = taken + 1 where id = '{MONDAY}'",
        "program_schedules_counted",
    ),
    "a schedule that is born with places taken": (
        row(
            "program_schedules",
            program_id=the("group"),
            starts_at=at("18:00", day=20),
            ends_at=at("19:00", day=20),
            max_capacity=10,
            taken=1,
        ),
        "program_schedules_counted",
    ),
    "a schedule deleted under its bookings": (
        f"delete from claims where schedule_id = '{MONDAY}'; delete from program_schedules where id = '{MONDAY}'",
        "bookings_schedule",
    ),
    "a limit without a pool": (
        row("services", **offering(max_simultaneous_bookings=2)),
        "services_pool_whole",
    ),
    "a limit that is not its pool's capacity": (
        row("services", **offering(max_simultaneous_bookings=3, pool_id=the("limit"))),
        "services_pool",
    ),
}

BOOKINGS = {
    "an unknown state": (booked(state="paid"), "bookings_state_known"),
    "a change to an unknown state": (change("booked", "state = 'paid'"), "bookings_transition"),
    "a confirmed booking held again": (change("booked", "state = 'held'"), "bookings_transition"),
    "a hold completed": (change("hold", "state = 'completed'"), "bookings_transition"),
    "a cancelled booking revived": (change("cancelled", "state = 'confirmed'"), "bookings_transition"),
    "a refunded booking revived": (change("refunded", "state = 'confirmed'"), "bookings_transition"),
    "a released hold revived": (change("released", "state = 'held'"), "bookings_transition"),
    "a change without a new version": (change("booked", "guest_name = 'A'", step=0), "bookings_version_step"),
    "a version that skips one": (change("booked", "guest_name = 'A'", step=2), "bookings_version_step"),
    "a version that steps back": (change("moved", "guest_name = 'A'", step=-1), "bookings_version_step"),
    "a version of zero": (booked(version=0), "bookings_version_positive"),
    "a hold without end": (booked(state="held"), "bookings_hold_ends"),
    "a hold until infinity": (booked(state="held", expires_at="infinity"), "bookings_hold_ends"),
    "an end before the beginning": (booked(ends_at=at("09:00", day=20)), "bookings_times"),
    "an end at infinity": (booked(ends_at="infinity"), "bookings_times"),
    "a party of nobody": (booked(party_size=0), "bookings_party_size_range"),
    "a price below nothing": (booked(price_minor=-1), "bookings_price_range"),
    "a booking of nothing": (booked(service_id=None), "bookings_one_offering"),
    "a booking of a service and a schedule": (booked(schedule_id=MONDAY), "bookings_one_offering"),
    "a booking made twice": (booked(id=the("booked")), "bookings_pkey"),
    "a key answered twice": (
        row("idempotency_keys", key="key-hold", operation="reserve", request_hash="00", answer="{}"),
        "idempotency_keys_pkey",
    ),
    "a version with two audit entries": (
        row(
            "audit_log",
            aggregate_id=the("booked"),
            version=1,
            aggregate_type="booking",
            action="book",
            actor="client",
            mac="\\x" + "00" * 32,
        ),
        "audit_log_pkey",
    ),
    "an audit entry in no chain": (
        row("audit_log", aggregate_id=the("booked"), version=9, aggregate_type="booking", action="x", actor="client"),
        "audit_log_chained",
    ),
    "an audit entry with its reason in plain text": (
        row(
            "audit_log", aggregate_id=the("booked"), version=9, aggregate_type="x", action="x", actor="x", reason="ill"
        ),
        "audit_log_reason_sealed",
    ),
    "a block with its reason in plain text": (
        row("blocks", resource_id=the("hall"), during="[2045-07-02, 2045-07-03)", reason="ill"),
        "blocks_reason_sealed",
    ),
    "a version with two events": (
        row("outbox_events", aggregate_id=the("booked"), version=1, type="AppointmentConfirmed"),
        "outbox_events_pkey",
    ),
}


SEALED = f"\\x{ENVELOPE.hex()}"
TEXT = "\\x" + b"a@b.example, who is afraid of heights".hex()

PERSONAL = {
    "a plain contact": (booked(guest_email="a@b.example"), "bookings_contact_not_plain"),
    "a plain contact beside a sealed one": (change("booked", "guest_name = 'A'"), "bookings_contact_not_plain"),
    "a plain contact as if of an earlier release": (
        booked(guest_email="a@b.example", contact_plain=True),
        "bookings_contact_not_plain",
    ),
    "a sealed contact made plain": (change("booked", "contact_plain = true"), "bookings_contact_not_plain"),
    "a text where a contact should be": (booked(contact=TEXT), "bookings_contact_sealed"),
    "a text where a note should be": (change("booked", f"note = '{TEXT}'"), "bookings_note_sealed"),
    "a text to find an address by": (booked(email_index=TEXT), "bookings_email_index_blind"),
    "a text to find a number by": (booked(phone_index=TEXT), "bookings_phone_index_blind"),
    "a contact lost in silence": (change("booked", "contact = null", step=0), "bookings_version_step"),
    "a note lost in silence": (
        change("booked", f"note = '{SEALED}'") + ";" + change("booked", "note = null", step=0),
        "bookings_version_step",
    ),
    "a note added in silence": (change("booked", f"note = '{SEALED}'", step=0), "bookings_version_step"),
    "somebody else found in silence": (
        change("booked", f"email_index = '\\x{'00' * 16}'", step=0),
        "bookings_version_step",
    ),
    "a move hidden behind a sealing": (
        change("booked", f"contact = '{SEALED}11', party_size = 2", step=0),
        "bookings_version_step",
    ),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_place_is_never_sold_twice(console: Connection, name: str) -> None:
    """No statement takes a place that is taken or does not exist, or for no bounded time (B-2, invariant 1)."""
    statement, constraint = CLAIMS[name]
    assert refusal(console, statement) == constraint


@pytest.mark.parametrize("name", COUNTERS)
def test_group_is_never_oversold(console: Connection, name: str) -> None:
    """No statement oversells a schedule or parts its counter from its bookings (B-2, invariant 1)."""
    statement, constraint = COUNTERS[name]
    assert refusal(console, statement) == constraint


@pytest.mark.parametrize("name", BOOKINGS)
def test_booking_changes_by_the_rules_only(console: Connection, name: str) -> None:
    """No statement makes or changes a booking against the rules (B-2, B-9, B-15, invariants 3, 4, 6)."""
    statement, constraint = BOOKINGS[name]
    assert refusal(console, statement) == constraint


@pytest.mark.parametrize("name", PERSONAL)
def test_personal_data_is_ciphertext_only(console: Connection, name: str) -> None:
    """No statement stores a contact or a note as text, or lets one go or come unnoticed (D-5, B-15, invariant 8)."""
    statement, constraint = PERSONAL[name]
    assert refusal(console, statement) == constraint


def test_sealing_anew_is_no_change(console: Connection) -> None:
    """Other ciphertext in the place of ciphertext, as a change of keys makes it, leaves the version as it is (D-5, B-15)."""
    console.execute(change("booked", f"note = '{SEALED}'").encode())
    read = f"select version, contact, note from bookings where id = '{the('booked')}'"
    [(version, *_)] = console.execute(read.encode()).fetchall()
    console.execute(change("booked", f"contact = '{SEALED}11', note = '{SEALED}22'", step=0).encode())
    other = [ENVELOPE + end for end in (b"\x11", b"\x22")]
    assert console.execute(read.encode()).fetchall() == [(version, *other)]


@pytest.mark.parametrize("constraint", REFERENCES | CONTENT_REFERENCES)
def test_tenants_do_not_mix(console: Connection, constraint: str) -> None:
    """No row can refer to what another business owns, by any foreign key (D-9, invariant 9)."""
    statement, _ = (REFERENCES | CONTENT_REFERENCES)[constraint]
    assert refusal(console, statement) == constraint


def test_neighbouring_claims_are_accepted(console: Connection) -> None:
    """Claims that touch without overlapping, and a place that was given back, are nobody's obstacle (B-2, B-3)."""
    console.execute(place(span("11:00", "12:50")).encode())
    console.execute(place(span("09:00", "10:00")).encode())
    console.execute(f"delete from claims where booking_id = '{the('hold')}'".encode())
    console.execute(place(span("10:00", "11:00")).encode())


def test_counter_follows_every_statement(console: Connection) -> None:
    """Whatever statement changes bookings of a schedule changes its counter with them (B-2)."""

    def taken() -> tuple[int, int]:
        counters = "select taken from program_schedules where id in (%s, %s) order by starts_at"
        monday, tuesday = console.execute(counters, [MONDAY, the("tuesday")]).fetchall()
        return monday[0], tuesday[0]

    assert taken() == (9, 0)
    console.execute(change("seat", "party_size = 4").encode())
    assert taken() == (10, 0)
    console.execute(change("seat", f"schedule_id = '{the('tuesday')}'").encode())
    assert taken() == (6, 4)
    console.execute(change("seat-hold", "state = 'released'").encode())
    assert taken() == (4, 4)
    console.execute(f"delete from bookings where id = '{the('seat-moved')}'".encode())
    assert taken() == (0, 4)
    console.execute(booked(service_id=None, schedule_id=MONDAY, party_size=10).encode())
    assert taken() == (10, 4)
    console.execute(released(schedule_id=MONDAY).replace(the("new"), str(uuid4())).encode())
    assert taken() == (10, 4)


@pytest.mark.parametrize("table", ["bookings", "claims"])
def test_tables_that_are_counted_are_not_emptied(console: Connection, table: str) -> None:
    """Emptying bookings or claims at one stroke, past the counters that follow their rows, is refused (B-2)."""
    assert refusal(console, f"truncate {table} cascade") == f"{table}_not_truncated"


def test_servers_delete_no_booking(console: Connection) -> None:
    """The roles of servers and of admission may end a booking and not delete it (B-25)."""
    for role in ("holdfast_app", "holdfast_admission"):
        [(allowed,)] = console.execute("select has_table_privilege(%s, 'bookings', 'delete')", [role])
        assert not allowed
