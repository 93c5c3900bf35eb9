"""Does a text tell of a crisis: a plain list of words (`triggers.toml`), matched in memory, kept as categories."""

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

# A migration knows the same words.
CATEGORIES = ("suicide", "self_harm", "violence", "abuse", "eating_disorder", "substances")

_GUIDANCE = "guidance"

# What looks alike, or stands for a letter where somebody hides a word, read as each of the two alphabets.
_AS_CYRILLIC = str.maketrans("aceopxykmthbiії01346@", "асеорхукмтнвиииоизчба")
_AS_LATIN = str.maketrans("асеорхукмтнвії013457@$!", "aceopxykmthbiioieastasi")
# Letters that stand alone, three of them at least: a word with blanks or signs between its letters.
_SPELLED = re.compile(r"(?<!\w)\w(?: \w){2,}(?!\w)")


def categories_of(text: str) -> list[str]:
    """Return the categories of crises that a text may tell of; all languages are looked for in every text."""
    readings = _readings(text)
    return [category for category, pattern in _patterns().items() if any(map(pattern.search, readings))]


def guidance(locale: str) -> str:
    """Return what whoever may be in a crisis is told at once, in Russian or else in English."""
    texts: Mapping[str, str] = _listed()[_GUIDANCE]
    return texts.get(locale.partition("-")[0], texts["en"])


def normalised(text: str) -> str:
    """Return the words of a text, one blank between them: small letters, no accents, ё as е, no punctuation."""
    # Accents become characters of their own, and so does the trema of ё; the й keeps what makes it a letter.
    folded = unicodedata.normalize("NFKC", text).casefold().replace("й", "\0")
    parts = unicodedata.normalize("NFKD", folded).replace("\0", "й")
    letters = (c for c in parts if unicodedata.category(c) not in {"Mn", "Cf"})
    return " ".join("".join(c if c.isalnum() else " " for c in letters).split())


def _readings(text: str) -> set[str]:
    """Return the words of a text, and what they may be meant to be where they are written otherwise."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = {normalised(each) for each in (folded, folded.translate(_AS_CYRILLIC), folded.translate(_AS_LATIN))}
    words |= {_SPELLED.sub(lambda letters: letters[0].replace(" ", ""), each) for each in words}
    return {f" {each}" for each in words}


@cache
def _listed() -> Mapping[str, Any]:
    listed = tomllib.loads((files("holdfast.moderation") / "triggers.toml").read_text("utf-8"))
    assert set(listed) == {*CATEGORIES, _GUIDANCE}, "the list and the database know the same categories"
    return MappingProxyType(listed)


@cache
def _patterns() -> Mapping[str, re.Pattern[str]]:
    # One blank before all phrases: where no word begins none of them is tried.
    return MappingProxyType({category: re.compile(rf" (?:{_phrases(category)})(?!\w)") for category in CATEGORIES})


def _phrases(category: str) -> str:
    return "|".join(_pattern(line) for lines in _listed()[category].values() for line in lines.split("\n") if line)


def _pattern(phrase: str) -> str:
    words = [
        re.escape(normalised(word.removesuffix("*"))) + (r"\w*" if word.endswith("*") else "")
        for word in phrase.split()
    ]
    return " ".join(words)
