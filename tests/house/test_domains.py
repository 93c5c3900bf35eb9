"""The tables of the data platform: which there are, and what each of them has (D-3, D-4)."""

from collections.abc import Iterator

import psycopg
import pytest

from holdfast.kernel.embedded import EmbeddedPostgres

DOMAINS = {
    "identity": "businesses users roles user_roles consents api_keys logins",
    "content": (
        "content_items content_versions topics tags content_item_topics content_item_tags media_assets content_media"
        " curated_collections curated_items glossary_terms glossary_term_synonyms"
    ),
    "interactive": "interactive_definitions interactive_versions interactive_runs",
    "booking": (
        "services service_resources resources availability_rules availability_overrides programs program_schedules"
        " bookings claims waitlist_requests intake_forms"
    ),
    "payments": "payments refunds webhook_events",
    "calendars": "calendar_connections calendars calendar_busy_intervals calendar_events calendar_conflicts",
    "moderation": "ugc_items ugc_answers ugc_triggers moderation_actions",
    "crm": "leads lead_identities lead_timeline_events lead_notes deep_links",
    "admin": "audit_log message_templates system_settings attention_items",
    "analytics": "analytics_events",
    "plumbing": "outbox_events idempotency_keys",
}
VIEWS = {"reservations", "appointments", "integrations_google_calendar"}

# What finds a row among many, by the beginning of an index that may have more columns: D-3.
INDEXES = {
    "the claims of a resource that overlap": ("claims", "business_id resource_id seat during"),
    "the bookings of a schedule": ("bookings", "business_id schedule_id state"),
    "holds by their end": ("bookings", "expires_at"),
    "holds and appointments of a slot": ("bookings", "business_id service_id starts_at ends_at"),
    "content by its address": ("content_items", "business_id type slug"),
    "the queue of moderation": ("ugc_items", "business_id status created_at"),
}
NAMED_INDEXES = {"idx_reservations_expiry", "idx_reservations_slot", "idx_appointments_slot"}

# D-4: what exists once.
UNIQUE = {
    ("resources", "business_id slug"),
    ("services", "business_id slug"),
    ("programs", "business_id slug"),
    ("content_items", "business_id type slug"),
    ("interactive_definitions", "business_id slug"),
    ("curated_collections", "business_id slug"),
    ("topics", "business_id slug"),
    ("tags", "business_id slug"),
    ("idempotency_keys", "business_id key"),
    ("payments", "business_id provider provider_payment_id"),
    ("webhook_events", "business_id provider event_id"),
    ("deep_links", "business_id id"),
}

# Columns that name a row of another table without a foreign key, each with its reason.
WITHOUT_FOREIGN_KEY = {
    "attention_items.assignee_id": "a user or a key",
    "attention_items.subject_id": "whatever the kind says",
    "audit_log.actor_id": "a user or a key, and entries stay when they are gone",
    "audit_log.aggregate_id": "whatever the type says",
    "audit_log.reason_id": "an erased reason leaves its entry behind",
    "blocks.reason_id": "likewise",
    "calendar_authorizations.actor_id": "a user or a key",
    "event_log.aggregate_id": "with the version it names an event, which is never deleted and not written a second time",
    "idempotency_keys.booking_id": "written on the path of admission, beside its booking",
    "outbox_events.aggregate_id": "whatever the type says",
}


@pytest.fixture(scope="module")
def schema(postgres: EmbeddedPostgres, shared_database: str) -> Iterator[psycopg.Connection]:
    """A connection of the administrator to a migrated database."""
    with psycopg.connect(postgres.uri(database=shared_database), autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_table_of_the_platform_is_there(schema: psycopg.Connection, domain: str) -> None:
    """Each table of the domain exists, and has a primary key."""
    keyed = schema.execute(
        "select conrelid::regclass::text from pg_constraint where contype = 'p' and connamespace = 'public'::regnamespace"
    ).fetchall()
    assert set(DOMAINS[domain].split()) - {name for (name,) in keyed} == set()


def test_the_views_are_there(schema: psycopg.Connection) -> None:
    """The views by which others know bookings and calendars exist, and run with the rights of whoever asks (D-9)."""
    views = schema.execute(
        """select relname, coalesce('security_invoker=true' = any (reloptions), false) from pg_class
            where relkind = 'v' and relnamespace = 'public'::regnamespace and relname not like 'procrastinate%'"""
    ).fetchall()
    assert {name for name, _ in views} >= VIEWS
    assert [name for name, invoker in views if not invoker] == []


def test_what_names_another_row_is_a_foreign_key(schema: psycopg.Connection) -> None:
    """A column `..._id` of type uuid refers to the row that it names by a foreign key, but for the listed ones."""
    loose = schema.execute(
        """select c.relname || '.' || a.attname
             from pg_attribute a join pg_class c on c.oid = a.attrelid
            where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname not like 'procrastinate%'
              and a.attnum > 0 and not a.attisdropped and a.atttypid = 'uuid'::regtype
              and a.attname like '%\\_id' and a.attname <> 'business_id'
              and not exists (select from pg_constraint k
                               where k.conrelid = c.oid and k.contype = 'f' and a.attnum = any (k.conkey))
              -- A table may be named by its key.
              and not exists (select from pg_constraint k
                               where k.conrelid = c.oid and k.contype = 'p'
                                 and k.conkey[cardinality(k.conkey)] = a.attnum and cardinality(k.conkey) = 2)"""
    ).fetchall()
    assert {name for (name,) in loose} == set(WITHOUT_FOREIGN_KEY)


@pytest.mark.parametrize("what", INDEXES)
def test_what_is_looked_for_often_has_an_index(schema: psycopg.Connection, what: str) -> None:
    """The index that this look-up needs is there, valid, and begins with its columns (D-3)."""
    table, columns = INDEXES[what]
    assert any(found[: len(columns.split())] == columns.split() for found in _indexes(schema, table).values())


def test_the_indexes_of_bookings_have_their_names(schema: psycopg.Connection) -> None:
    """The indexes of bookings that others rely on by name are there (D-3)."""
    assert set(_indexes(schema, "bookings")) >= NAMED_INDEXES


@pytest.mark.parametrize(("table", "columns"), sorted(UNIQUE))
def test_what_exists_once_is_unique(schema: psycopg.Connection, table: str, columns: str) -> None:
    """A unique constraint or index of just these columns stands behind what must not be there twice (D-4)."""
    unique = _indexes(schema, table, "and i.indisunique").values()
    assert sorted(columns.split()) in [sorted(found) for found in unique]


def _indexes(schema: psycopg.Connection, table: str, such: str = "") -> dict[str, list[str]]:
    """Return the columns of each valid index of a table."""
    found = schema.execute(
        f"""select i.indexrelid::regclass::text,
                   array(select a.attname from unnest(i.indkey::int2[]) with ordinality k (n, place)
                           join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.n
                          where place <= i.indnkeyatts order by place)
              from pg_index i where i.indrelid = to_regclass(%s) and i.indisvalid {such}""".encode(),
        [table],
    ).fetchall()
    return dict(found)
