"""The measurement of what encryption costs reads what it says it reads."""

import json
import subprocess
import sys

from house.sources import ROOT


def test_it_measures_both_ways() -> None:
    """Every value is read sealed and in plain text, and the ratio is that of the two times (D-5)."""
    command = [sys.executable, "-m", "bench.privacy", "--values", "250", "--rounds", "1", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["values"] == 250
    assert told["ratio"] == told["sealedSeconds"] / told["plainSeconds"]
