"""What scripts add to the pages of booking: a clock, more time and other days without a new page, the zone of the device."""

import re
from datetime import date

from playwright.async_api import Browser, expect

from browser.chromium import DESK, PHONE, Manner, Visit, visit
from browser.clients import GUEST, START, button, day, heading, hold, open_times, times
from browser.furnished import Place
from wording import say


async def test_another_day_and_month_without_a_new_page(client: Visit) -> None:
    """Another day and month are shown without a new page, the focus goes to their heading, and the way back is the
    browser's (U-1, U-5).
    """
    page = client.page
    await open_times(client, "session", 3)
    await page.get_by_role("link", name="Later:").click()
    month = page.locator("#month")
    await expect(month).to_be_focused()
    shown = await month.text_content()
    assert "month=" in page.url
    await page.locator("table.month a").nth(2).click()
    await expect(page.locator("#times")).to_be_focused()
    await expect(page.locator("a[aria-current=date]")).to_have_count(1)
    assert "day=" in page.url
    chosen = page.url
    await page.get_by_role("link", name="Специалист Один").click()
    await expect(page.get_by_role("link", name="Специалист Один")).to_have_attribute("aria-current", "true")
    assert "resource=" in page.url
    await page.go_back()
    await expect(page.get_by_role("link", name="Anyone who is free")).to_have_attribute("aria-current", "true")
    assert page.url == chosen
    assert await month.text_content() == shown
    # The other language is that of what is shown now.
    await page.locator("a[lang=ru]").click()
    await expect(page.locator("a[aria-current=date]")).to_have_count(1)
    assert date.fromisoformat(re.findall(r"day=([0-9-]+)", page.url)[0])
    assert await client.amiss() == []


async def test_other_days_come_without_a_new_page_or_with_one(client: Visit) -> None:
    """A page that cannot be fetched is opened as without scripts; the pages before it were one and the same (U-1, U-5)."""
    page = client.page
    await open_times(client, "session", 3)
    await page.evaluate("window.stayed = true")
    await page.locator("table.month a").last.click()
    await expect(page.locator("#times")).to_be_focused()
    assert await page.evaluate("window.stayed") is True
    refused = 0

    async def refuse_once(route: object) -> None:
        nonlocal refused
        refused += 1
        await (route.abort() if refused == 1 else route.continue_())  # type: ignore[attr-defined]

    await page.route(re.compile(r"month="), refuse_once)
    await page.get_by_role("link", name="Later:").click()
    await page.wait_for_function("window.stayed === undefined")
    assert "month=" in page.url
    await expect(times(page).first).to_be_visible()


async def test_the_clock_runs_and_is_told_at_few_moments(browser: Browser, place: Place) -> None:
    """The time that is left is shown each second and said aloud only at few moments; when it is over that is said, and what
    was typed is still there (B-4, U-1, U-5).
    """
    async with visit(browser, place.url, Manner("en", "light", DESK)) as client:
        page = client.page
        await page.clock.install()
        booking = await hold(client, "intro", 18)
        clock, status = page.locator("[data-clock]"), page.locator(".held [role=status]")
        await page.locator("[name=name]").fill(GUEST["name"])
        said = await status.text_content()
        await page.clock.run_for(5_000)
        await expect(clock).to_have_text(re.compile(r"^14:\d\d$"))
        assert await status.text_content() == said
        await page.clock.run_for(595_000)
        await expect(status).to_have_text("5 minutes left to fill in the details.")
        await page.clock.run_for(30_000)
        await expect(status).to_have_text("5 minutes left to fill in the details.")
        await expect(clock).to_have_text(re.compile(r"^4:\d\d$"))
        await page.clock.run_for(300_000)
        await expect(clock).to_have_text("0:00")
        await expect(status).to_contain_text("The time is over.")
        place.run_out(booking)
        await page.locator("[name=email]").fill(GUEST["email"])
        await page.locator("[name=consent]").check()
        await button(client, "Confirm the booking").click()
        await expect(heading(client, "This time is no longer held for you")).to_be_visible()
        await button(client, "Hold this time again").click()
        await expect(page.locator("[name=name]")).to_have_value(GUEST["name"])
        await expect(page.locator("[name=consent]")).to_be_checked()


async def test_more_time_without_a_new_page(client: Visit, place: Place) -> None:
    """The button gives the whole time again, says so, and leaves the page and what was typed as they are (B-12, U-1, U-5)."""
    page = client.page
    booking = await hold(client, "intro", 19)
    place.sql(
        "update bookings set held_at = held_at - interval '13 minutes', expires_at = expires_at - interval '13 minutes',"
        " version = version + 1 where id = %s",
        booking,
    )
    await page.reload()
    await expect(page.locator("[data-clock]")).to_have_text(re.compile(r"^[01]:\d\d$"))
    await page.locator("[name=name]").fill(GUEST["name"])
    await page.evaluate("window.stayed = true")
    await button(client, "I need more time").click()
    await expect(page.locator("[data-clock]")).to_have_text(re.compile(r"^1[45]:\d\d$"))
    await expect(page.locator(".held [role=status]")).to_contain_text("It is held for longer now.")
    await expect(page.locator("[name=name]")).to_have_value(GUEST["name"])
    assert await page.evaluate("window.stayed") is True
    assert await client.amiss() == []


async def test_more_time_that_cannot_be_had_is_told_by_the_server(client: Visit, place: Place) -> None:
    """Where the place is not held any more, the button leads to the page that says so, with what was typed (B-12, U-1, U-5)."""
    booking = await hold(client, "intro", 20)
    await client.page.locator("[name=name]").fill(GUEST["name"])
    place.run_out(booking)
    await button(client, "I need more time").click()
    await expect(heading(client, "This time is no longer held for you")).to_be_visible()
    await button(client, "Hold this time again").click()
    await expect(client.page.locator("[name=name]")).to_have_value(GUEST["name"])


async def test_the_zone_of_the_device_is_proposed(browser: Browser, place: Place) -> None:
    """Whose device is in another zone is asked whether to show times in it; nothing moves, and one tap does it, or lets it
    be; whoever has chosen a zone is not asked (A-5, U-1, U-5).
    """
    manner = Manner("ru", "light", PHONE, zone="Asia/Tokyo")
    address = f"{START}?service=session&day={day(4)}"
    async with visit(browser, place.url, manner) as client:
        page, box = client.page, client.page.locator(".proposal")
        await client.open(address)
        await expect(box).to_contain_text("Asia/Tokyo")
        assert (await client.witnessed())["shift"] < 0.01
        await box.get_by_role("button", name=say("ru", "Leave it as it is")).tap()
        await expect(box).to_be_hidden()
        await page.reload()
        await box.get_by_role("link", name=say("ru", "Show the times in mine")).tap()
        await page.wait_for_url(re.compile(r"tz=Asia%2FTokyo"))
        await expect(page.locator(".zone")).to_contain_text("Asia/Tokyo")
        await expect(box).to_be_hidden()
        assert f"day={day(4)}" in page.url
    async with visit(browser, place.url, Manner("ru", "light", PHONE, zone="Europe/Moscow")) as client:
        await client.open(address)
        await expect(times(client.page).first).to_be_visible()
        await expect(client.page.locator(".proposal")).to_be_hidden()


async def test_a_group_is_booked_for_several(browser: Browser, place: Place) -> None:
    """With a thumb a client chooses a group, for how many, and a date, and is told what they have chosen (B-20, U-1, U-5)."""
    async with visit(browser, place.url, Manner("en", "dark", PHONE)) as client:
        page = client.page
        await client.open(START)
        await page.get_by_role("link", name=re.compile("Утренняя группа")).tap()
        await page.get_by_role("link", name="One person more").tap()
        await expect(page.locator(".party output")).to_have_text("2 places")
        await page.locator("button[name=schedule]:enabled").nth(3).tap()
        await expect(heading(client, "This time is held for you")).to_be_visible()
        await expect(page.locator("aside")).to_contain_text("2 places")
        assert await client.amiss() == []
