"""The figures of all processes of a server, shown by whichever of them is asked.

Each process writes its figures into a file of a folder that the supervisor has made, once a second, and reads the
files of the others when it is asked. What is asked itself is exact; the others are a second behind at most.
"""

import asyncio
import contextlib
import fcntl
import os
import resource
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import accumulate, count
from pathlib import Path

import msgspec
import structlog
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from holdfast.kernel import figures
from holdfast.kernel.figures import FOLDER_VARIABLE, Labels, Reading, Snapshot

log = structlog.get_logger(__name__)

_EVERY_SECONDS = 1
# What a process measured of itself is not shown any longer after this: it has ended, or it hangs.
_SILENT_SECONDS = 15


_decode = msgspec.json.Decoder(Snapshot).decode
_encode = msgspec.json.Encoder().encode

_CPU_SECONDS = Reading("holdfast_process_cpu_seconds", "Processor time that a process has used", grows=True)
_RESIDENT_BYTES = Reading("holdfast_process_resident_bytes", "Memory that a process holds")
_STARTED = Reading("holdfast_process_start_time_seconds", "When a process started, in seconds of the Unix epoch")

_PAGE_BYTES = resource.getpagesize()


class Publication:
    """The figures of this process among those of its siblings.

    A process has a place in the folder: `web-0`, `web-1`, `worker-0`. Whoever comes after one that has ended takes its
    place and counts on from where it was, so that there are never more places than processes at once.
    """

    def __init__(self, role: str, folder: Path | None) -> None:
        """Take a place; without a folder this process is alone."""
        self._folder = folder
        self.place = f"{role}-0" if folder is None else self._take_place(role, folder)
        if folder is not None:
            with contextlib.suppress(OSError, msgspec.DecodeError):
                figures.resume(_decode(self._file.read_bytes()))
        started = time.time()
        _CPU_SECONDS.follow(lambda: [((), time.process_time())])
        _RESIDENT_BYTES.follow(_resident)
        _STARTED.follow(lambda: [((), started)])

    @property
    def _file(self) -> Path:
        assert self._folder is not None, "who is alone has no file"
        return self._folder / f"{self.place}.json"

    def publish(self) -> Snapshot:
        """Write the figures of this process for its siblings; return them."""
        snapshot = figures.take(time.monotonic())
        if self._folder is not None:
            # Renamed into place, so that nobody reads half of it.
            fresh = self._file.with_suffix(".new")
            fresh.write_bytes(_encode(snapshot))
            fresh.replace(self._file)
        return snapshot

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Publish once a second while the block runs, and a last time at its end."""
        task = asyncio.create_task(self._keep()) if self._folder is not None else None
        try:
            yield
        finally:
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
                self._publish_if_possible()

    def text(self, more: Iterable[Metric] = ()) -> bytes:
        """Return the figures of all processes, and more ones, in the text format of Prometheus."""
        mine = self.publish()
        registry = CollectorRegistry()
        registry.register(_Shown([*families({**dict(self._others()), self.place: mine}), *more]))
        return generate_latest(registry)

    def _others(self) -> Iterator[tuple[str, Snapshot]]:
        for file in sorted(self._folder.glob("*.json")) if self._folder is not None else ():
            if file.stem != self.place:
                yield file.stem, _decode(file.read_bytes())

    async def _keep(self) -> None:
        while True:
            self._publish_if_possible()
            await asyncio.sleep(_EVERY_SECONDS)

    def _publish_if_possible(self) -> None:
        try:
            self.publish()
        except OSError as failure:
            # A full disk must not end what serves; who asks next hears of it.
            log.warning("figures_not_published", error=type(failure).__name__)

    def _take_place(self, role: str, folder: Path) -> str:
        for number in count():
            place = f"{role}-{number}"
            lock = os.open(folder / f"{place}.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
            else:
                # Open until the process ends, however it ends.
                self._lock = lock
                return place
        raise AssertionError("unreachable")


class _Shown(Collector):
    def __init__(self, shown: Sequence[Metric]) -> None:
        self._shown = shown

    def collect(self) -> Iterable[Metric]:
        """Return what is to be shown."""
        return self._shown


def families(snapshots: dict[str, Snapshot]) -> Iterator[Metric]:
    """Yield every figure: what was counted summed over processes, what was read with the process that it is of."""
    for counter in figures.counters():
        sums: dict[Labels, float] = defaultdict(float)
        for snapshot in snapshots.values():
            for labels, value in snapshot.counters.get(counter.name, ()):
                sums[labels] += value
        counted = CounterMetricFamily(counter.name, counter.meaning, labels=counter.labels)
        for labels, value in sums.items():
            counted.add_metric(labels, value)
        yield counted
    for histogram in figures.histograms():
        yield _histogram(histogram, snapshots.values())
    now = max(snapshot.at for snapshot in snapshots.values())
    for reading in figures.readings():
        shape = CounterMetricFamily if reading.grows else GaugeMetricFamily
        read = shape(reading.name, reading.meaning, labels=("process", *reading.labels))
        for place, snapshot in snapshots.items():
            if now - snapshot.at < _SILENT_SECONDS:
                for labels, value in snapshot.readings.get(reading.name, ()):
                    read.add_metric((place, *labels), value)
        yield read


def _histogram(histogram: figures.Histogram, snapshots: Iterable[Snapshot]) -> Metric:
    sums: dict[Labels, float] = defaultdict(float)
    counts: dict[Labels, list[int]] = {}
    for snapshot in snapshots:
        for labels, total, own in snapshot.histograms.get(histogram.name, ()):
            sums[labels] += total
            counts[labels] = [a + b for a, b in zip(counts.get(labels, [0] * len(own)), own, strict=True)]
    observed = HistogramMetricFamily(histogram.name, histogram.meaning, labels=histogram.labels)
    bounds = [*(str(float(bound)) for bound in histogram.bounds), "+Inf"]
    for labels, own in counts.items():
        observed.add_metric(labels, list(zip(bounds, accumulate(own), strict=True)), sums[labels])
    return observed


def folder_of_supervisor() -> Path | None:
    """Return where the processes of this server show their figures to each other, None for one that is alone."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else None


def _resident() -> list[tuple[Labels, float]]:
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return [((), int(pages) * _PAGE_BYTES)]
