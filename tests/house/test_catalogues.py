"""Every text of the interface is there in every language (U-4)."""

import re
from pathlib import Path

import pytest

from holdfast.kernel.languages import translations
from house.catalogues import PACKAGE, Text, catalogues, read

_PLACE = re.compile(r"%\((\w+)\)|%%|%")
_FOUND = catalogues()


@pytest.mark.parametrize("path", sorted(_FOUND), ids=lambda path: str(path.relative_to(PACKAGE).parent))
def test_every_text_is_translated(path: Path) -> None:
    """Each text that a page can show is in the Russian catalogue of its folder, whole, and nothing else is (U-4)."""
    kept: dict[Text, object] = {
        (tuple(m.id) if isinstance(m.id, (list, tuple)) else m.id): m.string for m in read(path) if m.id
    }
    untranslated = [text for text in _FOUND[path] if not _strings(kept.get(text))]
    assert untranslated == [], "run `make catalogues` and translate"
    assert sorted(set(kept) - _FOUND[path], key=str) == [], "these are shown nowhere: run `make catalogues`"
    assert [m.id for m in read(path) if m.id and m.fuzzy] == []


@pytest.mark.parametrize("path", sorted(_FOUND), ids=lambda path: str(path.relative_to(PACKAGE).parent))
def test_a_translation_has_the_same_placeholders(path: Path) -> None:
    """What is filled into a text is filled into its translation as well, in each of its plural forms (U-4)."""
    wrong = []
    for message in read(path):
        if not message.id:
            continue
        originals = message.id if isinstance(message.id, (list, tuple)) else [message.id]
        wanted = {frozenset(_PLACE.findall(original)) for original in originals}
        wrong += [
            (message.id, string)
            for string in _strings(message.string)
            if not any(frozenset(_PLACE.findall(string)) == places for places in wanted)
        ]
    assert wrong == []


def test_plurals_are_those_of_the_language() -> None:
    """Where a text has a number in it, its form is the one of the language: three in Russian, after every rule of it (U-4)."""
    forms = [translations("ru").ngettext("%(num)s day", "%(num)s days", number) for number in (1, 2, 5, 11, 21, 24)]
    assert forms == [f"%(num)s {word}" for word in ("день", "дня", "дней", "дней", "день", "дня")]


def test_a_text_has_one_translation() -> None:
    """What several folders say alike is translated alike: pages know all catalogues as one (U-4)."""
    known: dict[str, set[str]] = {}
    for path in _FOUND:
        for message in read(path):
            if message.id:
                known.setdefault(str(message.id), set()).add(str(message.string))
    assert {text: strings for text, strings in known.items() if len(strings) > 1} == {}


def test_no_catalogue_is_left_over() -> None:
    """Each catalogue belongs to a folder that has texts."""
    assert sorted(set(PACKAGE.rglob("ru.po")) - set(_FOUND)) == []


def _strings(found: object) -> list[str]:
    if isinstance(found, str):
        return [found] if found else []
    strings = list(found) if isinstance(found, (list, tuple)) else []
    return strings if strings and all(strings) else []
