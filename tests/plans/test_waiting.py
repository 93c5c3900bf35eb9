"""What is asked every few seconds of those who wait reads nobody who once did."""

import psycopg

from booking.waiting import open_line
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.sql import load
from plans.plans import Plans

OFFERS, WAITLIST = load("holdfast.booking", "offers.sql"), load("holdfast.booking", "waitlist.sql")
ASKED = {
    **{name: OFFERS[name] for name in ("businesses_waited_for", "services_waited_for")},
    **{name: OFFERS[name] for name in ("next_for_schedules", "next_for_slots")},
    **{name: WAITLIST[name] for name in ("settle_offers", "pass_over")},
}
ENDED = """
    insert into waitlist_requests (business_id, id, service_id, wanted, party_size, contact_email, contact_email_index, state)
    select business_id, gen_random_uuid(), service_id, wanted, party_size, contact_email, contact_email_index, 'withdrawn'
      from waitlist_requests, generate_series(1, 20000) where id = %s"""


async def test_who_once_waited_is_not_read(postgres: EmbeddedPostgres, own_database: str) -> None:
    """Beside twenty thousand requests that have ended, each question of the worker follows the index of the open ones (W-1)."""
    uri = postgres.uri(database=own_database)
    async with open_line(postgres.uri(user="holdfast_app", database=own_database)) as line:
        await line.wait()
        waits = await line.wait()
        assert await line.turn() == 1
        with psycopg.connect(uri, autocommit=True) as admin:
            admin.execute(ENDED, [waits])
            admin.execute("analyze waitlist_requests")
        asked = {
            "business_id": line.practice.business_id,
            "after": None,
            "id": None,
            "limit": 50,
            "least": 300,
            "refused": [],
            "services": [line.practice.services["talk"]],
            "parties": [1],
            "starts": ["{}"],
        }
        plans = Plans(uri, line.practice.business_id)
        try:
            for name, statement in ASKED.items():
                read = [step for step in plans.steps(statement, asked) if step.table == "waitlist_requests"]
                assert read, name
                assert [step for step in read if step.is_scan_of_all or step.rows_read > 10] == [], name
        finally:
            plans.close()
