"""What can be booked, set up over HTTP."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from litestar import Response, get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.catalog.programs import programs_of
from holdfast.catalog.services import services_of
from holdfast.identity.businesses import current
from holdfast.identity.calls import Call, id_named
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.audit import Actor
from holdfast.kernel.database import Transaction
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import NotFound
from holdfast.kernel.http import decode, json_response
from holdfast.offerings import hours, programs, resources, services
from holdfast.offerings.views import (
    HoursView,
    NewProgramBody,
    NewResourceBody,
    NewServiceBody,
    SeenBody,
    SeenDaysBody,
    SeenProgramBody,
    SeenResourceBody,
    SeenServiceBody,
    SeenWeekBody,
    ServiceView,
    SetUpProgram,
    SetUpResource,
    intervals,
)

T = TypeVar("T")

_READS, _CHANGES = Needs(Permission.READ_OFFERINGS), Needs(Permission.CHANGE_OFFERINGS)


class ServicesView(msgspec.Struct):
    """Every service, in the order in which they were made."""

    services: list[ServiceView]


class SetUpResources(msgspec.Struct):
    """Every resource but the pools of services, in the order in which they were made."""

    resources: list[SetUpResource]


class SetUpPrograms(msgspec.Struct):
    """Every program, in the order in which they were made."""

    programs: list[SetUpProgram]


@get("/api/admin/services", guards=[_READS], opt=documented(answers=ServicesView, security="StaffKey"))
async def list_services(request: Call) -> Response[bytes]:
    """Return every service, offered or not."""
    found = await _run(request, lambda tx, _actor: services_of(tx))
    return json_response(ServicesView([ServiceView.of(each) for each in found]))


@post(
    "/api/admin/services",
    guards=[_CHANGES],
    opt=documented(NewServiceBody, answers=ServiceView, created=True, security="StaffKey"),
)
async def create_service(request: Call) -> Response[bytes]:
    """Offer a new service."""
    data = decode(NewServiceBody, await request.body())
    made = await _run(request, lambda tx, actor: services.add_service(tx, data.slug, data.draft(), actor))
    return json_response(ServiceView.of(made), 201)


@put(
    "/api/admin/services/{service_id:str}",
    guards=[_CHANGES],
    opt=documented(SeenServiceBody, answers=ServiceView, security="StaffKey"),
)
async def change_service(request: Call, service_id: FromPath[str]) -> Response[bytes]:
    """Make a service be so, and offered; what is booked stays as it is."""
    data, wanted = decode(SeenServiceBody, await request.body()), id_named(service_id)
    changed = await _run(request, lambda tx, actor: services.change_service(tx, wanted, data.draft(), data.seen, actor))
    return json_response(ServiceView.of(changed))


@post(
    "/api/admin/services/{service_id:str}/deactivate",
    status_code=204,
    guards=[_CHANGES],
    opt=documented(SeenBody, security="StaffKey"),
)
async def deactivate_service(request: Call, service_id: FromPath[str]) -> None:
    """Offer a service no more; what is booked stays."""
    data, wanted = decode(SeenBody, await request.body()), id_named(service_id)
    await _run(request, lambda tx, actor: services.deactivate_service(tx, wanted, data.seen, actor))


@get("/api/admin/resources", guards=[_READS], opt=documented(answers=SetUpResources, security="StaffKey"))
async def list_resources(request: Call) -> Response[bytes]:
    """Return every resource, offered or not."""
    found = await _run(request, lambda tx, _actor: resources.own_resources(tx))
    return json_response(SetUpResources([SetUpResource.of(each) for each in found]))


@post(
    "/api/admin/resources",
    guards=[_CHANGES],
    opt=documented(NewResourceBody, answers=SetUpResource, created=True, security="StaffKey"),
)
async def create_resource(request: Call) -> Response[bytes]:
    """Set up a new resource; without hours nobody finds a free time."""
    data = decode(NewResourceBody, await request.body())
    made = await _run(request, lambda tx, actor: resources.add_resource(tx, data.slug, data.draft(), actor))
    return json_response(SetUpResource.of(made), 201)


@put(
    "/api/admin/resources/{resource_id:str}",
    guards=[_CHANGES],
    opt=documented(SeenResourceBody, answers=SetUpResource, security="StaffKey"),
)
async def change_whole_resource(request: Call, resource_id: FromPath[str]) -> Response[bytes]:
    """Make a resource be so, and offered; its hours are changed by themselves."""
    data, wanted = decode(SeenResourceBody, await request.body()), id_named(resource_id)
    changed = await _run(
        request, lambda tx, actor: resources.change_resource(tx, wanted, data.draft(), data.seen, actor)
    )
    return json_response(SetUpResource.of(changed))


@post(
    "/api/admin/resources/{resource_id:str}/deactivate",
    status_code=204,
    guards=[_CHANGES],
    opt=documented(SeenBody, security="StaffKey"),
)
async def deactivate_resource(request: Call, resource_id: FromPath[str]) -> None:
    """Offer a resource no more, unless something that is offered cannot do without it; what is booked stays."""
    data, wanted = decode(SeenBody, await request.body()), id_named(resource_id)
    await _run(request, lambda tx, actor: resources.deactivate_resource(tx, wanted, data.seen, actor))


@get(
    "/api/admin/resources/{resource_id:str}/hours",
    guards=[_READS],
    opt=documented(answers=HoursView, security="StaffKey"),
)
async def read_hours(request: Call, resource_id: FromPath[str]) -> Response[bytes]:
    """Return when a resource is open."""
    wanted = id_named(resource_id)
    return json_response(await _run(request, lambda tx, _actor: _hours(tx, wanted)))


@put(
    "/api/admin/resources/{resource_id:str}/hours/week",
    guards=[_CHANGES],
    opt=documented(SeenWeekBody, answers=HoursView, security="StaffKey"),
)
async def change_week(request: Call, resource_id: FromPath[str]) -> Response[bytes]:
    """Give a resource these hours for the time in which the week holds.

    Refused as `leaves_bookings` when bookings would be outside them, until `accept` says what `details.accept` said.
    """
    data, wanted = decode(SeenWeekBody, await request.body()), id_named(resource_id)

    async def work(tx: Transaction, actor: Actor) -> HoursView:
        await hours.change_week(tx, wanted, data.week(), data.seen, actor, accepted=data.accept)
        return await _hours(tx, wanted)

    return json_response(await _run(request, work))


@put(
    "/api/admin/resources/{resource_id:str}/hours/days",
    guards=[_CHANGES],
    opt=documented(SeenDaysBody, answers=HoursView, security="StaffKey"),
)
async def change_days(request: Call, resource_id: FromPath[str]) -> Response[bytes]:
    """Close days, give them hours of their own, or leave them to the week again; refused as a week is."""
    data, wanted = decode(SeenDaysBody, await request.body()), id_named(resource_id)
    wished = None if data.hours is None else intervals(data.hours)

    async def work(tx: Transaction, actor: Actor) -> HoursView:
        await hours.change_days(tx, wanted, set(data.days), wished, data.seen, actor, accepted=data.accept)
        return await _hours(tx, wanted)

    return json_response(await _run(request, work))


@get("/api/admin/programs", guards=[_READS], opt=documented(answers=SetUpPrograms, security="StaffKey"))
async def list_programs(request: Call) -> Response[bytes]:
    """Return every program, offered or not."""
    found = await _run(request, lambda tx, _actor: programs_of(tx))
    return json_response(SetUpPrograms([SetUpProgram.of(each) for each in found]))


@post(
    "/api/admin/programs",
    guards=[_CHANGES],
    opt=documented(NewProgramBody, answers=SetUpProgram, created=True, security="StaffKey"),
)
async def create_program(request: Call) -> Response[bytes]:
    """Offer a new program and lay its schedules out."""
    data = decode(NewProgramBody, await request.body())
    made = await _run(request, lambda tx, actor: programs.add_program(tx, data.slug, data.draft(), actor))
    return json_response(SetUpProgram.of(made), 201)


@put(
    "/api/admin/programs/{program_id:str}",
    guards=[_CHANGES],
    opt=documented(SeenProgramBody, answers=SetUpProgram, security="StaffKey"),
)
async def change_program(request: Call, program_id: FromPath[str]) -> Response[bytes]:
    """Make a program be so, and offered; schedules with places taken stay as they are."""
    data, wanted = decode(SeenProgramBody, await request.body()), id_named(program_id)

    async def work(tx: Transaction, actor: Actor) -> SetUpProgram:
        await programs.change_program(tx, wanted, data.draft(), data.seen, actor)
        return SetUpProgram.of(await programs.program_of(tx, wanted))

    return json_response(await _run(request, work))


@post(
    "/api/admin/programs/{program_id:str}/deactivate",
    status_code=204,
    guards=[_CHANGES],
    opt=documented(SeenBody, security="StaffKey"),
)
async def deactivate_program(request: Call, program_id: FromPath[str]) -> None:
    """Offer a program no more; schedules with places taken stay."""
    data, wanted = decode(SeenBody, await request.body()), id_named(program_id)
    await _run(request, lambda tx, actor: programs.deactivate_program(tx, wanted, data.seen, actor))


handlers: list[HTTPRouteHandler] = [
    list_services,
    create_service,
    change_service,
    deactivate_service,
    list_resources,
    create_resource,
    change_whole_resource,
    deactivate_resource,
    read_hours,
    change_week,
    change_days,
    list_programs,
    create_program,
    change_program,
    deactivate_program,
]


async def _run(request: Call, work: Callable[[Transaction, Actor], Awaitable[T]]) -> T:
    staff = staff_of(request)
    database: Any = request.app.state.database
    return await database.run(staff.business_id, lambda tx: work(tx, staff.actor))  # type: ignore[no-any-return]


async def _hours(tx: Transaction, resource_id: Any) -> HoursView:
    business = await current(tx)
    if business is None:
        raise NotFound
    resource = await resources.resource_of(tx, resource_id)
    return HoursView.of(await hours.timetable_of(tx, business, resource))
