"""The till: how a client pays for a booking (booking/prepayment.py names what booking wants of it)."""

import asyncio
from contextlib import suppress
from uuid import UUID

import structlog

from holdfast.booking.errors import NotChangeable, PaymentsUnavailable
from holdfast.booking.prepayment import Payable
from holdfast.identity import businesses
from holdfast.kernel.database import Database, Transaction
from holdfast.payments.accounts import Account, active_account, find_account
from holdfast.payments.ledger import (
    Booked,
    Confirmation,
    Payment,
    confirmation_of,
    find_payment,
    lock_booked,
    payments_of,
    read_booked,
    record_payment,
)
from holdfast.payments.providers import Providers
from holdfast.payments.refunds import owed_minor
from holdfast.payments.settlement import settle
from holdfast.payments.states import OPEN, PaymentState

log = structlog.get_logger(__name__)

# So long a client waits for a provider; the call itself goes on.
_PATIENCE_SECONDS = 8.0
# Whoever asks again sooner hears what was heard last.
_ONCE_IN_SECONDS = 2.0
# So often a client who waits for what somebody else is asking looks whether it has come.
_LOOK_SECONDS = 0.1


class PaymentTill:
    """Takes the money for bookings that have to be paid before they are confirmed."""

    def __init__(self, database: Database, providers: Providers, public_url: str | None) -> None:
        """Bind it; `public_url` is the address of this server as the world knows it, without a slash at its end."""
        self._database = database
        self._providers = providers
        self._public_url = public_url
        self._calls: set[asyncio.Task[None]] = set()

    async def open(self, business_id: UUID, booking_id: UUID, *, base_url: str) -> Payable:
        """Return how a booking that awaits its payment is paid; the payment that is open, or else a new attempt.

        `base_url` is this server as the client has called it: where the client comes back to when the settings name no
        address. Never raises for a provider that does not answer. Raises PaymentsUnavailable when the business takes
        none, and NotChangeable for a booking that awaits no payment.
        """
        base = (self._public_url or base_url).rstrip("/")
        payment = await self._database.run(business_id, lambda tx: _open(tx, booking_id, base))
        payable = await self._payable(business_id, payment.id)
        if not _says_where(payable):
            with suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await self._settle(payment)
                    await self._come(payment)
            payable = await self._payable(business_id, payment.id)
        return payable

    async def look(self, business_id: UUID, booking_id: UUID) -> Payable | None:
        """Return how the payment of a booking is now, None for a booking that has none; it begins nothing.

        While something is open the provider is asked first, once in 2 seconds at most, and what follows is done: the
        booking may be another after this. Never raises for a provider that does not answer.
        """
        async with self._database.transaction(business_id) as tx:
            payments = await payments_of(tx, booking_id)
        if not payments:
            return None
        # Of several attempts that which pays is the payment; without one, the latest.
        payment = next((each for each in payments if each.pays), payments[0])
        waits = (payment.now - payment.changed_at).total_seconds() >= _ONCE_IN_SECONDS
        unfinished = payment.state is PaymentState.SUCCEEDED and not payment.pays and not payment.returned
        if waits and (payment.state in OPEN or unfinished):
            await self._settle(payment)
        return await self._payable(business_id, payment.id)

    async def close(self) -> None:
        """Give up what is being asked; whoever looks next goes on with it."""
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    async def _come(self, payment: Payment) -> None:
        """Wait while somebody else asks where to pay: a worker that saw the payment first, or this client once more."""
        while True:
            async with self._database.transaction(payment.business_id) as tx:
                now = await find_payment(tx, payment.id)
            if now.lease is None or _says_where(await self._payable(payment.business_id, payment.id)):
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def _settle(self, payment: Payment) -> None:
        """Settle a payment, and wait for that as long as a client waits; the call goes on without him."""
        call = asyncio.create_task(self._settled(payment))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        await asyncio.wait({call}, timeout=_PATIENCE_SECONDS)

    async def _settled(self, payment: Payment) -> None:
        try:
            await settle(self._database, self._providers, payment.business_id, payment.id)
        except Exception as failure:  # noqa: BLE001 - the worker tries again, and the client is told what is known
            # Without its text, which may quote what a provider has sent.
            log.warning("payment_not_settled", payment_id=str(payment.id), error=type(failure).__name__)

    async def _payable(self, business_id: UUID, payment_id: UUID) -> Payable:
        async with self._database.transaction(business_id) as tx:
            payment = await find_payment(tx, payment_id)
            booked = await read_booked(tx, payment.booking_id)
            account = None if payment.account_id is None else await find_account(tx, payment.account_id)
            # Who cannot pay with it any more is not shown where to.
            shown = await confirmation_of(tx, payment) if payment.state in OPEN and booked.awaits_payment else None
        is_decided = payment.returned and (not payment.pays or payment.settled_for == booked.state)
        return Payable(
            payment_id=payment.id,
            provider=payment.provider,
            status=payment.state,
            amount_minor=payment.amount_minor,
            currency=payment.currency,
            expires_at=booked.expires_at if booked.awaits_payment else None,
            confirmation_url=None if shown is None else shown.confirmation_url,
            client_secret=None if shown is None else shown.client_secret,
            publishable_key=account.publishable_key if shown and account else None,
            refunded_minor=payment.refunded_minor,
            refunding_minor=payment.given_back_minor - payment.refunded_minor,
            owed_minor=owed_minor(payment, booked) if is_decided else 0,
        )


def _says_where(payable: Payable) -> bool:
    return payable.confirmation_url is not None or payable.client_secret is not None


async def _open(tx: Transaction, booking_id: UUID, base: str) -> Payment:
    booked = await lock_booked(tx, booking_id)
    payments = await payments_of(tx, booking_id)
    going_on = next((each for each in payments if each.state in {*OPEN, PaymentState.SUCCEEDED}), None)
    if not booked.awaits_payment:
        raise NotChangeable("This booking awaits no payment", details={"status": booked.state})
    if going_on is not None and not going_on.returned and going_on.mismatch is None:
        return going_on
    account = await active_account(tx)
    if account is None:
        raise PaymentsUnavailable
    return await find_payment(tx, await _begin(tx, booked, account, base))


async def _begin(tx: Transaction, booked: Booked, account: Account, base: str) -> UUID:
    business = await businesses.current(tx)
    assert business is not None, "a transaction is bound to a business"
    assert booked.due_minor is not None, "what awaits its payment says how much"
    asked = Confirmation(
        description=business.name,
        return_url=f"{base}/{business.slug}/booking/slot/paid/{booked.id}",
        locale=booked.locale or business.locale,
    )
    return await record_payment(
        tx,
        booking_id=booked.id,
        account=account,
        amount_minor=booked.due_minor,
        currency=booked.currency,
        confirmation=asked,
    )
