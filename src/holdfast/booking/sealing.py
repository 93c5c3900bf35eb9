"""Sealing the contacts that an earlier release has left in plain text (D-5)."""

from typing import Any
from uuid import UUID

import msgspec

from holdfast.booking.contacts import Person, seal
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


SEALING = Backfill("booking-contacts", seal_contacts, count_plain)
