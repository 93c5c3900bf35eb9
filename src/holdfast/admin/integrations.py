"""Integrations: the page, and everything that is done with connected calendars."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect

from holdfast.admin import integrations_conflicts, integrations_payments
from holdfast.admin.frame import PROBLEMS, Call, Entry, Form, checked, database_of, go, read_form
from holdfast.admin.integrations_page import PATH, Made, Slip, show
from holdfast.calendars import accounts, feeds
from holdfast.calendars.accounts import candidate
from holdfast.calendars.connections import Calendar, ProviderName
from holdfast.calendars.google_web import leave_for_google, look_at
from holdfast.calendars.shapes import CaldavBody, FeedBody
from holdfast.calendars.web import connect_account, disconnect_account, retry_account
from holdfast.catalog.resources import resources_of
from holdfast.identity.calls import id_named
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound, UserError, ValidationFailed
from holdfast.kernel.http import address_of
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.languages import N_

ENTRY = Entry(PATH, N_("Integrations"), "business", Permission.READ_CALENDARS, order=30)

_CONNECTS = [Needs(Permission.CONNECT_CALENDARS)]
_WHOSE = N_("Choose whose calendar it is")
_CONNECTION = PATH + "/connections/{connection_id:str}"
_FEED = PATH + "/feeds/{resource_id:str}"


@get(PATH, guards=[Needs(Permission.READ_CALENDARS)], exception_handlers=PROBLEMS)
async def admin_integrations(request: Call) -> Response[Any]:
    """Show what is connected and how it is."""
    return await show(request)


@post(PATH + "/google", status_code=200, guards=_CONNECTS, exception_handlers=PROBLEMS)
async def admin_connect_google(request: Call) -> Response[Any]:
    """Lead to Google, where an owner consents; Google leads them back."""
    form = await read_form(request)
    try:
        return Redirect(await leave_for_google(request, staff_of(request), _resource(form, "google")), status_code=303)
    except UserError as error:
        return await show(request, slip=Slip("google", error, form.as_typed()))


@post(PATH + "/caldav", status_code=200, guards=_CONNECTS, exception_handlers=PROBLEMS)
async def admin_connect_caldav(request: Call) -> Response[Any]:
    """Connect an account at a server of CalDAV; the server is asked first."""
    form = await read_form(request)
    try:
        told = _checked(CaldavBody, form, "caldav", "address", "account", "password")
        wanted = candidate(
            told.resource_id,
            ProviderName.CALDAV,
            address=told.address,
            account=told.account,
            password=told.password,
        )
        await connect_account(request, staff_of(request), wanted)
    except UserError as error:
        return await show(request, slip=Slip("caldav", error, _shown_again(form, "caldav-password")))
    return go(PATH, done="connected")


@post(PATH + "/ics", status_code=200, guards=_CONNECTS, exception_handlers=PROBLEMS)
async def admin_connect_feed(request: Call) -> Response[Any]:
    """Connect a calendar file at an address; it is read first."""
    form = await read_form(request)
    try:
        told = _checked(FeedBody, form, "ics", "address")
        wanted = candidate(told.resource_id, ProviderName.ICS, address=told.address)
        await connect_account(request, staff_of(request), wanted)
    except UserError as error:
        return await show(request, slip=Slip("ics", error, form.as_typed()))
    return go(PATH, done="connected")


@post(PATH + "/calendars/{calendar_id:str}", status_code=200, guards=_CONNECTS, exception_handlers=PROBLEMS)
async def admin_choose_calendar(request: Call, calendar_id: FromPath[str]) -> Response[Any]:
    """Say whether a calendar blocks time, and whether it receives appointments."""
    form = await read_form(request)
    staff, wanted = staff_of(request), id_named(calendar_id)

    async def work(tx: Transaction) -> Calendar:
        return await accounts.choose(
            tx, wanted, blocks=form.ticked("blocks"), exports=form.ticked("exports"), actor=staff.actor
        )

    return await _done(request, "chosen", lambda: database_of(request).run(staff.business_id, work))


@post(_CONNECTION + "/sync", status_code=200, guards=_CONNECTS, exception_handlers=PROBLEMS)
async def admin_sync_calendars(request: Call, connection_id: FromPath[str]) -> Response[Any]:
    """Have the calendars of an account looked at now."""
    named = id_named(connection_id)
    return await _done(request, "looked", lambda: look_at(request, staff_of(request), named))


@post(_CONNECTION + "/retry", status_code=200, guards=_CONNECTS, exception_handlers=PROBLEMS)
async def admin_retry_calendars(request: Call, connection_id: FromPath[str]) -> Response[Any]:
    """Try an account again that has stopped."""
    named = id_named(connection_id)
    return await _done(request, "retried", lambda: retry_account(request, staff_of(request), named))


@post(_CONNECTION + "/disconnect", status_code=200, guards=_CONNECTS, exception_handlers=PROBLEMS)
async def admin_disconnect_calendars(request: Call, connection_id: FromPath[str]) -> Response[Any]:
    """Forget an account; what could not be tidied up at its provider is told."""
    form = await read_form(request)
    farewell = await disconnect_account(
        request, staff_of(request), id_named(connection_id), remove_events=form.ticked("remove_events")
    )
    if farewell.problems or farewell.events_left:
        return await show(request, farewell=farewell)
    return go(PATH, done="disconnected")


@post(_FEED, status_code=200, guards=_CONNECTS, exception_handlers=PROBLEMS)
async def admin_make_feed(request: Call, resource_id: FromPath[str]) -> Response[Any]:
    """Give a resource a private address for calendar apps, which is shown now and never again."""
    staff, wanted, state = staff_of(request), id_named(resource_id), request.app.state
    base = state.calendars.public_url or address_of(request)

    async def work(tx: Transaction) -> Made:
        token, _ = await feeds.make_feed(tx, wanted, staff.actor)
        name = next(each.name for each in await resources_of(tx) if each.id == wanted)
        return Made(name, f"{base}/calendar-feeds/{token}.ics")

    return await show(request, made=await database_of(request).run(staff.business_id, work))


@post(_FEED + "/drop", status_code=200, guards=_CONNECTS, exception_handlers=PROBLEMS)
async def admin_drop_feed(request: Call, resource_id: FromPath[str]) -> Response[Any]:
    """Take the private address of a resource away."""
    staff, wanted = staff_of(request), id_named(resource_id)
    await database_of(request).run(staff.business_id, lambda tx: feeds.drop_feed(tx, wanted, staff.actor))
    return go(PATH, done="dropped")


handlers: list[HTTPRouteHandler] = [
    admin_integrations,
    admin_connect_google,
    admin_connect_caldav,
    admin_connect_feed,
    admin_choose_calendar,
    admin_sync_calendars,
    admin_retry_calendars,
    admin_disconnect_calendars,
    admin_make_feed,
    admin_drop_feed,
    *integrations_payments.handlers,
    *integrations_conflicts.handlers,
]


async def _done(request: Call, done: str, work: Any) -> Response[Any]:
    try:
        await work()
    except NotFound:
        raise
    except UserError as error:
        return await show(request, slip=Slip(done, error))
    return go(PATH, done=done)


def _resource(form: Form, prefix: str) -> UUID:
    found = uuid_or_none(form.line(f"{prefix}-resourceId"))
    if found is None:
        raise ValidationFailed.at("resourceId", _WHOSE)
    return found


def _checked(shape: Any, form: Form, prefix: str, *fields: str) -> Any:
    """Return what was typed into a form whose fields have its name before them; raises ValidationFailed."""
    typed = {name: form.line(f"{prefix}-{name}") for name in fields}
    return checked(shape, {"resourceId": str(_resource(form, prefix)), **typed})


def _shown_again(form: Form, *secret: str) -> dict[str, str]:
    return {name: text for name, text in form.as_typed().items() if name not in secret}
