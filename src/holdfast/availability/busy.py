"""Busy time as it is stored: what calendars say of when a resource is taken. Mirrored, never ours."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from holdfast.availability.ics.times import Span
from holdfast.kernel.database import Transaction
from holdfast.kernel.sql import load

_SQL = load("holdfast.availability")


class BusyChange(NamedTuple):
    """How many intervals have come and gone."""

    added: int
    removed: int


async def replace_busy(tx: Transaction, resource_id: UUID, spans: Sequence[Span], *, source: str) -> BusyChange:
    """Give a resource this busy time of a source and no other of it. Writes only what differs.

    The spans do not overlap each other.
    """
    values = {
        "business_id": tx.business_id,
        "resource_id": resource_id,
        "source": source,
        "starts": [datetime.fromtimestamp(span.start, UTC) for span in spans],
        "ends": [datetime.fromtimestamp(span.end, UTC) for span in spans],
    }
    removed = await tx.run(_SQL["drop_busy"], values)
    return BusyChange(await tx.run(_SQL["add_busy"], values), removed)
