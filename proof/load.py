"""A seeded load of clients that reserve, commit, extend, release, move, pay and cancel, each answer written down.

Enter `load(...)`, wait with `until` and `acknowledges` while something happens that is to be survived, leave the block,
put everything right, and `settle()`: then `history.calls` is what `proof.check` judges.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import httpx

from proof.clients import Client, Surroundings
from proof.history import History
from proof.visits import visit

_LOOK_SECONDS = 0.02
_REPEATED = 400
# What is named by a key, or by what it has made: repeated, it has no second effect.
_REPEATABLE = {"reserve", "book", "commit", "cancel", "reschedule"}


class Load:
    """Clients at work, and what they have been told so far."""

    def __init__(self, around: Surroundings, clients: int) -> None:
        self.around = around
        self._clients = [Client(f"client-{number}", around) for number in range(clients)]
        self._stopped = False
        self._work: asyncio.Task[None] | None = None

    @property
    def acknowledged(self) -> int:
        """How many requests took effect, as far as clients were told."""
        return sum(call.outcome == "done" for call in self.around.history.calls)

    @property
    def unanswered(self) -> int:
        """How many attempts had no answer, or one that leaves open what happened."""
        return sum(call.outcome == "unknown" for call in self.around.history.calls)

    @property
    def open(self) -> int:
        """How many requests were given up: nobody knows what became of them."""
        return len(self.around.open)

    async def until(self, condition: Callable[[], object], seconds: float = 60.0) -> None:
        """Wait for a condition while the clients go on.

        Raises TimeoutError when it is not met in time.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            if self._work is not None and self._work.done():
                self._work.result()
            if time.monotonic() > deadline:
                raise TimeoutError(f"this did not come within {seconds:.0f} s")
            await asyncio.sleep(_LOOK_SECONDS)

    async def acknowledges(self, seconds: float = 60.0) -> float:
        """Wait until a request that is sent from now on takes effect; return after how many seconds it was told.

        Raises TimeoutError.
        """
        began, history = time.monotonic(), self.around.history
        await self.until(lambda: history.recovered(began) is not None, seconds)
        return (history.recovered(began) or began) - began

    def start(self) -> None:
        """Let the clients come again and again until they are stopped."""
        self._work = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Let every client end its visit."""
        self._stopped = True
        if self._work is not None:
            await self._work

    async def settle(self, urls: Sequence[str] = (), *, repeated: int = _REPEATED) -> None:
        """Repeat every request that is open until it is told, and some of what was done, to be told the same.

        `urls` are those of servers that have taken the place of the first ones. What is open after that was not
        answered in time although everything was put right. Once patience has ended with one, the others are sent once:
        a server that answers nobody would hold them up for an hour.
        """
        self.around.urls = [*urls] or self.around.urls
        left, self.around.open[:] = self.around.open[:], []
        done = [each for each in self.around.finished if each[1].operation in _REPEATABLE]
        # Evenly over the whole of the run: from before, within and after whatever has happened.
        left += done[:: max(len(done) // repeated, 1)]

        async def work() -> None:
            while left:
                client, request = left.pop()
                if await client.ask(request) is None:
                    self.around.patience_seconds = 0

        async with httpx.AsyncClient(limits=_limits(len(self._clients))) as http:
            self.around.http = http
            await asyncio.gather(*(work() for _ in self._clients))

    async def _run(self) -> None:
        async def live(client: Client) -> None:
            while not self._stopped:
                await visit(client, self.around.history.heading.stage)

        async with asyncio.TaskGroup() as tasks:
            for client in self._clients:
                tasks.create_task(live(client))


def _limits(connections: int) -> httpx.Limits:
    return httpx.Limits(max_connections=None, max_keepalive_connections=2 * connections)


@asynccontextmanager
async def load(
    urls: Sequence[str],
    history: History,
    *,
    clients: int = 16,
    pay: Callable[[str], Awaitable[None]] | None = None,
    staff_key: str | None = None,
    patience_seconds: float = 60.0,
    attempt_seconds: float = 10.0,
) -> AsyncIterator[Load]:
    """Let clients come to one or several servers, of one business, for the time of the block.

    When it ends each client ends its visit, and repeats what it has no answer to until its patience ends; one attempt
    waits for `attempt_seconds`. What they do follows from the seed of the history.
    """
    async with httpx.AsyncClient(limits=_limits(clients)) as http:
        around = Surroundings(list(urls), history, http, pay, staff_key, patience_seconds, attempt_seconds)
        running = Load(around, clients)
        running.start()
        try:
            yield running
        finally:
            await running.stop()
