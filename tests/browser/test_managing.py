"""Clients come back by their link: they look, move, cancel, and take the appointment into their calendar."""

import asyncio
import re
from datetime import datetime
from typing import Any

from icalendar import Calendar
from playwright.async_api import expect

from browser.chromium import Visit
from browser.clients import START, button, day, heading, state_of
from browser.furnished import Place

Json = dict[str, Any]


def path(made: Json, then: str = "") -> str:
    """Return the address that a client has been given."""
    return f"{START}/manage/{made['appointmentId']}{then}?token={made['cancellationToken']}"


async def choose(client: Visit, made: Json, ahead: int, number: int) -> None:
    """Choose another time of a day."""
    await client.open(f"{path(made, '/move')}&day={day(ahead)}")
    await client.page.locator("ul.times a").nth(number).click()
    await expect(heading(client, "Move the booking to this time?")).to_be_visible()


def start_of(place: Place, made: Json) -> Any:
    """Return when an appointment begins, as its row has it."""
    [(start,)] = place.sql("select starts_at from bookings where id = %s", made["appointmentId"])
    return start


async def test_a_booking_is_moved(client: Visit, place: Place) -> None:
    """By the link of a confirmation a client finds the booking, moves it to another time, and is told so (B-16, U-2, U-5)."""
    made = place.book("Гость Девятнадцатый", "intro", 13, 1)
    before = start_of(place, made)
    await client.open(path(made))
    await client.page.get_by_role("link", name="Move the booking").click()
    await choose(client, made, 13, 8)
    assert start_of(place, made) == before
    await button(client, "Yes, move it").click()
    await expect(client.page.get_by_role("status")).to_contain_text("Your booking is moved.")
    assert start_of(place, made) > before
    assert await client.amiss() == []


async def test_a_move_that_loses_the_race_changes_nothing(client: Visit, place: Place) -> None:
    """Whose new time is taken meanwhile keeps the old one, is told so, and takes one that is near (B-16, B-22, U-2, U-5)."""
    made = place.book("Гость Двадцатый", "couple", 15, 1)
    before = start_of(place, made)
    await choose(client, made, 15, 3)
    chosen = int(await client.page.locator("input[name=start]").input_value())
    free = [datetime.fromisoformat(slot["start"]).timestamp() for slot in place.slots("couple", 15)]
    place.hold("couple", 15, free.index(chosen))
    await button(client, "Yes, move it").click()
    await expect(client.page.get_by_role("alert")).to_contain_text("Your booking is as it was.")
    assert start_of(place, made) == before
    await client.page.locator("ul.times a").first.click()
    await button(client, "Yes, move it").click()
    await expect(client.page.get_by_role("status")).to_contain_text("Your booking is moved.")
    assert start_of(place, made) != before


async def test_a_booking_is_cancelled(client: Visit, place: Place) -> None:
    """Opening the link changes nothing; the client cancels by a button, is told that it is done, and the place is free
    (B-17, U-2, U-5).
    """
    made = place.book("Гость Тридцатый", "intro", 16, 2)
    await client.open(path(made))
    await client.page.get_by_role("link", name="Cancel the booking").click()
    assert state_of(place, made["appointmentId"]) == "confirmed"
    await button(client, "Yes, cancel it").click()
    await expect(heading(client, "This booking is cancelled")).to_be_visible()
    assert state_of(place, made["appointmentId"]) == "cancelled"
    await client.page.go_back()
    await client.page.reload()
    await expect(client.page.get_by_role("button", name="Yes, cancel it")).to_have_count(0)
    assert await client.amiss() == []


async def test_the_calendar_file_names_the_instant_of_the_page(client: Visit, place: Place) -> None:
    """The file for a calendar names the very instant that the booking has (U-2, U-5)."""
    made = place.book("Гость Сороковой", "session", 17, 3)
    await client.open(path(made))
    async with client.page.expect_download() as waited:
        await client.page.get_by_role("link", name=re.compile("Add to your calendar")).click()
    file = await (await waited.value).path()
    [event] = Calendar.from_ical(await asyncio.to_thread(file.read_bytes)).walk("VEVENT")
    assert event["DTSTART"].dt == start_of(place, made)
