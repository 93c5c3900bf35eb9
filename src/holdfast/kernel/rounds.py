"""Answers computed once for everybody who waits: a request joins the round that starts after it came."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Rounds(Generic[T]):
    """One computation at a time for each key, none of which serves a request that came after it had begun."""

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Task[T]] = {}
        self._next: dict[Hashable, asyncio.Task[T]] = {}

    async def join(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """Return the result of a computation that began at or after this call."""
        task = self._next.get(key)
        if task is None:
            running = self._running.get(key)
            if running is None:
                task = self._running[key] = asyncio.create_task(self._run(key, work))
            else:
                task = self._next[key] = asyncio.create_task(self._follow(key, running, work))
        return await asyncio.shield(task)

    async def _follow(self, key: Hashable, before: "asyncio.Task[T]", work: Callable[[], Awaitable[T]]) -> T:
        await asyncio.wait([before])
        # From here on newcomers wait for the round after this one.
        self._running[key] = self._next.pop(key)
        return await self._run(key, work)

    async def _run(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        try:
            return await work()
        finally:
            del self._running[key]
