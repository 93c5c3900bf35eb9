"""Which words a member of a body may be: for whoever has sent another one."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from msgspec import inspect

# A member, or that one steps into a list or an object of names.
_STEP = re.compile(r"\.([^.\[]+)|\[[^\]]*\]")


# Of each shape of the API once: it costs more than the rest of a refusal.
_type_of = lru_cache(inspect.type_info)


def allowed_words(shape: Any, path: str) -> tuple[str, ...]:
    """Return the words of the member of a shape that msgspec calls by this path; none where it takes others."""
    found = [_type_of(shape)]
    for step in _STEP.finditer(path):
        found = [into for each in found for into in _into(each, step[1])]
    return tuple(dict.fromkeys(word for each in found for word in _words(each)))


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
