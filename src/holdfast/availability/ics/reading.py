"""Reads a calendar file: all of it, or none of it with the lines and reasons of what is wrong."""

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import BinaryIO, Final, NamedTuple, TypeVar

from holdfast.availability.ics import recurrence, values
from holdfast.availability.ics.errors import CalendarFileInvalid, quoted, refusal
from holdfast.availability.ics.lines import BOOKING_PROPERTY, VERSION_PROPERTY, Line, content_lines
from holdfast.availability.ics.recurrence import Rule
from holdfast.availability.ics.values import Length, Moment, Period
from holdfast.availability.ics.zones import Observance
from holdfast.kernel.problems import Problem

# Bounds on what is kept in memory: five times what the busiest people have.
EVENTS_READ: Final = 100_000
_DATES_READ: Final = 200_000
_LINES_OF_ONE: Final = 5_000
_OBSERVANCES_READ: Final = 5_000
_PROBLEMS_TOLD: Final = 20
_NESTED: Final = 8
_LINES_BETWEEN_REPORTS: Final = 2_000
_LISTS: Final = frozenset({"RRULE", "RDATE", "EXDATE", "EXRULE", "FREEBUSY"})
_ZONE_PARTS: Final = frozenset({"STANDARD", "DAYLIGHT"})

_COMPONENT: Final = re.compile(r"[A-Z0-9-]{1,64}")

T = TypeVar("T")
# Is told the bytes and the events that have been read.
Report = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Recurrence:
    """When an event takes place again, and when not."""

    rules: tuple[Rule, ...]
    dates: tuple[Moment | Period, ...]
    exceptions: tuple[Moment, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """What one VEVENT says of times. The line is that of its start.

    `stamp` is what Holdfast has written into an event of its own: booking and version, as they stand in the file.
    """

    line: int
    uid: str | None
    start: Moment
    end: Moment | Length | None
    sequence: int
    cancelled: bool
    tentative: bool
    transparent: bool
    stamp: tuple[str, str] | None
    replaces: Moment | None
    recurrence: Recurrence | None


class Busy(NamedTuple):
    """A period in which a VFREEBUSY says that somebody is busy."""

    line: int
    period: Period


@dataclass(slots=True)
class Calendar:
    """What one VCALENDAR says."""

    name: str | None = None
    zone: tuple[int, str] | None = None
    zones: dict[str, list[Observance]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    busy: list[Busy] = field(default_factory=list)


@dataclass(slots=True)
class _Open:
    """A component between its BEGIN and its END."""

    name: str
    line: int
    lines: list[Line] = field(default_factory=list)
    parts: int = 0
    observances: list[Observance] = field(default_factory=list)


def read(stream: BinaryIO, report: Report = lambda _bytes, _events: None) -> list[Calendar]:
    """Return the calendars of a file. Raises CalendarFileInvalid.

    Memory grows with the number of events, not with the length of the file. A pipe tells no bytes: they are 0.
    """
    reader = _Reader()
    position = stream.tell if stream.seekable() else lambda: 0
    for number, line in enumerate(content_lines(stream), 1):
        reader.take(line)
        if number % _LINES_BETWEEN_REPORTS == 0:
            report(position(), reader.events)
    calendars = reader.finish()
    report(position(), reader.events)
    return calendars


class _Reader:
    """Puts components together, and collects what is wrong with them."""

    def __init__(self) -> None:
        self._calendars: list[Calendar] = []
        self._open: list[_Open] = []
        self._problems: list[Problem] = []
        self._dates = 0
        self._observances = 0
        self._line = 1
        self.events = 0

    def take(self, line: Line) -> None:
        """Take the next line. Raises CalendarFileInvalid when nothing that follows could be understood."""
        self._line = line.number
        if line.name == "BEGIN":
            self._begin(line)
        elif not self._open:
            raise refusal(line.number, "this line stands outside of any calendar; one begins with BEGIN:VCALENDAR")
        elif line.name == "END":
            self._end(line)
        else:
            component = self._open[-1]
            component.lines.append(line)
            if len(component.lines) > _LINES_OF_ONE:
                raise refusal(line.number, f"{component.name} has more than {_LINES_OF_ONE} lines about times")

    def finish(self) -> list[Calendar]:
        """Return what was read. Raises CalendarFileInvalid."""
        if self._open:
            unclosed = self._open[-1]
            raise refusal(
                self._line,
                f"the file ends inside of {unclosed.name}, which begins on line {unclosed.line}: a part is missing",
            )
        if not self._calendars:
            raise refusal(1, "this is not a calendar file: it has no BEGIN:VCALENDAR")
        if self._problems:
            raise CalendarFileInvalid(self._problems)
        return self._calendars

    def _begin(self, line: Line) -> None:
        name = line.value.upper()
        if _COMPONENT.fullmatch(name) is None:
            raise refusal(line.number, f"{quoted(name)} is no name of a part of a calendar")
        if (name == "VCALENDAR") != (not self._open):
            raise refusal(line.number, f"BEGIN:{name} stands where it cannot: a file holds VCALENDAR, once in itself")
        if len(self._open) >= _NESTED:
            raise refusal(line.number, "this is nested too deeply")
        self._open.append(_Open(sys.intern(name), line.number))
        if name == "VCALENDAR":
            self._calendars.append(Calendar())
        if name == "VEVENT":
            self.events += 1
            if self.events > EVENTS_READ:
                raise refusal(line.number, f"the file has more than {EVENTS_READ} events")

    def _end(self, line: Line) -> None:
        component = self._open.pop()
        if line.value.upper() != component.name:
            raise refusal(
                line.number,
                f"END:{quoted(line.value)} does not close {component.name}, which begins on line {component.line}",
            )
        calendar, inside = self._calendars[-1], self._open[-1].name if self._open else None
        if component.name == "VCALENDAR":
            given = {each.name: each for each in reversed(component.lines) if each.value}
            if "X-WR-TIMEZONE" in given:
                calendar.zone = (given["X-WR-TIMEZONE"].number, given["X-WR-TIMEZONE"].value)
            calendar.name = given["X-WR-CALNAME"].value if "X-WR-CALNAME" in given else None
        elif inside == "VTIMEZONE" and component.name in _ZONE_PARTS:
            self._open[-1].parts += 1
            self._open[-1].observances += self._observance(component)
        elif inside == "VCALENDAR" and component.name == "VTIMEZONE":
            self._zone(calendar, component)
        elif inside == "VCALENDAR" and component.name == "VEVENT":
            calendar.events += self._event(component)
        elif inside == "VCALENDAR" and component.name == "VFREEBUSY":
            calendar.busy += self._busy(component)

    def _event(self, component: _Open) -> Iterator[Event]:
        """Yield the event, or nothing and a problem instead."""
        told = len(self._problems)
        given = self._single(component)
        start = self._value(given.get("DTSTART"), values.moment)
        if "DTSTART" not in given:
            self._complain(component.line, "this event has no DTSTART")
        end = self._ending(given, start)
        replaces = self._value(given.get("RECURRENCE-ID"), values.moment)
        if replaces is not None and given["RECURRENCE-ID"].param("RANGE") is not None:
            self._complain(given["RECURRENCE-ID"].number, "a change of all later occurrences (RANGE) is not understood")
        sequence = self._value(given.get("SEQUENCE"), _sequence) or 0
        again = self._recurrence(component, start)
        if start is None or len(self._problems) > told:
            return
        uid = given["UID"].value if "UID" in given else ""
        booking, version = given.get(BOOKING_PROPERTY), given.get(VERSION_PROPERTY)
        yield Event(
            line=given["DTSTART"].number,
            uid=uid or None,
            start=start,
            end=end,
            sequence=sequence,
            cancelled=_says(given, "STATUS", "CANCELLED"),
            tentative=_says(given, "STATUS", "TENTATIVE"),
            transparent=_says(given, "TRANSP", "TRANSPARENT"),
            stamp=(booking.value, version.value) if booking and version else None,
            replaces=replaces,
            recurrence=again,
        )

    def _ending(self, given: dict[str, Line], start: Moment | None) -> Moment | Length | None:
        end = self._value(given.get("DTEND"), values.moment)
        lasts = self._value(given.get("DURATION"), lambda line: values.length(line.value))
        if end is not None and start is not None:
            line = given["DTEND"].number
            if lasts is not None:
                self._complain(line, "this event has a DTEND and a DURATION")
            elif end.is_day != start.is_day:
                self._complain(line, "this event begins with a day and ends with a time, or the other way round")
            elif end.zone == start.zone and end.wall < start.wall:
                self._complain(line, "this event ends before it begins")
        return end if lasts is None else lasts

    def _recurrence(self, component: _Open, start: Moment | None) -> Recurrence | None:
        rules: list[Rule] = []
        dates: list[Moment | Period] = []
        exceptions: list[Moment] = []
        for line in component.lines:
            if line.name == "RRULE":
                rule = self._value(line, lambda it: recurrence.parse(it.value))
                if rule is not None and start is not None and start.is_day:
                    # Whole days have no time of day, whatever a rule says of it.
                    rule = replace(rule, hours=frozenset(), minutes=frozenset(), seconds=frozenset())
                rules += [rule] if rule is not None else []
            elif line.name == "RDATE":
                dates += self._value(line, values.moments_or_periods) or []
            elif line.name == "EXDATE":
                exceptions += self._value(line, values.moments) or []
            elif line.name == "EXRULE":
                self._complain(line.number, "EXRULE is no longer part of the standard and is not understood")
        self._count_dates(component, len(dates) + len(exceptions))
        if not (rules or dates):
            return None
        return Recurrence(tuple(rules), tuple(dates), tuple(exceptions))

    def _observance(self, component: _Open) -> Iterator[Observance]:
        given = self._single(component)
        missing = [name for name in ("DTSTART", "TZOFFSETFROM", "TZOFFSETTO") if name not in given]
        if missing:
            self._complain(component.line, f"this part of a time zone has no {missing[0]}")
            return
        onset = self._value(given["DTSTART"], values.moment)
        before = self._value(given["TZOFFSETFROM"], lambda line: values.offset_seconds(line.value))
        after = self._value(given["TZOFFSETTO"], lambda line: values.offset_seconds(line.value))
        again = self._recurrence(component, onset)
        self._observances += 1
        if self._observances > _OBSERVANCES_READ:
            raise refusal(component.line, f"the file has more than {_OBSERVANCES_READ} parts of time zones")
        if onset is None or before is None or after is None:
            return
        rules, dates = (again.rules, again.dates) if again else ((), ())
        days = [each.wall if isinstance(each, Moment) else each.start.wall for each in dates]
        yield Observance(given["DTSTART"].number, onset.wall, before, after, rules, tuple(days))

    def _zone(self, calendar: Calendar, component: _Open) -> None:
        names = [line.value for line in component.lines if line.name == "TZID"]
        if not names or not names[0]:
            self._complain(component.line, "this time zone has no TZID")
        elif component.parts == 0:
            self._complain(component.line, f"the time zone {quoted(names[0])} has no STANDARD or DAYLIGHT part")
        elif component.observances:
            calendar.zones[names[0]] = component.observances

    def _busy(self, component: _Open) -> Iterator[Busy]:
        for line in component.lines:
            if line.name == "FREEBUSY" and (line.param("FBTYPE") or "BUSY").upper() != "FREE":
                found = self._value(line, values.periods) or []
                self._count_dates(component, len(found))
                yield from (Busy(line.number, period) for period in found)

    def _single(self, component: _Open) -> dict[str, Line]:
        """Return the properties that are given once by their names; complain of those that are given again."""
        given: dict[str, Line] = {}
        for line in component.lines:
            if line.name in given and line.name not in _LISTS:
                self._complain(line.number, f"{line.name} is given on line {given[line.name].number} already")
            given.setdefault(line.name, line)
        return given

    def _value(self, line: Line | None, reading: Callable[[Line], T]) -> T | None:
        if line is None:
            return None
        try:
            return reading(line)
        except ValueError as error:
            self._complain(line.number, f"{line.name}: {error}")
            return None

    def _count_dates(self, component: _Open, count: int) -> None:
        self._dates += count
        if self._dates > _DATES_READ:
            raise refusal(component.line, f"the file lists more than {_DATES_READ} dates of recurrences and exceptions")

    def _complain(self, line: int, reason: str) -> None:
        self._problems.append(Problem(line, reason))
        if len(self._problems) >= _PROBLEMS_TOLD:
            raise CalendarFileInvalid(self._problems)


def _sequence(line: Line) -> int:
    if not (line.value.isascii() and line.value.isdigit() and len(line.value) <= 18):
        raise ValueError(f"{quoted(line.value)} is no number")
    return int(line.value)


def _says(given: dict[str, Line], name: str, word: str) -> bool:
    return name in given and given[name].value.upper() == word
