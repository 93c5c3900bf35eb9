"""What of messages is kept of a person, and how it is forgotten (D-8)."""

from typing import Any

from holdfast.booking.personal import lock_forgettable
from holdfast.kernel.audit import Actor
from holdfast.kernel.database import Transaction
from holdfast.kernel.privacy import Handles
from holdfast.kernel.sql import load
from holdfast.notifications.messages import Message

_SQL = load("holdfast.notifications", "personal.sql")


async def told_of(tx: Transaction, whom: Handles) -> dict[str, list[dict[str, Any]]]:
    """Return the messages to a person with what they say, as long as that is kept."""
    keys = await tx.keys()
    told = []
    for message in await tx.all(Message, _SQL["messages_to"], {"business_id": tx.business_id, "email": whom.email}):
        opened = message.opened(keys)
        if opened is not None:
            recipient, content = opened
            told.append(
                {
                    "id": message.id,
                    "kind": message.kind,
                    "status": message.state,
                    "bookingId": message.booking_id,
                    "recipient": recipient,
                    "subject": content.subject,
                    "text": content.text,
                }
            )
    return {"messages": told}


async def forget(tx: Transaction, whom: Handles, actor: Actor) -> dict[str, int]:  # noqa: ARG001 - the booking's entry tells who
    """Forget to which address of a person messages went and what they said, and tell them nothing any more.

    That something was told, and when, stays: it is in the history of the booking. Before booking forgets whose the
    bookings were, and after it has locked them.
    """
    ids = await lock_forgettable(tx, whom)
    values = {"business_id": tx.business_id, "email": whom.email, "ids": ids}
    await tx.run(_SQL["silence"], values)
    return {"messages": await tx.run(_SQL["forget_messages_to"], values)}
