"""A practice whose users sign in."""

from collections.abc import AsyncIterator

import pytest_asyncio

from holdfast.kernel.database import Database
from identity.entrance import Practice, open_entrance


@pytest_asyncio.fixture
async def practice(app_uri: str, database: Database) -> AsyncIterator[Practice]:
    """A business that nobody else uses, behind a server in this process."""
    async with open_entrance(app_uri, database) as opened:
        yield opened


@pytest_asyncio.fixture
async def other_practice(app_uri: str, database: Database) -> AsyncIterator[Practice]:
    """Another business beside it, behind a server of its own."""
    async with open_entrance(app_uri, database) as opened:
        yield opened
