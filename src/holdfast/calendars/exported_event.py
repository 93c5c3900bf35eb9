"""One event as it is to be, brought to a calendar, unless a person has to decide first.

What was done there is noted while the lease on the event is still held, and by nobody else.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from holdfast.calendars import conflicts, tasks
from holdfast.calendars.conflicts import Known, Place
from holdfast.calendars.connections import Calendar, Connection
from holdfast.calendars.event_ids import event_id_of
from holdfast.calendars.port import AlreadyThere, Changed, Kind, Mark, OwnEvent, Provider, RemoteEvent, Unreachable
from holdfast.kernel import attention
from holdfast.kernel.attention import Severity
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.sql import load

_SQL = load(__package__, "export.sql")

_TRIES = 4
# What does not pass by itself, but may have been put right.
DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Row:
    """What is noted of an event: how the calendar has it, and how often writing it has failed.

    `interrupted`: whoever had the lease before has not said what became of it.
    """

    state: str
    etag: str | None
    failures: int
    error_code: str | None
    interrupted: bool

    @property
    def is_untried(self) -> bool:
        """Tell that nobody has written it since its calendar is connected, nor tried to."""
        return self.state == "wanted" and self.error_code is None and not self.interrupted


@dataclass(frozen=True, slots=True)
class Wanted:
    """A booking as it is; `place` says whether its event belongs `there`, is to be `away`, or is `left` as it is.

    `elsewhere`: it is another connection's to write into the very same calendar.
    """

    version: int
    starts_at: datetime
    ends_at: datetime
    timezone: str
    title: str
    place: str


@dataclass(frozen=True, slots=True)
class Task:
    """An event that is due, under the lease that we hold on it."""

    business_id: UUID
    connection: Connection
    calendar: Calendar
    at: Place
    lease: UUID
    row: Row
    wanted: Wanted

    def values(self, **more: Any) -> dict[str, Any]:
        """Return the parameters of a statement about the event and its lease."""
        return {
            "business_id": self.business_id,
            "calendar_id": self.at.calendar_id,
            "booking_id": self.at.booking_id,
            "lease": self.lease,
            **more,
        }

    def event(self) -> OwnEvent:
        """Return the event as it should be: the name of the service, and nothing of whom it is for."""
        booking = self.at.booking_id
        return OwnEvent(
            event_id=event_id_of(booking),
            mark=Mark(booking, self.wanted.version),
            start=int(self.wanted.starts_at.timestamp()),
            end=int(self.wanted.ends_at.timestamp()),
            timezone=self.wanted.timezone,
            title=self.wanted.title,
            description=f"Holdfast: {booking}",
        )


async def bring(database: Database, provider: Provider, task: Task) -> None:
    """Make the calendar as the booking is, unless a person has to decide first."""
    if task.wanted.place == "there" and task.row.state != "conflict":
        await _write(database, provider, task)
    elif task.wanted.place == "away":
        await _remove(database, provider, task)
    elif task.wanted.place == "elsewhere":
        await database.run(task.business_id, _removed(task))
    else:
        await database.run(task.business_id, lambda tx: tx.run(_SQL["note_nothing"], task.values()))


async def _write(database: Database, provider: Provider, task: Task) -> None:
    event, etag = task.event(), task.row.etag
    seen: RemoteEvent | None
    for _ in range(_TRIES):
        try:
            etag = await provider.put(task.calendar.remote_id, event, etag)
        except AlreadyThere as there:
            seen, made = there.event, True
        except Changed as changed:
            seen, made = changed.event, False
        else:
            await database.run(task.business_id, _exported(task, etag))
            return
        if not await database.run(task.business_id, _judged(task, seen, made=made)):
            return
        etag = None if seen is None else seen.etag
    raise Unreachable("the event changes faster than it can be written")


def _judged(task: Task, seen: RemoteEvent | None, *, made: bool) -> Callable[[Transaction], Awaitable[bool]]:
    """Return what judges an event that is not as it was when we wrote it: whether it is to be written over.

    `made` says that it was there when it was to be made.
    """

    async def judge(tx: Transaction) -> bool:
        if not await _holds(tx, task):
            return False
        known = await conflicts.know(tx, task.at, seen)
        assert known is not None, "whoever holds the lease on a row sees it"
        if seen is None or seen.kind is Kind.GONE:
            # Deleted by a person, unless staff want it back or we have done it ourselves, and be it before the calendar
            # was taken out and connected again.
            if known.decided or (made and (task.row.state == "removed" or task.row.is_untried)):
                return True
            await conflicts.found(tx, task.at, known.version, None)
            return False
        if _is_foreign(task, seen, made=made):
            await _note_taken(tx, task)
            return False
        return await _compared(tx, task, seen, known)

    return judge


async def _compared(tx: Transaction, task: Task, seen: RemoteEvent, known: Known) -> bool:
    """Return whether an event of ours is to be written over: not when it is right, nor when a person has moved it."""
    times = conflicts.times_of(seen)
    right = times == (task.wanted.starts_at, task.wanted.ends_at)
    if right and seen.mark == Mark(task.at.booking_id, task.wanted.version):
        await _exported(task, seen.etag)(tx)
        return False
    if times is None or right or known.as_written or known.decided:
        return True
    await conflicts.found(tx, task.at, known.version, seen)
    return False


def _is_foreign(task: Task, seen: RemoteEvent, *, made: bool) -> bool:
    if seen.mark is None:
        # Of what we have written ourselves, somebody may have dropped the mark.
        return made
    return seen.mark.booking_id != task.at.booking_id


async def _remove(database: Database, provider: Provider, task: Task) -> None:
    event_id, remote_id, etag = event_id_of(task.at.booking_id), task.calendar.remote_id, task.row.etag
    if etag is None:
        # Nobody has noted that it was written, which does not say that it was not.
        there = await provider.find(remote_id, event_id)
        if there is None or there.kind is Kind.GONE or _is_foreign(task, there, made=True):
            await database.run(task.business_id, _removed(task))
            return
        etag = there.etag
        await database.run(task.business_id, _overtaken(task, there))
    for _ in range(_TRIES):
        try:
            await provider.remove(remote_id, event_id, etag)
        except Changed as changed:
            if changed.event is not None and changed.event.kind is not Kind.GONE:
                etag = changed.event.etag
                await database.run(task.business_id, _overtaken(task, changed.event))
                continue
        await database.run(task.business_id, _removed(task))
        return
    raise Unreachable("the event changes faster than it can be deleted")


def _overtaken(task: Task, seen: RemoteEvent) -> Callable[[Transaction], Awaitable[None]]:
    """Return what keeps in the inbox that a person had moved an event which goes now."""

    async def note(tx: Transaction) -> None:
        if not await _holds(tx, task):
            return
        known = await conflicts.know(tx, task.at, seen)
        times = conflicts.times_of(seen)
        if known is None or times is None or known.as_written or known.decided:
            return
        if times != (known.starts_at, known.ends_at):
            await conflicts.overtaken(tx, task.at, known.version, seen)

    return note


def _exported(task: Task, etag: str | None) -> Callable[[Transaction], Awaitable[None]]:
    wanted = task.wanted
    values = task.values(etag=etag, version=wanted.version, starts_at=wanted.starts_at, ends_at=wanted.ends_at)
    return _noted(task, _SQL["note_exported"], values)


def _removed(task: Task) -> Callable[[Transaction], Awaitable[None]]:
    return _noted(task, _SQL["note_removed"], task.values(version=task.wanted.version))


def _noted(task: Task, statement: LiteralString, values: dict[str, Any]) -> Callable[[Transaction], Awaitable[None]]:
    """Return what notes that an event is as it should be, if we hold the lease still."""

    async def note(tx: Transaction) -> None:
        if not await _holds(tx, task):
            return
        await conflicts.supersede(tx, task.at)
        await tx.run(statement, values)
        if task.row.error_code is not None:
            for kind in (tasks.NOT_EXPORTED, tasks.ID_TAKEN):
                await attention.settle(tx, kind, task.at.booking_id)

    return note


async def _holds(tx: Transaction, task: Task) -> bool:
    return bool(await tx.rows(_SQL["holds_lease"], task.values()))


async def _note_taken(tx: Transaction, task: Task) -> None:
    """Have staff look for an event that is none of ours and has the id of ours; asked again in a day."""
    values = task.values(error_code=AlreadyThere.code, seconds=DAY_SECONDS)
    if await tx.run(_SQL["note_failed"], values):
        await attention.raise_item(
            tx, tasks.ID_TAKEN, task.at.booking_id, Severity.URGENT, calendar=task.at.calendar_id
        )
