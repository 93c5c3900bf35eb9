"""Hears each request out before it is answered, so that its connection serves for the next one.

An answer that is ready before the body has come, as one that refuses is, lets the web server close the connection, and
not always does it say so: whoever sends the next request on it gets none, and a gateway makes that a 502.
"""

from collections.abc import Awaitable, Sequence
from typing import Any

from holdfast.kernel.http import MAX_BODY_BYTES
from holdfast.kernel.observed import App, Receive, Scope, Send

# Of a body that nobody has read; more is not worth the wait.
_MOST_BYTES = 16 * MAX_BODY_BYTES


class HearingOut:
    """An application whose answers wait for the bodies of their requests.

    When a body is longer than 1 MiB and the application does not want it, the answer says that its connection ends.
    """

    def __init__(self, app: App) -> None:
        """Hear out what is asked of an application."""
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass a request on."""
        if scope["type"] != "http" or not (announced := _announced(scope["headers"])):
            return self._app(scope, receive, send)
        call = _Call(receive, send, announced)
        return self._app(scope, call.receive, call.send)


class _Call:
    """A request with a body, and how much of that is known to have come."""

    __slots__ = ("_announced", "_is_over", "_receive", "_send")

    def __init__(self, receive: Receive, send: Send, announced: int) -> None:
        self._receive = receive
        self._send = send
        self._announced = announced
        self._is_over = False

    async def receive(self) -> Any:
        """Return the next part of the request."""
        message = await self._receive()
        # When the client has left, too.
        self._is_over = not message.get("more_body")
        return message

    def send(self, message: Any) -> Awaitable[None]:
        """Send a part of the answer, its beginning when the request has ended."""
        if self._is_over or message["type"] != "http.response.start":
            return self._send(message)
        return self._begin(message)

    async def _begin(self, message: Any) -> None:
        left = _MOST_BYTES if self._announced <= _MOST_BYTES else 0
        while left > 0 and not self._is_over:
            left -= len((await self.receive()).get("body", b""))
        if not self._is_over:
            message["headers"].append((b"connection", b"close"))
        await self._send(message)


def _announced(headers: Sequence[tuple[bytes, bytes]]) -> int:
    """Return how long a body says that it is, in bytes: 1 when it does not know itself, 0 when there is none."""
    for name, value in headers:
        if name == b"content-length":
            return int(value)
        if name == b"transfer-encoding":
            return 1
    return 0
