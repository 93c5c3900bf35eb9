"""What is planted into every text that somebody may write."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Planted:
    """What was planted: each text by its number."""

    texts: dict[int, str] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def say(self, text: str) -> str:
        """Return a text with an element in it that runs a script, in case somebody takes it for HTML."""
        number = next(self._numbers)
        self.texts[number] = text
        return f"{text}'\"><img data-planted={number} src=x onerror=planted()>"
