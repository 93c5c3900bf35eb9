"""Which bookings new zone data would move on the clocks of those who agreed on them (A-6)."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from psycopg import Connection
from psycopg.rows import dict_row

from holdfast.availability.walltime import UnknownTimeZone, check_zone
from holdfast.availability.zone_records import Changes, current_changes, offset_at
from holdfast.doctor.findings import Finding, ok, problem, warning
from holdfast.kernel.sql import load

_SQL = load("holdfast.doctor")

_SHOWN: Final = 20


class Record(NamedTuple):
    """What a zone was like from an instant on, until the next record of it."""

    since: datetime
    version: str
    changes: Changes


@dataclass(frozen=True, slots=True)
class Moved:
    """A booking whose wall time in a zone is another one than when it was agreed on. Its instant is what it was."""

    business: str
    id: str
    zone: str
    agreed: str
    now: str

    def __str__(self) -> str:
        return f"{self.id} of {self.business}: {self.agreed} became {self.now} in {self.zone}"


def examine_zones(connection: Connection) -> Iterator[Finding]:
    """Yield what there is to say of the zones in use, and of the bookings in them."""
    with connection.cursor(row_factory=dict_row) as cursor:
        used = cursor.execute(_SQL["zones"]).fetchall()
        bookings = cursor.execute(_SQL["coming_bookings"]).fetchall()
        zones = sorted({zone for row in bookings for zone in (row["zone"], row["client_zone"]) if zone})
        records: dict[str, list[Record]] = {}
        for row in cursor.execute(_SQL["zone_records"], {"zones": zones}):
            record = Record(row["in_force_from"], row["tzdata_version"], row["changes"])
            records.setdefault(row["zone"], []).append(record)
    yield _known(used)
    unrecorded = [zone for zone in zones if zone not in records and _is_known(zone)]
    if unrecorded:
        advice = "Start the worker of this release once: it writes them down."
        yield warning("bookings", f"nothing is written down of the zones {', '.join(unrecorded)}", advice)
    else:
        yield moved_bookings(_moved(bookings, records), len(bookings))


def moved_bookings(moved: Sequence[Moved], looked_at: int) -> Finding:
    """Say which bookings would take place at another time of day than was agreed on."""
    if not moved:
        return ok("bookings", f"new zone data moves none of {looked_at} coming bookings")
    shown = [str(each) for each in moved[:_SHOWN]]
    if len(moved) > _SHOWN:
        shown.append(f"and {len(moved) - _SHOWN} more, all of which --json lists")
    return warning(
        "bookings",
        f"the clocks have changed for {len(moved)} coming bookings:\n  " + "\n  ".join(shown),
        "Nothing was changed. Ask each client which time is meant, and move the booking if it is the time of day.",
        bookings=[
            {"business": each.business, "id": each.id, "zone": each.zone, "agreed": each.agreed, "now": each.now}
            for each in moved
        ],
    )


def _known(used: Sequence[Mapping[str, Any]]) -> Finding:
    unknown = [f"{row['zone']} ({row['place']})" for row in used if not _is_known(row["zone"])]
    if unknown:
        advice = "Give them a zone that there is, in the business file, and import it."
        return problem("zones", f"the zone data has no {', '.join(unknown)}", advice)
    return ok("zones", "every zone in use is known")


def _is_known(zone: str) -> bool:
    try:
        check_zone(zone)
    except UnknownTimeZone:
        return False
    return True


def _moved(bookings: Sequence[Mapping[str, Any]], records: Mapping[str, Sequence[Record]]) -> list[Moved]:
    current = {zone: current_changes(zone) for zone in records if _is_known(zone)}
    found = []
    for row in bookings:
        start = int(row["starts_at"].timestamp())
        for zone in dict.fromkeys((row["zone"], row["client_zone"])):
            if zone not in current:
                continue
            # What came before the first record is taken to have been like it.
            at = bisect_right(records[zone], row["agreed_at"], key=lambda record: record.since) - 1
            agreed, now = offset_at(records[zone][max(0, at)].changes, start), offset_at(current[zone], start)
            if agreed != now:
                found.append(Moved(row["business"], str(row["id"]), zone, _wall(start, agreed), _wall(start, now)))
    return found


def _wall(start: int, offset_seconds: int) -> str:
    return (datetime.fromtimestamp(start, UTC) + timedelta(seconds=offset_seconds)).strftime("%Y-%m-%d %H:%M")
