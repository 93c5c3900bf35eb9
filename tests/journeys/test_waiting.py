"""Whoever waits finds what they are offered on their page, made by the worker that the server runs."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from journeys.browser import Browser, Page
from journeys.instance import Instance, eventually
from wording import say

WAIT = "/emotional-balance/booking/slot/waitlist"


@pytest.fixture
def browser(running: Instance) -> Iterator[Browser]:
    """A client who waits, and says in each call in which language."""
    with Browser(running.url) as opened:
        yield opened


def wait(browser: Browser, day: int, language: str) -> Page:
    """Wait for a free day by the form; return the page of the request."""
    first = (datetime.now(UTC) + timedelta(days=day)).date().isoformat()
    form = browser.open(WAIT, service="intro-call", day=first, lang=language).form
    typed = {"from": first, "to": first, "email": f"{uuid4().hex}@example.org", "name": "Guest who waits"}
    waiting = browser.send(form, **typed)
    assert waiting.status == 200, waiting.text
    [link] = [link for link in waiting.links if "/booking/slot/offer/" in link]
    return browser.open(link)


def offered(browser: Browser, standing: Page) -> Page:
    """Return the page of a request when the worker has come by."""
    address = standing.address

    def look() -> Page | None:
        page = browser.open(address.removeprefix(browser.url))
        return page if len(page.forms) > 1 else None

    found: Page = eventually(look)
    return found


@pytest.mark.parametrize(("day", "language"), [(15, "en"), (16, "ru")])
def test_from_waiting_to_a_confirmed_booking(browser: Browser, day: int, language: str) -> None:
    """Whoever waits for a free time is offered it within seconds, takes it with the form that knows them already, and reads
    that it is theirs; one who declines has left (W-1, U-1, U-4).
    """
    first, second = (offered(browser, wait(browser, day, language)) for _ in range(2))
    assert say(language, "A place is free for you") in first.text
    details, decline = first.forms
    assert details.fields["name"] == "Guest who waits"
    confirmed = browser.send(details, consent="yes")
    assert say(language, "Your booking is confirmed") in confirmed.text
    assert say(language, "You have taken this place") in browser.open(first.address.removeprefix(browser.url)).text
    left = browser.send(second.forms[1])
    assert say(language, "You have left the waitlist") in left.text
    assert decline.action != details.action
    assert re.search(r"/held/[0-9a-f-]{36}", details.action)
