"""An office for each test."""

from collections.abc import AsyncIterator

import pytest_asyncio

from holdfast.kernel.database import Database
from schedule.office import Office, open_office


@pytest_asyncio.fixture
async def office(app_uri: str, admin_uri: str, database: Database, sound: None) -> AsyncIterator[Office]:
    """A business with a calendar; its rows are sound in the end."""
    async with open_office(app_uri, admin_uri, database) as opened:
        yield opened
