"""The states of a content item and the one table of transitions between them."""

from enum import StrEnum


class ContentState(StrEnum):
    """Where an item is on its way to the public; the `status` of the API."""

    DRAFT = "draft"
    REVIEW = "review"
    PUBLISHED = "published"
    ARCHIVED = "archived"


class ContentType(StrEnum):
    """What an item is; part of its address."""

    ARTICLE = "article"
    EXERCISE = "exercise"
    STORY = "story"
    FAQ = "faq"
    PAGE = "page"


class Step(StrEnum):
    """What staff do to bring an item into another state."""

    SUBMIT = "submit"
    RETURN = "return"
    PUBLISH = "publish"
    ARCHIVE = "archive"


S = ContentState

# What the database enforces in content_may_become(); a test compares the two.
TRANSITIONS: dict[ContentState, frozenset[ContentState]] = {
    S.DRAFT: frozenset({S.REVIEW}),
    S.REVIEW: frozenset({S.DRAFT, S.PUBLISHED}),
    S.PUBLISHED: frozenset({S.ARCHIVED}),
    S.ARCHIVED: frozenset({S.DRAFT}),
}

# Where each step leads.
GOALS: dict[Step, ContentState] = {
    Step.SUBMIT: S.REVIEW,
    Step.RETURN: S.DRAFT,
    Step.PUBLISH: S.PUBLISHED,
    Step.ARCHIVE: S.ARCHIVED,
}
