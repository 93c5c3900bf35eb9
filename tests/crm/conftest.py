"""Businesses with whom people get in touch."""

from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from booking.tenants import Tenant, application, open_tenant
from holdfast.kernel.database import Database
from holdfast.kernel.embedded import SUPERUSER, EmbeddedPostgres

# That of the fixture `database`, so that both share the keys of tenants.
MASTER_KEY = bytes.fromhex("11" * 32)


@pytest_asyncio.fixture(scope="session")
async def http(postgres: EmbeddedPostgres, shared_database: str) -> AsyncIterator[httpx.AsyncClient]:
    """The application on the database that tests share."""
    app_uri, admin_uri = (postgres.uri(user=user, database=shared_database) for user in ("holdfast_app", SUPERUSER))
    async with application(app_uri, admin_uri, MASTER_KEY) as client:
        yield client


@pytest_asyncio.fixture
async def tenant(http: httpx.AsyncClient, database: Database, admin_uri: str) -> Tenant:
    """A business of its own."""
    return await open_tenant(http, database, admin_uri)


@pytest_asyncio.fixture
async def neighbour(http: httpx.AsyncClient, database: Database, admin_uri: str) -> Tenant:
    """Another business."""
    return await open_tenant(http, database, admin_uri)
