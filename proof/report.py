"""What a run under faults has shown, as a table for people and for docs/proof.md."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from proof.check import resolved
from proof.document import table
from proof.findings import Finding, Kind
from proof.history import Call
from proof.timetable import Planned

_ENDS = {
    "done before": "had taken effect",
    "done when repeated": "took effect then",
    "refused": "were refused",
    "never": "never told",
}


@dataclass(frozen=True)
class Injected:
    """What came of a fault: the attempts that ended meanwhile, by outcome, and how long it took to be back.

    `back_seconds` is from the moment at which an operator had done all, or the fault was over, until every server was
    ready and had done what a client asked for after that. With a reason it did not take place.
    """

    planned: Planned
    attempts: Counter[str] = field(default_factory=Counter)
    back_seconds: float = 0.0
    refused: str | None = None


@dataclass(frozen=True)
class Report:
    """A run."""

    seed: int
    seconds: float
    words: dict[str, str]  # what each kind of fault is
    injected: Sequence[Injected]
    calls: Sequence[Call]
    findings: Sequence[Finding]


def totals(report: Report) -> list[list[str]]:
    """Return the figures of the whole run, each with its name."""
    outcomes = Counter(call.outcome for call in report.calls)
    ends = resolved(report.calls)
    broken = Counter(finding.kind for finding in report.findings)
    done = [injected for injected in report.injected if injected.refused is None]
    return [
        ["seed, length", f"{report.seed}, {report.seconds:.0f} s"],
        ["faults", f"{len(done)}, of {len({injected.planned.kind for injected in done})} kinds"],
        ["attempts of clients", f"{len(report.calls):,}"],
        ["acknowledged", f"{outcomes['done']:,}"],
        ["refused, each for a reason that held", f"{outcomes['refused']:,}"],
        ["without a clear answer", f"{outcomes['unknown']:,}"],
        *(
            [f"of the requests behind these, repeated until told: {end}", f"{ends[way]:,}"]
            for way, end in _ENDS.items()
        ),
        ["acknowledged and lost", f"{broken[Kind.LOST]:,}"],
        ["done twice", f"{broken[Kind.DOUBLED]:,}"],
        ["promises broken, of all kinds", f"{len(report.findings):,}"],
    ]


def by_kind(report: Report) -> list[list[str]]:
    """Return for each kind how often it came, and how long it took until all was as before."""
    found: dict[str, list[Injected]] = defaultdict(list)
    for injected in report.injected:
        found[injected.planned.kind].append(injected)
    rows = []
    for kind, each in sorted(found.items()):
        times = [injected.back_seconds for injected in each if injected.refused is None]
        unknown = sum(injected.attempts["unknown"] for injected in each)
        if times:
            rows.append(
                [report.words[kind], str(len(times)), f"{median(times):.1f} s", f"{max(times):.1f} s", str(unknown)]
            )
        else:
            rows.append([report.words[kind], f"not here: {each[0].refused}", "", "", ""])
    return rows


def as_markdown(report: Report) -> str:
    """Return both tables, and what was broken."""
    parts = [
        table(["of the run", ""], totals(report)),
        table(["fault", "times", "back after (median)", "at most", "attempts without a clear answer"], by_kind(report)),
        *(
            []
            if not report.findings
            else ["\n".join(f"- {finding.kind}: {finding.what}" for finding in report.findings)]
        ),
    ]
    return "\n\n".join(parts)
