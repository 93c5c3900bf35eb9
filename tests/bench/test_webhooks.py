"""The measurement of what providers tell looks up each acknowledgement, and compares rates of one run."""

import json
import subprocess
import sys

from house.sources import ROOT


def test_it_measures_bursts_alone_and_beside_clients() -> None:
    """Every event that was acknowledged is in the inbox, and the ratio is that of reservations with and without (P-2)."""
    words = ["--size", "40", "--times", "1", "--rounds", "1", "--seconds", "0.5", "--json"]
    command = [sys.executable, "-m", "bench.webhooks", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["problems"] == []
    assert told["acceptedPerSecond"] > 0
    assert told["ratios"] == [told["reservedBeside"] / told["reservedWithout"]]
