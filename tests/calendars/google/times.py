"""Times as Google's events have them, and the instances of its series."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

Json = dict[str, Any]

# How far the instances of a series without end reach.
_HORIZON = timedelta(days=800)


def shown(at: datetime | date | int, zone: str) -> Json:
    """Return a time as an event has it: a date for a day, else an instant with the offset of the calendar's zone."""
    if isinstance(at, int):
        at = datetime.fromtimestamp(at, UTC)
    if isinstance(at, datetime):
        return {"dateTime": at.astimezone(ZoneInfo(zone)).isoformat(timespec="seconds"), "timeZone": zone}
    return {"date": at.isoformat()}


def normal(time: Json, zone: str) -> Json:
    """Return a time that somebody has sent as Google tells it back: with the offset of the calendar's zone."""
    if "date" in time:
        return {"date": time["date"]}
    local = datetime.fromisoformat(time["dateTime"]).astimezone(ZoneInfo(zone))
    return {"dateTime": local.isoformat(timespec="seconds"), "timeZone": time.get("timeZone", zone)}


def instant(time: Json, zone: str) -> datetime:
    """Return the instant that a time means; a day begins at midnight of the calendar's zone."""
    if "date" in time:
        return datetime.combine(date.fromisoformat(time["date"]), datetime.min.time(), ZoneInfo(zone))
    return datetime.fromisoformat(time["dateTime"])


def length(start: Json, end: Json, zone: str) -> timedelta:
    """Return how long an event lasts; days are counted as days."""
    if "date" in start:
        return date.fromisoformat(end["date"]) - date.fromisoformat(start["date"])
    return instant(end, zone) - instant(start, zone)


def instances(master: Json, zone: str) -> Iterator[tuple[str, Json, Json]]:
    """Yield id, start and end of each instance of a series, as its rule has them."""
    start, lasting = master["start"], length(master["start"], master["end"], zone)
    whole_days = "date" in start
    at_zone = ZoneInfo(start.get("timeZone", zone))
    first = instant(start, zone).astimezone(at_zone if not whole_days else ZoneInfo(zone)).replace(tzinfo=None)
    rules = rrulestr("\n".join(_local(line, at_zone) for line in master["recurrence"]), dtstart=first, forceset=True)
    for wall in rules.between(first, datetime.now(UTC).replace(tzinfo=None) + _HORIZON, inc=True):
        if whole_days:
            begin, end = {"date": wall.date().isoformat()}, {"date": (wall.date() + lasting).isoformat()}
        else:
            at = wall.replace(tzinfo=at_zone).astimezone(UTC)
            begin, end = (
                normal({"dateTime": at.isoformat()}, zone),
                normal({"dateTime": (at + lasting).isoformat()}, zone),
            )
            begin["timeZone"] = end["timeZone"] = start.get("timeZone", zone)
        yield f"{master['id']}_{_suffix(begin, zone)}", begin, end


def _suffix(start: Json, zone: str) -> str:
    if "date" in start:
        return start["date"].replace("-", "")
    return instant(start, zone).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _local(line: str, zone: ZoneInfo) -> str:
    """Return a line of a rule with its end in wall time, as the expansion counts."""
    name, _, value = line.partition(":")
    if name != "RRULE":
        return line
    parts = [part.partition("=") for part in value.split(";")]
    return "RRULE:" + ";".join(f"{key}={_until(text, zone) if key == 'UNTIL' else text}" for key, _, text in parts)


def _until(text: str, zone: ZoneInfo) -> str:
    if not text.endswith("Z"):
        return text
    until = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return until.astimezone(zone).strftime("%Y%m%dT%H%M%S")
