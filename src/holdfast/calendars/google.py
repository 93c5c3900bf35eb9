"""The adapter for Google Calendar v3."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import httpx2
import msgspec

from holdfast.availability.ics.times import Span
from holdfast.availability.walltime import UnknownTimeZone, check_zone, utc_text
from holdfast.calendars.google_api import Answer, GoogleApi, Grant, Query
from holdfast.calendars.google_events import FIELDS, OURS, Event, changed_members, instant_of, whole
from holdfast.calendars.port import (
    Access,
    AlreadyThere,
    Changed,
    Kind,
    OwnEvent,
    Page,
    RemoteCalendar,
    RemoteEvent,
    SyncPointGone,
    Unreachable,
    Watch,
    Window,
)
from holdfast.calendars.settings import GoogleSettings

_CONFLICT, _GONE = httpx2.codes.CONFLICT, httpx2.codes.GONE
_NOT_FOUND, _OLD_VERSION = httpx2.codes.NOT_FOUND, httpx2.codes.PRECONDITION_FAILED
_ACCESS: Final = {
    "owner": Access.WRITE,
    "writer": Access.WRITE,
    "writerWithoutPrivateAccess": Access.WRITE,
    "reader": Access.READ,
    "freeBusyReader": Access.FREE_BUSY,
}
# The most that Google puts into a page, into a list of calendars, into a question who is busy.
_EVENTS_OF_A_PAGE: Final = 2_500
_CALENDARS_OF_A_PAGE: Final = 250
_CALENDARS_OF_A_QUESTION: Final = 50
# Google refuses a question about too long a time and does not say which is.
_QUESTION_SECONDS: Final = 56 * 86_400


class _Entry(msgspec.Struct, rename="camel"):
    id: str
    summary: str = ""
    summary_override: str | None = None
    time_zone: str | None = None
    access_role: str = ""
    primary: bool = False


class _Entries(msgspec.Struct, rename="camel"):
    items: list[_Entry] = []
    next_page_token: str | None = None


class _Events(msgspec.Struct, rename="camel"):
    items: list[Event] = []
    time_zone: str | None = None
    next_page_token: str | None = None
    next_sync_token: str | None = None


class _Version(msgspec.Struct):
    etag: str | None = None


class _Period(msgspec.Struct):
    start: datetime
    end: datetime


class _Busy(msgspec.Struct):
    busy: list[_Period] = []
    errors: list[msgspec.Raw] = []


class _Answered(msgspec.Struct):
    calendars: dict[str, _Busy] = {}


class _Channel(msgspec.Struct, rename="camel"):
    resource_id: str
    # Milliseconds, as text.
    expiration: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,15}$")]


class GoogleCalendar:
    """One account at Google. `push_address` is where Google tells of changes, None where it cannot reach us."""

    writes = True

    def __init__(self, settings: GoogleSettings, grant: Grant, push_address: str | None) -> None:
        self.pushes = push_address is not None
        self._grant = grant
        self._api = GoogleApi(settings.api_url, grant)
        self._push_address = push_address
        # Of calendars that were looked at: an event by itself does not tell in which zone its days are.
        self._zones: dict[str, str] = {}

    async def calendars(self) -> list[RemoteCalendar]:
        """Return the calendars of the account."""
        query: dict[str, str | int] = {
            "maxResults": _CALENDARS_OF_A_PAGE,
            "fields": "nextPageToken,items(id,summary,summaryOverride,timeZone,accessRole,primary)",
        }
        found: list[RemoteCalendar] = []
        while True:
            page = (await self._api.call("GET", "users", "me", "calendarList", query=query)).read(_Entries)
            found += [
                RemoteCalendar(
                    remote_id=entry.id,
                    name=entry.summary_override or entry.summary,
                    timezone=_zone(entry.time_zone),
                    access=_ACCESS[entry.access_role],
                    primary=entry.primary,
                )
                for entry in page.items
                if entry.access_role in _ACCESS
            ]
            if page.next_page_token is None:
                return found
            query["pageToken"] = page.next_page_token

    async def changes(
        self, remote_id: str, timezone: str, sync_point: str | None, window: Window
    ) -> AsyncIterator[Page]:
        """Yield what has changed since a sync point, or everything within the window without one.

        A sync point keeps the window with which it began: Google takes none with it. An event of ours is told with its
        time wherever that is, so that it can be compared. Raises SyncPointGone, also when the calendar is in another
        zone by now: its whole days, of which nothing has changed there, are other times here.
        """
        query: dict[str, str | int] = _single_events()
        query |= _between(window) if sync_point is None else {"syncToken": sync_point}
        seen = False
        while True:
            page = await self._page(remote_id, query)
            zone = _zone(page.time_zone)
            if sync_point is not None and zone not in {None, timezone}:
                raise SyncPointGone("the calendar is in another zone by now")
            self._zones[remote_id] = timezone = zone or timezone
            last, seen = page.next_page_token is None, seen or bool(page.items)
            if last and page.next_sync_token is None:
                raise Unreachable("a last page without sync token")
            yield Page(
                events=[_within(window, event.remote(timezone)) for event in page.items],
                whole=sync_point is None,
                sync_point=page.next_sync_token if last else None,
                unchanged=last and not seen and sync_point is not None,
                timezone=zone,
            )
            if page.next_page_token is None:
                return
            query["pageToken"] = page.next_page_token

    async def busy(self, remote_ids: Sequence[str], window: Window) -> Mapping[str, Sequence[Span] | None]:
        """Return when calendars are busy; None for one of which Google says anything else, or nothing."""
        found: dict[str, list[Span] | None] = {remote_id: [] for remote_id in remote_ids}
        for start in range(window.start, window.end, _QUESTION_SECONDS):
            piece = Window(start, min(window.end, start + _QUESTION_SECONDS))
            for first in range(0, len(remote_ids), _CALENDARS_OF_A_QUESTION):
                asked = remote_ids[first : first + _CALENDARS_OF_A_QUESTION]
                body = _between(piece) | {"items": [{"id": remote_id} for remote_id in asked]}
                answer = await self._api.call("POST", "freeBusy", query={"fields": "calendars"}, body=body)
                told = answer.read(_Answered).calendars
                for remote_id in asked:
                    spans, one = found[remote_id], told.get(remote_id)
                    if one is None or one.errors:
                        found[remote_id] = None
                    elif spans is not None:
                        spans += [Span(instant_of(busy.start), instant_of(busy.end)) for busy in one.busy]
        return {remote_id: None if spans is None else _joined(spans) for remote_id, spans in found.items()}

    async def find(self, remote_id: str, event_id: str) -> RemoteEvent | None:
        """Return an event by its id, one that was deleted as gone while Google remembers it.

        None for one that Google does not know. Raises CalendarGone.
        """
        answer = await self._api.call(*_event(remote_id, event_id, "GET"), query=_one(), expected={_NOT_FOUND, _GONE})
        if answer.status != httpx2.codes.OK:
            # The same is said of every event of a calendar that is gone.
            await self._ask_zone(remote_id)
            return None
        event = answer.read(Event)
        return event.remote(await self._zone_of(remote_id) if event.has_days() else "UTC")

    async def own_events(self, remote_id: str, window: Window) -> AsyncIterator[RemoteEvent]:
        """Yield the events with a mark that take place within a window, copies too."""
        query = _single_events() | _between(window) | {"privateExtendedProperty": OURS}
        while True:
            page = await self._page(remote_id, query)
            zone = _zone(page.time_zone) or "UTC"
            for event in page.items:
                if (found := event.remote(zone)).mark is not None:
                    yield found
            if page.next_page_token is None:
                return
            query["pageToken"] = page.next_page_token

    async def put(self, remote_id: str, event: OwnEvent, etag: str | None) -> str | None:
        """Write an event and return its version.

        Making it names its id, so that making it twice raises AlreadyThere. Changing it names times, existence and mark
        only; raises Changed when it is another version by now.
        """
        if etag is None:
            answer = await self._api.call(
                "POST", "calendars", remote_id, "events", query=_write(), body=whole(event), expected={_CONFLICT}
            )
            if answer.status == _CONFLICT:
                raise AlreadyThere(await self._found_instead(remote_id, event))
        else:
            answer = await self._api.call(
                *_event(remote_id, event.event_id, "PATCH"),
                query=_write(),
                body=changed_members(event),
                etag=etag,
                expected={_NOT_FOUND, _GONE, _OLD_VERSION},
            )
            if answer.status != httpx2.codes.OK:
                raise Changed(await self.find(remote_id, event.event_id))
        return answer.read(_Version).etag

    async def remove(self, remote_id: str, event_id: str, etag: str | None) -> None:
        """Delete an event, if it is that version still; raises Changed, CalendarGone."""
        answer = await self._api.call(
            *_event(remote_id, event_id, "DELETE"),
            query={"sendUpdates": "none"},
            etag=etag,
            expected={_NOT_FOUND, _GONE, _OLD_VERSION},
        )
        if answer.status in {_NOT_FOUND, _OLD_VERSION}:
            found = await self.find(remote_id, event_id)
            if found is not None and found.kind is not Kind.GONE:
                raise Changed(found)

    async def watch(self, remote_id: str, channel_id: UUID, token: str, seconds: int) -> Watch:
        """Have changes told to us under a channel; Google may let it end sooner than was asked for."""
        assert self._push_address is not None, "Google cannot reach this server"
        body = {
            "id": str(channel_id),
            "type": "web_hook",
            "address": self._push_address,
            "token": token,
            "params": {"ttl": str(seconds)},
        }
        answer = await self._api.call("POST", "calendars", remote_id, "events", "watch", body=body)
        channel = answer.read(_Channel)
        return Watch(channel.resource_id, int(channel.expiration) // 1_000)

    async def stop(self, channel_id: UUID, remote_resource: str) -> None:
        """Have nothing more told under a channel; one that has ended is as good as stopped."""
        body = {"id": str(channel_id), "resourceId": remote_resource}
        await self._api.call("POST", "channels", "stop", body=body, expected={_NOT_FOUND})

    async def revoke(self) -> None:
        """Give back what was granted."""
        await self._grant.revoke()

    async def close(self) -> None:
        """Let go of connections."""
        await self._api.close()

    async def _page(self, remote_id: str, query: Query) -> _Events:
        expected = {_GONE} if "syncToken" in query else set()
        answer: Answer = await self._api.call("GET", "calendars", remote_id, "events", query=query, expected=expected)
        if answer.status == _GONE:
            raise SyncPointGone("Google does not know the sync token any more")
        return answer.read(_Events)

    async def _found_instead(self, remote_id: str, event: OwnEvent) -> RemoteEvent:
        """Return the event that has the id of one of ours."""
        found = await self.find(remote_id, event.event_id)
        if found is None:
            return RemoteEvent(event.event_id, event.event_id, Kind.GONE, ())
        if found.mark is not None and found.mark.booking_id == event.mark.booking_id:
            return found
        return RemoteEvent(found.key, found.event_id, found.kind, found.spans, found.etag)

    async def _zone_of(self, remote_id: str) -> str:
        return self._zones.get(remote_id) or await self._ask_zone(remote_id)

    async def _ask_zone(self, remote_id: str) -> str:
        """Return the zone of a calendar; raises CalendarGone when there is none such."""
        page = await self._page(remote_id, {"maxResults": 1, "fields": "timeZone"})
        self._zones[remote_id] = _zone(page.time_zone) or "UTC"
        return self._zones[remote_id]


def _single_events() -> dict[str, str | int]:
    """Return what every look at events asks for: instances instead of series, and of people only the owner."""
    return {
        "singleEvents": "true",
        "maxResults": _EVENTS_OF_A_PAGE,
        "maxAttendees": 1,
        "fields": f"timeZone,nextPageToken,nextSyncToken,items({FIELDS})",
    }


def _between(window: Window) -> dict[str, str | int]:
    return {"timeMin": utc_text(window.start), "timeMax": utc_text(window.end)}


def _one() -> dict[str, str | int]:
    return {"maxAttendees": 1, "fields": FIELDS}


def _write() -> dict[str, str | int]:
    return {"sendUpdates": "none", "fields": "etag"}


def _event(remote_id: str, event_id: str, method: str) -> tuple[str, ...]:
    return method, "calendars", remote_id, "events", event_id


def _within(window: Window, event: RemoteEvent) -> RemoteEvent:
    """Take away times outside of the window, but not those of ours: of these staff have to hear, wherever they are."""
    if event.mark is not None or all(span.start < window.end and span.end > window.start for span in event.spans):
        return event
    return RemoteEvent(event.key, event.event_id, event.kind, (), event.etag)


def _joined(spans: list[Span]) -> list[Span]:
    """Return times in order, what was cut by the pieces of a question whole again."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return found


def _zone(name: str | None) -> str | None:
    try:
        return None if name is None else check_zone(name)
    except UnknownTimeZone:
        return None
