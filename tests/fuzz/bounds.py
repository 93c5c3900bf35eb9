"""How much is tried: little and always the same in the tests, as much as is asked for by `make fuzz`."""

import os
import zlib
from collections.abc import Callable
from typing import Any, TypeVar

import hypothesis
from hypothesis import HealthCheck, Phase

T = TypeVar("T", bound=Callable[..., Any])

# So many times as much as in the tests, and where what is tried begins.
TIMES = int(os.environ.get("FUZZ_TIMES", "1"))
SEED = int(os.environ.get("FUZZ_SEED", "0"))
# Of a chain of calls.
_LONGEST_CHAIN = 8


def number_of(name: str) -> int:
    """Return the number from which chance begins for what goes by this name: the same one for the same seed."""
    return zlib.crc32(f"{SEED} {name}".encode())


def settings(examples: int) -> hypothesis.settings:
    """Return how a property is tried: on so many examples.

    What is made up goes to a server that remembers, so nothing is replayed or made smaller.
    """
    return hypothesis.settings(
        max_examples=examples * TIMES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        stateful_step_count=_LONGEST_CHAIN,
        suppress_health_check=list(HealthCheck),
    )


def tried(examples: int, of: str) -> Callable[[T], T]:
    """Return what tries a property on so many examples, which go by a name."""
    return lambda test: settings(examples)(hypothesis.seed(number_of(of))(test))
