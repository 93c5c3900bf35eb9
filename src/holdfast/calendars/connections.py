"""Accounts at providers and their calendars, as they are stored: secrets and names sealed."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from holdfast.calendars.port import Access, NeedsReconnect, Refused
from holdfast.calendars.tasks import NEEDS_RECONNECT, STOPPED
from holdfast.kernel.attention import Severity, raise_item
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound
from holdfast.kernel.privacy import TenantKeys
from holdfast.kernel.sql import load

_SQL = load(__package__)

_SEALED_OF_CONNECTION = ("account", "address", "password", "access_token", "refresh_token")
_SEALED_OF_CALENDAR = ("remote_id", "name", "sync_point")


class ProviderName(StrEnum):
    """Who keeps a calendar. A migration knows the same words."""

    GOOGLE = "google"
    CALDAV = "caldav"
    ICS = "ics"


class ConnectionState(StrEnum):
    """Whether a connection works. A migration knows the same words."""

    CONNECTED = "connected"
    # What was granted is void; the owner has to connect again.
    NEEDS_RECONNECT = "needs_reconnect"
    # The provider refuses; nothing is asked until the owner says so.
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Tokens:
    """What Google has granted; the refresh token is None where it was kept from before."""

    access_token: str
    expires_at: datetime
    refresh_token: str | None

    def __repr__(self) -> str:
        return f"Tokens({self.expires_at})"


@dataclass(frozen=True, slots=True)
class Connection:
    """An account at a provider. Its secrets are no part of its representation."""

    id: UUID
    resource_id: UUID
    provider: ProviderName
    state: ConnectionState
    account: str | None
    address: str | None
    password: str | None
    access_token: str | None
    access_token_expires_at: datetime | None
    refresh_token: str | None
    error_code: str | None
    created_at: datetime
    connected_at: datetime

    def __repr__(self) -> str:
        return f"Connection({self.id}, {self.provider}, {self.state})"


@dataclass(frozen=True, slots=True)
class Calendar:
    """A calendar of a connection: whether it blocks time, whether appointments are exported to it, how it is known."""

    id: UUID
    connection_id: UUID
    resource_id: UUID
    remote_id: str
    name: str
    timezone: str | None
    access: Access
    blocks: bool
    exports: bool
    sync_point: str | None
    window_ends_at: datetime | None
    next_sync_at: datetime
    last_attempt_at: datetime | None
    last_success_at: datetime | None
    failures: int
    error_code: str | None
    events_seen: int | None

    def __repr__(self) -> str:
        return f"Calendar({self.id})"


async def connections_of(tx: Transaction) -> list[Connection]:
    """Return the connections of the business, the oldest first."""
    rows = await tx.rows(_SQL["connections"], {"business_id": tx.business_id, "id": None})
    keys = await tx.keys()
    return [_connection(keys, row) for row in rows]


async def find_connection(tx: Transaction, connection_id: UUID, *, lock: bool = False) -> Connection:
    """Return a connection of the business; with `lock` nobody else changes it until the end of the transaction.

    Raises NotFound.
    """
    values = {"business_id": tx.business_id, "id": connection_id}
    if lock:
        await lock_connection(tx, connection_id)
    rows = await tx.rows(_SQL["connections"], values)
    if not rows:
        raise NotFound
    return _connection(await tx.keys(), rows[0])


async def lock_connection(tx: Transaction, connection_id: UUID) -> None:
    """Keep a connection from being changed until the end of the transaction.

    Before any row of its calendars and of their events: that is the order in which everybody locks them.
    """
    await tx.run(_SQL["lock_connection"], {"business_id": tx.business_id, "id": connection_id})


async def calendars_of(tx: Transaction, connection_id: UUID | None = None) -> list[Calendar]:
    """Return the calendars of a connection, or of the whole business, in the order in which they were found."""
    values = {"business_id": tx.business_id, "connection_id": connection_id, "id": None}
    rows = await tx.rows(_SQL["calendars"], values)
    keys = await tx.keys()
    return [_calendar(keys, row) for row in rows]


async def find_calendar(tx: Transaction, calendar_id: UUID) -> Calendar:
    """Return a calendar of the business; raises NotFound."""
    values = {"business_id": tx.business_id, "connection_id": None, "id": calendar_id}
    rows = await tx.rows(_SQL["calendars"], values)
    if not rows:
        raise NotFound
    return _calendar(await tx.keys(), rows[0])


async def put_tokens(tx: Transaction, connection_id: UUID, tokens: Tokens) -> None:
    """Keep what was granted; a grant without refresh token leaves the one that is there."""
    keys = await tx.keys()
    refresh = tokens.refresh_token
    await tx.run(
        _SQL["put_tokens"],
        {
            "business_id": tx.business_id,
            "id": connection_id,
            "access_token": keys.seal("calendar_connections.access_token", connection_id, tokens.access_token),
            "expires_at": tokens.expires_at,
            "refresh_token": refresh and keys.seal("calendar_connections.refresh_token", connection_id, refresh),
        },
    )


async def set_state(
    tx: Transaction, connection_id: UUID, state: ConnectionState, error_code: str | None = None
) -> bool:
    """Say whether a connection works and, if not, why, in a word; return whether that is news."""
    values = {"business_id": tx.business_id, "id": connection_id, "state": state, "error_code": error_code}
    return bool(await tx.run(_SQL["set_state"], values))


async def stop_asking(tx: Transaction, seen: Connection, failure: NeedsReconnect | Refused) -> None:
    """Have nothing more asked of a connection that does not work, and tell staff: once, however many find it out.

    Nothing happens when it is gone, or when its owner has connected it again since it was seen.
    """
    state, kind = (
        (ConnectionState.NEEDS_RECONNECT, NEEDS_RECONNECT)
        if isinstance(failure, NeedsReconnect)
        else (ConnectionState.STOPPED, STOPPED)
    )
    try:
        now = await find_connection(tx, seen.id, lock=True)
    except NotFound:
        return
    if now.connected_at == seen.connected_at and await set_state(tx, seen.id, state, failure.code):
        await raise_item(tx, kind, seen.id, Severity.URGENT, provider=seen.provider.value)


def _connection(keys: TenantKeys, row: dict[str, Any]) -> Connection:
    opened = _opened(keys, "calendar_connections", _SEALED_OF_CONNECTION, row)
    words = {"provider": ProviderName(row["provider"]), "state": ConnectionState(row["state"])}
    return Connection(**row | opened | words)


def _calendar(keys: TenantKeys, row: dict[str, Any]) -> Calendar:
    opened = _opened(keys, "calendars", _SEALED_OF_CALENDAR, row)
    return Calendar(**row | opened | {"access": Access(row["access"])})


def _opened(keys: TenantKeys, table: str, names: tuple[str, ...], row: dict[str, Any]) -> dict[str, str | None]:
    return {
        name: None if row[name] is None else keys.open(f"{table}.{name}", row["id"], bytes(row[name])) for name in names
    }
