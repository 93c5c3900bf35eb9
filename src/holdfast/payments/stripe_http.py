"""How calls of Stripe's package travel, and what its errors mean. It tells nobody of itself or of what it sends."""

import asyncio
import logging
import re
from collections.abc import Mapping
from functools import cache
from ssl import SSLContext
from typing import Any, Final

import httpx2
import msgspec
import stripe
from stripe import _util as sdk

from holdfast.kernel.patience import seconds_asked
from holdfast.payments.port import Busy, NoSuchObject, ProviderError, Refused, Replayed, Unauthorized, Unknown

_TIMEOUT: Final = httpx2.Timeout(15.0, connect=5.0)
# Of a whole exchange: an answer that trickles never runs into the limits between bytes.
_EXCHANGE_SECONDS: Final = 30.0
_WORD: Final = re.compile("[a-z][a-z0-9_]{0,63}")
_BEARER: Final = re.compile("Bearer [!-~]+")
# Whatever else stands in the head of an answer, the package would act on some of it.
_REPLAYED, _RETRY_AFTER = "idempotent-replayed", "retry-after"

# The package has these for the whole process only. It would tell Stripe how fast it was and which machine this is, and
# write down a mark of the machine for that; and it would log requests and answers, which hold what is secret.
stripe.enable_telemetry = False
logging.getLogger("stripe").setLevel(logging.WARNING)
# What STRIPE_LOG says is printed past all logging.
sdk.STRIPE_LOG = None


class _Answer(msgspec.Struct):
    error: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


@cache
def _trusted() -> SSLContext:
    """Return what says whom to trust; reading it takes a fifth of a second, so that all accounts share it."""
    return httpx2.create_ssl_context()


class Transport(stripe.HTTPClient):
    """Sends what the package wants sent: once, within 5 s to connect, 15 s between bytes and 30 s in all."""

    name = "httpx2"

    def __init__(self) -> None:
        super().__init__()
        self._http = httpx2.AsyncClient(timeout=_TIMEOUT, verify=_trusted())

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Return body, status and what matters of the head of an answer.

        Raises APIConnectionError, also for what is no answer of Stripe's, since the package would stumble over it; and
        AuthenticationError for a key that no header can hold.
        """
        if not _BEARER.fullmatch(headers["Authorization"]):
            raise stripe.AuthenticationError("no key")
        try:
            async with asyncio.timeout(_EXCHANGE_SECONDS):
                answer = await self._http.request(method, url, headers=dict(headers), content=post_data)
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as failed:
            raise stripe.APIConnectionError(type(failed).__name__) from None  # type: ignore[no-untyped-call]
        if not _is_readable(answer.content):
            raise stripe.APIConnectionError("unreadable")  # type: ignore[no-untyped-call]
        kept = {name: answer.headers[name] for name in (_REPLAYED, _RETRY_AFTER) if name in answer.headers}
        return answer.content, answer.status_code, kept

    async def close_async(self) -> None:
        """Let go of connections."""
        await self._http.aclose()


def is_replayed(headers: Mapping[str, str] | None) -> bool:
    """Return whether an answer is that of an earlier call with the same key, word for word."""
    return (headers or {}).get(_REPLAYED) == "true"


def meaning_of(error: stripe.StripeError) -> ProviderError:
    """Return what an error of the package means (https://docs.stripe.com/api/errors).

    Its own text quotes the answer, and often the key: of all that only the word for what is wrong is kept.
    """
    reason = _word_of(error)
    if isinstance(error, stripe.RateLimitError):
        return Busy(reason, _patience_of(error))
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        return Unauthorized(reason)
    if isinstance(error, stripe.InvalidRequestError) and error.code == "resource_missing":
        return NoSuchObject(reason)
    if isinstance(error, stripe.InvalidRequestError | stripe.IdempotencyError | stripe.CardError):
        return Refused(reason)
    # A conflict (409) is another call with this key, or on this object, that has not ended yet.
    return Replayed(reason) if is_replayed(error.headers) else Unknown(reason, _patience_of(error))


def _word_of(error: stripe.StripeError) -> str:
    """Return the code of an error, else its type, else its status."""
    said = error.json_body.get("error") if isinstance(error.json_body, dict) else None
    told = said if isinstance(said, dict) else {}
    for word in (error.code, told.get("code"), told.get("type")):
        if isinstance(word, str) and _WORD.fullmatch(word):
            return word
    return "no_answer" if error.http_status is None else f"status_{error.http_status}"


def _patience_of(error: stripe.StripeError) -> float | None:
    return seconds_asked((error.headers or {}).get(_RETRY_AFTER))


def _is_readable(content: bytes) -> bool:
    try:
        msgspec.json.decode(content, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True
