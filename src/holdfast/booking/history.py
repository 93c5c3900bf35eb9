"""Who changed an appointment, and what they did, in words that those understand whose change came too late (B-15)."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from holdfast.booking.errors import (
    AlreadyCancelled,
    AlreadyRefunded,
    NotChangeable,
    RefundNotAllowed,
    VersionConflict,
)
from holdfast.kernel.audit import CLIENT
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.sql import load

_SQL = load("holdfast.booking", "staff_queries.sql")

_WORDS = {
    "commit": "confirmed",
    "book": "booked",
    "reschedule": "moved to {start:%Y-%m-%d %H:%M} UTC",
    "change_contact": "given another contact",
    "change_note": "noted about",
    "cancel": "cancelled",
    "refund": "refunded",
    "outcome": "marked as {to_status}",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the history of an appointment. `start` is where a move has led; `name` that of the user or key."""

    version: int
    action: str
    actor: str
    name: str | None
    at: datetime
    from_status: str | None
    to_status: str
    start: datetime

    def in_words(self) -> str:
        """Return the change as the rest of a sentence that begins with the appointment."""
        what = _WORDS.get(self.action, self.action.replace("_", " "))
        said = what.format(start=self.start.astimezone(UTC), to_status=self.to_status.replace("_", "-"))
        whom = self.actor if self.name is None else f"{self.actor} ({self.name})"
        by = "the client" if self.actor == CLIENT.kind else whom
        return f"{said} by {by} at {self.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"

    def shown(self) -> dict[str, object]:
        """Return the change as the API shows it: no personal data, and no reason, which somebody has written freely."""
        return {
            "version": self.version,
            "action": self.action,
            "by": self.actor,
            "byName": self.name,
            "at": self.at.astimezone(UTC),
            "fromStatus": self.from_status,
            "toStatus": self.to_status,
            "start": self.start.astimezone(UTC),
        }


async def changes_since(tx: Transaction, booking_id: UUID, version: int) -> list[Change]:
    """Return what happened to an appointment after a version of it, oldest first."""
    values = {"business_id": tx.business_id, "id": booking_id, "version": version}
    changes = []
    for row in await tx.rows(_SQL["changes_since"], values):
        user_id, user_name = row.pop("user_id"), row.pop("user_name")
        if user_id is not None:
            row["name"] = (await tx.keys()).open("users.name", user_id, user_name)
        changes.append(Change(**row))
    return changes


@asynccontextmanager
async def told_in_words(
    database: Database, business_id: UUID, booking_id: UUID, expected_version: int | None
) -> AsyncIterator[None]:
    """Let a refusal tell what others have changed since the version that was named, who they were and when.

    `details.changes` lists it, `details.currentVersion` is the version after the last one, and the message of a
    VersionConflict says it in a sentence.
    """
    try:
        yield
    except (VersionConflict, NotChangeable, AlreadyCancelled, AlreadyRefunded, RefundNotAllowed) as refused:
        if expected_version is None:
            raise
        async with database.transaction(business_id) as tx:
            changes = await changes_since(tx, booking_id, expected_version)
        if changes:
            refused.details |= {
                "currentVersion": changes[-1].version,
                "changes": [change.shown() for change in changes],
            }
            if isinstance(refused, VersionConflict):
                refused.message = _sentence(changes)
        raise


def _sentence(changes: Sequence[Change]) -> str:
    *others, last = [change.in_words() for change in changes]
    told = f"{', '.join(others)} and {last}" if others else last
    return f"Since you saw it, this appointment was {told}. Read it again before you change it"
