"""How much of what was paid goes back with a cancellation, in whole minor units (P-6, P-8)."""

from collections.abc import Iterable

from holdfast.catalog.refund_terms import ALL, Term

_HOUR = 3_600


def percent_for(terms: Iterable[Term], seconds_before_start: int) -> int:
    """Return the percent that goes back to a client who cancels so many seconds before the start.

    Of the terms whose notice is kept, exactly at its border too, that with the greatest notice decides. When none is
    kept nothing goes back; where there are no terms at all, all of it does.
    """
    known = list(terms)
    kept = [term for term in known if seconds_before_start >= term.hours_before * _HOUR]
    if not known:
        return ALL
    return max(kept, key=lambda term: term.hours_before).percent if kept else 0


def share_of(minor: int, percent: int) -> int:
    """Return so many percent of an amount, to the unit, a half of one up.

    Raises ValueError for an amount below 0, and for a percent that is not from 0 to 100.
    """
    if minor < 0 or not 0 <= percent <= ALL:
        raise ValueError("a share is 0 to 100 percent of what is not less than nothing")
    return (minor * percent + ALL // 2) // ALL
