"""The adapter for Stripe, speaking with the fake."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from holdfast.payments.port import Money, Names, RefundWish, RemotePayment, Wish
from holdfast.payments.stripe import Stripe
from payments.stripe.fake import FakeStripe

PRICE = Money(4_950, "EUR")


@asynccontextmanager
async def opened(at_stripe: FakeStripe, secret: str | None = None) -> AsyncIterator[Stripe]:
    """Lend the adapter for the account of the fake."""
    adapter = Stripe(at_stripe.url, secret or at_stripe.secret)
    try:
        yield adapter
    finally:
        await adapter.close()


def wish(amount: Money = PRICE, key: str | None = None, names: Names | None = None) -> Wish:
    """Return a wish for a payment of a booking of its own."""
    names = names or Names(uuid4(), uuid4(), uuid4())
    return Wish(key or uuid4().hex, names, amount, "A practice", "https://practice.test/paid", "en")


def refund_wish(payment: RemotePayment, minor: int, key: str | None = None) -> RefundWish:
    """Return a wish for a refund."""
    return RefundWish(key or uuid4().hex, uuid4(), payment.id, Money(minor, payment.amount.currency))


async def paid(adapter: Stripe, at_stripe: FakeStripe, amount: Money = PRICE) -> RemotePayment:
    """Return a payment whose money was taken."""
    made = await adapter.create(wish(amount))
    at_stripe.pay(made.id)
    return await adapter.capture(made.id, uuid4().hex, amount)


def an_hour_ago() -> datetime:
    """Return what all that a test makes is later than."""
    return datetime.now(UTC) - timedelta(hours=1)
