"""Figures of this process for Prometheus, counted in plain memory.

The client library's own counters take locks, and the page that lets several processes share them costs a hot request
several times as much as all that is counted of it here (ADR 22). So counting is a sum in a dictionary, done by the
one thread that serves; `publication.py` shows the figures of all processes together.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence, Sized
from typing import TypeAlias

import msgspec

# How a supervisor tells its processes where they show their figures to each other.
FOLDER_VARIABLE = "HOLDFAST_FIGURES_DIR"

Labels: TypeAlias = tuple[str, ...]

# Beyond so many sets of labels a figure counts under OTHER: what labels say must be bounded, whoever chose it.
_MOST = 1_000
OTHER = "other"

_counters: dict[str, "Counter"] = {}
_histograms: dict[str, "Histogram"] = {}
_readings: dict[str, "Reading"] = {}


class Snapshot(msgspec.Struct):
    """All figures of one process at one moment."""

    # Seconds of the machine's monotonic clock, which its processes share.
    at: float
    counters: dict[str, list[tuple[Labels, float]]]
    histograms: dict[str, list[tuple[Labels, float, list[int]]]]
    readings: dict[str, list[tuple[Labels, float]]]


class Figure:
    """A name, which is said once, what it means, and the names of its labels."""

    def __init__(self, name: str, meaning: str, labels: Labels = ()) -> None:
        if name in _counters or name in _histograms or name in _readings:
            raise ValueError(f"{name} is another figure already")
        self.name = name
        self.meaning = meaning
        self.labels = labels


class Counter(Figure):
    """Only grows; shown as `<name>_total`, summed over processes.

    `known` are labels that are shown before anything is counted under them: Prometheus sees no increase in what was
    not there before, so an alert about the first of its kind would not fire.
    """

    def __init__(self, name: str, meaning: str, labels: Labels = (), *, known: Iterable[Labels] = ()) -> None:
        super().__init__(name, meaning, labels)
        self.known = frozenset(known)
        self.values: defaultdict[Labels, float] = defaultdict(float, dict.fromkeys(self.known, 0.0))
        _counters[name] = self

    def add(self, *labels: str, by: float = 1) -> None:
        """Count one more, or several."""
        if labels not in self.values:
            labels = _bounded(self.values, labels)
        self.values[labels] += by


class Cell:
    """The observations of a histogram under one set of labels."""

    __slots__ = ("_bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.sum = 0.0
        self.counts = [0] * (len(bounds) + 1)

    def observe(self, value: float) -> None:
        """Count a value in the first bucket whose bound it does not exceed."""
        self.sum += value
        self.counts[bisect_left(self._bounds, value)] += 1


class Histogram(Figure):
    """Observations, counted by their size; summed over processes."""

    def __init__(self, name: str, meaning: str, labels: Labels = (), *, bounds: Sequence[float]) -> None:
        super().__init__(name, meaning, labels)
        self.bounds = tuple(bounds)
        self._unfinished: Callable[[], None] | None = None
        self.cells: dict[Labels, Cell] = {}
        _histograms[name] = self

    def cell(self, *labels: str) -> Cell:
        """Return where observations under these labels are counted; to be kept by who observes often."""
        if labels not in self.cells:
            labels = _bounded(self.cells, labels)
        return self.cells.setdefault(labels, Cell(self.bounds))

    def before_taken(self, finish: Callable[[], None]) -> None:
        """Have somebody who counts in batches finish theirs before the figures are taken."""
        self._unfinished = finish

    def finish(self) -> None:
        """Have everything counted."""
        if self._unfinished is not None:
            self._unfinished()


class Reading(Figure):
    """What is read when it is shown, of each process by itself; one that only grows says so."""

    def __init__(self, name: str, meaning: str, labels: Labels = (), *, grows: bool = False) -> None:
        super().__init__(name, meaning, labels)
        self.grows = grows
        self.read: Callable[[], Iterable[tuple[Labels, float]]] = tuple
        _readings[name] = self

    def follow(self, read: Callable[[], Iterable[tuple[Labels, float]]]) -> None:
        """Read it like this from now on: values with their labels."""
        self.read = read


def take(at: float) -> Snapshot:
    """Return the figures of this process as they are now."""
    for histogram in _histograms.values():
        histogram.finish()
    return Snapshot(
        at,
        {name: list(counter.values.items()) for name, counter in _counters.items()},
        {
            name: [(labels, cell.sum, list(cell.counts)) for labels, cell in histogram.cells.items()]
            for name, histogram in _histograms.items()
        },
        {name: [(labels, float(value)) for labels, value in reading.read()] for name, reading in _readings.items()},
    )


def resume(left: Snapshot) -> None:
    """Count on from what a predecessor has left, so that what only grows does not begin anew."""
    for name, values in left.counters.items():
        if name in _counters:
            for labels, value in values:
                _counters[name].add(*labels, by=value)
    for name, cells in left.histograms.items():
        for labels, total, counts in cells:
            if name in _histograms and len(counts) == len(_histograms[name].bounds) + 1:
                cell = _histograms[name].cell(*labels)
                cell.sum += total
                cell.counts = [mine + theirs for mine, theirs in zip(cell.counts, counts, strict=True)]


def counters() -> Iterable[Counter]:
    """Return every counter, in the order of their definition."""
    return _counters.values()


def histograms() -> Iterable[Histogram]:
    """Return every histogram."""
    return _histograms.values()


def readings() -> Iterable[Reading]:
    """Return everything that is read."""
    return _readings.values()


def _bounded(known: Sized, labels: Labels) -> Labels:
    """Return new labels, or those that stand for all that are too many."""
    return labels if len(known) < _MOST else (OTHER,) * len(labels)
