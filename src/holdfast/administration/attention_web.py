"""The inbox of what needs a person, over HTTP: listed, taken on, put aside, resolved."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from holdfast.identity.calls import Call
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.identity.staff import is_staff
from holdfast.kernel import attention
from holdfast.kernel.attention import Item, Severity, Status
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import NotFound, ValidationFailed
from holdfast.kernel.http import Instant, decode, json_response
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.lists import cursor_after, number_in, place_of

_MAX_LIMIT = 500
_WORK = [Needs(Permission.WORK_INBOX)]

Reason = Annotated[str, msgspec.Meta(max_length=2_000)]


class ItemView(msgspec.Struct, rename="camel", kw_only=True):
    """Something that needs a person, or has needed one; `details` are technical facts that depend on the kind."""

    id: UUID
    kind: str
    subject_id: UUID
    severity: Severity
    status: Status
    details: dict[str, Any]
    times_raised: int
    raised_at: Instant
    last_raised_at: Instant
    assignee_id: UUID | None
    snoozed_until: Instant | None
    resolved_at: Instant | None
    resolved_by: UUID | None


class InboxView(msgspec.Struct, rename="camel"):
    """A page of the inbox, oldest first; `nextCursor` leads to the next one."""

    items: list[ItemView]
    next_cursor: str | None


class AssignBody(msgspec.Struct, rename="camel"):
    """Who takes an item on: the id of a user or a key, null for nobody, nothing for who calls."""

    assignee_id: UUID | msgspec.UnsetType | None = msgspec.UNSET


class SnoozeBody(msgspec.Struct):
    """Until when an item is put aside."""

    until: Instant


class ResolveBody(msgspec.Struct):
    """Why an item needs nobody any more."""

    reason: Reason | None = None


@get(
    "/api/admin/attention",
    guards=_WORK,
    opt=documented(
        query=("status", "severity", "kind", "assigneeId", "cursor", "limit"), answers=InboxView, security="StaffKey"
    ),
)
async def inbox(request: Call) -> Response[bytes]:
    """Return what needs a person. Without `status` that is what is open."""
    asked = request.query_params
    limit = number_in(asked.get("limit"), "limit", 50, 1, _MAX_LIMIT)
    assignee = asked.get("assigneeId")
    assignee_id = uuid_or_none(assignee or "")
    if assignee and assignee_id is None:
        raise ValidationFailed.at("assigneeId", "Invalid UUID")
    kind = asked.get("kind") or None
    if kind is not None and kind not in attention.KINDS.names():
        raise ValidationFailed.at("kind", f"must be one of {', '.join(sorted(attention.KINDS.names()))}")
    async with request.app.state.database.transaction(staff_of(request).business_id) as tx:
        found = await attention.find_items(
            tx,
            status=_word(Status, asked.get("status") or Status.OPEN, "status"),
            severity=_word(Severity, asked["severity"], "severity") if asked.get("severity") else None,
            kind=kind,
            assignee_id=assignee_id,
            after=place_of(asked.get("cursor") or None),
            limit=limit + 1,
        )
    more = len(found) > limit
    cursor = cursor_after(found[limit - 1].raised_at, found[limit - 1].id) if more else None
    return json_response(InboxView([_shown(item) for item in found[:limit]], cursor))


@post(
    "/api/admin/attention/{item_id:str}/assign",
    status_code=200,
    guards=_WORK,
    opt=documented(AssignBody, answers=ItemView, security="StaffKey"),
)
async def assign(request: Call, item_id: FromPath[str]) -> Response[bytes]:
    """Take an item on, give it to a colleague or back to all."""
    data = decode(AssignBody, await request.body())
    staff = staff_of(request)
    assignee = staff.actor.id if data.assignee_id is msgspec.UNSET else data.assignee_id
    async with request.app.state.database.transaction(staff.business_id) as tx:
        if assignee is not None and not await is_staff(tx, assignee):
            raise ValidationFailed.at("assigneeId", "is nobody of the staff")
        item = await attention.assign(tx, _id(item_id), assignee, staff.actor)
    return json_response(_shown(item))


@post(
    "/api/admin/attention/{item_id:str}/snooze",
    status_code=200,
    guards=_WORK,
    opt=documented(SnoozeBody, answers=ItemView, security="StaffKey"),
)
async def snooze(request: Call, item_id: FromPath[str]) -> Response[bytes]:
    """Put an item aside; it comes back by itself, and earlier when it becomes more severe."""
    data = decode(SnoozeBody, await request.body())
    staff = staff_of(request)
    async with request.app.state.database.transaction(staff.business_id) as tx:
        item = await attention.snooze(tx, _id(item_id), data.until, staff.actor)
    return json_response(_shown(item))


@post(
    "/api/admin/attention/{item_id:str}/resolve",
    status_code=200,
    guards=_WORK,
    opt=documented(ResolveBody, answers=ItemView, security="StaffKey"),
)
async def resolve(request: Call, item_id: FromPath[str]) -> Response[bytes]:
    """Say that an item needs nobody any more."""
    data = decode(ResolveBody, await request.body())
    staff = staff_of(request)
    async with request.app.state.database.transaction(staff.business_id) as tx:
        item = await attention.resolve(tx, _id(item_id), staff.actor, data.reason)
    return json_response(_shown(item))


handlers = [inbox, assign, snooze, resolve]


def _id(text: str) -> UUID:
    item_id = uuid_or_none(text)
    if item_id is None:
        raise NotFound
    return item_id


def _word(words: Any, text: str, field: str) -> Any:
    try:
        return words(text)
    except ValueError:
        raise ValidationFailed.at(field, f"must be one of {', '.join(words)}") from None


def _shown(item: Item) -> ItemView:
    return msgspec.convert(item, ItemView, from_attributes=True)
