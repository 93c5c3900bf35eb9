"""Texts with placeholders: `{{ name }}`, and nothing else that could run, loop or read (ADR 27).

Two braces that are no placeholder are an error, so that a slip is seen when a text is written and not when it is sent.
"""

import html
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

_BRACES = re.compile(r"\{\{(.*?)\}\}|\{\{|\}\}", re.DOTALL)
_NAME = re.compile(r"\s*([a-z][a-z0-9_]*)\s*")


@dataclass(frozen=True, slots=True)
class Slip:
    """What is wrong with a text, and where: line and column count from 1."""

    line: int
    column: int
    problem: str

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.problem}"


def slips(text: str, known: Collection[str]) -> list[Slip]:
    """Return everything that is wrong with a text, in order; what was written between braces is not repeated."""
    found = []
    for match in _BRACES.finditer(text):
        name = _NAME.fullmatch(match[1]) if match[1] is not None else None
        if name is None:
            problem = "two braces begin and end a placeholder, like {{ name }}"
        elif name[1] not in known:
            problem = f"there is no such placeholder; there are {', '.join(sorted(known))}"
        else:
            continue
        line = text.count("\n", 0, match.start()) + 1
        found.append(Slip(line, match.start() - text.rfind("\n", 0, match.start()), problem))
    return found


def filled(text: str, values: Mapping[str, str], *, escape: Callable[[str], str] = str) -> str:
    """Return a text, in which `slips` has found nothing, with its placeholders filled; values are never looked into."""

    def value(match: re.Match[str]) -> str:
        return escape(values[match[1].strip()])

    return _BRACES.sub(value, text)


def escaped(value: str) -> str:
    """Return a value as a text of HTML shows it."""
    return html.escape(value)


def on_one_line(value: str) -> str:
    """Return a value without line breaks and control characters: a subject is the header of a message."""
    return " ".join("".join(c if c.isprintable() else " " for c in value).split())
