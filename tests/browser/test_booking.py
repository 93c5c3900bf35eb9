"""Clients book in a real browser: with a mouse, a thumb or keys alone, with scripts and without, and when things go wrong."""

import re

import pytest
from playwright.async_api import Browser, Locator, expect

from browser.chromium import PHONE, Manner, Visit, visit
from browser.clients import (
    CONFIRMED,
    GUEST,
    HELD,
    START,
    button,
    confirm,
    fill,
    heading,
    hold,
    number_of,
    open_times,
    pay,
    state_of,
    times,
)
from browser.furnished import Place
from wording import say

PHONES = {
    "ru-dark": Manner("ru", "dark", PHONE),
    "en-no-scripts": Manner("en", "light", PHONE, javascript=False),
    "ru-no-scripts": Manner("ru", "light", PHONE, javascript=False),
}


async def test_a_client_books(client: Visit, place: Place) -> None:
    """From the list of services to a confirmed booking by what the pages say, without anything amiss (U-1, U-5)."""
    await client.open(START)
    await client.page.get_by_role("link", name=re.compile("Знакомство")).click()
    await times(client.page).first.click()
    await expect(heading(client, HELD)).to_be_visible()
    booking = number_of(client.page)
    await fill(client)
    await confirm(client)
    assert state_of(place, booking) == "confirmed"
    assert await client.amiss() == []


@pytest.mark.parametrize("manner", PHONES.values(), ids=PHONES)
async def test_a_client_books_on_a_phone(browser: Browser, place: Place, manner: Manner) -> None:
    """The same works with a thumb, in both languages, and where no script runs (U-1, U-4, U-5)."""
    async with visit(browser, place.url, manner) as client:
        await client.open(START)
        await client.page.get_by_role("link", name=re.compile("Открытый зал")).tap()
        await times(client.page).last.tap()
        await expect(heading(client, HELD)).to_be_visible()
        booking = number_of(client.page)
        await fill(client)
        await button(client, "Confirm the booking").tap()
        await expect(heading(client, CONFIRMED)).to_be_visible()
        assert state_of(place, booking) == "confirmed"
        assert client.complaints == []


async def test_who_loses_the_race_takes_an_alternative(client: Visit, place: Place) -> None:
    """Whose time was taken a moment ago sees what else is free, and one click later it is theirs (B-22, U-1, U-5)."""
    await open_times(client, "ahead", 8)
    place.hold("ahead", 8, 1)
    await times(client.page).nth(1).click()
    await expect(heading(client, "Somebody was faster")).to_be_visible()
    await expect(client.page.get_by_role("alert")).to_be_visible()
    await times(client.page).first.click()
    await expect(heading(client, HELD)).to_be_visible()
    assert await client.amiss() == []


async def test_an_expired_hold_is_recovered_with_what_was_typed(client: Visit, place: Place) -> None:
    """Whose hold runs out while they type is told so, holds the time again, and has nothing to type twice (B-4, U-1, U-5)."""
    booking = await hold(client, "intro", 9)
    await fill(client)
    place.run_out(booking)
    await button(client, "Confirm the booking").click()
    await expect(heading(client, "This time is no longer held for you")).to_be_visible()
    await button(client, "Hold this time again").click()
    await expect(heading(client, HELD)).to_be_visible()
    for name, text in GUEST.items():
        await expect(client.page.locator(f"[name={name}]")).to_have_value(text)
    await fill(client)
    await confirm(client)
    again = number_of(client.page)
    assert again != booking
    assert state_of(place, again) == "confirmed"


async def test_a_client_pays_beforehand(client: Visit, place: Place) -> None:
    """What is paid beforehand leads to the provider and, paid there, back to a confirmed booking (P-1, U-1, U-5)."""
    place.yookassa.receive_clients()
    booking = await hold(client, "ahead", 10)
    await fill(client)
    await button(client, "Continue to payment").click()
    await expect(client.page.get_by_role("heading", level=1, name="Pay", exact=True)).to_be_visible()
    assert state_of(place, booking) == "pending_payment"
    await pay(place, client.page)
    await client.page.get_by_role("link", name="Paid").click()
    # The page looks again by itself.
    await expect(heading(client, CONFIRMED)).to_be_visible(timeout=60_000)
    assert state_of(place, booking) == "confirmed"
    assert await client.amiss() == []


async def test_a_mistake_is_told_where_it_is(client: Visit) -> None:
    """A detail that cannot be right is named aloud, its field is marked and has the focus, and the rest is still there
    (U-1, U-5).
    """
    await hold(client, "intro", 11)
    await fill(client, phone="call me")
    await button(client, "Confirm the booking").click()
    await expect(client.page.get_by_role("alert").first).to_be_visible()
    phone = client.page.locator("[name=phone]")
    await expect(phone).to_have_attribute("aria-invalid", "true")
    await expect(phone).to_be_focused()
    described = await phone.get_attribute("aria-describedby")
    assert described
    await expect(client.page.locator(f"#{described}")).to_be_visible()
    await expect(client.page.locator("[name=email]")).to_have_value(GUEST["email"])


async def test_a_hold_survives_another_language(client: Visit, place: Place) -> None:
    """The other language shows the same hold, and the choice stays on the pages that follow (U-4, U-5)."""
    booking = await hold(client, "intro", 12)
    await client.page.locator("a[lang=ru]").click()
    await expect(client.page.get_by_role("heading", level=1, name=say("ru", HELD))).to_be_visible()
    assert booking in client.page.url
    await fill(client)
    await client.page.get_by_role("button", name=say("ru", "Confirm the booking")).click()
    await expect(client.page.get_by_role("heading", level=1, name=say("ru", CONFIRMED))).to_be_visible()
    assert state_of(place, booking) == "confirmed"


async def test_a_booking_is_made_by_keys_alone(client: Visit, place: Place) -> None:
    """Whoever has only a keyboard comes to a confirmed booking, and sees at each step where they are (U-1, U-5)."""
    page = client.page
    await client.open(START)
    await _go_to(client, page.get_by_role("link", name=re.compile("Знакомство")))
    await page.keyboard.press("Enter")
    await expect(times(page).first).to_be_visible()
    await _go_to(client, times(page).first)
    await page.keyboard.press("Enter")
    await expect(heading(client, HELD)).to_be_visible()
    booking = number_of(page)
    for name, text in GUEST.items():
        await _go_to(client, page.locator(f"[name={name}]"))
        await page.keyboard.type(text)
    for box in await page.locator("input[type=checkbox][required]").all():
        await _go_to(client, box)
        await page.keyboard.press("Space")
    await _go_to(client, button(client, "Confirm the booking"))
    await page.keyboard.press("Enter")
    await expect(heading(client, CONFIRMED)).to_be_visible()
    assert state_of(place, booking) == "confirmed"


_OUTLINED = """(element) => {
  const style = getComputedStyle(element);
  return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 || style.boxShadow !== "none";
}"""


async def _go_to(client: Visit, wanted: Locator) -> None:
    """Press Tab until something has the focus, and see that it has."""
    for _ in range(200):
        if await wanted.evaluate("(element) => element === document.activeElement"):
            break
        await client.page.keyboard.press("Tab")
    await expect(wanted).to_be_focused()
    assert await wanted.evaluate(_OUTLINED), "the focus cannot be seen"
