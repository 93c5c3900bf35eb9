"""What there is to tell other programs: found by the worker in the outbox, numbered, and put on its way.

Runs look back over what the last ones have read, from time to time further than any transaction lives, since an event
may be committed later than others whose time is after its own. What is in the log already is passed over.
"""

from datetime import timedelta
from typing import Any, Final

from holdfast.kernel.database import Database
from holdfast.kernel.sql import load
from holdfast.webhooks.log import LATE_MINUTES

_SQL = load(__package__)

FAR: Final = timedelta(minutes=LATE_MINUTES)
# Enough for a transaction that is not out of the ordinary; looked at again and again.
SHORTLY: Final = timedelta(minutes=1)
_AT_ONCE: Final = 1_000
# What has come of a delivery is of use for so long.
_KEPT_DAYS: Final = 30
_FORGOTTEN_AT_ONCE: Final = 5_000


async def feed(database: Database, *, look_back: timedelta = FAR) -> int:
    """Enter what has happened at all businesses into their logs, and put it on its way; return how many events."""
    async with database.transaction() as tx:
        [begun] = await tx.rows(_SQL["begin_event_feed"])
    # Clocks are put back at times, or are those of another machine after a failover.
    since = min(begun["read_until"], begun["now"]) - look_back
    values: dict[str, Any] = {"since": since, "at": None, "last": None, "limit": _AT_ONCE}
    total = 0
    while True:
        async with database.transaction() as tx:
            [page] = await tx.rows(_SQL["log_events"], values)
        total += int(page["found"])
        if page["found"] < _AT_ONCE:
            break
        values |= {"at": page["last_at"], "last": page["last_id"]}
    async with database.transaction() as tx:
        await tx.run(_SQL["end_event_feed"], {"read_until": begun["now"]})
    return total


async def forget(database: Database) -> int:
    """Forget deliveries that ended a month ago, and secrets that sign no more; return how many deliveries."""
    async with database.transaction() as tx:
        await tx.value(_SQL["forget_former_webhook_secrets"])
    values = {"days": _KEPT_DAYS, "limit": _FORGOTTEN_AT_ONCE}
    total = 0
    while True:
        async with database.transaction() as tx:
            count = int(await tx.value(_SQL["forget_webhook_deliveries"], values))
        total += count
        if count < _FORGOTTEN_AT_ONCE:
            return total
