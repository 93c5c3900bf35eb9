"""Questions at the pages of staff: who reads them, what becomes of them, and that nothing of them leaks (U-3, D-7)."""

from uuid import UUID

import pytest

from admin.desk import PLANTED, Desk, Typed, audited, runs_planted
from holdfast.moderation import review
from holdfast.moderation.questions import Question, look, submit
from journeys.browser import Page
from wording import say

PATH = "/admin/moderation"


async def asked(at: Desk, text: str = "Почему я не сплю?", **more: str) -> UUID:
    """Return the id of a question that somebody has sent in."""
    sent = await at.run(lambda tx: submit(tx, Question(text, "ru", **more)))
    return sent.id


async def given_to(owner: Desk, item_id: UUID, whom: Desk) -> None:
    """Assign a question."""
    version = (await owner.run(lambda tx: review.find(tx, item_id))).version
    await owner.done(f"{PATH}/{item_id}/assign", version=str(version), assignedTo=str(whom.user.id))


async def test_the_queue_tells_nothing_that_was_confided(owner: Desk) -> None:
    """The queue has the most urgent question first, in words, and no word of what was asked (U-3, D-7)."""
    plain = await asked(owner)
    crisis = await asked(owner, "Я не хочу жить")
    shown = await owner.page(PATH)
    assert [link.rpartition("/")[2] for link in shown.links if link.startswith(f"{PATH}/")] == [str(crisis), str(plain)]
    assert "May be a crisis" in shown.text
    assert "сплю" not in shown.source
    assert "жить" not in shown.source
    filtered = await owner.page(f"{PATH}?category=suicide&status=new")
    assert str(plain) not in filtered.source
    assert str(crisis) in filtered.source


async def test_an_empty_queue_says_what_comes_here(assistant: Desk) -> None:
    """With nothing to be answered the page says so, in the language of who reads it, and what comes there (U-3, U-4)."""
    for language in ("en", "ru"):
        shown = await assistant.page(PATH, language)
        assert say(language, "Nothing waits for an answer.") in shown.text
        assert say(language, "What visitors ask on your site comes here, the most urgent first.") in shown.text


async def test_a_question_is_read_by_whom_it_is_assigned_to(owner: Desk, assistant: Desk) -> None:
    """Who may not read a question sees how it stands and not its text, can send no answer, and leaves no trace of a
    reader; whom it is assigned to reads it, and that is in the log (D-7).
    """
    item_id = await asked(owner)
    shown = await assistant.page(f"{PATH}/{item_id}")
    assert "Ask an owner to assign it to you." in shown.text
    assert "сплю" not in shown.source
    refused = await assistant.send(f"{PATH}/{item_id}/answer", text="Ответ", version="1")
    assert refused.status_code == 403
    assert await audited(owner.practice, item_id) == ["submit"]
    await given_to(owner, item_id, assistant)
    opened = await assistant.page(f"{PATH}/{item_id}")
    assert "сплю" in opened.text
    assert (await audited(owner.practice, item_id))[-1] == "read"


async def test_a_question_is_answered_published_and_taken_back(owner: Desk, assistant: Desk) -> None:
    """Whoever has a question answers it, publishes it in other words and takes it back; each step says what its sender
    and everybody sees then, and of what was confided nothing is published (U-3, D-7).
    """
    item_id = await asked(owner)
    await given_to(owner, item_id, assistant)
    answered = await assistant.done(f"{PATH}/{item_id}/answer", text="Ложитесь\u00a0раньше.", version="2")
    assert say("en", "The answer is kept; its sender can read it now.") in answered.text
    assert (await assistant.run(lambda tx: look(tx, item_id))).answer == "Ложитесь\u00a0раньше."
    assert "That it was answered, and the last answer." in answered.text
    # The answer stands in the form to begin with, the question does not.
    assert Typed(answered.source).fields["publicText"] == ""
    assert Typed(answered.source).fields["publicAnswer"] == "Ложитесь\u00a0раньше."
    words = {"publicText": "Как засыпать?", "publicAnswer": "Раньше ложиться."}
    published = await assistant.done(f"{PATH}/{item_id}/publish", version="3", **words)
    assert "What everybody reads Как засыпать? Раньше ложиться." in published.text
    public = await assistant.browser.http.get(f"/api/public/questions?business={owner.practice.slug}")
    assert [one["text"] for one in public.json()["questions"]] == ["Как засыпать?"]
    rejected = await assistant.done(f"{PATH}/{item_id}/reject", reason="other", comment="Ошибка", version="4")
    assert "That the question was not taken up." in rejected.text
    assert "Ошибка" in rejected.text
    public = await assistant.browser.http.get(f"/api/public/questions?business={owner.practice.slug}")
    assert public.json()["questions"] == []


async def test_whoever_was_slower_keeps_what_they_typed(owner: Desk, assistant: Desk) -> None:
    """An answer to a question that somebody else has changed is not kept, and stays in its field (U-3)."""
    item_id = await asked(owner)
    await given_to(owner, item_id, assistant)
    await owner.done(f"{PATH}/{item_id}/answer", text="Первый ответ", version="2")
    late = await assistant.send(f"{PATH}/{item_id}/answer", text="Второй ответ", version="2")
    shown = Page(late)
    assert late.status_code == 409
    assert "Somebody else has changed this in the meantime" in shown.text
    assert Typed(late.text).fields["text"] == "Второй ответ"
    assert "Первый ответ" in shown.text
    assert Typed(late.text).fields["version"] == "3"
    assert (await owner.run(lambda tx: look(tx, item_id))).answer == "Первый ответ"


@pytest.mark.parametrize("language", ["en", "ru"])
async def test_a_slip_is_told_at_its_field(owner: Desk, language: str) -> None:
    """A rejection without a reason is refused at the field, in the language of the page, and keeps the note (U-3, U-4)."""
    item_id = await asked(owner)
    await given_to(owner, item_id, owner)
    path = f"{PATH}/{item_id}/reject"
    refused = await owner.send(path, language, reason="", comment="Пояснение", version="2")
    assert refused.status_code == 400
    assert Typed(refused.text).wrong == {"reason"}
    assert say(language, "is missing") in Page(refused).text
    assert Typed(refused.text).fields["comment"] == "Пояснение"


async def test_an_escalated_question_stands_first(owner: Desk, assistant: Desk) -> None:
    """Anybody who moderates can escalate an open question, which then stands before older ones (U-3)."""
    older, newer = await asked(owner), await asked(owner)
    shown = await assistant.done(f"{PATH}/{newer}/escalate", escalateComment="", version="1")
    assert "Escalated" in shown.text
    queue = await assistant.page(PATH)
    assert queue.source.index(str(newer)) < queue.source.index(str(older))


async def test_a_planted_text_is_shown_as_text(owner: Desk) -> None:
    """Markup in a question, an answer and a note is shown as it was typed, and is nothing else (U-3)."""
    item_id = await asked(owner, f"question {PLANTED}")
    await given_to(owner, item_id, owner)
    await owner.done(f"{PATH}/{item_id}/answer", text=f"answer {PLANTED}", version="2")
    # What is public is another text: nothing that was confided is ever to stand outside its envelope.
    planted = PLANTED.replace("img", "svg")
    words = {"publicText": planted, "publicAnswer": planted}
    shown = await owner.done(f"{PATH}/{item_id}/publish", version="3", **words)
    assert "<script>planted()</script>" in shown.text
    assert not runs_planted(shown)


async def test_a_question_of_another_tenant_is_not_there(owner: Desk) -> None:
    """What another business was asked is 404 on every page and form, as what never was (T-1)."""
    other = "00000000-0000-4000-8000-000000000000"
    for path in (f"{PATH}/{other}", f"{PATH}/no-id"):
        assert (await owner.get(path)).status_code == 404
    for step in ("assign", "answer", "publish", "reject", "escalate"):
        assert (await owner.send(f"{PATH}/{other}/{step}", version="1")).status_code == 404
