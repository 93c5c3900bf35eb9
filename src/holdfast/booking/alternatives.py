"""What else is free near a time that is not: up to five slots, nearest first (B-22)."""

from dataclasses import dataclass
from uuid import UUID

import msgspec

from holdfast.availability.slots import Occupation, Offering, Slot, free_slots, nearest
from holdfast.booking.admission import instant, queries
from holdfast.kernel.database import Database, Transaction

_SHOWN = 5
_DAY_SECONDS = 86_400
# Looked at in turn until enough is found: a day around the wish, a week, a month.
_REACHES_DAYS = (1, 7, 31)

_decode = msgspec.json.Decoder(Occupation).decode


@dataclass(frozen=True, slots=True)
class Alternative:
    """A slot that was free when it was looked up."""

    slot: Slot
    resource_id: UUID


async def occupation_of(
    tx: Transaction, business_id: UUID, offering: Offering, first: int, last: int, without: UUID | None = None
) -> Occupation:
    """Return what occupies the resources of an offering while slots that start in [first, last) would need them."""
    resources = offering.resources()
    text = await tx.value(
        queries["occupation"],
        {
            "business_id": business_id,
            "resources": [r.id for r in resources],
            "limited": [r.id for r in resources if r.daily_limit is not None],
            "from": instant(first - offering.before_seconds),
            "to": instant(last + offering.duration_seconds + offering.after_seconds),
            "without": without,
        },
    )
    return _decode(text)


async def find_alternatives(
    database: Database,
    business_id: UUID,
    offering: Offering,
    start: int,
    party: int,
    notice_seconds: int,
    horizon_seconds: int,
) -> list[Alternative]:
    """Return the nearest free slots of an offering, the wished time itself included if another resource has it."""
    found: list[Slot] = []
    for days in _REACHES_DAYS:
        reach = days * _DAY_SECONDS
        first, last = start - reach, start + reach
        # For whom is said to the function that is asked, which sees past the wall.
        async with database.reading() as tx:
            occupation = await occupation_of(tx, business_id, offering, first, last)
        first = max(first, int(occupation.now) + 1 + notice_seconds)
        last = min(last, int(occupation.now) + horizon_seconds)
        if first < last:
            found = free_slots(offering, occupation, first, last, party)
        if len(found) >= _SHOWN:
            break
    return [Alternative(s, s.resource_ids[0]) for s in nearest(found, start, _SHOWN, lambda _: True)]
