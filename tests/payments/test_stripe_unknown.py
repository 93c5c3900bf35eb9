"""Calls of Stripe that end badly, are made again, or are refused."""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from calendars.http_servers import Asked, Reply, Server
from holdfast.payments import stripe_http
from holdfast.payments.port import (
    Busy,
    Money,
    NoSuchObject,
    ProviderError,
    RefundWish,
    Refused,
    RemotePayment,
    Replayed,
    Unauthorized,
    Unknown,
)
from holdfast.payments.states import PaymentState
from holdfast.payments.stripe import Stripe
from payments.stripe.errors import StripeRefusal, failed, too_many
from payments.stripe.fake import FakeStripe
from payments.stripe.opened import PRICE, an_hour_ago, opened, paid, refund_wish, wish

Call = Callable[[Stripe], Awaitable[object]]

# Words of the fake that are somebody's, or secret: no error may repeat them.
_CONFIDED = ("Vanderquill", "sk_test_", "_secret_", "/v1")


async def _raised(call: Awaitable[object]) -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        await call
    told = f"{raised.value!r} {raised.value} {raised.value.args}"
    assert not [word for word in _CONFIDED if word in told], told
    # Nor does an error that it came from, which quotes the answer.
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
    return raised.value


@pytest.mark.parametrize("after", [False, True])
async def test_a_call_that_broke_off_is_made_again_with_its_key(at_stripe: FakeStripe, after: bool) -> None:
    """Whether or not a call took effect before its connection ended, the same key makes one payment (payments 8)."""
    asked = wish()
    async with opened(at_stripe) as adapter:
        at_stripe.faults.cut(only="payments.create", after=after)
        assert type(await _raised(adapter.create(asked))) is Unknown
        assert len(at_stripe.payments()) == after
        made = await adapter.create(asked)
        assert await adapter.create(asked) == made
    assert [each["id"] for each in at_stripe.payments()] == [made.id]


async def test_the_same_key_never_takes_or_gives_twice(at_stripe: FakeStripe) -> None:
    """Capture, refund and cancellation whose answers are lost take effect once, however often repeated (payments 12)."""
    async with opened(at_stripe) as adapter:
        made, unwanted = await adapter.create(wish()), await adapter.create(wish())
        at_stripe.pay(made.id)
        at_stripe.faults.cut(after=True, only="payments.capture")
        await _raised(adapter.capture(made.id, "capture", PRICE))
        captured = [await adapter.capture(made.id, "capture", PRICE) for _ in range(3)]
        at_stripe.faults.cut(after=True, only="refunds.create", times=2)
        back = refund_wish(made, 1_500)
        for _ in range(2):
            await _raised(adapter.refund(back))
            at_stripe.advance(hours=1)
        refunds = {(await adapter.refund(back)).id for _ in range(3)}
        at_stripe.faults.cut(after=True, only="payments.cancel")
        await _raised(adapter.cancel(unwanted.id, "cancel"))
        assert (await adapter.cancel(unwanted.id, "cancel")).state is PaymentState.CANCELLED
    assert {each.captured_minor for each in captured} == {PRICE.minor}
    assert {each["id"] for each in at_stripe.refunds()} == refunds
    assert at_stripe.payment(made.id)["latest_charge"]["amount_refunded"] == 1_500


async def test_each_change_carries_our_key(at_stripe: FakeStripe) -> None:
    """Whatever is made, taken, let go or given back is asked for with the key that we keep (P-1, payments 7)."""
    async with opened(at_stripe) as adapter:
        made = await adapter.create(wish(key="make-1"))
        gone = await adapter.create(wish(key="make-2"))
        at_stripe.pay(made.id)
        await adapter.capture(made.id, "take", PRICE)
        await adapter.cancel(gone.id, "let-go")
        await adapter.refund(refund_wish(made, 1, key="give-back"))
    assert [asked.headers["idempotency-key"] for asked in at_stripe.calls] == [
        "make-1",
        "make-2",
        "take",
        "let-go",
        "give-back",
    ]


async def test_clocks_need_not_agree(at_stripe: FakeStripe) -> None:
    """What was made at a Stripe whose clock is behind ours is found all the same (payments 7)."""
    at_stripe.advance(minutes=-50)
    asked, since = wish(), datetime.now(UTC)
    async with opened(at_stripe) as adapter:
        made = await adapter.create(asked)
        assert await adapter.find(asked, since) == made


async def test_an_old_answer_is_not_taken_for_news(at_stripe: FakeStripe) -> None:
    """When a call is repeated after the world went on, it returns how things are now (payments 4 and 8)."""
    asked = wish()
    async with opened(at_stripe) as adapter:
        made = await adapter.create(asked)
        at_stripe.pay(made.id)
        assert (await adapter.create(asked)).state is PaymentState.AUTHORIZED
        await adapter.capture(made.id, "capture", PRICE)
        at_stripe.hold_refunds()
        back = refund_wish(made, 100)
        pending = await adapter.refund(back)
        at_stripe.settle_refund(pending.id, "failed", "declined")
        assert (await adapter.refund(back)).reason == "declined"
        assert (await adapter.capture(made.id, "capture", PRICE)).refunded_minor == 0


@pytest.mark.parametrize("after", [False, True])
async def test_a_failure_that_is_given_again_is_looked_into(at_stripe: FakeStripe, after: bool) -> None:
    """Stripe gives a 500 again for its key; that is told apart, and what was made is found by its names (payments 8)."""
    asked = wish()
    async with opened(at_stripe) as adapter:
        since = an_hour_ago()
        await adapter.create(wish())
        at_stripe.faults.fail(500, only="payments.create", after=after)
        assert type(await _raised(adapter.create(asked))) is Unknown
        for _ in range(2):
            assert type(await _raised(adapter.create(asked))) is Replayed
        found = await adapter.find(asked, since)
        assert (found is not None) is after
        if found is None:
            # Nothing was made: another key may be used, and makes it once.
            found = await adapter.create(wish(names=asked.names))
        assert found.names == asked.names
    assert len(at_stripe.payments()) == 2


async def test_a_refund_whose_500_is_given_again_is_found_at_its_payment(at_stripe: FakeStripe) -> None:
    """A refund that was made behind a 500 stands in the list of its payment under our id (payments 8 and 12)."""
    async with opened(at_stripe) as adapter:
        payment = await paid(adapter, at_stripe)
        back = refund_wish(payment, 1_000)
        at_stripe.faults.fail(500, only="refunds.create", after=True)
        await _raised(adapter.refund(back))
        assert type(await _raised(adapter.refund(back))) is Replayed
        assert [refund.refund_id for refund in await adapter.refunds_of(payment.id)] == [back.refund_id]


async def test_a_key_is_forgotten_after_a_day(at_stripe: FakeStripe) -> None:
    """After 24 hours a key would make a second payment, so the first is looked up by its names (P-1, payments 7)."""
    asked = wish()
    since = an_hour_ago()
    async with opened(at_stripe) as adapter:
        assert await adapter.find(asked, since) is None
        made = await adapter.create(asked)
        at_stripe.advance(hours=23, minutes=59)
        assert await adapter.create(asked) == made
        at_stripe.advance(minutes=2)
        assert (await adapter.find(asked, since)) == made
        second = await adapter.create(asked)
        assert second.id != made.id
        at_stripe.pay(made.id)
        at_stripe.cancel(second.id)
        # Of several the one with money counts.
        found = await adapter.find(asked, since)
    assert found is not None
    assert (found.id, found.state) == (made.id, PaymentState.AUTHORIZED)


async def test_a_key_stands_for_one_request(at_stripe: FakeStripe) -> None:
    """A key with another amount is refused, and nothing is made (P-1, payments 7)."""
    asked = wish(key="one")
    async with opened(at_stripe) as adapter:
        await adapter.create(asked)
        refused = await _raised(adapter.create(wish(Money(1, "EUR"), key="one", names=asked.names)))
    assert (type(refused), str(refused)) == (Refused, "idempotency_error")
    assert len(at_stripe.payments()) == 1


async def test_a_call_that_has_not_ended_is_not_made_twice(at_stripe: FakeStripe) -> None:
    """While a call with a key is under way, another with the key is turned away and knows nothing (payments 8)."""
    asked = wish()
    gate = at_stripe.faults.hold(only="payments.create")
    async with opened(at_stripe) as adapter:
        first = asyncio.create_task(adapter.create(asked))
        await asyncio.to_thread(gate.arrived.wait, 20)
        assert type(await _raised(adapter.create(asked))) is Unknown
        gate.released.set()
        made = await first
        assert await adapter.create(asked) == made
    assert len(at_stripe.payments()) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (failed(500), Unknown, "api_error"),
        (failed(503), Unknown, "api_error"),
        (StripeRefusal(409, "idempotency_error", "idempotency_key_in_use"), Unknown, "idempotency_key_in_use"),
        (StripeRefusal(409, code="lock_timeout"), Unknown, "lock_timeout"),
        (StripeRefusal(424, "api_error"), Unknown, "api_error"),
        (too_many(), Busy, "rate_limit"),
        (too_many("lock_timeout", "7"), Busy, "lock_timeout"),
        (StripeRefusal(401), Unauthorized, "invalid_request_error"),
        (StripeRefusal(403, code="more_permissions_required"), Unauthorized, "more_permissions_required"),
        (StripeRefusal(404, code="resource_missing"), NoSuchObject, "resource_missing"),
        # Not an object, but the whole address is unknown.
        (StripeRefusal(404), Refused, "invalid_request_error"),
        (StripeRefusal(400, code="amount_too_small"), Refused, "amount_too_small"),
        (StripeRefusal(402, "card_error", "card_declined"), Refused, "card_declined"),
        (StripeRefusal(400, code="Not a Word, Vanderquill"), Refused, "invalid_request_error"),
        (StripeRefusal(400, "Vanderquill"), Refused, "status_400"),
    ],
)
@pytest.mark.parametrize("call", ["payments.create", "payments.get"])
async def test_each_refusal_means_one_thing(
    at_stripe: FakeStripe, call: str, answer: StripeRefusal, kind: type[ProviderError], reason: str
) -> None:
    """Whatever Stripe answers is one of our errors with its word, and none of its text (payments 8 and 20)."""
    at_stripe.faults.fail(answer, only=call)
    async with opened(at_stripe) as adapter:
        error = await _raised(adapter.create(wish()) if call == "payments.create" else adapter.read("pi_1"))
    assert (type(error), str(error)) == (kind, reason)
    if isinstance(error, Unknown):
        assert error.retry_after == (7 if "retry-after" in answer.headers else None)


_ALL: list[Call] = [
    lambda adapter: adapter.facts(),
    lambda adapter: adapter.create(wish()),
    lambda adapter: adapter.read("pi_1"),
    lambda adapter: adapter.find(wish(), an_hour_ago()),
    lambda adapter: adapter.capture("pi_1", "key", PRICE),
    lambda adapter: adapter.cancel("pi_1", "key"),
    lambda adapter: adapter.refund(RefundWish("key", uuid4(), "pi_1", PRICE)),
    lambda adapter: adapter.read_refund("re_1"),
    lambda adapter: adapter.refunds_of("pi_1"),
]


@pytest.mark.parametrize("call", _ALL)
async def test_each_call_knows_who_is_not_let_in(at_stripe: FakeStripe, call: Call) -> None:
    """A key that Stripe does not accept, or that no header can hold, is the owner's to see to, in every call (P-5)."""
    for secret in ("sk_test_another", "sk_test_\n", "sk_test_ключ"):
        async with opened(at_stripe, secret) as adapter:
            assert type(await _raised(call(adapter))) is Unauthorized
    assert len(at_stripe.calls) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Vanderquill",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b"\xff",
        b'{"error": null}',
        b'{"error": "Vanderquill"}',
        b'{"error": {"code": 5, "type": []}}',
        b'{"object": "payment_intent", "id": "pi_1", "amount": 49.5}',
        b'{"object": "list", "data": null, "has_more": false}',
        b'{"object": "list", "data": [{"object": "payment_intent"}], "has_more": true}',
    ],
)
@pytest.mark.parametrize("status", [200, 302, 500])
async def test_an_answer_that_nobody_understands_says_nothing(status: int, body: bytes) -> None:
    """Of an answer that is not of Stripe's shape nothing is believed: what was asked may have been done (payments 8)."""
    with Server(lambda _: Reply(status, {"content-type": "application/json"}, body)).running() as server:
        adapter = Stripe(server.address, "sk_test_")
        try:
            for call in _ALL:
                assert type(await _raised(call(adapter))) is Unknown
        finally:
            await adapter.close()


@pytest.mark.parametrize("call", _ALL)
async def test_nobody_there_means_that_nothing_is_known(call: Call) -> None:
    """Where nobody answers, or not in time, it is not known whether anything was done (payments 8 and 19)."""
    with Server(lambda _: Reply()).running() as server:
        address = server.address
    adapter = Stripe(address, "sk_test_")
    assert type(await _raised(call(adapter))) is Unknown
    await adapter.close()


async def test_a_server_that_keeps_us_waiting_is_left(at_stripe: FakeStripe, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call ends after its time, whether or not somebody still holds the line, and may be repeated (payments 8)."""
    monkeypatch.setattr(stripe_http, "_EXCHANGE_SECONDS", 0.2)
    gate = at_stripe.faults.hold(only="payments.create", after=True)
    asked = wish()
    async with opened(at_stripe) as adapter:
        assert type(await _raised(adapter.create(asked))) is Unknown
        gate.released.set()
        monkeypatch.undo()
        made = await adapter.create(asked)
    assert [each["id"] for each in at_stripe.payments()] == [made.id]


async def test_stripe_learns_nothing_of_the_machine(at_stripe: FakeStripe) -> None:
    """Calls carry what is asked and who asks; no figures of earlier calls and no mark of the machine (payments 20)."""
    async with opened(at_stripe) as adapter:
        for _ in range(3):
            await adapter.create(wish())
    for asked in at_stripe.calls:
        assert "x-stripe-client-telemetry" not in asked.headers
        assert {"telemetry_id", "platform"} & json.loads(asked.headers["x-stripe-client-user-agent"]).keys() == set()


async def test_the_package_logs_nothing(at_stripe: FakeStripe, caplog: pytest.LogCaptureFixture) -> None:
    """Neither requests nor answers nor errors of Stripe get into a log, at any level (payments 20)."""
    async with opened(at_stripe) as adapter:
        with caplog.at_level(logging.DEBUG):
            payment: RemotePayment = await paid(adapter, at_stripe)
            await _raised(adapter.refund(refund_wish(payment, 9_999)))
    assert [record for record in caplog.records if record.name.startswith("stripe")] == []


def test_no_setting_of_the_package_makes_it_print() -> None:
    """Even where the environment asks Stripe's package to print what it does, nothing is printed (payments 20)."""
    answer = {"object": "balance", "livemode": False, "id": "acct_Vanderquill"}

    def told(_: Asked) -> Reply:
        return Reply(200, {}, json.dumps(answer).encode())

    program = (
        "import asyncio, sys\nfrom holdfast.payments.stripe import Stripe\n"
        "print(asyncio.run(Stripe(sys.argv[1], 'sk_test_').facts()).account)"
    )
    with Server(told).running() as server:
        done = subprocess.run(
            [sys.executable, "-c", program, server.address],
            env={"STRIPE_LOG": "debug", "HOME": "/nowhere"},
            capture_output=True,
            text=True,
            check=True,
        )
    assert (done.stdout, done.stderr) == ("acct_Vanderquill\n", "")
