"""For every foreign key a row that is sound but for one thing: it refers to what another business owns, or to nothing.

The database refuses each by the constraint of that name; without the constraint `verify` finds it.
"""

from typing import Any

from journeys.damages import ANA, NOWHERE, ROOM, ROW, Damage, says
from journeys.practice import NEIGHBOUR, at, the

MINE, NEW = the("business"), the("new")
CATALOG, HOURS = "catalog.catalog_refers_to_its_own_business", "availability.hours_refer_to_their_own_business"
BOOKINGS, RECORDS = "bookings_refer_to_their_own_business", "kernel.records_belong_to_a_business"
PAST = f"[{at('10:00', year=2020)}, {at('11:00', year=2020)})"


def theirs(name: str) -> str:
    """Return the id of the thing of this name in the other business."""
    return the(name, NEIGHBOUR)


def row(table: str, business: str = MINE, **values: Any) -> str:
    """Return SQL that inserts a row."""
    names = ", ".join(["business_id", *values])
    texts = ", ".join(f"'{value}'" for value in [business, *values.values()])
    return f"insert into {table} ({names}) overriding system value values ({texts});"


def offering(**values: Any) -> dict[str, Any]:
    """Return the columns of a service or a program."""
    return {"id": NEW, "slug": "new", "name": "new", "duration_minutes": 60} | values


def released(**offered: str) -> str:
    """Return SQL that inserts a booking that was released, and so has neither claims nor history."""
    times = {"starts_at": at("10:00"), "ends_at": at("11:00"), "held_at": at("10:00", year=2020)}
    terms: dict[str, Any] = {"party_size": 1, "state": "released", "price_minor": 0, "currency": "RUB"}
    return row("bookings", id=NEW, **times, **terms, **offered)


def claim(resource: str, **owner: str) -> str:
    """Return SQL that inserts a claim at the time of the booking `past`."""
    return row("claims", id=ROW, resource_id=resource, capacity=1, seat=1, during=PAST, **owner)


# By the name of the foreign key.
REFERENCES: dict[str, Damage] = {
    "api_keys_business_id_fkey": (
        row("api_keys", NOWHERE, id=NEW, role="owner", name="new", secret_hash="\\x" + "00" * 32),
        {says("identity.keys_belong_to_a_business", NEW, NOWHERE)},
    ),
    "attention_items_business_id_fkey": (
        row("attention_items", NOWHERE, id=NEW, kind="thing", subject_id=NEW, severity="info"),
        {says("kernel.attention_belongs_to_a_business", NEW, NOWHERE)},
    ),
    "tenant_keys_business_id_fkey": (
        row("tenant_keys", NOWHERE, purpose="data", generation=7, wrapped="\\x" + "00" * 60),
        {says("kernel.tenant_keys_belong_to_a_business", "data 7", NOWHERE)},
    ),
    "resources_business_id_fkey": (
        row("resources", NOWHERE, id=NEW, slug="new", name="new", kind="room", capacity=1),
        {says(CATALOG, NEW, NOWHERE)},
    ),
    "services_business_id_fkey": (
        row("services", NOWHERE, **offering()),
        {says(CATALOG, NEW, NOWHERE)},
    ),
    "programs_business_id_fkey": (
        row("programs", NOWHERE, **offering(max_capacity=1)),
        {says(CATALOG, NEW, NOWHERE)},
    ),
    "services_pool": (
        row("services", **offering(pool_id=theirs("limit"), max_simultaneous_bookings=2)),
        {says(CATALOG, NEW, theirs("limit"))},
    ),
    "service_resources_service": (
        row("service_resources", service_id=theirs("talk"), requirement=1, resource_id=ANA),
        {says(CATALOG, ANA, theirs("talk"))},
    ),
    "service_resources_resource": (
        row("service_resources", service_id=the("talk"), requirement=1, resource_id=theirs("ana")),
        {says(CATALOG, the("talk"), theirs("ana"))},
    ),
    "program_rules_program": (
        row("program_rules", program_id=theirs("group"), weekday=3, starts="10:00"),
        {says(CATALOG, "weekday 3 at 10:00:00", theirs("group"))},
    ),
    "program_resources_program": (
        row("program_resources", program_id=theirs("group"), resource_id=ANA),
        {says(CATALOG, ANA, theirs("group"))},
    ),
    "program_resources_resource": (
        row("program_resources", program_id=the("group"), resource_id=theirs("ana")),
        {says(CATALOG, the("group"), theirs("ana"))},
    ),
    "program_schedules_program": (
        row(
            "program_schedules",
            id=NEW,
            program_id=theirs("group"),
            starts_at=at("18:00", day=20),
            ends_at=at("19:00", day=20),
            max_capacity=1,
        ),
        {says(CATALOG, NEW, theirs("group"))},
    ),
    "schedule_deviations_program": (
        row("schedule_deviations", program_id=theirs("group"), starts_at=at("18:00", day=20), kind="booked"),
        {says(BOOKINGS, "booked 2045-05-20 18:00", theirs("group"))},
    ),
    "schedule_deviations_resource": (
        row(
            "schedule_deviations",
            program_id=the("group"),
            starts_at=at("18:00", day=20),
            kind="taken",
            resource_id=theirs("ana"),
        ),
        {says(BOOKINGS, "taken 2045-05-20 18:00", theirs("ana"))},
    ),
    "availability_rules_resource": (
        row("availability_rules", id=NEW, resource_id=theirs("ana"), weekday=1, opens="09:00", closes="17:00"),
        {says(HOURS, NEW, theirs("ana"))},
    ),
    "availability_overrides_resource": (
        row("availability_overrides", id=NEW, resource_id=theirs("ana"), day="2045-05-10"),
        {says(HOURS, NEW, theirs("ana"))},
    ),
    "calendar_busy_intervals_resource": (
        row("calendar_busy_intervals", id=NEW, resource_id=theirs("ana"), during=PAST, source="google"),
        {says(HOURS, NEW, theirs("ana"))},
    ),
    "bookings_service": (
        released(service_id=theirs("talk")),
        {says(BOOKINGS, NEW, theirs("talk"))},
    ),
    "bookings_schedule": (
        released(schedule_id=theirs("monday")),
        {says(BOOKINGS, NEW, theirs("monday"))},
    ),
    "series_bookings_series": (
        row("series_bookings", series_id=theirs("course"), position=1, booking_id=the("past")),
        {says("series_refer_to_their_own_business", f"{theirs('course')}/1", theirs("course"))},
    ),
    "series_bookings_booking": (
        row("series_bookings", series_id=the("course"), position=3, booking_id=theirs("past")),
        {says("series_refer_to_their_own_business", f"{the('course')}/3", theirs("past"))},
    ),
    "blocks_resource": (
        row("blocks", id=NEW, resource_id=theirs("hall"), during=PAST),
        {says(BOOKINGS, NEW, theirs("hall"))},
    ),
    "claims_resource": (
        claim(theirs("ana"), booking_id=the("past")),
        {says(BOOKINGS, ROW, theirs("ana"))},
    ),
    "claims_booking": (
        claim(ROOM, booking_id=theirs("past")),
        {says(BOOKINGS, ROW, theirs("past"))},
    ),
    "claims_schedule": (
        claim(ROOM, schedule_id=theirs("monday")),
        {says(BOOKINGS, ROW, theirs("monday"))},
    ),
    "claims_block": (
        claim(ROOM, block_id=theirs("repairs")),
        {says(BOOKINGS, ROW, theirs("repairs"))},
    ),
}

# What is written on the path of admission has no foreign key to its business.
WITHOUT_FOREIGN_KEY: dict[str, Damage] = {
    "an audit entry belongs to no business": (
        row("audit_log", NOWHERE, aggregate_id=NEW, version=1, aggregate_type="thing", action="do", actor="staff"),
        {says(RECORDS, NEW, NOWHERE)},
    ),
    "an event belongs to no business": (
        row("outbox_events", NOWHERE, aggregate_id=NEW, version=1, type="Thing"),
        {says(RECORDS, NEW, NOWHERE)},
    ),
    "an analytics event belongs to no business": (
        row("analytics_events", NOWHERE, id=NEW, name="thing", properties="{}", times=1, occurred_at=at("10:00")),
        {says(RECORDS, NEW, NOWHERE)},
    ),
    "a key belongs to no business": (
        row("idempotency_keys", NOWHERE, key="key", operation="reserve", request_hash="00", answer="{}"),
        {says(RECORDS, "key", NOWHERE)},
    ),
}
