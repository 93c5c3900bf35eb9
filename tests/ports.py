"""Ports that fakes have had before: applications know their addresses, and one that is closed serves for the same again."""

import socket
from collections import defaultdict

_had: defaultdict[str, list[int]] = defaultdict(list)


def port_for(kind: str) -> int:
    """Return the port that the last of its kind has given back, 0 (any) when there is none that is still free."""
    while _had[kind]:
        port = _had[kind].pop()
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    return 0


def give_back(kind: str, port: int) -> None:
    """Let the next of its kind have a port whose server is closed."""
    _had[kind].append(port)
