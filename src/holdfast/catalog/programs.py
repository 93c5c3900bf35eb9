"""Programs: group offerings, of which each occurrence is a schedule with a number of places."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import time
from typing import Any, NamedTuple
from uuid import UUID

from psycopg.types.json import Jsonb

from holdfast.catalog.refund_terms import Term, stored_terms, terms_of
from holdfast.kernel.database import Transaction
from holdfast.kernel.sql import load

_SQL = load("holdfast.catalog")


class ProgramRule(NamedTuple):
    """Starts at a wall time on each such weekday (0 is Monday)."""

    weekday: int
    starts: time


@dataclass(frozen=True, slots=True)
class Program:
    """A group offering; its rules are in wall time of its zone or, without one, that of the business."""

    id: UUID
    slug: str
    name: str
    duration_minutes: int
    max_capacity: int
    price_minor: int
    payment_policy: str
    payment_minutes: int
    refund_terms: tuple[Term, ...]
    hold_minutes: int
    cancel_notice_minutes: int
    timezone: str | None
    active: bool
    rules: tuple[ProgramRule, ...]
    resource_ids: tuple[UUID, ...]

    @property
    def place_due_minor(self) -> int | None:
        """Return what has to be paid for each place before it is confirmed; None when nothing has to be."""
        return self.price_minor if self.payment_policy == "prepay" and self.price_minor > 0 else None


async def programs_of(tx: Transaction) -> list[Program]:
    """Return every program of the business, active or not, in the order in which they were made."""
    rows = await tx.rows(_SQL["programs_of"], {"business_id": tx.business_id})
    return [_program(row) for row in rows]


async def put_program(
    tx: Transaction,
    *,
    slug: str,
    name: str,
    duration_minutes: int,
    max_capacity: int,
    rules: Collection[ProgramRule] = (),
    resource_ids: Collection[UUID] = (),
    price_minor: int = 0,
    payment_policy: str = "none",
    payment_minutes: int = 30,
    refund_terms: Sequence[Term] = (),
    hold_minutes: int = 15,
    cancel_notice_minutes: int = 0,
    timezone: str | None = None,
) -> UUID:
    """Make the program with this slug be so, and active; return its id. Writes nothing when it is so already.

    Schedules that are laid out already stay as they are.
    """
    values: dict[str, Any] = {
        "business_id": tx.business_id,
        "slug": slug,
        "name": name,
        "duration_minutes": duration_minutes,
        "max_capacity": max_capacity,
        "price_minor": price_minor,
        "payment_policy": payment_policy,
        "payment_minutes": payment_minutes,
        "refund_terms": Jsonb(stored_terms(refund_terms)),
        "hold_minutes": hold_minutes,
        "cancel_notice_minutes": cancel_notice_minutes,
        "timezone": timezone,
    }
    await tx.run(_SQL["put_program"], values)
    program_id: UUID = await tx.value(_SQL["program_id"], values)
    parts = {
        "business_id": tx.business_id,
        "program_id": program_id,
        "weekdays": [rule.weekday for rule in rules],
        "starts": [rule.starts for rule in rules],
        "resource_ids": list(resource_ids),
    }
    for statement in ("drop_program_rules", "add_program_rules", "drop_program_resources", "add_program_resources"):
        await tx.run(_SQL[statement], parts)
    return program_id


async def deactivate_programs(tx: Transaction, ids: Collection[UUID]) -> None:
    """Offer these programs no more; what is booked stays."""
    await tx.run(_SQL["deactivate_programs"], {"business_id": tx.business_id, "ids": list(ids)})


def _program(row: dict[str, Any]) -> Program:
    rules = map(ProgramRule, row.pop("weekdays"), row.pop("starts"))
    resource_ids, terms = tuple(row.pop("resource_ids")), terms_of(row.pop("refund_terms"))
    return Program(**row, rules=tuple(rules), resource_ids=resource_ids, refund_terms=terms)
