"""The run: servers under load on the cluster, one fault after the other, and what clients saw of each."""

import asyncio
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from proof.check import examine
from proof.failover import servers
from proof.failover.faults import CUT_OFF_FROM_PEERS, FAULTS, Fault
from proof.failover.nodes import Cluster, Node, within
from proof.failover.report import Part, Struck
from proof.history import History
from proof.load import Load, load
from proof.stage import look

_CLIENTS = 8
_RESERVING = ("reserve", "book")
_SERVICE_SECONDS = 180
_WHOLE_SECONDS = 180
# How many reservations are made before a fault, after it and after it is undone.
_CALM_RESERVED = 60


@dataclass(frozen=True)
class Where:
    """What a run is made on: the cluster, a folder for logs and histories, and how it is reached by whom."""

    cluster: Cluster
    folder: Path
    dsn: str
    staff_key: str
    superuser_dsn: str


async def strict(where: Where, seed: int, rounds: int) -> Part:
    """Let every fault strike, `rounds` times, in an order that follows from the seed; return what was found.

    Raises ClusterError or TimeoutError when service does not come back by itself, or the cluster not after all is put
    right.
    """
    chance = random.Random(seed)  # noqa: S311 - chance, no secret
    timetable = [fault for _ in range(rounds) for fault in chance.sample(FAULTS, len(FAULTS))]
    return await _run(where, seed, timetable, "strict")


async def asynchronous(where: Where, seed: int) -> Part:
    """Wait for no second node, and let that fault strike of which acknowledged bookings are lost then."""
    where.cluster.wait_for_nobody()
    within(_WHOLE_SECONDS, where.cluster.is_whole, "no node is waited for")
    return await _run(where, seed, [CUT_OFF_FROM_PEERS], "asynchronous")


async def _run(where: Where, seed: int, timetable: Sequence[Fault], name: str) -> Part:
    struck = []
    with servers.running(where.folder, servers.environment(where.dsn)) as urls:
        stage = look(urls[0])
        with History(where.folder / f"{name}.history", seed, stage) as history:
            async with load(urls, history, clients=_CLIENTS, staff_key=where.staff_key) as running:
                for number, fault in enumerate(timetable, 1):
                    await _calm(running)
                    struck.append(await _strike(where.cluster, running, fault))
                    seen = f"silent for {struck[-1].silence_seconds:.1f} s"
                    _say(f"{name} {number}/{len(timetable)} {fault.name}: {seen}")
                await _calm(running)
            await running.settle()
            findings = await asyncio.to_thread(examine, history, where.superuser_dsn, None, servers.MASTER_KEY)
            _say(f"{name}: {len(findings)} findings")
            return Part(struck, history, findings)


async def _strike(cluster: Cluster, running: Load, fault: Fault) -> Struck:
    target = await asyncio.to_thread(fault.target, cluster)
    _say(f"    {target.name}: {fault.name}")
    began = time.monotonic()
    await asyncio.to_thread(fault.strike, cluster, target)
    if fault.moves:
        await asyncio.to_thread(
            within, _SERVICE_SECONDS, lambda: _other(cluster, target), "another node is the primary"
        )
    await _calm(running)
    await asyncio.to_thread(fault.undo, target)
    await asyncio.to_thread(within, _WHOLE_SECONDS, cluster.is_whole, f"the cluster is whole after: {fault.name}")
    return Struck(fault, silence(running.around.history, began))


def _other(cluster: Cluster, than: Node) -> bool:
    """Tell whether another node is the primary; the one that was cut off may still take itself for it."""
    return any(node is not than for node in cluster.primaries())


async def _calm(running: Load) -> None:
    began, history = time.monotonic(), running.around.history
    await running.until(lambda: len(_reserved(history, began)) >= _CALM_RESERVED, _SERVICE_SECONDS)


def silence(history: History, since: float) -> float:
    """Return the longest time since a moment in which nobody got a place, in seconds."""
    return max((later - earlier for earlier, later in pairwise([since, *_reserved(history, since)])), default=0.0)


def _reserved(history: History, since: float) -> list[float]:
    """Return when places were given to somebody since a moment."""
    done = (call for call in history.since(since) if call.operation in _RESERVING and call.outcome == "done")
    return sorted(call.ended for call in done)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
