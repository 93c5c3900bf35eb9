"""What both clients know of HTTP: what is sent in an attempt, and what came of it."""

from collections.abc import Mapping
from time import monotonic
from typing import Any

import httpx2
import msgspec

from holdfast.client.calls import Call, in_header
from holdfast.client.repeating import Reply

# Nothing has left this machine by then.
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)
# No answer of a Holdfast server is so long, by far.
_MOST_BYTES = 64 * 1024 * 1024


def settings(url: str, api_key: str | None, timeout_seconds: float) -> dict[str, Any]:
    """Return how connections are made; of a staff's key there is no trace in addresses.

    Raises ValueError for an address or a key that is none, before anything waits for an answer from there.
    """
    try:
        address = httpx2.URL(url)
    except httpx2.InvalidURL as wrong:
        raise ValueError(f"the address of the server: {wrong}") from None
    if address.scheme not in {"http", "https"} or not address.host:
        raise ValueError("the address of the server begins with https:// or http://, and has a name behind it")
    headers = {"Accept": "application/json", "User-Agent": "holdfast-client"}
    if api_key is not None:
        headers["Authorization"] = f"Bearer {in_header(api_key.strip(), 'api_key')}"
    return {"base_url": url, "headers": headers, "timeout": timeout_seconds, "follow_redirects": False}


def request_of(call: Call[Any]) -> Mapping[str, Any]:
    """Return an attempt as httpx2 takes it."""
    headers, content = dict(call.headers), None
    if call.body is not None:
        headers["Content-Type"], content = "application/json", msgspec.json.encode(call.body)
    return {"method": call.method, "url": call.path, "params": call.params, "content": content, "headers": headers}


class Hearing:
    """An answer while it comes in: it ends in time, or it was none."""

    def __init__(self, timeout_seconds: float) -> None:
        self._until = monotonic() + timeout_seconds
        self._body = bytearray()

    def take(self, chunk: bytes) -> None:
        """Take what came in. Raises httpx2.ReadError when it goes on for too long."""
        self._body += chunk
        if len(self._body) > _MOST_BYTES or monotonic() > self._until:
            raise httpx2.ReadError("the answer has no end")

    def reply(self, answer: httpx2.Response) -> Reply:
        """Return the answer, which has ended."""
        return Reply(answer.status_code, bytes(self._body), answer.headers.get("Retry-After"))


def no_reply(error: httpx2.RequestError) -> Reply:
    """Return what came of an attempt without an answer."""
    return Reply(may_have_arrived=not isinstance(error, _NOT_SENT))
