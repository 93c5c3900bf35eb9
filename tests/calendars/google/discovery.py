"""The contract of Google Calendar v3: the discovery document that Google's own client ships, as checks."""

import importlib.util
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from jsonschema import Draft202012Validator, FormatChecker
from rfc3339_validator import validate_rfc3339

Json = dict[str, Any]

_RANGES = {"int32": 31, "int64": 63}
_FORMATS = FormatChecker(formats=["date"])
_FORMATS.checks("date-time")(lambda value: not isinstance(value, str) or bool(validate_rfc3339(value)))
_COMMON = {"alt", "fields", "key", "oauth_token", "prettyPrint", "quotaUser", "userIp"}


class Violation(Exception):
    """A request or an answer is not as the discovery document says."""


@dataclass(frozen=True)
class Method:
    """One method of the API."""

    id: str
    http_method: str
    pattern: re.Pattern[str]
    names: tuple[str, ...]
    parameters: Json
    request: str | None
    response: str | None
    scopes: frozenset[str]


@dataclass(frozen=True)
class Call:
    """A request that keeps the contract: query values have their types, repeated ones are lists."""

    method: Method
    path: dict[str, str]
    query: Json
    body: Json | None


def check_request(http_method: str, path: str, query: list[tuple[str, str]], body: Any) -> Call:
    """Return the call that a request makes; `path` is what follows the base of the API. Raises Violation."""
    for method in _methods():
        if method.http_method == http_method and (match := method.pattern.fullmatch(path)):
            named = dict(zip(method.names, (unquote(part) for part in match.groups()), strict=True))
            values = _query(method, query)
            _body(method, body)
            return Call(method, named, values, body)
    raise Violation(f"no method of the API: {http_method} {path}")


def check_response(method: Method, body: Any) -> None:
    """Refuse an answer of success that is not of the shape of the method's answers."""
    if method.response is None:
        if body is not None:
            raise Violation(f"{method.id} answers without a body")
        return
    _refuse_errors(method.id, _validator(method.response, ""), body)


def check_event(event: Json) -> None:
    """Refuse an event that is not of the shape of one."""
    _refuse_errors("event", _validator("Event", ""), event)


def selected(method: Method, body: Any, fields: str | None) -> Any:
    """Return the part of an answer that `fields` asks for; raises Violation for a field that the answer cannot have."""
    if fields is None or fields == "*" or method.response is None:
        return body
    wanted, rest = _selection(fields)
    if rest:
        raise Violation(f"fields: {fields}")
    return _part(body, wanted, {"$ref": method.response})


def _query(method: Method, query: list[tuple[str, str]]) -> Json:
    values: Json = {}
    for name, text in query:
        spec = method.parameters.get(name)
        if spec is None or spec["location"] != "query":
            if name not in _COMMON:
                raise Violation(f"{method.id} has no parameter {name}")
            spec = _document()["parameters"][name]
        value = _typed(f"{method.id}: {name}", spec, text)
        if spec.get("repeated"):
            values.setdefault(name, []).append(value)
        elif name in values:
            raise Violation(f"{method.id}: {name} is given twice")
        else:
            values[name] = value
    for name, spec in method.parameters.items():
        if spec.get("required") and spec["location"] == "query" and name not in values:
            raise Violation(f"{method.id}: {name} is missing")
    return values


def _typed(place: str, spec: Json, text: str) -> Any:
    value: Any = text
    if spec["type"] == "boolean":
        if text not in {"true", "false"}:
            raise Violation(f"{place} is no boolean: {text!r}")
        value = text == "true"
    elif spec["type"] == "integer":
        if not re.fullmatch(r"-?[0-9]+", text):
            raise Violation(f"{place} is no number: {text!r}")
        value = int(text)
    _refuse_errors(place, Draft202012Validator(_schema(spec, None), format_checker=_FORMATS), value)
    return value


def _body(method: Method, body: Any) -> None:
    if method.request is None:
        if body is not None:
            raise Violation(f"{method.id} takes no body")
    elif not isinstance(body, dict):
        raise Violation(f"{method.id} takes an object")
    else:
        _refuse_errors(method.id, _validator(method.request, method.id), body)


def _refuse_errors(place: str, validator: Draft202012Validator, value: Any) -> None:
    if errors := [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]:
        raise Violation(f"{place}: " + "; ".join(errors[:5]))


@cache
def _validator(name: str, method_id: str) -> Draft202012Validator:
    return Draft202012Validator(_schema({"$ref": name}, method_id), format_checker=_FORMATS)


def _schema(spec: Json, method_id: str | None) -> Json:
    """Return JSON Schema for a description, all references resolved.

    Properties are required where they are said to be for the method. A method that patches may say null: take it away.
    """
    if "$ref" in spec:
        return _schema(_document()["schemas"][spec["$ref"]], method_id)
    if spec["type"] == "any":
        return {}
    made: Json = {name: spec[name] for name in ("type", "format", "enum", "pattern") if name in spec}
    if spec.get("format") in _RANGES:
        del made["format"]
        limit = 2 ** _RANGES[spec["format"]]
        made |= {"pattern": "^-?[0-9]+$"} if spec["type"] == "string" else {"minimum": -limit, "maximum": limit - 1}
    if spec["type"] == "integer":
        made |= {name: int(spec[name]) for name in ("minimum", "maximum") if name in spec}
    if spec["type"] == "array":
        made["items"] = _schema(spec["items"], method_id)
    if spec["type"] == "object":
        made |= _members(spec, method_id)
    return made


def _members(spec: Json, method_id: str | None) -> Json:
    properties = {name: _schema(value, method_id) for name, value in spec.get("properties", {}).items()}
    others: Any = False
    if "additionalProperties" in spec:
        others = _schema(spec["additionalProperties"], method_id)
    if method_id and method_id.endswith(".patch"):
        properties = {name: {"anyOf": [value, {"type": "null"}]} for name, value in properties.items()}
        others = {"anyOf": [others, {"type": "null"}]} if others else others
    required = [
        name
        for name, value in spec.get("properties", {}).items()
        if method_id in value.get("annotations", {}).get("required", ())
    ]
    return {"properties": properties, "additionalProperties": others, "required": required}


def _selection(text: str) -> tuple[Json, str]:
    """Parse `a,b/c,d(e,f)` into nested dictionaries; return them and what follows a closing parenthesis."""
    found: Json = {}
    rest = text
    while True:
        match = re.match(r"[A-Za-z*]+(?:/[A-Za-z*]+)*", rest)
        if match is None:
            raise Violation(f"fields: {text}")
        rest, inner = rest[match.end() :], {}
        if rest.startswith("("):
            inner, rest = _selection(rest[1:])
            if not rest.startswith(")"):
                raise Violation(f"fields: {text}")
            rest = rest[1:]
        at = found
        *path, last = match[0].split("/")
        for name in path:
            at = at.setdefault(name, {})
        at.setdefault(last, {}).update(inner)
        if not rest.startswith(","):
            return found, rest
        rest = rest[1:]


def _part(value: Any, wanted: Json, spec: Json) -> Any:
    if "$ref" in spec:
        return _part(value, wanted, _document()["schemas"][spec["$ref"]])
    if not wanted or "*" in wanted:
        return value
    if spec["type"] == "array":
        return [_part(item, wanted, spec["items"]) for item in value or []]
    known = spec.get("properties", {})
    if unknown := [name for name in wanted if name not in known and "additionalProperties" not in spec]:
        raise Violation(f"fields: no field {unknown[0]}")
    made: Json = {}
    for name, inner in wanted.items():
        # Checked even where the value has no such member.
        part = _part(value.get(name) if value else None, inner, known.get(name) or spec["additionalProperties"])
        if value and name in value:
            made[name] = part
    return made


@cache
def _methods() -> tuple[Method, ...]:
    found = []
    for resource in _document()["resources"].values():
        for spec in resource["methods"].values():
            parts = re.split(r"\{(\w+)\}", spec["path"])
            pattern = "".join("([^/]+)" if i % 2 else re.escape(part) for i, part in enumerate(parts))
            found.append(
                Method(
                    spec["id"],
                    spec["httpMethod"],
                    re.compile(pattern),
                    tuple(parts[1::2]),
                    spec.get("parameters", {}),
                    spec.get("request", {}).get("$ref"),
                    spec.get("response", {}).get("$ref"),
                    frozenset(spec["scopes"]),
                )
            )
    return tuple(found)


@cache
def scopes() -> frozenset[str]:
    """Return the scopes that there are."""
    return frozenset(_document()["auth"]["oauth2"]["scopes"])


@cache
def _document() -> Json:
    # Found, not imported: this process has no use for the client itself.
    spec = importlib.util.find_spec("googleapiclient")
    assert spec is not None, "google-api-python-client is not installed"
    assert spec.origin is not None, "google-api-python-client has no files"
    path = Path(spec.origin).parent / "discovery_cache" / "documents" / "calendar.v3.json"
    return json.loads(path.read_text())
