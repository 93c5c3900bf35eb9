"""Servers at ports that others of their kind have had: applications know addresses, and one that is closed serves again."""

from collections import defaultdict
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_had: defaultdict[str, list[int]] = defaultdict(list)


def at_its_port(kind: str, opened: Callable[[int], T]) -> T:
    """Open a server at the port that the last of its kind has given back, at any other when nobody left it free."""
    while _had[kind]:
        try:
            return opened(_had[kind].pop())
        except OSError:
            continue
    return opened(0)


def give_back(kind: str, port: int) -> None:
    """Let the next of its kind have a port whose server is closed."""
    _had[kind].append(port)
