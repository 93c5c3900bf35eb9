"""Calendars of Google: an owner goes there to consent and comes back (RFC 6749, 7636), and has them looked at now."""

from dataclasses import replace
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.response import Redirect

from holdfast.calendars import accounts, authorizations
from holdfast.calendars.accounts import candidate
from holdfast.calendars.authorizations import Return
from holdfast.calendars.connections import Connection, ConnectionState, ProviderName, connections_of, find_connection
from holdfast.calendars.errors import (
    AccessDenied,
    AuthorizationInvalid,
    CalendarNotThere,
    CalendarStopped,
    GoogleNotConfigured,
    NeedsConnectingAgain,
    told,
)
from holdfast.calendars.google_oauth import GoogleOAuth
from holdfast.calendars.pages_web import show_connected, show_problem, wants_page
from holdfast.calendars.port import CalendarError, Refused, RemoteCalendar
from holdfast.calendars.settings import CalendarSettings
from holdfast.calendars.shapes import ConnectedView
from holdfast.calendars.web import check_flag, listed_by, put_connection
from holdfast.identity.calls import Call
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.identity.staff import Staff
from holdfast.kernel.database import Transaction
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import UserError
from holdfast.kernel.http import decode, json_response


class ConnectBody(msgspec.Struct, rename="camel", kw_only=True):
    """Whose time the calendars of the account tell."""

    resource_id: UUID


class AuthorizationView(msgspec.Struct, rename="camel", kw_only=True):
    """Where to send the owner's browser; they come back within ten minutes, once."""

    authorization_url: str


class SyncBody(msgspec.Struct, rename="camel", kw_only=True):
    """Which connection, of any provider; without one all of Google that work."""

    connection_id: UUID | None = None


class SyncView(msgspec.Struct, rename="camel", kw_only=True):
    """How many calendars are looked at as soon as a worker is free."""

    calendars: int


@post(
    "/api/admin/integrations/google-calendar/connect",
    status_code=200,
    guards=[Needs(Permission.CONNECT_CALENDARS)],
    opt=documented(ConnectBody, answers=AuthorizationView, security="StaffKey"),
)
async def connect_google(request: Call) -> Response[bytes]:
    """Begin to connect an account of Google; the same account again is the connection that is there."""
    data = decode(ConnectBody, await request.body())
    url = await leave_for_google(request, staff_of(request), data.resource_id)
    return json_response(AuthorizationView(authorization_url=url))


@get(
    "/api/admin/integrations/google-calendar/callback",
    guards=[Needs(Permission.CONNECT_CALENDARS)],
    exception_handlers={UserError: show_problem},
    opt=documented(
        query=("state", "code", "error"),
        answers=ConnectedView,
        leads="A browser is led to the page of the integrations, with what became of it",
        security="StaffKey",
    ),
)
async def google_callback(request: Call) -> Response[bytes] | Redirect:
    """Connect the account for which an owner comes back from Google, as whom they left; a browser is led on."""
    connection_id = await _come_back(request)
    return show_connected() if wants_page(request) else json_response(ConnectedView(connection_id=connection_id))


@post(
    "/api/admin/integrations/google-calendar/sync",
    status_code=202,
    guards=[Needs(Permission.CONNECT_CALENDARS)],
    opt=documented(SyncBody, answers=SyncView, security="StaffKey"),
)
async def sync_now(request: Call) -> Response[bytes]:
    """Have calendars looked at now instead of at the next of their times."""
    data = decode(SyncBody, await request.body())

    calendars = await look_at(request, staff_of(request), data.connection_id)
    return json_response(SyncView(calendars=calendars), 202)


handlers = [connect_google, google_callback, sync_now]


async def leave_for_google(request: Call, staff: Staff, resource_id: UUID) -> str:
    """Return where at Google somebody consents to have the calendars of a resource connected.

    Raises NotFound for another resource, GoogleCalendarsOff, GoogleNotConfigured.
    """
    async with request.app.state.database.transaction(staff.business_id) as tx:
        settings = await _settings(request, tx)
        await accounts.check_resource(tx, resource_id)
        redirect_uri = settings.google_redirect_uri
        departure = await authorizations.leave(tx, resource_id, staff.id, redirect_uri)
    return GoogleOAuth(settings.google).authorize_url(redirect_uri, departure.state, departure.verifier)


async def look_at(request: Call, staff: Staff, connection_id: UUID | None) -> int:
    """Have the calendars of a connection, or all of Google that work, looked at now; return how many that are.

    Raises NotFound, GoogleCalendarsOff, NeedsConnectingAgain, CalendarStopped.
    """

    async def work(tx: Transaction) -> int:
        if connection_id is None:
            await check_flag(request, tx, ProviderName.GOOGLE)
            wanted = [
                connection
                for connection in await connections_of(tx)
                if connection.provider is ProviderName.GOOGLE and connection.state is ConnectionState.CONNECTED
            ]
        else:
            wanted = [await find_connection(tx, connection_id)]
            await check_flag(request, tx, wanted[0].provider)
            _check_works(wanted[0])
        return await accounts.look_now(tx, [connection.id for connection in wanted])

    calendars: int = await request.app.state.database.run(staff.business_id, work)
    return calendars


async def _come_back(request: Call) -> UUID:
    """Return the connection for which somebody comes back. Nothing is kept of a way back that does not fit.

    Raises AuthorizationInvalid, AccessDenied, GoogleCalendarsOff, GoogleNotConfigured, and how Google says no.
    """
    asked, staff = request.query_params, staff_of(request)
    came = None
    async with request.app.state.database.transaction(staff.business_id) as tx:
        settings = await _settings(request, tx)
        if asked.get("state"):
            came = await authorizations.come_back(tx, asked["state"], staff.id)
    # Committed: the state has been used, whatever comes of it.
    if came is None:
        raise AuthorizationInvalid
    if asked.get("error") or not asked.get("code"):
        raise AccessDenied
    wanted, listed = await _let_in(request, settings, came, asked["code"])
    return await put_connection(request, staff, wanted, listed)


async def _let_in(
    request: Call, settings: CalendarSettings, came: Return, code: str
) -> tuple[Connection, list[RemoteCalendar]]:
    """Return the account that a code opens, under the name of its first calendar, and its calendars."""
    try:
        tokens = await GoogleOAuth(settings.google).exchange(came.redirect_uri, code, came.verifier)
    except Refused as refused:
        # The code is of no use, or opens less than is needed.
        raise AccessDenied(details={"reason": str(refused)}) from None
    except CalendarError as error:
        raise told(error) from None
    wanted = candidate(came.resource_id, ProviderName.GOOGLE, tokens=tokens)
    listed = await listed_by(request, staff_of(request), wanted)
    account = next((calendar.remote_id for calendar in listed if calendar.primary), None)
    if account is None:
        raise CalendarNotThere("The account has no calendar of its own")
    return replace(wanted, account=account), listed


async def _settings(request: Call, tx: Transaction) -> CalendarSettings:
    """Return how Google is reached; raises GoogleCalendarsOff, GoogleNotConfigured."""
    await check_flag(request, tx, ProviderName.GOOGLE)
    settings: CalendarSettings = request.app.state.calendars
    if not settings.google_is_configured:
        raise GoogleNotConfigured
    return settings


def _check_works(connection: Connection) -> None:
    """Raise NeedsConnectingAgain or CalendarStopped for a connection of which nothing is asked now."""
    if connection.state is ConnectionState.NEEDS_RECONNECT:
        raise NeedsConnectingAgain
    if connection.state is ConnectionState.STOPPED:
        raise CalendarStopped
