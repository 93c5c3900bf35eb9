"""Refunds asked of their providers: the same call with the same key until it is known what has become of it.

As with payments, whoever asks holds a lease, no transaction is open meanwhile, and who has lost the lease writes
nothing.
"""

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from holdfast.kernel import attention
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.ids import new_id
from holdfast.payments import refunds, tasks
from holdfast.payments.accounts import Account, find_account
from holdfast.payments.failures import code_of, seconds_after, tell_staff
from holdfast.payments.keys import KEPT
from holdfast.payments.ledger import Payment, call, find_payment
from holdfast.payments.port import (
    Money,
    NoSuchObject,
    Provider,
    ProviderError,
    RefundWish,
    Refused,
    RemoteRefund,
    Replayed,
    Unauthorized,
    Unknown,
)
from holdfast.payments.providers import Providers
from holdfast.payments.refunds import Refund, find_refund, lock_refund, statements
from holdfast.payments.states import RefundState

log = structlog.get_logger(__name__)

_LEASE_SECONDS = 60.0
# A refund that the provider works at is asked after more and more seldom.
_SOONEST_SECONDS, _LATEST_SECONDS = 10.0, 3_600.0


class _Overtaken(Exception):
    """Somebody else has the lease."""


@dataclass(frozen=True, slots=True)
class _Turn:
    """A refund that we hold the lease on, with its payment and the account that it is asked of."""

    database: Database
    business_id: UUID
    refund_id: UUID
    lease: UUID
    payment: Payment
    account: Account

    def named(self, **more: Any) -> dict[str, Any]:
        return {"business_id": self.business_id, "id": self.refund_id, "lease": self.lease, **more}

    async def locked(self, tx: Transaction) -> tuple[Payment, Refund]:
        """Return payment and refund, locked; raises _Overtaken."""
        payment, refund = await lock_refund(tx, self.refund_id)
        if refund.lease != self.lease:
            raise _Overtaken
        return payment, refund


async def settle_refund(database: Database, providers: Providers, business_id: UUID, refund_id: UUID) -> Refund:
    """Ask the provider for a refund, or how it stands; return it as it is then.

    While somebody else is at it he is told to look once more. Staff hear of one that is refused; what is not known yet
    is due again later. Raises NotFound for a refund that there is not.
    """
    turn = await _take(database, business_id, refund_id)
    if turn is not None:
        await _settled(providers, turn)
    async with database.transaction(business_id) as tx:
        return await find_refund(tx, refund_id)


async def _settled(providers: Providers, turn: _Turn) -> None:
    try:
        try:
            async with providers.opened(turn.business_id, turn.account) as provider:
                await _settle(provider, turn)
        except (ProviderError, TimeoutError) as failure:
            await _failed(turn, failure)
    except _Overtaken:
        log.info("refund_overtaken", refund_id=str(turn.refund_id))
    except asyncio.CancelledError:
        await asyncio.shield(_let_go(turn, 0.0))
        raise


async def _take(database: Database, business_id: UUID, refund_id: UUID) -> _Turn | None:
    lease = new_id()

    async def take(tx: Transaction) -> _Turn | None:
        named = {"business_id": business_id, "id": refund_id}
        if not await tx.run(statements["lease_refund"], named | {"lease": lease, "seconds": _LEASE_SECONDS}):
            await tx.run(statements["call_refund"], named)
            return None
        payment = await find_payment(tx, (await find_refund(tx, refund_id)).payment_id)
        assert payment.account_id is not None, "a payment is written down with its account"
        return _Turn(database, business_id, refund_id, lease, payment, await find_account(tx, payment.account_id))

    return await database.run(business_id, take)


async def _settle(provider: Provider, turn: _Turn) -> None:
    try:
        remote = await _ask(provider, turn)
    except (Refused, NoSuchObject) as refused:
        await _refused(turn, refused)
        await _let_go(turn, None)
        return

    async def note(tx: Transaction) -> Refund:
        payment, refund = await turn.locked(tx)
        if refund.error_code == Unauthorized.code:
            await attention.settle(tx, tasks.ACCOUNT_UNAUTHORIZED, turn.account.id)
        await refunds.become(tx, payment, refund, remote)
        return await find_refund(tx, refund.id)

    refund = await turn.database.run(turn.business_id, note)
    age = (refund.now - refund.created_at).total_seconds()
    await _let_go(turn, min(max(age / 6, _SOONEST_SECONDS), _LATEST_SECONDS))


async def _ask(provider: Provider, turn: _Turn) -> RemoteRefund:
    async with turn.database.transaction(turn.business_id) as tx:
        refund = await find_refund(tx, turn.refund_id)
    if refund.provider_refund_id is not None:
        try:
            return await provider.read_refund(refund.provider_refund_id)
        except NoSuchObject as gone:
            raise Unknown("a refund that was there is not found") from gone
    if refund.sent_at is not None and refund.now - refund.sent_at > KEPT:
        return await _found(provider, turn) or await _send(provider, turn, await _renewed(turn))
    try:
        return await _send(provider, turn, refund)
    except Replayed:
        # It will say so until it forgets the key: whether it was made has to be looked up.
        return await _found(provider, turn) or await _send(provider, turn, await _renewed(turn))


async def _send(provider: Provider, turn: _Turn, refund: Refund) -> RemoteRefund:
    async def sending(tx: Transaction) -> None:
        if not await tx.run(statements["send_refund"], turn.named()):
            raise _Overtaken

    await turn.database.run(turn.business_id, sending)
    remote_payment_id = turn.payment.provider_payment_id
    assert remote_payment_id is not None, "what was captured was made"
    amount = Money(refund.amount_minor, refund.currency)
    return await provider.refund(RefundWish(refund.provider_key, refund.id, remote_payment_id, amount))


async def _found(provider: Provider, turn: _Turn) -> RemoteRefund | None:
    remote_payment_id = turn.payment.provider_payment_id
    assert remote_payment_id is not None, "what was captured was made"
    remotes = await provider.refunds_of(remote_payment_id)
    return next((remote for remote in remotes if remote.refund_id == turn.refund_id), None)


async def _renewed(turn: _Turn) -> Refund:
    async def renew(tx: Transaction) -> Refund:
        payment, refund = await turn.locked(tx)
        return await refunds.renew(tx, payment, refund)

    return await turn.database.run(turn.business_id, renew)


async def _refused(turn: _Turn, failure: Refused | NoSuchObject) -> None:
    reason = failure.reason if isinstance(failure, Refused) else failure.code

    async def note(tx: Transaction) -> None:
        payment, refund = await turn.locked(tx)
        await refunds.write_refund(tx, refund, RefundState.REFUSED, provider_refund_id=None, reason=reason)
        await refunds.tell_refused(tx, payment, refund)
        await refunds.count(tx, payment.id)
        # It may be refused since somebody has given the money back at the provider itself.
        await call(tx, payment.id)

    await turn.database.run(turn.business_id, note)


async def _let_go(turn: _Turn, seconds: float | None) -> None:
    values = turn.named(seconds=seconds)
    await turn.database.run(turn.business_id, lambda tx: tx.run(statements["let_go_of_refund"], values))


async def _failed(turn: _Turn, failure: ProviderError | TimeoutError) -> None:
    """Try again later; staff hear of an account that is not let in."""
    code = code_of(failure)

    async def note(tx: Transaction) -> None:
        _, refund = await turn.locked(tx)
        seconds = seconds_after(failure, refund.failures + 1)
        await tell_staff(tx, failure, turn.account)
        await tx.run(statements["note_refund_failure"], turn.named(error_code=code, seconds=seconds))
        log.warning("refund_not_settled", refund_id=str(refund.id), error_code=code, failures=refund.failures + 1)

    await turn.database.run(turn.business_id, note)
