"""The mirror: what of an external calendar blocks time, kept by looking at what has changed there.

A look reads page by page, and each page is stored in a transaction of its own that first makes sure of the lease. Where
the next look goes on is written with the last page, so that whoever dies before is followed by one who begins where he
began. What is mirrored blocks until it is replaced.
"""

import asyncio
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import structlog

from holdfast.administration.settings import Stage
from holdfast.availability.busy import keep_events, put_events
from holdfast.availability.ics.times import Span
from holdfast.calendars import looks
from holdfast.calendars.conflicts import observe_own
from holdfast.calendars.event_ids import booking_of
from holdfast.calendars.looks import LeaseLost, Look
from holdfast.calendars.overlaps import end_overlaps, tell_overlaps
from holdfast.calendars.port import (
    Access,
    CalendarError,
    Kind,
    Page,
    Provider,
    RemoteEvent,
    SyncPointGone,
    Unreachable,
)
from holdfast.calendars.providers import Providers
from holdfast.calendars.reconciliation import reconcile_soon
from holdfast.kernel.database import Database, Transaction, is_away
from holdfast.kernel.privacy import TenantKeys
from holdfast.kernel.sql import load

log = structlog.get_logger(__name__)

_SQL = load("holdfast.calendars", "mirror.sql")

# How many calendars a worker looks at together.
AT_ONCE = 8
_PAUSE_SECONDS = 5.0
_PAGE_SECONDS: float = looks.LEASE_SECONDS
# Under which everything stands that is known of a calendar of which no events are seen.
_BUSY = "busy"


class _Unforeseen(CalendarError):
    """Something in us has failed, not at the provider."""

    code = "unexpected"


async def sync(database: Database, providers: Providers, business_id: UUID, calendar_id: UUID, *, stage: Stage) -> bool:
    """Look at a calendar and mirror what has changed there; False, at once, when somebody else does or nobody may.

    What its provider refuses is written down with the calendar and, where a person is needed, in the inbox. Of a
    calendar that has not changed nothing is written but when it was looked at, in its own row.
    """
    begun = await looks.begin(database, business_id, calendar_id, stage)
    if not begun:
        return False
    try:
        async with providers.opened(business_id, begun[0].connection) as provider:
            if begun[0].calendar.access is Access.FREE_BUSY:
                await _look_at_busy_times(database, provider, begun)
            else:
                await _look_at_events(database, provider, begun[0])
    except CalendarError as failure:
        await _failed(database, begun, failure)
    except LeaseLost:
        log.info("calendar_look_overtaken", business_id=str(business_id), calendar_id=str(calendar_id))
    except asyncio.CancelledError:
        await asyncio.shield(looks.give_back(database, begun))
        raise
    except Exception as failure:
        if is_away(failure):
            raise
        # Its text may quote what a provider has sent.
        [*_, place] = traceback.extract_tb(failure.__traceback__)
        where = f"{place.filename.rpartition('/')[2]}:{place.lineno}"
        log.error("calendar_look_failed", error=type(failure).__name__, where=where, calendar_id=str(calendar_id))  # noqa: TRY400 - no text
        await _failed(database, begun, _Unforeseen("it broke while it was read"))
    return True


async def sync_due(database: Database, providers: Providers, stage: Stage) -> int:
    """Look at every calendar that is due, eight at a time, until none is; return at how many."""
    return await _keep_up(database, providers, stage, forever=False)


async def keep_up(database: Database, providers: Providers, stage: Stage) -> None:
    """Look at calendars when they are due, until cancelled. One that takes long holds up no other."""
    while True:
        try:
            await _keep_up(database, providers, stage, forever=True)
        except Exception:
            log.exception("calendars_not_looked_at")
            await asyncio.sleep(_PAUSE_SECONDS)


async def _keep_up(database: Database, providers: Providers, stage: Stage, *, forever: bool) -> int:
    running: dict[asyncio.Task[bool], UUID] = {}
    count = 0
    try:
        while True:
            # Those that were only just taken up may be due still.
            due = [each for each in await looks.due(database, 2 * AT_ONCE) if each[1] not in running.values()]
            for business_id, calendar_id in due[: AT_ONCE - len(running)]:
                look = asyncio.create_task(sync(database, providers, business_id, calendar_id, stage=stage))
                running[look] = calendar_id
            if not running:
                if not forever:
                    return count
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            done, _ = await asyncio.wait(running, timeout=_PAUSE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            for look in done:
                del running[look]
                count += look.result()
    finally:
        for look in running:
            look.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def event_key(keys: TenantKeys, key: str) -> bytes:
    """Return what an event of an external calendar is known by: a keyed hash of its id, in which case tells."""
    return keys.index_exact("calendar event", key)


async def _failed(database: Database, begun: Sequence[Look], failure: CalendarError) -> None:
    log.warning(
        "calendar_not_seen",
        business_id=str(begun[0].business_id),
        calendar_id=str(begun[0].calendar.id),
        code=failure.code,
    )
    for look in begun:
        await looks.fail(database, look, failure)


async def _look_at_events(database: Database, provider: Provider, look: Look) -> None:
    try:
        await _read(database, provider, look)
    except SyncPointGone:
        if look.sync_point is None:
            raise Unreachable("a sync point that was not sent is gone") from None
        await _read(database, provider, look.anew(datetime.now(UTC)))


async def _read(database: Database, provider: Provider, look: Look) -> None:
    """Store the pages of a look, each when the next one is there: only then it is known not to be the last."""
    pages = provider.changes(look.calendar.remote_id, look.timezone, look.sync_point, look.window)
    seen: set[bytes] = set()
    count = 0
    page: Page | None = None
    async with aclosing(_each(pages)) as each:
        async for following in each:
            if page is not None:
                count += len(page.events)
                await database.run(look.business_id, partial(_keep, look=look, page=page, seen=seen, count=count))
            page = following
    if page is None:
        raise Unreachable("there was no page")
    await database.run(look.business_id, partial(_keep_last, look=look, page=page, seen=seen))


async def _keep(tx: Transaction, look: Look, page: Page, seen: set[bytes], count: int) -> None:
    await looks.renew(tx, look, count)
    await _store(tx, look, page, seen)


async def _keep_last(tx: Transaction, look: Look, page: Page, seen: set[bytes]) -> None:
    await looks.hold(tx, look)
    await _store(tx, look, page, seen)
    if page.whole and not page.unchanged:
        await keep_events(tx, look.calendar.id, seen)
        # Of ours that were deleted meanwhile such a look says nothing.
        await reconcile_soon(tx, look.calendar.id)
    await end_overlaps(tx, look.calendar.id)
    # Where nothing has changed the old point is as good as the new one, and nothing has to be written.
    await looks.succeed(tx, look, look.sync_point if page.unchanged else page.sync_point, page.timezone)


async def _each(pages: AsyncIterator[Page]) -> AsyncGenerator[Page]:
    """Yield pages, and let go of what they come from at the end, whatever that is.

    Raises Unreachable for one that takes longer than a lease lasts: a server that answers by drops holds up no other.
    """
    try:
        while True:
            async with asyncio.timeout(_PAGE_SECONDS):
                page = await anext(pages, None)
            if page is None:
                return
            yield page
    except TimeoutError:
        raise Unreachable("a page takes too long") from None
    finally:
        if isinstance(pages, AsyncGenerator):
            await pages.aclose()


async def _store(tx: Transaction, look: Look, page: Page, seen: set[bytes]) -> None:
    """Mirror the events of a page; those of our own are compared with their bookings instead."""
    if not page.events:
        return
    calendar = look.calendar
    own = await _own_bookings(tx, page.events)
    keys = await tx.keys()
    times: dict[bytes, Sequence[Span]] = {}
    for event in page.events:
        key = event_key(keys, event.key)
        times[key] = ()
        if _candidate(event) in own:
            await observe_own(tx, calendar, event)
        elif calendar.blocks and _blocks(event.kind, tentative=look.tentative_blocks):
            times[key] = event.spans
    if page.whole:
        seen.update(times)
    change = await put_events(tx, calendar.id, calendar.resource_id, times)
    await tell_overlaps(tx, calendar.id, calendar.resource_id, change.added)


def _blocks(kind: Kind, *, tentative: bool) -> bool:
    return kind is Kind.BUSY or (kind is Kind.TENTATIVE and tentative)


async def _own_bookings(tx: Transaction, events: Sequence[RemoteEvent]) -> set[UUID]:
    """Return the bookings of the business whose events are among these."""
    found = [(booking_id, event.mark) for event in events if (booking_id := _candidate(event)) is not None]
    if not found:
        return set()
    values = {
        "business_id": tx.business_id,
        "booking_ids": [booking_id for booking_id, _ in found],
        "marked": [booking_id for booking_id, mark in found if mark is not None],
    }
    return {row["id"] for row in await tx.rows(_SQL["own_events"], values)}


def _candidate(event: RemoteEvent) -> UUID | None:
    """Return the booking that an event is of if it is one of ours; a mark under another id makes it a copy.

    In a feed an event is called by its id at the provider, with the name of the provider behind it.
    """
    booking_id = booking_of(event.event_id.partition("@")[0])
    return None if event.mark is not None and event.mark.booking_id != booking_id else booking_id


async def _look_at_busy_times(database: Database, provider: Provider, begun: Sequence[Look]) -> None:
    """Mirror when calendars are busy of which nothing else is seen. What could not be told is unknown, never free."""
    told: Mapping[str, Sequence[Span] | None] = await provider.busy(
        [look.calendar.remote_id for look in begun], begun[0].window
    )
    for look in begun:
        spans = told.get(look.calendar.remote_id)
        if spans is None:
            await looks.fail(database, look, Unreachable("nothing is told of this calendar"))
            continue
        try:
            await _store_busy_times(database, look, spans)
        except LeaseLost:
            # The others are ours still.
            log.info("calendar_look_overtaken", calendar_id=str(look.calendar.id))


async def _store_busy_times(database: Database, look: Look, spans: Sequence[Span]) -> None:
    calendar = look.calendar

    async def keep(tx: Transaction) -> None:
        await looks.hold(tx, look)
        times = {event_key(await tx.keys(), _BUSY): spans}
        change = await put_events(tx, calendar.id, calendar.resource_id, times)
        await keep_events(tx, calendar.id, times)
        await tell_overlaps(tx, calendar.id, calendar.resource_id, change.added)
        await end_overlaps(tx, calendar.id)
        await looks.succeed(tx, look, None)

    await database.run(look.business_id, keep)
