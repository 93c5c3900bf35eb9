"""The book of payments: each attempt to pay is written down once (P-7, P-8, D-4)."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from holdfast.booking.bookings import lock_reservation
from holdfast.booking.states import BookingState
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound
from holdfast.kernel.ids import new_id
from holdfast.kernel.sql import load
from holdfast.payments.accounts import Account
from holdfast.payments.keys import key_of
from holdfast.payments.port import Money, Names, ProviderName, RemotePayment, Wish
from holdfast.payments.states import PaymentState

statements = load(__package__)

_CONFIRMATION = "payments.confirmation"


@dataclass(frozen=True, slots=True)
class Booked:
    """What of a booking decides about its money; `now` is when it was read, by the database's clock."""

    id: UUID
    state: BookingState
    due_minor: int | None
    currency: str
    expires_at: datetime | None
    refund_percent: int | None
    locale: str | None
    now: datetime

    @property
    def awaits_payment(self) -> bool:
        """Tell whether its client has time left to pay."""
        in_time = self.expires_at is not None and self.expires_at > self.now
        return self.state is BookingState.PENDING_PAYMENT and in_time


@dataclass(frozen=True, slots=True)
class Payment:
    """An attempt to pay a booking, as its row tells; `now` is when it was read, by the database's clock.

    `refunded_minor` has gone back; `given_back_minor` counts what is on its way, too. `returned`: that any of it goes
    back was decided once, and be it refused.
    """

    business_id: UUID
    id: UUID
    booking_id: UUID
    attempt: int
    provider: ProviderName
    account: str
    account_id: UUID | None
    is_test: bool
    provider_key: str
    provider_payment_id: str | None
    state: PaymentState
    amount_minor: int
    currency: str
    captured_minor: int
    captured_currency: str | None
    captured_at: datetime | None
    refunded_minor: int
    given_back_minor: int
    returned: bool
    pays: bool
    fee_minor: int
    settled_for: BookingState | None
    confirmation: bytes | None = field(repr=False)
    wanted: str | None
    create_sent_at: datetime | None
    capture_key: str | None
    capture_sent_at: datetime | None
    cancel_key: str | None
    cancel_sent_at: datetime | None
    reason: str | None
    mismatch: str | None
    failures: int
    error_code: str | None
    lease: UUID | None
    created_at: datetime
    changed_at: datetime
    checked_at: datetime | None
    now: datetime

    @property
    def amount(self) -> Money:
        """Return what was asked for."""
        return Money(self.amount_minor, self.currency)

    @property
    def left_minor(self) -> int:
        """Return how much of what was captured has not gone back and is not on its way."""
        return self.captured_minor - self.given_back_minor


class Confirmation(msgspec.Struct, rename="camel", omit_defaults=True):
    """How the provider is asked to confirm a payment, to the letter whenever it is asked, and how it does that."""

    description: str
    return_url: str
    locale: str | None = None
    confirmation_url: str | None = None
    client_secret: str | None = None


async def lock_booked(tx: Transaction, booking_id: UUID) -> Booked:
    """Return a booking in any state, locked with all that changing it may touch; raises ReservationNotFoundOrExpired.

    It comes before its payments, and they before their refunds: everybody locks in this order.
    """
    await lock_reservation(tx, booking_id)
    return await read_booked(tx, booking_id)


async def read_booked(tx: Transaction, booking_id: UUID) -> Booked:
    """Return a booking in any state, as it is."""
    [row] = await tx.rows(statements["booked"], {"business_id": tx.business_id, "id": booking_id})
    return Booked(**row | {"state": BookingState(row["state"])})


async def record_payment(
    tx: Transaction,
    *,
    booking_id: UUID,
    account: Account,
    amount_minor: int,
    currency: str,
    confirmation: Confirmation | None,
    provider_payment_id: str | None = None,
) -> UUID:
    """Write down the next attempt to pay a booking before the provider is called, with the key of that call.

    Return its id. Raises DuplicatePayment for an object of the provider that is there already, DuplicateAttempt, each
    of which names its field, and ForeignKeyViolation for what is no booking of the business.
    """
    payment_id, earlier = new_id(), await payments_of(tx, booking_id)
    attempt = 1 + max((payment.attempt for payment in earlier), default=0)
    values = {
        "business_id": tx.business_id,
        "id": payment_id,
        "booking_id": booking_id,
        "attempt": attempt,
        "provider": account.provider,
        "account": account.account,
        "account_id": account.id,
        "is_test": account.is_test,
        "provider_key": key_of(booking_id, "create", attempt),
        "provider_payment_id": provider_payment_id,
        "amount_minor": amount_minor,
        "currency": currency,
        "confirmation": None if confirmation is None else await _sealed(tx, payment_id, confirmation),
    }
    await tx.run(statements["add_payment"], values)
    return payment_id


async def find_payment(tx: Transaction, payment_id: UUID) -> Payment:
    """Return a payment as it is; raises NotFound."""
    found = await _find(tx, id=payment_id)
    if not found:
        raise NotFound
    return found[0]


async def lock_payment(tx: Transaction, payment_id: UUID) -> Payment:
    """Return a payment that nobody else changes before this transaction ends; raises NotFound.

    Whoever changes its booking, too, has locked that before.
    """
    await tx.run(statements["lock_payment"], {"business_id": tx.business_id, "id": payment_id})
    return await find_payment(tx, payment_id)


async def payments_of(tx: Transaction, booking_id: UUID) -> list[Payment]:
    """Return the payments of a booking, the latest attempt first."""
    return await _find(tx, booking_id=booking_id)


async def call(tx: Transaction, payment_id: UUID) -> None:
    """Say that somebody has to look at a payment, now, or once more when somebody is at it."""
    await tx.run(statements["call_payment"], {"business_id": tx.business_id, "id": payment_id})


async def adopt(tx: Transaction, account: Account, remote: RemotePayment) -> UUID | None:
    """Return the payment that an object of the provider is, by its id or else by the names in it; None if not ours.

    Somebody has to look at it now. One whose call has not returned yet learns its object this way; a second object of
    the same payment becomes an attempt of its own, since money may come of it.
    """
    named = {"business_id": tx.business_id, "provider": account.provider, "remote_id": remote.id}
    payment_id: UUID | None = await tx.value(statements["payment_of_object"], named)
    if payment_id is None:
        payment_id = await _by_names(tx, account, remote)
    if payment_id is not None:
        await call(tx, payment_id)
    return payment_id


async def _by_names(tx: Transaction, account: Account, remote: RemotePayment) -> UUID | None:
    names = remote.names
    if names is None or names.business_id != tx.business_id:
        return None
    named = await _find(tx, id=names.payment_id)
    if not named or named[0].booking_id != names.booking_id or named[0].provider != account.provider:
        return None
    # Its booking before the payment, as everybody; that several hear of one object is decided by the lock.
    await lock_booked(tx, names.booking_id)
    payment = await lock_payment(tx, names.payment_id)
    if payment.provider_payment_id in (None, remote.id):
        await write(tx, payment, provider_payment_id=remote.id)
        return payment.id
    object_is = {"business_id": tx.business_id, "provider": account.provider, "remote_id": remote.id}
    known: UUID | None = await tx.value(statements["payment_of_object"], object_is)
    if known is not None:
        return known
    return await record_payment(
        tx,
        booking_id=payment.booking_id,
        account=account,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        confirmation=await confirmation_of(tx, payment),
        provider_payment_id=remote.id,
    )


async def write(tx: Transaction, payment: Payment, **changes: Any) -> None:
    """Write a payment as it has become; its row is locked by this transaction."""
    columns = {name: getattr(payment, name) for name in _WRITTEN} | changes
    await tx.run(statements["write_payment"], {"business_id": tx.business_id, "id": payment.id, **columns})


_WRITTEN = (
    "provider_payment_id",
    "state",
    "captured_minor",
    "captured_currency",
    "captured_at",
    "pays",
    "settled_for",
    "confirmation",
    "wanted",
    "capture_key",
    "capture_sent_at",
    "cancel_key",
    "cancel_sent_at",
    "reason",
    "mismatch",
    "checked_at",
)


async def confirmation_of(tx: Transaction, payment: Payment) -> Confirmation | None:
    """Return how a payment is confirmed, opened; None when that was forgotten with the person."""
    if payment.confirmation is None:
        return None
    text = (await tx.keys()).open(_CONFIRMATION, payment.id, payment.confirmation)
    return msgspec.json.decode(text, type=Confirmation)


async def confirmed_by(tx: Transaction, payment: Payment, remote: RemotePayment) -> bytes | None:
    """Return the confirmation as it is to be kept, with what the provider says of it now."""
    known = await confirmation_of(tx, payment)
    if known is None or (remote.confirmation_url is None and remote.client_secret is None):
        return payment.confirmation
    told = msgspec.structs.replace(
        known,
        confirmation_url=remote.confirmation_url or known.confirmation_url,
        client_secret=remote.client_secret or known.client_secret,
    )
    return payment.confirmation if told == known else await _sealed(tx, payment.id, told)


async def wish_of(tx: Transaction, payment: Payment) -> Wish:
    """Return how the provider is asked to make a payment: the same, to the letter, each time.

    Of one that was forgotten with its person nothing is known but by what it is looked up.
    """
    asked = await confirmation_of(tx, payment) or Confirmation("", "")
    return Wish(
        key=payment.provider_key,
        names=Names(payment.business_id, payment.booking_id, payment.id),
        amount=payment.amount,
        description=asked.description,
        return_url=asked.return_url,
        locale=asked.locale,
    )


async def _sealed(tx: Transaction, payment_id: UUID, confirmation: Confirmation) -> bytes:
    return (await tx.keys()).seal(_CONFIRMATION, payment_id, msgspec.json.encode(confirmation).decode())


async def _find(tx: Transaction, **by: UUID) -> list[Payment]:
    values = {"business_id": tx.business_id, "id": None, "booking_id": None, **by}
    return [
        Payment(
            **row
            | {
                "provider": ProviderName(row["provider"]),
                "state": PaymentState(row["state"]),
                "settled_for": None if row["settled_for"] is None else BookingState(row["settled_for"]),
            }
        )
        for row in await tx.rows(statements["find_payments"], values)
    ]
