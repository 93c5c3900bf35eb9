"""A worker that dies: at any step, before or after whatever it does there."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar
from uuid import UUID

from holdfast.kernel.database import Database, Transaction

T = TypeVar("T")


class Crash(BaseException):
    """The process is gone."""


class Crashing:
    """A database whose user dies at a step; the steps of others can be counted in."""

    def __init__(self, database: Database, at: int) -> None:
        """Let the step of this number be the last."""
        self._database = database
        self._left = at

    @property
    def survived(self) -> bool:
        """Return whether the last step was not reached."""
        return self._left > 0

    def step(self, _name: str = "") -> None:
        """Go on, or die; a dead one does nothing more."""
        self._left -= 1
        if self._left <= 0:
            raise Crash

    @asynccontextmanager
    async def transaction(self, business_id: UUID | None = None) -> AsyncIterator[Transaction]:
        """Run the body in a transaction: a step before it, one before its commit and one after it."""
        self.step()
        async with self._database.transaction(business_id) as tx:
            yield tx
            self.step()
        self.step()

    async def run(self, business_id: UUID | None, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run the work in one transaction."""
        return await Database.run(self, business_id, work)  # type: ignore[arg-type]
