"""A practice whose users sign in."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from holdfast.kernel.database import Database
from identity.entrance import Practice, open_entrance


@pytest_asyncio.fixture
async def practice(app_uri: str, database: Database) -> AsyncIterator[Practice]:
    """A business that nobody else uses, behind a server in this process."""
    opened: asyncio.Future[Practice] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def serve() -> None:
        async with open_entrance(app_uri, database) as practice:
            opened.set_result(practice)
            await over.wait()

    # A server is closed by the task that has opened it; a fixture may run in two.
    serving = asyncio.create_task(serve())
    await asyncio.wait([serving, opened], return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        await serving
    yield opened.result()
    over.set()
    await serving
