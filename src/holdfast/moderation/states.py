"""What a question can be, and what it can become. A migration knows the same words."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class ItemStatus(StrEnum):
    """How far a question has come."""

    NEW = "new"
    IN_REVIEW = "in_review"
    ANSWERED = "answered"
    PUBLISHED = "published"
    REJECTED = "rejected"


S = ItemStatus

# What was published can be taken back: it is rejected, and what the public could read is gone.
TRANSITIONS: Mapping[ItemStatus, frozenset[ItemStatus]] = MappingProxyType(
    {
        S.NEW: frozenset({S.IN_REVIEW}),
        S.IN_REVIEW: frozenset({S.ANSWERED, S.REJECTED}),
        S.ANSWERED: frozenset({S.PUBLISHED, S.REJECTED}),
        S.PUBLISHED: frozenset({S.REJECTED}),
        S.REJECTED: frozenset(),
    }
)

# Those that somebody still has to look at.
OPEN = (S.NEW, S.IN_REVIEW)
