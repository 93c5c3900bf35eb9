"""Slugs made of names, so that whoever sets up a service need not think of one."""

import unicodedata
from collections.abc import Collection

from holdfast.offerings.drafts import SLUG_LENGTH

_RUSSIAN = dict(zip("абвгдеёзийклмнопрстуфхыэ", "abvgdeeziyklmnoprstufhye", strict=True)) | {
    "ж": "zh",
    "ц": "ts",
    "ч": "ch",
    "ш": "sh",
    "щ": "shch",
    "ю": "yu",
    "я": "ya",
    "ъ": "",
    "ь": "",
}
# Room for what tells two of the same name apart.
_ROOM = 6


def slug_of(name: str, taken: Collection[str], otherwise: str) -> str:
    """Return a slug that nobody has, made of a name; of another word where nothing of the name can be spelled."""
    spelled = "".join(_RUSSIAN.get(letter, letter) for letter in name.lower())
    plain = unicodedata.normalize("NFKD", spelled).encode("ascii", "ignore").decode()
    words = "".join(letter if letter.isalnum() else " " for letter in plain).split()
    base = "-".join(words)[: SLUG_LENGTH - _ROOM].strip("-") or otherwise
    slug, number = base, 1
    while slug in taken:
        number += 1
        slug = f"{base}-{number}"
    return slug
