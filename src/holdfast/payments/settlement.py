"""A payment is compared with its booking: the provider is asked, one transaction decides, and what it decides is done.

Whatever happens only says that somebody has to look (ADR 31). Whoever looks holds a lease on the payment; no
transaction is open while the provider is asked, and whoever has lost his lease in the meantime writes nothing. What was
done and not written is found by the next one, since each call has its key before it is made.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from holdfast.booking.admission import sweep
from holdfast.kernel import attention
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.ids import new_id
from holdfast.payments import following, tasks
from holdfast.payments.accounts import Account, find_account
from holdfast.payments.failures import code_of, seconds_after, tell_staff
from holdfast.payments.following import Again, Next
from holdfast.payments.keys import KEPT
from holdfast.payments.ledger import Payment, call, find_payment, lock_booked, lock_payment, statements, wish_of
from holdfast.payments.port import (
    Provider,
    ProviderError,
    Refused,
    RemotePayment,
    RemoteRefund,
    Replayed,
    Unauthorized,
    Unknown,
)
from holdfast.payments.providers import Providers
from holdfast.payments.refunds import learn
from holdfast.payments.states import PaymentState

log = structlog.get_logger(__name__)

# Longer than one call of a provider with all its waiting, and what is written after it.
LEASE_SECONDS = 60.0
# Asking, capturing and confirming is three; whoever calls meanwhile has it done once more.
_ROUNDS = 8
# A provider that refuses to call off what is not paid yet is asked again, and ends it by itself within the hour.
_CALL_OFF_SECONDS = 300.0


class _Overtaken(Exception):
    """Somebody else has the lease."""


@dataclass(frozen=True, slots=True)
class _Turn:
    """A payment that we hold the lease on, with the account that it is asked of."""

    database: Database
    business_id: UUID
    payment_id: UUID
    booking_id: UUID
    lease: UUID
    account: Account

    def named(self, **more: Any) -> dict[str, Any]:
        return {"business_id": self.business_id, "id": self.payment_id, "lease": self.lease, **more}

    async def read(self) -> Payment:
        """Return the payment as it is; raises _Overtaken."""
        async with self.database.transaction(self.business_id) as tx:
            payment = await find_payment(tx, self.payment_id)
        if payment.lease != self.lease:
            raise _Overtaken
        return payment


async def settle(database: Database, providers: Providers, business_id: UUID, payment_id: UUID) -> Payment:
    """Compare a payment with its booking and do what follows, until nothing more can be done now; return it then.

    While somebody else is at it he is told to look once more, and nothing is waited for. What cannot be done for now is
    due again later. Raises NotFound for a payment that there is not.
    """
    for _ in range(_ROUNDS):
        turn = await _take(database, business_id, payment_id)
        if turn is None or not await _settled(providers, turn):
            break
    async with database.transaction(business_id) as tx:
        return await find_payment(tx, payment_id)


async def _take(database: Database, business_id: UUID, payment_id: UUID) -> _Turn | None:
    lease = new_id()

    async def take(tx: Transaction) -> _Turn | None:
        named = {"business_id": business_id, "id": payment_id}
        taken = await tx.run(statements["lease_payment"], named | {"lease": lease, "seconds": LEASE_SECONDS})
        if not taken:
            await call(tx, payment_id)
            return None
        payment = await find_payment(tx, payment_id)
        assert payment.account_id is not None, "a payment is written down with its account"
        account = await find_account(tx, payment.account_id)
        return _Turn(database, business_id, payment_id, payment.booking_id, lease, account)

    return await database.run(business_id, take)


async def _settled(providers: Providers, turn: _Turn) -> bool:
    """Settle once, and return whether somebody has called meanwhile."""
    try:
        try:
            async with providers.opened(turn.business_id, turn.account) as provider:
                return await _round(provider, turn)
        except (ProviderError, TimeoutError) as failure:
            await _failed(turn, failure)
    except _Overtaken:
        log.info("payment_overtaken", payment_id=str(turn.payment_id))
    except asyncio.CancelledError:
        # Done or not, the next one finds out, and need not wait for our lease to end.
        await asyncio.shield(_let_go(turn, 0.0))
        raise
    return False


async def _round(provider: Provider, turn: _Turn) -> bool:
    """Ask, decide and act until nothing is left to do; return whether somebody has called meanwhile."""
    heard = await _ask(provider, turn)
    refunds: Sequence[RemoteRefund] = ()
    if heard is not None and heard.refunded_minor != (await turn.read()).refunded_minor:
        refunds = await provider.refunds_of(heard.id)
    for _ in range(_ROUNDS):
        now = await _decide(turn, heard, refunds)
        if now.call is None:
            return await _let_go(turn, now.seconds)
        heard = await _act(provider, turn, now)
        if heard is None:
            return await _let_go(turn, _CALL_OFF_SECONDS)
    raise Unknown("the payment changes faster than it can be settled")


async def _ask(provider: Provider, turn: _Turn) -> RemotePayment | None:
    """Return how the provider has the payment, made first where it is still wanted; None: there is nothing to hear."""
    payment = await turn.read()
    if payment.provider_payment_id is not None:
        return await provider.read(payment.provider_payment_id)
    if payment.state is PaymentState.FAILED:
        return None
    return await _create(provider, turn, payment)


async def _create(provider: Provider, turn: _Turn, payment: Payment) -> RemotePayment | None:
    if payment.create_sent_at is None and not await _sending(turn):
        await _never_made(turn, following.NOT_NEEDED)
        return None
    async with turn.database.transaction(turn.business_id) as tx:
        wish = await wish_of(tx, payment)
    # By the provider, after a day; by us, with the person.
    forgotten = payment.create_sent_at is not None and payment.now - payment.create_sent_at > KEPT
    if not forgotten and payment.confirmation is not None:
        try:
            made = await provider.create(wish)
            # Asked a second time, the answer is the first one: since then the client may have paid.
            return made if payment.create_sent_at is None else await provider.read(made.id)
        except Replayed:
            # It will say so until it forgets the key: whether it was made has to be looked up.
            pass
        except Refused as refused:
            await _never_made(turn, refused.reason)
            return None
    found = await provider.find(wish, payment.created_at)
    if found is None:
        await _never_made(turn, "never_made")
    return found


async def _sending(turn: _Turn) -> bool:
    """Write down that a payment is made now, with its key; return whether it is still wanted."""
    return bool(await turn.database.run(turn.business_id, lambda tx: tx.run(statements["send_create"], turn.named())))


async def _never_made(turn: _Turn, reason: str) -> None:
    async def fail(tx: Transaction) -> None:
        await following.fail(tx, await _locked(tx, turn), reason)

    await turn.database.run(turn.business_id, fail)


async def _locked(tx: Transaction, turn: _Turn) -> Payment:
    payment = await lock_payment(tx, turn.payment_id)
    if payment.lease != turn.lease:
        raise _Overtaken
    return payment


async def _decide(turn: _Turn, heard: RemotePayment | None, refunds: Sequence[RemoteRefund]) -> Next:
    """Write down what was heard and what follows, in one transaction under the locks of booking and payment."""

    async def work(tx: Transaction) -> Next:
        booked = await lock_booked(tx, turn.booking_id)
        payment = await _locked(tx, turn)
        if payment.error_code == Unauthorized.code and heard is not None:
            await attention.settle(tx, tasks.ACCOUNT_UNAUTHORIZED, turn.account.id)
        if heard is not None:
            payment = await following.hear(tx, payment, booked, heard)
        if refunds:
            await learn(tx, payment, refunds)
            payment = await find_payment(tx, payment.id)
        now = await following.follow(tx, payment, booked)
        await tx.run(statements["keep_lease"], turn.named(seconds=LEASE_SECONDS))
        return now

    for _ in range(_ROUNDS):
        try:
            return await turn.database.run(turn.business_id, work)
        except Again as again:
            if again.sweep:
                await sweep(turn.database, turn.business_id)
    raise Unknown("the place of the booking is being taken by others")


async def _act(provider: Provider, turn: _Turn, now: Next) -> RemotePayment | None:
    """Do at the provider what was decided; return how the payment is then, None when it refuses to call it off yet."""
    payment = now.payment
    remote_id, key = payment.provider_payment_id, now.key
    assert remote_id is not None, "what is to be captured or called off was made"
    assert key is not None, "each call has its key before it is made"
    try:
        if now.call == "capture":
            return await provider.capture(remote_id, key, payment.amount)
        return await provider.cancel(remote_id, key)
    except Replayed:
        await turn.database.run(turn.business_id, lambda tx: following.forget_key(tx, payment))
        raise
    except Refused as refused:
        # It may have gone another way in the meantime, and that is why.
        after = await provider.read(remote_id)
        if after.state is not payment.state:
            return after
        if now.call == "cancel":
            return None
        raise Unknown(f"capture refused: {refused.reason}") from refused


async def _let_go(turn: _Turn, seconds: float | None) -> bool:
    """Give the lease back until so many seconds from now, None for as long as nobody calls.

    Return whether somebody has called since it was taken: then it is due at once.
    """

    async def let_go(tx: Transaction) -> bool:
        return bool(await tx.value(statements["let_go"], turn.named(seconds=seconds)))

    return await turn.database.run(turn.business_id, let_go)


async def _failed(turn: _Turn, failure: ProviderError | TimeoutError) -> None:
    """Try again later; staff hear of an account that is not let in."""
    code = code_of(failure)

    async def note(tx: Transaction) -> None:
        payment = await _locked(tx, turn)
        seconds = seconds_after(failure, payment.failures + 1)
        await tell_staff(tx, failure, turn.account)
        await tx.run(statements["note_failure"], turn.named(error_code=code, seconds=seconds))
        log.warning("payment_not_settled", payment_id=str(payment.id), error_code=code, failures=payment.failures + 1)

    await turn.database.run(turn.business_id, note)
