"""A calendar at Google is connected through its page of consent, in a real browser."""

from playwright.async_api import expect

from browser.chromium import Visit
from browser.furnished import Place

PAGE = "/admin/settings/integrations"


async def _leave_for_google(owner: Visit, place: Place, resource: str) -> None:
    # The browser asks for the picture of a site by itself.
    await owner.context.route(f"{place.google.url}/favicon.ico", lambda route: route.abort())
    await owner.open(PAGE)
    await owner.page.locator("summary", has_text="Google Calendar").click()
    await owner.page.locator("[name=google-resourceId]").select_option(place.thing("resources", resource))
    await owner.page.get_by_role("button", name="Continue to Google").click()
    await owner.page.wait_for_url(f"{place.google.url}/**")


async def test_an_owner_connects_a_calendar(owner: Visit, place: Place) -> None:
    """From the page of integrations to Google and, allowed there, back to a calendar that is connected; the page has no
    secret of the account (C-1, C-7, U-3, U-5).
    """
    place.google.calendar()
    await _leave_for_google(owner, place, "anna")
    await owner.page.locator("button[value=allow]").click()
    await owner.page.wait_for_url(f"{place.url}{PAGE}**")
    card = owner.page.locator("article", has_text="Специалист Один")
    await expect(card).to_contain_text(place.google.oauth.account)
    [(state, provider)] = place.sql("select state, provider from calendar_connections")
    assert (state, provider) == ("connected", "google")
    assert await owner.amiss() == []


async def test_who_does_not_allow_it_connects_nothing(owner: Visit, place: Place) -> None:
    """Whoever refuses at Google is back on the page, which says so, and nothing is connected (C-1, U-3, U-5)."""
    [(before,)] = place.sql("select count(*) from calendar_connections")
    await _leave_for_google(owner, place, "boris")
    await owner.page.locator("button[value=deny]").click()
    await owner.page.wait_for_url(f"{place.url}{PAGE}**")
    await expect(owner.page.locator("main").locator(".notice, [role=alert], [role=status]").first).to_be_visible()
    assert place.sql("select count(*) from calendar_connections") == [(before,)]
    assert await owner.amiss() == []
