"""What tests of payments share."""

from collections.abc import Iterator

import pytest

from payments.yookassa.fake import FakeYooKassa, fake_yookassa


@pytest.fixture
def yookassa() -> Iterator[FakeYooKassa]:
    """A YooKassa with one shop, over HTTP; its end fails when it was asked what YooKassa does not understand."""
    with fake_yookassa() as made:
        yield made
