"""`python -m proof.mutations`: the whole gate.

Exit codes: 0 every weakening turned its tests red; 1 one survived; 2 the tests are not green as they are, or a
weakening no longer applies.
"""

import argparse
import os
import sys
import time
from pathlib import Path

from proof import document
from proof.mutations.catalogue import WEAKENINGS
from proof.mutations.gate import Gate, Outcome, Verdict
from proof.mutations.weakening import DoesNotApplyError, Weakening

_TREE = Path(__file__).parents[2]


def main() -> int:
    """Run the gate, print its table, and return the exit code."""
    options = _options()
    chosen = [w for w in WEAKENINGS if not options.only or any(word in w.name for word in options.only)]
    if options.list:
        print("\n".join(f"{w.name}: {w.lets_in}" for w in chosen))
        return 0
    started = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - started:6.1f}] {line}", file=sys.stderr, flush=True)

    try:
        for weakening in chosen:
            weakening.check(_TREE)
    except DoesNotApplyError as problem:
        say(str(problem))
        return 2
    with Gate(_TREE, options.jobs) as gate:
        say(f"the tests of {len(chosen)} weakenings, without any")
        if red := gate.unharmed(chosen):
            for words in red:
                say(words)
            return 2
        say("all green; now each weakening by itself")
        outcomes = gate.judged(chosen, lambda o: say(f"{o.verdict}: {o.weakening.name} ({o.seconds:.0f} s): {o.words}"))
    return _conclude(outcomes, time.monotonic() - started, write=options.write)


def _conclude(outcomes: list[Outcome], seconds: float, *, write: bool) -> int:
    verdicts = [outcome.verdict for outcome in outcomes]
    counts = f"{verdicts.count(Verdict.RED)} of {len(outcomes)} weakenings turned their tests red"
    markdown = f"{counts}, in {seconds / 60:.0f} minutes.\n\n{_table(outcomes)}"
    print(markdown)
    if write:
        document.write("mutations", markdown)
    if Verdict.BROKEN in verdicts:
        return 2
    return 1 if Verdict.SURVIVED in verdicts else 0


def _table(outcomes: list[Outcome]) -> str:
    rows = [[o.weakening.name, o.weakening.lets_in, o.verdict.value, _named(o.weakening)] for o in outcomes]
    return document.table(["Weakening", "What it lets in", "Ends", "By"], rows)


def _named(weakening: Weakening) -> str:
    return ", ".join(f"`{test.removeprefix('tests/')}`" for test in weakening.tests)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m proof.mutations", description="Take one guard away at a time and see a named test fail."
    )
    parser.add_argument("--only", nargs="+", metavar="WORD", help="those whose name has one of these words")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at once (default: one a core)")
    parser.add_argument("--list", action="store_true", help="print the weakenings and run nothing")
    parser.add_argument("--write", action="store_true", help="write the table into docs/proof.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
