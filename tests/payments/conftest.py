"""What tests of payments share."""

from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest
import pytest_asyncio

from leaks.capture import RUN
from payments.paying import Paying, paying_at_stripe, paying_at_yookassa, paying_scripted
from payments.scripted import Scripted
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


@pytest_asyncio.fixture(params=["yookassa", "stripe"])
async def till(request: pytest.FixtureRequest, app_uri: str, admin_uri: str, sound: None) -> AsyncIterator[Paying]:
    """A practice that takes payments, at each provider; in the end all money is where it belongs."""
    name, paying = {
        "yookassa": ("yookassa", paying_at_yookassa),
        "stripe": ("at_stripe", paying_at_stripe),
    }[request.param]
    async with paying(app_uri, admin_uri, request.getfixturevalue(name)) as opened:  # type: ignore[operator]
        yield opened
        await opened.work()


@pytest_asyncio.fixture
async def scripted(app_uri: str, admin_uri: str, sound: None) -> AsyncIterator[Paying]:
    """A practice whose provider is in memory; in the end all money is where it belongs."""
    async with paying_scripted(app_uri, admin_uri, Scripted()) as opened:
        yield opened
        await opened.work()


@pytest_asyncio.fixture
async def yookassa_till(app_uri: str, admin_uri: str, yookassa: FakeYooKassa, sound: None) -> AsyncIterator[Paying]:
    """A practice that takes payments at YooKassa; in the end all money is where it belongs."""
    async with paying_at_yookassa(app_uri, admin_uri, yookassa) as opened:
        yield opened
        await opened.work()


@pytest.fixture
def nothing_waits(admin_uri: str) -> Iterator[None]:
    """Leave nothing in an inbox that a worker of another test would look up, at an address that is not there any more."""
    yield
    with psycopg.connect(admin_uri) as admin:
        admin.execute("update webhook_events set processed_at = now(), outcome = 'left' where processed_at is null")
