"""Reads a business file: either all of it, or every problem that can be found, each with its line and reason."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

import msgspec

from holdfast.business_files.errors import BusinessFileInvalid
from holdfast.business_files.positions import Path, Positions
from holdfast.business_files.shape import BusinessFile, Entry, HoursEntry, Misfit
from holdfast.business_files.values import READERS, Currency, Price
from holdfast.catalog.prices import minor_of
from holdfast.catalog.services import pool_slug
from holdfast.kernel.problems import Problem

_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_INVALID = object()


def read(source: str | bytes) -> BusinessFile:
    """Return what a file says. Raises BusinessFileInvalid with all problems that can be found."""
    text = _text(source)
    document = _document(text)
    reader = _Reader(Positions(text))
    file = reader.table(BusinessFile, document, ())
    reader.check_slugs(document)
    reader.check_prices(document)
    if reader.problems:
        raise BusinessFileInvalid(reader.problems)
    return cast(BusinessFile, file)


def _text(source: str | bytes) -> str:
    if isinstance(source, bytes):
        try:
            return _text(source.decode())
        except UnicodeDecodeError as error:
            line = source.count(b"\n", 0, error.start) + 1
            raise BusinessFileInvalid([Problem(line, "the file is not UTF-8")]) from None
    return source.removeprefix("\ufeff").replace("\r\n", "\n")


def _document(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        line = int(place[1]) if place and place[1] else text.rstrip("\n").count("\n") + 1
        reason = _PLACE.sub("", str(error))
        problem = Problem(line, f"this is not TOML: {reason[:1].lower()}{reason[1:]}")
    except RecursionError:
        problem = Problem(_line_of(r"[\[{.]", text), "this is nested too deeply")
    except ValueError:
        problem = Problem(_line_of(r"[0-9]", text), "a number is too long")
    raise BusinessFileInvalid([problem])


def _line_of(symbol: str, text: str) -> int:
    """Return the line with most of these: tomllib does not say which one was too much for Python."""
    counts = [len(re.findall(symbol, line)) for line in text.split("\n")]
    return counts.index(max(counts)) + 1


class _Reader:
    """Walks through a document and collects what is wrong with it."""

    def __init__(self, positions: Positions) -> None:
        self._positions = positions
        self.problems: list[Problem] = []

    def table(self, shape: type[Entry], value: object, path: Path) -> object:
        """Return the table as its entry, or _INVALID."""
        if not isinstance(value, dict):
            return self._complain(path, f"{_key(path)} is a table; write its keys under a header")
        known = get_type_hints(shape, include_extras=True)
        fields = {}
        for key, part in value.items():
            if key in known:
                fields[key] = self._value(known[key], part, (*path, key))
            else:
                fields[key] = self._complain((*path, key), f"unknown key {key[:64]!r}{_meant(key, known)}")
        for field in msgspec.structs.fields(shape):
            if field.required and field.name not in value:
                fields[field.name] = self._complain(path, f"{field.name} is missing")
        if any(part is _INVALID for part in fields.values()):
            return _INVALID
        try:
            return shape(**fields)
        except Misfit as misfit:
            return self._complain((*path, misfit.key), str(misfit))

    def _value(self, shape: Any, value: object, path: Path) -> object:
        lengths = msgspec.Meta()
        if get_origin(shape) in {Union, UnionType}:
            shape = next(part for part in get_args(shape) if part is not NoneType)
        if get_origin(shape) is Annotated and get_origin(get_args(shape)[0]) is tuple:
            shape, lengths = get_args(shape)
        try:
            if shape in READERS:
                return READERS[shape](value)
            if get_origin(shape) is tuple:
                return self._items(get_args(shape)[0], value, path, lengths)
            if get_origin(shape) is Literal and value not in get_args(shape):
                raise ValueError(f"it is one of {', '.join(get_args(shape))}")  # noqa: TRY301 - said in one place
            if isinstance(shape, type) and issubclass(shape, Entry):
                return self.table(shape, value, path)
            return msgspec.convert(value, shape)
        except ValueError as error:
            return self._complain(path, f"{_key(path)}: {error}")

    def _items(self, shape: Any, value: object, path: Path, lengths: msgspec.Meta) -> object:
        if shape is HoursEntry and isinstance(value, dict):
            # One table of hours needs no list around it.
            only = self.table(shape, value, path)
            return _INVALID if only is _INVALID else (only,)
        if not isinstance(value, list):
            header = ".".join(part for part in path if isinstance(part, str))
            of_tables = isinstance(shape, type) and issubclass(shape, Entry)
            how = f"tables, each under [[{header}]]" if of_tables else "values in square brackets"
            raise ValueError(f"it is a list of {how}")  # noqa: TRY004 - it is the file that is wrong
        if len(value) < (lengths.min_length or 0):
            raise ValueError("it names nothing")
        if len(value) > (lengths.max_length or len(value)):
            raise ValueError(f"it has more than {lengths.max_length} items")
        items = tuple(self._value(shape, item, (*path, index)) for index, item in enumerate(value))
        return _INVALID if any(item is _INVALID for item in items) else items

    def check_slugs(self, document: dict[str, Any]) -> None:
        """Check that slugs are given once each, and that every resource that is named exists."""
        resources = self._check_unique(document, "resources")
        self._check_unique(document, "services")
        self._check_unique(document, "programs")
        for kind, key in (("services", "requires"), ("programs", "uses")):
            for path, entry in _entries(document, kind):
                self._check_references(entry.get(key), (*path, key), resources)
        for path, entry in _entries(document, "services"):
            pool = pool_slug(str(entry.get("slug")))
            if "max_simultaneous_bookings" in entry and pool in resources:
                self._complain(
                    (*path, "slug"), f"slug: the pool of this service would be {pool!r}, which is a resource"
                )

    def _check_unique(self, document: dict[str, Any], kind: str) -> set[str]:
        seen: dict[str, Path] = {}
        for path, entry in _entries(document, kind):
            slug = entry.get("slug")
            if not isinstance(slug, str):
                continue
            if slug in seen:
                line = self._positions.line_of(seen[slug])
                self._complain((*path, "slug"), f"slug: {slug[:64]!r} is given on line {line} already")
            seen.setdefault(slug, (*path, "slug"))
        return set(seen)

    def _check_references(self, value: object, path: Path, resources: set[str]) -> None:
        seen: set[str] = set()
        for place, slug in _texts(value, path):
            if slug not in resources:
                self._complain(place, f"{_key(path)}: there is no resource {slug[:64]!r}{_meant(slug, resources)}")
            elif slug in seen:
                self._complain(place, f"{_key(path)}: {slug[:64]!r} is named twice")
            seen.add(slug)

    def check_prices(self, document: dict[str, Any]) -> None:
        """Check that the currency of the business can express every price."""
        business = document.get("business")
        currency = _readable(Currency, business.get("currency")) if isinstance(business, dict) else None
        for path, entry in [*_entries(document, "services"), *_entries(document, "programs")]:
            price = _readable(Price, entry.get("price"))
            if currency is not None and price is not None:
                try:
                    minor_of(price, currency)
                except ValueError as error:
                    self._complain((*path, "price"), f"price: {error}")

    def _complain(self, path: Path, reason: str) -> object:
        self.problems.append(Problem(self._positions.line_of(path), reason))
        return _INVALID


def _entries(document: dict[str, Any], kind: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    entries = document.get(kind)
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict):
            yield (kind, index), entry


def _texts(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))


def _readable(shape: Any, value: object) -> Any:
    try:
        return READERS[shape](value)
    except ValueError:
        return None  # and said so already


def _meant(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word, known, 1)
    return f"; is {near[0]!r} meant?" if near else ""


def _key(path: Path) -> str:
    return next((part for part in reversed(path) if isinstance(part, str)), "the file")
