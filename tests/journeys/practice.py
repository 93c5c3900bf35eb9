"""Two businesses with bookings in every state, made through the functions that the product itself uses."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

import psycopg
from psycopg import Connection, sql

from conftest import MASTER_KEY
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.privacy import Keyring, TenantKeys
from journeys.shelf import fill_shelf

PRACTICE, NEIGHBOUR = "practice", "neighbour"  # tenants with the same things and the same bookings
DEAD = {"cancelled", "refunded", "expired", "released"}
NONCE = "00" * 16
ENVELOPE = b"hfe1" + bytes(32)


def the(name: str, tenant: str = PRACTICE) -> str:
    """Return the id of the thing of this name."""
    return str(uuid5(NAMESPACE_OID, f"{tenant}/{name}"))


def at(clock: str, day: int = 2, year: int = 2045) -> str:
    """Return an instant, by default of the day on which most bookings are."""
    return f"{year}-05-{day:02}T{clock}:00Z"


def clone(postgres: EmbeddedPostgres, name: str, template: str) -> str:
    """Make a database as a copy of another to which nobody is connected; return its name."""
    statement = sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template))
    with psycopg.connect(postgres.uri(database="postgres"), autocommit=True) as admin:
        admin.execute(statement)
    return name


@dataclass(frozen=True)
class Tenant:
    """A business under construction."""

    connection: Connection
    name: str
    # None for one whose hashes nobody looks at.
    keys: TenantKeys | None = None

    def chain_key(self, name: str) -> bytes:
        """Return the key of the audit log of the thing of this name."""
        return bytes(32) if self.keys is None else self.keys.chain_key(UUID(self.id(name)))

    def id(self, name: str) -> str:
        """Return the id of the thing of this name in this business."""
        return the(name, self.name)

    def run(self, statement: str, **values: object) -> Any:
        """Run a statement and return its first value; it knows the business as %(business)s."""
        cursor = self.connection.execute(statement.encode(), {"business": self.id("business")} | values)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None

    def insert(self, table: str, **values: object) -> None:
        """Insert a row of this business."""
        row = {"business_id": self.id("business")} | values
        columns = sql.SQL(", ").join(map(sql.Identifier, row))
        places = sql.SQL(", ").join(map(sql.Placeholder, row))
        statement = sql.SQL("insert into {} ({}) values ({})").format(sql.Identifier(table), columns, places)
        self.connection.execute(statement, row)

    def asks(self, name: str, **wishes: Any) -> dict[str, Any]:
        """Return the request for a booking of this name."""
        mine = {"id": self.id(name), "chain_key": self.chain_key(name).hex()}
        return mine | {"operation": "reserve", "hash": "00" * 32, "party": 1, "ttl": 86400} | wishes

    def asks_for_slot(self, name: str, service: str, begins: str, ends: str, **wishes: Any) -> dict[str, Any]:
        """Return the request for a slot; the past may be asked for as well."""
        times = {"starts": begins, "ends": ends, "claims_from": begins, "claims_to": ends}
        limits = {"notice_seconds": -(10**9), "horizon_seconds": 10**9, "price": 500000, "currency": "RUB"}
        catalog = self.run("select catalog_version from businesses where id = %(business)s")
        return self.asks(name, service=self.id(service), catalog=catalog, **(times | limits | wishes))

    def admit(self, *requests: dict[str, Any]) -> list[str]:
        """Ask for all of these in one batch; return the outcomes."""
        batch = json.dumps([request | {"n": n} for n, request in enumerate(requests, 1)])
        answers = self.run("select admit(%(business)s, %(batch)s)", batch=batch)
        return [answer["outcome"] for answer in answers]

    def commit(self, *names: str) -> list[str]:
        """Commit these reservations in one batch; return the outcomes."""
        batch = json.dumps(
            [
                {"n": n, "id": self.id(name), "contact": ENVELOPE.hex(), "chain_key": self.chain_key(name).hex()}
                for n, name in enumerate(names, 1)
            ]
        )
        answers = self.run("select commit_reservations(%(business)s, %(batch)s)", batch=batch)
        return [answer["outcome"] for answer in answers]

    def move(self, request: dict[str, Any], version: int) -> str:
        """Move a booking to the place of the request; return the outcome."""
        statement = "select move_booking(%(business)s, %(id)s, %(version)s, %(request)s, 'client', null) ->> 'outcome'"
        outcome: str = self.run(statement, id=request["id"], version=version, request=json.dumps(request))
        return outcome

    def become(self, name: str, state: str, *, audited: bool = True) -> None:
        """Change a booking's state as use cases do: state, places, audit entry and event in one transaction."""
        one = {"id": self.id(name), "state": state}
        this = "where business_id = %(business)s and id = %(id)s"
        with self.connection.transaction():
            before = self.run(f"select state from bookings {this} for update", **one)
            if state == "pending_payment":
                due = "due_minor = 1, refund_terms = '[]'"
                self.run(f"update bookings set state = %(state)s, version = version + 1, {due} {this}", **one)
            else:
                self.run(f"update bookings set state = %(state)s, version = version + 1 {this}", **one)
            if state in DEAD:
                self.run("delete from claims where business_id = %(business)s and booking_id = %(id)s", **one)
            if audited:
                self.run(
                    "select record_changes(%(business)s, array[%(id)s::uuid], array[%(key)s::bytea], 'change',"
                    " %(before)s, 'staff', null, 'AppointmentChanged')",
                    before=before,
                    key=self.chain_key(name),
                    **one,
                )

    def pay(self, name: str) -> None:
        """Take the money for a booking that awaits it."""
        self.run(
            "insert into payments (business_id, id, booking_id, attempt, provider, account, provider_key, state,"
            " amount_minor, currency, captured_minor, captured_at, pays, next_attempt_at)"
            " select business_id, %(payment)s, id, 1, 'stripe', 'a', id::text, 'succeeded', due_minor, currency, due_minor,"
            " now(), true, null from bookings where business_id = %(business)s and id = %(id)s returning 1",
            id=self.id(name),
            payment=self.id(f"payment of {name}"),
        )

    def take_whole(self, resource: str, begins: str, ends: str, *, schedule: str | None, block: str | None) -> None:
        """Give a schedule or a block every place of a resource."""
        assert self.run(
            "select take_whole_resource(%(business)s, %(resource)s, tstzrange(%(begins)s, %(ends)s), %(schedule)s,"
            " %(block)s)",
            resource=self.id(resource),
            begins=begins,
            ends=ends,
            schedule=schedule and self.id(schedule),
            block=block and self.id(block),
        )


def open_practice(connection: Connection, name: str) -> None:
    """Make a business with what can be booked in it, and bookings in every state."""
    _furnish(Tenant(connection, name))
    tenant = Tenant(
        connection, name, asyncio.run(Keyring(MASTER_KEY, connection.info.dsn).of(UUID(the("business", name))))
    )
    _offer_group(tenant)
    _book_slots(tenant)
    _book_group(tenant)
    _live_through(tenant)
    fill_shelf(tenant)
    tenant.insert("booking_series", id=tenant.id("course"))
    # What is sealed is nothing that anybody could open.
    sealed = {"email": ENVELOPE, "name": ENVELOPE, "email_index": bytes(16)}
    tenant.insert("users", id=tenant.id("user"), **sealed)
    for position, booking in enumerate(("booked", "open"), 1):
        course = {"series_id": tenant.id("course"), "position": position}
        tenant.insert("series_bookings", booking_id=tenant.id(booking), **course)


def _furnish(tenant: Tenant) -> None:
    columns = "id, slug, name, timezone, currency"
    tenant.run(
        f"insert into businesses ({columns}) values (%(business)s, %(slug)s, 'B', 'UTC', 'RUB')", slug=tenant.name
    )
    for slug, kind, capacity in (
        ("ana", "practitioner", 1),
        ("ben", "practitioner", 1),
        ("room", "room", 1),
        ("studio", "room", 3),
        ("hall", "room", 2),
        ("limit", "pool", 2),
    ):
        tenant.insert("resources", id=tenant.id(slug), slug=slug, name=slug, kind=kind, capacity=capacity)
    for slug, limit in (("talk", None), ("duo", None), ("open", 2)):
        pool = limit and tenant.id("limit")
        tenant.insert(
            "services",
            id=tenant.id(slug),
            slug=slug,
            name=slug,
            duration_minutes=60,
            pool_id=pool,
            max_simultaneous_bookings=limit,
        )
    for service, resource in (("talk", "ana"), ("talk", "ben"), ("duo", "room"), ("open", "studio")):
        needs = {"service_id": tenant.id(service), "resource_id": tenant.id(resource)}
        tenant.insert("service_resources", requirement=1, **needs)
    ana = tenant.id("ana")
    tenant.insert("availability_rules", id=tenant.id("rule"), resource_id=ana, weekday=0, opens="09:00", closes="17:00")
    tenant.insert("availability_overrides", id=tenant.id("holiday"), resource_id=ana, day="2045-05-09")
    busy = f"[{at('08:00')}, {at('09:00')})"
    tenant.insert("calendar_busy_intervals", id=tenant.id("busy"), resource_id=ana, during=busy, source="google")


def _offer_group(tenant: Tenant) -> None:
    group, hall = tenant.id("group"), tenant.id("hall")
    tenant.insert(
        "programs", id=group, slug="group", name="group", duration_minutes=60, max_capacity=10, hold_minutes=1440
    )
    tenant.insert("program_rules", program_id=group, weekday=1, starts="18:00")
    tenant.insert("program_resources", program_id=group, resource_id=hall)
    for schedule, day in (("monday", 2), ("tuesday", 3)):
        begins, ends = at("18:00", day), at("19:00", day)
        times = {"starts_at": begins, "ends_at": ends}
        tenant.insert("program_schedules", id=tenant.id(schedule), program_id=group, max_capacity=10, **times)
        tenant.take_whole("hall", begins, ends, schedule=schedule, block=None)
    begins, ends = at("08:00"), at("12:00")
    tenant.insert("blocks", id=tenant.id("repairs"), resource_id=hall, during=f"[{begins}, {ends})")
    tenant.take_whole("hall", begins, ends, schedule=None, block="repairs")


def _book_slots(tenant: Tenant) -> None:
    ana, ben, room, studio, limit = map(tenant.id, ("ana", "ben", "room", "studio", "limit"))
    begins, ends = at("10:00"), at("11:00")
    buffers = {"claims_from": at("09:50"), "claims_to": at("11:20")}
    assert tenant.admit(
        tenant.asks_for_slot("hold", "talk", begins, ends, solo=ana, key="key-hold"),
        tenant.asks_for_slot(
            "booked",
            "talk",
            begins,
            ends,
            solo=ben,
            key="key-booked",
            operation="book",
            nonce=NONCE,
            contact=ENVELOPE.hex(),
        ),
        tenant.asks_for_slot("moved", "duo", begins, ends, needs=[[room]], **buffers),
        tenant.asks_for_slot("open", "open", begins, ends, needs=[[studio], [limit]], party=2),
    ) == ["held", "confirmed", "held", "held"]
    assert tenant.commit("moved", "open") == ["committed"] * 2
    buffers = {"claims_from": at("12:50"), "claims_to": at("14:20")}
    elsewhere = tenant.asks_for_slot("moved", "duo", at("13:00"), at("14:00"), needs=[[ana], [room]], **buffers)
    assert tenant.move(elsewhere, version=2) == "moved"

    begins, ends = at("10:00", year=2020), at("11:00", year=2020)
    assert (
        tenant.admit(
            tenant.asks_for_slot("past", "talk", begins, ends, solo=ana, nonce=NONCE, contact=ENVELOPE.hex()),
            tenant.asks_for_slot(
                "past-open",
                "open",
                begins,
                ends,
                needs=[[studio], [limit]],
                party=2,
                nonce=NONCE,
                contact=ENVELOPE.hex(),
            ),
        )
        == ["confirmed"] * 2
    )
    tenant.become("past", "no_show")
    tenant.become("past", "completed")


def _book_group(tenant: Tenant) -> None:
    monday, tuesday = tenant.id("monday"), tenant.id("tuesday")
    assert tenant.admit(
        tenant.asks("seat", schedule=monday, party=3, key="key-seat"),
        tenant.asks("seat-hold", schedule=monday, party=2),
        tenant.asks("seat-moved", schedule=tuesday, party=4, nonce=NONCE, contact=ENVELOPE.hex()),
        tenant.asks("seat-gone", schedule=tuesday, party=6, nonce=NONCE, contact=ENVELOPE.hex()),
    ) == ["held", "held", "confirmed", "confirmed"]
    assert tenant.commit("seat") == ["committed"]
    assert tenant.move(tenant.asks("seat-moved", schedule=monday), version=1) == "moved"
    tenant.become("seat-gone", "cancelled")
    tenant.become("seat-gone", "refunded")


def _live_through(tenant: Tenant) -> None:
    """Use one place again and again, each time until it is free."""
    for name in ("expired", "released", "cancelled", "refunded", "unpaid", "paid"):
        ttl = 0 if name == "expired" else 86400
        request = tenant.asks_for_slot(name, "talk", at("15:00"), at("16:00"), solo=tenant.id("ben"), ttl=ttl)
        assert tenant.admit(request) == ["held"]
        if name == "expired":
            assert tenant.admit(tenant.asks("seat-expired", schedule=tenant.id("monday"), ttl=0)) == ["held"]
            assert tenant.commit(name, "seat-expired") == ["expired"] * 2
            assert tenant.run("select expire_holds(%(business)s, 100)") == 2
        elif name == "released":
            tenant.become(name, "released", audited=False)
        elif name in {"unpaid", "paid"}:
            tenant.become(name, "pending_payment")
            if name == "paid":
                tenant.pay(name)
            tenant.become(name, "expired" if name == "unpaid" else "confirmed")
        else:
            assert tenant.commit(name) == ["committed"]
            tenant.become(name, name)
