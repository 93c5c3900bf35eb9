"""Staff see the money of their bookings, give some of it back, and try again what was refused."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from booking.opened import HOUR_SECONDS, START
from holdfast.booking import bookings
from holdfast.identity.permissions import Role
from holdfast.kernel.audit import CONSOLE
from holdfast.kernel.database import Transaction
from holdfast.payments.port import ProviderName
from payments.paying import PRICE_MINOR
from payments.staffed import Staffed, staffed
from payments.telling import write_event
from payments.yookassa.fake import FakeYooKassa, fake_yookassa


@pytest_asyncio.fixture
async def staff(app_uri: str, admin_uri: str, yookassa: FakeYooKassa, sound: None) -> AsyncIterator[Staffed]:
    """Staff of a practice that takes payments; in the end all money is where it belongs."""
    async with staffed(app_uri, admin_uri, yookassa) as opened:
        yield opened
        await opened.till.work()


async def test_staff_see_payments_with_all_that_belongs_to_them(staff: Staffed) -> None:
    """A payment is shown with its booking, amounts, refunds and what was told of it, and is found by each filter (P-6, P-8)."""
    payment = await staff.paid()
    await staff.give(payment, 1_000)
    await staff.till.work()
    told = {"provider": ProviderName.YOOKASSA, "event_id": "one", "kind": "payment.succeeded", "body": "{}"}
    for remote in (str(payment.provider_payment_id), "of another payment"):
        async with staff.till.database.transaction(staff.till.business_id) as tx:
            await write_event(tx, **told | {"event_id": remote}, object_id=remote)  # type: ignore[arg-type]
    other = await staff.till.begin(start=START + HOUR_SECONDS)

    page = await staff.got("/api/admin/payments?limit=1")
    assert [each["id"] for each in page["payments"]] == [str(other.id)]
    rest = await staff.got(f"/api/admin/payments?limit=1&cursor={page['nextCursor']}")
    assert ([each["id"] for each in rest["payments"]], rest["nextCursor"]) == ([str(payment.id)], None)
    for query, found in [
        ("status=succeeded", [payment]),
        ("status=pending,succeeded", [other, payment]),
        ("status=cancelled", []),
        (f"bookingId={payment.booking_id}", [payment]),
        ("provider=yookassa", [other, payment]),
        ("provider=stripe", []),
        ("from=2020-01-01&to=2020-02-01", []),
        ("from=2020-01-01", [other, payment]),
    ]:
        shown = await staff.got(f"/api/admin/payments?{query}")
        assert [each["id"] for each in shown["payments"]] == [str(each.id) for each in found], query

    one = await staff.got(f"/api/admin/payments/{payment.id}")
    amounts = ("amountMinor", "capturedMinor", "refundedMinor", "returningMinor", "feeMinor")
    assert [one[amount] for amount in amounts] == [PRICE_MINOR, PRICE_MINOR, 1_000, 0, 0]
    assert (one["status"], one["pays"], one["bookingId"]) == ("succeeded", True, str(payment.booking_id))
    [refund] = one["refunds"]
    assert (refund["cause"], refund["status"], refund["amountMinor"]) == ("goodwill", "succeeded", 1_000)
    assert [event["type"] for event in one["events"]] == ["payment.succeeded"]


@pytest.mark.parametrize("query", ["status=paid", "bookingId=1", "provider=bank", "from=soon", "limit=0", "cursor=x"])
async def test_a_wrong_filter_is_refused(staff: Staffed, query: str) -> None:
    """What no list can be asked for is refused by name (H-2)."""
    answer = await staff.call("GET", f"/api/admin/payments?{query}")
    assert answer.status_code == 400
    assert answer.json()["details"]["errors"][0]["field"] == query.partition("=")[0]


async def test_goodwill_leaves_the_booking_as_it_is(staff: Staffed) -> None:
    """Part of a payment goes back and the booking stays confirmed; who gave it and why is written down (P-6, payments 12)."""
    payment = await staff.paid()
    path = f"/api/admin/payments/{payment.id}/refunds"
    answer = await staff.call("POST", path, {"amountMinor": 700, "reason": "Heating failed"}, role=Role.ASSISTANT)
    assert answer.status_code == 201
    assert answer.json()["status"] == "created"
    await staff.till.work()
    assert await staff.till.state(payment.booking_id) == "confirmed"
    assert (await staff.till.payment(payment.id)).refunded_minor == 700
    [remote] = staff.till.fake.refunds()
    assert remote["amount"]["value"] == "7.00"
    logged = staff.till.sql(
        "select action, actor, reason_id is not null from audit_log where aggregate_id = %s order by version",
        UUID(answer.json()["id"]),
    )
    assert logged[0] == ("give_back", "staff", True)


async def test_one_key_gives_back_once(staff: Staffed) -> None:
    """Twenty calls at once with one key are one refund at the provider, all with its answer; another amount with that key is
    refused (B-9, P-6, payments 12).
    """
    payment = await staff.paid()
    answers = await asyncio.gather(*(staff.give(payment, 500, key="one key") for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    reused = await staff.give(payment, 501, key="one key")
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
    await staff.till.work()
    assert len(staff.till.fake.refunds()) == 1
    assert (await staff.till.payment(payment.id)).refunded_minor == 500


async def test_never_more_goes_back_than_was_taken(staff: Staffed) -> None:
    """Of ten calls at once for 30 percent each three succeed; the others hear how much is left, and the provider is asked for
    no more (P-6, payments 12).
    """
    payment = await staff.paid()
    part = PRICE_MINOR * 3 // 10
    answers = await asyncio.gather(*(staff.give(payment, part) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 7
    refusals = [answer.json() for answer in answers if answer.status_code == 409]
    assert {refusal["code"] for refusal in refusals} == {"refund_exceeds_payment"}
    assert min(refusal["details"]["leftMinor"] for refusal in refusals) == PRICE_MINOR - 3 * part
    await staff.till.work()
    assert len(staff.till.fake.refunds()) == 3
    assert (await staff.till.payment(payment.id)).refunded_minor == 3 * part


@pytest.mark.parametrize("after", [True, False])
async def test_a_refund_that_breaks_off_is_made_once(staff: Staffed, *, after: bool) -> None:
    """A refund whose call breaks off, before or after the provider has made it, is asked for again by two workers at once, and
    made once (P-6, payments 8, payments 12).
    """
    payment = await staff.paid()
    refund = UUID((await staff.give(payment, 900)).json()["id"])
    staff.till.fake.faults.cut(only="refunds.create", after=after)
    await staff.till.settle_refund(refund)
    assert (await staff.till.payment(payment.id)).refunded_minor == 0
    staff.till.sql("update refunds set next_attempt_at = now() where id = %s", refund)
    await asyncio.gather(*(staff.till.settle_refund(refund) for _ in range(2)))
    await staff.till.work()
    assert len(staff.till.fake.refunds()) == 1
    assert (await staff.till.payment(payment.id)).refunded_minor == 900


async def test_what_was_refused_is_tried_again_by_staff(staff: Staffed) -> None:
    """A refused refund is before staff; tried again it is another one, once, and when that has gone through nobody is called
    to it any more (P-6).
    """
    payment = await staff.paid()
    staff.till.fake.refuse_refunds()
    refused = (await staff.give(payment, 900)).json()["id"]
    await staff.till.work()
    assert ("refund_refused", payment.id) in staff.till.inbox()
    staff.till.fake.grant_refunds()
    answers = await asyncio.gather(*(staff.call("POST", f"/api/admin/refunds/{refused}/retry") for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 4
    [again] = [answer.json() for answer in answers if answer.status_code == 201]
    assert (again["amountMinor"], again["number"]) == (900, 2)
    await staff.till.work()
    shown = await staff.got(f"/api/admin/payments/{payment.id}")
    assert [refund["status"] for refund in shown["refunds"]] == ["refused", "succeeded"]
    assert shown["refundedMinor"] == 900
    assert staff.till.inbox() == []
    assert (await staff.call("POST", f"/api/admin/refunds/{again['id']}/retry")).status_code == 409


async def test_staff_see_where_money_is(staff: Staffed) -> None:
    """What was captured in a time is told by currency as given back, on its way back, earned, kept or undecided (P-9)."""
    kept, given, cancelled = [await staff.paid(start=START + number * HOUR_SECONDS) for number in range(3)]
    await staff.give(given, 1_000)
    await staff.till.work()
    await staff.till.practice.cancel(cancelled.booking_id)
    staff.till.fake.hold_refunds()
    await staff.till.settle(cancelled.id)
    [back] = await staff.till.refunds(cancelled.id)
    await staff.till.settle_refund(back.id)
    aside = await staff.till.begin(start=START + 4 * HOUR_SECONDS)
    staff.till.pay(aside)
    staff.till.sql("update payments set state = 'authorized' where id = %s", aside.id)
    [balance] = (await staff.got("/api/admin/payments/summary"))["balances"]
    assert balance == {
        "currency": "RUB",
        "isTest": True,
        "capturedMinor": 3 * PRICE_MINOR,
        "refundedMinor": 1_000,
        "returningMinor": PRICE_MINOR,
        "earnedMinor": 2 * PRICE_MINOR - 1_000,
        "feeMinor": 0,
        "inboxMinor": 0,
        "authorizedMinor": PRICE_MINOR,
    }
    assert (await staff.got("/api/admin/payments/summary?to=2020-01-01"))["balances"] == []
    assert (await staff.till.payment(kept.id)).pays
    [remote] = [each for each in staff.till.fake.refunds() if each["status"] == "pending"]
    staff.till.fake.settle_refund(remote["id"])
    staff.till.sql("update refunds set next_attempt_at = now() where state = 'pending'")


async def test_tenants_do_not_see_each_others_money(staff: Staffed, app_uri: str, admin_uri: str) -> None:
    """Payments, refunds and balances of another business are not there, whatever is asked (H-4)."""
    payment = await staff.paid()
    refund = (await staff.give(payment, 900)).json()["id"]
    with fake_yookassa() as yookassa:
        async with staffed(app_uri, admin_uri, yookassa) as neighbour:
            assert await neighbour.got("/api/admin/payments") == {"payments": [], "nextCursor": None}
            assert await neighbour.got("/api/admin/payments/summary") == {"balances": []}
            for method, path, body in [
                ("GET", f"/api/admin/payments/{payment.id}", None),
                ("POST", f"/api/admin/payments/{payment.id}/refunds", {"amountMinor": 1}),
                ("POST", f"/api/admin/refunds/{refund}/retry", None),
                ("GET", f"/api/admin/payments/{uuid4()}", None),
            ]:
                assert (await neighbour.call(method, path, body)).status_code == 404, path


@pytest.mark.parametrize("amount", [0, -1, 1.5, "100", None, 10**13])
async def test_only_whole_amounts_go_back(staff: Staffed, amount: object) -> None:
    """An amount that is no whole number of minor units above zero is refused, and nothing is given back (P-8)."""
    payment = await staff.paid()
    path = f"/api/admin/payments/{payment.id}/refunds"
    assert (await staff.call("POST", path, {"amountMinor": amount})).status_code == 400
    assert await staff.till.refunds(payment.id) == []


async def test_the_fee_follows_goodwill(staff: Staffed) -> None:
    """What is kept of a cancelled booking is shown at once as less when staff give some of it back, and as what it was when the
    provider refuses that; the books agree at every moment (P-6, P-9).
    """
    payment = await staff.paid()

    async def cancel(tx: Transaction) -> None:
        version = (await staff.till.practice.read(payment.booking_id)).version
        await bookings.cancel(
            tx, payment.booking_id, expected_version=version, reason=None, actor=CONSOLE, refund_percent=0
        )

    await staff.till.database.run(staff.till.business_id, cancel)
    await staff.till.work()
    path = f"/api/admin/payments/{payment.id}"
    assert (await staff.got(path))["feeMinor"] == PRICE_MINOR
    staff.till.fake.refuse_refunds()
    refund = (await staff.give(payment, 900)).json()["id"]
    assert (await staff.got(path))["feeMinor"] == PRICE_MINOR - 900
    await staff.till.settle_refund(UUID(refund))
    assert (await staff.got(path))["feeMinor"] == PRICE_MINOR
    staff.till.fake.grant_refunds()
    await staff.call("POST", f"/api/admin/refunds/{refund}/retry")
    assert (await staff.got(path))["feeMinor"] == PRICE_MINOR - 900
    await staff.till.work()
    shown = await staff.got(path)
    assert (shown["refundedMinor"], shown["feeMinor"]) == (900, PRICE_MINOR - 900)
