"""What else can be opened from the calendar: a block, which can be removed, and a group with those who come."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.frame import PROBLEMS, Call, database_of, open_page, page_in, render
from holdfast.admin.schedule_board import STATES
from holdfast.admin.schedule_moments import snapshot_of, told
from holdfast.admin.schedule_reading import PATH
from holdfast.booking.agenda import Filters, list_appointments
from holdfast.booking.blocks import unblock
from holdfast.booking.contacts import person_of
from holdfast.booking.errors import UnknownSchedule
from holdfast.booking.states import LIVE
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.audit import open_reason
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.languages import N_
from holdfast.kernel.sql import load

_SQL = load("holdfast.admin", "schedule.sql")

_BLOCK = f"{PATH}/blocks/{{block_id:str}}"
_MOST_SHOWN = 200


@get(_BLOCK, guards=[Needs(Permission.READ_APPOINTMENTS)], exception_handlers=PROBLEMS)
async def admin_schedule_block_shown(request: Call, block_id: FromPath[str]) -> Response[Any]:
    """Show a block, why it is there, and how to remove it."""
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        row = await _block(tx, block_id)
        reason = await open_reason(tx, row["reason_id"])
    snapshot = await snapshot_of(request, page)
    return render(
        page,
        "schedule_blocked.html",
        request=request,
        block=row,
        reason=reason,
        resource=snapshot.resources[row["resource_id"]],
        may_block=page.may(Permission.BLOCK_TIME),
    )


@post(f"{_BLOCK}/remove", status_code=200, guards=[Needs(Permission.BLOCK_TIME)], exception_handlers=PROBLEMS)
async def admin_schedule_unblock(request: Call, block_id: FromPath[str]) -> Response[Any]:
    """Remove a block; its time is free at once."""
    page = await open_page(request)

    async def work(tx: Transaction) -> datetime:
        row = await _block(tx, block_id)
        await unblock(tx, row["id"], page.staff.actor)
        starts: datetime = row["starts_at"]
        return starts

    starts = await database_of(request).run(page.staff.business_id, work)
    return told(page, request, "unblocked", page.text(N_("The time is free again.")), page.wording.local(starts).date())


@get(f"{PATH}/groups/{{group_id:str}}", guards=[Needs(Permission.READ_APPOINTMENTS)], exception_handlers=PROBLEMS)
async def admin_schedule_group(request: Call, group_id: FromPath[str]) -> Response[Any]:
    """Show a group, its places, and who comes."""
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        values = {"business_id": tx.business_id, "id": _id(group_id)}
        found = await tx.rows(_SQL["group_shown"], values)
        if not found:
            raise UnknownSchedule
        filters = Filters(schedule_id=found[0]["id"], states=LIVE)
        coming = (await list_appointments(tx, filters, limit=_MOST_SHOWN)).appointments
        keys = await tx.keys()
    return render(
        page,
        "schedule_group.html",
        request=request,
        group=found[0],
        coming=[(each, person_of(keys, each)) for each in coming],
        states=STATES,
        may_book=page.may(Permission.BOOK_APPOINTMENTS),
    )


handlers: list[HTTPRouteHandler] = [admin_schedule_block_shown, admin_schedule_unblock, admin_schedule_group]


async def _block(tx: Transaction, text: str) -> dict[str, Any]:
    """Return a block of the business; raises NotFound."""
    found = await tx.rows(_SQL["block_shown"], {"business_id": tx.business_id, "id": _id(text)})
    if not found:
        raise NotFound
    return found[0]


def _id(text: str) -> UUID:
    found = uuid_or_none(text)
    if found is None:
        raise NotFound
    return found
