"""A feed: one calendar file at an address, read and never written."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from hashlib import blake2b
from http import HTTPStatus
from uuid import UUID

import msgspec

from holdfast.availability.ics.times import Span
from holdfast.calendars.files import Reading, read_file
from holdfast.calendars.port import (
    Access,
    CalendarGone,
    OwnEvent,
    Page,
    Refused,
    RemoteCalendar,
    RemoteEvent,
    Watch,
    Window,
)
from holdfast.calendars.wire import Answer, Wire

# An address has one calendar; the address itself is a secret.
_THE_CALENDAR = "feed"
_READ_ONLY = "a feed can only be read"


class _Version(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a file that was read: what the server calls its version, and a digest of it."""

    digest: str
    etag: str | None = None
    modified: str | None = None


class IcsFeed:
    """The feed at an address. Calls raise Unreachable, Refused, NeedsReconnect, CalendarGone and FeedBroken."""

    writes = False
    pushes = False

    def __init__(self, address: str, *, private_networks: bool) -> None:
        self._wire = Wire(private_networks=private_networks)
        self._address = address

    async def calendars(self) -> list[RemoteCalendar]:
        """Return the one calendar that is here; it is read to see that it is one."""
        answer = await self._get(None)
        said = await asyncio.to_thread(lambda: Reading().about(answer.body))
        name = said.name or answer.url.host
        return [RemoteCalendar(_THE_CALENDAR, name, said.timezone, Access.READ)]

    async def changes(
        self, remote_id: str, timezone: str, sync_point: str | None, window: Window
    ) -> AsyncIterator[Page]:
        """Yield everything within the window on one page, unless the file is the one that was read last."""
        known = None if sync_point is None else msgspec.json.decode(sync_point, type=_Version)
        answer = await self._get(known)
        if known is not None and answer.status == HTTPStatus.NOT_MODIFIED:
            yield Page((), whole=False, sync_point=sync_point, unchanged=True)
            return
        version = _Version(
            blake2b(answer.body, digest_size=16).hexdigest(),
            answer.headers.get("etag"),
            answer.headers.get("last-modified"),
        )
        point = msgspec.json.encode(version).decode()
        if known is not None and known.digest == version.digest:
            yield Page((), whole=False, sync_point=point, unchanged=True)
            return
        events = await asyncio.to_thread(read_file, answer.body, timezone, window)
        yield Page(events, whole=True, sync_point=point)

    async def _get(self, known: _Version | None) -> Answer:
        conditions = {}
        if known is not None and known.etag is not None:
            conditions["if-none-match"] = known.etag
        if known is not None and known.modified is not None:
            conditions["if-modified-since"] = known.modified
        headers = {"accept": "text/calendar, text/plain;q=0.5, */*;q=0.1", **conditions}
        answer = await self._wire.ask("GET", self._wire.url(self._address), headers)
        if answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            raise CalendarGone("there is no calendar at this address")
        if answer.status != HTTPStatus.OK and not (conditions and answer.status == HTTPStatus.NOT_MODIFIED):
            raise Refused(f"the server answers {answer.status}")
        return answer

    async def busy(self, remote_ids: Sequence[str], window: Window) -> Mapping[str, Sequence[Span] | None]:
        """Tell nothing: of a feed we see the events."""
        return dict.fromkeys(remote_ids)

    async def find(self, remote_id: str, event_id: str) -> RemoteEvent | None:
        """Refuse: nothing of ours was written here."""
        raise Refused(_READ_ONLY)

    async def own_events(self, remote_id: str, window: Window) -> AsyncIterator[RemoteEvent]:
        """Yield nothing: nothing of ours was written here."""
        nothing: tuple[RemoteEvent, ...] = ()
        for event in nothing:
            yield event

    async def put(self, remote_id: str, event: OwnEvent, etag: str | None) -> str | None:
        """Refuse."""
        raise Refused(_READ_ONLY)

    async def remove(self, remote_id: str, event_id: str, etag: str | None) -> None:
        """Refuse."""
        raise Refused(_READ_ONLY)

    async def watch(self, remote_id: str, channel_id: UUID, token: str, seconds: int) -> Watch:
        """Refuse: nobody tells of changes."""
        raise Refused(_READ_ONLY)

    async def stop(self, channel_id: UUID, remote_resource: str) -> None:
        """Do nothing: nothing is told."""

    async def revoke(self) -> None:
        """Do nothing: nothing was granted."""

    async def close(self) -> None:
        """Let go of connections."""
        await self._wire.close()
