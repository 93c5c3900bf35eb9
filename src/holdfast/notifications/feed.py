"""What there is to tell: found by the worker from the events of the outbox, and from what begins soon.

Runs look back over what the last ones have read, from time to time further than any transaction lives, since an event
may be committed later than others whose time is after its own. What is written down already is passed over.
"""

from datetime import timedelta
from typing import Any, Final

import structlog

from holdfast.administration.settings import MESSAGE_DAYS, REMINDER_HOURS
from holdfast.kernel.database import Database, is_away
from holdfast.notifications import messages
from holdfast.notifications.measures import MESSAGES
from holdfast.notifications.messages import queries

log = structlog.get_logger(__name__)

_LOOK_BACK: Final = timedelta(minutes=10)
# Enough for a transaction that is not out of the ordinary; looked at again and again.
SHORTLY: Final = timedelta(minutes=1)
_AT_ONCE: Final = 500
# Longer than a server of mail is waited for, whatever it does.
LEFT_SECONDS: Final = 600


async def feed(database: Database, *, can_mail: bool, look_back: timedelta = _LOOK_BACK) -> int:
    """Write down what is to be told of the events of all businesses; return of how many events.

    Where no mail can be sent, it is written down as suppressed. Who comes by often need not look far back each time.
    """
    async with database.transaction() as tx:
        [begun] = await tx.rows(queries["begin_message_feed"])
    values: dict[str, Any] = {"since": begun["read_until"] - look_back, "at": None, "last": None, "limit": _AT_ONCE}
    total = 0
    while True:
        async with database.transaction() as tx:
            [page] = await tx.rows(queries["queue_messages"], values | {"mail": can_mail})
        total += int(page["found"])
        if page["too_old"]:
            log.warning("messages_too_old", count=page["too_old"])
        if page["found"] < _AT_ONCE:
            break
        values |= {"at": page["last_at"], "last": page["last_id"]}
    async with database.transaction() as tx:
        await tx.run(queries["end_message_feed"], {"read_until": begun["now"]})
    return total


async def remind(database: Database, *, can_mail: bool) -> int:
    """Write down who is to be reminded by now of what begins soon; return how many."""
    values = {
        "hours": REMINDER_HOURS.default,
        "most": REMINDER_HOURS.choice[1],
        "limit": _AT_ONCE,
        "mail": can_mail,
    }
    async with database.transaction() as tx:
        return int(await tx.value(queries["queue_reminders"], values))


async def look_after_left(database: Database) -> int:
    """Write down of what somebody has died over that it may have been sent, and tell staff; return how many.

    It is never sent again by itself.
    """
    async with database.transaction() as tx:
        left = await tx.rows(queries["messages_left"], {"seconds": LEFT_SECONDS, "limit": _AT_ONCE})
    lost = 0
    for row in left:
        try:
            async with database.transaction(row["business_id"]) as tx:
                message = await messages.lock(tx, row["id"])
                if message is not None and await messages.lose(tx, message):
                    lost += 1
                    MESSAGES.add(message.kind, "unknown")
        except Exception as failure:
            if is_away(failure):
                raise
            log.exception("message_not_looked_after", message_id=str(row["id"]))
    if lost:
        log.warning("messages_unknown", count=lost)
    return lost


async def forget(database: Database) -> int:
    """Forget to whom messages went and what they said, after the days that each business has set; return how many."""
    values = {"days": MESSAGE_DAYS.default, "limit": _AT_ONCE}
    total = 0
    while True:
        async with database.transaction() as tx:
            count = int(await tx.value(queries["forget_messages"], values))
        total += count
        if count < _AT_ONCE:
            return total
