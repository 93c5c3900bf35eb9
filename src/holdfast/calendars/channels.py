"""Channels: a provider tells at an address of ours that a calendar has changed, and so we need not wait to look.

A message says nothing but that, is believed for the token of its channel, and may be lost, repeated or late: looks go
on without it. A channel ends; it is replaced by another one under another id, and while there are two, both are heard.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import structlog

from holdfast.administration import settings
from holdfast.administration.settings import GCAL_INTEGRATION, Stage
from holdfast.calendars import looks
from holdfast.calendars.connections import Calendar, ConnectionState, find_calendar, find_connection
from holdfast.calendars.port import CalendarError, CalendarGone, Provider, Refused
from holdfast.calendars.providers import Providers
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.errors import NotFound
from holdfast.kernel.sql import load

log = structlog.get_logger(__name__)

_SQL = load("holdfast.calendars", "channels.sql")

# As long as Google lets one last.
_ASKED_SECONDS = 7 * 86_400
_AT_ONCE = 200
# Against which the token of an unknown channel is compared, so that its refusal takes no less time.
_NOBODYS = bytes(32)


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel as it is stored; `remote_resource` is None while its provider has not granted it."""

    id: UUID
    remote_resource: str | None = field(repr=False)


async def renew_channels(database: Database, providers: Providers, stage: Stage) -> int:
    """Open a channel for each calendar that needs one and end those that are replaced; return how many were opened.

    What a provider refuses is logged: without channels a calendar is looked at every quarter of an hour.
    """
    async with database.transaction() as tx:
        due = await tx.rows(_SQL["calendars_to_watch"], {"limit": _AT_ONCE})
    opened = 0
    for row in due:
        business_id, calendar_id = row["business_id"], row["id"]
        try:
            opened += await _renew(database, providers, stage, business_id, calendar_id, lasts=row["lasts"])
        except CalendarError as failure:
            log.warning("calendar_not_watched", code=failure.code, calendar_id=str(calendar_id))
        except NotFound:
            log.info("calendar_not_watched", code="disconnected", calendar_id=str(calendar_id))
    return opened


async def hear(database: Database, channel_id: UUID, token: str) -> None:
    """Believe a message, and have the calendar looked at soon; raises NotFound for one that proves nothing.

    Whether the channel exists is not to be learnt from the answer.
    """
    async with database.transaction() as tx:
        found = await tx.rows(_SQL["channel_by_id"], {"id": channel_id})
        expected = bytes(found[0]["token_hash"]) if found else _NOBODYS
        if not hmac.compare_digest(_hash_of(token), expected) or not found:
            raise NotFound
        bound = await tx.act_for(found[0]["business_id"])
        await looks.nudge(bound, found[0]["calendar_id"])
        await bound.run(_SQL["note_message"], {"business_id": bound.business_id, "id": channel_id})


async def channels_of(tx: Transaction, calendar_id: UUID) -> list[Channel]:
    """Return the channels of a calendar, the oldest first."""
    keys = await tx.keys()
    rows = await tx.rows(_SQL["channels"], {"business_id": tx.business_id, "calendar_id": calendar_id})
    return [
        Channel(
            row["id"],
            None
            if row["remote_resource"] is None
            else keys.open("calendar_channels.remote_resource", row["id"], bytes(row["remote_resource"])),
        )
        for row in rows
    ]


async def stop_channels(provider: Provider, channels: Sequence[Channel]) -> list[Channel]:
    """Have nothing more told under these channels; return those that have ended.

    One that cannot be ended now ends by itself within a week, and its messages are not believed once it is forgotten.
    """
    ended = []
    for channel in channels:
        try:
            if channel.remote_resource is not None:
                await provider.stop(channel.id, channel.remote_resource)
        except CalendarError as failure:
            log.warning("channel_not_stopped", code=failure.code, channel_id=str(channel.id))
        else:
            ended.append(channel)
    return ended


async def _renew(
    database: Database, providers: Providers, stage: Stage, business_id: UUID, calendar_id: UUID, *, lasts: bool
) -> bool:
    async with database.transaction(business_id) as tx:
        calendar = await find_calendar(tx, calendar_id)
        connection = await find_connection(tx, calendar.connection_id)
        if connection.state is not ConnectionState.CONNECTED or not await settings.flag_is_on(
            tx, GCAL_INTEGRATION, stage
        ):
            return False
        await tx.run(_SQL["forget_ended"], {"business_id": business_id, "calendar_id": calendar_id})
    async with providers.opened(business_id, connection) as provider:
        if not lasts:
            await _open(database, provider, business_id, calendar)
        async with database.transaction(business_id) as tx:
            granted = [each for each in await channels_of(tx, calendar_id) if each.remote_resource is not None]
        for channel in await stop_channels(provider, granted[:-1]):
            await _forget(database, business_id, channel.id)
    return not lasts


async def _open(database: Database, provider: Provider, business_id: UUID, calendar: Calendar) -> None:
    """Have a calendar watched under a new channel; raises what the provider says."""
    channel_id, token = uuid4(), secrets.token_urlsafe(32)
    values = {"business_id": business_id, "id": channel_id}
    async with database.transaction(business_id) as tx:
        proof = {"calendar_id": calendar.id, "token_hash": _hash_of(token)}
        if not await tx.run(_SQL["add_channel"], values | proof):
            raise NotFound
    try:
        watch = await provider.watch(calendar.remote_id, channel_id, token, _ASKED_SECONDS)
    except (Refused, CalendarGone):
        async with database.transaction(business_id) as tx:
            await tx.run(_SQL["refuse_channel"], values)
        raise
    except CalendarError:
        await _forget(database, business_id, channel_id)
        raise
    async with database.transaction(business_id) as tx:
        sealed = (await tx.keys()).seal("calendar_channels.remote_resource", channel_id, watch.remote_resource)
        granted = {"remote_resource": sealed, "expires_at": watch.expires_at}
        if await tx.run(_SQL["grant_channel"], values | granted):
            return
    # Disconnected meanwhile: nobody else knows of this channel.
    await stop_channels(provider, [Channel(channel_id, watch.remote_resource)])
    raise NotFound


async def _forget(database: Database, business_id: UUID, channel_id: UUID) -> None:
    async with database.transaction(business_id) as tx:
        await tx.run(_SQL["forget_channel"], {"business_id": business_id, "id": channel_id})


def _hash_of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
