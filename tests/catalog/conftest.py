"""A business of its own for each test of the catalog."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from catalog.holds import release_all
from holdfast.identity.businesses import Business, put
from holdfast.kernel.database import Database, Transaction

Run = Callable[[Callable[[Transaction], Awaitable[Any]]], Awaitable[Any]]


@pytest_asyncio.fixture
async def business(database: Database) -> AsyncIterator[Business]:
    """A business that nobody else uses."""
    async with database.transaction() as tx:
        made = await put(
            tx, slug=f"b-{uuid4().hex[:8]}", name="Practice", timezone="Europe/Moscow", currency="RUB", locale="ru"
        )
    yield made
    await database.run(made.id, release_all)


@pytest.fixture
def run(database: Database, business: Business) -> Run:
    """Run a piece of work in one transaction of the business."""
    return lambda work: database.run(business.id, work)


@pytest.fixture
def version(run: Run) -> Callable[[], Awaitable[int]]:
    """Return the catalog version of the business."""
    return lambda: run(
        lambda tx: tx.value("select catalog_version from businesses where id = %(id)s", {"id": tx.business_id})
    )
