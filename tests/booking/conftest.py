"""Clients of the served demo business, and a day of it for each test that books."""

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

import pytest

from booking.served import Clients, clients_of

if TYPE_CHECKING:
    from conftest import Server


@pytest.fixture(scope="session")
def clients(server: "Server") -> Iterator[Clients]:
    """Clients of the demo business on one keep-alive connection."""
    opened = clients_of(server.url, server.dsn)
    yield opened
    opened.http.close()


@pytest.fixture
def day(clients: Clients) -> date:
    """A day on which nothing is taken yet, for this test alone."""
    return clients.fresh_day()
