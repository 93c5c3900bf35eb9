"""In whatever order things come to be known, a payment and its booking end in the same state (P-2, payments 4)."""

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import permutations

import pytest
import pytest_asyncio

from booking.opened import HOUR_SECONDS, START
from holdfast.payments.port import RemotePayment
from holdfast.payments.states import PaymentState
from payments.paying import PRICE_MINOR, Paying, paying_scripted
from payments.scripted import Scripted

P = PaymentState

# What can be heard of a payment; of all but the last it may be heard long after it was so.
CREATED, AUTHORISED, SUCCEEDED, CANCELED, REFUNDED = "created", "authorised", "succeeded", "canceled", "refunded"


@pytest_asyncio.fixture
async def till(app_uri: str, admin_uri: str, sound: None) -> AsyncIterator[Paying]:
    """A practice whose provider is in memory."""
    async with paying_scripted(app_uri, admin_uri, Scripted()) as opened:
        yield opened
        await opened.work()


def seen(payment: RemotePayment, word: str) -> RemotePayment:
    """Return a payment as it was when this was so."""
    taken = {"state": P.SUCCEEDED, "captured_minor": PRICE_MINOR}
    return replace(
        payment,
        **{
            CREATED: {"state": P.PENDING},
            AUTHORISED: {"state": P.AUTHORIZED},
            SUCCEEDED: taken,
            CANCELED: {"state": P.CANCELLED, "reason": "expired_on_confirmation"},
            REFUNDED: taken | {"refunded_minor": PRICE_MINOR},
        }[word],  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("late", [False, True], ids=["in time", "too late"])
async def test_views_of_the_past_in_any_order_end_alike(till: Paying, *, late: bool) -> None:
    """Created, authorised and succeeded, seen in every order, end as succeeded: confirmed once, taken once (payments 4)."""
    for number, order in enumerate(permutations([CREATED, AUTHORISED, SUCCEEDED])):
        payment = await till.begin("talk", START + number * HOUR_SECONDS)
        remote_id = str(payment.provider_payment_id)
        if late:
            await till.run_out(payment.booking_id)
        till.fake.take(remote_id)
        for word in order:
            till.fake.views = [seen(till.fake.payments[remote_id], word)]
            # What is set aside in a view of the past is taken, or let go, by a provider who knows better.
            await till.settle(payment.id)
            till.fake.views = []
        await till.settle(payment.id)
        await till.work()
        settled = await till.payment(payment.id)
        assert (order, settled.state, settled.pays) == (order, "succeeded", True)
        assert (order, await till.state(payment.booking_id)) == (order, "confirmed")
        assert till.events(payment.booking_id).count("AppointmentConfirmed") == 1
        assert (settled.captured_minor, settled.refunded_minor) == (PRICE_MINOR, 0)


async def test_the_end_of_an_attempt_seen_in_any_order_ends_alike(till: Paying) -> None:
    """Created, authorised and canceled, seen in every order, end as cancelled: nothing is confirmed, nothing taken (payments 4)."""
    for number, order in enumerate(permutations([CREATED, AUTHORISED, CANCELED])):
        payment = await till.begin("talk", START + number * HOUR_SECONDS)
        remote_id = str(payment.provider_payment_id)
        till.fake.become(remote_id, state=P.CANCELLED, reason="expired_on_confirmation")
        for word in order:
            till.fake.views = [seen(till.fake.payments[remote_id], word)]
            await till.settle(payment.id)
            till.fake.views = []
        settled = await till.settle(payment.id)
        assert (order, settled.state, settled.pays) == (order, "cancelled", False)
        assert (order, await till.state(payment.booking_id)) == (order, "pending_payment")
        assert (settled.captured_minor, till.due_in(payment.id)) == (0, None)


async def test_money_that_came_and_went_in_any_order_ends_alike(till: Paying) -> None:
    """Created, authorised, succeeded and refunded, told in every order when all has happened: nothing is confirmed, nothing kept (payments 4)."""
    for number, order in enumerate(permutations([CREATED, AUTHORISED, SUCCEEDED, REFUNDED])):
        payment = await till.begin("talk", START + number * HOUR_SECONDS)
        remote_id = str(payment.provider_payment_id)
        till.fake.take(remote_id)
        till.fake.give_back_by_hand(remote_id, PRICE_MINOR)
        # Each is only a reason to look: what is acted upon is how it is.
        for _ in order:
            await till.settle(payment.id)
        settled = await till.payment(payment.id)
        assert (order, settled.pays, await till.state(payment.booking_id)) == (order, False, "pending_payment")
        assert (settled.captured_minor, settled.refunded_minor) == (PRICE_MINOR, PRICE_MINOR)


async def test_attempts_in_any_order_end_alike(till: Paying) -> None:
    """The end of one attempt and the money of the next, looked at in every order, end confirmed by the second (payments 4)."""
    for number, order in enumerate(permutations([0, 1, 0, 1])):
        first = await till.begin("talk", START + number * HOUR_SECONDS)
        till.fake.become(first.provider_payment_id, state=P.CANCELLED)
        await till.settle(first.id)
        second = await till.payment((await till.open(first.booking_id)).payment_id)
        till.pay(second)
        for which in order:
            await till.settle((first, second)[which].id)
        assert (order, await till.state(first.booking_id)) == (order, "confirmed")
        assert [payment.pays for payment in await till.payments(first.booking_id)] == [True, False]
        assert till.events(first.booking_id).count("AppointmentConfirmed") == 1
