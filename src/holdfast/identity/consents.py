"""Consents: given and withdrawn, with version and time, kept as they were said.

Anybody can write somebody else's address into a form. So an act is kept with its proof, and what is merely claimed
never outweighs what was proven: a stranger can neither make a consent that counts as proven, nor take one away. A claim
that contradicts it is shown to staff, who ask the person.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from holdfast.kernel.database import Transaction
from holdfast.kernel.ids import new_id
from holdfast.kernel.sql import load

_SQL = load("holdfast.identity", "consents.sql")


class Kind(StrEnum):
    """To what somebody agrees. A migration knows the same words."""

    PRIVACY_POLICY = "privacy_policy"
    TERMS = "terms"
    HEALTH_DATA = "health_data"
    MARKETING = "marketing"


class Act(StrEnum):
    """What somebody does about a consent."""

    GIVEN = "given"
    WITHDRAWN = "withdrawn"


class Proof(StrEnum):
    """How it is known who acted: by the token of a booking, by staff who were told, or not at all."""

    BOOKING = "booking"
    STAFF = "staff"
    CLAIMED = "claimed"


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody says about a consent."""

    kind: Kind
    act: Act
    document_version: str | None
    locale: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One act as it was kept."""

    id: UUID
    kind: Kind
    act: Act
    document_version: str | None
    proof: Proof
    locale: str | None
    acted_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands of one kind: the last proven act, else the last claimed one.

    `contested` when somebody has claimed the contrary since.
    """

    entry: Entry
    contested: bool


async def record_consent(tx: Transaction, subjects: Sequence[bytes], said: Said, proof: Proof) -> list[Entry]:
    """Keep what somebody says, for each way that reaches them (a blind index); the work is the same for anybody."""
    entries = []
    for subject in subjects:
        consent_id = new_id()
        values = {
            "business_id": tx.business_id,
            "id": consent_id,
            "subject": subject,
            "kind": said.kind,
            "act": said.act,
            "document_version": said.document_version,
            "proof": proof,
            "locale": said.locale,
        }
        acted_at = await tx.value(_SQL["add_consent"], values)
        entries.append(Entry(consent_id, said.kind, said.act, said.document_version, proof, said.locale, acted_at))
    return entries


async def history_of(tx: Transaction, subjects: Sequence[bytes]) -> list[Entry]:
    """Return everything that was said for a person, oldest first."""
    values = {"business_id": tx.business_id, "subjects": list(subjects)}
    return [
        Entry(**{**row, "kind": Kind(row["kind"]), "act": Act(row["act"]), "proof": Proof(row["proof"])})
        for row in await tx.rows(_SQL["consents_of"], values)
    ]


def standing(history: Iterable[Entry]) -> list[Standing]:
    """Return what stands of each kind, given everything that was said, oldest first."""
    found: dict[Kind, Standing] = {}
    for entry in history:
        before = found.get(entry.kind)
        if before is None or entry.proof is not Proof.CLAIMED or before.entry.proof is Proof.CLAIMED:
            found[entry.kind] = Standing(entry, contested=False)
        else:
            found[entry.kind] = Standing(before.entry, contested=entry.act is not before.entry.act)
    return [found[kind] for kind in Kind if kind in found]
