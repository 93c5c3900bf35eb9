"""Appointments as events in calendars: what is due is compared with the booking as it is, and what is missing written.

A row of `calendar_events` is due, and a worker that takes it up holds a lease on it. No transaction is open while the
calendar is asked, and what was done there is noted only while the lease is still held: who comes late notes nothing,
and whoever has the lease by then finds in the calendar what was done.
"""

import asyncio
import time
from enum import Enum
from uuid import UUID

import structlog

from holdfast.administration.settings import GCAL_INTEGRATION, Stage, flag_is_on
from holdfast.calendars import patience, tasks
from holdfast.calendars.conflicts import Place
from holdfast.calendars.connections import (
    Calendar,
    Connection,
    ProviderName,
    calendars_of,
    find_connection,
    lock_connection,
    stop_asking,
)
from holdfast.calendars.exported_event import DAY_SECONDS, Row, Task, Wanted, bring
from holdfast.calendars.port import (
    CalendarError,
    CalendarGone,
    NeedsReconnect,
    Provider,
    Refused,
    Unreachable,
)
from holdfast.calendars.providers import Providers
from holdfast.kernel import attention
from holdfast.kernel.attention import Severity
from holdfast.kernel.database import Database, Transaction, is_away
from holdfast.kernel.errors import NotFound
from holdfast.kernel.ids import new_id
from holdfast.kernel.patience import after_failure
from holdfast.kernel.sql import load

log = structlog.get_logger(__name__)

_SQL = load(__package__, "export.sql")

_AT_ONCE = 500
# Of one connection, so that others get their turn.
_OF_ONE = 50
# After that nothing more of it is begun: everybody waits for the slowest.
_TURN_SECONDS = 30.0
_CONNECTIONS = 8
# Longer than all tries of one event can take.
_LEASE_SECONDS = 300.0
# Whoever switches Google on again sees soon what has waited.
_FLAG_SECONDS = 60.0
# After so many failures in a row staff hear of it; it goes on being tried, after all others (export_entrances.sql).
_FAILURES = 10


class _Next(Enum):
    """What to do after an event: go on with the next one, or leave the connection alone for now."""

    GO_ON = "go on"
    LEAVE = "leave"


async def export_due(database: Database, providers: Providers, stage: Stage) -> int:
    """Write to calendars what is due, in the order in which it became so; return how many events were looked at.

    Connections are served side by side, the events of one after each other.
    """
    async with database.transaction() as tx:
        due = await tx.rows(_SQL["exports_due"], {"limit": _AT_ONCE, "of_one": _OF_ONE})
    queues: dict[tuple[UUID, UUID], list[Place]] = {}
    for row in due:
        queue = queues.setdefault((row["business_id"], row["connection_id"]), [])
        queue.append(Place(row["calendar_id"], row["booking_id"]))
    turns = asyncio.Semaphore(_CONNECTIONS)

    async def serve(business_id: UUID, connection_id: UUID, queue: list[Place]) -> int:
        async with turns:
            return await _serve(database, providers, stage, business_id, connection_id, queue)

    served = await asyncio.gather(
        *(serve(business_id, connection_id, queue) for (business_id, connection_id), queue in queues.items()),
        return_exceptions=True,
    )
    for outcome in served:
        if isinstance(outcome, BaseException) and _is_ours(outcome):
            raise outcome
        if isinstance(outcome, BaseException):
            # Without its text, which may quote what a provider has sent.
            log.error("calendar_not_exported_to", error=type(outcome).__name__)
    return sum(count for count in served if isinstance(count, int))


def _is_ours(failure: BaseException) -> bool:
    """Tell whether it is no matter of a single event: the database is away, or the worker is asked to end."""
    return is_away(failure) or not isinstance(failure, Exception)


async def resume(tx: Transaction, connection_id: UUID) -> int:
    """Make due at once what a connection owes, in the order in which it waits; return how much that is.

    To be called when somebody has connected it again.
    """
    return await tx.run(_SQL["resume_exports"], {"business_id": tx.business_id, "connection_id": connection_id})


async def _serve(
    database: Database,
    providers: Providers,
    stage: Stage,
    business_id: UUID,
    connection_id: UUID,
    queue: list[Place],
) -> int:
    """Write what one connection owes until it is done, its turn is over or the provider asks for patience.

    Returns how many events were looked at.
    """
    ends_at = time.monotonic() + _TURN_SECONDS
    async with database.transaction(business_id) as tx:
        try:
            connection = await find_connection(tx, connection_id)
        except NotFound:
            return 0
        calendars = {calendar.id: calendar for calendar in await calendars_of(tx, connection_id)}
        if connection.provider is ProviderName.GOOGLE and not await flag_is_on(tx, GCAL_INTEGRATION, stage):
            await _postpone(tx, connection_id, _FLAG_SECONDS)
            return 0
    done = 0
    try:
        async with providers.opened(business_id, connection) as provider:
            for place in queue:
                calendar = calendars.get(place.calendar_id)
                task = calendar and await _take(database, business_id, connection, calendar, place)
                if not task:
                    continue
                done += 1
                if await _tried(database, provider, task) is _Next.LEAVE or time.monotonic() > ends_at:
                    break
    except CalendarError as failure:
        # It cannot be reached from here at all.
        log.warning("calendar_not_opened", connection_id=str(connection_id), error_code=failure.code)
        await database.run(business_id, lambda tx: _postpone(tx, connection_id, patience.POLL_SECONDS))
    return done


async def _take(
    database: Database, business_id: UUID, connection: Connection, calendar: Calendar, place: Place
) -> Task | None:
    """Take the lease on an event and read how its booking is; None when another worker was faster."""
    lease = new_id()
    async with database.transaction(business_id) as tx:
        values = place.values(tx, lease=lease, seconds=_LEASE_SECONDS)
        row = await tx.first(Row, _SQL["lease_event"], values)
        if row is None:
            return None
        wanted = await tx.first(Wanted, _SQL["booking_to_export"], values)
    assert wanted is not None, "a row of an event has its booking"
    return Task(business_id, connection, calendar, place, lease, row, wanted)


async def _tried(database: Database, provider: Provider, task: Task) -> _Next:
    """Write one event, and note what stood in the way if that did not work."""
    try:
        await bring(database, provider, task)
    except Unreachable as failure:
        return await _patient(database, task, failure)
    except (NeedsReconnect, Refused) as failure:
        return await _stopped(database, task, failure)
    except CalendarGone as failure:
        await _failed(database, task, failure.code, DAY_SECONDS, tasks.GONE)
    except CalendarError as failure:
        await _failed(database, task, failure.code, after_failure(task.row.failures + 1))
    except asyncio.CancelledError:
        # Done or not, the next worker finds out, and need not wait for our lease to end.
        values = task.values()
        await asyncio.shield(database.run(task.business_id, lambda tx: tx.run(_SQL["let_go"], values)))
        raise
    except Exception as failure:
        if _is_ours(failure):
            raise
        log.error("export_failed", error=type(failure).__name__, booking_id=str(task.at.booking_id))  # noqa: TRY400 - its text may quote what a provider has sent
        await _failed(database, task, "unexpected", after_failure(task.row.failures + 1))
    return _Next.GO_ON


async def _failed(database: Database, task: Task, code: str, seconds: float, kind: str | None = None) -> None:
    """Try again later, and tell staff after many failures, or at once where there is something to tell."""
    failures = task.row.failures + 1
    log.warning("export_failed", calendar_id=str(task.at.calendar_id), error_code=code, failures=failures)

    async def note(tx: Transaction) -> None:
        if not await tx.run(_SQL["note_failed"], task.values(error_code=code, seconds=seconds)):
            return
        if kind is not None:
            await attention.raise_item(tx, kind, task.at.calendar_id, Severity.WARNING)
        elif failures >= _FAILURES:
            await attention.raise_item(
                tx, tasks.NOT_EXPORTED, task.at.booking_id, Severity.WARNING, calendar=task.at.calendar_id
            )

    await database.run(task.business_id, note)


async def _patient(database: Database, task: Task, failure: Unreachable) -> _Next:
    """Leave a connection alone that does not answer, with all that it owes; not for one event that never will do."""
    seconds = after_failure(task.row.failures + 1, failure.retry_after)
    await _failed(database, task, failure.code, seconds)
    if task.row.failures + 1 >= _FAILURES and failure.retry_after is None:
        return _Next.GO_ON
    connection_id = task.connection.id
    await database.run(task.business_id, lambda tx: _postpone(tx, connection_id, seconds))
    return _Next.LEAVE


async def _postpone(tx: Transaction, connection_id: UUID, seconds: float) -> None:
    values = {"business_id": tx.business_id, "connection_id": connection_id, "seconds": seconds}
    await tx.run(_SQL["postpone_exports"], values)


async def _stopped(database: Database, task: Task, failure: NeedsReconnect | Refused) -> _Next:
    """Ask nothing more of a connection that does not work; what it owes stays due, in its order, until it does."""

    async def note(tx: Transaction) -> None:
        await lock_connection(tx, task.connection.id)
        await tx.run(_SQL["give_back"], task.values())
        await stop_asking(tx, task.connection, failure)

    await database.run(task.business_id, note)
    return _Next.LEAVE
