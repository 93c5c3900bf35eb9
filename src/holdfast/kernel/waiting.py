"""Waiting for a connection: a database that is busy is waited for, one that is away is not."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

# How long a wait lasts before anybody asks whether it makes sense, and between one question and the next.
_PATIENCE_SECONDS = 0.5


class Waits:
    """Ends every wait for a connection as soon as it turns out that none can be made."""

    def __init__(self, reachable: Callable[[], Awaitable[bool]]) -> None:
        """Prepare; `reachable` tells whether a connection could be made now."""
        self._reachable = reachable
        self._long: set[asyncio.Timeout] = set()
        self._looking: asyncio.Task[None] | None = None

    async def bounded(self, waiting: Awaitable[T]) -> T:
        """Return what is waited for; raises TimeoutError when the database turns out to be away meanwhile."""
        async with asyncio.timeout(None) as wait:
            timer = asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, self._doubt, wait)
            try:
                return await waiting
            finally:
                timer.cancel()
                self._long.discard(wait)

    async def close(self) -> None:
        """Stop asking."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    def _doubt(self, wait: asyncio.Timeout) -> None:
        self._long.add(wait)
        if self._looking is None or self._looking.done():
            # One question is enough for all who wait.
            self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        while self._long:
            if await self._reachable():
                await asyncio.sleep(_PATIENCE_SECONDS)
            else:
                now = asyncio.get_running_loop().time()
                while self._long:
                    self._long.pop().reschedule(now)
