"""A provider of payments that misbehaves on demand: the fake of YooKassa that the tests of payments use."""

import http.client
import importlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from proof.check_money import Charge
from proof.shop import charges_of, connect, payer

_TESTS = str(Path(__file__).parents[1] / "tests")
_LOOK_SECONDS = 0.1
PUBLIC_URL = "https://booking.example"


class Provider:
    """A shop whose clients pay at once; a thread of its own tells of it, to one server after the other."""

    def __init__(self, fake: Any, refusal: type[Exception]) -> None:
        self._fake = fake
        # How clients pay.
        self.pay = payer(fake, refusal)
        self._urls: list[str] = []
        self._path = ""
        self._silent = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tell_for_ever, daemon=True)
        # What a server needs that is paid through it.
        self.settings = {
            "HOLDFAST_YOOKASSA_API_URL": fake.url,
            # As behind a proxy, which tells whom it has heard: one of YooKassa's published addresses.
            "HOLDFAST_TRUSTED_PROXIES": "127.0.0.1",
            "HOLDFAST_PUBLIC_URL": PUBLIC_URL,
        }

    def connect(self, urls: list[str], owner_key: str) -> None:
        """Connect the business, as its owner does, and begin to tell."""
        self._urls, self._path = urls, urlsplit(connect(urls[0], owner_key, self._fake)).path
        self._thread.start()

    @contextmanager
    def misbehaving(self) -> Iterator[None]:
        """Say nothing, and let calls fail before and after their effect; then tell all twice, the latest first."""
        faults = self._fake.faults
        self._silent.set()
        for after in (True, False):
            faults.fail(500, only="payments", after=after, times=5)
            faults.cut(only="payments", after=after, times=5)
            faults.cut(only="refunds.create", after=after, times=2)
        try:
            yield
        finally:
            faults.clear()
            for _ in range(2):
                self._deliver(list(reversed(self._fake.webhooks.told()))[:50])
            self._silent.clear()

    @property
    def owed(self) -> int:
        """How many notifications nobody has acknowledged."""
        return len(self._fake.webhooks.due())

    def charges(self) -> list[Charge]:
        """Return its books."""
        return charges_of(self._fake)

    def end(self) -> None:
        """Say no more."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _tell_for_ever(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            if not self._silent.is_set():
                self._deliver(self._fake.webhooks.due())

    def _deliver(self, notifications: list[Any]) -> None:
        for number, each in enumerate(notifications):
            self._fake.webhooks.url = self._urls[number % len(self._urls)] + self._path
            # Who is not there hears it again.
            with suppress(OSError, http.client.HTTPException):
                self._fake.webhooks.deliver(each)


@contextmanager
def provider() -> Iterator[Provider]:
    """Run one for the time of the block."""
    if _TESTS not in sys.path:
        sys.path.append(_TESTS)
    yookassa = importlib.import_module("payments.yookassa.fake")
    with yookassa.fake_yookassa() as fake:
        shop = Provider(fake, yookassa.YooKassaError)
        try:
            yield shop
        finally:
            shop.end()
