"""Figures of calendars for Prometheus: what this process counts, and what the database knows for all (C-1)."""

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from holdfast.kernel.database import Transaction
from holdfast.kernel.figures import Counter
from holdfast.kernel.sql import load

_SQL = load("holdfast.calendars", "accounts.sql")

SYNCS = Counter("holdfast_calendar_syncs", "Looks at calendars, by what came of them", ("provider", "outcome"))
QUOTA_REFUSALS = Counter("holdfast_calendar_quota_refusals", "Times that a provider was asked too often", ("provider",))

_GAUGES = {
    "holdfast_calendar_lag_seconds": (
        "Since the calendar in use that was seen longest ago was last seen",
        "lag_seconds",
    ),
    "holdfast_calendar_last_success_timestamp_seconds": ("When any calendar was last seen", "last_success"),
    "holdfast_calendar_exports_waiting": ("Events that wait to be written", "exports_waiting"),
    "holdfast_calendar_oldest_export_seconds": (
        "For how long the event that is due longest has been due",
        "oldest_export_seconds",
    ),
}


async def figures(tx: Transaction) -> list[Metric]:
    """Return what the database knows of the calendars of all tenants, by provider."""
    rows = await tx.rows(_SQL["calendar_figures"])
    found: list[Metric] = []
    for name, (meaning, column) in _GAUGES.items():
        gauge = GaugeMetricFamily(name, meaning, labels=["provider"])
        for row in rows:
            if row[column] is not None:
                gauge.add_metric([row["provider"]], row[column])
        found.append(gauge)
    connections = GaugeMetricFamily(
        "holdfast_calendar_connections", "Accounts, by whether they work", labels=["provider", "state"]
    )
    for row in rows:
        for state in ("connected", "needs_reconnect", "stopped"):
            connections.add_metric([row["provider"], state], row[state])
    return [*found, connections]
