"""The log of events of a business: read by number, from wherever a reader has got to (H-5)."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.sql import load
from holdfast.webhooks.events import Event

_SQL = load(__package__)

# How much later than others an event may come into the log whose time is before theirs.
LATE_MINUTES: Final = 10
# How far the order of the log may be from that of time, with what a run of the feed may take.
_DISORDER_MINUTES: Final = LATE_MINUTES + 5
# Where few events are wanted, so many are looked through at once.
_LOOKED_THROUGH: Final = 10_000
_MARK: Final = "events "
_MOST_DIGITS: Final = 18


@dataclass(frozen=True, slots=True)
class Page:
    """Events in the order of their numbers; whoever goes on from the cursor, now or later, misses nothing.

    `more` says whether there is anything behind the cursor by now.
    """

    events: list[Event]
    cursor: str
    more: bool


async def read(
    tx: Transaction, *, cursor: str | None, since: datetime | None, types: Sequence[str] | None, limit: int
) -> Page:
    """Return the events after a cursor, or since a time, or from the first one on.

    Raises ValidationFailed for a cursor that no page has given, also for one of a log that was longer before a restore.
    """
    business = {"business_id": tx.business_id}
    after = 0
    if cursor is not None:
        after = _number_of(cursor)
    elif since is not None:
        after = await number_before(tx, since)
    last: int = await tx.value(_SQL["last_number"], business)
    if after > last:
        # What is numbered now would appear behind this reader, who would miss it without a word.
        raise ValidationFailed.at("cursor", "is ahead of the log; begin again with since")
    until = min(after + _LOOKED_THROUGH, last)
    values = {
        "after": after,
        "until": until,
        "types": None if types is None else list(types),
        "since": since if cursor is None else None,
        "limit": limit,
    }
    events = await tx.all(Event, _SQL["events_after"], business | values)
    if len(events) == limit:
        until = events[-1].number
    return Page(events, _cursor_of(until), until < last)


async def number_before(tx: Transaction, since: datetime) -> int:
    """Return a number after which there is everything that has happened since a time."""
    values = {"business_id": tx.business_id, "since": since, "minutes": _DISORDER_MINUTES}
    number: int = await tx.value(_SQL["number_before"], values)
    return number


async def find(tx: Transaction, number: int) -> Event:
    """Return the event of a number that is in the log."""
    values = {"business_id": tx.business_id, "after": number - 1, "until": number, "types": None, "since": None}
    [event] = await tx.all(Event, _SQL["events_after"], values | {"limit": 1})
    return event


def _cursor_of(number: int) -> str:
    return urlsafe_b64encode(f"{_MARK}{number}".encode()).decode()


def _number_of(cursor: str) -> int:
    try:
        text = urlsafe_b64decode(cursor).decode()
    except ValueError:
        text = ""
    digits = text.removeprefix(_MARK)
    if text == digits or not (digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS):
        raise ValidationFailed.at("cursor", "is not one that the log has given")
    return int(digits)
