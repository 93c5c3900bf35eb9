"""The adapter for Google, speaking with the fake."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from calendars.google.fake import FakeGoogle
from calendars.google.server import settings_of
from holdfast.calendars.connections import Tokens
from holdfast.calendars.event_ids import event_id_of
from holdfast.calendars.google import GoogleCalendar
from holdfast.calendars.google_oauth import SCOPES, GoogleOAuth
from holdfast.calendars.port import Mark, NeedsReconnect, OwnEvent, Page, RemoteEvent, Window

# A Monday, in winter.
DAY = datetime(2027, 3, 1, tzinfo=UTC)
START = int(DAY.timestamp())
HOUR, WEEK = 3_600, 7 * 86_400
WINDOW = Window(START, START + 4 * WEEK)
ZONE = "Europe/Moscow"


@dataclass(frozen=True)
class JustGranted:
    """What an owner has granted, with nothing of it stored."""

    oauth: GoogleOAuth
    tokens: Tokens

    async def access_token(self, refused: str | None = None) -> str:
        """Return the token; raises NeedsReconnect if it was refused."""
        if refused is not None:
            raise NeedsReconnect("the token that was just granted is refused")
        return self.tokens.access_token

    async def revoke(self) -> None:
        """Give back what was granted."""
        await self.oauth.revoke(self.tokens.refresh_token or self.tokens.access_token)


def tokens_of(google: FakeGoogle) -> Tokens:
    """Return what the owner of the account has granted, without having been asked."""
    access, refresh = google.oauth.grant(google.oauth.account, *SCOPES)
    return Tokens(access, datetime.now(UTC) + timedelta(hours=1), refresh)


@asynccontextmanager
async def opened(google: FakeGoogle, push_address: str | None = None) -> AsyncIterator[GoogleCalendar]:
    """Lend the adapter for the account of the fake."""
    settings = settings_of(google)
    adapter = GoogleCalendar(settings, JustGranted(GoogleOAuth(settings), tokens_of(google)), push_address)
    try:
        yield adapter
    finally:
        await adapter.close()


def own_event(booking_id: UUID | None = None, start: int = START, version: int = 1) -> OwnEvent:
    """Return the event of an hour for a booking."""
    booking_id = booking_id or uuid4()
    return OwnEvent(
        event_id_of(booking_id), Mark(booking_id, version), start, start + HOUR, ZONE, "First talk", str(booking_id)
    )


async def looked(
    adapter: GoogleCalendar, remote_id: str, sync_point: str | None = None, zone: str = ZONE, window: Window = WINDOW
) -> tuple[list[Page], dict[str, RemoteEvent], str]:
    """Look at a calendar; return the pages, the events by their ids, and where the next look goes on."""
    pages = [page async for page in adapter.changes(remote_id, zone, sync_point, window)]
    assert pages[-1].sync_point is not None
    return pages, {event.event_id: event for page in pages for event in page.events}, pages[-1].sync_point
