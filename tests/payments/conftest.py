"""What tests of payments share."""

from collections.abc import Iterator

import pytest

from leaks.capture import RUN
from payments.stripe.fake import FakeStripe, fake_stripe
from payments.yookassa.fake import FakeYooKassa, fake_yookassa


@pytest.fixture
def yookassa() -> Iterator[FakeYooKassa]:
    """A YooKassa with one shop, over HTTP; its end fails when it was asked what YooKassa does not understand."""
    with fake_yookassa() as made:
        RUN.guard_secret(made.secret, "secret of a shop")
        yield made


@pytest.fixture
def at_stripe() -> Iterator[FakeStripe]:
    """A Stripe with one account, over HTTP; its end fails when it was asked what Stripe does not understand."""
    with fake_stripe() as made:
        for secret in (made.secret, *made.webhooks.secrets):
            RUN.guard_secret(secret, "secret of an account at Stripe")
        yield made
