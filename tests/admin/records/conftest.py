"""Clients and staff of the served demo business, and browsers of staff."""

from collections.abc import Iterator

import pytest

from admin.records.desks import Desk
from booking.conftest import clients, day, served, staffs
from booking.served import Clients
from booking.staffed import StaffClients
from holdfast.identity.permissions import Role


@pytest.fixture
def owner(staffs: dict[Role, StaffClients], clients: Clients) -> Iterator[Desk]:
    """An owner at their browser, who reads English."""
    with Desk(clients, staffs[Role.OWNER].headers, "en") as opened:
        yield opened


@pytest.fixture
def assistant(staffs: dict[Role, StaffClients], clients: Clients) -> Iterator[Desk]:
    """An assistant at their browser, who reads Russian."""
    with Desk(clients, staffs[Role.ASSISTANT].headers, "ru") as opened:
        yield opened


__all__ = ["clients", "day", "served", "staffs"]
