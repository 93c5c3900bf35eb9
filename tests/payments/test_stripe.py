"""Payments and refunds at Stripe, through its own package and over HTTP."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from holdfast.payments.port import AccountFacts, Money, NoSuchObject, RefundWish, Refused
from holdfast.payments.states import PaymentState, RefundState
from payments.stripe.fake import FakeStripe
from payments.stripe.opened import PRICE, an_hour_ago, opened, paid, refund_wish, wish


@pytest.mark.parametrize("is_test", [True, False])
async def test_the_account_tells_its_id_and_mode(at_stripe: FakeStripe, is_test: bool) -> None:
    """What Stripe says of an account is whose it is, and whether its key is one for tests (P-5, payments 11)."""
    at_stripe.account.is_test = is_test
    async with opened(at_stripe) as adapter:
        assert await adapter.facts() == AccountFacts(at_stripe.account.id, is_test)


async def test_a_payment_is_made_for_later_capture_and_knows_its_booking(at_stripe: FakeStripe) -> None:
    """A payment waits for the client with all that we asked for, and with nothing of the client's (P-5, payments 20)."""
    asked = wish()
    async with opened(at_stripe) as adapter:
        made = await adapter.create(asked)
    there = at_stripe.payment(made.id)
    assert (made.state, made.amount, made.names, made.is_test) == (PaymentState.PENDING, PRICE, asked.names, True)
    assert (made.captured_minor, made.refunded_minor, made.confirmation_url, made.reason) == (0, 0, None, None)
    assert made.client_secret == there["client_secret"]
    assert made.client_secret not in repr(made)
    assert abs(made.created_at - datetime.now(UTC)) < timedelta(minutes=5)
    assert (there["amount"], there["currency"], there["capture_method"]) == (4_950, "eur", "manual")
    assert there["metadata"].keys() == {"business_id", "booking_id", "payment_id"}
    # The card is asked for by Stripe's own form in the client's browser.
    assert b"payment_method_data" not in at_stripe.calls[0].body


@pytest.mark.parametrize(
    "status", ["requires_payment_method", "requires_confirmation", "requires_action", "processing"]
)
async def test_each_state_before_the_money_waits_for_the_client(at_stripe: FakeStripe, status: str) -> None:
    """Whatever Stripe still lacks of the client or the bank, the payment is pending and can be shown (payments 4)."""
    async with opened(at_stripe) as adapter:
        made = await adapter.create(wish())
        at_stripe.account.become(made.id, status)
        found = await adapter.read(made.id)
    assert (found.state, found.captured_minor, found.client_secret) == (PaymentState.PENDING, 0, made.client_secret)


async def test_money_is_set_aside_and_then_taken(at_stripe: FakeStripe) -> None:
    """What the client has paid is authorised until we capture it, and is then taken to the unit (P-5)."""
    async with opened(at_stripe) as adapter:
        made = await adapter.create(wish())
        at_stripe.decline(made.id)
        assert (await adapter.read(made.id)).state is PaymentState.PENDING
        at_stripe.pay(made.id)
        authorized = await adapter.read(made.id)
        captured = await adapter.capture(made.id, uuid4().hex, PRICE)
        again = await adapter.capture(made.id, uuid4().hex, PRICE)
    assert (authorized.state, authorized.captured_minor) == (PaymentState.AUTHORIZED, 0)
    assert (captured.state, captured.captured_minor) == (PaymentState.SUCCEEDED, PRICE.minor)
    assert captured.client_secret is None
    assert again == captured


async def test_what_was_not_taken_is_let_go(at_stripe: FakeStripe) -> None:
    """A payment is cancelled before and after it was authorised, once, and nothing counts as given back (payments 9)."""
    async with opened(at_stripe) as adapter:
        waiting, authorized = await adapter.create(wish()), await adapter.create(wish())
        at_stripe.pay(authorized.id)
        for each in (waiting, authorized):
            cancelled = await adapter.cancel(each.id, uuid4().hex)
            assert (cancelled.state, cancelled.captured_minor) == (PaymentState.CANCELLED, 0)
            assert (cancelled.refunded_minor, cancelled.client_secret) == (0, None)
            assert await adapter.cancel(each.id, uuid4().hex) == cancelled
        # Stripe writes a refund down for what it has let go; it is none.
        assert len(at_stripe.refunds()) == 1
        assert await adapter.refunds_of(authorized.id) == []
        assert [refund async for refund in adapter.refunds_since(an_hour_ago())] == []
        with pytest.raises(NoSuchObject):
            await adapter.read_refund(at_stripe.refunds()[0]["id"])


async def test_who_comes_too_late_is_refused(at_stripe: FakeStripe) -> None:
    """What is taken is not cancelled, what was let go is not taken, what is being processed is neither (payments 9)."""
    async with opened(at_stripe) as adapter:
        taken, gone, processing = await paid(adapter, at_stripe), *[await adapter.create(wish()) for _ in range(2)]
        at_stripe.cancel(gone.id, "automatic")
        at_stripe.account.become(processing.id, "processing")
        for call in (
            adapter.cancel(taken.id, uuid4().hex),
            adapter.capture(gone.id, uuid4().hex, PRICE),
            adapter.cancel(processing.id, uuid4().hex),
        ):
            with pytest.raises(Refused) as refused:
                await call
            assert refused.value.reason == "payment_intent_unexpected_state"
        assert (await adapter.read(gone.id)).reason == "automatic"


async def test_refunds_are_partial_and_told_with_their_payment(at_stripe: FakeStripe) -> None:
    """Money goes back in parts, never more than was taken, and the payment tells how much (P-6, payments 12)."""
    async with opened(at_stripe) as adapter:
        payment = await paid(adapter, at_stripe)
        first, second = refund_wish(payment, 1_000), refund_wish(payment, 950)
        made = [await adapter.refund(each) for each in (first, second)]
        assert [(each.state, each.amount.minor, each.refund_id) for each in made] == [
            (RefundState.SUCCEEDED, 1_000, first.refund_id),
            (RefundState.SUCCEEDED, 950, second.refund_id),
        ]
        assert (await adapter.read(payment.id)).refunded_minor == 1_950
        with pytest.raises(Refused):
            await adapter.refund(refund_wish(payment, 3_001))
        await adapter.refund(refund_wish(payment, 3_000))
        with pytest.raises(Refused) as refused:
            await adapter.refund(refund_wish(payment, 1))
        assert refused.value.reason == "charge_already_refunded"
        assert {each.id for each in made} <= {each.id for each in await adapter.refunds_of(payment.id)}
        assert await adapter.read_refund(made[0].id) == made[0]


async def test_a_refund_may_take_its_time_and_may_fail(at_stripe: FakeStripe) -> None:
    """A refund is pending until Stripe says how it ended, and one that fails gives its reason (P-6)."""
    at_stripe.hold_refunds()
    async with opened(at_stripe) as adapter:
        payment = await paid(adapter, at_stripe)
        pending = await adapter.refund(refund_wish(payment, 1_000))
        at_stripe.settle_refund(pending.id, "failed", "expired_or_canceled_card")
        failed = await adapter.read_refund(pending.id)
        at_stripe.refuse_refunds("declined")
        refused = await adapter.refund(refund_wish(payment, 1_000))
        read = await adapter.read(payment.id)
    assert pending.state is RefundState.PENDING
    assert (failed.state, failed.reason) == (RefundState.REFUSED, "expired_or_canceled_card")
    assert (refused.state, refused.reason) == (RefundState.REFUSED, "declined")
    assert read.refunded_minor == 0


async def test_a_part_that_was_let_go_at_capture_is_no_refund(at_stripe: FakeStripe) -> None:
    """When less is captured than was set aside, the rest counts as given back at Stripe, and not with us (P-5)."""
    async with opened(at_stripe) as adapter:
        made = await adapter.create(wish())
        at_stripe.pay(made.id)
        captured = await adapter.capture(made.id, uuid4().hex, Money(4_000, "EUR"))
        await adapter.refund(refund_wish(made, 500))
        read = await adapter.read(made.id)
    assert (captured.captured_minor, captured.refunded_minor) == (4_000, 0)
    assert (read.captured_minor, read.refunded_minor) == (4_000, 500)


async def test_what_staff_do_at_stripe_is_seen(at_stripe: FakeStripe) -> None:
    """What somebody has captured or given back on Stripe's own pages is told as it is, without our names (P-4)."""
    async with opened(at_stripe) as adapter:
        made = await adapter.create(wish())
        at_stripe.pay(made.id)
        at_stripe.take(made.id)
        by_hand = at_stripe.refund_by_hand(made.id, 700)
        read, refund = await adapter.read(made.id), await adapter.read_refund(by_hand)
    assert (read.state, read.captured_minor, read.refunded_minor) == (PaymentState.SUCCEEDED, PRICE.minor, 700)
    assert (refund.refund_id, refund.remote_payment_id, refund.amount.minor) == (None, made.id, 700)


async def test_all_that_was_made_since_then_is_listed(at_stripe: FakeStripe) -> None:
    """Payments and refunds are listed over all pages, from an instant on, each once (P-4, payments 6)."""
    at_stripe.page_size = 2
    async with opened(at_stripe) as adapter:
        at_stripe.advance(days=-5)
        old = await paid(adapter, at_stripe)
        await adapter.refund(refund_wish(old, 1))
        at_stripe.advance(days=5)
        payments = [await paid(adapter, at_stripe) for _ in range(5)]
        refunds = [await adapter.refund(refund_wish(payment, 1)) for payment in payments]
        listed = [payment.id async for payment in adapter.payments_since(an_hour_ago())]
        listed_refunds = [refund.id async for refund in adapter.refunds_since(an_hour_ago())]
        everything = [payment.id async for payment in adapter.payments_since(an_hour_ago() - timedelta(days=6))]
        at_stripe.page_size = 1
        of_one = [await adapter.refund(refund_wish(old, 1)) for _ in range(3)]
        listed_of_one = await adapter.refunds_of(old.id)
    assert sorted(listed) == sorted(payment.id for payment in payments)
    assert sorted(listed_refunds) == sorted(refund.id for refund in refunds)
    assert sorted(everything) == sorted([*listed, old.id])
    assert {refund.id for refund in of_one} < {refund.id for refund in listed_of_one}
    assert len(listed_of_one) == 4


async def test_payments_of_others_at_the_account_are_told_without_names(at_stripe: FakeStripe) -> None:
    """An account may be used for other things, too: what is not ours has no names, and disturbs nothing (P-5)."""
    at_stripe.account.create({"amount": "100", "currency": "usd", "metadata": {"booking_id": "table 7"}})
    async with opened(at_stripe) as adapter:
        ours = await adapter.create(wish())
        listed = {payment.id: payment.names async for payment in adapter.payments_since(an_hour_ago())}
    assert len(listed) == 2
    assert [payment_id for payment_id, names in listed.items() if names is not None] == [ours.id]


async def test_nothing_is_asked_for_what_cannot_be_an_id(at_stripe: FakeStripe) -> None:
    """An id that would lead to another address is one that nobody knows, and so is one that is not there (P-2)."""
    async with opened(at_stripe) as adapter:
        for remote_id in ("", "..", "pi_1/capture", "pi_1?expand", "pi_\n"):
            for call in (
                adapter.read(remote_id),
                adapter.capture(remote_id, "key", PRICE),
                adapter.cancel(remote_id, "key"),
                adapter.read_refund(remote_id),
                adapter.refunds_of(remote_id),
            ):
                with pytest.raises(NoSuchObject):
                    await call
        assert at_stripe.calls == []
        for call in (
            adapter.read("pi_nobody"),
            adapter.capture("pi_nobody", "a", PRICE),
            adapter.cancel("pi_nobody", "b"),
            adapter.read_refund("re_nobody"),
            adapter.refunds_of("pi_nobody"),
            adapter.refund(RefundWish("c", uuid4(), "pi_nobody", PRICE)),
        ):
            with pytest.raises(NoSuchObject):
                await call
