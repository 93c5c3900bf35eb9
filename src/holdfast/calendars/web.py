"""Calendars for staff: which are connected and how they are; CalDAV and feeds connected; chosen, disconnected."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import FromPath

from holdfast.administration.settings import GCAL_INTEGRATION, flag_is_on
from holdfast.calendars import accounts
from holdfast.calendars.accounts import Left, candidate
from holdfast.calendars.connections import (
    Calendar,
    Connection,
    ConnectionState,
    ProviderName,
    find_connection,
)
from holdfast.calendars.errors import GoogleCalendarsOff, NeedsConnectingAgain, told
from holdfast.calendars.farewell import Farewell, say_farewell
from holdfast.calendars.overview import overview, policy_of
from holdfast.calendars.port import CalendarError, NeedsReconnect, RemoteCalendar
from holdfast.calendars.shapes import (
    CaldavBody,
    ChoiceBody,
    ChosenView,
    ConnectedView,
    DisconnectedView,
    FeedBody,
    GoogleView,
    IntegrationsView,
    connection_view,
)
from holdfast.identity.calls import Call, id_named
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.identity.staff import Staff
from holdfast.kernel.database import Transaction
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.http import decode, json_response
from holdfast.kernel.lists import number_in

_MAX_LIMIT = 200


@get(
    "/api/admin/integrations",
    guards=[Needs(Permission.READ_CALENDARS)],
    opt=documented(query=("cursor", "limit"), answers=IntegrationsView, security="StaffKey"),
)
async def integrations(request: Call) -> Response[bytes]:
    """Return the calendars that are connected, how they are, and what to do about those that do not work."""
    asked, state = request.query_params, request.app.state
    limit = number_in(asked.get("limit"), "limit", 50, 1, _MAX_LIMIT)
    async with state.database.transaction(staff_of(request).business_id) as tx:
        page, cursor = await overview(tx, cursor=asked.get("cursor") or None, limit=limit)
        policy = await policy_of(tx)
        enabled = await flag_is_on(tx, GCAL_INTEGRATION, state.stage)
    return json_response(
        IntegrationsView(
            google=GoogleView(enabled=enabled, configured=state.calendars.google_is_configured),
            outage=policy.outage,
            freshness_minutes=policy.freshness_minutes,
            connections=[connection_view(connection, policy) for connection in page],
            next_cursor=cursor,
        )
    )


@post(
    "/api/admin/integrations/caldav",
    guards=[Needs(Permission.CONNECT_CALENDARS)],
    opt=documented(CaldavBody, answers=ConnectedView, made="connectionId", security="StaffKey"),
)
async def connect_caldav(request: Call) -> Response[bytes]:
    """Connect an account at a server of CalDAV; the server is asked first."""
    data = decode(CaldavBody, await request.body())
    wanted = candidate(
        data.resource_id,
        ProviderName.CALDAV,
        address=data.address,
        account=data.account,
        password=data.password,
    )
    return json_response(ConnectedView(connection_id=await connect_account(request, staff_of(request), wanted)), 201)


@post(
    "/api/admin/integrations/ics",
    guards=[Needs(Permission.CONNECT_CALENDARS)],
    opt=documented(FeedBody, answers=ConnectedView, made="connectionId", security="StaffKey"),
)
async def connect_feed(request: Call) -> Response[bytes]:
    """Connect a calendar file at an address; it is read first."""
    data = decode(FeedBody, await request.body())
    wanted = candidate(data.resource_id, ProviderName.ICS, address=data.address)
    return json_response(ConnectedView(connection_id=await connect_account(request, staff_of(request), wanted)), 201)


@patch(
    "/api/admin/integrations/calendars/{calendar_id:str}",
    guards=[Needs(Permission.CONNECT_CALENDARS)],
    opt=documented(ChoiceBody, answers=ChosenView, security="StaffKey"),
)
async def choose_calendar(request: Call, calendar_id: FromPath[str]) -> Response[bytes]:
    """Say whether a calendar blocks time, and whether it receives appointments: one of each account."""
    data = decode(ChoiceBody, await request.body())
    staff, wanted = staff_of(request), id_named(calendar_id)

    async def work(tx: Transaction) -> Calendar:
        return await accounts.choose(tx, wanted, blocks=data.blocks, exports=data.exports, actor=staff.actor)

    return json_response(ChosenView.of(await request.app.state.database.run(staff.business_id, work)))


@delete(
    "/api/admin/integrations/{connection_id:str}",
    status_code=200,
    guards=[Needs(Permission.CONNECT_CALENDARS)],
    opt=documented(query=("removeEvents",), answers=DisconnectedView, security="StaffKey"),
)
async def disconnect(request: Call, connection_id: FromPath[str]) -> Response[bytes]:
    """Forget an account, its calendars and the time that they blocked, and give the access to it back.

    Appointments stay in the calendar as they are; with `removeEvents=true` those to come are removed.
    """
    staff, named = staff_of(request), id_named(connection_id)
    remove_events = _flag_in(request.query_params.get("removeEvents"), "removeEvents")

    farewell = await disconnect_account(request, staff, named, remove_events=remove_events)
    return json_response(msgspec.convert(farewell, DisconnectedView, from_attributes=True))


@post(
    "/api/admin/integrations/{connection_id:str}/retry",
    status_code=200,
    guards=[Needs(Permission.CONNECT_CALENDARS)],
    opt=documented(answers=ConnectedView, security="StaffKey"),
)
async def retry(request: Call, connection_id: FromPath[str]) -> Response[bytes]:
    """Try an account again that has stopped: the provider is asked, and everything that has waited goes on."""
    staff, named = staff_of(request), id_named(connection_id)
    await retry_account(request, staff, named)
    return json_response(ConnectedView(connection_id=named))


handlers = [integrations, connect_caldav, connect_feed, choose_calendar, disconnect, retry]


async def check_flag(request: Call, tx: Transaction, provider: ProviderName) -> None:
    """Raise GoogleCalendarsOff where nothing of Google may be asked."""
    if provider is ProviderName.GOOGLE and not await flag_is_on(tx, GCAL_INTEGRATION, request.app.state.stage):
        raise GoogleCalendarsOff


async def listed_by(request: Call, staff: Staff, connection: Connection) -> list[RemoteCalendar]:
    """Return what calendars an account has, as its provider tells; no transaction is open meanwhile.

    Raises the error that its refusal is for whoever asked.
    """
    try:
        async with request.app.state.providers.opened(staff.business_id, connection) as provider:
            listed: list[RemoteCalendar] = await provider.calendars()
    except CalendarError as error:
        if isinstance(error, NeedsReconnect) and connection.provider is ProviderName.GOOGLE:
            raise NeedsConnectingAgain from None
        raise told(error) from None
    return listed


async def put_connection(request: Call, staff: Staff, wanted: Connection, listed: Sequence[RemoteCalendar]) -> UUID:
    """Write a connection down that its provider has let in, with the calendars that it lists."""

    async def work(tx: Transaction) -> UUID:
        return await accounts.connect(tx, wanted, listed, staff.actor)

    connection_id: UUID = await request.app.state.database.run(staff.business_id, work)
    return connection_id


async def connect_account(request: Call, staff: Staff, wanted: Connection) -> UUID:
    """Write down an account for a resource, whose provider is asked first; return the connection.

    Raises NotFound for another resource, and how the provider says no.
    """
    async with request.app.state.database.transaction(staff.business_id) as tx:
        await accounts.check_resource(tx, wanted.resource_id)
    listed = await listed_by(request, staff, wanted)
    return await put_connection(request, staff, wanted, listed)


async def disconnect_account(request: Call, staff: Staff, named: UUID, *, remove_events: bool) -> Farewell:
    """Forget an account and give the access to it back; return what became of that. Raises NotFound."""

    async def work(tx: Transaction) -> Left:
        return await accounts.disconnect(tx, named, staff.actor)

    left = await request.app.state.database.run(staff.business_id, work)
    state = request.app.state
    return await say_farewell(state.providers, state.calendars, staff.business_id, left, remove_events=remove_events)


async def retry_account(request: Call, staff: Staff, named: UUID) -> None:
    """Try an account again that has stopped; raises NotFound, NeedsConnectingAgain and how its provider says no."""
    async with request.app.state.database.transaction(staff.business_id) as tx:
        connection = await find_connection(tx, named)
        await check_flag(request, tx, connection.provider)
    if connection.provider is ProviderName.GOOGLE and connection.state is ConnectionState.NEEDS_RECONNECT:
        raise NeedsConnectingAgain
    listed = await listed_by(request, staff, connection)

    async def work(tx: Transaction) -> None:
        await accounts.revive(tx, named, listed, staff.actor)

    await request.app.state.database.run(staff.business_id, work)


def _flag_in(text: str | None, field: str) -> bool:
    if text not in (None, "", "true", "false"):
        raise ValidationFailed.at(field, "must be true or false")
    return text == "true"
