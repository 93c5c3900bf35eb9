"""A coroutine that is struck at any of its awaits: as a task that is cancelled, or as a process that is killed."""

from collections.abc import Coroutine, Generator
from typing import Any


class Killed(BaseException):
    """The process is gone: nothing that it would have noted is noted."""


class Struck:
    """Awaits a coroutine until its await of this number, and raises there; `survived` says that it was not reached."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], at: int, blow: type[BaseException]) -> None:
        self._coroutine = coroutine
        self._left = at
        self._blow = blow
        self.survived = True

    def __await__(self) -> Generator[Any, Any, Any]:
        """Go on with the coroutine as its task would."""
        try:
            waiting = self._coroutine.send(None)
            while True:
                self._left -= 1
                if self._left == 0:
                    self.survived = False
                    waiting = self._coroutine.throw(self._blow())
                    continue
                try:
                    heard = yield waiting
                except BaseException as raised:  # noqa: BLE001 - whatever the task is told, its coroutine is
                    waiting = self._coroutine.throw(raised)
                else:
                    waiting = self._coroutine.send(heard)
        except StopIteration as done:
            return done.value
