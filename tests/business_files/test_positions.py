"""On which line the parts of a file are found."""

import tomllib
from collections.abc import Iterator
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.business_files.positions import Path, Positions

BLANKS = st.sampled_from(["", " ", "\n", "\n\n", " # ]} \" ' = [x]\n", "\t"])
TEXTS = st.sampled_from(
    [
        '"]"',
        '"\\"#"',
        "'\\'",
        '"""\n]"x""\n"""',
        "'''\n'''''",
        '"""\n"""""',
        '""',
        "''",
        '"""\\"""" """',
        "true",
        "2027-01-01 07:30:00",
    ]
)


class Writer:
    """Writes TOML in which each key and number is there once, with all that can hide what is on a line."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.numbers = count(100_000)
        self.lists: list[str] = []

    def key(self) -> str:
        """Return a key that was not there before."""
        parts = [f"k{next(self.numbers)}" for _ in range(self.draw(st.integers(1, 3)))]
        dot = self.draw(st.sampled_from([".", " . "]))
        return dot.join(self.draw(st.sampled_from([part, f'"{part}"', f"'{part}'"])) for part in parts)

    def value(self, depth: int = 3) -> str:
        """Return a value with lists and tables in it."""
        parts = range(self.draw(st.integers(0, 3)))
        match self.draw(st.sampled_from(["number", "text", "list", "table"] if depth else ["number", "text"])):
            case "list":
                items = [f"{self.draw(BLANKS)}{self.value(depth - 1)}{self.draw(BLANKS)}" for _ in parts]
                return f"[{','.join(items)}{',' if items and self.draw(st.booleans()) else ''}{self.draw(BLANKS)}]"
            case "table":
                return "{ " + ", ".join(f"{self.key()} = {self.value(depth - 1)}" for _ in parts) + " }"
            case "number":
                return str(next(self.numbers))
        return self.draw(TEXTS)

    def line(self) -> str:
        """Return a header or a key with its value."""
        match self.draw(st.sampled_from(["pair", "table", "list", "again", "within"])):
            case "table":
                return f"[ {self.key()} ]"
            case "list":
                self.lists.append(self.key())
                return f"[[{self.lists[-1]} ]]"
            case "again" if self.lists:
                return f"[[{self.draw(st.sampled_from(self.lists))}]]"
            case "within" if self.lists:
                return f"[{self.draw(st.sampled_from(self.lists))}.{self.key()}]"
        return f"{self.draw(st.sampled_from(['', '  ']))}{self.key()} = {self.value()}"


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Return the text of a document, with comments between its lines."""
    writer = Writer(draw)
    comments = st.sampled_from(["", "# comment [x]", "   "])
    return "\n".join(f"{writer.line()}\n{draw(comments)}" for _ in range(draw(st.integers(0, 8))))


def marks(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield each key and each number of a document, with what is written where it stands."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield (*path, key), key
            yield from marks(part, (*path, key))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from marks(part, (*path, index))
    elif isinstance(value, int) and not isinstance(value, bool) and isinstance(path[-1], int):
        yield path, str(value)


@given(documents())
@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
def test_every_part_is_found_on_its_line(text: str) -> None:
    """The line that is told for a key or an item is the one on which it stands, however the file is written (K-2)."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    positions, lines = Positions(text), text.split("\n")
    for path, mark in marks(document):
        assert mark in lines[positions.line_of(path) - 1], path
