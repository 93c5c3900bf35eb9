"""A calendar in memory behind the port, which fails when it is told to."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from holdfast.availability.ics.times import Span
from holdfast.calendars.connections import ProviderName
from holdfast.calendars.event_ids import event_id_of
from holdfast.calendars.port import (
    AlreadyThere,
    Changed,
    Kind,
    Mark,
    OwnEvent,
    Page,
    Provider,
    RemoteCalendar,
    RemoteEvent,
    Watch,
    Window,
)
from holdfast.calendars.providers import Providers


@dataclass
class Stored:
    """An event as the calendar has it."""

    start: int
    end: int
    mark: Mark | None
    title: str
    version: int
    gone: bool = False

    def shown(self, event_id: str) -> RemoteEvent:
        """Return it as the port tells of it."""
        etag = f'"{self.version}"'
        if self.gone:
            return RemoteEvent(event_id, event_id, Kind.GONE, (), etag, self.mark)
        return RemoteEvent(event_id, event_id, Kind.BUSY, (Span(self.start, self.end),), etag, self.mark)


@dataclass
class Shelf:
    """The events of one calendar, what was asked of it, and what goes wrong next."""

    events: dict[str, Stored] = field(default_factory=dict)
    # Listed besides those: what the calendar should not have.
    strays: list[RemoteEvent] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    # Called before and after each write, with its name.
    before: Callable[[str], None] = lambda _: None
    after: Callable[[str], None] = lambda _: None
    versions: int = 0

    def of(self, booking_id: str | UUID) -> RemoteEvent | None:
        """Return the event of a booking, a deleted one too."""
        event_id = event_id_of(UUID(str(booking_id)))
        stored = self.events.get(event_id)
        return stored and stored.shown(event_id)

    def times(self) -> list[tuple[int, int]]:
        """Return when the events take place that there are."""
        return sorted((event.start, event.end) for event in self.events.values() if not event.gone)

    def move(self, booking_id: str | UUID, to: datetime, minutes: int = 60) -> None:
        """Let a person move the event of a booking."""
        start = int(to.timestamp())
        self._change(booking_id, start=start, end=start + minutes * 60, gone=False)

    def delete(self, booking_id: str | UUID) -> None:
        """Let a person delete it."""
        self._change(booking_id, gone=True)

    def retitle(self, booking_id: str | UUID, title: str) -> None:
        """Let a person write something else over it."""
        self._change(booking_id, title=title)

    def _change(self, booking_id: str | UUID, **more: object) -> None:
        event_id = event_id_of(UUID(str(booking_id)))
        self.versions += 1
        self.events[event_id] = replace(self.events[event_id], version=self.versions, **more)  # type: ignore[arg-type]


class Scripted:
    """The port to a shelf."""

    writes = True
    pushes = False

    def __init__(self, shelf: Shelf) -> None:
        """Open a shelf."""
        self.shelf = shelf

    async def put(self, remote_id: str, event: OwnEvent, etag: str | None) -> str | None:  # noqa: ARG002 - there is one calendar
        """Write an event, or fail as told."""
        shelf = self.shelf
        shelf.calls.append(("put", event.event_id))
        shelf.before("put")
        there = shelf.events.get(event.event_id)
        if etag is None and there is not None:
            raise AlreadyThere(there.shown(event.event_id))
        if etag is not None and (there is None or there.shown(event.event_id).etag != etag):
            raise Changed(there and there.shown(event.event_id))
        shelf.versions += 1
        title = event.title if there is None else there.title
        shelf.events[event.event_id] = Stored(event.start, event.end, event.mark, title, shelf.versions)
        shelf.after("put")
        return f'"{shelf.versions}"'

    async def remove(self, remote_id: str, event_id: str, etag: str | None) -> None:  # noqa: ARG002 - there is one calendar
        """Delete an event, or fail as told."""
        shelf = self.shelf
        shelf.calls.append(("remove", event_id))
        shelf.before("remove")
        for stray in shelf.strays:
            if (stray.event_id, stray.etag) == (event_id, etag):
                shelf.strays.remove(stray)
                return
        there = shelf.events.get(event_id)
        if there is not None and not there.gone:
            if etag is not None and there.shown(event_id).etag != etag:
                raise Changed(there.shown(event_id))
            shelf.versions += 1
            shelf.events[event_id] = replace(there, gone=True, version=shelf.versions)
        shelf.after("remove")

    async def find(self, remote_id: str, event_id: str) -> RemoteEvent | None:  # noqa: ARG002 - there is one calendar
        """Return an event."""
        self.shelf.calls.append(("find", event_id))
        self.shelf.before("find")
        there = self.shelf.events.get(event_id)
        return there and there.shown(event_id)

    async def own_events(self, remote_id: str, window: Window) -> AsyncIterator[RemoteEvent]:  # noqa: ARG002 - there is one calendar
        """Yield the events with a mark."""
        self.shelf.before("own_events")
        for event_id, stored in list(self.shelf.events.items()):
            if stored.mark is not None and not stored.gone and window.start < stored.end and stored.start < window.end:
                yield stored.shown(event_id)
        for stray in self.shelf.strays:
            yield stray

    async def close(self) -> None:
        """Let go of nothing."""

    async def calendars(self) -> list[RemoteCalendar]:
        """Not asked here."""
        raise NotImplementedError

    def changes(self, remote_id: str, timezone: str, sync_point: str | None, window: Window) -> AsyncIterator[Page]:
        """Not asked here."""
        raise NotImplementedError

    async def busy(self, remote_ids: Sequence[str], window: Window) -> Mapping[str, Sequence[Span] | None]:
        """Not asked here."""
        raise NotImplementedError

    async def watch(self, remote_id: str, channel_id: UUID, token: str, seconds: int) -> Watch:
        """Not asked here."""
        raise NotImplementedError

    async def stop(self, channel_id: UUID, remote_resource: str) -> None:
        """Not asked here."""
        raise NotImplementedError

    async def revoke(self) -> None:
        """Not asked here."""
        raise NotImplementedError


def providers_of(shelves: Mapping[UUID, Shelf]) -> Providers:
    """Return what opens the shelf of each connection."""

    def opening(_business_id: UUID, connection: object) -> Provider:
        return Scripted(shelves[connection.id])  # type: ignore[attr-defined]

    return Providers(dict.fromkeys(ProviderName, opening))
