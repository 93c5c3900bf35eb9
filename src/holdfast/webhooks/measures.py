"""Figures of webhooks for Prometheus: what this process counts, and what the database knows for all."""

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from holdfast.kernel.database import Transaction
from holdfast.kernel.figures import Counter
from holdfast.kernel.sql import load

_SQL = load(__package__)

ATTEMPTS = Counter(
    "holdfast_webhook_attempts",
    "Attempts to tell other programs, by what came of them",
    ("outcome",),
    known=[("delivered",)],
)

_GAUGES = {
    "pending": ("holdfast_webhooks_pending", "Events on their way to other programs"),
    "oldest_seconds": ("holdfast_webhooks_oldest_seconds", "For how long the oldest of these has been tried"),
    "failing": ("holdfast_webhook_endpoints_failing", "Endpoints at which the last attempt has failed"),
    "disabled": ("holdfast_webhook_endpoints_disabled", "Endpoints that were given up, and that nobody has enabled"),
}


async def figures(tx: Transaction) -> list[Metric]:
    """Return what the database knows of the webhooks of all tenants."""
    [row] = await tx.rows(_SQL["webhook_figures"])
    return [GaugeMetricFamily(name, meaning, value=row[column]) for column, (name, meaning) in _GAUGES.items()]
