"""The express lane: the few routes that a rush is made of, answered without the framework's way through a request.

The handler is the framework's own, with the same path, document and errors; only what stands between the socket and
it is left out: more than half of what such a request costs in Python (ADR 16).
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from litestar import Litestar, Response
from litestar.enums import ScopeType
from litestar.exceptions import ClientException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.handlers import HTTPRouteHandler
from litestar.types import Receive, Scope, Send

from holdfast.kernel.http import MAX_BODY_BYTES, render_error

Handler = Callable[[Any], Awaitable[Response[bytes]]]


class _Headers:
    """The headers of a request, looked up by name in any case; the server hands them over in lower case."""

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        self._first = dict(reversed(raw))

    def get(self, name: str) -> str | None:
        """Return the first header of this name."""
        value = self._first.get(name.lower().encode("latin-1"))
        return None if value is None else value.decode("latin-1")


class ExpressCall:
    """As much of a request as the handlers on the lane use."""

    def __init__(self, app: Litestar, scope: Any, receive: Receive) -> None:
        self.app = app
        self.scope = scope
        self.headers = _Headers(scope["headers"])
        self._receive = receive

    async def body(self) -> bytes:
        """Return the whole body; raises 413 beyond the limit, 400 when the client goes away."""
        announced = self.headers.get("content-length") or "0"
        body = b""
        more = True
        while more:
            if max(int(announced), len(body)) > MAX_BODY_BYTES:
                raise RequestEntityTooLarge
            message: Any = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientException("The request ended before it was complete")
            body += message["body"]
            more = message.get("more_body", False)
        if len(body) > MAX_BODY_BYTES:
            raise RequestEntityTooLarge
        return body


class ExpressLane:
    """An application in front of the framework's; what it has no handler for goes on unchanged."""

    def __init__(self, app: Litestar, handlers: Iterable[HTTPRouteHandler]) -> None:
        self._app = app
        self._handlers: dict[str, Handler] = {path: handler.fn for handler in handlers for path in handler.paths}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != ScopeType.HTTP or scope["method"] != "POST" or scope["path"] not in self._handlers:
            await self._app(scope, receive, send)
            return
        # As the framework's router notes it, for whoever watches from outside.
        scope["path_template"] = scope["path"]
        try:
            response = await self._handlers[scope["path"]](ExpressCall(self._app, scope, receive))
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets it as a problem
            response = render_error(None, error)
        headers = [_encoded(name, value) for name, value in response.headers.items()]
        headers.append(_encoded("content-type", response.media_type or ""))
        headers.append((b"content-length", str(len(response.content)).encode()))
        await send({"type": "http.response.start", "status": response.status_code or 200, "headers": headers})
        await send({"type": "http.response.body", "body": response.content, "more_body": False})


@lru_cache(256)
def _encoded(name: str, value: str) -> tuple[bytes, bytes]:
    return name.lower().encode(), value.encode("latin-1")
