"""Calendar files as events of the port."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from io import BytesIO
from typing import Final
from urllib.parse import quote, unquote
from uuid import UUID

from holdfast.availability.ics import times
from holdfast.availability.ics.errors import CalendarFileInvalid
from holdfast.availability.ics.reading import Calendar, read
from holdfast.availability.ics.recurrence import Budget
from holdfast.availability.ics.times import Happening, Span, joined
from holdfast.availability.ics.zones import place_of
from holdfast.calendars.event_ids import booking_of
from holdfast.calendars.port import FeedBroken, Kind, Mark, RemoteEvent, Window

_ESCAPED: Final = re.compile(r"\\(.)")
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class About:
    """What a file says of its calendar as a whole."""

    name: str | None
    timezone: str | None


@dataclass(frozen=True, slots=True)
class Stored:
    """An object of a calendar: where it lies, its version, and the file that it is."""

    href: str
    etag: str | None
    body: bytes


class Reading:
    """Reads files. All files that one object reads share a bound on the work, of about ten seconds.

    Everything here computes for long: call it in a thread. Raises FeedBroken, which quotes nothing of the file.
    """

    def __init__(self) -> None:
        self._budget = Budget()

    def about(self, body: bytes) -> About:
        """Return what a file says of its calendar; raises FeedBroken also when its events could not be read."""
        try:
            calendars = read(BytesIO(body))
        except CalendarFileInvalid as error:
            raise _broken(error) from None
        name = next((each.name for each in calendars if each.name), None)
        zone = next((each.zone[1] for each in calendars if each.zone), None)
        zone = zone or next((name for each in calendars for name in each.zones), None)
        shown = name and _ESCAPED.sub(lambda it: " " if it[1] in "nN" else it[1], name).strip()[:200]
        return About(shown or None, zone and place_of(zone))

    def feed(self, body: bytes, timezone: str, window: Window) -> list[RemoteEvent]:
        """Return the events of a file that matter within a window, each once with all its times there."""
        found = self._happenings(body, timezone, _days_of(window))
        events = (_event(_digest(each.uid or ""), _own_part(each.uid) or each.uid or "", each) for each in found)
        inside = (_within(event, window) for event in events)
        return [event for event in inside if event.spans or event.kind is Kind.GONE]

    def objects(self, stored: Sequence[Stored], timezone: str, window: Window) -> list[RemoteEvent]:
        """Return the events of objects, also those that do not take place within the window; an object is one event.

        An event of ours comes with its times wherever they are: it may have been moved far.
        """
        found = (self.object(each, timezone, window) for each in stored)
        return [event for event in found if event is not None]

    def object(self, stored: Stored, timezone: str, window: Window | None) -> RemoteEvent | None:
        """Return the event of an object, None for one that is none, such as a task."""
        calendars = self._read(stored.body)
        uids = {each.uid for calendar in calendars for each in calendar.events}
        own = len(uids) == 1 and _own_part(next(iter(uids))) is not None
        days = _days_around(calendars) if own or window is None else _days_of(window)
        happenings = self._times(calendars, timezone, days)
        if not happenings:
            return None
        event_id = _own_part(happenings[0].uid) or event_id_at(stored.href)
        event = _event(key_of(stored.href), event_id, _merged(happenings), stored.etag)
        return event if own or window is None else _within(event, window)

    def free_busy(self, body: bytes, window: Window) -> list[Span]:
        """Return when somebody is busy, from the answer to a question about nothing else."""
        found = _merged(self._happenings(body, "UTC", _days_of(window)))
        return [span for span in joined([*found.busy, *found.tentative]) if _touches(span, window)]

    def _happenings(self, body: bytes, timezone: str, days: times.Window) -> list[Happening]:
        return self._times(self._read(body), timezone, days)

    def _read(self, body: bytes) -> list[Calendar]:
        try:
            return read(BytesIO(body))
        except CalendarFileInvalid as error:
            raise _broken(error) from None

    def _times(self, calendars: Sequence[Calendar], timezone: str, days: times.Window) -> list[Happening]:
        try:
            return times.happenings(calendars, timezone, days, self._budget)
        except CalendarFileInvalid as error:
            raise _broken(error) from None


def read_file(body: bytes, timezone: str, window: Window) -> list[RemoteEvent]:
    """Return the events of a feed. Raises FeedBroken."""
    return Reading().feed(body, timezone, window)


def key_of(href: str) -> str:
    """Return the key of the event that an object is, in whatever way a server writes its path; case matters there."""
    return _digest("/".join(quote(unquote(part), safe="") for part in href.split("/")))


def event_id_at(href: str) -> str:
    """Return what an object is called in its calendar."""
    return unquote(href.rstrip("/").rpartition("/")[2]).removesuffix(".ics")


def _event(key: str, event_id: str, found: Happening, etag: str | None = None) -> RemoteEvent:
    mark = _mark(found.stamp)
    if found.cancelled:
        # Who cancels an event of ours does not want it: their programs show it no more than a deleted one.
        kind, spans = (Kind.GONE if booking_of(event_id) else Kind.FREE), []
    elif found.tentative and not found.busy:
        kind, spans = Kind.TENTATIVE, found.tentative
    elif found.free and not found.busy:
        kind, spans = Kind.FREE, found.free
    else:
        # Some times of a series may be certain and others not: then all are taken to be.
        kind, spans = Kind.BUSY, joined([*found.busy, *found.tentative])
    return RemoteEvent(key, event_id, kind, tuple(spans), etag, mark)


def _within(event: RemoteEvent, window: Window) -> RemoteEvent:
    spans = tuple(span for span in event.spans if _touches(span, window))
    return RemoteEvent(event.key, event.event_id, event.kind, spans, event.etag, event.mark)


def _merged(found: Sequence[Happening]) -> Happening:
    """Return the times of several events as if they were one."""
    if len(found) == 1:
        return found[0]
    one = Happening(None)
    for each in found:
        one.busy += each.busy
        one.tentative += each.tentative
        one.free += each.free
    return one


def _mark(stamp: tuple[str, str] | None) -> Mark | None:
    if stamp is None or not (stamp[1].isascii() and stamp[1].isdigit() and len(stamp[1]) < 19):
        return None
    try:
        return Mark(UUID(stamp[0]), int(stamp[1]))
    except ValueError:
        return None


def _own_part(uid: str | None) -> str | None:
    """Return the id of ours that a UID is or, with the name of a provider behind it, begins with."""
    start = (uid or "").partition("@")[0]
    return start if booking_of(start) else None


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _touches(span: Span, window: Window) -> bool:
    return span.start < window.end and span.end > window.start


def _days_of(window: Window) -> times.Window:
    first, last = (datetime.fromtimestamp(at, UTC).date() for at in (window.start, window.end))
    return times.Window(first, last + _DAY)


def _days_around(calendars: Sequence[Calendar]) -> times.Window:
    """Return enough days for the first times of all events of an object, whatever their zones."""
    starts = [each.start.wall.date() for calendar in calendars for each in calendar.events]
    first, last = min(starts, default=date(2000, 1, 1)), max(starts, default=date(2000, 1, 1))
    far = timedelta(days=400)
    return times.Window(max(first, date.min + far) - 3 * _DAY, min(last, date.max - far) + 3 * _DAY)


def _broken(error: CalendarFileInvalid) -> FeedBroken:
    lines = ", ".join(str(each.line) for each in error.problems[:5])
    return FeedBroken(f"the calendar file cannot be read: line {lines}")
