"""What is seen of every request: its id, how long it took and how it ended (ADR 22).

Plain ASGI and outermost, so that it sees what the express lane and every other layer answer.
"""

from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

import structlog

from holdfast.kernel.about import ABOUT, REQUEST_ID, is_sane, new_ids
from holdfast.kernel.figures import OTHER, Cell, Histogram

log = structlog.get_logger(__name__)

Scope = Any
Receive = Any
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]

UNMATCHED = "unmatched"

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

# So many requests that have ended are counted at a time: in one go it takes a third of what it takes one by one.
_TOGETHER = 256

REQUEST_SECONDS = Histogram(
    "holdfast_http_request_seconds",
    "Requests by the time from their arrival until their answer was handed over",
    ("method", "route", "status"),
    bounds=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


def method_label(method: str) -> str:
    """Return a method as it may be shown: one that HTTP knows, since clients may invent others."""
    return method if method in _METHODS else OTHER


class Observed:
    """An application, watched."""

    def __init__(self, app: App, *, level: str | None = None) -> None:
        """Watch an application; `level` is that of the line which is logged for each request, None for no line."""
        self._app = app
        self._level = level
        self._ids = new_ids()
        self._ended: list[tuple[str, str | None, int, float]] = []
        self._cells: dict[tuple[str, str | None, int], Cell] = {}
        REQUEST_SECONDS.before_taken(self.count)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass a request on; what became of it is noted when the last of its answer is handed over.

        Every request pays for this, twice as much as a test bench shows. So it is no coroutine of its own, and it
        wraps nothing but `send`.
        """
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        started = perf_counter()
        given = None
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                given = value
        scope[REQUEST_ID] = id_ = next(self._ids) if given is None or not is_sane(given) else given
        ABOUT.set(scope)
        status = 0

        def answer(message: Any) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-request-id", id_))
            elif not message.get("more_body"):
                ended.append((scope["method"], scope.get("path_template"), status, perf_counter() - started))
                if self._level is not None or len(ended) >= _TOGETHER:
                    self._settle()
            return send(message)

        ended = self._ended
        return self._app(scope, receive, answer)

    def _settle(self) -> None:
        """Do what is not done for every request at once."""
        method, route, status, seconds = self._ended[-1]
        if self._level is not None:
            self._log(method, route, status, seconds)
        if len(self._ended) >= _TOGETHER:
            self.count()

    def count(self) -> None:
        """Count the requests that have ended since the last time."""
        cells = self._cells
        for method, route, status, seconds in self._ended:
            try:
                cell = cells[method, route, status]
            except KeyError:
                cell = self._cell_of(method, route, status)
            cell.observe(seconds)
        self._ended.clear()

    def _cell_of(self, method: str, route: str | None, status: int) -> Cell:
        """Return where requests of a kind are counted; remembered unless a client has made the method up."""
        known = method_label(method)
        cell = REQUEST_SECONDS.cell(known, route or UNMATCHED, str(status))
        if known != OTHER:
            self._cells[method, route, status] = cell
        return cell

    def _log(self, method: str, route: str | None, status: int, seconds: float) -> None:
        assert self._level is not None, "who has no level logs nothing"
        getattr(log, self._level)(
            "request",
            method=method_label(method),
            route=route or UNMATCHED,
            status=status,
            duration_ms=round(seconds * 1000, 3),
        )
