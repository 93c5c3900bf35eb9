"""What owners grant us at Google: asked for, exchanged, renewed and given back."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from holdfast.calendars.connections import Tokens
from holdfast.calendars.measures import QUOTA_REFUSALS
from holdfast.calendars.port import NeedsReconnect, QuotaExceeded, Refused, Unreachable
from holdfast.calendars.settings import GoogleSettings
from holdfast.kernel.patience import seconds_asked

_PREFIX: Final = "https://www.googleapis.com/auth/"
# The least with which events are read and written, calendars are listed, and those of others tell when they are busy.
EVENTS: Final = _PREFIX + "calendar.events"
SCOPES: Final = (EVENTS, _PREFIX + "calendar.calendarlist.readonly", _PREFIX + "calendar.events.freebusy")
# Of a renewal: others wait for its row meanwhile, and the database lets nobody wait for 10 seconds.
_SECONDS: Final = 5.0


@cache
def trusted() -> ssl.SSLContext:
    """Return what says whom to trust; reading it takes a fifth of a second, so that all clients share it."""
    return httpx2.create_ssl_context()


class GoogleOAuth:
    """Our client at Google. Nothing of what it is given or gets appears in the text of an error."""

    def __init__(self, settings: GoogleSettings) -> None:
        assert settings.client_id is not None, "no client at Google is set"
        self._settings = settings

    def authorize_url(self, redirect_uri: str, state: str, verifier: str) -> str:
        """Return where an owner goes to consent.

        Offline, and asking each time, so that Google answers with a refresh token. The verifier (RFC 7636) stays here.
        """
        client = AsyncOAuth2Client(
            client_id=self._settings.client_id,
            redirect_uri=redirect_uri,
            scope=" ".join(SCOPES),
            code_challenge_method="S256",
            verify=trusted(),
        )
        url, _ = client.create_authorization_url(
            self._settings.authorize_url, state=state, code_verifier=verifier, access_type="offline", prompt="consent"
        )
        return str(url)

    async def exchange(self, redirect_uri: str, code: str, verifier: str) -> Tokens:
        """Return what was granted for the code with which an owner came back.

        Raises Refused, also when the owner has not let us see events, and Unreachable.
        """
        try:
            async with self._asking() as client:
                granted = await client.fetch_token(
                    self._settings.token_url,
                    grant_type="authorization_code",
                    code=code,
                    redirect_uri=redirect_uri,
                    code_verifier=verifier,
                )
        except NeedsReconnect:
            # There is nothing yet that could be void.
            raise Refused("the code is not good") from None
        if not set(SCOPES) <= set(str(granted.get("scope", "")).split()):
            raise Refused("not all that was asked for was granted")
        return _tokens(granted)

    async def renew(self, refresh_token: str) -> Tokens:
        """Return new tokens, most often without a new refresh token; raises NeedsReconnect, Refused, Unreachable."""
        async with self._asking() as client:
            # Not its `refresh_token`, which would put the old one into an answer that has none.
            granted = await client.fetch_token(
                self._settings.token_url, grant_type="refresh_token", refresh_token=refresh_token
            )
        return _tokens(granted)

    async def revoke(self, token: str) -> None:
        """Give back the grant of a token; one that is void is as good as given back. Raises Unreachable."""
        async with self._asking() as client:
            _refuse_to_read_failures(await client.revoke_token(self._settings.revoke_url, token=token))

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[Any]:
        """Lend a client for one question, and raise what it meets as errors of the port."""
        client = AsyncOAuth2Client(
            client_id=self._settings.client_id,
            client_secret=self._settings.client_secret,
            token_endpoint_auth_method="client_secret_post",  # noqa: S106 - the name of a method
            revocation_endpoint_auth_method="none",
            verify=trusted(),
            timeout=_SECONDS,
        )
        client.register_compliance_hook("access_token_response", _refuse_to_read_failures)
        try:
            async with asyncio.timeout(_SECONDS), client:
                yield client
        except OAuthError as refused:
            if refused.error == "invalid_grant":
                raise NeedsReconnect("invalid_grant") from None
            raise Refused("Google refuses to grant") from None
        except (httpx2.HTTPError, TimeoutError, ValueError):
            raise Unreachable("Google grants nothing now") from None


def _refuse_to_read_failures(answer: httpx2.Response) -> httpx2.Response:
    retry_after = seconds_asked(answer.headers.get("retry-after"))
    if answer.status_code == httpx2.codes.TOO_MANY_REQUESTS:
        QUOTA_REFUSALS.add("google")
        raise QuotaExceeded("too many renewals", retry_after)
    if answer.status_code >= httpx2.codes.INTERNAL_SERVER_ERROR:
        raise Unreachable(f"status {answer.status_code}", retry_after)
    return answer


def _tokens(granted: dict[str, Any]) -> Tokens:
    if not granted.get("access_token"):
        raise Unreachable("an answer without token")
    expires_at = datetime.fromtimestamp(granted.get("expires_at", 0), UTC)
    return Tokens(granted["access_token"], expires_at, granted.get("refresh_token") or None)
