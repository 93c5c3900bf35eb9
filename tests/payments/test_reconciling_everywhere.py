"""At each provider an account is compared with the same lists, and mended in the same way."""

from booking.opened import HOUR_SECONDS, START
from payments.comparing import compare, forget, lose
from payments.paying import PRICE_MINOR, Paying


async def test_what_was_lost_is_found_at_each_provider(till: Paying) -> None:
    """A payment of which nobody heard that it was paid, one of which the answer was lost, and one that a restored backup does
    not know, each confirm their booking after one comparison, and the next finds nothing (P-4, payments 6).
    """
    unheard, unknown = [await till.begin(start=START + number * HOUR_SECONDS) for number in range(2)]
    till.fake.faults.cut(only="payments.create", after=True)
    unanswered = await till.begin(start=START + 2 * HOUR_SECONDS)
    assert unanswered.provider_payment_id is None
    till.pay(unheard)
    till.pay(unknown)
    forget(till, unheard)
    forget(till, unanswered)
    lose(till, unknown)
    compared = await compare(till)
    assert (compared.payments, compared.called, compared.entered, compared.unexplained) == (3, 2, 1, 0)
    await till.work()
    for payment in (unheard, unknown):
        [known] = await till.payments(payment.booking_id)
        assert (known.pays, known.captured_minor) == (True, PRICE_MINOR)
        assert await till.state(payment.booking_id) == "confirmed"
    found = await till.payment(unanswered.id)
    assert (found.state, found.provider_payment_id is not None) == ("pending", True)
    assert (await compare(till)).mended == 0


async def test_a_refund_that_nobody_heard_of_is_found_at_each_provider(till: Paying) -> None:
    """A refund that was made, and whose answer was lost, is found by the list, counted once and not asked for again (P-4, P-6,
    payments 12).
    """
    payment = await till.begin()
    till.pay(payment)
    await till.settle(payment.id)
    await till.practice.cancel(payment.booking_id)
    await till.settle(payment.id)
    [refund] = await till.refunds(payment.id)
    till.fake.faults.cut(only="refunds.create", after=True)
    await till.settle_refund(refund.id)
    till.sql("update refunds set next_attempt_at = null where id = %s", refund.id)
    compared = await compare(till)
    assert (compared.refunds, compared.unexplained) == (1, 0)
    await till.work()
    [found] = await till.refunds(payment.id)
    assert (found.state, found.amount_minor) == ("succeeded", PRICE_MINOR)
    assert (await till.payment(payment.id)).refunded_minor == PRICE_MINOR
    assert (await compare(till)).mended == 0
