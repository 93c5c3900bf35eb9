"""What a provider's own list tells of money that our books do not, object by object (P-4).

Nothing is decided here but that somebody has to look: what the books have otherwise is made due, and what they lack is
entered, so that it can be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any
from uuid import UUID, uuid5

import structlog

from holdfast.booking.errors import ReservationNotFoundOrExpired
from holdfast.kernel import attention
from holdfast.kernel.attention import Severity
from holdfast.kernel.audit import SYSTEM, record
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.sql import load
from holdfast.payments import tasks
from holdfast.payments.accounts import Account
from holdfast.payments.ledger import Confirmation, adopt, call, lock_booked, record_payment
from holdfast.payments.port import RemotePayment, RemoteRefund
from holdfast.payments.states import REFUND_TRANSITIONS, TRANSITIONS, PaymentState, RefundState

log = structlog.get_logger(__name__)

_SQL = load(__package__, "reconciliation.sql")


class Finding(Enum):
    """What came of comparing one object."""

    AGREES = "agrees"
    # Somebody else's who uses the same account, or another business's.
    NOT_OURS = "not ours"
    # The books have it otherwise, or under no id of the provider's.
    CALLED = "called"
    # The books did not know of it.
    ENTERED = "entered"
    # Nobody can tell from the books what this money is for; staff are asked.
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class Kept:
    """A payment as our books have it; what is on its way back is not in `refunded_minor`."""

    id: UUID
    booking_id: UUID
    provider_payment_id: str
    state: PaymentState
    captured_minor: int
    refunded_minor: int
    returning_minor: int


@dataclass(frozen=True, slots=True)
class KeptRefund:
    """A refund as our books have it."""

    id: UUID
    payment_id: UUID
    provider_refund_id: str | None
    state: RefundState


@dataclass(frozen=True, slots=True)
class Books:
    """Whose books are compared with which account."""

    database: Database
    business_id: UUID
    account: Account

    def subject_of(self, remote_id: str) -> UUID:
        """Return by which id staff are told of an object at the provider that there is not here."""
        return uuid5(self.business_id, f"{self.account.provider}/{remote_id}")

    async def payments(self, remote_ids: Sequence[str]) -> dict[str, Kept]:
        """Return the payments of the books that are these objects of the provider."""
        values = {"business_id": self.business_id, "provider": self.account.provider, "remote_ids": list(remote_ids)}
        async with self.database.reading(self.business_id) as tx:
            rows = await tx.rows(_SQL["payments_compared"], values)
        return {row["provider_payment_id"]: Kept(**row | {"state": PaymentState(row["state"])}) for row in rows}

    async def refunds(self, payments: Sequence[Kept]) -> list[KeptRefund]:
        """Return the refunds of payments."""
        values = {"business_id": self.business_id, "payment_ids": [payment.id for payment in payments]}
        async with self.database.reading(self.business_id) as tx:
            rows = await tx.rows(_SQL["refunds_compared"], values)
        return [KeptRefund(**row | {"state": RefundState(row["state"])}) for row in rows]


async def compare_payments(books: Books, remotes: Sequence[RemotePayment]) -> list[Finding]:
    """Compare payments that the provider has listed; return what came of each."""
    known = await books.payments([remote.id for remote in remotes])
    return [
        await (_stray(books, remote) if kept is None else _known(books, remote, kept))
        for remote in remotes
        for kept in [known.get(remote.id)]
    ]


async def compare_refunds(books: Books, remotes: Sequence[RemoteRefund]) -> list[Finding]:
    """Compare refunds that the provider has listed; return what came of each."""
    payments = await books.payments([remote.remote_payment_id for remote in remotes])
    rows = await books.refunds(list(payments.values()))
    by_remote = {(row.payment_id, row.provider_refund_id): row for row in rows}
    by_id = {row.id: row for row in rows}
    findings = []
    for remote in remotes:
        payment = payments.get(remote.remote_payment_id)
        if payment is None:
            findings.append(Finding.NOT_OURS)
            continue
        known = by_remote.get((payment.id, remote.id))
        named = None if remote.refund_id is None else by_id.get(remote.refund_id)
        # Another one under the same name is not the one that the books have.
        if known is None and named is not None and named.provider_refund_id is None:
            known = named
        findings.append(await _refund(books, payment, known, remote))
    return findings


async def _known(books: Books, remote: RemotePayment, kept: Kept) -> Finding:
    # One provider counts what is on its way back as gone, the other does not.
    gone = {kept.refunded_minor, kept.refunded_minor + kept.returning_minor}
    if kept.state is remote.state and kept.captured_minor == remote.captured_minor and remote.refunded_minor in gone:
        return Finding.AGREES
    if kept.state in TRANSITIONS[remote.state]:
        # The list was made before what the books have heard since.
        return Finding.AGREES
    if kept.state is not remote.state and remote.state not in TRANSITIONS[kept.state]:
        return await _unexplained(books, remote.id, kept.booking_id, kept.id)
    async with books.database.transaction(books.business_id) as tx:
        await call(tx, kept.id)
    log.info("payment_called", payment_id=str(kept.id), state=kept.state, heard=remote.state)
    return Finding.CALLED


async def _stray(books: Books, remote: RemotePayment) -> Finding:
    """Enter what was asked for in the name of the business and is not in the books under the provider's id."""
    names = remote.names
    if names is None or names.business_id != books.business_id:
        return Finding.NOT_OURS
    adopted = await books.database.run(books.business_id, lambda tx: adopt(tx, books.account, remote))
    if adopted is not None:
        log.info("payment_adopted", payment_id=str(adopted))
        return Finding.CALLED
    if await books.database.run(books.business_id, lambda tx: _enter(tx, books.account, remote)):
        log.warning("payment_entered", booking_id=str(names.booking_id))
        return Finding.ENTERED
    if remote.state is PaymentState.AUTHORIZED or remote.captured_minor > remote.refunded_minor:
        return await _unexplained(books, remote.id, names.booking_id, names.payment_id)
    async with books.database.transaction(books.business_id) as tx:
        # Where it was before staff, it has gone back since.
        await attention.settle(tx, tasks.UNEXPLAINED, books.subject_of(remote.id))
    return Finding.AGREES


async def _enter(tx: Transaction, account: Account, remote: RemotePayment) -> bool:
    """Enter a payment of a booking that we know, as after a restore; what was to be paid is what the booking says."""
    assert remote.names is not None, "only what has our names is entered"
    try:
        booked = await lock_booked(tx, remote.names.booking_id)
    except ReservationNotFoundOrExpired:
        return False
    payment_id = await record_payment(
        tx,
        booking_id=booked.id,
        account=account,
        amount_minor=booked.due_minor or remote.amount.minor,
        currency=remote.amount.currency if booked.due_minor is None else booked.currency,
        # Nobody pays it any more by our page.
        confirmation=Confirmation("", ""),
        provider_payment_id=remote.id,
    )
    await record(tx, "payment", payment_id, "find", SYSTEM, after=PaymentState.PENDING)
    return True


async def _refund(books: Books, payment: Kept, known: KeptRefund | None, remote: RemoteRefund) -> Finding:
    if known is None and remote.state is RefundState.REFUSED:
        return Finding.AGREES
    if known is not None:
        if known.state is remote.state and known.provider_refund_id is not None:
            return Finding.AGREES
        if remote.state is RefundState.PENDING and known.state in REFUND_TRANSITIONS[remote.state]:
            # The list was made before what the books have heard since.
            return Finding.AGREES
        if known.state is not remote.state and remote.state not in REFUND_TRANSITIONS[known.state]:
            return await _unexplained(books, remote.id, payment.booking_id, payment.id)
    async with books.database.transaction(books.business_id) as tx:
        # Whoever looks at the payment learns of all of its refunds, also of those that others have made.
        await call(tx, payment.id)
        if known is not None:
            await tx.run(_SQL["call_listed_refund"], {"business_id": tx.business_id, "id": known.id})
    log.info("refund_called", payment_id=str(payment.id), heard=remote.state)
    return Finding.CALLED


async def _unexplained(books: Books, remote_id: str, booking_id: UUID, payment_id: UUID) -> Finding:
    """Ask staff about money, unless they have seen to it."""
    subject = books.subject_of(remote_id)

    async def work(tx: Transaction) -> Finding:
        about: dict[str, Any] = {"business_id": tx.business_id, "kind": tasks.UNEXPLAINED, "subject_id": subject}
        if await tx.value(_SQL["was_seen_to"], about):
            return Finding.AGREES
        details = {"account": books.account.id, "booking": booking_id, "payment": payment_id}
        await attention.raise_item(tx, tasks.UNEXPLAINED, subject, Severity.URGENT, **details)
        return Finding.UNEXPLAINED

    return await books.database.run(books.business_id, work)
