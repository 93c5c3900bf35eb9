"""What is kept of the questions of a person, and how they are forgotten (D-8)."""

from typing import Any

from holdfast.kernel.audit import Actor, record
from holdfast.kernel.database import Transaction
from holdfast.kernel.privacy import Handles
from holdfast.kernel.sql import load

_SQL = load("holdfast.moderation", "personal.sql")


async def told_of(tx: Transaction, whom: Handles) -> dict[str, list[dict[str, Any]]]:
    """Return the questions that a person has sent with their e-mail address, and the answers to them."""
    keys = await tx.keys()
    questions = []
    for row in await tx.rows(_SQL["questions_of"], _values(tx, whom)):
        answers = await tx.rows(_SQL["answers_to"], {"business_id": tx.business_id, "id": row["id"]})
        questions.append(
            {
                "id": row["id"],
                "status": row["status"],
                "createdAt": row["created_at"],
                "text": keys.open("ugc_items.text", row["id"], bytes(row["text"])),
                "publicText": row["public_text"],
                "answers": [keys.open("ugc_answers.text", each["id"], bytes(each["text"])) for each in answers],
            }
        )
    return {"questions": questions}


async def forget(tx: Transaction, whom: Handles, actor: Actor) -> dict[str, int]:
    """Empty the questions of a person and the answers to them; state and times stay, for the figures of moderation.

    What staff have written to be published is not the person's text, and stays until they take it back.
    """
    keys = await tx.keys()
    questions = await tx.rows(_SQL["lock_questions_of"], _values(tx, whom))
    for row in questions:
        values = {"business_id": tx.business_id, "id": row["id"]}
        await tx.run(_SQL["empty_question"], values | {"text": keys.seal("ugc_items.text", row["id"], "")})
        for answer in await tx.rows(_SQL["answers_to"], values):
            emptied = keys.seal("ugc_answers.text", answer["id"], "")
            await tx.run(_SQL["empty_answer"], {"business_id": tx.business_id, "id": answer["id"], "text": emptied})
        await tx.run(_SQL["forget_comments"], values)
        await record(tx, "question_person", row["id"], "forget_person", actor)
    return {"questions": len(questions)}


def _values(tx: Transaction, whom: Handles) -> dict[str, Any]:
    return {"business_id": tx.business_id, "email": whom.email}
