"""What people do to our events in their calendars: put before staff, and decided by them.

A look at a calendar judges only; nothing is written back before somebody has decided. Which version an event shows is
in its mark, and when the booking was in that version is in its history: so what we have written is told from what a
person has done, even where nobody noted that we had written it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import structlog

from holdfast.booking import bookings
from holdfast.booking.bookings import Booking, keyed
from holdfast.booking.changes import cancel_appointment, reschedule
from holdfast.booking.reservations import Reservations, Wish
from holdfast.calendars import tasks
from holdfast.calendars.connections import Calendar
from holdfast.calendars.event_ids import booking_of
from holdfast.calendars.port import Kind, RemoteEvent
from holdfast.kernel import attention
from holdfast.kernel.attention import Severity
from holdfast.kernel.audit import Actor, record
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound, UserError
from holdfast.kernel.ids import new_id
from holdfast.kernel.sql import load

log = structlog.get_logger(__name__)

_SQL = load(__package__, "conflicts.sql")


class ConflictKind(StrEnum):
    """What has happened. A migration knows the same words."""

    MOVED = "moved"
    DELETED = "deleted"
    # Another event has come over a booking.
    OVERLAP = "overlap"


class ConflictState(StrEnum):
    """What has become of a conflict. A migration knows the same words."""

    OPEN = "open"
    ACCEPTED = "accepted"
    RESTORED = "restored"
    IGNORED = "ignored"
    # The booking was changed, or the calendar put right, before anybody decided.
    SUPERSEDED = "superseded"


_ITEMS = {
    ConflictKind.MOVED: tasks.MOVED,
    ConflictKind.DELETED: tasks.DELETED,
    ConflictKind.OVERLAP: tasks.OVERLAPPED,
}


class ConflictDecided(UserError):
    """It has been decided otherwise, or is not as it was: `status` in the details says what has become of it."""

    code, status, message = "conflict_decided", 409, "This conflict is not open any more"


class NothingToTakeOver(UserError):
    """Another event is in the way of a booking: the booking can be moved or left, and our event is as it should be."""

    code, status = "nothing_to_take_over", 409
    message = "There is nothing to take over from the calendar; reschedule the appointment or ignore the overlap"


@dataclass(frozen=True, slots=True)
class Place:
    """Which event this is about: that of a booking in a calendar."""

    calendar_id: UUID
    booking_id: UUID

    def values(self, tx: Transaction, **more: Any) -> dict[str, Any]:
        """Return the parameters of a statement."""
        return {"business_id": tx.business_id, "calendar_id": self.calendar_id, "booking_id": self.booking_id, **more}


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an event: its row and its booking, and how what is seen of it compares with both.

    `decided`: staff have decided about these very times since the event was last written. `ignored`: they have left it
    as it is for as long as the booking stays as it is.
    """

    state: str
    booking_version: int | None
    due: bool
    leased: bool
    version: int
    starts_at: datetime
    ends_at: datetime
    place: str
    same_times: bool
    as_written: bool
    decided: bool
    ignored: bool


@dataclass(frozen=True, slots=True)
class Conflict:
    """Something that a person has done, and the booking as it is; `current` while that is when it was at that time."""

    id: UUID
    calendar_id: UUID
    booking_id: UUID
    kind: ConflictKind
    state: ConflictState
    item_id: UUID
    raised_at: datetime
    decided_at: datetime | None
    booking_version: int
    remote_starts_at: datetime | None
    remote_ends_at: datetime | None
    remote_etag: str | None
    version: int
    booking_state: str
    starts_at: datetime
    ends_at: datetime
    current: bool


def times_of(event: RemoteEvent | None) -> tuple[datetime, datetime] | None:
    """Return when an event takes place, None for one that is gone or of which that is not known."""
    if event is None or event.kind is Kind.GONE or not event.spans:
        return None
    first = event.spans[0]
    return datetime.fromtimestamp(first.start, UTC), datetime.fromtimestamp(first.end, UTC)


async def know(tx: Transaction, place: Place, event: RemoteEvent | None) -> Known | None:
    """Return what is known of an event that was seen like this, locked; None when it is not of that calendar."""
    times = times_of(event)
    mark = None if event is None else event.mark
    seen = {
        "shown": None if mark is None or mark.booking_id != place.booking_id else mark.version,
        "starts_at": times and times[0],
        "ends_at": times and times[1],
    }
    await tx.run(_SQL["lock_own_event"], place.values(tx))
    return await tx.first(Known, _SQL["own_event"], place.values(tx, **seen))


async def observe_own(tx: Transaction, calendar: Calendar, event: RemoteEvent) -> None:
    """Judge an event with an id of ours as a look at a calendar has found it, gone ones too.

    Raises a conflict when a person has moved or deleted it, and ends the one that there is when it was put right.
    Nothing is written to the calendar.
    """
    booking_id = booking_of(event.event_id)
    if booking_id is None:
        return
    place = Place(calendar.id, booking_id)
    known = await know(tx, place, event)
    if known is None or known.place != "there" or known.ignored:
        return
    paused = known.state == "conflict"
    if event.kind is Kind.GONE:
        at_rest = known.state == "exported" and not (known.due or known.leased)
        if paused or (at_rest and known.booking_version == known.version):
            await found(tx, place, known.version, event)
        return
    times = times_of(event)
    shown = known.booking_version if event.mark is None else event.mark.version
    if times is None or (shown != known.version and not paused):
        # An older version: an export is due.
        return
    # As we had written it before the booking was moved: what a person has done since is undone, and an export is due.
    behind = known.as_written and not known.same_times
    if behind or times == (known.starts_at, known.ends_at):
        if paused:
            await _put_right(tx, place, event, shown)
    elif not known.decided:
        await found(tx, place, known.version, event)


async def _put_right(tx: Transaction, place: Place, event: RemoteEvent, shown: int | None) -> None:
    await supersede(tx, place)
    values = place.values(tx, etag=event.etag, version=shown)
    if not await tx.run(_SQL["event_is_right"], values):
        await tx.run(_SQL["release_event"], values)


async def found(tx: Transaction, place: Place, version: int, event: RemoteEvent | None) -> None:
    """Put before staff that a person has moved an event, or deleted it; its export waits until they have decided.

    There is one open conflict for an event: it follows what happens to it next.
    """
    await _raise(tx, place, version, event)
    await tx.run(_SQL["pause_event"], place.values(tx))


async def overtaken(tx: Transaction, place: Place, version: int, event: RemoteEvent) -> None:
    """Keep in the inbox what a person has done to an event that has to go all the same; nothing is left to decide."""
    await _raise(tx, place, version, event)
    await supersede(tx, place)


async def _raise(tx: Transaction, place: Place, version: int, event: RemoteEvent | None) -> None:
    times = times_of(event)
    kind = ConflictKind.DELETED if times is None else ConflictKind.MOVED
    remote = {
        "starts_at": times and times[0],
        "ends_at": times and times[1],
        "etag": None if event is None else event.etag,
    }
    opened = await tx.rows(_SQL["open_conflict"], place.values(tx))
    if opened and opened[0]["kind"] == kind:
        conflict_id = opened[0]["id"]
        if (opened[0]["remote_starts_at"], opened[0]["remote_ends_at"]) == (times or (None, None)):
            return
        await tx.run(_SQL["move_conflict"], {"business_id": tx.business_id, "id": conflict_id, **remote})
        await _tell(tx, kind, place, conflict_id)
        return
    await supersede(tx, place)
    conflict_id = new_id()
    item_id = await _tell(tx, kind, place, conflict_id)
    values = place.values(tx, id=conflict_id, kind=kind, booking_version=version, item_id=item_id, **remote)
    await tx.run(_SQL["raise_conflict"], values)
    log.info("calendar_conflict", kind=kind, conflict_id=str(conflict_id), calendar_id=str(place.calendar_id))


async def _tell(tx: Transaction, kind: ConflictKind, place: Place, conflict_id: UUID) -> UUID:
    item_id, _ = await attention.raise_item(
        tx, _ITEMS[kind], place.booking_id, Severity.WARNING, conflict=conflict_id, calendar=place.calendar_id
    )
    return item_id


async def supersede(tx: Transaction, place: Place) -> None:
    """End what is open about an event without a decision: the booking was changed, or the event put right."""
    for row in await tx.rows(_SQL["supersede_conflicts"], place.values(tx)):
        await _settle(tx, ConflictKind(row["kind"]), place.booking_id)


async def _settle(tx: Transaction, kind: ConflictKind, booking_id: UUID) -> None:
    """Take what is decided out of the inbox, unless the same has happened in another calendar."""
    values = {"business_id": tx.business_id, "booking_id": booking_id, "kind": kind}
    if not await tx.value(_SQL["has_open_conflict"], values):
        await attention.settle(tx, _ITEMS[kind], booking_id)


async def release(tx: Transaction, place: Place, etag: str | None) -> None:
    """Let an event be written again that waited for a decision."""
    await tx.run(_SQL["release_event"], place.values(tx, etag=etag))


async def find_conflicts(
    tx: Transaction,
    *,
    state: ConflictState | None,
    booking_id: UUID | None,
    after: tuple[datetime | None, UUID | None],
    limit: int,
) -> list[Conflict]:
    """Return conflicts of the business in the order in which they came up."""
    values = {
        "business_id": tx.business_id,
        "id": None,
        "state": state,
        "booking_id": booking_id,
        "after": after[0],
        "after_id": after[1],
        "limit": limit,
    }
    return [_conflict(row) for row in await tx.rows(_SQL["find_conflicts"], values)]


async def find_conflict(tx: Transaction, conflict_id: UUID) -> Conflict:
    """Return a conflict of the business; raises NotFound."""
    values = {"business_id": tx.business_id, "id": conflict_id, "state": None, "booking_id": None, "limit": 1}
    rows = await tx.rows(_SQL["find_conflicts"], values | {"after": None, "after_id": None})
    if not rows:
        raise NotFound
    return _conflict(rows[0])


async def accept(
    desk: Reservations, business_id: UUID, conflict_id: UUID, actor: Actor, reason: str | None
) -> Conflict:
    """Make the booking what the calendar says: move it there, by the rules for staff, or cancel it.

    Raises NotFound, ConflictDecided, NothingToTakeOver and what booking.changes raises, SlotConflict with its
    alternatives for one: then the conflict stays open.
    """
    async with desk.database.transaction(business_id) as tx:
        conflict = await find_conflict(tx, conflict_id)
        if conflict.kind is ConflictKind.OVERLAP:
            raise NothingToTakeOver
        if _is_decided(conflict, ConflictState.ACCEPTED):
            return conflict
        booking = await bookings.read_appointment(tx, conflict.booking_id)
    if conflict.remote_starts_at is None or conflict.remote_ends_at is None:
        key = keyed(None, f"cancel {booking.id}", b"")
        await cancel_appointment(
            desk.database, booking, key, expected_version=conflict.version, reason=reason, actor=actor
        )
    else:
        wish = Wish(
            party=booking.party_size,
            key=keyed(None, f"reschedule {booking.id}", b""),
            service_id=booking.service_id,
            start=int(conflict.remote_starts_at.timestamp()),
            end=int(conflict.remote_ends_at.timestamp()),
            resource_id=await _leader_of(desk, booking),
        )
        await reschedule(desk, booking, wish, expected_version=conflict.version, reason=reason, actor=actor)

    async def note(tx: Transaction) -> Conflict:
        place = await _hold(tx, conflict)
        if await _decide(tx, conflict, ConflictState.ACCEPTED, actor, reason):
            await release(tx, place, conflict.remote_etag)
        return await find_conflict(tx, conflict_id)

    return await desk.database.run(business_id, note)


async def _leader_of(desk: Reservations, booking: Booking) -> UUID | None:
    """Return to whom the client comes: they stay the one, whoever else may be free at the other time."""
    snapshot = await desk.snapshots.get(booking.business_id)
    service = None if snapshot is None or booking.service_id is None else snapshot.services.get(booking.service_id)
    if service is None:
        return None
    return next((resource for resource in booking.resource_ids if resource in service.requirements[0]), None)


async def restore(tx: Transaction, conflict_id: UUID, actor: Actor, reason: str | None) -> Conflict:
    """Have the event written as the booking is, over what a person has made of it.

    Raises NotFound, ConflictDecided, NothingToTakeOver.
    """
    conflict = await find_conflict(tx, conflict_id)
    if conflict.kind is ConflictKind.OVERLAP:
        raise NothingToTakeOver
    place = await _hold(tx, conflict)
    conflict = await find_conflict(tx, conflict_id)
    if not _is_decided(conflict, ConflictState.RESTORED):
        await _decide(tx, conflict, ConflictState.RESTORED, actor, reason)
        await release(tx, place, conflict.remote_etag)
    return await find_conflict(tx, conflict_id)


async def ignore(tx: Transaction, conflict_id: UUID, actor: Actor, reason: str | None) -> Conflict:
    """Leave event and booking as they are; they are not compared any more until the booking changes.

    Raises NotFound, ConflictDecided.
    """
    place = await _hold(tx, await find_conflict(tx, conflict_id))
    conflict = await find_conflict(tx, conflict_id)
    if not _is_decided(conflict, ConflictState.IGNORED):
        await _decide(tx, conflict, ConflictState.IGNORED, actor, reason)
        if conflict.kind is not ConflictKind.OVERLAP:
            await tx.run(_SQL["leave_event"], place.values(tx, etag=conflict.remote_etag))
    return await find_conflict(tx, conflict_id)


async def _hold(tx: Transaction, conflict: Conflict) -> Place:
    """Lock an event and its conflict, in the order in which everybody does."""
    place = Place(conflict.calendar_id, conflict.booking_id)
    await tx.run(_SQL["lock_own_event"], place.values(tx))
    await tx.run(_SQL["lock_conflict"], {"business_id": tx.business_id, "id": conflict.id})
    return place


def _is_decided(conflict: Conflict, wanted: ConflictState) -> bool:
    """Return whether a conflict is decided as wanted; raises ConflictDecided for one that is otherwise."""
    if conflict.state is wanted:
        return True
    if conflict.state is not ConflictState.OPEN:
        raise ConflictDecided(details={"status": conflict.state})
    if not conflict.current and conflict.kind is not ConflictKind.OVERLAP:
        # The booking has been moved since, and nobody has looked yet.
        raise ConflictDecided(details={"status": ConflictState.SUPERSEDED})
    return False


async def _decide(tx: Transaction, conflict: Conflict, state: ConflictState, actor: Actor, reason: str | None) -> bool:
    values = {"business_id": tx.business_id, "id": conflict.id, "state": state}
    if not await tx.run(_SQL["decide_conflict"], values):
        return False
    await record(
        tx, "calendar_conflict", conflict.id, _ACTIONS[state], actor, before=conflict.state, after=state, reason=reason
    )
    await _settle(tx, conflict.kind, conflict.booking_id)
    return True


_ACTIONS = {
    ConflictState.ACCEPTED: "accept",
    ConflictState.RESTORED: "restore",
    ConflictState.IGNORED: "ignore",
}


def _conflict(row: dict[str, Any]) -> Conflict:
    return Conflict(**row | {"kind": ConflictKind(row["kind"]), "state": ConflictState(row["state"])})
