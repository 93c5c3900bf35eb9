"""Calls of Google Calendar v3: whose token they carry, and what Google's refusals mean."""

import asyncio
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import quote

import httpx2
import msgspec

from holdfast.calendars.google_oauth import trusted
from holdfast.calendars.measures import QUOTA_REFUSALS
from holdfast.calendars.port import CalendarGone, QuotaExceeded, Refused, Unreachable
from holdfast.kernel.patience import seconds_asked

T = TypeVar("T")

_TIMEOUT: Final = httpx2.Timeout(20.0, connect=5.0)
# Of a whole exchange: an answer that trickles never runs into the limits between bytes.
_EXCHANGE_SECONDS: Final = 60.0
# Only these of the reasons for 403 pass by themselves.
_TOO_OFTEN: Final = {"rateLimitExceeded", "userRateLimitExceeded"}
_REASON: Final = re.compile("[A-Za-z]{1,64}")

Query = Mapping[str, str | int]


class Grant(Protocol):
    """What an owner has granted: where tokens come from."""

    async def access_token(self, refused: str | None = None) -> str:
        """Return a token that is good, other than one that was refused."""

    async def revoke(self) -> None:
        """Give it back."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that the caller reads itself."""

    status: int
    content: bytes

    def read(self, shape: type[T]) -> T:
        """Return the body; raises Unreachable when it is not of the shape."""
        try:
            return msgspec.json.decode(self.content, type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Unreachable("an answer that cannot be read") from None


class GoogleApi:
    """The API on behalf of one owner. Neither addresses nor bodies appear in the text of an error."""

    def __init__(self, url: str, grant: Grant) -> None:
        self._url = url
        self._grant = grant
        self._client = httpx2.AsyncClient(timeout=_TIMEOUT, verify=trusted())

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.aclose()

    async def call(
        self,
        method: str,
        *path: str,
        query: Query | None = None,
        body: Any = None,
        etag: str | None = None,
        expected: Collection[int] = (),
    ) -> Answer:
        """Return an answer of success, or one with a status that the caller expects.

        With an etag only that version is changed. A token that is refused is renewed, once. Raises NeedsReconnect,
        Refused, CalendarGone for what is not found, QuotaExceeded and Unreachable.
        """
        content = None if body is None else msgspec.json.encode(body)
        headers = {} if content is None else {"Content-Type": "application/json"}
        if etag is not None:
            headers["If-Match"] = etag
        url = "/".join((self._url, *(quote(part, safe="") for part in path)))
        token = await self._grant.access_token()
        answer = await self._sent(method, url, query, content, headers, token)
        if answer.status_code == httpx2.codes.UNAUTHORIZED:
            token = await self._grant.access_token(token)
            answer = await self._sent(method, url, query, content, headers, token)
        if answer.is_success or answer.status_code in expected:
            return Answer(answer.status_code, answer.content)
        raise _error_of(answer)

    async def _sent(
        self,
        method: str,
        url: str,
        query: Query | None,
        content: bytes | None,
        headers: dict[str, str],
        token: str,
    ) -> httpx2.Response:
        bearing = headers | {"Authorization": f"Bearer {token}"}
        try:
            async with asyncio.timeout(_EXCHANGE_SECONDS):
                return await self._client.request(method, url, params=query, content=content, headers=bearing)
        except (httpx2.RequestError, TimeoutError) as failed:
            raise Unreachable(type(failed).__name__) from None


class _Reason(msgspec.Struct):
    reason: str = ""


class _Error(msgspec.Struct):
    errors: list[_Reason] = []


class _Refusal(msgspec.Struct):
    error: _Error


def _error_of(answer: httpx2.Response) -> Exception:
    """Return what a refusal means (https://developers.google.com/workspace/calendar/api/guides/errors)."""
    status, reason = answer.status_code, _reason_of(answer.content)
    retry_after = seconds_asked(answer.headers.get("retry-after"))
    if status == httpx2.codes.TOO_MANY_REQUESTS or (status == httpx2.codes.FORBIDDEN and reason in _TOO_OFTEN):
        QUOTA_REFUSALS.add("google")
        return QuotaExceeded(reason, retry_after)
    if status >= httpx2.codes.INTERNAL_SERVER_ERROR or status == httpx2.codes.REQUEST_TIMEOUT:
        return Unreachable(f"status {status}", retry_after)
    if status == httpx2.codes.NOT_FOUND:
        return CalendarGone(reason)
    return Refused(f"status {status}: {reason}")


def _reason_of(content: bytes) -> str:
    try:
        errors = msgspec.json.decode(content, type=_Refusal).error.errors
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "unknown"
    found = errors[0].reason if errors else ""
    return found if _REASON.fullmatch(found) else "unknown"
