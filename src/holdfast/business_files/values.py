"""The values that a business file is written with: each read from what TOML gives, or refused in plain words."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from types import MappingProxyType
from typing import Any, NamedTuple, NewType

from babel.numbers import list_currencies

from holdfast.availability.walltime import UnknownTimeZone, check_zone

Slug = NewType("Slug", str)
Name = NewType("Name", str)
Zone = NewType("Zone", str)
Currency = NewType("Currency", str)
Locale = NewType("Locale", str)
Price = NewType("Price", str)


class Window(NamedTuple):
    """Open from one wall time to another; 00:00 as closing time is the end of the day."""

    opens: time
    closes: time


_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SLUG_LENGTH = 63
_NAME_LENGTH = 200
_LOCALE = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")
_PRICE = re.compile(r"[0-9]{1,13}(\.[0-9]+)?")
_WALL_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?")
# How much of what is wrong a reason shows.
_SHOWN_LENGTH = 64
_CURRENCIES = frozenset(list_currencies())


def slug(value: object) -> Slug:
    """Read a slug."""
    text = _text(value)
    if _SLUG.fullmatch(text) is None or len(text) > _SLUG_LENGTH:
        raise ValueError(
            f"{_short(text)} is no slug: small letters and digits in words joined by hyphens, "
            f"{_SLUG_LENGTH} characters at most"
        )
    return Slug(text)


def name(value: object) -> Name:
    """Read a name for people to see."""
    text = _text(value)
    if not text.strip() or len(text) > _NAME_LENGTH:
        raise ValueError(f"a name has 1 to {_NAME_LENGTH} characters")
    if any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in text):
        raise ValueError(f"{_short(text)} has characters that cannot be shown")
    return Name(text)


def zone(value: object) -> Zone:
    """Read the name of a time zone."""
    text = _text(value)
    try:
        return Zone(check_zone(text))
    except UnknownTimeZone:
        raise ValueError(f"{_short(text)} is no time zone; write it like Europe/Moscow") from None


def currency(value: object) -> Currency:
    """Read the code of a currency."""
    text = _text(value)
    if text not in _CURRENCIES:
        raise ValueError(f"{_short(text)} is no currency; write it like RUB")
    return Currency(text)


def locale(value: object) -> Locale:
    """Read the language of a business."""
    text = _text(value)
    if _LOCALE.fullmatch(text) is None:
        raise ValueError(f"{_short(text)} is no locale; write it like ru or en")
    return Locale(text)


def price(value: object) -> Price:
    """Read a decimal number written as text: a number of TOML would be a float, which holds no exact money."""
    if not isinstance(value, str):
        raise ValueError('a price is written in quotes, like "3500.00"')  # noqa: TRY004 - it is the file that is wrong
    if _PRICE.fullmatch(value) is None:
        raise ValueError(f'{_short(value)} is not a price; write it like "3500.00"')
    return Price(value)


def wall_time(value: object) -> time:
    """Read a time of day, written as text or as a local time of TOML."""
    if isinstance(value, time) and value.microsecond == 0:
        return value
    if not isinstance(value, str) or _WALL_TIME.fullmatch(value) is None:
        raise ValueError(f'{_short(value)} is no time; write it like "07:30"')
    return time.fromisoformat(value)


def window(value: object) -> Window:
    """Read opening hours such as 09:00-21:00; 24:00 is the end of the day."""
    opens, dash, closes = value.partition("-") if isinstance(value, str) else ("", "", "")
    if closes == "24:00":
        closes = "00:00"
    if not dash or _WALL_TIME.fullmatch(opens) is None or _WALL_TIME.fullmatch(closes) is None:
        raise ValueError(f'{_short(value)} are no hours; write when it opens and closes, like "09:00-21:00"')
    return Window(time.fromisoformat(opens), time.fromisoformat(closes))


def day(value: object) -> date:
    """Read a date, written as a date of TOML or as text."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(_text(value))
    except ValueError:
        raise ValueError(f"{_short(value)} is no date; write it like 2027-01-01") from None


READERS: Mapping[Any, Callable[[object], Any]] = MappingProxyType(
    {
        Slug: slug,
        Name: name,
        Zone: zone,
        Currency: currency,
        Locale: locale,
        Price: price,
        Window: window,
        time: wall_time,
        date: day,
    }
)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{_short(value)} is not text in quotes")  # noqa: TRY004 - it is the file that is wrong
    return value


def _short(value: object) -> str:
    shown = repr(value) if isinstance(value, str | int | float | bool) else "this"
    return shown if len(shown) <= _SHOWN_LENGTH else f"{shown[:_SHOWN_LENGTH]}..."
