"""What tests of calendars share: a Google that keeps Google's contract, practices with connected calendars."""

from collections.abc import AsyncIterator, Iterator

import httpx
import psycopg
import pytest
import pytest_asyncio

from booking.tenants import application, open_tenant
from calendars.exporting import Exporting, open_exporting
from calendars.google.fake import FakeGoogle
from calendars.google.server import fake_google
from calendars.scripted import Connected, connected
from conftest import MASTER_KEY
from holdfast.kernel.database import Database
from holdfast.kernel.embedded import SUPERUSER, EmbeddedPostgres


@pytest.fixture
def google() -> Iterator[FakeGoogle]:
    """A Google with one account and no calendars, over HTTP; its end fails when the contract was broken."""
    with fake_google() as made:
        yield made


@pytest.fixture(scope="module", autouse=True)
def nobody_stays_connected(postgres: EmbeddedPostgres, shared_database: str) -> Iterator[None]:
    """Take what was connected out of the database that tests share: nobody exports there what was left undone."""
    yield
    with psycopg.connect(postgres.uri(database=shared_database)) as connection:
        connection.execute("delete from calendar_connections")


@pytest_asyncio.fixture(scope="session")
async def http(postgres: EmbeddedPostgres, shared_database: str) -> AsyncIterator[httpx.AsyncClient]:
    """The application on the database that tests share."""
    app_uri, admin_uri = (postgres.uri(user=user, database=shared_database) for user in ("holdfast_app", SUPERUSER))
    async with application(app_uri, admin_uri, MASTER_KEY) as client:
        yield client


@pytest_asyncio.fixture
async def practice(http: httpx.AsyncClient, database: Database, admin_uri: str) -> Exporting:
    """A business of its own whose appointments are exported."""
    tenant = await open_tenant(http, database, admin_uri)
    # What earlier tests have left is not exported any more.
    tenant.sql("update calendar_connections set state = 'stopped'")
    return await open_exporting(tenant)


@pytest_asyncio.fixture
async def office(app_uri: str, admin_uri: str) -> AsyncIterator[Connected]:
    """A practice with one resource and one connection, to a scripted provider."""
    async with connected(app_uri, admin_uri) as made:
        yield made
