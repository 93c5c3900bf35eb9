"""Whoever sends a word that a member does not know is told those that it knows (H-1)."""

from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
import pytest

from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.http import decode

SECRET = "a word that somebody confides"  # noqa: S105 - of this test


class Colour(StrEnum):
    """Some words."""

    RED = "red"
    DARK_BLUE = "dark_blue"


class Circle(msgspec.Struct, tag_field="kind", tag="circle"):
    """One of two shapes."""

    colour: Colour


class Square(msgspec.Struct, tag_field="kind", tag="square"):
    """The other one, which calls another word a colour."""

    colour: Literal["grey"]


class Drawing(msgspec.Struct, rename="camel", kw_only=True):
    """A body with words at every kind of place."""

    main_colour: Colour | None = None
    colours: Annotated[list[Colour], msgspec.Meta(max_length=5)] = []
    by_name: dict[str, Colour] = {}
    keyed: dict[Colour, int] = {}
    size: Annotated[Literal["small", "large"], msgspec.Meta(description="How large")] | None = None
    shapes: list[Circle | Square] = []


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"mainColour": SECRET}, "mainColour", "red, dark_blue"),
        ({"colours": ["red", SECRET]}, "colours[1]", "red, dark_blue"),
        ({"byName": {"x": SECRET}}, "byName[...]", "red, dark_blue"),
        ({"size": SECRET}, "size", "large, small"),
        ({"shapes": [{"kind": SECRET}]}, "shapes[0].kind", "circle, square"),
        ({"shapes": [{"kind": "circle", "colour": SECRET}]}, "shapes[0].colour", "red, dark_blue, grey"),
    ],
)
def test_the_words_are_listed(body: dict[str, Any], field: str, words: str) -> None:
    """An unknown word is answered with those that its member takes, wherever it stands, and is not quoted (H-1)."""
    with pytest.raises(ValidationFailed) as refused:
        decode(Drawing, msgspec.json.encode(body))
    assert refused.value.details == {"errors": [{"field": field, "message": f"must be one of {words}"}]}


def test_a_wrong_name_is_told_without_words() -> None:
    """Of an object whose names are words, what is told names the object, and does not quote what was sent (H-1)."""
    with pytest.raises(ValidationFailed) as refused:
        decode(Drawing, msgspec.json.encode({"keyed": {SECRET: 1}}))
    assert refused.value.message.startswith("keyed:")
    assert SECRET not in refused.value.message
