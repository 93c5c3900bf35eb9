"""What clients go through fills the screen and stays inside its edges, on the smallest phone as on a desk."""

from typing import Any

import pytest
from playwright.async_api import Browser

from browser.chromium import Manner, visit
from browser.furnished import Place
from holdfast.kernel.languages import LANGUAGES

PATHS = (
    "/linden/booking/slot?service=session",
    "/linden/booking/slot/held/{held}",
    "/linden/booking/slot/offer/{offered}?token={offered_token}",
)
# What can be seen beyond an edge, how far down the page has something to read, and how much of the window is its own.
_SHOWN = """() => {
  const boxes = [...document.body.querySelectorAll("*")]
    .filter((element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true }))
    .filter((element) => !element.closest(".unseen, .heard, .skip"))
    .map((element) => ({ element, box: element.getBoundingClientRect() }))
    .filter(({ box }) => box.width > 1 && box.height > 1);
  return {
    beyond: boxes.filter(({ box }) => box.left < -0.5 || box.right > innerWidth + 0.5)
      .map(({ element, box }) => `${element.outerHTML.slice(0, 80)} from ${box.left} to ${box.right}`),
    scrolls: document.documentElement.scrollWidth - innerWidth,
    lowest: Math.max(...boxes.map(({ box }) => box.bottom)),
    paper: getComputedStyle(document.body).backgroundColor,
  };
}"""


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("size", [(320, 844), (390, 844), (1280, 900)])
async def test_nothing_hangs_over_the_edge(
    browser: Browser, place: Place, language: str, size: tuple[int, int]
) -> None:
    """On a phone and on a desk the pages of clients fill the screen and stay inside its edges, an offer as well (U-1, U-5, W-1)."""
    async with visit(browser, place.url, Manner(language, size=size)) as opened:
        for path in PATHS:
            assert await opened.open(path.format_map(place.names)) == 200
            shown: dict[str, Any] = await opened.page.evaluate(_SHOWN)
            assert (path, shown["beyond"], shown["scrolls"]) == (path, [], 0)
            assert shown["lowest"] > size[1] / 3
            assert shown["paper"] == "rgb(251, 250, 247)"
