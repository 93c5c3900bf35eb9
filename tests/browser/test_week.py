"""The week that is drawn: by mouse, by finger and by keyboard; what is sent are the times in its fields."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator

from browser.chromium import PHONE, Manner, Visit, visit
from browser.furnished import Place

Times = list[tuple[str, str]]
_TIMES = """(day) => [...day.querySelectorAll(".hours-row")]
  .map((row) => [...row.querySelectorAll("input")].map((input) => input.value))
  .filter(([opens, closes]) => opens || closes)"""


class Week:
    """The week of a practitioner in a window; nothing of it is saved until somebody presses the button."""

    def __init__(self, opened: Visit) -> None:
        self.opened = opened
        self.page = opened.page

    def day(self, number: int) -> Locator:
        """Return the section of a day."""
        return self.page.locator(f"[data-day='{number}']")

    def bars(self, number: int) -> Locator:
        """Return the bars of a day."""
        return self.day(number).locator(".bar")

    async def times(self, number: int) -> Times:
        """Return what the fields of a day say."""
        return [(opens, closes) for opens, closes in await self.day(number).evaluate(_TIMES)]

    async def drag(self, number: int, start: float, end: float) -> None:
        """Drag from one hour of a day to another."""
        track = self.day(number).locator(".track")
        await track.scroll_into_view_if_needed()
        box = await track.bounding_box()
        assert box is not None, "a day is seen"
        at = box["y"] + box["height"] / 2
        mouse = self.page.mouse
        await mouse.move(box["x"] + box["width"] * start / 24, at)
        await mouse.down()
        await mouse.move(box["x"] + box["width"] * (start + end) / 48, at)
        await mouse.move(box["x"] + box["width"] * end / 24, at)
        await mouse.up()


@pytest_asyncio.fixture
async def week(owner: Visit, place: Place) -> AsyncIterator[Week]:
    """The week of a practitioner who is open from 9 to 21 every day."""
    await owner.open(f"/admin/resources/{place.thing('resources', 'boris')}/week")
    await owner.page.locator(".live .bar").first.wait_for()
    yield Week(owner)
    assert await owner.amiss() == []


async def test_bars_are_moved_and_stretched_by_the_mouse(week: Week) -> None:
    """A bar is moved by its middle and stretched by its ends, in quarters of an hour; its fields say the same (U-3)."""
    assert await week.times(0) == [("09:00", "21:00")]
    await week.drag(0, 21, 17.5)
    assert await week.times(0) == [("09:00", "17:30")]
    await week.drag(0, 9, 10.25)
    assert await week.times(0) == [("10:15", "17:30")]
    await week.drag(0, 14, 12)
    assert await week.times(0) == [("08:15", "15:30")]
    await week.drag(0, 12, 0)
    assert await week.times(0) == [("00:00", "07:15")]


async def test_open_time_is_drawn_where_there_was_none(week: Week) -> None:
    """Dragging on an empty place of a day opens it there, up to what is open already and no further (U-3)."""
    await week.drag(1, 21, 13)
    await week.drag(1, 14, 18)
    assert await week.times(1) == [("09:00", "13:00"), ("14:00", "18:00")]
    await week.drag(1, 14, 10)
    assert await week.times(1) == [("09:00", "13:00"), ("13:00", "18:00")]
    await week.day(1).locator(".drop:visible").first.click()
    assert await week.times(1) == [("13:00", "18:00")]
    assert await week.bars(1).count() == 1


async def test_the_keyboard_does_the_same(week: Week) -> None:
    """Arrow keys move a bar, with Shift its end and with Alt its beginning; Delete removes it; all of it is said (U-5)."""
    press = week.page.keyboard.press
    await week.bars(2).focus()
    await press("ArrowRight")
    await press("PageUp")
    assert await week.times(2) == [("10:15", "22:15")]
    await press("Shift+ArrowLeft")
    await press("Alt+PageUp")
    assert await week.times(2) == [("11:15", "22:00")]
    assert await week.page.evaluate("document.activeElement.getAttribute('aria-valuetext')") == "from 11:15 to 22:00"
    assert "11:15" in (await week.page.locator("[data-said]").text_content() or "")
    await press("Delete")
    assert await week.times(2) == []
    assert await week.day(2).locator(".closed-day").is_visible() or await week.bars(2).count() == 0
    assert await week.page.evaluate("document.activeElement.closest('[data-day]').dataset.day") == "2"


async def test_a_day_is_copied_without_a_request(week: Week) -> None:
    """Copying a day to the working days or to all days changes the form at once, and stays a form (U-3)."""
    await week.drag(4, 21, 15)
    await week.day(4).locator("summary").click()
    await week.day(4).locator("[data-copy='working']").click()
    assert [await week.times(number) for number in range(7)] == [[("09:00", "15:00")]] * 5 + [[("09:00", "21:00")]] * 2
    await week.day(0).locator(".more").click()
    assert await week.times(0) == [("09:00", "15:00"), ("16:00", "17:00")]
    assert week.page.url.endswith("/week")


async def test_what_is_drawn_is_saved(browser: Browser, place: Place) -> None:
    """What was drawn is what is saved and seen when the page is opened anew (U-3)."""
    path = f"/admin/resources/{place.thing('resources', 'room')}/week"
    async with visit(browser, place.url, Manner(), place.logins["owner"]) as opened:
        await opened.open(path)
        await opened.page.locator(".live .bar").first.wait_for()
        drawn = Week(opened)
        await drawn.drag(6, 21, 22)
        await opened.page.locator(".sends button.primary").click()
        await opened.page.get_by_role("status").wait_for()
        await opened.page.locator(".live .bar").first.wait_for()
        assert await drawn.times(6) == [("09:00", "22:00")]
        assert await opened.amiss() == []


@pytest.mark.parametrize("javascript", [True, False])
async def test_a_phone_can_do_it(browser: Browser, place: Place, javascript: bool) -> None:
    """On a phone a bar is stretched by a finger, and without scripts there are fields to type into (U-3)."""
    manner = Manner(size=PHONE, javascript=javascript)
    async with visit(browser, place.url, manner, place.logins["owner"]) as opened:
        await opened.open(f"/admin/resources/{place.thing('resources', 'clara')}/week")
        if not javascript:
            spare = opened.page.locator("[data-day='0'] .spare input").first
            assert await spare.is_visible()
            assert not await opened.page.locator(".drop").first.is_visible()
            return
        await opened.page.locator(".live .bar").first.wait_for()
        drawn = Week(opened)
        track = drawn.day(0).locator(".track")
        await track.scroll_into_view_if_needed()
        box = await track.bounding_box()
        assert box is not None, "a day is seen"
        touches = await opened.context.new_cdp_session(opened.page)
        at = box["y"] + box["height"] / 2
        for kind, hour in (("touchStart", 21), ("touchMove", 19), ("touchMove", 18), ("touchEnd", 0)):
            points = [] if kind == "touchEnd" else [{"x": box["x"] + box["width"] * hour / 24, "y": at}]
            await touches.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        assert await drawn.times(0) == [("09:00", "18:00")]
        assert await opened.amiss() == []
