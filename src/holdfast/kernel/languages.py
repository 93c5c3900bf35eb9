"""The languages of the interface: catalogues of its texts, and which one somebody reads (U-4).

What is written in the code is English; `ru.po` in each folder that has texts says the same in Russian. They are read as
they are when the first text is asked for: there is nothing to be compiled before the product can run.
"""

import io
from functools import cache
from importlib.resources import files
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

LANGUAGES = ("en", "ru")
# What each calls itself.
NAMES = {"en": "English", "ru": "Русский"}
# English with a clock of 24 hours, which nobody misreads.
LOCALES = {"en": "en_GB", "ru": "ru"}


def N_(text: str) -> str:  # noqa: N802 - the name by which catalogues know it
    """Mark a text that is translated where it is shown."""
    return text


@cache
def translations(language: str) -> NullTranslations:
    """Return the texts of a language: of all folders together."""
    if language == "en":
        return NullTranslations()
    found: Translations | None = None
    for path in sorted(Path(str(files("holdfast"))).rglob(f"{language}.po")):
        with path.open("rb") as text:
            catalogue = read_po(text, locale=language)
        compiled = io.BytesIO()
        write_mo(compiled, catalogue)
        compiled.seek(0)
        texts = Translations(compiled)
        # The first brings the rule of its language for plurals, which an empty catalogue has not.
        found = texts if found is None else found.add(texts)
    assert found is not None, "each language has catalogues"
    return found


def chosen(*wishes: str | None, accepted: str | None = None, fallback: str = "en") -> str:
    """Return the language somebody reads: the first wish that is one of ours, else what a browser says, else this."""
    order = [part.split(";")[0].strip()[:2] for part in (accepted or "").lower().split(",")]
    return next((x for x in (*wishes, *order, fallback[:2]) if x in LANGUAGES), "en")
