"""A business of its own for each test of the catalog."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from holdfast.identity.businesses import Business, put
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.ids import new_id

Run = Callable[[Callable[[Transaction], Awaitable[Any]]], Awaitable[Any]]
Occupy = Callable[..., Awaitable[UUID]]

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=7)


@pytest_asyncio.fixture
async def business(database: Database) -> AsyncIterator[Business]:
    """A business that nobody else uses."""
    async with database.transaction() as tx:
        made = await put(
            tx, slug=f"b-{uuid4().hex[:8]}", name="Practice", timezone="Europe/Moscow", currency="RUB", locale="ru"
        )
    yield made


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


@pytest.fixture
def occupy(run: Run) -> Occupy:
    """Book places of a resource, past every rule, from and to some hours after NOON; return the booking."""

    async def book(
        service_id: UUID, resource_id: UUID, begin: int, end: int, *, seat: int, state: str = "confirmed"
    ) -> UUID:
        async def work(tx: Transaction) -> UUID:
            booking_id = new_id()
            values = {
                "business_id": tx.business_id,
                "id": booking_id,
                "service_id": service_id,
                "resource_id": resource_id,
                "begin": NOON + timedelta(hours=begin),
                "end": NOON + timedelta(hours=end),
                "seat": seat,
                "state": state,
                "expires_at": datetime.now(UTC) - timedelta(minutes=1),
            }
            await tx.run(
                """insert into bookings (business_id, id, service_id, starts_at, ends_at, party_size, state, held_at,
                                         expires_at, price_minor, currency)
                   values (%(business_id)s, %(id)s, %(service_id)s, %(begin)s, %(end)s, 1, %(state)s, now(),
                           %(expires_at)s, 0, 'RUB')""",
                values,
            )
            await tx.run(
                """insert into claims (business_id, resource_id, capacity, seat, during, booking_id)
                   select business_id, id, capacity, %(seat)s, tstzrange(%(begin)s, %(end)s), %(id)s
                     from resources where business_id = %(business_id)s and id = %(resource_id)s""",
                values,
            )
            return booking_id

        return await run(work)

    return book
