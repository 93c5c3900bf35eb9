"""Calls of YooKassa's API v3: who we are, which key a call carries, and what its refusals mean."""

import asyncio
import re
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from ssl import SSLContext
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx2
import msgspec

from holdfast.kernel.patience import seconds_asked
from holdfast.payments.port import Busy, NoSuchObject, Refused, Unauthorized, Unknown

T = TypeVar("T")

MOST_BYTES: Final = 1024 * 1024
# Of the header Idempotence-Key.
MOST_KEY_CHARACTERS: Final = 64
_TIMEOUT: Final = httpx2.Timeout(15.0, connect=5.0)
# Of a whole exchange: an answer that trickles never runs into the limits between bytes.
_EXCHANGE_SECONDS: Final = 30.0
_KEY: Final = re.compile(rf"[!-~]{{1,{MOST_KEY_CHARACTERS}}}")
# Their ids; anything else would be another address.
_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}")
# After any other answer of theirs than success it is not sure that nothing was done.
_REFUSALS: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_NO_LETTERS: Final = re.compile(r"[^a-z0-9]+")

Query = Mapping[str, str | int]


def is_id(text: str) -> bool:
    """Return whether an object of theirs may have this id."""
    return _ID.fullmatch(text) is not None


def word_of(text: str) -> str:
    """Return their word for something as one of ours: small letters, digits and underscores, a letter first."""
    word = _NO_LETTERS.sub("_", text.lower()).strip("_")
    if not word:
        return "unknown"
    return (word if word[0].isalpha() else f"reason_{word}")[:64].rstrip("_")


def read(content: bytes | msgspec.Raw, shape: type[T]) -> T:
    """Return what they have sent; raises Unknown when it is not of the shape."""
    try:
        return msgspec.json.decode(content, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Unknown("an answer that cannot be read") from None


class YooKassaApi:
    """The API on behalf of one shop. No error tells an address, what was sent or what was answered."""

    def __init__(self, url: str, shop_id: str, secret: str) -> None:
        self._url = url.rstrip("/")
        self._client = httpx2.AsyncClient(
            auth=httpx2.BasicAuth(shop_id, secret), timeout=_TIMEOUT, verify=_trusted(), follow_redirects=False
        )

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.aclose()

    async def get(self, shape: type[T], *path: str, query: Query | None = None) -> T:
        """Return what is at a path. Raises NoSuchObject, Refused, Unauthorized, Busy and Unknown."""
        return await self._called(shape, "GET", path, query=query)

    async def post(self, shape: type[T], *path: str, key: str, body: Any) -> T:
        """Return what has become of a request; with the same key it is the same request, for 24 hours.

        Raises what `get` raises.
        """
        assert _KEY.fullmatch(key), "a key is 1 to 64 printed characters of ASCII"
        headers = {"Content-Type": "application/json", "Idempotence-Key": key}
        return await self._called(shape, "POST", path, headers=headers, content=msgspec.json.encode(body))

    async def _called(
        self,
        shape: type[T],
        method: str,
        path: tuple[str, ...],
        *,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> T:
        url = "/".join((self._url, *(quote(part, safe="") for part in path)))
        # What is not packed is not more than what has come.
        sent = {"Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})}
        try:
            async with (
                asyncio.timeout(_EXCHANGE_SECONDS),
                self._client.stream(method, url, params=query, headers=sent, content=content) as answer,
            ):
                body = await _body(answer)
        except (httpx2.HTTPError, httpx2.StreamError, TimeoutError) as failed:
            raise Unknown(type(failed).__name__) from None
        if answer.status_code != HTTPStatus.OK:
            raise _error_of(answer, body, of_object=len(path) > 1)
        return read(body, shape)


@cache
def _trusted() -> SSLContext:
    """Return what says whom to trust; reading it takes a fifth of a second, so that all shops share it."""
    return httpx2.create_ssl_context()


async def _body(answer: httpx2.Response) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_raw():
        body += chunk
        if len(body) > MOST_BYTES:
            raise Unknown("an answer of more than 1 MB")
    return bytes(body)


class _Error(msgspec.Struct):
    """Their object for an error, and for a request that they are not done with."""

    type: str
    code: str = ""
    # Which member of the request, or which header, it is about.
    parameter: str | None = None
    # In milliseconds.
    retry_after: int | None = None


def _error_of(answer: httpx2.Response, body: bytes, *, of_object: bool) -> Exception:
    """Return what a refusal means (https://yookassa.ru/developers/using-api/response-handling/http-codes).

    A refusal counts only in their own words: what stands in between may say 404 about something else.
    """
    status = answer.status_code
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return Unauthorized(f"status {status}")
    try:
        error = msgspec.json.decode(body, type=_Error)
    except (msgspec.DecodeError, UnicodeDecodeError):
        error = _Error(type="")
    retry_after = seconds_asked(answer.headers.get("retry-after"))
    if retry_after is None and error.retry_after is not None:
        retry_after = seconds_asked(str(-(-error.retry_after // 1_000)))
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Busy(f"status {status}", retry_after)
    in_their_words = error.type == "error" and error.code != ""
    if not in_their_words or status not in _REFUSALS:
        return Unknown(f"status {status}", retry_after)
    if status == HTTPStatus.NOT_FOUND and of_object:
        return NoSuchObject(f"status {status}")
    return Refused(word_of(f"{error.code} {error.parameter or ''}"))
