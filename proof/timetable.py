"""What is to go wrong, and when: drawn by a seed, the same each time."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_PAUSE_SECONDS = (0.5, 1.5)


@dataclass(frozen=True)
class Planned:
    """A fault: after how long a calm it comes, for how long it lasts, and which server it is about."""

    number: int
    kind: str
    pause_seconds: float
    seconds: float
    server: int

    def __str__(self) -> str:
        """Say it in a line."""
        return f"{self.number:3} {self.kind} for {self.seconds:.1f} s at server {self.server}"


def drawn(seed: int, kinds: Mapping[str, tuple[float, float]], servers: int) -> Iterator[Planned]:
    """Yield faults for ever, in rounds: each kind comes once in a round, for a time between its bounds."""
    chance = random.Random(f"{seed} faults")  # noqa: S311 - chance, no secret
    number = 0
    while True:
        for kind in chance.sample(sorted(kinds), len(kinds)):
            pause, seconds = chance.uniform(*_PAUSE_SECONDS), chance.uniform(*kinds[kind])
            yield Planned(number, kind, round(pause, 2), round(seconds, 2), chance.randrange(servers))
            number += 1
