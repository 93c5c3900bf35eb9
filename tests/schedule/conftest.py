"""An office for each test."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from holdfast.kernel.database import Database
from schedule.office import Office, open_office


@pytest_asyncio.fixture
async def office(app_uri: str, admin_uri: str, database: Database) -> AsyncIterator[Office]:
    """A business with a calendar."""
    opened: asyncio.Future[Office] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def serve() -> None:
        async with open_office(app_uri, admin_uri, database) as office:
            opened.set_result(office)
            await over.wait()

    # A server is closed by the task that has opened it; a fixture may run in two.
    serving = asyncio.create_task(serve())
    await asyncio.wait([serving, opened], return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        await serving
    yield opened.result()
    over.set()
    await serving
