"""Accounts at providers: connected, with a choice of what their calendars are for, connected again, disconnected.

What the provider has to say is asked before, by the edges; here it is only written down.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from holdfast.availability.busy import keep_events
from holdfast.booking.errors import UnknownResource
from holdfast.calendars import tasks
from holdfast.calendars.channels import Channel, channels_of
from holdfast.calendars.connections import (
    Calendar,
    Connection,
    ConnectionState,
    ProviderName,
    Tokens,
    calendars_of,
    find_calendar,
    find_connection,
    put_tokens,
    set_state,
)
from holdfast.calendars.errors import CalendarNotWritable, GrantIncomplete, OneExportCalendar
from holdfast.calendars.export import resume
from holdfast.calendars.feed import want_all
from holdfast.calendars.overlaps import end_overlaps
from holdfast.calendars.port import Access, RemoteCalendar
from holdfast.kernel.attention import settle
from holdfast.kernel.audit import Actor, record
from holdfast.kernel.database import Transaction
from holdfast.kernel.ids import new_id
from holdfast.kernel.privacy import TenantKeys
from holdfast.kernel.sql import load

_SQL = load("holdfast.calendars", "accounts.sql")

CONNECTION, CALENDAR = "calendar_connection", "calendar"


@dataclass(frozen=True, slots=True)
class Exported:
    """An event of ours that is in a calendar, by what the provider calls both."""

    remote_id: str
    event_id: str
    etag: str | None


@dataclass(frozen=True, slots=True)
class Left:
    """What is left at the provider of a connection that is gone: what tells us of changes, what we have written."""

    connection: Connection
    channels: Sequence[Channel]
    events: Sequence[Exported]
    # Another connection of the business stands on the same grant.
    shared: bool


def candidate(
    resource_id: UUID,
    provider: ProviderName,
    *,
    address: str | None = None,
    account: str | None = None,
    password: str | None = None,
    tokens: Tokens | None = None,
) -> Connection:
    """Return an account as a connection that is not written down, for its provider to be asked about it."""
    now = datetime.now(UTC)
    return Connection(
        id=new_id(),
        resource_id=resource_id,
        provider=provider,
        state=ConnectionState.CONNECTED,
        account=account,
        address=address,
        password=password,
        access_token=None if tokens is None else tokens.access_token,
        access_token_expires_at=None if tokens is None else tokens.expires_at,
        refresh_token=None if tokens is None else tokens.refresh_token,
        error_code=None,
        created_at=now,
        connected_at=now,
    )


async def check_resource(tx: Transaction, resource_id: UUID) -> None:
    """Raise UnknownResource if the business has none of this id."""
    if not await tx.value(_SQL["resource_exists"], {"business_id": tx.business_id, "id": resource_id}):
        raise UnknownResource("There is no such resource", details={"field": "resourceId"})


async def connect(tx: Transaction, wanted: Connection, listed: Sequence[RemoteCalendar], actor: Actor) -> UUID:
    """Connect a candidate whose provider has let us in, with the calendars that it lists; return the connection.

    The same account of the same resource is the connection that is there: it works again, its calendars are for what
    they were, and no event is made a second time. Of a new one the first calendar that we may write to blocks time and
    receives appointments; without such a one the first blocks. Raises UnknownResource, and GrantIncomplete where
    nothing is granted that lasts and nothing of before is kept.
    """
    await check_resource(tx, wanted.resource_id)
    connection_id, before = await _found_or_added(tx, wanted)
    await _open(tx, connection_id, wanted)
    action = "connect" if before is None else "reconnect"
    await record(tx, CONNECTION, connection_id, action, actor, before=before, after=ConnectionState.CONNECTED)
    proposed = _proposed(listed) if before is None else None
    await _list(tx, connection_id, wanted.resource_id, listed, actor, proposed)
    await _go_on(tx, connection_id)
    return connection_id


async def revive(tx: Transaction, connection_id: UUID, listed: Sequence[RemoteCalendar], actor: Actor) -> None:
    """Let a connection work again that its provider has let in anew, with the calendars that it lists now.

    Raises NotFound.
    """
    connection = await find_connection(tx, connection_id, lock=True)
    await set_state(tx, connection_id, ConnectionState.CONNECTED)
    await record(tx, CONNECTION, connection_id, "retry", actor, before=connection.state, after="connected")
    await _list(tx, connection_id, connection.resource_id, listed, actor, None)
    await _go_on(tx, connection_id)


async def choose(
    tx: Transaction, calendar_id: UUID, *, blocks: bool | None, exports: bool | None, actor: Actor
) -> Calendar:
    """Say whether a calendar blocks time and whether it receives appointments; None leaves it as it is.

    What it blocked goes at once when it blocks no more. Raises NotFound, CalendarNotWritable, OneExportCalendar.
    """
    connection_id = (await find_calendar(tx, calendar_id)).connection_id
    # One after another: of an account one calendar receives appointments.
    await find_connection(tx, connection_id, lock=True)
    before = await find_calendar(tx, calendar_id)
    wanted = (before.blocks if blocks is None else blocks, before.exports if exports is None else exports)
    if wanted == (before.blocks, before.exports):
        return before
    if wanted[1] and before.access is not Access.WRITE:
        raise CalendarNotWritable
    others = [each for each in await calendars_of(tx, connection_id) if each.exports and each.id != calendar_id]
    if wanted[1] and others:
        raise OneExportCalendar(details={"calendarId": str(others[0].id)})
    await _use(tx, before, *wanted, actor)
    return await find_calendar(tx, calendar_id)


async def look_now(tx: Transaction, connection_ids: Sequence[UUID]) -> int:
    """Have the calendars of connections looked at as soon as a worker is free; return how many they are."""
    values = {"business_id": tx.business_id, "connection_ids": list(connection_ids), "forgiven": False}
    return await tx.run(_SQL["look_now"], values)


async def disconnect(tx: Transaction, connection_id: UUID, actor: Actor) -> Left:
    """Forget a connection with its calendars and the time that they blocked; return what is left at the provider.

    Raises NotFound.
    """
    connection = await find_connection(tx, connection_id, lock=True)
    values = {"business_id": tx.business_id, "id": connection_id, "connection_id": connection_id}
    remote = {calendar.id: calendar.remote_id for calendar in await calendars_of(tx, connection_id)}
    channels = [channel for calendar_id in remote for channel in await channels_of(tx, calendar_id)]
    events = [
        Exported(remote[row["calendar_id"]], row["event_id"], row["etag"])
        for row in await tx.rows(_SQL["events_to_come"], values)
    ]
    shared = bool(await tx.value(_SQL["account_is_shared"], values))
    # What the inbox asks about it needs nobody any more.
    for row in await tx.rows(_SQL["items_of_connection"], values):
        await settle(tx, row["kind"], row["subject_id"])
    await tx.run(_SQL["delete_connection"], values)
    await record(tx, CONNECTION, connection_id, "disconnect", actor, before=connection.state, after="disconnected")
    return Left(connection, channels, events, shared)


async def _found_or_added(tx: Transaction, wanted: Connection) -> tuple[UUID, ConnectionState | None]:
    """Return the connection of an account, locked, and its state before; None for a new one."""
    account = f"{wanted.account or ''}\n{wanted.address or ''}"
    values = {
        "business_id": tx.business_id,
        "id": wanted.id,
        "resource_id": wanted.resource_id,
        "provider": wanted.provider,
        "account_index": (await tx.keys()).index_exact("calendar account", account),
    }
    # Until it is found: whoever connected it at the same moment may disconnect it again.
    while True:
        found = await tx.rows(_SQL["connection_of_account"], values)
        if found:
            return found[0]["id"], ConnectionState(found[0]["state"])
        if await tx.rows(_SQL["add_connection"], values):
            return wanted.id, None


async def _open(tx: Transaction, connection_id: UUID, wanted: Connection) -> None:
    """Keep what opens an account."""
    keys = await tx.keys()
    sealed = {
        name: None if text is None else keys.seal(f"calendar_connections.{name}", connection_id, text)
        for name, text in (("account", wanted.account), ("address", wanted.address), ("password", wanted.password))
    }
    await tx.run(_SQL["open_connection"], {"business_id": tx.business_id, "id": connection_id, **sealed})
    if wanted.access_token is not None and wanted.access_token_expires_at is not None:
        granted = Tokens(wanted.access_token, wanted.access_token_expires_at, wanted.refresh_token)
        await put_tokens(tx, connection_id, granted)
        if (await find_connection(tx, connection_id)).refresh_token is None:
            raise GrantIncomplete


async def _list(
    tx: Transaction,
    connection_id: UUID,
    resource_id: UUID,
    listed: Sequence[RemoteCalendar],
    actor: Actor,
    proposed: RemoteCalendar | None,
) -> None:
    """Write down what calendars an account has now."""
    keys = await tx.keys()
    known = {calendar.remote_id: calendar for calendar in await calendars_of(tx, connection_id)}
    for remote in listed:
        calendar = known.get(remote.remote_id)
        if calendar is None:
            await _add(tx, keys, connection_id, resource_id, remote, chosen=remote is proposed, actor=actor)
        elif (calendar.name, calendar.timezone, calendar.access) != (remote.name, remote.timezone, remote.access):
            values = {"business_id": tx.business_id, "id": calendar.id, **_described(keys, calendar.id, remote)}
            await tx.run(_SQL["describe_calendar"], values)
            if calendar.exports and remote.access is not Access.WRITE:
                after = _purpose(blocks=calendar.blocks, exports=False)
                before = _purpose(blocks=calendar.blocks, exports=True)
                await record(tx, CALENDAR, calendar.id, "choose", actor, before=before, after=after)
    indexes = [keys.index_exact("calendar", remote.remote_id) for remote in listed]
    values = {"business_id": tx.business_id, "connection_id": connection_id, "listed": indexes}
    await tx.run(_SQL["forget_unused_calendars"], values)


async def _add(
    tx: Transaction,
    keys: TenantKeys,
    connection_id: UUID,
    resource_id: UUID,
    remote: RemoteCalendar,
    *,
    chosen: bool,
    actor: Actor,
) -> None:
    calendar_id = new_id()
    exports = chosen and remote.access is Access.WRITE
    values = {
        "business_id": tx.business_id,
        "id": calendar_id,
        "connection_id": connection_id,
        "resource_id": resource_id,
        "remote_id": keys.seal("calendars.remote_id", calendar_id, remote.remote_id),
        "remote_id_index": keys.index_exact("calendar", remote.remote_id),
        "blocks": chosen,
        "exports": exports,
        **_described(keys, calendar_id, remote),
    }
    await tx.run(_SQL["add_calendar"], values)
    if exports:
        await want_all(tx, calendar_id)
    if chosen:
        await record(tx, CALENDAR, calendar_id, "choose", actor, after=_purpose(blocks=True, exports=exports))


async def _use(tx: Transaction, calendar: Calendar, blocks: bool, exports: bool, actor: Actor) -> None:
    values = {"business_id": tx.business_id, "id": calendar.id, "blocks": blocks, "exports": exports}
    await tx.run(_SQL["choose_calendar"], values)
    if not blocks:
        await keep_events(tx, calendar.id, ())
        await end_overlaps(tx, calendar.id)
    if exports != calendar.exports:
        await want_all(tx, calendar.id)
    before = _purpose(blocks=calendar.blocks, exports=calendar.exports)
    after = _purpose(blocks=blocks, exports=exports)
    await record(tx, CALENDAR, calendar.id, "choose", actor, before=before, after=after)


async def _go_on(tx: Transaction, connection_id: UUID) -> None:
    """Have everything done now that has waited for a connection, and tell the inbox."""
    values = {"business_id": tx.business_id, "connection_ids": [connection_id], "forgiven": True}
    await tx.run(_SQL["look_now"], values)
    await resume(tx, connection_id)
    for kind in (tasks.NEEDS_RECONNECT, tasks.STOPPED):
        await settle(tx, kind, connection_id)


def _proposed(listed: Sequence[RemoteCalendar]) -> RemoteCalendar | None:
    """Return the calendar of a new connection that is used until somebody chooses otherwise."""
    writable = [remote for remote in listed if remote.access is Access.WRITE]
    ranked = sorted(writable or listed, key=lambda remote: not remote.primary)
    return ranked[0] if ranked else None


def _described(keys: TenantKeys, calendar_id: UUID, remote: RemoteCalendar) -> dict[str, object]:
    name = keys.seal("calendars.name", calendar_id, remote.name)
    return {"name": name, "timezone": remote.timezone, "access": remote.access}


def _purpose(*, blocks: bool, exports: bool) -> str:
    return "+".join(word for word, so in (("blocks", blocks), ("exports", exports)) if so) or "unused"
