"""Every page is sound: it says what it is, breaks nothing, asks for nothing from elsewhere, and can be used by everybody."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from browser.axe import SCRIPT, findings
from browser.chromium import DESK, PHONE, Manner, Visit, visit
from browser.furnished import Place
from browser.pages_list import PAGES, Address

# Each theme, each language and each width once.
MANNERS = {
    "en-light-desk": Manner("en", "light", DESK),
    "ru-dark-phone": Manner("ru", "dark", PHONE),
}
_ABOUT = """() => ({
  title: document.title,
  language: document.documentElement.lang,
  headings: [...document.querySelectorAll("h1")].map((heading) => heading.textContent.trim()),
  levels: [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].map((heading) => Number(heading.tagName[1])),
  beyond: document.documentElement.scrollWidth - document.documentElement.clientWidth,
})"""


@dataclass(frozen=True)
class Seen:
    """What a page was like when somebody opened it."""

    status: int
    title: str
    language: str
    headings: list[str]
    levels: list[int]
    beyond: int
    amiss: list[str]
    barriers: list[str]


class Looks:
    """Each page is opened once for each manner, by the same person in the same window."""

    def __init__(self, browser: Browser, place: Place) -> None:
        self._browser, self._place = browser, place
        self._seen: dict[tuple[Address, str], Seen] = {}
        self._windows: dict[tuple[str | None, str], Visit] = {}
        self._open = AsyncExitStack()

    async def close(self) -> None:
        """Close all windows."""
        await self._open.aclose()

    async def at(self, address: Address, manner: str) -> Seen:
        """Return what a page was like."""
        if (address, manner) not in self._seen:
            self._seen[address, manner] = await self._look(await self._window(address.role, manner), address)
        return self._seen[address, manner]

    async def _window(self, role: str | None, manner: str) -> Visit:
        if (role, manner) not in self._windows:
            cookies = self._place.logins[role] if role else {}
            opened = visit(self._browser, self._place.url, MANNERS[manner], cookies)
            self._windows[role, manner] = await self._open.enter_async_context(opened)
        return self._windows[role, manner]

    async def _look(self, opened: Visit, address: Address) -> Seen:
        opened.complaints.clear()
        status = await opened.open(address.filled(self._place.names))
        about = await opened.page.evaluate(_ABOUT)
        amiss = await opened.amiss()
        barriers = await findings(opened) if SCRIPT.exists() and _judged_in(address, opened.manner) else []
        return Seen(status, **about, amiss=amiss, barriers=barriers)


def _judged_in(address: Address, manner: Manner) -> bool:
    """Return whether a page is judged when it is looked at so: pages share their parts, and each takes most of a second."""
    return [*MANNERS.values()].index(manner) == PAGES.index(address) % len(MANNERS)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def looks(browser: Browser, place: Place) -> AsyncIterator[Looks]:
    """What pages were like."""
    opened = Looks(browser, place)
    yield opened
    await opened.close()


every_page = pytest.mark.parametrize("address", PAGES, ids=lambda address: f"{address.role or 'public'}:{address.path}")
every_manner = pytest.mark.parametrize("manner", MANNERS)


@every_page
@every_manner
async def test_a_page_says_what_it_is(looks: Looks, address: Address, manner: str) -> None:
    """A page answers as expected, in the language of who reads it, with a title and one heading of the first rank (U-4, U-5)."""
    seen = await looks.at(address, manner)
    assert seen.status == address.status
    assert seen.language == MANNERS[manner].language
    assert seen.title.strip()
    assert len(seen.headings) == 1
    assert seen.headings[0]


@every_page
@every_manner
async def test_a_page_breaks_nothing(looks: Looks, address: Address, manner: str) -> None:
    """No script of a page fails, its policy has nothing to forbid, and it asks no other server for anything (U-5)."""
    assert (await looks.at(address, manner)).amiss == []


@every_page
@every_manner
async def test_a_page_stays_inside_its_window(looks: Looks, address: Address, manner: str) -> None:
    """A page is not wider than its window: what is wide scrolls in a box of its own (U-1, U-5)."""
    assert (await looks.at(address, manner)).beyond <= 0


@pytest.mark.axe
@every_page
async def test_a_page_is_for_everybody(looks: Looks, address: Address) -> None:
    """Axe finds nothing serious or critical on a page: in one theme on this one, in the other on the next (U-1, U-3, U-5)."""
    [manner] = [name for name, manner in MANNERS.items() if _judged_in(address, manner)]
    assert (await looks.at(address, manner)).barriers == []
