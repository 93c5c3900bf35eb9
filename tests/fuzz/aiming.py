"""A made-up call, brought closer to what there is: otherwise nearly all of them end at the first look."""

import copy
from random import Random

from schemathesis.generation.case import Case

from fuzz.known import Json, Known

# How often, out of a hundred, what is known goes into a place where it would be looked for first; and elsewhere.
_FIRST, _ELSEWHERE = 90, 45
# How often a body is one that was taken before, but for some members; and how often a member stays that need not be there.
_TAKEN, _OPTIONAL = 70, 15
_CHANGED = 2
_PLACE = {"serviceId", "scheduleId", "slotStart", "slotEnd", "resourceId"}


class Aim:
    """Puts what is known in the place of some of what was made up."""

    def __init__(self, known: Known, schemas: Json) -> None:
        self._known, self._schemas = known, schemas

    def at(self, case: Case, chance: Random, *, linked: bool = False) -> None:
        """Change a call as far as chance will have it; a linked one has its address and its headers already."""
        thing: Json = {}
        for name in case.path_parameters or {}:
            within = case.path.partition(f"/{{{name}}}")[0]
            value = None if linked else self._known.of(name, chance, within)
            if value is not None and _happens(_FIRST, chance):
                case.path_parameters[name] = str(value)
            thing |= self._known.thing(case.path_parameters[name])
        self._query(case, chance)
        asked = {parameter.name for parameter in case.operation.iter_parameters()}
        if "If-Match" in asked and "version" in thing and _happens(_FIRST, chance):
            case.headers["If-Match"] = f'"{thing["version"]}"'
        if _happens(_FIRST, chance):
            case.headers.pop("Idempotency-Key", None)
        if isinstance(case.body, dict):
            case.body = self._body(case, thing, chance)

    def _query(self, case: Case, chance: Random) -> None:
        for name in list(case.query or {}):
            value = self._known.of(name, chance)
            if not _happens(_ELSEWHERE, chance):
                del case.query[name]
            elif value is not None and _happens(_FIRST, chance):
                case.query[name] = str(value)
        if case.path.endswith("/capacity") and _happens(_FIRST, chance):
            case.query |= chance.choice(list(self._known.wishes))

    def _body(self, case: Case, thing: Json, chance: Random) -> Json:
        shape = self._shape(case)
        made_up = {name: value for name, value in case.body.items() if name in shape.get("properties", {})}
        taken = self._known.taken.get(case.operation.label)
        if taken and _happens(_TAKEN, chance):
            changed = chance.sample(sorted(made_up), min(len(made_up), chance.randint(0, _CHANGED)))
            body = copy.deepcopy(chance.choice(list(taken))) | {name: made_up[name] for name in changed}
        else:
            required = shape.get("required", ())
            body = {name: value for name, value in case.body.items() if name in required or _happens(_OPTIONAL, chance)}
        body = self._aimed(body, thing, chance)
        for name in ("expectedVersion", "seen"):
            own = thing.get("version" if name == "expectedVersion" else name)
            if name in shape.get("properties", {}) and own is not None and _happens(_FIRST, chance):
                body[name] = own
        if "slotStart" in shape.get("properties", {}) and case.method == "POST" and _happens(_FIRST, chance):
            body = {name: value for name, value in body.items() if name not in _PLACE}
            body |= chance.choice(list(self._known.wishes))
        return body

    def _aimed(self, body: Json, thing: Json, chance: Random) -> Json:
        """Return a body with some of its members as they are known, those of the thing that it changes first."""
        aimed: Json = {}
        for name, value in body.items():
            known = thing.get(name, self._known.of(name, chance))
            if isinstance(value, dict):
                aimed[name] = self._aimed(value, thing, chance)
            elif known is None or not _happens(_ELSEWHERE, chance):
                aimed[name] = value
            else:
                aimed[name] = [known] if isinstance(value, list) and not isinstance(known, list) else known
        return aimed

    def _shape(self, case: Case) -> Json:
        content = case.operation.definition.raw["requestBody"]["content"]
        [name] = [kind["schema"].get("$ref", "").rpartition("/")[2] for kind in content.values()]
        found: Json = self._schemas.get(name, {})
        return found


def _happens(percent: int, chance: Random) -> bool:
    return chance.randrange(100) < percent
