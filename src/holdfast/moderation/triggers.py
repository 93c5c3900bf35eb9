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


def categories_of(text: str) -> list[str]:
    """Return the categories of crises that a text may tell of; all languages are looked for in every text."""
    words = f" {normalised(text)} "
    return [category for category, pattern in _patterns().items() if pattern.search(words)]


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


@cache
def _listed() -> Mapping[str, Any]:
    listed = tomllib.loads((files("holdfast.moderation") / "triggers.toml").read_text("utf-8"))
    assert set(listed) == {*CATEGORIES, _GUIDANCE}, "the list and the database know the same categories"
    return MappingProxyType(listed)


@cache
def _patterns() -> Mapping[str, re.Pattern[str]]:
    return MappingProxyType(
        {
            category: re.compile(
                "|".join(_pattern(line) for lines in _listed()[category].values() for line in lines.split("\n") if line)
            )
            for category in CATEGORIES
        }
    )


def _pattern(phrase: str) -> str:
    words = [
        re.escape(normalised(word.removesuffix("*"))) + (r"\w*" if word.endswith("*") else "")
        for word in phrase.split()
    ]
    return rf"(?<!\w){' '.join(words)}(?!\w)"
