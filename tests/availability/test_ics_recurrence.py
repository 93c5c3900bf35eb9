"""Recurrence rules, compared with the library that everybody uses, and where that one would never end."""

from datetime import datetime, timedelta
from itertools import takewhile

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.availability.ics.recurrence import Budget, TooMuchWork, parse, starts

FAR = datetime(2028, 12, 1)  # noqa: DTZ001 - wall times
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def numbers(least: int, most: int, *, signed: bool = False) -> st.SearchStrategy[str]:
    """Return lists of numbers as a rule has them."""
    one = st.integers(least, most)
    either = one | one.map(lambda number: -number) if signed else one
    return st.lists(either, min_size=1, max_size=3).map(lambda chosen: ",".join(map(str, chosen)))


@st.composite
def rules(draw: st.DrawFn) -> str:
    """Return rules that the library can expand: whatever they leave out they still recur each year."""
    frequency = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    parts = {"FREQ": frequency, "INTERVAL": draw(st.integers(1, 4).map(str)), "WKST": draw(st.sampled_from(WEEKDAYS))}
    weekdays = st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=3).map(",".join)
    if frequency in {"MONTHLY", "YEARLY"} and draw(st.booleans()):
        weekdays = st.tuples(st.sampled_from(["1", "2", "+3", "-1", "-2"]), st.sampled_from(WEEKDAYS)).map("".join)
    choices = {"BYDAY": weekdays, "BYMONTH": numbers(1, 12)}
    if frequency != "WEEKLY":
        choices["BYMONTHDAY"] = numbers(1, 28, signed=True)
    if frequency == "YEARLY":
        # At the turn of the year the library miscounts weeks (it leaves out 1 January 2022 of week 52 of 2021).
        choices |= {"BYWEEKNO": numbers(2, 51), "BYYEARDAY": numbers(1, 365, signed=True)}
    for name in draw(st.lists(st.sampled_from(sorted(choices)), max_size=1)):
        parts[name] = draw(choices[name])
        # In the first week the library counts positions from the first occurrence, not from the start of the week.
        if frequency != "WEEKLY" and draw(st.booleans()):
            parts["BYSETPOS"] = draw(numbers(1, 2, signed=True))
    for name, most in (("BYHOUR", 23), ("BYMINUTE", 59), ("BYSECOND", 59)):
        if draw(st.integers(0, 4)) == 0:
            parts[name] = draw(numbers(0, most))
    if draw(st.booleans()):
        parts["COUNT"] = str(draw(st.integers(1, 30)))
    return ";".join(f"{name}={value}" for name, value in parts.items())


@given(
    rule=rules(),
    first=st.datetimes(datetime(2023, 1, 1), datetime(2026, 1, 1)).map(lambda at: at.replace(microsecond=0)),  # noqa: DTZ001
    skipped=st.integers(0, 900),
    length=st.integers(0, 900),
)
@settings(max_examples=400, deadline=None)
def test_rules_recur_as_others_say(rule: str, first: datetime, skipped: int, length: int) -> None:
    """Between any two wall times a rule recurs exactly when the common library says so (A-1)."""
    after = first + timedelta(days=skipped)
    last = after + timedelta(days=length)
    ours = list(starts(parse(rule), first, after, last, Budget()))
    bound = "" if "COUNT" in rule else f";UNTIL={last:%Y%m%dT%H%M%S}"
    theirs = [at for at in takewhile(lambda at: at <= last, rrulestr(rule + bound, dtstart=first)) if at >= after]
    assert ours == theirs


@pytest.mark.parametrize(
    ("rule", "begin", "expected"),
    [
        ("FREQ=YEARLY;BYDAY=20MO", (1997, 5, 19), ["19970519", "19980518", "19990517"]),
        ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", (1997, 5, 12), ["19970512", "19980511", "19990517"]),
        ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", (1997, 9, 2), ["19980213", "19980313", "19981113"]),
        (
            "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
            (1996, 11, 5),
            ["19961105", "20001107"],
        ),
        ("FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", (1997, 9, 4), ["19970904", "19971007", "19971106"]),
        ("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", (1997, 8, 5), ["19970805", "19970810", "19970819"]),
        ("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", (1997, 8, 5), ["19970805", "19970817", "19970819"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-3", (1997, 9, 28), ["19970928", "19971029", "19971128"]),
        ("FREQ=YEARLY", (2024, 2, 29), ["20240229", "20280229"]),
        ("FREQ=MONTHLY", (2026, 1, 31), ["20260131", "20260331", "20260531"]),
        ("FREQ=YEARLY;BYWEEKNO=52", (2021, 12, 31), ["20211231", "20220101", "20220102"]),
    ],
)
def test_examples_of_the_standard(rule: str, begin: tuple[int, int, int], expected: list[str]) -> None:
    """The examples of RFC 5545, and rules at leap days and at the turn of the year, recur as expected (A-1)."""
    first = datetime(*begin, 9)  # noqa: DTZ001
    found = [f"{at:%Y%m%d}" for at in starts(parse(rule), first, first, FAR, Budget())]
    assert found[: len(expected)] == expected


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("FREQ=SECONDLY", "recurs more than daily"),
        ("FREQ=MINUTELY;INTERVAL=5", "recurs more than daily"),
        ("FREQ=HOURLY;COUNT=1", "recurs more than daily"),
        ("FREQ=OFTEN", "has a FREQ"),
        ("COUNT=3", "has a FREQ"),
        ("FREQ=DAILY;BYHOUR=1,2,3,4,5;BYMINUTE=" + ",".join(map(str, range(60))), "more than 288 times a day"),
        ("FREQ=DAILY;COUNT=0", "COUNT has '0'"),
        ("FREQ=DAILY;COUNT=3;UNTIL=20270101", "not both"),
        ("FREQ=DAILY;INTERVAL=99999999", "INTERVAL has '99999999'"),
        ("FREQ=DAILY;INTERVAL=1,2", "INTERVAL is one number"),
        ("FREQ=DAILY;BYMONTH=13", "BYMONTH has '13'"),
        ("FREQ=DAILY;BYMONTH=", "is no part"),
        ("FREQ=DAILY;BYDAY=1MO", "BYDAY with a number"),
        ("FREQ=MONTHLY;BYDAY=0MO", "no weekday"),
        ("FREQ=MONTHLY;BYDAY=MON", "no weekday"),
        ("FREQ=MONTHLY;BYWEEKNO=1", "BYWEEKNO goes"),
        ("FREQ=MONTHLY;BYYEARDAY=1", "BYYEARDAY goes"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY does not go"),
        ("FREQ=DAILY;FREQ=DAILY", "given twice"),
        ("FREQ=DAILY;BYEASTER=1", "is understood"),
        ("FREQ=DAILY;UNTIL=tomorrow", "no day and no time"),
        ("FREQ=DAILY;WKST=XX", "no weekday"),
        ("", "is no part"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(rule: str, reason: str) -> None:
    """A rule that recurs more than daily, or that the standard forbids, is refused in words (K-2)."""
    with pytest.raises(ValueError, match=reason):
        parse(rule)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=999999999",
        "FREQ=YEARLY;INTERVAL=10000",
        "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6",
        "FREQ=MONTHLY;BYSETPOS=366",
    ],
)
def test_a_rule_that_never_recurs_ends(rule: str) -> None:
    """A rule that means no day at all is found out by looking at no day beyond the window (K-2)."""
    first = datetime(1, 1, 1)  # noqa: DTZ001
    looked_at = Budget(366 * 2030)
    assert list(starts(parse(rule), first, datetime(2026, 1, 1), FAR, looked_at)) == []  # noqa: DTZ001


def test_what_is_counted_costs_from_its_beginning() -> None:
    """What would take too long to count is refused, while the same without a count is found at once (K-2)."""
    first, after = datetime(1, 1, 1), datetime(2026, 1, 1)  # noqa: DTZ001
    assert len(list(starts(parse("FREQ=DAILY"), first, after, FAR, Budget(5_000)))) == 1_066
    with pytest.raises(TooMuchWork, match="too often"):
        list(starts(parse("FREQ=DAILY;COUNT=999999999"), first, after, FAR, Budget(5_000)))
