"""The waitlist: who waits for what, what they are offered, and taking somebody from it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.bookings_words import Names, names_in, why
from holdfast.admin.customers_known import Known, known_by
from holdfast.admin.frame import PROBLEMS, AdminPage, Call, Entry, database_of, go, page_in, render
from holdfast.booking import waitlist
from holdfast.booking.waitlist import Filters, RequestState, WaitlistRequest
from holdfast.identity.calls import id_named
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.audit import record
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound, UserError
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.languages import N_
from holdfast.kernel.lists import word_in
from holdfast.kernel.privacy import TenantKeys

PATH = "/admin/waitlist"
ENTRY = Entry(PATH, N_("Waitlist"), "day", Permission.READ_APPOINTMENTS, order=30)

_READS, _CHANGES = [Needs(Permission.READ_APPOINTMENTS)], [Needs(Permission.CHANGE_APPOINTMENTS)]
_LIMIT = 50
STATES = {
    RequestState.WAITING: (N_("Waits"), "warn"),
    RequestState.OFFERED: (N_("Is offered a place"), "cool"),
    RequestState.ACCEPTED: (N_("Has accepted"), "good"),
    RequestState.WITHDRAWN: (N_("Has left"), ""),
    RequestState.PASSED: (N_("Is over"), ""),
}
_NOTICES = {"withdrawn": N_("They wait no more. What they were offered goes to the next in line.")}


@dataclass(frozen=True, slots=True)
class Waiting:
    """Who waits, as a list shows it."""

    request: WaitlistRequest
    what: str
    window: str
    known: Known | None
    state: tuple[str, str]
    minutes_left: int | None
    has_gone: bool


@get(PATH, guards=_READS, exception_handlers=PROBLEMS)
async def admin_waitlist(request: Call) -> Response[Any]:
    """Show who waits and what they are offered, whoever asked first first."""
    return await _list(request)


@post(PATH + "/{waitlist_id:str}/withdraw", status_code=200, guards=_CHANGES, exception_handlers=PROBLEMS)
async def admin_waitlist_withdraw(request: Call, waitlist_id: FromPath[str]) -> Response[Any]:
    """Take somebody from the waitlist, as they have asked."""
    wanted, staff = id_named(waitlist_id), staff_of(request)

    async def work(tx: Transaction) -> None:
        before = await waitlist.find(tx, wanted)
        await waitlist.withdraw(tx, wanted)
        await record(tx, "waitlist_request", wanted, "withdraw", staff.actor, before=before.status, after="withdrawn")

    try:
        await database_of(request).run(staff.business_id, work)
    except NotFound:
        raise
    except UserError as error:
        return await _list(request, error)
    return go(PATH, done="withdrawn")


handlers: list[HTTPRouteHandler] = [admin_waitlist, admin_waitlist_withdraw]


def waiting_shown(page: AdminPage, keys: TenantKeys, names: Names, request: WaitlistRequest) -> Waiting:
    """Return a request as lists show it."""
    wanted, offer = request.wanted, request.offer
    left = None
    if offer is not None and request.status is RequestState.OFFERED:
        left = max(int((offer.expires_at - datetime.now(UTC)).total_seconds()) // 60, 0)
    window = ""
    if wanted.start is not None and wanted.end is not None:
        window = f"{page.wording.short_moment(wanted.start)} – {page.wording.short_moment(wanted.end)}"
    return Waiting(
        request,
        names.offering(wanted.service_id, wanted.schedule_id),
        window,
        known_by(keys, request.guest.email),
        STATES[request.status],
        left,
        request.status not in (RequestState.WAITING, RequestState.OFFERED),
    )


async def _list(request: Call, error: UserError | None = None) -> Response[Any]:
    asked = request.query_params
    status, service = asked.get("status") or "", asked.get("service") or ""
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        state = None if status == "all" else word_in(status or str(RequestState.WAITING), "status", RequestState)
        filters = Filters(status=state, service_id=uuid_or_none(service))
        found, cursor = await waitlist.list_requests(tx, filters, cursor=asked.get("cursor") or None, limit=_LIMIT)
        names = await names_in(tx, (each.wanted.schedule_id for each in found))
        keys = await tx.keys()
    kept = {"status": status, "service": service}
    return render(
        page,
        "waitlist.html",
        200 if error is None else error.status,
        request=request,
        notices=_NOTICES,
        shown=[waiting_shown(page, keys, names, each) for each in found],
        slip=None if error is None else why(page, error),
        typed={"status": status or str(RequestState.WAITING), "service": service},
        states=STATES,
        services=[(str(each.id), each.name) for each in names.of_kind("service")],
        following=cursor and f"{PATH}?{urlencode({**kept, 'cursor': cursor})}",
        may_change=page.may(Permission.CHANGE_APPOINTMENTS),
    )
