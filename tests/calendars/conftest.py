"""What tests of calendars share: a Google that keeps Google's contract."""

from collections.abc import Iterator

import pytest

from calendars.google.fake import FakeGoogle
from calendars.google.server import fake_google


@pytest.fixture
def google() -> Iterator[FakeGoogle]:
    """A Google with one account and no calendars, over HTTP; its end fails when the contract was broken."""
    with fake_google() as made:
        yield made
