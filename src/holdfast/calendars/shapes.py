"""The shapes in which calendars travel over the API."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from holdfast.calendars.advice import advice_on
from holdfast.calendars.connections import Calendar, ConnectionState
from holdfast.calendars.overview import CalendarState, ConnectionOverview, Policy
from holdfast.kernel.http import Line, worded

Address = Annotated[
    str,
    msgspec.Meta(
        max_length=2_000,
        pattern=worded(
            r"^[A-Za-z]+://[^\s\x00-\x1f\x7f]+$(?![\s\S])", "must be an address like https://example.org/calendar"
        ),
    ),
]


class CaldavBody(msgspec.Struct, rename="camel", kw_only=True):
    """An account at a server of CalDAV. The password is best one for this server alone; it is never told again."""

    resource_id: UUID
    address: Address
    account: Line
    password: Line


class FeedBody(msgspec.Struct, rename="camel", kw_only=True):
    """A calendar file at an address, which may be a secret and is never told again."""

    resource_id: UUID
    address: Address


class ChoiceBody(msgspec.Struct, rename="camel", kw_only=True):
    """What a calendar is for; null or nothing leaves it as it is."""

    blocks: bool | None = None
    exports: bool | None = None


class ConnectedView(msgspec.Struct, rename="camel", kw_only=True):
    """The connection, which is the one that was there when the same account is connected again."""

    connection_id: UUID


class DisconnectedView(msgspec.Struct, rename="camel", kw_only=True):
    """What became of what was left at the provider: null where there was nothing to do.

    `accessRevoked` is false too where another connection needs the access still. `eventsLeft` are events to come that
    should have been removed and still are in the calendar. What failed is in `problems`, in words.
    """

    channels_stopped: bool | None
    access_revoked: bool | None
    events_removed: int
    events_left: int
    problems: list[str]


class ChosenView(msgspec.Struct, rename="camel", kw_only=True):
    """A calendar and what it is for."""

    id: UUID
    connection_id: UUID
    name: str
    access: str
    blocks: bool
    exports: bool

    @classmethod
    def of(cls, calendar: Calendar) -> "ChosenView":
        """Return what is shown of a calendar."""
        return msgspec.convert(calendar, cls, from_attributes=True)


class CalendarView(msgspec.Struct, rename="camel", kw_only=True):
    """A calendar of an account and how it is.

    `lagSeconds` is how long ago it was last seen, null while it never was. `eventsSeen` tells how far a look has come
    that is under way. `toldUntil` is until when the provider tells of changes by itself; otherwise it is asked every
    quarter of an hour.
    """

    id: UUID
    name: str
    timezone: str | None
    access: str
    blocks: bool
    exports: bool
    last_sync_at: datetime | None
    last_attempt_at: datetime | None
    next_sync_at: datetime | None
    lag_seconds: int | None
    events_seen: int | None
    told_until: datetime | None
    failures: int
    error_code: str | None
    advice: str | None


class ConnectionView(msgspec.Struct, rename="camel", kw_only=True):
    """An account and how its calendars are.

    `lagSeconds` is that of the calendar in use which was seen longest ago. `stale` says that the freshness of the
    business is over, so that its policy applies. `advice` says what to do, null when nothing is.
    """

    id: UUID
    provider: str
    resource_id: UUID
    account: str | None
    address: str | None
    state: str
    needs_reconnect: bool
    error_code: str | None
    advice: str | None
    connected_at: datetime
    last_sync_at: datetime | None
    next_sync_at: datetime | None
    lag_seconds: int | None
    stale: bool
    exports_waiting: int
    calendars: list[CalendarView]


class GoogleView(msgspec.Struct, rename="camel", kw_only=True):
    """Whether calendars of Google can be connected here: the flag is on, and the server has a client at Google."""

    enabled: bool
    configured: bool


class IntegrationsView(msgspec.Struct, rename="camel", kw_only=True):
    """The connections of the business, the oldest first, and what happens while a calendar does not answer.

    `outage`: with `hide` the times of whoever's calendar was not seen for `freshnessMinutes` are not offered, with
    `keep` they are.
    """

    google: GoogleView
    outage: str
    freshness_minutes: int
    connections: list[ConnectionView]
    next_cursor: str | None


def connection_view(connection: ConnectionOverview, policy: Policy) -> ConnectionView:
    """Return what is shown of a connection."""
    used = connection.used
    seen = [calendar.last_success_at for calendar in used]
    lags = [calendar.lag_seconds for calendar in used]
    works = connection.state is ConnectionState.CONNECTED
    failing = [calendar.error_code for calendar in used if calendar.error_code is not None]
    error_code = connection.error_code or (failing[0] if failing else None)
    return ConnectionView(
        id=connection.id,
        provider=connection.provider,
        resource_id=connection.resource_id,
        account=connection.account,
        address=connection.address,
        state=connection.state,
        needs_reconnect=connection.state is ConnectionState.NEEDS_RECONNECT,
        error_code=error_code,
        advice=advice_on(connection.state if connection.state is ConnectionState.NEEDS_RECONNECT else error_code),
        connected_at=connection.connected_at,
        last_sync_at=min((at for at in seen if at is not None), default=None) if None not in seen else None,
        next_sync_at=min((calendar.next_sync_at for calendar in used), default=None) if works else None,
        lag_seconds=max((int(lag) for lag in lags if lag is not None), default=None) if None not in lags else None,
        stale=any(calendar.blocks and calendar.unknown_seconds > policy.freshness_minutes * 60 for calendar in used),
        exports_waiting=connection.exports_waiting,
        calendars=[_calendar_view(calendar, works=works) for calendar in connection.calendars],
    )


def _calendar_view(calendar: CalendarState, *, works: bool) -> CalendarView:
    in_use = calendar.blocks or calendar.exports
    return CalendarView(
        id=calendar.id,
        name=calendar.name,
        timezone=calendar.timezone,
        access=calendar.access,
        blocks=calendar.blocks,
        exports=calendar.exports,
        last_sync_at=calendar.last_success_at,
        last_attempt_at=calendar.last_attempt_at,
        next_sync_at=calendar.next_sync_at if in_use and works else None,
        lag_seconds=None if calendar.lag_seconds is None else int(calendar.lag_seconds),
        events_seen=calendar.events_seen,
        told_until=calendar.told_until,
        failures=calendar.failures,
        error_code=calendar.error_code,
        advice=advice_on(calendar.error_code),
    )
