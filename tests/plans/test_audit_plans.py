"""A page of the audit log reads what it shows, however long the log is (D-3, D-7)."""

from uuid import UUID, uuid4

import psycopg
import pytest

from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.sql import load
from plans.plans import Plans

AUDIT = load("holdfast.kernel", "audit.sql")
ENTRIES = 30_000
LIMIT = 51


def filled(uri: str) -> UUID:
    """Fill the logs of three businesses past the application, by turns as in life; return one of them."""
    businesses = [uuid4() for _ in range(3)]
    with psycopg.connect(uri) as admin:
        admin.execute("alter table audit_log drop constraint audit_log_chained")
        for business in businesses:
            admin.execute(
                "insert into businesses (id, slug, name, timezone, currency) values (%s, %s, 'Practice', 'UTC', 'EUR')",
                [business, f"b-{business.hex[:8]}"],
            )
        admin.execute(
            "insert into audit_log (business_id, aggregate_id, version, aggregate_type, action, actor, occurred_at)"
            " select id, gen_random_uuid(), 1, 'booking', 'commit', 'client', now() - n * interval '1 minute'"
            "   from generate_series(1, %s) n, unnest(%s) id order by n desc",
            [ENTRIES, businesses],
        )
        admin.execute("analyze audit_log")
    return businesses[1]


@pytest.mark.parametrize("asked", [{}, {"kind": "booking"}, {"actor": "client", "action": "commit"}], ids=str)
def test_a_page_of_the_log_follows_its_index(
    postgres: EmbeddedPostgres, own_database: str, asked: dict[str, str]
) -> None:
    """The newest entries of a business, filtered or not, are read along the index by time; one thing's by its key."""
    uri = postgres.uri(database=own_database)
    business = filled(uri)
    names = ("before", "before_id", "since", "kind", "action", "actor", "actor_id")
    values = {"business_id": business, "limit": LIMIT, "aggregate_id": uuid4(), **dict.fromkeys(names), **asked}
    plans = Plans(uri, business)
    try:
        [page] = plans.steps(AUDIT["find_entries"], values)
        [history] = plans.steps(AUDIT["entries_of"], values)
    finally:
        plans.close()
    assert (page.index, page.rows_read) == ("audit_log_by_time", LIMIT)
    assert (history.index, history.rows_read) == ("audit_log_pkey", 0)
