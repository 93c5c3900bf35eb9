"""Staff of the served demo business who write, and one who only reads."""

import pytest

from booking.conftest import clients, served, staffs
from booking.staffed import StaffClients
from content.editing import Editing
from holdfast.identity.permissions import Role

__all__ = ["clients", "served", "staffs"]


@pytest.fixture
def editor(staffs: dict[Role, StaffClients]) -> Editing:
    """An editor at work."""
    return Editing(staffs[Role.EDITOR])


@pytest.fixture
def reader(staffs: dict[Role, StaffClients]) -> StaffClients:
    """An assistant, who reads what others write."""
    return staffs[Role.ASSISTANT]
