"""What the schema promises to the rest of the product, asked from the catalogue of a real database."""

import importlib
import itertools
import pkgutil
import re
from collections.abc import Iterator

import psycopg
import pytest

import holdfast
from holdfast.booking.states import LIVE, TRANSITIONS, BookingState
from holdfast.identity.permissions import STAFF_ROLES, Role
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.errors import known_errors

# Tables without a tenant, each with its reason.
SHARED_TABLES = {
    "businesses": "they are the tenants",
    "schema_migrations": "the database is migrated for all tenants at once",
    "heartbeats": "a job runs for all tenants",
    "zone_records": "time zones are the same for all tenants",
    "backfills": "the worker goes through the rows of all tenants",
    "calendar_export_feed": "the worker takes what happened to all tenants in its order",
    "message_feed": "the worker takes what happened to all tenants in its order",
    "event_feed": "the worker numbers what happened to all tenants in its order",
    "lead_feed": "the worker makes leads for all tenants in the order of what happened",
    "write_counts": "a client is counted whatever he writes to",
    "login_attempts": "an account is counted whether it exists or not, and a client wherever he tries",
    "roles": "they are the words of the product",
}
# Functions that act for all tenants at once, each with its reason.
ACROSS_TENANTS = {
    "businesses_with_spent_holds": "the worker asks whom to sweep for",
    "businesses_with_unpaid": "the worker asks whose bookings were not paid in time",
    "businesses_waited_for": "the worker asks where somebody waits for a place",
    "record_events": "what has happened at all tenants within a second is written together",
    "locate": "a call by id learns here, and only here, whose id it is",
    "business_by_slug": "a call names its business before it is bound to it",
    "only_business": "a call that names no business means the only one",
    "any_business": "a server without a business is set up by whoever runs it",
    "api_key_by_id": "a key says whose staff call",
    "businesses_with_programs": "the worker asks for whom to lay out schedules",
    "businesses_from": "the worker goes through the rows of everybody",
    "facts_lately": "a web process follows what happens at the businesses to which somebody listens",
    "facts_for_leads": "the worker makes leads of what happened at all tenants, in order",
    "calendars_due": "the worker takes up whichever calendar is to be looked at",
    "calendars_to_watch": "the worker renews the channels of everybody",
    "channel_by_id": "a message names a channel, and learns here whose it is",
    "calendar_figures": "monitors count the calendars of all tenants",
    "accounts_to_compare": "the worker compares the accounts of all tenants with their providers in turn",
    "money_due": "the worker takes up whichever payment or refund is to be looked at",
    "events_due": "the worker takes up what providers have told whichever business",
    "forget_event_bodies": "the worker forgets what providers have told, of everybody",
    "payment_figures": "monitors count the payments of all tenants",
    "bookings_to_export": "the worker looks for what the calendars of all tenants lack, in order",
    "exports_due": "the worker takes up what is due to whichever calendar",
    "calendars_to_reconcile": "the worker compares the calendars of all tenants with their bookings in turn",
    "calendar_feed_of": "an address that is a secret says whose feed it is",
    "queue_messages": "the worker writes down what is to be told of what happened to all tenants, in order",
    "queue_reminders": "the worker looks for what begins soon at all tenants",
    "messages_due": "the worker sends whatever is due",
    "messages_left": "the worker looks for what somebody has died over",
    "business_of_message": "a message that comes back names itself, and learns here whose it is",
    "forget_messages": "the worker forgets what was said to everybody",
    "message_figures": "monitors count the messages of all tenants",
    "log_events": "the worker numbers what happened to all tenants, in order",
    "webhook_deliveries_due": "the worker tells whichever endpoint there is something to tell",
    "forget_webhook_deliveries": "the worker forgets what came of them, of everybody",
    "forget_former_webhook_secrets": "the worker forgets the secrets of everybody that sign no more",
    "webhook_figures": "monitors count the deliveries of all tenants",
    "forget_keys": "the worker forgets keys of everybody",
    "hold_figures": "a monitor counts the holds of all tenants together",
}
# The tables of the job library keep their own form.
JOBS = "procrastinate%"


@pytest.fixture(scope="module")
def schema(postgres: EmbeddedPostgres, shared_database: str) -> Iterator[psycopg.Connection]:
    """A connection of the administrator to a migrated database."""
    with psycopg.connect(postgres.uri(database=shared_database), autocommit=True) as connection:
        yield connection


def test_every_table_belongs_to_a_tenant(schema: psycopg.Connection) -> None:
    """Each table has a `business_id` that is never null, but for the few that are there for all tenants."""
    loose = schema.execute(
        """select relname from pg_class c
            where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and relname not like %s
              and not exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'business_id'
                                 and a.attnotnull and a.atttypid = 'uuid'::regtype)""",
        [JOBS],
    ).fetchall()
    assert {name for (name,) in loose} == set(SHARED_TABLES)


def test_every_key_of_a_tenant_begins_with_the_business(schema: psycopg.Connection) -> None:
    """Primary, unique, exclusion and foreign keys and unique indexes of a tenant's table have `business_id` first.

    So no row can refer to another tenant's, and the schema can be spread over a cluster by tenant.
    """
    keys = schema.execute(
        """select c.conrelid::regclass || '.' || c.conname, a.attname, f.attname
             from pg_constraint c
             join pg_class t on t.oid = c.conrelid and t.relnamespace = 'public'::regnamespace
             join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
             left join pg_attribute f on f.attrelid = c.confrelid and f.attnum = c.confkey[1]
            where c.contype in ('p', 'u', 'x', 'f') and t.relname not like %s and t.relname <> all (%s)
              and c.confrelid <> 'roles'::regclass
           union all
           select i.indexrelid::regclass::text, a.attname, null
             from pg_index i
             join pg_class t on t.oid = i.indrelid and t.relnamespace = 'public'::regnamespace
             left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
            where i.indisunique and t.relname not like %s and t.relname <> all (%s)""",
        [JOBS, list(SHARED_TABLES), JOBS, list(SHARED_TABLES)],
    ).fetchall()
    assert len(keys) > 30
    # A key of `businesses` itself is the business.
    assert [key for key in keys if key[1] != "business_id" or key[2] not in {None, "business_id", "id"}] == []


def test_a_foreign_key_to_another_table_of_the_tenant_carries_the_business(schema: psycopg.Connection) -> None:
    """Only `businesses` and `roles` are referred to by a single column: any other reference names the business twice."""
    single = schema.execute(
        """select conrelid::regclass || '.' || conname from pg_constraint
            where contype = 'f' and connamespace = 'public'::regnamespace and cardinality(conkey) = 1
              and confrelid not in ('businesses'::regclass, 'roles'::regclass) and conrelid::regclass::text not like %s""",
        [JOBS],
    ).fetchall()
    assert single == []


def test_every_foreign_key_has_an_index(schema: psycopg.Connection) -> None:
    """The columns of each foreign key begin an index, so that changing what it refers to reads no whole table."""
    bare = schema.execute(
        """select conrelid::regclass || '.' || conname from pg_constraint c
            where contype = 'f' and connamespace = 'public'::regnamespace and conrelid::regclass::text not like %s
              and not exists (
                  select from pg_index i
                   where i.indrelid = c.conrelid
                     -- The first two columns find the few rows; a third one, as the capacity, only compares.
                     and (i.indkey::int2[])[0:least(cardinality(c.conkey), 2) - 1] = c.conkey[1:2])""",
        [JOBS],
    ).fetchall()
    assert bare == []


def test_admission_takes_the_business_first(schema: psycopg.Connection) -> None:
    """Each function that sees across tenants has `p_business_id uuid` as its first argument, but for the named few."""
    others = schema.execute(
        """select distinct proname from pg_proc
            where proowner = 'holdfast_admission'::regrole
              and (proargnames[1] is distinct from 'p_business_id' or proargtypes[0] <> 'uuid'::regtype)"""
    ).fetchall()
    assert {name for (name,) in others} == set(ACROSS_TENANTS)


def test_functions_with_rights_of_their_own_are_closed(schema: psycopg.Connection) -> None:
    """A function that runs with its owner's rights fixes its search path, and nobody but its callers may call it."""
    open_ones = schema.execute(
        """select oid::regprocedure::text, proconfig::text, proacl::text from pg_proc
            where pronamespace = 'public'::regnamespace and prosecdef and proname not like %s
              and (not exists (select from unnest(proconfig) setting
                                where setting = 'search_path=public, pg_temp')
                   or prorettype <> 'trigger'::regtype
                      and exists (select from aclexplode(coalesce(proacl, acldefault('f', proowner))) granted
                                   where granted.grantee = 0))""",
        [JOBS],
    ).fetchall()
    assert open_ones == []


def test_every_table_of_tenants_is_walled_off(schema: psycopg.Connection) -> None:
    """Row-level security is enabled and forced on each of them, with the one policy that names its tenant (D-9)."""
    own = "(business_id = current_business())"
    walls = schema.execute(
        """select relname, relrowsecurity, relforcerowsecurity, polname, polpermissive, polcmd::text, polroles::text,
                  pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)
             from pg_class c left join pg_policy p on p.polrelid = c.oid
            where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
              and relname not like %s and relname <> all (%s)""",
        [JOBS, list(SHARED_TABLES.keys() - {"businesses"})],
    ).fetchall()
    assert len(walls) > 20
    for table, *wall in walls:
        condition = "(id = current_business())" if table == "businesses" else own
        assert wall == [True, True, "tenant", True, "*", "{0}", condition, condition], table


def test_views_see_with_the_eyes_of_who_asks(schema: psycopg.Connection) -> None:
    """Each view of ours is `security_invoker`; none is materialized, which would keep the rows of all tenants (D-9)."""
    open_ones = schema.execute(
        """select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('v', 'm')
              and (relkind = 'm' or reloptions is null or not 'security_invoker=true' = any (reloptions))"""
    ).fetchall()
    assert open_ones == []


def test_the_application_owns_and_bypasses_nothing(schema: psycopg.Connection) -> None:
    """The role of the servers is no superuser, bypasses no policy, creates nothing and owns no object."""
    roles = schema.execute(
        """select rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolcanlogin,
                  (select count(*) from pg_shdepend where refobjid = r.oid and deptype = 'o')
             from pg_roles r where rolname in ('holdfast_app', 'holdfast_admission', 'holdfast_owner')
            order by rolname"""
    ).fetchall()
    rights = {name: flags for name, *flags in roles}
    assert rights["holdfast_app"] == [False, False, False, False, True, 0]
    assert rights["holdfast_admission"][:5] == [False, True, False, False, False]
    assert rights["holdfast_owner"][:5] == [False, True, False, False, False]


def test_history_is_append_only_for_the_application(schema: psycopg.Connection) -> None:
    """Neither the servers nor admission may change or remove an entry of the audit log or an event."""
    rights = schema.execute(
        """select grantee, table_name, privilege_type from information_schema.role_table_grants
            where table_name in ('audit_log', 'outbox_events')
              and grantee in ('holdfast_app', 'holdfast_admission', 'PUBLIC')"""
    ).fetchall()
    assert {privilege for *_, privilege in rights} == {"SELECT", "INSERT"}


def test_only_one_function_writes_the_audit_log(schema: psycopg.Connection) -> None:
    """The servers read log and heads and write neither; admission adds entries and moves heads, and deletes nothing (D-7)."""
    rights = schema.execute(
        """select grantee, table_name, string_agg(distinct privilege_type, ' ' order by privilege_type)
             from (select grantee, table_name, privilege_type from information_schema.role_table_grants
                   union all
                   select grantee, table_name, privilege_type from information_schema.role_column_grants) granted
            where table_name in ('audit_log', 'audit_heads')
              and grantee in ('holdfast_app', 'holdfast_admission', 'PUBLIC')
            group by grantee, table_name"""
    ).fetchall()
    assert {(grantee, table): rights_of_it for grantee, table, rights_of_it in rights} == {
        ("holdfast_app", "audit_log"): "SELECT",
        ("holdfast_app", "audit_heads"): "SELECT",
        ("holdfast_admission", "audit_log"): "INSERT SELECT",
        ("holdfast_admission", "audit_heads"): "INSERT SELECT UPDATE",
    }


def test_constraints_that_errors_name_exist(schema: psycopg.Connection) -> None:
    """An error that claims a constraint claims one that the schema has, or that one of its functions raises."""
    _import_everything()
    claimed = {error.constraint: code for code, error in known_errors().items() if error.constraint}
    assert claimed
    known = {name for (name,) in schema.execute("select conname from pg_constraint").fetchall()}
    for (source,) in schema.execute("select prosrc from pg_proc where pronamespace = 'public'::regnamespace"):
        known |= set(re.findall(r"constraint = '(\w+)'", source))
    assert {constraint: code for constraint, code in claimed.items() if constraint not in known} == {}


def test_transitions_are_the_same_in_python_and_in_the_database(schema: psycopg.Connection) -> None:
    """booking_may_become says of every pair of states what TRANSITIONS says."""
    pairs = list(itertools.product(BookingState, repeat=2))
    allowed = schema.execute(
        """select array_agg(booking_may_become(f, t) order by n)
             from unnest(%s::text[], %s::text[]) with ordinality pair (f, t, n)""",
        [[str(before) for before, _ in pairs], [str(after) for _, after in pairs]],
    ).fetchone()
    assert allowed is not None
    assert dict(zip(pairs, allowed[0], strict=True)) == {pair: pair[1] in TRANSITIONS[pair[0]] for pair in pairs}


def test_states_are_the_same_in_python_and_in_the_database(schema: psycopg.Connection) -> None:
    """The CHECK knows the states of the enum and no other; both call the same ones live."""
    check = schema.execute(
        "select pg_get_constraintdef(oid) from pg_constraint where conname = 'bookings_state_known'"
    ).fetchone()
    assert check is not None
    assert set(re.findall(r"'(\w+)'::text", check[0])) == {str(state) for state in BookingState}
    live = schema.execute(
        "select s from unnest(%s::text[]) s where booking_occupies(s)", [[str(state) for state in BookingState]]
    ).fetchall()
    assert {name for (name,) in live} == {str(state) for state in LIVE}


def test_roles_are_the_same_in_python_and_in_the_database(schema: psycopg.Connection) -> None:
    """The seeded roles are those of the matrix, and a key can have those of staff (D-2, D-7)."""
    assert {name for (name,) in schema.execute("select name from roles").fetchall()} == {str(role) for role in Role}
    check = schema.execute(
        "select pg_get_constraintdef(oid) from pg_constraint where conname = 'api_keys_role_known'"
    ).fetchone()
    assert check is not None
    assert set(re.findall(r"'(\w+)'::text", check[0])) == {str(role) for role in STAFF_ROLES}


def test_money_is_stored_in_whole_minor_units(schema: psycopg.Connection) -> None:
    """A column of money is a bigint whose name ends in `_minor`, and no column is a float (P-8)."""
    columns = schema.execute(
        """select table_name || '.' || column_name, data_type from information_schema.columns
            where table_schema = 'public' and table_name not like %s
              and (column_name ~ '(price|amount|fee|cost|minor)'
                   or data_type in ('real', 'double precision', 'numeric', 'money'))""",
        [JOBS],
    ).fetchall()
    assert columns
    assert [column for column in columns if column[1] != "bigint" or not column[0].endswith("_minor")] == []


def _import_everything() -> None:
    for module in pkgutil.walk_packages(holdfast.__path__, "holdfast."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
