"""Wall time and instants, over every IANA zone and every transition of 2020 to 2035.

The oracle is zoneinfo, read only in its unambiguous direction, from UTC to local.
Examples are of the past, which tzdata seldom changes: Cuba's winter of 2026 is gone.
"""

import os
import shutil
import subprocess
import sys
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import tzdata  # type: ignore[import-untyped]
import whenever

from holdfast.availability import walltime
from holdfast.availability.hours import Hours, WeeklyRule

HOUR = 3_600
DAY = timedelta(days=1)
MIDNIGHT = time(0)
FIRST = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp())
LAST = int(datetime(2036, 1, 1, tzinfo=UTC).timestamp())
# No zone changes twice within it: the nearest two, in Fiji, are 28 days apart.
SCAN_SECONDS = 3 * 24 * HOUR
NO_PLACES = {"Factory"}


def wall_at(instant: int, zone: ZoneInfo) -> datetime:
    """Return the wall time as zoneinfo reads it, without its zone."""
    return datetime.fromtimestamp(instant, zone).replace(tzinfo=None)


def transitions_of(name: str) -> tuple[int, ...]:
    """Find by bisection each first instant of another UTC offset."""
    zone = ZoneInfo(name)

    def offset(instant: int) -> timedelta | None:
        return datetime.fromtimestamp(instant, zone).utcoffset()

    found: list[int] = []
    before = offset(FIRST)
    for scanned in range(FIRST, LAST, SCAN_SECONDS):
        after = offset(scanned + SCAN_SECONDS)
        if after != before:
            old, new = scanned, scanned + SCAN_SECONDS
            while new - old > 1:
                middle = (old + new) // 2
                old, new = (middle, new) if offset(middle) == before else (old, middle)
            found.append(new)
        before = after
    return tuple(found)


@cache
def transitions_by_zone() -> dict[str, tuple[int, ...]]:
    """Return the transitions of every zone that the product accepts."""
    names = sorted(zoneinfo.available_timezones() - NO_PLACES)
    return {name: transitions_of(name) for name in names}


@cache
def distinct_transitions() -> list[tuple[str, int]]:
    """Return each transition once, for one of the zones that keep the same time."""
    kept: dict[tuple[datetime, ...], str] = {}
    for name, transitions in transitions_by_zone().items():
        zone = ZoneInfo(name)
        kept.setdefault(tuple(wall_at(instant, zone) for instant in (FIRST, *transitions)), name)
    return [(name, transition) for name in kept.values() for transition in transitions_by_zone()[name]]


class Clock:
    """The wall clock of a zone, read around a transition.

    At every minute for 4 h on both sides, and at every quarter for 26 h.
    """

    def __init__(self, name: str, transition: int) -> None:
        zone = ZoneInfo(name)
        quarter = transition // 900 * 900
        minutes = {
            *range(quarter - 26 * HOUR, quarter + 26 * HOUR, 900),
            *range(transition - 4 * HOUR, transition + 4 * HOUR, 60),
        }
        self.read: list[tuple[datetime, int]] = [(wall_at(minute, zone), minute) for minute in sorted(minutes)]
        self.shown: dict[datetime, list[int]] = {}
        for wall, minute in self.read:
            self.shown.setdefault(wall, []).append(minute)

    def first_at_or_past(self, wall: datetime) -> int:
        """Return the first instant that was read at which it is that late."""
        return next(minute for shown, minute in self.read if shown >= wall)

    def edges(self, wall: datetime) -> tuple[int, int]:
        """Return the opening and the closing instant, as A-5 defines them."""
        shown = self.shown.get(wall) or [self.first_at_or_past(wall)]
        return shown[0], shown[-1]

    def walls_to_try(self, transition: int) -> Iterator[datetime]:
        """Yield half hours, and the minutes around both sides of the transition."""
        for wall, minute in self.read:
            if abs(minute - transition) <= 22 * HOUR and wall.minute % 30 == 0:
                yield wall
        at = next(i for i, (_, minute) in enumerate(self.read) if minute == transition)
        before, after = self.read[at - 1][0] + timedelta(minutes=1), self.read[at][0]
        half_way = before + (after - before) / 2
        for side in (before, half_way, after):
            for minutes in (-1, 0, 1):
                yield side + timedelta(minutes=minutes)


def test_the_zones_and_transitions_are_all_there() -> None:
    """What follows is about all zones, and more than a thousand transitions (A-5)."""
    assert len(transitions_by_zone()) > 590
    assert len(distinct_transitions()) > 1_000
    assert all(transition % 60 == 0 for _, transition in distinct_transitions())


def test_edges_and_days_are_what_the_clock_shows() -> None:
    """Around every transition, edges and days are what the clock shows (A-5)."""
    for name, transition in distinct_transitions():
        clock = Clock(name, transition)
        for wall in clock.walls_to_try(transition):
            opening, closing = clock.edges(wall)
            day, shown = wall.date(), wall.time()
            told = walltime.opening_instant(day, shown, name)
            assert told == opening, f"{name}: opening at {wall}"
            told = walltime.closing_instant(day, shown, name)
            assert told == closing, f"{name}: closing at {wall}"
        zone = ZoneInfo(name)
        for instant in (transition - 1, transition):
            day = wall_at(instant, zone).date()
            bounds = tuple(
                clock.first_at_or_past(datetime.combine(midnight_of, MIDNIGHT)) for midnight_of in (day, day + DAY)
            )
            assert walltime.day_bounds(day, name) == bounds, f"{name}: {day}"


# Wall times of rules; a closing one at or before the opening one is on the next day.
RULES = [
    (time(opens), time(closes)) for opens, closes in [(13, 18), (9, 17), (0, 0), (22, 6), (1, 4), (0, 5), (2, 3)]
] + [(time(23, 30), time(3, 30)), (time(0, 15), time(1, 45))]
SLOT_SECONDS = 30 * 60


def exists_once(wall: datetime, zone: ZoneInfo) -> bool:
    """Tell whether the wall time is neither skipped nor repeated (PEP 495)."""
    offsets = {wall.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1)}
    return len(offsets) == 1


def test_slots_lie_inside_their_rule_in_wall_time() -> None:
    """At every transition, slots fill their rule (field pain 19, A-1, A-2, A-5)."""
    checked = 0
    for name, transition in distinct_transitions():
        zone = ZoneInfo(name)
        changing = wall_at(transition - 1, zone).date()
        for day in (changing - DAY, changing, changing + DAY):
            for opens, closes in RULES:
                opening = datetime.combine(day, opens)
                closing = datetime.combine(day if opens < closes else day + DAY, closes)
                if not (exists_once(opening, zone) and exists_once(closing, zone)):
                    continue
                rule = WeeklyRule(day.weekday(), opens, closes, day, day)
                slots = Hours(name, [rule]).starts(
                    transition - 96 * HOUR,
                    transition + 96 * HOUR,
                    SLOT_SECONDS,
                    SLOT_SECONDS,
                )
                told = f"{name}: {opening} to {closing}"
                starts = [wall_at(start, zone) for start in slots]
                ends = [wall_at(start + SLOT_SECONDS, zone) for start in slots]
                assert starts[0] == opening, told
                assert ends[-1] == closing, told
                assert all(opening <= start < closing for start in starts), told
                assert all(opening < end <= closing for end in ends), told
                elapsed = range(slots[0], slots[-1] + 1, SLOT_SECONDS)
                assert slots == list(elapsed), told
                checked += 1
    assert checked > 20_000


def test_every_zone_tells_the_time_that_its_clocks_show() -> None:
    """Beside every transition of every zone, text and day are right (A-3, A-5)."""
    for name, transitions in transitions_by_zone().items():
        zone = ZoneInfo(name)
        for transition in (FIRST, *transitions):
            for instant in (transition - 1, transition):
                shown = datetime.fromtimestamp(instant, zone)
                assert walltime.local_text(instant, name) == shown.isoformat(), name
                assert walltime.local_day(instant, name) == shown.date(), name


def test_text_names_one_instant() -> None:
    """Text has the offset, with seconds only if there are any (A-3, A-5)."""
    instant = int(datetime(2025, 11, 21, 6, tzinfo=UTC).timestamp())
    assert walltime.utc_text(instant) == "2025-11-21T06:00:00Z"
    assert walltime.local_text(instant, "UTC") == "2025-11-21T06:00:00+00:00"
    assert walltime.local_text(instant, "Europe/Moscow") == "2025-11-21T09:00:00+03:00"
    assert walltime.local_text(0, "Africa/Monrovia") == "1969-12-31T23:15:30-00:44:30"


@pytest.mark.parametrize(
    ("zone", "day", "wall", "opening", "closing"),
    [
        ("Europe/Berlin", "2025-06-01", "09:00", "09:00:00+02:00", "09:00:00+02:00"),
        ("Europe/Berlin", "2025-03-30", "02:30", "03:00:00+02:00", "03:00:00+02:00"),
        ("Europe/Berlin", "2025-10-26", "02:30", "02:30:00+02:00", "02:30:00+01:00"),
        ("Europe/Berlin", "2025-10-26", "02:00", "02:00:00+02:00", "02:00:00+01:00"),
        ("Europe/Berlin", "2025-10-26", "03:00", "03:00:00+01:00", "03:00:00+01:00"),
        ("America/Havana", "2024-03-10", "00:00", "01:00:00-04:00", "01:00:00-04:00"),
        ("America/Havana", "2024-11-03", "00:00", "00:00:00-04:00", "00:00:00-05:00"),
    ],
)
def test_an_edge_is_resolved_as_promised(zone: str, day: str, wall: str, opening: str, closing: str) -> None:
    """A missing edge moves past the gap; a repeated one is the wider one (A-5)."""
    edge = date.fromisoformat(day), time.fromisoformat(wall), zone
    opens, closes = walltime.opening_instant(*edge), walltime.closing_instant(*edge)
    assert walltime.local_text(opens, zone) == f"{day}T{opening}"
    assert walltime.local_text(closes, zone) == f"{day}T{closing}"


@pytest.mark.parametrize(
    ("zone", "day", "hours", "begins"),
    [
        ("Europe/Berlin", "2025-03-30", 23, "2025-03-30T00:00:00+01:00"),
        ("Europe/Berlin", "2025-10-26", 25, "2025-10-26T00:00:00+02:00"),
        ("Australia/Lord_Howe", "2025-04-06", 24.5, "2025-04-06T00:00:00+11:00"),
        ("Australia/Lord_Howe", "2025-10-05", 23.5, "2025-10-05T00:00:00+10:30"),
        ("America/Havana", "2024-03-10", 23, "2024-03-10T01:00:00-04:00"),
        ("Africa/Cairo", "2024-04-26", 23, "2024-04-26T01:00:00+03:00"),
        ("Africa/Cairo", "2024-10-31", 25, "2024-10-31T00:00:00+03:00"),
        ("America/St_Johns", "2010-11-06", 24, "2010-11-06T00:00:00-02:30"),
        ("America/St_Johns", "2010-11-07", 25, "2010-11-07T00:00:00-02:30"),
        ("Pacific/Apia", "2011-12-29", 24, "2011-12-29T00:00:00-10:00"),
        ("Pacific/Apia", "2011-12-30", 0, "2011-12-31T00:00:00+14:00"),
        ("Pacific/Apia", "2011-12-31", 24, "2011-12-31T00:00:00+14:00"),
    ],
)
def test_a_day_is_as_long_as_its_zone_says(zone: str, day: str, hours: float, begins: str) -> None:
    """Days of 23, 24.5, 25 hours, without midnight, and skipped ones fit (A-5)."""
    start, end = walltime.day_bounds(date.fromisoformat(day), zone)
    assert walltime.local_text(start, zone) == begins
    assert end - start == hours * HOUR


def test_every_zone_of_the_pinned_tzdata_is_accepted() -> None:
    """Every zone of the pinned tzdata is accepted as it is spelled (A-5)."""
    for name in zoneinfo.available_timezones() - NO_PLACES:
        assert walltime.check_zone(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        ".",
        "../../../etc/passwd",
        "/usr/share/zoneinfo/Europe/Moscow",
        "Europe",
        "Europe/",
        "Europe/../Europe/Moscow",
        "Europe/Moscow ",
        "Europe/Moscow\0",
        "Europe/Moskva",
        "europe/moscow",
        "EUROPE/MOSCOW",
        "utc",
        "UTC+3",
        "+03:00",
        "MSK-3",
        "Factory",
        "localtime",
        "posixrules",
        "leapseconds",
        "posix/Europe/Moscow",
        "right/Europe/Moscow",
        "zone.tab",
        "Europe/Moscow" * 100_000,
    ],
    ids=lambda name: repr(name[:40]),
)
def test_what_is_no_zone_is_refused(name: str) -> None:
    """Paths, other spellings and files that are no place's time are no zones (A-5)."""
    with pytest.raises(walltime.UnknownTimeZone) as refused:
        walltime.check_zone(name)
    assert len(str(refused.value)) < 100


def test_the_pinned_tzdata_is_read() -> None:
    """Zones come from the locked tzdata and nowhere else in the machine (A-5, A-6)."""
    assert tzdata.IANA_VERSION == walltime.TZDATA_VERSION
    assert zoneinfo.TZPATH == ()
    assert whenever.get_tzpath() == ()


def test_a_machine_with_other_tzdata_changes_nothing(tmp_path: Path) -> None:
    """Another database on the machine never wins over the locked one (A-5, A-6)."""
    (tmp_path / "Europe").mkdir()
    with as_file(files("tzdata") / "zoneinfo" / "Asia" / "Tokyo") as tokyo:
        shutil.copy(tokyo, tmp_path / "Europe" / "Moscow")
    program = """
import zoneinfo, whenever, datetime
before = zoneinfo.ZoneInfo("Europe/Moscow")
whenever.Instant.from_timestamp(0).to_tz("Europe/Moscow")
from holdfast.availability import walltime
noon = datetime.datetime(2025, 6, 1, 12)
after = zoneinfo.ZoneInfo("Europe/Moscow")
print(noon.replace(tzinfo=before).isoformat())
print(noon.replace(tzinfo=after).isoformat())
at = walltime.opening_instant(noon.date(), noon.time(), "Europe/Moscow")
print(walltime.local_text(at, "Europe/Moscow"), walltime.utc_text(at))
"""
    told = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONTZPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == [
        "2025-06-01T12:00:00+09:00",
        "2025-06-01T12:00:00+03:00",
        "2025-06-01T12:00:00+03:00",
        "2025-06-01T09:00:00Z",
    ]
