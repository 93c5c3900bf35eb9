"""What follows from what providers tell: a look at the payment, once in effect, whatever is told how often and when."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio

from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound
from holdfast.payments import inbox
from holdfast.payments.inbox import act_on_due, forget_bodies, inbox_kept_up, look_up_due, replay
from holdfast.payments.port import ProviderName
from holdfast.payments.upkeep import money_kept_up
from payments.paying import Paying, paying_at_yookassa
from payments.telling import (
    Edge,
    deliver,
    events,
    know_secrets,
    opened,
    payment_event,
    work_off,
    yookassa_id,
)
from payments.yookassa.fake import FakeYooKassa
from payments.yookassa.webhooks import forged

pytestmark = pytest.mark.usefixtures("nothing_waits")

AWAITED, CONFIRMED = "AppointmentAwaitingPayment", "AppointmentConfirmed"


@pytest_asyncio.fixture
async def edge(app_uri: str, admin_uri: str) -> AsyncIterator[Edge]:
    """The application, called from an address of YooKassa."""
    async with opened(app_uri, admin_uri) as made:
        yield made


async def inbox_of(till: Paying) -> list[tuple[bool, str | None]]:
    """Return of each event whether it is processed, and what became of it."""
    rows = await events(till.database, till.business_id)
    return [(row["processed_at"] is not None, row["outcome"]) for row in rows]


async def test_what_is_told_has_its_payment_looked_at(till: Paying, edge: Edge) -> None:
    """A client pays, the provider tells, and the booking is confirmed by what the provider says when it is asked; in
    whatever order and however often it tells (P-2, P-3, payments 2).
    """
    await know_secrets(till)
    payment = await till.begin()
    till.pay(payment)
    assert await deliver(till, edge, *till.fake.webhooks.due()) == {200}
    await work_off(till)
    assert await till.state(payment.booking_id) == "confirmed"
    everything = till.fake.webhooks.told()
    assert len(everything) > 1
    assert await deliver(till, edge, *reversed(everything), *everything) == {200}
    await work_off(till)
    assert till.events(payment.booking_id) == [AWAITED, CONFIRMED]
    kept = await inbox_of(till)
    assert kept
    assert set(kept) == {(True, "looked_at")}
    assert till.inbox() == []


async def test_a_forged_success_changes_nothing(yookassa_till: Paying, edge: Edge) -> None:
    """That a payment has succeeded, said by somebody at an address of the provider with any amount, confirms nothing; and
    the true word later does (P-2, payments 2).
    """
    till = yookassa_till
    payment = await till.begin()
    lie = forged("payment.succeeded", till.remote(payment), status="succeeded", paid=True)
    assert (await edge.yookassa(till.business_id, lie)).status_code == 200
    await work_off(till)
    assert await inbox_of(till) == [(True, "looked_at")]
    assert ((await till.payment(payment.id)).state, await till.state(payment.booking_id)) == (
        "pending",
        "pending_payment",
    )
    till.sql(
        "update webhook_events set processed_at = processed_at - interval '11 s' where business_id = %s",
        till.business_id,
    )
    till.pay(payment)
    till.fake.take(payment.provider_payment_id)
    assert await deliver(till, edge, *till.fake.webhooks.told("payment.succeeded")) == {200}
    await work_off(till)
    assert await till.state(payment.booking_id) == "confirmed"


async def test_a_hundred_times_at_once_is_one_effect(till: Paying, edge: Edge) -> None:
    """The same events a hundred times at once, with workers at it meanwhile, confirm once and take the money once (P-7,
    payments 3).
    """
    await know_secrets(till)
    payment = await till.begin()
    till.pay(payment)
    told = till.fake.webhooks.due()

    async def tell(number: int) -> set[int]:
        answered = await deliver(till, edge, *told)
        if number % 10 == 0:
            await work_off(till)
        return answered

    assert set.union(*await asyncio.gather(*(tell(number) for number in range(100)))) == {200}
    await work_off(till)
    assert till.events(payment.booking_id) == [AWAITED, CONFIRMED]
    assert len(till.calls("POST", "/capture")) == 1
    assert len(await inbox_of(till)) == len({(each.object_id, kind(each)) for each in told if heard(each)})


def kind(told: Any) -> str:
    """Return what an event of a fake is called."""
    return str(json.loads(told.body).get("event") or json.loads(told.body)["type"])


def last_heard(till: Paying) -> Any:
    """Return the last that we listen for."""
    return [each for each in till.fake.webhooks.due() if heard(each)][-1]


def heard(told: Any) -> bool:
    """Return whether we listen for an event of a fake."""
    return kind(told).startswith(("payment", "refund"))


async def test_what_is_told_before_our_call_returns_finds_its_payment(till: Paying, edge: Edge) -> None:
    """While the call that makes the payment has not returned, its event is matched by the names in the object, and the
    client's money confirms one booking by one payment (payments 5).
    """
    await know_secrets(till)
    booking_id = await till.book()
    gate = till.fake.faults.hold(only="payments.create", after=True)
    asked = asyncio.create_task(till.open(booking_id))
    await asyncio.to_thread(gate.arrived.wait, 20)
    [remote] = till.fake.payments()
    till.fake.pay(remote["id"])
    assert await deliver(till, edge, *till.fake.webhooks.due()) == {200}
    await act_on_due(till.database)
    assert {outcome for _, outcome in await inbox_of(till)} == {"unknown"}, "nobody here knows of it yet"
    await look_up_due(till.database, till.providers)
    [payment] = await till.payments(booking_id)
    assert payment.provider_payment_id == remote["id"]
    assert not asked.done()
    gate.released.set()
    await asked
    await work_off(till)
    assert set(await inbox_of(till)) == {(True, "looked_at")}
    assert till.events(booking_id) == [AWAITED, CONFIRMED]
    assert (len(await till.payments(booking_id)), len(till.fake.payments())) == (1, 1)


async def test_what_is_told_of_a_call_that_was_lost_finds_its_payment(till: Paying, edge: Edge) -> None:
    """When the answer to our call never comes, what the provider tells brings it, and it is not made again (payments 5)."""
    await know_secrets(till)
    booking_id = await till.book()
    till.fake.faults.cut(only="payments.create", after=True, times=20)
    await till.open(booking_id)
    till.fake.faults.clear()
    [remote] = till.fake.payments()
    till.fake.pay(remote["id"])
    assert await deliver(till, edge, *till.fake.webhooks.due()) == {200}
    await work_off(till)
    assert await till.state(booking_id) == "confirmed"
    assert len(till.fake.payments()) == 1


@pytest.mark.parametrize("fatal", range(1, 9))
async def test_a_worker_that_dies_is_followed_by_one_effect(
    till: Paying, edge: Edge, monkeypatch: pytest.MonkeyPatch, fatal: int
) -> None:
    """Whichever statement breaks the connection, the event stays until it is acted upon, and takes effect once; told again
    in between as well (P-2, P-7, payments 6).
    """
    await know_secrets(till)
    payment = await till.begin()
    till.pay(payment)
    assert await deliver(till, edge, *till.fake.webhooks.due()) == {200}
    statements = 0
    run, rows = Transaction.run, Transaction.rows

    async def break_off(tx: Transaction) -> None:
        nonlocal statements
        statements += 1
        if statements == fatal:
            [(pid,)] = [tuple(row.values()) for row in await rows(tx, "select pg_backend_pid()")]
            till.sql("select pg_terminate_backend(%s, 5000)", pid)

    async def broken_run(tx: Transaction, *given: Any) -> int:
        await break_off(tx)
        return await run(tx, *given)

    async def broken_rows(tx: Transaction, *given: Any) -> Any:
        await break_off(tx)
        return await rows(tx, *given)

    monkeypatch.setattr(Transaction, "run", broken_run)
    monkeypatch.setattr(Transaction, "rows", broken_rows)
    try:
        await act_on_due(till.database)
        died = False
    except psycopg.OperationalError:
        died = True
    monkeypatch.undo()
    assert died == (statements == fatal)
    if died:
        assert {processed for processed, _ in await inbox_of(till)} == {False}, "it is not lost"
    assert await deliver(till, edge, *till.fake.webhooks.told()) == {200}
    await work_off(till)
    assert set(await inbox_of(till)) == {(True, "looked_at")}
    assert till.events(payment.booking_id) == [AWAITED, CONFIRMED]
    assert len(till.calls("POST", "/capture")) == 1


async def test_a_look_up_that_dies_is_made_again(till: Paying, edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is killed while it asks the provider is followed by another when its claim ends (payments 6)."""
    await know_secrets(till)
    booking_id = await till.book()
    till.fake.faults.cut(only="payments.create", after=True, times=20)
    await till.open(booking_id)
    till.fake.faults.clear()
    till.fake.pay(till.fake.payments()[0]["id"])
    assert await deliver(till, edge, *till.fake.webhooks.due()) == {200}
    await act_on_due(till.database)

    async def die(*_given: object) -> str:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(inbox, "_outcome", die)
        with pytest.raises(asyncio.CancelledError):
            await look_up_due(till.database, till.providers)
    assert await look_up_due(till.database, till.providers) == 0, "somebody may still be at it"
    till.sql("update webhook_events set next_attempt_at = now() where business_id = %s", till.business_id)
    await work_off(till)
    assert await till.state(booking_id) == "confirmed"


async def test_what_is_told_while_it_is_looked_up_is_looked_up_again(
    yookassa_till: Paying, edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who comes late with an answer of before ticks nothing off that was told since (P-2, payments 6)."""
    till = yookassa_till
    object_id = yookassa_id()
    assert (await edge.yookassa(till.business_id, payment_event(object_id))).status_code == 200
    await act_on_due(till.database)

    async def told_meanwhile(*_given: object) -> str:
        till.sql("update webhook_events set next_attempt_at = now() where business_id = %s", till.business_id)
        return "looked_at"

    with monkeypatch.context() as patched:
        patched.setattr(inbox, "_outcome", told_meanwhile)
        assert await look_up_due(till.database, till.providers) > 0
    assert await inbox_of(till) == [(False, "unknown")]


async def test_what_one_business_is_told_never_touches_another(
    app_uri: str, admin_uri: str, yookassa: FakeYooKassa, edge: Edge
) -> None:
    """Two businesses with payments of one id: an event for one has its own looked at, and nobody else's (D-9, payments 2)."""
    async with (
        paying_at_yookassa(app_uri, admin_uri, yookassa) as ours,
        paying_at_yookassa(app_uri, admin_uri, yookassa) as theirs,
    ):
        mine, other = await ours.begin(), await theirs.begin()
        told = payment_event(str(other.provider_payment_id))
        # The shop is one: its object has the names of the other business.
        assert (await edge.yookassa(ours.business_id, told)).status_code == 200
        before = theirs.due_in(other.id)
        await work_off(ours)
        assert await inbox_of(ours) == [(True, "not_ours")]
        assert await inbox_of(theirs) == []
        ours.sql("update payments set provider_payment_id = %s where id = %s", other.provider_payment_id, mine.id)
        await replayed(ours)
        await act_on_due(ours.database)
        after = theirs.due_in(other.id)
        assert ours.due_in(mine.id) is not None
        assert (ours.due_in(mine.id) or 0) <= 0 < (after or 0) <= (before or 0)
        ours.sql("update payments set provider_payment_id = %s where id = %s", mine.provider_payment_id, mine.id)
        await ours.work()
        await theirs.work()


async def replayed(till: Paying) -> None:
    """Have all events of a business acted upon once more."""
    till.sql(
        "update webhook_events set processed_at = null, outcome = null, next_attempt_at = now() where business_id = %s",
        till.business_id,
    )


async def test_an_object_that_is_nowhere_is_looked_for_three_times(yookassa_till: Paying, edge: Edge) -> None:
    """What no account knows is asked for again, and then is over: neither an error nor a task for anybody (P-2)."""
    till = yookassa_till
    assert (await edge.yookassa(till.business_id, payment_event(yookassa_id()))).status_code == 200
    for processed in (False, False, True):
        await act_on_due(till.database)
        assert await look_up_due(till.database, till.providers) > 0
        [row] = await events(till.database, till.business_id)
        assert (row["processed_at"] is not None) == processed
        till.sql("update webhook_events set next_attempt_at = now() where business_id = %s", till.business_id)
    assert row["outcome"] == "no_such_object"
    assert till.inbox() == []


async def test_what_cannot_be_asked_stays_and_staff_hear_of_it_after_a_day(till: Paying, edge: Edge) -> None:
    """While the provider fails the event waits longer and longer; after a day staff hear, once; when it is through, the
    item is settled (P-4, payments 6).
    """
    await know_secrets(till)
    booking_id = await till.book()
    till.fake.faults.cut(only="payments.create", after=True, times=20)
    await till.open(booking_id)
    till.fake.faults.clear()
    till.fake.pay(till.fake.payments()[0]["id"])
    assert await deliver(till, edge, last_heard(till)) == {200}
    for received in ("1 hour", "25 hours", "30 hours"):
        till.sql(
            "update webhook_events set received_at = now() - %s::interval, next_attempt_at = now() where business_id = %s",
            received,
            till.business_id,
        )
        till.fake.faults.fail(500, only="payments.get", times=20)
        await act_on_due(till.database)
        assert await look_up_due(till.database, till.providers) > 0
        till.fake.faults.clear()
        [row] = await events(till.database, till.business_id)
        assert (row["processed_at"], row["error_code"]) == (None, "unknown")
        told = [("payment_event_unprocessed", row["id"])]
        assert [item for item in till.inbox() if item[1] == row["id"]] == (told if received != "1 hour" else [])
    assert row["failures"] == 3
    till.sql("update webhook_events set next_attempt_at = now() where business_id = %s", till.business_id)
    await work_off(till)
    assert await till.state(booking_id) == "confirmed"
    assert [item for item in till.inbox() if item[1] == row["id"]] == []


async def test_a_refund_that_is_told_of_is_looked_at(till: Paying, edge: Edge) -> None:
    """One that hangs is ended by what the provider says, as soon as that tells of it (P-6, payments 4)."""
    await know_secrets(till)
    payment = await till.paid()
    till.fake.hold_refunds()
    await till.practice.cancel(payment.booking_id)
    await till.settle(payment.id)
    await till.work()
    [refund] = await till.refunds(payment.id)
    assert refund.state == "pending"
    before = len(till.fake.webhooks.told())
    till.fake.settle_refund(refund.provider_refund_id)
    till.fake.grant_refunds()
    assert await deliver(till, edge, *till.fake.webhooks.told()[before:]) == {200}
    await work_off(till)
    [refund] = await till.refunds(payment.id)
    assert refund.state == "succeeded"
    assert set(await inbox_of(till)) == {(True, "looked_at")}


async def test_a_worker_acts_upon_what_comes(till: Paying, edge: Edge) -> None:
    """With a worker at it, whoever pays is confirmed by what the provider tells, and nobody has to wait for a poll (P-2)."""
    await know_secrets(till)
    payment = await till.begin()
    async with inbox_kept_up(till.database, till.providers), money_kept_up(till.database, till.providers):
        await till.settle(payment.id)
        till.pay(payment)
        assert await deliver(till, edge, *till.fake.webhooks.due()) == {200}
        while await till.state(payment.booking_id) != "confirmed":
            # Each look is a round trip: the worker gets its turn.
            pass
    assert set(await inbox_of(till)) == {(True, "looked_at")}


async def test_a_replay_acts_upon_events_again(yookassa_till: Paying, edge: Edge) -> None:
    """Without more words those that are not processed; since a time or by its id also others; of this business only; and
    it is harmless however often (P-2, P-7).
    """
    till = yookassa_till
    payment = await till.paid()
    assert await deliver(till, edge, *till.fake.webhooks.told()) == {200}
    assert (await edge.yookassa(till.business_id, payment_event(yookassa_id()))).status_code == 200
    await act_on_due(till.database)
    await look_up_due(till.database, till.providers)
    kept = await events(till.database, till.business_id)
    open_ones = [row["id"] for row in kept if row["processed_at"] is None]
    assert (len(kept), len(open_ones)) == (3, 1)

    async def again(**more: Any) -> list[UUID]:
        found = await till.database.run(till.business_id, lambda tx: replay(tx, **more))
        return [each.id for each in found]

    hour_ago, to_come = (datetime.now(UTC) + timedelta(hours=hours) for hours in (-1, 1))
    assert await again() == open_ones
    assert len(await again(since=hour_ago, only_tell=True)) == 3
    assert len([row for row in await events(till.database, till.business_id) if row["processed_at"] is None]) == 1
    assert await again(since=to_come) == []
    assert await again(since=hour_ago, provider=ProviderName.STRIPE) == []
    assert await again(event_id=kept[0]["id"]) == [kept[0]["id"]]
    assert len(await again(since=hour_ago)) == 3
    await work_off(till)
    assert till.events(payment.booking_id) == [AWAITED, CONFIRMED]
    with pytest.raises(NotFound):
        await again(event_id=uuid4())


async def test_what_was_told_is_forgotten_after_ninety_days(yookassa_till: Paying, edge: Edge) -> None:
    """The body goes when the event was acted upon so long ago; that it was told stays, and what is open is kept (P-2, D-5)."""
    till = yookassa_till
    await till.paid()
    assert await deliver(till, edge, *till.fake.webhooks.told()) == {200}
    assert (await edge.yookassa(till.business_id, payment_event(yookassa_id()))).status_code == 200
    await work_off(till)
    first, second, unknown = sorted(await events(till.database, till.business_id), key=lambda row: row["outcome"] or "")
    till.sql("update webhook_events set processed_at = now() - interval '91 days' where id = %s", second["id"])
    till.sql("update webhook_events set processed_at = now() - interval '89 days' where id = %s", unknown["id"])
    await forget_bodies(till.database)
    bodies = {row["id"]: row["body"] for row in await events(till.database, till.business_id)}
    assert (bodies[second["id"]], len(bodies)) == (None, 3)
    assert bodies[first["id"]]
    assert bodies[unknown["id"]]
