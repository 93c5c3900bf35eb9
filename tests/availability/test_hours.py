"""Opening hours of one resource: what its windows are, and where slots may start.

`test_walltime.py` holds the property over every zone and transition.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.availability import hours as hours_module
from holdfast.availability.hours import Hours, Override, WeeklyRule, Window
from holdfast.availability.walltime import (
    UnknownTimeZone,
    closing_instant,
    day_bounds,
    local_text,
    opening_instant,
)

BERLIN = "Europe/Berlin"
MINUTE = 60
HOUR = 3_600
DAY = timedelta(days=1)
MONDAY = date(2025, 6, 2)
SUNDAY_OF_SPRING = date(2025, 3, 30)
SUNDAY_OF_AUTUMN = date(2025, 10, 26)


def at(day: date, hour: int, minute: int = 0) -> int:
    """Return the instant of a wall time in Berlin."""
    return opening_instant(day, time(hour, minute), BERLIN)


def every_day(opens: time, closes: time) -> list[WeeklyRule]:
    """Return the same hours for all seven weekdays."""
    return [WeeklyRule(weekday, opens, closes) for weekday in range(7)]


def starts_on(hours: Hours, day: date, minutes: int) -> list[str]:
    """Return each start that is offered on a day in Berlin, with its offset."""
    slots = hours.starts(*day_bounds(day, BERLIN), minutes * MINUTE, minutes * MINUTE)
    return [local_text(start, BERLIN)[11:] for start in slots]


# Weekly rules


def test_a_rule_opens_on_its_weekday() -> None:
    """A weekly rule is open on its weekday, from its opening to its closing (A-1)."""
    hours = Hours(BERLIN, [WeeklyRule(0, time(9), time(18))])
    assert hours.windows(MONDAY - DAY, MONDAY + 7 * DAY) == [
        (at(MONDAY, 9), at(MONDAY, 18)),
        (at(MONDAY + 7 * DAY, 9), at(MONDAY + 7 * DAY, 18)),
    ]


def test_a_rule_holds_from_its_first_to_its_last_day() -> None:
    """Both validity dates are inside, and about the day of the opening (A-1)."""
    last = MONDAY + 2 * DAY
    hours = Hours(
        BERLIN,
        [WeeklyRule(day, time(22), time(2), valid_from=MONDAY, valid_until=last) for day in range(7)],
    )
    assert [window.opens for window in hours.windows(MONDAY - 9 * DAY, last + 9 * DAY)] == [
        at(MONDAY, 22),
        at(MONDAY + DAY, 22),
        at(last, 22),
    ]
    assert hours.covers(at(last + DAY, 1), at(last + DAY, 2))


def test_a_day_has_several_windows() -> None:
    """A day may have several windows, told in order, and equal ones once (A-1)."""
    hours = Hours(
        BERLIN,
        [
            WeeklyRule(0, time(14), time(18)),
            WeeklyRule(0, time(9), time(12)),
            WeeklyRule(0, time(9), time(12), valid_from=MONDAY),
        ],
    )
    assert hours.windows(MONDAY, MONDAY) == [
        (at(MONDAY, 9), at(MONDAY, 12)),
        (at(MONDAY, 14), at(MONDAY, 18)),
    ]


def test_a_window_runs_overnight() -> None:
    """A closing not after the opening is on the next day; 00:00 ends it (A-1)."""
    for closes, ends in [(time(2), 2), (time(0), 0), (time(22), 22)]:
        hours = Hours(BERLIN, [WeeklyRule(0, time(22), closes)])
        night = (at(MONDAY, 22), at(MONDAY + DAY, ends))
        assert hours.windows(MONDAY, MONDAY + DAY) == [night]
        assert hours.windows(MONDAY + DAY, MONDAY + DAY) == []
        assert hours.covers(*night)
        assert not hours.covers(night[0], night[1] + 1)
        assert not hours.covers(night[0] - 1, night[1])


# Overrides


def test_an_override_replaces_the_rules_of_its_date() -> None:
    """Other hours on a date replace all of its weekly rules, only there (A-1)."""
    hours = Hours(
        BERLIN,
        [*every_day(time(9), time(12)), *every_day(time(14), time(18))],
        [
            Override(MONDAY, time(20), time(22)),
            Override(MONDAY, time(10), time(11)),
        ],
    )
    assert hours.windows(MONDAY, MONDAY + DAY) == [
        (at(MONDAY, 10), at(MONDAY, 11)),
        (at(MONDAY, 20), at(MONDAY, 22)),
        (at(MONDAY + DAY, 9), at(MONDAY + DAY, 12)),
        (at(MONDAY + DAY, 14), at(MONDAY + DAY, 18)),
    ]


def test_an_override_opens_a_day_without_rules() -> None:
    """Hours on a date need no weekly rule (A-1)."""
    hours = Hours(BERLIN, [], [Override(MONDAY, time(9), time(10))])
    assert hours.windows(MONDAY, MONDAY) == [(at(MONDAY, 9), at(MONDAY, 10))]


def test_closed_wins() -> None:
    """A date that one override closes is closed, whatever the others say (A-1)."""
    opened = Override(MONDAY, time(9), time(18))
    for overrides in ([Override(MONDAY)], [opened, Override(MONDAY)]):
        for given_order in (overrides, overrides[::-1]):
            hours = Hours(BERLIN, every_day(time(9), time(18)), given_order)
            assert hours.windows(MONDAY, MONDAY) == []
            assert not hours.covers(at(MONDAY, 10), at(MONDAY, 11))


def test_an_override_does_not_cut_the_night_before() -> None:
    """A closed date leaves the window that opened on the evening before (A-1)."""
    hours = Hours(BERLIN, every_day(time(22), time(2)), [Override(MONDAY)])
    assert hours.covers(at(MONDAY - DAY, 22), at(MONDAY, 2))
    assert not hours.covers(at(MONDAY, 22), at(MONDAY, 23))


# Covers


def test_touching_and_overlapping_windows_join() -> None:
    """Windows that touch or overlap are one, also over midnight (A-1)."""
    tuesday = MONDAY + DAY
    hours = Hours(
        BERLIN,
        [],
        [
            Override(MONDAY, time(9), time(12)),
            Override(MONDAY, time(12), time(15)),
            Override(MONDAY, time(14), time(0)),
            Override(MONDAY, time(10), time(11)),
            Override(tuesday, time(0), time(1)),
            Override(tuesday, time(1, 1), time(2)),
        ],
    )
    assert hours.covers(at(MONDAY, 9), at(tuesday, 1))
    assert not hours.covers(at(MONDAY, 9), at(tuesday, 2))
    assert hours.covers(at(tuesday, 1, 1), at(tuesday, 2))


def test_nothing_is_not_covered() -> None:
    """An interval that is empty or runs backwards is never open (A-4)."""
    for always_open in (False, True):
        hours = Hours(BERLIN, every_day(time(9), time(18)), always_open=always_open)
        assert hours.covers(at(MONDAY, 10), at(MONDAY, 11))
        assert not hours.covers(at(MONDAY, 10), at(MONDAY, 10))
        assert not hours.covers(at(MONDAY, 11), at(MONDAY, 10))


# Slots


def test_an_afternoon_is_not_moved_by_the_morning() -> None:
    """After the clocks change, 13 to 18 is offered as 13 to 18 (field pain 19, A-5)."""
    hours = Hours(BERLIN, every_day(time(13), time(18)))
    for day, offset in [(SUNDAY_OF_SPRING, "+02:00"), (SUNDAY_OF_AUTUMN, "+01:00")]:
        assert starts_on(hours, day, 60) == [f"{hour}:00:00{offset}" for hour in (13, 14, 15, 16, 17)]


def test_slots_step_in_elapsed_time() -> None:
    """Slots step in elapsed time, over a skipped or a repeated hour (A-2, A-5)."""
    hours = Hours(BERLIN, every_day(time(1), time(4)))
    assert starts_on(hours, SUNDAY_OF_SPRING, 60) == [
        "01:00:00+01:00",
        "03:00:00+02:00",
    ]
    assert starts_on(hours, SUNDAY_OF_AUTUMN, 60) == [
        "01:00:00+02:00",
        "02:00:00+02:00",
        "02:00:00+01:00",
        "03:00:00+01:00",
    ]
    assert starts_on(hours, SUNDAY_OF_SPRING, 45) == [
        "01:00:00+01:00",
        "01:45:00+01:00",
    ]


def test_a_window_inside_the_gap_is_none() -> None:
    """A window whose whole wall time is skipped is never offered (A-5)."""
    hours = Hours(BERLIN, every_day(time(2), time(3)))
    assert hours.windows(SUNDAY_OF_SPRING, SUNDAY_OF_SPRING) == []
    assert starts_on(hours, SUNDAY_OF_SPRING, 15) == []
    assert len(starts_on(hours, SUNDAY_OF_SPRING + DAY, 15)) == 4


def test_a_slot_ends_before_closing() -> None:
    """A slot may end at closing and not later (A-2, A-4)."""
    hours = Hours(BERLIN, [WeeklyRule(0, time(9), time(10, 30))])
    opens = at(MONDAY, 9)
    assert hours.starts(opens, opens + 24 * HOUR, HOUR, 15 * MINUTE) == [
        opens,
        opens + 15 * MINUTE,
        opens + 30 * MINUTE,
    ]
    assert hours.offers(opens + 30 * MINUTE, HOUR, 15 * MINUTE)
    assert not hours.offers(opens + 45 * MINUTE, HOUR, 15 * MINUTE)
    assert not hours.offers(opens + 31 * MINUTE, 30 * MINUTE, 15 * MINUTE)


def test_a_slot_runs_on_into_a_touching_window() -> None:
    """A slot starts on the grid of its window, and may end in the next one (A-2)."""
    hours = Hours(
        BERLIN,
        [WeeklyRule(0, time(9), time(10)), WeeklyRule(0, time(10), time(10, 50))],
    )
    opens = at(MONDAY, 9)
    assert hours.starts(opens, opens + 24 * HOUR, 40 * MINUTE, 40 * MINUTE) == [
        opens,
        opens + 40 * MINUTE,
        opens + 60 * MINUTE,
    ]
    assert not hours.offers(opens + 80 * MINUTE, 10 * MINUTE, 40 * MINUTE)


def test_a_slot_may_last_for_days() -> None:
    """A slot that is longer than any window is listed where windows join (A-2, A-4)."""
    hours = Hours(BERLIN, every_day(time(0), time(0)), [Override(MONDAY + 6 * DAY)])
    first, last = at(MONDAY, 0), at(MONDAY + 2 * DAY, 0)
    five_days = 5 * 24 * HOUR
    assert hours.starts(first, last, five_days, 12 * HOUR) == [first, first + 12 * HOUR, first + 24 * HOUR]
    assert not hours.offers(first + 36 * HOUR, five_days, 12 * HOUR)


def test_overlapping_windows_keep_their_own_grids() -> None:
    """A start that two windows offer is told once; no window lends its grid (A-2)."""
    nine, end = at(MONDAY, 9), at(MONDAY, 17)
    same_grid = Hours(
        BERLIN,
        [WeeklyRule(0, time(9), time(12)), WeeklyRule(0, time(10), time(13))],
    )
    assert same_grid.starts(nine, end, HOUR, HOUR) == [*range(nine, nine + 4 * HOUR, HOUR)]
    other_grid = Hours(
        BERLIN,
        [WeeklyRule(0, time(9), time(10)), WeeklyRule(0, time(9, 30), time(12))],
    )
    minutes = [0, 30, 90]
    expected = [nine + minute * MINUTE for minute in minutes]
    assert other_grid.starts(nine, end, HOUR, HOUR) == expected
    assert not other_grid.offers(nine + HOUR, HOUR, HOUR)
    nested = Hours(
        BERLIN,
        [
            WeeklyRule(0, time(9), time(15)),
            WeeklyRule(0, time(10), time(11)),
            WeeklyRule(0, time(15), time(16)),
        ],
    )
    last_start = at(MONDAY, 14)
    assert nested.starts(last_start, end, 2 * HOUR, HOUR) == [last_start]


def test_clocks_may_go_back_across_midnight() -> None:
    """Where the date goes back, windows of the days around still count (A-1, A-5)."""
    zone = "America/St_Johns"
    # At 00:01 on the 7th the clocks went back to 23:01 on the 6th.
    friday, saturday, sunday = (date(2010, 11, day) for day in (5, 6, 7))
    midnight = day_bounds(sunday, zone)[0]
    night = Hours(zone, [], [Override(friday, time(23, 45), time(23, 30))])
    assert night.covers(midnight, midnight + MINUTE)
    assert night.covers(midnight, closing_instant(saturday, time(23, 30), zone))
    assert len(night.starts(midnight, midnight + MINUTE, MINUTE, MINUTE)) == 1
    early = Hours(zone, [], [Override(sunday, time(0), time(2))])
    second_evening = midnight + 30 * MINUTE
    assert local_text(second_evening, zone) == "2010-11-06T23:30:00-03:30"
    assert early.covers(second_evening, second_evening + MINUTE)
    assert early.offers(second_evening, MINUTE, 30 * MINUTE)
    assert early.starts(second_evening, second_evening + 1, MINUTE, 30 * MINUTE) == [second_evening]


def test_always_open_offers_steps_of_each_day() -> None:
    """A resource that is always open offers steps from each day's beginning, and nothing between (A-2, A-4)."""
    hours = Hours(BERLIN, [], [Override(SUNDAY_OF_AUTUMN)], always_open=True)
    first, last = day_bounds(SUNDAY_OF_AUTUMN, BERLIN)
    assert hours.windows(SUNDAY_OF_AUTUMN, SUNDAY_OF_AUTUMN) == [(first, last)]
    assert hours.covers(first - 900 * HOUR, last + 900 * HOUR)
    assert hours.offers(first + HOUR, 900 * HOUR, HOUR)
    assert not hours.offers(first + 1, 900 * HOUR, HOUR)
    assert hours.starts(first, last + 1, 6 * HOUR, 6 * HOUR) == [
        *range(first, last, 6 * HOUR),
        last,
    ]
    samoa = Hours("Pacific/Apia", always_open=True)
    skipped = date(2011, 12, 30)
    assert samoa.windows(skipped, skipped) == []


# Refusals


def test_what_makes_no_sense_is_refused() -> None:
    """Hours that mean nothing are refused where they are made (A-1)."""
    nine, ten = time(9), time(10)
    refused: list[tuple[Any, tuple[Any, ...]]] = [
        (WeeklyRule, (7, nine, ten)),
        (WeeklyRule, (-1, nine, ten)),
        (WeeklyRule, (0, nine, time(10, tzinfo=UTC))),
        (WeeklyRule, (0, time(9, 0, 0, 1), ten)),
        (Override, (MONDAY, nine, None)),
        (Override, (MONDAY, None, ten)),
        (Override, (MONDAY, nine, time(10, 0, 0, 1))),
        (Hours("UTC").starts, (0, 1, 0, 1)),
        (Hours("UTC").starts, (0, 1, 1, 0)),
        (Hours("UTC").offers, (0, 0, 1)),
        (Hours("UTC").offers, (0, 1, -1)),
    ]
    for made, arguments in refused:
        with pytest.raises(ValueError, match=r"is not|has both|at least one"):
            made(*arguments)
    with pytest.raises(UnknownTimeZone):
        Hours("europe/berlin")


def test_the_days_that_are_kept_are_bounded() -> None:
    """A long range answers the same as its days, and few of them are kept (A-3)."""
    hours = Hours(BERLIN, every_day(time(9), time(18)))
    days = [MONDAY + n * DAY for n in range(2_000)]
    told = hours.windows(days[0], days[-1])
    assert told == [window for day in days for window in hours.windows(day, day)]
    assert len(told) == len(days)
    assert len(hours._days) <= hours_module._DAYS_KEPT


# Properties

PLACES = [
    (BERLIN, SUNDAY_OF_SPRING),
    (BERLIN, SUNDAY_OF_AUTUMN),
    ("Australia/Lord_Howe", date(2025, 4, 6)),
    ("Australia/Lord_Howe", date(2025, 10, 5)),
    ("America/Havana", date(2024, 3, 10)),
    ("America/Havana", date(2024, 11, 3)),
    ("Africa/Cairo", date(2024, 10, 31)),
    # At 00:01 the clocks went back to 23:01 of the day before.
    ("America/St_Johns", date(2010, 11, 7)),
    # A day that never was.
    ("Pacific/Apia", date(2011, 12, 30)),
    ("Asia/Kathmandu", MONDAY),
]
DAYS_AROUND = 5


class Case(NamedTuple):
    """Hours of one resource beside a change of its clocks."""

    zone: str
    day: date
    rules: list[WeeklyRule]
    overrides: list[Override]

    @property
    def days(self) -> list[date]:
        """Return the days on which the windows may matter."""
        return [self.day + n * DAY for n in range(-DAYS_AROUND, DAYS_AROUND + 1)]

    def windows(self, day: date) -> list[Window]:
        """Return the windows of a day, as A-1 defines them."""
        walls: list[tuple[time | None, time | None]] = [
            (override.opens, override.closes) for override in self.overrides if override.day == day
        ]
        if not walls:
            walls = [
                (rule.opens, rule.closes)
                for rule in self.rules
                if rule.weekday == day.weekday()
                and (rule.valid_from or date.min) <= day <= (rule.valid_until or date.max)
            ]
        found: set[Window] = set()
        for opens, closes in walls:
            if opens is None or closes is None:
                return []
            closing_day = day + DAY if closes <= opens else day
            opening = opening_instant(day, opens, self.zone)
            closing = closing_instant(closing_day, closes, self.zone)
            if opening < closing:
                found.add(Window(opening, closing))
        return sorted(found)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw rules and overrides of the days around a change."""
    zone, day = draw(st.sampled_from(PLACES))
    days = st.sampled_from([day + n * DAY for n in (-2, -1, 0, 1)])
    walls = st.builds(time, st.integers(0, 23), st.sampled_from([0, 0, 1, 15, 30, 59]))
    rules = st.builds(
        WeeklyRule,
        days.map(date.weekday),
        walls,
        walls,
        st.none() | days,
        st.none() | days,
    )
    overrides = st.builds(Override, days, walls, walls) | st.builds(Override, days)
    return Case(
        zone,
        day,
        draw(st.lists(rules, max_size=5)),
        draw(st.lists(overrides, max_size=3)),
    )


lengths = st.sampled_from([1, 7, 15, 30, 45, 60, 90, 240, 1_500]).map(MINUTE.__mul__)
quick = settings(max_examples=150, deadline=None, database=None)


@quick
@given(cases())
def test_windows_are_what_the_rules_say(case: Case) -> None:
    """Windows follow rules and overrides, in order, and are never empty (A-1)."""
    hours = Hours(case.zone, case.rules, case.overrides)
    told = hours.windows(case.days[0], case.days[-1])
    assert told == [window for day in case.days for window in case.windows(day)]
    assert all(window.opens < window.closes for window in told)
    openings = [window.opens for window in told]
    assert openings == sorted(openings)


@quick
@given(cases(), st.integers(-30 * 60, 30 * 60), lengths)
def test_covered_is_open_at_every_minute(case: Case, shift: int, length: int) -> None:
    """An interval is covered if it is open at each of its minutes (A-1, A-4)."""
    start = day_bounds(case.day, case.zone)[0] + shift * MINUTE
    windows = [window for day in case.days for window in case.windows(day)]
    is_open = all(
        any(window.opens <= minute < window.closes for window in windows)
        for minute in range(start, start + length, MINUTE)
    )
    hours = Hours(case.zone, case.rules, case.overrides)
    assert hours.covers(start, start + length) == is_open


@quick
@given(cases(), st.integers(-30 * 60, 30 * 60), lengths, lengths)
def test_starts_are_the_slots_that_are_offered(case: Case, shift: int, duration: int, step: int) -> None:
    """What is listed is offered, on the grid of an open window (A-2, A-4, A-5)."""
    windows = [window for day in case.days for window in case.windows(day)]
    minutes = {m for w in windows for m in range(w.opens, w.closes, MINUTE)}
    first = day_bounds(case.day, case.zone)[0] + shift * MINUTE
    last = first + 9 * HOUR
    expected = [
        start
        for start in range(first, last, MINUTE)
        if any(window.opens <= start < window.closes and (start - window.opens) % step == 0 for window in windows)
        and all(m in minutes for m in range(start, start + duration, MINUTE))
    ]
    hours = Hours(case.zone, case.rules, case.overrides)
    assert hours.starts(first, last, duration, step) == expected
    offered = [s for s in range(first, last, MINUTE) if hours.offers(s, duration, step)]
    assert offered == expected


@quick
@given(st.sampled_from(PLACES), st.integers(-2_000, 2_000), lengths, lengths)
def test_always_open_lists_what_it_offers(place: tuple[str, date], shift: int, duration: int, step: int) -> None:
    """What is always open lists a grid from each day's beginning (A-2, A-4)."""
    zone, day = place
    hours = Hours(zone, always_open=True)
    first = day_bounds(day, zone)[0] + shift * MINUTE
    last = first + 20 * HOUR
    days = [day + n * DAY for n in range(-4, 5)]
    expected = [
        start
        for bounds in (day_bounds(around, zone) for around in days)
        for start in range(*bounds, step)
        if first <= start < last
    ]
    assert hours.starts(first, last, duration, step) == expected
    assert all(hours.offers(start, duration, step) for start in expected)
    assert step == 1 or not any(
        hours.offers(start + 1, duration, step) for start in expected if start + 1 not in expected
    )


def test_an_empty_range_has_no_starts() -> None:
    """A range that is empty or runs backwards lists nothing (A-3)."""
    hours = Hours(BERLIN, every_day(time(0), time(0)))
    now = int(datetime(2025, 6, 2, tzinfo=UTC).timestamp())
    assert hours.starts(now, now, HOUR, HOUR) == []
    assert hours.starts(now, now - HOUR, HOUR, HOUR) == []
    assert hours.starts(now, now + 1, HOUR, HOUR) == [now]
