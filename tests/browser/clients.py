"""What clients do with the pages of booking, as they see them: by the words on links and buttons."""

import re
from datetime import UTC, datetime, timedelta

from playwright.async_api import Locator, Page, expect

from browser.chromium import Visit
from browser.furnished import SLUG, Place
from wording import say

START = f"/{SLUG}/booking/slot"
GUEST = {"name": "Гость Первый", "email": "timofey@example.org", "phone": "+7 900 765-43-21"}
HELD, CONFIRMED = "This time is held for you", "Your booking is confirmed"
_NUMBER = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ORDER = re.compile("orderId=.")


def heading(client: Visit, words: str) -> Locator:
    """Return the heading of the first rank that says this, in the language of the client."""
    return client.page.get_by_role("heading", level=1, name=say(client.manner.language, words))


def button(client: Visit, words: str) -> Locator:
    """Return the button that says this, in the language of the client."""
    return client.page.get_by_role("button", name=say(client.manner.language, words))


def times(page: Page) -> Locator:
    """Return the buttons of the times that a page offers."""
    return page.locator("button[name=start]")


def day(ahead: int) -> str:
    """Return a date so many days ahead."""
    return str(datetime.now(UTC).date() + timedelta(days=ahead))


async def open_times(client: Visit, service: str, ahead: int, **choices: str) -> None:
    """Open the times of a service on a day."""
    more = "".join(f"&{name}={value}" for name, value in choices.items())
    await client.open(f"{START}?service={service}&day={day(ahead)}{more}")


async def hold(client: Visit, service: str, ahead: int, number: int = 0, **choices: str) -> str:
    """Hold one of the times of a day; return the number of the booking."""
    await open_times(client, service, ahead, **choices)
    await times(client.page).nth(number).click()
    await expect(heading(client, HELD)).to_be_visible()
    return number_of(client.page)


async def fill(client: Visit, **typed: str) -> None:
    """Type the details of a client, and agree to what has to be agreed to."""
    for name, text in (GUEST | typed).items():
        await client.page.locator(f"[name={name}]").fill(text)
    for box in await client.page.locator("input[type=checkbox][required]").all():
        await box.check()


async def confirm(client: Visit) -> None:
    """Make of what is held a booking."""
    await button(client, "Confirm the booking").click()
    await expect(heading(client, CONFIRMED)).to_be_visible()


async def book(client: Visit, service: str, ahead: int, number: int = 0, **choices: str) -> str:
    """Book one of the times of a day; return the number of the booking."""
    made = await hold(client, service, ahead, number, **choices)
    await fill(client)
    await confirm(client)
    return made


def number_of(page: Page) -> str:
    """Return the number of the booking whose page is open."""
    found = _NUMBER.search(page.url)
    assert found is not None, f"{page.url} is of no booking"
    return found.group()


def state_of(place: Place, booking: str) -> str:
    """Return how a booking stands, as its row has it."""
    [(state,)] = place.sql("select state from bookings where id = %s", booking)
    return str(state)


async def pay(place: Place, page: Page) -> None:
    """Pay at YooKassa what its page asks for, once it is there, and let YooKassa tell of it."""
    await expect(page).to_have_url(_ORDER)
    place.yookassa.pay(page.url.partition("orderId=")[2])
    place.deliver()
