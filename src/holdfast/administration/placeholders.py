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


def without_empty_lines(text: str, values: Mapping[str, str]) -> str:
    """Return a text, in which `slips` has found nothing, without the lines whose placeholders all have nothing to say.

    Where such a line was a paragraph by itself, its paragraph is gone.
    """
    kept: list[str] = []
    for line in text.split("\n"):
        names = [name[1] for match in _BRACES.finditer(line) if match[1] and (name := _NAME.fullmatch(match[1]))]
        # Part of a placeholder that goes over several lines is none by itself.
        if names and line.count("{{") == line.count("}}") == len(names) and not any(values[name] for name in names):
            if kept and not kept[-1].strip():
                kept.pop()
        else:
            kept.append(line)
    return "\n".join(kept)


def escaped(value: str) -> str:
    """Return a value as a text of HTML shows it, in as many lines."""
    return html.escape(value).replace("\r\n", "\n").replace("\n", "<br>\n")


def on_one_line(value: str) -> str:
    """Return a value without line breaks and control characters: a subject is the header of a message."""
    return " ".join("".join(c if c.isprintable() else " " for c in value).split())
