"""Figures of the backups of an embedded PostgreSQL for Prometheus (K-1)."""

import asyncio
from pathlib import Path
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from holdfast.kernel.backups import known_lineage
from holdfast.kernel.database import Transaction
from holdfast.kernel.sql import load

# Whether the log is kept, and whether that fails.
ARCHIVER: Final = load(__package__, "keeping.sql")["archiver"]


async def figures(tx: Transaction, *, data_dir: Path, backup_dir: Path | None) -> list[Metric]:
    """Return when the last copy of a data directory was made, and whether its log is kept; nothing where none is.

    A copy that was never made counts as one of 1970, so that an alert hears of it.
    """
    copied = GaugeMetricFamily(
        "holdfast_backup_last_timestamp_seconds", "When the last copy was made, in seconds of the Unix epoch"
    )
    failing = GaugeMetricFamily("holdfast_backup_log_failing", "Whether the log could not be kept the last time")
    lineage = None if backup_dir is None else known_lineage(data_dir, backup_dir)
    if lineage is not None:
        [archiver] = await tx.rows(ARCHIVER)
        # The folder may be on a disk that takes its time.
        bases = await asyncio.to_thread(lineage.bases)
        copied.add_metric([], bases[-1].ended_at.timestamp() if bases else 0)
        failing.add_metric([], archiver["fails"])
    return [copied, failing]
