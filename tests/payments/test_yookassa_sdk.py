"""The fake YooKassa, driven by YooKassa's own package: what both understand is what is published."""

import asyncio
import json
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from yookassa import Payment, Refund, Settings
from yookassa.domain.common import SecurityHelper
from yookassa.domain.exceptions import (
    ApiError,
    BadRequestError,
    InternalServerError,
    NotFoundError,
    ResponseProcessingError,
    TooManyRequestsError,
    UnauthorizedError,
)
from yookassa.domain.notification import WebhookNotificationFactory

from holdfast.payments.states import PaymentState, RefundState
from holdfast.payments.yookassa_notices import is_from_yookassa, read_notice
from payments.yookassa.adapter import RETURN_URL, ROUBLES, opened, refund_of, wish_of
from payments.yookassa.errors import YooKassaError
from payments.yookassa.fake import FakeYooKassa
from payments.yookassa.official_sdk import configured

WISH = {
    "amount": {"value": "3500.00", "currency": "RUB"},
    "capture": False,
    "confirmation": {"type": "redirect", "return_url": RETURN_URL},
    "description": "A practice",
    "metadata": {"order": "7"},
}
PRICE = {"value": "3500.00", "currency": "RUB"}


def test_the_official_package_lives_through_a_payment(yookassa: FakeYooKassa) -> None:
    """From its creation over capture to two refunds the package finds each state, amount and member that it knows."""
    with configured(yookassa):
        made = Payment.create(WISH, "create-1")
        assert (made.status, made.paid, made.amount.value) == ("pending", False, Decimal("3500.00"))
        assert made.confirmation.confirmation_url == yookassa.payment(made.id)["confirmation"]["confirmation_url"]
        assert made.metadata == {"order": "7", "cms_name": "yookassa_sdk_python"}
        yookassa.pay(made.id)
        authorized = Payment.find_one(made.id)
        assert (authorized.status, authorized.paid) == ("waiting_for_capture", True)
        captured = Payment.capture(made.id, {"amount": PRICE}, "capture-1")
        assert (captured.status, captured.refundable) == ("succeeded", True)
        assert captured.income_amount.value == Decimal("3377.50")
        refund = Refund.create({"payment_id": made.id, "amount": {"value": "1000.00", "currency": "RUB"}}, "refund-1")
        assert (refund.status, Refund.find_one(refund.id).amount.value) == ("succeeded", Decimal("1000.00"))
        rest = Refund.create({"payment_id": made.id, "amount": {"value": "2500.00", "currency": "RUB"}}, "refund-2")
        assert {each.id for each in Refund.list({"payment_id": made.id}).items} == {refund.id, rest.id}
        ended = Payment.find_one(made.id)
        assert (ended.refunded_amount.value, ended.refundable) == (Decimal("3500.00"), False)


def test_the_official_package_knows_every_member(yookassa: FakeYooKassa) -> None:
    """What the fake tells in each state, and the package tells again, is the same: nothing of it is invented."""
    with configured(yookassa):
        pending = Payment.create(WISH, "create-1").id
        _same(Payment.find_one(pending), yookassa.payment(pending))
        yookassa.pay(pending)
        _same(Payment.find_one(pending), yookassa.payment(pending))
        Payment.capture(pending, {"amount": PRICE}, "capture-1")
        _same(Payment.find_one(pending), yookassa.payment(pending))
        canceled = Payment.create(WISH, "create-2").id
        yookassa.cancel(canceled, "expired_on_confirmation")
        _same(Payment.find_one(canceled), yookassa.payment(canceled))
        wish = {"payment_id": pending, "amount": PRICE, "description": "By the terms", "metadata": {"refund_id": "1"}}
        refund = Refund.create(wish, "refund-1")
        _same(Refund.find_one(refund.id), yookassa.refunds()[0])
        me = Settings.get_account_settings()
        assert (me.account_id, me.test, me.status) == (yookassa.shop_id, True, "enabled")
        for told in yookassa.webhooks.told():
            body = json.loads(told.body)
            notification = WebhookNotificationFactory().create(body)
            assert (notification.event, notification.object.id) == (told.event, told.object_id)
            _same(notification.object, body["object"])


def test_the_official_package_cancels(yookassa: FakeYooKassa) -> None:
    """What was set aside is let go, and the reason is one that the package knows."""
    with configured(yookassa):
        made = Payment.create(WISH, "create-1")
        yookassa.pay(made.id)
        cancelled = Payment.cancel(made.id, "cancel-1")
        details = cancelled.cancellation_details
        assert (cancelled.status, details.party, details.reason) == ("canceled", "merchant", "canceled_by_merchant")


def test_the_official_package_repeats_itself(yookassa: FakeYooKassa) -> None:
    """A key brings the same answer for 24 hours, is refused for another request, and is new after that."""
    with configured(yookassa):
        made = Payment.create(WISH, "create-1")
        assert Payment.create(WISH, "create-1").id == made.id
        other = WISH | {"description": "Another practice"}
        with pytest.raises(BadRequestError) as refused:
            Payment.create(other, "create-1")
        error = refused.value.error
        assert (error.code, error.description) == ("invalid_request", "Idempotence key duplicated")
        assert error.parameter == "Idempotence-Key"
        yookassa.advance(hours=23, minutes=59)
        assert Payment.create(WISH, "create-1").id == made.id
        yookassa.advance(minutes=2)
        assert Payment.create(WISH, "create-1").id != made.id


def test_the_official_package_is_refused(yookassa: FakeYooKassa) -> None:
    """Requests that are wrong are refused in the published shape, naming the member, and change nothing."""
    with configured(yookassa):
        made = Payment.create(WISH, "create-1")
        for member, wrong in (
            ("amount.currency", {"amount": {"value": "1.00", "currency": "USD"}}),
            ("confirmation.return_url", {"confirmation": {"type": "redirect", "return_url": "practice"}}),
            ("metadata", {"metadata": {"n" * 33: "1"}}),
        ):
            _refused(member, lambda wrong=wrong: Payment.create(WISH | wrong, uuid4().hex))
        _refused("Idempotence-Key", lambda: Payment.create(WISH, "k" * 65))
        _refused("status", lambda: Payment.capture(made.id, {"amount": PRICE}, "capture-1"))
        _refused("status", lambda: Payment.cancel(made.id, "cancel-1"))
        _refused("payment_id", lambda: Refund.create({"payment_id": made.id, "amount": PRICE}, "refund-1"))
        yookassa.pay(made.id)
        more = {"amount": {"value": "3500.01", "currency": "RUB"}}
        _refused("amount.value", lambda: Payment.capture(made.id, more, "capture-2"))
        Payment.capture(made.id, {"amount": PRICE}, "capture-3")
        _refused("amount.value", lambda: Refund.create({"payment_id": made.id, **more}, "refund-2"))
        assert [each["status"] for each in yookassa.payments()] == ["succeeded"]
        assert yookassa.refunds() == []


def test_the_official_package_meets_what_goes_wrong(yookassa: FakeYooKassa) -> None:
    """What the fake answers when all is not well is what the package takes for it."""
    with configured(yookassa, "test_another_secret_of_the_shop"), pytest.raises(UnauthorizedError):
        Settings.get_account_settings()
    with configured(yookassa):
        with pytest.raises(NotFoundError):
            Payment.find_one("2d9b1c5e-000f-5000-8000-1b2f3c4d5e6f")
        expected: list[tuple[int, type[ApiError]]] = [(500, InternalServerError), (429, TooManyRequestsError)]
        for status, raised in expected:
            yookassa.faults.fail(status)
            with pytest.raises(raised):
                Payment.create(WISH, "create-1")
        yookassa.faults.fail(YooKassaError(202, retry_after_seconds=2), only="payments.create", after=True)
        with pytest.raises(ResponseProcessingError):
            Payment.create(WISH, "create-1")
        assert len(yookassa.payments()) == 1


def test_the_official_package_reads_lists_to_their_end(yookassa: FakeYooKassa) -> None:
    """Pages follow one another by their cursors, the newest first, within the bounds that are asked for."""
    yookassa.page_size = 2
    with configured(yookassa):
        old = Payment.create(WISH, "create-0").id
        yookassa.advance(hours=1)
        since = yookassa.now()
        yookassa.advance(seconds=1)
        made = [Payment.create(WISH, f"create-{number}").id for number in range(1, 6)]
        asked = {"created_at.gte": since.isoformat(), "limit": 100}
        found, page = [], Payment.list(asked)
        while True:
            found += [each.id for each in page.items]
            if page.next_cursor is None:
                break
            page = Payment.list(asked | {"cursor": page.next_cursor})
        assert found == made[::-1]
        assert [each.id for each in Payment.list({"created_at.lt": since.isoformat()}).items] == [old]
        assert Payment.list({"status": "succeeded"}).items == []


async def test_both_read_the_same(yookassa: FakeYooKassa) -> None:
    """What our adapter has made, the package reads as it was meant; and what the package has made, the adapter."""
    async with opened(yookassa) as adapter:
        wish = wish_of()
        made = await adapter.create(wish)
        theirs = await _theirs(yookassa, lambda: Payment.find_one(made.id))
        assert theirs.amount.value * 100 == made.amount.minor == ROUBLES.minor
        assert (theirs.status, theirs.description) == (made.state.value, wish.description)
        assert theirs.confirmation.confirmation_url == made.confirmation_url
        assert theirs.recipient.account_id == made.account
        assert theirs.metadata["payment_id"] == str(wish.names.payment_id)
        yookassa.pay(made.id)
        await _theirs(yookassa, lambda: Payment.capture(made.id, {"amount": PRICE}, "capture-1"))
        assert (await adapter.read(made.id)).state is PaymentState.SUCCEEDED
        refund = await adapter.refund(refund_of(made.id, 100_050))
        back = await _theirs(yookassa, lambda: Refund.find_one(refund.id))
        assert (back.amount.value, back.payment_id) == (Decimal("1000.50"), made.id)
        assert back.metadata == {"refund_id": str(refund.refund_id)}
        other = {"payment_id": made.id, "amount": {"value": "0.01", "currency": "RUB"}}
        foreign = await _theirs(yookassa, lambda: Refund.create(other, "refund-1"))
        read = await adapter.read_refund(foreign.id)
        assert (read.state, read.amount.minor, read.refund_id) == (RefundState.SUCCEEDED, 1, None)


async def test_a_capture_in_part_is_read_as_what_was_captured(yookassa: FakeYooKassa) -> None:
    """Of a payment that somebody has captured in part, what was captured is what counts (P-5, payments 11)."""
    async with opened(yookassa) as adapter:
        made = await adapter.create(wish_of())
        yookassa.pay(made.id)
        part = {"amount": {"value": "1.00", "currency": "RUB"}}
        await _theirs(yookassa, lambda: Payment.capture(made.id, part, "capture-1"))
        payment = await adapter.read(made.id)
        assert (payment.captured_minor, payment.amount.minor) == (100, 100)


def test_both_know_where_notifications_come_from() -> None:
    """Addresses that the package trusts are those that we trust (payments 2)."""
    trusted = SecurityHelper()
    for network in ("185.71.76", "185.71.77", "77.75.153", "77.75.154", "77.75.155", "77.75.156"):
        for last in range(256):
            address = f"{network}.{last}"
            assert is_from_yookassa(address) is trusted.is_ip_trusted(address), address
    # In IPv6 the documentation names the whole network of which the package knows four parts.
    for part in (each for each in trusted.YOOKASSA_NETWORKS if ":" in each):
        assert is_from_yookassa(part)
        assert is_from_yookassa(part.replace("::/64", "::10"))


async def test_both_read_notifications_alike(yookassa: FakeYooKassa) -> None:
    """Of a notification our reader and the package know the same event and object (payments 2)."""
    async with opened(yookassa) as adapter:
        made = await adapter.create(wish_of())
        yookassa.pay(made.id)
        await adapter.capture(made.id, "capture-1", ROUBLES)
        await adapter.refund(refund_of(made.id))
    assert len(yookassa.webhooks.told()) == 3
    for told in yookassa.webhooks.told():
        theirs, ours = WebhookNotificationFactory().create(json.loads(told.body)), read_notice(told.body)
        assert (ours.type, ours.object_id) == (theirs.event, theirs.object.id)


async def _theirs(yookassa: FakeYooKassa, asking: Any) -> Any:
    """Return what the package answers, while others go on."""

    def asked() -> Any:
        with configured(yookassa):
            return asking()

    return await asyncio.to_thread(asked)


def _same(told: Any, expected: Any) -> None:
    """Expect of an object of the package all that was told, and nothing else."""
    assert json.loads(told.json()) == expected


def _refused(member: str, asking: Any) -> None:
    with pytest.raises(BadRequestError) as refused:
        asking()
    assert (refused.value.error.type, refused.value.error.parameter) == ("error", member)
