"""How long is waited before a calendar is asked again."""

from holdfast.calendars.patience import POLL_SECONDS, after_success
from holdfast.kernel.patience import after_failure


def test_failures_wait_ever_longer_up_to_half_an_hour() -> None:
    """Attempts come after twice as long each time, truncated, with jitter, and not sooner than asked (calendars 16)."""
    for failures in range(60):
        longest = min(1_800, 2 * 2.0 ** min(failures, 20))
        waits = [after_failure(failures) for _ in range(50)]
        assert all(longest / 2 <= wait <= longest for wait in waits)
        assert len(set(waits)) > 1, "two that fail together do not come back together"
    assert after_failure(0, retry_after=7_200) == 7_200


def test_looks_are_a_quarter_of_an_hour_apart_at_most() -> None:
    """Nobody waits for more than 15 minutes, and calendars drift apart (C-2, calendars 16)."""
    waits = [after_success() for _ in range(500)]
    assert all(POLL_SECONDS * 0.8 <= wait <= POLL_SECONDS for wait in waits)
    assert max(waits) - min(waits) > POLL_SECONDS * 0.1
