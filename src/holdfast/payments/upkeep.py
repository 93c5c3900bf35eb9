"""What the worker does for money all the time, beside its jobs: a provider that is slow holds up none of those."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import structlog

from holdfast.kernel.database import Database
from holdfast.payments.ledger import statements
from holdfast.payments.providers import Providers
from holdfast.payments.refunding import settle_refund
from holdfast.payments.settlement import settle

log = structlog.get_logger(__name__)

# So long after it has become due a payment waits at most for its turn, when there are not too many.
_SECONDS = 0.5
_AT_ONCE = 8
# Of one business, whose provider may not answer: the others get their turn.
_OF_ONE = 4


@dataclass(frozen=True, slots=True)
class Due:
    """A payment or a refund at which somebody has to look now."""

    business_id: UUID
    id: UUID
    is_refund: bool


@asynccontextmanager
async def money_kept_up(database: Database, providers: Providers) -> AsyncIterator[None]:
    """Settle payments and refunds as they become due, beside the body, until it ends.

    What is in flight when the body ends is given up, and taken up by the next worker.
    """
    task = asyncio.create_task(_keep_up(database, providers))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def due_now(database: Database) -> list[Due]:
    """Return what is due, across businesses, that which has waited longest first."""
    async with database.transaction() as tx:
        return await tx.all(Due, statements["payments_due"], {"limit": _AT_ONCE * _OF_ONE, "of_one": _OF_ONE})


async def _keep_up(database: Database, providers: Providers) -> None:
    going: dict[Due, asyncio.Task[None]] = {}
    try:
        while True:
            for one in await _due(database):
                of_its_business = sum(other.business_id == one.business_id for other in going)
                if one not in going and len(going) < _AT_ONCE and of_its_business < _OF_ONE:
                    going[one] = asyncio.create_task(settle_one(database, providers, one))
            await asyncio.sleep(_SECONDS)
            going = {one: task for one, task in going.items() if not task.done()}
    finally:
        for task in going.values():
            task.cancel()
        await asyncio.gather(*going.values(), return_exceptions=True)


async def _due(database: Database) -> list[Due]:
    try:
        return await due_now(database)
    except Exception as failure:  # noqa: BLE001 - the database may be away; it comes back
        log.warning("money_not_looked_at", error=type(failure).__name__)
        return []


async def settle_one(database: Database, providers: Providers, due: Due) -> None:
    """Settle a payment or a refund; what goes wrong is logged, and is no matter of another."""
    try:
        if due.is_refund:
            await settle_refund(database, providers, due.business_id, due.id)
        else:
            await settle(database, providers, due.business_id, due.id)
    except Exception as failure:  # noqa: BLE001 - no matter of another payment; it is due again when its lease ends
        # Without its text, which may quote what a provider has sent.
        log.warning("money_not_settled", id=str(due.id), error=type(failure).__name__)
