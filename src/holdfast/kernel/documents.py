"""The OpenAPI 3.1 document, made from the handlers themselves: their paths, docstrings and declared shapes."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import msgspec
from litestar.handlers import HTTPRouteHandler

from holdfast.kernel.bodies import has_required
from holdfast.kernel.links import Call, add_links

_PATH_PARAMETER = re.compile(r"\{(\w+):\w+\}")


# A login of staff has the rights of a key with the same role, wherever a key is taken.
_SAME_RIGHTS: dict[str | None, tuple[str, ...]] = {"StaffKey": ("StaffKey", "StaffLogin")}


@runtime_checkable
class Documenting(Protocol):
    """A guard that has something to tell in the document."""

    def documented(self) -> dict[str, Any]:
        """Return members of an operation behind it."""


class Problem(msgspec.Struct):
    """Every error: `code` for programs, `message` for people, `details` for what the code alone does not say.

    `instance` names the request, as its header X-Request-Id does, where the error is the server's own.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    message: str
    details: dict[str, Any]
    instance: str | msgspec.UnsetType = msgspec.UNSET


@dataclass(frozen=True, slots=True)
class Documented:
    """What a handler takes and answers, beyond its path and docstring."""

    body: Any = None
    answers: tuple[Any, ...] = ()
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    created: bool = False
    # The member of the answer that names what a call has made.
    made: str = "id"
    # What an error of a status means here, where the code alone would mislead.
    refusals: Mapping[int, str] = field(default_factory=dict)
    # Where a browser, which asks for a page, is led instead of an answer.
    leads: str | None = None
    # Each one is enough by itself; None stands for a proof that is not a header, or for no proof at all.
    security: tuple[str | None, ...] = ()


def documented(  # noqa: D103 - see Documented
    body: Any = None,
    *,
    answers: Any = None,
    query: Iterable[str] = (),
    headers: Iterable[str] = (),
    created: bool = False,
    made: str = "id",
    refusals: Mapping[int, str] | None = None,
    leads: str | None = None,
    security: str | tuple[str | None, ...] = (),
) -> dict[str, Any]:
    shapes = answers if isinstance(answers, tuple) else (answers,) if answers is not None else ()
    schemes = (security,) if isinstance(security, str) else security
    asked = (tuple(query), tuple(headers))
    return {"documented": Documented(body, shapes, *asked, created, made, refusals or {}, leads, schemes)}


def openapi(handlers: Iterable[HTTPRouteHandler], version: str) -> dict[str, Any]:
    """Return the OpenAPI document of the handlers that declare themselves."""
    declared = [(h, d) for h in handlers if (d := h.opt.get("documented")) is not None]
    shapes = [s for _, d in declared for s in (d.body, *d.answers) if s is not None]
    schemas, components = msgspec.json.schema_components([*shapes, Problem], ref_template="#/components/schemas/{name}")
    references = dict(zip([*map(id, shapes), id(Problem)], schemas, strict=True))
    paths: dict[str, Any] = {}
    calls: list[Call] = []
    for handler, declaration in declared:
        for number, path in enumerate(sorted(handler.paths), 1):
            shown = _PATH_PARAMETER.sub(r"{\1}", path)
            for method in handler.http_methods:
                if method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
                    operation = _operation(handler, declaration, path, references)
                    # An operation has an id of its own, also where one handler serves several paths.
                    operation["operationId"] = handler.fn.__name__ + (f"_{number}" if number > 1 else "")
                    paths.setdefault(shown, {})[method.lower()] = operation
                    calls.append(Call(shown, operation, declaration.made))
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "Holdfast",
            "version": version,
            "description": "Bookings that are never sold twice. Times are RFC 3339; answers are in UTC. "
            "A member of a body that is null is as if it were absent, where its shape does not say otherwise.",
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": components,
            "securitySchemes": {
                "BookingToken": {"type": "apiKey", "in": "header", "name": "Booking-Token"},
                "QuestionToken": {"type": "apiKey", "in": "header", "name": "Question-Token"},
                "CronSecret": {"type": "http", "scheme": "bearer"},
                "StaffKey": {"type": "http", "scheme": "bearer"},
                "StaffLogin": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "__Host-holdfast",
                    "description": "From POST /api/public/login; without https its name is holdfast. "
                    "Changes also send the csrfToken of the login as X-CSRF-Token.",
                },
            },
        },
    }
    add_links(calls, document["components"])
    return document


def _operation(
    handler: HTTPRouteHandler, declaration: Documented, path: str, references: dict[int, Any]
) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PATH_PARAMETER.findall(path)
    ]
    parameters += [{"name": name, "in": "query", "schema": {"type": "string"}} for name in declaration.query]
    parameters += [{"name": name, "in": "header", "schema": {"type": "string"}} for name in declaration.headers]
    summary = (handler.fn.__doc__ or "").strip().splitlines()[0]
    answer: dict[str, Any] = {"description": summary}
    if declaration.answers:
        schemas = [references[id(shape)] for shape in declaration.answers]
        schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
        answer["content"] = {"application/json": {"schema": schema}}
    statuses = ["200", "201"] if declaration.created else [str(handler.status_code)]
    unchanged = {"304": {"description": "What the client has is current"}}
    if "If-None-Match" not in declaration.headers:
        unchanged = {}
    led = {} if declaration.leads is None else {"303": {"description": declaration.leads}}
    problem = {"application/problem+json": {"schema": references[id(Problem)]}}
    operation: dict[str, Any] = {
        "summary": summary,
        "parameters": parameters,
        "responses": {
            **dict.fromkeys(statuses, answer),
            **unchanged,
            **led,
            **{
                str(status): {"description": meaning, "content": problem}
                for status, meaning in declaration.refusals.items()
            },
            "default": {"description": "An error", "content": problem},
        },
    }
    if declaration.body is not None:
        schema = {"application/json": {"schema": references[id(declaration.body)]}}
        # An empty body is an empty object.
        operation["requestBody"] = {"required": has_required(declaration.body), "content": schema}
    if declaration.security:
        schemes = [each for scheme in declaration.security for each in _SAME_RIGHTS.get(scheme, (scheme,))]
        operation["security"] = [{} if scheme is None else {scheme: []} for scheme in schemes]
    for guard in handler.guards or ():
        if isinstance(guard, Documenting):
            operation |= guard.documented()
    return operation
