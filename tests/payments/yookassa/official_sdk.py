"""YooKassa's own package as an independent client of the fake: it blocks, and is configured for the whole process."""

from collections.abc import Iterator
from contextlib import contextmanager

from yookassa import Configuration

from payments.yookassa.fake import FakeYooKassa


@contextmanager
def configured(yookassa: FakeYooKassa, secret: str | None = None) -> Iterator[None]:
    """Point the package at the fake for the time of the block."""
    # It repeats unfinished requests over https only, and so never here.
    Configuration.configure(yookassa.shop_id, secret or yookassa.secret, api_url=yookassa.url)
    try:
        yield
    finally:
        Configuration.account_id = Configuration.secret_key = None
        Configuration.api_url = "https://api.yookassa.ru/v3"
