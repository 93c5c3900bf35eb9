"""Requests to servers that owners name: bounded in time and size, to allowed addresses, silent on secrets."""

import asyncio
import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import httpx2

from holdfast.calendars.measures import QUOTA_REFUSALS
from holdfast.calendars.port import CalendarError, FeedBroken, NeedsReconnect, QuotaExceeded, Refused, Unreachable
from holdfast.kernel.outward import CheckedTransport, NotKnown, NotPublic
from holdfast.kernel.patience import seconds_asked

MOST_BYTES: Final = 20 * 1024 * 1024
_MOST_REDIRECTS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_TIMEOUT: Final = httpx2.Timeout(20, connect=5)
# Of a whole exchange: a server that sends a byte from time to time never runs into the limits between bytes.
_EXCHANGE_SECONDS: Final = 60


class TooMuch(FeedBroken):
    """It sends more than is read at once."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server has answered, and from where in the end."""

    status: int
    headers: httpx2.Headers
    body: bytes
    url: httpx2.URL

    def __repr__(self) -> str:
        return f"Answer({self.status})"


class Wire:
    """Speaks with one server for as long as it is open. No error of it tells an address or what was sent."""

    def __init__(self, *, private_networks: bool, login: tuple[str, str] | None = None) -> None:
        self._private_networks = private_networks
        self._login = login
        # Whoever runs the server may have set a proxy: it would look names up, and connect, in our stead.
        self._client = httpx2.AsyncClient(
            transport=CheckedTransport(private_networks=private_networks), trust_env=False, timeout=_TIMEOUT
        )

    def url(self, address: str, base: httpx2.URL | None = None) -> httpx2.URL:
        """Return an address, which may be relative to another, as one that we may ask. Raises Refused."""
        try:
            url = httpx2.URL(address) if base is None else base.join(address)
        except (httpx2.InvalidURL, ValueError):
            raise Refused("this is no address of a calendar") from None
        if url.scheme == "webcal":
            url = url.copy_with(scheme="https")
        if url.scheme not in {"http", "https"} or not url.host:
            raise Refused("this is no address of a calendar")
        if url.scheme == "http" and self._login is not None and not self._private_networks:
            raise Refused("a password is sent over https only")
        if base is not None and self._login is not None and _site(url) != _site(base):
            raise Refused("the server sends us with the password to somebody else")
        if base is not None and base.scheme == "https" and url.scheme == "http":
            raise Refused("the server sends us from https to http")
        # Who is asked for is said in the login, not in the address.
        return url.copy_with(username="", password="", fragment=None)

    async def ask(
        self, method: str, url: httpx2.URL, headers: Mapping[str, str] | None = None, content: bytes | None = None
    ) -> Answer:
        """Return the answer to a request, wherever on the way the server has sent us.

        Raises Refused, NeedsReconnect (401), QuotaExceeded (429), Unreachable (5xx and what went wrong on the way),
        TooMuch for more than 20 MB. Other answers are for the caller to judge.
        """
        sent = {"accept-encoding": "gzip", **(headers or {})}
        if self._login is not None:
            sent["authorization"] = f"Basic {base64.b64encode(':'.join(self._login).encode()).decode()}"
        try:
            async with asyncio.timeout(_EXCHANGE_SECONDS):
                for _ in range(_MOST_REDIRECTS + 1):
                    answer = await self._once(method, url, sent, content)
                    if answer.status not in _REDIRECTS or "location" not in answer.headers:
                        return _judged(answer)
                    if answer.status == HTTPStatus.SEE_OTHER and method != "GET":
                        raise Refused("the server answers elsewhere than where it was asked")
                    url = self.url(answer.headers["location"], answer.url)
        except QuotaExceeded:
            QUOTA_REFUSALS.add("ics" if self._login is None else "caldav")
            raise
        except NotPublic:
            raise Refused("the calendar is at an address that is not public") from None
        except NotKnown:
            raise Unreachable("the name of the calendar's server is not known") from None
        except TimeoutError:
            raise Unreachable("the server takes too long") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            raise Unreachable(f"the server could not be asked: {type(error).__name__}") from None
        raise Refused(f"the server sends us on more than {_MOST_REDIRECTS} times")

    async def _once(self, method: str, url: httpx2.URL, headers: Mapping[str, str], content: bytes | None) -> Answer:
        request = self._client.build_request(method, url, headers=dict(headers), content=content)
        response = await self._client.send(request, stream=True)
        try:
            return Answer(response.status_code, response.headers, await _body(response), url)
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.aclose()


async def _body(response: httpx2.Response) -> bytes:
    """Return what is sent, up to 20 MB of it, unpacked no further than that. Raises FeedBroken."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip", "x-gzip"}:
        raise FeedBroken("the server packs its answer in a way that it was not asked for")
    packed = None if encoding == "identity" else zlib.decompressobj(zlib.MAX_WBITS | 32)
    body, received = bytearray(), 0
    async for chunk in response.aiter_raw():
        received += len(chunk)
        if packed is None:
            body += chunk
        elif not packed.eof:
            try:
                # What a few bytes unpack to may not fit into memory: one byte more than allowed is enough to know.
                body += packed.decompress(chunk, MOST_BYTES + 1 - len(body))
            except zlib.error:
                raise FeedBroken("the server's answer cannot be unpacked") from None
        if max(len(body), received) > MOST_BYTES:
            raise TooMuch("the server sends more than 20 MB")
    if packed is not None and received and not packed.eof:
        raise FeedBroken("the server's answer ends too early")
    return bytes(body)


def _judged(answer: Answer) -> Answer:
    """Raise for what every server means in the same way."""
    error: CalendarError | None = None
    if answer.status == HTTPStatus.UNAUTHORIZED:
        error = NeedsReconnect("the server does not accept the login")
    elif answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        error = QuotaExceeded("the server was asked too often", seconds_asked(answer.headers.get("retry-after")))
    elif answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR and answer.status not in _ABOUT_THE_REQUEST:
        error = Unreachable(f"the server answers {answer.status}", seconds_asked(answer.headers.get("retry-after")))
    elif answer.status in _REDIRECTS:
        error = Refused("the server sends us on, but not where to")
    if error is not None:
        raise error
    return answer


# Not implemented; and of CalDAV, that there is no room, or more than it tells at once.
_ABOUT_THE_REQUEST: Final = frozenset({HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.INSUFFICIENT_STORAGE})


def _site(url: httpx2.URL) -> str:
    """Return whom a host belongs to, near enough: the end of its name, or the whole of an address."""
    host = url.raw_host.decode("ascii")
    labels = host.split(".")
    is_name = not (labels[-1].isdigit() or ":" in host)
    return ".".join(labels[-2:]) if is_name else host
