"""Figures of admission for Prometheus."""

from prometheus_client import Counter, Histogram

BATCH_SIZE = Histogram(
    "holdfast_admission_batch_size", "Requests in one admission batch", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256)
)
BATCH_SECONDS = Histogram("holdfast_admission_batch_seconds", "Seconds that one admission batch took")
CONFLICTS = Counter("holdfast_booking_conflicts", "Requests that lost their slot", ["service_slug"])


def observe_batch(size: int, seconds: float) -> None:
    """Count one batch."""
    BATCH_SIZE.observe(size)
    BATCH_SECONDS.observe(seconds)
