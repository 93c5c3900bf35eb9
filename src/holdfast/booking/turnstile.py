"""The turnstile: requests that arrive while a batch is in flight form the next batch.

One statement, one transaction and one flush to disk serve a whole batch. There is no timer: an idle turnstile sends
a lone request at once. A batch travels as one JSON parameter.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, LiteralString, Protocol, TypeVar, cast
from uuid import UUID

import msgspec
import psycopg
import structlog
from psycopg import AsyncCursor

from holdfast.kernel.database import Session, is_lost
from holdfast.kernel.errors import OutcomeUnknown, TryLater

if TYPE_CHECKING:
    from holdfast.kernel.tracing import Tracing

log = structlog.get_logger(__name__)

_CONTENTION = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    # The capacity of a resource has changed since the request was checked; asked again, it is stale.
    psycopg.errors.ForeignKeyViolation,
)
_LONE_TRIES = 5


class Numbered(Protocol):
    """A request or an answer that knows its place in the batch, and its booking."""

    n: int
    id: Any


Q = TypeVar("Q", bound=Numbered)
A = TypeVar("A", bound=Numbered)


@dataclass(slots=True)
class Ticket(Generic[Q, A]):
    """A request that waits for its answer; `since` is when it came, on the clock of performance."""

    business_id: UUID
    request: Q
    answer: "asyncio.Future[A]"
    since: float
    # Where it comes from, for who traces.
    origin: Any = None


@dataclass(frozen=True, slots=True)
class Measure:
    """Who is told of each batch its size and the seconds that it took, and of each request how long it waited."""

    sent: Callable[[int, float], None] = lambda _size, _seconds: None
    waited: Callable[[float], None] = lambda _seconds: None


class Turnstile(Generic[Q, A]):
    """Sends requests of one kind through a database function, in batches, over a few connections of its own."""

    def __init__(
        self,
        dsn: str,
        statement: LiteralString,
        answer: type[A],
        *,
        lanes: int = 2,
        batch_limit: int = 128,
        queue_limit: int = 10_000,
        pooler: bool = False,
        measure: Measure | None = None,
        tracing: "Tracing | None" = None,
        named: str = "booking_ids",
    ) -> None:
        """Prepare it.

        `statement` takes %(batch)s (JSON: business -> requests) and %(repeated)s, and returns a row of JSON answers
        for each business. `named` is what the ids of the requests are called in the log.
        """
        self._dsn = dsn
        self._statement = statement
        self._decode = msgspec.json.Decoder(list[answer]).decode  # type: ignore[valid-type]
        self._encode = msgspec.json.Encoder().encode
        self._batch_limit = batch_limit
        self.queue_limit = queue_limit
        self._measure = measure or Measure()
        self._tracing = tracing
        self._named = named
        self._queue: deque[Ticket[Q, A]] = deque()
        cursor = None if tracing is None else tracing.cursor
        self._idle: list[Lane] = [Lane(dsn, None if pooler else 1, cursor) for _ in range(lanes)]
        self._lanes = list(self._idle)
        self._busy: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """How many requests wait for the next batch."""
        return len(self._queue)

    async def pass_through(self, business_id: UUID, request: Q) -> A:
        """Return the answer to a request.

        Raises TryLater when the queue is full or the database is away (nothing has happened), OutcomeUnknown when
        the connection broke twice while the request was in flight.
        """
        if len(self._queue) >= self.queue_limit:
            raise TryLater
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._queue.append(self._ticket(business_id, request, answer))
        if self._idle:
            lane = self._idle.pop()
            # In a context of its own: what it logs is not of the one request that happened to come first.
            task = asyncio.create_task(self._serve(lane), context=Context())
            self._busy.add(task)
            task.add_done_callback(self._busy.discard)
        return await answer

    def _ticket(self, business_id: UUID, request: Q, answer: "asyncio.Future[A]") -> Ticket[Q, A]:
        ticket = Ticket(business_id, request, answer, time.perf_counter())
        if self._tracing is not None:
            ticket.origin = self._tracing.here()
        return ticket

    async def close(self) -> None:
        """Finish what is in flight and close the connections."""
        while self._busy:
            await asyncio.gather(*self._busy, return_exceptions=True)
        for lane in self._lanes:
            await lane.close()

    async def _serve(self, lane: "Lane") -> None:
        try:
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(len(self._queue), self._batch_limit))]
                now = time.perf_counter()
                for ticket in batch:
                    self._measure.waited(now - ticket.since)
                try:
                    if self._tracing is None:
                        await self._settle(lane, batch)
                    else:
                        with self._tracing.batch([ticket.origin for ticket in batch]):
                            await self._settle(lane, batch)
                except Exception as unforeseen:
                    log.exception("turnstile_batch_failed", **self._ids(batch))
                    _fail(batch, unforeseen)
        finally:
            self._idle.append(lane)

    async def _settle(self, lane: "Lane", batch: Sequence[Ticket[Q, A]]) -> None:
        """Answer every ticket of the batch; a batch that raises is replayed one by one."""
        for attempt in range(_LONE_TRIES):
            try:
                await self._send(lane, batch)
            except (TryLater, OutcomeUnknown) as away:
                _fail(batch, away)
            except psycopg.errors.LockNotAvailable:
                # Somebody outside sits on a lock. To replay would be to wait for it again, once for each request.
                log.warning("turnstile_lock_timeout", **self._ids(batch))
                _fail(batch, TryLater())
            except _CONTENTION as lost:
                if len(batch) == 1:
                    if attempt == _LONE_TRIES - 1:
                        _fail(batch, TryLater())
                        log.warning("turnstile_contention", error=type(lost).__name__, **self._ids(batch))
                    continue
                await self._replay(lane, batch)
            except psycopg.Error as broken:
                if len(batch) == 1:
                    _fail(batch, broken)
                else:
                    await self._replay(lane, batch)
            return

    async def _replay(self, lane: "Lane", batch: Sequence[Ticket[Q, A]]) -> None:
        for ticket in batch:
            await self._settle(lane, [ticket])

    async def _send(self, lane: "Lane", batch: Sequence[Ticket[Q, A]]) -> None:
        started = time.perf_counter()
        groups: dict[str, list[Ticket[Q, A]]] = {}
        for ticket in batch:
            groups.setdefault(str(ticket.business_id), []).append(ticket)
        for tickets in groups.values():
            for n, ticket in enumerate(tickets, 1):
                ticket.request.n = n
        batches = {business: [ticket.request for ticket in tickets] for business, tickets in groups.items()}
        payload = self._encode(batches).decode()
        answers = await lane.execute(self._statement, payload)
        for business, text in answers:
            tickets = groups[str(business)]
            for answer in cast("list[A]", self._decode(text)):
                future = tickets[answer.n - 1].answer
                if not future.done():
                    future.set_result(answer)
        self._measure.sent(len(batch), time.perf_counter() - started)

    def _ids(self, batch: Sequence[Ticket[Q, A]]) -> dict[str, list[str]]:
        """Return what a batch is about, for the log."""
        return {self._named: [str(ticket.request.id) for ticket in batch]}


class Lane:
    """One connection of a turnstile, opened when it is first needed and again when it was lost."""

    def __init__(self, dsn: str, prepare_threshold: int | None, cursor: type[AsyncCursor[Any]] | None = None) -> None:
        self._dsn = dsn
        self._cursor = cursor
        self._prepare_threshold = prepare_threshold
        self._connection: Session | None = None

    async def execute(self, statement: LiteralString, payload: str) -> list[tuple[UUID, str]]:
        """Run the statement in a transaction of its own; once more, as a repetition, when its outcome is unknown."""
        try:
            return await self._once(statement, payload, repeated=False)
        except OutcomeUnknown:
            log.warning("turnstile_outcome_unknown", action="repeat")
        try:
            return await self._once(statement, payload, repeated=True)
        except TryLater as away:
            raise OutcomeUnknown from away

    async def _once(self, statement: LiteralString, payload: str, *, repeated: bool) -> list[tuple[UUID, str]]:
        connection = await self._connected()
        try:
            cursor = await connection.execute(statement, {"batch": payload, "repeated": repeated})
            rows = cast("list[tuple[UUID, str]]", await cursor.fetchall())
        except psycopg.Error as error:
            if connection.closed or connection.broken or is_lost(error):
                await self.close()
                raise OutcomeUnknown from error
            raise
        if connection.take_doubt():
            raise OutcomeUnknown
        return rows

    async def _connected(self) -> Session:
        if self._connection is None or self._connection.closed:
            try:
                self._connection = await Session.connect(
                    self._dsn, autocommit=True, prepare_threshold=self._prepare_threshold, cursor_factory=self._cursor
                )
            except psycopg.OperationalError as away:
                raise TryLater from away
        return self._connection

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.close()


def _fail(batch: Sequence[Ticket[Q, A]], error: Exception) -> None:
    for ticket in batch:
        if not ticket.answer.done():
            ticket.answer.set_exception(error)
