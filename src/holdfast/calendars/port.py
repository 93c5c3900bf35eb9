"""The port to external calendars: all that Holdfast knows of a provider.

Google, CalDAV and feeds are adapters of it. An adapter speaks to the network and to nothing else: it gets what it needs
to know, returns values, and raises one of the errors below. Instants are epoch seconds.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from holdfast.availability.ics.times import Span


class Access(StrEnum):
    """What we may do with a calendar."""

    WRITE = "write"
    READ = "read"
    # We learn when it is busy and nothing of its events.
    FREE_BUSY = "free_busy"


class Kind(StrEnum):
    """What an event says of somebody's time."""

    BUSY = "busy"
    # Busy or free as the business chooses.
    TENTATIVE = "tentative"
    FREE = "free"
    # It is not there any more.
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class RemoteCalendar:
    """A calendar of an account; the zone is one of the pinned database, None when the provider tells none that is.

    One of an account may be `primary`: at Google, where its id is what the account is called.
    """

    remote_id: str
    name: str
    timezone: str | None
    access: Access
    primary: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """What we have written into an event of ours, where only programs look: which version of which booking it shows."""

    booking_id: UUID
    version: int


@dataclass(frozen=True, slots=True)
class RemoteEvent:
    """An event as a calendar has it.

    `key` is its identity for as long as it lives: an instance of a series keeps it when it is moved. `event_id` is what
    it is called for when we write. `spans` are the times at which it takes place within what was asked for, none for
    one that is gone. An event with a mark under another id than ours for that booking is a copy, and no event of ours.
    """

    key: str
    event_id: str
    kind: Kind
    spans: tuple[Span, ...]
    etag: str | None = None
    mark: Mark | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """The time that a look at a calendar covers, its end not included."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Page:
    """Some of what a look at a calendar has found; on the last page only, `sync_point`: where the next look goes on.

    `whole` says that the pages of this look name everything within the window, so that what they do not name is gone;
    else they name what has changed. `unchanged` says that there was nothing to read at all. `timezone` is that of the
    calendar by now, None when the provider does not tell it with its events.
    """

    events: Sequence[RemoteEvent]
    whole: bool
    sync_point: str | None = None
    unchanged: bool = False
    timezone: str | None = None


@dataclass(frozen=True, slots=True)
class OwnEvent:
    """An event as we want it to be; `title` and `description` hold nothing that a client has confided."""

    event_id: str
    mark: Mark
    start: int
    end: int
    timezone: str
    title: str
    description: str


@dataclass(frozen=True, slots=True)
class Watch:
    """A channel as the provider has granted it."""

    remote_resource: str
    expires_at: int


class CalendarError(Exception):
    """Something that a provider has said no to; the text holds nothing of what was sent and no secret."""

    code = "calendar_error"


class Unreachable(CalendarError):
    """It does not answer, or asks for patience: to be tried again, after `retry_after` seconds if it names them."""

    code = "unreachable"

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class QuotaExceeded(Unreachable):
    """It was asked too often: to be tried again later."""

    code = "quota_exceeded"


class Refused(CalendarError):
    """It refuses for a reason that does not pass by itself: nothing more is asked until somebody has looked."""

    code = "refused"


class NeedsReconnect(CalendarError):
    """What it had granted is void: the owner has to connect again."""

    code = "needs_reconnect"


class CalendarGone(CalendarError):
    """There is no such calendar any more."""

    code = "calendar_gone"


class SyncPointGone(CalendarError):
    """It does not know any more what was seen: everything has to be read anew."""

    code = "sync_point_gone"


class FeedBroken(CalendarError):
    """What it sends is no calendar, or too much: what was read last stays."""

    code = "feed_broken"


class AlreadyThere(CalendarError):
    """The event exists; `event` is as the calendar has it, without mark when it is none of ours."""

    code = "already_there"

    def __init__(self, event: RemoteEvent) -> None:
        super().__init__("an event of this id exists")
        self.event = event


class Changed(CalendarError):
    """The event is not the version that was named; `event` is as the calendar has it, None when it is gone."""

    code = "changed"

    def __init__(self, event: RemoteEvent | None) -> None:
        super().__init__("the event is another version by now")
        self.event = event


class Provider(Protocol):
    """One account at a provider. Every call may raise Unreachable, Refused, NeedsReconnect and CalendarGone."""

    # Whether it can be exported to, and whether it can tell of changes by itself.
    writes: bool
    pushes: bool

    async def calendars(self) -> list[RemoteCalendar]:
        """Return the calendars of the account."""

    def changes(self, remote_id: str, timezone: str, sync_point: str | None, window: Window) -> AsyncIterator[Page]:
        """Yield what has changed since a sync point, or everything within the window without one.

        Days without times are those of the zone. Raises SyncPointGone, FeedBroken.
        """

    async def busy(self, remote_ids: Sequence[str], window: Window) -> Mapping[str, Sequence[Span] | None]:
        """Return when calendars of which we see no events are busy; None for one that could not be told."""

    async def find(self, remote_id: str, event_id: str) -> RemoteEvent | None:
        """Return an event by its id; one that was deleted may be None or gone."""

    def own_events(self, remote_id: str, window: Window) -> AsyncIterator[RemoteEvent]:
        """Yield the events with a mark that take place within a window."""

    async def put(self, remote_id: str, event: OwnEvent, etag: str | None) -> str | None:
        """Write an event and return its version. Without a version it is made, with one only that version is replaced.

        What a person has added to it stays. Raises AlreadyThere, Changed.
        """

    async def remove(self, remote_id: str, event_id: str, etag: str | None) -> None:
        """Delete an event, if it is that version still; one that is gone is as good as deleted. Raises Changed."""

    async def watch(self, remote_id: str, channel_id: UUID, token: str, seconds: int) -> Watch:
        """Have changes told to us under a channel, with a token that proves who tells them."""

    async def stop(self, channel_id: UUID, remote_resource: str) -> None:
        """Have nothing more told under a channel; one that has ended is as good as stopped."""

    async def revoke(self) -> None:
        """Give back what was granted."""

    async def close(self) -> None:
        """Let go of connections."""
