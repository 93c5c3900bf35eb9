"""The dates of a group, from which a client chooses one (U-1)."""

from itertools import groupby
from typing import Any

from litestar import Response

from holdfast.availability.snapshots import Snapshot
from holdfast.booking.errors import PaymentsUnavailable
from holdfast.booking.pages.opening import Call, desk_of, party_in
from holdfast.booking.pages.rendering import Page, render
from holdfast.booking.schedules import list_schedules
from holdfast.catalog.errors import UnknownProgram
from holdfast.catalog.programs import Program
from holdfast.kernel.ids import new_id

_SHOWN = 20


async def dates(request: Call, page: Page, snapshot: Snapshot, slug: str) -> Response[str]:
    """Show when a group meets, and how many places each date has left; raises UnknownProgram, PaymentsUnavailable."""
    program = next((p for p in snapshot.programs.values() if p.slug == slug and p.active), None)
    if program is None:
        raise UnknownProgram
    if program.place_due_minor and not snapshot.takes_payments:
        raise PaymentsUnavailable
    party = min(party_in(request.query_params.get("party")), program.max_capacity)
    return await show_dates(request, page, program, party, cursor=request.query_params.get("cursor") or None)


async def show_dates(
    request: Call,
    page: Page,
    program: Program,
    party: int,
    *,
    cursor: str | None = None,
    left: int | None = None,
    typed: dict[str, str] | None = None,
    status: int = 200,
) -> Response[Any]:
    """Show the dates from a cursor on; `left` is what was left for whoever was too late; `typed` travels along."""
    business = page.business
    assert business is not None, "the page is that of a business"
    async with desk_of(request).database.transaction(business.id) as tx:
        found = await list_schedules(tx, program.slug, cursor=cursor, limit=_SHOWN)
    months = groupby(found.schedules, key=lambda schedule: page.local(schedule.start).date().replace(day=1))
    return render(
        page,
        "dates.html",
        status,
        program=program,
        months=[(month, list(schedules)) for month, schedules in months],
        following=found.next_cursor,
        cursor=cursor,
        party=party,
        most=program.max_capacity,
        left=left,
        typed=typed or {},
        kept={"program": program.slug, "party": party if party > 1 else None},
        key=new_id(),
    )
