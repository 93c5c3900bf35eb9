"""How soon the calendar of a big practice can be used, compared with an empty page of the same server."""

import statistics
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from browser.chromium import DESK, Manner, Visit, visit
from browser.crowd import A_DAY, DAYS, PEOPLE, fill, monday
from browser.furnished import Place
from browser.measured import Measured

APPOINTMENTS = PEOPLE * DAYS * A_DAY
ROUNDS = 7
# From the click to what the browser has painted, as it has noted it itself.
_TIMES = """() => new Promise((done) => requestAnimationFrame(() => setTimeout(() => {
  const [page] = performance.getEntriesByType("navigation");
  const painted = performance.getEntriesByName("first-contentful-paint")[0];
  done({ready: page.domContentLoadedEventEnd, now: performance.now(), painted: painted ? painted.startTime : 0});
})))"""


@pytest.fixture(scope="module")
def crowd(place: Place) -> dict[str, str]:
    """A week of 500 appointments on the server of the practice; the cookies of its owner."""
    return fill(place)


async def _seconds(staff: Visit, path: str) -> float:
    """Return how long a page took until it stood whole and its scripts had run, the median of some rounds."""
    taken = []
    for _ in range(ROUNDS):
        await staff.open(path)
        told: dict[str, Any] = await staff.page.evaluate(_TIMES)
        taken.append(max(told["ready"], told["painted"]) / 1000)
    return statistics.median(taken)


async def test_a_full_week_of_ten_people_is_there_at_once(
    browser: Browser, place: Place, crowd: dict[str, str], measured: Measured
) -> None:
    """The week of ten practitioners with 500 appointments shows every one of them, each can be opened, and the run says how
    long that takes beside an empty page (U-3, U-5).
    """
    async with visit(browser, place.url, Manner(size=DESK), crowd) as staff:
        path = f"/admin/schedule?view=week&day={monday()}"
        empty = await _seconds(staff, "/admin/login")
        full = await _seconds(staff, path)
        measured.note(
            f"the calendar with {APPOINTMENTS} appointments stands after {full:.2f} s, an empty page after {empty:.2f} s:"
            f" {full / empty:.1f} times as long"
        )
        shown = staff.page.locator("#board a[href^='/admin/schedule/bookings/']")
        await expect(shown).to_have_count(APPOINTMENTS)
        await shown.nth(APPOINTMENTS // 2).click()
        await expect(staff.page.get_by_role("dialog")).to_be_visible()
        assert await staff.amiss() == []
