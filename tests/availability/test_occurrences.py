"""The starts of a series: a rule in wall time, bounded whatever it says."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from holdfast.availability.occurrences import occurrences
from holdfast.availability.walltime import local_text, opening_instant, wall_time, zones

BERLIN = "Europe/Berlin"
MOST = 200


def at(day: str, clock: str = "10:00", zone: str = BERLIN) -> int:
    """Return the instant of a wall time."""
    return opening_instant(date.fromisoformat(day), time.fromisoformat(clock), zone)


def texts(rule: str, first: int, zone: str = BERLIN) -> list[str]:
    """Return the starts of a series as the clocks of its zone show them."""
    return [local_text(start, zone) for start in occurrences(rule, first, zone, most=MOST)]


def test_wall_time_stays_over_a_change_of_clocks() -> None:
    """A weekly series at 10:00 stays at 10:00 when summer time begins and when it ends (B-21, A-5)."""
    assert texts("FREQ=WEEKLY;COUNT=3", at("2026-03-20")) == [
        "2026-03-20T10:00:00+01:00",
        "2026-03-27T10:00:00+01:00",
        "2026-04-03T10:00:00+02:00",
    ]
    assert texts("FREQ=WEEKLY;COUNT=2", at("2026-10-22")) == ["2026-10-22T10:00:00+02:00", "2026-10-29T10:00:00+01:00"]


def test_a_skipped_wall_time_is_counted_as_calendars_do() -> None:
    """What would begin inside the hour that summer time skips begins as long after the day before (B-21, A-5)."""
    assert texts("FREQ=DAILY;COUNT=3", at("2026-03-28", "02:30")) == [
        "2026-03-28T02:30:00+01:00",
        "2026-03-29T03:30:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ]


def test_a_series_may_begin_in_the_second_of_two_hours() -> None:
    """A series begins at the very instant that was asked for, also when its wall time comes twice that day (B-21)."""
    second = at("2026-10-25", "02:30") + 3_600
    found = occurrences("FREQ=DAILY;COUNT=2", second, BERLIN, most=MOST)
    assert found == [second, at("2026-10-26", "02:30")]


def test_two_wall_times_that_become_one_instant() -> None:
    """Where a gap moves one wall time onto another, they are one occurrence, and the order is that of time (B-21)."""
    rule = "FREQ=DAILY;BYHOUR=2,3;BYMINUTE=0,30;COUNT=8"
    found = texts(rule, at("2026-03-28", "02:00"))
    assert found[4:] == ["2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"]


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20260403", "2026-04-03"),
        ("20260402", "2026-03-27"),
        ("20260403T080000Z", "2026-04-03"),
        ("20260403T075959Z", "2026-03-27"),
        ("20260403T100000", "2026-04-03"),
        ("20260403T095959", "2026-03-27"),
    ],
)
def test_the_end_of_a_rule(until: str, last: str) -> None:
    """UNTIL is the last day, the last instant or the last wall time, itself included (B-21)."""
    found = texts(f"FREQ=WEEKLY;UNTIL={until}", at("2026-03-20"))
    assert found[-1].startswith(f"{last}T10:00:00")


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("FREQ=WEEKLY", "give COUNT or UNTIL"),
        ("FREQ=WEEKLY;COUNT=2;UNTIL=20260403", "not both"),
        ("FREQ=WEEKLY;COUNT=201", "at most 200"),
        ("FREQ=WEEKLY;COUNT=999999999", "at most 200"),
        ("FREQ=DAILY;UNTIL=20261231", "at most 200"),
        ("FREQ=YEARLY;COUNT=5", "at most 3 years"),
        ("FREQ=MONTHLY;UNTIL=20300101", "at most 3 years"),
        ("FREQ=WEEKLY;UNTIL=99991231T235959Z", "at most 3 years"),
        ("FREQ=DAILY;INTERVAL=10000;COUNT=2", "at most 3 years"),
        ("FREQ=WEEKLY;UNTIL=20260301", "ends before"),
        ("FREQ=WEEKLY;UNTIL=00010101T000000Z", "ends before"),
        ("FREQ=WEEKLY;BYDAY=MO;COUNT=2", "does not recur at 2026-03-20T10:00:00 in Europe/Berlin"),
        ("FREQ=DAILY;BYHOUR=9;COUNT=2", "does not recur"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=2", "does not recur"),
        ("FREQ=SECONDLY;COUNT=2", "FREQ=SECONDLY"),
        ("FREQ=HOURLY;COUNT=2", "FREQ=HOURLY"),
        ("every monday", "no part of a recurrence rule"),
        ("", "no part of a recurrence rule"),
    ],
)
def test_rules_that_make_no_series(rule: str, words: str) -> None:
    """A rule that is none, never ends, is too long, or does not mean its own beginning is refused in words (B-21)."""
    with pytest.raises(ValueError, match=words):
        occurrences(rule, at("2026-03-20"), BERLIN, most=MOST)


EVERY_MINUTE = ",".join(map(str, range(0, 60, 5)))
EVERY_HOUR = ",".join(map(str, range(24)))


@pytest.mark.parametrize(
    "rule",
    [
        f"FREQ=DAILY;BYHOUR={EVERY_HOUR};BYMINUTE={EVERY_MINUTE};BYSETPOS=366;COUNT=200",
        f"FREQ=YEARLY;BYHOUR={EVERY_HOUR};BYMINUTE={EVERY_MINUTE};BYSETPOS=-1;BYDAY=MO,TU,WE,TH,FR,SA,SU;COUNT=3",
        f"FREQ=MONTHLY;BYHOUR={EVERY_HOUR};BYMINUTE={EVERY_MINUTE};BYSETPOS=1;BYDAY=SA,SU,FR,TH;UNTIL=20290301",
    ],
)
def test_rules_that_are_bombs(rule: str) -> None:
    """A rule whose working out would go through hundreds of thousands of times is given up early (B-21)."""
    with pytest.raises(ValueError, match="takes too long"):
        occurrences(rule, at("2026-03-20"), BERLIN, most=MOST)


def test_the_end_of_the_calendar() -> None:
    """At the end of all dates a series is refused like any that reaches too far (B-21)."""
    first = int(datetime(9998, 6, 1, tzinfo=UTC).timestamp())
    with pytest.raises(ValueError, match="at most 3 years"):
        occurrences("FREQ=DAILY;COUNT=2", first, "UTC", most=MOST)


@given(
    frequency=st.sampled_from(["FREQ=DAILY", "FREQ=WEEKLY", "FREQ=MONTHLY"]),
    count=st.integers(1, 40),
    interval=st.integers(1, 3),
    zone=st.sampled_from(zones()),
    first=st.integers(
        int(datetime(2020, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2034, 1, 1, tzinfo=UTC).timestamp())
    ),
)
@settings(max_examples=300, deadline=None)
@example("FREQ=DAILY", 40, 1, "Antarctica/Troll", 1_773_970_200)
@example("FREQ=DAILY", 40, 1, "Australia/Lord_Howe", 1_775_300_400)
def test_every_occurrence_keeps_its_wall_time(frequency: str, count: int, interval: int, zone: str, first: int) -> None:
    """In every zone the occurrences have one time of day, but for those that a gap of the clocks moves (A-5, B-21)."""
    try:
        found = occurrences(f"{frequency};COUNT={count};INTERVAL={interval}", first, zone, most=MOST)
    except ValueError as refused:
        assert "at most 3 years" in str(refused)  # noqa: PT017 - only some examples are refused
        return
    assert found[0] == first
    assert found == sorted(set(found))
    assert count - 1 <= len(found) <= count
    clock = wall_time(first, zone).time()
    moved = [start for start in found if wall_time(start, zone).time() != clock]
    for start in moved:
        # A moved one lies after a jump of the clocks that it was inside of.
        before = start - 86_400
        assert wall_time(start, zone) - wall_time(before, zone) != timedelta(days=1)


@given(st.text(alphabet="FREQ=DAILYWKMONTHUNICB;0123456789,-+SX", max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_series_or_refused(text: str) -> None:
    """Whatever a rule says, it is a series of at most 200 occurrences or refused (B-21)."""
    for rule in (text, f"FREQ=DAILY;COUNT=9;{text}", f"FREQ=MONTHLY;UNTIL=20261220;{text}"):
        try:
            found = occurrences(rule, at("2026-03-20"), BERLIN, most=MOST)
        except ValueError:
            continue
        assert found[0] == at("2026-03-20")
        assert found == sorted(set(found))
        assert len(found) <= MOST
