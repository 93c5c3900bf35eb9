"""Whatever is in a calendar file, it is read or refused with lines and reasons, in bounded memory and time."""

import tracemalloc
from collections.abc import Iterator
from datetime import date
from io import BytesIO, RawIOBase

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from availability.calendar_texts import WINDOW, busy, calendar, days, event, joined, parsed
from availability.test_ics_times import MOVED, VIENNA
from holdfast.availability.ics.errors import CalendarFileInvalid
from holdfast.availability.ics.lines import LONGEST_LINE_BYTES, content_lines
from holdfast.availability.ics.reading import EVENTS_READ, read
from holdfast.availability.ics.times import OCCURRENCES_READ, Window, busy_spans

HOUR = ("DTSTART:20270105T090000Z", "DURATION:PT1H")
BUSY = ["2027-01-05T09:00/10:00"]


@pytest.mark.parametrize(
    "source",
    [
        calendar(*event(*HOUR)).replace(b"\r\n", b"\n"),
        b"\xef\xbb\xbf" + calendar(*event(*HOUR)),
        calendar(*event("DTSTART:2027", " 0105T0", "\t90000Z", HOUR[1])),
        calendar(*event("dtstart:20270105t090000z", "duration:pt1h")),
        calendar(*event(*HOUR, "SUMMARY:Приём", " " + "ы" * 40, "X-NOTHING:", "")),
        calendar(*event(*HOUR, "", "DESCRIPTION;X=1:\\n")),
        calendar(*event(*HOUR)).removesuffix(b"\r\n"),
        # Folded in the middle of a letter.
        calendar(*event(*HOUR, uid="Ю")).replace("Ю".encode(), b"\xd0\r\n \xae"),
        calendar(*event(*HOUR), *event(uid="x")[:0], "BEGIN:VTODO", "DTSTART:garbage", "END:VTODO"),
        calendar("BEGIN:X-OWN", "BEGIN:X-MORE", "DURATION:x", "END:X-MORE", "END:X-OWN", *event(*HOUR)),
    ],
)
def test_ways_to_write_a_calendar(source: bytes) -> None:
    """Line ends, folds, letters, case and parts that say nothing of times do not matter (K-2)."""
    assert busy(source) == BUSY


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [
        (b"", 1, "not a calendar file"),
        (b"\r\n\r\n", 1, "not a calendar file"),
        (b"[business]\r\n", 1, "is not a line of a calendar"),
        (b"BEGIN:VCARD\r\nEND:VCARD\r\n", 1, "stands where it cannot"),
        (b"VERSION:2.0\r\n", None, "not a calendar file"),
        (b"DTSTART:20270105\r\n", 1, "outside of any calendar"),
        (b" BEGIN:VCALENDAR\r\n", 1, "goes on, but there is none before it"),
        (calendar(*event(*HOUR)).removesuffix(b"END:VCALENDAR\r\n"), 9, "the file ends inside of VCALENDAR, which begins on line 1"),
        (calendar(*event(*HOUR)[:-1]), 9, "END:'VCALENDAR' does not close VEVENT, which begins on line 4"),
        (calendar("BEGIN:VCALENDAR", "END:VCALENDAR"), 4, "stands where it cannot"),
        (calendar(*event()), 4, "has no DTSTART"),
        (calendar(*event("DTSTART:20270230")), 7, "DTSTART: '20270230' is no day and no time"),
        (calendar(*event("DTSTART:20270105T250000")), 7, "is no day and no time"),
        (calendar(*event("DTSTART:PT1H")), 7, "is no day and no time"),
        (calendar(*event("DTSTART:")), 7, "is no day and no time"),
        (calendar(*event("DTSTART:20270105", "DTEND:20270104")), 8, "ends before it begins"),
        (calendar(*event("DTSTART:20270105", "DTEND:20270106T000000Z")), 8, "begins with a day and ends with a time"),
        (calendar(*event(HOUR[0], "DURATION:1H")), 8, "'1H' is no duration"),
        (calendar(*event(HOUR[0], "DURATION:-PT1H")), 8, "no length of time"),
        (calendar(*event(HOUR[0], "DURATION:P99999999999D")), 8, "no duration"),
        (calendar(*event(*HOUR, "DTEND:20270105T100000Z")), 9, "a DTEND and a DURATION"),
        (calendar(*event(*HOUR, "DTSTART:20270106T090000Z")), 9, "DTSTART is given on line 7 already"),
        (calendar(*event(*HOUR, "RRULE:FREQ=SECONDLY")), 9, "RRULE: FREQ=SECONDLY is not read"),
        (calendar(*event(*HOUR, "EXRULE:FREQ=DAILY")), 9, "EXRULE is no longer"),
        (calendar(*event(*HOUR, "EXDATE:yesterday", "RRULE:FREQ=DAILY")), 9, "EXDATE: 'yesterday' is no day"),
        (calendar(*event(*HOUR, "RDATE:20270105T090000Z/1")), 9, "RDATE: '1' is no day"),
        (calendar(*event(*HOUR, "RDATE:20270105/PT1H")), 9, "is no period"),
        (calendar(*event(*HOUR, "SEQUENCE:one")), 9, "SEQUENCE: 'one' is no number"),
        (calendar(*event(*HOUR, "RECURRENCE-ID;RANGE=THISANDFUTURE:20270105T090000Z")), 9, "is not understood"),
        (calendar(*event("DTSTART;TZID=Nowhere:20270105T090000", HOUR[1])), 7, "there is no time zone 'Nowhere'"),
        (calendar(*event(HOUR[0], "DTEND;TZID=Nowhere:20270105T100000")), 7, "there is no time zone 'Nowhere'"),
        (calendar(*event(*HOUR), zone="Nowhere"), 4, "there is no time zone 'Nowhere'"),
        (calendar("BEGIN:VTIMEZONE", "TZID:X", "END:VTIMEZONE"), 4, "has no STANDARD"),
        (calendar("BEGIN:VTIMEZONE", *MOVED[2:]), 4, "has no TZID"),
        (calendar(*[line for line in MOVED if "OFFSETTO" not in line]), 6, "has no TZOFFSETTO"),
        (calendar(*[line.replace("+0300", "3") for line in MOVED]), 8, "TZOFFSETFROM: '3' is no offset"),
        (calendar(*[line.replace("+0300", "+9900") for line in MOVED]), 8, "is no offset"),
        (calendar("BEGIN:VFREEBUSY", "FREEBUSY:20270105T090000Z", "END:VFREEBUSY"), 5, "is no"),
        (calendar(*["BEGIN:X-DEEP"] * 9), 11, "nested too deeply"),
        (calendar("DTSTART"), 4, "is not a line of a calendar"),
        (calendar("SUMMARY;no value"), 4, "has no value"),
        (calendar(*event('DTSTART;TZID="open:20270105')), 7, "is not a line of a calendar"),
        (calendar(*event("DTSTART:\udcff".encode("utf-8", "surrogateescape").decode("latin-1"))), 7, "no day and no time"),
        (calendar(*event("UID2:x", *HOUR)).replace(b"UID:one", b"UID:\xff"), 5, "is not UTF-8"),
        (calendar(*event(*HOUR, "EXDATE:" + "2" * LONGEST_LINE_BYTES)), 9, "longer than"),
        (calendar(*event(*HOUR, *["EXDATE:20270105T090000Z"] * 5_001)), 5006, "more than 5000 lines"),
        (calendar(*joined(*[event(HOUR[0], "EXDATE:" + ",".join(["20270105"] * 20_001)) for _ in range(10)])), None, "more than 200000 dates"),
    ],
)  # fmt: skip
def test_a_broken_file_is_refused(source: bytes, line: int | None, reason: str) -> None:
    """What is wrong in a file is told with its line and the reason (K-2)."""
    with pytest.raises(CalendarFileInvalid) as refused:
        busy(source)
    problem = refused.value.problems[0]
    assert reason in problem.reason
    if line is not None:
        assert problem.line == line


def test_several_problems_are_told_at_once() -> None:
    """Of many broken events the first twenty are told, each with its line (K-2)."""
    with pytest.raises(CalendarFileInvalid) as refused:
        parsed(calendar(*joined(*[event(f"DTSTART:{number}") for number in range(30)])))
    assert [problem.line for problem in refused.value.problems] == [7 + 5 * number for number in range(20)]


def test_too_many_events_are_refused() -> None:
    """A file with more events than can be kept is refused at the first one too many (K-2)."""

    class Endless(RawIOBase):
        """Event after event."""

        def __init__(self) -> None:
            self.lines = self._lines()

        def _lines(self) -> Iterator[bytes]:
            yield b"BEGIN:VCALENDAR\r\n"
            while True:
                yield from (b"BEGIN:VEVENT\r\n", b"DTSTART:20270105\r\n", b"END:VEVENT\r\n")

        def readline(self, _size: int | None = -1, /) -> bytes:
            return next(self.lines)

        def tell(self) -> int:
            return 0

    with pytest.raises(
        CalendarFileInvalid, match=f"line {3 * EVENTS_READ + 2}: the file has more than {EVENTS_READ} events"
    ):
        read(Endless())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("FREQ=DAILY;BYHOUR=0,1,2,3,4,5,6,7,8,9,10,11;BYMINUTE=" + ",".join(map(str, range(0, 60, 3))), "more than"),
        ("FREQ=DAILY;COUNT=999999999", "too often for too long"),
    ],
)
def test_recurrence_bombs_are_refused(rule: str, reason: str) -> None:
    """A few lines that would be millions of events, or years of counting, are refused with a line (K-2)."""
    bombs = [
        event("DTSTART:00010101T000000Z", "DURATION:PT1M", f"RRULE:{rule}", uid=str(number)) for number in range(20)
    ]
    with pytest.raises(CalendarFileInvalid, match=r"^line [0-9]+: ") as refused:
        busy(calendar(*joined(*bombs)))
    assert reason in refused.value.message


def test_the_calendars_of_a_file_share_its_bounds() -> None:
    """What is too much for one calendar is too much for a file of many, too (K-2)."""
    counted = calendar(*event("DTSTART:00010101T000000Z", "DURATION:PT1M", "RRULE:FREQ=DAILY;COUNT=999999999"))
    assert busy(counted, window=Window(date(2027, 1, 1), date(2027, 1, 2)))
    with pytest.raises(CalendarFileInvalid, match="too often for too long"):
        busy(counted * 8, window=Window(date(2027, 1, 1), date(2027, 1, 2)))


def test_more_events_than_can_be_stored_are_refused() -> None:
    """More occurrences in the window than there may be are refused; outside of it they do not count (K-2)."""
    many = event(
        "DTSTART:20200101T000000Z", "DURATION:PT1M", "RRULE:FREQ=DAILY;BYHOUR=" + ",".join(map(str, range(24)))
    )
    source = calendar(*joined(*[[*many[:1], f"UID:{number}", *many[2:]] for number in range(10)]))
    with pytest.raises(CalendarFileInvalid, match=f"more than {OCCURRENCES_READ} events between 2026-01-01 and 2028"):
        busy(source)
    assert len(busy_spans(parsed(source), "UTC", Window(date(2027, 1, 1), date(2027, 2, 1)))) == 24 * 31


def test_what_is_not_read_is_not_kept() -> None:
    """A picture of 20 MB in an event takes no memory worth speaking of (K-2)."""

    class Picture(BytesIO):
        """A calendar, in the middle of which is a line without an end."""

        def __init__(self) -> None:
            super().__init__(calendar(*event(*HOUR, "ATTACH:here")))
            self.left = 320

        def readline(self, size: int | None = -1, /) -> bytes:
            line = super().readline(size)
            if line.startswith(b"ATTACH:") and self.left:
                self.left -= 1
                self.seek(-len(line), 1)
                return b"ATTACH:" + b"A" * 65_529
            return line

    tracemalloc.start()
    try:
        assert len(list(content_lines(Picture()))) == 7
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


SAMPLES = [
    calendar(*VIENNA, *MOVED, *event("DTSTART;TZID=Ours:20270105T090000", "DURATION:PT1H30M", "RRULE:FREQ=WEEKLY;BYDAY=MO,TU;COUNT=9",
                                     "EXDATE;TZID=Ours:20270112T090000", "RDATE;VALUE=PERIOD:20270110T090000Z/PT3H"),
             *event("RECURRENCE-ID;TZID=Ours:20270105T090000", "DTSTART:20270105T150000Z", "DTEND:20270105T160000Z", "SEQUENCE:2"),
             *event("DTSTART;VALUE=DATE:20270301", "DTEND;VALUE=DATE:20270303", "TRANSP:TRANSPARENT", uid="b"),
             *event("DTSTART;TZID=Moved:20270301T100000", "DTEND;TZID=Moved:20270301T110000", "STATUS:CONFIRMED",
                    "RRULE:FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20271231T000000Z", uid="c"),
             "BEGIN:VFREEBUSY", "FREEBUSY;FBTYPE=BUSY:20270105T090000Z/PT1H", "END:VFREEBUSY", zone="Europe/Moscow"),
]  # fmt: skip
LINES = SAMPLES[0].decode().split("\r\n")
VALUES = [
    *("20270105", "00010101", "99991231", "99991231T235959", "00010101T000000Z", "20270328T023000", "PT1H", "P1W", "-P1D", ""),
    *("FREQ=SECONDLY", "FREQ=DAILY", "FREQ=YEARLY;BYMONTHDAY=30;BYMONTH=2", "FREQ=DAILY;COUNT=999999999", "FREQ=WEEKLY;WKST=SU"),
    *("FREQ=YEARLY;BYWEEKNO=53", "FREQ=MONTHLY;BYSETPOS=-1", "FREQ=DAILY;BYHOUR=0,6,12,18;BYMINUTE=0,30", "+1400", "-2359", "+0000"),
    *("FREQ=DAILY;UNTIL=99991231T235959Z", "FREQ=YEARLY;INTERVAL=10000", "FREQ=DAILY;UNTIL=00010101T000000Z", "1,2", "VEVENT"),
    *("VCALENDAR", "VTIMEZONE", "CANCELLED", "20270105T090000Z/P99999D", "00010101T000000Z/99991231T235959Z", "Ours", "\x00", "Europe/Moscow"),
]  # fmt: skip
NAMES = ["DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "UID", "SEQUENCE", "BEGIN", "END"]
NAMES += ["TZID", "TZOFFSETFROM", "TZOFFSETTO", "FREEBUSY", "X-WR-TIMEZONE", "STATUS"]
PARAMS = [
    "",
    ";TZID=Ours",
    ";TZID=Moved",
    ";TZID=Europe/Berlin",
    ";VALUE=DATE",
    ";TZID=America/St_Johns",
    ';X="a;b"',
    ";TZID=",
]


def read_or_refused(source: bytes) -> None:
    """Read a file as both of what it may be; it is read, or refused as promised."""
    for meaning in (busy, days):
        try:
            meaning(source)
        except CalendarFileInvalid as refusal:
            problems = refusal.problems
        else:
            continue
        lines = source.count(b"\n") + 1
        assert problems
        assert all(1 <= each.line <= lines and each.reason.isprintable() for each in problems), problems


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a calendar with some lines lost, doubled, swapped, changed or added."""
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 6))):
        at, other = draw(st.integers(0, len(lines) - 1)), draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["lose", "double", "swap", "change", "change", "add", "scratch"])):
            case "lose":
                lines[at] = ""
            case "double":
                lines.insert(at, lines[other])
            case "swap":
                lines[at], lines[other] = lines[other], lines[at]
            case "change":
                lines[at] = f"{lines[at].split(':')[0]}:{draw(st.sampled_from(VALUES))}"
            case "add":
                words = [draw(st.sampled_from(part)) for part in (NAMES, PARAMS, VALUES)]
                lines.insert(at, f"{words[0]}{words[1]}:{words[2]}")
            case "scratch":
                cut = draw(st.integers(0, len(lines[at])))
                lines[at] = lines[at][:cut] + draw(st.text(max_size=3)) + lines[at][cut:]
    return "\r\n".join(lines).encode("utf-8", "surrogatepass")


@given(damaged())
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_damaged_calendar_is_read_or_refused(source: bytes) -> None:
    """Nothing but accepted or refused with lines and reasons happens to a calendar that somebody has edited (K-2)."""
    read_or_refused(source)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_damaged_bytes_are_read_or_refused(data: st.DataObject) -> None:
    """Nothing but accepted or refused with lines and reasons happens to a calendar with bytes overwritten (K-2)."""
    source = bytearray(SAMPLES[0])
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(source) - 1))
        source[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    read_or_refused(bytes(source))


@given(st.binary() | st.text(alphabet="BEGINVCALDRT:;=,/\r\n \t-+0123456789ZP").map(str.encode))
@example(b"BEGIN:VCALENDAR\r")
@example(b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n" * 2)
@example(calendar(*event("DTSTART:20270105T090000Z", "DTEND:20270105T100000Z", "RDATE:99991231T235959Z/P1D")))
@example(calendar(*event("DTSTART;TZID=Ours:00010101T000000", "DURATION:P366000D", "RRULE:FREQ=DAILY"), *VIENNA))
@settings(max_examples=300, deadline=None)
def test_anything_is_read_or_refused_as_a_calendar(source: bytes) -> None:
    """Nothing but accepted or refused with lines and reasons happens to any bytes at all (K-2)."""
    read_or_refused(source)


def test_the_sample_of_the_fuzz_is_sound() -> None:
    """The calendar that is damaged above is accepted as it is, so that its damages are what is refused."""
    assert len(busy(SAMPLES[0])) > 10
    assert WINDOW.first < WINDOW.last
