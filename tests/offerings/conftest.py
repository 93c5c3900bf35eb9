"""A business of its own for each test of what staff set up."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest_asyncio

from booking.opened import Practice, open_practice
from booking.studio import Studio
from catalog.holds import release_all
from holdfast.identity.businesses import put
from holdfast.kernel.database import Database
from identity.entrance import open_entrance
from offerings.pages import House


@pytest_asyncio.fixture
async def studio(database: Database, admin_uri: str) -> AsyncIterator[Studio]:
    """A business that nobody else uses; its rows are sound when the test has ended."""
    slug = f"b-{uuid4().hex[:8]}"
    business = await database.run(
        None, lambda tx: put(tx, slug=slug, name="Studio", timezone="Europe/Berlin", currency="EUR")
    )
    made = Studio(database, business.id, admin_uri)
    yield made
    assert made.violations() == []
    await made.run(release_all)


@pytest_asyncio.fixture
async def practice(app_uri: str) -> AsyncIterator[Practice]:
    """A business with a desk at which it is booked."""
    async with open_practice(app_uri) as opened:
        yield opened


@pytest_asyncio.fixture
async def house(app_uri: str, admin_uri: str, database: Database) -> AsyncIterator[House]:
    """A business behind a server in this process; its rows are sound when the test has ended."""
    opened: asyncio.Future[House] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def serve() -> None:
        async with open_entrance(app_uri, database) as entered:
            opened.set_result(House(entered, Studio(database, entered.business_id, admin_uri)))
            await over.wait()

    # A server is closed by the task that has opened it; a fixture may run in two.
    serving = asyncio.create_task(serve())
    await asyncio.wait([serving, opened], return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        await serving
    made = opened.result()
    yield made
    over.set()
    await serving
    assert made.studio.violations() == []
