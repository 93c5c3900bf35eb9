"""The frame of the pages of staff: the menu, the languages, what is said of a field in another language."""

import httpx
import pytest

from admin.visiting import visitor
from holdfast.admin.frame import wrong_fields
from holdfast.identity.permissions import Role
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.languages import LANGUAGES
from identity.entrance import ORIGIN, Practice
from journeys.browser import Page
from wording import say


async def test_the_menu_shows_one_place(practice: Practice) -> None:
    """Of two places of the menu of which one lies below the other, only the nearest is where one is (U-3)."""
    owner = await visitor(practice, Role.OWNER)
    for path, current in (
        ("/admin/settings", "/admin/settings"),
        ("/admin/settings/embedding", "/admin/settings/embedding"),
        ("/admin/settings/integrations", "/admin/settings/integrations"),
    ):
        page = await owner.open(path)
        marked = [given["href"] for tag, given in page.tags if tag == "a" and given.get("aria-current") == "page"]
        assert marked == [current]


async def test_the_language_changes_on_a_form_that_was_refused(practice: Practice) -> None:
    """The link to the other language leads to a page, also where only forms are sent to the address (U-4)."""
    owner = await visitor(practice, Role.OWNER)
    page = await owner.open("/admin/settings/embedding")
    [form] = [form for form in page.forms if form.action == "/admin/settings/embedding"]
    refused = await owner.send(form, sites="no site")
    assert refused.status == 400
    [link] = [link for link in refused.links if "lang=" in link]
    assert (await owner.open(link)).status == 200


def test_nothing_is_said_in_another_language() -> None:
    """What only the API words, in English, is told in general words on a Russian page (U-4)."""
    known = ValidationFailed.at("name", say("en", "Please check what stands here."))
    unknown = ValidationFailed.at("name", "Expected `int`, got `str`")
    general = say("ru", "Please check what stands here.")
    assert wrong_fields("ru", known) == wrong_fields("ru", unknown) == {"name": general}
    assert wrong_fields("en", unknown) == {"name": "Expected `int`, got `str`"}


@pytest.mark.parametrize("language", LANGUAGES)
async def test_what_nobody_foresaw_is_a_page(practice: Practice, language: str) -> None:
    """Where this server fails, staff and clients see a page in their words that leads on, with nothing of the reason, and
    part of a page gets a notice (U-1, U-3).
    """
    owner = await visitor(practice, Role.OWNER)
    told = say(language, "Something went wrong on our side. Look whether it took effect before you try again.")
    transport = httpx.ASGITransport(practice.app, raise_app_exceptions=False)
    state = practice.app.state
    entries, state.admin_entries = state.admin_entries, None
    tenancy, state.tenancy = state.tenancy, None
    headers = {"Accept-Language": language, "Cookie": "; ".join(f"{k}={v}" for k, v in owner.http.cookies.items())}
    # Not by the visitor, whose every answer is expected to be no failure.
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=headers) as http:
        try:
            page = await http.get("/admin")
            part = await http.get("/admin", headers={"HX-Request": "true"})
            booking = await http.get("/booking/slot")
        finally:
            state.admin_entries, state.tenancy = entries, tenancy
    assert (page.status_code, part.status_code, booking.status_code) == (500, 500, 500)
    assert told in page.text
    assert "/admin" in Page(page).links
    assert told in part.text
    assert "<html" not in part.text
    unknown = "We do not know yet whether this worked. Send the form again: it takes effect only once."
    assert say(language, unknown) in booking.text
    assert "NoneType" not in page.text + part.text + booking.text
