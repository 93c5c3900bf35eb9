"""One browser and one furnished practice for all tests of pages; where there is no browser they say loudly what is missing."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from browser.axe import SCRIPT
from browser.chromium import Manner, Visit, chromium, program, visit
from browser.furnished import Place, furnished
from browser.measured import Measured
from browser.planted import Planted

_MEASURED = Measured()
_HERE = Path(__file__).parent
_NO_BROWSER = "there is no chromium on the PATH"
_NO_AXE = "axe-core is not installed"
_MISSING = {
    _NO_BROWSER: (
        "how the pages look and behave in a browser. Get one: apt-get install chromium-headless-shell fonts-dejavu-core"
    ),
    _NO_AXE: "whether the pages are accessible. Get axe-core: make assets",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what cannot be tested on this machine."""
    for item in items:
        if _HERE in item.path.parents:
            if program() is None:
                item.add_marker(pytest.mark.skip(reason=_NO_BROWSER))
            elif not SCRIPT.exists() and "axe" in item.keywords:
                item.add_marker(pytest.mark.skip(reason=_NO_AXE))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in a line of its own what was not tested, and how to get what it needs."""
    reasons = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    for missing, untested in _MISSING.items():
        if count := sum(missing in reason for reason in reasons):
            terminalreporter.write_line(f"NOT TESTED ({count} tests, {missing}): {untested}", red=True, bold=True)

    for line in _MEASURED.lines:
        terminalreporter.write_line(f"MEASURED: {line}")


def pytest_configure(config: pytest.Config) -> None:
    """Know the tests that need axe-core."""
    config.addinivalue_line("markers", "axe: needs axe-core, which `make assets` fetches")


@pytest.fixture(scope="package")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The practice, as it is seen: tests may add to it, and take nothing that a page of the list shows."""
    with furnished(tmp_path_factory.mktemp("linden") / "data") as made:
        yield made


@pytest.fixture
def measured() -> Measured:
    """What the end of the run tells."""
    return _MEASURED


@pytest.fixture(scope="module")
def planted() -> Planted:
    """What was planted at the hostile practice."""
    return Planted()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, planted: Planted) -> Iterator[Place]:
    """The same practice, with something planted in every text that somebody may write."""
    with furnished(tmp_path_factory.mktemp("hostile") / "data", planted.say) as made:
        yield made


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The browser."""
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture
async def client(browser: Browser, place: Place) -> AsyncIterator[Visit]:
    """A client who reads English."""
    async with visit(browser, place.url, Manner()) as opened:
        yield opened


@pytest_asyncio.fixture
async def owner(browser: Browser, place: Place) -> AsyncIterator[Visit]:
    """The owner of the practice, signed in, who reads English."""
    async with visit(browser, place.url, Manner(), place.logins["owner"]) as opened:
        yield opened
