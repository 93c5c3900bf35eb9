"""Keeps the catalogues of translations: which texts each has to have; `make catalogues` writes them anew.

A folder that has texts has its own `ru.po`; the pages of staff have one for each area, in `admin/catalogues/AREA/`.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

import holdfast.cli
import holdfast.web  # noqa: F401 - what is imported has declared its errors  # noqa: F401 - what is imported has declared its errors
from holdfast.kernel.errors import known_errors

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "holdfast"
_KEYWORDS = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)}
_OPTIONS = {"silent": "false"}
_HEADER = "# Texts of the interface in Russian. `make catalogues` adds what is new and drops what is gone.\n#"

# Message, or singular and plural.
Text = str | tuple[str, str]


def catalogues() -> dict[Path, set[Text]]:
    """Return each catalogue that there has to be, with the texts that it has to have."""
    found: dict[Path, set[Text]] = {}
    for path in _sources():
        texts = set(_texts(path))
        if texts:
            found.setdefault(_home(path), set()).update(texts)
    found.setdefault(PACKAGE / "kernel" / "ru.po", set()).update(_error_texts())
    return found


def read(path: Path) -> Catalog:
    """Return a catalogue as it is; an empty one where there is none."""
    if not path.exists():
        return Catalog(locale="ru")
    with path.open("rb") as text:
        return read_po(text, locale="ru")


def write_all() -> list[str]:
    """Write all catalogues anew; return what is still to be translated."""
    # A text that has moved takes its translation along.
    known = {
        _key(message.id): message.string for path in PACKAGE.rglob("ru.po") for message in read(path) if message.id
    }
    wanted = catalogues()
    missing = []
    for path in sorted(PACKAGE.rglob("ru.po")):
        if path not in wanted:
            path.unlink()
    for path, texts in wanted.items():
        made = Catalog(locale="ru", header_comment=_HEADER, fuzzy=False)
        for text in sorted(texts, key=str):
            string = known.get(text)
            made.add(text, string=string)
            if not string or (isinstance(string, tuple) and not all(string)):
                missing.append(f"{path.relative_to(PACKAGE)}: {text}")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as out:
            write_po(out, made, width=110, sort_output=True)
        lines = path.read_text(encoding="utf-8").split("\n")
        kept = [
            line
            for line in lines
            if not line.startswith(('"Project-Id', '"Report-', '"POT-', '"PO-Rev', '"Last-', '"Generated'))
        ]
        path.write_text(
            "\n".join(line for line in kept if not line.startswith('"Language-Team')).rstrip() + "\n", encoding="utf-8"
        )
    return missing


def _sources() -> Iterator[Path]:
    for path in sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.html")]):
        if path.name != "languages.py":
            yield path


def _home(path: Path) -> Path:
    inside = path.relative_to(PACKAGE)
    if inside.parts[0] == "admin":
        area = path.stem.split("_")[0] if path.stem != "__init__" else "frame"
        return PACKAGE / "admin" / "catalogues" / area / "ru.po"
    return path.parent / "ru.po"


def _texts(path: Path) -> Iterator[Text]:
    method = "jinja2.ext:babel_extract" if path.suffix == ".html" else "python"
    if method == "python" and not re.search(r"\b(N_|ngettext|gettext)\b", path.read_text(encoding="utf-8")):
        return
    for _line, message, _comments, _context in extract_from_file(method, path, keywords=_KEYWORDS, options=_OPTIONS):
        if isinstance(message, tuple):
            yield (message[0], message[1])
        elif message:
            yield message


def _error_texts() -> set[Text]:
    """Return what errors say that are not of a client's doing alone: staff read them on their pages."""
    return {error.message for error in known_errors().values()}


def _key(message: object) -> Text:
    return (message[0], message[1]) if isinstance(message, (list, tuple)) else str(message)


if __name__ == "__main__":
    untranslated = write_all()
    sys.stdout.write("".join(f"{line}\n" for line in untranslated))
    sys.stdout.write(f"{len(untranslated)} texts are still to be translated\n")
