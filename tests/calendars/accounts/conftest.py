"""Owners of businesses that connect calendars."""

from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from booking.tenants import Tenant, application, open_tenant
from calendars.accounts.owners import PUBLIC_URL, Owner, open_owner
from calendars.caldav.conftest import calendar, radicale
from calendars.google.fake import FakeGoogle
from calendars.google.server import settings_of
from conftest import MASTER_KEY
from holdfast.calendars.settings import CalendarSettings
from holdfast.kernel.database import Database


@pytest_asyncio.fixture
async def http(app_uri: str, admin_uri: str, google: FakeGoogle) -> AsyncIterator[httpx.AsyncClient]:
    """The application, which has a client at the fake Google."""
    calendars = CalendarSettings(settings_of(google), PUBLIC_URL, private_networks=True)
    async with application(app_uri, admin_uri, MASTER_KEY, calendars=calendars) as client:
        yield client


@pytest_asyncio.fixture
async def tenant(http: httpx.AsyncClient, database: Database, admin_uri: str) -> Tenant:
    """A business of its own."""
    return await open_tenant(http, database, admin_uri)


@pytest_asyncio.fixture
async def neighbour(http: httpx.AsyncClient, database: Database, admin_uri: str) -> Tenant:
    """Another business."""
    return await open_tenant(http, database, admin_uri)


@pytest_asyncio.fixture
async def owner(tenant: Tenant, google: FakeGoogle) -> Owner:
    """An owner whose account at Google has a calendar of its own, another, and one of somebody else's busy times."""
    google.calendar()
    google.calendar("second@group.calendar.test", zone="Europe/Berlin")
    google.calendar("colleague@calendar.test", role="freeBusyReader")
    return await open_owner(tenant, google)


# The real server of CalDAV, and a calendar there.
__all__ = ["calendar", "radicale"]
