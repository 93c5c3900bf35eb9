"""What people have done to appointments in their calendars, over HTTP: seen by staff, and decided."""

from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from holdfast.booking.calls import desk_of
from holdfast.calendars import conflicts
from holdfast.calendars.conflicts import Conflict, ConflictKind, ConflictState
from holdfast.identity.calls import Call
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.audit import Actor
from holdfast.kernel.database import Transaction
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import NotFound, ValidationFailed
from holdfast.kernel.http import Instant, decode, json_response
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.lists import cursor_after, number_in, place_of

_MAX_LIMIT = 500
_DECIDES = [Needs(Permission.CHANGE_APPOINTMENTS)]

Reason = Annotated[str, msgspec.Meta(max_length=2_000)]


class BookedView(msgspec.Struct, rename="camel"):
    """The appointment as it is."""

    id: UUID
    version: int
    status: str
    start: Instant
    end: Instant


class SeenView(msgspec.Struct):
    """When the calendar has it, or what lies over it."""

    start: Instant
    end: Instant


class ConflictView(msgspec.Struct, rename="camel", kw_only=True):
    """Something that a person has done in a calendar: the appointment, and the event, which is null when deleted.

    `outdated` says that the appointment has been moved since.
    """

    id: UUID
    kind: ConflictKind
    status: ConflictState
    calendar_id: UUID
    appointment: BookedView
    event: SeenView | None
    outdated: bool
    item_id: UUID
    raised_at: Instant
    decided_at: Instant | None

    @classmethod
    def of(cls, conflict: Conflict) -> "ConflictView":
        """Return a conflict as its row tells."""
        start, end = conflict.remote_starts_at, conflict.remote_ends_at
        return cls(
            id=conflict.id,
            kind=conflict.kind,
            status=conflict.state,
            calendar_id=conflict.calendar_id,
            appointment=BookedView(
                conflict.booking_id, conflict.version, conflict.booking_state, conflict.starts_at, conflict.ends_at
            ),
            event=None if start is None or end is None else SeenView(start, end),
            outdated=not conflict.current,
            item_id=conflict.item_id,
            raised_at=conflict.raised_at,
            decided_at=conflict.decided_at,
        )


class ConflictsView(msgspec.Struct, rename="camel"):
    """A page of conflicts, oldest first; `nextCursor` leads to the next one."""

    conflicts: list[ConflictView]
    next_cursor: str | None


class DecisionBody(msgspec.Struct):
    """Why it is decided so; kept in the history."""

    reason: Reason | None = None


@get(
    "/api/admin/calendar-conflicts",
    guards=_DECIDES,
    opt=documented(query=("status", "appointmentId", "cursor", "limit"), answers=ConflictsView, security="StaffKey"),
)
async def listed(request: Call) -> Response[bytes]:
    """Return what people have done to appointments in their calendars. Without `status` that is what is open."""
    asked = request.query_params
    limit = number_in(asked.get("limit"), "limit", 50, 1, _MAX_LIMIT)
    booking_id = uuid_or_none(asked.get("appointmentId") or "")
    if asked.get("appointmentId") and booking_id is None:
        raise ValidationFailed.at("appointmentId", "Invalid UUID")
    try:
        state = ConflictState(asked.get("status") or ConflictState.OPEN)
    except ValueError:
        raise ValidationFailed.at("status", f"must be one of {', '.join(ConflictState)}") from None
    async with request.app.state.database.transaction(staff_of(request).business_id) as tx:
        found = await conflicts.find_conflicts(
            tx, state=state, booking_id=booking_id, after=place_of(asked.get("cursor") or None), limit=limit + 1
        )
    more = len(found) > limit
    cursor = cursor_after(found[limit - 1].raised_at, found[limit - 1].id) if more else None
    return json_response(ConflictsView([ConflictView.of(conflict) for conflict in found[:limit]], cursor))


@post(
    "/api/admin/calendar-conflicts/{conflict_id:str}/accept",
    status_code=200,
    guards=_DECIDES,
    opt=documented(DecisionBody, answers=ConflictView, security="StaffKey"),
)
async def accept(request: Call, conflict_id: FromPath[str]) -> Response[bytes]:
    """Take over what the calendar says: the appointment is moved there if that time is free, or cancelled.

    When it is refused the conflict stays open.
    """
    data = decode(DecisionBody, await request.body())
    staff = staff_of(request)
    desk = desk_of(request)
    accepted = await conflicts.accept(desk, staff.business_id, _id(conflict_id), staff.actor, data.reason)
    return json_response(ConflictView.of(accepted))


@post(
    "/api/admin/calendar-conflicts/{conflict_id:str}/restore",
    status_code=200,
    guards=_DECIDES,
    opt=documented(DecisionBody, answers=ConflictView, security="StaffKey"),
)
async def restore(request: Call, conflict_id: FromPath[str]) -> Response[bytes]:
    """Have the event written back as the appointment is."""
    return await _decided(request, conflict_id, conflicts.restore)


@post(
    "/api/admin/calendar-conflicts/{conflict_id:str}/ignore",
    status_code=200,
    guards=_DECIDES,
    opt=documented(DecisionBody, answers=ConflictView, security="StaffKey"),
)
async def ignore(request: Call, conflict_id: FromPath[str]) -> Response[bytes]:
    """Leave both as they are until the appointment changes."""
    return await _decided(request, conflict_id, conflicts.ignore)


handlers = [listed, accept, restore, ignore]


async def _decided(
    request: Call,
    conflict_id: str,
    decide: Callable[[Transaction, UUID, Actor, str | None], Awaitable[Conflict]],
) -> Response[bytes]:
    data = decode(DecisionBody, await request.body())
    staff, named = staff_of(request), _id(conflict_id)

    async def work(tx: Transaction) -> Conflict:
        return await decide(tx, named, staff.actor, data.reason)

    return json_response(ConflictView.of(await request.app.state.database.run(staff.business_id, work)))


def _id(text: str) -> UUID:
    conflict_id = uuid_or_none(text)
    if conflict_id is None:
        raise NotFound
    return conflict_id
