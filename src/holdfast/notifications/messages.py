"""Messages: what was told to whom, or is to be, and what has become of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from holdfast.kernel.database import Transaction
from holdfast.kernel.ids import new_id
from holdfast.kernel.privacy import TenantKeys
from holdfast.kernel.sql import load
from holdfast.notifications import tasks
from holdfast.notifications.states import MessageState

queries = load(__package__)

# Written when it was asked for, by somebody who looks at what becomes of it.
TEMPLATE_TEST: Final = "template_test"


class Content(msgspec.Struct, frozen=True):
    """What a message says: the envelope of its row has it as JSON."""

    subject: str
    text: str
    html: str


_decode = msgspec.json.Decoder(Content).decode


@dataclass(frozen=True, slots=True)
class Message:
    """A message as its row tells, with the time at which it was read."""

    business_id: UUID
    id: UUID
    kind: str
    booking_id: UUID | None
    request_id: UUID | None
    user_id: UUID | None
    version: int | None
    starts_at: datetime | None
    state: str
    reason: str | None
    attempts: int
    give_up_at: datetime
    locale: str | None
    recipient: bytes | None
    content: bytes | None
    now: datetime

    @property
    def subject_id(self) -> UUID:
        """Return what it is about, for whom staff look for it."""
        return self.booking_id or self.request_id or self.user_id or self.id

    def opened(self, keys: TenantKeys) -> tuple[str, Content] | None:
        """Return to whom it goes or went, and what it says; None where that is not written down, or forgotten."""
        if self.recipient is None or self.content is None:
            return None
        recipient = keys.open("messages.recipient", self.id, bytes(self.recipient))
        return recipient, _decode(keys.open("messages.content", self.id, bytes(self.content)))


@dataclass(frozen=True, slots=True)
class Told:
    """What has become of a message about a booking; `reason` is a word for why it was not sent, or not yet."""

    id: UUID
    kind: str
    state: MessageState
    reason: str | None
    attempts: int
    locale: str | None
    occurred_at: datetime
    sent_at: datetime | None
    ended_at: datetime | None
    next_attempt_at: datetime | None


async def messages_of(tx: Transaction, booking_id: UUID) -> list[Told]:
    """Return what a client was told of a booking, and what they are to be told, in the order in which it happened."""
    values = {"business_id": tx.business_id, "booking_id": booking_id}
    rows = await tx.rows(queries["messages_of_booking"], values)
    return [Told(**row | {"state": MessageState(row["state"])}) for row in rows]


async def find(tx: Transaction, message_id: UUID) -> Message | None:
    """Return a message of the business."""
    return await tx.first(Message, queries["message"], {"business_id": tx.business_id, "id": message_id})


async def lock(tx: Transaction, message_id: UUID) -> Message | None:
    """Return a message of the business, which nobody else changes before this transaction ends."""
    await tx.run(queries["lock_message"], {"business_id": tx.business_id, "id": message_id})
    return await find(tx, message_id)


def sealed(keys: TenantKeys, message_id: UUID, recipient: str, content: Content) -> dict[str, Any]:
    """Return recipient and content as a row takes them."""
    return {
        "recipient": keys.seal("messages.recipient", message_id, recipient),
        "recipient_index": keys.index_email(recipient),
        "content": keys.seal("messages.content", message_id, msgspec.json.encode(content).decode()),
    }


async def add(
    tx: Transaction, kind: str, user_id: UUID, recipient: str, locale: str, content: Content, *, hours: int
) -> UUID:
    """Put a message to a user into the queue, written already; it is no use after so many hours. Return its id."""
    message_id = new_id()
    named = {"business_id": tx.business_id, "id": message_id, "kind": kind, "user_id": user_id}
    written = sealed(await tx.keys(), message_id, recipient, content)
    await tx.run(queries["add_written"], named | written | {"locale": locale, "hours": hours})
    return message_id


async def suppress(tx: Transaction, message: Message, reason: str) -> None:
    """Let nobody be told of it, since there is nothing to be told any more, or nobody to tell."""
    if await _end(tx, message, MessageState.SUPPRESSED, reason, [MessageState.QUEUED]):
        await tasks.waits_no_more(tx, message.subject_id)


async def was_sent(tx: Transaction, message: Message, attempt: int) -> None:
    """Write down that a server of mail has taken it on, in this attempt."""
    values = {"business_id": tx.business_id, "id": message.id, "attempt": attempt}
    if await tx.run(queries["was_sent"], values) and message.kind != TEMPLATE_TEST:
        await tasks.told(tx, message.subject_id)


async def put_off(tx: Transaction, message: Message, attempt: int, reason: str, seconds: float) -> None:
    """Let it wait: it was certainly not taken on in this attempt, and may be in the next one."""
    values = {"business_id": tx.business_id, "id": message.id, "attempt": attempt, "reason": reason}
    await tx.run(queries["put_off"], values | {"seconds": seconds})


async def fail(tx: Transaction, message: Message, reason: str) -> bool:
    """Write down that it does not reach whom it is for, and tell staff; return whether that was news."""
    states = [MessageState.QUEUED, MessageState.SENDING, MessageState.UNKNOWN, MessageState.SENT]
    if not await _end(tx, message, MessageState.FAILED, reason, states):
        return False
    if message.kind != TEMPLATE_TEST:
        await tasks.not_delivered(tx, message.subject_id, message.id, message.kind, reason)
    return True


async def lose(tx: Transaction, message: Message) -> bool:
    """Write down that nobody knows whether it was sent, and tell staff; return whether that was news."""
    if not await _end(tx, message, MessageState.UNKNOWN, "unheard", [MessageState.SENDING]):
        return False
    if message.kind != TEMPLATE_TEST:
        await tasks.unknown(tx, message.subject_id, message.id, message.kind)
    return True


async def _end(
    tx: Transaction, message: Message, state: MessageState, reason: str, states: Sequence[MessageState]
) -> bool:
    values = {"business_id": tx.business_id, "id": message.id, "state": state, "reason": reason}
    return bool(await tx.run(queries["end_message"], values | {"states": list(states)}))
