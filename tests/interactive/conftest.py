"""Staff of the served demo business who make quizzes."""

import pytest

from booking.conftest import clients, served, staffs
from booking.staffed import StaffClients
from holdfast.identity.permissions import Role
from interactive.quizzes import Author

__all__ = ["clients", "served", "staffs"]


@pytest.fixture
def author(staffs: dict[Role, StaffClients]) -> Author:
    """An editor who makes quizzes."""
    return Author(staffs[Role.EDITOR])
