"""Backfills: bringing rows of earlier releases over to the form of this one, while it serves (D-1).

A migration changes the schema in an instant and names the backfill in the table `backfills`; the worker then goes
through the rows in batches. A batch and the position behind it are one transaction, so that a worker that is killed
repeats nothing and leaves nothing out. However many workers there are, one of them runs a batch at a time, and all of
them together keep the limit of rows a second.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
import structlog
from psycopg import Connection
from psycopg.rows import dict_row

from holdfast.kernel.database import Database, Row, Transaction
from holdfast.kernel.sql import load

log = structlog.get_logger(__name__)

_SQL = load("holdfast.kernel", "backfills.sql")

_ROWS_AT_ONCE = 200
_FIRST = UUID(int=0)
# How soon to look again after a failure, or when another worker has the batch.
_PATIENCE_SECONDS = 5.0
_LOGGED_EVERY_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Step:
    """What a batch has come to: where the next one begins, in what JSON can say, and how many rows it changed."""

    position: Any
    rows: int


# Takes a transaction of one business, the position that the batch before has returned (None at the beginning) and how
# many rows to take; returns None when there is nothing left. It must change nothing that it has brought over already.
Batch = Callable[[Transaction, Any, int], Awaitable[Step | None]]
# Takes a transaction of one business and returns how many rows it has to bring over.
Count = Callable[[Transaction], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Backfill:
    """A backfill as a capability declares it; `name` is that in the table. Businesses follow each other."""

    name: str
    batch: Batch
    count: Count


async def run_pending(database: Database, backfills: Sequence[Backfill], *, rows_per_second: int) -> bool:
    """Go on with each backfill until it is done; return whether all are, or whether another worker has some in hand.

    One that fails keeps no other from going on, and is not done.
    """
    done = True
    for backfill in backfills:
        try:
            done = await _finish(database, backfill, rows_per_second) and done
        except Exception:
            log.exception("backfill_failed", backfill=backfill.name)
            done = False
    return done


@asynccontextmanager
async def kept_running(
    database: Database, backfills: Sequence[Backfill], *, rows_per_second: int
) -> AsyncIterator[None]:
    """Run backfills beside the body until all are done; what is in flight when the body ends is rolled back."""

    async def work() -> None:
        while True:
            if await run_pending(database, backfills, rows_per_second=rows_per_second):
                return
            await asyncio.sleep(_PATIENCE_SECONDS)

    task = asyncio.create_task(work())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def pending(connection: Connection) -> list[Row]:
    """Return the backfills of a database that are not done: name, done, total, started, still_seconds."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SQL["pending_backfills"]).fetchall()


async def figures(tx: Transaction) -> list[Row]:
    """Return of every backfill: name, done, total, pending."""
    return await tx.rows(_SQL["backfill_figures"])


async def _finish(database: Database, backfill: Backfill, rows_per_second: int) -> bool:
    """Go on with a backfill until it is done; return whether it is, or whether another worker has it in hand."""
    while True:
        try:
            rest = await _advance(database, backfill, rows_per_second)
        except _ElsewhereInHand:
            return False
        if rest is None:
            return True
        await asyncio.sleep(rest)


class _ElsewhereInHand(Exception):
    """Another worker runs a batch of this backfill now."""


async def _advance(database: Database, backfill: Backfill, rows_per_second: int) -> float | None:
    """Run the next batch, if it is time for one; return the seconds to rest before the next, None when all is done.

    Raises _ElsewhereInHand.
    """
    values: dict[str, Any] = {"name": backfill.name}
    async with database.transaction() as tx:
        claimed = await tx.rows(_SQL["claim_backfill"], values)
        if not claimed:
            rest: float | None = await tx.value(_SQL["rest_seconds"], values)
            if rest == 0:
                raise _ElsewhereInHand
            return rest
        if not claimed[0]["started"]:
            total = await _count(tx, backfill)
            await tx.run(_SQL["begin_backfill"], values | {"total": total})
            log.info("backfill_started", backfill=backfill.name, rows=total)
        # A second of work at most between two looks at the limit.
        limit = max(1, min(_ROWS_AT_ONCE, rows_per_second))
        step = await _step(tx, backfill, claimed[0]["position"], limit)
        if step is None:
            await tx.run(_SQL["finish_backfill"], values)
        else:
            position = msgspec.json.encode(step.position).decode()
            pause = step.rows / rows_per_second
            advanced = values | {"position": position, "rows": step.rows, "pause_seconds": pause}
            [progress] = await tx.rows(_SQL["advance_backfill"], advanced)
    if step is None:
        log.info("backfill_finished", backfill=backfill.name)
        return None
    if progress["done"] // _LOGGED_EVERY_ROWS > (progress["done"] - step.rows) // _LOGGED_EVERY_ROWS:
        log.info("backfill_advanced", backfill=backfill.name, **progress)
    return pause


async def _step(tx: Transaction, backfill: Backfill, position: Any, limit: int) -> Step | None:
    """Run a batch for the business that the position is in; behind its last row stands the beginning of the next."""
    at = {"business": str(_FIRST), "within": None} if position is None else position
    businesses = await _businesses_from(tx, UUID(at["business"]))
    if not businesses:
        return None
    business, *behind = businesses
    within = at["within"] if str(business) == at["business"] else None
    step = await backfill.batch(await tx.act_for(business), within, limit)
    if step is not None:
        return Step({"business": business, "within": step.position}, step.rows)
    return Step({"business": behind[0], "within": None}, 0) if behind else None


async def _count(tx: Transaction, backfill: Backfill) -> int:
    total = 0
    behind = await _businesses_from(tx, _FIRST)
    while behind:
        total += await backfill.count(await tx.act_for(behind[0]))
        behind = await _businesses_from(tx, behind[1]) if len(behind) > 1 else []
    return total


async def _businesses_from(tx: Transaction, business_id: UUID) -> list[UUID]:
    """Return a business and the one behind it, in order of ids."""
    return [row["business_id"] for row in await tx.rows(_SQL["businesses_from"], {"id": business_id})]
