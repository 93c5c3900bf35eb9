"""The inbox of what needs a person: raised by any capability in the transaction in which it comes up."""

from enum import StrEnum
from uuid import UUID

import msgspec

from holdfast.kernel.database import Transaction
from holdfast.kernel.ids import new_id
from holdfast.kernel.sql import load
from holdfast.kernel.tracking import Vocabulary

_SQL = load("holdfast.kernel", "attention.sql")

# The kinds of items with their details: a capability declares its own, as it does events.
KINDS = Vocabulary()


class Severity(StrEnum):
    """How soon somebody has to look. A migration knows the same words."""

    INFO = "info"
    WARNING = "warning"
    URGENT = "urgent"


async def raise_item(
    tx: Transaction, kind: str, subject_id: UUID, severity: Severity, **details: object
) -> tuple[UUID, bool]:
    """Put something before the staff of the business; return its id, and whether it is new.

    While an item of this kind about this subject is not resolved there is no second one: the details become those of
    the last time, the severity the greater of the two. A snoozed item stays snoozed unless it has become more severe.
    Raises EventRefused for a kind or details that are not declared.
    """
    values = {
        "business_id": tx.business_id,
        "id": new_id(),
        "kind": kind,
        "subject_id": subject_id,
        "severity": severity,
        "details": msgspec.json.encode(KINDS.check(kind, details)).decode(),
    }
    [row] = await tx.rows(_SQL["raise_item"], values)
    return row["id"], row["id"] == values["id"]
