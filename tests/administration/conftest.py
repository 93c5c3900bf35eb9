"""The demo business and the application in this process, as those who administer them see them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import httpx
import pytest
import pytest_asyncio

from booking.served import Clients, clients_of
from booking.staffed import app_on

if TYPE_CHECKING:
    from conftest import Server


@pytest.fixture(scope="session")
def clients(server: "Server") -> Iterator[Clients]:
    """Calls to the served demo business, every answer checked against the OpenAPI document."""
    opened = clients_of(server.url, server.dsn)
    yield opened
    opened.http.close()


@pytest_asyncio.fixture
async def http(app_uri: str, admin_uri: str) -> AsyncIterator[httpx.AsyncClient]:
    """The application in this process, on the shared database."""
    opened: asyncio.Future[httpx.AsyncClient] = asyncio.get_running_loop().create_future()
    ended = asyncio.Event()

    async def serve() -> None:
        # Opened and closed by one task, as its framework wants it; a fixture is two.
        async with app_on(app_uri, admin_uri) as client:
            opened.set_result(client)
            await ended.wait()

    serving = asyncio.create_task(serve())
    await asyncio.wait([opened, serving], return_when=asyncio.FIRST_COMPLETED)
    yield opened.result()
    ended.set()
    await serving
