"""Quizzes and rituals at the pages of staff: checked at their places, published, and never overwritten (U-3, D-2)."""

import json
from typing import Any

import pytest

from admin.desk import PLANTED, Desk, Typed, runs_planted
from holdfast.interactive import definitions
from interactive.quizzes import quiz, ritual
from journeys.browser import Page
from wording import say

PATH = "/admin/interactives"


async def made(at: Desk, definition: dict[str, Any]) -> str:
    """Return the page of a new quiz or ritual."""
    typed = {"slug": "sleep", "locale": "en", "definition": json.dumps(definition)}
    shown = await at.done(f"{PATH}/new", **typed)
    return shown.address.partition("?")[0].removeprefix("http://practice.test")


async def test_a_quiz_is_made_published_and_archived(editor: Desk) -> None:
    """A definition becomes a draft, is published and archived by buttons, and the list tells how it stands (U-3, D-2)."""
    assert say("en", "There are no quizzes and rituals yet.") in (await editor.page(PATH)).text
    path = await made(editor, quiz(1, 2))
    public = f"/api/public/interactives/sleep?business={editor.practice.slug}"
    assert (await editor.browser.http.get(public)).status_code == 404
    shown = await editor.done(f"{path}/publish", version="1")
    assert (await editor.browser.http.get(public)).status_code == 200
    assert say("en", "Nobody has begun it yet.") in shown.text
    started = await editor.browser.http.post(
        "/api/public/interactives/sleep/runs", json={"business": editor.practice.slug}
    )
    assert started.status_code == 201
    assert "It was begun 1 time" in (await editor.page(path)).text
    await editor.done(f"{path}/archive", version="2")
    assert (await editor.browser.http.get(public)).status_code == 404
    assert "Archived" in (await editor.page(PATH)).text


@pytest.mark.parametrize("language", ["en", "ru"])
async def test_what_is_wrong_is_told_at_its_place(editor: Desk, language: str) -> None:
    """A level that leaves out a sum, and what is no JSON, are told with their places in the language of the page; what
    was typed stays, and nothing is kept (U-3, U-4).
    """
    gap = json.dumps(quiz(1, 2, levels=[("low", 0, 1), ("high", 3, 3)]))
    typed = {"slug": "sleep", "locale": "en", "definition": gap}
    refused = await editor.send(f"{PATH}/new", language, **typed)
    assert refused.status_code == 400
    assert Typed(refused.text).wrong == {"definition"}
    assert Typed(refused.text).fields["definition"] == gap
    words = say(language, "leaves out %(first)s to %(last)s") % {"first": 2, "last": 2}
    assert f"definition.levels[1].from : {words}" in Page(refused).text
    broken = await editor.send(f"{PATH}/new", language, **typed | {"definition": "{"})
    assert (broken.status_code, Typed(broken.text).wrong) == (400, {"definition"})
    bare = await editor.send(f"{PATH}/new", language)
    assert (bare.status_code, Typed(bare.text).fields["slug"]) == (400, "")
    found = await editor.run(lambda tx: definitions.list_definitions(tx, kind=None, state=None, cursor=None, limit=5))
    assert found.interactives == []


async def test_a_definition_is_checked_and_not_kept(editor: Desk) -> None:
    """A check says what answers add up to, keeps what was typed, and stores nothing (U-3)."""
    typed = {"slug": "sleep", "locale": "en", "definition": json.dumps(quiz(1, 2))}
    checked = await editor.send(f"{PATH}/new", check="yes", **typed)
    assert checked.status_code == 200
    assert "answers add up to 0 to 3 points" in Page(checked).text
    assert Typed(checked.text).fields["definition"] == typed["definition"]
    found = await editor.run(lambda tx: definitions.list_definitions(tx, kind=None, state=None, cursor=None, limit=5))
    assert found.interactives == []


async def test_whoever_was_slower_keeps_what_they_typed(editor: Desk, owner: Desk) -> None:
    """A version made from an old one is refused, shown again in its field, with the newer one beside it (U-3)."""
    path = await made(editor, ritual())
    await owner.done(path, definition=json.dumps(ritual(title="Owner")), version="1")
    late = await editor.send(path, definition=json.dumps(ritual(title="Editor")), version="1")
    assert late.status_code == 409
    assert json.loads(Typed(late.text).fields["definition"])["title"] == "Editor"
    assert '"title": "Owner"' in Page(late).text
    assert Typed(late.text).fields["version"] == "2"


async def test_a_planted_title_is_shown_as_text(editor: Desk, assistant: Desk) -> None:
    """Markup in a definition is shown as it was typed, to those who write and to those who read (U-3)."""
    path = await made(editor, ritual(title=PLANTED, intro=PLANTED))
    for at in (editor, assistant):
        for shown in (await at.page(path), await at.page(PATH)):
            assert "<script>planted()</script>" in shown.text
            assert not runs_planted(shown)


async def test_who_only_reads_writes_nothing(editor: Desk, assistant: Desk) -> None:
    """An assistant finds no form, and a form of theirs is 403; an id of somebody else is 404 (D-7, T-1)."""
    path = await made(editor, ritual())
    shown = await assistant.page(path)
    assert [form for form in shown.forms if form.method == "post" and form.action.startswith(PATH)] == []
    for step in ("", "/publish", "/archive"):
        assert (await assistant.send(f"{path}{step}", version="1")).status_code == 403
        sent = {"version": "1", "definition": json.dumps(ritual())}
        other = f"{PATH}/00000000-0000-4000-8000-000000000000{step}"
        assert (await editor.send(other, **sent)).status_code == 404
