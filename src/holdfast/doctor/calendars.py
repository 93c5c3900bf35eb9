"""What the doctor sees of calendars: each connection from the database to the provider and back (C-1)."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from psycopg import Connection as Session
from psycopg.rows import class_row

from holdfast import config
from holdfast.administration.settings import GCAL_INTEGRATION, Stage, flag_is_on
from holdfast.calendars.advice import advice_on
from holdfast.calendars.connections import (
    Calendar,
    ConnectionState,
    ProviderName,
    calendars_of,
    find_connection,
)
from holdfast.calendars.overview import policy_of
from holdfast.calendars.port import Access, CalendarError, Provider, RemoteCalendar, Window
from holdfast.calendars.providers import Providers, openings
from holdfast.doctor.findings import Finding, ok, warning
from holdfast.kernel.database import Database
from holdfast.kernel.privacy import Keyring
from holdfast.kernel.sql import load

_SQL = load("holdfast.doctor")

_PATIENCE_SECONDS: Final = 30
_AT_ONCE: Final = 8
_DAY_SECONDS: Final = 86_400
_NO_CLIENT: Final = (
    "Set HOLDFAST_GOOGLE_CLIENT_ID, HOLDFAST_GOOGLE_CLIENT_SECRET and HOLDFAST_PUBLIC_URL, here and for"
    " servers and workers."
)
# The provider sends a message as soon as a channel is there.
_TOLD_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class Known:
    """A connection, and whose it is."""

    business_id: UUID
    id: UUID


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel that has not ended; `silent` when the provider has told nothing though it had the time to."""

    calendar_id: UUID
    silent: bool


def examine_calendars(session: Session, settings: config.Settings, dsn: str, master_key: bytes) -> Iterator[Finding]:
    """Yield what there is to say of each connection, in the order in which they were made; asks its provider.

    A token that has run out is renewed, as any look does; nothing else changes. Names and secrets are not told.
    """
    google = settings.calendars.google
    if google.client_id is not None and settings.calendars.public_url is None:
        advice = "Set HOLDFAST_PUBLIC_URL to the address of this server as the world knows it."
        yield warning("calendars", "there is a client at Google, and no way back from there", advice)
    with session.cursor(row_factory=class_row(Known)) as cursor:
        known = cursor.execute(_SQL["calendar_connections"]).fetchall()
    with session.cursor(row_factory=class_row(Channel)) as cursor:
        channels = {
            each.calendar_id: each
            for each in cursor.execute(_SQL["calendar_channels"], {"seconds": _TOLD_SECONDS}).fetchall()
        }
    if known:
        yield from asyncio.run(_examined(settings, dsn, master_key, known, channels))


async def _examined(
    settings: config.Settings, dsn: str, master_key: bytes, known: list[Known], channels: dict[UUID, Channel]
) -> list[Finding]:
    database = Database(
        config.application_dsn(settings, dsn),
        min_connections=1,
        max_connections=_AT_ONCE,
        pooler=settings.pooler,
        keyring=Keyring(master_key, config.application_dsn(settings, dsn)),
    )
    await database.open()
    providers = Providers(openings(settings.calendars, database))
    turns = asyncio.Semaphore(_AT_ONCE)

    async def one(each: Known) -> list[Finding]:
        async with turns:
            return await _examine(settings, database, providers, each, channels)

    try:
        return [finding for found in await asyncio.gather(*map(one, known)) for finding in found]
    finally:
        await database.close()


async def _examine(
    settings: config.Settings, database: Database, providers: Providers, known: Known, channels: dict[UUID, Channel]
) -> list[Finding]:
    async with database.transaction(known.business_id) as tx:
        connection = await find_connection(tx, known.id)
        calendars = [each for each in await calendars_of(tx, known.id) if each.blocks or each.exports]
        enabled = await flag_is_on(tx, GCAL_INTEGRATION, Stage(settings.stage))
        freshness = (await policy_of(tx)).freshness_minutes
    name = f"{connection.provider} {connection.id}"
    details = {"business": str(known.business_id), "connection": str(known.id)}
    if connection.provider is ProviderName.GOOGLE and not enabled:
        return [ok("calendars", f"{name}: switched off by gcal_integration_enabled, nothing is asked", **details)]
    if connection.state is not ConnectionState.CONNECTED:
        code = "needs_reconnect" if connection.state is ConnectionState.NEEDS_RECONNECT else connection.error_code
        return [warning("calendars", f"{name}: {connection.state}", advice_on(code or "refused") or "", **details)]
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS), providers.opened(known.business_id, connection) as provider:
            wrong = [each async for each in _wrong(provider, calendars)]
            pushes = provider.pushes and settings.calendars.public_url is not None
    except CalendarError as error:
        advice = advice_on(error.code) or ""
        if connection.provider is ProviderName.GOOGLE and not settings.calendars.google_is_configured:
            advice = _NO_CLIENT
        return [warning("calendars", f"{name}: {error.code}", advice, **details)]
    except TimeoutError:
        return [warning("calendars", f"{name}: unreachable", advice_on("unreachable") or "", **details)]
    wrong += _late(calendars, freshness)
    if pushes:
        wrong += _untold(calendars, channels)
    if wrong:
        return [warning("calendars", f"{name}: {what}", advice, **details) for what, advice in wrong]
    return [ok("calendars", f"{name}: all calendars in use answer ({len(calendars)})", **details)]


async def _wrong(provider: Provider, calendars: list[Calendar]) -> AsyncIterator[tuple[str, str]]:
    """Yield what is wrong with the calendars in use, and what to do: each is looked for, and a day of it is read."""
    listed = {remote.remote_id: remote for remote in await provider.calendars()}
    for calendar in calendars:
        remote = listed.get(calendar.remote_id)
        if remote is None:
            yield f"calendar {calendar.id} is not there any more", advice_on("calendar_gone") or ""
            continue
        if calendar.exports and remote.access is not Access.WRITE:
            advice = "Give the account the right to change events, or let another calendar receive appointments."
            yield f"calendar {calendar.id} receives appointments and cannot be written to", advice
        try:
            await _read(provider, calendar, remote)
        except CalendarError as error:
            yield f"calendar {calendar.id} cannot be read: {error.code}", advice_on(error.code) or ""


async def _read(provider: Provider, calendar: Calendar, remote: RemoteCalendar) -> None:
    now = int(datetime.now(UTC).timestamp())
    window = Window(now, now + _DAY_SECONDS)
    if remote.access is Access.FREE_BUSY:
        await provider.busy([calendar.remote_id], window)
        return
    async for _ in provider.changes(calendar.remote_id, calendar.timezone or "UTC", None, window):
        return


def _late(calendars: list[Calendar], freshness_minutes: int) -> list[tuple[str, str]]:
    """Return which calendars were not seen for longer than the business allows though they answer now."""
    now = datetime.now(UTC)
    late = []
    for calendar in calendars:
        seen = calendar.last_success_at
        minutes = None if seen is None else (now - seen).total_seconds() / 60
        if minutes is None or minutes > freshness_minutes:
            how = "was never seen" if minutes is None else f"was not seen for {minutes:.0f} minutes"
            late.append((f"calendar {calendar.id} {how}", "Look for a running worker, and into its log."))
    return late


def _untold(calendars: list[Calendar], channels: dict[UUID, Channel]) -> list[tuple[str, str]]:
    """Return of which calendars nobody tells us, so that changes are seen every quarter of an hour only."""
    untold = []
    for calendar in calendars:
        channel = channels.get(calendar.id)
        if calendar.access is Access.FREE_BUSY or (channel is not None and not channel.silent):
            continue
        what = "has no channel for messages" if channel is None else "has a channel on which nothing was ever told"
        advice = (
            "HOLDFAST_PUBLIC_URL has to lead here from the internet by https with a certificate that Google trusts."
            " Without messages the calendar is looked at every quarter of an hour."
        )
        untold.append((f"calendar {calendar.id} {what}", advice))
    return untold
