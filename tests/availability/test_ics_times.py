"""What calendar files mean: which time is busy, which days are free."""

from datetime import date

import pytest

from availability.calendar_texts import WINDOW, busy, calendar, days, event, joined
from holdfast.availability.ics.errors import CalendarFileInvalid
from holdfast.availability.ics.times import Window

# Vienna with summer time, as an exporter writes it that does not know the names of others.
VIENNA = [
    "BEGIN:VTIMEZONE",
    "TZID:Ours",
    "BEGIN:STANDARD",
    "DTSTART:16011028T030000",
    "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10",
    "TZOFFSETFROM:+0200",
    "TZOFFSETTO:+0100",
    "END:STANDARD",
    "BEGIN:DAYLIGHT",
    "DTSTART:16010325T020000",
    "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3",
    "TZOFFSETFROM:+0100",
    "TZOFFSETTO:+0200",
    "END:DAYLIGHT",
    "END:VTIMEZONE",
]
# A zone that moved for good on the first of March 2027.
MOVED = [
    *("BEGIN:VTIMEZONE", "TZID:Moved", "BEGIN:STANDARD", "DTSTART:20200101T000000"),
    *("TZOFFSETFROM:+0300", "TZOFFSETTO:+0300", "END:STANDARD"),
    *("BEGIN:STANDARD", "DTSTART:20270301T000000", "TZOFFSETFROM:+0300", "TZOFFSETTO:+0500", "END:STANDARD"),
    "END:VTIMEZONE",
]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["DTSTART:20270105T090000Z", "DTEND:20270105T100000Z"], ["2027-01-05T09:00/10:00"]),
        (["DTSTART;TZID=Asia/Tokyo:20270105T090000", "DTEND;TZID=Asia/Tokyo:20270105T100000"], ["2027-01-05T00:00/01:00"]),
        (["DTSTART;TZID=/x.org/1/Asia/Tokyo:20270105T090000", "DURATION:PT1H"], ["2027-01-05T00:00/01:00"]),
        (["DTSTART;TZID=Tokyo Standard Time:20270105T090000", "DURATION:PT1H"], ["2027-01-05T00:00/01:00"]),
        (["DTSTART:20270105T090000", "DTEND:20270105T100000"], ["2027-01-05T06:00/07:00"]),
        (["DTSTART:20270105T090000", "DTEND:20270105T070000Z"], ["2027-01-05T06:00/07:00"]),
        (["DTSTART:20270105T090000Z"], []),
        (["DTSTART:20270105T090000Z", "DTEND:20270105T090000Z"], []),
        (["DTSTART;VALUE=DATE:20270105"], ["2027-01-04T21:00/2027-01-05T21:00"]),
        (["DTSTART;VALUE=DATE:20270105", "DTEND;VALUE=DATE:20270105"], ["2027-01-04T21:00/2027-01-05T21:00"]),
        (["DTSTART:20270105", "DTEND:20270108"], ["2027-01-04T21:00/2027-01-07T21:00"]),
        (["DTSTART:20270105", "DURATION:P1W"], ["2027-01-04T21:00/2027-01-11T21:00"]),
        (["DTSTART:00010101", "DTEND:99991231"], ["1925-10-17T22:00/2128-03-16T21:00"]),
        (["DTSTART:20281231T230000Z", "DURATION:PT2H"], []),
        (["DTSTART:20270105T090000Z", "DURATION:PT1H", "TRANSP:TRANSPARENT"], []),
        (["DTSTART:20270105T090000Z", "DURATION:PT1H", "STATUS:CANCELLED"], []),
        (["DTSTART:20270105T090000Z", "DURATION:PT1H", "STATUS:TENTATIVE"], ["2027-01-05T09:00/10:00"]),
        (
            ["DTSTART:20270105T090000Z", "DURATION:PT1H", "BEGIN:VALARM", "DURATION:P1D", "TRIGGER:-PT5M", "END:VALARM"],
            ["2027-01-05T09:00/10:00"],
        ),
    ],
)  # fmt: skip
def test_an_event_is_busy_time(lines: list[str], expected: list[str]) -> None:
    """Days and times, with zones of all kinds of name and without, are the instants that people mean (A-1, K-2)."""
    assert busy(calendar(*event(*lines))) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            ["DTSTART;TZID=Europe/Berlin:20270327T090000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=2"],
            ["2027-03-27T08:00/09:00", "2027-03-28T07:00/08:00"],
        ),
        (
            ["DTSTART:20270105T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;UNTIL=20270107T090000Z", "EXDATE:20270106T090000Z"],
            ["2027-01-05T09:00/10:00", "2027-01-07T09:00/10:00"],
        ),
        (
            ["DTSTART;TZID=Europe/Moscow:20270105T090000", "DURATION:PT1H", "RRULE:FREQ=DAILY;UNTIL=20270106"],
            ["2027-01-05T06:00/07:00", "2027-01-06T06:00/07:00"],
        ),
        (
            ["DTSTART;TZID=Europe/Moscow:20270105T010000", "DURATION:PT1H", "RRULE:FREQ=DAILY;UNTIL=20270105T220000Z"],
            ["2027-01-04T22:00/23:00", "2027-01-05T22:00/23:00"],
        ),
        (
            ["DTSTART;TZID=Europe/Moscow:20270105T090000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3",
             "EXDATE;TZID=Asia/Tokyo:20270106T150000", "EXDATE;VALUE=DATE:20270107"],
            ["2027-01-05T06:00/07:00"],
        ),
        (
            ["DTSTART:20270105T090000Z", "DURATION:PT1H", "RDATE:20270108T090000Z,20270109T090000Z",
             "RDATE;VALUE=PERIOD:20270110T090000Z/PT3H,20270111T090000Z/20270111T093000Z", "RDATE;VALUE=DATE:20270112"],
            ["2027-01-05T09:00/10:00", "2027-01-08T09:00/10:00", "2027-01-09T09:00/10:00", "2027-01-10T09:00/12:00",
             "2027-01-11T09:00/09:30", "2027-01-12T09:00/10:00"],
        ),
        (
            ["DTSTART:20270105", "RRULE:FREQ=DAILY;COUNT=3;BYHOUR=5", "EXDATE;VALUE=DATE:20270106"],
            ["2027-01-04T21:00/2027-01-05T21:00", "2027-01-06T21:00/2027-01-07T21:00"],
        ),
        (
            ["DTSTART:20000105", "DTEND:20000107", "RRULE:FREQ=YEARLY;UNTIL=20260201"],
            ["2026-01-04T21:00/2026-01-06T21:00"],
        ),
        (
            ["DTSTART:20251225T000000Z", "DTEND:20260108T000000Z", "RRULE:FREQ=YEARLY"],
            ["2025-12-25T00:00/2026-01-08T00:00", "2026-12-25T00:00/2027-01-08T00:00", "2027-12-25T00:00/2028-01-08T00:00"],
        ),
        (
            # Not on one of its own days: the first time counts all the same.
            ["DTSTART:20270105T090000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;BYDAY=FR;COUNT=1"],
            ["2027-01-05T09:00/10:00", "2027-01-08T09:00/10:00"],
        ),
    ],
)  # fmt: skip
def test_an_event_recurs(lines: list[str], expected: list[str]) -> None:
    """Rules, listed dates and exceptions are worked out in the zone of the event (A-1, K-2)."""
    assert busy(calendar(*event(*lines))) == expected


DAILY = event("DTSTART;TZID=Europe/Moscow:20270105T090000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3")
MOVED_ONE = ["RECURRENCE-ID;TZID=Europe/Moscow:20270106T090000", "DTSTART:20270106T150000Z", "DURATION:PT2H"]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (joined(DAILY, event(*MOVED_ONE)), ["2027-01-05T06:00/07:00", "2027-01-06T15:00/17:00", "2027-01-07T06:00/07:00"]),
        (joined(event(*MOVED_ONE), DAILY), ["2027-01-05T06:00/07:00", "2027-01-06T15:00/17:00", "2027-01-07T06:00/07:00"]),
        (
            joined(DAILY, event("RECURRENCE-ID:20270106T060000Z", *MOVED_ONE[1:], "STATUS:CANCELLED")),
            ["2027-01-05T06:00/07:00", "2027-01-07T06:00/07:00"],
        ),
        (
            joined(DAILY, event("RECURRENCE-ID;VALUE=DATE:20270106", *MOVED_ONE[1:], "TRANSP:TRANSPARENT")),
            ["2027-01-05T06:00/07:00", "2027-01-07T06:00/07:00"],
        ),
        (
            joined(DAILY, event(*MOVED_ONE, "SEQUENCE:2"), event(*MOVED_ONE[:1], "DTSTART:20270106T200000Z", "SEQUENCE:1")),
            ["2027-01-05T06:00/07:00", "2027-01-06T15:00/17:00", "2027-01-07T06:00/07:00"],
        ),
        (event(*MOVED_ONE), ["2027-01-06T15:00/17:00"]),
        (
            joined(event("DTSTART:20270105T090000Z", "DURATION:PT1H", "SEQUENCE:3"),
                   event("DTSTART:20270105T200000Z", "DURATION:PT1H", "SEQUENCE:2")),
            ["2027-01-05T09:00/10:00"],
        ),
        (
            joined(event("DTSTART:20270105T090000Z", "DURATION:PT1H"),
                   event("DTSTART:20270105T200000Z", "DURATION:PT1H", "TRANSP:TRANSPARENT")),
            [],
        ),
        (
            joined(event("DTSTART:20270105T090000Z", "DURATION:PT1H", uid=None),
                   event("DTSTART:20270105T200000Z", "DURATION:PT1H", uid=None)),
            ["2027-01-05T09:00/10:00", "2027-01-05T20:00/21:00"],
        ),
        (
            joined(event("DTSTART:20270105T090000Z", "DURATION:PT1H", uid="a"),
                   event("DTSTART:20270105T093000Z", "DURATION:PT1H", uid="b"),
                   event("DTSTART:20270105T103000Z", "DURATION:PT1H", uid="c")),
            ["2027-01-05T09:00/11:30"],
        ),
    ],
)  # fmt: skip
def test_one_uid_is_one_event(events: list[str], expected: list[str]) -> None:
    """A changed occurrence stands for the one that it names, and of two versions the later counts (A-1, K-2)."""
    assert busy(calendar(*events)) == expected


@pytest.mark.parametrize(
    ("zone", "lines", "expected"),
    [
        # Floating times and whole days are in the calendar's zone: the named one, or the only one.
        ("Asia/Tokyo", event("DTSTART:20270105T090000", "DURATION:PT1H"), ["2027-01-05T00:00/01:00"]),
        ("Asia/Tokyo", event("DTSTART;VALUE=DATE:20270105"), ["2027-01-04T15:00/2027-01-05T15:00"]),
        ("Ours", joined(event("DTSTART:20270705", uid="a"), VIENNA), ["2027-07-04T22:00/2027-07-05T22:00"]),
        (None, joined(VIENNA, event("DTSTART:20270105")), ["2027-01-04T23:00/2027-01-05T23:00"]),
        (None, joined(VIENNA, event("DTSTART;TZID=Ours:20270705T090000", "DURATION:PT1H")), ["2027-07-05T07:00/08:00"]),
        (None, joined(event("DTSTART;TZID=Ours:20270105T090000", "DURATION:PT1H"), VIENNA), ["2027-01-05T08:00/09:00"]),
        # At the borders of summer time: a time that is skipped, and one that is there twice.
        (None, joined(VIENNA, event("DTSTART;TZID=Ours:20270328T023000", "DURATION:PT1H")), ["2027-03-28T01:30/02:30"]),
        (None, joined(VIENNA, event("DTSTART;TZID=Ours:20271031T023000", "DURATION:PT1H")), ["2027-10-31T00:30/01:30"]),
        (None, event("DTSTART;TZID=Europe/Vienna:20270328T023000", "DURATION:PT1H"), ["2027-03-28T01:30/02:30"]),
        (None, event("DTSTART;TZID=Europe/Vienna:20271031T023000", "DURATION:PT1H"), ["2027-10-31T00:30/01:30"]),
        (
            None,
            event("DTSTART;TZID=Europe/Vienna:20270328T025000", "DTEND;TZID=Europe/Vienna:20270328T031000"),
            ["2027-03-28T01:50/02:10"],
        ),
        # A description of a known zone is passed over, however wrong.
        (
            None,
            joined([line.replace("Ours", "Asia/Tokyo") for line in VIENNA],
                   event("DTSTART;TZID=Asia/Tokyo:20270105T090000", "DURATION:PT1H")),
            ["2027-01-05T00:00/01:00"],
        ),
        (
            None,
            joined(MOVED, event("DTSTART;TZID=Moved:20270228T090000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=2")),
            ["2027-02-28T06:00/07:00", "2027-03-01T04:00/05:00"],
        ),
    ],
)  # fmt: skip
def test_times_are_in_the_zone_of_the_calendar(zone: str | None, lines: list[str], expected: list[str]) -> None:
    """The zone of an event, of its calendar or of the resource, also one that only the file knows, is heeded (A-1)."""
    assert busy(calendar(*lines, zone=zone)) == expected


def test_published_busy_time_counts() -> None:
    """The busy periods of a VFREEBUSY are busy time, its free ones are not (K-2)."""
    lines = ["BEGIN:VFREEBUSY", "FREEBUSY:20270105T090000Z/PT1H,20270106T090000Z/20270106T100000Z"]
    lines += ["FREEBUSY;FBTYPE=FREE:20270107T090000Z/PT1H", "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20270108T090000Z/PT1H"]
    expected = ["2027-01-05T09:00/10:00", "2027-01-06T09:00/10:00", "2027-01-08T09:00/10:00"]
    assert busy(calendar(*lines, "END:VFREEBUSY")) == expected


def test_several_calendars_in_one_file_keep_their_zones() -> None:
    """What one calendar of a file says of its zone does not hold for the next one (K-2)."""
    one = calendar(*event("DTSTART:20270105T090000", "DURATION:PT1H"), zone="Asia/Tokyo")
    other = calendar(*event("DTSTART:20270105T090000", "DURATION:PT1H"), zone="Europe/Berlin")
    assert busy(one + other) == ["2027-01-05T00:00/01:00", "2027-01-05T08:00/09:00"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (event("DTSTART;VALUE=DATE:20270101", "DTEND;VALUE=DATE:20270103"), ["2027-01-01", "2027-01-02"]),
        # Published holidays say that nobody is busy.
        (event("DTSTART;VALUE=DATE:20270101", "TRANSP:TRANSPARENT"), ["2027-01-01"]),
        (event("DTSTART;VALUE=DATE:20270101", "STATUS:CANCELLED"), []),
        (event("DTSTART:20260101", "RRULE:FREQ=YEARLY"), ["2026-01-01", "2027-01-01"]),
        (event("DTSTART:20270101T000000", "DTEND:20270102T000000"), ["2027-01-01"]),
        (event("DTSTART;TZID=Asia/Tokyo:20270101T000000", "DURATION:P2D"), ["2027-01-01", "2027-01-02"]),
        (event("DTSTART:20261231T210000Z", "DTEND:20270101T210000Z"), ["2027-01-01"]),
        (event("DTSTART:20251230", "DTEND:20260103"), ["2026-01-01", "2026-01-02"]),
        (event("DTSTART:20240101T090000Z", "DURATION:PT1H"), []),
    ],
)
def test_holidays_are_days(lines: list[str], expected: list[str]) -> None:
    """A holiday file means days, whatever their events say of being busy (A-1)."""
    assert days(calendar(*lines)) == expected


@pytest.mark.parametrize(
    "lines",
    [
        ["DTSTART:20270101T090000", "DTEND:20270101T100000"],
        ["DTSTART:20270101T000000", "DTEND:20270102T120000"],
        ["DTSTART:20270101T000000"],
    ],
)
def test_a_holiday_of_some_hours_is_refused(lines: list[str]) -> None:
    """What takes only a part of a day is refused as a holiday, with its line (K-2)."""
    with pytest.raises(CalendarFileInvalid, match="line 7: a holiday takes whole days"):
        days(calendar(*event(*lines)))


def test_only_the_window_is_laid_out() -> None:
    """What recurs for ever is laid out in the window, with what reaches into it, and no further (K-2)."""
    recurring = calendar(*event("DTSTART:19990101T230000Z", "DURATION:PT2H", "RRULE:FREQ=DAILY"))
    expected = ["2026-12-31T23:00/2027-01-01T01:00", "2027-01-01T23:00/2027-01-02T01:00"]
    assert busy(recurring, window=Window(date(2027, 1, 1), date(2027, 1, 2))) == expected
    assert len(busy(recurring)) == (WINDOW.last - WINDOW.first).days + 1
