"""Services: what clients book at a free time."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.frame import (
    MAX_FORM_BYTES,
    PROBLEMS,
    AdminPage,
    Call,
    Entry,
    database_of,
    go,
    page_in,
    read_form,
    render,
    words,
)
from holdfast.admin.services_form import FIELDS, MESSAGES, NEW, Filled, as_saved, as_typed, draft_in
from holdfast.admin.typed import UNIT_NAMES, Typed, differing, refused, wrong_of
from holdfast.availability.walltime import local_day
from holdfast.booking.free_time import free_days
from holdfast.catalog.errors import CapacityBelowPeak
from holdfast.catalog.resources import Resource
from holdfast.catalog.services import Service, services_of
from holdfast.identity.calls import id_named
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import UserError
from holdfast.kernel.languages import N_
from holdfast.offerings.ahead import appointments_ahead
from holdfast.offerings.errors import ChangedMeanwhile
from holdfast.offerings.resources import own_resources
from holdfast.offerings.services import add_service, change_service, deactivate_service, service_of
from holdfast.offerings.slugs import slug_of
from holdfast.offerings.states import seen

ENTRY = Entry("/admin/services", N_("Services"), "offer", Permission.READ_OFFERINGS, order=10)

_DONE = {
    "created": N_("The service is set up. Clients can book it wherever somebody is free."),
    "saved": N_("Saved. What is booked already keeps its time and its price."),
    "deactivated": N_("The service is offered no more. What is booked stays."),
}
_STARTS_SHOWN = 4
_DAYS_LOOKED_AT = 14


@get("/admin/services", guards=[Needs(Permission.READ_OFFERINGS)], exception_handlers=PROBLEMS)
async def services_page(request: Call) -> Response[Any]:
    """Show every service, those that are offered first."""
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        resources = {each.id: each for each in await own_resources(tx)}
        services = sorted(await services_of(tx), key=lambda each: not each.active)
        ahead = await appointments_ahead(tx)
    rows = [(each, _takes(each, resources), ahead.get(each.id, 0)) for each in services]
    return render(page, "services.html", request=request, notices=_DONE, rows=rows, can_add=bool(resources))


@get("/admin/services/new", guards=[Needs(Permission.CHANGE_OFFERINGS)], exception_handlers=PROBLEMS)
async def new_service_page(request: Call) -> Response[Any]:
    """Show the form of a new service."""
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        return await _form(tx, request, page, NEW)


@post(
    "/admin/services/new",
    status_code=200,
    guards=[Needs(Permission.CHANGE_OFFERINGS)],
    exception_handlers=PROBLEMS,
    request_max_body_size=MAX_FORM_BYTES,
)
async def create_service(request: Call) -> Response[Any]:
    """Set up a new service, or show the form again with what is wrong."""
    form = await read_form(request)

    async def work(tx: Transaction) -> Response[Any]:
        page = await page_in(tx, request)
        typed = Typed(page, form)
        draft = draft_in(typed)
        if typed.wrong:
            return await _form(tx, request, page, as_typed(form), wrong=typed.wrong)
        taken = {each.slug for each in await services_of(tx)}
        slug = form.line("slug") or slug_of(draft.name, taken, "service")
        error = await refused(tx, lambda: add_service(tx, slug, draft, page.staff.actor))
        if error is not None:
            return await _form(tx, request, page, as_typed(form), error=error)
        made = next(each.id for each in await services_of(tx) if each.slug == slug)
        return go(f"/admin/services/{made}", done="created")

    return await database_of(request).run(staff_of(request).business_id, work)


@get("/admin/services/{service_id:str}", guards=[Needs(Permission.READ_OFFERINGS)], exception_handlers=PROBLEMS)
async def service_page(request: Call, service_id: FromPath[str]) -> Response[Any]:
    """Show a service with its form, and when clients can book it next."""
    wanted = id_named(service_id)
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        service = await service_of(tx, wanted)
    # It asks the database by itself.
    starts = await _starts(request, page, service)
    async with database_of(request).transaction(page.business.id) as tx:
        return await _form(tx, request, page, as_saved(page, service), service, starts=starts)


@post(
    "/admin/services/{service_id:str}",
    status_code=200,
    guards=[Needs(Permission.CHANGE_OFFERINGS)],
    exception_handlers=PROBLEMS,
    request_max_body_size=MAX_FORM_BYTES,
)
async def save_service(request: Call, service_id: FromPath[str]) -> Response[Any]:
    """Save a service, or show the form again with what is wrong or has changed meanwhile."""
    wanted = id_named(service_id)
    form = await read_form(request)

    async def work(tx: Transaction) -> Response[Any]:
        page = await page_in(tx, request)
        typed = Typed(page, form)
        draft = draft_in(typed)
        told = form.line("seen")
        if typed.wrong:
            service = await service_of(tx, wanted)
            return await _form(tx, request, page, as_typed(form), service, wrong=typed.wrong, told=told)
        error = await refused(tx, lambda: change_service(tx, wanted, draft, told, page.staff.actor))
        if error is not None:
            service = await service_of(tx, wanted)
            return await _form(tx, request, page, as_typed(form), service, error=error)
        return go(f"/admin/services/{wanted}", done="saved")

    return await database_of(request).run(staff_of(request).business_id, work)


@post(
    "/admin/services/{service_id:str}/deactivate",
    status_code=200,
    guards=[Needs(Permission.CHANGE_OFFERINGS)],
    exception_handlers=PROBLEMS,
)
async def stop_service(request: Call, service_id: FromPath[str]) -> Response[Any]:
    """Offer a service no more."""
    wanted = id_named(service_id)
    form = await read_form(request)

    async def work(tx: Transaction) -> Response[Any]:
        page = await page_in(tx, request)
        told = form.line("seen")
        error = await refused(tx, lambda: deactivate_service(tx, wanted, told, page.staff.actor))
        if error is not None:
            service = await service_of(tx, wanted)
            return await _form(tx, request, page, as_saved(page, service), service, error=error)
        return go("/admin/services", done="deactivated")

    return await database_of(request).run(staff_of(request).business_id, work)


handlers: list[HTTPRouteHandler] = [
    services_page,
    new_service_page,
    create_service,
    service_page,
    save_service,
    stop_service,
]


async def _form(
    tx: Transaction,
    request: Call,
    page: AdminPage,
    filled: Filled,
    service: Service | None = None,
    *,
    wrong: Mapping[str, str] | None = None,
    error: UserError | None = None,
    told: str | None = None,
    starts: Collection[Any] = (),
) -> Response[Any]:
    """Show the form of a service, with what is wrong; with what somebody else has changed since it was `told`."""
    resources = [each for each in await own_resources(tx) if each.active or filled.names(each.id)]
    ahead = 0 if service is None else (await appointments_ahead(tx)).get(service.id, 0)
    now = None if service is None else as_saved(page, service)
    stale = isinstance(error, ChangedMeanwhile) and now is not None
    wrong = {**(wrong or {}), **({} if error is None else _wrong_of(page, error))}
    return render(
        replace(page, path=f"/admin/services/{service.id}" if service else page.path),
        "services_one.html",
        200 if error is None and not wrong else 400 if error is None else error.status,
        request=request,
        notices=_DONE,
        service=service,
        filled=filled,
        resources=resources,
        wrong=wrong,
        error=None if error is None or wrong else words(page.language, error),
        differing=differing(page, FIELDS, now.told(resources), filled.told(resources)) if stale and now else None,
        seen=told or (None if service is None else seen(service)),
        ahead=ahead,
        starts=starts,
        units=UNIT_NAMES,
        may_change=page.may(Permission.CHANGE_OFFERINGS),
    )


def _wrong_of(page: AdminPage, error: UserError) -> dict[str, str]:
    if isinstance(error, CapacityBelowPeak):
        message = N_("%(peak)s are booked at one moment to come: at least as many.")
        return {"max_simultaneous_bookings": page.text(message, peak=error.details["peak"])}
    return wrong_of(page, error, MESSAGES)


async def _starts(request: Call, page: AdminPage, service: Service) -> list[str]:
    """Return when clients can book a service next, in words; nothing where it cannot be booked at all."""
    if not service.active:
        return []
    desk = request.app.state.reservations
    first = local_day(int(await desk.now()), page.business.timezone)
    try:
        found = await free_days(
            desk.database,
            desk.snapshots,
            page.business.id,
            service.slug,
            page.business.timezone,
            first,
            first + timedelta(days=_DAYS_LOOKED_AT),
        )
    except UserError:
        return []
    starts = [slot.start for _, slots in found.days for slot in slots][:_STARTS_SHOWN]
    if not starts and found.next_free is not None:
        starts = [found.next_free]
    return [page.wording.moment(start) for start in starts]


def _takes(service: Service, resources: Mapping[UUID, Resource]) -> list[list[str]]:
    """Return by which names a booking takes one of each."""
    return [[resources[each].name for each in need if each in resources] for need in service.requirements]
