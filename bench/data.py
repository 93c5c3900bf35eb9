"""The business that is measured: who works there, what can be booked, and, if asked for, a long past."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import Connection

from bench.scripts import SLOT_MINUTES
from holdfast.kernel.sql import load

SLUG = "bench"
SLOTS_SERVICE = "any-practitioner"
SLOTS_DAYS = 30
SLOTS_A_DAY = 12 * 60 // SLOT_MINUTES  # open from 09:00 to 21:00
_CHUNK = 100_000

_statements = load("bench", "data.sql")


@dataclass(frozen=True)
class Offer:
    """A service and the resources out of which it takes one."""

    service: str
    resources: list[str]


@dataclass(frozen=True)
class Stage:
    """The ids of everything that the rows of the table book."""

    dsn: str
    business: str
    program: str
    many: Offer  # always open practitioners, one after the other
    few: Offer  # practitioners with opening hours, for the slots
    lone: Offer  # one practitioner, for the herd
    # The first day of which every slot is still to come when the run ends, even after midnight.
    day: datetime
    _hours: Iterator[int] = field(default_factory=itertools.count)
    _slots: Iterator[int] = field(default_factory=itertools.count)

    def new_schedule(self) -> str:
        """Return a schedule of a million places that nobody has booked yet."""
        with psycopg.connect(self.dsn) as connection:
            start = self.day + timedelta(hours=next(self._hours))
            return _id(connection, "schedule", business=self.business, program=self.program, start=start)

    def new_lone_slot(self) -> datetime:
        """Return the start of a slot of the lone practitioner that nobody has asked for yet: the first one of a day."""
        return self.day + timedelta(days=next(self._slots))


def furnish(dsn: str, *, practitioners: int = 1000, with_hours: int = 50) -> Stage:
    """Make the business in a migrated database without it."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with psycopg.connect(dsn) as connection:
        business = _id(connection, "business")

        def offer(slug: str, count: int, *, always_open: bool) -> Offer:
            service = _id(connection, "service", business=business, slug=slug, minutes=SLOT_MINUTES)
            asked = {"business": business, "slug": slug, "count": count, "always_open": always_open}
            resources = [str(row[0]) for row in connection.execute(_statements["resources"], asked)]
            both = {"business": business, "service": service, "resources": resources}
            connection.execute(_statements["service_resources"], both)
            return Offer(service, resources)

        few = offer(SLOTS_SERVICE, with_hours, always_open=False)
        connection.execute(_statements["opening_hours"], {"business": business, "resources": few.resources})
        return Stage(
            dsn,
            business,
            _id(connection, "program", business=business),
            offer("one-of-many", practitioners, always_open=True),
            few,
            offer("one-of-one", 1, always_open=True),
            today + timedelta(days=2),
        )


def add_past(stage: Stage, bookings: int, report: Callable[[str], None]) -> None:
    """Add completed bookings of past years with their claims, keys, audit entries and events."""
    resources = stage.many.resources + stage.few.resources + stage.lone.resources
    with psycopg.connect(stage.dsn) as connection:
        for start in range(0, bookings, _CHUNK):
            asked = {
                "business": stage.business,
                "resources": resources,
                "minutes": SLOT_MINUTES,
                "from": start,
                "to": min(start + _CHUNK, bookings),
            }
            for name in (
                "past",
                "past_bookings",
                "past_claims",
                "past_keys",
                "past_audit",
                "past_heads",
                "past_events",
            ):
                connection.execute(_statements[name], asked)
            connection.commit()
            report(f"past bookings: {asked['to']:,} of {bookings:,}")
    settle(stage.dsn)


def settle(dsn: str) -> None:
    """Let the database forget how its rows came: statistics are true, and nothing waits to be written."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("vacuum (analyze)")
        connection.execute("checkpoint")


def _id(connection: Connection, statement: str, **values: Any) -> str:
    row = connection.execute(_statements[statement], values).fetchone()
    assert row is not None, "an insert returns what it has inserted"
    return str(row[0])
