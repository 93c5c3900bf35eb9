"""What staff see of the calendars of their business: which are connected, how they are, what they are for (C-1)."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from holdfast.administration.settings import CALENDAR_FRESHNESS_MINUTES, CALENDAR_OUTAGE, read
from holdfast.calendars.connections import ConnectionState, ProviderName
from holdfast.calendars.port import Access
from holdfast.kernel.database import Row, Transaction
from holdfast.kernel.lists import page_of, place_of
from holdfast.kernel.privacy import TenantKeys
from holdfast.kernel.sql import load

_SQL = load("holdfast.calendars", "accounts.sql")


@dataclass(frozen=True, slots=True)
class CalendarState:
    """A calendar of an account; `lag_seconds` since it was last seen, None while it never was.

    `unknown_seconds` since then, or else since it was connected: what the freshness of the business is held against.
    """

    id: UUID
    connection_id: UUID
    name: str
    timezone: str | None
    access: Access
    blocks: bool
    exports: bool
    next_sync_at: datetime
    last_attempt_at: datetime | None
    last_success_at: datetime | None
    failures: int
    error_code: str | None
    events_seen: int | None
    lag_seconds: float | None
    unknown_seconds: float
    # Until when the provider tells of changes by itself.
    told_until: datetime | None


@dataclass(frozen=True, slots=True)
class ConnectionOverview:
    """An account with its calendars; `address` is that of a server, never that of a feed, which is a secret."""

    id: UUID
    resource_id: UUID
    provider: ProviderName
    state: ConnectionState
    account: str | None
    address: str | None
    error_code: str | None
    created_at: datetime
    connected_at: datetime
    exports_waiting: int
    calendars: list[CalendarState]

    @property
    def used(self) -> list[CalendarState]:
        """Return the calendars that are for anything."""
        return [calendar for calendar in self.calendars if calendar.blocks or calendar.exports]


@dataclass(frozen=True, slots=True)
class Policy:
    """What a business has chosen for the time in which a calendar does not answer (C-6)."""

    outage: str
    freshness_minutes: int


async def policy_of(tx: Transaction) -> Policy:
    """Return what the business has chosen."""
    return Policy(str(await read(tx, CALENDAR_OUTAGE)), int(await read(tx, CALENDAR_FRESHNESS_MINUTES)))


async def overview(tx: Transaction, *, cursor: str | None, limit: int) -> tuple[list[ConnectionOverview], str | None]:
    """Return a page of the connections of the business, the oldest first, and the cursor of the next page.

    Raises ValidationFailed for a cursor that no page has given.
    """
    at, last = place_of(cursor)
    values = {"business_id": tx.business_id, "at": at, "last": last, "limit": limit + 1}
    rows, following = page_of(
        await tx.rows(_SQL["overview"], values), limit, lambda row: (row["created_at"], row["id"])
    )
    keys = await tx.keys()
    asked = {"business_id": tx.business_id, "connection_ids": [row["id"] for row in rows]}
    calendars: dict[UUID, list[CalendarState]] = {row["id"]: [] for row in rows}
    for row in await tx.rows(_SQL["calendars_in_overview"], asked):
        name = keys.open("calendars.name", row["id"], bytes(row["name"]))
        calendar = CalendarState(**row | {"name": name, "access": Access(row["access"])})
        calendars[calendar.connection_id].append(calendar)
    return [_connection(keys, row, calendars[row["id"]]) for row in rows], following


def _connection(keys: TenantKeys, row: Row, calendars: list[CalendarState]) -> ConnectionOverview:
    provider = ProviderName(row["provider"])
    words = {
        name: None if row[name] is None else keys.open(f"calendar_connections.{name}", row["id"], bytes(row[name]))
        for name in ("account", "address")
    }
    if provider is ProviderName.ICS:
        words["address"] = None
    shown = {"provider": provider, "state": ConnectionState(row["state"]), "calendars": calendars}
    return ConnectionOverview(**row | words | shown)
