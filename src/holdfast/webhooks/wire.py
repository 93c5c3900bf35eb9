"""One message to a server that an owner has named: to an allowed address, bounded in time, no step further.

Nothing that goes wrong is told with the address, in which there may be a secret, or with what the server has said.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import httpx2
import structlog

from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.languages import N_
from holdfast.kernel.outward import CheckedTransport, NotKnown, NotPublic, addresses_of
from holdfast.kernel.patience import seconds_asked
from holdfast.webhooks.settings import WebhookSettings

_log = structlog.get_logger(__name__)

MOST_LETTERS: Final = 2_000
# Of a whole exchange, and of its beginning.
EXCHANGE_SECONDS: Final = 15.0
_CONNECT_SECONDS: Final = 5.0
# As much of an answer is listened to, out of politeness.
_MOST_BYTES: Final = 65_536

_NOT_AN_ADDRESS = N_("must be an address like https://example.org/webhooks")
_NOT_HTTPS = N_("must begin with https://")
_HAS_LOGIN = N_("must not have a user or a password in it")
_UNKNOWN_HOST = N_("leads to a server that nobody knows")
_NOT_REACHED = N_("leads to an address that is not public, which this server does not speak to")


@dataclass(frozen=True, slots=True)
class Reply:
    """What an attempt has come to: a status if there was an answer, and a word if it failed."""

    status: int | None
    reason: str | None
    retry_after_seconds: float | None = None


async def check(text: str, settings: WebhookSettings) -> None:
    """Look at the address of an endpoint. Raises ValidationFailed for what is none, and for what may not be reached."""
    url = _parsed(text, settings)
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            await addresses_of(url.raw_host.decode("ascii"), port, private_networks=settings.private_networks)
    except NotPublic:
        raise ValidationFailed.at("url", _NOT_REACHED) from None
    except (NotKnown, TimeoutError):
        raise ValidationFailed.at("url", _UNKNOWN_HOST) from None


async def post(address: str, body: bytes, headers: Mapping[str, str], settings: WebhookSettings) -> Reply:
    """Send a message. What its name means is looked up anew, and only what was looked at is connected to.

    Whatever the server answers but with a status of 2xx is a failure: nobody is followed to another address. So is what
    nobody has foreseen: the attempt is over, and the next one has its pause.
    """
    try:
        return await _exchange(address, body, headers, settings)
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, ValidationFailed):
        pass
    except Exception as error:  # noqa: BLE001  it would be tried again at once, for ever
        # Its text may quote the address.
        _log.error("webhook_failed_unforeseen", kind=type(error).__qualname__)
    return Reply(None, "broken")


async def _exchange(address: str, body: bytes, headers: Mapping[str, str], settings: WebhookSettings) -> Reply:
    """Send a message and judge what becomes of it, where that has a word."""
    try:
        url = _parsed(address, settings)
        async with (
            asyncio.timeout(EXCHANGE_SECONDS),
            httpx2.AsyncClient(
                transport=CheckedTransport(private_networks=settings.private_networks),
                trust_env=False,
                follow_redirects=False,
                timeout=httpx2.Timeout(EXCHANGE_SECONDS, connect=_CONNECT_SECONDS),
            ) as client,
            client.stream("POST", url, content=body, headers=dict(headers)) as response,
        ):
            await _listen(response)
            return _judged(response)
    except NotPublic:
        return Reply(None, "not_public")
    except NotKnown:
        return Reply(None, "unknown_host")
    except (TimeoutError, httpx2.TimeoutException):
        return Reply(None, "too_slow")
    except httpx2.ConnectError:
        return Reply(None, "not_reached")


async def _listen(response: httpx2.Response) -> None:
    """Hear an answer out, as far as it is not too long; what it says is nobody's business here."""
    received = 0
    async for chunk in response.aiter_raw():
        received += len(chunk)
        if received > _MOST_BYTES:
            return


def _judged(response: httpx2.Response) -> Reply:
    status = response.status_code
    if response.is_success:
        return Reply(status, None)
    if status == HTTPStatus.GONE:
        return Reply(status, "gone")
    asked = seconds_asked(response.headers.get("retry-after"))
    return Reply(status, "redirected" if response.has_redirect_location else "refused", asked)


def _parsed(text: str, settings: WebhookSettings) -> httpx2.URL:
    """Return an address as it is asked. Raises ValidationFailed."""
    try:
        url = httpx2.URL(text)
        sound = url.scheme in {"http", "https"} and bool(url.raw_host) and not url.fragment and text.isprintable()
    except (httpx2.InvalidURL, ValueError):
        sound = False
    if not sound or len(text) > MOST_LETTERS or " " in text:
        raise ValidationFailed.at("url", _NOT_AN_ADDRESS)
    if url.scheme == "http" and not settings.private_networks:
        raise ValidationFailed.at("url", _NOT_HTTPS)
    if url.userinfo:
        raise ValidationFailed.at("url", _HAS_LOGIN)
    return url
