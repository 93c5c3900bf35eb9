"""The queue of questions for staff: look, assign, answer, publish, reject, escalate."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from holdfast.booking.calls import Call, expected_version
from holdfast.booking.views import Reason
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Transaction
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.http import decode, json_response
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.lists import number_in
from holdfast.moderation import review
from holdfast.moderation.errors import QuestionNotFound
from holdfast.moderation.public_web import TEXT, Text
from holdfast.moderation.queue import Filters, figures, queue
from holdfast.moderation.review import Item, RejectReason
from holdfast.moderation.states import OPEN, ItemStatus
from holdfast.moderation.triggers import CATEGORIES

_MAX_LIMIT = 200
_TEN_YEARS_HOURS = 87_600
_URGENCIES = {0: "normal", 1: "escalated", 2: "crisis"}

AnswerText = Annotated[str, msgspec.Meta(min_length=1, max_length=20_000, pattern=TEXT)]


class ItemView(msgspec.Struct, rename="camel", kw_only=True):
    """A question in the queue. `wantsMail` says that its sender is to be told of the answer."""

    id: UUID
    status: str
    urgency: str
    categories: list[str]
    topic: str | None
    locale: str
    assigned_to: UUID | None
    created_at: datetime
    due_at: datetime
    overdue: bool
    resolved_at: datetime | None
    wants_mail: bool
    version: int

    @classmethod
    def of(cls, item: Item) -> "ItemView":
        """Return a question as the queue shows it."""
        return cls(**{**asdict(item), "urgency": _URGENCIES[item.urgency]})


class FiguresView(msgspec.Struct, rename="camel", kw_only=True):
    """How the business keeps its targets (hours). `resolvedInTime` of `resolved` are those of the last thirty days."""

    open: int
    unassigned: int
    overdue: int
    overdue_crises: int
    oldest_seconds: float | None
    resolved: int
    resolved_in_time: int
    target_hours: int
    crisis_target_hours: int


class QueuePage(msgspec.Struct, rename="camel"):
    """A page of the queue, the most urgent first, then the oldest; `nextCursor` leads to the next one."""

    items: list[ItemView]
    figures: FiguresView
    next_cursor: str | None


class AnswerView(msgspec.Struct, rename="camel", kw_only=True):
    """An answer; the last one counts."""

    text: str
    author: UUID
    created_at: datetime


class ActionView(msgspec.Struct, rename="camel", kw_only=True):
    """A step that staff took."""

    version: int
    action: str
    from_status: str
    to_status: str
    actor: UUID
    reason: str | None
    comment: str | None
    occurred_at: datetime


class OpenedView(msgspec.Struct, rename="camel", kw_only=True):
    """A question with everything that was confided about it."""

    item: ItemView
    text: str
    email: str | None
    public_text: str | None
    public_answer: str | None
    answers: list[AnswerView]
    actions: list[ActionView]


class StepBody(msgspec.Struct, rename="camel", kw_only=True):
    """A step from the version that the caller saw, which If-Match may name as well."""

    expected_version: int | None = None


class AssignBody(StepBody, kw_only=True):
    """Whose the question is to be, by the id of a user or key; by default the caller's."""

    assigned_to: UUID | None = None


class AnswerBody(StepBody, kw_only=True):
    """An answer for the sender of the question."""

    text: AnswerText


class PublishBody(StepBody, kw_only=True):
    """The words in which question and answer are published: written, or approved, by staff."""

    public_text: Text
    public_answer: AnswerText


class RejectBody(StepBody, kw_only=True):
    """Why the question is rejected."""

    reason: RejectReason
    comment: Reason | None = None


class EscalateBody(StepBody, kw_only=True):
    """Why others are to look at it."""

    comment: Reason | None = None


@get(
    "/api/admin/moderation/queue",
    guards=[Needs(Permission.MODERATE_QUESTIONS)],
    opt=documented(
        query=("status", "category", "assignedTo", "age", "cursor", "limit"), answers=QueuePage, security="StaffKey"
    ),
)
async def moderation_queue(request: Call) -> Response[bytes]:
    """Return the queue without what was confided, and how the business keeps its targets.

    `status` is one or several, with commas between, by default those that are open; `age` is in hours, at least.
    """
    asked, staff = request.query_params, staff_of(request)
    assigned_to = uuid_or_none(asked.get("assignedTo") or "")
    if asked.get("assignedTo") and assigned_to is None:
        raise ValidationFailed.at("assignedTo", "Invalid UUID")
    category = asked.get("category") or None
    if category is not None and category not in CATEGORIES:
        raise ValidationFailed.at("category", f"must be one of {', '.join(CATEGORIES)}")
    filters = Filters(
        statuses=_statuses_in(asked.get("status")),
        category=category,
        assigned_to=assigned_to,
        age_hours=number_in(asked.get("age"), "age", 0, 0, _TEN_YEARS_HOURS),
    )
    limit = number_in(asked.get("limit"), "limit", 50, 1, _MAX_LIMIT)
    async with request.app.state.database.transaction(staff.business_id) as tx:
        page, cursor = await queue(tx, filters, cursor=asked.get("cursor") or None, limit=limit)
        told, targets = await figures(tx)
    shown = FiguresView(**asdict(told), target_hours=targets.hours, crisis_target_hours=targets.crisis_hours)
    return json_response(QueuePage([ItemView.of(item) for item in page], shown, cursor))


@get(
    "/api/admin/moderation/items/{item_id:str}",
    guards=[Needs(Permission.MODERATE_QUESTIONS)],
    opt=documented(answers=OpenedView, security="StaffKey"),
)
async def moderation_item(request: Call, item_id: FromPath[str]) -> Response[bytes]:
    """Return a question with its text, to owners and to whom it is assigned; that it was read is written down."""
    staff, wanted = staff_of(request), _id_in(item_id)
    opened = await request.app.state.database.run(staff.business_id, lambda tx: review.read(tx, wanted, staff))
    shown = OpenedView(
        item=ItemView.of(opened.item),
        text=opened.text,
        email=opened.email,
        public_text=opened.public_text,
        public_answer=opened.public_answer,
        answers=msgspec.convert(opened.answers, list[AnswerView], from_attributes=True),
        actions=msgspec.convert(opened.actions, list[ActionView], from_attributes=True),
    )
    return json_response(shown)


@post(
    "/api/admin/moderation/items/{item_id:str}/assign",
    status_code=200,
    guards=[Needs(Permission.ASSIGN_QUESTIONS)],
    opt=documented(AssignBody, headers=("If-Match",), answers=ItemView, security="StaffKey"),
)
async def assign_item(request: Call, item_id: FromPath[str]) -> Response[bytes]:
    """Give a question to somebody of the staff, who from then on can read it."""
    data = decode(AssignBody, await request.body())
    staff, wanted = staff_of(request), _id_in(item_id)
    version = expected_version(request, data.expected_version)

    async def work(tx: Transaction) -> Item:
        return await review.assign(tx, wanted, staff, assigned_to=data.assigned_to, expected_version=version)

    return json_response(ItemView.of(await request.app.state.database.run(staff.business_id, work)))


@post(
    "/api/admin/moderation/items/{item_id:str}/answer",
    status_code=200,
    guards=[Needs(Permission.MODERATE_QUESTIONS)],
    opt=documented(AnswerBody, headers=("If-Match",), answers=ItemView, security="StaffKey"),
)
async def answer_item(request: Call, item_id: FromPath[str]) -> Response[bytes]:
    """Answer a question; its sender can read the answer at once."""
    data = decode(AnswerBody, await request.body())
    staff, wanted = staff_of(request), _id_in(item_id)
    version = expected_version(request, data.expected_version)

    async def work(tx: Transaction) -> Item:
        return await review.answer(tx, wanted, staff, text=data.text, expected_version=version)

    return json_response(ItemView.of(await request.app.state.database.run(staff.business_id, work)))


@post(
    "/api/admin/moderation/items/{item_id:str}/publish",
    status_code=200,
    guards=[Needs(Permission.MODERATE_QUESTIONS)],
    opt=documented(PublishBody, headers=("If-Match",), answers=ItemView, security="StaffKey"),
)
async def publish_item(request: Call, item_id: FromPath[str]) -> Response[bytes]:
    """Publish a question and its answer in these words; what was confided stays sealed."""
    data = decode(PublishBody, await request.body())
    staff, wanted = staff_of(request), _id_in(item_id)
    words = {"public_text": data.public_text, "public_answer": data.public_answer}
    version = expected_version(request, data.expected_version)

    async def work(tx: Transaction) -> Item:
        return await review.publish(tx, wanted, staff, **words, expected_version=version)

    return json_response(ItemView.of(await request.app.state.database.run(staff.business_id, work)))


@post(
    "/api/admin/moderation/items/{item_id:str}/reject",
    status_code=200,
    guards=[Needs(Permission.MODERATE_QUESTIONS)],
    opt=documented(RejectBody, headers=("If-Match",), answers=ItemView, security="StaffKey"),
)
async def reject_item(request: Call, item_id: FromPath[str]) -> Response[bytes]:
    """Reject a question, or take back one that was published."""
    data = decode(RejectBody, await request.body())
    staff, wanted = staff_of(request), _id_in(item_id)
    version = expected_version(request, data.expected_version)

    async def work(tx: Transaction) -> Item:
        return await review.reject(
            tx, wanted, staff, reason=data.reason, comment=data.comment, expected_version=version
        )

    return json_response(ItemView.of(await request.app.state.database.run(staff.business_id, work)))


@post(
    "/api/admin/moderation/items/{item_id:str}/escalate",
    status_code=200,
    guards=[Needs(Permission.MODERATE_QUESTIONS)],
    opt=documented(EscalateBody, headers=("If-Match",), answers=ItemView, security="StaffKey"),
)
async def escalate_item(request: Call, item_id: FromPath[str]) -> Response[bytes]:
    """Put an open question before the others and into the inbox of staff."""
    data = decode(EscalateBody, await request.body())
    staff, wanted = staff_of(request), _id_in(item_id)
    version = expected_version(request, data.expected_version)

    async def work(tx: Transaction) -> Item:
        return await review.escalate(tx, wanted, staff, comment=data.comment, expected_version=version)

    return json_response(ItemView.of(await request.app.state.database.run(staff.business_id, work)))


def _id_in(text: str) -> UUID:
    item_id = uuid_or_none(text)
    if item_id is None:
        raise QuestionNotFound
    return item_id


def _statuses_in(text: str | None) -> list[ItemStatus]:
    if not text:
        return list(OPEN)
    named = text.split(",")
    if not set(named) <= set(ItemStatus):
        raise ValidationFailed.at("status", f"must be of {', '.join(ItemStatus)}")
    return [ItemStatus(name) for name in dict.fromkeys(named)]


handlers = [
    moderation_queue,
    moderation_item,
    assign_item,
    answer_item,
    publish_item,
    reject_item,
    escalate_item,
]
