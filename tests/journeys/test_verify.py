"""`holdfast verify` finds nothing in what the product itself made, and names every damage with its rows."""

import re
from collections.abc import Callable
from uuid import UUID, uuid4

import psycopg
import pytest

from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.verify import OF_THE_INDEX, WITHOUT_KEY, VerifyError, Violation, checks, money, verify
from journeys.damages import ANA, CLAIMS, CONTACTS, NOWHERE, PLACES, Finding, booking, claims, of, row
from journeys.damages_of_calendars import CALENDAR_DAMAGES, CALENDARS_SOUND
from journeys.damages_of_chains import CHAINS
from journeys.damages_of_crm import CRM, CRM_REFERENCES
from journeys.damages_of_history import HISTORY
from journeys.damages_of_messages import MESSAGE_REFERENCES, MESSAGES
from journeys.damages_of_moderation import MODERATION, MODERATION_REFERENCES
from journeys.damages_of_payments import MONEY, MONEY_PLACED, MONEY_SOUND
from journeys.damages_of_series import SERIES
from journeys.damages_of_waiting import WAITING, WAITING_SOUND
from journeys.damages_of_walls import REBUILD, WALLS
from journeys.damages_of_webhooks import WEBHOOK_REFERENCES, WEBHOOKS
from journeys.practice import NEIGHBOUR, PRACTICE, Tenant, clone, open_practice, the
from journeys.references import REFERENCES, WITHOUT_FOREIGN_KEY
from journeys.references_of_calendars import CALENDAR_REFERENCES
from journeys.references_of_content import CONTENT_REFERENCES

DAMAGES = PLACES | CONTACTS | CLAIMS | HISTORY | SERIES | MONEY | MODERATION | CRM | CALENDAR_DAMAGES | WALLS
REFERENCES_OF_ALL = REFERENCES | CALENDAR_REFERENCES | CONTENT_REFERENCES | MODERATION_REFERENCES | CRM_REFERENCES
REFERENCES_OF_ALL |= MESSAGE_REFERENCES | WEBHOOK_REFERENCES
DAMAGES |= REFERENCES_OF_ALL | WITHOUT_FOREIGN_KEY | WAITING | MESSAGES | WEBHOOKS

# What looks like damage and is none.
SOUND = (
    CALENDARS_SOUND
    | WAITING_SOUND
    | MONEY_SOUND
    | {
        "a hold ran out and its place went to another": (
            booking("hold", "expires_at = now() - interval '4 minutes'") + claims("booked", f"resource_id = '{ANA}'")
        ),
        "what has ended lost its claims": f"delete from claims where {of('past')} or {of('past-open')};",
        "what has ended lost some of its claims": booking("past-open", "party_size = 3"),
        "a party takes one place of a practitioner": booking("booked", "party_size = 3"),
        "a resource got more places after a party had taken its one": (
            booking("booked", "party_size = 3")
            + row("resources", "ben", "capacity = 5")
            + "update claims set capacity = 5 where coalesce(booking_id, schedule_id, block_id)"
            f" in ('{the('booked')}', '{the('paid')}');"
        ),
        "a service has changed since it was booked": (
            row("services", "duo", "buffer_before_minutes = 60, buffer_after_minutes = 60, duration_minutes = 90")
            + row("services", "open", "pool_id = null, max_simultaneous_bookings = null")
            + f"delete from service_resources where service_id in ('{the('duo')}', '{the('open')}');"
        ),
        "the hold of an appointment would have run out": booking("booked", "expires_at = '2020-05-02'"),
        "a hold was prolonged": booking("hold", "version = 7, expires_at = expires_at + interval '1 hour'"),
        "keys were forgotten": "delete from idempotency_keys;",
        "other things have a history and events": (
            f"insert into audit_log values ('{the('business')}', '{NOWHERE}', 1, 'block', 'made', null, null, 'staff'),"
            f" ('{the('business')}', '{NOWHERE}', 3, 'block', 'made', null, null, 'staff'),"
            f" ('{the('business')}', '{the('booked')}', 9, 'note', 'made', null, null, 'staff');"
            f"insert into outbox_events values ('{the('business')}', '{the('group')}', 1, default, 'ProgramChanged');"
        ),
    }
)


def findings(uri: str) -> set[Finding]:
    """Return what verify finds, without its words; what chains tell of the same damage is in `test_audit_chain.py`."""
    found = {(violation.check, violation.ids) for violation in verify(uri, lambda _: None)}
    return {finding for finding in found if not finding[0].startswith("kernel.chain_")}


@pytest.fixture(scope="module")
def healthy(postgres: EmbeddedPostgres) -> str:
    """The name of a database with two businesses that have bookings in every state."""
    name = clone(postgres, f"healthy_{uuid4().hex[:12]}", "holdfast_template")
    with psycopg.connect(postgres.uri(database=name), autocommit=True) as connection:
        open_practice(connection, PRACTICE)
        open_practice(connection, NEIGHBOUR)
    return name


@pytest.fixture(scope="module")
def stripped(postgres: EmbeddedPostgres, healthy: str) -> str:
    """The name of a copy that has lost constraints, indexes, triggers and functions, and accepts anything."""
    name = clone(postgres, f"stripped_{uuid4().hex[:12]}", healthy)
    with psycopg.connect(postgres.uri(database=name), autocommit=True) as connection:
        connection.execute(STRIP)
    return name


@pytest.fixture
def damage(postgres: EmbeddedPostgres, stripped: str) -> Callable[[str], str]:
    """A function that makes the stripped database sound again, runs SQL on it and returns its URI."""
    uri = postgres.uri(database=stripped)

    def run(statements: str) -> str:
        with psycopg.connect(uri) as connection:
            connection.execute(RESTORE)
            connection.execute(REBUILD)
            connection.execute(statements.encode())
        return uri

    return run


STRIP = """
do $$
declare
    it record;
begin
    for it in select c.conrelid::regclass as owner, c.conname as name from pg_constraint c
                join pg_class t on t.oid = c.conrelid
               where t.relnamespace = 'public'::regnamespace and t.relname not like 'procrastinate%'
                 and c.contype in ('p', 'u', 'f', 'c', 'x')
               order by c.contype in ('p', 'u')
    loop
        execute format('alter table %s drop constraint %I', it.owner, it.name);
    end loop;
    for it in select indexrelid::regclass as name from pg_index join pg_class t on t.oid = indrelid
               where t.relnamespace = 'public'::regnamespace and t.relkind = 'r'
                 and t.relname not like 'procrastinate%'
    loop
        execute format('drop index %s', it.name);
    end loop;
    for it in select tgrelid::regclass as owner, tgname as name from pg_trigger
               where not tgisinternal and tgrelid::regclass::text not like 'procrastinate%'
    loop
        execute format('drop trigger %I on %s', it.name, it.owner);
    end loop;
    for it in select p.oid::regprocedure as name from pg_proc p
               where p.proowner in ('holdfast_owner'::regrole, 'holdfast_admission'::regrole)
                 and p.proname not like 'procrastinate%'
                 -- Types and policies stand on some.
                 and not exists (select from pg_depend d
                                  where d.refclassid = 'pg_proc'::regclass and d.refobjid = p.oid)
    loop
        execute format('drop function if exists %s cascade', it.name);
    end loop;
    alter table claims alter id drop identity;
    create schema sound;
    for it in select relname as name from pg_class
               where relnamespace = 'public'::regnamespace and relkind = 'r' and relname not like 'procrastinate%'
    loop
        execute format('create table sound.%1$I as table %1$I', it.name);
    end loop;
end $$
"""
# Quicker than a copy of the database for each damage.
RESTORE = """
do $$
declare
    it record;
begin
    for it in select relname as name from pg_class where relnamespace = 'sound'::regnamespace and relkind = 'r'
    loop
        execute format('delete from %I', it.name);
        execute format('insert into %1$I select * from sound.%1$I', it.name);
    end loop;
end $$
"""


def test_empty_database_is_sound(postgres: EmbeddedPostgres, own_database: str) -> None:
    """A database that was only migrated has no violation (B-25)."""
    assert verify(postgres.uri(database=own_database), lambda _: None) == []


def test_what_the_product_made_is_sound(postgres: EmbeddedPostgres, healthy: str) -> None:
    """Bookings in every state, made through admission, have no violation (B-25, invariants 1 to 4, 6, 7, 9)."""
    assert verify(postgres.uri(database=healthy), lambda _: None) == []


def test_lost_constraints_are_no_damage(postgres: EmbeddedPostgres, stripped: str) -> None:
    """A database without constraints, indexes, triggers and functions is judged by its rows alone (B-25)."""
    assert verify(postgres.uri(database=stripped), lambda _: None) == []


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named(name: str, damage: Callable[[str], str]) -> None:
    """Each kind of damage is found by the check that is for it, with the ids of its rows (B-25)."""
    statements, expected = DAMAGES[name]
    assert findings(damage(statements)) == expected


def test_a_violation_is_a_sentence(damage: Callable[[str], str]) -> None:
    """A violation tells its business, the rows and the figures (B-25)."""
    statements, _ = PLACES["a counter is too low"]
    assert verify(damage(statements), lambda _: None) == [
        Violation(
            "booking.schedule_counters_equal_their_bookings",
            UUID(the("business")),
            (the("monday"),),
            f"schedule {the('monday')} counts 8 places taken, but its bookings take 9",
        )
    ]


@pytest.mark.parametrize("name", SOUND)
def test_what_is_allowed_is_not_reported(name: str, damage: Callable[[str], str]) -> None:
    """What later changes of the catalog, of capacities and of holds leave behind is no violation (B-25)."""
    assert verify(damage(SOUND[name]), lambda _: None) == []


@pytest.mark.parametrize("name", MONEY_PLACED)
def test_money_is_told_by_where_it_is(name: str, damage: Callable[[str], str]) -> None:
    """What was captured is told as given back, on its way back, earned, kept as a fee or in the inbox; what is only set
    aside apart from it (P-9, B-25).
    """
    statements, expected = MONEY_PLACED[name]
    [found] = [one for one in money(damage(statements)) if one.business_id == UUID(the("business"))]
    told = {field: getattr(found, f"{field}_minor") for field in expected}
    assert told == expected
    parts = found.refunded_minor + found.returning_minor + found.earned_minor + found.fee_minor + found.inbox_minor
    assert found.captured_minor == parts


def test_changes_of_capacity_leave_a_sound_database(postgres: EmbeddedPostgres, healthy: str) -> None:
    """Raising and lowering capacities through the product breaks nothing (B-2, B-25, invariants 1 and 2)."""
    name = clone(postgres, f"capacities_{uuid4().hex[:12]}", healthy)
    with psycopg.connect(postgres.uri(database=name)) as connection:
        tenant = Tenant(connection, PRACTICE)
        for resource, capacity in [("ana", 3), ("studio", 2), ("hall", 4), ("hall", 1), ("limit", 5), ("room", 7)]:
            change = "select change_capacity(%(business)s, %(id)s, %(capacity)s)"
            assert tenant.run(change, id=tenant.id(resource), capacity=capacity) is None
    assert verify(postgres.uri(database=name), lambda _: None) == []


def test_transitions_are_those_of_the_database(
    postgres: EmbeddedPostgres, healthy: str, damage: Callable[[str], str]
) -> None:
    """A history may change states exactly as the database lets a booking change them (B-25, invariant 3)."""
    with psycopg.connect(postgres.uri(database=healthy)) as connection:
        refused = connection.execute(EVERY_PAIR + REFUSED_PAIRS).fetchall()
    uri = damage(EVERY_PAIR + HISTORY_OF_EACH_PAIR)
    found = {
        violation.ids[0]
        for violation in verify(uri, lambda _: None)
        if violation.check == "booking.history_follows_the_transitions" and violation.ids[1] == "2"
    }
    assert found == {str(pair) for (pair,) in refused}
    assert len(found) == 9 * 8 - 15


EVERY_PAIR = """
with states (state) as (values ('held'), ('pending_payment'), ('confirmed'), ('completed'), ('no_show'),
                               ('cancelled'), ('refunded'), ('expired'), ('released')),
pairs as (select a.state as before, b.state as after, md5(a.state || ' ' || b.state)::uuid as id,
                 businesses.id as business
            from states a, states b, businesses where slug = 'practice')
"""
REFUSED_PAIRS = "select id from pairs where before <> after and not booking_may_become(before, after)"
HISTORY_OF_EACH_PAIR = """
, made as (
    insert into bookings (business_id, id, starts_at, ends_at, party_size, state, version, held_at, price_minor,
                          currency)
    select business, id, '2020-05-02'::date, '2020-05-03'::date, 1, after, 2, now(), 0, 'RUB' from pairs
)
insert into audit_log (business_id, aggregate_id, version, aggregate_type, action, from_state, to_state, actor)
select business, id, 1, 'booking', 'commit', null, before, 'client' from pairs
union all
select business, id, 2, 'booking', 'change', before, after, 'client' from pairs
"""


def test_one_snapshot_is_judged(postgres: EmbeddedPostgres, healthy: str) -> None:
    """What is committed while verify runs is judged as a whole by the next run, not in part by this one (B-25, K-1)."""
    uri = postgres.uri(database=clone(postgres, f"busy_{uuid4().hex[:12]}", healthy))
    told: list[str] = []

    def commit_meanwhile(progress: str) -> None:
        told.append(progress)
        if len(told) == 1:
            with psycopg.connect(uri, options="-c session_replication_role=replica") as connection:
                connection.execute(f"delete from bookings where id = '{the('moved')}'".encode())

    assert verify(uri, commit_meanwhile) == []
    assert told == [f"verifying {number}/{len(checks())}: {name}" for number, name in enumerate(checks(), 1)] + [
        OF_THE_INDEX,
        WITHOUT_KEY,
    ]
    assert ("booking.histories_have_a_booking", (the("moved"),)) in findings(uri)


def test_a_claim_that_its_index_lacks_is_found(postgres: EmbeddedPostgres, healthy: str) -> None:
    """An index that lacks a claim, whatever has damaged it, would let its place be sold again: that is found before it
    happens, and building it anew mends it (B-25, invariant 1).
    """
    uri = postgres.uri(database=clone(postgres, f"unindexed_{uuid4().hex[:12]}", healthy))
    maintained = "update pg_index set indisready = {} where indexrelid = 'claims_no_overlap'::regclass"
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(maintained.format("false").encode())
        # The same row in another place of the table, of which the index is not told.
        connection.execute(
            f"with gone as (delete from claims where booking_id = '{the('booked')}' returning *)"
            " insert into claims overriding system value select * from gone".encode()
        )
        connection.execute(maintained.format("true").encode())
        [found] = verify(uri, lambda _: None)
        assert (found.check, found.business_id) == ("booking.claims_are_in_their_index", UUID(the("business")))
        assert found.problem.startswith("the index claims_no_overlap finds ")
        connection.execute("reindex index claims_no_overlap")
    assert verify(uri, lambda _: None) == []


def test_who_does_not_see_all_rows_is_refused(postgres: EmbeddedPostgres, healthy: str) -> None:
    """A role under row-level security is refused, since it would find an emptied database sound (B-25, D-9)."""
    with psycopg.connect(postgres.uri(database="postgres"), autocommit=True) as admin:
        admin.execute("create role verify_owner login in role holdfast_owner")
        admin.execute("create role verify_auditor login bypassrls in role pg_read_all_data")
    try:
        for role in ("holdfast_app", "verify_owner"):
            with pytest.raises(VerifyError, match=f"{role} is subject to row-level security"):
                verify(postgres.uri(user=role, database=healthy), lambda _: None)
        assert verify(postgres.uri(user="verify_auditor", database=healthy), lambda _: None) == []
    finally:
        with psycopg.connect(postgres.uri(database="postgres"), autocommit=True) as admin:
            admin.execute("drop role verify_owner, verify_auditor")


def test_database_of_another_release_is_refused(postgres: EmbeddedPostgres) -> None:
    """A database without the tables of this release is not called sound: verify says to migrate it (B-25)."""
    with pytest.raises(VerifyError, match=r"run `holdfast migrate` first: relation .* does not exist"):
        verify(postgres.uri(database="postgres"), lambda _: None)


def test_every_check_is_proved_to_find(postgres: EmbeddedPostgres, healthy: str) -> None:
    """Each check says which invariant or requirement it is for, answers in one shape, and finds one of the damages (B-25)."""
    proved = {check for _, expected in DAMAGES.values() for check, _ in expected}
    proved |= {check for _, _, expected in CHAINS.values() for check, _ in expected}
    assert proved == set(checks())
    with psycopg.connect(postgres.uri(database=healthy)) as connection:
        for name, statement in checks().items():
            assert re.match(r"-- (Invariant [1-9]|[A-Z]-[0-9]+): ", statement), name
            shape = connection.execute(statement).description or []
            assert [(column.name, column.type_display) for column in shape] == [
                ("business_id", "uuid"),
                ("ids", "text[]"),
                ("problem", "text"),
            ], name


def test_every_reference_is_checked(postgres: EmbeddedPostgres, healthy: str) -> None:
    """Each foreign key of our tables has a damage of its own among those that are found (B-25, invariant 9)."""
    with psycopg.connect(postgres.uri(database=healthy)) as connection:
        found = connection.execute(
            "select conname from pg_constraint where contype = 'f' and connamespace = 'public'::regnamespace"
            " and conrelid::regclass::text not like 'procrastinate%'"
        ).fetchall()
    assert {name for (name,) in found} == set(REFERENCES_OF_ALL)
