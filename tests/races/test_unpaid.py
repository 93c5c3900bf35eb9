"""A place that waits for its payment: it is paid or given up, once, and what comes too late takes it anew or nothing."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio

from booking.opened import DAY_SECONDS, HOUR_SECONDS, START, Practice, beside, count, open_practice, outcomes, paid
from holdfast.availability.busy import replace_busy
from holdfast.availability.ics.times import Span
from holdfast.booking.admission import Answer, CommitAnswer, queries
from holdfast.booking.bookings import Booking, find
from holdfast.booking.contacts import Guest
from holdfast.booking.errors import (
    CapacityExceeded,
    NotChangeable,
    PaymentRequired,
    PaymentsUnavailable,
    ReservationNotFoundOrExpired,
    SlotConflict,
)
from holdfast.booking.readmission import Outcome, readmit
from holdfast.booking.unpaid import confirm_paid, end_all_unpaid, end_unpaid, keep_for_capture
from holdfast.kernel.database import Transaction

PREPAID = {"payment_policy": "prepay", "price_minor": 500_000}


@pytest_asyncio.fixture
async def practice(app_uri: str) -> AsyncIterator[Practice]:
    """A business that takes payments: for a talk, for one with anybody, and for places of a hall."""
    async with open_practice(app_uri) as opened:
        await opened.add_resource("ana")
        await opened.add_resource("ben", daily_limit=2)
        await opened.add_resource("hall", 4)
        await opened.add_service("talk", ["ana"], buffer_after_minutes=10, **PREPAID)
        await opened.add_service("walk", ["ana"])
        await opened.add_service("limited", ["ben"], **PREPAID)
        await opened.add_service("dance", ["hall"], **PREPAID)
        await opened.open_account()
        yield opened


async def lock_booking(tx: Transaction, booking_id: UUID) -> None:
    """Lock a booking with all that changing it may touch."""
    await tx.run(queries["lock_booking"], {"business_id": tx.business_id, "id": booking_id})


async def confirm(practice: Practice, booking_id: UUID) -> Booking:
    """Pay a booking that awaits it, and confirm it in the same transaction."""

    async def work(tx: Transaction) -> Booking:
        await lock_booking(tx, booking_id)
        await paid(tx, booking_id)
        return await confirm_paid(tx, booking_id)

    return await practice.desk.database.run(practice.business_id, work)


async def end(practice: Practice, booking_id: UUID, *, now: bool = False) -> bool:
    """End a booking if its time to pay is over."""
    return await practice.desk.database.run(practice.business_id, lambda tx: end_unpaid(tx, booking_id, now=now))


class _NotReadmitted(Exception):
    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome


async def come_late(practice: Practice, booking_id: UUID) -> Outcome:
    """Try to readmit a booking for a payment that came late; nothing is written when it is not."""

    async def work(tx: Transaction) -> None:
        # Bookings are locked before their money is; whoever comes second finds it done.
        await lock_booking(tx, booking_id)
        found = await find(tx, booking_id)
        if found is None or found.state != "expired":
            raise NotChangeable
        await paid(tx, booking_id)
        outcome = await readmit(tx, booking_id)
        if outcome != "readmitted":
            raise _NotReadmitted(outcome)

    while True:
        try:
            await practice.desk.database.run(practice.business_id, work)
        except _NotReadmitted as refused:
            if refused.outcome == "spent":
                await practice.desk.admission.sweep(practice.business_id)
            elif refused.outcome != "again":
                return refused.outcome
        else:
            return "readmitted"


async def abandoned(practice: Practice, service: str = "talk", start: int = START, **more: int) -> UUID:
    """Return a booking that has expired unpaid."""
    booking_id = await practice.await_payment(service, start, **more)
    await practice.run_out(booking_id)
    assert await end(practice, booking_id)
    return booking_id


async def test_a_commit_of_what_has_to_be_paid_awaits_its_payment(practice: Practice, admin_uri: str) -> None:
    """A committed booking that must be paid keeps its place for the payment window and is not confirmed (B-11, P-1)."""
    held = (await practice.reserve("talk")).made().id
    told = await practice.commit(held)
    assert isinstance(told, CommitAnswer)
    assert (told.outcome, told.state) == ("committed", "pending_payment")
    booking = await practice.read(held)
    assert booking.expires_at is not None
    assert 29 * 60 < (booking.expires_at - booking.now).total_seconds() <= 30 * 60
    assert (booking.due_minor, booking.refund_terms) == (500_000, [])
    again = await practice.commit(held)
    assert isinstance(again, CommitAnswer)
    assert (again.outcome, again.nonce) == ("repeated", told.nonce)
    with pytest.raises(SlotConflict):
        await practice.reserve("walk")
    told_of = "select count(*) from outbox_events where aggregate_id = %s and type = 'AppointmentAwaitingPayment'"
    assert count(admin_uri, told_of, held) == 1
    assert (await confirm(practice, held)).state == "confirmed"


async def test_the_window_does_not_go_beyond_a_day_of_holding(practice: Practice) -> None:
    """However long its offering waits for payments, a place is kept for 24 hours in all at most (B-1)."""
    await practice.add_service("slow", ["hall"], payment_minutes=1440, **PREPAID)
    booking = await practice.read(await practice.await_payment("slow"))
    assert booking.expires_at is not None
    assert (booking.expires_at - booking.held_at).total_seconds() == DAY_SECONDS


async def test_a_party_pays_for_each_place_of_a_group(practice: Practice) -> None:
    """A group that is paid beforehand costs its price for each place; a free one needs no payment (B-5, P-8)."""
    schedule = await practice.add_schedule(10, **PREPAID)
    held = (await practice.join(schedule, 3)).made().id
    await practice.commit(held)
    booking = await practice.read(held)
    assert (booking.state, booking.due_minor, booking.price_minor) == ("pending_payment", 1_500_000, 500_000)
    await confirm(practice, held)
    free = await practice.add_schedule(10, payment_policy="prepay", price_minor=0)
    joined = (await practice.join(free, 3)).made().id
    await practice.commit(joined)
    assert (await practice.read(joined)).state == "confirmed"


async def test_what_is_not_paid_is_not_confirmed(practice: Practice) -> None:
    """No statement confirms a booking that must be paid without a payment of the whole amount (P-5, invariant 5)."""
    booking_id = await practice.await_payment("talk")

    async def confirm_unpaid(tx: Transaction) -> None:
        await confirm_paid(tx, booking_id)

    async def confirm_short(tx: Transaction) -> None:
        await paid(tx, booking_id, 499_999)
        await confirm_paid(tx, booking_id)

    for attempt in (confirm_unpaid, confirm_short):
        with pytest.raises(psycopg.errors.CheckViolation, match="is not paid"):
            await practice.desk.database.run(practice.business_id, attempt)
    assert (await practice.read(booking_id)).state == "pending_payment"


async def test_what_is_paid_beforehand_is_not_booked_at_once(practice: Practice) -> None:
    """Booking in one call is refused where money is due first, for a service and for a group (B-13)."""
    with pytest.raises(PaymentRequired):
        await practice.reserve("talk", guest=Guest("guest@example.org"))


async def test_without_an_account_nothing_is_sold(app_uri: str) -> None:
    """A business that nobody can pay sells nothing that has to be paid, neither a service nor a group (B-1)."""
    async with open_practice(app_uri) as poor:
        await poor.add_resource("ana")
        await poor.add_service("talk", ["ana"], **PREPAID)
        with pytest.raises(PaymentsUnavailable):
            await poor.reserve("talk")
        schedule = await poor.add_schedule(5, **PREPAID)
        with pytest.raises(PaymentsUnavailable):
            await poor.join(schedule)
        await poor.open_account()
        assert isinstance(await poor.reserve("talk"), Answer)
        assert isinstance(await poor.join(schedule), Answer)


async def test_an_unpaid_place_needs_no_worker(practice: Practice) -> None:
    """The place of a booking that was not paid in time is free at once for everybody, though no job has run (B-3, B-4)."""
    schedule = await practice.add_schedule(2, **PREPAID)
    joined = (await practice.join(schedule, 2)).made().id
    await practice.commit(joined)
    unpaid = [await practice.await_payment("talk"), await practice.await_payment("dance", party=4), joined]
    await practice.run_out(*unpaid)
    for service in ("talk", "dance"):
        assert isinstance(await practice.reserve(service), Answer)
    assert isinstance(await practice.join(schedule, 2), Answer)
    assert {(await practice.read(booking_id)).state for booking_id in unpaid} == {"expired"}


async def test_what_is_not_paid_in_time_ends(practice: Practice, admin_uri: str) -> None:
    """The worker ends what was not paid in time, once, tells of it, and leaves what has time left (B-4, invariant 7)."""
    late, early = await practice.await_payment("talk"), await practice.await_payment("talk", START + 2 * HOUR_SECONDS)
    await practice.run_out(late)
    ended = await asyncio.gather(*(end_all_unpaid(practice.desk.database) for _ in range(3)))
    assert sum(ended) >= 1
    assert [(await practice.read(it)).state for it in (late, early)] == ["expired", "pending_payment"]
    told = "select count(*) from outbox_events where aggregate_id = %s and type = 'AppointmentExpired'"
    assert count(admin_uri, told, late) == 1
    assert count(admin_uri, "select count(*) from claims where booking_id = %s", late) == 0
    assert not await end(practice, early)
    assert await end(practice, early, now=True)
    assert not await end(practice, early, now=True)
    with pytest.raises(ReservationNotFoundOrExpired):
        await practice.commit(late)


async def test_abandoned_then_rebooked_is_never_confirmed_unpaid(practice: Practice) -> None:
    """A payment that is abandoned frees the place for others; whoever left is not confirmed by it (payments 15)."""
    left = await abandoned(practice)
    rebooked = await practice.await_payment("talk")
    with pytest.raises(NotChangeable):
        await confirm(practice, left)
    assert await come_late(practice, left) == "refused"
    assert (await practice.read(left)).state == "expired"
    assert (await confirm(practice, rebooked)).state == "confirmed"


async def test_the_end_of_the_time_and_the_payment_race(practice: Practice, admin_uri: str) -> None:
    """Of a sweep and a success exactly one wins, and money and state agree (B-4, payments 10)."""
    ends = set()
    for n in range(30):
        booking_id = await practice.await_payment("talk", START + 2 * n * HOUR_SECONDS)
        await practice.run_out(booking_id)
        confirmed, ended, _ = await outcomes(
            confirm(practice, booking_id),
            end(practice, booking_id),
            practice.desk.admission.sweep(practice.business_id),
        )
        state = (await practice.read(booking_id)).state
        ends.add(state)
        assert (state == "confirmed") == isinstance(confirmed, Booking)
        assert isinstance(confirmed, Booking | NotChangeable)
        assert isinstance(ended, bool)
        pays = count(admin_uri, "select count(*) from payments where booking_id = %s and pays", booking_id)
        assert pays == (state == "confirmed")
    assert ends <= {"confirmed", "expired"}


async def test_a_place_is_kept_while_its_money_is_taken(practice: Practice) -> None:
    """A capture has ten minutes, also at the end of the window; the sweep waits for it (B-4, payments 10)."""
    booking_id = await practice.await_payment("talk")

    async def keep() -> Booking:
        return await practice.desk.database.run(practice.business_id, lambda tx: keep_for_capture(tx, booking_id))

    before = await practice.read(booking_id)
    assert (await keep()).version == before.version
    await practice.run_out(booking_id)
    kept = await keep()
    assert kept.remaining_seconds > 590
    assert not await end(practice, booking_id)
    await end(practice, booking_id, now=True)
    with pytest.raises(NotChangeable):
        await keep()


@pytest.mark.parametrize("service", ["talk", "limited", "dance", "group"])
async def test_a_late_payment_takes_its_place_again(practice: Practice, admin_uri: str, service: str) -> None:
    """A place that is still free is taken again by a payment that came late, and the booking confirmed (payments 9)."""
    if service == "group":
        schedule = await practice.add_schedule(4, **PREPAID)
        booking_id = (await practice.join(schedule, 3)).made().id
        await practice.commit(booking_id)
        await practice.run_out(booking_id)
        await end(practice, booking_id)
    else:
        booking_id = await abandoned(practice, service, party=3 if service == "dance" else 1)
    assert await come_late(practice, booking_id) == "readmitted"
    assert (await practice.read(booking_id)).state == "confirmed"
    if service == "group":
        with pytest.raises(CapacityExceeded):
            await practice.join(schedule, 2)
        return
    other = {"talk": "walk"}.get(service, service)
    if service == "dance":
        await practice.reserve("dance")
    with pytest.raises(SlotConflict):
        await practice.reserve(other)
    if service == "talk":
        # Its buffer is taken again as well.
        with pytest.raises(SlotConflict):
            await practice.reserve("walk", START + HOUR_SECONDS)


async def test_a_late_payment_takes_nobodys_place(practice: Practice) -> None:
    """A place that somebody holds, has booked, or that is busy, blocked, full or over is not taken again (payments 9)."""
    held = await abandoned(practice)
    reserved = (await practice.reserve("walk")).made().id
    assert await come_late(practice, held) == "refused"
    # Nobody has swept the hold, and it is in nobody's way.
    await practice.run_out(reserved)
    assert await come_late(practice, held) == "readmitted"

    busy = await abandoned(practice, "talk", START + DAY_SECONDS)
    span = Span(START + DAY_SECONDS, START + DAY_SECONDS + HOUR_SECONDS)
    async with practice.desk.database.transaction(practice.business_id) as tx:
        await replace_busy(tx, practice.resources["ana"], [span], source="ics")
    assert await come_late(practice, busy) == "refused"

    limited = await abandoned(practice, "limited", START)
    for hour in (1, 2):
        await practice.reserve("limited", START + hour * HOUR_SECONDS)
    assert await come_late(practice, limited) == "refused"

    gone = await abandoned(practice, "dance", START)
    async with practice.desk.database.transaction(practice.business_id) as tx:
        await tx.run("update resources set active = false where id = %s", [practice.resources["hall"]])
    assert await come_late(practice, gone) == "refused"


async def test_what_has_begun_is_not_admitted_again(practice: Practice) -> None:
    """A payment that comes after the start does not confirm what has begun without its client (payments 9)."""
    booking_id = await practice.await_payment("dance")
    async with practice.desk.database.transaction(practice.business_id) as tx:
        await tx.run(
            "update bookings set starts_at = now() - interval '1 minute', ends_at = now() + interval '1 hour',"
            " version = version + 1 where id = %s",
            [booking_id],
        )
        await tx.run(
            "select record_changes(%s, array[%s::uuid], array[%s::bytea], 'test', 'pending_payment', 'test', null, 'Test')",
            [practice.business_id, booking_id, (await tx.keys()).chain_key(booking_id)],
        )
    await end(practice, booking_id, now=True)
    assert await come_late(practice, booking_id) == "refused"


async def test_only_what_has_expired_unpaid_is_admitted_again(practice: Practice) -> None:
    """A hold that has run out, and a booking that still waits, are nothing that a late payment brings back (payments 9)."""
    hold = (await practice.reserve("talk")).made().id
    await practice.run_out(hold)
    await practice.desk.admission.sweep(practice.business_id)
    waiting = await practice.await_payment("talk")
    for booking_id in (hold, waiting):
        with pytest.raises(NotChangeable):
            await practice.desk.database.run(practice.business_id, partial(readmit, booking_id=booking_id))


@pytest.mark.parametrize("service", ["talk", "dance"])
async def test_late_payments_and_reserves_race_for_one_place(practice: Practice, service: str) -> None:
    """Of many payments that come late and many who reserve, over two servers, one gets the place (B-1, payments 9, 14)."""
    party = 4 if service == "dance" else 1
    for n in range(5):
        start = START + 3 * n * HOUR_SECONDS
        late = [await abandoned(practice, service, start, party=party) for _ in range(4)]
        async with beside(practice) as other:
            answers = await outcomes(
                *(come_late(practice, booking_id) for booking_id in late),
                *(come_late(other, booking_id) for booking_id in late),
                *(desk.reserve(service, start, party=party) for desk in (practice, other) for _ in range(3)),
            )
        won = [a for a in answers if a == "readmitted" or isinstance(a, Answer)]
        assert len(won) == 1
        # Whoever comes twice finds it done.
        lost = [a for a in answers if a not in won]
        assert all(a == "refused" or isinstance(a, SlotConflict | NotChangeable) for a in lost), lost
        states = [(await practice.read(booking_id)).state for booking_id in late]
        assert states.count("confirmed") == (won == ["readmitted"])
