"""Settings by their page: each in words, and changed with what others see of it."""

import msgspec
import pytest

from admin.visiting import Visitor, form_to, visitor, wrong_fields
from holdfast.admin.settings_words import GROUPS, WORDS
from holdfast.administration import settings
from holdfast.administration.settings import SETTINGS
from holdfast.catalog.services import put_service
from holdfast.identity import businesses
from holdfast.identity.permissions import Role
from holdfast.kernel.database import Transaction
from holdfast.kernel.languages import LANGUAGES, translations
from identity.entrance import Practice
from wording import say

PATH = "/admin/settings"


async def value_of(practice: Practice, key: str) -> object:
    """Return what a setting is."""
    return await practice.database.run(practice.business_id, lambda tx: settings.read(tx, SETTINGS[key]))


async def reasons(practice: Practice, owner: Visitor) -> list[dict[str, object]]:
    """Return what the audit log tells of settings."""
    found = msgspec.json.decode((await owner.ask("GET", "/api/admin/audit?kind=setting")).content)
    entries: list[dict[str, object]] = found["entries"]
    return entries


def test_each_setting_has_words() -> None:
    """Every setting has a title, a meaning, and words for each value, in both languages, and stands in one group (U-3, U-4)."""
    assert set(WORDS) == set(SETTINGS)
    assert sorted(key for _, keys in GROUPS for key in keys) == sorted(SETTINGS)
    for key, words in WORDS.items():
        texts = [words.title, words.text, *words.values.values()]
        for language in set(LANGUAGES) - {"en"}:
            assert [text for text in texts if translations(language).gettext(text) == text] == [], key
        if SETTINGS[key].type in {"word", "flag"}:
            assert set(words.values) == set(SETTINGS[key].choice)
        if SETTINGS[key].type == "number":
            assert words.unit is not None


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_setting_is_shown(practice: Practice, language: str) -> None:
    """The page shows each setting with its meaning, what it is, and that it is the default (U-3, U-4)."""
    page = await (await visitor(practice, Role.ASSISTANT)).open(PATH, language)
    for words in WORDS.values():
        assert say(language, words.title) in page.text
        assert say(language, words.text) in page.text
    assert page.text.count(say(language, "default")) >= len(WORDS)


async def test_a_setting_is_changed_with_its_reason(practice: Practice) -> None:
    """A number, a choice and a flag are changed and set back; the log has each change and that there is a reason (U-3)."""
    owner = await visitor(practice, Role.OWNER)
    for key, typed, value in (
        ("reminder_hours", "48", 48),
        ("calendar_outage", "keep", "keep"),
        ("gcal_integration_enabled", "prod", "prod"),
    ):
        form = form_to(await owner.open(PATH), f"/{key}")
        after = await owner.send(form, value=typed, reason="Because", default=None)
        assert say("en", "The setting was changed. It counts at once, at every server.") in after.text
        assert await value_of(practice, key) == value
        back = await owner.send(form_to(after, f"/{key}"), default="yes")
        assert say("en", "The setting is back at its default.") in back.text
        assert await value_of(practice, key) == SETTINGS[key].default
    told = [(entry["toState"], entry["hasReason"]) for entry in await reasons(practice, owner)]
    assert told == [("off", False), ("prod", True), ("hide", False), ("keep", True), ("24", False), ("48", True)]


async def test_what_a_setting_cannot_be_is_told(practice: Practice) -> None:
    """A value out of bounds is refused in words beside the setting, with what was typed, and changes nothing (U-3)."""
    owner = await visitor(practice, Role.OWNER)
    form = form_to(await owner.open(PATH), "/reminder_hours")
    for typed in ("0", "169", "soon", "", "1.5", "٣", "9" * 30):
        refused = await owner.send(form, value=typed, reason="Because")
        assert refused.status == 400, typed
        assert "Enter a whole number from 1 to 168." in refused.text
        assert form_to(refused, "/reminder_hours").fields["reason"] == "Because"
    word = form_to(await owner.open(PATH), "/calendar_outage")
    assert (await owner.send(word, value="maybe")).status == 400
    assert await value_of(practice, "reminder_hours") == 24
    word.action = f"{PATH}/nothing"
    assert (await owner.send(word)).status == 404


async def test_nobody_overwrites_a_setting_they_did_not_see(practice: Practice) -> None:
    """A form from before somebody else's change is refused in words, and that change stays (B-15)."""
    owner, colleague = await visitor(practice, Role.OWNER), await visitor(practice, Role.OWNER)
    late = form_to(await owner.open(PATH), "/reminder_hours")
    await colleague.send(form_to(await colleague.open(PATH), "/reminder_hours"), value="12")
    refused = await owner.send(late, value="36")
    assert (refused.status, await value_of(practice, "reminder_hours")) == (409, 12)
    assert "This was changed by somebody else meanwhile" in refused.text
    assert (await owner.send(form_to(refused, "/reminder_hours"), value="36", default=None)).status == 200


async def test_an_assistant_reads_only(practice: Practice) -> None:
    """Whoever may only read settings has no form to change them, and none that they make up serves (D-7)."""
    desk = await visitor(practice, Role.ASSISTANT)
    page = await desk.open(PATH)
    assert [form.action for form in page.forms if form.action.startswith(PATH)] == []
    made_up = form_to(page, "/logout")
    for action in ("reminder_hours", "business"):
        made_up.action = f"{PATH}/{action}"
        assert (await desk.send(made_up, value="12", seen="x", name="Mine")).status in {403, 409}
    assert await value_of(practice, "reminder_hours") == 24


async def test_the_practice_is_changed(practice: Practice) -> None:
    """Name, zone, language and currency of a practice without prices are what the form says, each told in the log (U-3)."""
    owner = await visitor(practice, Role.OWNER)
    form = form_to(await owner.open(PATH), "/business")
    typed = {"name": "Другая практика", "timezone": "Asia/Tokyo", "currency": "jpy", "locale": "ru"}
    after = await owner.send(form, **typed)
    assert say("en", "The practice was changed. It counts at once, at every server.") in after.text
    now = await practice.database.run(practice.business_id, businesses.current)
    assert now is not None
    assert (now.name, now.timezone, now.currency, now.locale) == ("Другая практика", "Asia/Tokyo", "JPY", "ru")
    found = msgspec.json.decode((await owner.ask("GET", "/api/admin/audit?kind=business")).content)["entries"]
    assert {entry["action"]: (entry["fromState"], entry["toState"]) for entry in found} == {
        "change_timezone": ("UTC", "Asia/Tokyo"),
        "change_currency": ("EUR", "JPY"),
        "change_locale": ("en", "ru"),
        "rename_business": (None, None),
    }
    late = await owner.send(form, **typed | {"name": "Late"})
    assert late.status == 409


async def test_what_is_wrong_with_the_practice_is_told(practice: Practice) -> None:
    """Each wrong fact of the practice is marked at its field (U-3)."""
    owner = await visitor(practice, Role.OWNER)
    form = form_to(await owner.open(PATH), "/business")
    good = {"name": "Practice", "timezone": "UTC", "currency": "EUR", "locale": "en"}
    for wrong in ({"name": " "}, {"timezone": "Mars/Base"}, {"currency": "EURO"}, {"locale": "x"}):
        refused = await owner.send(form, **good | wrong)
        assert (refused.status, wrong_fields(refused)) == (400, set(wrong))


async def test_a_currency_with_prices_stays(practice: Practice) -> None:
    """As soon as something has a price the currency stays, whatever a form says (P-8)."""

    async def price(tx: Transaction) -> None:
        await put_service(tx, slug="talk", name="Talk", duration_minutes=60, requirements=[], price_minor=5_000)

    await practice.database.run(practice.business_id, price)
    owner = await visitor(practice, Role.OWNER)
    page = await owner.open(PATH)
    assert say("en", "It is fixed, since something has a price or was paid in it.") in page.text
    typed = {"name": "Renamed", "timezone": "UTC", "currency": "JPY", "locale": "en"}
    assert (await owner.send(form_to(page, "/business"), **typed)).status == 200
    now = await practice.database.run(practice.business_id, businesses.current)
    assert now is not None
    assert (now.name, now.currency) == ("Renamed", "EUR")
