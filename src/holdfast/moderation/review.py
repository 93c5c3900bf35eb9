"""What staff make of a question: assign it, read it, answer it, publish it, reject it, escalate it (D-7).

A text that somebody has confided becomes public in one way only: staff write a version of it for the public and publish
just that. What was confided stays sealed, whatever is published.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from holdfast.booking.errors import VersionConflict, VersionRequired
from holdfast.identity.permissions import Permission
from holdfast.identity.staff import Staff
from holdfast.kernel.attention import KINDS, Severity, raise_item, resolve_about
from holdfast.kernel.audit import emit, record
from holdfast.kernel.database import Row, Transaction
from holdfast.kernel.ids import new_id
from holdfast.kernel.sql import load
from holdfast.moderation.errors import NotAssigned, QuestionNotFound, StepNotAllowed, UnknownAssignee
from holdfast.moderation.questions import ANSWER, CRISIS, EMAIL, KIND, TEXT, targets_of
from holdfast.moderation.states import OPEN, TRANSITIONS, ItemStatus

_SQL = load("holdfast.moderation")
_COMMENT = "moderation_actions.comment"

ESCALATED = KINDS.declare("question_escalated")


class RejectReason(StrEnum):
    """Why a question is rejected. A migration knows the same words."""

    SPAM = "spam"
    ABUSIVE = "abusive"
    OFF_TOPIC = "off_topic"
    DUPLICATE = "duplicate"
    PERSONAL_DATA = "personal_data"
    CRISIS_HANDLED = "crisis_handled"
    WITHDRAWN = "withdrawn"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Item:
    """A question in the queue: everything but what was confided.

    `urgency` is 0, 1 when it was escalated, 2 when it may tell of a crisis; `categories` are which.
    """

    id: UUID
    status: str
    urgency: int
    version: int
    locale: str
    topic: str | None
    assigned_to: UUID | None
    created_at: datetime
    due_at: datetime
    resolved_at: datetime | None
    wants_mail: bool
    overdue: bool
    categories: list[str]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a question; the last one counts."""

    text: str
    author: UUID
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Action:
    """A step that staff took."""

    version: int
    action: str
    from_status: str
    to_status: str
    actor: UUID
    reason: str | None
    comment: str | None
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Opened:
    """A question with everything that was confided about it."""

    item: Item
    text: str
    email: str | None
    public_text: str | None
    public_answer: str | None
    answers: list[Answer]
    actions: list[Action]


async def read(tx: Transaction, item_id: UUID, staff: Staff) -> Opened:
    """Return a question with its text, and write down who has read it.

    Raises QuestionNotFound, NotAssigned.
    """
    # Locked, so that of two readers at once each has an entry of their own in the log.
    row = await _lock(tx, item_id)
    _check_assigned(row, staff)
    keys, named = await tx.keys(), {"business_id": tx.business_id, "item_id": item_id}
    answers = [
        Answer(keys.open(ANSWER, each["id"], bytes(each["text"])), each["author"], each["created_at"])
        for each in await tx.rows(_SQL["answers_of"], named)
    ]
    actions = []
    for each in await tx.rows(_SQL["actions_of"], named):
        action_id, sealed = each.pop("id"), each.pop("comment")
        comment = None if sealed is None else keys.open(_COMMENT, action_id, bytes(sealed))
        actions.append(Action(**each, comment=comment))
    await record(tx, KIND, item_id, "read", staff.actor)
    return Opened(
        item=await find(tx, item_id),
        text=keys.open(TEXT, item_id, bytes(row["text"])),
        email=None if row["email"] is None else keys.open(EMAIL, item_id, bytes(row["email"])),
        public_text=row["public_text"],
        public_answer=row["public_answer"],
        answers=answers,
        actions=actions,
    )


async def find(tx: Transaction, item_id: UUID) -> Item:
    """Return a question without what was confided; raises QuestionNotFound."""
    found = await tx.first(Item, _SQL["item"], {"business_id": tx.business_id, "id": item_id})
    if found is None:
        raise QuestionNotFound
    return found


async def assign(
    tx: Transaction, item_id: UUID, staff: Staff, *, assigned_to: UUID | None, expected_version: int | None
) -> Item:
    """Give a question to somebody of the staff, by default to the caller; only they and owners can read it.

    Raises QuestionNotFound, VersionRequired, VersionConflict, UnknownAssignee, StepNotAllowed for one that is closed.
    """
    row = await _lock(tx, item_id, expected_version)
    whom = assigned_to or staff.actor.id
    if not await tx.value(_SQL["works_here"], {"business_id": tx.business_id, "id": whom}):
        raise UnknownAssignee
    if row["status"] in {ItemStatus.PUBLISHED, ItemStatus.REJECTED}:
        raise StepNotAllowed(details={"status": row["status"]})
    return await _step(tx, "assign", row, staff, _SQL["assign"], {"assigned_to": whom})


async def answer(tx: Transaction, item_id: UUID, staff: Staff, *, text: str, expected_version: int | None) -> Item:
    """Answer a question, or answer it better while it is not published; its sender can read the last answer.

    Raises QuestionNotFound, NotAssigned, VersionRequired, VersionConflict, StepNotAllowed.
    """
    row = await _lock(tx, item_id, expected_version)
    _check_assigned(row, staff)
    if row["status"] != ItemStatus.ANSWERED:
        _check_step(row, ItemStatus.ANSWERED)
    answer_id = new_id()
    values = {
        "business_id": tx.business_id,
        "id": answer_id,
        "item_id": item_id,
        "text": (await tx.keys()).seal(ANSWER, answer_id, text),
        "author": staff.actor.id,
    }
    await tx.run(_SQL["add_answer"], values)
    return await _step(tx, "answer", row, staff, _SQL["mark_answered"], {}, event="QuestionAnswered")


async def publish(
    tx: Transaction, item_id: UUID, staff: Staff, *, public_text: str, public_answer: str, expected_version: int | None
) -> Item:
    """Let everybody read these words for the question and its answer, and nothing else of either.

    Raises QuestionNotFound, NotAssigned, VersionRequired, VersionConflict, StepNotAllowed.
    """
    row = await _lock(tx, item_id, expected_version)
    _check_assigned(row, staff)
    _check_step(row, ItemStatus.PUBLISHED)
    words = {"public_text": public_text, "public_answer": public_answer}
    return await _step(tx, "publish", row, staff, _SQL["publish"], words, event="QuestionPublished")


async def reject(
    tx: Transaction,
    item_id: UUID,
    staff: Staff,
    *,
    reason: RejectReason,
    comment: str | None,
    expected_version: int | None,
) -> Item:
    """Reject a question, or take back one that was published: nobody can read it any more.

    Raises QuestionNotFound, NotAssigned, VersionRequired, VersionConflict, StepNotAllowed.
    """
    row = await _lock(tx, item_id, expected_version)
    _check_assigned(row, staff)
    _check_step(row, ItemStatus.REJECTED)
    return await _step(
        tx, "reject", row, staff, _SQL["reject"], {}, event="QuestionRejected", reason=reason, comment=comment
    )


async def escalate(
    tx: Transaction, item_id: UUID, staff: Staff, *, comment: str | None, expected_version: int | None
) -> Item:
    """Put an open question before the others, due as soon as a crisis is, and before everybody who looks at the inbox.

    Raises QuestionNotFound, VersionRequired, VersionConflict, StepNotAllowed for one that is answered or closed.
    """
    row = await _lock(tx, item_id, expected_version)
    if row["status"] not in OPEN:
        raise StepNotAllowed(details={"status": row["status"]})
    hours = (await targets_of(tx)).crisis_hours
    await raise_item(tx, ESCALATED, item_id, Severity.URGENT)
    return await _step(tx, "escalate", row, staff, _SQL["escalate"], {"hours": hours}, comment=comment)


async def _lock(tx: Transaction, item_id: UUID, *expected_version: int | None) -> Row:
    """Return the row of a question, locked; with a version only if it is that one."""
    found = await tx.rows(_SQL["lock_item"], {"business_id": tx.business_id, "id": item_id})
    if not found:
        raise QuestionNotFound
    row = found[0]
    for version in expected_version:
        if version is None:
            raise VersionRequired("Name the version of the question that you saw, by If-Match or expectedVersion")
        if version != row["version"]:
            raise VersionConflict(
                "The question was changed in the meantime", details={"currentVersion": row["version"]}
            )
    return row


def _check_assigned(row: Row, staff: Staff) -> None:
    if not staff.may(Permission.READ_CONFIDED) and row["assigned_to"] != staff.actor.id:
        raise NotAssigned


def _check_step(row: Row, status: ItemStatus) -> None:
    if status not in TRANSITIONS[ItemStatus(row["status"])]:
        raise StepNotAllowed(details={"status": row["status"]})


async def _step(
    tx: Transaction,
    action: str,
    row: Row,
    staff: Staff,
    statement: Any,
    values: dict[str, Any],
    *,
    event: str | None = None,
    reason: RejectReason | None = None,
    comment: str | None = None,
) -> Item:
    """Change the row, and write the action, the audit entry and the event of it.

    What has called for somebody to look at the question is resolved with its last step.
    """
    item_id: UUID = row["id"]
    [changed] = await tx.rows(statement, {"business_id": tx.business_id, "id": item_id, **values})
    action_id = new_id()
    done = {
        "business_id": tx.business_id,
        "id": action_id,
        "item_id": item_id,
        "version": changed["version"],
        "action": action,
        "from_status": row["status"],
        "to_status": changed["status"],
        "actor": staff.actor.id,
        "reason": reason,
        "comment": None if comment is None else (await tx.keys()).seal(_COMMENT, action_id, comment),
    }
    await tx.run(_SQL["add_action"], done)
    version = await record(tx, KIND, item_id, action, staff.actor, before=row["status"], after=changed["status"])
    if changed["status"] not in OPEN:
        await resolve_about(tx, item_id, (CRISIS, ESCALATED), staff.actor)
    if event is not None:
        await emit(tx, item_id, version, event, {"questionId": str(item_id)})
    return await find(tx, item_id)
