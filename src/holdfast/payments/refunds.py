"""Money that goes back: each cause once, never more than was taken, however often it is decided (P-6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from holdfast.booking.refund_terms import share_of
from holdfast.booking.states import BookingState
from holdfast.kernel import attention
from holdfast.kernel.attention import Severity
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound
from holdfast.kernel.ids import new_id
from holdfast.kernel.sql import load
from holdfast.payments import tasks
from holdfast.payments.errors import RefundExceedsPayment, RefundNotRefused
from holdfast.payments.keys import key_of
from holdfast.payments.ledger import Booked, Payment, call, find_payment, lock_booked, lock_payment, write
from holdfast.payments.ledger import statements as of_payments
from holdfast.payments.port import RemoteRefund
from holdfast.payments.states import REFUND_TRANSITIONS, Cause, RefundState

statements = load(__package__, "refunds.sql")

_ALL_PERCENT = 100
# It was not sent, and did not fit any more beside what others have given back: what is left is decided anew.
_GIVEN_UP = "given_back_elsewhere"


@dataclass(frozen=True, slots=True)
class Refund:
    """Money of a payment that goes back, as its row tells; `now` is when it was read, by the database's clock."""

    business_id: UUID
    id: UUID
    payment_id: UUID
    number: int
    cause: Cause
    provider_key: str
    provider_refund_id: str | None
    state: RefundState
    amount_minor: int
    currency: str
    sent_at: datetime | None
    reason: str | None
    failures: int
    error_code: str | None
    lease: UUID | None
    created_at: datetime
    changed_at: datetime
    now: datetime

    @property
    def given_up(self) -> bool:
        """Tell whether it is as if it had never been decided."""
        return self.state is RefundState.REFUSED and self.reason == _GIVEN_UP


async def find_refund(tx: Transaction, refund_id: UUID) -> Refund:
    """Return a refund as it is; raises NotFound."""
    found = await _find(tx, id=refund_id)
    if not found:
        raise NotFound
    return found[0]


async def refunds_of(tx: Transaction, payment_id: UUID) -> list[Refund]:
    """Return the refunds of a payment, in the order in which they were asked for."""
    return await _find(tx, payment_id=payment_id)


async def lock_refund(tx: Transaction, refund_id: UUID) -> tuple[Payment, Refund]:
    """Return a refund and its payment, which nobody else changes before this transaction ends; raises NotFound."""
    refund = await find_refund(tx, refund_id)
    payment = await lock_payment(tx, refund.payment_id)
    await tx.run(statements["lock_refund"], {"business_id": tx.business_id, "id": refund_id})
    return payment, await find_refund(tx, refund_id)


async def give_all_back(tx: Transaction, payment: Payment, cause: Cause) -> bool:
    """Give back what is left of a payment that is locked, once; a worker asks the provider for it.

    Returns whether it was decided now. What was refused is tried again by staff and not by itself.
    """
    known = await refunds_of(tx, payment.id)
    decided = any(refund.cause is not Cause.GOODWILL and not refund.given_up for refund in known)
    if payment.left_minor <= 0 or decided:
        return False
    await _add(tx, payment, known, cause, payment.left_minor)
    return True


async def give_back_by_terms(tx: Transaction, payment: Payment, booked: Booked) -> None:
    """Give back what the terms of a booking that has ended say, once for each state in which it can have ended.

    What is kept beyond that is the fee. The payment is locked, after its booking.
    """
    known = await refunds_of(tx, payment.id)
    otherwise = sum(r.amount_minor for r in known if r.cause is not Cause.POLICY and r.state is not RefundState.REFUSED)
    by_terms = [refund for refund in known if refund.cause is Cause.POLICY]
    standing = any(refund.state is not RefundState.REFUSED for refund in by_terms)
    undecided = payment.settled_for is not booked.state or (by_terms and by_terms[-1].given_up)
    if undecided and not standing:
        percent = _ALL_PERCENT if booked.refund_percent is None else booked.refund_percent
        owed = min(share_of(payment.captured_minor, percent), payment.captured_minor - otherwise)
        if owed > 0:
            await _add(tx, payment, known, Cause.POLICY, owed)
    await write(tx, payment, settled_for=booked.state)
    await count(tx, payment.id)


async def give_goodwill(tx: Transaction, payment_id: UUID, amount_minor: int) -> Refund:
    """Give back some of a payment though its booking stays, or of the fee of one that does not.

    Raises NotFound, RefundExceedsPayment.
    """
    payment = await find_payment(tx, payment_id)
    booked = await lock_booked(tx, payment.booking_id)
    payment = await lock_payment(tx, payment_id)
    owed = owed_minor(payment, booked)
    if not 0 < amount_minor <= payment.left_minor - owed:
        raise RefundExceedsPayment.over(payment.left_minor - owed)
    refund_id = await _add(tx, payment, await refunds_of(tx, payment_id), Cause.GOODWILL, amount_minor)
    # What is kept as a fee becomes less.
    await count(tx, payment_id)
    await call(tx, payment_id)
    return await find_refund(tx, refund_id)


async def retry(tx: Transaction, refund_id: UUID) -> Refund:
    """Try a refund again that the provider has refused: another one for the same cause, with a key of its own.

    Of what has to go back, as much as is left when other money has gone back in the meantime. Raises NotFound,
    RefundNotRefused, RefundExceedsPayment when nothing is left, or less than goodwill was.
    """
    payment, refused = await lock_refund(tx, refund_id)
    known = await refunds_of(tx, payment.id)
    of_cause = [refund for refund in known if refund.cause is refused.cause]
    stands = any(refund.state is not RefundState.REFUSED for refund in of_cause)
    tried_again = refused.cause is Cause.GOODWILL and any(r.number > refused.number for r in of_cause)
    if refused.state is not RefundState.REFUSED or tried_again or (stands and refused.cause is not Cause.GOODWILL):
        raise RefundNotRefused
    is_owed = refused.cause is not Cause.GOODWILL
    amount_minor = min(refused.amount_minor, payment.left_minor) if is_owed else refused.amount_minor
    if not 0 < amount_minor <= payment.left_minor:
        raise RefundExceedsPayment.over(payment.left_minor)
    again = await _add(tx, payment, known, refused.cause, amount_minor)
    # What is kept as a fee was reckoned without it.
    await count(tx, payment.id)
    await call(tx, payment.id)
    return await find_refund(tx, again)


async def learn(tx: Transaction, payment: Payment, remotes: Sequence[RemoteRefund]) -> None:
    """Write down what the provider says of all refunds of a payment, which is locked: ours, and those of other hands.

    What staff have given back at the provider itself is goodwill that has gone through; of ours, what was not sent yet
    and does not fit beside it any more is given up.
    """
    for remote in remotes:
        known = await refunds_of(tx, payment.id)
        ours = next((r for r in known if _is_same(r, remote)), None)
        if ours is not None:
            await become(tx, payment, ours, remote)
        elif remote.state in (RefundState.PENDING, RefundState.SUCCEEDED):
            await _learn_foreign(tx, payment, known, remote)
    await count(tx, payment.id)


async def become(tx: Transaction, payment: Payment, refund: Refund, remote: RemoteRefund) -> None:
    """Write a refund as the provider has it; staff hear of one that is refused. Payment and refund are locked."""
    state = remote.state if remote.state in REFUND_TRANSITIONS[refund.state] else refund.state
    remote_id = refund.provider_refund_id or remote.id
    if (state, remote_id) == (refund.state, refund.provider_refund_id):
        return
    reason = remote.reason if state is RefundState.REFUSED else None
    await write_refund(tx, refund, state, provider_refund_id=remote_id, reason=reason)
    if state is RefundState.REFUSED and refund.state is not RefundState.REFUSED:
        await tell_refused(tx, payment, refund)
    elif state is RefundState.SUCCEEDED and not await _refusals(tx, payment.id):
        await attention.settle(tx, tasks.REFUND_REFUSED, payment.id)
    await count(tx, payment.id)


async def write_refund(
    tx: Transaction, refund: Refund, state: RefundState, *, provider_refund_id: str | None, reason: str | None
) -> None:
    """Write what has become of a refund; its row is locked by this transaction."""
    values = {"business_id": tx.business_id, "id": refund.id, "state": state}
    await tx.run(statements["write_refund"], values | {"provider_refund_id": provider_refund_id, "reason": reason})


async def tell_refused(tx: Transaction, payment: Payment, refund: Refund) -> None:
    """Put a refund that the provider has refused before staff: the money is still with us."""
    await attention.raise_item(
        tx,
        tasks.REFUND_REFUSED,
        payment.id,
        Severity.URGENT,
        booking=payment.booking_id,
        refund=refund.id,
        cause=refund.cause,
    )


async def renew(tx: Transaction, payment: Payment, refund: Refund) -> Refund:
    """Ask for a refund that was never made with another key; payment and refund are locked."""
    number = 1 + max(each.number for each in await refunds_of(tx, payment.id))
    key = _key(payment, number)
    values = {"business_id": tx.business_id, "id": refund.id, "number": number, "provider_key": key}
    await tx.run(statements["renew_refund"], values)
    return await find_refund(tx, refund.id)


async def count(tx: Transaction, payment_id: UUID) -> None:
    """Write into a payment how much of it has gone back, and what is kept of it where its booking has ended."""
    await tx.run(of_payments["count_refunded"], {"business_id": tx.business_id, "id": payment_id})


async def _refusals(tx: Transaction, payment_id: UUID) -> list[Refund]:
    """Return the refunds that were refused and none of whose cause has gone through since; none when all is back."""
    known = await refunds_of(tx, payment_id)
    gone = {each.cause: each.number for each in known if each.state is RefundState.SUCCEEDED}
    refused = [each for each in known if each.state is RefundState.REFUSED and not each.given_up]
    left = (await find_payment(tx, payment_id)).left_minor
    return [each for each in refused if left > 0 and gone.get(each.cause, 0) < each.number]


def _is_same(refund: Refund, remote: RemoteRefund) -> bool:
    """Tell whether a refund is this one: one that was made a second time under our name for it is another."""
    if refund.provider_refund_id is None:
        return remote.refund_id == refund.id
    return remote.id == refund.provider_refund_id


def owed_minor(payment: Payment, booked: Booked) -> int:
    """Return what has to go back all the same, and is not on its way since the provider has refused it."""
    ended = booked.state in (BookingState.CANCELLED, BookingState.REFUNDED)
    if payment.pays and not ended:
        return 0
    return max(0, payment.left_minor - payment.fee_minor)


async def _learn_foreign(tx: Transaction, payment: Payment, known: Sequence[Refund], remote: RemoteRefund) -> None:
    left = payment.captured_minor - sum(r.amount_minor for r in known if r.state is not RefundState.REFUSED)
    for refund in reversed(known):
        if left >= remote.amount.minor:
            break
        if refund.state is RefundState.CREATED and refund.sent_at is None:
            await write_refund(tx, refund, RefundState.REFUSED, provider_refund_id=None, reason=_GIVEN_UP)
            left += refund.amount_minor
    if left < remote.amount.minor:
        # One of ours is under way: what becomes of it is heard first.
        return
    refund_id = await _add(tx, payment, known, Cause.GOODWILL, remote.amount.minor, remote)
    await attention.raise_item(
        tx, tasks.REFUNDED_ELSEWHERE, payment.id, Severity.INFO, booking=payment.booking_id, refund=refund_id
    )


async def _add(
    tx: Transaction,
    payment: Payment,
    known: Sequence[Refund],
    cause: Cause,
    amount_minor: int,
    remote: RemoteRefund | None = None,
) -> UUID:
    number = 1 + max((refund.number for refund in known), default=0)
    values = {
        "business_id": tx.business_id,
        "id": new_id(),
        "payment_id": payment.id,
        "number": number,
        "cause": cause,
        "provider_key": _key(payment, number),
        "provider_refund_id": None if remote is None else remote.id,
        "state": RefundState.CREATED if remote is None else remote.state,
        "amount_minor": amount_minor,
        "currency": payment.captured_currency or payment.currency,
    }
    await tx.run(statements["add_refund"], values)
    refund_id: UUID = values["id"]  # type: ignore[assignment]
    return refund_id


def _key(payment: Payment, number: int) -> str:
    return key_of(payment.booking_id, "refund", payment.attempt, number)


async def _find(tx: Transaction, **by: UUID) -> list[Refund]:
    values = {"business_id": tx.business_id, "id": None, "payment_id": None, **by}
    return [
        Refund(**row | {"cause": Cause(row["cause"]), "state": RefundState(row["state"])})
        for row in await tx.rows(statements["find_refunds"], values)
    ]
