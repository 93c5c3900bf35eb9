"""A payment is compared with its booking, and what follows is done; the provider may answer late, twice or not at all."""

import asyncio
from functools import partial
from uuid import UUID

import pytest

from holdfast.booking.errors import NotChangeable, PaymentsUnavailable
from holdfast.kernel.audit import CONSOLE
from holdfast.payments.accounts import disconnect
from holdfast.payments.keys import key_of
from holdfast.payments.ledger import Confirmation, record_payment
from payments.paying import PRICE_MINOR, Paying

AWAITED, CONFIRMED, EXPIRED = "AppointmentAwaitingPayment", "AppointmentConfirmed", "AppointmentExpired"


async def test_what_is_paid_is_taken_and_confirms(till: Paying) -> None:
    """Money is set aside, and taken when the place is sure; then the booking is confirmed, and nothing is open (P-1)."""
    payment = await till.begin()
    assert (payment.state, payment.pays) == ("pending", False)
    assert await till.state(payment.booking_id) == "pending_payment"
    till.pay(payment)
    paid = await till.settle(payment.id)
    assert (paid.state, paid.pays, paid.captured_minor) == ("succeeded", True, PRICE_MINOR)
    assert await till.state(payment.booking_id) == "confirmed"
    assert till.events(payment.booking_id) == [AWAITED, CONFIRMED]
    assert till.remote(paid)["status"] == "succeeded"
    assert till.due_in(payment.id) is None


async def test_a_client_who_has_not_paid_is_waited_for(till: Paying) -> None:
    """While the window is open the provider is asked again, within a minute, and nothing else happens (P-4)."""
    payment = await till.begin()
    waited = await till.settle(payment.id)
    assert (waited.state, await till.state(payment.booking_id)) == ("pending", "pending_payment")
    seconds = till.due_in(payment.id)
    assert seconds is not None
    assert 0 < seconds <= 60


async def test_asking_again_is_the_same_payment(till: Paying) -> None:
    """Whoever asks how to pay, however often, is told of one payment and one address (P-1)."""
    booking_id = await till.book()
    told = [await till.open(booking_id) for _ in range(3)]
    assert len({payable.payment_id for payable in told}) == 1
    assert len({payable.confirmation_url or payable.client_secret for payable in told}) == 1
    assert told[0].confirmation_url or told[0].client_secret
    assert (told[0].amount_minor, told[0].status) == (PRICE_MINOR, "pending")
    assert len(till.fake.payments()) == 1


async def test_asked_at_once_a_booking_has_one_payment(till: Paying) -> None:
    """Twenty who ask at the same moment how to pay make one payment (P-1)."""
    booking_id = await till.book()
    told = await asyncio.gather(*(till.open(booking_id) for _ in range(20)))
    assert len({payable.payment_id for payable in told}) == 1
    assert (len(await till.payments(booking_id)), len(till.fake.payments())) == (1, 1)


async def test_an_attempt_that_has_failed_may_be_followed_by_another(till: Paying) -> None:
    """What the provider has ended unpaid leaves the booking waiting: the client begins anew, with another key (P-1)."""
    payment = await till.begin()
    till.fake.cancel(payment.provider_payment_id)
    ended = await till.settle(payment.id)
    assert (ended.state, await till.state(payment.booking_id)) == ("cancelled", "pending_payment")
    assert till.due_in(payment.id) is None
    again = await till.payment((await till.open(payment.booking_id)).payment_id)
    assert (again.attempt, again.state) == (2, "pending")
    assert again.provider_key != payment.provider_key
    till.pay(again)
    assert (await till.settle(again.id)).pays
    assert await till.state(payment.booking_id) == "confirmed"


async def test_keys_are_made_of_the_booking_and_stored_before_the_call(till: Paying) -> None:
    """The keys of making, taking and giving back are derived from booking, operation and attempt, and stored first (payments 7)."""
    booking_id = await till.book()
    gate = till.fake.faults.hold(only="payments.create")
    opening = asyncio.create_task(till.open(booking_id))
    await asyncio.to_thread(gate.arrived.wait, 30)
    [waiting] = await till.payments(booking_id)
    assert waiting.provider_key == key_of(booking_id, "create", 1)
    assert (waiting.state, waiting.provider_payment_id) == ("created", None)
    assert waiting.create_sent_at is not None
    gate.released.set()
    payment = await till.payment((await opening).payment_id)
    till.pay(payment)
    gate = till.fake.faults.hold(only="payments.capture")
    settling = asyncio.create_task(till.settle(payment.id))
    await asyncio.to_thread(gate.arrived.wait, 30)
    taking = await till.payment(payment.id)
    assert (taking.wanted, taking.capture_key) == ("capture", key_of(booking_id, "capture", 1, 1))
    gate.released.set()
    await settling
    await till.practice.cancel(booking_id)
    gate = till.fake.faults.hold(only="refunds.create")
    working = asyncio.create_task(till.work())
    await asyncio.to_thread(gate.arrived.wait, 30)
    [refund] = await till.refunds(payment.id)
    assert (refund.provider_key, refund.state) == (key_of(booking_id, "refund", 1, 1), "created")
    assert refund.sent_at is not None
    gate.released.set()
    await working
    sent = [
        str(call.headers.get("idempotence-key") or call.headers.get("idempotency-key")) for call in till.calls("POST")
    ]
    assert sent == [waiting.provider_key, taking.capture_key, refund.provider_key]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_call_that_broke_off_is_made_again_with_its_key(till: Paying, after: bool) -> None:
    """No answer says nothing: making and taking are repeated with the same key, and there is one charge (payments 8)."""
    booking_id = await till.book()
    till.fake.faults.cut(only="payments.create", after=after)
    told = await till.open(booking_id)
    assert (told.status, told.confirmation_url, told.client_secret) == ("created", None, None)
    payment = await till.settle(told.payment_id)
    assert (payment.state, len(till.fake.payments())) == ("pending", 1)
    till.pay(payment)
    till.fake.faults.cut(only="payments.capture", after=after)
    broken = await till.settle(payment.id)
    assert (broken.pays, broken.failures, broken.error_code) == (False, 1, "unknown")
    seconds = till.due_in(payment.id)
    assert seconds is not None
    assert seconds < 10
    assert (await till.settle(payment.id)).pays
    keys = {
        call.headers.get("idempotence-key") or call.headers.get("idempotency-key")
        for call in till.calls("POST", "capture")
    }
    assert len(keys) == 1
    assert till.remote(payment)["status"] == "succeeded"


async def test_what_the_provider_fails_with_is_looked_up(till: Paying) -> None:
    """A 500 says nothing, and may be given again for the same key: what has become of it is looked up (payments 8)."""
    booking_id = await till.book()
    till.fake.faults.fail(500, only="payments.create", after=True)
    told = await till.open(booking_id)
    assert told.status == "created"
    payment = await till.settle(told.payment_id)
    assert (payment.state, len(till.fake.payments())) == ("pending", 1)


async def test_a_key_older_than_a_day_is_looked_up_first(till: Paying) -> None:
    """A call that broke off a day ago is not repeated, since its key may be forgotten: it is looked up (payments 7)."""
    booking_id = await till.book()
    till.fake.faults.cut(only="payments.create", after=True)
    told = await till.open(booking_id)
    till.fake.advance(hours=25)
    till.age("payments", told.payment_id, create_sent_at="25 hours", created_at="25 hours")
    payment = await till.settle(told.payment_id)
    assert (payment.state, len(till.fake.payments())) == ("pending", 1)
    assert len(till.calls("POST")) == 1


async def test_what_was_never_made_fails_and_may_be_begun_anew(till: Paying) -> None:
    """When nothing is found of a call that broke off a day ago, the attempt has failed, and another may follow (payments 7)."""
    booking_id = await till.book()
    till.fake.faults.cut(only="payments.create")
    told = await till.open(booking_id)
    till.age("payments", told.payment_id, create_sent_at="25 hours")
    assert (await till.settle(told.payment_id)).state == "failed"
    assert (await till.open(booking_id)).status == "pending"
    assert (len(await till.payments(booking_id)), len(till.fake.payments())) == (2, 1)


async def test_a_provider_that_is_away_charges_nobody_twice(till: Paying) -> None:
    """While the provider is down the booking waits to its end and says so; back again, there is one charge (payments 19)."""
    till.fake.faults.fail(503, times=1_000)
    booking_id = await till.book()
    for _ in range(3):
        told = await till.open(booking_id)
        assert (told.status, told.confirmation_url, told.client_secret) == ("created", None, None)
        assert told.expires_at is not None
    till.fake.faults.clear()
    payment = await till.payment((await till.open(booking_id)).payment_id)
    till.pay(payment)
    till.fake.faults.fail(503, times=1_000)
    assert not (await till.settle(payment.id)).pays
    assert await till.state(booking_id) == "pending_payment"
    till.fake.faults.clear()
    assert (await till.settle(payment.id)).pays
    assert (len(till.fake.payments()), await till.state(booking_id)) == (1, "confirmed")


async def test_a_booking_that_ran_out_while_the_provider_was_away_is_never_charged(till: Paying) -> None:
    """A provider that comes back after the window has closed is told that nothing is wanted any more (payments 19)."""
    till.fake.faults.fail(503, times=1_000)
    booking_id = await till.book()
    told = await till.open(booking_id)
    await till.run_out(booking_id)
    till.fake.faults.clear()
    payment = await till.settle(told.payment_id)
    assert payment.captured_minor == 0
    assert payment.state == "cancelled" or payment.wanted == "cancel"
    assert await till.state(booking_id) == "expired"


async def test_the_provider_knows_of_it_before_we_do(till: Paying) -> None:
    """Paid before our call has returned: whoever looks matches it by its names, and it is one payment (payments 5)."""
    booking_id = await till.book()
    till.fake.faults.cut(only="payments.create", after=True)
    told = await till.open(booking_id)
    [remote] = till.fake.payments()
    till.fake.pay(remote["id"])
    assert (await till.settle(told.payment_id)).pays
    assert (len(till.fake.payments()), await till.state(booking_id)) == (1, "confirmed")


async def test_a_hundred_looks_at_once_confirm_once(till: Paying) -> None:
    """Webhook and return page look a hundred times at the same moment: one transition, one message (payments 3, 16)."""
    payment = await till.begin()
    till.pay(payment)
    looks = [
        till.settle(payment.id) if n % 2 else till.till.look(till.business_id, payment.booking_id) for n in range(100)
    ]
    await asyncio.gather(*looks)
    await till.work()
    assert await till.state(payment.booking_id) == "confirmed"
    assert till.events(payment.booking_id).count(CONFIRMED) == 1
    assert len(till.calls("POST", "capture")) == 1
    entries = till.sql("select count(*) from audit_log where aggregate_id = %s and action = 'pay'", payment.booking_id)
    assert entries == [(1,)]


async def test_whoever_finds_another_at_it_has_it_looked_at_again(till: Paying) -> None:
    """What is told while somebody is looking is not lost: the payment is looked at once more (P-2)."""
    payment = await till.begin()
    gate = till.fake.faults.hold(only="payments.get", after=True)
    first = asyncio.create_task(till.settle(payment.id))
    await asyncio.to_thread(gate.arrived.wait, 30)
    till.pay(payment)
    second = await till.settle(payment.id)
    assert second.state == "pending"
    gate.released.set()
    # It had read before the client paid, and looks again since it was called.
    assert (await first).pays


async def test_money_that_was_let_go_before_we_took_it_ends_the_booking(yookassa_till: Paying) -> None:
    """Set aside and let go by the provider before we took it: the booking expires, and its client is told (payments 14)."""
    till = yookassa_till
    payment = await till.begin()
    till.pay(payment)
    till.fake.faults.cut(only="payments.capture")
    await till.settle(payment.id)
    till.fake.cancel(payment.provider_payment_id, "expired_on_capture")
    await till.settle(payment.id)
    assert await till.state(payment.booking_id) == "expired"
    assert till.events(payment.booking_id)[-1] == EXPIRED
    told = await till.till.look(till.business_id, payment.booking_id)
    assert told is not None
    assert (told.status, told.expires_at, till.due_in(payment.id)) == ("cancelled", None, None)


async def test_an_abandoned_payment_confirms_nothing(till: Paying) -> None:
    """A payment that nobody makes ends with its window, and whoever books the place then has it (payments 15)."""
    payment = await till.begin()
    await till.run_out(payment.booking_id)
    await till.work()
    other = await till.paid()
    assert await till.state(other.booking_id) == "confirmed"
    assert await till.state(payment.booking_id) == "expired"
    left = await till.settle(payment.id)
    assert (left.captured_minor, left.pays) == (0, False)


async def test_a_payment_that_cannot_be_called_off_yet_is_asked_again_slowly(yookassa_till: Paying) -> None:
    """YooKassa refuses to end what is not paid yet: it is asked again after minutes, until it ends by itself (P-4)."""
    till = yookassa_till
    payment = await till.begin()
    await till.run_out(payment.booking_id)
    assert (await till.settle(payment.id)).wanted == "cancel"
    seconds = till.due_in(payment.id)
    assert seconds is not None
    assert seconds > 60
    till.fake.cancel(payment.provider_payment_id)
    ended = await till.settle(payment.id)
    assert (ended.state, ended.wanted, till.due_in(payment.id)) == ("cancelled", None, None)


async def test_what_was_never_sent_is_not_made_for_a_booking_that_has_ended(till: Paying) -> None:
    """An attempt that nobody has sent is not made any more when its booking has ended (payments 15)."""
    booking_id = await till.book()
    asked = Confirmation("A practice", "https://practice.test/paid")
    written = partial(
        record_payment,
        booking_id=booking_id,
        account=till.account,
        amount_minor=PRICE_MINOR,
        currency=(await till.practice.read(booking_id)).currency,
        confirmation=asked,
    )
    payment_id = await till.database.run(till.business_id, written)
    await till.run_out(booking_id)
    settled = await till.settle(payment_id)
    assert (settled.state, settled.reason, till.due_in(payment_id)) == ("failed", "not_needed", None)
    assert till.fake.calls == []


async def test_an_account_that_is_not_let_in_is_told_to_staff(till: Paying) -> None:
    """Without access nothing is lost: staff hear of it at once, it is tried again, and the note goes when it works (P-4)."""
    payment = await till.begin()
    till.fake.faults.fail(401, only="payments.get")
    refused = await till.settle(payment.id)
    assert refused.error_code == "unauthorized"
    assert ("payment_account_unauthorized", till.account.id) in till.inbox()
    seconds = till.due_in(payment.id)
    assert seconds is not None
    assert seconds >= 50
    await till.settle(payment.id)
    assert till.inbox() == []


async def test_who_takes_no_payments_any_more_brings_to_an_end_what_is_open(till: Paying) -> None:
    """A disconnected account takes no new payments, and what is open with it is paid and confirmed (P-1)."""
    payment = await till.begin()
    later = await till.book("lesson")
    provider = till.account.provider
    await till.database.run(till.business_id, lambda tx: disconnect(tx, provider, CONSOLE))
    with pytest.raises(PaymentsUnavailable):
        await till.open(later)
    till.pay(payment)
    assert (await till.settle(payment.id)).pays


async def test_only_what_awaits_its_payment_is_paid(till: Paying) -> None:
    """A booking that is confirmed, has ended or is not committed has no way to be paid (B-11)."""
    payment = await till.paid()
    held = (await till.practice.reserve("lesson")).made().id
    for booking_id in (payment.booking_id, held):
        with pytest.raises(NotChangeable):
            await till.open(booking_id)


async def test_a_booking_without_a_payment_has_nothing_to_look_at(till: Paying) -> None:
    """Whoever asks for the payment of a booking that has none is told that there is none (B-11)."""
    assert await till.till.look(till.business_id, UUID(int=1)) is None
