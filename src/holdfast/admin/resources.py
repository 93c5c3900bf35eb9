"""Resources: who and what is booked."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.frame import (
    MAX_FORM_BYTES,
    PROBLEMS,
    AdminPage,
    Call,
    Entry,
    Form,
    database_of,
    go,
    page_in,
    read_form,
    render,
    words,
)
from holdfast.admin.typed import Typed, differing, refused, wrong_of
from holdfast.availability.walltime import zones
from holdfast.catalog.errors import CapacityBelowPeak
from holdfast.catalog.resources import Resource, resources_of
from holdfast.identity.calls import id_named
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import UserError
from holdfast.kernel.languages import N_
from holdfast.offerings.drafts import KINDS, ResourceDraft
from holdfast.offerings.errors import ChangedMeanwhile, ResourceNeeded
from holdfast.offerings.hours import timetable_of
from holdfast.offerings.resources import add_resource, change_resource, deactivate_resource, own_resources, resource_of
from holdfast.offerings.slugs import slug_of
from holdfast.offerings.states import seen

ENTRY = Entry("/admin/resources", N_("People and rooms"), "offer", Permission.READ_OFFERINGS, order=20)

KIND_NAMES = {"practitioner": N_("Person"), "room": N_("Room"), "pool": N_("Several alike")}

_FIELDS = {
    "name": N_("Name, as clients see it"),
    "kind": N_("What it is"),
    "capacity": N_("Places at one time"),
    "daily_limit": N_("Bookings a day, at most"),
    "timezone": N_("Time zone"),
    "always_open": N_("Open around the clock"),
}
_MESSAGES = {
    "slug": N_("Another one has this address. Small letters, digits and hyphens."),
    "name": N_("Give it a name of one line."),
    "timezone": N_("Choose one of the list."),
}
_DONE = {
    "created": N_("Saved. Now say when it is open: without hours nobody finds a free time."),
    "saved": N_("Saved."),
    "deactivated": N_("It is offered no more. What is booked stays."),
}
_NEW = {**dict.fromkeys(("slug", *_FIELDS), ""), "kind": "practitioner", "capacity": "1"}


@get("/admin/resources", guards=[Needs(Permission.READ_OFFERINGS)], exception_handlers=PROBLEMS)
async def resources_page(request: Call) -> Response[Any]:
    """Show everybody and everything that is booked, with the hours of this week's days."""
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        resources = sorted(await own_resources(tx), key=lambda each: not each.active)
        tables = [await timetable_of(tx, page.business, each) for each in resources]
    rows = [
        (each, KIND_NAMES[each.kind], table, table.week_on(table.today).days)
        for each, table in zip(resources, tables, strict=True)
    ]
    return render(page, "resources.html", request=request, notices=_DONE, rows=rows)


@get("/admin/resources/new", guards=[Needs(Permission.CHANGE_OFFERINGS)], exception_handlers=PROBLEMS)
async def new_resource_page(request: Call) -> Response[Any]:
    """Show the form of a new resource."""
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        return _form(request, await page_in(tx, request), _NEW)


@post(
    "/admin/resources/new",
    status_code=200,
    guards=[Needs(Permission.CHANGE_OFFERINGS)],
    exception_handlers=PROBLEMS,
    request_max_body_size=MAX_FORM_BYTES,
)
async def create_resource(request: Call) -> Response[Any]:
    """Set up a new resource, or show the form again with what is wrong."""
    form = await read_form(request)

    async def work(tx: Transaction) -> Response[Any]:
        page = await page_in(tx, request)
        typed = Typed(page, form)
        draft = _draft_in(typed)
        if typed.wrong:
            return _form(request, page, _as_typed(form), wrong=typed.wrong)
        slug = form.line("slug") or slug_of(draft.name, {each.slug for each in await resources_of(tx)}, "resource")
        error = await refused(tx, lambda: add_resource(tx, slug, draft, page.staff.actor))
        if error is not None:
            return _form(request, page, _as_typed(form), error=error)
        made = next(each.id for each in await own_resources(tx) if each.slug == slug)
        return go(f"/admin/resources/{made}" + ("" if draft.always_open else "/week"), done="created")

    return await database_of(request).run(staff_of(request).business_id, work)


@get("/admin/resources/{resource_id:str}", guards=[Needs(Permission.READ_OFFERINGS)], exception_handlers=PROBLEMS)
async def resource_page(request: Call, resource_id: FromPath[str]) -> Response[Any]:
    """Show a resource with its form."""
    wanted = id_named(resource_id)
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        resource = await resource_of(tx, wanted)
        return _form(request, page, _as_saved(resource), resource)


@post(
    "/admin/resources/{resource_id:str}",
    status_code=200,
    guards=[Needs(Permission.CHANGE_OFFERINGS)],
    exception_handlers=PROBLEMS,
    request_max_body_size=MAX_FORM_BYTES,
)
async def save_resource(request: Call, resource_id: FromPath[str]) -> Response[Any]:
    """Save a resource, or show the form again with what is wrong or has changed meanwhile."""
    wanted = id_named(resource_id)
    form = await read_form(request)

    async def work(tx: Transaction) -> Response[Any]:
        page = await page_in(tx, request)
        resource = await resource_of(tx, wanted)
        typed = Typed(page, form)
        draft = _draft_in(typed)
        told = form.line("seen")
        if typed.wrong:
            return _form(request, page, _as_typed(form), resource, wrong=typed.wrong, told=told)
        error = await refused(tx, lambda: change_resource(tx, wanted, draft, told, page.staff.actor))
        if error is not None:
            return _form(request, page, _as_typed(form), await resource_of(tx, wanted), error=error)
        return go(f"/admin/resources/{wanted}", done="saved")

    return await database_of(request).run(staff_of(request).business_id, work)


@post(
    "/admin/resources/{resource_id:str}/deactivate",
    status_code=200,
    guards=[Needs(Permission.CHANGE_OFFERINGS)],
    exception_handlers=PROBLEMS,
)
async def stop_resource(request: Call, resource_id: FromPath[str]) -> Response[Any]:
    """Offer a resource no more."""
    wanted = id_named(resource_id)
    form = await read_form(request)

    async def work(tx: Transaction) -> Response[Any]:
        page = await page_in(tx, request)
        told = form.line("seen")
        error = await refused(tx, lambda: deactivate_resource(tx, wanted, told, page.staff.actor))
        if error is not None:
            resource = await resource_of(tx, wanted)
            return _form(request, page, _as_saved(resource), resource, error=error)
        return go("/admin/resources", done="deactivated")

    return await database_of(request).run(staff_of(request).business_id, work)


handlers: list[HTTPRouteHandler] = [
    resources_page,
    new_resource_page,
    create_resource,
    resource_page,
    save_resource,
    stop_resource,
]


def _form(
    request: Call,
    page: AdminPage,
    filled: Mapping[str, str],
    resource: Resource | None = None,
    *,
    wrong: Mapping[str, str] | None = None,
    error: UserError | None = None,
    told: str | None = None,
) -> Response[Any]:
    """Show the form of a resource, with what is wrong; with what somebody else has changed since it was `told`."""
    stale = isinstance(error, ChangedMeanwhile) and resource is not None
    wrong = {**(wrong or {}), **({} if error is None else _wrong_of(page, error))}
    return render(
        replace(page, path=f"/admin/resources/{resource.id}" if resource else page.path),
        "resources_one.html",
        200 if error is None and not wrong else 400 if error is None else error.status,
        request=request,
        notices=_DONE,
        resource=resource,
        filled=filled,
        wrong=wrong,
        error=None if error is None or wrong else words(page.language, error),
        needed=error.details if isinstance(error, ResourceNeeded) else None,
        differing=differing(page, _FIELDS, _as_saved(resource), filled) if stale and resource else None,
        seen=told or (None if resource is None else seen(resource)),
        kinds=[(kind, page.text(KIND_NAMES[kind])) for kind in KINDS],
        zones=[(zone, zone) for zone in zones()],
        may_change=page.may(Permission.CHANGE_OFFERINGS),
    )


def _as_saved(resource: Resource) -> dict[str, str]:
    return {
        "name": resource.name,
        "kind": resource.kind,
        "capacity": str(resource.capacity),
        "daily_limit": str(resource.daily_limit or ""),
        "timezone": resource.timezone or "",
        "always_open": "yes" if resource.always_open else "",
    }


def _as_typed(form: Form) -> dict[str, str]:
    return {name: form.line(name) for name in ("slug", *_FIELDS)}


def _draft_in(typed: Typed) -> ResourceDraft:
    zone = typed.form.line("timezone") or None
    if zone is not None and zone not in zones():
        typed.refuse("timezone", _MESSAGES["timezone"])
        zone = None
    return ResourceDraft(
        name=typed.name(),
        kind=typed.word("kind", KINDS),
        capacity=typed.whole("capacity"),
        daily_limit=typed.whole_or_none("daily_limit"),
        timezone=zone,
        always_open=typed.form.ticked("always_open"),
    )


def _wrong_of(page: AdminPage, error: UserError) -> dict[str, str]:
    if isinstance(error, CapacityBelowPeak):
        message = N_("%(peak)s are taken at one moment to come: at least as many.")
        return {"capacity": page.text(message, peak=error.details["peak"])}
    return wrong_of(page, error, _MESSAGES)
