"""Whoever took too long has lost his turn: he writes nothing and asks nothing more, and whoever has it now goes on."""

import asyncio

from holdfast.payments.ledger import Payment
from payments.paying import PRICE_MINOR, Paying


class Held:
    """Calls of one kind to a provider in memory, each held until it is let on."""

    def __init__(self, call: str, when: str) -> None:
        self._held = (call, when)
        self.arrived: list[asyncio.Event] = []
        self._changed = asyncio.Condition()

    async def __call__(self, call: str, when: str) -> None:
        """Hold the call if it is one of those."""
        if (call, when) == self._held:
            event = asyncio.Event()
            async with self._changed:
                self.arrived.append(event)
                self._changed.notify_all()
            await event.wait()

    async def reached(self, number: int) -> asyncio.Event:
        """Return what lets this call on, when it is there."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.arrived) >= number)
        return self.arrived[number - 1]


def run_out(till: Paying, table: str) -> None:
    """Let the leases run out, as if whoever has them had taken too long."""
    till.sql(f"update {table} set leased_until = now() where business_id = %s and lease is not null", till.business_id)


def calls(till: Paying, name: str) -> int:
    """Return how often the provider was called so."""
    return [call for call, _ in till.fake.calls].count(name)


async def overtaking(till: Paying, payment: Payment) -> None:
    """Let somebody read a payment for too long, another take his turn, and the first come back."""
    held = till.fake.step = Held("read", "after")
    slow = asyncio.create_task(till.settle(payment.id))
    first = await held.reached(1)
    run_out(till, "payments")
    quick = asyncio.create_task(till.settle(payment.id))
    second = await held.reached(2)
    mine = (await till.payment(payment.id)).lease
    first.set()
    left = await slow
    # He has taken no money, and has not touched the turn of the other.
    assert (calls(till, "capture"), left.lease, left.state) == (0, mine, "pending")
    second.set()
    assert (await quick).pays


async def test_whoever_took_too_long_decides_nothing(scripted: Paying) -> None:
    """A look that comes back after its lease has run out decides nothing, calls nobody, and gives back nobody's lease (P-4)."""
    till = scripted
    payment = await till.begin()
    till.pay(payment)
    await overtaking(till, payment)
    assert (calls(till, "capture"), await till.state(payment.booking_id)) == (1, "confirmed")


async def test_whoever_took_too_long_to_fail_notes_no_failure(scripted: Paying) -> None:
    """A call that fails after its lease has run out leaves no failure behind at a payment that another has settled (P-4)."""
    till = scripted
    payment = await till.begin()
    till.pay(payment)
    held = till.fake.step = Held("read", "before")
    slow = asyncio.create_task(till.settle(payment.id))
    first = await held.reached(1)
    run_out(till, "payments")
    till.fake.step = go_on
    assert (await till.settle(payment.id)).pays
    lost = dict(till.fake.payments)
    till.fake.payments.clear()
    first.set()
    await slow
    till.fake.payments.update(lost)
    settled = await till.payment(payment.id)
    assert (settled.failures, settled.error_code, till.due_in(payment.id)) == (0, None, None)


async def test_a_refund_that_took_too_long_to_fail_notes_no_failure(scripted: Paying) -> None:
    """A refund that another has brought through is not tried again since the first to ask for it comes back with a failure (payments 12)."""
    till = scripted
    payment = await till.paid()
    await till.practice.cancel(payment.booking_id)
    await till.settle(payment.id)
    [refund] = await till.refunds(payment.id)
    held = till.fake.step = Held("refund", "before")
    slow = asyncio.create_task(till.settle_refund(refund.id))
    first = await held.reached(1)
    run_out(till, "refunds")
    till.fake.step = go_on
    await till.settle_refund(refund.id)
    # Without its key it is another refund, for which nothing is left.
    till.fake.forget_keys()
    first.set()
    settled = await slow
    assert (settled.state, settled.failures, settled.error_code) == ("succeeded", 0, None)
    assert (len(till.fake.refunds), till.inbox()) == (1, [])


async def test_a_refund_that_took_too_long_is_noted_by_the_next(scripted: Paying) -> None:
    """A refund whose lease has run out is asked for by another with the same key: there is one, and it is noted once (payments 12)."""
    till = scripted
    payment = await till.paid()
    await till.practice.cancel(payment.booking_id)
    await till.settle(payment.id)
    [refund] = await till.refunds(payment.id)
    held = till.fake.step = Held("refund", "after")
    slow = asyncio.create_task(till.settle_refund(refund.id))
    first = await held.reached(1)
    run_out(till, "refunds")
    till.fake.step = go_on
    assert (await till.settle_refund(refund.id)).state == "succeeded"
    first.set()
    assert (await slow).state == "succeeded"
    assert len(till.fake.refunds) == 1
    assert (await till.payment(payment.id)).refunded_minor == PRICE_MINOR
    assert {key for call, key in till.fake.calls if call == "refund"} == {refund.provider_key}


async def test_a_client_waits_for_what_a_worker_is_asking(scripted: Paying) -> None:
    """A client whose payment a worker has seen first is told where to pay as soon as the worker is, not that the provider
    does not answer; it is made once (P-1).
    """
    till = scripted
    booking_id = await till.book()
    held = till.fake.step = Held("create", "after")
    first = asyncio.create_task(till.open(booking_id))
    on = await held.reached(1)
    [payment] = await till.payments(booking_id)
    second = asyncio.create_task(till.open(booking_id))
    # It has been there, and found somebody at it: whoever that is looks once more.
    while (till.due_in(payment.id) or 0) > 0:  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert not second.done()
    till.fake.step = go_on
    on.set()
    told = [await each for each in (first, second)]
    assert [each.confirmation_url for each in told] == ["https://pay.test/1"] * 2
    assert calls(till, "create") == 1


async def go_on(_call: str, _when: str) -> None:
    """Hold nothing."""
