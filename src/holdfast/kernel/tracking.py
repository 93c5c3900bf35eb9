"""What may be told of people's doings: declared events with technical properties, nothing written freely (D-6).

There is no type for text. A property is a word, a time zone, an instant, a number, a yes or no, or an id; an address of
mail, a number of a telephone and a sentence are none of these, so they are refused before they are stored. What is
refused is never repeated in the refusal. The database refuses once more, by `is_technical`.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import TypeAlias
from uuid import UUID

from holdfast.kernel.errors import UserError

Scalar: TypeAlias = str | int | bool
# Returns the value as it is stored, or None when it is not of this kind.
Kind: TypeAlias = Callable[[object], Scalar | None]

MAX_WORD_LENGTH = 64
# A telephone number has seven digits or more, however they are joined.
MAX_DIGITS = 6
_LARGEST = 10**MAX_DIGITS - 1

_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_NAME = re.compile(r"[a-z][a-z_]{0,63}")
_WORD = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")


class EventRefused(UserError):
    """An event or one of its properties is not declared, or a property is not of the kind that was declared.

    `details.errors[].field` names the property if it is a declared one; its value is told to nobody.
    """

    code, status, message = "event_refused", 400, "The event is not as it was declared"

    @classmethod
    def of(cls, event: str, property_name: str, problem: str) -> "EventRefused":
        """Return the refusal of one property of a declared event."""
        errors = [{"field": property_name, "message": problem}]
        return cls(f"{event}: {property_name} {problem}", details={"event": event, "errors": errors})


class Vocabulary:
    """The events of one purpose, each declared once by the capability in which it happens."""

    def __init__(self) -> None:
        self._declared: dict[str, Mapping[str, Kind]] = {}

    def declare(self, name: str, /, **properties: Kind) -> str:
        """Declare an event with the kinds of its properties; return its name, by which it is told."""
        assert _WORD.fullmatch(name), f"{name} is no name of an event"
        assert len(name) <= MAX_WORD_LENGTH, f"{name} is too long"
        assert all(map(_NAME.fullmatch, properties)), f"{name} has a property whose name is none"
        if name in self._declared:
            raise ValueError(f"event {name} is declared already")
        self._declared[name] = properties
        return name

    def names(self) -> frozenset[str]:
        """Return the names of all events that have been declared so far."""
        return frozenset(self._declared)

    def check(self, name: str, properties: Mapping[str, object]) -> dict[str, Scalar]:
        """Return the properties as they are stored; one that is None is left out.

        Raises EventRefused.
        """
        declared = self._declared.get(name)
        if declared is None:
            raise EventRefused("There is no such event")
        checked: dict[str, Scalar] = {}
        for property_name, value in properties.items():
            kind = declared.get(property_name)
            if kind is None:
                raise EventRefused(f"{name} has a property that is not declared", details={"event": name, "errors": []})
            if value is None:
                continue
            stored = kind(value)
            if stored is None:
                raise EventRefused.of(name, property_name, "is not of its kind")
            checked[property_name] = stored
        return checked


def slug(value: object) -> str | None:
    """Take the slug of a thing: words of small letters and digits, at most six digits in all, at least one letter."""
    if isinstance(value, str) and len(value) <= MAX_WORD_LENGTH and _SLUG.fullmatch(value):
        digits = sum(map(str.isdigit, value))
        if digits <= MAX_DIGITS and any(map(str.isalpha, value)):
            return value
    return None


def zone(value: object) -> str | None:
    """Take the name of a time zone that there is (IANA)."""
    return value if isinstance(value, str) and value in _zones() else None


def instant(value: object) -> str | None:
    """Take an aware time of this century; stored in UTC to the second. A number is none: it could be of a telephone."""
    if not isinstance(value, datetime) or value.tzinfo is None or not 2000 < value.year < 2099:
        return None
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def flag(value: object) -> bool | None:
    """Take yes or no."""
    return value if isinstance(value, bool) else None


def identifier(value: object) -> str | None:
    """Take an id that the product has made."""
    return str(value) if isinstance(value, UUID) else None


def whole(least: int, most: int) -> Kind:
    """Return the kind of whole numbers from `least` to `most`, both within six digits."""
    assert -_LARGEST <= least <= most <= _LARGEST, "a longer number could be that of a telephone"

    def kind(value: object) -> int | None:
        return value if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most else None

    return kind


def one_of(*words: str) -> Kind:
    """Return the kind of these words and no others."""
    assert all(_WORD.fullmatch(word) and len(word) <= MAX_WORD_LENGTH for word in words), "a word is letters and digits"
    known = frozenset(words)

    def kind(value: object) -> str | None:
        # An enumeration of texts is stored as its text.
        return str(value) if isinstance(value, str) and value in known else None

    return kind


@cache
def _zones() -> frozenset[str]:
    return frozenset((files("tzdata") / "zones").read_text("utf-8").split())
