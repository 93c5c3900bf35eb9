"""The page on which a client asks to be told when there is a place: now there is none, or nobody knows (C-6, W-1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.availability.snapshots import Snapshot
from holdfast.availability.walltime import day_bounds, local_day
from holdfast.booking import waitlist
from holdfast.booking.contacts import Guest
from holdfast.booking.errors import UnknownSchedule, UnknownService
from holdfast.booking.pages.opening import PROBLEMS, Call, contact_of, desk_of, open_page, party_in, typed_in
from holdfast.booking.pages.rendering import Page, render
from holdfast.booking.pages.what import date_of
from holdfast.booking.waitlist import Wanted
from holdfast.booking.waitlist_web import LONGEST_WINDOW_DAYS
from holdfast.catalog.programs import Program
from holdfast.catalog.services import Service
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.http import decode_form
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.lists import date_in

_DAYS_PROPOSED = 14
_PATH = "/{business:str}/booking/slot/waitlist"


@dataclass(frozen=True, slots=True)
class _Awaited:
    """What somebody waits for: a service on some days, or places at a date of a group; and for how many."""

    party: int
    service: Service | None = None
    program: Program | None = None
    schedule_id: UUID | None = None
    at: datetime | None = None

    def values(self) -> dict[str, Any]:
        """Return the same for a template."""
        shown = {"service": self.service, "program": self.program, "schedule": self.schedule_id, "at": self.at}
        return shown | {"party": self.party, "offering": self.service or self.program}


@get(_PATH, exception_handlers=PROBLEMS)
async def ask(request: Call, business: FromPath[str]) -> Response[str]:
    """Show the form: which days would suit, or at which date of a group, and how the client is reached."""
    page, snapshot = await open_page(request, business)
    awaited = await _awaited(request, snapshot, request.query_params)
    today = local_day(int(await desk_of(request).now()), page.zone)
    first = max(date_in(request.query_params.get("day"), "day") or today, today)
    return _form(page, awaited, {"from": str(first), "to": str(first + timedelta(days=_DAYS_PROPOSED - 1))})


@post(_PATH, status_code=200, exception_handlers=PROBLEMS)
async def wait(request: Call, business: FromPath[str]) -> Response[str]:
    """Put the client on the waitlist; sending the form twice has one effect."""
    page, snapshot = await open_page(request, business)
    form = decode_form(await request.body())
    awaited = await _awaited(request, snapshot, form)
    shown = {name: form.get(name, "") for name in ("from", "to")} | typed_in(form)
    try:
        body = contact_of(form)
        wanted = _wanted(page, awaited, form)
        guest = Guest(body.guest_email, body.guest_phone, body.guest_name, page.zone, page.language)
        desk = desk_of(request)
        made = await desk.database.run(snapshot.business.id, lambda tx: waitlist.wait(tx, wanted, guest))
    except ValidationFailed as invalid:
        if _field(invalid) == "partySize":
            # Nobody types that into this form.
            raise
        return _form(page, awaited, shown, invalid)
    days = [date_in(form[name], name) for name in ("from", "to")] if awaited.service else []
    token = desk.tokens.of_request(snapshot.business.id, made.id)
    return render(page, "waiting.html", days=days, made=made, token=token, **awaited.values())


handlers: list[HTTPRouteHandler] = [ask, wait]


async def _awaited(request: Call, snapshot: Snapshot, asked: Mapping[str, str]) -> _Awaited:
    """Return what an address or a form asks to wait for; raises UnknownSchedule, UnknownService, ValidationFailed."""
    party = party_in(asked.get("party"))
    if not asked.get("schedule"):
        service = snapshot.service(asked.get("service") or "")
        if service is None:
            raise UnknownService
        return _Awaited(party, service)
    schedule_id = uuid_or_none(asked["schedule"])
    if schedule_id is None:
        raise UnknownSchedule
    async with desk_of(request).database.transaction(snapshot.business.id) as tx:
        found = await date_of(tx, snapshot, schedule_id)
    if found is None:
        raise UnknownSchedule
    program, at = found
    return _Awaited(party, program=program, schedule_id=schedule_id, at=at)


def _form(
    page: Page, awaited: _Awaited, typed: dict[str, str], invalid: ValidationFailed | None = None
) -> Response[Any]:
    wrong = "" if invalid is None else _field(invalid)
    status = 200 if invalid is None else 400
    values = {"typed": typed, "wrong": wrong, "most_days": LONGEST_WINDOW_DAYS, **awaited.values()}
    return render(page, "waitlist.html", status, **values)


def _field(invalid: ValidationFailed) -> str:
    return str(invalid.details["errors"][0]["field"])


def _wanted(page: Page, awaited: _Awaited, form: dict[str, str]) -> Wanted:
    """Return the days of a form as instants, the last one included, or a date of a group; raises ValidationFailed."""
    if awaited.service is None:
        return Wanted(awaited.party, None, awaited.schedule_id)
    first, last = (date_in(form.get(name), name) for name in ("from", "to"))
    if first is None or last is None:
        raise ValidationFailed.at("from" if first is None else "to", "is missing")
    if not 0 <= (last - first).days < LONGEST_WINDOW_DAYS:
        raise ValidationFailed.at("to", f"must be from the first day on, and at most {LONGEST_WINDOW_DAYS} days")
    start, end = day_bounds(first, page.zone)[0], day_bounds(last, page.zone)[1]
    window = (datetime.fromtimestamp(at, UTC) for at in (start, end))
    return Wanted(awaited.party, awaited.service.id, None, *window)
