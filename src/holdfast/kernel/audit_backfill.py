"""Chaining the entries that an earlier release has written without hashes, and sealing their reasons (D-5, D-7)."""

from itertools import groupby
from typing import Any
from uuid import UUID

from holdfast.kernel.audit import keep_reason
from holdfast.kernel.backfills import Backfill, Step
from holdfast.kernel.database import Transaction
from holdfast.kernel.sql import load

_SQL = load("holdfast.kernel", "audit_backfill.sql")

_NOWHERE = (str(UUID(int=0)), 0)


async def chain_entries(tx: Transaction, position: Any, limit: int) -> Step | None:
    """Chain the aggregates of so many entries behind a position, each of them whole, and seal these entries' reasons.

    One that somebody writes to meanwhile is chained by whoever comes first.
    """
    keys = await tx.keys()
    aggregate, version = position or _NOWHERE
    values = {"business_id": tx.business_id, "after": aggregate, "after_version": version, "limit": limit}
    rows = await tx.rows(_SQL["entries_to_chain"], values)
    if not rows:
        return None
    for aggregate_id, entries in groupby(rows, key=lambda row: row["aggregate_id"]):
        of_it = {"business_id": tx.business_id, "id": aggregate_id}
        if any(entry["is_loose"] for entry in entries):
            await tx.run(_SQL["chain_audit"], of_it | {"key": keys.chain_key(aggregate_id)})
    for row in rows:
        if row["has_reason"]:
            of_it = {"business_id": tx.business_id, "id": row["aggregate_id"], "version": row["version"]}
            [plain] = await tx.rows(_SQL["plain_reason"], of_it)
            await keep_reason(tx, plain["reason_id"], plain["reason"])
            await tx.run(_SQL["take_reason"], of_it)
    last = rows[-1]
    return Step([str(last["aggregate_id"]), last["version"]], len(rows))


async def count_entries(tx: Transaction) -> int:
    """Return how many entries of the business are in no chain, or have their reason in plain text."""
    return int(await tx.value(_SQL["count_entries_to_chain"], {"business_id": tx.business_id}))


CHAINING = Backfill("audit-chain", chain_entries, count_entries)
