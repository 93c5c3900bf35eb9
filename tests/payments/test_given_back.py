"""Money that goes back of which something is refused, or has gone by the hands of others at the provider itself."""

import asyncio
from uuid import UUID

import pytest

from holdfast.booking import bookings
from holdfast.kernel.audit import CONSOLE
from holdfast.payments.refunds import give_goodwill, retry
from payments.counterparts import AtStripe, AtYooKassa, Counterpart
from payments.paying import PRICE_MINOR, Paying
from payments.stripe.fake import FakeStripe


async def test_what_is_left_goes_back_when_some_of_it_went_by_hand(till: Paying) -> None:
    """A refund that is not sent yet, and does not fit beside what staff have given back at the provider, makes way for one of what is left (P-6, payments 12)."""
    payment = await till.paid()
    await _cancel(till, payment.booking_id)
    await till.settle(payment.id)
    _at(till).give_back(payment.provider_payment_id or "", 1)
    await till.settle(payment.id)
    await till.work()
    given = [(each.cause, each.state, each.amount_minor) for each in await till.refunds(payment.id)]
    assert given == [
        ("policy", "refused", PRICE_MINOR),
        ("goodwill", "succeeded", 1),
        ("policy", "succeeded", PRICE_MINOR - 1),
    ]
    assert (await till.payment(payment.id)).refunded_minor == PRICE_MINOR
    assert till.inbox() == [("payment_refunded_elsewhere", payment.id)]


async def test_what_came_too_late_goes_back_but_for_what_went_by_hand(till: Paying) -> None:
    """Also of a payment that came too late all goes back, once, though staff have given back some of it by hand (P-3, payments 12)."""
    payment = await till.begin()
    await till.run_out(payment.booking_id)
    await till.practice.reserve("walk")
    at = _at(till)
    at.pay(payment.provider_payment_id or "")
    at.take(payment.provider_payment_id or "", PRICE_MINOR)
    await till.settle(payment.id)
    at.give_back(payment.provider_payment_id or "", 1)
    await till.settle(payment.id)
    await till.work()
    assert (await till.payment(payment.id)).refunded_minor == PRICE_MINOR
    assert [each.minor for each in at.refunds()] == [1, PRICE_MINOR - 1]


@pytest.mark.parametrize("at_once", [1, 5])
async def test_a_refusal_is_tried_again_with_what_is_left(till: Paying, at_once: int) -> None:
    """What the provider has refused since staff gave some of it back by hand is tried again with the rest, once (P-6, payments 12)."""
    payment = await till.paid()
    await _cancel(till, payment.booking_id)
    await till.settle(payment.id)
    at = _at(till)
    at.give_back(payment.provider_payment_id or "", 1)
    [refund] = await till.refunds(payment.id)
    await till.settle_refund(refund.id)
    await till.work()
    assert ("refund_refused", payment.id) in till.inbox()
    tries = (till.database.run(till.business_id, lambda tx: retry(tx, refund.id)) for _ in range(at_once))
    tried = await asyncio.gather(*tries, return_exceptions=True)
    await till.work()
    assert sum(isinstance(each, Exception) for each in tried) == at_once - 1
    assert [each.minor for each in at.refunds() if each.state == "succeeded"] == [1, PRICE_MINOR - 1]
    assert till.inbox() == [("payment_refunded_elsewhere", payment.id)]


async def test_a_client_is_told_what_was_refused(till: Paying) -> None:
    """What the provider has refused to give back is owed to the client until it is tried again, and then on its way: the
    share by the terms, and nothing while nobody has decided how much that is (P-6).
    """
    payment = await till.paid()
    till.fake.refuse_refunds()
    await _cancel(till, payment.booking_id)
    assert await _told(till, payment.booking_id) == (0, 0, 0)
    await till.settle(payment.id)
    assert await _told(till, payment.booking_id) == (0, PRICE_MINOR, 0)
    [refund] = await till.refunds(payment.id)
    await till.settle_refund(refund.id)
    assert await _told(till, payment.booking_id) == (0, 0, PRICE_MINOR)
    till.fake.grant_refunds()
    await till.database.run(till.business_id, lambda tx: retry(tx, refund.id))
    assert await _told(till, payment.booking_id) == (0, PRICE_MINOR, 0)
    await till.work()
    assert await _told(till, payment.booking_id) == (PRICE_MINOR, 0, 0)


async def test_goodwill_that_was_refused_is_no_fee_when_it_is_tried_again(till: Paying) -> None:
    """Goodwill that the provider has refused is kept after a cancellation until it is tried again, and then nothing is (P-6, P-9)."""
    payment = await till.paid()
    goodwill = await till.database.run(till.business_id, lambda tx: give_goodwill(tx, payment.id, 1))
    await _cancel(till, payment.booking_id)
    await till.settle(payment.id)
    till.fake.refuse_refunds()
    await till.settle_refund(goodwill.id)
    till.fake.grant_refunds()
    await till.settle(payment.id)
    await till.work()
    assert (await till.payment(payment.id)).refunded_minor == PRICE_MINOR - 1
    await till.database.run(till.business_id, lambda tx: retry(tx, goodwill.id))
    await till.work()
    gone = await till.payment(payment.id)
    assert (gone.refunded_minor, gone.fee_minor) == (PRICE_MINOR, 0)
    assert till.inbox() == []


async def test_a_refund_that_was_made_twice_counts_twice(yookassa_till: Paying) -> None:
    """Whoever stood still for a day and then asks for a refund that others have made with another key is found out: both are in the books, and staff hear of it (P-6, P-9)."""
    till = yookassa_till
    payment = await till.paid()
    goodwill = await till.database.run(till.business_id, lambda tx: give_goodwill(tx, payment.id, 1))
    await till.settle_refund(goodwill.id)
    asked = {
        "payment_id": payment.provider_payment_id,
        "amount": {"value": "0.01", "currency": "RUB"},
        "metadata": {"refund_id": str(goodwill.id)},
    }
    till.fake.shop.give_back(asked)
    await till.settle(payment.id)
    assert [(each.cause, each.amount_minor) for each in await till.refunds(payment.id)] == [("goodwill", 1)] * 2
    assert (await till.payment(payment.id)).refunded_minor == 2
    assert till.inbox() == [("payment_refunded_elsewhere", payment.id)]


async def test_a_refusal_stays_before_staff_until_its_own_cause_has_gone_through(till: Paying) -> None:
    """That something else of a payment has gone back takes refused goodwill from nobody's sight; its second try does (P-6)."""
    payment = await till.paid()
    goodwill = await till.database.run(till.business_id, lambda tx: give_goodwill(tx, payment.id, 1_000))
    till.fake.refuse_refunds()
    await till.settle_refund(goodwill.id)
    till.fake.grant_refunds()
    await _cancel(till, payment.booking_id, 50)
    await till.work()
    assert (await till.payment(payment.id)).refunded_minor == PRICE_MINOR // 2
    assert till.inbox() == [("refund_refused", payment.id)]
    await till.database.run(till.business_id, lambda tx: retry(tx, goodwill.id))
    await till.work()
    assert till.inbox() == []


async def _cancel(till: Paying, booking_id: UUID, percent: int = 100) -> None:
    before = await till.practice.read(booking_id)
    await till.database.run(
        till.business_id,
        lambda tx: bookings.cancel(
            tx, booking_id, expected_version=before.version, reason=None, actor=CONSOLE, refund_percent=percent
        ),
    )


def _at(till: Paying) -> Counterpart:
    return AtStripe(till.fake) if isinstance(till.fake, FakeStripe) else AtYooKassa(till.fake)


async def _told(till: Paying, booking_id: UUID) -> tuple[int, int, int]:
    told = await till.till.look(till.business_id, booking_id)
    assert told is not None, "it has a payment"
    return told.refunded_minor, told.refunding_minor, told.owed_minor
