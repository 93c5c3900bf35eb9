"""Weeks: what weekly rules mean from one day to another, and back."""

from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.availability.hours import Hours, WeeklyRule
from holdfast.kernel.errors import ValidationFailed
from holdfast.offerings.weeks import CLOSED, Week, rules_of, weeks_of, with_week
from offerings.setting import hours, wrong

NINE_TO_FIVE = (*[hours("09:00-17:00")] * 5, (), ())
MORNINGS = (*[hours("09:00-13:00")] * 7,)

_days = st.dates(date(2026, 1, 1), date(2026, 3, 1))
_times = st.integers(0, 23).map(time)


@st.composite
def _rules(draw: st.DrawFn) -> WeeklyRule:
    first, last = draw(st.none() | _days), draw(st.none() | _days)
    if first is not None and last is not None and last < first:
        first, last = last, first
    return WeeklyRule(draw(st.integers(0, 6)), draw(_times), draw(_times), first, last)


@given(st.lists(_rules(), max_size=8))
def test_weeks_mean_what_rules_mean(rules: list[WeeklyRule]) -> None:
    """Rules read as weeks and written back open at the same times on every day (A-1)."""
    weeks = weeks_of(rules)
    first, last = date(2025, 12, 1), date(2026, 4, 1)
    before = Hours("Europe/Berlin", rules).windows(first, last)
    assert Hours("Europe/Berlin", rules_of(weeks)).windows(first, last) == before
    assert weeks[0].valid_from is None
    assert weeks[-1].valid_until is None


@given(st.lists(_rules(), max_size=5), st.none() | _days, st.none() | _days)
def test_a_week_holds_in_its_time_only(rules: list[WeeklyRule], first: date | None, last: date | None) -> None:
    """A week replaces what holds between its days; before and after nothing is changed (A-1)."""
    if first is not None and last is not None and last < first:
        first, last = last, first
    before = weeks_of(rules)
    after = with_week(before, Week(NINE_TO_FIVE, first, last))
    for ordinal in range(date(2025, 12, 1).toordinal(), date(2026, 4, 1).toordinal()):
        day = date.fromordinal(ordinal)
        [now] = [week for week in after if week.is_on(day)]
        [was] = [week for week in before if week.is_on(day)]
        inside = (first is None or first <= day) and (last is None or day <= last)
        assert now.days == (NINE_TO_FIVE if inside else was.days)


def test_no_rules_are_one_week_that_is_closed() -> None:
    """Without rules there is one week for ever, closed on every day (A-1)."""
    assert weeks_of([]) == [Week(CLOSED)]
    assert rules_of([Week(CLOSED)]) == []


def test_a_summer_is_put_into_a_year() -> None:
    """Other hours for a summer leave the hours before and after as they were, in three weeks (A-1)."""
    usual = with_week([Week(CLOSED)], Week(NINE_TO_FIVE))
    june, august = date(2027, 6, 1), date(2027, 8, 31)
    assert with_week(usual, Week(MORNINGS, june, august)) == [
        Week(NINE_TO_FIVE, None, date(2027, 5, 31)),
        Week(MORNINGS, june, august),
        Week(NINE_TO_FIVE, date(2027, 9, 1)),
    ]
    assert with_week(with_week(usual, Week(MORNINGS, june, august)), Week(NINE_TO_FIVE, june, august)) == usual


@pytest.mark.parametrize(
    ("days", "fields"),
    [
        ((hours("09:00-13:00", "12:59-18:00"), *[()] * 6), {"days[0]"}),
        ((hours("22:00-02:00"), hours("01:00-03:00"), *[()] * 5), {"days[1]"}),
        ((*[()] * 6, hours("22:00-02:00", "23:00-00:00")), {"days[6]"}),
        ((hours("01:00-03:00"), *[()] * 5, hours("22:00-02:00")), {"days[0]"}),
        ((hours(*[f"{n:02}:00-{n:02}:30" for n in range(13)]), *[()] * 6), {"days[0]"}),
    ],
)
def test_hours_that_overlap_are_told(days: tuple[tuple[object, ...], ...], fields: set[str]) -> None:
    """Hours of a day that overlap, or meet those of the night before, are refused at their day (A-1)."""
    with pytest.raises(ValidationFailed) as failed:
        with_week([Week(CLOSED)], Week(days))  # type: ignore[arg-type]
    assert wrong(failed) == fields


def test_a_week_does_not_end_before_it_begins() -> None:
    """A week whose last day is before its first one, or beyond all calendars, is refused; hours that touch are fine (A-1)."""
    with pytest.raises(ValidationFailed) as failed:
        with_week([Week(CLOSED)], Week(CLOSED, date(2027, 1, 2), date(2027, 1, 1)))
    assert wrong(failed) == {"valid_until"}
    for edge in (date.min, date.max):
        with pytest.raises(ValidationFailed) as failed:
            with_week([Week(CLOSED)], Week(CLOSED, edge, edge))
        assert wrong(failed) == {"valid_from", "valid_until"}
    touching = (hours("00:00-09:00", "09:00-00:00"), *[()] * 6)
    assert with_week([Week(CLOSED)], Week(touching)) == [Week(touching)]
