"""The express lane: the few routes that a rush is made of, answered without the framework's way through a request.

The handler is the framework's own, with the same path, document and errors; only what stands between the socket and
it is left out: more than half of what such a request costs in Python (ADR 16). A path may end with one parameter, which
is a text.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from litestar import Litestar, Response
from litestar.enums import ScopeType
from litestar.exceptions import ClientException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.handlers import HTTPRouteHandler
from litestar.types import Receive, Scope, Send

from holdfast.kernel.http import MAX_BODY_BYTES, render_error

Handler = Callable[..., Awaitable[Response[bytes]]]

_LAST_PARAMETER = re.compile(r"/\{(\w+):str\}$")


class _Headers:
    """The headers of a request, looked up by name in any case; the server hands them over in lower case."""

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        self._raw = raw
        self._first = dict(reversed(raw))

    def get(self, name: str) -> str | None:
        """Return the first header of this name."""
        value = self._first.get(name.lower().encode("latin-1"))
        return None if value is None else value.decode("latin-1")

    def getall(self, name: str, default: list[str]) -> list[str]:
        """Return all headers of this name, the default when there is none."""
        wanted = name.lower().encode("latin-1")
        return [value.decode("latin-1") for named, value in self._raw if named == wanted] or default


class _Peer(NamedTuple):
    """Who has opened the connection."""

    host: str
    port: int


class ExpressCall:
    """As much of a request as the handlers on the lane use."""

    def __init__(self, app: Litestar, scope: Any, receive: Receive) -> None:
        self.app = app
        self.scope = scope
        self.headers = _Headers(scope["headers"])
        self._peer = scope.get("client")
        self._receive = receive

    @property
    def client(self) -> _Peer | None:
        """Return who has opened the connection, None where that has no address."""
        return None if self._peer is None else _Peer(*self._peer)

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
        self._handlers: dict[str, Handler] = {}
        # By what stands before the parameter, with its name and the path as the framework's router notes it.
        self._with_parameter: dict[str, tuple[Handler, str, str]] = {}
        for handler in handlers:
            for path in handler.paths:
                if (parameter := _LAST_PARAMETER.search(path)) is None:
                    self._handlers[path] = handler.fn
                else:
                    before, name = path[: parameter.start()], parameter[1]
                    self._with_parameter[before] = (handler.fn, name, f"{before}/{{{name}}}")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        handler, parameters = self._handler_of(scope)
        if handler is None:
            await self._app(scope, receive, send)
            return
        try:
            response = await handler(ExpressCall(self._app, scope, receive), **parameters)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets it as a problem
            response = render_error(None, error)
        headers = [_encoded(name, value) for name, value in response.headers.items()]
        headers.append(_encoded("content-type", response.media_type or ""))
        headers.append((b"content-length", str(len(response.content)).encode()))
        await send({"type": "http.response.start", "status": response.status_code or 200, "headers": headers})
        await send({"type": "http.response.body", "body": response.content, "more_body": False})

    def _handler_of(self, scope: Scope) -> tuple[Handler | None, dict[str, str]]:
        """Return who answers on the lane, with the parameter of the path.

        The path is noted as the framework's router notes it, for whoever watches from outside.
        """
        if scope["type"] != ScopeType.HTTP or scope["method"] != "POST":
            return None, {}
        path = scope["path"]
        if (exact := self._handlers.get(path)) is not None:
            scope["path_template"] = path
            return exact, {}
        before, _, last = path.rpartition("/")
        if not last or (found := self._with_parameter.get(before)) is None:
            return None, {}
        handler, name, scope["path_template"] = found
        return handler, {name: last}


@lru_cache(256)
def _encoded(name: str, value: str) -> tuple[bytes, bytes]:
    return name.lower().encode(), value.encode("latin-1")
