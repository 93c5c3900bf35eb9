"""Calendars compared with the bookings, now and then: what looks and exports have missed is found and mended.

What lacks is made due, and what is there without a booking goes. What a person has done is put before staff, as it is
when a look at the calendar meets it.
"""

import asyncio
import random
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import psycopg
import structlog

from holdfast.administration.settings import GCAL_INTEGRATION, Stage, flag_is_on
from holdfast.calendars import conflicts, patience
from holdfast.calendars.conflicts import Place
from holdfast.calendars.connections import Calendar, Connection, ProviderName, find_calendar, find_connection
from holdfast.calendars.event_ids import booking_of, event_id_of
from holdfast.calendars.feed import want_all
from holdfast.calendars.port import CalendarError, Changed, Kind, Provider, RemoteEvent, Window
from holdfast.calendars.providers import Providers
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.sql import load

log = structlog.get_logger(__name__)

_SQL = load(__package__, "export.sql")

_AT_ONCE = 50
_DAY_SECONDS = 86_400
# From yesterday on, over a year: further than nearly everybody books.
_BEFORE_SECONDS, _AHEAD_SECONDS = _DAY_SECONDS, 396 * _DAY_SECONDS
_EVERY_SECONDS = 6 * 3_600.0
# Of twenty thousand events it takes a minute or two; all others wait meanwhile.
_TURN_SECONDS = 600.0
# Calendars that were connected together drift apart.
_random = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Compared:
    """A booking whose event is in a calendar, or should be, within what is compared."""

    id: UUID
    version: int
    starts_at: datetime
    ends_at: datetime
    place: str
    state: str | None


async def reconcile_due(database: Database, providers: Providers, stage: Stage) -> int:
    """Compare the calendars whose turn it is, each about four times a day; return how many."""
    async with database.transaction() as tx:
        due = await tx.rows(_SQL["calendars_to_reconcile"], {"limit": _AT_ONCE})
    return sum([await reconcile(database, providers, stage, row["business_id"], row["calendar_id"]) for row in due])


async def reconcile(
    database: Database, providers: Providers, stage: Stage, business_id: UUID, calendar_id: UUID
) -> bool:
    """Compare a calendar with the bookings and mend what differs.

    False when it is not its turn, when nobody may ask it, and when that did not work: then it is soon its turn again.
    """
    wait = _random.uniform(0.8, 1.0) * _EVERY_SECONDS
    async with database.transaction(business_id) as tx:
        if not await tx.run(_SQL["begin_reconciliation"], _turn(tx, calendar_id, wait)):
            return False
        calendar = await find_calendar(tx, calendar_id)
        connection = await find_connection(tx, calendar.connection_id)
        if connection.provider is ProviderName.GOOGLE and not await flag_is_on(tx, GCAL_INTEGRATION, stage):
            return False
    try:
        async with asyncio.timeout(_TURN_SECONDS):
            await _compare(database, providers, business_id, connection, calendar)
    except CalendarError as failure:
        log.warning("calendar_not_compared", calendar_id=str(calendar_id), error_code=failure.code)
    except psycopg.Error:
        raise
    except Exception as failure:  # noqa: BLE001 - one calendar keeps no other from its turn
        # Without its text, which may quote what a provider has sent.
        log.error("calendar_not_compared", calendar_id=str(calendar_id), error=type(failure).__name__)  # noqa: TRY400
    else:
        return True
    soon = patience.POLL_SECONDS
    await database.run(business_id, lambda tx: tx.run(_SQL["put_off_reconciliation"], _turn(tx, calendar_id, soon)))
    return False


async def reconcile_soon(tx: Transaction, calendar_id: UUID) -> None:
    """Have a calendar compared at the next opportunity."""
    await tx.run(_SQL["put_off_reconciliation"], _turn(tx, calendar_id, 0.0))


def _turn(tx: Transaction, calendar_id: UUID, seconds: float) -> dict[str, object]:
    return {"business_id": tx.business_id, "calendar_id": calendar_id, "seconds": seconds}


async def _compare(
    database: Database, providers: Providers, business_id: UUID, connection: Connection, calendar: Calendar
) -> None:
    now = int(datetime.now(UTC).timestamp())
    window = Window(now - _BEFORE_SECONDS, now + _AHEAD_SECONDS)
    async with providers.opened(business_id, connection) as provider:
        seen: defaultdict[UUID, list[RemoteEvent]] = defaultdict(list)
        async for event in provider.own_events(calendar.remote_id, window):
            booking_id = booking_of(event.event_id)
            # A mark under another id is that of a copy, which is no event of ours.
            if booking_id is not None and event.mark is not None and event.mark.booking_id == booking_id:
                seen[booking_id].append(event)
        async with database.transaction(business_id) as tx:
            values = _turn(tx, calendar.id, 0) | {
                "ids": list(seen),
                "start": datetime.fromtimestamp(window.start, UTC),
                "end": datetime.fromtimestamp(window.end, UTC),
            }
            # Read after the calendar: a booking whose event was there is there. One that is not is another tenant's.
            known = await tx.all(Compared, _SQL["bookings_compared"], values)
        for booking in known:
            one = await _one_of(provider, calendar, booking, seen.get(booking.id, []))
            await database.run(business_id, partial(_mend, calendar=calendar, booking=booking, event=one))
        await database.run(business_id, lambda tx: want_all(tx, calendar.id))


async def _one_of(
    provider: Provider, calendar: Calendar, booking: Compared, found: list[RemoteEvent]
) -> RemoteEvent | None:
    """Return the event of a booking; of several, which a calendar may have made of one, the others are removed."""
    if not found:
        # Moved out of sight, perhaps.
        return await provider.find(calendar.remote_id, event_id_of(booking.id))

    def rightness(event: RemoteEvent) -> tuple[bool, int]:
        right = conflicts.times_of(event) == (booking.starts_at, booking.ends_at)
        return right, 0 if event.mark is None else event.mark.version

    one, *others = sorted(found, key=rightness, reverse=True)
    for other in others:
        try:
            await provider.remove(calendar.remote_id, other.event_id, other.etag)
        except Changed:
            # Somebody is at work on it: at the next turn.
            continue
        log.warning("calendar_duplicate_removed", calendar_id=str(calendar.id), booking_id=str(booking.id))
    return one


async def _mend(tx: Transaction, calendar: Calendar, booking: Compared, event: RemoteEvent | None) -> None:
    values = Place(calendar.id, booking.id).values(tx, event_id=event_id_of(booking.id))
    if event is None:
        event = RemoteEvent(event_id_of(booking.id), event_id_of(booking.id), Kind.GONE, ())
    there = event.kind is not Kind.GONE
    if booking.place == "away" and there:
        await tx.run(_SQL["want_removed"], values)
    elif booking.place == "there":
        await conflicts.observe_own(tx, calendar, event)
        if there and booking.state == "exported" and (event.mark is None or event.mark.version != booking.version):
            await tx.run(_SQL["want_event"], values)
