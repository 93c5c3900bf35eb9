"""Money that comes when the place is gone, or when another payment has paid: confirmed, or given back, and never both."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest

from holdfast.payments.ledger import adopt, wish_of
from payments.paying import PRICE_MINOR, Paying


async def test_late_money_takes_its_place_again(till: Paying) -> None:
    """Paid after the time ran out, with the place still free: it is taken again and the booking confirmed (P-3, payments 9)."""
    payment = await till.begin()
    await till.run_out(payment.booking_id)
    till.pay(payment)
    till.fake.take(payment.provider_payment_id)
    paid = await till.settle(payment.id)
    assert (paid.pays, await till.state(payment.booking_id)) == (True, "confirmed")
    assert till.events(payment.booking_id)[-1] == "AppointmentConfirmed"
    assert await till.refunds(payment.id) == []


async def test_late_money_whose_place_is_gone_goes_back_once(till: Paying) -> None:
    """Paid after the time ran out, with the place taken by another: one refund of all of it, however often it is looked at (P-3, payments 9)."""
    payment = await till.begin()
    await till.run_out(payment.booking_id)
    other = await till.paid()
    till.pay(payment)
    till.fake.take(payment.provider_payment_id)
    await asyncio.gather(*(till.settle(payment.id) for _ in range(10)))
    await till.work()
    await till.settle(payment.id)
    [refund] = await till.refunds(payment.id)
    assert (refund.cause, refund.state, refund.amount_minor) == ("late", "succeeded", PRICE_MINOR)
    assert len([each for each in till.fake.refunds() if each["status"] == "succeeded"]) == 1
    assert (await till.payment(payment.id)).refunded_minor == PRICE_MINOR
    assert (await till.state(payment.booking_id), await till.state(other.booking_id)) == ("expired", "confirmed")
    assert till.inbox() == [("payment_late", payment.id)]


async def test_the_place_of_a_refunded_booking_is_not_taken_again(till: Paying) -> None:
    """Once it is decided that late money goes back, a place that is free again does not change that (P-3, payments 9)."""
    payment = await till.begin()
    await till.run_out(payment.booking_id)
    other = await till.paid()
    till.pay(payment)
    till.fake.take(payment.provider_payment_id)
    till.fake.refuse_refunds()
    await till.settle(payment.id)
    await till.practice.cancel(other.booking_id)
    await till.work()
    await till.settle(payment.id)
    assert await till.state(payment.booking_id) == "expired"
    assert not (await till.payment(payment.id)).pays
    till.fake.grant_refunds()


async def test_what_is_only_set_aside_is_let_go(till: Paying) -> None:
    """Money that is only set aside when the time has run out is let go instead of taken: nothing is owed (payments 9)."""
    payment = await till.begin()
    till.pay(payment)
    await till.run_out(payment.booking_id)
    ended = await till.settle(payment.id)
    assert (ended.state, ended.captured_minor) == ("cancelled", 0)
    assert till.remote(payment)["status"] == "canceled"
    assert await till.state(payment.booking_id) == "expired"
    assert till.calls("POST", "/capture") == []


@pytest.mark.parametrize("turn", range(12))
async def test_the_end_of_the_time_and_the_money_race(till: Paying, turn: int) -> None:
    """The sweeper and the word that it is paid race: one wins, and money and booking agree (payments 10)."""
    payment = await till.begin()
    await till.practice.run_out(payment.booking_id)
    till.pay(payment)
    if turn % 3:
        till.fake.take(payment.provider_payment_id)
    sweeping = till.practice.desk.admission.sweep(till.business_id)
    looks = [till.settle(payment.id) for _ in range(3)]
    await asyncio.gather(*([*looks, sweeping] if turn % 2 else [sweeping, *looks]))
    await till.work()
    settled = await till.payment(payment.id)
    state = await till.state(payment.booking_id)
    if state == "confirmed":
        assert (settled.pays, settled.captured_minor, settled.refunded_minor) == (True, PRICE_MINOR, 0)
    else:
        assert (state, settled.captured_minor - settled.refunded_minor) == ("expired", 0)
    assert till.events(payment.booking_id).count("AppointmentConfirmed") <= 1


async def test_a_place_that_is_kept_for_the_money_does_not_run_out(till: Paying) -> None:
    """While money is being taken the place is kept: the sweeper does not give it away (P-3)."""
    payment = await till.begin()
    till.pay(payment)
    await till.practice.run_out(payment.booking_id)
    till.fake.faults.cut(only="payments.capture", after=True)
    await till.settle(payment.id)
    await till.practice.desk.admission.sweep(till.business_id)
    assert await till.state(payment.booking_id) == "pending_payment"
    assert (await till.settle(payment.id)).pays


async def test_a_place_is_not_kept_for_ever(till: Paying) -> None:
    """Money that cannot be taken for half an hour keeps no place any more: the booking ends, the money is let go (P-3)."""
    payment = await till.begin()
    till.pay(payment)
    till.fake.faults.cut(only="payments.capture")
    await till.settle(payment.id)
    till.age("payments", payment.id, capture_sent_at="31 minutes")
    await till.practice.run_out(payment.booking_id)
    till.fake.faults.cut(only="payments.capture")
    await till.settle(payment.id)
    await till.practice.desk.admission.sweep(till.business_id)
    assert await till.state(payment.booking_id) == "expired"
    ended = await till.settle(payment.id)
    assert (ended.state, till.remote(payment)["status"]) == ("cancelled", "canceled")


async def test_of_two_payments_one_is_kept(till: Paying) -> None:
    """Two payments for one booking: the first that is taken confirms it, the other goes back and changes nothing (payments 13)."""
    booking_id = await till.book()
    till.fake.faults.cut(only="payments.create")
    first = await till.payment((await till.open(booking_id)).payment_id)
    till.age("payments", first.id, create_sent_at="25 hours")
    assert (await till.settle(first.id)).state == "failed"
    second = await till.payment((await till.open(booking_id)).payment_id)
    # The call that was lost arrives after all, and somebody pays it.
    async with till.providers.opened(till.business_id, till.account) as provider:
        wish = await till.database.run(till.business_id, lambda tx: wish_of(tx, first))
        stray = await provider.create(wish)
        for remote_id in (second.provider_payment_id, stray.id):
            till.fake.pay(remote_id)
        assert (await till.settle(second.id)).pays
        till.fake.take(stray.id)
        remote = await provider.read(stray.id)
    assert await till.database.run(till.business_id, lambda tx: adopt(tx, till.account, remote)) == first.id
    await till.work()
    assert await till.state(booking_id) == "confirmed"
    [refund] = await till.refunds(first.id)
    assert (refund.cause, refund.state, refund.amount_minor) == ("duplicate", "succeeded", PRICE_MINOR)
    assert await till.refunds(second.id) == []
    kept = await till.payment(second.id)
    assert (kept.captured_minor, kept.refunded_minor) == (PRICE_MINOR, 0)
    assert till.inbox() == [("payment_refused", first.id), ("payment_duplicate", first.id)]


async def test_a_second_object_of_one_attempt_is_a_payment_of_its_own(till: Paying) -> None:
    """A provider that has made two payments of one call is found out: of both, one is kept (payments 13)."""
    payment = await till.paid()
    async with till.providers.opened(till.business_id, till.account) as provider:
        wish = await till.database.run(till.business_id, lambda tx: wish_of(tx, payment))
        twin = await provider.create(replace(wish, key="another-key"))
    till.fake.pay(twin.id)
    till.fake.take(twin.id)
    async with till.providers.opened(till.business_id, till.account) as provider:
        remote = await provider.read(twin.id)
    found = await till.database.run(till.business_id, lambda tx: adopt(tx, till.account, remote))
    assert found is not None
    assert await till.database.run(till.business_id, lambda tx: adopt(tx, till.account, remote)) == found
    await till.work()
    [refund] = await till.refunds(found)
    assert (refund.cause, refund.state) == ("duplicate", "succeeded")
    assert await till.state(payment.booking_id) == "confirmed"


async def test_what_is_of_nobody_here_is_not_taken_in(till: Paying) -> None:
    """A payment at the provider that names no booking of the business is none of ours (payments 5)."""
    payment = await till.begin()
    async with till.providers.opened(till.business_id, till.account) as provider:
        remote = await provider.read(str(payment.provider_payment_id))
    assert remote.names is not None
    strangers = (
        replace(remote, id="1", names=None),
        replace(remote, id="2", names=replace(remote.names, business_id=uuid4())),
        replace(remote, id="3", names=replace(remote.names, booking_id=uuid4())),
        replace(remote, id="4", names=replace(remote.names, payment_id=uuid4())),
    )
    for stranger in strangers:
        assert await till.database.run(till.business_id, lambda tx, it=stranger: adopt(tx, till.account, it)) is None
    assert len(await till.payments(payment.booking_id)) == 1


async def test_an_object_is_known_before_its_call_has_returned(till: Paying) -> None:
    """Told of by the provider before our call returns: it is matched by its names, and stays one payment (payments 5)."""
    booking_id = await till.book()
    gate = till.fake.faults.hold(only="payments.create", after=True)
    opening = asyncio.create_task(till.open(booking_id))
    await asyncio.to_thread(gate.arrived.wait, 30)
    [told] = till.fake.payments()
    till.fake.pay(told["id"])
    async with till.providers.opened(till.business_id, till.account) as provider:
        remote = await provider.read(told["id"])
    found = await till.database.run(till.business_id, lambda tx: adopt(tx, till.account, remote))
    gate.released.set()
    assert (await opening).payment_id == found
    await till.work()
    assert await till.state(booking_id) == "confirmed"
    assert (len(await till.payments(booking_id)), len(till.fake.payments())) == (1, 1)
