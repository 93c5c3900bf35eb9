"""Clients of the served demo business, and a day of it for each test that books."""

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

import pytest

from booking.opened import violations
from booking.served import Clients, clients_of

if TYPE_CHECKING:
    from conftest import Server


@pytest.fixture(scope="session")
def served(server: "Server") -> Iterator[Clients]:
    """Clients of the demo business on one keep-alive connection; what they leave behind violates nothing."""
    opened = clients_of(server.url, server.dsn)
    yield opened
    opened.http.close()
    assert violations(server.dsn) == []


@pytest.fixture
def clients(served: Clients) -> Iterator[Clients]:
    """Clients whose bookings are given back after the test."""
    yield served
    served.give_back()


@pytest.fixture
def day(clients: Clients) -> date:
    """A day on which nothing is taken yet."""
    return clients.fresh_day()
