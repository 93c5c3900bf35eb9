"""Messages at the pages of staff: written, previewed, tried out, and brought back to what is usual (U-3, W-2)."""

import pytest

from admin.desk import PLANTED, Desk, Typed, elements, runs_planted
from holdfast.admin.messages_html import as_shown
from holdfast.administration import templates
from holdfast.administration.templates import Template
from journeys.browser import Page
from wording import say

PATH = "/admin/messages"
CONFIRMED = f"{PATH}/appointment_confirmed/en/email"
NAME = templates.named("appointment_confirmed", "en", "email")
TEXT = {"subject": "You are booked", "body": "See you: {{ service_name }}, {{ start }}."}


async def in_use(at: Desk) -> list[Template]:
    """Return what the practice has written itself."""
    return await at.run(templates.in_use)


async def test_the_usual_text_is_there_before_anything_is_written(assistant: Desk) -> None:
    """The list tells which texts are the usual ones, and an editor opens with what is sent now, filled with examples as
    a client would see it (U-3, W-2).
    """
    assert "usual" in (await assistant.page(PATH)).text
    shown = await assistant.page(CONFIRMED)
    usual = templates.usual(NAME)
    assert Typed(shown.source).fields["body"].strip() == usual.body.strip()
    assert "Individual session" in shown.text
    assert "{{ manage_link }}" in shown.text
    assert await in_use(assistant) == []


async def test_a_text_is_written_and_brought_back(assistant: Desk) -> None:
    """A text that is kept is in use at once, an earlier version can be looked at, and the usual one comes back as a
    further version (U-3, W-2).
    """
    kept = await assistant.done(CONFIRMED, version="0", **TEXT)
    assert say("en", "It is kept, and in use from now on.") in kept.text
    await assistant.done(CONFIRMED, version="1", **TEXT | {"subject": "Booked"})
    assert [(one.version, one.subject) for one in await in_use(assistant)] == [(2, "Booked")]
    first = await assistant.page(f"{CONFIRMED}?version=1")
    assert Typed(first.source).fields["subject"] == "You are booked"
    assert Typed(first.source).fields["version"] == "2"
    reset = await assistant.done(f"{CONFIRMED}/reset", version="2")
    assert say("en", "The usual text is in use again; yours is kept among the versions.") in reset.text
    assert (await in_use(assistant))[0].text == templates.usual(NAME)
    assert f"{CONFIRMED}/reset" not in [form.action for form in reset.forms]


@pytest.mark.parametrize("language", ["en", "ru"])
async def test_a_wrong_placeholder_is_told_with_its_place(assistant: Desk, language: str) -> None:
    """A placeholder that there is not is refused at its field with line and column, in the language of the page; the text
    stays typed and nothing is kept (U-3, U-4, W-2).
    """
    typed = {"subject": "Hello", "body": "Dear {{ name }},\nsee {{ start }"}
    refused = await assistant.send(CONFIRMED, language, version="0", **typed)
    assert refused.status_code == 400
    assert Typed(refused.text).wrong == {"body"}
    assert Typed(refused.text).fields["body"] == typed["body"]
    words = say(language, "line %(line)s, column %(column)s: two braces begin and end a placeholder, like {{ name }}")
    assert words % {"line": 2, "column": 5} in Page(refused).text
    assert await in_use(assistant) == []


async def test_a_preview_keeps_nothing(assistant: Desk) -> None:
    """What is typed is shown filled with examples: as a part of the page where htmx asks, else as the page; and nothing
    is kept (U-3, W-2).
    """
    part = await assistant.send(f"{CONFIRMED}/preview", htmx=True, **TEXT)
    assert elements(Page(part), "html") == []
    assert "See you: Individual session, Saturday, 21 November 2026, 15:00." in Page(part).text
    whole = await assistant.send(f"{CONFIRMED}/preview", **TEXT)
    assert Typed(whole.text).fields["body"] == TEXT["body"]
    assert "See you: Individual session" in Page(whole).text
    wrong = await assistant.send(f"{CONFIRMED}/preview", htmx=True, **TEXT | {"body": "{{ x }}"})
    assert (wrong.status_code, "there is no such placeholder" in Page(wrong).text) == (200, True)
    assert await in_use(assistant) == []


async def test_two_who_write_lose_nothing(assistant: Desk, owner: Desk) -> None:
    """Who keeps a text that was changed meanwhile is shown the newer one beside what they typed (U-3)."""
    await owner.done(CONFIRMED, version="0", **TEXT)
    late = await assistant.send(CONFIRMED, version="0", **TEXT | {"body": "Mine."})
    assert late.status_code == 409
    assert Typed(late.text).fields["body"] == "Mine."
    assert Typed(late.text).fields["version"] == "1"
    assert "See you: {{ service_name }}" in Page(late).text
    await assistant.done(CONFIRMED, version="1", **TEXT | {"body": "Mine."})
    assert (await in_use(owner))[0].body == "Mine."


async def test_a_test_without_a_server_of_mail_says_so(assistant: Desk) -> None:
    """Where no mail can be sent, trying a text out says so, and what was typed stays (U-3, W-2)."""
    refused = await assistant.send(f"{CONFIRMED}/test", **TEXT)
    assert refused.status_code == 409
    assert say("en", "No mail can be sent from this server yet") in Page(refused).text
    assert Typed(refused.text).fields["subject"] == TEXT["subject"]


async def test_a_mail_in_html_is_shown_without_what_runs(assistant: Desk) -> None:
    """HTML of a mail is previewed as paragraphs and links of the page, and what was planted in it is no element (U-3)."""
    body = f"<h1>Hello</h1><p onclick='planted()' style='x'>{PLANTED}<a href='javascript:planted()'>here</a></p>"
    path = f"{PATH}/appointment_confirmed/en/email_html"
    shown = await assistant.done(
        path, version="0", subject=PLANTED.replace("{{ 7 * 7 }}", ""), body=body.replace("{{ 7 * 7 }}", "")
    )
    assert not runs_planted(shown)
    assert len(elements(shown, "h1")) == 1
    assert "style" not in {name for _, given in shown.tags for name in given}


def test_html_of_mail_is_read_by_a_list() -> None:
    """Of HTML remain the elements that a mail needs, without attributes but addresses of links, each closed (U-3)."""
    told = as_shown(
        "<style>p{}</style><p class=x>One<br>two <b>three<p><img src=x><a href=https://a.test/?b=1&amp;c=2>go</a>"
    )
    assert str(told) == (
        '<p>One<br>two <b>three<p><a href="https://a.test/?b=1&amp;c=2" rel="noopener noreferrer">go</a></p></b></p>'
    )
    assert str(as_shown("</p></b>&lt;script&gt;")) == "&lt;script&gt;"


async def test_messages_are_for_who_writes_them(editor: Desk, assistant: Desk) -> None:
    """An editor sees no messages; a message that there is not is 404 (D-7)."""
    for path in (PATH, CONFIRMED):
        assert (await editor.get(path)).status_code == 403
    for path in ("nothing/en/email", "appointment_confirmed/fr/email", "appointment_confirmed/en/fax"):
        assert (await assistant.get(f"{PATH}/{path}")).status_code == 404
        assert (await assistant.send(f"{PATH}/{path}", version="0", **TEXT)).status_code == 404
    usual, staff = templates.usual(NAME), assistant.staff
    await assistant.run(lambda tx: templates.write(tx, NAME, usual, expected_version=0, staff=staff))
    assert (await assistant.get(f"{CONFIRMED}?version=7")).status_code == 404


async def test_who_invites_nobody_writes_no_invitation(assistant: Desk, owner: Desk) -> None:
    """The text of an invitation, whose link makes whoever has it the user, is written by those who may invite; an
    assistant sees what it says, finds no form, and a form of theirs is 403 (D-7, W-2).
    """
    for channel in ("email", "email_html"):
        path = f"{PATH}/user_invitation/en/{channel}"
        text = {"subject": "Welcome", "body": '<img src="https://example.org/?{{ invitation_link }}">'}
        shown = await assistant.page(path)
        assert "https://example.org/invitation" in shown.text
        assert [form for form in shown.forms if form.action.startswith(path)] == []
        for step in ("", "/reset"):
            assert (await assistant.send(f"{path}{step}", version="0", **text)).status_code == 403
    assert await in_use(assistant) == []
    await owner.done(path, version="0", **text)
    assert [form for form in (await assistant.page(path)).forms if form.action.startswith(path)] == []
    assert f"{path}/reset" in [form.action for form in (await owner.page(path)).forms]
