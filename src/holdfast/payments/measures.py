"""Figures of payments for Prometheus: what the database knows for all (P-4)."""

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from holdfast.kernel.database import Transaction
from holdfast.kernel.sql import load

_SQL = load(__package__)

_GAUGES = {
    "open": ("holdfast_payments_open", "Payments of which money may still come"),
    "oldest_open_seconds": ("holdfast_payments_oldest_open_seconds", "For how long the oldest of these has been open"),
    "oldest_due_seconds": (
        "holdfast_payments_oldest_due_seconds",
        "For how long the payment or refund that is due longest has been due",
    ),
    "refunds_refused": ("holdfast_refunds_refused", "Payments with a refund that was refused, and nobody has seen to"),
    "events_unprocessed": ("holdfast_payment_events_unprocessed", "What providers have told and was not processed"),
    "oldest_event_seconds": ("holdfast_payment_events_oldest_seconds", "For how long the oldest of that has waited"),
    "reconciliation_age_seconds": (
        "holdfast_payment_reconciliation_age_seconds",
        "Since the account in use that was compared longest ago was compared with its provider",
    ),
    "mended": ("holdfast_payments_mended", "What comparing accounts in use has found and mended, since they are there"),
}


async def figures(tx: Transaction) -> list[Metric]:
    """Return what the database knows of the payments of all tenants, by provider."""
    found = {
        figure: GaugeMetricFamily(name, meaning, labels=["provider", "state"] if figure == "open" else ["provider"])
        for figure, (name, meaning) in _GAUGES.items()
    }
    for row in await tx.rows(_SQL["payment_figures"]):
        labels = [row["provider"]] if row["state"] is None else [row["provider"], row["state"]]
        found[row["figure"]].add_metric(labels, row["value"])
    return list(found.values())
