"""Payments at Stripe compared with their bookings: through its own package, over HTTP, by what settles all payments."""

from collections.abc import AsyncIterator

import psycopg
import pytest
import pytest_asyncio

from holdfast.payments.ledger import Payment
from payments.comparing import compare
from payments.paying import PRICE_MINOR, Paying, paying_at_stripe
from payments.stripe.errors import StripeRefusal
from payments.stripe.fake import FakeStripe


@pytest_asyncio.fixture
async def till(app_uri: str, admin_uri: str, at_stripe: FakeStripe, sound: None) -> AsyncIterator[Paying]:
    """A practice that takes payments at Stripe; in the end all money is where it belongs."""
    async with paying_at_stripe(app_uri, admin_uri, at_stripe) as opened:
        yield opened


def _remote_id(payment: Payment) -> str:
    assert payment.provider_payment_id is not None, "Stripe knows it"
    return payment.provider_payment_id


def _taken(at_stripe: FakeStripe) -> int:
    """Return what Stripe has taken and not given back."""
    charges = [each["latest_charge"] for each in at_stripe.payments() if each["latest_charge"] is not None]
    return sum(charge["amount"] - charge["amount_refunded"] for charge in charges if charge["captured"])


async def test_what_is_paid_at_stripe_is_taken_and_confirms(till: Paying, at_stripe: FakeStripe) -> None:
    """The client gets what Stripe's form is opened with; what he pays is taken once and confirms (P-1, payments 7)."""
    booking_id = await till.book()
    payable = await till.open(booking_id)
    assert (payable.confirmation_url, payable.client_secret is None) == (None, False)
    payment = await till.payment(payable.payment_id)
    assert payable.client_secret == at_stripe.payment(_remote_id(payment))["client_secret"]
    at_stripe.pay(_remote_id(payment))
    for _ in range(3):
        paid = await till.settle(payment.id)
    assert (paid.state, paid.pays, paid.captured_minor) == ("succeeded", True, PRICE_MINOR)
    assert await till.state(booking_id) == "confirmed"
    assert len(_calls(at_stripe, "/capture")) == 1


@pytest.mark.parametrize("after", [False, True])
async def test_a_500_at_the_making_is_looked_into(till: Paying, at_stripe: FakeStripe, after: bool) -> None:
    """Stripe gives its 500 again for the key; whatever was made behind it, there is one payment to pay (payments 8)."""
    at_stripe.faults.fail(500, only="payments.create", after=after)
    booking_id = await till.book()
    first = await till.payment((await till.open(booking_id)).payment_id)
    assert (first.state, first.provider_payment_id) == ("created", None)
    looked = await till.settle(first.id)
    assert (looked.state, len(at_stripe.payments())) == (("pending", 1) if after else ("failed", 0))
    again = await till.payment((await till.open(booking_id)).payment_id)
    assert (again.id == first.id) is after
    at_stripe.pay(_remote_id(again))
    assert (await till.settle(again.id)).pays
    assert (len(at_stripe.payments()), _taken(at_stripe)) == (1, PRICE_MINOR)


@pytest.mark.parametrize("after", [False, True])
async def test_a_500_at_the_taking_is_looked_into(till: Paying, at_stripe: FakeStripe, after: bool) -> None:
    """Behind a 500 the money may have been taken: the payment is read, and is taken once in all (payments 8)."""
    payment = await till.begin()
    at_stripe.pay(_remote_id(payment))
    at_stripe.faults.fail(500, only="payments.capture", after=after)
    assert not (await till.settle(payment.id)).pays
    for _ in range(3):
        payment = await till.settle(payment.id)
    assert (payment.state, payment.pays, _taken(at_stripe)) == ("succeeded", True, PRICE_MINOR)
    assert await till.state(payment.booking_id) == "confirmed"


@pytest.mark.parametrize("after", [False, True])
async def test_a_500_at_the_giving_back_is_looked_into(till: Paying, at_stripe: FakeStripe, after: bool) -> None:
    """Behind a 500 the money may have gone back: refunds are listed, and it goes back once in all (payments 8 and 12)."""
    payment = await _paid(till, at_stripe)
    await till.practice.cancel(payment.booking_id)
    at_stripe.faults.fail(500, only="refunds.create", after=after)
    payment = await till.settle(payment.id)
    [refund] = await till.refunds(payment.id)
    assert (await till.settle_refund(refund.id)).state == "created"
    refund = await till.settle_refund(refund.id)
    assert (refund.state, refund.amount_minor, len(at_stripe.refunds())) == ("succeeded", PRICE_MINOR, 1)
    assert _taken(at_stripe) == 0


async def test_a_key_of_yesterday_is_not_used(till: Paying, at_stripe: FakeStripe) -> None:
    """After a day Stripe would take a key for a new one: what was made with it is looked up (P-1, payments 7)."""
    at_stripe.faults.cut(only="payments.create", after=True)
    booking_id = await till.book()
    payment = await till.payment((await till.open(booking_id)).payment_id)
    assert (payment.provider_payment_id, len(at_stripe.payments())) == (None, 1)
    till.age("payments", payment.id, create_sent_at="25 hours")
    at_stripe.advance(hours=25)
    payment = await till.settle(payment.id)
    assert [each["id"] for each in at_stripe.payments()] == [payment.provider_payment_id]


async def test_what_is_set_aside_too_late_is_let_go(till: Paying, at_stripe: FakeStripe) -> None:
    """Money that was only set aside when the time ran out is never taken, and is no refund with us (payments 9)."""
    payment = await till.begin()
    await till.run_out(payment.booking_id)
    at_stripe.pay(_remote_id(payment))
    payment = await till.settle(payment.id)
    assert (payment.state, payment.captured_minor, payment.refunded_minor) == ("cancelled", 0, 0)
    assert (await till.refunds(payment.id), _taken(at_stripe)) == ([], 0)
    # Stripe has written down a refund for what it has let go.
    assert len(at_stripe.refunds()) == 1


async def test_what_was_taken_too_late_takes_the_place_again(till: Paying, at_stripe: FakeStripe) -> None:
    """Money that somebody took on Stripe's pages after the time ran out confirms, since the place is free (payments 9)."""
    payment = await till.begin()
    at_stripe.pay(_remote_id(payment))
    await till.run_out(payment.booking_id)
    at_stripe.take(_remote_id(payment))
    payment = await till.settle(payment.id)
    assert (payment.state, payment.pays, await till.state(payment.booking_id)) == ("succeeded", True, "confirmed")


@pytest.mark.parametrize(
    "other", [{"amount": 1}, {"currency": "usd"}, {"livemode": True}, {"metadata": {"booking_id": "another"}}]
)
async def test_what_is_not_as_it_was_asked_for_confirms_nothing(
    till: Paying, at_stripe: FakeStripe, other: dict[str, object]
) -> None:
    """Another amount, currency, mode or booking at Stripe is never taken, and staff hear of it (P-5, payments 11)."""
    payment = await till.begin()
    at_stripe.pay(_remote_id(payment))
    if "metadata" in other:
        others = {"business_id": str(payment.business_id), "booking_id": str(payment.id), "payment_id": str(payment.id)}
        other = {"metadata": others}
    at_stripe.alter(_remote_id(payment), **other)
    payment = await till.settle(payment.id)
    assert (payment.pays, payment.mismatch is None, _taken(at_stripe)) == (False, False, 0)
    assert await till.state(payment.booking_id) != "confirmed"
    assert at_stripe.payment(_remote_id(payment))["status"] == "canceled"
    assert "payment_mismatch" in [kind for kind, _ in till.inbox()]


async def test_a_refund_that_fails_at_last_comes_before_staff(till: Paying, at_stripe: FakeStripe) -> None:
    """A refund is pending until Stripe knows; when it fails the money is still ours, and staff hear of it (P-6)."""
    payment = await _paid(till, at_stripe)
    await till.practice.cancel(payment.booking_id)
    at_stripe.hold_refunds()
    await till.work()
    [refund] = await till.refunds(payment.id)
    assert refund.state == "pending"
    at_stripe.settle_refund(refund.provider_refund_id or "", "failed")
    assert (await till.settle_refund(refund.id)).state == "refused"
    assert (await till.payment(payment.id)).refunded_minor == 0
    assert ("refund_refused", payment.id) in till.inbox()


async def test_a_refund_that_the_bank_sends_back_comes_before_staff(till: Paying, at_stripe: FakeStripe) -> None:
    """A refund may fail after it has succeeded: then the money is ours again, and staff hear of it, once (P-6)."""
    payment = await _paid(till, at_stripe)
    await till.practice.cancel(payment.booking_id)
    await till.work()
    [refund] = await till.refunds(payment.id)
    assert (refund.state, (await till.payment(payment.id)).refunded_minor) == ("succeeded", PRICE_MINOR)
    at_stripe.settle_refund(refund.provider_refund_id or "", "failed", "expired_or_canceled_card")
    for _ in range(2):
        payment = await till.settle(payment.id)
    [refund] = await till.refunds(payment.id)
    assert (refund.state, refund.reason, payment.refunded_minor) == ("refused", "expired_or_canceled_card", 0)
    assert till.inbox() == [("refund_refused", payment.id)]


async def test_what_the_bank_sends_back_is_found_by_comparing(till: Paying, at_stripe: FakeStripe) -> None:
    """A refund that came back, of which nothing was told, is found when the account is compared (P-4, P-6)."""
    payment = await _paid(till, at_stripe)
    await till.practice.cancel(payment.booking_id)
    await till.work()
    assert (await compare(till)).called == 0
    [refund] = await till.refunds(payment.id)
    at_stripe.settle_refund(refund.provider_refund_id or "", "failed")
    assert (await compare(till)).called > 0
    await till.work()
    assert till.inbox() == [("refund_refused", payment.id)]
    assert (await compare(till)).called == 0


async def test_a_refund_that_went_through_though_it_was_refused_comes_before_staff(
    till: Paying, at_stripe: FakeStripe
) -> None:
    """When Stripe refuses a refund and has made it all the same, nobody guesses: staff are asked (P-4, P-6)."""
    payment = await _paid(till, at_stripe)
    await till.practice.cancel(payment.booking_id)
    at_stripe.faults.fail(StripeRefusal(400, code="amount_too_large"), only="refunds.create", after=True)
    await till.work()
    [refund] = await till.refunds(payment.id)
    assert (refund.state, at_stripe.refunds()[0]["status"]) == ("refused", "succeeded")
    assert (await compare(till)).unexplained == 1
    assert "payment_unexplained" in [kind for kind, _ in till.inbox()]


async def test_money_does_not_come_back_in_the_books_by_itself(till: Paying, at_stripe: FakeStripe) -> None:
    """The database refuses that less has gone back than before, unless a refund was refused after all (P-6)."""
    payment = await _paid(till, at_stripe)
    await till.practice.cancel(payment.booking_id)
    await till.work()
    with pytest.raises(psycopg.errors.CheckViolation, match="taken back in the books"):
        till.sql("update payments set refunded_minor = refunded_minor - 1 where id = %s", payment.id)


async def _paid(till: Paying, at_stripe: FakeStripe) -> Payment:
    payment = await till.begin()
    at_stripe.pay(_remote_id(payment))
    return await till.settle(payment.id)


def _calls(at_stripe: FakeStripe, part: str) -> list[str]:
    return [asked.path for asked in at_stripe.calls if part in asked.path]
