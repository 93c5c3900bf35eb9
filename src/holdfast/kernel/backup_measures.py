"""Figures of the backups of an embedded PostgreSQL for Prometheus (K-1)."""

import asyncio
from pathlib import Path
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from holdfast.kernel.backups import Lineage, known_lineage
from holdfast.kernel.database import Transaction
from holdfast.kernel.sql import load

# Whether the log is kept, and whether that fails.
ARCHIVER: Final = load(__package__, "keeping.sql")["archiver"]


# A folder on a disk that has gone away hangs; monitors, and the database that they ask, do not wait for it.
_PATIENCE_SECONDS: Final = 0.5


class BackupFigures:
    """When the last copy of a data directory was made, and whether its log is kept; nothing where none is.

    A copy that was never made counts as one of 1970, so that an alert hears of it. While the folder does not answer its
    figure is left out.
    """

    def __init__(self, data_dir: Path, backup_dir: Path | None) -> None:
        self._data_dir = data_dir
        self._backup_dir = backup_dir
        self._looking: asyncio.Task[float] | None = None

    async def read(self, tx: Transaction) -> list[Metric]:
        """Return the figures of now."""
        copied = GaugeMetricFamily(
            "holdfast_backup_last_timestamp_seconds", "When the last copy was made, in seconds of the Unix epoch"
        )
        failing = GaugeMetricFamily("holdfast_backup_log_failing", "Whether the log could not be kept the last time")
        lineage = None if self._backup_dir is None else known_lineage(self._data_dir, self._backup_dir)
        if lineage is not None:
            [archiver] = await tx.rows(ARCHIVER)
            failing.add_metric([], archiver["fails"])
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(asyncio.to_thread(_last_copy, lineage))
            # One look at a time: those that hang would take all threads.
            done, _ = await asyncio.wait([self._looking], timeout=_PATIENCE_SECONDS)
            if done and self._looking.exception() is None:
                copied.add_metric([], self._looking.result())
        return [copied, failing]


def _last_copy(lineage: Lineage) -> float:
    bases = lineage.bases()
    return bases[-1].ended_at.timestamp() if bases else 0.0
