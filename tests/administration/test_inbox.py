"""The inbox of what needs a person: listed, taken on, put aside and resolved by staff, each step told."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pytest_asyncio

from booking.served import Json, problem, wrong_fields
from booking.staffed import bearer, make_key
from holdfast.identity import api_keys, businesses
from holdfast.identity.permissions import Role
from holdfast.kernel.attention import KINDS, Severity, raise_item
from holdfast.kernel.database import Database
from holdfast.kernel.tracking import whole

PATH = "/api/admin/attention"
LATE = KINDS.declare("tests_found_late", minutes=whole(0, 999))
LOST = KINDS.declare("tests_found_lost")


@dataclass
class Desk:
    """Staff of one business, and what they have to look at."""

    http: httpx.AsyncClient
    database: Database
    business_id: UUID
    key: str

    async def raise_(self, kind: str = LATE, severity: Severity = Severity.WARNING, **details: object) -> str:
        """Raise an item."""
        raised = await self.database.run(
            self.business_id, lambda tx: raise_item(tx, kind, uuid4(), severity, **details)
        )
        return str(raised[0])

    async def list_(self, **asked: object) -> Json:
        """Return a page of the inbox."""
        answer = await self.http.get(PATH, params=asked, headers=bearer(self.key))  # type: ignore[arg-type]
        assert answer.status_code == 200, answer.text
        page: Json = answer.json()
        return page

    async def ids(self, **asked: object) -> list[str]:
        """Return the ids of a page of the inbox."""
        return [item["id"] for item in (await self.list_(**asked))["items"]]

    async def post(self, item: str, action: str, body: Json | None = None) -> httpx.Response:
        """Answer a step of an item."""
        return await self.http.post(f"{PATH}/{item}/{action}", json=body or {}, headers=bearer(self.key))

    async def told(self, item: str) -> list[tuple[str, str | None, str | None]]:
        """Return what the audit log tells of an item."""
        async with self.database.transaction(self.business_id) as tx:
            rows = await tx.rows(
                "select action, from_state, to_state from audit_log where aggregate_id = %s order by version", [item]
            )
        return [(row["action"], row["from_state"], row["to_state"]) for row in rows]


async def open_desk(http: httpx.AsyncClient, database: Database, role: Role = Role.ASSISTANT) -> Desk:
    """Return staff of a new business."""
    async with database.transaction() as tx:
        slug = f"i-{uuid4().hex[:12]}"
        business = await businesses.put(tx, slug=slug, name="Test", timezone="UTC", currency="EUR")
    return Desk(http, database, business.id, await make_key(database, business.id, role))


@pytest_asyncio.fixture
async def desk(http: httpx.AsyncClient, database: Database) -> Desk:
    """An assistant of a business of its own."""
    return await open_desk(http, database)


def soon(**ahead: float) -> str:
    """Return an instant to come."""
    return (datetime.now(UTC) + timedelta(**ahead)).isoformat()


async def test_what_is_open_is_listed_in_pages(desk: Desk) -> None:
    """Open items are listed oldest first, in pages whose cursors lead to the end, filtered by kind and severity (H-2)."""
    made = [await desk.raise_(minutes=n) for n in range(5)]
    lost = await desk.raise_(LOST, Severity.URGENT)
    found, cursor = [], None
    while True:
        page = await desk.list_(limit=2, **({"cursor": cursor} if cursor else {}))
        found += [item["id"] for item in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert found == [*made, lost]
    assert await desk.ids(kind=LOST) == await desk.ids(severity="urgent") == [lost]
    [shown] = (await desk.list_(kind=LOST))["items"]
    assert shown | {"id": None, "subjectId": None, "raisedAt": None, "lastRaisedAt": None} == {
        "id": None,
        "kind": LOST,
        "subjectId": None,
        "severity": "urgent",
        "status": "open",
        "details": {},
        "timesRaised": 1,
        "raisedAt": None,
        "lastRaisedAt": None,
        "assigneeId": None,
        "snoozedUntil": None,
        "resolvedAt": None,
        "resolvedBy": None,
    }


async def test_an_item_is_taken_on(desk: Desk) -> None:
    """Staff take an item on, hand it to a colleague and give it back; nobody else's id is taken (H-4)."""
    item = await desk.raise_()
    me, colleague = desk.key[3:35], (await make_key(desk.database, desk.business_id, Role.OWNER))[3:35]
    other = await open_desk(desk.http, desk.database)
    ids = [str(UUID(text)) for text in (me, colleague)]
    assert (await desk.post(item, "assign")).json()["assigneeId"] == ids[0]
    assert await desk.ids(assigneeId=ids[0]) == [item]
    assert (await desk.post(item, "assign", {"assigneeId": colleague})).json()["assigneeId"] == ids[1]
    assert await desk.ids(assigneeId=ids[0]) == []
    for nobody in (other.key[3:35], str(uuid4())):
        assert wrong_fields(await desk.post(item, "assign", {"assigneeId": nobody})) == {"assigneeId"}
    assert (await desk.post(item, "assign", {"assigneeId": None})).json()["assigneeId"] is None
    assert await desk.told(item) == [("assign", None, ids[0]), ("assign", *ids), ("assign", ids[1], None)]


async def test_a_revoked_key_takes_nothing_on(desk: Desk) -> None:
    """An item is not given to whoever is no longer of the staff."""
    item, gone = await desk.raise_(), (await make_key(desk.database, desk.business_id, Role.OWNER))[3:35]
    await desk.database.run(desk.business_id, lambda tx: api_keys.revoke(tx, UUID(gone)))
    assert wrong_fields(await desk.post(item, "assign", {"assigneeId": gone})) == {"assigneeId"}


async def test_an_item_is_put_aside(desk: Desk) -> None:
    """A snoozed item is not among the open ones until its time has come; a time that has passed is refused."""
    item = await desk.raise_()
    for wrong in (soon(minutes=-1), soon(days=400), "2026-11-21T12:00:00"):
        assert wrong_fields(await desk.post(item, "snooze", {"until": wrong})) == {"until"}
    assert (await desk.post(item, "snooze", {"until": soon(hours=1)})).json()["status"] == "snoozed"
    assert (await desk.ids(), await desk.ids(status="snoozed")) == ([], [item])
    async with desk.database.transaction(desk.business_id) as tx:
        await tx.run("update attention_items set snoozed_until = clock_timestamp()")
    assert await desk.ids() == [item]
    assert await desk.told(item) == [("snooze", "open", "snoozed")]


async def test_an_item_is_resolved_once(desk: Desk) -> None:
    """A resolved item is told who has resolved it, changes no more, and makes room for the next one."""
    item = await desk.raise_()
    done = (await desk.post(item, "resolve", {"reason": "called back"})).json()
    assert (done["status"], done["resolvedBy"]) == ("resolved", str(UUID(desk.key[3:35])))
    steps: list[tuple[str, Json]] = [("assign", {}), ("snooze", {"until": soon(hours=1)}), ("resolve", {})]
    for action, body in steps:
        problem(await desk.post(item, action, body), 409, "item_resolved")
    assert (await desk.ids(), await desk.ids(status="resolved")) == ([], [item])
    assert await desk.told(item) == [("resolve", "open", "resolved")]


async def test_two_who_resolve_at_once_are_told_apart(desk: Desk) -> None:
    """Of two who resolve one item at the same moment one does, and the other hears that it is done."""
    item = await desk.raise_()
    answers = await asyncio.gather(*(desk.post(item, "resolve") for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert len(await desk.told(item)) == 1


async def test_the_inbox_of_others_is_not_there(desk: Desk) -> None:
    """Another tenant's items are neither listed nor found, and stay as they are (H-4, D-9)."""
    other = await open_desk(desk.http, desk.database)
    theirs = await other.raise_()
    assert await desk.ids(status="open") == []
    steps: list[tuple[str, Json]] = [("assign", {}), ("snooze", {"until": soon(hours=1)}), ("resolve", {})]
    for action, body in steps:
        for name in (theirs, str(uuid4()), "nothing"):
            problem(await desk.post(name, action, body), 404, "not_found")
    [seen] = (await other.list_())["items"]
    assert (seen["assigneeId"], seen["status"]) == (None, "open")


async def test_what_is_asked_wrongly_is_named(desk: Desk) -> None:
    """A filter that can find nothing, and a cursor that no page has given, are refused by name, with the words that the
    filter knows (H-1, H-2).
    """
    wrong: list[tuple[str, str, str]] = [
        ("status", "done", "one of open, snoozed, resolved"),
        ("severity", "high", "one of info, warning, urgent"),
        ("kind", "guest@example.org", f"one of {', '.join(sorted(KINDS.names()))}"),
        ("assigneeId", "me", ""),
        ("cursor", "x", ""),
        ("limit", "0", ""),
    ]
    for name, text, words in wrong:
        answer = await desk.http.get(PATH, params={name: text}, headers=bearer(desk.key))
        assert wrong_fields(answer) == {name}
        assert words in answer.json()["message"]
        assert "guest" not in answer.text
