"""What a business is, as a form asks for it: at the first setup, and among the settings."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from uuid import UUID

from holdfast.admin.frame import Form
from holdfast.business_files import values
from holdfast.identity.businesses import Business
from holdfast.kernel.languages import LANGUAGES, N_, NAMES

# What people are mostly paid in; any other code of ISO 4217 can be written.
CURRENCIES = (
    "RUB",
    "EUR",
    "USD",
    "GBP",
    "CHF",
    "KZT",
    "BYN",
    "AMD",
    "GEL",
    "RSD",
    "TRY",
    "AED",
    "ILS",
    "PLN",
    "CZK",
    "JPY",
)
LOCALES = [(language, NAMES[language]) for language in LANGUAGES]

_CYRILLIC = dict(
    zip(
        "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
        "a b v g d e e zh z i i k l m n o p r s t u f kh ts ch sh shch _ y _ e yu ya".replace("_", "").split(" "),
        strict=True,
    )
)

_READERS: Mapping[str, tuple[Callable[[object], str], str]] = {
    "name": (values.name, N_("Enter a name of at most 200 characters.")),
    "timezone": (values.zone, N_("Choose a time zone, like Europe/Moscow.")),
    "currency": (values.currency, N_("Enter the code of a currency, like EUR.")),
    "locale": (values.locale, N_("Choose a language.")),
    "slug": (
        values.slug,
        N_("Small letters of the Latin alphabet and digits, joined by hyphens, at most 63 characters."),
    ),
}


def typed_of(form: Form, *names: str) -> dict[str, str]:
    """Return what was typed; an address that was left open is made from the name."""
    typed = {name: form.line(name) for name in names}
    typed["currency"] = typed.get("currency", "").upper()
    if "slug" in typed and not typed["slug"]:
        typed["slug"] = slug_of(typed["name"])
    return typed


def shown(business: Business) -> dict[str, str]:
    """Return a business as the form shows it."""
    names = ("name", "timezone", "currency", "locale")
    return {name: getattr(business, name) for name in names}


def wrong_in(typed: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong with each field, in words that are still to be translated."""
    return {name: _READERS[name][1] for name, text in typed.items() if name in _READERS and not _is_read(name, text)}


def slug_of(name: str) -> str:
    """Return a name as an address has it, in Latin letters; empty for a name that has none."""
    latin = "".join(_CYRILLIC.get(letter, letter) for letter in name.lower())
    plain = unicodedata.normalize("NFKD", latin).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:63].strip("-")


def _is_read(name: str, text: str) -> bool:
    try:
        _READERS[name][0](text)
    except ValueError:
        return False
    return name != "slug" or not _is_id(text)


def _is_id(text: str) -> bool:
    """Tell whether a slug reads as an id, for which it would be taken."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True
