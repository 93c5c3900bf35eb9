"""Opening hours as they are stored: weekly rules of resources, and what differs on a date (A-1)."""

from collections.abc import Collection, Iterable
from uuid import UUID

from holdfast.availability.hours import Override, WeeklyRule
from holdfast.kernel.database import Row, Transaction
from holdfast.kernel.sql import load

_SQL = load("holdfast.availability")


async def rules_of(tx: Transaction) -> dict[UUID, list[WeeklyRule]]:
    """Return the weekly rules of every resource of the business that has any."""
    found: dict[UUID, list[WeeklyRule]] = {}
    for row in await tx.rows(_SQL["rules_of"], {"business_id": tx.business_id}):
        found.setdefault(row.pop("resource_id"), []).append(WeeklyRule(**row))
    return found


async def overrides_of(tx: Transaction) -> dict[UUID, list[Override]]:
    """Return the overrides of every resource of the business that has any, whoever has brought them."""
    return _by_resource(await tx.rows(_SQL["overrides_of"], {"business_id": tx.business_id}))


async def own_overrides_of(tx: Transaction) -> dict[UUID, list[Override]]:
    """Return the overrides that the business states itself, without those that calendar files have brought."""
    return _by_resource(await tx.rows(_SQL["overrides_of_source"], {"business_id": tx.business_id, "source": None}))


async def replace_rules(tx: Transaction, resource_id: UUID, rules: Collection[WeeklyRule]) -> None:
    """Give a resource these weekly rules and no others. Writes nothing when it has them already."""
    resource = {"business_id": tx.business_id, "resource_id": resource_id}
    wanted = list(dict.fromkeys(rules))
    kept = await tx.all(WeeklyRule, _SQL["rules_of_resource"], resource)
    if len(kept) == len(wanted) and set(kept) == set(wanted):
        return
    await tx.run(_SQL["drop_rules"], resource)
    values = {
        "weekdays": [rule.weekday for rule in wanted],
        "opens": [rule.opens for rule in wanted],
        "closes": [rule.closes for rule in wanted],
        "valid_from": [rule.valid_from for rule in wanted],
        "valid_until": [rule.valid_until for rule in wanted],
    }
    await tx.run(_SQL["add_rules"], resource | values)


async def replace_overrides(
    tx: Transaction, resource_id: UUID, overrides: Collection[Override], *, source: str | None = None
) -> bool:
    """Give a resource these overrides of one source and no others of it; no source is the business itself.

    Writes nothing, and returns False, when it has them already.
    """
    resource = {"business_id": tx.business_id, "resource_id": resource_id, "source": source}
    wanted = list(dict.fromkeys(overrides))
    kept = await tx.all(Override, _SQL["overrides_of_resource"], resource)
    if len(kept) == len(wanted) and set(kept) == set(wanted):
        return False
    await tx.run(_SQL["drop_overrides"], resource)
    values = {
        "days": [override.day for override in wanted],
        "opens": [override.opens for override in wanted],
        "closes": [override.closes for override in wanted],
    }
    await tx.run(_SQL["add_overrides"], resource | values)
    return True


def _by_resource(rows: Iterable[Row]) -> dict[UUID, list[Override]]:
    found: dict[UUID, list[Override]] = {}
    for row in rows:
        found.setdefault(row.pop("resource_id"), []).append(Override(**row))
    return found
