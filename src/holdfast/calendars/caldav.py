"""An account at a server of CalDAV: Nextcloud, iCloud, Fastmail, Radicale and others (RFC 4791, RFC 6578)."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import quote
from uuid import UUID

import httpx2
import msgspec

from holdfast.availability.ics.reading import EVENTS_READ
from holdfast.availability.ics.times import Span
from holdfast.calendars import dav_xml
from holdfast.calendars.dav_discovery import asked, discovered, question, refusal
from holdfast.calendars.dav_xml import CALDAV, DAV, Response
from holdfast.calendars.files import Reading, Stored, event_id_at, key_of
from holdfast.calendars.own_files import rewritten, written
from holdfast.calendars.port import (
    AlreadyThere,
    CalendarGone,
    Changed,
    FeedBroken,
    Kind,
    OwnEvent,
    Page,
    Refused,
    RemoteCalendar,
    RemoteEvent,
    SyncPointGone,
    Unreachable,
    Watch,
    Window,
)
from holdfast.calendars.wire import Answer, TooMuch, Wire

_ETAG: Final = f"{DAV}getetag"
_TYPE: Final = f"{DAV}resourcetype"
_DATA: Final = f"{CALDAV}calendar-data"
_SYNC_TOKEN: Final = f"{DAV}sync-token"
_REPORTS: Final = f"{DAV}supported-report-set"
# Of objects that are read with one request: a few hundred kilobytes.
_OBJECTS_AT_ONCE: Final = 100
_MOST_PARTS: Final = 1_000
_TOO_MANY: Final = f"the calendar has more than {EVENTS_READ} events"
_WRITTEN: Final = frozenset({HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT})
_NOT_THERE: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
# How servers say that they know nothing of tokens (any more), beside the name of the condition.
_NO_SUCH_QUESTION: Final = frozenset({400, 405, 409, 410, 412, 415, 501, 507})
_TOKEN_CONDITIONS: Final = frozenset({f"{DAV}valid-sync-token", f"{DAV}supported-report"})
_NO_PUSH: Final = "a server of CalDAV does not tell of changes"


class _Point(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where the next look goes on: a token of the server, or else the version of each object by its path."""

    token: str | None = None
    etags: dict[str, str] | None = None


class CaldavAccount:
    """An account at a server. A calendar is called by its address, an object by its path.

    Calls raise Unreachable, Refused, NeedsReconnect, CalendarGone and, for what cannot be read, FeedBroken.
    """

    writes = True
    pushes = False

    def __init__(self, address: str, account: str, password: str, *, private_networks: bool) -> None:
        self._wire = Wire(private_networks=private_networks, login=(account, password))
        self._address = address

    async def calendars(self) -> list[RemoteCalendar]:
        """Return the calendars of the account in which events can be."""
        return await discovered(self._wire, self._address)

    async def changes(
        self, remote_id: str, timezone: str, sync_point: str | None, window: Window
    ) -> AsyncIterator[Page]:
        """Yield what has changed, or everything within the window; objects are read a hundred at a time."""
        url = self._calendar(remote_id)
        gone: set[str] = set()
        if sync_point is None:
            # What changes while we read is seen again from here.
            point = await self._point(url)
            paths = await self._listed(url, dav_xml.in_window(window))
        else:
            known = msgspec.json.decode(sync_point, type=_Point)
            point, paths, gone = await self._changed(url, known)
        whole, reading, alive = sync_point is None, Reading(), set[str]()
        ahead = list(paths)
        while ahead:
            now, ahead = ahead[:_OBJECTS_AT_ONCE], ahead[_OBJECTS_AT_ONCE:]
            stored, missing = await self._objects(url, now)
            gone |= missing
            events = await asyncio.to_thread(reading.objects, stored, timezone, window)
            alive |= {event.event_id for event in events if event.kind is not Kind.GONE}
            yield Page(events, whole)
        # One that lies under another name now is not gone.
        left = [each for each in map(_gone, sorted(gone)) if each.event_id not in alive]
        told = msgspec.json.encode(point).decode()
        yield Page(left, whole, told, unchanged=not (whole or paths or gone))

    async def busy(self, remote_ids: Sequence[str], window: Window) -> Mapping[str, Sequence[Span] | None]:
        """Return when calendars are busy; None for one that does not say, or not in a way that can be read."""
        return {each: await self._free_busy(each, window) for each in remote_ids}

    async def find(self, remote_id: str, event_id: str) -> RemoteEvent | None:
        """Return an event by its id, wherever in the calendar it lies."""
        found = await self._stored(self._calendar(remote_id), event_id)
        return None if found is None else await self._event(found)

    async def own_events(self, remote_id: str, window: Window) -> AsyncIterator[RemoteEvent]:
        """Yield the events with a mark that take place within a window. All are read: not every server can choose."""
        url, reading = self._calendar(remote_id), Reading()
        ahead = await self._listed(url, dav_xml.in_window(window))
        while ahead:
            now, ahead = ahead[:_OBJECTS_AT_ONCE], ahead[_OBJECTS_AT_ONCE:]
            stored, _ = await self._objects(url, now)
            for event in await asyncio.to_thread(reading.objects, stored, "UTC", window):
                if event.mark is not None:
                    yield event

    async def put(self, remote_id: str, event: OwnEvent, etag: str | None) -> str | None:
        """Write an event. Raises AlreadyThere, Changed."""
        calendar = self._calendar(remote_id)
        if etag is None:
            return await self._create(calendar, event)
        found = await self._stored(calendar, event.event_id)
        if found is None or found.etag != etag:
            raise Changed(None if found is None else await self._event(found))
        body = await asyncio.to_thread(rewritten, found.body, event)
        url = _at(calendar, found.href)
        answer = await self._send(url, body, {"if-match": etag})
        if answer.status == HTTPStatus.PRECONDITION_FAILED or answer.status in _NOT_THERE:
            raise Changed(await self.find(remote_id, event.event_id))
        return await self._version(url, answer)

    async def remove(self, remote_id: str, event_id: str, etag: str | None) -> None:
        """Delete an event, wherever in the calendar it lies. Raises Changed."""
        calendar = self._calendar(remote_id)
        url = self._own(calendar, event_id)
        answer = await self._delete(url, etag)
        if answer.status in _NOT_THERE:
            found = await self._stored(calendar, event_id)
            if found is None:
                return
            answer = await self._delete(_at(calendar, found.href), etag)
        if answer.status == HTTPStatus.PRECONDITION_FAILED:
            found = await self._stored(calendar, event_id)
            if found is not None:
                raise Changed(await self._event(found))
        elif answer.status not in _WRITTEN | _NOT_THERE:
            raise refusal(answer)

    async def watch(self, remote_id: str, channel_id: UUID, token: str, seconds: int) -> Watch:
        """Refuse."""
        raise Refused(_NO_PUSH)

    async def stop(self, channel_id: UUID, remote_resource: str) -> None:
        """Do nothing: nothing is told."""

    async def revoke(self) -> None:
        """Do nothing: a password is the owner's to change."""

    async def close(self) -> None:
        """Let go of connections."""
        await self._wire.close()

    def _calendar(self, remote_id: str) -> httpx2.URL:
        url = self._wire.url(remote_id, self._wire.url(self._address))
        return url if url.path.endswith("/") else url.copy_with(path=f"{url.path}/")

    def _own(self, calendar: httpx2.URL, event_id: str) -> httpx2.URL:
        return _at(calendar, f"{_path_of(calendar)}{quote(event_id, safe='')}.ics")

    async def _point(self, url: httpx2.URL) -> _Point:
        """Return where a look would go on that were to end now."""
        said = await asked(self._wire, "PROPFIND", url, dav_xml.propfind(_SYNC_TOKEN, _REPORTS), 0)
        for each in said.responses:
            reports = each.properties.get(_REPORTS)
            token = each.text(_SYNC_TOKEN)
            if token is not None and (reports is None or reports.find(f".//{DAV}sync-collection") is not None):
                return _Point(token=token)
        return _Point(etags=await self._etags(url))

    async def _etags(self, url: httpx2.URL) -> dict[str, str]:
        said = await asked(self._wire, "PROPFIND", url, dav_xml.propfind(_ETAG, _TYPE), 1)
        objects = (each for each in said.responses if not _is_collection(each))
        return {self._path(url, each): each.text(_ETAG) or "" for each in objects if not each.gone}

    async def _changed(self, url: httpx2.URL, known: _Point) -> tuple[_Point, list[str], set[str]]:
        """Return what has changed and what is gone since a point, and the next one. Raises SyncPointGone."""
        if known.etags is None:
            return await self._since(url, known.token or "")
        etags = await self._etags(url)
        changed = [path for path, etag in etags.items() if not etag or known.etags.get(path) != etag]
        return _Point(etags=etags), changed, known.etags.keys() - etags.keys()

    async def _since(self, url: httpx2.URL, token: str) -> tuple[_Point, list[str], set[str]]:
        changed: dict[str, bool] = {}
        for _ in range(_MOST_PARTS):
            answer = await question(self._wire, "REPORT", url, dav_xml.sync_collection(token), 0)
            if answer.status != HTTPStatus.MULTI_STATUS:
                raise _refused_token(answer)
            said = await asyncio.to_thread(dav_xml.multistatus, answer.body)
            if said.sync_token is None:
                raise SyncPointGone("the server gives no token to go on with")
            changed |= {
                self._path(url, each): not each.gone for each in said.responses if not self._is_itself(url, each)
            }
            if len(changed) > EVENTS_READ:
                raise FeedBroken(_TOO_MANY)
            if not said.truncated or said.sync_token == token:
                break
            token = said.sync_token
        if said.truncated:
            raise Unreachable("the server does not come to an end")
        there = [path for path, is_there in changed.items() if is_there]
        return _Point(token=said.sync_token), there, changed.keys() - set(there)

    async def _listed(self, url: httpx2.URL, query: bytes) -> list[str]:
        """Return the paths of the objects that a query finds."""
        said = await asked(self._wire, "REPORT", url, query, 1)
        return [self._path(url, each) for each in said.responses if not each.gone and not self._is_itself(url, each)]

    async def _objects(self, url: httpx2.URL, paths: Sequence[str]) -> tuple[list[Stored], set[str]]:
        """Return objects by their paths, and those paths at which there are none."""
        try:
            said = await asked(self._wire, "REPORT", url, dav_xml.multiget(paths), 1)
        except TooMuch:
            # People attach pictures to events.
            if len(paths) == 1:
                raise
            middle = len(paths) // 2
            first, missing = await self._objects(url, paths[:middle])
            second, also_missing = await self._objects(url, paths[middle:])
            return first + second, missing | also_missing
        # A server may write a path in another way than when it first told it.
        waiting = {key_of(path): path for path in paths}
        found: list[Stored] = []
        gone: set[str] = set()
        for each in said.responses:
            data = each.properties.get(_DATA)
            if each.gone or (data is not None and data.text):
                path = waiting.pop(key_of(self._path(url, each)), None)
                if path is None:
                    continue
                if each.gone or data is None:
                    gone.add(path)
                else:
                    found.append(Stored(path, each.text(_ETAG), (data.text or "").encode()))
        for path in waiting.values():
            # Not named is not gone: it is asked for by itself.
            one = await self._got(_at(url, path))
            if one is None:
                gone.add(path)
            else:
                found.append(one)
        return found, gone

    async def _stored(self, calendar: httpx2.URL, event_id: str) -> Stored | None:
        """Return the object of an event: under our name for it, or what carries its id as UID."""
        found = await self._got(self._own(calendar, event_id))
        if found is not None:
            return found
        elsewhere = await self._listed(calendar, dav_xml.with_uid(event_id))
        return await self._got(_at(calendar, elsewhere[0])) if elsewhere else None

    async def _got(self, url: httpx2.URL) -> Stored | None:
        answer = await self._wire.ask("GET", url, {"accept": "text/calendar"})
        if answer.status in _NOT_THERE:
            return None
        if answer.status != HTTPStatus.OK:
            raise refusal(answer)
        return Stored(_path_of(url), answer.headers.get("etag"), answer.body)

    async def _event(self, stored: Stored) -> RemoteEvent:
        # Our events are at instants: no zone is needed to read them.
        event = await asyncio.to_thread(Reading().object, stored, "UTC", None)
        return event or RemoteEvent(key_of(stored.href), event_id_at(stored.href), Kind.FREE, (), stored.etag)

    async def _create(self, calendar: httpx2.URL, event: OwnEvent) -> str | None:
        url = self._own(calendar, event.event_id)
        answer = await self._send(url, written(event), {"if-none-match": "*"})
        taken = answer.status in {HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT} and (
            f"{CALDAV}no-uid-conflict" in dav_xml.conditions(answer.body)
        )
        if taken or answer.status == HTTPStatus.PRECONDITION_FAILED:
            found = await self._stored(calendar, event.event_id)
            if found is None:
                raise Unreachable("the event was there a moment ago")
            raise AlreadyThere(await self._event(found))
        return await self._version(url, answer)

    async def _send(self, url: httpx2.URL, body: bytes, condition: Mapping[str, str]) -> Answer:
        return await self._wire.ask("PUT", url, {"content-type": "text/calendar; charset=utf-8", **condition}, body)

    async def _delete(self, url: httpx2.URL, etag: str | None) -> Answer:
        return await self._wire.ask("DELETE", url, {} if etag is None else {"if-match": etag})

    async def _version(self, url: httpx2.URL, answer: Answer) -> str | None:
        """Return the version that was written; a server that has changed it on the way does not tell at once."""
        if answer.status not in _WRITTEN:
            raise refusal(answer)
        etag = answer.headers.get("etag")
        if etag is not None:
            return etag
        said = await asked(self._wire, "PROPFIND", url, dav_xml.propfind(_ETAG), 0)
        return next((each.text(_ETAG) for each in said.responses), None)

    async def _free_busy(self, remote_id: str, window: Window) -> list[Span] | None:
        try:
            answer = await question(self._wire, "REPORT", self._calendar(remote_id), dav_xml.free_busy(window), 1)
            if answer.status != HTTPStatus.OK:
                return None
            return await asyncio.to_thread(Reading().free_busy, answer.body, window)
        except (FeedBroken, CalendarGone):
            return None

    def _path(self, base: httpx2.URL, response: Response) -> str:
        return _path_of(self._wire.url(response.href, base))

    def _is_itself(self, url: httpx2.URL, response: Response) -> bool:
        return key_of(self._path(url, response).rstrip("/")) == key_of(_path_of(url).rstrip("/"))


def _path_of(url: httpx2.URL) -> str:
    """Return the path of an address as it is sent: a slash in a name is another one than one between names."""
    return url.raw_path.partition(b"?")[0].decode("ascii")


def _at(url: httpx2.URL, path: str) -> httpx2.URL:
    return url.copy_with(raw_path=path.encode("ascii"))


def _gone(path: str) -> RemoteEvent:
    return RemoteEvent(key_of(path), event_id_at(path), Kind.GONE, ())


def _is_collection(response: Response) -> bool:
    kind = response.properties.get(_TYPE)
    return kind is not None and kind.find(f"{DAV}collection") is not None


def _refused_token(answer: Answer) -> SyncPointGone | CalendarGone | Refused:
    named: Iterable[str] = dav_xml.conditions(answer.body)
    if answer.status in _NO_SUCH_QUESTION or _TOKEN_CONDITIONS & set(named):
        return SyncPointGone("the server does not know any more what was seen")
    return refusal(answer)
