"""What is known of the bodies of calls by their shapes: which words a member may be, and which may be left out."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import inspect

# A member, or that one steps into a list or an object of names.
_STEP = re.compile(r"\.([^.\[]+)|\[[^\]]*\]")


# Of each shape of the API once: it costs more than the rest of an answer.
_type_of = lru_cache(inspect.type_info)


def allowed_words(shape: Any, path: str) -> tuple[str, ...]:
    """Return the words of the member of a shape that msgspec calls by this path; none where it takes others."""
    found = [_type_of(shape)]
    for step in _STEP.finditer(path):
        found = [into for each in found for into in _into(each, step[1])]
    return tuple(dict.fromkeys(word for each in found for word in _words(each)))


def has_required(shape: Any) -> bool:
    """Tell whether an object of a shape has to have any member at all."""
    return any(own.required for each in _alternatives(_type_of(shape)) for own in getattr(each, "fields", ()))


def without_nulls(shape: Any, body: bytes) -> bytes:
    """Return a JSON body without the members that are null and need not be there.

    Raises DecodeError for what is not JSON.
    """
    members = msgspec.json.decode(body)
    _leave_out_nulls(_type_of(shape), members)
    return msgspec.json.encode(members)


def _leave_out_nulls(kind: inspect.Type, value: Any) -> None:
    for each in _alternatives(kind):
        if isinstance(value, list) and isinstance(each, inspect.CollectionType):
            for item in value:
                _leave_out_nulls(each.item_type, item)
        elif isinstance(value, dict) and isinstance(each, inspect.DictType):
            for item in value.values():
                _leave_out_nulls(each.value_type, item)
        elif isinstance(value, dict) and isinstance(each, inspect.StructType):
            for own in each.fields:
                if own.encode_name in value and value[own.encode_name] is None and not own.required:
                    del value[own.encode_name]
                else:
                    _leave_out_nulls(own.type, value.get(own.encode_name))


def _into(kind: inspect.Type, member: str | None) -> Iterator[inspect.Type]:
    """Yield what a member of a type is, or for None what is in a list or an object of names."""
    for each in _alternatives(kind):
        if isinstance(each, inspect.StructType) and member is not None:
            yield from (own.type for own in each.fields if own.encode_name == member)
            if each.tag is not None and each.tag_field == member:
                yield inspect.LiteralType((each.tag,))
        elif isinstance(each, inspect.CollectionType) and member is None:
            yield each.item_type
        elif isinstance(each, inspect.DictType) and member is None:
            yield each.value_type


def _words(kind: inspect.Type) -> Iterator[str]:
    for each in _alternatives(kind):
        if isinstance(each, inspect.EnumType):
            yield from (str(word.value) for word in each.cls)
        elif isinstance(each, inspect.LiteralType):
            yield from map(str, each.values)


def _alternatives(kind: inspect.Type) -> Iterator[inspect.Type]:
    if isinstance(kind, inspect.UnionType):
        for each in kind.types:
            yield from _alternatives(each)
    elif isinstance(kind, inspect.Metadata):
        yield from _alternatives(kind.type)
    else:
        yield kind
