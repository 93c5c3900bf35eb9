"""The audit log by its page and its call: what was done in words, filtered, page by page."""

import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

import holdfast
from admin.visiting import Visitor, visitor, visitor_of
from holdfast.admin.audit_words import ACTIONS, KINDS
from holdfast.administration import settings
from holdfast.identity import users
from holdfast.identity.permissions import Role
from holdfast.identity.staff import Staff
from holdfast.kernel.audit import CONSOLE, record
from holdfast.kernel.database import Transaction
from holdfast.kernel.ids import new_id
from holdfast.kernel.languages import LANGUAGES
from identity.entrance import Practice, refused
from journeys.browser import Page
from wording import say

PATH, API = "/admin/audit", "/api/admin/audit"
PACKAGE = Path(holdfast.__file__).parent


def lines(page: Page) -> int:
    """Return how many entries a page shows."""
    return sum(tag == "span" and given.get("class") == "more" for tag, given in page.tags)


async def entries(somebody: Visitor, query: str = "") -> list[dict[str, Any]]:
    """Return the entries that the call answers with."""
    answer = await somebody.ask("GET", f"{API}{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = msgspec.json.decode(answer.content)["entries"]
    return found


async def done(practice: Practice, kind: str, action: str, times: int = 1, **more: Any) -> None:
    """Write entries about as many things."""

    async def work(tx: Transaction) -> None:
        for _ in range(times):
            await record(tx, kind, new_id(), action, CONSOLE, **more)

    await practice.database.run(practice.business_id, work)


def _constants(tree: ast.Module) -> dict[str, str]:
    """Return the names of a module that stand for a word."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            found |= {target.id: node.value.value for target in node.targets if isinstance(target, ast.Name)}
    return found


def _recorded() -> set[tuple[str | None, str | None]]:
    """Return kind and action of each entry that the code writes, as far as they stand there as words."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        words = _constants(tree)

        def word(node: ast.expr, words: dict[str, str] = words) -> str | None:
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                return node.value
            return words.get(node.id) if isinstance(node, ast.Name) else None

        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) in {"record", "audit.record"}
                and len(node.args) > 4
            ):
                found.add((word(node.args[1]), word(node.args[3])))
    return found


def test_what_the_code_records_has_words() -> None:
    """Every kind of thing and every action that the code writes into the log has words (U-3, U-4)."""
    found = _recorded()
    assert len(found) > 40, "the code is read"
    assert {kind for kind, _ in found} - {None} - set(KINDS) == set()
    assert {action for _, action in found} - {None} - set(ACTIONS) - _EVENTS == set()


# The fourth word of an entry about a booking is its event.
_EVENTS = {
    "AppointmentAwaitingPayment", "AppointmentCancelled", "AppointmentConfirmed", "AppointmentOutcomeRecorded",
    "AppointmentRefunded", "AppointmentUpdated",
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
async def test_what_was_done_is_told_in_words(practice: Practice, language: str) -> None:
    """The log says who has done what, with before and after; the newest entry comes first (U-3, U-4)."""
    owner, user = await visitor(practice, Role.OWNER), await practice.user(Role.EDITOR)
    staff = await practice.user(Role.OWNER)

    async def promote(tx: Transaction) -> None:
        actor = Staff(practice.business_id, frozenset({Role.OWNER}), user_id=staff.id).actor
        await users.change(tx, user.id, roles=[Role.ASSISTANT], actor=actor)

    await practice.database.run(practice.business_id, promote)
    page = await owner.open(PATH, language)
    said = {"en": "User got other roles", "ru": "Пользователь: смена ролей"}[language]
    assert said in page.text
    assert f"({say(language, 'editor')} → {say(language, 'assistant')})" in page.text
    assert say(language, "whoever runs the server") in page.text
    [first, *_] = await entries(owner)
    assert (first["action"], first["actorName"], first["fromState"], first["toState"]) == (
        "change_roles",
        "Guest",
        "editor",
        "assistant",
    )
    assert f"/admin/users/{user.id}" in page.links


async def test_entries_are_filtered(practice: Practice) -> None:
    """Kind, thing, action, person, and days within the zone of the business each leave what fits (U-3)."""
    user = await practice.user(Role.OWNER)
    owner = await visitor_of(practice, user)
    await done(practice, "block", "block", 2)
    await done(practice, "block", "unblock")
    today = datetime.now(UTC).date()
    [thing, *_] = await entries(owner, "?action=unblock")
    for query, count in (
        ("kind=block", 3),
        ("kind=block&action=block", 2),
        (f"id={thing['id']}", 1),
        (f"actor={user.id}", 1),
        ("actor=client", 0),
        (f"kind=block&from={today - timedelta(days=1)}&to={today + timedelta(days=1)}", 3),
        (f"from={today + timedelta(days=2)}", 0),
        (f"to={today - timedelta(days=2)}", 0),
    ):
        assert lines(await owner.open(f"{PATH}?{query}")) == count, query
        asked = query.replace(f"actor={user.id}", f"actorId={user.id}")
        assert len(await entries(owner, f"?{asked}")) == count, query


async def test_the_log_comes_in_pages(practice: Practice) -> None:
    """Pages follow each other to the end, and no entry is left out or shown twice, with filters as well (H-2)."""
    owner = await visitor(practice, Role.OWNER)
    await done(practice, "block", "block", 60)
    first = await owner.open(f"{PATH}?kind=block")
    [more] = [link for link in first.links if "cursor=" in link]
    rest = await owner.open(more)
    assert [lines(page) for page in (first, rest)] == [50, 10]
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = f"?kind=block&limit=7&cursor={cursor}"
        found = msgspec.json.decode((await owner.ask("GET", f"{API}{query}")).content)
        seen += [entry["id"] for entry in found["entries"]]
        cursor = found["nextCursor"]
    assert (len(seen), len(set(seen))) == (60, 60)


async def test_a_reason_is_read_one_at_a_time(practice: Practice) -> None:
    """Why something was done stands on no list; whoever reads it is in the log for that (D-7)."""
    owner, staff = await visitor(practice, Role.OWNER), await practice.user(Role.OWNER)
    actor = Staff(practice.business_id, frozenset({Role.OWNER}), user_id=staff.id)
    await practice.database.run(
        practice.business_id,
        lambda tx: settings.change(tx, "reminder_hours", 12, actor, "The client asked for it"),
    )
    page = await owner.open(f"{PATH}?kind=setting")
    assert "The client asked for it" not in page.source
    assert "The client asked for it" not in (await owner.ask("GET", API)).text
    [why] = [form for form in page.forms if form.action.endswith("/reason")]
    shown = await owner.send(why)
    assert "The client asked for it" in shown.text
    [first, *_] = await entries(owner)
    assert (first["kind"], first["action"]) == ("reason", "read_reason")
    why.action = why.action.replace("/1/", "/2/")
    assert (await owner.send(why)).status == 404


async def test_what_is_no_filter_is_refused_or_left_out(practice: Practice) -> None:
    """The call names the query that is wrong; the page of staff shows it in words (H-1)."""
    owner = await visitor(practice, Role.OWNER)
    for query in ("id=x", "actorId=x", "from=soon", "to=2026-13-01", "limit=0", "cursor=x", "kind=%00"):
        refused(await owner.ask("GET", f"{API}?{query}"), 400, "validation_failed")
    for query in ("from=soon", "cursor=x"):
        assert (await owner.open(f"{PATH}?{query}")).status == 400
    for query in ("kind=nothing", "action=%00", "actor=nobody", "id=x"):
        assert (await owner.open(f"{PATH}?{query}")).status == 200


async def test_only_owners_read_the_log(practice: Practice) -> None:
    """Whoever is no owner has neither the page nor the call, nor a way to it in the menu (D-7)."""
    for role in (Role.ASSISTANT, Role.EDITOR, Role.CLIENT):
        somebody = await visitor(practice, role)
        refused(await somebody.ask("GET", API), 403, "forbidden")
        assert (await somebody.open(PATH)).status == 403
        assert PATH not in (await somebody.open("/admin")).links


async def test_another_business_has_a_log_of_its_own(practice: Practice, other_practice: Practice) -> None:
    """Nothing that was done in another business is told, whichever thing is asked for (D-9)."""
    await done(other_practice, "block", "block")
    theirs = await entries(await visitor(other_practice, Role.OWNER), "?kind=block")
    owner = await visitor(practice, Role.OWNER)
    assert await entries(owner, "?kind=block") == []
    assert await entries(owner, f"?id={theirs[0]['id']}") == []
