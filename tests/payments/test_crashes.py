"""Whoever is at a payment dies, at whichever await: the next one brings it to a sound end, with one charge."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest
import pytest_asyncio

from booking.opened import DAY_SECONDS, START
from holdfast.payments.ledger import Payment
from payments.paying import PRICE_MINOR, Paying, paying_scripted
from payments.scripted import Scripted
from payments.striking import Killed, Struck

# Now one, now the other, from one await to the next.
BLOWS = (asyncio.CancelledError, Killed)

Story = Callable[[Paying, int], Awaitable[Payment]]


@pytest_asyncio.fixture
async def till(app_uri: str, admin_uri: str, sound: None) -> AsyncIterator[Paying]:
    """A practice whose provider is in memory."""
    async with paying_scripted(app_uri, admin_uri, Scripted()) as opened:
        yield opened


async def begun(till: Paying, start: int) -> Payment:
    """Book a slot of its own and ask how to pay."""
    return await till.begin("talk", start)


async def paid_in_time(till: Paying, start: int) -> Payment:
    """Return a payment whose client has just paid."""
    payment = await begun(till, start)
    till.pay(payment)
    return payment


async def paid_too_late(till: Paying, start: int) -> Payment:
    """Return a payment that was taken when the time had run out, with the place still free."""
    payment = await begun(till, start)
    await till.run_out(payment.booking_id)
    till.fake.take(payment.provider_payment_id)
    return payment


async def paid_for_nothing(till: Paying, start: int) -> Payment:
    """Return a payment that was taken when another one had the place."""
    payment = await begun(till, start)
    await till.run_out(payment.booking_id)
    await till.practice.commit((await till.practice.reserve("walk", start)).made().id)
    till.fake.take(payment.provider_payment_id)
    return payment


async def cancelled(till: Paying, start: int) -> Payment:
    """Return the payment of a booking that was paid and then cancelled."""
    payment = await paid_in_time(till, start)
    await till.settle(payment.id)
    await till.practice.cancel(payment.booking_id)
    return payment


async def set_aside_too_late(till: Paying, start: int) -> Payment:
    """Return a payment that is only set aside when the time has run out."""
    payment = await paid_in_time(till, start)
    await till.run_out(payment.booking_id)
    return payment


# The story, how its booking ends, and how much of the money stays.
STORIES = [
    (paid_in_time, "confirmed", PRICE_MINOR),
    (paid_too_late, "confirmed", PRICE_MINOR),
    (paid_for_nothing, "expired", 0),
    (cancelled, "cancelled", 0),
    (set_aside_too_late, "expired", 0),
]


def free(till: Paying) -> None:
    """Let time pass: the lease of whoever has died runs out, and whatever is open is due."""
    for table in ("payments", "refunds"):
        till.sql(
            f"update {table} set leased_until = now() - interval '1 second', next_attempt_at = now()"
            " where business_id = %s and next_attempt_at is not null",
            till.business_id,
        )


@pytest.mark.parametrize(("story", "state", "kept"), STORIES)
async def test_a_look_that_dies_anywhere_is_finished_by_the_next(
    till: Paying, story: Story, state: str, kept: int
) -> None:
    """Killed or cancelled at any await, a look leaves what another brings to its one end: a charge, or none, once (payments 6, 7, 12)."""
    at, survived = 1, False
    while not survived:
        payment = await story(till, START + at * DAY_SECONDS // 24)
        look = Struck(till.settle(payment.id), at, BLOWS[at % 2])
        with suppress(*BLOWS):
            await look
        survived = look.survived
        free(till)
        await till.work()
        settled = await till.payment(payment.id)
        assert (await till.state(payment.booking_id), at) == (state, at)
        assert (settled.captured_minor - settled.refunded_minor, at) == (kept, at)
        assert till.due_in(payment.id) is None
        assert till.events(payment.booking_id).count("AppointmentConfirmed") == (kept > 0 or state == "cancelled")
        remote = till.fake.payments[settled.provider_payment_id]
        assert remote.captured_minor - remote.refunded_minor == kept
        assert len([each for each in till.fake.payments.values() if each.names == remote.names]) == 1
        at += 1
    # As many awaits as there are, and more than a few.
    assert at > 20


async def test_a_refund_that_dies_anywhere_is_made_once(till: Paying) -> None:
    """Killed or cancelled at any await, a refund is finished by the next worker, and made once (payments 12)."""
    at, survived = 1, False
    while not survived:
        payment = await cancelled(till, START + at * DAY_SECONDS // 24)
        await till.settle(payment.id)
        [refund] = await till.refunds(payment.id)
        asking = Struck(till.settle_refund(refund.id), at, BLOWS[at % 2])
        with suppress(*BLOWS):
            await asking
        survived = asking.survived
        free(till)
        await till.work()
        [refund] = await till.refunds(payment.id)
        made = [each for each in till.fake.refunds.values() if each.remote_payment_id == payment.provider_payment_id]
        assert (refund.state, len(made), at) == ("succeeded", 1, at)
        at += 1
    assert at > 10


async def test_a_payment_whose_making_dies_anywhere_is_made_once(till: Paying) -> None:
    """Killed or cancelled at any await, whoever begins a payment leaves at most one, which the client pays once (payments 7)."""
    at, survived = 1, False
    while not survived:
        booking_id = await till.book("talk", START + at * DAY_SECONDS // 24)
        opening = Struck(till.open(booking_id), at, BLOWS[at % 2])
        with suppress(*BLOWS):
            await opening
        survived = opening.survived
        await till.till.close()
        free(till)
        payable = await till.open(booking_id)
        payment = await till.payment(payable.payment_id)
        assert (payment.state, payment.attempt, at) == ("pending", 1, at)
        till.pay(payment)
        assert (await till.settle(payment.id)).pays
        mine = [
            each
            for each in till.fake.payments.values()
            if each.names is not None and each.names.booking_id == booking_id
        ]
        assert len(mine) == 1
        at += 1
    assert at > 10
