"""`holdfast payments replay`: what providers have told is acted upon once more, at the word of whoever runs the server."""

import json
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio

from booking.opened import Practice, open_practice
from conftest import MASTER_KEY
from holdfast.kernel.database import Database
from journeys.instance import holdfast
from payments.telling import add_account, events, opened, payment_event, yookassa_id

pytestmark = pytest.mark.usefixtures("nothing_waits")


@pytest_asyncio.fixture
async def told(app_uri: str, admin_uri: str) -> AsyncIterator[Practice]:
    """A business that was told of two payments, of which one was looked at."""
    async with open_practice(app_uri) as practice, opened(app_uri, admin_uri) as edge:
        await add_account(practice.desk.database, practice.business_id, "yookassa")
        for _ in range(2):
            assert (await edge.yookassa(practice.business_id, payment_event(yookassa_id()))).status_code == 200
        async with practice.desk.database.transaction(practice.business_id) as tx:
            await tx.run(
                "update webhook_events set processed_at = now(), outcome = 'looked_at'"
                " where id = (select min(id::text)::uuid from webhook_events)"
            )
        yield practice


async def test_events_are_replayed_from_a_console(told: Practice, admin_uri: str, database: Database) -> None:
    """Exit code 0 with how many; --dry-run changes nothing; an event that is not there, a business that is not there and a
    time that is none are told in a sentence, with 2 (P-2).
    """

    def replay(*words: object) -> tuple[int, list[str]]:
        named = ["--dsn", admin_uri, "--business", str(told.business_id), "--json", *map(str, words)]
        done = holdfast("payments", "replay", *named, HOLDFAST_MASTER_KEY=MASTER_KEY.hex())
        return done.returncode, [each["id"] for each in json.loads(done.stdout or '{"events": []}')["events"]]

    async def open_ones() -> list[str]:
        return [str(row["id"]) for row in await events(database, told.business_id) if row["processed_at"] is None]

    ids = {str(row["id"]) for row in await events(database, told.business_id)}
    [waiting] = await open_ones()
    [looked_at] = ids - {waiting}
    assert replay() == (0, [waiting])
    assert replay("--id", looked_at, "--dry-run") == (0, [looked_at])
    code, found = replay("--since", "2020-01-01", "--dry-run", "--provider", "yookassa")
    assert (code, set(found)) == (0, ids)
    assert await open_ones() == [waiting]
    assert replay("--since", "2020-01-01", "--provider", "stripe") == (0, [])
    assert replay("--id", looked_at) == (0, [looked_at])
    assert set(await open_ones()) == ids
    assert [replay("--id", uuid4())[0], replay("--id", "no id")[0], replay("--since", "yesterday")[0]] == [2, 2, 2]
    assert replay("--business", uuid4())[0] == 2
