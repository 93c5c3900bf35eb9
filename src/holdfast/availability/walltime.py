"""The only place where wall time becomes an instant, and an instant wall time (A-5).

PostgreSQL and zoneinfo choose different instants for an hour that is repeated or
skipped, so neither is asked. Instants are whole epoch seconds, UTC; zones are IANA
names that `check_zone` has accepted.
"""

import zoneinfo
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, Literal

import tzdata  # type: ignore[import-untyped]  # it ships no types
import whenever

TZDATA_VERSION: Final[str] = tzdata.IANA_VERSION

_MIDNIGHT: Final = time(0)
_DAY: Final = timedelta(days=1)
# In some builds of the database, yet the time of no place.
_NO_PLACES: Final = frozenset({"Factory", "leapseconds", "localtime", "posixrules"})


class UnknownTimeZone(ValueError):
    """The name is no time zone of the pinned database, spelled as it spells it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unknown time zone: {name[:64]!r}")


def use_pinned_tzdata() -> None:
    """Make zoneinfo and whenever read the tzdata that we lock, not the machine's.

    Otherwise the system's database comes first, and two nodes that run the same
    release can resolve one wall time to two instants.
    """
    zoneinfo.reset_tzpath(to=())
    zoneinfo.ZoneInfo.clear_cache()
    whenever.reset_tzpath(())
    whenever.clear_tzcache()


use_pinned_tzdata()

_NAMES: Final = frozenset(zoneinfo.available_timezones()) - _NO_PLACES
# whenever forgets all but its last 32 zones; a zone that something refers to stays.
# At most one entry per name of the database.
_kept: Final[dict[str, whenever.ZonedDateTime]] = {}


def check_zone(name: str) -> str:
    """Return the name if it is a zone of the pinned tzdata, in its exact spelling.

    Raises UnknownTimeZone.
    """
    if name not in _NAMES:
        raise UnknownTimeZone(name)
    if name not in _kept:
        _kept[name] = whenever.Instant.from_timestamp(0).to_tz(name)
    return name


def zones() -> list[str]:
    """Return the names of all zones, in alphabetical order."""
    return sorted(_NAMES)


def opening_instant(day: date, wall: time, zone: str) -> int:
    """Return the first instant at which the clocks show this time or have jumped it."""
    return _edge(day, wall, zone, "earlier")


def closing_instant(day: date, wall: time, zone: str) -> int:
    """Return the last instant at which the clocks show this time or have jumped it."""
    return _edge(day, wall, zone, "later")


def calendar_instant(wall: datetime, zone: str) -> int:
    """Return the instant that a calendar means by a wall time (RFC 5545, 3.3.5).

    A repeated time means its first occurrence, a skipped one is counted with the offset before the gap.
    """
    return whenever.PlainDateTime(wall).assume_tz(zone, disambiguation="compatible").timestamp()


def wall_time(at: int, zone: str) -> datetime:
    """Return what the clocks of a zone show at this instant."""
    return whenever.Instant.from_timestamp(at).to_tz(zone).to_plain().to_stdlib()


def day_bounds(day: date, zone: str) -> tuple[int, int]:
    """Return the first instants of this local day and of the next one.

    Both are the same for a day that the zone skipped.
    """
    return (
        opening_instant(day, _MIDNIGHT, zone),
        opening_instant(day + _DAY, _MIDNIGHT, zone),
    )


def offset_changes(zone: str, first: int, last: int) -> list[tuple[int, int]]:
    """Return how many seconds a zone is ahead of UTC at the instant `first`, and from each change on before `last`."""
    at = whenever.Instant.from_timestamp(first).to_tz(zone)
    found = [(first, _offset_seconds(at))]
    while (changed := at.next_transition()) is not None and changed.timestamp() < last:
        at = changed
        found.append((at.timestamp(), _offset_seconds(at)))
    return found


def local_day(instant: int, zone: str) -> date:
    """Return the date that the zone's calendars show at this instant."""
    return whenever.Instant.from_timestamp(instant).to_tz(zone).date().to_stdlib()


def local_text(instant: int, zone: str) -> str:
    """Return RFC 3339 in the zone's wall time, whose offset tells a repeated hour.

    Like 2026-11-21T09:00:00+03:00; the offset has seconds only if it has any.
    """
    zoned = whenever.Instant.from_timestamp(instant).to_tz(zone)
    return zoned.to_fixed_offset().format_iso()


def utc_text(instant: int) -> str:
    """Return RFC 3339 in UTC, like 2026-11-21T06:00:00Z."""
    return whenever.Instant.from_timestamp(instant).format_iso()


def _offset_seconds(at: whenever.ZonedDateTime) -> int:
    return int(at.offset.total("seconds"))


# Resources of one business mostly share their hours; 8,192 edges are some 2 MB.
@lru_cache(maxsize=8_192)
def _edge(day: date, wall: time, zone: str, occurrence: Literal["earlier", "later"]) -> int:
    plain = whenever.Date(day).at(whenever.Time(wall))
    found = plain.assume_tz(zone, disambiguation=occurrence)
    if found.to_plain() != plain:
        # The wall time does not exist: "earlier" is then an instant before the gap,
        # less than its length, so that the next transition is the gap.
        before_gap = plain.assume_tz(zone, disambiguation="earlier")
        after_gap = before_gap.next_transition()
        assert after_gap is not None, "a skipped wall time without a transition"
        assert after_gap.to_plain() > plain, "a transition inside a gap"
        found = after_gap
    return found.timestamp()
