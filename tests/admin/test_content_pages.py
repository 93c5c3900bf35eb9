"""Publications at the pages of staff: written by several, previewed as they are read, published and restored (U-3, D-1)."""

from typing import Any
from uuid import UUID

import pytest

from admin.desk import PLANTED, Desk, Typed, elements, runs_planted
from holdfast.admin.content_reading import as_read, changes
from holdfast.content import items, media
from holdfast.content.media import MediaBody
from holdfast.content.shapes import ItemBody, ItemView
from holdfast.content.states import ContentType, Step
from holdfast.kernel.errors import NotFound
from journeys.browser import Page
from wording import say

PATH = "/admin/content"
TEXT = {"title": "Sleep", "slug": "sleep", "locale": "en", "summary": "On sleep", "body": "# Lie down\n\nEarly."}


async def written(at: Desk, **more: Any) -> ItemView:
    """Return a draft."""
    body = ItemBody(type=ContentType.ARTICLE, **{**TEXT, **more})
    return await at.run(lambda tx: items.create(tx, body, at.staff.actor))


async def kept(at: Desk, item_id: UUID) -> ItemView:
    """Return an item as it is kept."""
    return await at.run(lambda tx: items.read(tx, item_id))


def seen(item: ItemView, **typed: str | list[str]) -> dict[str, Any]:
    """Return what an editor who has opened an item sends, with what they have changed."""
    same = {name: getattr(item, name) for name in TEXT}
    return {**same, "version": str(item.version), "number": str(item.content_version), **typed}


async def test_a_text_goes_its_way_to_the_public_and_back(editor: Desk) -> None:
    """A draft is written, submitted, published, changed, published anew, archived and made a draft again, each by its
    button, and the page says what readers see then (U-3, D-1).
    """
    begun = await editor.done(f"{PATH}/new", type="article", **TEXT)
    assert say("en", "The draft is kept.") in begun.text
    path = begun.address.partition("?")[0].removeprefix("http://practice.test")
    item_id = UUID(path.rpartition("/")[2])
    public = f"/api/public/content/article/sleep?business={editor.practice.slug}"
    for step, version, status in (("submit", 1, 404), ("publish", 2, 200)):
        shown = await editor.done(f"{path}/{step}", version=str(version))
        assert (await editor.browser.http.get(public)).status_code == status
    assert "published is version 1" in shown.text
    saved = await editor.done(path, **seen(await kept(editor, item_id), body="Later."))
    assert "Publish the newest version" in saved.text
    assert (await editor.browser.http.get(public)).json()["body"] == TEXT["body"]
    await editor.done(f"{path}/publish", version="4")
    assert (await editor.browser.http.get(public)).json()["body"] == "Later."
    archived = await editor.done(f"{path}/archive", version="5")
    assert (await editor.browser.http.get(public)).status_code == 404
    assert elements(archived, "textarea") == []
    again = await editor.done(f"{path}/return", version="6")
    assert Typed(again.source).fields["body"] == "Later."


async def test_two_who_change_different_things_lose_nothing(editor: Desk, owner: Desk) -> None:
    """Who saves later is told of the other's version; what only the other one has changed is taken over, and the next
    save keeps both (U-3).
    """
    item = await written(editor)
    await owner.done(f"{PATH}/{item.id}", **seen(item, title="Sleeping"))
    late = await editor.send(f"{PATH}/{item.id}", **seen(item, body="Early, and dark."))
    fields = Typed(late.text).fields
    assert late.status_code == 409
    assert (fields["title"], fields["body"]) == ("Sleeping", "Early, and dark.")
    assert "Taken over from them, since you had not changed it: Title." in Page(late).text
    both = {name: fields[name] for name in (*TEXT, "version", "number") if name != "locale"}
    await editor.done(f"{PATH}/{item.id}", **both, locale="en")
    now = await kept(editor, item.id)
    assert (now.title, now.body) == ("Sleeping", "Early, and dark.")


async def test_two_who_change_the_same_see_both(editor: Desk, owner: Desk) -> None:
    """Where both have changed a text, what was typed stays in its field, and the other's is shown beside it (U-3)."""
    item = await written(editor)
    await owner.done(f"{PATH}/{item.id}", **seen(item, body="The owner's text."))
    late = await editor.send(f"{PATH}/{item.id}", **seen(item, body="The editor's text."))
    assert Typed(late.text).fields["body"] == "The editor's text."
    assert "What is saved now The owner's text." in Page(late).text
    assert (await kept(editor, item.id)).body == "The owner's text."


@pytest.mark.parametrize("language", ["en", "ru"])
async def test_a_slip_is_told_at_its_field(editor: Desk, language: str) -> None:
    """A wrong address is refused at its field in the language of the page, and what was typed is all there (U-3, U-4)."""
    refused = await editor.send(f"{PATH}/new", language, type="article", **TEXT | {"slug": "No Slug!"})
    assert refused.status_code == 400
    typed = Typed(refused.text)
    assert typed.wrong == {"slug"}
    assert {name: typed.fields[name] for name in ("title", "slug", "summary", "body")} == {
        **{name: TEXT[name] for name in ("title", "summary", "body")},
        "slug": "No Slug!",
    }
    assert say(language, "must be words of small letters and digits, joined by hyphens") in Page(refused).text


@pytest.mark.parametrize("language", ["en", "ru"])
async def test_too_much_at_once_is_told_as_a_page(editor: Desk, language: str) -> None:
    """A form that is longer than is read is answered by a page in the language of who has sent it (U-3, U-4)."""
    refused = await editor.send(f"{PATH}/new", language, body="x" * 1_100_000)
    assert (refused.status_code, refused.headers["content-type"]) == (413, "text/html; charset=utf-8")
    assert say(language, "This is too much to send at once; nothing was changed, send less") in Page(refused).text


async def test_an_address_that_is_taken_is_told_at_its_field(editor: Desk) -> None:
    """A second item of the same kind and address is refused at the field of the address (U-3)."""
    await written(editor)
    refused = await editor.send(f"{PATH}/new", type="article", **TEXT)
    assert (refused.status_code, Typed(refused.text).wrong) == (409, {"slug"})


async def test_a_summary_can_be_taken_away(editor: Desk) -> None:
    """A field that is emptied is empty afterwards; blanks that do not break are kept as they were typed (U-3)."""
    item = await written(editor)
    await editor.done(f"{PATH}/{item.id}", **seen(item, summary="", body="a\u00a0b"))
    now = await kept(editor, item.id)
    assert (now.summary, now.body) == ("", "a\u00a0b")


async def test_a_preview_is_what_readers_see(editor: Desk) -> None:
    """What is typed is shown as it will be read and is not kept: a part of the page where htmx asks, else a page (U-3)."""
    part = Page(await editor.send(f"{PATH}/preview", htmx=True, title="Air", body="**Breathe**", locale="en"))
    assert elements(part, "html") == []
    assert elements(part, "strong") == [("strong", {})]
    whole = Page(await editor.send(f"{PATH}/preview", title="Air", body="**Breathe**", locale="en"))
    assert "Air" in whole.text
    assert len(elements(whole, "h1")) == 1
    assert await editor.run(lambda tx: items.list_items(tx, items.Filters(), cursor=None, limit=5)) == ([], None)


async def test_a_planted_text_is_shown_as_text(editor: Desk) -> None:
    """Markup in every text of an item is shown as it was typed: in editor, preview, versions and lists (U-3)."""
    item = await written(editor, title=PLANTED, summary=PLANTED, body=PLANTED)
    changed = seen(item, body=f"{PLANTED}\n\n[x](javascript:planted()) ![{PLANTED}](https://elsewhere.test/a.png)")
    await editor.done(f"{PATH}/{item.id}", **changed)
    for path in ("", "/preview", "/versions", "/versions/2"):
        shown = await editor.page(f"{PATH}/{item.id}{path}")
        assert "<script>planted()</script>" in shown.text
        assert not runs_planted(shown)
    assert not runs_planted(await editor.page(PATH))


@pytest.mark.parametrize(
    "text",
    [
        "<script>planted()</script>",
        "<img src=x onerror=planted()>",
        "[a](javascript:planted())",
        "[a](JaVaScRiPt:planted())",
        "[a](&#106;avascript:planted())",
        "[a]( data:text/html;base64,PHNjcmlwdD4=)",
        "<javascript:planted()>",
        "[a]: javascript:planted()\n\n[a]",
        "![a](javascript:planted())",
        '!["onerror=planted()](x)',
        '```"><script>planted()</script>\ntext\n```',
        '[a](https://x.test "\\"onmouseover=planted()")',
        "[a](//elsewhere.test/a)",
    ],
)
def test_markdown_makes_nothing_that_runs(text: str) -> None:
    """Whatever is written as Markdown or HTML becomes no script, no picture, no handler and no link but to pages (U-3)."""
    parsed = Typed(str(as_read(text)))
    tags: list[tuple[str, dict[str, str | None]]] = []
    parsed.handle_starttag = lambda tag, attrs: tags.append((tag, dict(attrs)))  # type: ignore[method-assign]
    parsed.feed(str(as_read(text)))
    assert {tag for tag, _ in tags} <= {"p", "a", "span", "pre", "code"}
    assert {name for _, given in tags for name in given} <= {"href", "rel", "title", "class"}
    assert [given["href"] for tag, given in tags if tag == "a" and given["href"] != "https://x.test"] == []


def test_headings_of_a_text_stand_below_its_title() -> None:
    """The first heading of a text is of the third rank, below the page's and the text's own (U-3)."""
    assert str(as_read("# One\n\n###### Six")) == "<h3>One</h3>\n<h6>Six</h6>\n"


def test_changes_name_lines_that_differ() -> None:
    """What differs between two texts is told line by line, escaped, with what stands around it (U-3)."""
    assert str(changes("a\nb\nc", "a\n<b>\nc")) == (
        "<i>…</i><span>a</span><del>b</del><ins>&lt;b&gt;</ins><span>c</span>"
    )
    assert str(changes("a", "a")) == ""


async def test_versions_tell_what_has_changed_and_can_be_restored(editor: Desk) -> None:
    """Each version says what is another in it; restoring one makes its text the newest, and loses none (U-3, D-1)."""
    item = await written(editor)
    await editor.done(f"{PATH}/{item.id}", **seen(item, title="Sleeping", body="Dark."))
    listed = await editor.page(f"{PATH}/{item.id}/versions")
    assert "Title, Text" in listed.text
    one = await editor.page(f"{PATH}/{item.id}/versions/2")
    assert ("del", {}) in one.tags
    restored = await editor.done(f"{PATH}/{item.id}/versions/1/restore", version="2")
    assert Typed(restored.source).fields["title"] == "Sleep"
    assert (await kept(editor, item.id)).content_version == 3
    stale = await editor.send(f"{PATH}/{item.id}/versions/2/restore", version="2")
    assert stale.status_code == 409
    assert "Somebody else has changed this in the meantime" in Page(stale).text


async def test_a_step_that_is_not_possible_is_said_where_it_was_asked(editor: Desk) -> None:
    """Publishing a draft that nobody has submitted shows the editor again and says why not (U-3)."""
    item = await written(editor)
    refused = await editor.send(f"{PATH}/{item.id}/publish", version="1")
    assert refused.status_code == 409
    assert say("en", "This is not possible in the state in which the item is") in Page(refused).text


async def test_who_only_reads_writes_nothing(editor: Desk, assistant: Desk) -> None:
    """An assistant reads what is there and finds no form for it; a form of theirs is 403 (D-7)."""
    item = await written(editor)
    shown = await assistant.page(f"{PATH}/{item.id}")
    assert "Lie down" in shown.text
    assert [form for form in shown.forms if form.method == "post" and form.action.startswith(PATH)] == []
    for path in ("", "/submit", "/publish", "/versions/1/restore"):
        assert (await assistant.send(f"{PATH}/{item.id}{path}", **seen(item))).status_code == 403


async def test_an_item_of_another_tenant_is_not_there(editor: Desk) -> None:
    """An id of somebody else is 404 on every page and form (T-1)."""
    other = f"{PATH}/00000000-0000-4000-8000-000000000000"
    for path in ("", "/preview", "/versions", "/versions/1"):
        assert (await editor.get(f"{other}{path}")).status_code == 404
    for path in ("", "/submit", "/return", "/publish", "/archive", "/versions/1/restore"):
        assert (await editor.send(f"{other}{path}", version="1", **TEXT)).status_code == 404
    assert (await editor.get(f"{PATH}/library/nothing")).status_code == 404


async def test_a_list_is_narrowed(editor: Desk) -> None:
    """The list shows what fits title, state, kind, language and topic, and says when nothing does (U-3)."""
    item = await written(editor)
    russian = await written(editor, slug="son", title="Сон", locale="ru", topics=["sleep"])
    await editor.run(lambda tx: items.step(tx, item.id, Step.SUBMIT, expected_version=1, actor=editor.staff.actor))
    for query, shown in (
        ("title=slee", {item.id}),
        ("status=review", {item.id}),
        ("locale=ru", {russian.id}),
        ("topic=sleep", {russian.id}),
        ("type=story", set()),
        ("", {item.id, russian.id}),
    ):
        page = await editor.page(f"{PATH}?{query}")
        assert {each for each in (item.id, russian.id) if f"{PATH}/{each}" in page.links} == shown
    assert say("en", "Nothing is like that.") in (await editor.page(f"{PATH}?type=story")).text
    assert (await editor.get(f"{PATH}?type=poem")).status_code == 400


SHELVES = {
    "topics": ({"slug": "calm", "nameEn": "Calm", "nameRu": "Покой"}, {"nameEn": "Quiet"}),
    "tags": ({"slug": "breath", "name": "Breath"}, {"name": "Breathing"}),
    "collections": (
        {"slug": "start", "title": "Begin", "items": "article/sleep", "published": "yes"},
        {"title": "First"},
    ),
    "glossary": (
        {"term": "Rest", "definition": "Doing nothing", "locale": "en", "synonyms": "Break\nPause"},
        {"term": "Repose"},
    ),
    "media": (
        {"location": "/a.png", "altText": "A lamp", "mediaType": "image/png", "bytes": "5", "sha256": "ab" * 32},
        {"altText": "A light"},
    ),
}


@pytest.mark.parametrize("shelf", SHELVES)
async def test_what_stands_around_publications_is_kept(editor: Desk, shelf: str) -> None:
    """Topics, tags, collections, terms and files are added, changed and removed by forms; what was typed of one that
    cannot be is shown again (U-3, D-1).
    """
    await written(editor)
    new, other = SHELVES[shelf]
    path = f"{PATH}/library/{shelf}"
    added = await editor.done(path, **new)
    assert say("en", "Added.") in added.text
    edit = next(link for link in added.links if "edit=" in link and _is_of(added, link, new))
    thing_id = edit.partition("edit=")[2].partition("#")[0]
    form = Typed((await editor.get(edit.partition("#")[0])).text).fields
    assert {name: form.get(name) for name in new if name not in {"locale", "published"} and name in form} == {
        name: value for name, value in new.items() if name not in {"locale", "published"} and name in form
    }
    changed = await editor.done(f"{path}/{thing_id}", **new | other)
    assert next(iter(other.values())) in changed.text
    if shelf != "media":
        again = await editor.done(f"{path}/{thing_id}", **new)
        assert say("en", "Changed.") in again.text
    twice = await editor.send(path, **new)
    assert twice.status_code == 409
    assert Typed(twice.text).wrong
    gone = await editor.done(f"{path}/{thing_id}/remove")
    assert say("en", "Removed.") in gone.text
    assert thing_id not in gone.source
    assert (await editor.send(f"{path}/{thing_id}/remove")).status_code == 404


def _is_of(page: Page, link: str, new: dict[str, str]) -> bool:
    first = next(value for name, value in new.items() if name in {"nameEn", "name", "title", "term", "location"})
    label = next(given.get("aria-label") for tag, given in page.tags if tag == "a" and given.get("href") == link)
    return label == f"Change {first}"


async def test_what_publications_use_stays(editor: Desk) -> None:
    """A topic that an item has, and a file that a version shows, cannot be removed, and the page says why (U-3)."""
    body = MediaBody(sha256="cd" * 32, media_type="image/png", bytes=5, alt_text="A lamp", location="/a.png")
    asset = await editor.run(lambda tx: media.add_media(tx, body, editor.staff.actor))
    await written(editor, topics=["sleep"], media=[asset.id])
    topics = await editor.page(f"{PATH}/library/topics")
    edit = next(link for link in topics.links if _is_of(topics, link, {"nameEn": "Sleep"}) if "edit=" in link)
    topic_id = edit.partition("edit=")[2].partition("#")[0]
    for path, why in (
        (f"topics/{topic_id}", "Items have this topic"),
        (f"media/{asset.id}", "Versions of items show this asset"),
    ):
        refused = await editor.send(f"{PATH}/library/{path}/remove")
        assert refused.status_code == 409
        assert say("en", why) in Page(refused).text


async def test_a_collection_names_what_there_is(editor: Desk) -> None:
    """A collection with an address that nothing has is refused at its field, and keeps what was typed (U-3)."""
    typed = {"slug": "start", "title": "Begin", "items": "article/nothing"}
    refused = await editor.send(f"{PATH}/library/collections", **typed)
    assert (refused.status_code, Typed(refused.text).wrong) == (400, {"items"})
    assert Typed(refused.text).fields["items"] == "article/nothing"
    with pytest.raises(NotFound):
        await editor.run(lambda tx: items.read(tx, UUID(int=0)))
