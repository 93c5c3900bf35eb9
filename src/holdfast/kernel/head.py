"""HEAD: whatever can be read can be asked about without its body (RFC 9110, section 9.3.2)."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

App = Callable[[Any, Any, Any], Awaitable[None]]


def allowed(methods: Iterable[str]) -> str:
    """Return methods as the header Allow lists them: with HEAD, where there is something to read."""
    found = set(methods)
    return ", ".join(sorted(found | {"HEAD"} if "GET" in found else found))


class AnsweringHead:
    """The application `app`, which answers HEAD as GET, with the same headers and nothing after them.

    It is counted and logged as GET.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    def __call__(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        """Answer a request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            return self.app(scope, receive, send)
        scope["method"] = "GET"

        def without_body(message: Any) -> Awaitable[None]:
            if message["type"] == "http.response.body":
                message = message | {"body": b""}
            return send(message)  # type: ignore[no-any-return]

        return self.app(scope, receive, without_body)
