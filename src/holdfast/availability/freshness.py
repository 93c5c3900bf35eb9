"""How recently the calendars that block time were looked at; nobody is offered of whom too little is known.

Which resources have such calendars is part of the picture of a business and changes with its catalog version; while it
is the same, what is known of a calendar only becomes more recent. So a time up to which it lasts holds without a
question, and when it is over the database is asked before anybody is refused (C-6).
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from holdfast.administration.settings import CALENDAR_FRESHNESS_MINUTES, CALENDAR_OUTAGE, read
from holdfast.kernel.database import Transaction
from holdfast.kernel.sql import load

_SQL = load("holdfast.availability")


@dataclass(frozen=True, slots=True)
class Look:
    """When all calendars of a resource had been looked at, and how long ago that was on the clock of the database.

    `asked_at` is when that was asked, on the monotonic clock of this process.
    """

    seen_at: datetime
    age_seconds: float
    asked_at: float


class Freshness:
    """Of which resources of a business calendars tell the time, and until when what they have told lasts."""

    def __init__(self, limit_seconds: int, looks: dict[UUID, Look]) -> None:
        self._limit_seconds = limit_seconds
        self._looks = looks

    def lasts(self, resource_ids: Iterable[UUID]) -> bool:
        """Return whether all of these resources are surely known; without asking anybody."""
        now, limit, looks = time.monotonic(), self._limit_seconds, self._looks
        for resource_id in resource_ids:
            look = looks.get(resource_id)
            # The age is that of a moment after it was asked for, so that this ends too soon, if at all not in time.
            if look is not None and look.age_seconds + now - look.asked_at >= limit:
                return False
        return True

    def unknown(self, resource_ids: Iterable[UUID], looks: dict[UUID, Look]) -> dict[UUID, datetime]:
        """Learn what was just read, and return who of the resources is not known, with when they were last."""
        self._looks.update(looks)
        found = ((resource_id, looks.get(resource_id)) for resource_id in resource_ids)
        return {
            resource_id: look.seen_at
            for resource_id, look in found
            if look is not None and look.age_seconds >= self._limit_seconds
        }


async def freshness_of(tx: Transaction) -> Freshness | None:
    """Return what is known of the calendars of the business.

    None when none blocks time, or when the business keeps the times of whoever's calendar does not answer.
    """
    looks = await looks_of(tx)
    if not looks or await read(tx, CALENDAR_OUTAGE) == "keep":
        return None
    return Freshness(int(await read(tx, CALENDAR_FRESHNESS_MINUTES)) * 60, looks)


async def looks_of(tx: Transaction) -> dict[UUID, Look]:
    """Return when the calendars of each resource had all been looked at; a single statement."""
    asked_at = time.monotonic()
    rows = await tx.rows(_SQL["looks"], {"business_id": tx.business_id})
    return {row["resource_id"]: Look(row["seen_at"], row["age_seconds"], asked_at) for row in rows}
