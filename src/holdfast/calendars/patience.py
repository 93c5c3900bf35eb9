"""How long to wait before a calendar about which nothing was told is looked at again."""

import random

POLL_SECONDS = 900
# Those that came together do not come back together.
_random = random.SystemRandom()


def after_success(*, spread: bool = False) -> float:
    """Return the seconds until the next look at a calendar that nobody tells us about: around 15 minutes.

    Calendars that were connected together drift apart. With `spread` they do so at once, over most of that time:
    those that come all together, at first or after a standstill, do not come together again.
    """
    return _random.uniform(0.1 if spread else 0.8, 1.0) * POLL_SECONDS
