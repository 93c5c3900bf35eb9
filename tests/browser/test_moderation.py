"""Questions of the public are answered by staff, in a real browser."""

from playwright.async_api import Browser, expect

from browser.chromium import Manner, Visit, visit
from browser.furnished import SLUG, Place

QUESTION = "Как спать спокойнее?"
ANSWER = "Ложитесь в одно время. И не читайте новостей."


def ask(place: Place) -> str:
    """Ask something as a visitor; return its number."""
    question = {"business": SLUG, "text": QUESTION, "consent": True, "locale": "ru"}
    return str(place.call("POST", "/api/public/questions", question)["id"])


def status_of(place: Place, item: str) -> str:
    """Return how a question stands, as its row has it."""
    [(status,)] = place.sql("select status from ugc_items where id = %s", item)
    return str(status)


async def press(staff: Visit, name: str) -> None:
    """Press a button, which leads to the page of what was done."""
    await staff.page.get_by_role("button", name=name, exact=True).click()
    await staff.page.wait_for_url("**done=**")


async def test_a_question_is_answered_and_published(owner: Visit, place: Place) -> None:
    """The owner finds a question in the queue, takes it, answers it, and publishes other words than those that were confided
    (U-3, U-5).
    """
    item = ask(place)
    await owner.open("/admin/moderation")
    await owner.page.locator(f"a[href='/admin/moderation/{item}']").click()
    await expect(owner.page.get_by_text(QUESTION)).to_be_visible()
    await press(owner, "Assign the question")
    await owner.page.get_by_label("Your answer").fill(ANSWER)
    await press(owner, "Send the answer")
    assert status_of(place, item) == "answered"
    await owner.page.get_by_label("The question, in your words").fill("Что помогает уснуть?")
    await owner.page.get_by_label("The answer for everybody").fill("Порядок и покой.")
    await press(owner, "Publish these words")
    assert status_of(place, item) == "published"
    assert await owner.amiss() == []


async def test_two_people_judge_one_question(browser: Browser, owner: Visit, place: Place) -> None:
    """Who answers what a colleague has judged meanwhile is told so, changes nothing, and finds what was typed (B-15, U-3, U-5)."""
    item = ask(place)
    await owner.open(f"/admin/moderation/{item}")
    await press(owner, "Assign the question")
    async with visit(browser, place.url, Manner(), place.logins["owner"]) as other:
        await other.open(f"/admin/moderation/{item}")
        await owner.page.get_by_label("Your answer").fill(ANSWER)
        await other.page.locator("summary", has_text="Escalate").click()
        await press(other, "Escalate the question")
    await owner.page.get_by_role("button", name="Send the answer", exact=True).click()
    await expect(owner.page.get_by_role("alert")).to_be_visible()
    await expect(owner.page.get_by_label("Your answer")).to_have_value(ANSWER)
    assert status_of(place, item) != "answered"
    await press(owner, "Send the answer")
    assert status_of(place, item) == "answered"
    assert await owner.amiss() == []
