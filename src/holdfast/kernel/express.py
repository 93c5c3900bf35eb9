"""The express lane: the few routes that a rush is made of, answered without the framework's way through a request.

The handler is the framework's own, with the same path, document and errors; only what stands between the socket and
it is left out: more than half of what such a request costs in Python (ADR 16).
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from litestar import Litestar, Response
from litestar.exceptions import ClientException
from litestar.handlers import HTTPRouteHandler
from litestar.status_codes import HTTP_413_REQUEST_ENTITY_TOO_LARGE
from litestar.types import Receive, Scope, Send

from holdfast.kernel.http import MAX_BODY_BYTES, render_error

Handler = Callable[[Any], Awaitable[Response[bytes]]]


class _Headers:
    """The headers of a request, looked up by name in any case; the server hands them over in lower case."""

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._raw = raw

    def get(self, name: str) -> str | None:
        wanted = name.lower().encode("latin-1")
        return next((value.decode("latin-1") for key, value in self._raw if key == wanted), None)


class ExpressCall:
    """As much of a request as the handlers on the lane use."""

    def __init__(self, app: Litestar, scope: Any, receive: Receive) -> None:
        self.app = app
        self.headers = _Headers(scope["headers"])
        self._receive = receive

    async def body(self) -> bytes:
        """Return the whole body; raises 413 beyond the limit, 400 when the client goes away."""
        announced = self.headers.get("content-length")
        if announced is not None and int(announced) > MAX_BODY_BYTES:
            raise ClientException("Request Entity Too Large", status_code=HTTP_413_REQUEST_ENTITY_TOO_LARGE)
        body = b""
        while True:
            message: Any = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientException("The request ended before it was complete")
            body += message["body"]
            if len(body) > MAX_BODY_BYTES:
                raise ClientException("Request Entity Too Large", status_code=HTTP_413_REQUEST_ENTITY_TOO_LARGE)
            if not message.get("more_body", False):
                return body


class ExpressLane:
    """An application in front of the framework's; what it has no handler for goes on unchanged."""

    def __init__(self, app: Litestar, handlers: Iterable[HTTPRouteHandler]) -> None:
        self._app = app
        self._handlers: dict[str, Handler] = {path: handler.fn for handler in handlers for path in handler.paths}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] not in self._handlers:
            await self._app(scope, receive, send)
            return
        try:
            response = await self._handlers[scope["path"]](ExpressCall(self._app, scope, receive))
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets it as a problem
            response = render_error(None, error)
        await send(
            {
                "type": "http.response.start",
                "status": response.status_code or 200,
                "headers": [
                    (b"content-type", (response.media_type or "").encode("latin-1")),
                    (b"content-length", b"%d" % len(response.content)),
                    *((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()),
                ],
            }
        )
        await send({"type": "http.response.body", "body": response.content, "more_body": False})
