"""For every foreign key a row that is sound but for one thing: it refers to what another business owns, or to nothing.

The database refuses each by the constraint of that name; without the constraint `verify` finds it.
"""

from typing import Any

from journeys.damages import ANA, NOWHERE, ROOM, ROW, Damage, says
from journeys.practice import ENVELOPE, NEIGHBOUR, at, the

MINE, NEW = the("business"), the("new")
SEALED = "\\x" + ENVELOPE.hex()
PEOPLE = "identity.people_belong_to_a_business"
CATALOG, HOURS = "catalog.catalog_refers_to_its_own_business", "availability.hours_refer_to_their_own_business"
BOOKINGS, RECORDS = "bookings_refer_to_their_own_business", "kernel.records_belong_to_a_business"
WAITING, PAYMENTS, CALENDARS = (
    "booking.waiting_and_intake_refer_to_their_own_business",
    "payments.payments_refer_to_their_own_business",
    "calendars.calendars_refer_to_their_own_business",
)
ENVELOPE = "\\x68666531" + "00" * 32
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


def payment(**values: str) -> str:
    """Return SQL that inserts a payment."""
    terms: dict[str, Any] = {
        "attempt": 1,
        "provider": "stripe",
        "account": "a",
        "provider_key": "new",
        "currency": "RUB",
    }
    return row(
        "payments", **{"business": MINE, "id": NEW, "booking_id": the("past"), **terms, "amount_minor": 1, **values}
    )


def account(**values: Any) -> str:
    """Return SQL that inserts an account at a payment provider."""
    terms: dict[str, Any] = {"provider": "stripe", "account": "a", "is_test": True, "secret": ENVELOPE}
    return row("payment_accounts", **{"business": MINE, "id": NEW, **terms, **values})


def refund(**values: str) -> str:
    """Return SQL that inserts a refund that was refused, and so moved no money."""
    terms: dict[str, Any] = {"cause": "policy", "provider_key": "new", "state": "refused", "currency": "RUB"}
    return row("refunds", **{"business": MINE, "id": NEW, **terms, "amount_minor": 1, **values})


FOR_A_SERVICE = {"service_id": the("talk"), "wanted": "[2045-05-02T10:00:00Z, 2045-05-02T12:00:00Z)"}


def waiting(**values: str) -> str:
    """Return SQL that inserts somebody who waits."""
    contact = {"contact_email": ENVELOPE, "contact_email_index": "\\x" + "00" * 16}
    return row("waitlist_requests", **{"business": MINE, "id": NEW, "party_size": "1", **contact, **values})


def webhook(**values: str) -> str:
    """Return SQL that inserts what a provider has told."""
    terms = {"provider": "stripe", "event_id": "new", "type": "t", "object_id": "o", "body": ENVELOPE}
    return row("webhook_events", **{"business": MINE, "id": NEW, **terms, **values})


def intake(**values: str) -> str:
    """Return SQL that inserts an intake form."""
    return row(
        "intake_forms", **{"business": MINE, "id": NEW, "booking_id": the("past"), "answers": ENVELOPE, **values}
    )


# By the name of the foreign key.
REFERENCES: dict[str, Damage] = {
    "api_keys_business_id_fkey": (
        row("api_keys", NOWHERE, id=NEW, role="owner", name="new", secret_hash="\\x" + "00" * 32),
        {says("identity.keys_belong_to_a_business", NEW, NOWHERE)},
    ),
    "system_settings_business_id_fkey": (
        row("system_settings", NOWHERE, key="new", value="true"),
        {says("administration.settings_and_templates_belong_to_a_business", "new", NOWHERE)},
    ),
    "message_templates_business_id_fkey": (
        row("message_templates", NOWHERE, kind="new", locale="en", channel="sms", version=1, body="new"),
        {says("administration.settings_and_templates_belong_to_a_business", "new 1", NOWHERE)},
    ),
    "attention_items_business_id_fkey": (
        row("attention_items", NOWHERE, id=NEW, kind="thing", subject_id=NEW, severity="info"),
        {says("kernel.attention_belongs_to_a_business", NEW, NOWHERE)},
    ),
    "audit_reasons_business_id_fkey": (
        row("audit_reasons", NOWHERE, id=NEW, body=ENVELOPE),
        {says("kernel.records_belong_to_a_business", NEW, NOWHERE)},
    ),
    "tenant_keys_business_id_fkey": (
        row("tenant_keys", NOWHERE, purpose="data", generation=7, wrapped="\\x" + "00" * 60),
        {says("kernel.tenant_keys_belong_to_a_business", "data 7", NOWHERE)},
    ),
    "users_business_id_fkey": (
        row("users", NOWHERE, id=NEW, email=SEALED, email_index="\\x" + "01" * 16, name=SEALED),
        {says(PEOPLE, NEW, NOWHERE)},
    ),
    "consents_business_id_fkey": (
        row("consents", NOWHERE, id=NEW, subject="\\x" + "00" * 16, kind="terms", act="withdrawn", proof="claimed"),
        {says(PEOPLE, NEW, NOWHERE)},
    ),
    "user_roles_user": (
        row("user_roles", user_id=theirs("user"), role="owner"),
        {says(PEOPLE, "owner", theirs("user"))},
    ),
    "user_roles_role": (
        row("user_roles", user_id=the("user"), role="king"),
        {says("identity.roles_are_known", the("user"), "king")},
    ),
    "user_resources_user": (
        row("user_resources", user_id=theirs("user"), resource_id=ANA),
        {says(PEOPLE, ANA, theirs("user"))},
    ),
    "user_resources_resource": (
        row("user_resources", user_id=the("user"), resource_id=theirs("ana")),
        {says(PEOPLE, the("user"), theirs("ana"))},
    ),
    "logins_user": (
        row("logins", id=NEW, user_id=theirs("user"), token_hash="\\x" + "00" * 32, expires_at=at("10:00")),
        {says(PEOPLE, NEW, theirs("user"))},
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
    "payments_business_id_fkey": (
        payment(business=NOWHERE),
        {says(PAYMENTS, NEW, NOWHERE), says(PAYMENTS, NEW, the("past"))},
    ),
    "payments_booking": (payment(booking_id=theirs("past")), {says(PAYMENTS, NEW, theirs("past"))}),
    "payments_account": (payment(account_id=NOWHERE), {says(PAYMENTS, NEW, NOWHERE)}),
    "payment_accounts_business_id_fkey": (account(business=NOWHERE), {says(PAYMENTS, NEW, NOWHERE)}),
    "payment_reconciliations_account": (
        row("payment_reconciliations", id=NEW, account_id=NOWHERE, listed_until="2046-01-01T00:00Z"),
        {says(PAYMENTS, NEW, NOWHERE)},
    ),
    "refunds_business_id_fkey": (
        refund(business=NOWHERE, payment_id=NOWHERE),
        {says(PAYMENTS, NEW, NOWHERE)},
    ),
    "refunds_payment": (
        refund(payment_id=NOWHERE),
        {says(PAYMENTS, NEW, NOWHERE)},
    ),
    "webhook_events_business_id_fkey": (webhook(business=NOWHERE), {says(PAYMENTS, NEW, NOWHERE)}),
    "waitlist_requests_business_id_fkey": (
        waiting(business=NOWHERE, **FOR_A_SERVICE),
        {says(WAITING, NEW, NOWHERE), says(WAITING, NEW, the("talk"))},
    ),
    "waitlist_requests_service": (
        waiting(**FOR_A_SERVICE | {"service_id": theirs("talk")}),
        {says(WAITING, NEW, theirs("talk"))},
    ),
    "waitlist_requests_schedule": (waiting(schedule_id=theirs("monday")), {says(WAITING, NEW, theirs("monday"))}),
    "waitlist_requests_offer": (
        waiting(**FOR_A_SERVICE, offered_booking_id=theirs("past")),
        {says(WAITING, NEW, theirs("past"))},
    ),
    "intake_forms_business_id_fkey": (
        intake(business=NOWHERE),
        {says(WAITING, NEW, NOWHERE), says(WAITING, NEW, the("past"))},
    ),
    "intake_forms_booking": (intake(booking_id=theirs("past")), {says(WAITING, NEW, theirs("past"))}),
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
