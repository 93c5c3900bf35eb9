"""The adapter for YooKassa, speaking with the fake."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from holdfast.payments.port import Money, Names, RefundWish, Wish
from holdfast.payments.yookassa import YooKassa
from payments.yookassa.fake import FakeYooKassa

ROUBLES = Money(350_000, "RUB")
RETURN_URL = "https://practice.test/booking/slot/paid/1"


@asynccontextmanager
async def opened(yookassa: FakeYooKassa, secret: str | None = None) -> AsyncIterator[YooKassa]:
    """Lend the adapter for the shop of the fake."""
    adapter = YooKassa(yookassa.url, yookassa.shop_id, secret or yookassa.secret)
    try:
        yield adapter
    finally:
        await adapter.close()


def wish_of(amount: Money = ROUBLES, key: str | None = None, description: str = "A practice") -> Wish:
    """Return a wish for a payment with names of its own."""
    names = Names(uuid4(), uuid4(), uuid4())
    return Wish(key or uuid4().hex, names, amount, description, RETURN_URL, "ru")


def refund_of(remote_payment_id: str, minor: int = ROUBLES.minor, key: str | None = None) -> RefundWish:
    """Return a wish for a refund."""
    return RefundWish(key or uuid4().hex, uuid4(), remote_payment_id, Money(minor, ROUBLES.currency))
