"""What the races start from, and what each must leave behind."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from booking.opened import Practice, open_practice


@pytest_asyncio.fixture
async def practice(app_uri: str) -> AsyncIterator[Practice]:
    """A business with two practitioners and a hall of four places."""
    async with open_practice(app_uri) as opened:
        await opened.add_resource("ana")
        await opened.add_resource("ben")
        await opened.add_resource("hall", 4)
        await opened.add_service("talk", ["ana"])
        await opened.add_service("anyone", ["ana", "ben"])
        await opened.add_service("dance", ["hall"])
        yield opened


@pytest.fixture(autouse=True)
def _sound(sound: None) -> None:
    """Races leave a sound database."""
