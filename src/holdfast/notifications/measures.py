"""Figures of messages for Prometheus: what this process counts, and what the database knows for all."""

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from holdfast.kernel.database import Transaction
from holdfast.kernel.figures import Counter
from holdfast.kernel.sql import load

_SQL = load(__package__)

MESSAGES = Counter("holdfast_messages", "Messages, by what has come of them", ("kind", "outcome"))

_GAUGES = {
    "queued": ("holdfast_messages_queued", "Messages that wait to be sent"),
    "oldest_seconds": ("holdfast_messages_oldest_seconds", "How long ago the oldest of these had its cause"),
    "going": ("holdfast_messages_sending", "Messages about which a server of mail is spoken to, or was left"),
}


async def figures(tx: Transaction) -> list[Metric]:
    """Return what the database knows of the messages of all tenants."""
    [row] = await tx.rows(_SQL["message_figures"])
    return [GaugeMetricFamily(name, meaning, value=row[column]) for column, (name, meaning) in _GAUGES.items()]
