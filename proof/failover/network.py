"""A network of our own, in which machines can be cut off: namespaces of Linux, gone with the process that made them.

Each machine has two cables: the inner network joins it with its peers, the outer one with the servers and ourselves.
Nothing of it is seen outside, and no privilege is needed where users may make namespaces.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

INNER, OUTER = "inner", "outer"
_SUBNETS = {INNER: "10.91.1", OUTER: "10.91.2"}
_INSIDE = "HOLDFAST_PROOF_NETWORK"
_OURS = 100


class NetworkError(Exception):
    """This system does not let us make a network; says why and what to do."""


def enter() -> None:
    """Go on as the first process of namespaces of our own; whatever we start ends with us.

    Raises NetworkError.
    """
    if os.environ.get(_INSIDE):
        _make()
        return
    for program in ("etcd", "unshare", "ip"):
        if shutil.which(program, path=_path()) is None:
            raise NetworkError(f"there is no {program} here (Debian: etcd-server, util-linux, iproute2)")
    user = ["--user", "--map-root-user"] if os.geteuid() else []
    namespaces = ["unshare", *user, "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]
    probe = subprocess.run([*namespaces, "true"], capture_output=True, text=True, env=_environment(), check=False)
    if probe.returncode:
        raise NetworkError(f"this system does not let us make a network ({probe.stderr.strip()}): run it as root")
    os.execvpe(namespaces[0], [*namespaces, *sys.orig_argv], _environment())  # noqa: S606 - our own words


def address(number: int, network: str = INNER) -> str:
    """Return the address of a machine in a network."""
    return f"{_SUBNETS[network]}.{number}"


def plug_in(number: int, pid: int) -> None:
    """Give the machine in whose network namespace a process is both of its cables."""
    for network in (INNER, OUTER):
        cable = _cable(number, network)
        _ip("link", "add", cable, "type", "veth", "peer", "name", network, "netns", str(pid))
        _ip("link", "set", cable, "master", network, "up")
        _ip("addr", "add", f"{address(number, network)}/24", "dev", network, inside=pid)
        _ip("link", "set", network, "up", inside=pid)
    _ip("link", "set", "lo", "up", inside=pid)


def cut(number: int, *networks: str) -> None:
    """Pull cables of a machine: from now on what is sent is lost, and nobody is told."""
    for network in networks:
        _ip("link", "set", _cable(number, network), "down")


def mend(number: int, *networks: str) -> None:
    """Put cables back."""
    for network in networks:
        _ip("link", "set", _cable(number, network), "up")


def own_namespace(pid: int) -> bool:
    """Tell whether a process has left our network for one of its own."""
    try:
        return Path(f"/proc/{pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()
    except OSError:
        return False


def _make() -> None:
    _ip("link", "set", "lo", "up")
    for network in (INNER, OUTER):
        _ip("link", "add", network, "type", "bridge")
        _ip("addr", "add", f"{address(_OURS, network)}/24", "dev", network)
        _ip("link", "set", network, "up")


def _cable(number: int, network: str) -> str:
    return f"{network}{number}"


def _ip(*words: str, inside: int | None = None) -> None:
    into = [] if inside is None else ["nsenter", f"--net=/proc/{inside}/ns/net"]
    done = subprocess.run([*into, "ip", *words], capture_output=True, text=True, env=_environment(), check=False)
    if done.returncode:
        raise NetworkError(f"ip {' '.join(words)}: {done.stderr.strip()}")


def _environment() -> dict[str, str]:
    return os.environ | {_INSIDE: "1", "PATH": _path()}


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
