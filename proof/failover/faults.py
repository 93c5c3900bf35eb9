"""What happens to the cluster: each fault strikes one node, and is put right afterwards."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

from proof.failover import network
from proof.failover.network import INNER, OUTER
from proof.failover.nodes import Cluster, ClusterError, Node, within

_ANSWER_SECONDS = 30


@dataclass(frozen=True)
class Fault:
    """What is done to the primary, or to the node that follows it synchronously, and how it is undone."""

    name: str
    strike: Callable[[Cluster, Node], None]
    undo: Callable[[Node], None] = lambda _: None
    to_primary: bool = True
    # Whether another node has to be the primary afterwards.
    moves: bool = True

    def target(self, cluster: Cluster) -> Node:
        """Return whom it will strike. Raises ClusterError when there is no such node."""
        found = cluster.primary() if self.to_primary else cluster.follower()
        if found is None:
            raise ClusterError(f"there is no node for: {self.name}")
        return found


def _kill_postgres(_: Cluster, node: Node) -> None:
    postmaster = node.postmaster()
    assert postmaster is not None, "the primary runs PostgreSQL"
    os.kill(postmaster, signal.SIGKILL)


def _switch_power_off(_: Cluster, node: Node) -> None:
    node.kill()


def _cut_off(_: Cluster, node: Node) -> None:
    network.cut(node.number, INNER, OUTER)


def _cut_off_from_peers(_: Cluster, node: Node) -> None:
    network.cut(node.number, INNER)


def _freeze(_: Cluster, node: Node) -> None:
    network.cut(node.number, INNER, OUTER)
    node.freeze()


def _hang(_: Cluster, node: Node) -> None:
    node.freeze()


def _switch_over(cluster: Cluster, node: Node) -> None:
    cluster.switch_over(node)
    within(_ANSWER_SECONDS, lambda: cluster.primary() not in (None, node), "another node is the primary")


def _plug_in(node: Node) -> None:
    network.mend(node.number, INNER, OUTER)


def _thaw(node: Node) -> None:
    node.thaw()
    _plug_in(node)


CUT_OFF_FROM_PEERS = Fault("primary cut off from its peers, not from the servers", _cut_off_from_peers, _plug_in)
FAULTS = (
    Fault("PostgreSQL of the primary killed", _kill_postgres),
    Fault("power of the primary off", _switch_power_off, Node.start),
    Fault("primary cut off from everybody", _cut_off, _plug_in),
    CUT_OFF_FROM_PEERS,
    Fault("primary frozen, and gone on later", _freeze, _thaw),
    Fault("primary hung: it listens and says nothing", _hang, Node.thaw),
    Fault("power of the synchronous standby off", _switch_power_off, Node.start, to_primary=False, moves=False),
    Fault("planned switchover", _switch_over),
)
