"""Sealing what an earlier release has left in plain text: contacts, and why time is kept free (D-5)."""

from typing import Any
from uuid import UUID

import msgspec

from holdfast.booking.contacts import Person, seal
from holdfast.kernel.audit import seal_reason
from holdfast.kernel.backfills import Backfill, Step
from holdfast.kernel.database import Transaction
from holdfast.kernel.sql import load

_SQL = load("holdfast.booking", "sealing.sql")


async def seal_contacts(tx: Transaction, position: Any, limit: int) -> Step | None:
    """Seal the contacts of so many bookings behind a position; no version rises, since no appointment changes."""
    keys = await tx.keys()
    after = UUID(int=0) if position is None else UUID(position)
    rows = await tx.rows(_SQL["lock_plain"], {"business_id": tx.business_id, "after": after, "limit": limit})
    if not rows:
        return None
    sealed = []
    for row in rows:
        person = Person(row["guest_email"], row["guest_phone"], row["guest_name"])
        # A hold is nobody's yet.
        columns = None if person == Person() else seal(keys, row["id"], person).in_hex()
        sealed.append({"id": row["id"], **(columns or {})})
    values = {"business_id": tx.business_id, "sealed": msgspec.json.encode(sealed).decode()}
    await tx.run(_SQL["seal_plain"], values)
    return Step(str(rows[-1]["id"]), len(rows))


async def count_plain(tx: Transaction) -> int:
    """Return how many bookings of the business may have their contact in plain text."""
    return int(await tx.value(_SQL["count_plain"], {"business_id": tx.business_id}))


async def seal_block_reasons(tx: Transaction, position: Any, limit: int) -> Step | None:
    """Seal why staff keep so much time free, behind a position."""
    after = UUID(int=0) if position is None else UUID(position)
    values = {"business_id": tx.business_id, "after": after, "limit": limit}
    rows = await tx.rows(_SQL["plain_block_reasons"], values)
    for row in rows:
        reason_id = await seal_reason(tx, row["reason"])
        await tx.run(_SQL["seal_block_reason"], values | {"id": row["id"], "reason_id": reason_id})
    return Step(str(rows[-1]["id"]), len(rows)) if rows else None


async def count_plain_block_reasons(tx: Transaction) -> int:
    """Return how many blocks of the business have their reason in plain text."""
    return int(await tx.value(_SQL["count_plain_block_reasons"], {"business_id": tx.business_id}))


BLOCK_REASONS = Backfill("block-reasons", seal_block_reasons, count_plain_block_reasons)
SEALING = Backfill("booking-contacts", seal_contacts, count_plain)
