"""The month and the day of the booking page: weeks, parts of a day, and days on which clocks are changed."""

from datetime import UTC, date, datetime, timedelta

import pytest

from holdfast.availability.slots import Slot
from holdfast.availability.wording import Wording
from holdfast.booking.pages.month import clock_change, month_of, parts_of

TODAY = date(2026, 11, 21)


def slot(at: datetime) -> Slot:
    """Return a free time."""
    start = int(at.timestamp())
    return Slot(start, start + 1_800, (), 1)


def test_a_month_has_its_days_in_weeks() -> None:
    """A month has each of its days once under its weekday, Monday first; weeks that are over are left out (U-1)."""
    month = month_of(date(2026, 12, 1), {date(2026, 12, 5): 3}, TODAY, date(2027, 2, 19))
    assert all(len(week) == 7 for week in month.weeks)
    cells = [(place, cell) for week in month.weeks for place, cell in enumerate(week) if cell]
    assert [cell.day for _, cell in cells] == [date(2026, 12, 1) + timedelta(days=n) for n in range(31)]
    assert all(cell.day.weekday() == place for place, cell in cells)
    assert {cell.day: cell.free for _, cell in cells if cell.free} == {date(2026, 12, 5): 3}
    begun = month_of(date(2026, 11, 1), {}, TODAY, date(2027, 2, 19))
    shown = [cell for week in begun.weeks for cell in week if cell]
    assert [shown[0].day, shown[-1].day] == [date(2026, 11, 16), date(2026, 11, 30)]
    assert [cell.day for cell in shown if cell.is_today] == [TODAY]


@pytest.mark.parametrize(
    ("first", "before", "after"),
    [
        (date(2026, 11, 1), None, date(2026, 12, 1)),
        (date(2026, 12, 1), date(2026, 11, 1), date(2027, 1, 1)),
        (date(2027, 1, 1), date(2026, 12, 1), date(2027, 2, 1)),
        (date(2027, 2, 1), date(2027, 1, 1), None),
    ],
)
def test_months_lead_no_further_than_one_can_book(first: date, before: date | None, after: date | None) -> None:
    """From a month one goes to the one before it, not before today's, and on, not beyond the last bookable day (U-1)."""
    month = month_of(first, {}, TODAY, date(2027, 2, 1))
    assert (month.before, month.after) == (before, after)


@pytest.mark.parametrize(
    ("zone", "day", "before", "after"),
    [
        ("Europe/Berlin", date(2027, 3, 28), "02:00", "03:00"),
        ("Europe/Berlin", date(2027, 10, 31), "03:00", "02:00"),
        ("America/New_York", date(2027, 11, 7), "02:00", "01:00"),
        # At midnight: the day begins an hour late, or the day before ends an hour late.
        ("America/Santiago", date(2027, 9, 5), "00:00", "01:00"),
        ("Australia/Lord_Howe", date(2027, 4, 4), "02:00", "01:30"),
    ],
)
def test_a_day_on_which_clocks_are_changed(zone: str, day: date, before: str, after: str) -> None:
    """The day of a change knows from which to which time the clocks go, and the days around it know of none (A-5, U-1)."""
    change = clock_change(day, zone)
    assert change is not None
    assert [f"{at:%H:%M}" for at in (change.before, change.after)] == [before, after]
    assert change.is_back == (after < before)
    for days in (-1, 1):
        assert clock_change(day + timedelta(days=days), zone) is None


def test_a_zone_without_changes() -> None:
    """Where clocks are never changed no day of a year is told so (A-5)."""
    assert [d for n in range(366) if clock_change(d := date(2027, 1, 1) + timedelta(days=n), "Asia/Tokyo")] == []


def test_times_that_come_twice_are_told_apart() -> None:
    """When clocks go back, a time that they show twice says each time how far it is from UTC; others do not (A-5, U-1)."""
    day, zone = date(2027, 10, 31), "Europe/Berlin"
    first = datetime(2027, 10, 30, 23, 30, tzinfo=UTC)
    slots = [slot(first + timedelta(minutes=30 * n)) for n in range(6)]
    [part] = parts_of(slots, Wording("en", zone), clock_change(day, zone))
    assert [(f"{time.local:%H:%M}", time.apart) for time in part.times] == [
        ("01:30", ""),
        ("02:00", "UTC+2"),
        ("02:30", "UTC+2"),
        ("02:00", "UTC+1"),
        ("02:30", "UTC+1"),
        ("03:00", ""),
    ]


def test_a_day_has_parts() -> None:
    """Times stand in the part of the day in which they are for the client, and a part without any is not there (U-1)."""
    hours = [0, 5, 6, 11, 12, 16, 17, 23]
    slots = [slot(datetime(2026, 12, 1, hour, tzinfo=UTC)) for hour in hours]

    def seen(zone: str) -> list[tuple[str, list[int]]]:
        return [(part.name, [t.local.hour for t in part.times]) for part in parts_of(slots, Wording("en", zone), None)]

    assert seen("UTC") == [("Night", [0, 5]), ("Morning", [6, 11]), ("Afternoon", [12, 16]), ("Evening", [17, 23])]
    assert parts_of([], Wording("en", "UTC"), None) == []
