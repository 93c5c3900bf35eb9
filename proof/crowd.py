"""The load beside the faults: in a thread of its own, since whoever kills and starts processes waits for them."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

from proof.history import History
from proof.load import load


class Crowd:
    """Clients that come until they are to end, and who are then told what became of each of their requests."""

    def __init__(
        self,
        urls: list[str],
        history: History,
        *,
        clients: int,
        pay: Callable[[str], Awaitable[None]] | None,
        staff_key: str | None,
    ) -> None:
        self._urls, self._history = urls, history
        self._clients, self._pay, self._staff_key = clients, pay, staff_key
        self._loop = asyncio.new_event_loop()
        self._ending = asyncio.Event()
        # Nobody waits for them when the run has failed.
        self._thread = threading.Thread(target=self._run, name="clients", daemon=True)
        self._failure: BaseException | None = None

    def start(self) -> None:
        """Let them come."""
        self._thread.start()

    def check(self) -> None:
        """Raise what has ended the load, if anything has."""
        if self._failure is not None:
            raise self._failure

    def end(self) -> None:
        """Let each end its visit, and repeat what is open. Raises what has ended the load, if anything has."""
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()
        self.check()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._live())
        except BaseException as failure:  # noqa: BLE001 - it is raised where it is waited for
            self._failure = failure

    async def _live(self) -> None:
        async with load(
            self._urls, self._history, clients=self._clients, pay=self._pay, staff_key=self._staff_key
        ) as running:
            await self._ending.wait()
        await running.settle()
