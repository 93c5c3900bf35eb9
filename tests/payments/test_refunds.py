"""Money goes back as the booking says: each cause once, never more than was taken, whatever breaks off in between."""

import asyncio
from uuid import UUID

import pytest

from booking.opened import DAY_SECONDS, START
from holdfast.booking import bookings, outcomes
from holdfast.booking.errors import PriceDiffers
from holdfast.kernel.audit import Actor
from holdfast.kernel.ids import new_id
from holdfast.payments.errors import RefundExceedsPayment, RefundNotRefused
from holdfast.payments.ledger import Payment
from holdfast.payments.refunds import give_goodwill, retry
from payments.paying import PRICE_MINOR, Paying


async def cancel(till: Paying, booking_id: UUID, percent: int) -> None:
    """Cancel by staff, who give back so many percent."""
    version = (await till.practice.read(booking_id)).version
    actor = Actor.staff(new_id())
    await till.database.run(
        till.business_id,
        lambda tx: bookings.cancel(
            tx, booking_id, expected_version=version, reason=None, actor=actor, refund_percent=percent
        ),
    )


def gone_back(till: Paying) -> int:
    """Return how many refunds the provider has made."""
    return len([refund for refund in till.fake.refunds() if refund["status"] == "succeeded"])


async def books(till: Paying, payment: Payment) -> tuple[int, int, int]:
    """Return what of a payment was captured, has gone back, and is kept as a fee."""
    now = await till.payment(payment.id)
    return now.captured_minor, now.refunded_minor, now.fee_minor


@pytest.mark.parametrize(("percent", "back"), [(100, 500_000), (50, 250_000), (33, 165_000), (0, 0)])
async def test_a_cancellation_gives_back_its_share_once(till: Paying, percent: int, back: int) -> None:
    """What the terms say goes back once, the rest is the fee, however often it is looked at (P-6, P-9, payments 12)."""
    payment = await till.paid()
    await cancel(till, payment.booking_id, percent)
    await asyncio.gather(*(till.settle(payment.id) for _ in range(5)))
    await till.work()
    await till.settle(payment.id)
    await till.work()
    assert await books(till, payment) == (PRICE_MINOR, back, PRICE_MINOR - back)
    assert gone_back(till) == (1 if back else 0)
    assert till.due_in(payment.id) is None


async def test_a_cancellation_makes_its_payment_due(till: Paying) -> None:
    """Whoever cancels waits for no provider: the payment is due in the same transaction, and a worker finds it (P-6)."""
    payment = await till.paid()
    assert till.due_in(payment.id) is None
    before = len(till.fake.calls)
    await cancel(till, payment.booking_id, 100)
    seconds = till.due_in(payment.id)
    assert seconds is not None
    assert seconds <= 0
    assert len(till.fake.calls) == before


async def test_a_cancelled_booking_that_was_not_paid_yet_keeps_no_money(till: Paying) -> None:
    """Cancelled while it waits for its payment: what arrives after all is let go or goes back whole (P-6, payments 12)."""
    payment = await till.begin()
    await cancel(till, payment.booking_id, 100)
    till.pay(payment)
    till.fake.take(payment.provider_payment_id)
    await till.work()
    await till.settle(payment.id)
    await till.work()
    assert await books(till, payment) == (PRICE_MINOR, PRICE_MINOR, 0)
    assert (await till.refunds(payment.id))[0].cause == "late"


async def test_a_refund_by_staff_gives_all_back(till: Paying) -> None:
    """A booking that staff refund is refunded, and all of its money goes back (B-18, P-6)."""
    payment = await till.paid()
    version = (await till.practice.read(payment.booking_id)).version
    actor = Actor.staff(new_id())
    await till.database.run(
        till.business_id,
        lambda tx: outcomes.refund(tx, payment.booking_id, expected_version=version, reason=None, actor=actor),
    )
    await till.work()
    assert await till.state(payment.booking_id) == "refunded"
    assert await books(till, payment) == (PRICE_MINOR, PRICE_MINOR, 0)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_refund_that_broke_off_is_made_once(till: Paying, after: bool) -> None:
    """No answer says nothing: the refund is asked for again with its key, and made once (payments 12)."""
    payment = await till.paid()
    await cancel(till, payment.booking_id, 100)
    await till.settle(payment.id)
    [refund] = await till.refunds(payment.id)
    till.fake.faults.cut(only="refunds.create", after=after)
    broken = await till.settle_refund(refund.id)
    assert (broken.state, broken.failures, broken.error_code) == ("created", 1, "unknown")
    assert (await till.settle_refund(refund.id)).state == "succeeded"
    assert gone_back(till) == 1
    keys = [
        str(call.headers.get("idempotence-key") or call.headers.get("idempotency-key"))
        for call in till.calls("POST", "/refunds")
    ]
    assert keys == [refund.provider_key] * 2


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_refund_of_yesterday_is_looked_up_first(till: Paying, after: bool) -> None:
    """A refund that broke off a day ago is looked up before it is asked for again, with another key (payments 7, 12)."""
    payment = await till.paid()
    await cancel(till, payment.booking_id, 100)
    await till.settle(payment.id)
    [refund] = await till.refunds(payment.id)
    till.fake.faults.cut(only="refunds.create", after=after)
    await till.settle_refund(refund.id)
    till.fake.advance(hours=25)
    till.age("refunds", refund.id, sent_at="25 hours")
    found = await till.settle_refund(refund.id)
    assert (found.state, found.number) == ("succeeded", 1 if after else 2)
    assert gone_back(till) == 1


async def test_refunds_at_once_are_one(till: Paying) -> None:
    """Ten workers at one refund ask for it with one key, and it is made once (payments 12)."""
    payment = await till.paid()
    await cancel(till, payment.booking_id, 100)
    await till.settle(payment.id)
    [refund] = await till.refunds(payment.id)
    await asyncio.gather(*(till.settle_refund(refund.id) for _ in range(10)))
    await till.work()
    assert gone_back(till) == 1
    assert await books(till, payment) == (PRICE_MINOR, PRICE_MINOR, 0)


async def test_partial_refunds_never_exceed_what_was_taken(till: Paying) -> None:
    """Parts go back until nothing is left; what is more is refused, also when several ask at once (P-6, payments 12)."""
    payment = await till.paid()

    async def give(minor: int) -> object:
        return await till.database.run(till.business_id, lambda tx: give_goodwill(tx, payment.id, minor))

    answers = await asyncio.gather(*(give(200_000) for _ in range(5)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, RefundExceedsPayment)]
    assert len(refused) == 3
    assert min(answer.details["leftMinor"] for answer in refused) == 100_000
    await till.work()
    assert await books(till, payment) == (PRICE_MINOR, 400_000, 0)
    assert await till.state(payment.booking_id) == "confirmed"
    await cancel(till, payment.booking_id, 100)
    await till.work()
    assert await books(till, payment) == (PRICE_MINOR, PRICE_MINOR, 0)
    assert [refund.amount_minor for refund in await till.refunds(payment.id)] == [200_000, 200_000, 100_000]


async def test_a_fee_can_be_given_back_of_goodwill(till: Paying) -> None:
    """Staff may give back what was kept of a cancelled booking; the fee is less by that (P-6, P-9)."""
    payment = await till.paid()
    await cancel(till, payment.booking_id, 50)
    await till.work()
    await till.database.run(till.business_id, lambda tx: give_goodwill(tx, payment.id, 100_000))
    await till.work()
    assert await books(till, payment) == (PRICE_MINOR, 350_000, 150_000)


async def test_what_the_provider_refuses_is_before_staff_and_tried_again(till: Paying) -> None:
    """A refused refund is put before staff, is not repeated by itself, and goes through when they try again (P-6, payments 12)."""
    payment = await till.paid()
    await cancel(till, payment.booking_id, 100)
    till.fake.refuse_refunds()
    await till.work()
    await till.settle(payment.id)
    await till.work()
    [refused] = await till.refunds(payment.id)
    assert (refused.state, refused.reason is None) == ("refused", False)
    assert till.inbox() == [("refund_refused", payment.id)]
    till.fake.grant_refunds()
    again = await till.database.run(till.business_id, lambda tx: retry(tx, refused.id))
    assert (again.number, again.cause) == (2, "policy")
    assert again.provider_key != refused.provider_key
    with pytest.raises(RefundNotRefused):
        await till.database.run(till.business_id, lambda tx: retry(tx, refused.id))
    await till.work()
    assert await books(till, payment) == (PRICE_MINOR, PRICE_MINOR, 0)
    assert till.inbox() == []
    assert gone_back(till) == 1


async def test_a_refund_that_the_provider_works_at_is_asked_after(till: Paying) -> None:
    """A refund that takes its time is asked after until it is through; until then it is on its way (P-6)."""
    payment = await till.paid()
    await cancel(till, payment.booking_id, 100)
    till.fake.hold_refunds()
    await till.work()
    [pending] = await till.refunds(payment.id)
    assert (pending.state, await books(till, payment)) == ("pending", (PRICE_MINOR, 0, 0))
    told = await till.till.look(till.business_id, payment.booking_id)
    assert told is not None
    assert (told.refunded_minor, told.refunding_minor) == (0, PRICE_MINOR)
    till.fake.settle_refund(pending.provider_refund_id)
    assert (await till.settle_refund(pending.id)).state == "succeeded"
    assert await books(till, payment) == (PRICE_MINOR, PRICE_MINOR, 0)


async def test_money_that_was_given_back_elsewhere_is_in_the_books(scripted: Paying) -> None:
    """What staff give back at the provider itself is in the ledger as goodwill, once, and leaves the booking alone (P-4, P-9)."""
    till = scripted
    payment = await till.paid()
    till.fake.give_back_by_hand(payment.provider_payment_id, 200_000)
    await till.settle(payment.id)
    await till.settle(payment.id)
    [foreign] = await till.refunds(payment.id)
    assert (foreign.cause, foreign.state, foreign.amount_minor) == ("goodwill", "succeeded", 200_000)
    assert await books(till, payment) == (PRICE_MINOR, 200_000, 0)
    assert await till.state(payment.booking_id) == "confirmed"
    assert till.inbox() == [("payment_refunded_elsewhere", payment.id)]


async def test_what_was_given_back_elsewhere_does_not_go_back_twice(scripted: Paying) -> None:
    """Staff give all back at the provider while our refund of it is not sent yet: ours is given up (payments 12)."""
    till = scripted
    payment = await till.paid()
    await cancel(till, payment.booking_id, 100)
    await till.settle(payment.id)
    till.fake.give_back_by_hand(payment.provider_payment_id, PRICE_MINOR)
    await till.settle(payment.id)
    await till.work()
    ours, theirs = await till.refunds(payment.id)
    assert (ours.state, ours.reason, theirs.cause, theirs.state) == (
        "refused",
        "given_back_elsewhere",
        "goodwill",
        "succeeded",
    )
    assert await books(till, payment) == (PRICE_MINOR, PRICE_MINOR, 0)
    assert till.fake.taken() == 0


async def test_money_that_has_gone_back_already_confirms_nothing(scripted: Paying) -> None:
    """Paid and given back at the provider before we have looked: the booking is not confirmed, and nothing is owed (payments 4)."""
    till = scripted
    payment = await till.begin()
    till.fake.take(payment.provider_payment_id)
    till.fake.give_back_by_hand(payment.provider_payment_id, 200_000)
    await till.settle(payment.id)
    await till.work()
    assert await books(till, payment) == (PRICE_MINOR, PRICE_MINOR, 0)
    assert await till.state(payment.booking_id) == "pending_payment"
    assert [refund.cause for refund in await till.refunds(payment.id)] == ["goodwill", "late"]


async def test_a_booking_that_is_moved_keeps_its_payment(till: Paying) -> None:
    """A paid booking is moved with its payment, and to a place of another price not at all: nothing is charged (B-16, payments 17)."""
    payment = await till.paid()
    await till.practice.add_service("dear", ["ben"], payment_policy="prepay", price_minor=PRICE_MINOR + 1)
    before = len(till.fake.calls)
    await till.practice.move(payment.booking_id, "lesson", START + DAY_SECONDS)
    with pytest.raises(PriceDiffers):
        await till.practice.move(payment.booking_id, "dear", START + 2 * DAY_SECONDS)
    await till.work()
    kept = await till.payment(payment.id)
    assert (kept.pays, kept.amount_minor, kept.refunded_minor) == (True, PRICE_MINOR, 0)
    assert await till.state(payment.booking_id) == "confirmed"
    assert len(till.fake.calls) == before
    await cancel(till, payment.booking_id, 100)
    await till.work()
    assert await books(till, payment) == (PRICE_MINOR, PRICE_MINOR, 0)
