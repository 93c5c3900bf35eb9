"""What time zones are like, written down when it changes: so bookings that a change would move can be found (A-6)."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

import msgspec

from holdfast.availability.walltime import TZDATA_VERSION, offset_changes, zones
from holdfast.kernel.database import Transaction
from holdfast.kernel.sql import load

_SQL = load("holdfast.availability")

# From the year before the first booking to the year 2100: the same for every release, so that records compare.
_FIRST: Final = 1_735_689_600
_LAST: Final = 4_102_444_800

Changes = Sequence[tuple[int, int]]


async def record_zones(tx: Transaction) -> int:
    """Write down every zone that differs from what was last written of it; return how many.

    Run by the worker when it starts: the zone data of a process does not change while it runs.
    """
    await tx.run(_SQL["lock_zone_records"])
    found = [{"zone": zone, "changes": current_changes(zone)} for zone in zones()]
    return await tx.run(_SQL["record_zones"], {"version": TZDATA_VERSION, "zones": msgspec.json.encode(found).decode()})


def current_changes(zone: str) -> Changes:
    """Return what a zone is like by the zone data of this process: from each instant on, the seconds ahead of UTC."""
    return offset_changes(zone, _FIRST, _LAST)


def offset_at(changes: Changes, instant: int) -> int:
    """Return how many seconds ahead of UTC a zone of which this was written is at an instant."""
    return changes[max(0, bisect_right(changes, instant, key=lambda change: change[0]) - 1)][1]
