"""The table for people and the JSON for programs."""

import math
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from proof.document import table
from rich import box
from rich.console import Console
from rich.table import Table

from bench.judgements import Judgement
from bench.rows import LOOK, LOOK_TITLE, ROWS, Pass
from bench.session import Measured, Session

_WIDTH = 130


@dataclass(frozen=True)
class Result:
    """Everything that a run has found."""

    session: Session
    memory: tuple[float, float]
    memory_after: int
    passes: list[tuple[Pass, list[Judgement]]]
    memory_judgements: list[Judgement]


def print_table(result: Result) -> None:
    """Print the one table, and what was found wrong."""
    console = Console(width=None if os.isatty(1) else _WIDTH)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("")
    for heading in ("per second", "p50 ms", "p99 ms", "web us", "db us", "ratio", "target", ""):
        table.add_column(heading, justify="left" if heading in {"ratio", ""} else "right")
    for measured, judgements in result.passes:
        table.add_section()
        table.add_row(f"[bold]{measured.past_bookings:,} past bookings")
        for name, baseline in sorted(measured.baselines().items()):
            table.add_row(name, *_figures(baseline))
        for row in ROWS:
            _add(table, row.title, measured.row(row.name), [j for j in judgements if j.row == row.name])
        look = measured.look
        _add(table, "select 1, alone", _step(look, "select-1"), [])
        _add(table, LOOK_TITLE, _step(look, "slots"), [j for j in judgements if j.row == LOOK])
    table.add_section()
    title = f"memory after {result.memory_after:,} requests"
    _add(table, title, None, result.memory_judgements)
    console.print(table)
    wrong = result.session.problems
    console.print(
        f"{result.session.acknowledged:,} acknowledged reservations checked: {_verdict(wrong)}", soft_wrap=True
    )
    for problem in wrong[:20]:
        console.print(f"  {problem}", soft_wrap=True, markup=False)


def as_markdown(result: Result) -> str:
    """Return the same for the document of proofs, with what past bookings change."""
    header = ["", *(f"{measured.past_bookings:,} past: per second, p50 / p99 ms" for measured, _ in result.passes)]
    rows = [
        [title, *(_brief(measured.baselines().get(title)) for measured, _ in result.passes)]
        for title in sorted(result.passes[0][0].baselines())
    ]
    rows += [[row.title, *(_brief(measured.row(row.name)) for measured, _ in result.passes)] for row in ROWS]
    rows.append([LOOK_TITLE, *(_brief(_step(measured.look, "slots")) for measured, _ in result.passes)])
    ratios = [
        [j.row, f"{measured.past_bookings:,}", f"{j.value:.2f} {j.unit}", _target(j), "yes" if j.is_kept else "NO"]
        for measured, judgements in result.passes
        for j in judgements
    ]
    ratios += [
        ["memory", "", f"{j.value:.2f} {j.unit}", _target(j), "yes" if j.is_kept else "NO"]
        for j in result.memory_judgements
    ]
    session = result.session
    verdict = f"{len(session.problems)} problems" if session.problems else "none lost, none doubled, verify clean"
    return "\n\n".join(
        (
            f"{session.acknowledged:,} acknowledged reservations checked: {verdict}.",
            table(header, rows),
            table(["", "past bookings", "ratio", "target", "kept"], ratios),
        )
    )


def as_json(result: Result) -> dict[str, Any]:
    """Return the same for programs."""
    session = result.session
    return {
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()},
        "connections": session.connections,
        "secondsPerRound": session.seconds,
        "passes": [
            {
                "pastBookings": measured.past_bookings,
                "rounds": msgspec.to_builtins(measured.rounds),
                "slots": msgspec.to_builtins(measured.look),
                "judgements": [_judgement(j) for j in judgements],
            }
            for measured, judgements in result.passes
        ],
        "memory": {
            "afterRequests": result.memory_after,
            "mib": list(result.memory),
            "judgements": [_judgement(j) for j in result.memory_judgements],
        },
        "acknowledged": session.acknowledged,
        "doubtful": session.doubtful,
        "problems": session.problems,
    }


def _add(table: Table, title: str, measured: Measured | None, judgements: Sequence[Judgement]) -> None:
    figures = _figures(measured) if measured else [""] * 5
    for number, judgement in enumerate(judgements):
        sign = ">=" if judgement.at_least else "<="
        verdict = "[green]ok" if judgement.is_kept else "[red]MISSED"
        ratio = f"{judgement.value:.2f} {judgement.unit}"
        head = [title, *figures] if number == 0 else [""] * 6
        table.add_row(*head, ratio, f"{sign} {judgement.target:g}", verdict)
    if not judgements:
        table.add_row(title, *figures)


def _target(judgement: Judgement) -> str:
    return f"{'>=' if judgement.at_least else '<='} {judgement.target:g}"


def _brief(measured: Measured | None) -> str:
    if measured is None:
        return ""
    rate = f"{measured.rate:,.0f}, " if measured.rate else ""
    return f"{rate}{measured.p50_ms:.1f} / {measured.p99_ms:.1f}" if measured.p99_ms else f"{rate}{measured.p50_ms:.1f}"


def _figures(measured: Measured) -> list[str]:
    return [
        f"{measured.rate:,.0f}" if measured.rate else "",
        f"{measured.p50_ms:.2f}",
        f"{measured.p99_ms:.2f}" if measured.p99_ms else "",
        f"{measured.web_cpu_us:.0f}" if measured.web_cpu_us else "",
        f"{measured.database_cpu_us:.0f}" if measured.database_cpu_us else "",
    ]


def _step(measured: Measured, step: str) -> Measured | None:
    latency = measured.latencies.get(step)
    return None if latency is None else Measured(rate=0.0, p50_ms=latency.p50_ms, p99_ms=latency.p99_ms)


def _judgement(judgement: Judgement) -> dict[str, Any]:
    return {
        "row": judgement.row,
        "value": None if math.isnan(judgement.value) else judgement.value,
        "unit": judgement.unit,
        "target": judgement.target,
        "atLeast": judgement.at_least,
        "kept": judgement.is_kept,
    }


def _verdict(wrong: Sequence[str]) -> str:
    return f"[red]{len(wrong)} PROBLEMS" if wrong else "[green]none lost, none doubled, verify clean"
