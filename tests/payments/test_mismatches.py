"""A payment that is not what was asked for confirms nothing: its money is let go, goes back, or is before staff."""

from typing import Any

import pytest

from payments.paying import Paying

# What a payment is made into at each provider, and what of it is noticed.
AT_YOOKASSA: list[tuple[str, dict[str, Any]]] = [
    ("amount", {"amount": {"value": "49.99", "currency": "RUB"}}),
    ("amount", {"amount": {"value": "9000.00", "currency": "RUB"}}),
    ("currency", {"amount": {"value": "5000.00", "currency": "USD"}}),
    ("mode", {"test": False}),
    ("account", {"recipient": {"account_id": "1", "gateway_id": "1"}}),
]
AT_STRIPE: list[tuple[str, dict[str, Any]]] = [
    ("amount", {"amount": 4_999}),
    ("amount", {"amount": 900_000}),
    ("currency", {"currency": "usd"}),
    ("mode", {"livemode": True}),
]


def altered(till: Paying, number: int) -> tuple[str, dict[str, Any]]:
    """Return what a payment is made into, the next one at each provider."""
    cases = AT_YOOKASSA if till.account.provider == "yookassa" else AT_STRIPE
    return cases[number % len(cases)]


@pytest.mark.parametrize("number", range(5))
async def test_what_differs_is_never_confirmed_and_goes_back(till: Paying, number: int) -> None:
    """Amount, currency, mode or account differ: the booking is not confirmed, the money goes back, staff hear of it (P-5, payments 11)."""
    what, changed = altered(till, number)
    payment = await till.begin()
    till.fake.alter(payment.provider_payment_id, **changed)
    if (what, till.account.provider) == ("currency", "yookassa"):
        # A shop has one currency.
        till.fake.shop.currency = "USD"
    till.pay(payment)
    till.fake.take(payment.provider_payment_id)
    await till.settle(payment.id)
    await till.work()
    settled = await till.payment(payment.id)
    assert (settled.mismatch, settled.pays, await till.state(payment.booking_id)) == (what, False, "pending_payment")
    [refund] = await till.refunds(payment.id)
    assert (refund.cause, refund.state, refund.amount_minor) == ("mismatch", "succeeded", settled.captured_minor)
    assert settled.refunded_minor == settled.captured_minor > 0
    assert till.inbox() == [("payment_mismatch", payment.id)]


@pytest.mark.parametrize("number", range(5))
async def test_what_differs_is_not_taken(till: Paying, number: int) -> None:
    """Money that is only set aside for what differs is let go and never taken (P-5, payments 11)."""
    what, changed = altered(till, number)
    payment = await till.begin()
    till.fake.alter(payment.provider_payment_id, **changed)
    till.pay(payment)
    settled = await till.settle(payment.id)
    assert (settled.mismatch, settled.state, settled.captured_minor) == (what, "cancelled", 0)
    assert till.remote(payment)["status"] == "canceled"
    assert await till.state(payment.booking_id) == "pending_payment"


async def test_the_client_pays_anew_what_differed(till: Paying) -> None:
    """After a payment that differs the client may pay with another one, and that one confirms (P-5, payments 11)."""
    what, changed = altered(till, 0)
    payment = await till.begin()
    till.fake.alter(payment.provider_payment_id, **changed)
    till.pay(payment)
    assert (await till.settle(payment.id)).mismatch == what
    again = await till.payment((await till.open(payment.booking_id)).payment_id)
    assert again.id != payment.id
    till.pay(again)
    assert (await till.settle(again.id)).pays


async def test_names_of_another_booking_confirm_nothing(till: Paying) -> None:
    """A payment whose names are those of another booking pays neither (P-5, payments 11)."""
    payment, other = await till.begin(), await till.begin("lesson")
    metadata = dict(till.remote(payment)["metadata"]) | {
        name: value for name, value in till.remote(other)["metadata"].items() if "booking" in name
    }
    till.fake.alter(payment.provider_payment_id, metadata=metadata)
    till.pay(payment)
    settled = await till.settle(payment.id)
    assert (settled.mismatch, settled.state) == ("booking", "cancelled")
    assert await till.state(payment.booking_id) == await till.state(other.booking_id) == "pending_payment"


async def test_what_was_taken_in_part_confirms_nothing(yookassa_till: Paying) -> None:
    """A part of the money, taken by somebody at the provider itself, confirms nothing and goes back (P-5, payments 11)."""
    till = yookassa_till
    payment = await till.begin()
    till.pay(payment)
    till.fake.shop.capture(payment.provider_payment_id, {"amount": {"value": "10.00", "currency": "RUB"}})
    await till.settle(payment.id)
    await till.work()
    settled = await till.payment(payment.id)
    assert (settled.mismatch, settled.captured_minor, settled.refunded_minor) == ("amount", 1_000, 1_000)
    assert await till.state(payment.booking_id) == "pending_payment"
