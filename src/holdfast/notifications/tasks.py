"""What mail puts before staff: whoever was not told, or may not have been."""

from typing import Final
from uuid import UUID

from holdfast.administration.templates import MESSAGES
from holdfast.kernel.attention import KINDS, Severity, raise_item, settle
from holdfast.kernel.database import Transaction
from holdfast.kernel.tracking import identifier, one_of

_OF: Final = one_of(*MESSAGES)
# Why a message was not sent, or not yet.
REASONS: Final = (
    "address_not_supported",
    "connection_lost",
    "gave_up",
    "not_authenticated",
    "not_reached",
    "not_trusted",
    "refused",
    "refused_for_now",
    "returned",
    "sender_refused",
    "server_refuses",
)
_REASON: Final = one_of(*REASONS)

# It was refused or came back, or its time was over before a server took it on.
NOT_DELIVERED: Final = KINDS.declare("message_not_delivered", message=identifier, of=_OF, reason=_REASON)
# It waits for a server that does not take it on.
DELAYED: Final = KINDS.declare("message_delayed", message=identifier, of=_OF, reason=_REASON)
# It may have been sent.
UNKNOWN: Final = KINDS.declare("message_unknown", message=identifier, of=_OF)

# Who is not told of these comes to what does not take place.
_PRESSING: Final = frozenset({"appointment_cancelled", "appointment_changed", "series_cancelled"})


async def not_delivered(tx: Transaction, subject: UUID, message_id: UUID, kind: str, reason: str) -> None:
    """Tell staff that a message has not reached whom it was for; a delay that was told is over."""
    await settle(tx, DELAYED, subject)
    severity = Severity.URGENT if kind in _PRESSING else Severity.WARNING
    await raise_item(tx, NOT_DELIVERED, subject, severity, message=message_id, of=kind, reason=reason)


async def delayed(tx: Transaction, subject: UUID, message_id: UUID, kind: str, reason: str) -> None:
    """Tell staff that a message waits."""
    await raise_item(tx, DELAYED, subject, Severity.WARNING, message=message_id, of=kind, reason=reason)


async def unknown(tx: Transaction, subject: UUID, message_id: UUID, kind: str) -> None:
    """Tell staff that nobody knows whether a message was sent."""
    await settle(tx, DELAYED, subject)
    await raise_item(tx, UNKNOWN, subject, Severity.WARNING, message=message_id, of=kind)


async def waits_no_more(tx: Transaction, subject: UUID) -> None:
    """Take back that a message waits: there is nothing to be told any more."""
    await settle(tx, DELAYED, subject)


async def told(tx: Transaction, subject: UUID) -> None:
    """Take back what staff were told of a message that has been sent after all."""
    await settle(tx, DELAYED, subject)
    await settle(tx, UNKNOWN, subject)
