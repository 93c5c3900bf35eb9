"""What is wrong with a file of a user: a line and a reason for each thing to mend."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something to mend in a file, on a line (numbered from 1)."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


def told(problems: Iterable[Problem]) -> tuple[str, dict[str, Any]]:
    """Return the message and the details of an error that tells of these problems, a line of the message for each."""
    listed = list(problems)
    return "\n".join(map(str, listed)), {"problems": [{"line": each.line, "message": each.reason} for each in listed]}
