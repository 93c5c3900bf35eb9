"""`python -m bench`: the whole measurement.

Exit codes: 0 every acknowledgement is in the database, whatever the speed; 1 a place was lost or sold twice, or the
database is not sound; 2 it could not be measured.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from pathlib import Path

from bench import pgbench
from bench.data import add_past, furnish, settle
from bench.judgements import judge, judge_memory, judge_past
from bench.report import Result, as_json, as_markdown, print_table
from bench.rows import run_memory, run_pass
from bench.server import running
from bench.session import Session
from proof import document


def main() -> int:
    """Measure, print, and return the exit code."""
    options = _options()
    started = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - started:6.1f}] {line}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder, running(Path(folder) / "data") as server:
        say(f"serving on {server.url}")
        stage = furnish(server.dsn)
        baseline = pgbench.prepare(server.dsn)
        session = Session(server, stage, baseline, options.seconds, options.connections, say)
        result = _measure(session, options)
        session.finish()
    print_table(result)
    if options.write:
        document.write("bench", as_markdown(result))
    if options.json is not None:
        options.json.write_text(json.dumps(as_json(result), indent=2) + "\n", encoding="utf-8")
    return 1 if session.problems else 0


def _measure(session: Session, options: argparse.Namespace) -> Result:
    attempts = (options.requests // 5, options.requests)
    memory = run_memory(session, attempts)
    settle(session.stage.dsn)
    small = run_pass(session, 0, options.rounds, options.looks)
    passes = [(small, judge(small))]
    if options.rows:
        add_past(session.stage, options.rows, session.say)
        large = run_pass(session, options.rows, options.rounds, options.looks)
        passes.append((large, [*judge(large), *judge_past(small, large)]))
    return Result(session, memory, options.requests, passes, judge_memory(memory))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Holdfast against plain PostgreSQL.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file as well")
    parser.add_argument("--write", action="store_true", help="write the table into docs/proof.md as well")
    parser.add_argument("--seconds", type=float, help="how long each row and baseline runs in a round (3)")
    parser.add_argument("--rounds", type=int, help="how often; the median counts (3)")
    parser.add_argument("--rows", type=int, help="past bookings of the second pass; 0 leaves it out (1,000,000)")
    parser.add_argument("--connections", type=int, default=64, help="of the load generator (64)")
    parser.add_argument("--quick", action="store_true", help="one short round without a past: does it work at all?")
    options = parser.parse_args()
    quick = options.quick
    options.seconds = options.seconds or (1.0 if quick else 3.0)
    options.rounds = options.rounds or (1 if quick else 3)
    options.rows = (0 if quick else 1_000_000) if options.rows is None else options.rows
    options.requests = 5_000 if quick else 100_000
    options.looks = 20 if quick else 200
    return options


if __name__ == "__main__":
    # Else a SIGTERM would leave the server running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    try:
        code = main()
    except (RuntimeError, OSError, pgbench.PgbenchError) as failure:
        print(f"bench: {failure}", file=sys.stderr)
        code = 2
    sys.exit(code)
