"""Busy time as it is stored: what calendars say of when a resource is taken. Mirrored, never ours."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from holdfast.availability.ics.times import Span
from holdfast.kernel.database import Transaction
from holdfast.kernel.sql import load

_SQL = load("holdfast.availability")


class BusyChange(NamedTuple):
    """How many intervals have come and gone."""

    added: int
    removed: int


async def replace_busy(tx: Transaction, resource_id: UUID, spans: Sequence[Span], *, source: str) -> BusyChange:
    """Give a resource this busy time of a source and no other of it. Writes only what differs.

    The spans do not overlap each other.
    """
    values = {
        "business_id": tx.business_id,
        "resource_id": resource_id,
        "source": source,
        "starts": [datetime.fromtimestamp(span.start, UTC) for span in spans],
        "ends": [datetime.fromtimestamp(span.end, UTC) for span in spans],
    }
    removed = await tx.run(_SQL["drop_busy"], values)
    return BusyChange(await tx.run(_SQL["add_busy"], values), removed)


class EventTime(NamedTuple):
    """A time at which an event of an external calendar takes place; the event is known by a keyed hash of its id."""

    event_key: bytes
    starts_at: datetime
    ends_at: datetime


class EventsChange(NamedTuple):
    """Which times have come, and how many have gone."""

    added: list[EventTime]
    removed: int


async def put_events(
    tx: Transaction, calendar_id: UUID, resource_id: UUID, events: Mapping[bytes, Collection[Span]]
) -> EventsChange:
    """Give events of a calendar these times and no others. Writes only what differs."""
    times = [(key, span) for key, spans in events.items() for span in set(spans) if span.start < span.end]
    values = {
        "business_id": tx.business_id,
        "resource_id": resource_id,
        "calendar_id": calendar_id,
        "named": list(events),
        "keys": [key for key, _ in times],
        "starts": [datetime.fromtimestamp(span.start, UTC) for _, span in times],
        "ends": [datetime.fromtimestamp(span.end, UTC) for _, span in times],
    }
    removed = await tx.run(_SQL["drop_event_times"], values)
    return EventsChange(await tx.all(EventTime, _SQL["add_event_times"], values), removed)


async def keep_events(tx: Transaction, calendar_id: UUID, keys: Collection[bytes]) -> int:
    """Forget every event of a calendar but these; return how many times are gone."""
    values = {"business_id": tx.business_id, "calendar_id": calendar_id, "keys": list(keys)}
    return await tx.run(_SQL["drop_other_events"], values)
