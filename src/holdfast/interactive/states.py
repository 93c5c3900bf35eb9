"""The states of an interactive and the one table of transitions between them."""

from enum import StrEnum


class Kind(StrEnum):
    """What an interactive is; a definition says so itself."""

    QUIZ = "quiz"
    RITUAL = "ritual"


class InteractiveState(StrEnum):
    """Whether the public can begin runs of it; the `status` of the API."""

    DRAFT = "draft"
    PUBLISHED = "published"
    ARCHIVED = "archived"


S = InteractiveState

# What the database enforces in interactive_may_become(); a test compares the two.
TRANSITIONS: dict[InteractiveState, frozenset[InteractiveState]] = {
    S.DRAFT: frozenset({S.PUBLISHED}),
    S.PUBLISHED: frozenset({S.ARCHIVED}),
    S.ARCHIVED: frozenset({S.PUBLISHED}),
}
