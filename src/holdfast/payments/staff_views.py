"""What staff are shown of payments, and the changes that they make to them (P-6)."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from holdfast.booking.bookings import Keyed, find_answer, keep_answer
from holdfast.kernel.audit import Actor, record
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound
from holdfast.kernel.sql import load
from holdfast.payments.ledger import find_payment, lock_booked
from holdfast.payments.port import ProviderName
from holdfast.payments.refunds import Refund, give_goodwill
from holdfast.payments.refunds import retry as try_again
from holdfast.payments.states import Cause, PaymentState, RefundState

_SQL = load(__package__, "staff.sql")


class PaymentCard(msgspec.Struct, rename="camel", kw_only=True):
    """An attempt to pay a booking, in minor units of `currency`.

    Where another currency was taken, it is `capturedCurrency`. `returningMinor` is on its way back; `feeMinor` is kept
    though the booking does not take place. `pays` says that the booking is confirmed by it, `mismatch` what of it is
    not as it was asked for. `nextAttemptAt` is null when nothing is open.
    """

    id: UUID
    booking_id: UUID
    attempt: int
    provider: ProviderName
    account_id: UUID | None
    is_test: bool
    status: PaymentState
    provider_payment_id: str | None
    amount_minor: int
    currency: str
    captured_minor: int
    captured_currency: str
    refunded_minor: int
    returning_minor: int
    fee_minor: int
    pays: bool
    mismatch: str | None
    reason: str | None
    error_code: str | None
    created_at: datetime
    captured_at: datetime | None
    checked_at: datetime | None
    next_attempt_at: datetime | None


class RefundView(msgspec.Struct, rename="camel", kw_only=True):
    """Money that goes back, or was to: `reason` and `errorCode` say why it was refused, or has not gone yet."""

    id: UUID
    payment_id: UUID
    number: int
    cause: Cause
    status: RefundState
    amount_minor: int
    currency: str
    provider_refund_id: str | None
    reason: str | None
    error_code: str | None
    created_at: datetime
    next_attempt_at: datetime | None
    replayed: bool = False


class EventView(msgspec.Struct, rename="camel", kw_only=True):
    """What the provider has told of a payment or its refunds; `outcome` is what became of it."""

    id: UUID
    type: str
    received_at: datetime
    times_heard: int
    processed_at: datetime | None
    outcome: str | None
    error_code: str | None


class PaymentView(PaymentCard, kw_only=True):
    """A payment with its refunds, the first one first, and what the provider has told."""

    refunds: list[RefundView]
    events: list[EventView]


async def list_payments(tx: Transaction, **wanted: Any) -> list[PaymentCard]:
    """Return payments of the business, newest first: those that fit what is wanted, which payments_listed names."""
    values = dict.fromkeys(
        ("id", "booking_id", "states", "provider", "since", "until", "after", "after_id", "limit"), None
    )
    return await tx.all(PaymentCard, _SQL["payments_listed"], {"business_id": tx.business_id, **values, **wanted})


async def read_payment(tx: Transaction, payment_id: UUID) -> PaymentView:
    """Return a payment with its refunds and what the provider has told; raises NotFound."""
    found = await list_payments(tx, id=payment_id)
    if not found:
        raise NotFound
    about = {"business_id": tx.business_id, "payment_id": payment_id}
    refunds = await tx.all(RefundView, _SQL["refunds_listed"], about | {"id": None})
    events = await tx.all(EventView, _SQL["events_listed"], about)
    return PaymentView(**msgspec.structs.asdict(found[0]), refunds=refunds, events=events)


async def give_back_some(
    tx: Transaction, payment_id: UUID, amount_minor: int, key: Keyed, actor: Actor, reason: str | None
) -> RefundView:
    """Give back some of a payment of goodwill; for the same key the same refund.

    Raises NotFound, RefundExceedsPayment, IdempotencyKeyReused.
    """
    # Locked before the key is looked for, so that of two with one key the second finds what the first was told.
    booked = await lock_booked(tx, (await find_payment(tx, payment_id)).booking_id)
    answered = await find_answer(tx, key)
    if answered is not None:
        return msgspec.convert({**answered, "replayed": True}, RefundView)
    shown = await _shown(tx, await give_goodwill(tx, payment_id, amount_minor))
    await keep_answer(tx, key, booked.id, shown)
    await record(
        tx, "refund", shown.id, "give_back", actor, after=f"{shown.amount_minor} {shown.currency}", reason=reason
    )
    return shown


async def retry_refused(tx: Transaction, refund_id: UUID, actor: Actor) -> RefundView:
    """Try a refund again that the provider has refused, and return the other one; raises NotFound, RefundNotRefused."""
    shown = await _shown(tx, await try_again(tx, refund_id))
    await record(tx, "refund", shown.id, "retry", actor, before=refund_id, after=shown.status)
    return shown


async def _shown(tx: Transaction, refund: Refund) -> RefundView:
    values = {"business_id": tx.business_id, "payment_id": None, "id": refund.id}
    [shown] = await tx.all(RefundView, _SQL["refunds_listed"], values)
    return shown
