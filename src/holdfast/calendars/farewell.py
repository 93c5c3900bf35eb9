"""What is still done at a provider after a connection is gone: as far as it lets us (C-7)."""

import asyncio
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from holdfast.calendars.accounts import Left
from holdfast.calendars.channels import stop_channels
from holdfast.calendars.connections import Connection, ProviderName
from holdfast.calendars.google_oauth import GoogleOAuth
from holdfast.calendars.port import CalendarError, Changed, Provider
from holdfast.calendars.providers import Providers
from holdfast.calendars.settings import CalendarSettings

log = structlog.get_logger(__name__)

# A person waits meanwhile. Events that are left then are told.
_PATIENCE_SECONDS = 40
_PATIENCE_FOR_EVENTS_SECONDS = 20
_AHEAD = timedelta(seconds=120)


@dataclass(slots=True)
class Farewell:
    """What became of it: None where there was nothing to do. `problems` are words for people."""

    channels_stopped: bool | None = None
    access_revoked: bool | None = None
    events_removed: int = 0
    events_left: int = 0
    problems: list[str] = field(default_factory=list)


async def say_farewell(
    providers: Providers, settings: CalendarSettings, business_id: UUID, left: Left, *, remove_events: bool
) -> Farewell:
    """Remove our events to come if that is wanted, stop channels, give the access back; return what became of it.

    Whatever fails is told and noted in the log; nothing of it is tried again, since nothing here knows of it any more.
    """
    farewell = Farewell(events_left=len(left.events) if remove_events else 0)
    try:
        async with (
            asyncio.timeout(_PATIENCE_SECONDS),
            providers.opened(business_id, await _renewed(settings, left.connection)) as provider,
        ):
            if remove_events:
                await _remove_events(provider, left, farewell)
            if left.channels:
                farewell.channels_stopped = len(await stop_channels(provider, left.channels)) == len(left.channels)
            await _revoke(provider, left, farewell)
    except CalendarError as error:
        _note(farewell, left, error.code, "Access could not be given back; withdraw it in the account itself")
    except TimeoutError:
        _note(farewell, left, "unreachable", "The provider took too long; withdraw access in the account itself")
    if farewell.channels_stopped is False:
        farewell.problems.append(
            "Messages about changes could not be stopped; they end within days, and are not believed"
        )
    if farewell.events_left:
        farewell.problems.append(f"Events that could not be removed from the calendar: {farewell.events_left}")
    return farewell


async def _renewed(settings: CalendarSettings, connection: Connection) -> Connection:
    """Return a connection whose token is good for a while: there is no row any more in which it could be renewed."""
    refresh, until = connection.refresh_token, connection.access_token_expires_at
    is_good = until is not None and until > datetime.now(UTC) + _AHEAD
    if (
        not settings.google_is_configured
        or connection.provider is not ProviderName.GOOGLE
        or refresh is None
        or is_good
    ):
        return connection
    try:
        tokens = await GoogleOAuth(settings.google).renew(refresh)
    except CalendarError:
        # Giving back needs none.
        return connection
    return replace(connection, access_token=tokens.access_token, access_token_expires_at=tokens.expires_at)


async def _remove_events(provider: Provider, left: Left, farewell: Farewell) -> None:
    deadline = time.monotonic() + _PATIENCE_FOR_EVENTS_SECONDS
    for event in left.events:
        if time.monotonic() > deadline:
            return
        try:
            await provider.remove(event.remote_id, event.event_id, event.etag)
        except Changed:
            # A person has made it theirs.
            continue
        except CalendarError as error:
            log.warning("calendar_events_left", connection=str(left.connection.id), code=error.code)
            return
        farewell.events_removed += 1
        farewell.events_left -= 1


async def _revoke(provider: Provider, left: Left, farewell: Farewell) -> None:
    if left.connection.provider is not ProviderName.GOOGLE:
        return
    farewell.access_revoked = False
    if left.shared:
        farewell.problems.append("Access stays, since another connection of this account stands on it")
        return
    await provider.revoke()
    farewell.access_revoked = True


def _note(farewell: Farewell, left: Left, code: str, words: str) -> None:
    log.warning("calendar_farewell_failed", connection=str(left.connection.id), code=code)
    farewell.problems.append(words)
