"""What servers of mail return: notifications about a delivery that has failed (RFC 3464)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Final
from uuid import UUID

from holdfast.kernel.database import Transaction
from holdfast.kernel.ids import uuid_or_none
from holdfast.notifications import messages
from holdfast.notifications.messages import queries

# A notification quotes what it returns, and an invitation is small.
MAX_BYTES: Final = 2_000_000
_MESSAGE_ID: Final = re.compile(r"<([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})@[^<>\s]+>")
_STATUS: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
# Which of its parts name what is returned, and by which of their headers.
_RETURNED: Final = frozenset({"message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers"})
_HEADERS: Final = ("Message-ID", "References", "In-Reply-To", "X-Original-Message-ID", "Original-Message-ID")


@dataclass(frozen=True, slots=True)
class Returned:
    """A message that did not reach whom it was for; `status` is a code of RFC 3463, where one was given."""

    message_id: UUID
    status: str | None


def read(body: bytes) -> Returned | None:
    """Return what a notification says has failed for good; None for anything else that arrives.

    That is what is only delayed, what is not about a message of ours, and what is no notification at all. Whoever
    writes to the address from which mail is sent is a stranger: nothing of this is believed but that an id is ours.
    """
    mail = message_from_bytes(body[:MAX_BYTES], policy=policy.default)
    assert isinstance(mail, EmailMessage), "the policy makes it one"
    if mail.get_content_type() != "multipart/report":
        return None
    failed, status = _verdict(mail)
    if not failed:
        return None
    found = next((message_id for message_id in _named(mail)), None)
    return None if found is None else Returned(found, status)


async def note(tx: Transaction, returned: Returned) -> UUID | None:
    """Write down that a message came back and tell staff; return its business, None where there is no such message.

    Repeated, and for one that was given up already, nothing changes.
    """
    business_id: UUID | None = await tx.value(queries["business_of_message"], {"id": returned.message_id})
    if business_id is None:
        return None
    own = await tx.act_for(business_id)
    message = await messages.lock(own, returned.message_id)
    if message is not None:
        await messages.fail(own, message, "returned")
    return business_id


def _verdict(mail: EmailMessage) -> tuple[bool, str | None]:
    """Return whether a recipient is told to have failed, and with which status."""
    for part in mail.walk():
        if part.get_content_type() not in ("message/delivery-status", "message/global-delivery-status"):
            continue
        for fields in part.iter_parts() if part.is_multipart() else []:
            if str(fields.get("Action", "")).strip().lower() == "failed":
                status = _STATUS.search(str(fields.get("Status", "")))
                return True, status[0] if status else None
    return False, None


def _named(mail: EmailMessage) -> Iterator[UUID]:
    """Yield the ids of ours that a notification names, what it returns first."""
    for part in mail.walk():
        if part.get_content_type() in _RETURNED:
            content = part.get_payload()
            for inner in content if isinstance(content, list) else []:
                assert isinstance(inner, EmailMessage), "the policy makes it one"
                yield from _ids(str(inner.get("Message-ID", "")))
            if isinstance(content, str):
                yield from _ids(content)
    for name in _HEADERS:
        for value in mail.get_all(name, []):
            yield from _ids(str(value))


def _ids(text: str) -> Iterator[UUID]:
    for match in _MESSAGE_ID.finditer(text.lower()):
        found = uuid_or_none(match[1])
        if found is not None:
            yield found
