"""Questions as the public meets them: sent in, looked after by their sender, read when they were published."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from holdfast.administration import settings
from holdfast.kernel.attention import KINDS, Severity, raise_item
from holdfast.kernel.audit import CLIENT, emit, record
from holdfast.kernel.database import Transaction
from holdfast.kernel.ids import new_id
from holdfast.kernel.lists import cursor_after, place_of
from holdfast.kernel.sql import load
from holdfast.kernel.tracking import flag
from holdfast.moderation.errors import QuestionNotFound, UnknownTopic
from holdfast.moderation.states import ItemStatus
from holdfast.moderation.triggers import CATEGORIES, categories_of

_SQL = load("holdfast.moderation")

TEXT, EMAIL, ANSWER = "ugc_items.text", "ugc_items.email", "ugc_answers.text"
KIND = "ugc_item"
CRISIS = KINDS.declare("question_of_crisis", **dict.fromkeys(CATEGORIES, flag))

HOURS = settings.number(
    "question_answer_hours", "Within how many hours questions are to be answered", default=24, least=1, most=720
)
CRISIS_HOURS = settings.number(
    "question_crisis_hours",
    "Within how many hours questions are to be answered that may tell of a crisis",
    default=2,
    least=1,
    most=72,
)

_CRISIS_URGENCY = 2


@dataclass(frozen=True, slots=True)
class Targets:
    """Within how many hours a business means to answer or reject a question, and one that may tell of a crisis."""

    hours: int
    crisis_hours: int


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asks. `email` is where the answer is to be told."""

    text: str
    locale: str
    topic: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Submitted:
    """A question as it was taken in; `categories` are the crises that it may tell of."""

    id: UUID
    created_at: datetime
    categories: list[str]


@dataclass(frozen=True, slots=True)
class Looked:
    """What its sender sees of a question; `answer` when there is one."""

    id: UUID
    locale: str
    status: ItemStatus
    created_at: datetime
    resolved_at: datetime | None
    answer: str | None
    triggered: bool


@dataclass(frozen=True, slots=True)
class Published:
    """A question that everybody may read, in the words that staff have approved."""

    id: UUID
    text: str
    answer: str
    topic: str | None
    locale: str
    published_at: datetime


async def targets_of(tx: Transaction) -> Targets:
    """Return within how many hours the business means to answer."""
    hours, crisis_hours = int(await settings.read(tx, HOURS)), int(await settings.read(tx, CRISIS_HOURS))
    return Targets(hours, min(hours, crisis_hours))


async def submit(tx: Transaction, question: Question) -> Submitted:
    """Take a question in: sealed, due by the target of the business, and before the others if it may tell of a crisis.

    What was matched is a category and never the words. Raises UnknownTopic.
    """
    keys, item_id = await tx.keys(), new_id()
    categories = categories_of(question.text)
    targets = await targets_of(tx)
    values = {
        "business_id": tx.business_id,
        "id": item_id,
        "topic_id": await topic_id(tx, question.topic),
        "locale": question.locale,
        "urgency": _CRISIS_URGENCY if categories else 0,
        "text": keys.seal(TEXT, item_id, question.text),
        "email": None if question.email is None else keys.seal(EMAIL, item_id, question.email),
        "email_index": None if question.email is None else keys.index_email(question.email),
        "hours": targets.crisis_hours if categories else targets.hours,
    }
    created_at = await tx.value(_SQL["add_item"], values)
    for category in categories:
        named = {"business_id": tx.business_id, "item_id": item_id, "category": category}
        await tx.run(_SQL["add_trigger"], named)
    if categories:
        await raise_item(tx, CRISIS, item_id, Severity.URGENT, **dict.fromkeys(categories, True))
    version = await record(tx, KIND, item_id, "submit", CLIENT, after=ItemStatus.NEW)
    await emit(tx, item_id, version, "QuestionSubmitted", {"questionId": str(item_id)})
    return Submitted(item_id, created_at, categories)


async def look(tx: Transaction, item_id: UUID) -> Looked:
    """Return what became of a question, for whoever has proved to have sent it.

    Raises QuestionNotFound.
    """
    found = await tx.rows(_SQL["state_for_sender"], {"business_id": tx.business_id, "id": item_id})
    if not found:
        raise QuestionNotFound
    row = found[0]
    sealed, answer_id = row.pop("answer"), row.pop("answer_id")
    answer = None if sealed is None else (await tx.keys()).open(ANSWER, answer_id, bytes(sealed))
    return Looked(**{**row, "status": ItemStatus(row["status"])}, answer=answer)


async def published(
    tx: Transaction, *, topic: str | None, cursor: str | None, limit: int
) -> tuple[list[Published], str | None]:
    """Return a page of published questions, the latest first, and the cursor of the next page.

    Raises UnknownTopic, ValidationFailed for a cursor that no page has given.
    """
    at, last = place_of(cursor)
    values: dict[str, Any] = {
        "business_id": tx.business_id,
        "topic_id": await topic_id(tx, topic),
        "at": at,
        "last": last,
        "limit": limit + 1,
    }
    found = await tx.all(Published, _SQL["published"], values)
    page = found[:limit]
    return page, cursor_after(page[-1].published_at, page[-1].id) if len(found) > limit else None


async def topic_id(tx: Transaction, slug: str | None) -> UUID | None:
    """Return the topic of the business with this slug, None for none; raises UnknownTopic."""
    if slug is None:
        return None
    found: UUID | None = await tx.value(_SQL["topic_by_slug"], {"business_id": tx.business_id, "slug": slug})
    if found is None:
        raise UnknownTopic
    return found
