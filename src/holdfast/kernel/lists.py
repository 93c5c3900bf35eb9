"""What a call asks of a list: pages by opaque cursors, numbers and dates in a query (H-2)."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import date, datetime
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

from holdfast.kernel.errors import ValidationFailed

T = TypeVar("T")
Word = TypeVar("Word", bound=StrEnum)

_MAX_LINE_LENGTH = 200


def cursor_after(at: datetime, last: UUID) -> str:
    """Return the cursor of a page that ends with the row of this time and id."""
    return urlsafe_b64encode(f"{at.isoformat()} {last}".encode()).decode()


def place_of(cursor: str | None) -> tuple[datetime | None, UUID | None]:
    """Return time and id after which a page begins, two Nones for the first one.

    Raises ValidationFailed for a cursor that no page has given.
    """
    if cursor is None:
        return None, None
    try:
        time, _, last_id = urlsafe_b64decode(cursor).decode().partition(" ")
        at, last = datetime.fromisoformat(time), UUID(last_id)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ValidationFailed.at("cursor", "is not one that a list has given")
    return at, last


def page_of(found: list[T], limit: int, place: Callable[[T], tuple[datetime, UUID]]) -> tuple[list[T], str | None]:
    """Return a page of what was found, one more than the limit, and the cursor of the next page, if there is one."""
    more = len(found) > limit
    return found[:limit], cursor_after(*place(found[limit - 1])) if more else None


def line_in(text: str | None, field: str) -> str | None:
    """Return one line of a query; raises ValidationFailed for what the database cannot look for."""
    if not text:
        return None
    if len(text) > _MAX_LINE_LENGTH or not text.isprintable():
        raise ValidationFailed.at(field, f"must be one line of at most {_MAX_LINE_LENGTH} characters")
    return text


def word_in(text: str | None, field: str, words: type[Word]) -> Word | None:
    """Return one of the words of a query; raises ValidationFailed, which lists them."""
    if not text:
        return None
    try:
        return words(text)
    except ValueError:
        raise ValidationFailed.at(field, f"must be one of {', '.join(words)}") from None


def number_in(text: str | None, field: str, default: int, least: int, most: int) -> int:
    """Return a number of a query; raises ValidationFailed, which names the field."""
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and least <= int(text) <= most):
        raise ValidationFailed.at(field, f"must be a number from {least} to {most}")
    return int(text)


def date_in(text: str | None, field: str) -> date | None:
    """Return a date of a query; raises ValidationFailed, which names the field."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text) if len(text) == 10 and text[4] == text[7] == "-" else None
    except ValueError:
        day = None
    # A year away from the ends of the calendar, every local day has its neighbours.
    if day is None or not 1 < day.year < 9999:
        raise ValidationFailed.at(field, "must be a date like 2026-11-21")
    return day


def in_calendar(at: datetime, field: str) -> datetime:
    """Return an instant that the database can tell in every zone; raises ValidationFailed for one that it cannot."""
    if not 1 < at.year < 9999:
        raise ValidationFailed.at(field, "is beyond the calendar")
    return at
