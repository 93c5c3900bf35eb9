"""A practice whose events are told, on a database of its own: whoever looks for what is due looks at all businesses."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from booking.opened import violations
from holdfast.kernel.embedded import EmbeddedPostgres
from webhooks.telling import Receiver, Telling, open_receiver, open_telling


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Another program, at an address of this machine."""
    with open_receiver() as opened:
        yield opened


@pytest_asyncio.fixture
async def telling(postgres: EmbeddedPostgres, own_database: str) -> AsyncIterator[Telling]:
    """A practice that tells others what happens; its rows are sound when the test has ended."""
    uri, admin_uri = postgres.uri(user="holdfast_app", database=own_database), postgres.uri(database=own_database)
    async with open_telling(uri, admin_uri) as opened:
        yield opened
    assert violations(admin_uri) == []
