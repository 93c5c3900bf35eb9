"""What follows from what providers have told: the payment that it is about is looked at, and nothing else (P-2, P-7).

An event carries no instruction and no truth. It makes its payment due, in the transaction in which it is ticked off,
and whoever looks at what is due asks the provider. So order, repetition and lies do not matter, and what was told while
a look was under way is followed by another look.

What is told of an object that we do not know is looked up at the provider: an event may come before the answer to the
call that has made it (payments 5). Its names tell whose it is.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import structlog

from holdfast.kernel import attention
from holdfast.kernel.attention import Severity
from holdfast.kernel.audit import CONSOLE, record
from holdfast.kernel.database import Database, Transaction, is_away
from holdfast.kernel.errors import NotFound
from holdfast.kernel.sql import load
from holdfast.payments.accounts import Account, accounts_of
from holdfast.payments.comparison import Books, Finding, compare_payments, compare_refunds
from holdfast.payments.failures import seconds_after
from holdfast.payments.port import NoSuchObject, Provider, ProviderError, ProviderName
from holdfast.payments.providers import Providers
from holdfast.payments.tasks import EVENT_UNPROCESSED

log = structlog.get_logger(__name__)

_SQL = load(__package__, "inbox.sql")

# What became of an event: its payment is looked at, or was entered first.
LOOKED_AT, ENTERED = "looked_at", "entered"
NOT_OURS, UNEXPLAINED, NO_SUCH_OBJECT = "not_ours", "unexplained", "no_such_object"
# Its object is none that we know: it is to be looked up.
UNKNOWN = "unknown"
_OUTCOMES = {
    Finding.AGREES: LOOKED_AT,
    Finding.CALLED: LOOKED_AT,
    Finding.ENTERED: ENTERED,
    Finding.NOT_OURS: NOT_OURS,
    Finding.UNEXPLAINED: UNEXPLAINED,
}

# So long an event waits at most for its turn, when there are not too many. What follows from a burst is spread over
# some seconds: whoever books meanwhile needs the processor more.
_SECONDS = 0.5
_AT_ONCE = 100
_AT_ONCE_APART = 32
_CALLS_AT_ONCE = 8
# Longer than to ask every account about an object.
_CLAIM_SECONDS = 180.0
# What fails for a reason of ours keeps nothing else from its turn.
_BROKEN_SECONDS = 30.0
# So often an object is looked for that no account knows.
_TRIES = 3
FORGOTTEN_AFTER_DAYS = 90
_FORGOTTEN_AT_ONCE = 5_000


@asynccontextmanager
async def inbox_kept_up(database: Database, providers: Providers) -> AsyncIterator[None]:
    """Act upon events as they come, beside the body, until it ends; what has to be looked up holds up nothing else."""

    async def act() -> int:
        return await act_on_due(database)

    async def look_up() -> int:
        return await look_up_due(database, providers)

    tasks = [asyncio.create_task(_again(work)) for work in (act, look_up)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _again(work: Callable[[], Awaitable[int]]) -> None:
    while True:
        try:
            await work()
        except Exception as failure:  # noqa: BLE001 - the database may be away; it comes back
            log.warning("inbox_not_looked_at", error=type(failure).__name__)
        await asyncio.sleep(_SECONDS)


async def act_on_due(database: Database) -> int:
    """Have all payments looked at of which something was told; return of how many events that was decided.

    What fails keeps no other business from its turn.
    """
    total = 0
    for business_id, ids in await _due(database, apart=False, limit=_AT_ONCE):
        try:
            total += await database.run(business_id, partial(_act, ids=ids))
        except Exception as failure:
            if is_away(failure):
                raise
            log.exception("events_not_acted_on", business_id=str(business_id))
            async with database.transaction(business_id) as tx:
                values = {"business_id": business_id, "ids": ids, "seconds": _BROKEN_SECONDS}
                await tx.run(_SQL["put_events_off"], values)
    return total


async def look_up_due(database: Database, providers: Providers) -> int:
    """Ask providers about what they have told of and we do not know; return of how many events."""
    calls = asyncio.Semaphore(_CALLS_AT_ONCE)

    async def look_up(business_id: UUID, event_id: UUID) -> None:
        async with calls:
            try:
                await _look_up(database, providers, business_id, event_id)
            except Exception as failure:
                if is_away(failure):
                    raise
                # It is due again when nobody else's claim holds any more.
                log.exception("event_not_looked_up", business_id=str(business_id), event_id=str(event_id))

    due = [
        (business_id, id_) for business_id, ids in await _due(database, apart=True, limit=_AT_ONCE_APART) for id_ in ids
    ]
    for failure in await asyncio.gather(*(look_up(*one) for one in due), return_exceptions=True):
        if failure is not None:
            raise failure
    return len(due)


async def forget_bodies(database: Database) -> int:
    """Forget what was told in events that were acted upon 90 days ago; of how many. That they were told stays."""
    total = 0
    while True:
        async with database.transaction() as tx:
            values = {"days": FORGOTTEN_AFTER_DAYS, "limit": _FORGOTTEN_AT_ONCE}
            count = int(await tx.value(_SQL["forget_event_bodies"], values))
        total += count
        if count < _FORGOTTEN_AT_ONCE:
            return total


@dataclass(frozen=True, slots=True)
class Replayed:
    """An event that is to be acted upon again, and what had become of it."""

    id: UUID
    provider: str
    type: str
    outcome: str | None
    failures: int


async def replay(
    tx: Transaction,
    *,
    since: datetime | None = None,
    event_id: UUID | None = None,
    provider: ProviderName | None = None,
    only_tell: bool = False,
) -> list[Replayed]:
    """Have events of the business acted upon once more; which happens within seconds where a worker runs.

    All that were received since then; without a time those that are not processed yet; or one, for which NotFound is
    raised when it is not there. `only_tell` changes nothing.
    """
    asked = {"business_id": tx.business_id, "id": event_id, "since": since, "provider": provider}
    found = await tx.all(Replayed, _SQL["events_to_replay"], asked)
    if event_id is not None and not found:
        raise NotFound
    if found and not only_tell:
        ids = [event.id for event in found]
        await tx.run(_SQL["replay_events"], {"business_id": tx.business_id, "ids": ids})
        assert tx.business_id is not None, "events are of a business"
        await record(tx, "payment_inbox", tx.business_id, "replay", CONSOLE, after=len(ids))
    return found


async def _due(database: Database, *, apart: bool, limit: int) -> list[tuple[UUID, list[UUID]]]:
    async with database.transaction() as tx:
        rows = await tx.rows(_SQL["events_due"], {"apart": apart, "limit": limit})
    return [(row["business_id"], row["ids"]) for row in rows]


async def _act(tx: Transaction, ids: Sequence[UUID]) -> int:
    events = await tx.rows(_SQL["lock_due_events"], {"business_id": tx.business_id, "ids": list(ids)})
    known = [event for event in events if event["payment_id"] is not None]
    values = {"business_id": tx.business_id, "ids": sorted({event["payment_id"] for event in known})}
    await tx.run(_SQL["call_payments"], values)
    await tx.run(_SQL["call_refunds"], values)
    await _finish(tx, known, LOOKED_AT)
    unknown = [event["id"] for event in events if event["payment_id"] is None]
    await tx.run(_SQL["set_apart"], {"business_id": tx.business_id, "ids": unknown, "outcome": UNKNOWN})
    return len(events)


async def _finish(tx: Transaction, events: Sequence[dict[str, Any]], outcome: str) -> None:
    if not events:
        return
    ids = [event["id"] for event in events]
    await tx.run(_SQL["finish_events"], {"business_id": tx.business_id, "ids": ids, "outcome": outcome})
    for event in events:
        if event["failures"]:
            await attention.settle(tx, EVENT_UNPROCESSED, event["id"])


async def _look_up(database: Database, providers: Providers, business_id: UUID, event_id: UUID) -> None:
    """Ask about one event; what is told again in the meantime is asked about again."""
    asked = {"business_id": business_id, "id": event_id, "seconds": _CLAIM_SECONDS}
    async with database.transaction(business_id) as tx:
        claimed = await tx.rows(_SQL["claim_event"], asked)
        if not claimed:
            return
        event = claimed[0] | {"id": event_id}
        accounts = await accounts_of(tx, ProviderName(event["provider"]))
    failure: ProviderError | None = None
    outcome = None
    try:
        outcome = await _outcome(database, providers, business_id, accounts, event)
    except ProviderError as refused:
        failure = refused

    async def note(tx: Transaction) -> None:
        lasting = await tx.rows(_SQL["lock_claimed_event"], asked | {"claim": event["claim"]})
        if not lasting:
            return
        if outcome is not None:
            await _finish(tx, [event], outcome)
            log.info("payment_event_looked_up", event_id=str(event_id), provider=event["provider"], outcome=outcome)
        elif failure is None and event["failures"] + 1 >= _TRIES:
            await _finish(tx, [event], NO_SUCH_OBJECT)
            log.warning("payment_event_of_nothing", event_id=str(event_id), provider=event["provider"])
        else:
            await _fail(tx, event, failure, is_old=lasting[0]["is_old"])

    await database.run(business_id, note)


async def _outcome(
    database: Database, providers: Providers, business_id: UUID, accounts: Sequence[Account], event: dict[str, Any]
) -> str | None:
    """Compare the object of an event with our books; return what came of it, None when no account knows the object.

    Raises the ProviderError of an account that could not say, when no other one knows it.
    """
    failure: ProviderError | None = None
    for account in accounts:
        books = Books(database, business_id, account)
        try:
            async with providers.opened(business_id, account) as provider:
                return await _compared(books, provider, event)
        except NoSuchObject:
            continue
        except ProviderError as away:
            failure = away
    if failure is not None:
        raise failure
    return None


async def _compared(books: Books, provider: Provider, event: dict[str, Any]) -> str:
    payment_id = event["object_id"]
    refund = None
    if event["is_refund"]:
        refund = await provider.read_refund(payment_id)
        payment_id = refund.remote_payment_id
    [finding] = await compare_payments(books, [await provider.read(payment_id)])
    if refund is not None and finding is not Finding.NOT_OURS:
        [finding] = await compare_refunds(books, [refund])
    return _OUTCOMES[finding]


async def _fail(tx: Transaction, event: dict[str, Any], failure: ProviderError | None, *, is_old: bool) -> None:
    code = NO_SUCH_OBJECT if failure is None else failure.code
    seconds = seconds_after(failure, event["failures"] + 1)
    values = {"business_id": tx.business_id, "id": event["id"], "error_code": code, "seconds": seconds}
    await tx.run(_SQL["fail_event"], values)
    log.warning("payment_event_failed", event_id=str(event["id"]), provider=event["provider"], code=code)
    if is_old:
        await attention.raise_item(tx, EVENT_UNPROCESSED, event["id"], Severity.WARNING, provider=event["provider"])
