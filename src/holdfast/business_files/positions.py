"""On which line each part of a TOML document stands: tomllib says what a document holds, but not where."""

import re
import tomllib
from bisect import bisect_left

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}#\n]*")
# Up to two quotes may stand right before the three that close a multi-line string.
_STRING = re.compile(
    r"""
    \"{3} (?: \\. | [^\\] )*? \"{3,5} (?!\")
    | '{3} .*? '{3,5} (?!')
    | " (?: \\. | [^"\\] )* "
    | ' [^']* '
    """,
    re.DOTALL | re.VERBOSE,
)


class Positions:
    """The lines of a document that tomllib has accepted, its line ends being single newlines."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._newlines = [match.start() for match in re.finditer("\n", text)]
        self._lines: dict[Path, int] = {(): 1}
        self._tables_so_far: dict[Path, int] = {}
        table: Path = ()
        while self._skip(_BLANK) < len(text):
            if text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def line_of(self, path: Path) -> int:
        """Return the line of the key, array item or table header at this path, or of the nearest one around it."""
        while path not in self._lines:
            path = path[:-1]
        return self._lines[path]

    def _mark(self, path: Path) -> None:
        self._lines.setdefault(path, bisect_left(self._newlines, self._at) + 1)

    def _skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise AssertionError(f"tomllib accepted what is not TOML at character {self._at}")
        self._at = match.end()
        return self._at

    def _header(self) -> Path:
        start = self._at
        many = self._text.startswith("[[", start)
        self._at += 2 if many else 1
        *parents, name = self._key()
        self._skip(_SPACE)
        after, self._at = self._at + (2 if many else 1), start
        path: Path = ()
        for parent in parents:
            path = (*path, parent)
            self._mark(path)
            if path in self._tables_so_far:
                path = (*path, self._tables_so_far[path] - 1)
        path = (*path, name)
        self._mark(path)
        if many:
            count = self._tables_so_far.get(path, 0)
            self._tables_so_far[path] = count + 1
            path = (*path, count)
            self._mark(path)
        self._at = after
        return path

    def _pair(self, table: Path) -> None:
        start = self._at
        key = self._key()
        after, self._at = self._at, start
        for length in range(1, len(key) + 1):
            self._mark((*table, *key[:length]))
        self._at = after + 1  # the equals sign
        self._skip(_SPACE)
        self._value((*table, *key))

    def _key(self) -> list[str]:
        parts: list[str] = []
        while True:
            start = self._skip(_SPACE)
            quoted = self._text[start] in "\"'"
            part = self._text[start : self._skip(_STRING if quoted else _BARE_KEY)]
            parts.append(tomllib.loads(f"key = {part}")["key"] if quoted else part)
            if self._text[self._skip(_SPACE)] != ".":
                return parts
            self._at += 1

    def _value(self, path: Path) -> None:
        self._mark(path)
        first = self._text[self._at]
        if first in "\"'":
            self._skip(_STRING)
        elif first in "[{":
            self._at += 1
            count = 0
            while self._text[self._skip(_BLANK)] not in "]}":
                if first == "[":
                    self._value((*path, count))
                else:
                    self._pair(path)
                count += 1
                if self._text[self._skip(_BLANK)] == ",":
                    self._at += 1
            self._at += 1
        else:
            self._skip(_BARE_VALUE)
