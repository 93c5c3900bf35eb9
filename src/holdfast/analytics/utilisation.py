"""How much of their open time resources are taken: by appointments and groups, day by day."""

from dataclasses import dataclass
from datetime import date, timedelta

from holdfast.availability.hours import Hours, Window
from holdfast.availability.rules import overrides_of, rules_of
from holdfast.catalog.resources import resources_of
from holdfast.kernel.database import Transaction
from holdfast.kernel.sql import load

_SQL = load(__package__)


@dataclass(frozen=True, slots=True)
class Use:
    """A resource on a day: for how many minutes it was open, and for how many somebody had at least one place of it."""

    day: date
    resource: str
    open_minutes: int
    taken_minutes: int


async def utilisation(tx: Transaction, timezone: str, first: date, last: date) -> list[Use]:
    """Return the use of each active resource but pools of places on the local days [first, last), in order of days.

    Hours are those that stand now, since nothing keeps what they were; days on which a resource is neither open nor
    taken are left out. What is taken outside its hours counts as taken, so that a day can be more than full.
    """
    values = {"business_id": tx.business_id, "timezone": timezone, "from": first, "to": last}
    taken = {(row["resource_id"], row["day"]): row["seconds"] for row in await tx.rows(_SQL["taken"], values)}
    rules, overrides = await rules_of(tx), await overrides_of(tx)
    found = []
    for resource in await resources_of(tx):
        # Places of a service are nobody's working day, and nor is what is always open.
        if not resource.active or resource.always_open or resource.kind == "pool":
            continue
        hours = Hours(resource.timezone or timezone, rules.get(resource.id, ()), overrides.get(resource.id, ()))
        for number in range((last - first).days):
            day = first + timedelta(days=number)
            opened = _length(hours.windows(day, day))
            used = taken.get((resource.id, day), 0)
            if opened or used:
                found.append(Use(day, resource.name, opened // 60, used // 60))
    return sorted(found, key=lambda use: (use.day, use.resource))


def _length(windows: list[Window]) -> int:
    """Return for how many seconds windows are open together; where two overlap, it counts once."""
    total, reach = 0, 0
    for opens, closes in sorted(windows):
        total += max(0, closes - max(opens, reach))
        reach = max(reach, closes)
    return total
