"""Questions for the public: send one in, see what became of it, read those that were published."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from holdfast.booking.calls import Call, tenancy_of
from holdfast.booking.views import Email, Locale
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.http import Line, decode, json_response, worded
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.lists import number_in
from holdfast.moderation.errors import QuestionNotFound
from holdfast.moderation.questions import Question, look, published, submit
from holdfast.moderation.tokens import QuestionTokens
from holdfast.moderation.triggers import guidance

_MAX_LIMIT = 100
TEXT = worded(r"^[^\x00]*[^\s\x00][^\x00]*$(?![\s\S])", "must have words, and must not have the character NUL")

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=5_000, pattern=TEXT)]
Slug = Annotated[str, msgspec.Meta(min_length=1, max_length=80, pattern=worded(r"^[a-z0-9-]+$", "must be a slug"))]


class QuestionBody(msgspec.Struct, rename="camel", kw_only=True):
    """A question. `consent` says that it may be kept and read by staff; `email` is where its answer is to be told."""

    text: Text
    consent: bool
    business: Line | None = None
    topic: Slug | None = None
    email: Email | None = None
    locale: Locale | None = None


class SubmittedView(msgspec.Struct, rename="camel", kw_only=True):
    """A question that was taken in.

    `token` is shown once; it lets its bearer see what becomes of the question. `guidance` is there when the text may
    tell of a crisis, and is to be shown at once.
    """

    id: UUID
    token: str
    status: str
    created_at: datetime
    guidance: str | None


class QuestionView(msgspec.Struct, rename="camel", kw_only=True):
    """What became of a question, for whoever has sent it."""

    id: UUID
    status: str
    created_at: datetime
    resolved_at: datetime | None
    answer: str | None
    guidance: str | None


class PublishedView(msgspec.Struct, rename="camel", kw_only=True):
    """A question that everybody may read, in words that staff have approved."""

    id: UUID
    text: str
    answer: str
    topic: str | None
    locale: str
    published_at: datetime


class PublishedPage(msgspec.Struct, rename="camel"):
    """A page of published questions, the latest first; `nextCursor` leads to the next one."""

    questions: list[PublishedView]
    next_cursor: str | None


def _tokens_of(request: Call) -> QuestionTokens:
    return request.app.state.question_tokens  # type: ignore[no-any-return]


@post("/api/public/questions", opt=documented(QuestionBody, answers=SubmittedView))
async def ask(request: Call) -> Response[bytes]:
    """Take in a question; only its sender, by the token, and the staff who answer it will see it."""
    data = decode(QuestionBody, await request.body())
    if not data.consent:
        raise ValidationFailed.at("consent", "is needed: without it the question may not be kept")
    business = await tenancy_of(request).named(data.business)
    question = Question(data.text, data.locale or business.locale, data.topic, data.email)
    done = await request.app.state.database.run(business.id, lambda tx: submit(tx, question))
    shown = SubmittedView(
        id=done.id,
        token=_tokens_of(request).token(business.id, done.id),
        status="new",
        created_at=done.created_at,
        guidance=guidance(question.locale) if done.categories else None,
    )
    return json_response(shown, 201)


@get(
    "/api/public/questions/{question_id:str}",
    opt=documented(query=("business",), headers=("Question-Token",), answers=QuestionView, security="QuestionToken"),
)
async def question(request: Call, question_id: FromPath[str]) -> Response[bytes]:
    """Return what became of a question, and its answer if there is one, to whoever shows its token."""
    business = await tenancy_of(request).named(request.query_params.get("business") or None)
    item_id = uuid_or_none(question_id)
    if item_id is None or not _tokens_of(request).proves(request.headers.get("Question-Token"), business.id, item_id):
        raise QuestionNotFound
    async with request.app.state.database.transaction(business.id) as tx:
        seen = await look(tx, item_id)
    shown = QuestionView(
        id=seen.id,
        status=seen.status,
        created_at=seen.created_at,
        resolved_at=seen.resolved_at,
        answer=seen.answer,
        guidance=guidance(seen.locale) if seen.triggered else None,
    )
    return json_response(shown)


@get(
    "/api/public/questions",
    opt=documented(query=("business", "topic", "cursor", "limit"), answers=PublishedPage),
)
async def published_questions(request: Call) -> Response[bytes]:
    """Return the published questions with their answers, the latest first, of a topic or of all."""
    asked = request.query_params
    topic = asked.get("topic") or None
    if topic is not None and not topic.isprintable():
        raise ValidationFailed.at("topic", "must be a slug")
    limit = number_in(asked.get("limit"), "limit", 20, 1, _MAX_LIMIT)
    business = await tenancy_of(request).named(asked.get("business") or None)
    async with request.app.state.database.transaction(business.id) as tx:
        page, cursor = await published(tx, topic=topic, cursor=asked.get("cursor") or None, limit=limit)
    return json_response(PublishedPage(msgspec.convert(page, list[PublishedView], from_attributes=True), cursor))


handlers = [ask, question, published_questions]
