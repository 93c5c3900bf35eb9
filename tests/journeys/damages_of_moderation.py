"""What can be wrong with questions and their answers: SQL that damages them, and what `verify` says of that."""

from typing import Any

from journeys.damages import NOWHERE, Damage, says
from journeys.practice import at, the
from journeys.references import MINE, NEW, row

REFERS, STEPS = "moderation.questions_refer_to_their_own_business", "moderation.actions_follow_the_transitions"
ASKED = the("asked")
SEALED = "\\x68666531" + "00" * 40


def question(business: str = MINE, question_id: str = NEW, **values: Any) -> str:
    """Return SQL that inserts a question."""
    return row("ugc_items", business, id=question_id, locale="ru", text=SEALED, due_at=at("10:00"), **values)


def action(version: int, before: str, after: str, item_id: str = NEW, action_id: str = NEW) -> str:
    """Return SQL that inserts a step of a question."""
    step = {"item_id": item_id, "version": version, "action": "assign", "from_status": before, "to_status": after}
    return row("moderation_actions", id=action_id, actor=NEW, **step)


# By the name of the foreign key.
MODERATION_REFERENCES: dict[str, Damage] = {
    "ugc_items_business_id_fkey": (question(NOWHERE), {says(REFERS, NEW, NOWHERE)}),
    "ugc_items_topic": (question(topic_id=NOWHERE), {says(REFERS, NEW, NOWHERE)}),
    "ugc_answers_item": (
        row("ugc_answers", id=NEW, item_id=NOWHERE, text=SEALED, author=NEW),
        {says(REFERS, NEW, NOWHERE)},
    ),
    "ugc_triggers_item": (
        row("ugc_triggers", item_id=NOWHERE, category="abuse"),
        {says(REFERS, "abuse", NOWHERE)},
    ),
    "moderation_actions_item": (action(2, "new", "in_review", NOWHERE), {says(REFERS, NEW, NOWHERE)}),
}

MODERATION: dict[str, Damage] = {
    "a question has lost its steps": (question(status="in_review", version=2), {says(STEPS, NEW)}),
    "a question is elsewhere than its steps led": (
        question(status="answered", version=2) + action(2, "new", "in_review"),
        {says(STEPS, NEW)},
    ),
    "a step of a question was skipped": (
        question(status="published", version=2) + action(2, "new", "published"),
        {says(STEPS, NEW)},
    ),
    "a step of a question begins elsewhere": (
        question(status="rejected", version=3)
        + action(2, "new", "in_review")
        + action(3, "answered", "rejected", action_id=ASKED),
        {says(STEPS, NEW)},
    ),
    "a version of a question has no step": (
        question(status="in_review", version=3) + action(3, "new", "in_review"),
        {says(STEPS, NEW)},
    ),
}
