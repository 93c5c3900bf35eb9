"""YooKassa through our adapter, from a wish to money that went back."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from holdfast.payments.port import AccountFacts, Busy, Money, Names, NoSuchObject, Refused, RemotePayment, Unknown
from holdfast.payments.states import PaymentState, RefundState
from payments.yookassa.adapter import RETURN_URL, ROUBLES, opened, refund_of, wish_of
from payments.yookassa.errors import YooKassaError
from payments.yookassa.fake import FakeYooKassa


async def test_a_payment_is_made_as_wished(yookassa: FakeYooKassa) -> None:
    """What is wished for is what the provider has: amount, names, where the client pays, nothing captured (P-3)."""
    before = datetime.now(UTC) - timedelta(seconds=1)
    async with opened(yookassa) as adapter:
        wish = wish_of()
        payment = await adapter.create(wish)
    assert payment.state is PaymentState.PENDING
    assert (payment.amount, payment.captured_minor, payment.refunded_minor) == (ROUBLES, 0, 0)
    assert (payment.names, payment.account, payment.is_test) == (wish.names, yookassa.shop_id, True)
    assert payment.confirmation_url == f"https://yoomoney.test/checkout/payments/v2/contract?orderId={payment.id}"
    assert payment.created_at is not None
    assert payment.created_at > before
    told = yookassa.payment(payment.id)
    assert told["amount"] == {"value": "3500.00", "currency": "RUB"}
    assert told["confirmation"]["return_url"] == RETURN_URL


async def test_money_is_set_aside_and_then_taken(yookassa: FakeYooKassa) -> None:
    """A payment that the client has paid waits for our capture, and is taken by it (P-3)."""
    async with opened(yookassa) as adapter:
        made = await adapter.create(wish_of())
        yookassa.pay(made.id)
        authorized = await adapter.read(made.id)
        assert (authorized.state, authorized.captured_minor) == (PaymentState.AUTHORIZED, 0)
        captured = await adapter.capture(made.id, "capture-1", ROUBLES)
        assert (captured.state, captured.captured_minor) == (PaymentState.SUCCEEDED, ROUBLES.minor)
        assert await adapter.read(made.id) == captured


async def test_what_was_taken_before_stays_as_it_is(yookassa: FakeYooKassa) -> None:
    """A capture under another key, of money that was taken already, returns the payment (P-3, payments 8)."""
    async with opened(yookassa) as adapter:
        made = await adapter.create(wish_of())
        yookassa.pay(made.id)
        taken = await adapter.capture(made.id, "capture-1", ROUBLES)
        assert await adapter.capture(made.id, "capture-2", ROUBLES) == taken


async def test_a_capture_of_what_is_not_paid_is_refused(yookassa: FakeYooKassa) -> None:
    """Money that is not set aside is not taken, and the refusal names what is wrong in the provider's words (P-3)."""
    async with opened(yookassa) as adapter:
        made = await adapter.create(wish_of())
        with pytest.raises(Refused) as refused:
            await adapter.capture(made.id, "capture-1", ROUBLES)
        assert refused.value.reason == "invalid_request_status"


async def test_money_that_is_set_aside_is_let_go(yookassa: FakeYooKassa) -> None:
    """A payment that nobody needs is cancelled, again with the same answer, and never taken afterwards (P-3)."""
    async with opened(yookassa) as adapter:
        made = await adapter.create(wish_of())
        yookassa.pay(made.id)
        cancelled = await adapter.cancel(made.id, "cancel-1")
        assert (cancelled.state, cancelled.reason) == (PaymentState.CANCELLED, "canceled_by_merchant")
        assert await adapter.cancel(made.id, "cancel-2") == cancelled
        with pytest.raises(Refused):
            await adapter.capture(made.id, "capture-1", ROUBLES)


async def test_a_payment_that_waits_for_the_client_cannot_be_cancelled(yookassa: FakeYooKassa) -> None:
    """The provider refuses to cancel before the client has paid, and it is told as a refusal (P-3)."""
    async with opened(yookassa) as adapter:
        made = await adapter.create(wish_of())
        with pytest.raises(Refused):
            await adapter.cancel(made.id, "cancel-1")
        assert (await adapter.read(made.id)).state is PaymentState.PENDING


@pytest.mark.parametrize(
    ("paid", "told", "reason"),
    [
        (True, "expired_on_capture", "expired_on_capture"),
        (False, "expired_on_confirmation", "expired_on_confirmation"),
        # A word of ours begins with a letter; so says the database, too.
        (False, "3d_secure_failed", "reason_3d_secure_failed"),
    ],
)
async def test_why_a_payment_was_cancelled_is_told(yookassa: FakeYooKassa, paid: bool, told: str, reason: str) -> None:
    """The reason of a cancellation arrives in the provider's word for it (P-3, payments 14)."""
    async with opened(yookassa) as adapter:
        made = await adapter.create(wish_of())
        if paid:
            yookassa.pay(made.id)
        yookassa.cancel(made.id, told)
        payment = await adapter.read(made.id)
        assert (payment.state, payment.reason, payment.captured_minor) == (PaymentState.CANCELLED, reason, 0)


async def test_money_goes_back_in_parts(yookassa: FakeYooKassa) -> None:
    """Refunds add up to no more than was captured, and the payment says how much went back (P-6, payments 12)."""
    async with opened(yookassa) as adapter:
        payment_id = await _taken(yookassa, await adapter.create(wish_of()))
        assert await adapter.refunds_of(payment_id) == []
        first = await adapter.refund(refund_of(payment_id, 100_001))
        assert (first.state, first.amount.minor) == (RefundState.SUCCEEDED, 100_001)
        wish = refund_of(payment_id, 249_999)
        second = await adapter.refund(wish)
        assert (second.refund_id, second.remote_payment_id) == (wish.refund_id, payment_id)
        assert {each.id for each in await adapter.refunds_of(payment_id)} == {first.id, second.id}
        assert (await adapter.read(payment_id)).refunded_minor == ROUBLES.minor
        with pytest.raises(Refused) as refused:
            await adapter.refund(refund_of(payment_id, 1))
        assert refused.value.reason == "invalid_request_amount_value"


async def test_a_refund_takes_its_time_or_fails(yookassa: FakeYooKassa) -> None:
    """A refund is pending, and then succeeds or is refused for a reason (P-6)."""
    async with opened(yookassa) as adapter:
        payment_id = await _taken(yookassa, await adapter.create(wish_of()))
        yookassa.hold_refunds()
        waiting = await adapter.refund(refund_of(payment_id, 1_000))
        assert (waiting.state, (await adapter.read(payment_id)).refunded_minor) == (RefundState.PENDING, 0)
        yookassa.settle_refund(waiting.id)
        assert await adapter.read_refund(waiting.id) == replace(waiting, state=RefundState.SUCCEEDED)
        yookassa.refuse_refunds("insufficient_funds")
        failed = await adapter.refund(refund_of(payment_id, 1_000))
        assert (failed.state, failed.reason) == (RefundState.REFUSED, "insufficient_funds")
        assert (await adapter.read(payment_id)).refunded_minor == 1_000


async def test_each_call_that_changes_something_carries_our_key(yookassa: FakeYooKassa) -> None:
    """Creation, capture, cancellation and refund carry the key that was given, to its 64th character (payments 7)."""
    async with opened(yookassa) as adapter:
        key = "k" * 64
        payment_id = (await adapter.create(wish_of(key=key))).id
        yookassa.pay(payment_id)
        await adapter.capture(payment_id, "capture-key", ROUBLES)
        await adapter.refund(refund_of(payment_id, key="refund-key"))
        other_id = (await adapter.create(wish_of(key="other-key"))).id
        yookassa.pay(other_id)
        await adapter.cancel(other_id, "cancel-key")
        sent = [call.headers.get("idempotence-key") for call in yookassa.calls if call.method == "POST"]
        assert sent == [key, "capture-key", "refund-key", "other-key", "cancel-key"]
        for wrong in ("", "k" * 65, "ключ"):
            with pytest.raises(AssertionError):
                await adapter.create(replace(wish_of(), key=wrong))


async def test_a_lost_answer_is_asked_for_with_the_same_key(yookassa: FakeYooKassa) -> None:
    """A creation whose answer was lost is repeated with its key, and there is one payment (payments 8)."""
    async with opened(yookassa) as adapter:
        wish = wish_of()
        yookassa.faults.cut(only="payments.create", after=True)
        with pytest.raises(Unknown):
            await adapter.create(wish)
        payment = await adapter.create(wish)
        assert [each["id"] for each in yookassa.payments()] == [payment.id]


async def test_a_wish_in_other_words_is_the_same_wish(yookassa: FakeYooKassa) -> None:
    """A creation that is repeated with another way back, or name, makes no second payment, nor a failure (payments 7)."""
    async with opened(yookassa) as adapter:
        wish = wish_of()
        made = await adapter.create(wish)
        again = replace(wish, return_url="https://www.practice.test/paid", description="A renamed practice")
        assert await adapter.create(again) == made
        assert len(yookassa.payments()) == 1


async def test_a_key_is_not_used_for_something_else(yookassa: FakeYooKassa) -> None:
    """A key that has made somebody else's payment is refused, and makes nothing (payments 7)."""
    async with opened(yookassa) as adapter:
        wish = wish_of()
        await adapter.create(wish)
        with pytest.raises(Refused) as refused:
            await adapter.create(wish_of(key=wish.key))
        assert refused.value.reason == "invalid_request_idempotence_key"
        assert len(yookassa.payments()) == 1


async def test_a_forgotten_key_makes_another_payment_and_the_first_one_is_found(yookassa: FakeYooKassa) -> None:
    """After 24 hours a key is a new one; the payment it has made is found by its names instead (payments 7)."""
    async with opened(yookassa) as adapter:
        began = yookassa.now()
        wish = wish_of()
        yookassa.page_size = 2
        yookassa.faults.cut(only="payments.create", after=True)
        with pytest.raises(Unknown):
            await adapter.create(wish)
        for _ in range(5):
            await adapter.create(wish_of())
        yookassa.advance(hours=25)
        found = await adapter.find(wish, began)
        assert found is not None
        assert (found.id, found.names) == (yookassa.payments()[0]["id"], wish.names)
        assert await adapter.find(wish_of(), began) is None
        assert (await adapter.create(wish)).id != found.id


async def test_one_that_money_may_come_of_is_found_before_one_that_is_over(yookassa: FakeYooKassa) -> None:
    """Of two payments of one wish the one that is not cancelled is found, also when it is the older (payments 7)."""
    async with opened(yookassa) as adapter:
        began, wish = yookassa.now(), wish_of()
        older = await adapter.create(wish)
        yookassa.advance(hours=25)
        newer = await adapter.create(wish)
        yookassa.cancel(newer.id)
        assert (await adapter.find(wish, began)) == older
        yookassa.cancel(older.id)
        found = await adapter.find(wish, began)
        assert found is not None
        assert found.state is PaymentState.CANCELLED


async def test_a_payment_is_found_when_their_clock_is_behind(yookassa: FakeYooKassa) -> None:
    """A payment that was made before our time by their clock is found all the same (payments 7)."""
    async with opened(yookassa) as adapter:
        wish = wish_of()
        began = yookassa.now()
        yookassa.advance(minutes=-30)
        made = await adapter.create(wish)
        assert await adapter.find(wish, began) == made


async def test_a_payment_is_found_by_all_its_names(yookassa: FakeYooKassa) -> None:
    """Another payment of the same booking is not taken for the one that is looked for (payments 7)."""
    async with opened(yookassa) as adapter:
        began, wish = yookassa.now(), wish_of()
        await adapter.create(wish)
        names = Names(wish.names.business_id, wish.names.booking_id, wish_of().names.payment_id)
        assert await adapter.find(replace(wish, names=names), began) is None


async def test_lists_yield_everything_since_a_time(yookassa: FakeYooKassa) -> None:
    """All payments and refunds since a time are listed over several pages, and none before it (P-7, payments 6)."""
    yookassa.page_size = 2
    async with opened(yookassa) as adapter:
        old = await _taken(yookassa, await adapter.create(wish_of()))
        await adapter.refund(refund_of(old, 1))
        yookassa.advance(days=4)
        since = yookassa.now()
        yookassa.advance(seconds=1)
        made = [(await adapter.create(wish_of())).id for _ in range(5)]
        back = [(await adapter.refund(refund_of(old, 2))).id for _ in range(3)]
        assert [each.id async for each in adapter.payments_since(since)] == made[::-1]
        assert [each.id async for each in adapter.refunds_since(since)] == back[::-1]
        assert len([each async for each in adapter.payments_since(since - timedelta(days=5))]) == 6


async def test_the_account_is_told(yookassa: FakeYooKassa) -> None:
    """The provider says whose account it is and whether it is for tests (payments 11)."""
    async with opened(yookassa) as adapter:
        assert await adapter.facts() == AccountFacts(yookassa.shop_id, is_test=True)
        yookassa.shop.is_test = False
        assert (await adapter.facts()).is_test is False
        assert (await adapter.create(wish_of())).is_test is False


async def test_what_is_not_there_is_not_found(yookassa: FakeYooKassa) -> None:
    """An id that the provider does not know, or that is none, is no such object (P-7)."""
    async with opened(yookassa) as adapter:
        unknown = "2d000000-000f-5000-8000-000000000000"
        for remote_id in (unknown, "..", "", "a/b", "x" * 65):
            for call in (
                adapter.read(remote_id),
                adapter.read_refund(remote_id),
                adapter.refunds_of(remote_id),
                adapter.capture(remote_id, "capture-1", ROUBLES),
                adapter.cancel(remote_id, "cancel-1"),
            ):
                with pytest.raises(NoSuchObject):
                    await call
    # Nobody was asked for what is no id.
    assert [call.path for call in yookassa.calls if unknown not in call.path] == []


async def test_a_long_description_is_cut(yookassa: FakeYooKassa) -> None:
    """A business with a long name is paid as well: the provider shows as much of it as it can (P-3)."""
    async with opened(yookassa) as adapter:
        made = await adapter.create(wish_of(description="П" * 200))
        assert yookassa.payment(made.id)["description"] == "П" * 128


async def test_the_pages_of_the_provider_speak_as_the_client_does(yookassa: FakeYooKassa) -> None:
    """A language that the provider has is asked for, and another one is left to it (P-3)."""
    async with opened(yookassa) as adapter:
        for locale in ("ru", "en", "de", None):
            await adapter.create(replace(wish_of(), locale=locale))
    asked = [json.loads(call.body)["confirmation"].get("locale") for call in yookassa.calls]
    assert asked == ["ru_RU", "en_US", None, None]


async def test_the_amount_is_exact_to_the_last_unit(yookassa: FakeYooKassa) -> None:
    """Amounts go there and back without a float: what no float can hold comes back as it was (P-8)."""
    async with opened(yookassa) as adapter:
        for minor in (1, 29, 100, 123_456_789_01, 999_999_999_999):
            amount = Money(minor, "RUB")
            assert (await adapter.create(wish_of(amount))).amount == amount


async def test_the_provider_is_busy_and_then_not(yookassa: FakeYooKassa) -> None:
    """A limit on calls is told with the patience that is asked for, and nothing was done (P-3)."""
    async with opened(yookassa) as adapter:
        yookassa.faults.fail(YooKassaError(429, "Too many", retry_after_seconds=7))
        wish = wish_of()
        with pytest.raises(Busy) as busy:
            await adapter.create(wish)
        assert busy.value.retry_after == 7
        assert yookassa.payments() == []
        await adapter.create(wish)


async def _taken(yookassa: FakeYooKassa, made: RemotePayment) -> str:
    """Let a payment be paid and captured; return its id."""
    yookassa.pay(made.id)
    async with opened(yookassa) as adapter:
        await adapter.capture(made.id, f"capture-{made.id}", ROUBLES)
    return made.id
