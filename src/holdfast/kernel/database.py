"""Transactions on PostgreSQL: opened by the edges, used by the use cases."""

import asyncio
import os
import select
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, LiteralString, TypeVar, cast
from uuid import UUID

import psycopg
from psycopg import AsyncConnection, AsyncCursor
from psycopg.abc import Params
from psycopg.rows import class_row, dict_row, scalar_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from holdfast.kernel.errors import OutcomeUnknown, TryLater, error_of_constraint
from holdfast.kernel.privacy import Keyring, TenantKeys
from holdfast.kernel.waiting import Waits

T = TypeVar("T")
Row = dict[str, Any]

# How long a request waits for a connection while all are busy.
_WAIT_SECONDS = 10.0
# After so much silence in the middle of a statement its connection is taken for lost. A machine that is gone is noticed
# sooner by the network, but the kernel of one that hangs answers for it, for ever.
_SILENCE_SECONDS = 60.0
# Local to the transaction, so that a pool, ours or one between, hands it on to nobody.
_ACT_FOR: LiteralString = "select set_config('holdfast.business', %s, true)"

# The process that serves this connection, for `is_pooled`.
_BACKEND: LiteralString = "select pg_backend_pid()"

# As whom this connection works, whether admission sees across tenants, and the tables of tenants that stand open.
_WALLS: LiteralString = """
select current_user::text as role, mine.rolsuper or mine.rolbypassrls as bypasses,
       exists (select from pg_roles o where o.rolname in ('holdfast_owner', 'holdfast_admission')
                  and pg_has_role(mine.oid, o.oid, 'member')) as owns,
       exists (select from pg_roles a where a.rolname = 'holdfast_admission'
                  and a.rolbypassrls and not a.rolsuper and not a.rolcanlogin) as admission_is_sound,
       array(select c.relname::text from pg_class c
              where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
                and not (c.relrowsecurity and c.relforcerowsecurity)
                and (c.relname = 'businesses'
                     or exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'business_id'))
              order by 1) as open_tables
  from pg_roles mine where mine.rolname = current_user
"""


class Session(AsyncConnection):
    """A connection that ends when the server is silent for a minute, and remembers when a commit is in doubt.

    With synchronous replication, a wait that is cancelled reports success with nothing but a warning that the commit
    may exist on this node only.
    """

    silence_seconds = _SILENCE_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._doubt = False
        self.add_notice_handler(self._hear)

    def _hear(self, notice: psycopg.errors.Diagnostic) -> None:
        # Its words are in the language of the server.
        if notice.source_function == "SyncRepWaitForLSN":
            self._doubt = True

    async def wait(self, *args: Any, **kwargs: Any) -> Any:
        """Wait for the server, as every statement does; raises OperationalError when it is silent for too long."""
        silence = asyncio.get_running_loop().call_later(self.silence_seconds, self._hang_up)
        try:
            return await super().wait(*args, **kwargs)
        finally:
            silence.cancel()

    def _hang_up(self) -> None:
        # Never a cancellation: its way would lead through the same server, and a commit may be what is waited for.
        with socket.socket(fileno=os.dup(self.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)

    def take_doubt(self) -> bool:
        """Return whether a commit since the last call is in doubt."""
        doubt, self._doubt = self._doubt, False
        return doubt


class Transaction:
    """One transaction, bound to the business on whose behalf it runs: the rows of others are not there for it."""

    def __init__(self, connection: AsyncConnection, business_id: UUID | None, keyring: Keyring | None = None) -> None:
        self.connection = connection
        self.business_id = business_id
        self._keyring = keyring

    async def keys(self) -> TenantKeys:
        """Return what seals and opens the personal data of the business of this transaction."""
        assert self._keyring is not None, "the database was opened without a master key"
        assert self.business_id is not None, "personal data belongs to a business"
        return self._keyring.at_hand(self.business_id) or await self._keyring.of(self.business_id)

    async def act_for(self, business_id: UUID) -> "Transaction":
        """Go on in this transaction for a business that was only found out in it."""
        await self.connection.execute(_ACT_FOR, [str(business_id)])
        return Transaction(self.connection, business_id, self._keyring)

    async def rows(self, statement: LiteralString, params: Params | None = None) -> list[Row]:
        """Return all rows as dictionaries."""
        async with self.connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(statement, params)
            return await cursor.fetchall()

    async def all(self, shape: type[T], statement: LiteralString, params: Params | None = None) -> list[T]:
        """Return all rows, each as an object of the given class."""
        async with self.connection.cursor(row_factory=class_row(shape)) as cursor:
            await cursor.execute(statement, params)
            return await cursor.fetchall()

    async def first(self, shape: type[T], statement: LiteralString, params: Params | None = None) -> T | None:
        """Return the first row as an object of the given class, or None."""
        async with self.connection.cursor(row_factory=class_row(shape)) as cursor:
            await cursor.execute(statement, params)
            return await cursor.fetchone()

    async def value(self, statement: LiteralString, params: Params | None = None) -> Any:
        """Return the first column of the first row, or None."""
        async with self.connection.cursor(row_factory=scalar_row) as cursor:
            await cursor.execute(statement, params)
            return await cursor.fetchone()

    async def run(self, statement: LiteralString, params: Params | None = None) -> int:
        """Execute a statement and return how many rows it touched."""
        return (await self.connection.execute(statement, params)).rowcount


class Database:
    """A pool of connections under the application's role."""

    def __init__(
        self,
        dsn: str,
        *,
        min_connections: int = 2,
        max_connections: int = 10,
        pooler: bool = False,
        cursor: type[AsyncCursor[Any]] | None = None,
        keyring: Keyring | None = None,
    ) -> None:
        """Prepare a pool; `pooler` says that a transaction pooler stands between, where prepared names clash.

        `cursor` is what executes statements, when somebody wants to watch them. Without a keyring, personal data can
        neither be read nor written.
        """
        self._dsn = dsn
        self._keyring = keyring
        self._pooler = pooler
        self._waits = Waits(self._reachable)
        # How many connections are lent now.
        self._out = 0
        self._pool: AsyncConnectionPool[Session] = AsyncConnectionPool(
            dsn,
            connection_class=Session,
            min_size=min_connections,
            max_size=max_connections,
            open=False,
            timeout=_WAIT_SECONDS,
            # Attempts to reconnect come after longer and longer pauses: 1, 2, 4 s. When they are given up the next
            # request begins anew, so this is the longest that a database which is back is left alone.
            reconnect_timeout=4,
            # Transactions are begun by hand, in one round trip with the words for whom they are.
            kwargs={"prepare_threshold": None if pooler else 2, "cursor_factory": cursor, "autocommit": True},
        )

    async def open(self) -> None:
        """Open the pool; raises PoolTimeout when the database cannot be reached."""
        await self._pool.open(wait=True, timeout=30)

    async def check_role(self) -> None:
        """Refuse to serve where the walls between tenants do not hold, or hold back what must look over them.

        So too behind a pooler of which nobody has told: names of prepared statements would mean those of others. Raises
        PermissionError.
        """
        async with self.transaction() as tx:
            [found] = await tx.rows(_WALLS)
            pooled = is_pooled(tx.connection, await tx.value(_BACKEND))
        if pooled and not self._pooler:
            raise PermissionError("a pooler stands before the database: set HOLDFAST_POOLER=1")
        if found["bypasses"] or found["owns"]:
            raise PermissionError(f"servers must not run as {found['role']}: it owns the schema or bypasses its rules")
        if not found["admission_is_sound"]:
            raise PermissionError(
                "the role holdfast_admission must bypass row-level security, and nobody may log in as it;"
                " run `holdfast migrate`"
            )
        if found["open_tables"]:
            raise PermissionError(
                f"row-level security does not hold on {', '.join(found['open_tables'])}: run `holdfast migrate`"
            )

    async def close(self) -> None:
        """Close every connection."""
        await self._waits.close()
        await self._pool.close()

    def statistics(self) -> dict[str, int]:
        """Return the pool's own counters, for metrics."""
        return self._pool.get_stats()

    async def keys(self, business_id: UUID) -> TenantKeys:
        """Return what seals and opens the personal data of a business; without waiting when they are at hand."""
        assert self._keyring is not None, "the database was opened without a master key"
        return self._keyring.at_hand(business_id) or await self._keyring.of(business_id)

    @asynccontextmanager
    async def transaction(self, business_id: UUID | None = None) -> AsyncIterator[Transaction]:
        """Run the body in one transaction: committed at its end, rolled back when it raises.

        It sees the rows of the business, and without one those of no tenant. A violated constraint that an error class
        claims is raised as that error. Raises OutcomeUnknown when the connection breaks during the commit, TryLater
        when there is no connection to be had.
        """
        async with self._lent() as connection:
            await _begin(connection, business_id)
            try:
                yield Transaction(connection, business_id, self._keyring)
            except psycopg.IntegrityError as violation:
                raise translate(violation) from violation
            await _commit(connection)

    async def run(self, business_id: UUID | None, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run the work in one transaction, anew when it lost against another that changed the same rows."""
        for attempt in range(8):
            try:
                async with self.transaction(business_id) as tx:
                    return await work(tx)
            except (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected):
                if attempt == 7:
                    raise
        raise AssertionError("unreachable")

    @asynccontextmanager
    async def reading(self, business_id: UUID | None = None) -> AsyncIterator[Transaction]:
        """Lend what a single statement needs, most often a reading one: a transaction of its own, and one round trip.

        Raises TryLater when there is no connection to be had.
        """
        async with self._lent() as connection:
            if business_id is None:
                yield Transaction(connection, None, self._keyring)
                return
            # What travels in a pipeline up to the first fetched row is one transaction. A second statement would find
            # the words for whom it is gone, and no row.
            async with connection.pipeline():
                await connection.execute(_ACT_FOR, [str(business_id)])
                yield Transaction(connection, business_id, self._keyring)

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[Session]:
        """Lend a connection; raises TryLater when all are busy for 10 seconds, or sooner when none can be made."""
        try:
            connection = await self._waits.bounded(self._living())
        except (PoolTimeout, TimeoutError) as none:
            raise TryLater from none
        self._out += 1
        try:
            async with connection:
                yield connection
        finally:
            self._out -= 1
            await self._pool.putconn(connection)

    async def _living(self) -> Session:
        """Return a connection that has not died in the pool; raises PoolTimeout after 10 seconds.

        After a restart of the database all have. The pool's own check would pause before it looks at the next one, each
        time twice as long: with a handful of dead connections for as long as a request waits at all.
        """
        deadline = time.monotonic() + _WAIT_SECONDS
        while True:
            connection = await self._pool.getconn(deadline - time.monotonic())
            try:
                if not await _is_dead(connection):
                    return connection
            except BaseException:
                await self._pool.putconn(connection)
                raise
            await connection.close()
            await self._pool.putconn(connection)

    async def _reachable(self) -> bool:
        """Tell whether a connection can be made, or those that are lent will come back.

        A server that has no room for another connection is busy and not away; when it is away, what is lent breaks.
        """
        try:
            connection = await AsyncConnection.connect(self._dsn, autocommit=True, connect_timeout=2)
        except psycopg.errors.ConnectionTimeout:
            return False
        except psycopg.OperationalError:
            return self._out > 0
        await connection.close()
        return True


async def _is_dead(connection: AsyncConnection) -> bool:
    """Tell whether a connection has died in the pool.

    An idle server says nothing: only when there is something to read, its farewell for one, is it worth asking.
    """
    if connection.closed:
        return True
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if not waiting.poll(0):
        return False
    try:
        await AsyncConnectionPool.check_connection(connection)
    except psycopg.Error:
        return True
    return False


def is_away(failure: BaseException) -> bool:
    """Tell whether the database is not there or is ending, or left open what became of a commit.

    That is no matter of what was asked of it, which may be asked again as it is.
    """
    if isinstance(failure, psycopg.OperationalError):
        # Of the last class are servers that end or begin.
        return is_lost(failure) or failure.sqlstate is None or failure.sqlstate.startswith("57P")
    return isinstance(failure, TryLater | OutcomeUnknown)


def is_lost(failure: psycopg.Error) -> bool:
    """Tell whether the connection is lost, so that nobody knows what became of what was under way.

    Without a state of SQL it broke; with one of class 08 a pooler says that its own broke.
    """
    return isinstance(failure, psycopg.OperationalError) and (not failure.sqlstate or failure.sqlstate.startswith("08"))


def is_pooled(connection: psycopg.AsyncConnection[Any] | psycopg.Connection[Any], backend: int) -> bool:
    """Tell whether a pooler stands between: it introduces itself with a number that is not that of the backend."""
    return connection.info.backend_pid != backend


def leads_to_pooler(dsn: str) -> bool:
    """Tell whether whoever connects so meets a pooler. Raises OperationalError when nobody answers."""
    with psycopg.connect(dsn, autocommit=True, connect_timeout=10) as connection:
        [(backend,)] = connection.execute(_BACKEND).fetchall()
        return is_pooled(connection, backend)


def translate(violation: psycopg.IntegrityError) -> Exception:
    """Return the domain's error for a violated constraint, or the violation itself when nobody claims it."""
    error = error_of_constraint(violation.diag.constraint_name)
    return error() if error is not None else violation


async def _begin(connection: Session, business_id: UUID | None) -> None:
    if business_id is None:
        await connection.execute("begin", prepare=False)
    else:
        # The text of a UUID can be nothing but one.
        words = cast(LiteralString, f"begin; set local holdfast.business = '{UUID(int=business_id.int)}'")
        await connection.execute(words, prepare=False)


async def _commit(connection: Session) -> None:
    # A cancelled task would cancel the COMMIT on the wire and leave its fate open; so it is never cancelled.
    commit = asyncio.ensure_future(connection.commit())
    try:
        await asyncio.shield(commit)
    except asyncio.CancelledError:
        await commit
        raise
    except psycopg.OperationalError as lost:
        if connection.broken or is_lost(lost):
            raise OutcomeUnknown from lost
        raise
    if connection.take_doubt():
        raise OutcomeUnknown
