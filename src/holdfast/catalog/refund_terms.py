"""What an offering promises to give back to whoever cancels: a table of hours before the start and percents."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

MAX_HOURS = 8_760
MAX_TERMS = 20
ALL = 100


@dataclass(frozen=True, slots=True)
class Term:
    """Who cancels at least so many hours before the start gets so many percent back."""

    hours_before: int
    percent: int


def sound_terms(terms: Iterable[Term]) -> tuple[Term, ...]:
    """Return terms as they are kept: the greatest notice first.

    Raises ValueError, in words for whoever wrote them, for two terms of the same hours, and where who cancels later
    would get more.
    """
    kept = sorted(terms, key=lambda term: -term.hours_before)
    if len(kept) > MAX_TERMS:
        raise ValueError(f"there are more than {MAX_TERMS} terms")
    for term in kept:
        if not (0 <= term.hours_before <= MAX_HOURS and 0 <= term.percent <= ALL):
            raise ValueError(f"a term has 0 to {MAX_HOURS} hours and 0 to {ALL} percent")
    for earlier, later in pairwise(kept):
        if earlier.hours_before == later.hours_before:
            raise ValueError(f"two terms have {later.hours_before} hours")
        if earlier.percent < later.percent:
            raise ValueError(
                f"who cancels {later.hours_before} hours before would get more ({later.percent} %)"
                f" than who cancels {earlier.hours_before} hours before ({earlier.percent} %)"
            )
    return tuple(kept)


def terms_of(stored: Sequence[Mapping[str, Any]]) -> tuple[Term, ...]:
    """Return the terms in a column `refund_terms`."""
    return tuple(Term(each["hoursBefore"], each["percent"]) for each in stored)


def stored_terms(terms: Iterable[Term]) -> list[dict[str, int]]:
    """Return terms as a column `refund_terms` has them; what `terms_of` reads."""
    return [{"hoursBefore": term.hours_before, "percent": term.percent} for term in terms]
