"""Looks at calendars: who looks, from where on, and what has come of it. Two workers never look at one calendar."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from holdfast.administration import settings
from holdfast.administration.settings import (
    CALENDAR_FRESHNESS_MINUTES,
    CALENDAR_TENTATIVE,
    GCAL_INTEGRATION,
    Stage,
)
from holdfast.calendars import patience, tasks
from holdfast.calendars.connections import (
    Calendar,
    Connection,
    ProviderName,
    calendars_of,
    find_calendar,
    find_connection,
    lock_connection,
    stop_asking,
)
from holdfast.calendars.measures import SYNCS
from holdfast.calendars.port import (
    CalendarError,
    CalendarGone,
    FeedBroken,
    NeedsReconnect,
    Refused,
    Unreachable,
    Window,
)
from holdfast.kernel.attention import Severity, raise_item, settle
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.patience import after_failure
from holdfast.kernel.sql import load

_SQL = load("holdfast.calendars", "mirror.sql")

# Longer than a page takes, by far; so long a calendar waits for another worker when the one that looks has died.
LEASE_SECONDS = 300
_DAY = timedelta(days=1)
# What is seen reaches so far ahead, and is seen anew when less is left.
HORIZON = 396 * _DAY
_LEAST_AHEAD = 365 * _DAY


class LeaseLost(Exception):
    """Somebody else looks at this calendar by now, or it is gone: nothing more may be written about it."""


@dataclass(frozen=True, slots=True)
class Look:
    """A calendar that is being looked at, as it was when the look began.

    `sync_point` is where it goes on, None when everything is looked at.
    """

    lease: UUID
    business_id: UUID
    connection: Connection
    calendar: Calendar
    timezone: str
    tentative_blocks: bool
    sync_point: str | None
    window: Window

    def anew(self, now: datetime) -> "Look":
        """Return the look at everything that follows on one that found its sync point forgotten."""
        return Look(
            self.lease,
            self.business_id,
            self.connection,
            self.calendar,
            self.timezone,
            self.tentative_blocks,
            None,
            _window(now, None),
        )


async def begin(database: Database, business_id: UUID, calendar_id: UUID, stage: Stage) -> list[Look]:
    """Take hold of a calendar; of one that tells nothing but busy time, with all such of its connection.

    Empty when somebody else looks at it, or when nobody may: it is used for nothing, its connection does not work, or
    calendars of Google are not to be asked at all.
    """
    lease = uuid4()
    async with database.transaction(business_id) as tx:
        values = {"business_id": business_id, "id": calendar_id, "lease": lease, "seconds": LEASE_SECONDS}
        claimed = {row["id"]: row for row in await tx.rows(_SQL["claim"], values)}
        if not claimed:
            return []
        asked = await find_calendar(tx, calendar_id)
        connection = await find_connection(tx, asked.connection_id)
        together = [asked] if claimed.keys() == {asked.id} else await calendars_of(tx, connection.id)
        calendars = [each for each in together if each.id in claimed]
        if connection.provider is ProviderName.GOOGLE and not await settings.flag_is_on(tx, GCAL_INTEGRATION, stage):
            for calendar in calendars:
                await _give_back(tx, calendar.id, lease, patience.after_success())
            return []
        blocks = await settings.read(tx, CALENDAR_TENTATIVE) == "busy"
        return [_look(lease, business_id, connection, each, claimed[each.id], tentative=blocks) for each in calendars]


def _look(
    lease: UUID,
    business_id: UUID,
    connection: Connection,
    calendar: Calendar,
    claimed: dict[str, object],
    *,
    tentative: bool,
) -> Look:
    now = datetime.now(UTC)
    ends_at = calendar.window_ends_at
    goes_on = (
        calendar.sync_point is not None
        and ends_at is not None
        and ends_at >= now + _LEAST_AHEAD
        and claimed["tentative_blocks"] == tentative
    )
    return Look(
        lease,
        business_id,
        connection,
        calendar,
        str(claimed["timezone"]),
        tentative,
        calendar.sync_point if goes_on else None,
        _window(now, ends_at if goes_on else None),
    )


def _window(now: datetime, ends_at: datetime | None) -> Window:
    """Return from yesterday to where the horizon was, or is now. The same all day, so that nothing seems to change."""
    start = now.replace(hour=0, minute=0, second=0, microsecond=0) - _DAY
    return Window(int(start.timestamp()), int((ends_at or start + HORIZON).timestamp()))


async def renew(tx: Transaction, look: Look, seen: int) -> None:
    """Go on with a look, and say how many events it has seen; raises LeaseLost."""
    values = _key(look) | {"seconds": LEASE_SECONDS, "seen": seen}
    if not await tx.run(_SQL["renew"], values):
        raise LeaseLost


async def hold(tx: Transaction, look: Look) -> None:
    """Keep everybody else from the calendar until the end of the transaction; raises LeaseLost."""
    if not await tx.run(_SQL["hold"], _key(look)):
        raise LeaseLost


async def succeed(tx: Transaction, look: Look, sync_point: str | None, timezone: str | None = None) -> None:
    """Say that a look has seen everything, and where the next one goes on; what stood in the inbox is settled.

    Where the calendar is in another zone by now, that is known from here on. This is the one write of a look that
    finds nothing new, besides the one by which it began: both are of the row of the calendar alone, whose times of
    attempt and success tell how fresh it is.
    """
    calendar = look.calendar
    keys = await tx.keys()
    keeps_point = sync_point == calendar.sync_point
    sealed = None if sync_point is None or keeps_point else keys.seal("calendars.sync_point", calendar.id, sync_point)
    values = {
        "keeps_point": keeps_point,
        "sync_point": sealed,
        "timezone": timezone,
        "window_ends_at": datetime.fromtimestamp(look.window.end, UTC),
        "tentative_blocks": look.tentative_blocks,
        "wait": patience.after_success(spread=_is_late(calendar)),
    }
    if not await tx.run(_SQL["succeed"], _key(look) | values):
        raise LeaseLost
    SYNCS.add(look.connection.provider, "ok")
    settled = (tasks.STALE,) if calendar.error_code is None else (tasks.STALE, tasks.UNREADABLE, tasks.GONE)
    for kind in settled:
        await settle(tx, kind, calendar.id)


async def fail(database: Database, look: Look, failure: CalendarError) -> None:
    """Say why a look has seen nothing, before staff where it needs one of them, and when to try again.

    What was mirrored stays and blocks. Nothing is said by one who has lost the lease.
    """
    calendar = look.calendar
    retry_after = failure.retry_after if isinstance(failure, Unreachable) else None
    values = {
        "error_code": failure.code,
        "wait": after_failure(calendar.failures + 1, retry_after),
    }

    async def note(tx: Transaction) -> bool:
        if isinstance(failure, NeedsReconnect | Refused):
            await lock_connection(tx, look.connection.id)
        if not await tx.run(_SQL["fail"], _key(look) | values):
            return False
        if isinstance(failure, NeedsReconnect | Refused):
            await stop_asking(tx, look.connection, failure)
        elif isinstance(failure, CalendarGone):
            await raise_item(tx, tasks.GONE, calendar.id, Severity.URGENT)
        elif isinstance(failure, FeedBroken):
            await raise_item(tx, tasks.UNREADABLE, calendar.id, Severity.WARNING)
        since = calendar.last_success_at or look.connection.connected_at
        minutes = int(await settings.read(tx, CALENDAR_FRESHNESS_MINUTES))
        # From here on its times are hidden, or kept at the risk of the business.
        if calendar.blocks and datetime.now(UTC) - since > timedelta(minutes=minutes):
            await raise_item(tx, tasks.STALE, calendar.id, Severity.WARNING, since=since)
        return True

    if await database.run(look.business_id, note):
        SYNCS.add(look.connection.provider, failure.code)


async def give_back(database: Database, looks: Sequence[Look]) -> None:
    """Let go of calendars that could not be looked at for a reason of ours, so that the next worker need not wait."""
    async with database.transaction(looks[0].business_id) as tx:
        for look in looks:
            await _give_back(tx, look.calendar.id, look.lease, 0)


async def nudge(tx: Transaction, calendar_id: UUID) -> None:
    """Have a calendar looked at soon: something may have changed there. However often that is said, it is one look.

    When one is under way there is another one after it. A calendar that fails is not asked sooner than it may be.
    """
    await tx.run(_SQL["nudge"], {"business_id": tx.business_id, "id": calendar_id})


async def due(database: Database, limit: int) -> list[tuple[UUID, UUID]]:
    """Return the calendars that somebody has to look at now, with their businesses; the longest waiting first."""
    async with database.transaction() as tx:
        return [(row["business_id"], row["id"]) for row in await tx.rows(_SQL["calendars_due"], {"limit": limit})]


async def _give_back(tx: Transaction, calendar_id: UUID, lease: UUID, wait: float) -> None:
    values = {"business_id": tx.business_id, "id": calendar_id, "lease": lease, "wait": wait}
    await tx.run(_SQL["give_back"], values)


def _is_late(calendar: Calendar) -> bool:
    """Tell whether a calendar was not looked at when it should have been: others were not, and come with it."""
    last = calendar.last_success_at
    return last is None or datetime.now(UTC) - last > timedelta(seconds=1.2 * patience.POLL_SECONDS)


def _key(look: Look) -> dict[str, object]:
    return {"business_id": look.business_id, "id": look.calendar.id, "lease": look.lease}
