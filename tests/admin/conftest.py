"""A practice whose staff sit at their pages."""

import pytest_asyncio

from admin.desk import Desk, desk
from booking.conftest import studio
from holdfast.identity.permissions import Role
from identity.conftest import other_practice, practice
from identity.entrance import Practice

__all__ = ["other_practice", "practice", "studio"]


@pytest_asyncio.fixture
async def owner(practice: Practice) -> Desk:
    """The owner."""
    return await desk(practice, Role.OWNER)


@pytest_asyncio.fixture
async def assistant(practice: Practice) -> Desk:
    """An assistant."""
    return await desk(practice, Role.ASSISTANT)


@pytest_asyncio.fixture
async def editor(practice: Practice) -> Desk:
    """An editor."""
    return await desk(practice, Role.EDITOR)
