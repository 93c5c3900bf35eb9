"""Accounts compared with their providers, every ten minutes: what webhooks have lost is found and mended (P-4).

The provider lists what was made at an account since it was last listed, and six hours before; so an outage of any
length is made up for. What nobody looks at any more though it is open is looked at again.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import structlog

from holdfast.kernel import attention
from holdfast.kernel.database import Database, Transaction, is_away
from holdfast.kernel.ids import new_id
from holdfast.kernel.sql import load
from holdfast.payments import tasks
from holdfast.payments.accounts import Account, find_account
from holdfast.payments.comparison import Books, Finding, compare_payments, compare_refunds
from holdfast.payments.failures import seconds_after, tell_staff
from holdfast.payments.port import Provider, ProviderError
from holdfast.payments.providers import Providers

log = structlog.get_logger(__name__)

T = TypeVar("T")

_SQL = load(__package__, "reconciliation.sql")

_LOOK_SECONDS = 20.0
_EVERY_SECONDS = 600.0
# Nothing new comes of an account that takes no new payments.
_EVERY_SECONDS_OF_FORMER = 6 * 3_600.0
# Clocks differ, and a list may lack what was made in this moment.
_OVERLAP = timedelta(hours=6)
# Of an account that was never listed.
_BACK = timedelta(days=4)
_LEASE_SECONDS = 300.0
_ACCOUNTS, _SIDE_BY_SIDE = 100, 4
_PAGE = 100
# Accounts that were connected together drift apart.
_random = random.SystemRandom()


@dataclass
class Compared:
    """What comparing an account has come to."""

    since: datetime
    payments: int = 0
    refunds: int = 0
    # Known, but not as they are; unknown until now; and open with nobody looking at them.
    called: int = 0
    entered: int = 0
    forgotten: int = 0
    unexplained: int = 0
    error_code: str | None = field(default=None)

    @property
    def mended(self) -> int:
        """How much was mended, or is about to be."""
        return self.called + self.entered + self.forgotten

    def count(self, findings: list[Finding]) -> None:
        """Add what came of some objects."""
        counted = Counter(findings)
        self.called += counted[Finding.CALLED]
        self.entered += counted[Finding.ENTERED]
        self.unexplained += counted[Finding.UNEXPLAINED]


class _Overtaken(Exception):
    """Another worker compares the account: this one has taken too long."""


@asynccontextmanager
async def accounts_kept_compared(database: Database, providers: Providers) -> AsyncIterator[None]:
    """Compare accounts with their providers as their turn comes, beside the body, until it ends."""

    async def keep_up() -> None:
        while True:
            try:
                await reconcile_due(database, providers)
            except Exception as failure:  # noqa: BLE001 - the database may be away; it comes back
                log.warning("accounts_not_compared", error=type(failure).__name__)
            await asyncio.sleep(_LOOK_SECONDS)

    task = asyncio.create_task(keep_up())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def reconcile_due(database: Database, providers: Providers) -> int:
    """Compare the accounts whose turn it is, a few side by side; return how many."""
    async with database.transaction() as tx:
        due = await tx.rows(_SQL["accounts_to_compare"], {"limit": _ACCOUNTS})
    turns = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def one(business_id: UUID, account_id: UUID) -> bool:
        async with turns:
            return await reconcile(database, providers, business_id, account_id) is not None

    done = await asyncio.gather(*(one(row["business_id"], row["account_id"]) for row in due), return_exceptions=True)
    for outcome in done:
        if isinstance(outcome, BaseException):
            raise outcome
    return sum(1 for outcome in done if outcome is True)


async def reconcile(
    database: Database,
    providers: Providers,
    business_id: UUID,
    account_id: UUID,
    *,
    since: datetime | None = None,
    at_once: bool = False,
) -> Compared | None:
    """Compare an account with its provider, and mend; None when it is not its turn, or another worker is at it.

    With `since`, all that was made since then. `error_code` of what is returned says why it did not come to an end:
    then it is soon its turn again. Raises NotFound for no account of the business.
    """
    turn = await _begin(database, business_id, account_id, at_once=at_once)
    if turn is None:
        return None
    compared = Compared(since or turn.since)
    try:
        async with providers.opened(business_id, turn.account) as provider:
            await _compare(turn, provider, compared)
        await database.run(business_id, lambda tx: _end(tx, turn, compared, moves_on=since is None))
    except _Overtaken:
        log.warning("payments_comparison_overtaken", account_id=str(account_id))
        compared.error_code = "overtaken"
    except asyncio.CancelledError:
        await asyncio.shield(database.run(business_id, lambda tx: tx.run(_SQL["give_comparison_back"], turn.values())))
        raise
    except ProviderError as failure:
        await _break_off(turn, compared, failure.code, failure)
    except Exception as failure:
        if is_away(failure):
            raise
        # Without its text, which may quote what a provider has sent.
        log.error("payments_not_compared", account_id=str(account_id), error=type(failure).__name__)  # noqa: TRY400
        await _break_off(turn, compared, "unexpected", failure)
    return compared


@dataclass(frozen=True, slots=True)
class _Turn:
    database: Database
    business_id: UUID
    account: Account
    lease: UUID
    begun_at: datetime
    since: datetime
    failures: int

    def values(self, **more: Any) -> dict[str, Any]:
        return {
            "business_id": self.business_id,
            "account_id": self.account.id,
            "lease": self.lease,
            "seconds": _LEASE_SECONDS,
            **more,
        }

    async def stay(self) -> None:
        """Keep others away for as long as the next step may take; raises _Overtaken when they are there already."""
        async with self.database.transaction(self.business_id) as tx:
            if not await tx.run(_SQL["stay_at_comparison"], self.values()):
                raise _Overtaken


async def _begin(database: Database, business_id: UUID, account_id: UUID, *, at_once: bool) -> _Turn | None:
    lease = new_id()
    # What was listed before counts as seen, but for the overlap.
    back_seconds = (_BACK - _OVERLAP).total_seconds()
    async with database.transaction(business_id) as tx:
        account = await find_account(tx, account_id)
        about = {"business_id": business_id, "account_id": account_id}
        await tx.run(_SQL["know_account"], about | {"id": new_id(), "back_seconds": back_seconds})
        values = about | {"lease": lease, "seconds": _LEASE_SECONDS, "at_once": at_once}
        begun = await tx.rows(_SQL["begin_comparison"], values)
    if not begun:
        return None
    [row] = begun
    since = row["listed_until"] - _OVERLAP
    return _Turn(database, business_id, account, lease, row["begun_at"], since, row["failures"])


async def _compare(turn: _Turn, provider: Provider, compared: Compared) -> None:
    books = Books(turn.database, turn.business_id, turn.account)
    async for payments in _paged(provider.payments_since(compared.since)):
        await turn.stay()
        compared.payments += len(payments)
        compared.count(await compare_payments(books, payments))
    async for refunds in _paged(provider.refunds_since(compared.since)):
        await turn.stay()
        compared.refunds += len(refunds)
        compared.count(await compare_refunds(books, refunds))
    await turn.stay()
    async with turn.database.transaction(turn.business_id) as tx:
        compared.forgotten += await tx.run(_SQL["call_forgotten_payments"], turn.values())
        compared.forgotten += await tx.run(_SQL["call_forgotten_refunds"], turn.values())


async def _paged(listed: AsyncIterator[T]) -> AsyncIterator[list[T]]:
    """Yield what is listed some at a time."""
    page: list[T] = []
    async for each in listed:
        page.append(each)
        if len(page) == _PAGE:
            yield page
            page = []
    if page:
        yield page


async def _end(tx: Transaction, turn: _Turn, compared: Compared, *, moves_on: bool) -> None:
    every = _EVERY_SECONDS if turn.account.active else _EVERY_SECONDS_OF_FORMER
    # Whoever has asked for another time has not made up for what came before that.
    listed_until = turn.begun_at if moves_on or compared.since <= turn.since else turn.since + _OVERLAP
    values = turn.values(begun_at=listed_until, mended=compared.mended, seconds=_random.uniform(0.8, 1.0) * every)
    if not await tx.run(_SQL["end_comparison"], values):
        raise _Overtaken
    await attention.settle(tx, tasks.ACCOUNT_UNAUTHORIZED, turn.account.id)
    if compared.mended or compared.unexplained:
        told = {"mended": compared.mended, "unexplained": compared.unexplained}
        log.warning("payments_mended", account_id=str(turn.account.id), **told)


async def _break_off(turn: _Turn, compared: Compared, code: str, failure: Exception) -> None:
    """Try again later; what was mended until then is."""
    compared.error_code = code
    seconds = seconds_after(failure, turn.failures + 1)

    async def work(tx: Transaction) -> None:
        values = turn.values(error_code=code, mended=compared.mended, seconds=seconds)
        if not await tx.run(_SQL["break_off_comparison"], values):
            return
        # Nobody needs to mend one that takes no new payments, unless money has to go back: that tells of itself.
        if turn.account.active:
            await tell_staff(tx, failure, turn.account)

    log.warning("payments_not_compared", account_id=str(turn.account.id), error_code=code)
    await turn.database.run(turn.business_id, work)
