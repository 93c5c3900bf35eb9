"""Where instants stand in a calendar, on every kind of day."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from holdfast.admin.schedule_axis import Axis, Rows, axis_of, clusters

ZONE = "Europe/Berlin"
PLAIN, SPRING, AUTUMN = date(2027, 6, 9), date(2027, 3, 28), date(2027, 10, 31)
# Half an hour goes back, by night, where others move an hour.
HOWE = ("Australia/Lord_Howe", date(2027, 4, 4))


def at(day: date, clock: str, fold: int = 0) -> int:
    """Return an instant by what clocks show in Berlin."""
    hour, minute = map(int, clock.split(":"))
    return int(datetime(day.year, day.month, day.day, hour, minute, fold=fold, tzinfo=ZoneInfo(ZONE)).timestamp())


def row(axis: Axis, start: int) -> int:
    """Return the row at which something of an hour begins."""
    for day in axis.days:
        if day.begins <= start < day.ends:
            found = axis.place(day, start, start + 3_600)
            assert found is not None
            return found.first
    raise AssertionError("it is on none of the days")


def test_a_plain_day_stands_by_its_clock() -> None:
    """An hour takes twelve rows, and begins where its label is (U-3)."""
    axis = axis_of(PLAIN, 1, ZONE)
    assert axis.place(axis.days[0], at(PLAIN, "10:00"), at(PLAIN, "10:50")) == Rows(121, 10)
    assert axis.labels[10] == (121, 10, False)
    assert (axis.days[0].hours, axis.gaps(axis.days[0]), len(axis.labels)) == (24, [], 24)


def test_an_hour_that_comes_twice_is_there_twice() -> None:
    """In autumn 2:30 of summer time and 2:30 of winter time stand in different rows, and later hours by their labels (A-5, U-3)."""
    axis = axis_of(AUTUMN, 1, ZONE)
    first, second, noon = at(AUTUMN, "02:30"), at(AUTUMN, "02:30", 1), at(AUTUMN, "12:00")
    assert second - first == 3_600
    assert (row(axis, first), row(axis, second)) == (31, 43)
    assert (row(axis, noon), True) == next((at, True) for at, hour, _ in axis.labels if hour == 12)
    assert [(hour, again) for _, hour, again in axis.labels][1:5] == [(1, False), (2, False), (2, True), (3, False)]
    assert (axis.days[0].hours, axis.rows) == (25, 300)


def test_an_hour_that_is_skipped_is_nowhere() -> None:
    """In spring the hour from 2 to 3 is a gap, and 3:00 follows 1:59 (A-5, U-3)."""
    axis = axis_of(SPRING, 1, ZONE)
    assert axis.gaps(axis.days[0]) == [Rows(25, 12)]
    assert row(axis, at(SPRING, "03:00")) == 37
    assert row(axis, at(SPRING, "01:00") + 3_600) == 37
    assert axis.days[0].hours == 23


def test_days_of_a_week_keep_to_one_axis() -> None:
    """Beside a day with an hour twice, the others have nothing at it, and noon is in one row for all (A-5, U-3)."""
    axis = axis_of(AUTUMN - timedelta(days=6), 7, ZONE)
    assert {row(axis, at(day.day, "12:00")) for day in axis.days} == {157}
    assert [axis.gaps(day) for day in axis.days] == [[Rows(37, 12)]] * 6 + [[]]


@pytest.mark.parametrize(
    ("zone", "day"), [(ZONE, PLAIN), (ZONE, SPRING), (ZONE, AUTUMN), HOWE, ("Asia/Kathmandu", PLAIN)]
)
def test_every_instant_of_a_day_has_its_place_in_order(zone: str, day: date) -> None:
    """Instants five minutes apart never share a row nor change their order, and gaps are where none of them is (A-5)."""
    axis = axis_of(day, 1, zone)
    [only] = axis.days
    rows = [axis.place(only, start, start + 300, 1) for start in range(only.begins, only.ends, 300)]
    firsts = [found.first for found in rows if found is not None]
    assert len(firsts) == len(rows) == len(set(firsts))
    assert firsts == sorted(firsts)
    missing = {row for gap in axis.gaps(only) for row in range(gap.first, gap.first + gap.height)}
    assert missing == set(range(1, axis.rows + 1)) - set(firsts)


def test_what_lasts_over_midnight_is_cut() -> None:
    """What begins the day before begins with the day, and what ends outside of the hours shown ends with them (U-3)."""
    axis = axis_of(PLAIN, 1, ZONE).shows(9 * 60, 17 * 60 + 5)
    [day] = axis.days
    assert (axis.first, axis.last, axis.rows) == (540, 1_080, 108)
    assert axis.place(day, day.begins - 3_600, at(PLAIN, "10:00")) == Rows(1, 12)
    assert axis.place(day, at(PLAIN, "17:30"), day.ends + 1) == Rows(103, 6)
    assert axis.place(day, at(PLAIN, "08:00"), at(PLAIN, "09:00")) is None
    assert axis.place(day, day.ends, day.ends + 60) is None


def test_what_overlaps_stands_side_by_side() -> None:
    """What overlaps has lanes of its own, which are used again as soon as they are free; what touches does not overlap (U-3)."""
    places = [Rows(1, 12), Rows(7, 12), Rows(13, 4), Rows(19, 3), Rows(19, 6), Rows(40, 2)]
    found = clusters(places)
    assert [[*zip(c.members, c.lanes, strict=True)] for c in found] == [
        [(0, 1), (1, 2), (2, 1)],
        [(4, 1), (3, 2)],
        [(5, 1)],
    ]
    assert [c.rows for c in found] == [Rows(1, 18), Rows(19, 6), Rows(40, 2)]
