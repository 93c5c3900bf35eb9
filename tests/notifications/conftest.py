"""A practice with mail, on a database of its own: whoever looks for what there is to tell looks at all businesses."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from booking.opened import violations
from holdfast.kernel.embedded import EmbeddedPostgres
from notifications.posting import Post, open_post
from notifications.sink import Sink, open_sink


@pytest_asyncio.fixture
async def sink() -> AsyncIterator[Sink]:
    """A server of mail."""
    async with open_sink() as opened:
        yield opened


@pytest.fixture
def own_app_uri(postgres: EmbeddedPostgres, own_database: str) -> str:
    """A URI of the test's own database as the application's role."""
    return postgres.uri(user="holdfast_app", database=own_database)


@pytest_asyncio.fixture
async def post(own_app_uri: str, postgres: EmbeddedPostgres, own_database: str, sink: Sink) -> AsyncIterator[Post]:
    """A practice and its mail; its rows are sound when the test has ended."""
    admin_uri = postgres.uri(database=own_database)
    async with open_post(own_app_uri, admin_uri, sink) as opened:
        yield opened
    assert violations(admin_uri) == []
