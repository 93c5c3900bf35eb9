"""What the worker does for mail all the time, beside its jobs: a server of mail that is slow holds up none of those."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog

from holdfast.kernel.database import Database
from holdfast.notifications.composing import Desk
from holdfast.notifications.feed import SHORTLY, feed, look_after_left, remind
from holdfast.notifications.mailer import Mailer
from holdfast.notifications.sending import ServerAway, send_due

log = structlog.get_logger(__name__)

# So long what has happened waits at most before it is told, when nothing else is due.
_SECONDS: Final = 2.0
# Each so many times reminders are looked for, and far back.
_SELDOM: Final = 15
_MOST_AWAY_SECONDS: Final = 60.0
# What is being said to a server of mail is said to its end, within the time that a worker has to stop.
_LAST_SECONDS: Final = 6.0


@asynccontextmanager
async def mail_kept_up(database: Database, desk: Desk) -> AsyncIterator[None]:
    """Find what there is to tell and send what is due, beside the body, until it ends.

    A message that is on its way then is brought to its end if that takes no more than some seconds.
    """
    stop = asyncio.Event()
    tasks = [asyncio.create_task(_find(database, desk, stop)), asyncio.create_task(_send(database, desk, stop))]
    try:
        yield
    finally:
        stop.set()
        _, late = await asyncio.wait(tasks, timeout=_LAST_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _find(database: Database, desk: Desk, stop: asyncio.Event) -> None:
    can_mail = desk.settings.server is not None
    number = 0
    while not stop.is_set():
        try:
            if number % _SELDOM:
                await feed(database, can_mail=can_mail, look_back=SHORTLY)
            else:
                await feed(database, can_mail=can_mail)
                await remind(database, can_mail=can_mail)
                await look_after_left(database)
            number += 1
        except Exception as failure:  # noqa: BLE001 - the database may be away; it comes back
            log.warning("messages_not_found", error=type(failure).__name__)
        await _pause(stop, _SECONDS)


async def _send(database: Database, desk: Desk, stop: asyncio.Event) -> None:
    mailer = Mailer(desk.settings) if desk.settings.server is not None else None
    away = 0.0
    try:
        while not stop.is_set():
            found = 0
            try:
                found = await send_due(database, desk, mailer, stop)
                away = 0.0
            except ServerAway as reason:
                # Each further attempt is one message's: the others wait until the server is back.
                away = min(_MOST_AWAY_SECONDS, max(2 * away, _SECONDS))
                log.warning("mail_server_away", reason=reason.reason, seconds=away)
            except Exception as failure:  # noqa: BLE001 - the database may be away; it comes back
                log.warning("messages_not_sent", error=type(failure).__name__)
            if not found:
                await _pause(stop, max(away, _SECONDS))
    finally:
        if mailer is not None:
            await mailer.close()


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
