"""Answers against the OpenAPI document: as much of JSON Schema as the document uses."""

import re
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx

from holdfast import web
from holdfast.kernel.errors import known_errors

PROBLEM = "application/problem+json"
# Codes that no class states: what the edge itself refuses.
assert web.handlers, "the application is imported, and with it every error"
_EDGE_CODES = {"method_not_allowed", "body_too_large", "forbidden", "http_error", "internal_error"}


def check_answer(document: dict[str, Any], answer: httpx.Response) -> None:
    """Fail unless the answer has a documented status, type and shape; errors have the one shape of all errors."""
    assert answer.status_code < 500 or answer.status_code == 503, f"{answer.status_code}: {answer.text[:500]}"
    path = answer.request.url.path
    if answer.status_code >= 400 and not _is_page(path, answer):
        check_problem(document, answer)
    operation = _operation(document, answer.request.method, path)
    if operation is None or answer.status_code in {304, 405}:
        return
    responses = operation["responses"]
    response = responses.get(str(answer.status_code)) or responses["default"]
    content = response.get("content")
    if answer.status_code < 400:
        assert str(answer.status_code) in responses, f"{answer.status_code} is not documented for {path}"
    if content is not None and answer.status_code != 503:
        media_type = answer.headers["content-type"].partition(";")[0]
        assert misfits(document, content[media_type]["schema"], answer.json()) == []


def _is_page(path: str, answer: httpx.Response) -> bool:
    is_ours = "/booking/slot" in path or path.startswith("/admin")
    return is_ours and answer.headers["content-type"] == "text/html; charset=utf-8"


def check_problem(document: dict[str, Any], answer: httpx.Response) -> None:
    """Fail unless the answer is a problem whose members agree with each other and with the status."""
    assert answer.headers["content-type"] == PROBLEM, answer.text[:500]
    if answer.request.method == "HEAD":
        return
    body = answer.json()
    assert misfits(document, document["components"]["schemas"]["Problem"], body) == []
    assert body["status"] == answer.status_code
    assert body["code"] in known_errors().keys() | _EDGE_CODES
    assert body["type"].endswith(f":{body['code']}")
    assert body["message"]
    assert body["detail"] == body["message"]


def misfits(document: dict[str, Any], schema: dict[str, Any], value: Any, at: str = "$") -> list[str]:
    """Return where a value does not fit a schema; a member that the schema does not know is one, too."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        tries = [misfits(document, option, value, at) for option in schema["anyOf"]]
        return [] if [] in tries else tries[0]
    kind = schema.get("type")
    fits = {
        "string": isinstance(value, str),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "boolean": isinstance(value, bool),
        "null": value is None,
        "array": isinstance(value, list),
        "object": isinstance(value, dict),
        None: True,
    }
    if not fits[kind]:
        return [f"{at} is no {kind}: {value!r}"]
    if kind == "array":
        return [m for n, item in enumerate(value) for m in misfits(document, schema["items"], item, f"{at}[{n}]")]
    if kind == "object":
        return _misfits_of_members(document, schema, value, at)
    return [] if _has_format(schema.get("format"), value) else [f"{at} is no {schema['format']}: {value!r}"]


def _misfits_of_members(document: dict[str, Any], schema: dict[str, Any], value: dict[str, Any], at: str) -> list[str]:
    members = schema.get("properties", {})
    found = [f"{at} lacks {name}" for name in schema.get("required", []) if name not in value]
    if not members:
        return found
    found += [f"{at}.{name} is not documented" for name in value if name not in members]
    return found + [
        m
        for name, item in value.items()
        if name in members
        for m in misfits(document, members[name], item, f"{at}.{name}")
    ]


def _has_format(name: str | None, value: str) -> bool:
    try:
        if name == "uuid":
            return str(UUID(value)) == value
        if name == "date-time":
            return value.endswith("Z") and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False
    return True


def _operation(document: dict[str, Any], method: str, path: str) -> dict[str, Any] | None:
    for template, operations in document["paths"].items():
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path):
            found: dict[str, Any] | None = operations.get(method.lower())
            return found
    return None
