"""Clients of the served demo business, a day of it for each test that books, and a studio with programs."""

from collections.abc import AsyncIterator, Iterator
from datetime import date
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import pytest_asyncio

from booking.opened import violations
from booking.served import Clients, clients_of
from booking.staffed import StaffClients
from booking.studio import Studio
from booking.waiting import Line, open_line
from catalog.holds import release_all
from holdfast.identity.businesses import put
from holdfast.identity.permissions import STAFF_ROLES, Role
from holdfast.kernel.database import Database

if TYPE_CHECKING:
    from conftest import Server


@pytest.fixture(scope="session")
def served(server: "Server") -> Iterator[Clients]:
    """Clients of the demo business on one keep-alive connection; what they leave behind violates nothing."""
    opened = clients_of(server.url, server.dsn)
    yield opened
    opened.http.close()
    assert violations(server.dsn, worker=True) == []


@pytest.fixture
def clients(served: Clients) -> Iterator[Clients]:
    """Clients whose bookings are given back after the test."""
    yield served
    served.give_back()


@pytest.fixture
def day(clients: Clients) -> date:
    """A day on which nothing is taken yet."""
    return clients.fresh_day()


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


@pytest.fixture(scope="session")
def staffs(served: Clients) -> dict[Role, StaffClients]:
    """An owner, an assistant and an editor of the demo business."""
    return {role: StaffClients(served, role) for role in STAFF_ROLES}


@pytest.fixture
def desk(staffs: dict[Role, StaffClients], clients: Clients) -> StaffClients:
    """An assistant, whose bookings are given back."""
    return staffs[Role.ASSISTANT]


@pytest.fixture
def owner(staffs: dict[Role, StaffClients], clients: Clients) -> StaffClients:
    """An owner, whose bookings are given back."""
    return staffs[Role.OWNER]


@pytest_asyncio.fixture
async def line(app_uri: str, sound: None) -> AsyncIterator[Line]:
    """A business where people wait; its rows are sound in the end."""
    async with open_line(app_uri) as opened:
        yield opened
