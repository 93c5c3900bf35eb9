"""What a provider says of a payment, written down, and what follows from it for payment and booking (ADR 31).

All of it happens in one transaction, under the locks of the booking and then of the payment.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from typing import Literal

import structlog
from psycopg import Rollback

from holdfast.booking.readmission import readmit
from holdfast.booking.unpaid import confirm_paid, end_unpaid, keep_for_capture
from holdfast.kernel import attention
from holdfast.kernel.attention import Severity
from holdfast.kernel.database import Transaction
from holdfast.payments import tasks
from holdfast.payments.decisions import Decision, decide
from holdfast.payments.keys import KEPT, key_of
from holdfast.payments.ledger import Booked, Payment, confirmed_by, find_payment, write
from holdfast.payments.port import RemotePayment
from holdfast.payments.refunds import give_all_back, give_back_by_terms
from holdfast.payments.states import TRANSITIONS, Cause, PaymentState

log = structlog.get_logger(__name__)

# The client has the page of the provider open: a webhook tells, and if it is lost we ask.
_SOONEST_SECONDS, _LATEST_SECONDS = 10.0, 60.0
# Longer than a provider has any reason to need; a place is not kept for ever for money that cannot be taken.
_CAPTURE_AT_MOST = timedelta(minutes=30)

Call = Literal["capture", "cancel"]


@dataclass(frozen=True, slots=True)
class Next:
    """What is to be done now at the provider, with which key, or after how many seconds somebody looks again.

    Neither: nothing is open.
    """

    payment: Payment
    call: Call | None = None
    key: str | None = None
    seconds: float | None = None


class Again(Exception):
    """Somebody was in the way: the transaction is to be rolled back and begun anew, after a sweep if need be."""

    def __init__(self, *, sweep: bool) -> None:
        super().__init__()
        self.sweep = sweep


async def hear(tx: Transaction, payment: Payment, booked: Booked, heard: RemotePayment) -> Payment:
    """Write down how the provider has a payment, and return it as it is then.

    It goes one way, whatever order things are heard in. What is not as it was asked for stays so, and staff hear of it.
    """
    state = heard.state if heard.state in TRANSITIONS[payment.state] else payment.state
    if state is not heard.state:
        log.warning("payment_went_back", payment_id=str(payment.id), state=state, heard=heard.state)
    captured = payment.captured_minor
    if state is PaymentState.SUCCEEDED:
        captured = max(captured, heard.captured_minor)
    mismatch = payment.mismatch
    if mismatch is None and not payment.pays:
        mismatch = _mismatch(payment, booked, heard)
    foreign = None if heard.amount.currency == payment.currency or mismatch is None else heard.amount.currency
    await write(
        tx,
        payment,
        provider_payment_id=heard.id,
        state=state,
        captured_minor=captured,
        captured_currency=foreign,
        captured_at=payment.captured_at or (payment.now if captured else None),
        confirmation=await confirmed_by(tx, payment, heard),
        reason=heard.reason if state is PaymentState.CANCELLED else payment.reason,
        mismatch=mismatch,
        checked_at=payment.now,
    )
    if mismatch != payment.mismatch:
        await attention.raise_item(
            tx, tasks.MISMATCH, payment.id, Severity.URGENT, booking=payment.booking_id, what=mismatch
        )
    return await find_payment(tx, payment.id)


async def fail(tx: Transaction, payment: Payment, reason: str) -> None:
    """Write down that a payment was never made; it may turn out to have been after all."""
    if payment.state is not PaymentState.CREATED or payment.provider_payment_id is not None:
        # It has been heard of meanwhile.
        return
    await write(tx, payment, state=PaymentState.FAILED, reason=reason)
    if reason != NOT_NEEDED:
        await attention.raise_item(tx, tasks.REFUSED, payment.id, Severity.WARNING, booking=payment.booking_id)


NOT_NEEDED = "not_needed"


async def follow(tx: Transaction, payment: Payment, booked: Booked) -> Next:
    """Do what follows for a payment and its booking, and return what comes next. Raises Again."""
    decision = decide(
        payment.state,
        booked.state,
        pays=payment.pays,
        mismatched=payment.mismatch is not None,
        returned=payment.returned,
        reason=payment.reason,
    )
    return await _FOLLOW[decision](tx, payment, booked)


async def forget_key(tx: Transaction, payment: Payment) -> None:
    """Let the next capture or cancellation have another key: this one only ever brings up its first failure."""
    if payment.wanted == "capture":
        await write(tx, payment, capture_sent_at=None)
    else:
        await write(tx, payment, cancel_sent_at=None)


async def _rest(tx: Transaction, payment: Payment, _booked: Booked) -> Next:
    if payment.wanted is not None:
        await write(tx, payment, wanted=None)
    return Next(payment)


async def _wait(_tx: Transaction, payment: Payment, _booked: Booked) -> Next:
    age = (payment.now - payment.created_at).total_seconds()
    return Next(payment, seconds=min(max(age / 6, _SOONEST_SECONDS), _LATEST_SECONDS))


async def _capture(tx: Transaction, payment: Payment, booked: Booked) -> Next:
    if payment.capture_sent_at is None or payment.now - payment.capture_sent_at < _CAPTURE_AT_MOST:
        await keep_for_capture(tx, booked.id)
    key, sent_at = payment.capture_key, payment.capture_sent_at
    if key is None or sent_at is None or payment.now - sent_at > KEPT:
        key, sent_at = _next_key(payment, "capture", key), payment.now
    await write(tx, payment, wanted="capture", capture_key=key, capture_sent_at=sent_at)
    return Next(replace(payment, wanted="capture"), call="capture", key=key)


async def _cancel(tx: Transaction, payment: Payment, _booked: Booked) -> Next:
    key, sent_at = payment.cancel_key, payment.cancel_sent_at
    if key is None or sent_at is None or payment.now - sent_at > KEPT:
        key, sent_at = _next_key(payment, "cancel", key), payment.now
    await write(tx, payment, wanted="cancel", cancel_key=key, cancel_sent_at=sent_at)
    return Next(replace(payment, wanted="cancel"), call="cancel", key=key)


async def _confirm(tx: Transaction, payment: Payment, booked: Booked) -> Next:
    await write(tx, payment, pays=True, wanted=None)
    await confirm_paid(tx, booked.id)
    return Next(payment)


async def _readmit(tx: Transaction, payment: Payment, booked: Booked) -> Next:
    """Take the place again and confirm, or give the money back: one decision, under the lock of the booking."""
    outcome = None
    async with tx.connection.transaction() as savepoint:
        await write(tx, payment, pays=True, wanted=None)
        outcome = await readmit(tx, booked.id)
        if outcome != "readmitted":
            raise Rollback(savepoint)
    if outcome == "readmitted":
        return Next(payment)
    if outcome != "refused":
        raise Again(sweep=outcome == "spent")
    return await _too_late(tx, payment, booked)


async def _too_late(tx: Transaction, payment: Payment, booked: Booked) -> Next:
    if await give_all_back(tx, payment, Cause.LATE):
        await attention.raise_item(tx, tasks.LATE, payment.id, Severity.INFO, booking=payment.booking_id)
    return await _rest(tx, payment, booked)


async def _duplicate(tx: Transaction, payment: Payment, booked: Booked) -> Next:
    if await give_all_back(tx, payment, Cause.DUPLICATE):
        await attention.raise_item(tx, tasks.DUPLICATE, payment.id, Severity.INFO, booking=payment.booking_id)
    return await _rest(tx, payment, booked)


async def _mismatched(tx: Transaction, payment: Payment, booked: Booked) -> Next:
    await give_all_back(tx, payment, Cause.MISMATCH)
    return await _rest(tx, payment, booked)


async def _by_terms(tx: Transaction, payment: Payment, booked: Booked) -> Next:
    await give_back_by_terms(tx, payment, booked)
    return Next(payment)


async def _expire(tx: Transaction, payment: Payment, booked: Booked) -> Next:
    await end_unpaid(tx, booked.id, now=True)
    return await _rest(tx, payment, booked)


_FOLLOW: dict[Decision, Callable[[Transaction, Payment, Booked], Awaitable[Next]]] = {
    Decision.REST: _rest,
    Decision.LET_RETRY: _rest,
    Decision.WAIT: _wait,
    Decision.CAPTURE: _capture,
    Decision.CANCEL: _cancel,
    Decision.CONFIRM: _confirm,
    Decision.READMIT: _readmit,
    Decision.EXPIRE: _expire,
    Decision.REFUND_DUPLICATE: _duplicate,
    Decision.REFUND_LATE: _too_late,
    Decision.REFUND_MISMATCH: _mismatched,
    Decision.REFUND_BY_TERMS: _by_terms,
}


def _mismatch(payment: Payment, booked: Booked, heard: RemotePayment) -> str | None:
    """Return what of a payment is not as it was asked for, None when all of it is (P-5)."""
    names = heard.names
    ours = (payment.business_id, payment.booking_id)
    partly = heard.state is PaymentState.SUCCEEDED and heard.captured_minor != payment.amount_minor
    found = {
        "booking": names is not None and (names.business_id, names.booking_id) != ours,
        "account": heard.account is not None and heard.account != payment.account,
        "mode": heard.is_test is not payment.is_test,
        "currency": heard.amount.currency != payment.currency or booked.currency != payment.currency,
        "amount": heard.amount.minor != payment.amount_minor or partly or booked.due_minor != payment.amount_minor,
    }
    return next((what for what, differs in found.items() if differs), None)


def _next_key(payment: Payment, operation: Call, last: str | None) -> str:
    keys = (key_of(payment.booking_id, operation, payment.attempt, number) for number in count(1))
    if last is not None:
        assert any(key == last for key in keys), "a key that was stored is one of the row of keys"
    return next(keys)
