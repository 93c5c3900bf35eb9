"""The start page: what there is to know and to do, to each what is theirs."""

from uuid import uuid4

import pytest

from admin.visiting import visitor
from holdfast.catalog.services import put_service
from holdfast.identity.permissions import Role
from holdfast.kernel.attention import Severity, raise_item
from holdfast.kernel.database import Transaction
from holdfast.kernel.languages import LANGUAGES
from identity.entrance import Practice
from wording import say


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_new_practice_is_told_what_comes_next(practice: Practice, language: str) -> None:
    """Owners see what is left to set up, in their language; what is done is told to be, and nobody else sees it (U-3, U-4)."""
    owner = await visitor(practice, Role.OWNER)
    page = await owner.open("/admin", language)
    assert page.status == 200
    for step in ("Say what can be booked", "Say when", "Connect a calendar", "Book something for a test"):
        assert say(language, step) in page.text
    assert say(language, "is done") not in page.text

    async def offer(tx: Transaction) -> None:
        await put_service(tx, slug="talk", name="Talk", duration_minutes=60, requirements=[])

    await practice.database.run(practice.business_id, offer)
    assert (await owner.open("/admin", language)).text.count(say(language, "is done")) == 1
    desk = await visitor(practice, Role.ASSISTANT)
    assert say(language, "Say when") not in (await desk.open("/admin", language)).text


async def test_the_start_page_counts_what_is_open(practice: Practice) -> None:
    """What needs a person is counted by how soon, with the way there (U-3)."""

    async def raise_some(tx: Transaction) -> None:
        for severity in (Severity.URGENT, Severity.URGENT, Severity.INFO):
            await raise_item(tx, "calendar_gone", uuid4(), severity)

    await practice.database.run(practice.business_id, raise_some)
    page = await (await visitor(practice, Role.ASSISTANT)).open("/admin")
    assert "Urgent 2" in page.text
    assert "For your information 1" in page.text
    assert "/admin/inbox?severity=urgent" in page.links
    assert "/admin/inbox?severity=warning" not in page.links


@pytest.mark.parametrize("role", Role)
async def test_each_role_sees_its_own(practice: Practice, role: Role) -> None:
    """A role sees of the start page what its permissions are for; a client learns that nothing is theirs (D-7)."""
    page = await (await visitor(practice, role)).open("/admin")
    seen = {
        "inbox": 'id="needs-you"' in page.source,
        "today": 'id="today"' in page.source,
        "questions": 'id="questions"' in page.source,
        "nothing": "Nothing here is yours to do." in page.text,
    }
    assert [name for name, is_shown in seen.items() if is_shown] == {
        Role.OWNER: ["inbox", "today", "questions"],
        Role.ASSISTANT: ["inbox", "today", "questions"],
        Role.EDITOR: ["questions"],
        Role.CLIENT: ["nothing"],
    }[role]
