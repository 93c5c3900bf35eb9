"""Three machines with PostgreSQL, Patroni and etcd, set up as docs/high-availability.md says, from the same files."""

import json
import os
import secrets
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from bench.processes import Process

from holdfast.kernel.embedded import find_binaries
from proof.failover import network
from proof.failover.network import OUTER

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "patroni"
_PROGRAMS = Path(__file__).parent / ".venv" / "bin"
NUMBERS = (1, 2, 3)
_POLL_SECONDS = 0.1
_HTTP_SECONDS = 2
_SWITCH_SECONDS = 30
# Of whom PostgreSQL believes that he runs it; it does not run as root.
_MASK = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"]
_MACHINE = ["unshare", "--net", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]
# The first process of a machine waits for its cables. Patroni is made to be the first of a container. A backend whose
# postmaster died while it waited for another node reads what it has on stdin, and would for ever if that were our pipe.
_BOOT = 'read -r plugged; exec </dev/null; etcd >>"$0" 2>&1 & exec "$@"'


class ClusterError(Exception):
    """The cluster does not do what is expected of it in time."""


@dataclass
class Node:
    """A machine."""

    number: int
    data: Path
    environment: Mapping[str, str]
    _machine: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """Its name in the cluster."""
        return f"node{self.number}"

    @property
    def pid(self) -> int:
        """The first process of the machine."""
        assert self._machine is not None, "it is on"
        [first] = [each.pid for each in Process(self._machine.pid).family() if each.parent() == self._machine.pid]
        return first

    @property
    def on(self) -> bool:
        """Whether the machine is on."""
        return self._machine is not None and self._machine.poll() is None

    def start(self) -> None:
        """Switch the machine on."""
        self.data.mkdir(exist_ok=True)
        patroni = [str(_PROGRAMS / "patroni"), str(CONFIGURATION / "patroni.yml")]
        with (self.data / "patroni.log").open("ab") as log:
            self._machine = subprocess.Popen(
                [*_MACHINE, *_MASK, "sh", "-c", _BOOT, str(self.data / "etcd.log"), *patroni],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=self.environment,
                start_new_session=True,
            )
        machine = self._machine
        within(10, lambda: any(network.own_namespace(each.pid) for each in Process(machine.pid).family()[1:]), "starts")
        network.plug_in(self.number, self.pid)
        assert machine.stdin is not None, "it is a pipe"
        machine.stdin.write(b"\n")
        machine.stdin.flush()

    def kill(self) -> None:
        """Cut the power."""
        assert self._machine is not None, "it is on"
        os.kill(self.pid, signal.SIGKILL)
        self._machine.wait()

    def postmaster(self) -> int | None:
        """Return the process of PostgreSQL that the others belong to."""
        servers = {each.pid for each in Process(self.pid).family() if each.program() == "postgres"}
        return next((pid for pid in servers if Process(pid).parent() not in servers), None)

    def freeze(self) -> None:
        """Stop every process of the machine where it stands."""
        for each in Process(self.pid).family():
            os.kill(each.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        for each in Process(self.pid).family():
            os.kill(each.pid, signal.SIGCONT)


class Cluster:
    """The three of them."""

    def __init__(self, folder: Path) -> None:
        """Prepare machines whose disks are in a folder; none is on."""
        self._passwords = {f"{who}_PASSWORD": secrets.token_hex(16) for who in ("SUPERUSER", "REPLICATION", "REWIND")}
        self._synchronous = True
        self.nodes = [Node(number, folder / f"node{number}", self._environment(number, folder)) for number in NUMBERS]

    def dsn(self, role: str, password: str, database: str = "holdfast") -> str:
        """Return how servers connect, whichever node is the primary."""
        hosts = ",".join(f"{network.address(number, OUTER)}:5432" for number in NUMBERS)
        return f"postgresql://{role}:{password}@{hosts}/{database}"

    def superuser_dsn(self, database: str = "postgres") -> str:
        """Return how an administrator connects to the primary."""
        return (
            self.dsn("postgres", self._passwords["SUPERUSER_PASSWORD"], database) + "?target_session_attrs=read-write"
        )

    def start(self) -> None:
        """Switch all on, and wait until they are one cluster."""
        for node in self.nodes:
            node.start()
        within(120, self.is_whole, "the cluster is made")

    def stop(self) -> None:
        """Cut the power of all."""
        for node in self.nodes:
            if node.on:
                node.kill()

    def primaries(self) -> list[Node]:
        """Return the nodes that say they are the primary: two where one of them cannot know better yet."""
        return [node for node in self.nodes if _says(node.number, "primary")]

    def primary(self) -> Node | None:
        """Return the first that says it is the primary; None while there is none."""
        return next(iter(self.primaries()), None)

    def follower(self) -> Node | None:
        """Return the node that has what the primary acknowledges; None while there is none."""
        return next((node for node in self.nodes if _says(node.number, "sync")), None)

    def is_whole(self) -> bool:
        """Tell whether there is one primary, and both others follow it, one of them as the one that is waited for."""
        return self._followed() == (["async", "sync"] if self._synchronous else ["async", "async"])

    def _followed(self) -> list[str]:
        """Return how the others follow, as the primary itself sees it: what members say of themselves may be old."""
        primaries = self.primaries()
        if len(primaries) != 1:
            return []
        with suppress(OSError, ValueError):
            told = json.loads(_told(primaries[0].number, "patroni"))
            return sorted(each["sync_state"] for each in told.get("replication", ()) if each["state"] == "streaming")
        return []

    def wait_for_nobody(self) -> None:
        """Let commits wait for no other node, like `patronictl edit-config`."""
        primary = self.primary()
        assert primary is not None, "a cluster that is changed has a primary"
        off = {"synchronous_mode": False, "synchronous_mode_strict": False}
        _told(primary.number, "config", "PATCH", off)
        self._synchronous = False

    def switch_over(self, primary: Node) -> None:
        """Make another node the primary, like `patronictl switchover`."""
        _told(primary.number, "switchover", "POST", {"leader": primary.name}, _SWITCH_SECONDS)

    def _environment(self, number: int, folder: Path) -> dict[str, str]:
        words = self._passwords | {
            "NAME": f"node{number}",
            "ADDRESS": network.address(number),
            "DATA": str(folder / f"node{number}"),
            "PG_BIN": str(find_binaries()),
            "ETCD_HOSTS": ",".join(f"{network.address(each)}:2379" for each in NUMBERS),
            "ETCD_MEMBERS": ",".join(f"node{each}=http://{network.address(each)}:2380" for each in NUMBERS),
        }
        told = dict(os.environ)
        for file in ("node.env", "etcd.env"):
            filled = Template((CONFIGURATION / file).read_text(encoding="utf-8")).substitute(words)
            told |= dict(line.split("=", 1) for line in filled.splitlines() if line and not line.startswith("#"))
        return told


def _says(number: int, role: str) -> bool:
    """Tell whether a node says that it has a role."""
    with suppress(OSError):
        _told(number, role)
        return True
    return False


def _told(
    number: int,
    path: str,
    method: str = "GET",
    body: Mapping[str, Any] | None = None,
    seconds: float = _HTTP_SECONDS,
) -> bytes:
    """Return what the Patroni of a node says; raises OSError when it does not answer, or not with 200."""
    request = urllib.request.Request(
        f"http://{network.address(number, OUTER)}:8008/{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
    )
    with urllib.request.urlopen(request, timeout=seconds) as answer:  # noqa: S310
        told: bytes = answer.read()
        return told


def within(seconds: float, condition: Callable[[], object], what: str) -> float:
    """Poll until the condition holds; return after how many seconds. Raises ClusterError when it does not in time."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise ClusterError(f"not within {seconds:g} s: {what}")
        time.sleep(_POLL_SECONDS)
    return time.monotonic() - began
