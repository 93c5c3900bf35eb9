"""What a run has found, as the table that docs/proof.md has of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from proof.check import resolved
from proof.document import table
from proof.failover.faults import FAULTS, Fault
from proof.findings import Finding, Kind
from proof.history import History


@dataclass(frozen=True)
class Struck:
    """For how long nothing was acknowledged because of a fault."""

    fault: Fault
    silence_seconds: float


@dataclass(frozen=True)
class Part:
    """A run with one way of replication: its faults, what clients did, and what was found."""

    struck: Sequence[Struck]
    history: History
    findings: Sequence[Finding]

    @property
    def lost(self) -> int:
        """How many acknowledged effects are not there."""
        return self.of(Kind.LOST)

    def of(self, *kinds: Kind) -> int:
        """Return how many findings are of some kinds."""
        return sum(finding.kind in kinds for finding in self.findings)


def exit_code(kept: Part, broken: Part) -> int:
    """Return 1 when a promise was broken, or when a loss that has to be there was not seen; 0 otherwise."""
    return 1 if kept.findings or not broken.lost else 0


def markdown(seed: int, kept: Part, broken: Part) -> str:
    """Return the section of docs/proof.md."""
    faults = [_row(fault, [each for each in kept.struck if each.fault is fault]) for fault in FAULTS]
    words = (
        f"Seed {seed}. Two servers with a worker each, three nodes, {len(kept.struck)} faults one after the other under"
        " load; servers and workers were not touched. Silence is the longest time in which nobody got a"
        " place."
    )
    of_faults = table(
        ["fault", "times", "another primary", "median silence, s", "longest, s"], [r for r in faults if r]
    )
    of_all = table(["", "a second node is waited for", "asynchronous, one fault"], _totals(kept, broken))
    return f"{words}\n\n{of_faults}\n\n{of_all}"


def _row(fault: Fault, struck: Sequence[Struck]) -> list[str]:
    if not struck:
        return []
    seconds = [each.silence_seconds for each in struck]
    moves = "yes" if fault.moves else "no"
    return [fault.name, str(len(struck)), moves, f"{median(seconds):.1f}", f"{max(seconds):.1f}"]


def _totals(*parts: Part) -> list[list[str]]:
    ways = [resolved(part.history.calls) for part in parts]
    done = [[call for call in part.history.calls if call.outcome == "done"] for part in parts]
    others = [kind for kind in Kind if kind not in (Kind.LOST, Kind.DOUBLED)]
    return [
        ["requests", *(str(len(part.history.calls)) for part in parts)],
        ["acknowledged", *(str(len(calls)) for calls in done)],
        ["acknowledged and lost", *(str(part.lost) for part in parts)],
        ["doubled", *(str(part.of(Kind.DOUBLED)) for part in parts)],
        ["other findings", *(str(part.of(*others)) for part in parts)],
        ["left unknown by the first answer", *(str(sum(way.values())) for way in ways)],
        ["of these: had taken effect", *(str(way["done before"]) for way in ways)],
        ["of these: took effect when repeated", *(str(way["done when repeated"]) for way in ways)],
        ["of these: refused when repeated", *(str(way["refused"]) for way in ways)],
        ["of these: never told", *(str(way["never"]) for way in ways)],
    ]
