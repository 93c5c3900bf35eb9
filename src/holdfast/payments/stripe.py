"""Stripe as a provider of payments, by its official package."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

import msgspec
import stripe
from stripe import StripeClient
from stripe.params import PaymentIntentListParams, RefundListParams

from holdfast.payments.port import (
    AccountFacts,
    Money,
    Names,
    NoSuchObject,
    RefundWish,
    Refused,
    RemotePayment,
    RemoteRefund,
    Unknown,
    Wish,
)
from holdfast.payments.states import PaymentState, RefundState
from holdfast.payments.stripe_amounts import amount_at_stripe, money_of
from holdfast.payments.stripe_http import Transport, is_replayed, meaning_of

T = TypeVar("T")

P, R = PaymentState, RefundState

# https://docs.stripe.com/payments/paymentintents/lifecycle
_STATES: Final = {
    "requires_payment_method": P.PENDING,
    "requires_confirmation": P.PENDING,
    "requires_action": P.PENDING,
    "processing": P.PENDING,
    "requires_capture": P.AUTHORIZED,
    "succeeded": P.SUCCEEDED,
    "canceled": P.CANCELLED,
}
_REFUND_STATES: Final = {
    "pending": R.PENDING,
    "requires_action": R.PENDING,
    "succeeded": R.SUCCEEDED,
    "failed": R.REFUSED,
    "canceled": R.REFUSED,
}
# Of several that one wish has made, the one with money counts.
_WEIGHT: Final = {P.CANCELLED: 0, P.PENDING: 1, P.AUTHORIZED: 2, P.SUCCEEDED: 3}
_ID: Final = re.compile("[A-Za-z0-9_]{1,255}")
_PAGE: Final = 100
_LONGEST_DESCRIPTION: Final = 1_000
# Stripe's clock and ours need not agree.
_SKEW: Final = timedelta(hours=1)


class _Charge(msgspec.Struct):
    amount: int
    amount_captured: int
    amount_refunded: int
    captured: bool


class _Intent(msgspec.Struct):
    id: str
    status: str
    amount: int
    amount_received: int
    currency: str
    livemode: bool
    created: int
    metadata: dict[str, str]
    latest_charge: _Charge | None
    client_secret: str | None = None
    cancellation_reason: str | None = None


class _Refund(msgspec.Struct):
    id: str
    status: str
    amount: int
    currency: str
    created: int
    payment_intent: str | None
    charge: _Charge | None
    metadata: dict[str, str] | None = None
    failure_reason: str | None = None


class _Account(msgspec.Struct):
    id: str


class _Balance(msgspec.Struct):
    livemode: bool


class _Listed(msgspec.Struct):
    id: str


class _Page(msgspec.Struct):
    data: list[dict[str, Any]]
    has_more: bool


class _Said(Protocol):
    """What the package returns."""

    @property
    def last_response(self) -> Any: ...

    def to_dict(self) -> dict[str, Any]: ...


class Stripe:
    """One account at Stripe. A payment is a PaymentIntent whose money is set aside first; see port.Provider.

    Stripe gives the answer of a first call again for a later one with the same key. What it says there of an object may
    be old, so the object is then read; where that answer was a failure of Stripe's own, Replayed is raised. `capture`
    and `cancel` of what is captured or cancelled already return it as it is, whatever the key.
    """

    def __init__(self, base_url: str, secret_key: str) -> None:
        self._transport = Transport()
        self._v1 = StripeClient(
            secret_key,
            base_addresses={"api": base_url.rstrip("/")},
            http_client=self._transport,
            # Whoever asks repeats, with the same key.
            max_network_retries=0,
        ).v1

    async def facts(self) -> AccountFacts:
        """Return whose account it is, and whether the key is one for tests."""
        account = await self._get(self._v1.accounts.retrieve_current_async(), _Account)
        balance = await self._get(self._v1.balance.retrieve_async(), _Balance)
        return AccountFacts(account.id, is_test=not balance.livemode)

    async def create(self, wish: Wish) -> RemotePayment:
        """Make a payment, for whichever ways to pay the account offers. Stripe is told where to return by the page."""
        amount = amount_at_stripe(wish.amount)
        made = await self._said(
            self._v1.payment_intents.create_async(
                {
                    "amount": amount,
                    "currency": wish.amount.currency.lower(),
                    "capture_method": "manual",
                    "automatic_payment_methods": {"enabled": True},
                    "description": wish.description[:_LONGEST_DESCRIPTION],
                    "metadata": {
                        "business_id": str(wish.names.business_id),
                        "booking_id": str(wish.names.booking_id),
                        "payment_id": str(wish.names.payment_id),
                    },
                    "expand": ["latest_charge"],
                },
                {"idempotency_key": wish.key},
            )
        )
        return await self._now(made)

    async def read(self, remote_id: str) -> RemotePayment:
        """Return a payment as it is now. Raises NoSuchObject."""
        _must_be_id(remote_id)
        found = await self._get(
            self._v1.payment_intents.retrieve_async(remote_id, {"expand": ["latest_charge"]}), _Intent
        )
        return _payment_of(found)

    async def find(self, wish: Wish, since: datetime) -> RemotePayment | None:
        """Return the payment of a wish; of several the one that has got furthest.

        It goes through all payments since then: Stripe's own search lags behind by a minute and more.
        """
        named = [
            payment
            async for payment in self.payments_since(since - _SKEW)
            if payment.names is not None and payment.names.payment_id == wish.names.payment_id
        ]
        return max(named, key=lambda payment: _WEIGHT[payment.state], default=None)

    async def capture(self, remote_id: str, key: str, amount: Money) -> RemotePayment:
        """Take the money that was set aside. Raises NoSuchObject; Refused when it was let go."""
        _must_be_id(remote_id)
        written = amount_at_stripe(amount)
        return await self._brought(
            remote_id,
            P.SUCCEEDED,
            self._v1.payment_intents.capture_async(
                remote_id, {"amount_to_capture": written, "expand": ["latest_charge"]}, {"idempotency_key": key}
            ),
        )

    async def cancel(self, remote_id: str, key: str) -> RemotePayment:
        """Give up a payment of which nothing was taken. Raises NoSuchObject; Refused while it is being processed."""
        _must_be_id(remote_id)
        return await self._brought(
            remote_id,
            P.CANCELLED,
            self._v1.payment_intents.cancel_async(remote_id, {"expand": ["latest_charge"]}, {"idempotency_key": key}),
        )

    async def refund(self, wish: RefundWish) -> RemoteRefund:
        """Give money back. Raises NoSuchObject."""
        amount = amount_at_stripe(wish.amount)
        made = await self._said(
            self._v1.refunds.create_async(
                {
                    "payment_intent": wish.remote_payment_id,
                    "amount": amount,
                    "metadata": {"refund_id": str(wish.refund_id)},
                    "expand": ["charge"],
                },
                {"idempotency_key": wish.key},
            )
        )
        if is_replayed(made.last_response.headers):
            return await self.read_refund(_shaped(made.to_dict(), _Listed).id)
        return _refund_of(_shaped(made.to_dict(), _Refund))

    async def read_refund(self, remote_id: str) -> RemoteRefund:
        """Return a refund as it is now. Raises NoSuchObject."""
        _must_be_id(remote_id)
        return _refund_of(await self._get(self._v1.refunds.retrieve_async(remote_id, {"expand": ["charge"]}), _Refund))

    async def refunds_of(self, remote_payment_id: str) -> list[RemoteRefund]:
        """Return all refunds of a payment. Raises NoSuchObject."""
        _must_be_id(remote_payment_id)
        params: RefundListParams = {"payment_intent": remote_payment_id, "limit": _PAGE, "expand": ["data.charge"]}
        return [refund async for refund in self._refunds(params)]

    async def payments_since(self, since: datetime) -> AsyncIterator[RemotePayment]:
        """Yield the payments that were made at the account since then, the latest first."""
        params: PaymentIntentListParams = {
            "created": {"gte": _second(since)},
            "limit": _PAGE,
            "expand": ["data.latest_charge"],
        }
        async for each in self._listed(self._v1.payment_intents.list_async, params):
            yield _payment_of(_shaped(each, _Intent))

    async def refunds_since(self, since: datetime) -> AsyncIterator[RemoteRefund]:
        """Yield the refunds that were made at the account since then, the latest first."""
        params: RefundListParams = {"created": {"gte": _second(since)}, "limit": _PAGE, "expand": ["data.charge"]}
        async for refund in self._refunds(params):
            yield refund

    async def close(self) -> None:
        """Let go of connections."""
        await self._transport.close_async()

    async def _refunds(self, params: RefundListParams) -> AsyncIterator[RemoteRefund]:
        async for each in self._listed(self._v1.refunds.list_async, params):
            refund = _shaped(each, _Refund)
            if _gives_back(refund):
                yield _refund_of(refund)

    async def _listed(
        self, page_of: Callable[[Any], Awaitable[_Said]], params: Mapping[str, Any]
    ) -> AsyncIterator[dict[str, Any]]:
        after: dict[str, str] = {}
        while True:
            page = _shaped((await self._said(page_of({**params, **after}))).to_dict(), _Page)
            for each in page.data:
                yield each
            if not (page.has_more and page.data):
                return
            after = {"starting_after": _shaped(page.data[-1], _Listed).id}

    async def _brought(self, remote_id: str, to: PaymentState, call: Awaitable[_Said]) -> RemotePayment:
        """Return a payment that a call brings into a state, or that is in it already."""
        try:
            return await self._now(await self._said(call))
        except Refused:
            found = await self.read(remote_id)
            if found.state is not to:
                raise
            return found

    async def _now(self, made: _Said) -> RemotePayment:
        intent = _shaped(made.to_dict(), _Intent)
        return await self.read(intent.id) if is_replayed(made.last_response.headers) else _payment_of(intent)

    async def _get(self, call: Awaitable[_Said], shape: type[T]) -> T:
        return _shaped((await self._said(call)).to_dict(), shape)

    async def _said(self, call: Awaitable[_Said]) -> _Said:
        try:
            return await call
        except stripe.StripeError as error:
            raise meaning_of(error) from None


def _must_be_id(remote_id: str) -> None:
    """Raise NoSuchObject for what would name another address."""
    if not _ID.fullmatch(remote_id):
        raise NoSuchObject("no_id")


def _shaped(said: dict[str, Any], shape: type[T]) -> T:
    """Return an answer; raises Unknown when it is not of the shape."""
    try:
        return msgspec.convert(said, shape)
    except msgspec.ValidationError:
        raise Unknown("an answer that cannot be read") from None


def _payment_of(intent: _Intent) -> RemotePayment:
    state = _STATES.get(intent.status)
    if state is None:
        raise Unknown("a state that is not known")
    return RemotePayment(
        id=intent.id,
        state=state,
        amount=money_of(intent.amount, intent.currency),
        captured_minor=money_of(intent.amount_received, intent.currency).minor,
        refunded_minor=money_of(_given_back(intent.latest_charge), intent.currency).minor,
        is_test=not intent.livemode,
        names=_names_of(intent.metadata),
        client_secret=intent.client_secret if state is P.PENDING else None,
        reason=intent.cancellation_reason,
        created_at=datetime.fromtimestamp(intent.created, UTC),
    )


def _given_back(charge: _Charge | None) -> int:
    """Return what went back of what was taken: Stripe counts what was set aside and never taken as given back, too."""
    return 0 if charge is None else max(0, charge.amount_refunded - (charge.amount - charge.amount_captured))


def _names_of(metadata: dict[str, str]) -> Names | None:
    try:
        return Names(UUID(metadata["business_id"]), UUID(metadata["booking_id"]), UUID(metadata["payment_id"]))
    except (KeyError, ValueError):
        return None


def _gives_back(refund: _Refund) -> bool:
    """Return whether it is a refund of a payment, and not a note of Stripe's that it let go of money set aside."""
    return refund.payment_intent is not None and (refund.charge is None or refund.charge.captured)


def _refund_of(refund: _Refund) -> RemoteRefund:
    state = _REFUND_STATES.get(refund.status)
    if state is None:
        raise Unknown("a state that is not known")
    if not _gives_back(refund) or refund.payment_intent is None:
        raise NoSuchObject("no_refund_of_a_payment")
    try:
        refund_id = UUID((refund.metadata or {}).get("refund_id", ""))
    except ValueError:
        refund_id = None
    return RemoteRefund(
        id=refund.id,
        remote_payment_id=refund.payment_intent,
        state=state,
        amount=money_of(refund.amount, refund.currency),
        refund_id=refund_id,
        reason=refund.failure_reason,
        created_at=datetime.fromtimestamp(refund.created, UTC),
    )


def _second(instant: datetime) -> int:
    return int(instant.timestamp())
