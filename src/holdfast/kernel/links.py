"""Links of the OpenAPI document: from a call that makes something to the calls that go on with it.

They follow from names. A call goes on with what was made when its address stands below that of the call that made it,
or when its address or its body asks for the member by which the answer names it.
"""

import re
from typing import Any, NamedTuple

Json = dict[str, Any]

_PARAMETER = re.compile(r"\{(\w+)\}")


class Call(NamedTuple):
    """An operation of the document, with the member of its answer that names what it has made."""

    path: str
    operation: Json
    made: str


def add_links(calls: list[Call], components: Json) -> None:
    """Add to each answer that tells of something new the calls that take it up, with what they take from the answer."""
    document = _Document(calls, components)
    for maker in calls:
        responses = maker.operation["responses"]
        links = document.links(maker) if "201" in responses else {}
        # Repeated, such a call is answered with 200 and the same thing.
        for status in {"200", "201"} & responses.keys() if links else ():
            responses[status] = responses[status] | {"links": links}


class _Document(NamedTuple):
    calls: list[Call]
    components: Json

    def links(self, maker: Call) -> dict[str, Json]:
        """Return the links from an answer, by the operations to which they lead."""
        told = frozenset(self._shape(maker.operation["responses"]["201"]).get("properties", ()))
        found = {call.operation["operationId"]: self._link(maker, told, call) for call in self.calls if call != maker}
        return {name: {"operationId": name, **link} for name, link in found.items() if link is not None}

    def _link(self, maker: Call, told: frozenset[str], call: Call) -> Json | None:
        """Return what a call takes from an answer, None when it does not go on with it."""
        names, made = _PARAMETER.findall(call.path), _told(maker.made)
        takes = self._shape(call.operation.get("requestBody", {}))
        below = "{" not in maker.path and call.path.startswith(f"{maker.path}/{{")
        parameters: Json = {}
        body = {name: _told(name) for name in sorted(told & takes.get("properties", {}).keys()) if _is_token(name)}
        if len(names) == 1 and (below or _camel(names[0]) == maker.made) and maker.made in told:
            parameters[f"path.{names[0]}"] = made
        elif not names and maker.made != "id" and maker.made in told.intersection(takes.get("required", ())):
            body[maker.made] = made
        else:
            return None
        token = next(filter(_is_token, sorted(told)), None)
        for header in self._headers_of_tokens(call) if token is not None else ():
            parameters[f"header.{header}"] = _told(str(token))
        if "version" in told and any(asked["name"] == "If-Match" for asked in call.operation["parameters"]):
            parameters["header.If-Match"] = f'"{{{_told("version")}}}"'
        return {"parameters": parameters} | ({"requestBody": body} if body else {})

    def _headers_of_tokens(self, call: Call) -> list[str]:
        schemes = self.components["securitySchemes"]
        asked = [schemes[name] for each in call.operation.get("security", []) for name in each]
        return [scheme["name"] for scheme in asked if scheme.get("in") == "header"]

    def _shape(self, content: Json) -> Json:
        """Return the shape of a body; nothing where there is none, or one of several."""
        schema = content.get("content", {}).get("application/json", {}).get("schema", {})
        found: Json = self.components["schemas"].get(schema.get("$ref", "").rpartition("/")[2], {})
        return found


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def _is_token(name: str) -> bool:
    return name.lower().endswith("token")


def _told(member: str) -> str:
    return f"$response.body#/{member}"
