"""The page on which a client asks to be told when there is time, since nobody can say so now (C-6, W-1)."""

from datetime import UTC, datetime, timedelta
from typing import Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.availability.walltime import day_bounds, local_day
from holdfast.booking import waitlist
from holdfast.booking.contacts import Guest
from holdfast.booking.errors import UnknownService
from holdfast.booking.pages.opening import PROBLEMS, Call, contact_of, desk_of, open_page, typed_in
from holdfast.booking.pages.rendering import Page, render
from holdfast.booking.waitlist import Wanted
from holdfast.booking.waitlist_web import LONGEST_WINDOW_DAYS
from holdfast.catalog.services import Service
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.http import decode_form
from holdfast.kernel.lists import date_in

_DAYS_PROPOSED = 14
_PATH = "/{business:str}/booking/slot/waitlist"


@get(_PATH, exception_handlers=PROBLEMS)
async def ask(request: Call, business: FromPath[str]) -> Response[str]:
    """Show the form: which days would suit, and how the client is reached."""
    page, snapshot = await open_page(request, business)
    service = snapshot.service(request.query_params.get("service") or "")
    if service is None:
        raise UnknownService
    today = local_day(int(await desk_of(request).now()), page.zone)
    first = max(date_in(request.query_params.get("day"), "day") or today, today)
    return _form(page, service, {"from": str(first), "to": str(first + timedelta(days=_DAYS_PROPOSED - 1))})


@post(_PATH, status_code=200, exception_handlers=PROBLEMS)
async def wait(request: Call, business: FromPath[str]) -> Response[str]:
    """Put the client on the waitlist; sending the form twice has one effect."""
    page, snapshot = await open_page(request, business)
    form = decode_form(await request.body())
    service = snapshot.service(form.get("service", ""))
    if service is None:
        raise UnknownService
    shown = {name: form.get(name, "") for name in ("from", "to")} | typed_in(form)
    try:
        body = contact_of(form)
        wanted = _wanted(page, service, form)
        guest = Guest(body.guest_email, body.guest_phone, body.guest_name, page.zone, page.language)
        desk = desk_of(request)
        made = await desk.database.run(snapshot.business.id, lambda tx: waitlist.wait(tx, wanted, guest))
    except ValidationFailed as invalid:
        return _form(page, service, shown, invalid)
    days = [date_in(form[name], name) for name in ("from", "to")]
    token = desk.tokens.of_request(snapshot.business.id, made.id)
    return render(page, "waiting.html", service=service, days=days, made=made, token=token)


handlers: list[HTTPRouteHandler] = [ask, wait]


def _form(
    page: Page, service: Service, typed: dict[str, str], invalid: ValidationFailed | None = None
) -> Response[Any]:
    wrong = "" if invalid is None else invalid.details["errors"][0]["field"]
    status = 200 if invalid is None else 400
    return render(
        page, "waitlist.html", status, service=service, typed=typed, wrong=wrong, most_days=LONGEST_WINDOW_DAYS
    )


def _wanted(page: Page, service: Service, form: dict[str, str]) -> Wanted:
    """Return the days of a form as instants, the last one included; raises ValidationFailed."""
    first, last = (date_in(form.get(name), name) for name in ("from", "to"))
    if first is None or last is None:
        raise ValidationFailed.at("from" if first is None else "to", "is missing")
    if not 0 <= (last - first).days < LONGEST_WINDOW_DAYS:
        raise ValidationFailed.at("to", f"must be from the first day on, and at most {LONGEST_WINDOW_DAYS} days")
    start, end = day_bounds(first, page.zone)[0], day_bounds(last, page.zone)[1]
    return Wanted(1, service.id, None, datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC))
