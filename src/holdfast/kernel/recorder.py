"""What happens, told for analytics: counted in memory, written once a second, never in the way of it (D-6)."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias
from uuid import UUID

import msgspec
import psycopg
import structlog

from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.errors import OutcomeUnknown, TryLater
from holdfast.kernel.figures import Counter
from holdfast.kernel.ids import new_id
from holdfast.kernel.sql import load
from holdfast.kernel.tracking import EventRefused, Vocabulary

log = structlog.get_logger(__name__)

_SQL = load("holdfast.kernel", "recorder.sql")

# A capability declares its events here. A migration knows their names.
EVENTS = Vocabulary()

LOST = Counter(
    "holdfast_events_lost",
    "Events that were not recorded: the buffer was full, or refused",
    ("reason",),
    known=[("full",), ("refused",)],
)

# A crash loses no more than what has happened for so long.
_EVERY_SECONDS = 1
# So many different ones are kept while the database is away.
_LIMIT = 50_000
# So many are checked and written at a time: more would keep requests waiting.
_BATCH = 500

# Business, event, properties in the order in which they were given.
_Happening: TypeAlias = tuple[Any, ...]


@dataclass(slots=True)
class _Told:
    """When something first happened, on the monotonic clock, and how often since."""

    since: float
    times: int


async def tell(tx: Transaction, event: str, /, **properties: object) -> None:
    """Write an event in the transaction of what has happened: where no process keeps what it has to tell."""
    row = _row((tx.business_id, event, *properties.items()), _Told(0, 1))
    if row is not None:
        await tx.value(_SQL["record"], {"events": msgspec.json.encode([row]).decode()})


class Recorder:
    """The events of this process that are not written yet.

    What happens again with the same properties before it is written becomes one row that says how often: a herd for one
    slot leaves a handful of rows.
    """

    def __init__(self, database: Database, *, limit: int = _LIMIT) -> None:
        self._database = database
        self._limit = limit
        self._happened: dict[_Happening, _Told] = {}
        # Checked and with their ids, so that a batch whose fate is unknown can be written again.
        self._unsent: list[dict[str, Any]] = []
        self._writing = asyncio.Lock()

    def add(self, business_id: UUID, event: str, /, **properties: object) -> None:
        """Note an event; its declaration is asked when it is written, and what it does not allow is lost.

        Properties are hashable. Raises nothing and waits for nothing.
        """
        happening = (business_id, event, *properties.items())
        told = self._happened.get(happening)
        if told is not None:
            told.times += 1
        elif len(self._happened) + len(self._unsent) < self._limit:
            self._happened[happening] = _Told(time.monotonic(), 1)
        else:
            LOST.add("full")

    async def flush(self) -> None:
        """Write what has happened so far; what cannot be written now is kept for the next time."""
        async with self._writing:
            happened, self._happened = self._happened, {}
            happenings = iter(happened.items())
            try:
                while batch := list(islice(happenings, _BATCH)):
                    self._unsent += [row for happening, told in batch if (row := _row(happening, told)) is not None]
                    await self._write()
                await self._write()
            finally:
                self._unsent += [row for happening, told in happenings if (row := _row(happening, told)) is not None]

    async def _write(self) -> None:
        while self._unsent:
            rows = self._unsent[:_BATCH]
            now = time.monotonic()
            batch = [{**row, "age": now - row["age"]} for row in rows]
            try:
                async with self._database.reading() as tx:
                    known = await tx.value(_SQL["record"], {"events": msgspec.json.encode(batch).decode()})
            except (TryLater, OutcomeUnknown, psycopg.OperationalError):
                raise
            except psycopg.Error as refused:
                # The code let pass what the database refuses. It would do so for ever.
                log.exception("events_refused", events=sorted({row["name"] for row in rows}), exc_info=refused)
                known = 0
            LOST.add("refused", by=len(rows) - known)
            del self._unsent[: len(rows)]

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Write once a second while the block runs, and a last time at its end."""
        task = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            await self._flush_if_possible()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            await self._flush_if_possible()

    async def _flush_if_possible(self) -> None:
        try:
            await self.flush()
        except (TryLater, OutcomeUnknown, psycopg.OperationalError) as away:
            log.warning("events_wait", error=type(away).__name__, events=len(self._unsent))


def _row(happening: _Happening, told: _Told) -> dict[str, Any] | None:
    business_id, event, *properties = happening
    try:
        checked = EVENTS.check(event, dict(properties))
    except EventRefused as refused:
        LOST.add("refused", by=told.times)
        # The event only when it is a declared one: anything else could be anything.
        log.warning("event_refused", analytics_event=refused.details.get("event"))
        return None
    return {
        "id": str(new_id()),
        "business_id": str(business_id),
        "name": event,
        "properties": checked,
        "times": told.times,
        "age": told.since,
    }
