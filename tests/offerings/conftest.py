"""A business of its own for each test of what staff set up."""

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
async def studio(database: Database, admin_uri: str, sound: None) -> AsyncIterator[Studio]:
    """A business that nobody else uses; its rows are sound in the end."""
    slug = f"b-{uuid4().hex[:8]}"
    business = await database.run(
        None, lambda tx: put(tx, slug=slug, name="Studio", timezone="Europe/Berlin", currency="EUR")
    )
    made = Studio(database, business.id, admin_uri)
    yield made
    await made.run(release_all)


@pytest_asyncio.fixture
async def practice(app_uri: str) -> AsyncIterator[Practice]:
    """A business with a desk at which it is booked."""
    async with open_practice(app_uri) as opened:
        yield opened


@pytest_asyncio.fixture
async def house(app_uri: str, admin_uri: str, database: Database, sound: None) -> AsyncIterator[House]:
    """A business behind a server in this process; its rows are sound in the end."""
    async with open_entrance(app_uri, database) as entered:
        made = House(entered, Studio(database, entered.business_id, admin_uri))
        yield made
