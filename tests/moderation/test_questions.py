"""Questions over HTTP: sent in, answered, published, rejected; who may, and what is never seen."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from booking.served import problem, wrong_fields
from booking.tenants import Json, Tenant
from holdfast.identity.permissions import Role
from holdfast.moderation.review import RejectReason

QUESTIONS, QUEUE, ITEMS = "/api/public/questions", "/api/admin/moderation/queue", "/api/admin/moderation/items"
TEXT = "Почему мне всё время тревожно, Zebulon-7?"
EMAIL = "zebulon.asks@example.org"
ANSWER = "Тревога бывает у многих; начните со сна, quokka-19."
OWNER, ASSISTANT, EDITOR = Role.OWNER, Role.ASSISTANT, Role.EDITOR


async def ask(tenant: Tenant, text: str = TEXT, **more: Any) -> Json:
    """Send a question in."""
    body = {"business": tenant.slug, "text": text, "consent": True, **more}
    answer = await tenant.call("POST", QUESTIONS, body)
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


async def look(tenant: Tenant, made: Json) -> Json:
    """Return what the sender of a question sees of it."""
    headers = {"Question-Token": made["token"]}
    return await tenant.done("GET", f"{QUESTIONS}/{made['id']}", params={"business": tenant.slug}, headers=headers)


async def step(tenant: Tenant, made: Json, name: str, version: int, role: Role = OWNER, **body: Any) -> Json:
    """Take a step with a question that is allowed."""
    path = f"{ITEMS}/{made['id']}/{name}"
    return await tenant.done("POST", path, {"expectedVersion": version, **body}, role=role)


async def published(tenant: Tenant, **query: Any) -> Json:
    """Return a page of published questions."""
    return await tenant.done("GET", QUESTIONS, params={"business": tenant.slug, **query})


async def through(tenant: Tenant, made: Json, number: int = 1) -> None:
    """Take a question all the way to its publication."""
    await step(tenant, made, "assign", 1)
    await step(tenant, made, "answer", 2, text=ANSWER)
    await step(tenant, made, "publish", 3, publicText=f"Question {number}", publicAnswer=f"Answer {number}")


async def test_a_question_is_answered_to_its_sender(tenant: Tenant) -> None:
    """A question goes from new by review to its answer, which its sender reads by the token (D-7)."""
    made = await ask(tenant, email=EMAIL)
    assert (made["status"], made["guidance"]) == ("new", None)
    assert (await look(tenant, made))["status"] == "new"
    taken = await step(tenant, made, "assign", 1)
    assert (taken["status"], taken["assignedTo"]) == ("in_review", tenant.key_id(OWNER))
    opened = await tenant.done("GET", f"{ITEMS}/{made['id']}", role=OWNER)
    assert (opened["text"], opened["email"], opened["answers"]) == (TEXT, EMAIL, [])
    answered = await step(tenant, made, "answer", 2, text="Так.")
    assert answered["resolvedAt"] is not None
    better = await step(tenant, made, "answer", 3, text=ANSWER)
    assert (better["status"], better["version"], better["resolvedAt"]) == ("answered", 4, answered["resolvedAt"])
    seen = await look(tenant, made)
    assert (seen["status"], seen["answer"]) == ("answered", ANSWER)
    opened = await tenant.done("GET", f"{ITEMS}/{made['id']}", role=OWNER)
    assert [each["text"] for each in opened["answers"]] == ["Так.", ANSWER]
    assert [each["action"] for each in opened["actions"]] == ["assign", "answer", "answer"]


async def test_only_the_words_of_staff_are_published(tenant: Tenant) -> None:
    """The public reads what staff have written for it, by topic and page by page; never what was confided (D-5)."""
    made = [await ask(tenant) for _ in range(3)]
    for number, each in enumerate(made, 1):
        await through(tenant, each, number)
    first = await published(tenant, limit="2")
    assert [(q["text"], q["answer"]) for q in first["questions"]] == [
        ("Question 3", "Answer 3"),
        ("Question 2", "Answer 2"),
    ]
    second = await published(tenant, limit="2", cursor=first["nextCursor"])
    assert [q["id"] for q in second["questions"]] == [made[0]["id"]]
    assert second["nextCursor"] is None
    assert TEXT not in json.dumps([first, second], ensure_ascii=False)
    assert tenant.written(TEXT, ANSWER) == []


async def test_a_publication_can_be_taken_back(tenant: Tenant) -> None:
    """Rejecting a published question takes its words away; the reason is a word, the comment sealed (D-5)."""
    made = await ask(tenant)
    await through(tenant, made)
    comment = "the sender has asked for it, wombat-3"
    done = await step(tenant, made, "reject", 4, reason="withdrawn", comment=comment)
    assert done["status"] == "rejected"
    assert (await published(tenant))["questions"] == []
    assert (await look(tenant, made))["answer"] is None
    opened = await tenant.done("GET", f"{ITEMS}/{made['id']}", role=OWNER)
    assert (opened["actions"][-1]["reason"], opened["actions"][-1]["comment"]) == ("withdrawn", comment)
    assert opened["publicText"] is None
    assert tenant.sql("select public_text, public_answer from ugc_items where id = %s", made["id"]) == [(None, None)]
    assert tenant.written(comment) == []


async def test_nothing_confided_is_in_the_database_or_in_a_refusal(
    tenant: Tenant, capfd: pytest.CaptureFixture[str]
) -> None:
    """Texts, addresses, answers and tokens are in no column, log line or error, whatever is sent along (D-5)."""
    made = await ask(tenant, email=EMAIL)
    await step(tenant, made, "assign", 1)
    await step(tenant, made, "answer", 2, text=ANSWER)
    refusals = [
        await tenant.call("POST", QUESTIONS, body)
        for body in (
            {"business": tenant.slug, "text": TEXT},
            {"business": tenant.slug, "text": TEXT, "consent": False, "email": EMAIL},
            {"business": tenant.slug, "text": TEXT, "consent": True, "topic": "none-of-ours"},
            {"business": tenant.slug, "text": TEXT, "consent": True, "email": TEXT},
            {"business": tenant.slug, "text": TEXT, "consent": True, "locale": TEXT},
            {"business": TEXT, "text": TEXT, "consent": True},
        )
    ]
    refusals.append(
        await tenant.call("POST", f"{ITEMS}/{made['id']}/reject", {"reason": TEXT, "comment": ANSWER}, role=OWNER)
    )
    assert {answer.status_code for answer in refusals} == {400, 404}
    told = json.dumps([answer.json() for answer in refusals], ensure_ascii=False)
    told += "".join(capfd.readouterr())
    secrets = (TEXT, EMAIL, ANSWER, made["token"])
    assert [secret for secret in secrets if secret in told] == []
    assert tenant.written(*secrets) == []


async def test_a_token_opens_its_own_question_only(tenant: Tenant, neighbour: Tenant) -> None:
    """Without its token, with another's or in another business, a question is as unknown as any (H-4)."""
    made, other = await ask(tenant), await ask(tenant)
    theirs = await ask(neighbour)
    tries = [
        (made["id"], {}),
        (made["id"], {"Question-Token": other["token"]}),
        (made["id"], {"Question-Token": made["token"][:-1]}),
        (theirs["id"], {"Question-Token": theirs["token"]}),
        (str(uuid4()), {"Question-Token": made["token"]}),
        ("nothing", {"Question-Token": made["token"]}),
    ]
    bodies = []
    for name, headers in tries:
        answer = await tenant.call("GET", f"{QUESTIONS}/{name}", headers=headers, params={"business": tenant.slug})
        bodies.append(problem(answer, 404, "question_not_found"))
    assert bodies == [bodies[0]] * len(tries)


async def test_what_is_confided_is_read_by_owners_and_whom_it_is_assigned_to(tenant: Tenant) -> None:
    """Nobody else reads, answers or closes a question, and each reading is in the audit log with its reader (D-7)."""
    made = await ask(tenant)
    path = f"{ITEMS}/{made['id']}"
    for role in (ASSISTANT, EDITOR):
        problem(await tenant.call("GET", path, role=role), 403, "not_assigned")
        answer = await tenant.call("POST", f"{path}/assign", {"expectedVersion": 1}, role=role)
        problem(answer, 403, "forbidden")
    await step(tenant, made, "assign", 1, assignedTo=tenant.key_id(EDITOR))
    assert (await tenant.done("GET", path, role=EDITOR))["text"] == TEXT
    for name, body in (
        ("answer", {"text": ANSWER}),
        ("publish", {"publicText": "a", "publicAnswer": "b"}),
        ("reject", {"reason": "spam"}),
    ):
        answer = await tenant.call("POST", f"{path}/{name}", {"expectedVersion": 2, **body}, role=ASSISTANT)
        problem(answer, 403, "not_assigned")
    assert (await step(tenant, made, "answer", 2, EDITOR, text=ANSWER))["version"] == 3
    assert (await tenant.done("GET", path, role=OWNER))["item"]["version"] == 3
    log = tenant.sql(
        "select action, actor, actor_id::text from audit_log where aggregate_id = %s order by version", made["id"]
    )
    reads = [entry for entry in log if entry[0] == "read"]
    assert reads == [("read", "staff", tenant.key_id(EDITOR)), ("read", "staff", tenant.key_id(OWNER))]
    assert [entry[0] for entry in log] == ["submit", "assign", "read", "answer", "read"]


async def test_readers_at_once_are_each_written_down(tenant: Tenant) -> None:
    """Of readers at the same moment each has an entry of their own (D-7)."""
    made = await ask(tenant)
    path = f"{ITEMS}/{made['id']}"
    answers = await asyncio.gather(*(tenant.call("GET", path, role=OWNER) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {200}
    [(reads,)] = tenant.sql("select count(*) from audit_log where aggregate_id = %s and action = 'read'", made["id"])
    assert reads == 6


async def test_of_two_who_change_one_version_one_succeeds(tenant: Tenant) -> None:
    """A step names the version that it saw: of several at once one is taken, the others hear which it is now (B-15)."""
    made = await ask(tenant)
    await step(tenant, made, "assign", 1)
    path = f"{ITEMS}/{made['id']}/reject"
    body = {"expectedVersion": 2, "reason": "spam"}
    answers = await asyncio.gather(*(tenant.call("POST", path, body, role=OWNER) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409]
    late = next(answer for answer in answers if answer.status_code == 409)
    assert problem(late, 409, "CONFLICT")["details"] == {"currentVersion": 3}
    problem(await tenant.call("POST", path, {"reason": "spam"}, role=OWNER), 428, "version_required")
    [(actions,)] = tenant.sql("select count(*) from moderation_actions where item_id = %s", made["id"])
    assert actions == 2


async def test_steps_begin_where_they_begin(tenant: Tenant) -> None:
    """A step from elsewhere is 409 with where the question is, and changes nothing (D-7)."""
    made = await ask(tenant)
    steps: dict[str, Json] = {
        "answer": {"text": ANSWER},
        "publish": {"publicText": "a", "publicAnswer": "b"},
        "reject": {"reason": "spam"},
    }
    for name, body in steps.items():
        answer = await tenant.call("POST", f"{ITEMS}/{made['id']}/{name}", {"expectedVersion": 1, **body}, role=OWNER)
        assert problem(answer, 409, "step_not_allowed")["details"] == {"status": "new"}
    await step(tenant, made, "assign", 1)
    await step(tenant, made, "reject", 2, reason="other")
    for name, body in (steps | {"assign": {}, "escalate": {}}).items():
        answer = await tenant.call("POST", f"{ITEMS}/{made['id']}/{name}", {"expectedVersion": 3, **body}, role=OWNER)
        assert problem(answer, 409, "step_not_allowed")["details"] == {"status": "rejected"}
    assert tenant.sql("select version from ugc_items where id = %s", made["id"]) == [(3,)]


async def test_another_tenants_questions_are_unknown(tenant: Tenant, neighbour: Tenant) -> None:
    """To staff, a question of another tenant is what nobody has, for every call (H-4, D-9)."""
    theirs = await ask(neighbour)
    for name in (theirs["id"], str(uuid4()), "nothing"):
        problem(await tenant.call("GET", f"{ITEMS}/{name}", role=OWNER), 404, "question_not_found")
        for step_name, body in (
            ("assign", {}),
            ("answer", {"text": "a"}),
            ("publish", {"publicText": "a", "publicAnswer": "b"}),
            ("reject", {"reason": "spam"}),
            ("escalate", {}),
        ):
            path = f"{ITEMS}/{name}/{step_name}"
            answer = await tenant.call("POST", path, {"expectedVersion": 1, **body}, role=OWNER)
            problem(answer, 404, "question_not_found")
    made = await ask(tenant)
    body = {"expectedVersion": 1, "assignedTo": neighbour.key_id(OWNER)}
    problem(await tenant.call("POST", f"{ITEMS}/{made['id']}/assign", body, role=OWNER), 404, "unknown_assignee")
    assert (await tenant.done("GET", QUEUE, role=OWNER))["items"][0]["id"] == made["id"]
    assert neighbour.sql("select status, version from ugc_items where id = %s", theirs["id"]) == [("new", 1)]


async def test_a_revoked_key_is_assigned_nothing(tenant: Tenant) -> None:
    """A question is given to nobody who cannot call any more (H-4)."""
    made = await ask(tenant)
    tenant.sql("update api_keys set revoked_at = now() where id = %s", tenant.key_id(EDITOR))
    body = {"expectedVersion": 1, "assignedTo": tenant.key_id(EDITOR)}
    problem(await tenant.call("POST", f"{ITEMS}/{made['id']}/assign", body, role=OWNER), 404, "unknown_assignee")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"text": ""}, "text"),
        ({"text": " \n"}, "text"),
        ({"text": "x" * 5_001}, "text"),
        ({"text": "a\x00b"}, "text"),
        ({"consent": False}, "consent"),
        ({"consent": "yes"}, "consent"),
        ({"email": "nobody"}, "email"),
        ({"topic": "No Slug"}, "topic"),
        ({"locale": "русский"}, "locale"),
    ],
)
async def test_a_malformed_question_names_its_field(tenant: Tenant, wrong: Json, field: str) -> None:
    """What is not a question is 400 and names the member; nothing is kept (H-1)."""
    body = {"business": tenant.slug, "text": TEXT, "consent": True, **wrong}
    assert wrong_fields(await tenant.call("POST", QUESTIONS, body)) == {field}
    assert tenant.sql("select 1 from ugc_items where business_id = %s", tenant.business_id) == []


@pytest.mark.parametrize("query", ["cursor=x", "cursor=MA==", "limit=0", "limit=101", "topic=%00"])
async def test_a_malformed_list_is_refused(tenant: Tenant, query: str) -> None:
    """A cursor that no list has given, a limit out of range and a topic that is none are 400 (H-2)."""
    answer = await tenant.call("GET", f"{QUESTIONS}?business={tenant.slug}&{query}")
    assert wrong_fields(answer) == {query.partition("=")[0]}


async def test_the_database_keeps_what_it_is_told(tenant: Tenant) -> None:
    """Whoever writes past the product cannot skip a step, keep a version, publish no words or write plain text (D-5)."""
    made = await ask(tenant)
    for change in (
        "status = 'answered', version = 2, resolved_at = now(), assigned_to = id",
        "status = 'in_review', version = 2",
        "urgency = 1",
        "urgency = 1, version = 3",
        "text = 'plain', version = 2",
        "email = 'a@b.c', version = 2",
        "public_text = 'a', public_answer = 'b', published_at = now(), version = 2",
    ):
        with pytest.raises(psycopg.errors.CheckViolation):
            tenant.sql(f"update ugc_items set {change} where id = %s", made["id"])
    tenant.sql("update ugc_items set text = text where id = %s", made["id"])
    assert set(RejectReason) == {
        *("spam", "abusive", "off_topic", "duplicate", "personal_data", "crisis_handled", "withdrawn", "other")
    }
