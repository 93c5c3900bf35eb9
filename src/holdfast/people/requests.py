"""Requests of people about themselves: what is kept of them, and to be forgotten (D-8).

A person is found by e-mail address, phone number and name in a messenger, by their blind indexes. Each capability tells
what it keeps of a person and forgets it; here stands who they are. What is forgotten is gone from the database at once,
and from backups when those have run their time.
"""

from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from holdfast.booking import personal as bookings
from holdfast.crm import personal as leads
from holdfast.crm.contacts import Contact, identities
from holdfast.identity import consents
from holdfast.kernel.audit import Actor, record
from holdfast.kernel.database import Transaction
from holdfast.kernel.ids import new_id
from holdfast.kernel.privacy import Handles
from holdfast.moderation import personal as questions
from holdfast.notifications import personal as messages
from holdfast.payments import personal as payments
from holdfast.people.errors import PersonHasAppointments, StillSealing

KIND = "privacy_request"


class Part(Protocol):
    """What a capability does for requests of people: a module with these two functions."""

    async def told_of(self, tx: Transaction, whom: Handles) -> dict[str, list[dict[str, Any]]]:
        """Return what is kept of a person, by its kind, opened and as it would be read to them."""

    async def forget(self, tx: Transaction, whom: Handles, actor: Actor) -> dict[str, int]:
        """Forget a person; return how many rows of each kind that concerned. Repeated, it finds nothing."""


# Payments and messages before bookings, which forget whose they were.
PARTS: tuple[Part, ...] = (payments, messages, bookings, questions, leads)


@dataclass(frozen=True, slots=True)
class Answer:
    """A request that was answered: its id in the audit log, and what was told, or how many rows were forgotten."""

    id: UUID
    parts: dict[str, Any]


async def tell(tx: Transaction, contact: Contact | Handles, actor: Actor) -> Answer:
    """Return everything that the business keeps of a person, who is told by a contact or by how they are found.

    Raises StillSealing.
    """
    whom = await _handles(tx, contact)
    told: dict[str, Any] = {}
    for part in PARTS:
        told |= await part.told_of(tx, whom)
    told["consents"] = [_shown(entry) for entry in await consents.history_of(tx, whom.all)]
    return Answer(await _record(tx, "tell_person", actor), told)


async def forget(tx: Transaction, contact: Contact | Handles, actor: Actor) -> Answer:
    """Forget a person; what accounts need stays without identity, and so does the proof of what they consented to.

    Raises StillSealing, PersonHasAppointments.
    """
    whom = await _handles(tx, contact)
    expected = await bookings.expected(tx, whom)
    if expected:
        raise PersonHasAppointments(details={"appointmentIds": expected})
    counts: dict[str, int] = {}
    for part in PARTS:
        counts |= await part.forget(tx, whom, actor)
    return Answer(await _record(tx, "forget_person", actor), counts)


async def _handles(tx: Transaction, contact: Contact | Handles) -> Handles:
    if await bookings.any_plain(tx):
        raise StillSealing
    if isinstance(contact, Handles):
        return contact
    told = {each.kind: each.index for each in identities(await tx.keys(), contact)}
    email, phone = told.pop("email", None), told.pop("phone", None)
    return Handles(email, phone, next(iter(told.items()), None))


def _shown(entry: consents.Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "kind": entry.kind,
        "act": entry.act,
        "documentVersion": entry.document_version,
        "proof": entry.proof,
        "locale": entry.locale,
        "at": entry.acted_at,
    }


async def _record(tx: Transaction, action: str, actor: Actor) -> UUID:
    request_id = new_id()
    await record(tx, KIND, request_id, action, actor)
    return request_id
