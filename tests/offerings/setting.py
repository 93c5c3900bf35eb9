"""What tests of setting up say again and again."""

import re
from datetime import time
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg

from booking.studio import Studio
from holdfast.kernel.audit import Actor
from holdfast.kernel.ids import new_id
from holdfast.offerings.drafts import ResourceDraft, ServiceDraft
from holdfast.offerings.resources import add_resource
from holdfast.offerings.weeks import Interval, Intervals

if TYPE_CHECKING:
    import pytest

    from holdfast.kernel.errors import ValidationFailed

OWNER = Actor.staff(new_id())


def hours(*texts: str) -> Intervals:
    """Return intervals such as 09:00-17:00."""
    return tuple(Interval(*map(time.fromisoformat, text.split("-"))) for text in texts)


async def someone(studio: Studio, slug: str = "someone", **more: Any) -> UUID:
    """Set up a practitioner."""
    draft = ResourceDraft(**{"name": slug, "kind": "practitioner", **more})
    return (await studio.run(lambda tx: add_resource(tx, slug, draft, OWNER))).id


def service(*needs: UUID, **more: Any) -> ServiceDraft:
    """Return a service that takes one of each."""
    given = {"name": "Talk", "duration_minutes": 50, "requirements": tuple((need,) for need in needs)}
    return ServiceDraft(**{**given, **more})


def wrong(failed: "pytest.ExceptionInfo[ValidationFailed]") -> set[str]:
    """Return the fields that a refusal names, as drafts call them."""
    named = {error["field"] for error in failed.value.details["errors"]}
    return {re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name) for name in named}


def entries(studio: Studio, aggregate_id: UUID) -> list[tuple[str, str | None, str | None]]:
    """Return what the audit log tells of a thing: action, before, after."""
    with psycopg.connect(studio.admin_uri) as connection:
        return connection.execute(
            "select action, from_state, to_state from audit_log where aggregate_id = %s order by version",
            [aggregate_id],
        ).fetchall()
