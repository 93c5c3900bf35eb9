"""Accounts are compared with their provider: what was lost on the way is found and mended."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from booking.opened import HOUR_SECONDS, START
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.payments.port import ProviderName
from holdfast.payments.providers import Providers
from holdfast.payments.reconciliation import accounts_kept_compared, reconcile, reconcile_due
from holdfast.payments.refunds import give_goodwill
from holdfast.payments.upkeep import money_kept_up
from holdfast.payments.yookassa import YooKassa
from leaks.capture import Capture, listening
from payments.comparing import (
    OUTAGE_HOURS,
    compare,
    forget,
    listed_long_ago,
    lose,
    refund_by_hand,
    row_of,
    unresolved,
)
from payments.paying import PRICE_MINOR, Paying, paying_at_yookassa
from payments.yookassa.errors import YooKassaError
from payments.yookassa.fake import FakeYooKassa, fake_yookassa


@pytest.fixture
def till(yookassa_till: Paying) -> Paying:
    """A practice that takes payments at YooKassa."""
    return yookassa_till


async def test_four_days_of_outage_are_made_up_for(till: Paying) -> None:
    """Of four days without a webhook the provider's list recovers everything: what was paid, called off, given back in its
    cabinet, answered to nobody, and what a restored backup did not know (P-4, payments 6).
    """
    await compare(till)
    till.fake.advance(hours=-OUTAGE_HOURS)
    listed_long_ago(till)
    paid, called_off, unknown, gone_back, late = [
        await till.begin(start=START + number * HOUR_SECONDS) for number in range(5)
    ]
    till.fake.faults.cut(only="payments.create", after=True)
    unanswered = await till.begin(start=START + 5 * HOUR_SECONDS)
    assert unanswered.provider_payment_id is None
    till.pay(gone_back)
    gone_back = await till.settle(gone_back.id)
    for payment in (paid, unknown, late):
        till.pay(payment)
    till.fake.pay(till.fake.payments()[-1]["id"])
    till.fake.cancel(str(called_off.provider_payment_id))
    refund_by_hand(till, gone_back, PRICE_MINOR)
    await till.run_out(late.booking_id)
    forget(till, paid)
    forget(till, called_off)
    forget(till, late)
    forget(till, unanswered)
    lose(till, unknown)
    till.fake.advance(hours=OUTAGE_HOURS)

    compared = await compare(till)
    await till.work()

    assert (compared.payments, compared.refunds, compared.entered, compared.unexplained) == (6, 1, 1, 0)
    assert compared.mended >= 6
    for payment in (paid, unanswered, unknown):
        assert await till.state(payment.booking_id) == "confirmed"
        [known] = await till.payments(payment.booking_id)
        assert (known.state, known.pays, known.captured_minor) == ("succeeded", True, PRICE_MINOR)
    assert (await till.payment(called_off.id)).state == "cancelled"
    # Only set aside when its time was over: nothing was taken.
    assert (await till.payment(late.id)).state == "cancelled"
    assert await till.state(late.booking_id) == "expired"
    [refund] = await till.refunds(gone_back.id)
    assert (refund.cause, refund.state, refund.amount_minor) == ("goodwill", "succeeded", PRICE_MINOR)
    assert (await till.payment(gone_back.id)).refunded_minor == PRICE_MINOR
    assert (await compare(till)).mended == 0


async def test_what_agrees_is_left_alone(till: Paying) -> None:
    """An account that agrees with its provider costs two lists, nothing is made due, and its next turn is in ten minutes (P-4)."""
    payment = await till.begin()
    till.pay(payment)
    await till.settle(payment.id)
    await compare(till)
    asked = len(till.fake.calls)
    compared = await compare(till)
    assert (compared.payments, compared.mended, compared.unexplained, compared.error_code) == (1, 0, 0, None)
    assert len(till.fake.calls) == asked + 2
    assert till.due_in(payment.id) is None
    row = row_of(till)
    assert (row["mended"], row["failures"], row["finished"], row["lists_anew"], row["leased"]) == (
        0,
        0,
        True,
        True,
        False,
    )
    assert 470 < row["due_in"] <= 600


async def test_only_what_was_made_since_is_listed(till: Paying) -> None:
    """A list begins six hours before the last one, so that what was made while that was read is seen as well (P-4)."""
    till.fake.advance(hours=-7)
    old = await till.begin()
    till.fake.advance(hours=2)
    await till.begin(start=START + HOUR_SECONDS)
    till.fake.advance(hours=5)
    assert (await compare(till)).payments == 2
    assert (await compare(till)).payments == 1
    since = datetime.now(UTC) - timedelta(hours=8)
    assert (await compare(till, since=since)).payments == 2
    assert (await till.payment(old.id)).state == "pending"


async def test_two_workers_do_not_compare_the_same_account(till: Paying) -> None:
    """While an account is compared, nobody else does; and not again before its turn (P-4)."""
    await compare(till)
    listed_long_ago(till, hours=1)
    held = till.fake.faults.hold(only="payments.list")
    first = asyncio.create_task(reconcile(till.database, till.providers, till.business_id, till.account.id))
    await asyncio.to_thread(held.arrived.wait)
    assert await reconcile(till.database, till.providers, till.business_id, till.account.id) is None
    held.released.set()
    assert await first is not None
    assert await reconcile(till.database, till.providers, till.business_id, till.account.id) is None


async def test_whoever_took_too_long_notes_nothing(till: Paying) -> None:
    """A worker whose account another one has taken up meanwhile does nothing more, and notes no end (P-4)."""
    payment = await till.begin()
    await compare(till)
    forget(till, payment)
    listed_long_ago(till, hours=1)
    held = till.fake.faults.hold(only="payments.list")
    slow = asyncio.create_task(reconcile(till.database, till.providers, till.business_id, till.account.id))
    await asyncio.to_thread(held.arrived.wait)
    till.sql("update payment_reconciliations set lease = %s where account_id = %s", uuid4(), till.account.id)
    held.released.set()
    overtaken = await slow
    assert overtaken is not None
    assert overtaken.error_code == "overtaken"
    assert row_of(till)["lists_anew"] is False
    assert till.due_in(payment.id) is None
    till.sql("update payments set next_attempt_at = now() where id = %s", payment.id)


async def test_a_provider_that_is_away_is_asked_again(till: Paying) -> None:
    """A list that breaks off is begun anew from where the last one ended, after a pause that grows (P-4, payments 8)."""
    await compare(till)
    listed_long_ago(till)
    till.fake.faults.fail(500, only="payments.list", times=99)
    assert (await compare(till)).error_code == "unknown"
    row = row_of(till)
    assert (row["failures"], row["error_code"], row["lists_anew"], row["leased"]) == (1, "unknown", False, False)
    assert 0 < row["due_in"] < 10
    till.fake.faults.clear()
    assert (await compare(till)).error_code is None
    assert (row_of(till)["failures"], row_of(till)["error_code"]) == (0, None)


async def test_staff_hear_of_an_account_that_is_not_let_in(till: Paying) -> None:
    """Staff hear that a provider does not accept us any more, and no longer once it does (P-4)."""
    secret, till.fake.secret = till.fake.secret, "changed at the provider"
    assert (await compare(till)).error_code == "unauthorized"
    assert [item[:2] for item in unresolved(till, "payment_account_unauthorized")] == [(till.account.id, "urgent")]
    till.fake.secret = secret
    assert (await compare(till)).error_code is None
    assert unresolved(till, "payment_account_unauthorized") == []


async def test_a_shop_may_be_shared(till: Paying, app_uri: str, admin_uri: str) -> None:
    """What others sell at the same shop, and what another business of this server does, is left alone; each business finds
    its own (P-4, H-4).
    """
    async with paying_at_yookassa(app_uri, admin_uri, till.fake) as neighbour:
        theirs = await neighbour.begin()
        till.fake.pay(str(theirs.provider_payment_id))
        till.fake.shop.create(
            {
                "amount": {"value": "12.00", "currency": "RUB"},
                "confirmation": {"type": "redirect", "return_url": "https://shop.test"},
                "metadata": {"order": "37"},
            }
        )
        forget(neighbour, theirs)
        compared = await compare(till)
        assert (compared.payments, compared.mended, compared.unexplained) == (2, 0, 0)
        assert neighbour.due_in(theirs.id) is None
        assert (await compare(neighbour)).called == 1
        await neighbour.work()
        assert await neighbour.state(theirs.booking_id) == "confirmed"
        assert till.inbox() == []


async def test_money_for_nothing_that_we_know_is_put_before_staff(till: Paying) -> None:
    """Money in the name of the business for a booking that there is not is before staff, once, until they have seen to it or
    it has gone back (P-4, P-9).
    """
    payment = await till.begin()
    till.pay(payment)
    remote = till.fake.shop.payments[str(payment.provider_payment_id)]
    lose(till, payment)
    stranger = str(uuid4())
    remote["metadata"] = remote["metadata"] | {"booking_id": stranger}
    assert (await compare(till)).unexplained == 1
    await compare(till)
    [(subject, severity, details)] = unresolved(till, "payment_unexplained")
    assert (severity, details["booking"], details["payment"]) == ("urgent", stranger, str(payment.id))
    till.sql("update attention_items set resolved_at = now(), resolved_by = %s where subject_id = %s", uuid4(), subject)
    assert (await compare(till)).unexplained == 0
    assert unresolved(till, "payment_unexplained") == []
    till.sql("update attention_items set resolved_at = null, resolved_by = null where subject_id = %s", subject)
    till.fake.cancel(str(payment.provider_payment_id))
    await compare(till)
    assert unresolved(till, "payment_unexplained") == []


async def test_what_cannot_be_is_put_before_staff(till: Paying) -> None:
    """A payment that the books have as called off, and the provider as paid, is before staff: nothing is written over (P-4)."""
    payment = await till.begin()
    till.pay(payment)
    till.fake.shop.capture(str(payment.provider_payment_id), {})
    till.sql("update payments set state = 'cancelled', next_attempt_at = null where id = %s", payment.id)
    compared = await compare(till)
    assert (compared.called, compared.unexplained) == (0, 1)
    assert (await till.payment(payment.id)).state == "cancelled"


async def test_a_list_that_is_older_than_the_books_is_no_news(till: Paying) -> None:
    """What the books have heard since the list was made is not taken back, and nobody is called (P-2, payments 4)."""
    payment = await till.begin()
    till.pay(payment)
    held = till.fake.faults.hold(only="payments.list", after=True)
    comparing = asyncio.create_task(compare(till))
    await asyncio.to_thread(held.arrived.wait)
    # Settled while the list is on its way.
    till.sql(
        "update payments set state = 'succeeded', captured_minor = amount_minor, captured_at = now() where id = %s",
        payment.id,
    )
    held.released.set()
    compared = await comparing
    assert (compared.called, compared.unexplained) == (0, 0)
    till.sql("update payments set next_attempt_at = now() where id = %s", payment.id)
    await till.work()


async def test_a_refund_whose_answer_was_lost_is_found(till: Paying) -> None:
    """A refund that the provider has made, and of which nobody heard, is found by the list and counted once (P-4, P-6)."""
    payment = await till.begin()
    till.pay(payment)
    await till.settle(payment.id)
    await till.practice.cancel(payment.booking_id)
    till.fake.hold_refunds()
    await till.settle(payment.id)
    [refund] = await till.refunds(payment.id)
    await till.settle_refund(refund.id)
    [remote] = till.fake.refunds()
    till.fake.settle_refund(remote["id"])
    till.sql("update refunds set next_attempt_at = null where id = %s", refund.id)
    assert (await compare(till)).mended >= 1
    await till.work()
    [found] = await till.refunds(payment.id)
    assert (found.state, found.provider_refund_id) == ("succeeded", remote["id"])
    assert (await till.payment(payment.id)).refunded_minor == PRICE_MINOR
    assert len(till.fake.refunds()) == 1


async def test_a_second_refund_under_one_name_is_found(till: Paying) -> None:
    """A refund that the provider has made twice under our name is found by the list, and both are counted (P-4, P-6)."""
    payment = await till.paid()
    part = PRICE_MINOR // 4
    async with till.database.transaction(till.business_id) as tx:
        refund = await give_goodwill(tx, payment.id, part)
    await till.work()
    again = till.fake.shop.give_back(
        {
            "payment_id": payment.provider_payment_id,
            "amount": {"value": f"{part // 100}.00", "currency": "RUB"},
            "metadata": {"refund_id": str(refund.id)},
        }
    )
    assert (await compare(till)).called >= 1
    await till.work()
    known = {refund.provider_refund_id: refund.state for refund in await till.refunds(payment.id)}
    assert (len(known), known[again["id"]]) == (2, "succeeded")
    assert (await till.payment(payment.id)).refunded_minor == 2 * part
    assert (await compare(till)).mended == 0


async def test_what_nobody_looks_at_is_looked_at_again(till: Paying) -> None:
    """A payment that is open and due never again is made due, though its provider lists nothing of it (P-4)."""
    payment = await till.begin()
    forget(till, payment)
    till.fake.shop.payments.clear()
    assert (await compare(till)).forgotten == 1
    assert (till.due_in(payment.id) or 0) <= 0
    till.sql("update payments set state = 'cancelled', next_attempt_at = null where id = %s", payment.id)


async def test_the_worker_compares_every_account_in_turn(
    postgres: EmbeddedPostgres, own_database: str, yookassa: FakeYooKassa
) -> None:
    """A worker compares the accounts of all businesses whose turn it is; one that fails keeps no other from its turn, and one
    that takes no new payments is compared as long as its last ones are young (P-4).
    """
    app, admin = postgres.uri(user="holdfast_app", database=own_database), postgres.uri(database=own_database)
    with fake_yookassa() as other:
        async with paying_at_yookassa(app, admin, yookassa) as one, paying_at_yookassa(app, admin, other) as two:
            payment = await two.begin()
            addresses = {shop.shop_id: shop.url for shop in (yookassa, other)}
            providers = Providers(
                {ProviderName.YOOKASSA: lambda _, at: YooKassa(addresses[at.account], at.account, at.secret)}
            )
            yookassa.faults.fail(500, only="payments.list", times=99)
            await reconcile_due(one.database, providers)
            yookassa.faults.clear()
            assert row_of(one)["error_code"] == "unknown"
            assert row_of(two)["finished"] is True
            assert await reconcile_due(one.database, providers) == 0
            two.sql("update payment_accounts set active = false")
            two.sql("update payment_reconciliations set next_at = now()")
            assert await reconcile_due(one.database, providers) == 1
            assert row_of(two)["due_in"] > 3_600
            assert (await two.payment(payment.id)).state == "pending"


async def test_a_worker_compares_by_itself(
    postgres: EmbeddedPostgres, own_database: str, yookassa: FakeYooKassa
) -> None:
    """Beside its other work a worker finds what was lost, and settles it; at its end it gives back what it was at (P-4)."""
    app, admin = postgres.uri(user="holdfast_app", database=own_database), postgres.uri(database=own_database)
    async with paying_at_yookassa(app, admin, yookassa) as till:
        payment = await till.begin()
        till.pay(payment)
        forget(till, payment)
        database, providers = till.database, till.providers
        taken = till.fake.faults.hold(only="payments.capture")
        async with accounts_kept_compared(database, providers), money_kept_up(database, providers):
            # It was found, and is taken.
            await asyncio.to_thread(taken.arrived.wait)
            taken.released.set()
        await till.work()
        assert await till.state(payment.booking_id) == "confirmed"
        till.sql("update payment_reconciliations set next_at = now()")
        held = till.fake.faults.hold(only="payments.list")
        async with accounts_kept_compared(database, providers):
            await asyncio.to_thread(held.arrived.wait)
            assert row_of(till)["leased"] is True
        held.released.set()
        assert row_of(till)["leased"] is False


async def test_nothing_secret_is_logged(till: Paying) -> None:
    """No log line of a comparison has a secret, an id or a word of the provider's in it, whatever comes of it (payments 20)."""
    capture = Capture()
    with listening(capture):
        payment = await till.begin()
        till.pay(payment)
        forget(till, payment)
        await compare(till)
        lose(till, payment)
        await compare(till)
        till.fake.faults.fail(YooKassaError(400, "A reason in the words of the provider"), only="payments.list")
        await compare(till)
        remote = str(payment.provider_payment_id)
    for text in (till.fake.secret, remote, "in the words of the provider"):
        capture.guard_secret(text, "what the provider has said")
    assert list(capture.finder().leaks(capture.heard())) == []
    heard = " ".join(line for _, line in capture.heard())
    assert "payment_called" in heard
    assert "payment_entered" in heard
