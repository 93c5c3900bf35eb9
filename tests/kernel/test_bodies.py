"""Bodies of calls: the words that members know are told to whoever sends others, and null is as good as absent."""

from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
import pytest

from holdfast import config, web
from holdfast.kernel.documents import Documented
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


class Label(msgspec.Struct, rename="camel"):
    """A part of a body that has something to leave out."""

    text: str
    is_bold: bool = False


class Page(msgspec.Struct, rename="camel", kw_only=True):
    """A body in which everything but its name may be left out."""

    name: str
    labels: list[Label] = []
    by_place: dict[str, Label] = {}
    anything: dict[str, Any] = {}
    page_count: int = 1


def test_null_is_absent() -> None:
    """A member that is null has its default, in parts and lists of parts too; what is in an object of the caller's own
    stays, null or not.
    """
    label = {"text": "x", "isBold": None}
    body = {"name": "x", "pageCount": None, "labels": [label], "byPlace": {"a": label}, "anything": {"a": None}}
    page = decode(Page, msgspec.json.encode(body))
    assert page == Page(name="x", labels=[Label("x")], by_place={"a": Label("x")}, anything={"a": None})
    for wrong, field in (({"name": None}, "name"), ({"name": "x", "labels": [None]}, "labels[0]")):
        with pytest.raises(ValidationFailed) as refused:
            decode(Page, msgspec.json.encode(wrong))
        assert refused.value.message.startswith(f"{field}: Expected")


def bodies() -> list[type]:
    """Return the shapes of all bodies that the API takes."""
    declared = [handler.opt.get("documented") for handler in web.handlers(config.Settings())]
    found = {each.body for each in declared if isinstance(each, Documented) and each.body is not None}
    return sorted(found, key=lambda shape: shape.__name__)


@pytest.mark.parametrize("shape", bodies(), ids=lambda shape: shape.__name__)
def test_no_body_of_the_api_refuses_a_null(shape: type) -> None:
    """Every member that may be left out may be null, and both mean the same, but where the shape tells one from the
    other: to assign something to nobody is not to assign it to whoever calls.
    """

    def outcome(body: dict[str, None]) -> object:
        try:
            return decode(shape, msgspec.json.encode(body))
        except ValidationFailed as refused:
            return refused.message

    assert issubclass(shape, msgspec.Struct)
    for field in msgspec.structs.fields(shape):
        if not field.required and field.default is not msgspec.UNSET:
            assert outcome({field.encode_name: None}) == outcome({}), field.encode_name
