"""The table of decisions: it knows each case, and each case ends as it says, by whichever way it came about."""

from functools import partial
from itertools import product
from uuid import UUID

import pytest

from booking.opened import START
from holdfast.booking import bookings, outcomes
from holdfast.booking.states import BookingState
from holdfast.kernel.audit import Actor
from holdfast.kernel.database import Transaction
from holdfast.kernel.ids import new_id
from holdfast.payments.decisions import TABLE, Decision, decide
from holdfast.payments.ledger import Confirmation, Payment, record_payment
from holdfast.payments.states import OPEN, PaymentState
from payments.paying import PRICE_MINOR, Paying

B, P, D = BookingState, PaymentState, Decision

# Somebody has paid for the place.
PAID = {B.CONFIRMED, B.COMPLETED, B.NO_SHOW, B.EXPIRED}
CASES = list(product(PaymentState, BookingState))
STAFF = Actor.staff(new_id())


def test_every_case_is_decided() -> None:
    """For each state of a payment and each of a booking there is one decision, and every decision is of some case (P-3)."""
    assert set(TABLE) == set(CASES)
    beyond = {D.EXPIRE, D.REFUND_MISMATCH, D.REFUND_BY_TERMS}
    assert {*TABLE.values(), *beyond} == set(Decision)


@pytest.mark.parametrize(("payment", "booking"), CASES)
def test_what_differs_or_was_returned_confirms_nothing(payment: PaymentState, booking: BookingState) -> None:
    """No case of a payment that differs, or of which money went back, confirms a booking or takes money (P-5, payments 11)."""
    forbidden = {D.CONFIRM, D.READMIT}
    assert decide(payment, booking, pays=False, mismatched=True) not in forbidden | {D.CAPTURE}
    assert decide(payment, booking, pays=False, mismatched=False, returned=True) not in forbidden
    if payment in OPEN:
        assert decide(payment, booking, pays=False, mismatched=True) is D.CANCEL
    if payment is P.SUCCEEDED:
        assert decide(payment, booking, pays=False, mismatched=True) is D.REFUND_MISMATCH


@pytest.mark.parametrize("booking", [B.CONFIRMED, B.COMPLETED, B.NO_SHOW, B.CANCELLED, B.REFUNDED])
def test_what_pays_follows_its_booking(booking: BookingState) -> None:
    """Money that pays a booking stays while the booking stands, and goes back by its terms when it does not (P-6)."""
    expected = D.REFUND_BY_TERMS if booking in {B.CANCELLED, B.REFUNDED} else D.REST
    assert decide(P.SUCCEEDED, booking, pays=True, mismatched=False) is expected


async def in_state(till: Paying, state: BookingState) -> UUID:
    """Return a booking that has to be paid, in this state."""
    if state in {B.HELD, B.RELEASED}:
        held = (await till.practice.reserve("talk")).made().id
        if state is B.RELEASED:
            await till.practice.release(held)
        return held
    booking_id = await till.book()
    run = partial(till.database.run, till.business_id)
    if state is B.EXPIRED:
        await till.run_out(booking_id)
        # Somebody else has the place.
        await till.paid()
    elif state is B.CANCELLED:
        await till.practice.cancel(booking_id)
    elif state is not B.PENDING_PAYMENT:
        payment = await till.payment((await till.open(booking_id)).payment_id)
        till.pay(payment)
        await till.settle(payment.id)
        version = (await till.practice.read(booking_id)).version
        if state is B.REFUNDED:
            more = {"expected_version": version, "reason": None, "actor": STAFF}
            await run(lambda tx: outcomes.refund(tx, booking_id, **more))
            await till.work()
        elif state in {B.COMPLETED, B.NO_SHOW}:
            # It takes place in ten days: nobody can say yet what has become of it.
            await till.alter(booking_id, "state = 'completed'" if state is B.COMPLETED else "state = 'no_show'")
    return booking_id


async def with_payment(till: Paying, booking_id: UUID, state: PaymentState) -> Payment:
    """Return a payment that does not pay a booking, and is in this state at the provider and not looked at yet."""
    asked = Confirmation("A practice", "https://practice.test/paid")
    currency = (await till.practice.read(booking_id)).currency

    async def begin(tx: Transaction) -> UUID:
        return await record_payment(
            tx,
            booking_id=booking_id,
            account=till.account,
            amount_minor=PRICE_MINOR,
            currency=currency,
            confirmation=asked,
        )

    payment_id = await till.database.run(till.business_id, begin)
    if state is P.FAILED:
        till.sql("update payments set state = 'failed', next_attempt_at = null where id = %s", payment_id)
    elif state is not P.CREATED:
        payment = await till.payment(payment_id)
        remote = till.fake.made_of(payment)
        more = {"captured_minor": PRICE_MINOR} if state is P.SUCCEEDED else {}
        till.fake.become(remote.id, state=state, **more)
        till.sql("update payments set create_sent_at = now() where id = %s", payment_id)
    return await till.payment(payment_id)


@pytest.mark.parametrize(("state", "booking"), CASES)
async def test_each_case_ends_as_the_table_says(scripted: Paying, state: PaymentState, booking: BookingState) -> None:
    """What is found at the provider and in the booking is brought to where the table says, and stays there (P-3, P-9)."""
    till = scripted
    booking_id = await in_state(till, booking)
    payment = await with_payment(till, booking_id, state)
    decision = decide(state, booking, pays=False, mismatched=False)
    if (state, booking) == (P.CREATED, B.PENDING_PAYMENT):
        assert decision is D.WAIT
    settled = await till.settle(payment.id)
    await till.work()
    again = await till.settle(payment.id)
    after = await till.state(booking_id)
    refunds = await till.refunds(payment.id)
    assert (again.state, again.pays) == (settled.state, settled.pays)
    match decision:
        case D.WAIT:
            assert (settled.state, after) == ("pending", "pending_payment")
            assert till.due_in(payment.id) is not None
        case D.CANCEL:
            # What was never sent is not made to be called off.
            assert (settled.state, after) == ("failed" if state is P.CREATED else "cancelled", booking)
            assert till.fake.taken() == (PRICE_MINOR if booking in PAID else 0)
        case D.CAPTURE | D.CONFIRM:
            assert (settled.state, settled.pays, after) == ("succeeded", True, "confirmed")
            assert refunds == []
        case D.READMIT | D.REFUND_LATE | D.REFUND_DUPLICATE:
            cause = "duplicate" if decision is D.REFUND_DUPLICATE else "late"
            assert (settled.pays, after, [(r.cause, r.state) for r in refunds]) == (
                False,
                booking,
                [(cause, "succeeded")],
            )
        case D.LET_RETRY | D.REST:
            assert (settled.state, after, refunds) == (state, booking, [])
    if decision is not D.WAIT:
        assert till.due_in(payment.id) is None


async def test_a_place_that_is_free_is_taken_again(scripted: Paying) -> None:
    """Succeeded and expired, with the place still free: the booking is confirmed (P-3, payments 9)."""
    till = scripted
    booking_id = await till.book()
    await till.run_out(booking_id)
    payment = await with_payment(till, booking_id, P.SUCCEEDED)
    assert (await till.settle(payment.id)).pays
    assert await till.state(booking_id) == "confirmed"


async def test_a_place_that_has_begun_is_not_taken_again(scripted: Paying) -> None:
    """Succeeded and expired, when it has begun in the meantime: the money goes back (P-3, payments 9)."""
    till = scripted
    booking_id = await till.book()
    await till.run_out(booking_id)
    payment = await with_payment(till, booking_id, P.SUCCEEDED)
    await till.alter(booking_id, "starts_at = now() - interval '1 hour', ends_at = now()")
    await till.settle(payment.id)
    await till.work()
    assert [refund.cause for refund in await till.refunds(payment.id)] == ["late"]
    assert await till.state(booking_id) == "expired"


async def test_a_confirmed_booking_is_cancelled_by_its_terms(scripted: Paying) -> None:
    """Paid and then cancelled: its money goes back by terms, and not as that of a stranger (P-6)."""
    till = scripted
    payment = await till.begin("talk", START)
    till.pay(payment)
    await till.settle(payment.id)
    version = (await till.practice.read(payment.booking_id)).version
    cancelled = partial(
        bookings.cancel, booking_id=payment.booking_id, expected_version=version, reason=None, actor=STAFF
    )
    await till.database.run(till.business_id, cancelled)
    await till.work()
    assert [refund.cause for refund in await till.refunds(payment.id)] == ["policy"]
