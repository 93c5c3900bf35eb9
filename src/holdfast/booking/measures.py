"""Figures of booking for Prometheus: what this process counts, and what the database knows for all of them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import psycopg
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from holdfast.booking.admission import Admission, queries
from holdfast.booking.turnstile import Measure
from holdfast.kernel import backfills
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.errors import TryLater
from holdfast.kernel.figures import Counter, Histogram, Labels, Reading

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

BATCH_SIZE = Histogram(
    "holdfast_admission_batch_size",
    "Requests in one admission batch",
    ("queue",),
    bounds=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
BATCH_SECONDS = Histogram(
    "holdfast_admission_batch_seconds", "Time that one admission batch took", ("queue",), bounds=_SECONDS
)
WAIT_SECONDS = Histogram(
    "holdfast_admission_wait_seconds", "Time that a request waited for its batch", ("queue",), bounds=_SECONDS
)
QUEUE_LENGTH = Reading("holdfast_admission_queue_length", "Requests that wait for the next batch", ("queue",))
QUEUE_LIMIT = Reading("holdfast_admission_queue_limit", "How many may wait before others hear 503", ("queue",))
CONFLICTS = Counter("holdfast_booking_conflicts", "Requests that lost their slot", ("service_slug",))

POOL_CONNECTIONS = Reading("holdfast_pool_connections", "Connections of a process's pool", ("state",))
POOL_WAITING = Reading("holdfast_pool_requests_waiting", "Who waits for a connection of the pool")
POOL_REQUESTS = Reading("holdfast_pool_requests", "Connections asked of the pool", grows=True)
POOL_QUEUED = Reading("holdfast_pool_requests_queued", "Those that had to wait", grows=True)
POOL_ERRORS = Reading("holdfast_pool_requests_errors", "Those that got none", grows=True)
POOL_WAIT_SECONDS = Reading("holdfast_pool_wait_seconds", "Time that they have waited together", grows=True)

# Holds are counted at most so often, and a monitor waits for the database at most so long.
_KEPT_SECONDS = 10
_PATIENCE_SECONDS = 2


def measure_of(queue: str) -> Measure:
    """Return what a turnstile tells of its batches to."""
    size, seconds = BATCH_SIZE.cell(queue), BATCH_SECONDS.cell(queue)

    def sent(requests: int, took_seconds: float) -> None:
        size.observe(requests)
        seconds.observe(took_seconds)

    return Measure(sent, WAIT_SECONDS.cell(queue).observe)


def follow(admission: Admission, database: Database) -> None:
    """Read the queues and the pool of this process from now on."""
    follow_pool(database)
    reserves, commits = admission.reserves, admission.commits
    QUEUE_LENGTH.follow(lambda: [(("reserve",), reserves.waiting), (("commit",), commits.waiting)])
    QUEUE_LIMIT.follow(lambda: [(("reserve",), reserves.queue_limit), (("commit",), commits.queue_limit)])


def follow_pool(database: Database) -> None:
    """Read the pool of connections of this process from now on."""

    def one(name: str, unit: float = 1) -> Iterable[tuple[Labels, float]]:
        return [((), database.statistics().get(name, 0) * unit)]

    def connections() -> Iterable[tuple[Labels, float]]:
        now = database.statistics()
        size, available = now.get("pool_size", 0), now.get("pool_available", 0)
        most = now.get("pool_max", 0)
        return [(("used",), size - available), (("available",), available), (("most",), most)]

    POOL_CONNECTIONS.follow(connections)
    POOL_WAITING.follow(lambda: one("requests_waiting"))
    POOL_REQUESTS.follow(lambda: one("requests_num"))
    POOL_QUEUED.follow(lambda: one("requests_queued"))
    POOL_ERRORS.follow(lambda: one("requests_errors"))
    POOL_WAIT_SECONDS.follow(lambda: one("requests_wait_ms", 0.001))


class DatabaseFigures:
    """What the database knows: of the holds of all processes, and of the jobs of the workers, wherever they run.

    `others` are the figures of capabilities that booking does not know.
    """

    def __init__(self, database: Database, *others: Callable[[Transaction], Awaitable[list[Metric]]]) -> None:
        self._database = database
        self._others = others
        self._of_others: list[Metric] = []
        self._reading: asyncio.Task[list[Metric]] | None = None
        self._holds: dict[str, Any] = {}
        self._counted_at = float("-inf")

    async def now(self) -> list[Metric]:
        """Return the figures; only that the database is away when it does not answer in time."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        # Not cancelled when nobody waits for it any longer: whoever asks next joins it.
        done, _ = await asyncio.wait([self._reading], timeout=_PATIENCE_SECONDS)
        return self._reading.result() if done else [_up(0)]

    async def _read(self) -> list[Metric]:
        try:
            async with self._database.transaction() as tx:
                # What only grows is read each time: two processes, one of them with an older picture, would show a
                # count that falls, which is taken for a fresh start.
                jobs = await tx.rows(queries["job_figures"])
                brought_over = await backfills.figures(tx)
                if time.monotonic() - self._counted_at >= _KEPT_SECONDS:
                    [self._holds] = await tx.rows(queries["hold_figures"])
                    self._of_others = [metric for read in self._others for metric in await read(tx)]
                    self._counted_at = time.monotonic()
        except (psycopg.Error, TryLater):
            return [_up(0)]
        return [_up(1), *_of_holds(self._holds), *self._of_others, *_of_jobs(jobs), *_of_backfills(brought_over)]


def _up(value: int) -> Metric:
    return GaugeMetricFamily("holdfast_database_up", "Whether the database answers", value=value)


def _of_holds(row: dict[str, Any]) -> Iterable[Metric]:
    gauges = {
        "holdfast_reservations_active": ("Holds that are alive", "active"),
        "holdfast_reservations_expired_not_cleaned": ("Holds that have run out and are not swept yet", "spent"),
        "holdfast_reservations_sweep_lag_seconds": ("For how long the oldest of them has run out", "sweep_lag_seconds"),
        "holdfast_bookings_awaiting_payment": ("Bookings whose place waits for their payment", "awaiting"),
        "holdfast_bookings_unpaid_not_ended": ("Those whose time to pay is over and that are not ended yet", "unpaid"),
        "holdfast_schedule_deviations": ("Coming schedules that differ from the rules of programs", "deviations"),
    }
    for name, (meaning, column) in gauges.items():
        yield GaugeMetricFamily(name, meaning, value=row[column])
    outcomes = GaugeMetricFamily(
        "holdfast_reservations_last_day", "What became of the bookings of the last 24 hours so far", labels=["outcome"]
    )
    for outcome in ("held", "confirmed", "expired", "released"):
        outcomes.add_metric([outcome], row[outcome])
    yield outcomes


def _of_backfills(rows: Iterable[dict[str, Any]]) -> Iterable[Metric]:
    done = CounterMetricFamily("holdfast_backfill_rows", "Rows of earlier releases brought over", labels=["task"])
    total = GaugeMetricFamily("holdfast_backfill_total", "How many there were when it began", labels=["task"])
    pending = GaugeMetricFamily("holdfast_backfill_pending", "Whether it is not done yet", labels=["task"])
    for row in rows:
        done.add_metric([row["name"]], row["done"])
        total.add_metric([row["name"]], row["total"])
        pending.add_metric([row["name"]], row["pending"])
    return [done, total, pending]


def _of_jobs(rows: Iterable[dict[str, Any]]) -> Iterable[Metric]:
    age = GaugeMetricFamily("holdfast_job_age_seconds", "Since a periodic job last finished", labels=["task"])
    runs = CounterMetricFamily("holdfast_job_runs", "How often it has finished", labels=["task"])
    items = CounterMetricFamily("holdfast_job_items", "Holds ended, schedules laid out", labels=["task"])
    for row in rows:
        age.add_metric([row["job"]], row["age_seconds"])
        runs.add_metric([row["job"]], row["runs"])
        items.add_metric([row["job"]], row["items"])
    return [age, runs, items]
