"""Transactions that meet: one is held open, another runs into it."""

import asyncio
from typing import Any

import psycopg


async def met(app_uri: str, pid: int, call: asyncio.Task[Any]) -> None:
    """Return when a call waits for a lock in its backend, or has ended without."""
    async with await psycopg.AsyncConnection.connect(app_uri, autocommit=True) as watcher:
        waits = "select wait_event_type = 'Lock' from pg_stat_activity where pid = %s"
        async with asyncio.timeout(60):
            while not call.done() and await (await watcher.execute(waits, [pid])).fetchone() != (True,):
                pass
