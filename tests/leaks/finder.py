"""Finds private values in large texts: one pass, whatever the number of values."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

# Below this a value would be found by chance: "hf", 4242, "Author", which is a word of the language as well.
LEAST_CHARACTERS = 6
LEAST_DIGITS = 7
LEAST_LETTERS_OF_A_WORD = 12

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
# A line of JSON that names one of our ids, which logs may name as well.
_ID = re.compile(r'"(\w+_)?id": "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",?')
# A line of JSON with one member: what it says is the value, not the name.
_MEMBER = re.compile(r'"\w+": (.*?),?')
_WORD = re.compile(r"\w+")
# How JSON, COPY and Python's repr write what is no plain letter; `\\` first, because it escapes the others.
_ESCAPED = re.compile(r"\\(?:u([0-9a-fA-F]{4})|([nrtbf\"'/\\]))")
# Letters that were stored as bytes.
_HEX = re.compile(r"\\x((?:[0-9a-f]{2}){6,})")


@dataclass(frozen=True)
class Leak:
    """A private value where it must not be."""

    value: str
    origin: str
    place: str

    def __str__(self) -> str:
        return f"{self.value!r} ({self.origin}) stands in {self.place}"


def is_telling(value: str) -> bool:
    """Tell whether a value that is found is no chance.

    It has 6 characters; if none is a letter, 7 digits that are no date; and if it is a single word of letters, 12. Of a
    line of a larger JSON that is judged by the value; one that only names an id of ours tells nothing.
    """
    member = _MEMBER.fullmatch(value.strip())
    if member is not None:
        return _ID.fullmatch(value.strip()) is None and is_telling(member[1].strip('"'))
    letters, digits = sum(map(str.isalpha, value)), sum(map(str.isdigit, value))
    bare = value.strip()
    if bare.isalpha():
        return letters >= LEAST_LETTERS_OF_A_WORD
    if letters == 0 and (digits < LEAST_DIGITS or _DATE.fullmatch(bare)):
        return False
    return len(bare) >= LEAST_CHARACTERS


class Finder:
    """Knows private values, each with its origin; a value of several lines is known line by line."""

    def __init__(self, values: Iterable[tuple[str, str]]) -> None:
        # By their longest word, folded: a line that lacks it cannot have the value.
        self._by_word: dict[str, list[tuple[str, str, str]]] = {}
        for value, origin in values:
            for line in filter(is_telling, value.splitlines()):
                folded = _folded(line)
                words = _WORD.findall(folded)
                if words:
                    self._by_word.setdefault(max(words, key=len), []).append((folded, line.strip(), origin))
        self._words = self._by_word.keys()

    def leaks(self, lines: Iterable[tuple[str, str]]) -> Iterator[Leak]:
        """Yield what is found in lines, each given as its place and its text, however the text is escaped."""
        for place, line in lines:
            for form in _forms(line):
                text = _folded(form)
                for word in self._words & set(_WORD.findall(text)):
                    for folded, value, origin in self._by_word[word]:
                        if _stands_in(folded, text):
                            yield Leak(value, origin, place)


def _forms(line: str) -> Iterator[str]:
    plain = line
    if "\\" in line:
        plain = _ESCAPED.sub(_meant, line)
        # Twice, for JSON within JSON and for the backslashes of COPY.
        plain = _ESCAPED.sub(_meant, plain)
    yield plain
    if "%" in line:
        yield unquote(plain)
    for match in _HEX.finditer(line):
        stored = bytes.fromhex(match[1])
        # Ciphertext is no text, and would only cost time.
        if not stored.startswith(b"hfe1"):
            yield stored.decode(errors="replace")


def _meant(match: re.Match[str]) -> str:
    if match[1]:
        return chr(int(match[1], 16))
    return match[2] if match[2] in "\\\"'/" else " "


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _stands_in(value: str, text: str) -> bool:
    """Tell whether a value stands in a text, and not within other words."""
    at = text.find(value)
    while at >= 0:
        before, after = text[at - 1 : at], text[at + len(value) :][:1]
        glued = (before.isalnum() and value[0].isalnum()) or (after.isalnum() and value[-1].isalnum())
        if not glued:
            return True
        at = text.find(value, at + 1)
    return False
