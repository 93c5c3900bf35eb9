"""What the worker does to tell other programs, beside its jobs: a slow one holds up neither those nor another."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

from holdfast.kernel.database import Database
from holdfast.kernel.sql import load
from holdfast.webhooks.feed import FAR, SHORTLY, feed
from holdfast.webhooks.sending import send_one
from holdfast.webhooks.settings import WebhookSettings

_SQL = load(__package__)

log = structlog.get_logger(__name__)

# So long what has happened waits at most before it is found, and what is due before it is begun.
_FIND_SECONDS: Final = 1.0
_SEND_SECONDS: Final = 0.5
# Each so many times it is looked far back.
_SELDOM: Final = 30
_AT_ONCE: Final = 32
# Of one endpoint and of one business, whose servers may be slow: the others get their turn.
_OF_ONE: Final = 4
_OF_ONE_BUSINESS: Final = 8
_LOOKED_AT: Final = 500
# What is being sent is brought to its end, within the time that a worker has to stop; what is not is sent again.
_LAST_SECONDS: Final = 6.0


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery whose time has come."""

    business_id: UUID
    id: UUID
    endpoint_id: UUID


@asynccontextmanager
async def webhooks_kept_up(database: Database, settings: WebhookSettings) -> AsyncIterator[None]:
    """Find what has happened and tell it, beside the body, until it ends."""
    stop = asyncio.Event()
    tasks = [asyncio.create_task(_find(database, stop)), asyncio.create_task(_send(database, settings, stop))]
    try:
        yield
    finally:
        stop.set()
        _, late = await asyncio.wait(tasks, timeout=_LAST_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def due_now(database: Database) -> list[Due]:
    """Return what is due, across businesses, that which has waited longest first."""
    async with database.transaction() as tx:
        return await tx.all(Due, _SQL["webhook_deliveries_due"], {"limit": _LOOKED_AT, "of_one": _OF_ONE})


async def _find(database: Database, stop: asyncio.Event) -> None:
    number = 0
    while not stop.is_set():
        try:
            await feed(database, look_back=SHORTLY if number % _SELDOM else FAR)
            number += 1
        except Exception as failure:  # noqa: BLE001 - the database may be away; it comes back
            log.warning("events_not_logged", error=type(failure).__name__)
        await _pause(stop, _FIND_SECONDS)


async def _send(database: Database, settings: WebhookSettings, stop: asyncio.Event) -> None:
    going: dict[Due, asyncio.Task[None]] = {}
    try:
        while not stop.is_set():
            for one in await _due(database):
                if one not in going and _has_room(going, one):
                    going[one] = asyncio.create_task(_tell(database, settings, one))
            if going:
                # The next ones begin as soon as there is room.
                await asyncio.wait(going.values(), timeout=_SEND_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            else:
                await _pause(stop, _SEND_SECONDS)
            going = {one: task for one, task in going.items() if not task.done()}
        if going:
            await asyncio.wait(going.values())
    finally:
        for task in going.values():
            task.cancel()
        await asyncio.gather(*going.values(), return_exceptions=True)


def _has_room(going: dict[Due, "asyncio.Task[None]"], one: Due) -> bool:
    def count(same: Callable[[Due], bool]) -> int:
        return sum(same(other) for other in going)

    return (
        len(going) < _AT_ONCE
        and count(lambda other: other.endpoint_id == one.endpoint_id) < _OF_ONE
        and count(lambda other: other.business_id == one.business_id) < _OF_ONE_BUSINESS
    )


async def _due(database: Database) -> list[Due]:
    try:
        return await due_now(database)
    except Exception as failure:  # noqa: BLE001 - the database may be away; it comes back
        log.warning("webhooks_not_looked_at", error=type(failure).__name__)
        return []


async def _tell(database: Database, settings: WebhookSettings, due: Due) -> None:
    """Make an attempt; what goes wrong is logged, and is no matter of another."""
    try:
        await send_one(database, settings, due.business_id, due.id)
    except Exception as failure:  # noqa: BLE001 - no matter of another delivery; it is due again when its lease ends
        log.warning("webhook_not_sent", delivery_id=str(due.id), error=type(failure).__name__)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
