"""The queue of questions, and one of them: read, assigned, answered, published, rejected, escalated (U-3, D-7)."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from babel.dates import format_timedelta
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.colleagues import colleagues
from holdfast.admin.frame import (
    MAX_FORM_BYTES,
    PROBLEMS,
    AdminPage,
    Call,
    Entry,
    Form,
    checked,
    database_of,
    go,
    page_in,
    read_form,
    render,
)
from holdfast.admin.writing import Slip, raw, slip_of, typed_in
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import UserError, ValidationFailed
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.languages import N_
from holdfast.kernel.lists import number_in
from holdfast.moderation import review
from holdfast.moderation.errors import QuestionNotFound
from holdfast.moderation.questions import look
from holdfast.moderation.queue import Filters, figures, queue
from holdfast.moderation.review import Item, RejectReason
from holdfast.moderation.staff_web import AnswerBody, AssignBody, EscalateBody, PublishBody, RejectBody
from holdfast.moderation.states import OPEN, TRANSITIONS, ItemStatus
from holdfast.moderation.triggers import CATEGORIES, guidance

_PATH = "/admin/moderation"
_ONE = f"{_PATH}/{{item_id:str}}"
_LIMIT = 50
_MAX_VERSION = 999_999_999
ENTRY = Entry(_PATH, N_("Questions"), "day", Permission.MODERATE_QUESTIONS, 40)
_GUARDS = [Needs(Permission.MODERATE_QUESTIONS)]

STATES = {
    ItemStatus.NEW: N_("New"),
    ItemStatus.IN_REVIEW: N_("Being looked at"),
    ItemStatus.ANSWERED: N_("Answered"),
    ItemStatus.PUBLISHED: N_("Published"),
    ItemStatus.REJECTED: N_("Rejected"),
}
_MEANINGS = {
    ItemStatus.NEW: N_("Nobody has taken it yet. Assign it, then it can be read and answered."),
    ItemStatus.IN_REVIEW: N_("Somebody has it and can answer or reject it."),
    ItemStatus.ANSWERED: N_("Its sender can read the answer. It may be published in other words, or stay between you."),
    ItemStatus.PUBLISHED: N_("Everybody can read the words that were published. Rejecting it takes them back."),
    ItemStatus.REJECTED: N_("It is closed; nobody can read it any more but you."),
}
URGENCIES = {0: N_("Normal"), 1: N_("Escalated"), 2: N_("May be a crisis")}
CATEGORY_WORDS = {
    "suicide": N_("Suicide"),
    "self_harm": N_("Self-harm"),
    "violence": N_("Violence"),
    "abuse": N_("Abuse"),
    "eating_disorder": N_("Eating disorder"),
    "substances": N_("Alcohol and drugs"),
}
REASONS = {
    RejectReason.SPAM: N_("Spam"),
    RejectReason.ABUSIVE: N_("Abusive"),
    RejectReason.OFF_TOPIC: N_("Not a question for this practice"),
    RejectReason.DUPLICATE: N_("Asked before by the same person"),
    RejectReason.PERSONAL_DATA: N_("Tells who somebody else is"),
    RejectReason.CRISIS_HANDLED: N_("A crisis that was seen to in another way"),
    RejectReason.WITHDRAWN: N_("Withdrawn by its sender"),
    RejectReason.OTHER: N_("Something else"),
}
_STEPS = {
    "assign": N_("Assigned"),
    "answer": N_("Answered"),
    "publish": N_("Published"),
    "reject": N_("Rejected"),
    "escalate": N_("Escalated"),
}
_VIEWS = {
    "open": (N_("To be answered"), OPEN),
    **{str(state): (words, (state,)) for state, words in STATES.items()},
}
_NOTICES = {
    "assign": N_("The question is assigned. Whoever has it can read it and answer."),
    "answer": N_("The answer is kept; its sender can read it now."),
    "publish": N_("Question and answer are published in these words."),
    "reject": N_("The question is rejected."),
    "escalate": N_("The question now stands before the others, and in the inbox of everybody who looks after it."),
}


@get(_PATH, guards=_GUARDS, exception_handlers=PROBLEMS)
async def admin_questions(request: Call) -> Response[Any]:
    """Show the queue, the most urgent first, without what was confided."""
    asked, staff = request.query_params, staff_of(request)
    view = asked.get("status") or "open"
    if view not in _VIEWS:
        raise ValidationFailed.at("status", f"must be one of {', '.join(_VIEWS)}")
    category = asked.get("category") or None
    if category is not None and category not in CATEGORIES:
        raise ValidationFailed.at("category", f"must be one of {', '.join(CATEGORIES)}")
    whose = asked.get("whose") or ""
    assigned_to = staff.actor.id if whose == "mine" else uuid_or_none(whose)
    if whose and assigned_to is None:
        raise ValidationFailed.at("whose", "Invalid UUID")
    filters = Filters(_VIEWS[view][1], category, assigned_to)
    async with database_of(request).transaction(staff.business_id) as tx:
        page = await page_in(tx, request)
        found, cursor = await queue(tx, filters, cursor=asked.get("cursor") or None, limit=_LIMIT)
        told, targets = await figures(tx)
        staff_here = await colleagues(tx)
    chosen = {"status": view, "category": category or "", "whose": whose}
    return render(
        page,
        "moderation.html",
        request=request,
        items=found,
        cursor=cursor,
        figures=told,
        targets=targets,
        colleagues=staff_here,
        may_answer=staff_here.who_may(Permission.MODERATE_QUESTIONS),
        chosen=chosen,
        is_filtered=bool(category or whose or view != "open"),
        waited=lambda item: _since(page, item.created_at, item.resolved_at),
        oldest=None if told.oldest_seconds is None else _span(page, told.oldest_seconds),
        **_words(),
    )


@get(_ONE, guards=_GUARDS, exception_handlers=PROBLEMS)
async def admin_question(request: Call, item_id: FromPath[str]) -> Response[Any]:
    """Show a question; to whom may read it with its text, and that it was read is written down."""
    return await _shown(request, _id_in(item_id))


@post(f"{_ONE}/assign", status_code=200, guards=[Needs(Permission.ASSIGN_QUESTIONS)], exception_handlers=PROBLEMS)
async def admin_question_assign(request: Call, item_id: FromPath[str]) -> Response[Any]:
    """Give a question to somebody of the staff, who can read it from then on."""

    async def work(tx: Transaction, form: Form) -> Item:
        body = checked(AssignBody, {"assignedTo": form.line("assignedTo")})
        return await review.assign(
            tx,
            _id_in(item_id),
            staff_of(request),
            assigned_to=body.assigned_to,
            expected_version=_version(form),
        )

    return await _step(request, item_id, "assign", work)


@post(
    f"{_ONE}/answer",
    status_code=200,
    guards=_GUARDS,
    exception_handlers=PROBLEMS,
    request_max_body_size=MAX_FORM_BYTES,
)
async def admin_question_answer(request: Call, item_id: FromPath[str]) -> Response[Any]:
    """Answer a question; its sender can read the answer at once."""

    async def work(tx: Transaction, form: Form) -> Item:
        body = checked(AnswerBody, {"text": raw(form, "text")})
        return await review.answer(
            tx, _id_in(item_id), staff_of(request), text=body.text, expected_version=_version(form)
        )

    return await _step(request, item_id, "answer", work)


@post(
    f"{_ONE}/publish",
    status_code=200,
    guards=_GUARDS,
    exception_handlers=PROBLEMS,
    request_max_body_size=MAX_FORM_BYTES,
)
async def admin_question_publish(request: Call, item_id: FromPath[str]) -> Response[Any]:
    """Publish a question and its answer in words that staff have written."""

    async def work(tx: Transaction, form: Form) -> Item:
        typed = {"publicText": raw(form, "publicText"), "publicAnswer": raw(form, "publicAnswer")}
        body = checked(PublishBody, typed)
        return await review.publish(
            tx,
            _id_in(item_id),
            staff_of(request),
            public_text=body.public_text,
            public_answer=body.public_answer,
            expected_version=_version(form),
        )

    return await _step(request, item_id, "publish", work)


@post(f"{_ONE}/reject", status_code=200, guards=_GUARDS, exception_handlers=PROBLEMS)
async def admin_question_reject(request: Call, item_id: FromPath[str]) -> Response[Any]:
    """Reject a question, or take back what was published."""

    async def work(tx: Transaction, form: Form) -> Item:
        body = checked(RejectBody, {"reason": form.line("reason"), "comment": raw(form, "comment")})
        return await review.reject(
            tx,
            _id_in(item_id),
            staff_of(request),
            reason=body.reason,
            comment=body.comment,
            expected_version=_version(form),
        )

    return await _step(request, item_id, "reject", work)


@post(f"{_ONE}/escalate", status_code=200, guards=_GUARDS, exception_handlers=PROBLEMS)
async def admin_question_escalate(request: Call, item_id: FromPath[str]) -> Response[Any]:
    """Put an open question before the others."""

    async def work(tx: Transaction, form: Form) -> Item:
        body = checked(EscalateBody, {"comment": raw(form, "escalateComment")})
        return await review.escalate(
            tx, _id_in(item_id), staff_of(request), comment=body.comment, expected_version=_version(form)
        )

    return await _step(request, item_id, "escalate", work)


handlers: list[HTTPRouteHandler] = [
    admin_questions,
    admin_question,
    admin_question_assign,
    admin_question_answer,
    admin_question_publish,
    admin_question_reject,
    admin_question_escalate,
]


async def _step(
    request: Call, item_id: str, name: str, work: Callable[[Transaction, Form], Awaitable[Item]]
) -> Response[Any]:
    form, wanted = await read_form(request), _id_in(item_id)
    try:
        await database_of(request).run(staff_of(request).business_id, lambda tx: work(tx, form))
    except QuestionNotFound:
        raise
    except UserError as refused:
        return await _shown(request, wanted, form, refused, name)
    return go(f"{_PATH}/{wanted}", done=name)


async def _shown(
    request: Call, wanted: UUID, form: Form | None = None, refused: UserError | None = None, step: str = ""
) -> Response[Any]:
    staff = staff_of(request)
    async with database_of(request).transaction(staff.business_id) as tx:
        page = await page_in(tx, request)
        item = await review.find(tx, wanted)
        may_read = staff.may(Permission.READ_CONFIDED) or item.assigned_to == staff.actor.id
        opened = await review.read(tx, wanted, staff) if may_read else None
        sender = await look(tx, wanted)
        staff_here = await colleagues(tx)
    slip: Slip | None = None if refused is None else slip_of(page, refused, form)
    return render(
        page,
        "moderation_item.html",
        200 if slip is None else slip.status,
        request=request,
        notices=_NOTICES,
        item=item,
        opened=opened,
        sender=sender,
        guidance=guidance(sender.locale) if sender.triggered else None,
        colleagues=staff_here,
        may_answer=staff_here.who_may(Permission.MODERATE_QUESTIONS),
        may_become=TRANSITIONS[ItemStatus(item.status)],
        is_open=item.status in OPEN,
        slip=slip,
        step=step,
        typed=typed_in(form),
        waited=_since(page, item.created_at, item.resolved_at),
        meanings=_MEANINGS,
        steps=_STEPS,
        **_words(),
    )


def _words() -> dict[str, Any]:
    return {
        "states": STATES,
        "urgencies": URGENCIES,
        "categories": CATEGORY_WORDS,
        "reasons": REASONS,
        "views": {name: words for name, (words, _) in _VIEWS.items()},
    }


def _id_in(text: str) -> UUID:
    item_id = uuid_or_none(text)
    if item_id is None:
        raise QuestionNotFound
    return item_id


def _version(form: Form) -> int:
    return number_in(form.line("version"), "version", 0, 0, _MAX_VERSION)


def _since(page: AdminPage, start: datetime, end: datetime | None) -> str:
    return _span(page, ((end or datetime.now(UTC)) - start).total_seconds())


def _span(page: AdminPage, seconds: float) -> str:
    return format_timedelta(round(seconds), granularity="minute", threshold=1.5, locale=page.wording.locale)
