"""The fake Stripe itself: it takes only what Stripe takes, and tells what a test wants told."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
import stripe

from calendars.http_servers import Asked, Reply, Server
from payments.stripe.account import API_VERSION
from payments.stripe.fake import FakeStripe, fake_stripe
from payments.stripe.opened import opened, wish
from payments.stripe.webhooks import signature_of


@pytest.fixture
def heard(at_stripe: FakeStripe) -> Iterator[list[stripe.Event]]:
    """Events that a server has heard and whose signatures Stripe's own package has found right."""
    events: list[stripe.Event] = []

    def hear(asked: Asked) -> Reply:
        try:
            event = stripe.Webhook.construct_event(
                asked.body, asked.headers.get("stripe-signature"), at_stripe.webhooks.secrets[0]
            )
        except stripe.SignatureVerificationError:
            return Reply(400)
        events.append(event)
        return Reply(200)

    with Server(hear).running() as server:
        at_stripe.webhooks.url = f"{server.address}/hear"
        yield events


async def test_events_come_as_a_test_wants_them(at_stripe: FakeStripe, heard: list[stripe.Event]) -> None:
    """Events are late, doubled and in any order, and signed so that Stripe's own package believes them (P-2)."""
    async with opened(at_stripe) as adapter:
        made = await adapter.create(wish())
        at_stripe.pay(made.id)
    assert heard == []
    created, paid = at_stripe.webhooks.due()
    statuses = await asyncio.to_thread(at_stripe.webhooks.deliver, paid, created, paid)
    assert statuses == [200, 200, 200]
    assert [event.id for event in heard] == [paid.id, created.id, paid.id]
    assert heard[0].data.object["amount_capturable"] == made.amount.minor
    assert at_stripe.webhooks.due() == []


async def test_events_that_are_refused_are_due_again(at_stripe: FakeStripe, heard: list[stripe.Event]) -> None:
    """An event with no signature, an old one or another secret's is refused, and stays due until it is heard (P-2)."""
    async with opened(at_stripe) as adapter:
        await adapter.create(wish())
    (told,) = at_stripe.webhooks.due()
    webhooks = at_stripe.webhooks
    assert await asyncio.to_thread(webhooks.post, told.body, None) == 400
    assert await asyncio.to_thread(webhooks.deliver, told, signed_at=int(time.time()) - 400) == [400]
    assert await asyncio.to_thread(webhooks.post, told.body, signature_of(told.body, ["whsec_another"])) == 400
    assert webhooks.due() == [told]
    webhooks.secrets.append("whsec_another")
    assert await asyncio.to_thread(webhooks.deliver, told) == [200]
    assert (webhooks.due(), len(heard)) == ([], 1)


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ("amount=49.5&currency=eur", "parameter_invalid_integer"),
        ("amount=-1&currency=eur", "parameter_invalid_integer"),
        ("amount=0&currency=eur", "amount_too_small"),
        ("amount=5124&currency=kwd", "parameter_invalid_integer"),
        ("amount=550&currency=isk", "parameter_invalid_integer"),
        ("amount=100", "parameter_missing"),
        ("amount=100&currency=EUR", "parameter_invalid_string"),
        ("amount=100&currency=eur&card[number]=4242424242424242", "parameter_unknown"),
        ("amount=100&currency=eur&amount=200", "parameter_invalid"),
        (f"amount=100&currency=eur&metadata[a]={'a' * 501}", "parameter_invalid"),
        (f"amount=100&currency=eur&description={'a' * 1_001}", "parameter_invalid_string"),
    ],
)
def test_a_request_that_stripe_would_not_take_is_refused(at_stripe: FakeStripe, form: str, code: str) -> None:
    """Amounts that are no whole numbers, unknown members and too long ones are refused, and nothing is made (P-8)."""
    answer = _posted(at_stripe, form)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert at_stripe.payments() == []
    # It was not begun: the key is as good as new.
    assert _posted(at_stripe, "amount=100&currency=eur").status_code == 200


def test_an_answer_is_given_again_for_a_day(at_stripe: FakeStripe) -> None:
    """The same key gives the same bytes and says so, for 24 hours of the fake's clock, and then makes anew (payments 7)."""
    first, again = (_posted(at_stripe, "amount=100&currency=eur") for _ in range(2))
    assert (first.content, "idempotent-replayed" in first.headers) == (again.content, False)
    assert again.headers["idempotent-replayed"] == "true"
    at_stripe.advance(hours=24)
    assert _posted(at_stripe, "amount=100&currency=eur").content != first.content


async def test_everything_is_on_the_fakes_clock(at_stripe: FakeStripe) -> None:
    """What is made has the time of the fake (payments 7)."""
    at_stripe.advance(days=4)
    async with opened(at_stripe) as adapter:
        made = await adapter.create(wish())
    assert made.created_at is not None
    assert made.created_at > datetime.now(UTC) + timedelta(days=3, hours=23)


def test_what_stripe_does_not_know_fails_the_test_that_asked() -> None:
    """A test whose fake was asked in a way that it does not understand is red at its end."""
    with pytest.raises(AssertionError, match="version"), fake_stripe() as at_stripe:
        httpx2.get(f"{at_stripe.url}/v1/account", headers={"Authorization": f"Bearer {at_stripe.secret}"})


def _posted(at_stripe: FakeStripe, form: str) -> httpx2.Response:
    return httpx2.post(
        f"{at_stripe.url}/v1/payment_intents",
        content=form,
        headers={
            "Authorization": f"Bearer {at_stripe.secret}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Idempotency-Key": "one",
            "Stripe-Version": API_VERSION,
        },
    )
