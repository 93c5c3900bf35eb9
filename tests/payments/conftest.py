"""What tests of payments share."""

from collections.abc import Iterator

import pytest

from leaks.capture import RUN
from payments.yookassa.fake import FakeYooKassa, fake_yookassa


@pytest.fixture
def yookassa() -> Iterator[FakeYooKassa]:
    """A YooKassa with one shop, over HTTP; its end fails when it was asked what YooKassa does not understand."""
    with fake_yookassa() as made:
        RUN.guard_secret(made.secret, "secret of a shop")
        yield made
