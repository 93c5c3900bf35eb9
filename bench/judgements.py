"""What the figures have to be, and whether they are."""

from dataclasses import dataclass
from statistics import median

from bench.rows import ECHO, LOOK, PGBENCH, ROWS, Pass, Row
from bench.session import Measured, ratio

_LOOK_TIMES_SELECT = 40.0
_KEPT_WITH_A_PAST = 0.8
_MEMORY_MIB = 150.0
_GROWTH = 1.05


@dataclass(frozen=True)
class Judgement:
    """One promise of speed, and whether it was kept."""

    row: str
    value: float
    unit: str
    target: float
    at_least: bool

    @property
    def is_kept(self) -> bool:
        """Whether the value is on the right side of the target; what is no number is on no side."""
        return self.value >= self.target if self.at_least else self.value <= self.target


def judge(measured: Pass) -> list[Judgement]:
    """Compare the rows with their baselines."""
    found = []
    for row in ROWS:
        for times, baseline in ((row.of_pgbench, PGBENCH), (row.of_echo, ECHO)):
            if times is not None:
                value = _of_baseline(measured, row, baseline)
                found.append(Judgement(row.name, value, f"x {baseline}", times, at_least=True))
        if row.tail is not None:
            value = median(of.rows[row.name].tail for of in measured.rounds)
            found.append(Judgement(row.name, value, "x p50 is p99", row.tail, at_least=False))
    value = ratio(median_ms(measured.look, "slots"), median_ms(measured.look, "select-1"))
    found.append(Judgement(LOOK, value, "x select-1", _LOOK_TIMES_SELECT, at_least=False))
    return found


def judge_past(small: Pass, large: Pass) -> list[Judgement]:
    """Compare the rows on large tables with the same on small ones.

    Minutes lie between the two, in which the machine itself may become slower or faster. So not rates are compared but
    what they are of their round's echo; the ratio of the bare figures is told beside.
    """
    found = []
    for row in ROWS:
        value = ratio(_of_baseline(large, row, ECHO), _of_baseline(small, row, ECHO))
        found.append(_kept(row.name, value, ratio(large.row(row.name).rate, small.row(row.name).rate)))
    bare = ratio(median_ms(small.look, "slots"), median_ms(large.look, "slots"))
    echo = ratio(*(of.rounds[-1].baselines[ECHO][-1].rate for of in (large, small)))  # measured shortly before
    return [*found, _kept(LOOK, ratio(bare, echo), bare)]


def judge_memory(memory: tuple[float, float]) -> list[Judgement]:
    """Compare the memory with its bound and with itself."""
    first, last = memory
    return [
        Judgement("memory", last, "MiB", _MEMORY_MIB, at_least=False),
        Judgement("memory", ratio(last, first), "x after 1/5", _GROWTH, at_least=False),
    ]


def median_ms(measured: Measured, step: str) -> float:
    """Return the median of one step; 0 when it never succeeded."""
    latency = measured.latencies.get(step)
    return latency.p50_ms if latency else 0.0


def _of_baseline(measured: Pass, row: Row, baseline: str) -> float:
    return median(ratio(of.rows[row.name].rate, of.best(baseline)) for of in measured.rounds)


def _kept(row: str, value: float, bare: float) -> Judgement:
    return Judgement(row, value, f"x small (bare {bare:.2f})", _KEPT_WITH_A_PAST, at_least=True)
