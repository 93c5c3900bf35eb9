"""Dashboards read what has happened in the days that they show, however much happened before (D-3)."""

from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID

import psycopg
import pytest

from conftest import created
from holdfast.analytics.dashboards import DASHBOARDS
from holdfast.kernel.embedded import EmbeddedPostgres
from plans.plans import Plans

# Some fifty a day, for two years.
_EACH = 40_000
_FILL = f"""
set session_replication_role = replica;
insert into businesses (slug, name, timezone, currency)
select 'b-' || n, 'Test', 'UTC', 'EUR' from generate_series(1, 5) n;
insert into services (business_id, slug, name, duration_minutes)
select id, 'talk', 'Talk', 60 from businesses;
insert into interactive_definitions (business_id, id, kind, slug, locale)
select id, gen_random_uuid(), 'quiz', 'quiz-' || n, 'en' from businesses, generate_series(1, 3) n;
create temporary table moments as
select b.id as business_id, timestamptz '2024-01-01Z' + n * interval '2 years' / {_EACH} as at, n
  from businesses b, generate_series(1, {_EACH}) n;
insert into analytics_events
select business_id, uuidv7(), (array['booking_slots_viewed', 'booking_confirmed'])[1 + n % 2],
       '{{"service_slug": "talk"}}', 1, at from moments;
insert into bookings (business_id, id, service_id, starts_at, ends_at, party_size, state, held_at, confirmed_at,
                      price_minor, currency)
select m.business_id, uuidv7(), s.id, at, at + interval '1 hour', 1,
       (array['completed', 'no_show', 'cancelled', 'expired'])[1 + n % 4], at, at, 0, 'EUR'
  from moments m join services s on s.business_id = m.business_id;
insert into interactive_runs (business_id, definition_id, version_number, started_at, completed)
select m.business_id, (select id from interactive_definitions d where d.business_id = m.business_id
                        order by slug offset m.n % 3 limit 1), 1, at, false from moments m;
insert into ugc_items (business_id, id, locale, status, text, assigned_to, created_at, due_at)
select business_id, uuidv7(), 'ru', (array['new', 'in_review'])[1 + n % 2],
       decode('68666531' || repeat('00', 32), 'hex'), gen_random_uuid(), at, at from moments;
analyze
"""


@pytest.fixture(scope="module")
def filled(postgres: EmbeddedPostgres) -> Iterator[tuple[str, UUID]]:
    """A database in which much has happened, and one of its businesses."""
    with created(postgres, "figures") as name:
        uri = postgres.uri(database=name)
        with psycopg.connect(uri, autocommit=True) as admin:
            for statement in _FILL.split(";\n"):
                admin.execute(statement.encode())
            [business_id] = admin.execute("select id from businesses where slug = 'b-3'").fetchone() or ()
        yield uri, business_id


@pytest.mark.parametrize("name", sorted(DASHBOARDS))
def test_a_week_is_read_as_a_week(filled: tuple[str, UUID], name: str) -> None:
    """What a dashboard reads of a table in which things happen is of its days and one beside them, not of years (D-3)."""
    uri, business_id = filled
    asked: dict[str, Any] = {
        "business_id": business_id,
        "from": date(2025, 6, 2),
        "to": date(2025, 6, 9),
    }
    plans = Plans(uri, business_id)
    try:
        steps = plans.steps(DASHBOARDS[name].statement, asked)
    finally:
        plans.close()
    happened = [
        step for step in steps if step.table in {"analytics_events", "bookings", "interactive_runs", "ugc_items"}
    ]
    assert happened
    assert [step for step in happened if step.is_scan_of_all] == []
    # Nine days of fifty each, and some that lie beside them.
    assert 0 < sum(step.rows_read for step in happened) < 1_000
