"""How long to wait before somebody else's server is asked again, and how long it asks us to wait."""

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_LEAST_SECONDS = 2.0
_MOST_SECONDS = 1_800.0
# Whoever asks for more patience than that is asked again all the same.
_MOST_OBEYED_SECONDS = 86_400.0
# Two that fail together do not come back together.
_random = random.SystemRandom()


def after_failure(failures: int, retry_after: float | None = None) -> float:
    """Return the seconds until the next attempt after so many failures in a row.

    Twice as long each time up to half an hour, of which a random half is taken off; never less than the provider asks.
    """
    longest = min(_MOST_SECONDS, _LEAST_SECONDS * 2.0 ** min(failures, 20))
    return max(_random.uniform(longest / 2, longest), retry_after or 0.0)


def seconds_asked(retry_after: str | None) -> float | None:
    """Return for how many seconds a provider asks to wait (RFC 9110, 10.2.3): a number, or a date; None if neither.

    A day at most.
    """
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _MOST_OBEYED_SECONDS)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if at.tzinfo is None:
        return None
    return max(0.0, min((at - datetime.now(UTC)).total_seconds(), _MOST_OBEYED_SECONDS))
