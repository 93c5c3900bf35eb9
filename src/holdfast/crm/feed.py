"""Leads of those who book and of those who ask: made by the worker from the events of both, in order and once each.

An event is read when it is committed, which may be later than others whose time is after its own. So each run looks
back over what the last ones have read, further than any transaction lives, and an event that is on a timeline already
is passed over: the timeline takes an event once.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import structlog

from holdfast.booking.bookings import read_still
from holdfast.booking.contacts import person_of
from holdfast.crm.contacts import Contact
from holdfast.crm.leads import Origin, become_client, receive
from holdfast.crm.timeline import APPOINTMENT_CONFIRMED, QUESTION_SUBMITTED, tell
from holdfast.kernel.attention import KINDS, Severity, raise_item
from holdfast.kernel.audit import SYSTEM
from holdfast.kernel.database import Database, Transaction, is_away
from holdfast.kernel.sql import load

log = structlog.get_logger(__name__)

_SQL = load("holdfast.crm", "feed.sql")

_LOOK_BACK = timedelta(minutes=10)
_AT_ONCE = 500

NOT_MADE = KINDS.declare("lead_not_made")


@dataclass(frozen=True, slots=True)
class Fact:
    """An event that a lead is made of; `aggregate_id` is the booking or the question."""

    business_id: UUID
    id: UUID
    aggregate_id: UUID
    type: str
    occurred_at: datetime


async def feed(database: Database) -> int:
    """Make leads of everything that was booked and asked since the last run; return of how many events.

    What fails is logged, put before staff and tried again for ten minutes; it keeps nothing else from its turn.
    """
    async with database.transaction() as tx:
        [begun] = await tx.rows(_SQL["begin_feed"])
    values: dict[str, Any] = {"since": begun["read_until"] - _LOOK_BACK, "at": None, "last": None, "limit": _AT_ONCE}
    total = 0
    while True:
        async with database.transaction() as tx:
            facts = await tx.all(Fact, _SQL["facts_for_leads"], values)
        for fact in facts:
            total += await _tried(database, fact)
        if len(facts) < _AT_ONCE:
            break
        values |= {"at": facts[-1].occurred_at, "last": facts[-1].id}
    async with database.transaction() as tx:
        await tx.run(_SQL["end_feed"], {"read_until": begun["now"]})
    if total:
        log.info("leads_fed", count=total)
    return total


async def _tried(database: Database, fact: Fact) -> bool:
    """Make the lead of an event; return whether there is one by now that was not before."""
    try:
        return await database.run(fact.business_id, lambda tx: _take(tx, fact))
    except psycopg.errors.UniqueViolation:
        # Another worker was first.
        return False
    except Exception as failure:
        if is_away(failure):
            raise
        log.exception("lead_not_made", business_id=str(fact.business_id), event_id=str(fact.id))

    async def tell_staff(tx: Transaction) -> None:
        await raise_item(tx, NOT_MADE, fact.aggregate_id, Severity.WARNING)

    await database.run(fact.business_id, tell_staff)
    return False


async def _take(tx: Transaction, fact: Fact) -> bool:
    of_question = fact.type == "QuestionSubmitted"
    told = await (_asker(tx, fact.aggregate_id) if of_question else _booker(tx, fact.aggregate_id))
    if told is None:
        return False
    contact, origin = told
    lead_id = await receive(tx, contact, origin, SYSTEM)
    once: dict[str, Any] = {"source_event": fact.id, "occurred_at": fact.occurred_at}
    if of_question:
        await tell(tx, lead_id, QUESTION_SUBMITTED, **once, question=fact.aggregate_id)
    else:
        await tell(tx, lead_id, APPOINTMENT_CONFIRMED, **once, appointment=fact.aggregate_id)
        await become_client(tx, lead_id, SYSTEM)
    return True


async def _asker(tx: Transaction, item_id: UUID) -> tuple[Contact, Origin] | None:
    """Return who has sent a question, None if they did not tell how they are reached."""
    [row] = await tx.rows(_SQL["asker"], {"business_id": tx.business_id, "id": item_id})
    if row["email"] is None:
        return None
    email = (await tx.keys()).open("ugc_items.email", item_id, bytes(row["email"]))
    return Contact(email=email), Origin("question", row["locale"])


async def _booker(tx: Transaction, booking_id: UUID) -> tuple[Contact, Origin] | None:
    """Return for whom a booking is, None if it does not tell how they are reached."""
    # Forgetting a person locks their bookings and then their leads: it comes before this, or finds the lead.
    booking = await read_still(tx, booking_id)
    person = person_of(await tx.keys(), booking)
    if person.email is None and person.phone is None:
        return None
    return Contact(person.email, person.phone, name=person.name), Origin("booking", booking.locale)
