"""The way to a booking is light, and nothing on it jumps under the finger."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.async_api import Browser

from browser.chromium import PHONE, Manner, visit
from browser.furnished import Place
from browser.pages_list import PATH_OF_CLIENTS, Address

SCRIPT_BYTES, ALL_BYTES = 60_000, 100_000
# What browsers call good is ten times as much.
LEAST_SHIFT = 0.01

every_step = pytest.mark.parametrize("address", PATH_OF_CLIENTS, ids=lambda address: address.path)


@dataclass
class Scales:
    """What came over the wire, headers and all, as it was sent."""

    kinds: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, float] = field(default_factory=dict)

    def note_kind(self, event: dict[str, Any]) -> None:
        """Note what it is that an answer brings."""
        self.kinds[event["requestId"]] = event["type"]

    def note_size(self, event: dict[str, Any]) -> None:
        """Note how much an answer has brought."""
        self.sizes[event["requestId"]] = event["encodedDataLength"]

    def weight(self, kind: str | None = None) -> float:
        """Return the bytes of a kind of answer, or of all."""
        return sum(size for one, size in self.sizes.items() if kind in {None, self.kinds.get(one)})


@every_step
async def test_a_page_is_light(browser: Browser, place: Place, address: Address) -> None:
    """Whoever opens a page for the first time fetches at most 60 kB of scripts and 100 kB in all, as they are sent (U-1)."""
    async with visit(browser, place.url, Manner(size=PHONE)) as client:
        scales = Scales()
        wire = await client.context.new_cdp_session(client.page)
        wire.on("Network.responseReceived", scales.note_kind)
        wire.on("Network.loadingFinished", scales.note_size)
        await wire.send("Network.enable")
        await client.open(address.filled(place.names))
        await client.page.wait_for_load_state("networkidle")
        assert scales.weight("Document") > 0
        assert scales.weight("Stylesheet") > 0
        assert scales.weight("Script") <= SCRIPT_BYTES
        assert scales.weight() <= ALL_BYTES


@every_step
@pytest.mark.parametrize("language", ["en", "ru"])
async def test_nothing_jumps(browser: Browser, place: Place, address: Address, language: str) -> None:
    """On a phone, nothing on a page moves by itself once it is seen (U-1)."""
    async with visit(browser, place.url, Manner(language, size=PHONE)) as client:
        await client.open(address.filled(place.names))
        await client.page.wait_for_load_state("networkidle")
        assert (await client.witnessed())["shift"] < LEAST_SHIFT
