"""`make failover`: what was acknowledged survives the primary, and the harness sees it when it does not.

Exit codes: 0 every promise was kept, and the loss that asynchronous replication allows was seen; 1 a promise was
broken, or that loss was not seen; 2 the run could not be made.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

from holdfast.kernel.embedded import EmbeddedPostgresError
from proof import document
from proof.failover import network, report, run, servers
from proof.failover.nodes import Cluster, ClusterError
from proof.failover.report import Part
from proof.stage import furnish


def main() -> None:
    """Run it."""
    words = argparse.ArgumentParser(prog="make failover", description=__doc__)
    words.add_argument("--seed", type=int, default=int(time.time()) % 100_000, help="of load and order of faults")
    words.add_argument("--rounds", type=int, default=2, help="how often each fault strikes")
    words.add_argument("--keep", type=Path, help="a new folder for disks, logs and histories; by default none is left")
    words.add_argument("--write", action="store_true", help="write the table into docs/proof.md")
    asked = words.parse_args()
    try:
        network.enter()
        kept, broken = _run(asked.seed, asked.rounds, asked.keep)
    except (network.NetworkError, ClusterError, EmbeddedPostgresError, TimeoutError, OSError) as reason:
        print(f"The run could not be made: {reason}", file=sys.stderr)
        sys.exit(2)
    text = report.markdown(asked.seed, kept, broken)
    print(text)
    if asked.write:
        document.write("failover", text)
    for finding in kept.findings[:20]:
        print(f"{finding.kind}: {finding.what}", file=sys.stderr)
    sys.exit(report.exit_code(kept, broken))


def _run(seed: int, rounds: int, keep: Path | None) -> tuple[Part, Part]:
    """Run with the second node that commits wait for, then once without; return what was found of each."""
    folder = keep.absolute() if keep else Path(tempfile.mkdtemp(prefix="holdfast-failover-"))
    folder.mkdir(exist_ok=True)
    cluster = Cluster(folder)
    print(f"seed {seed}, {rounds} rounds, disks and logs in {folder}", file=sys.stderr)
    try:
        cluster.start()
        dsn = servers.make_database(cluster)
        settings = servers.environment(dsn)
        servers.migrate(settings)
        staff_key = furnish(dsn, **settings)
        where = run.Where(cluster, folder, dsn, staff_key, cluster.superuser_dsn("holdfast"))
        kept = asyncio.run(run.strict(where, seed, rounds))
        broken = asyncio.run(run.asynchronous(where, seed))
        return kept, broken
    finally:
        cluster.stop()
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
