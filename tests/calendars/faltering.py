"""Workers that falter: that die, that are asked to end, and that stand still for long while others go on."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from enum import Enum
from functools import partial
from inspect import isasyncgenfunction
from typing import Any, TypeVar, cast
from uuid import UUID

from calendars.crashing import Crash
from holdfast.calendars.port import Provider
from holdfast.kernel.database import Database, Transaction

T = TypeVar("T")

_NO_CALLS = {"writes", "pushes", "close"}


class Fate(Enum):
    """What becomes of a worker."""

    LIVES = "lives"
    DIES = "dies"
    # As when its process is asked to end: what it cleans up is still done.
    ENDS = "ends"
    STALLS = "stalls"


class Worker:
    """Where a worker is, and what becomes of it at which step.

    Steps are before and after each transaction and each call of a provider, and before each commit. It stands still
    only where it holds no connection to the database, and then as a whole.
    """

    def __init__(self, fate: Fate, at: int) -> None:
        """Let its fate befall the worker at the step of this number."""
        self._fate = fate
        self._left = at
        self._dead = False
        self._inside = 0
        self._stalled = False
        self._still = asyncio.Event()
        self._go_on = asyncio.Event()
        self._job: asyncio.Task[Any] | None = None

    async def work(self, job: Awaitable[Any]) -> bool:
        """Let it work until it has done, or gone, or stands still; return whether it stands."""
        self._job = asyncio.ensure_future(job)
        standing = asyncio.ensure_future(self._still.wait())
        await asyncio.wait({self._job, standing}, return_when=asyncio.FIRST_COMPLETED)
        standing.cancel()
        if not self._job.done():
            return True
        await self._ended()
        return False

    async def wake(self) -> None:
        """Let one that stands still go on to the end of its work."""
        self._fate = Fate.LIVES
        self._go_on.set()
        await self._ended()

    async def begin(self) -> None:
        """Begin something, unless this is the end."""
        await self._pass()
        self._inside += 1

    async def end(self) -> None:
        """Have done something, and go on, unless this is the end."""
        self.leave()
        await self._pass()

    def leave(self) -> None:
        """Have done something, however it has ended."""
        self._inside -= 1
        self._rest()

    def step(self) -> None:
        """Go on with what was begun, or die; a dead one does nothing more."""
        if self._dead:
            raise Crash
        self._left -= 1
        if self._left > 0 or self._fate in {Fate.LIVES, Fate.STALLS}:
            return
        self._dead = self._fate is Fate.DIES
        self._fate = Fate.LIVES
        raise Crash if self._dead else asyncio.CancelledError

    async def _pass(self) -> None:
        self.step()
        if self._fate is Fate.STALLS and self._left <= 0:
            self._stalled = True
            self._rest()
            await self._go_on.wait()

    def _rest(self) -> None:
        if self._stalled and not self._inside:
            self._still.set()

    async def _ended(self) -> None:
        assert self._job is not None, "it has worked"
        await asyncio.wait({self._job})
        if not self._job.cancelled() and (failure := self._job.exception()) and not isinstance(failure, Crash):
            raise failure


class FalteringDatabase:
    """The database as a worker has it that may falter; with `stands` it may stand still before and after its use."""

    def __init__(self, database: Database, worker: Worker, *, stands: bool) -> None:
        self._database = database
        self._worker = worker
        self._stands = stands

    @asynccontextmanager
    async def transaction(self, business_id: UUID | None = None) -> AsyncIterator[Transaction]:
        """Run the body in a transaction: a step before it, one before its commit and one after it."""
        worker = self._worker
        if not self._stands:
            async with self._database.transaction(business_id) as tx:
                yield tx
                worker.step()
            worker.step()
            return
        await worker.begin()
        try:
            async with self._database.transaction(business_id) as tx:
                yield tx
                worker.step()
        except BaseException:
            worker.leave()
            raise
        await worker.end()

    def reading(self, business_id: UUID | None = None) -> AbstractAsyncContextManager[Transaction]:
        """Run one statement that only reads, with the steps of a transaction."""
        return self.transaction(business_id)

    async def run(self, business_id: UUID | None, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run the work in one transaction."""
        return await Database.run(cast(Database, self), business_id, work)


class FalteringProvider:
    """A provider as such a worker calls it."""

    def __init__(self, provider: Provider, worker: Worker) -> None:
        self._provider = provider
        self._worker = worker

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._provider, name)
        if name in _NO_CALLS:
            return found
        return partial(self._each if isasyncgenfunction(found) else self._call, found)

    async def _call(self, call: Callable[..., Awaitable[T]], *values: Any) -> T:
        await self._worker.begin()
        try:
            answer = await call(*values)
        except BaseException:
            self._worker.leave()
            raise
        await self._worker.end()
        return answer

    async def _each(self, call: Callable[..., AsyncGenerator[T]], *values: Any) -> AsyncGenerator[T]:
        async with aclosing(call(*values)) as found:
            following = partial(anext, found, None)
            while (one := await self._call(following)) is not None:
                yield one
