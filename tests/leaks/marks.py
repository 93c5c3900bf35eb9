"""What an attacker writes everywhere: addresses, numbers and sentences that are known again wherever they end up."""

import re
from dataclasses import dataclass
from typing import Any

_KNOWN = re.compile(r"frogstar\d+q|vroomfondel\d+q|79\d{5}4242")
# What a member has to be for the call to go through at all; everything else that is written is a mark.
_FITTING = {
    "timezone": "Europe/Moscow",
    "locale": "en",
    "currency": "RUB",
    "status": "completed",
    "outcome": "completed",
    "rule": "FREQ=DAILY;COUNT=2",
    "business": "emotional-balance",
    "targetPath": "/booking/slot/",
    "sha256": "ab" * 32,
    "mediaType": "image/png",
    "location": "https://media.example/one.png",
}


@dataclass(frozen=True)
class Marks:
    """The marks of one call, by whose number they tell who let them through."""

    number: int

    @property
    def email(self) -> str:
        """An address that is one."""
        return f"zarniwoop@frogstar{self.number}q.example"

    @property
    def phone(self) -> str:
        """A phone number that is one."""
        return f"+79{self.number:05}4242"

    @property
    def sentence(self) -> str:
        """What a person confides, with how to reach them."""
        return f"vroomfondel{self.number}q cannot sleep, write to {self.email} or call {self.phone}"

    @property
    def word(self) -> str:
        """What may stand where only a slug may."""
        return f"vroomfondel{self.number}q"

    def fitting(self, name: str, schema: dict[str, Any]) -> Any:
        """Return the mark that a text of this name and schema takes, if it takes any."""
        low = name.lower()
        wanted = [self.email] if "mail" in low else [self.phone] if "phone" in low else []
        for text in (*wanted, self.sentence, self.email, self.phone, self.word):
            if len(text) <= schema.get("maxLength", len(text)) and re.search(schema.get("pattern", ""), text):
                return text
        return self.word


def marks_in(text: str) -> set[str]:
    """Return the marks that stand in a text, however it is cased or spaced."""
    return set(_KNOWN.findall(re.sub(r"[\s()-]", "", text.casefold())))


class Forms:
    """Bodies for the schemas of an OpenAPI document, as far as possible valid."""

    def __init__(self, document: dict[str, Any], known: dict[str, Any]) -> None:
        """`known` are the values of members that earlier answers have told: ids, times."""
        self._schemas = document["components"]["schemas"]
        self._known = known

    def body(self, schema: dict[str, Any], marks: Marks, *, all_members: bool = True) -> Any:
        """Return a body, with all members or with the required ones only."""
        return self._value(schema, "", marks, all_members)

    def _value(self, schema: dict[str, Any], name: str, marks: Marks, all_members: bool) -> Any:
        schema = self._resolved(schema)
        kind = schema.get("type")
        if "enum" in schema:
            value = schema["enum"][0]
        elif name in self._known:
            value = self._known[name]
        elif kind == "object":
            value = self._object(schema, marks, all_members)
        elif kind == "array":
            item = self._value(schema.get("items", {"type": "string"}), name.removesuffix("s"), marks, all_members)
            value = [item] * max(1, schema.get("minItems", 1))
        elif kind == "string":
            value = _FITTING[name] if name in _FITTING else marks.fitting(name, schema)
        else:
            value = {"integer": schema.get("minimum", 1), "number": schema.get("minimum", 1), "boolean": True}.get(kind)
        return value

    def _object(self, schema: dict[str, Any], marks: Marks, all_members: bool) -> Any:
        if "properties" not in schema:
            return {marks.word: marks.sentence}
        required = schema.get("required", [])
        members = {n: s for n, s in schema["properties"].items() if all_members or n in required}
        made = {n: self._value(s, n, marks, all_members) for n, s in members.items()}
        return {n: value for n, value in made.items() if value is not None}

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema or "anyOf" in schema:
            if "$ref" in schema:
                schema = self._schemas[schema["$ref"].rpartition("/")[2]]
            else:
                schema = next((s for s in schema["anyOf"] if s.get("type") != "null"), schema["anyOf"][0])
        return schema


def defaced(value: Any, text: str) -> list[Any]:
    """Return a body again and again, each time with another of its members replaced by a text, and once by it whole."""
    return [text, *_defaced(value, text)]


def _defaced(value: Any, text: str) -> list[Any]:
    match value:
        case dict():
            own = [value | {name: text} for name in value]
            return [*own, *(value | {name: other} for name, item in value.items() for other in _defaced(item, text))]
        case list():
            own = [[*value[:n], text, *value[n + 1 :]] for n in range(len(value))]
            return [*own, *([other] for item in value[:1] for other in _defaced(item, text))]
    return []
