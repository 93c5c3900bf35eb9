"""What the worker does for calendars all the time, beside its jobs: a provider that is slow holds up none of those."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from holdfast.administration.settings import Stage
from holdfast.calendars.export import export_due
from holdfast.calendars.feed import feed
from holdfast.calendars.providers import Providers
from holdfast.calendars.reconciliation import reconcile_due
from holdfast.kernel.database import Database

log = structlog.get_logger(__name__)

# So long an appointment waits at most before it is written to a calendar, when nothing else is due.
EXPORT_SECONDS = 5.0
_RECONCILE_SECONDS = 60.0


@asynccontextmanager
async def exports_kept_up(database: Database, providers: Providers, stage: Stage) -> AsyncIterator[None]:
    """Export what is due and compare calendars whose turn it is, beside the body, until it ends.

    What is in flight when the body ends is given up, and taken up by the next worker.
    """

    async def export() -> int:
        await feed(database)
        return await export_due(database, providers, stage)

    async def reconcile() -> int:
        return await reconcile_due(database, providers, stage)

    tasks = [
        asyncio.create_task(_again("calendars_not_exported_to", export, EXPORT_SECONDS)),
        asyncio.create_task(_again("calendars_not_compared", reconcile, _RECONCILE_SECONDS)),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _again(name: str, work: Callable[[], Awaitable[int]], seconds: float) -> None:
    """Work at once as long as there is something to do, and then again and again after a pause."""
    while True:
        try:
            found = await work()
        except Exception as failure:  # noqa: BLE001 - the database may be away; it comes back
            log.warning(name, error=type(failure).__name__)
            found = 0
        if not found:
            await asyncio.sleep(seconds)
