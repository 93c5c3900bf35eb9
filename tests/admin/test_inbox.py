"""The inbox by its page: every kind in words, and what is done about an item."""

from uuid import UUID, uuid4

import pytest

import holdfast.web
import holdfast.worker  # noqa: F401 - what is imported has declared its kinds
from admin.visiting import Visitor, form_to, visitor
from holdfast.admin.attention_words import SEVERITIES, STATUSES, WORDS
from holdfast.identity.permissions import Role
from holdfast.kernel.attention import KINDS, Severity, raise_item, resolve
from holdfast.kernel.audit import SYSTEM
from holdfast.kernel.languages import LANGUAGES, translations
from identity.entrance import Practice
from wording import say

# What only tests raise.
OWN = "tests_"
KINDS_OF_CODE = sorted(kind for kind in KINDS.names() if not kind.startswith(OWN))


async def raised(practice: Practice, kind: str = "calendar_gone", severity: Severity = Severity.WARNING) -> UUID:
    """Raise an item; return its id."""
    raised = await practice.database.run(practice.business_id, lambda tx: raise_item(tx, kind, uuid4(), severity))
    item: UUID = raised[0]
    return item


async def resolved(practice: Practice, item: UUID) -> None:
    """Let an item be done by somebody."""
    await practice.database.run(practice.business_id, lambda tx: resolve(tx, item, SYSTEM, None))


def titles(page_text: str, language: str = "en") -> list[str]:
    """Return the kinds of which a page tells, by their titles."""
    return [kind for kind, words in WORDS.items() if say(language, words.title) in page_text]


def test_each_kind_has_words() -> None:
    """Whatever the code can put before staff has a title, what has happened and what to do, in both languages (U-3, U-4)."""
    assert sorted(WORDS) == KINDS_OF_CODE
    for language in set(LANGUAGES) - {"en"}:
        say_ = translations(language).gettext
        for words in WORDS.values():
            for text in (words.title, words.happened, words.to_do, words.link):
                assert say_(text) != text
    assert (set(SEVERITIES), set(STATUSES)) == (set(Severity), {"open", "snoozed", "resolved"})


@pytest.mark.parametrize("language", LANGUAGES)
async def test_each_kind_is_shown_in_words(practice: Practice, language: str) -> None:
    """An item of every kind is listed with its title, what has happened and what to do (U-3, U-4)."""
    for kind in KINDS_OF_CODE:
        await raised(practice, kind)
    desk = await visitor(practice, Role.ASSISTANT)
    page = await desk.open("/admin/inbox", language)
    for words in WORDS.values():
        for text in (words.title, words.happened, words.to_do):
            assert say(language, text) in page.text


async def test_the_most_urgent_comes_first(practice: Practice) -> None:
    """Items stand by how soon somebody has to look, and of each the oldest first (U-3)."""
    await raised(practice, "payment_late", Severity.INFO)
    await raised(practice, "calendar_gone", Severity.WARNING)
    await raised(practice, "calendar_stale", Severity.WARNING)
    await raised(practice, "refund_refused", Severity.URGENT)
    page = await (await visitor(practice, Role.OWNER)).open("/admin/inbox")
    order = ("refund_refused", "calendar_gone", "calendar_stale", "payment_late")
    # Each title stands among the filters as well.
    places = [page.text.rindex(WORDS[kind].title) for kind in order]
    assert places == sorted(places)


async def test_an_item_is_taken_on_and_given_back(practice: Practice) -> None:
    """Whoever takes an item on is named to the others, finds it under their own, and may give it back (U-3)."""
    item = await raised(practice)
    await raised(practice, "payment_late", Severity.INFO)
    desk, other = await visitor(practice, Role.ASSISTANT), await visitor(practice, Role.OWNER)
    page = await desk.open("/admin/inbox", severity="warning")
    taken = await desk.send(form_to(page, f"{item}/assign"))
    assert say("en", "You have taken it on.") in taken.text
    assert taken.address.endswith("/admin/inbox?severity=warning&done=assigned")
    assert "taken on by: Guest" in (await other.open("/admin/inbox")).text
    mine = await desk.open("/admin/inbox", mine="yes")
    assert f"item-{item}" in mine.source
    assert mine.source.count('class="card item') == 1
    back = await desk.send(form_to(mine, f"{item}/assign"))
    assert say("en", "It is for everybody again.") in back.text
    assert 'class="card item' not in (await desk.open("/admin/inbox", mine="yes")).source


async def test_an_item_is_put_aside(practice: Practice) -> None:
    """What is put aside leaves the open items and stands among those for later (U-3)."""
    item, desk = await raised(practice), await visitor(practice, Role.ASSISTANT)
    after = await desk.send(form_to(await desk.open("/admin/inbox"), f"{item}/snooze"), hours="72")
    assert say("en", "Nothing needs you") in after.text
    later = await desk.open("/admin/inbox", status="snoozed")
    assert "comes back on" in later.text
    refused = await desk.send(form_to(later, f"{item}/snooze"), hours="0")
    assert refused.status == 400


async def test_an_item_is_done(practice: Practice) -> None:
    """What is done is told by whom; whoever comes too late hears that it is done (U-3)."""
    item = await raised(practice)
    desk, other = await visitor(practice, Role.ASSISTANT), await visitor(practice, Role.OWNER)
    late = form_to(await other.open("/admin/inbox"), f"{item}/resolve")
    after = await desk.send(form_to(await desk.open("/admin/inbox"), f"{item}/resolve"), reason="Shared it again")
    assert say("en", "It is done.") in after.text
    done = await other.open("/admin/inbox", status="resolved")
    assert "by: Guest" in done.text
    assert "Shared it again" not in done.source
    refused = await other.send(late)
    assert refused.status == 409
    assert "This item is resolved" in refused.text


async def test_many_items_come_in_pages(practice: Practice) -> None:
    """Beyond what one page shows each severity leads on, open items as those that are done (H-2)."""
    items = [await raised(practice) for _ in range(51)]
    desk = await visitor(practice, Role.ASSISTANT)
    for status in ("open", "resolved"):
        first = await desk.open("/admin/inbox", status=status)
        [more] = [link for link in first.links if "cursor=" in link]
        rest = await desk.open(more)
        shown = [page.source.count('class="card item') for page in (first, rest)]
        assert shown == [50, 1], status
        for item in items:
            assert sum(f'id="item-{item}"' in page.source for page in (first, rest)) == 1
            if status == "open":
                await resolved(practice, item)


async def test_what_is_new_is_announced(practice: Practice) -> None:
    """A page that stays open hears how many items have come up since, in a region that is read out (U-3)."""
    desk = await visitor(practice, Role.ASSISTANT)
    page = await desk.open("/admin/inbox")
    [region] = [given for _, given in page.tags if given.get("aria-live") == "polite"]
    news = str(region["hx-get"])
    before = news.replace(news.partition("=")[2], "1000000000")
    assert (await desk.open(news)).text == ""
    await raised(practice)
    assert "1 more item has come up." in (await desk.open(before)).text
    for nonsense in ("", "x", "99999999999999999999"):
        assert (await desk.open(f"/admin/inbox/news?since={nonsense}")).status == 200


async def test_nothing_of_other_businesses_is_done(practice: Practice, other_practice: Practice) -> None:
    """An item of another business is one that nobody has (D-9)."""
    theirs, desk = await raised(other_practice), await visitor(practice, Role.OWNER)
    form = form_to(await desk.open("/admin/inbox"), "/logout")
    for step in ("assign", "snooze", "resolve"):
        form.action = f"/admin/inbox/{theirs}/{step}"
        assert (await desk.send(form)).status == 404
    assert await _is_open(other_practice)


async def _is_open(practice: Practice) -> bool:
    desk: Visitor = await visitor(practice, Role.OWNER)
    return 'class="card item' in (await desk.open("/admin/inbox")).source
