"""The queue of moderation: its order, its figures, its filters, its plan."""

from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from booking.served import wrong_fields
from booking.tenants import Json, Tenant
from holdfast.identity.permissions import Role
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.sql import load
from holdfast.moderation.states import TRANSITIONS, ItemStatus

QUESTIONS, QUEUE, ITEMS = "/api/public/questions", "/api/admin/moderation/queue", "/api/admin/moderation/items"
OWNER, ASSISTANT, EDITOR = Role.OWNER, Role.ASSISTANT, Role.EDITOR
CRISIS = "Я не хочу жить и хочу умереть"


async def ask(tenant: Tenant, text: str = "Как спать?", **more: Any) -> Json:
    """Send a question in."""
    return await tenant.done("POST", QUESTIONS, {"business": tenant.slug, "text": text, "consent": True, **more})


async def queue(tenant: Tenant, **query: Any) -> Json:
    """Return a page of the queue as an editor sees it."""
    return await tenant.done("GET", QUEUE, role=EDITOR, params=query)


def older(tenant: Tenant, made: Json, hours: float) -> None:
    """Let a question have come in, and be due, so much earlier."""
    # Time passes without a version.
    tenant.sql("alter table ugc_items disable trigger guard_ugc_item")
    try:
        change = "created_at = created_at - %s::interval, due_at = due_at - %s::interval"
        tenant.sql(f"update ugc_items set {change} where id = %s", f"{hours} hours", f"{hours} hours", made["id"])
    finally:
        tenant.sql("alter table ugc_items enable trigger guard_ugc_item")


def ids(page: Json) -> list[str]:
    """Return the ids of a page."""
    return [item["id"] for item in page["items"]]


async def test_a_crisis_comes_first_and_then_what_is_oldest(tenant: Tenant) -> None:
    """The queue is in order of urgency and then of age, page by page, and shows nothing of what was confided (D-7)."""
    plain = [await ask(tenant, email="asks@example.org") for _ in range(3)]
    crisis = await ask(tenant, CRISIS)
    await tenant.done("POST", f"{ITEMS}/{plain[2]['id']}/escalate", {"expectedVersion": 1}, role=ASSISTANT)
    wanted = [crisis["id"], plain[2]["id"], plain[0]["id"], plain[1]["id"]]
    assert ids(await queue(tenant)) == wanted
    found, cursor = [], None
    for _ in wanted:
        page = await queue(tenant, limit="1", **({"cursor": cursor} if cursor else {}))
        found += ids(page)
        cursor = page["nextCursor"]
    assert (found, cursor) == (wanted, None)
    [shown] = (await queue(tenant, limit="1"))["items"]
    assert (shown["urgency"], shown["categories"]) == ("crisis", ["suicide"])
    assert "text" not in shown
    assert "email" not in shown


async def test_a_crisis_is_told_by_category_only(tenant: Tenant) -> None:
    """A crisis is stored as categories, never as words; its sender gets guidance, staff an urgent item (D-5, D-6)."""
    made = await ask(tenant, CRISIS)
    assert "112" in made["guidance"]
    assert "emergency number" in (await ask(tenant, "I want to die", locale="en-GB"))["guidance"]
    assert tenant.sql("select category from ugc_triggers where item_id = %s", made["id"]) == [("suicide",)]
    assert tenant.sql(
        "select kind, severity::text, details from attention_items where subject_id = %s", made["id"]
    ) == [("question_of_crisis", "urgent", {"suicide": True})]
    assert tenant.written("умереть", "want to die") == []
    headers = {"Question-Token": made["token"]}
    seen = await tenant.done("GET", f"{QUESTIONS}/{made['id']}", params={"business": tenant.slug}, headers=headers)
    assert seen["guidance"] == made["guidance"]


async def test_questions_are_due_by_the_targets_of_their_business(tenant: Tenant, neighbour: Tenant) -> None:
    """A question is due within 24 hours, a crisis within 2, or as the owner has said since (D-7)."""
    page = await _due(tenant, "Как спать?"), await _due(tenant, CRISIS)
    assert page == (24, 2)
    for key, hours in (("question_answer_hours", 48), ("question_crisis_hours", 4)):
        await tenant.done("PUT", f"/api/admin/settings/{key}", {"value": hours}, role=OWNER)
    assert (await _due(tenant, "Как?"), await _due(tenant, CRISIS)) == (48, 4)
    assert await _due(neighbour, "Как?") == 24
    told = (await queue(tenant))["figures"]
    assert (told["targetHours"], told["crisisTargetHours"]) == (48, 4)
    await tenant.done("PUT", "/api/admin/settings/question_answer_hours", {"value": 3}, role=OWNER)
    assert await _due(tenant, CRISIS) == 3, "a crisis is never due later than other questions"


async def test_what_is_escalated_is_due_as_soon_as_a_crisis(tenant: Tenant) -> None:
    """Escalating puts a question before the others, due within the hours of a crisis, and into the inbox (D-7)."""
    made = await ask(tenant)
    comment = "tonight, ibis-5"
    body = {"expectedVersion": 1, "comment": comment}
    done = await tenant.done("POST", f"{ITEMS}/{made['id']}/escalate", body, role=EDITOR)
    assert (done["urgency"], done["status"], _hours(done)) == ("escalated", "new", 2)
    assert tenant.sql("select kind from attention_items where subject_id = %s", made["id"]) == [("question_escalated",)]
    assert tenant.written(comment) == []


@pytest.mark.parametrize("last", ["answer", "reject"])
async def test_what_is_done_calls_for_nobody(tenant: Tenant, last: str) -> None:
    """What a crisis and an escalation have put into the inbox stays while the question is worked on, and is resolved with
    the answer or the rejection, by whom did that, in the audit log too; of other questions it stays (D-7).
    """
    made, other = await ask(tenant, CRISIS), await ask(tenant, CRISIS)
    path = f"{ITEMS}/{made['id']}"
    await tenant.done("POST", f"{path}/escalate", {"expectedVersion": 1}, role=EDITOR)
    await tenant.done("POST", f"{path}/assign", {"expectedVersion": 2}, role=OWNER)
    resolved = "select kind, resolved_by::text from attention_items where subject_id = %s order by kind"
    assert tenant.sql(resolved, made["id"]) == [("question_escalated", None), ("question_of_crisis", None)]
    body = {"text": "Позвоните 112."} if last == "answer" else {"reason": "crisis_handled"}
    await tenant.done("POST", f"{path}/{last}", body | {"expectedVersion": 3}, role=OWNER)
    by = tenant.key_id(OWNER)
    assert tenant.sql(resolved, made["id"]) == [("question_escalated", by), ("question_of_crisis", by)]
    assert tenant.sql(resolved, other["id"]) == [("question_of_crisis", None)]
    written = "select a.action, a.actor_id::text from audit_log a join attention_items i on i.id = a.aggregate_id"
    assert tenant.sql(f"{written} where i.subject_id = %s", made["id"]) == [("resolve", by)] * 2


async def test_figures_tell_how_the_targets_are_kept(tenant: Tenant) -> None:
    """The queue tells what is open, unassigned and overdue, how old the oldest is, and what was done in time (D-7)."""
    fresh, late, late_crisis, done, done_late = [await ask(tenant, text) for text in ("a", "b", CRISIS, "d", "e")]
    for made, hours in ((late, 30), (late_crisis, 3), (done_late, 25)):
        older(tenant, made, hours)
    for made in (done, done_late):
        path = f"{ITEMS}/{made['id']}"
        await tenant.done("POST", f"{path}/assign", {"expectedVersion": 1}, role=OWNER)
        await tenant.done("POST", f"{path}/answer", {"expectedVersion": 2, "text": "x"}, role=OWNER)
    page = await queue(tenant)
    told = page["figures"]
    assert told.pop("resolved") == 2
    assert 30 * 3600 <= told.pop("oldestSeconds") < 31 * 3600
    assert told == {
        "open": 3,
        "unassigned": 3,
        "overdue": 2,
        "overdueCrises": 1,
        "resolvedInTime": 1,
        "targetHours": 24,
        "crisisTargetHours": 2,
    }
    assert {item["id"]: item["overdue"] for item in page["items"]} == {
        late_crisis["id"]: True,
        late["id"]: True,
        fresh["id"]: False,
    }


async def test_the_queue_is_filtered(tenant: Tenant) -> None:
    """The queue is asked for by status, category, age in hours and by whom it is assigned to (H-2)."""
    fresh, old, crisis = await ask(tenant), await ask(tenant), await ask(tenant, CRISIS)
    older(tenant, old, 5)
    await tenant.done("POST", f"{ITEMS}/{fresh['id']}/assign", {"expectedVersion": 1}, role=OWNER)
    assert ids(await queue(tenant, status="in_review")) == [fresh["id"]]
    assert ids(await queue(tenant, status="new,in_review")) == ids(await queue(tenant))
    assert ids(await queue(tenant, status="rejected,published")) == []
    assert ids(await queue(tenant, category="suicide")) == [crisis["id"]]
    assert ids(await queue(tenant, category="abuse")) == []
    assert ids(await queue(tenant, age="4")) == [old["id"]]
    assert ids(await queue(tenant, assignedTo=tenant.key_id(OWNER))) == [fresh["id"]]


@pytest.mark.parametrize(
    "query",
    ["status=open", "category=joy", "age=-1", "assignedTo=me", "limit=201", "cursor=x", "cursor=MQ==", "cursor=OSB4"],
)
async def test_a_malformed_filter_is_refused(tenant: Tenant, query: str) -> None:
    """What the queue does not know is 400 and names the parameter (H-1)."""
    assert wrong_fields(await tenant.call("GET", f"{QUEUE}?{query}", role=EDITOR)) == {query.partition("=")[0]}


def test_the_queue_reads_its_index(postgres: EmbeddedPostgres, own_database: str) -> None:
    """Among many closed questions the page of a status is read in the order of its index, without sorting them (D-3)."""
    statement = load("holdfast.moderation")["queue"]
    values = {"statuses": ["published"], "category": None, "assigned_to": None, "age_hours": 0, "urgency": 0}
    values |= {"at": None, "last": None, "limit": 51}
    with psycopg.connect(postgres.uri(database=own_database), autocommit=True) as connection:
        connection.execute(FILL)
        connection.execute("analyze ugc_items")
        values["business_id"] = (connection.execute("select id from businesses limit 1").fetchone() or ())[0]
        plan = _plan(connection, statement, values)
        assert "ugc_items_urgent" in plan, plan
        assert "Seq Scan on ugc_items" not in plan, plan
        since = (
            "select id from ugc_items where business_id = %(business_id)s and status = 'new'"
            " and created_at < now() - interval '1 day' order by created_at limit 10"
        )
        plan = _plan(connection, since, values)
        assert "ugc_items_queue" in plan, plan


FILL = """
insert into businesses (slug, name, timezone, currency) values ('b', 'B', 'UTC', 'EUR');
alter table ugc_items disable trigger guard_ugc_item;
insert into ugc_items (business_id, id, locale, status, urgency, version, text, assigned_to, public_text, public_answer,
                       created_at, due_at, resolved_at, published_at)
select b.id, uuidv7(), 'ru', case when n % 100 = 0 then 'new' else 'published' end, (n % 3)::smallint, 1,
       '\\x68666531'::bytea || decode(repeat('00', 40), 'hex'), b.id,
       case when n % 100 <> 0 then 'q' end, case when n % 100 <> 0 then 'a' end,
       now() - make_interval(mins => n), now(), case when n % 100 <> 0 then now() end,
       case when n % 100 <> 0 then now() end
  from businesses b, generate_series(1, 20000) n;
"""


def _plan(connection: psycopg.Connection, statement: str, values: Json) -> str:
    rows = connection.execute(f"explain {statement}".encode(), values).fetchall()
    return "\n".join(line for (line,) in rows)


def test_transitions_are_the_same_in_python_and_in_the_database(admin_uri: str) -> None:
    """ugc_may_become says of every pair of states what TRANSITIONS says (D-7)."""
    with psycopg.connect(admin_uri) as connection:
        for before in ItemStatus:
            for after in ItemStatus:
                [allowed] = connection.execute("select ugc_may_become(%s, %s)", [before, after]).fetchone() or [None]
                assert allowed is (after in TRANSITIONS[before]), (before, after)


async def _due(tenant: Tenant, text: str) -> int:
    made = await ask(tenant, text)
    return _hours(next(item for item in (await queue(tenant))["items"] if item["id"] == made["id"]))


def _hours(item: Json) -> int:
    span = datetime.fromisoformat(item["dueAt"]) - datetime.fromisoformat(item["createdAt"])
    return round(span / timedelta(hours=1))
