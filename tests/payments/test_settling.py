"""A payment is compared with its booking, and what follows is done: confirmed, refunded, or left to be paid."""

from collections.abc import AsyncIterator

import pytest_asyncio

from booking.opened import violations
from payments.paying import PRICE_MINOR, Paying, paying
from payments.yookassa.fake import FakeYooKassa


@pytest_asyncio.fixture
async def till(app_uri: str, admin_uri: str, yookassa: FakeYooKassa) -> AsyncIterator[Paying]:
    """A practice that takes payments; when the test is over, all money is where it belongs."""
    async with paying(app_uri, admin_uri, yookassa) as opened:
        yield opened
    assert violations(admin_uri) == []


async def test_what_is_paid_is_captured_and_confirmed(till: Paying) -> None:
    """Money is set aside, taken when the place is sure, and confirms the booking in the same look (P-1, payments 7)."""
    payment = await till.begin()
    assert (payment.state, payment.pays) == ("pending", False)
    till.pay(payment)
    paid = await till.settle(payment.id)
    assert (paid.state, paid.pays, paid.captured_minor) == ("succeeded", True, PRICE_MINOR)
    assert await till.state(payment.booking_id) == "confirmed"
    assert till.events(payment.booking_id) == ["AppointmentAwaitingPayment", "AppointmentConfirmed"]
    assert till.remote(paid)["status"] == "succeeded"
    assert till.due_in(payment.id) is None
