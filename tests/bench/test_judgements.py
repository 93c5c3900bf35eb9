"""A promise of speed that was missed, or could not be measured, is said to be missed."""

from bench.judgements import Judgement, judge, judge_memory, judge_past
from bench.load import Latency
from bench.rows import ROWS, Pass, Round
from bench.session import Measured


def test_a_row_is_compared_with_the_baselines_of_its_own_round() -> None:
    """The median of the rounds counts, each against the best of its own baselines: a slow moment hits both alike."""
    judged = _value(judge(_pass(_round(6000, 2000), _round(600, 200), _round(50, 50))), "hot", "x pgbench")
    assert (judged.value, judged.is_kept) == (3.0, True)


def test_a_missed_target_is_missed() -> None:
    """Below the target of a rate, above that of a tail or of a time, a judgement is not kept."""
    slow = judge(_pass(_round(5999, 2000)))
    assert not _value(slow, "hot", "x pgbench").is_kept
    assert not _value(judge(_pass(_round(6000, 2000, p99_ms=11.0))), "hot", "x p50").is_kept
    assert not _value(judge(_pass(_round(6000, 2000), slots_ms=41.0)), "look", "x select-1").is_kept
    assert [j.is_kept for j in judge_memory((100.0, 151.0))] == [False, False]


def test_what_was_not_measured_is_missed() -> None:
    """A row without an answer, or without its baseline, keeps no promise."""
    nothing = Pass(0, [_round(0, 0, p50_ms=0.0, p99_ms=0.0)], Measured(rate=0.0, p50_ms=0.0, p99_ms=0.0))
    assert [j for j in (*judge(nothing), *judge_past(nothing, nothing)) if j.is_kept] == []


def test_a_past_may_cost_a_fifth() -> None:
    """Large tables may slow a row by a fifth of what it is of the echo."""
    small, slower = _pass(_round(1000, 100)), _pass(_round(790, 100))
    assert {j.is_kept for j in judge_past(small, small)} == {True}
    assert [j for j in judge_past(small, slower) if j.is_kept and j.row != "look"] == []


def _round(rate: float, baseline: float, p50_ms: float = 1.0, p99_ms: float = 2.0) -> Round:
    rows = {row.name: Measured(rate=rate, p50_ms=p50_ms, p99_ms=p99_ms) for row in ROWS}
    best, worse = (Measured(rate=of, p50_ms=1.0, p99_ms=1.0) for of in (baseline, baseline / 2))
    return Round({"pgbench 8 clients": [worse], "pgbench 32 clients": [best], "echo": [worse, best]}, rows)


def _pass(*rounds: Round, slots_ms: float = 20.0) -> Pass:
    steps = {"select-1": Latency(p50_ms=1.0, p99_ms=1.0), "slots": Latency(p50_ms=slots_ms, p99_ms=slots_ms)}
    return Pass(0, list(rounds), Measured(rate=1.0, p50_ms=1.0, p99_ms=1.0, latencies=steps))


def _value(judged: list[Judgement], row: str, unit: str) -> Judgement:
    return next(j for j in judged if j.row == row and j.unit.startswith(unit))
