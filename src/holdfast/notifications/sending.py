"""Sends what is due: never twice, and never what is not true any more (W-2).

A message is written, marked as being sent and committed; then the server of mail is spoken to; then what came of it is
written down. Whoever dies in between leaves a message of which nobody knows whether it was sent, and it is not sent
again.
"""

import asyncio
from dataclasses import dataclass
from email.errors import MessageError
from functools import partial
from typing import Any, Final
from uuid import UUID

import psycopg
import structlog

from holdfast.booking.errors import AppointmentNotFound
from holdfast.kernel.database import Database, Transaction, is_away
from holdfast.kernel.patience import after_failure
from holdfast.notifications import messages, tasks
from holdfast.notifications.composing import Desk, Untold, compose
from holdfast.notifications.letters import written
from holdfast.notifications.mailer import Later, Mailer, Never, Unheard
from holdfast.notifications.measures import MESSAGES
from holdfast.notifications.messages import TEMPLATE_TEST, Message, queries, sealed
from holdfast.notifications.states import MessageState

log = structlog.get_logger(__name__)

_AT_ONCE: Final = 50
# Of one business, which may have much to tell: the others get their turn.
_OF_ONE: Final = 10
# After so many attempts, about a minute, staff are told that it waits.
_PATIENT_ATTEMPTS: Final = 5
# What cannot even be written keeps the others waiting no longer than once.
_STUCK_SECONDS: Final = 300
# Not about this message, but about the server: the next one would fare no better.
_OF_SERVER: Final = frozenset(
    {"not_reached", "not_trusted", "not_authenticated", "server_refuses", "connection_lost", "sender_refused"}
)


class ServerAway(Exception):
    """The server of mail takes nothing on now; `reason` is a word for it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Ready:
    """A message that is being sent, since this was committed: its recipient as SMTP names them, and its bytes."""

    message: Message
    attempt: int
    recipient: str
    body: bytes


async def send_due(database: Database, desk: Desk, mailer: Mailer | None, stop: asyncio.Event | None = None) -> int:
    """Send what is due, that which has waited longest first; return how many messages came to something.

    Without a mailer they are suppressed: nothing waits for ever. Ends early when it is to stop. Raises ServerAway.
    """
    async with database.transaction() as tx:
        due = await tx.rows(queries["messages_due"], {"limit": _AT_ONCE, "of_one": _OF_ONE})
    count = 0
    for row in due:
        if stop is not None and stop.is_set():
            break
        try:
            count += await send_one(database, desk, mailer, row["business_id"], row["id"])
        except ServerAway:
            raise
        except Exception as failure:
            if is_away(failure):
                raise
            # Without its text, which may quote what is confidential.
            log.error("message_not_written", message_id=str(row["id"]), error=type(failure).__name__)  # noqa: TRY400
            await database.run(row["business_id"], partial(_postpone, message_id=row["id"]))
    return count


async def send_one(database: Database, desk: Desk, mailer: Mailer | None, business_id: UUID, message_id: UUID) -> bool:
    """Send a message, if it is due still and nobody else is at it; return whether anything came of it.

    Raises ServerAway, when what came of it is written down.
    """
    try:
        take = partial(_take, message_id=message_id, desk=desk, can_mail=mailer is not None)
        ready = await database.run(business_id, take)
    except psycopg.errors.UniqueViolation:
        # Another message about the same booking is on its way: this one has its turn afterwards.
        return False
    if not isinstance(ready, Ready):
        return ready
    assert mailer is not None, "nothing is taken to be sent without"
    message = ready.message
    try:
        await mailer.send(ready.recipient, ready.body)
    except Later as later:
        await _put_off(database, ready, later)
    except Never as refused:
        await database.run(business_id, partial(messages.fail, message=message, reason=refused.reason))
        _count(message, "refused", code=refused.code)
    except Unheard:
        await database.run(business_id, partial(messages.lose, message=message))
        _count(message, "unknown")
    else:
        await database.run(business_id, partial(messages.was_sent, message=message, attempt=ready.attempt))
        _count(message, "sent")
    return True


async def _take(tx: Transaction, *, message_id: UUID, desk: Desk, can_mail: bool) -> Ready | bool:
    """Return a message, written and marked as being sent; or whether it came to something else.

    What it tells of is locked before the message is, as whoever forgets a person does.
    """
    message = await messages.find(tx, message_id)
    if message is None or message.state != MessageState.QUEUED:
        return False
    try:
        letter = await compose(tx, message, desk) if can_mail else None
        untold = None if can_mail else "no_mail"
    except Untold as reason:
        letter, untold = None, reason.reason
    except AppointmentNotFound:
        letter, untold = None, "overtaken"
    named = {"business_id": tx.business_id, "id": message_id}
    if not await tx.rows(queries["lock_queued"], named):
        return False
    if letter is None:
        assert untold is not None, "there is a letter, or a reason for none"
        await messages.suppress(tx, message, untold)
        _count(message, "suppressed")
        return True
    if message.give_up_at <= message.now:
        await messages.fail(tx, message, "gave_up")
        _count(message, "gave_up")
        return True
    try:
        body = written(letter, message_id, desk.settings, message.now)
    except (ValueError, MessageError):
        # An address that passed for one when it was typed, and that no header can hold.
        await messages.fail(tx, message, "address_not_supported")
        _count(message, "refused")
        return True
    content = sealed(await tx.keys(), message_id, letter.recipient, letter.content)
    values: dict[str, Any] = named | content | {"locale": letter.language}
    attempt = await tx.value(queries["begin_sending"], values)
    return Ready(message, attempt, letter.recipient, body)


async def _postpone(tx: Transaction, *, message_id: UUID) -> None:
    """Let a message that could not be written wait, or give it up when its time is over."""
    message = await messages.lock(tx, message_id)
    if message is None or message.state != MessageState.QUEUED:
        return
    if message.give_up_at <= message.now:
        await messages.fail(tx, message, "gave_up")
        _count(message, "gave_up")
        return
    values = {"business_id": tx.business_id, "id": message_id, "seconds": _STUCK_SECONDS}
    await tx.run(queries["postpone"], values)


async def _put_off(database: Database, ready: Ready, later: Later) -> None:
    """Let a message wait. Raises ServerAway."""
    message, attempt = ready.message, ready.attempt

    async def work(tx: Transaction) -> None:
        await messages.put_off(tx, message, attempt, later.reason, after_failure(attempt))
        if attempt >= _PATIENT_ATTEMPTS and message.kind != TEMPLATE_TEST:
            await tasks.delayed(tx, message.subject_id, message.id, message.kind, later.reason)

    await database.run(message.business_id, work)
    _count(message, "put_off", reason=later.reason, code=later.code)
    if later.reason in _OF_SERVER:
        raise ServerAway(later.reason) from later


def _count(message: Message, outcome: str, **more: object) -> None:
    MESSAGES.add(message.kind, outcome)
    log.info("message", message_id=str(message.id), kind=message.kind, outcome=outcome, **more)
