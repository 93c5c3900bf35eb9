"""When the events of a calendar file take place: as spans of busy time, or as days that are free."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple

from holdfast.availability.ics.errors import refusal, told_on
from holdfast.availability.ics.reading import Calendar, Event
from holdfast.availability.ics.recurrence import Budget, Rule, starts
from holdfast.availability.ics.values import UTC_ZONE, Length, Moment, Period
from holdfast.availability.ics.zones import Named, Zone, Zones, seconds_of

# Of one file. Each is a row, before those that touch are joined.
OCCURRENCES_READ: Final = 100_000
_DAY: Final = timedelta(days=1)
_DAY_SECONDS: Final = 86_400
_MIDNIGHT: Final = time(0)
# No zone is further than this from another one.
_ZONES_APART: Final = timedelta(days=2)
# What lies further away is moved here: the arithmetic of zones ends at the years 1 and 9999.
_FAR: Final = timedelta(days=100 * 366)


class Span(NamedTuple):
    """From an instant up to, not including, another; epoch seconds."""

    start: int
    end: int


class Window(NamedTuple):
    """The days that matter, the last one not included."""

    first: date
    last: date


class _Occurrence(NamedTuple):
    """One time at which an event takes place; a length of its own only where the file lists one."""

    event: Event
    start: Moment
    end: Moment | Length | None


def busy_spans(calendars: Iterable[Calendar], zone: str, window: Window) -> list[Span]:
    """Return the busy time of a window in order, what touches or overlaps joined into one.

    The zone is for times that name none, in a calendar that names none. Free (TRANSP) and cancelled events are not
    busy. Raises CalendarFileInvalid.
    """
    found: list[Span] = []
    budget = Budget()
    for calendar in calendars:
        times = _Times(calendar, zone, window, budget)
        for occurrence in times.occurrences(calendar.events):
            line = occurrence.event.line
            if not occurrence.event.transparent:
                with told_on(line):
                    found += times.in_window(times.span(occurrence), line, len(found))
        for line, period in calendar.busy:
            with told_on(line):
                found += times.in_window(times.period_span(period), line, len(found))
    return joined(found)


@dataclass(slots=True)
class Happening:
    """All times of one event within a window, in order, by what they say of somebody's time.

    `cancelled` tells that the event as a whole does not take place. Without a uid it is the time of all events that
    have none, and of the free-busy parts.
    """

    uid: str | None
    cancelled: bool = False
    stamp: tuple[str, str] | None = None
    busy: list[Span] = field(default_factory=list)
    tentative: list[Span] = field(default_factory=list)
    free: list[Span] = field(default_factory=list)


def happenings(
    calendars: Iterable[Calendar], zone: str, window: Window, budget: Budget | None = None
) -> list[Happening]:
    """Return each event of a file once, also one that does not take place within the window.

    The zone is as for `busy_spans`. A budget may be shared by several files. Raises CalendarFileInvalid.
    """
    by_uid: dict[str | None, Happening] = {}
    budget = budget or Budget()
    found = 0
    for calendar in calendars:
        times = _Times(calendar, zone, window, budget)
        for group in _groups(calendar.events):
            uid, line = group[0].uid, group[0].line
            happening = by_uid.setdefault(uid, Happening(uid))
            mains = [each for each in group if each.replaces is None] or group
            happening.cancelled = all(each.cancelled for each in mains)
            happening.stamp = mains[-1].stamp
            with told_on(line):
                for occurrence in times.occurrences(group):
                    event = occurrence.event
                    spans = times.in_window(times.span(occurrence), event.line, found)
                    found += len(spans)
                    _part(happening, event).extend(spans)
        for line, period in calendar.busy:
            with told_on(line):
                spans = times.in_window(times.period_span(period), line, found)
            found += len(spans)
            by_uid.setdefault(None, Happening(None)).busy.extend(spans)
    for each in by_uid.values():
        each.busy, each.tentative, each.free = joined(each.busy), joined(each.tentative), joined(each.free)
    return list(by_uid.values())


def _part(happening: Happening, event: Event) -> list[Span]:
    if event.transparent:
        return happening.free
    return happening.tentative if event.tentative else happening.busy


def whole_days(calendars: Iterable[Calendar], zone: str, window: Window) -> list[date]:
    """Return the days of a window on which there is an event, in order, whether it says busy or free (TRANSP).

    Raises CalendarFileInvalid, also for an event that does not take whole days.
    """
    found: set[date] = set()
    budget = Budget()
    for calendar in calendars:
        times = _Times(calendar, zone, window, budget)
        for occurrence in times.occurrences(calendar.events):
            with told_on(occurrence.event.line):
                found.update(times.days(occurrence))
    return sorted(found)


def joined(spans: Iterable[Span]) -> list[Span]:
    """Return spans in order, what touches or overlaps made one."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return found


@dataclass(slots=True)
class _Replaced:
    """The occurrences of an event that others stand for, or that do not take place."""

    instants: set[int] = field(default_factory=set)
    days: set[date] = field(default_factory=set)


class _Times:
    """Works out the times of one calendar."""

    def __init__(self, calendar: Calendar, zone: str, window: Window, budget: Budget) -> None:
        self._first = datetime.combine(window.first, _MIDNIGHT)
        self._last = datetime.combine(window.last, _MIDNIGHT)
        self._span = Span(seconds_of(self._first), seconds_of(self._last))
        self._window = window
        self._budget = budget
        self._zones = Zones(calendar.zones, self._first, self._last, self._budget)
        self._own: Zone = Named(zone)
        if calendar.zone is not None:
            line, name = calendar.zone
            with told_on(line):
                self._own = self._zones.zone(name)
        elif len(calendar.zones) == 1:
            [(name, observances)] = calendar.zones.items()
            with told_on(observances[0].line):
                self._own = self._zones.zone(name)

    def occurrences(self, events: Sequence[Event]) -> Iterator[_Occurrence]:
        """Yield when the events take place around the window, but for cancelled ones and those that others replace.

        Of several with one uid the one with the highest sequence counts, of equals the last.
        """
        for group in _groups(events):
            with told_on(group[0].line):
                yield from self._of_group(group)

    def _of_group(self, group: Sequence[Event]) -> Iterator[_Occurrence]:
        mains = [each for each in group if each.replaces is None]
        main = max(reversed(mains), key=lambda each: each.sequence, default=None)
        changed: dict[int | date, Event] = {}
        replaced = _Replaced()
        for each in group:
            if each.replaces is None:
                continue
            key = self._leave_out(replaced, each.replaces, main)
            if key not in changed or each.sequence >= changed[key].sequence:
                changed[key] = each
        if main is not None and not main.cancelled:
            yield from self._of_main(main, replaced)
        for each in changed.values():
            if not each.cancelled:
                yield _Occurrence(each, each.start, each.end)

    def _of_main(self, event: Event, replaced: _Replaced) -> Iterator[_Occurrence]:
        again = event.recurrence
        if again is None:
            if not self._is_left_out(replaced, event.start):
                yield _Occurrence(event, event.start, event.end)
            return
        for moment in again.exceptions:
            self._leave_out(replaced, moment, event)
        seen: set[datetime] = set()
        for start in (event.start, *(at for rule in again.rules for at in self._of_rule(event, rule))):
            if start.wall not in seen and not self._is_left_out(replaced, start):
                seen.add(start.wall)
                yield _Occurrence(event, start, event.end)
                if len(seen) > OCCURRENCES_READ:
                    raise refusal(event.line, f"this recurs more than {OCCURRENCES_READ} times")
        for listed in again.dates:
            moment, end = (listed.start, listed.end) if isinstance(listed, Period) else (listed, event.end)
            start = _like(event.start, moment)
            if not self._is_left_out(replaced, start):
                yield _Occurrence(event, start, end)

    def _of_rule(self, event: Event, rule: Rule) -> Iterator[Moment]:
        # What began before the window may last into it.
        after = self._first - _ZONES_APART - min(timedelta(seconds=self._seconds(event)), _FAR)
        for wall in starts(rule, event.start.wall, after, self._last + _ZONES_APART, self._budget):
            start = Moment(wall, event.start.zone, event.start.is_day)
            if rule.until is not None and self._is_past(start, rule.until):
                return
            yield start

    def _is_past(self, start: Moment, until: Moment) -> bool:
        """Tell whether a start is later than the end of its rule, which is included."""
        if until.is_day:
            return start.wall.date() > until.wall.date()
        if until.zone != UTC_ZONE:
            return start.wall > until.wall
        if start.is_day:
            return start.wall > self._own.wall(self.instant(until))
        return self.instant(start) > seconds_of(until.wall)

    def _leave_out(self, replaced: _Replaced, moment: Moment, main: Event | None) -> int | date:
        """Remember that an occurrence does not take place, and return what tells it from others."""
        if moment.is_day or (main is not None and main.start.is_day):
            day = moment.wall.date()
            if not moment.is_day and moment.zone == UTC_ZONE:
                day = self._own.wall(self.instant(moment)).date()
            replaced.days.add(day)
            return day
        at = self.instant(moment)
        replaced.instants.add(at)
        return at

    def _is_left_out(self, replaced: _Replaced, start: Moment) -> bool:
        if start.wall.date() in replaced.days:
            return True
        return bool(replaced.instants) and not start.is_day and self.instant(start) in replaced.instants

    def instant(self, moment: Moment) -> int:
        """Return the instant of a moment; one that is centuries away is moved nearer."""
        zone = self._own if moment.zone is None else self._zones.zone(moment.zone)
        return zone.instant(self._near(moment.wall))

    def _near(self, wall: datetime) -> datetime:
        return min(max(wall, self._first - _FAR), self._last + _FAR)

    def _seconds(self, event: Event) -> int:
        """Return how long an event lasts, at its first time."""
        start, end = event.start, event.end
        if start.is_day:
            return _days(start, end) * _DAY_SECONDS
        if isinstance(end, Moment):
            near = self._first - _FAR <= start.wall <= self._last + _FAR and end.wall <= self._last + _FAR
            same = start.zone == end.zone
            exact = self.instant(end) - self.instant(start) if near or not same else 0
            # What begins in the gap of a night when the clocks go forward may seem to end before it begins.
            return exact if exact > 0 or not same else seconds_of(end.wall) - seconds_of(start.wall)
        return end.days * _DAY_SECONDS + end.seconds if end is not None else 0

    def span(self, occurrence: _Occurrence) -> Span | None:
        """Return the instants of an occurrence; None for one that lasts no time, or is far from the window."""
        event, start, end = occurrence
        if start.wall > self._last + _ZONES_APART:
            return None
        begins = self.instant(start)
        if start.is_day:
            ends = self._plus_days(start, _day_count(occurrence))
        elif isinstance(end, Length):
            ends = self._plus_days(start, end.days) + end.seconds
        elif end is event.end:
            ends = begins + max(0, self._seconds(event))
        else:
            ends = begins if end is None else self.instant(end)
        return Span(begins, ends) if begins < ends else None

    def period_span(self, period: Period) -> Span | None:
        """Return the instants of a period; None for one that lasts no time."""
        begins = self.instant(period.start)
        if isinstance(period.end, Length):
            ends = begins + period.end.days * _DAY_SECONDS + period.end.seconds
        else:
            ends = self.instant(period.end)
        return Span(begins, ends) if begins < ends else None

    def _plus_days(self, start: Moment, days: int) -> int:
        room = (self._last + _FAR - min(start.wall, self._last + _FAR)).days
        return self.instant(start._replace(wall=start.wall + min(days, room) * _DAY))

    def in_window(self, span: Span | None, line: int, found: int) -> list[Span]:
        """Return the span if it touches the window. Raises CalendarFileInvalid when that is one too many."""
        if span is None or span.end <= self._span.start or span.start >= self._span.end:
            return []
        if found >= OCCURRENCES_READ:
            raise refusal(line, f"there are more than {OCCURRENCES_READ} events {_between(self._window)}")
        return [span]

    def days(self, occurrence: _Occurrence) -> Iterator[date]:
        """Yield the days of the window that an occurrence takes. Raises CalendarFileInvalid for parts of days."""
        event, start, _ = occurrence
        if start.is_day:
            first, count = start.wall.date(), _day_count(occurrence)
        else:
            span = self.span(occurrence)
            if span is None or not self.in_window(span, event.line, 0):
                if span is None and self._first <= start.wall <= self._last:
                    raise refusal(event.line, _NO_WHOLE_DAY)
                return
            zone = self._own if start.zone in {None, UTC_ZONE} else self._zones.zone(start.zone or UTC_ZONE)
            begins, ends = zone.wall(span.start), zone.wall(span.end)
            if begins.time() != _MIDNIGHT or ends.time() != _MIDNIGHT:
                raise refusal(event.line, _NO_WHOLE_DAY)
            first, count = begins.date(), (ends - begins).days
        begin = max(first.toordinal(), self._window.first.toordinal())
        end_day = min(first.toordinal() + count, self._window.last.toordinal())
        yield from map(date.fromordinal, range(begin, end_day))


_NO_WHOLE_DAY: Final = "a holiday takes whole days, and this event does not; what takes parts of days is busy time"


def _groups(events: Sequence[Event]) -> Iterator[list[Event]]:
    """Yield the events that belong together by their uid; those without one stand alone."""
    by_uid: dict[str, Event | list[Event]] = {}
    for event in events:
        if event.uid is None:
            yield [event]
            continue
        known = by_uid.setdefault(event.uid, event)
        if isinstance(known, list):
            known.append(event)
        elif known is not event:
            by_uid[event.uid] = [known, event]
    for group in by_uid.values():
        yield group if isinstance(group, list) else [group]


def _days(start: Moment, end: Moment | Length | None) -> int:
    """Return how many days something lasts that begins with a whole day: one at least."""
    if isinstance(end, Moment):
        return max(1, (end.wall - start.wall).days)
    return max(1, end.days + -(-end.seconds // _DAY_SECONDS)) if end is not None else 1


def _day_count(occurrence: _Occurrence) -> int:
    event, start, end = occurrence
    return _days(event.start if end is event.end else start, end)


def _like(start: Moment, listed: Moment) -> Moment:
    """Return a listed date as a start: a mere day begins when the event does."""
    if listed.is_day == start.is_day:
        return listed
    if listed.is_day:
        return Moment(datetime.combine(listed.wall, start.wall.time()), start.zone, is_day=False)
    return Moment(datetime.combine(listed.wall, _MIDNIGHT), None, is_day=True)


def _between(window: Window) -> str:
    return f"between {window.first.isoformat()} and {window.last.isoformat()}"
