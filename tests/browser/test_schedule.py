"""The calendar of staff in a browser: by mouse, finger and keys, and while others change it."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.async_api import Browser, Locator, Route, expect

from browser.chromium import PHONE, Manner, Visit, visit
from browser.furnished import Place

Json = dict[str, Any]
PATH = "/admin/schedule"


def calendar(ahead: int, view: str = "day") -> str:
    """Return the address of the calendar so many days ahead."""
    return f"{PATH}?view={view}&day={datetime.now(UTC).date() + timedelta(days=ahead)}"


def item(by: Visit, made: Json) -> Locator:
    """Return an appointment in the grid."""
    return by.page.locator(f'.board a[href$="{made["appointmentId"]}"]').first


def start_of(place: Place, made: Json) -> datetime:
    """Return when an appointment begins, as its row has it."""
    [(start,)] = place.sql("select starts_at from bookings where id = %s", made["appointmentId"])
    return start  # type: ignore[no-any-return]


async def drag(by: Visit, what: Locator, column: Locator, rows_down: int) -> None:
    """Drag something by mouse to a column, so many rows of five minutes down."""
    await what.scroll_into_view_if_needed()
    box, there = await what.bounding_box(), await column.bounding_box()
    assert box is not None
    assert there is not None
    mouse = by.page.mouse
    await mouse.move(box["x"] + 20, box["y"] + 8)
    await mouse.down()
    await mouse.move(box["x"] + 20, box["y"] + 20)
    await mouse.move(there["x"] + 30, box["y"] + 8 + rows_down * 5, steps=4)
    await expect(by.page.locator(".ghost")).to_be_visible()
    await mouse.up()


async def test_an_appointment_is_dragged_and_taken_back(owner: Visit, place: Place) -> None:
    """Dragged to another practitioner and an hour later, an appointment is there at once; the notice takes it back (U-3, U-5)."""
    made = place.book("Гость Пятидесятый", "session", 16, 2, "anna")
    before = start_of(place, made)
    await owner.open(calendar(16))
    boris = owner.page.locator(f'.col[data-who="{place.thing("resources", "boris")}"]')
    await drag(owner, item(owner, made), boris, 12)
    await expect(owner.page.locator("#told")).to_contain_text("Moved to")
    await expect(boris.locator("a.it")).to_have_count(1)
    assert start_of(place, made) - before == timedelta(hours=1)
    await owner.page.get_by_role("button", name="Undo").click()
    await expect(owner.page.locator("#told")).to_contain_text("It is back at")
    await expect(boris.locator("a.it")).to_have_count(0)
    assert start_of(place, made) == before
    assert await owner.amiss() == []


async def test_a_drop_on_somebody_else_goes_back(owner: Visit, place: Place) -> None:
    """Dropped on somebody else's time, an appointment stands where it was, and the notice says why (B-8, U-3, U-5)."""
    made = place.book("Гость Шестидесятый", "session", 17, 1, "anna")
    place.book("Гость Семидесятый", "session", 17, 2, "boris")
    before = start_of(place, made)
    await owner.open(calendar(17))
    boris = owner.page.locator(f'.col[data-who="{place.thing("resources", "boris")}"]')
    await drag(owner, item(owner, made), boris, 9)
    await expect(owner.page.get_by_role("alert")).to_contain_text("Somebody else has this time.")
    await expect(owner.page.locator(".ghost, .lifted")).to_have_count(0)
    assert start_of(place, made) == before
    assert await owner.amiss() == []


async def test_it_is_moved_by_keys(owner: Visit, place: Place) -> None:
    """Arrow keys lift an appointment, move it by a quarter of an hour, and say where it is; Escape puts it back and Enter drops it,
    and the focus stays with it (U-3, U-5).
    """
    made = place.book("Гость Восьмидесятый", "session", 18, 3, "clara")
    before = start_of(place, made)
    await owner.open(calendar(18))
    await item(owner, made).focus()
    keys = owner.page.keyboard
    await keys.press("ArrowDown")
    await expect(owner.page.locator("p.heard[aria-live]")).to_contain_text("Lifted.")
    await keys.press("Escape")
    await expect(owner.page.locator(".ghost")).to_have_count(0)
    for _ in range(4):
        await keys.press("ArrowDown")
    await keys.press("Enter")
    await expect(owner.page.locator("#told")).to_contain_text("Moved to")
    assert start_of(place, made) - before == timedelta(hours=1)
    await expect(item(owner, made)).to_be_focused()
    assert await owner.amiss() == []


async def test_a_finger_holds_before_it_drags(browser: Browser, place: Place) -> None:
    """On a phone a long press lifts an appointment and a swipe does not (U-3, U-5)."""
    made = place.book("Гость Девяностый", "session", 19, 1, "anna")
    before = start_of(place, made)
    async with visit(browser, place.url, Manner(size=PHONE), place.logins["owner"]) as phone:
        await phone.open(calendar(19))
        await item(phone, made).scroll_into_view_if_needed()
        box = await item(phone, made).bounding_box()
        assert box is not None
        touches = await phone.context.new_cdp_session(phone.page)
        x, y = box["x"] + 30, box["y"] + 10

        async def touch(kind: str, down: int = 0) -> None:
            points = [] if kind == "touchEnd" else [{"x": x, "y": y + down}]
            await touches.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        await touch("touchStart")
        await expect(phone.page.locator(".ghost")).to_be_visible()
        await touch("touchMove", 30)
        await touch("touchMove", 60)
        await touch("touchEnd")
        await expect(phone.page.locator("#told")).to_contain_text("Moved to")
        assert start_of(place, made) - before == timedelta(hours=1)
        assert await phone.amiss() == []


async def test_what_others_do_appears_by_itself(owner: Visit, place: Place) -> None:
    """What is booked and moved elsewhere is in an open calendar by itself, which keeps focus and scroll; what is open beside it stays
    open (U-3, U-5).
    """
    first = place.book("Гость Сотый", "session", 20, 1, "anna")
    await owner.open(calendar(20))
    async with owner.page.expect_request("**/admin/events"):
        await owner.page.reload()
    await item(owner, first).focus()
    await owner.page.locator(".board").evaluate("board => board.scrollTo(0, 77)")
    second = place.book("Гость Двухсотый", "session", 20, 5, "boris")
    await expect(item(owner, second)).to_be_visible()
    await expect(item(owner, first)).to_be_focused()
    assert await owner.page.locator(".board").evaluate("board => board.scrollTop") == 77
    await item(owner, first).click()
    await expect(owner.page.get_by_role("dialog")).to_contain_text("Гость Сотый")
    place.change(second, "cancel")
    await expect(item(owner, second)).to_have_count(0)
    await expect(owner.page.get_by_role("dialog")).to_contain_text("Гость Сотый")
    assert await owner.amiss() == []


async def test_a_calendar_that_was_cut_off_catches_up(owner: Visit, place: Place) -> None:
    """When nothing can be told to an open calendar for a while, it looks again as soon as it listens again (U-3)."""
    asked = 0

    async def answer(route: Route) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            await route.abort()
        else:
            # A stream that tells nothing.
            await route.fulfill(content_type="text/event-stream", body="retry: 600000\n\n")

    await owner.page.route("**/admin/events", answer)
    await owner.open(calendar(22))
    board = await owner.page.locator(".board").element_handle()
    async with owner.page.expect_response("**/admin/schedule?*") as looked:
        pass
    assert await (await looked.value).finished() is None
    assert asked >= 2
    # Nothing has changed, so that nothing is taken from under anybody's hand.
    await owner.page.evaluate("new Promise((told) => requestAnimationFrame(() => setTimeout(told)))")
    assert await board.is_visible()


async def test_an_empty_place_begins_an_appointment(owner: Visit, place: Place) -> None:
    """A click on an empty place opens the form for its time and practitioner; what is sent stands there, without another page (U-3)."""
    await owner.open(calendar(21))
    clara = owner.page.locator(f'.col[data-who="{place.thing("resources", "clara")}"]')
    await clara.click(position={"x": 40, "y": 400})
    dialog = owner.page.get_by_role("dialog")
    time = await dialog.get_by_label("Time", exact=True).input_value()
    assert re.fullmatch(r"\d\d:(00|15|30|45)", time)
    await dialog.get_by_role("button", name="Make the appointment").click()
    await expect(dialog.get_by_role("alert")).to_be_visible()
    await dialog.get_by_label("Client's name").fill("Гость Трёхсотый")
    await dialog.get_by_role("button", name="Make the appointment").click()
    await expect(owner.page.locator("#told")).to_contain_text("Booked:")
    await expect(clara.locator("a.it")).to_contain_text(f"{time} Гость Трёхсотый")
    assert await owner.amiss() == []


async def test_the_week_is_as_wide_as_the_page(owner: Visit) -> None:
    """However many columns a week has, its board takes all the width that the page has for it (U-3)."""
    await owner.open(calendar(16, "week"))
    # Both at one moment: what others change is drawn anew in between.
    main, board = await owner.page.evaluate(
        '["main .heading", ".board"].map((one) => document.querySelector(one).getBoundingClientRect().width)'
    )
    assert main > 0
    assert abs(board - main) <= 1


async def test_two_who_change_one_appointment(browser: Browser, place: Place) -> None:
    """Of two who have one appointment open the second is told what the first has done, with what was typed kept (B-15, U-3, U-5)."""
    made = place.book("Гость Четырёхсотый", "session", 22, 1, "anna")
    async with (
        visit(browser, place.url, Manner(), place.logins["owner"]) as first,
        visit(browser, place.url, Manner(), place.logins["assistant"]) as second,
    ):
        for who in (first, second):
            await who.open(calendar(22))
            await item(who, made).click()
        for who, time in ((first, "15:00"), (second, "17:00")):
            dialog = who.page.get_by_role("dialog")
            await dialog.get_by_label("Time", exact=True).fill(time)
            await dialog.get_by_role("button", name="Move").click()
            if who is first:
                await expect(who.page.locator("#told")).to_contain_text("Moved to")
        dialog = second.page.get_by_role("dialog")
        await expect(dialog.get_by_role("alert")).to_contain_text("Владелец практики: moved to")
        await expect(dialog.get_by_label("Time", exact=True)).to_have_value("17:00")
        await dialog.get_by_role("button", name="Move").click()
        await expect(second.page.locator("#told")).to_contain_text("Moved to")
